"""
The verdict on every deployment, by the brute-force reference: which rules forbid it, which allow fits each class, and where none does,
which comes nearest. The facts and the rules are the reference's; nothing here is the gateway's.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))

from residency_reference import ANYWHERE, BadPlace, World, covers, matches_model  # noqa: E402


class Verdict:
    """
    On one deployment: gate is "not_served", "endpoint" or None; forbids, fits and nearest are sets of rule ids, the last two by class;
    nearest: class -> [(facts failed, id)].
    """

    def __init__(self, deployment, entry):
        self.deployment, self.backend, self.upstream, self.dialect = deployment["id"], deployment["backend"], entry["upstream"], deployment.get("dialect")
        self.gate, self.forbids, self.fits, self.nearest, self.outside, self.stores_nothing = None, set(), {}, {}, False, {}
        self.unsaid, self.elsewhere = False, False
        self.process = self.store = None

    @property
    def allowed(self):
        return self.gate is None and not self.forbids and all(self.fits.values())

    @property
    def eligible(self):
        return self.allowed and not self.outside and not self.elsewhere and not self.unsaid

    def reasons(self):
        """Everything that may be named for its exclusion, as the record spells it."""
        if self.gate:
            return {f"({self.gate})"}
        if self.forbids:
            return set(self.forbids)
        found = set()
        for one, fits in self.fits.items():
            if not fits:
                found |= least(self.nearest[one]) or {"(no_allow)"}
        return found or ({"(narrowed)"} if self.outside else {"(elsewhere)"} if self.elsewhere else {"(not_expressible)"} if self.unsaid else set())


def least(nearest):
    """The allows that failed in fewest facts."""
    fewest = min((count for count, _ in nearest), default=None)
    return {rule for count, rule in nearest if count == fewest}


class Judge(World):
    """One revision on one day at one node."""

    def __init__(self, documents, day, node, facts):
        super().__init__(documents, day, node, facts)
        self.take({})

    def take(self, request):
        """What its caller adds or takes away by itself: each list of places and of models holds."""
        self.key_classes = request.get("key_classes", ())
        self.key_places = [one.split(" ") for one in request.get("key_places", ())]
        self.key_models = [one.split(" ") for one in request.get("key_models", ())]

    def narrowings(self, policy, tenant_name, headers, geo=None):
        """A name that the policy does not have any more is nowhere."""
        own, found = policy.get("places"), []
        for names in self.key_places:
            left = set()
            for name in names:
                try:
                    left |= set(self.facts.places([name], own))
                except BadPlace:
                    continue
            found.append(left)
        return found + super().narrowings(policy, tenant_name, headers, geo)

    def model_permitted(self, tenant, model_name):
        return super().model_permitted(tenant, model_name) and all(any(matches_model(pattern, model_name) for pattern in patterns) for patterns in self.key_models)

    def classes_of(self, policy, tenant_name, headers, uninspected):
        classes, denial = super().classes_of(policy, tenant_name, headers, uninspected)
        if denial is None and not set(self.key_classes) <= set(policy["classes"]):
            denial = "unknown_data_class"
        return classes | set(self.key_classes), denial

    def answer(self, request):
        """World.decide's answer; an app that tenants/1 does not list has no policy."""
        self.take(request)
        if request["tenant"] not in self.tenants:
            return {"code": "no_policy", "eligible": [], "classes": [], "narrowed": False}
        return self.decide(request)

    def in_order(self, request, classes):
        """Classes in the order of the policy that covers the tenant."""
        policy = next(one for one in self.policies if covers(one["applies_to"], request["tenant"]))
        return [one for one in policy["classes"] if one in classes]

    def verdicts(self, request):
        """One for each deployment that lists the model, in the order of their ids. Only for answers "allow" and "residency_denied"."""
        tenant, headers = request["tenant"], request.get("headers", {})
        self.take(request)
        name = self.model_named(request["model"])
        policy = next((one for one in self.policies if covers(one["applies_to"], tenant)), None)
        if name is None or policy is None or tenant not in self.tenants:
            return []
        classes, _ = self.classes_of(policy, tenant, headers, request.get("uninspected") is True)
        try:
            narrowings = self.narrowings(policy, tenant, headers, request.get("inference_geo"))
        except BadPlace:
            return []
        guards = [one for one in self.guards if covers(one["applies_to"], tenant)]
        found = []
        for deployment in sorted(self.deployments, key=lambda one: one["id"].encode()):
            entry = deployment["models"].get(name)
            if entry is not None:
                entry = dict({"upstream": name}, **entry)
                found.append(self._verdict(request, policy, guards, classes, narrowings, name, deployment, entry))
        return found

    def _verdict(self, request, policy, guards, classes, narrowings, model, deployment, entry):
        """With everything the request uses; where that is not allowed, without what its client did not ask for."""
        found = self._verdict_of(request, policy, guards, classes, narrowings, model, deployment, entry)
        features = request.get("features", ())
        unasked = [one for one in features if not one.get("by_default")]
        if (found.allowed and not found.outside) or len(unasked) == len(features):
            return found
        return self._verdict_of({**request, "features": unasked}, policy, guards, classes, narrowings, model, deployment, entry)

    def _verdict_of(self, request, policy, guards, classes, narrowings, model, deployment, entry):
        tenant, upstream, verdict = request["tenant"], entry["upstream"], Verdict(deployment, entry)
        plain = self.target(deployment, entry, model, ())
        verdict.process, verdict.store = plain.process, plain.store
        if not any(covers(pattern, tenant) for pattern in self.overridden(deployment, entry, "serves", ())):
            verdict.gate = "not_served"
        elif not self.ways(request, deployment, entry):
            verdict.gate = "endpoint"
        else:
            verdict.elsewhere = bool(request.get("pin")) and deployment["id"] != request["pin"]
            verdict.unsaid = not self.expressible(request, deployment, self.ways(request, deployment, entry), entry.get("upstream", ""))
        target = self.target(deployment, entry, model, request.get("features", ()))
        for document in [policy] + guards:
            verdict.forbids |= {rule["id"] for rule in document.get("forbid", ()) if self.forbid_fires(rule, document, classes, tenant, model, upstream, target)}
        verdict.outside = not all(target.process <= places and target.store.places <= places for places in narrowings)
        for one in classes:
            mine = [rule for rule in policy["allow"] if one in rule["classes"] and self.in_scope(rule, "allow", tenant, model, upstream)]
            verdict.fits[one] = {rule["id"] for rule in mine if self.allow_fits(rule, policy, one, tenant, model, upstream, target)}
            verdict.stores_nothing[one] = {rule["id"] for rule in mine if rule["store"] == "nothing"} & verdict.fits[one]
            verdict.nearest[one] = [(self.failed(rule, policy, target), rule["id"]) for rule in mine]
        return verdict

    def failed(self, rule, policy, target):
        """How many of the facts that an allow states are not inside. A feature nobody listed is one fact more, whatever else it makes unknown."""
        own = policy.get("places")
        inside = self.facts.places
        count = bool(target.unlisted) and rule.get("unlisted_features") != "accepted"
        count += not target.process_listed <= inside(rule["process"]["within"], own)
        store, wanted = target.store_listed, rule["store"]
        if wanted == "nothing":
            count += not store.nothing
        elif not store.nothing:
            count += not store.places <= inside(wanted["within"], own)
            count += "max_days" in wanted and (store.days is None or store.days > wanted["max_days"])
        count += "operator_home" in rule and not target.operator_home <= inside(rule["operator_home"]["within"], own)
        count += "partitions" in rule and target.partition not in rule["partitions"]
        count += "attest" in rule and (target.attest is None or not set(rule["attest"]) <= target.attest)
        count += rule.get("training") != "accepted" and target.training is not False
        return count + ("until" in rule and self.today > rule["until"])


def written(places):
    """A set of countries as the record spells it."""
    if "?" in places:
        return ["?"]
    return ["ANYWHERE"] if places == ANYWHERE else sorted(places)
