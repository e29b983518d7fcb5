"""Brute-force reference for residency decisions.

Written from the text of the policy language alone, for comparison with the gateway: countries are Python sets of ISO codes plus "?" for
unknown, every rule is tried on every deployment, nothing is compiled or cached. Standard library only.

    world = World(documents, now, node, facts)      documents: list of dicts; now: "2026-11-21T00:00:00Z"; facts: Facts(path)
    world.decide(request) -> {"code": ..., "eligible": ["deployment/upstream", ...], "classes": [...], "narrowed": ...}

`narrowed`: nothing is eligible, but something would be without x-gatehouse-places and the places of tenants and apps.

`without` switches single conditions off, so a generator can measure in how many worlds a condition decides the answer. The names are
those in CONDITIONS.
"""

import json
from collections import namedtuple

ISO_CODES = frozenset("""
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL
CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC
MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT
PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA
UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
""".split())
assert len(ISO_CODES) == 249

ANYWHERE = ISO_CODES
UNKNOWN = ISO_CODES | {"?"}
NOTHING = frozenset()

CONDITIONS = (
    "allow.classes", "allow.tenants", "allow.models", "allow.until", "allow.process", "allow.store.nothing", "allow.store.within",
    "allow.store.max_days", "allow.operator_home", "allow.partitions", "allow.attest", "allow.training", "allow.training.accepted",
    "allow.unlisted_features",
    "forbid.classes", "forbid.tenants", "forbid.models", "forbid.process", "forbid.store", "forbid.operator_home", "forbid.partitions",
    "forbid.training", "forbid.everything", "guard",
    "class.default", "class.assign", "class.label", "class.unknown_label", "class.tenant", "class.app",
    "class.uninspected",
    "narrow.header", "narrow.geo", "narrow.tenant", "narrow.app", "narrow.process", "narrow.store",
    "fact.node_country", "fact.stated_process", "fact.derived_process", "fact.destinations", "fact.evidence_missing",
    "fact.evidence_expired", "fact.region_verified", "fact.claude", "fact.claude_alias", "fact.inference_geo", "fact.model_override", "fact.unknown_outside_anywhere", "fact.unknown_touches",
    "feature.adds", "feature.unlisted", "feature.unknown",
    "gate.node", "gate.alias", "gate.tenant_models", "gate.policy", "gate.endpoint", "gate.serves",
)

Store = namedtuple("Store", "nothing places days")          # days: None when unknown
UNKNOWN_STORE = Store(False, UNKNOWN, None)
STORE_NOTHING = Store(True, NOTHING, 0)

Target = namedtuple("Target", "process store process_listed store_listed operator_home partition attest training unlisted")


# What a request of an endpoint is translated to where a deployment does not offer that endpoint itself.
TALK = ("chat.completions", "responses", "messages", "converse", "invoke")
FAMILIES = {"anthropic": ["anthropic."], "nova": ["amazon.nova-2"], "gpt-oss": ["openai.gpt-oss"]}      # whose words Converse is asked in
EMBEDS = {"titan-v2": "titan-embed-text-v2", "titan-v1": "titan-embed-text-v1", "cohere-v3": "cohere.embed-multilingual-v3", "cohere-v4": "embed-v4"}
COUNT = ("messages.count_tokens", "bedrock.count_tokens")
TRANSLATED = {one: [other for other in group if other != one] for group in (TALK, COUNT) for one in group}


class BadPlace(Exception):
    """A name that is no country code, no set of the facts artefact and no place of the policy."""


class Facts:
    """The facts artefact: regions, sets of countries, and what SKUs and profile prefixes do."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as source:
            artefact = json.load(source)
        self.sets = {name: frozenset(row["members"]) for name, row in artefact["sets"].items()}
        self.regions = {(row["provider"], row["id"]): row for row in artefact["regions"] if row["id"]}
        self.rules = artefact["process_rules"]
        self.vendors = [vendor for row in self.rules["aws-bedrock"] for vendor in row.get("vendors", ())]
        self.profiles = [row["profile"] for row in self.rules["aws-bedrock"] if "profile" in row]

    def places(self, names, own=None, seen=()):
        """Union of named places. own: the policy's `places`; they may name each other."""
        if isinstance(names, str):
            names = [names]
        result = set()
        for name in names:
            if name == "ANYWHERE":
                result |= ANYWHERE
            elif name in ISO_CODES:
                result.add(name)
            elif name in self.sets:
                result |= self.sets[name]
            elif own and name in own and name not in seen:
                result |= self.places(own[name], own, seen + (name,))
            else:
                raise BadPlace(name)
        return frozenset(result)


def covers(pattern, name):
    """A name covers itself and everything below it; one trailing * covers what begins so."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern or name.startswith(pattern + "/")


def matches_model(pattern, name):
    """What is permitted is inside: a model has nothing below it, so it is the exact name, or one trailing *."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


class World:
    def __init__(self, documents, now, node, facts, without=()):
        self.facts, self.node, self.without = facts, node, frozenset(without)
        self.today = now[:10]                               # RFC 3339 in UTC: the day compares as text
        self.nodes, self.models, self.deployments, self.tenants = {}, {}, [], {}
        self.policies, self.guards = [], []
        for document in documents:
            if document["kind"] == "fleet/1":
                self.nodes.update((each["id"], each["country"]) for each in document.get("nodes", ()))
                self.models.update(document.get("models", {}))
                self.deployments += document.get("deployments", ())
            elif document["kind"] == "tenants/1":
                for organisation in document["organisations"]:
                    for tenant in organisation["tenants"]:
                        for app in tenant["apps"]:
                            self.tenants["/".join((organisation["id"], tenant["id"], app["id"]))] = (organisation, tenant, app)
            elif document["kind"] == "residency/1":
                (self.guards if document.get("role") == "guard" else self.policies).append(document)

    def off(self, condition):
        return condition in self.without

    # Facts of one (deployment, model).

    def evidence_in_force(self, entry, fact, value):
        """Is there evidence for this fact of this entry, and does it still hold today?"""
        found = None
        if isinstance(value, dict) and "evidence" in value:
            found = value["evidence"]
        elif "evidence" in entry:
            found = entry["evidence"]
            if "by" not in found:                           # by fact: none stands in for another
                found = found.get(fact)
        if found is None:
            return self.off("fact.evidence_missing")
        return found.get("until", "9999-12-31") >= self.today or self.off("fact.evidence_expired")

    def stated(self, deployment, entry, fact):
        """(is it stated, its value, does its evidence hold): the model's entry overrides its deployment's."""
        for holder in (entry, deployment):
            if holder is entry and self.off("fact.model_override"):
                continue
            if fact in holder:
                return True, holder[fact], self.evidence_in_force(holder, fact, holder[fact])
        return False, None, False

    def stated_set(self, deployment, entry, fact):
        """None when not stated; a set of countries, UNKNOWN when empty or without evidence in force."""
        is_stated, value, holds = self.stated(deployment, entry, fact)
        if not is_stated:
            return None
        if isinstance(value, dict):
            value = value["in"]
        if not holds or not value:
            return UNKNOWN
        if fact == "destinations":
            result = NOTHING
            for region in value:
                result |= self.region_country(deployment["provider"], region)
            return result
        return self.facts.places(value)

    def region_country(self, provider, region):
        row = self.facts.regions.get((provider, region))
        if row is None or (row.get("verified") is False and not self.off("fact.region_verified")):
            return UNKNOWN
        return frozenset([row["country"]])

    def partition_of(self, deployment):
        """As stated, else the region's; None when unknown."""
        row = self.facts.regions.get((deployment.get("provider"), deployment.get("region")), {})
        if "partition" in deployment or row.get("verified") is False:
            return deployment.get("partition")
        return row.get("partition")

    def overridden(self, deployment, entry, key, missing=None):
        holders = (deployment,) if self.off("fact.model_override") else (entry, deployment)
        return next((holder[key] for holder in holders if key in holder), missing)

    def azure_derived(self, deployment, entry, model_name):
        """(derived set, must more be stated): Claude on Azure is run by Anthropic and may leave whatever the SKU says."""
        region = self.region_country("azure", deployment.get("region"))
        if region == UNKNOWN:
            return UNKNOWN, False
        names = [model_name, entry["upstream"]]
        if not self.off("fact.claude_alias"):               # an upstream is the customer's own word, so any name counts
            names += self.models.get(model_name, {}).get("aliases", ())
        anthropic = any("claude" in name.lower() for name in names) and not self.off("fact.claude")
        for row in self.facts.rules["azure"]:
            if self.overridden(deployment, entry, "sku") not in row.get("sku", ()):
                continue
            if "when_region_country" in row and not region <= set(row["when_region_country"]):
                continue
            if "when_region_country_in" in row and not region <= self.facts.sets[row["when_region_country_in"]]:
                continue
            places, state = self.row_places(row["process"], region)
            return (region if places is None else places), state or anthropic
        return UNKNOWN, False                               # no row: an unknown SKU

    def aws_derived(self, deployment, entry):
        region = self.region_country("aws", deployment.get("region"))
        if region == UNKNOWN:
            return UNKNOWN, False
        upstream, profile = entry["upstream"], self.overridden(deployment, entry, "profile", "")
        if upstream.startswith("arn:") or profile.startswith("arn:"):
            return UNKNOWN, False
        head, _, rest = upstream.partition(".")
        if not profile and not (head in self.facts.vendors and "." in upstream):
            if head + "." not in self.facts.profiles and rest.partition(".")[0] not in self.facts.vendors:
                return UNKNOWN, False
            profile = head + "."                            # "eu.anthropic.claude": the profile is in the model's id
        if not profile:
            return region, False
        if profile == "global.":
            return ANYWHERE, False
        return region, True                                 # a stated set adds to the source region

    def row_places(self, process, region):
        if process.get("region"):
            return region, False
        if process.get("any"):
            return ANYWHERE, False
        if "set" in process:
            return self.facts.sets[process["set"]], False
        if "countries" in process:
            return frozenset(process["countries"]), False
        return (None, True) if process.get("state") else (UNKNOWN, False)

    def process_of(self, deployment, entry, model_name):
        provider = deployment.get("provider")
        stated = self.stated_set(deployment, entry, "process")
        if provider == "azure":
            derived, state = self.azure_derived(deployment, entry, model_name)
        elif provider == "aws":
            derived, state = self.aws_derived(deployment, entry)
            destinations = self.stated_set(deployment, entry, "destinations")
            if destinations is not None and not self.off("fact.destinations"):
                stated = destinations if stated is None else stated | destinations
        elif provider == "self":
            derived, state = NOTHING, True
            country = self.stated_set(deployment, entry, "country")
            if country is not None:
                stated = country if stated is None else stated | country
        elif provider in ("openai", "anthropic"):           # by what every request says, or by what the host is
            key, value = ("host", deployment.get("host")) if provider == "openai" else ("inference_geo", self.overridden(deployment, entry, "inference_geo", None))
            value = None if self.off("fact.inference_geo") else value
            for row in self.facts.rules[provider]:
                if row[key] in ("*", value):
                    derived, state = self.row_places(row["process"], NOTHING)
                    derived = derived or NOTHING
                    break
        elif provider == "other":                           # nothing is known of it but what its operator states
            derived, state = NOTHING, True
        else:
            derived, state = UNKNOWN, False
        if state and stated is None:
            result = UNKNOWN                                # must be stated, and is not
        elif stated is None or (self.off("fact.stated_process") and not state):
            result = derived
        else:
            result = stated if self.off("fact.derived_process") else derived | stated
        if not self.off("fact.node_country"):
            result = result | {self.nodes.get(self.node, "?")}
        return result

    def store_value(self, value):
        if value == "nothing":
            return STORE_NOTHING
        if not value or not value.get("in"):
            return UNKNOWN_STORE
        return Store(False, self.facts.places(value["in"]), value.get("days"))

    def store_of(self, deployment, entry):
        is_stated, value, holds = self.stated(deployment, entry, "store")
        return self.store_value(value) if is_stated and holds else UNKNOWN_STORE

    def target(self, deployment, entry, model_name, features):
        """All facts of one (deployment, model) for one request: with its features, and without those not listed."""
        process = self.process_of(deployment, entry, model_name)
        store = self.store_of(deployment, entry)
        _, listed, holds = self.stated(deployment, entry, "features")
        listed = listed or {}
        unlisted = []
        for feature in features:
            name = feature["name"]
            if name == "":
                if not self.off("feature.unknown"):
                    unlisted.append(feature["where"])
            elif name not in listed:
                if not self.off("feature.unlisted"):
                    unlisted.append(feature["where"])
            elif not self.off("feature.adds"):
                process, store = self.add_feature(process, store, listed[name], holds)
        strict = (process, store) if not unlisted else (UNKNOWN, UNKNOWN_STORE)
        operator_home = self.stated_set(deployment, entry, "operator_home")
        is_stated, training, holds = self.stated(deployment, entry, "training")
        training = training if is_stated and holds else None
        if isinstance(training, dict):
            training = training["value"]
        is_stated, attest, holds = self.stated(deployment, entry, "attest")
        if isinstance(attest, dict):
            attest = attest["value"]
        attest = frozenset(attest) if is_stated and holds else None
        return Target(strict[0], strict[1], process, store, UNKNOWN if operator_home is None else operator_home,
                      self.partition_of(deployment), attest, training, unlisted)

    def add_feature(self, process, store, adds, holds):
        if not holds:
            return UNKNOWN, UNKNOWN_STORE
        process = process | (self.facts.places(adds["process"]) if adds.get("process") else UNKNOWN)
        more = self.store_value(adds.get("store"))          # what it does not state is unknown, as any fact
        if not more.nothing:
            days = more.days if store.nothing else None if None in (store.days, more.days) else max(store.days, more.days)
            store = Store(False, store.places | more.places, days)
        return process, store

    # Rules.

    def inside(self, places, allowed):
        if self.off("fact.unknown_outside_anywhere") and allowed == ANYWHERE:
            return True
        return places <= allowed

    def touched(self, places, named):
        if self.off("fact.unknown_touches") and "?" in places:
            return False
        return bool(places & named)

    def in_scope(self, rule, kind, tenant, model_name, upstream):
        if "tenants" in rule and not self.off(kind + ".tenants"):
            if not any(covers(pattern, tenant) for pattern in rule["tenants"]):
                return False
        if "models" in rule and not self.off(kind + ".models"):
            named = covers if kind == "forbid" else matches_model           # a forbid is touched by what lies below a name, too
            if not any(named(pattern, name) for pattern in rule["models"] for name in (model_name, upstream)):
                return False
        return True

    def store_fits(self, wanted, store, own):
        if wanted == "nothing":
            return store.nothing or self.off("allow.store.nothing")
        if store.nothing:
            return True
        if not self.inside(store.places, self.facts.places(wanted["within"], own)) and not self.off("allow.store.within"):
            return False
        if "max_days" in wanted and not self.off("allow.store.max_days"):
            return store.days is not None and store.days <= wanted["max_days"]
        return True

    def allow_fits(self, rule, policy, one_class, tenant, model_name, upstream, target):
        own = policy.get("places")
        if one_class not in rule["classes"] and not self.off("allow.classes"):
            return False
        if not self.in_scope(rule, "allow", tenant, model_name, upstream):
            return False
        if "until" in rule and self.today > rule["until"] and not self.off("allow.until"):
            return False
        process, store = target.process, target.store
        if rule.get("unlisted_features") == "accepted" and not self.off("allow.unlisted_features"):
            process, store = target.process_listed, target.store_listed
        if not self.inside(process, self.facts.places(rule["process"]["within"], own)) and not self.off("allow.process"):
            return False
        if not self.store_fits(rule["store"], store, own):
            return False
        if "operator_home" in rule and not self.off("allow.operator_home"):
            if not self.inside(target.operator_home, self.facts.places(rule["operator_home"]["within"], own)):
                return False
        if "partitions" in rule and target.partition not in rule["partitions"] and not self.off("allow.partitions"):
            return False
        if "attest" in rule and not self.off("allow.attest"):
            if target.attest is None or not set(rule["attest"]) <= target.attest:
                return False
        accepted = rule.get("training") == "accepted" and not self.off("allow.training.accepted")
        return accepted or target.training is False or self.off("allow.training")

    def forbid_fires(self, rule, policy, classes, tenant, model_name, upstream, target):
        own = policy.get("places")
        if "classes" in rule and not set(rule["classes"]) & classes and not self.off("forbid.classes"):
            return False
        if not self.in_scope(rule, "forbid", tenant, model_name, upstream):
            return False
        stated = [fact for fact in ("process", "store", "operator_home", "partitions", "training") if fact in rule]
        if not stated:
            return not self.off("forbid.everything")
        for fact in stated:
            if self.off("forbid." + fact):
                continue
            if fact == "partitions":
                if target.partition is None or target.partition in rule["partitions"]:
                    return True
            elif fact == "training":
                if target.training is not False:
                    return True
            else:
                places = target.store.places if fact == "store" else getattr(target, fact)
                if self.touched(places, self.facts.places(rule[fact]["touches"], own)):
                    return True
        return False

    # One request.

    def classes_of(self, policy, tenant_name, headers, uninspected):
        """(classes, denial): every class any source gives; an unknown label may deny."""
        classify = policy["classify"]
        organisation, tenant, app = self.tenants[tenant_name]
        assigned = [row["class"] for row in classify.get("assign", ())
                    if any(covers(pattern, tenant_name) for pattern in row["tenants"])]
        if self.off("class.assign"):
            assigned = []
        classes = set(assigned) if assigned else set() if self.off("class.default") else {classify["default"]}
        if not self.off("class.tenant"):
            classes |= set(tenant.get("classes", ())) | set(organisation.get("classes", ()))
        if not self.off("class.app"):
            classes |= set(app.get("classes", ()))
        if uninspected and not self.off("class.uninspected"):
            classes |= set(classify.get("uninspected", ()))
        for label in classify.get("labels", ()):
            value = headers.get(label.partition(":")[2].lower())
            if value is None:
                continue
            for word in value.split(","):                   # a header given twice reads as one with a comma
                if word.strip() in policy["classes"]:
                    if not self.off("class.label"):
                        classes.add(word.strip())
                elif not self.off("class.unknown_label"):
                    if classify.get("unknown_label", "deny") == "deny":
                        return classes, "unknown_data_class"
                    classes.add(policy["classes"][-1])
        return classes, None

    def narrowings(self, policy, tenant_name, headers, geo=None):
        """geo: inference_geo of the body; a country may be in small letters, "global" asks for nothing."""
        organisation, tenant, app = self.tenants[tenant_name]
        own = policy.get("places")
        found = []
        for holder in () if self.off("narrow.tenant") else (organisation, tenant):
            if "places" in holder:
                found.append(self.facts.places(holder["places"], own))
        if "places" in app and not self.off("narrow.app"):
            found.append(self.facts.places(app["places"], own))
        sent = [] if self.off("narrow.header") else headers.get("x-gatehouse-places", [])
        sent = [sent] if isinstance(sent, str) else list(sent)
        if geo not in (None, "global") and not self.off("narrow.geo"):
            sent.append(geo.upper() if len(geo) == 2 else geo)
        for one in sent:                                    # each narrows further
            names = one.replace(",", " ").split()
            if not names:
                raise BadPlace("")
            found.append(self.facts.places(names, own))
        return found

    def model_named(self, name):
        for model, row in self.models.items():
            if name == model or (name in row.get("aliases", ()) and not self.off("gate.alias")):
                return model
        return None

    def model_permitted(self, tenant, model_name):
        """Each of organisation, tenant and app that lists models must list this one."""
        return all(any(matches_model(pattern, model_name) for pattern in holder["models"])
                   for holder in self.tenants[tenant] if "models" in holder)

    def eligible(self, policy, guards, classes, narrowings, tenant, model_name, entry, target):
        upstream = entry["upstream"]
        for document in [policy] + guards:
            for rule in document.get("forbid", ()):
                if self.forbid_fires(rule, document, classes, tenant, model_name, upstream, target):
                    return False
        for places in narrowings:
            if not target.process <= places and not self.off("narrow.process"):
                return False
            if not target.store.places <= places and not self.off("narrow.store"):
                return False
        for one_class in classes:
            if not any(self.allow_fits(rule, policy, one_class, tenant, model_name, upstream, target) for rule in policy["allow"]):
                return False
        return True

    def ways(self, request, deployment, entry):
        """The endpoints at which a deployment could be asked: the request's own, else those it offers that such requests are translated to."""
        offered = self.overridden(deployment, entry, "endpoints", ())
        if request["endpoint"] in offered or request.get("operation"):      # what is kept is asked for in the words it was made with
            return [request["endpoint"]] if request["endpoint"] in offered else []
        return [one for one in TRANSLATED.get(request["endpoint"], ()) if one in offered]

    @staticmethod
    def expressible(request, deployment, ways, upstream=""):
        """Whether any of them has words for it. What has none is an input here: {"strict": endpoints, "self": endpoints}."""
        barred = request.get("inexpressible", {}).get("self" if (deployment["provider"], deployment["dialect"]) == ("self", "openai") else "strict", ())
        if request["endpoint"] == "embeddings" == "".join(ways) and deployment["dialect"] == "bedrock":
            return not any(one in request.get("inexpressible", {}).get("models", ()) for one in EMBEDS if EMBEDS[one] in upstream)
        family = next((one for one, names in FAMILIES.items() if any(name in upstream for name in names)), None)
        if upstream.startswith("arn:") and not family and "invoke" in deployment.get("endpoints", ()):
            family = "anthropic"
        by_model = request.get("inexpressible", {}).get("converse")
        if by_model is not None and family and deployment["dialect"] == "bedrock":
            barred = set(barred) - {"converse"} | ({"converse"} if family in by_model else set())
        return request["endpoint"] in ways or any(one not in barred for one in ways)

    def decide(self, request):
        tenant, headers = request["tenant"], request.get("headers", {})

        def denied(code, classes=()):
            return {"code": code, "eligible": [], "classes": sorted(classes), "narrowed": False}

        if self.node not in self.nodes and not self.off("gate.node"):
            return denied("policy_unavailable")
        model_name = self.model_named(request["model"])
        if model_name is None:
            return denied("model_not_found")
        if not self.model_permitted(tenant, model_name) and not self.off("gate.tenant_models"):
            return denied("model_not_allowed")
        covering = [policy for policy in self.policies if covers(policy["applies_to"], tenant) or self.off("gate.policy")]
        if not covering:
            return denied("no_policy")
        policy = covering[0]
        classes, denial = self.classes_of(policy, tenant, headers, request.get("uninspected") is True)
        if denial:
            return denied(denial)
        try:
            narrowings = self.narrowings(policy, tenant, headers, request.get("inference_geo"))
        except BadPlace:
            return denied("invalid_places")
        guards = [] if self.off("guard") else [each for each in self.guards if covers(each["applies_to"], tenant)]
        offered, narrowed, unsaid, fitting = False, False, False, []
        pin, elsewhere, own = request.get("pin"), False, False
        unasked = [one for one in request.get("features", ()) if not one.get("by_default")]
        for deployment in self.deployments:
            entry = deployment["models"].get(model_name)
            if entry is None:
                continue
            entry = dict({"upstream": model_name}, **entry)
            ways = self.ways(request, deployment, entry)
            if not ways and not self.off("gate.endpoint"):
                continue
            if not any(covers(pattern, tenant) for pattern in self.overridden(deployment, entry, "serves", ())) and not self.off("gate.serves"):
                continue
            offered = True
            own = own or deployment["id"] == pin
            target = self.target(deployment, entry, model_name, request.get("features", ()))
            if not self.eligible(policy, guards, classes, narrowings, tenant, model_name, entry, target):
                target = self.target(deployment, entry, model_name, unasked)       # what the client did not ask for is left out
            if self.eligible(policy, guards, classes, narrowings, tenant, model_name, entry, target):
                if pin and deployment["id"] != pin:
                    elsewhere = True
                    continue
                if ways and not self.expressible(request, deployment, ways, entry.get("upstream", "")):
                    unsaid = True
                    continue
                fitting.append(deployment["id"] + "/" + entry["upstream"])
            elif self.eligible(policy, guards, classes, (), tenant, model_name, entry, target):
                narrowed = True
        if not offered:
            return denied("state_not_found" if request.get("operation") else "model_not_found")
        if not fitting and unsaid:
            return denied("not_expressible", classes)
        if not fitting and elsewhere:
            return denied("residency_denied" if own else "state_not_found", classes)
        if not fitting:
            return dict(denied("residency_denied", classes), narrowed=narrowed)
        return {"code": "allow", "eligible": sorted(fitting), "classes": sorted(classes), "narrowed": False}


def answers(world, facts, without=()):
    """Answers to every request of a world in the driver's form."""
    documents = [each["json"] for each in world["documents"]]
    judge = World(documents, world["now"], world["node"], facts, without)
    return [judge.decide(request) for request in world["requests"]]
