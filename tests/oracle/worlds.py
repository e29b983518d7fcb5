"""Random worlds for the residency oracle: documents, a node, a clock and requests, from one seed.

Every document is valid. Rules are written around facts that some deployment really has, then often bent by one step, so that a good share of
requests is allowed, most denials are near misses and each condition decides the answer somewhere. The layout of evidence in documents stands
in `Maker.evidence` alone.
"""

import datetime
import json
import random

from residency_reference import ANYWHERE, ISO_CODES, World, covers

AZURE_REGIONS = (
    "westeurope", "northeurope", "swedencentral", "francecentral", "germanywestcentral", "switzerlandnorth", "norwayeast", "uksouth",
    "eastus", "canadacentral", "eastasia", "southeastasia", "japaneast", "chinaeast2", "usgovvirginia", "usgoviowa", "eastus2euap",
    "westeurope2")
AWS_REGIONS = (
    "eu-central-1", "eu-central-2", "eu-north-1", "eu-west-1", "eu-west-2", "us-east-1", "ca-central-1", "ap-southeast-2",
    "ap-southeast-6", "me-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "eu-mars-1")
SKUS = ("Standard", "Standard", "Standard", "ProvisionedManaged", "DataZoneStandard", "DataZoneProvisionedManaged", "GlobalStandard",
        "GlobalBatch", "DeveloperTier", "Turbo")
PROFILES = ("eu.", "eu.", "us.", "us.", "au.", "apac.", "global.", "zz.")
VENDORS = ("anthropic", "amazon", "openai", "mistral", "meta")
COUNTRIES = ("DE", "SE", "FR", "NL", "IE", "NO", "CH", "GB", "US", "CA", "CN", "HK", "SG", "JP")
SETS = ("EU", "EEA", "EU_DATA_BOUNDARY", "OPENAI_EUROPE", "GDPR_ADEQUATE", "DOJ_COUNTRIES_OF_CONCERN", "FIVE", "GDPR_TERRITORY")
ATTEST = ("c5", "hipaa-baa", "iso27001")
FEATURES = ("web_search", "file_search", "code_interpreter", "mcp", "background")
CLASSES = ("public", "internal", "personal", "secret")
MODELS = (("gpt-4.1", "gpt-4.1-2025"), ("gpt-4o", "gpt-4o-latest"), ("claude-sonnet", "sonnet"), ("llama-3", "llama"),
          ("llama-3/70b", "llama-70b"), ("our-writer", "Claude-Opus"))
ENDPOINTS = ("chat.completions", "completions", "embeddings")
ORGANISATIONS = {"nordbank": ("retail", "retail-eu"), "fjord": ("web", "labs")}
APPS = ("chat", "batch")


def some(rng, items, most):
    return rng.sample(list(items), rng.randint(1, min(most, len(items))))


def day(now, days):
    return (datetime.date.fromisoformat(now[:10]) + datetime.timedelta(days=days)).isoformat()


class Maker:
    """One world in the making."""

    def __init__(self, rng, facts):
        self.rng, self.facts = rng, facts
        self.crowd = rng.random() < 0.004                   # more than one machine word of deployments, models, rules and classes
        self.now = "2026-11-%02dT%s" % (rng.randint(10, 29), rng.choice(("00:00:00Z", "12:34:56Z", "23:59:59Z")))

    def chance(self, probability):
        return self.rng.random() < probability

    # fleet/1

    def evidence(self):
        """Evidence of one fact, or None. Most holds; some ends today, some is over, some was never given."""
        roll = self.rng.random()
        if roll < 0.015:
            return None
        if 0.5 < roll < 0.52:
            return {"by": "counsel", "on": "2026-01-15", "source": "for good"}
        until = day(self.now, 400 if roll < 0.93 else 0 if roll < 0.965 else 1 if roll < 0.975 else -1)
        return {"by": "counsel", "on": "2026-01-15", "source": "contract 17", "until": until}

    def state(self, holder, fact, value):
        """State a fact with its evidence."""
        holder[fact] = value
        evidence = self.evidence()
        if evidence is not None:
            astray = fact in ("country", "destinations") and self.chance(0.02)      # given for `process`, which is another fact
            holder.setdefault("evidence", {})["process" if astray else fact] = evidence

    def place_list(self):
        names = some(self.rng, COUNTRIES, 3)
        if self.chance(0.3):
            names = [self.rng.choice(SETS)] + names[:self.rng.randint(0, 1)]
        return ["ANYWHERE"] if self.chance(0.03) else names

    def store(self):
        if self.chance(0.5):
            return "nothing"
        result = {"in": self.place_list(), "days": self.rng.choice((0, 1, 30, 30, 90))}
        if self.chance(0.08):
            del result["days"]
        return result

    def common_facts(self, holder, chance):
        if self.chance(chance):
            self.state(holder, "store", self.store())
        if self.chance(chance):
            home = self.rng.choice(("US", "US", "DE", "SE", "CN", ["DE", "US"]))
            self.state(holder, "operator_home", home)
        if self.chance(chance):
            self.state(holder, "training", self.chance(0.15))
        if self.chance(chance * 0.8):
            self.state(holder, "attest", some(self.rng, ATTEST, 3))

    def features(self, holder):
        listed = {}
        for name in some(self.rng, FEATURES, 4):
            adds = {}
            if self.chance(0.93):
                adds["process"] = some(self.rng, COUNTRIES, 2)
            if self.chance(0.93):
                adds["store"] = {"in": some(self.rng, COUNTRIES, 2), "days": self.rng.choice((0, 7, 60))}
                if self.chance(0.45):
                    adds["store"] = "nothing"
            listed[name] = adds
        self.state(holder, "features", listed)

    def azure(self, deployment):
        region = self.rng.choice(AZURE_REGIONS if self.chance(0.5) else AZURE_REGIONS[:9])
        row = self.facts.regions.get(("azure", region))
        deployment.update(provider="azure", dialect="azure-v1", region=region, sku=self.rng.choice(SKUS),
                          partition=row["partition"] if row else "azure")
        if self.chance(0.02):
            del deployment["sku"]

    def aws(self, deployment):
        region = self.rng.choice(AWS_REGIONS[:-1] if self.chance(0.8) else AWS_REGIONS)
        row = self.facts.regions.get(("aws", region))
        deployment.update(provider="aws", dialect="bedrock-openai", region=region, partition=row["partition"] if row else "aws")
        if self.chance(0.5):
            deployment["profile"] = self.rng.choice(PROFILES)
            if self.chance(0.88):
                self.state(deployment, "destinations", some(self.rng, AWS_REGIONS[:12] if self.chance(0.9) else AWS_REGIONS, 3))

    def aws_upstream(self, deployment):
        bare = self.rng.choice(VENDORS) + ".model-" + str(self.rng.randint(1, 3))
        roll = self.rng.random()
        if roll < 0.04:
            return "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"
        if roll < 0.07:
            return self.rng.choice(("nobody.model-1", deployment.get("profile", "eu.") + "nobody.model-1", "gpt-oss"))
        if roll < 0.15 and "profile" not in deployment:
            return self.rng.choice(PROFILES) + bare
        return deployment.get("profile", "") + bare

    def deployment(self, number, tenants):
        result = {"id": "d%d" % number, "backend": "b%d" % number, "priority": self.rng.randint(1, 3)}
        kind = self.rng.random()
        if kind < 0.4:
            self.azure(result)
        elif kind < 0.68:
            self.aws(result)
        elif kind < 0.92:
            result.update(provider="self", partition="self", dialect="openai")
            if not self.chance(0.03):
                self.state(result, "country", self.rng.choice(COUNTRIES))
        else:
            provider = self.rng.choice(("openai", "openai", "anthropic", "anthropic", "other"))
            result.update(provider=provider, partition=provider, dialect="openai")
            if provider == "openai" and not self.chance(0.1):
                result["host"] = self.rng.choice(("us.api.openai.com", "eu.api.openai.com", "api.openai.com"))
            if provider == "anthropic" and self.chance(0.7):
                result.update(dialect="anthropic", inference_geo=self.rng.choice(("us", "us", "global")))
        if self.chance(0.02):
            del result["partition"]
        result["endpoints"] = list(ENDPOINTS) if self.chance(0.8) else some(self.rng, ENDPOINTS, 2)
        if result["dialect"] == "bedrock-openai":
            result["endpoints"] = list(ENDPOINTS[:1])       # it has no other
        if result["dialect"] == "anthropic":
            result["endpoints"] = ["messages"]              # chat is translated to it
        if not self.chance(0.02):
            result["serves"] = sorted({name.split("/")[0] for name in tenants}) if self.chance(0.75) else self.patterns(tenants)
        self.common_facts(result, 0.95)
        if self.chance(0.2):
            self.state(result, "process", [] if self.chance(0.05) else self.place_list())
        if self.chance(0.6):
            self.features(result)
        result["models"] = {}
        for name, _ in self.models:
            if not self.chance(0.92):
                continue
            entry = {"upstream": self.aws_upstream(result) if result["provider"] == "aws" else name + "-up"}
            if self.chance(0.15):
                self.common_facts(entry, 0.4)
            if self.chance(0.06):
                self.state(entry, "process", self.place_list())
            if self.chance(0.06):
                self.features(entry)
            self.override(result, entry)
            result["models"][name] = entry
        if self.chance(0.1):
            one = self.evidence() or {"by": "counsel", "on": "2026-01-15", "source": "one for all"}
            for holder in [result] + list(result["models"].values()):
                if "evidence" in holder:
                    holder["evidence"] = one                # one evidence for all that stands beside it
        return result

    def override(self, deployment, entry):
        """What else a model's entry may say instead of its deployment."""
        if deployment["provider"] == "azure" and self.chance(0.06):
            entry["sku"] = self.rng.choice(SKUS)
        elif deployment["provider"] == "aws" and "profile" not in deployment and entry["upstream"].count(".") == 1 and self.chance(0.06):
            entry["profile"] = self.rng.choice(PROFILES)
            if self.chance(0.8):
                self.state(entry, "destinations", some(self.rng, AWS_REGIONS[:12], 2))
        if deployment["provider"] == "anthropic" and deployment["dialect"] == "anthropic" and self.chance(0.2):
            entry["inference_geo"] = self.rng.choice(("us", "global"))
        if deployment["dialect"] not in ("bedrock-openai", "anthropic") and self.chance(0.03):
            entry["endpoints"] = some(self.rng, ENDPOINTS, 2)
        if deployment["provider"] != "aws" and self.chance(0.03):
            del entry["upstream"]

    def fleet(self, tenants):
        self.nodes = [{"id": "n1", "country": self.rng.choice(COUNTRIES[:10])}]
        if self.chance(0.3):
            self.nodes.append({"id": "n2", "country": self.rng.choice(COUNTRIES)})
        self.node = "n9" if self.chance(0.015) else self.rng.choice(self.nodes)["id"]
        models = {name: {"context": 128000, "max_output": 4096} for name, _ in self.models}
        for name, alias in self.models:
            if self.chance(0.6):
                models[name]["aliases"] = [alias]
        if self.crowd:
            models.update(("filler-%d" % number, {"context": 1000, "max_output": 100}) for number in range(self.rng.randint(60, 140)))
        deployments = [self.deployment(number, tenants) for number in range(self.rng.randint(60, 140) if self.crowd else self.rng.choice((1, 2, 2, 3, 3, 4, 5)))]
        whole = {"kind": "fleet/1", "nodes": self.nodes, "models": models, "deployments": deployments}
        if self.chance(0.8):
            return [whole]
        return [{"kind": "fleet/1", "nodes": self.nodes, "models": models, "deployments": deployments[:1]},
                {"kind": "fleet/1", "deployments": deployments[1:]}] if deployments[1:] else [whole]

    # tenants/1

    def tenants(self):
        """The document, and the names of all apps: "organisation/tenant/app"."""
        names, organisations = [], []
        for organisation in ["nordbank"] + (["fjord"] if self.chance(0.4) else []):
            tenants = []
            for tenant in some(self.rng, ORGANISATIONS[organisation], 2):
                apps = [{"id": app} for app in some(self.rng, APPS, 2)]
                if self.chance(0.05):
                    apps[0]["models"] = [self.model_pattern([self.rng.choice(self.models)[0]])]
                tenants.append({"id": tenant, "models": ["*"], "apps": apps})
                if self.chance(0.12):
                    name = self.rng.choice(self.models)[0]
                    tenants[-1]["models"] = [self.model_pattern([name])]
                    if "models" in apps[0]:                    # a level below can only narrow
                        apps[0]["models"] = [name] if tenants[-1]["models"][0].endswith("*") else list(tenants[-1]["models"])
                elif self.chance(0.05):
                    del tenants[-1]["models"]
                names += ["/".join((organisation, tenant, app["id"])) for app in apps]
            organisations.append({"id": organisation, "tenants": tenants})
        return {"kind": "tenants/1", "organisations": organisations}, names

    def add_caller_limits(self, document, policies):
        """Classes and places that tenants and apps add, in the words of the policy that covers them."""
        for organisation in document["organisations"]:
            policy = policies.get(organisation["id"])
            if policy and covers(policy["applies_to"], organisation["id"] + "/x") and self.chance(0.04):
                organisation["classes"] = [self.rng.choice(policy["classes"])]
            if self.chance(0.04):
                organisation["places"] = self.names_for(frozenset.union(*self.any_target()), {}, self.chance(0.3))
            for tenant in organisation["tenants"]:
                covered = policy and covers(policy["applies_to"], organisation["id"] + "/" + tenant["id"])
                for holder in [tenant] + tenant["apps"]:
                    if covered and self.chance(0.12):
                        holder["classes"] = [self.rng.choice(policy["classes"])]
                    if self.chance(0.1):
                        process, store = self.any_target()
                        holder["places"] = self.names_for(process | store, {}, self.chance(0.3))
                        above = organisation.get("places", []) if holder is tenant else tenant.get("places") or organisation.get("places", [])
                        if above:                              # a level below can only narrow
                            holder["places"] = some(self.rng, above, 3)

    # Names, patterns

    def patterns(self, names, depth=3):
        """One or two patterns of at most `depth` parts, each covering at least one of the names."""
        result = []
        for name in some(self.rng, sorted(names), 2):
            parts = name.split("/")
            pattern = "/".join(parts[:self.rng.randint(1, depth)])
            roll = self.rng.random()
            if roll < 0.2 and "/" in pattern:
                pattern = pattern[:self.rng.randint(pattern.index("/") + 1, len(pattern))] + "*"
            elif roll < 0.3:
                pattern = parts[0] + "/*"
            if pattern not in result:
                result.append(pattern)
        return result

    def model_pattern(self, names):
        name = self.rng.choice(names)
        if "/" in name and self.chance(0.3):
            return name.split("/")[0]                       # which only a forbid takes for what lies below it
        return name if self.chance(0.6) else name[:self.rng.randint(1, len(name))] + "*"

    def model_patterns(self):
        names = [name for name, _ in self.models]
        upstreams = {entry.get("upstream", name) for each in self.deployments for name, entry in each["models"].items()}
        names += sorted(name for name in upstreams if not name.startswith("arn:"))
        return list(dict.fromkeys(self.model_pattern(names) for _ in range(self.rng.randint(1, 2))))

    def names_for(self, needed, own, bent):
        """Names whose union holds `needed` (all of it, unless bent); something else when nothing could."""
        pool = list(SETS) + sorted(own)
        if "?" in needed:
            return ["ANYWHERE"] if self.chance(0.3) else some(self.rng, pool, 2)
        if needed == ANYWHERE:
            return some(self.rng, pool, 2) if bent else ["ANYWHERE"]
        if bent and needed:
            lost = self.rng.choice(sorted(needed))
            pool = [name for name in pool if lost not in self.facts.places([name], own)]
            needed = needed - {lost}
        elif self.chance(0.08):
            return ["ANYWHERE"]
        pool = [name for name in pool if self.facts.places([name], own) & needed]
        result = some(self.rng, pool, 1) if pool and self.chance(0.7) else []
        result += sorted(needed - self.facts.places(result, own)) if result else sorted(needed)
        return result or ["DE"]

    def names_against(self, places, own, touch):
        """Names for a forbid: touching the places, or just missing them."""
        pool = list(SETS) + list(COUNTRIES) + sorted(own)
        fitting = [name for name in pool if bool(self.facts.places([name], own) & places) == touch]
        return some(self.rng, fitting or pool, 2)

    # residency/1

    def pick(self):
        """A target to write a rule around: mostly the same one, so that several classes can agree on it."""
        return self.favourite if self.chance(0.85) else self.rng.choice(self.targets)

    def any_target(self):
        """Where one target may process and store."""
        target = self.pick()[3]
        return target.process_listed, target.store_listed.places

    def places(self):
        if not self.chance(0.5):
            return {}
        own = {"home": some(self.rng, COUNTRIES[:7], 4)}
        if self.chance(0.5):
            own["near"] = ["home", self.rng.choice(SETS + COUNTRIES)]
        return own

    def until(self):
        return day(self.now, self.rng.choice((200, 200, 30, 0, 1, -1, -30)))

    def allow(self, number, classes, own, tenants):
        model_name, upstream, partition, target = self.pick()
        bent = self.rng.choice(("process", "store", "operator_home", "partitions", "attest", "training", "until", "scope")) \
            if self.chance(0.25) else None
        rule = {"id": "allow-%d" % number, "why": "because", "classes": classes}
        lenient = self.chance(0.7 if target.unlisted else 0.1)
        process, store = (target.process_listed, target.store_listed) if lenient else (target.process, target.store)
        if lenient:
            rule["unlisted_features"] = "accepted"
        rule["process"] = {"within": self.names_for(process, own, bent == "process")}
        if (store.nothing and self.chance(0.7)) or (bent == "store" and self.chance(0.4)):
            rule["store"] = "nothing"
        else:
            rule["store"] = {"within": self.names_for(store.places, own, bent == "store" and self.chance(0.5))}
            if self.chance(0.7):
                rule["store"]["max_days"] = max(0, (store.days or 0) + (-1 if bent == "store" else self.rng.choice((0, 0, 30))))
        if self.chance(0.25) or bent == "operator_home":
            rule["operator_home"] = {"within": self.names_for(target.operator_home, own, bent == "operator_home")}
        if self.chance(0.25) or bent == "partitions":
            words = {"azure", "aws", "self", "aws-eusc", "azure-us-gov", "openai"}
            words = words - {partition} if bent == "partitions" else words
            rule["partitions"] = list(dict.fromkeys(([partition] if partition and bent != "partitions" else [])
                                                    + some(self.rng, sorted(words), 2)))
        if self.chance(0.25) or bent == "attest":
            has = sorted(target.attest or ATTEST[:1])
            rule["attest"] = some(self.rng, ATTEST if bent == "attest" else has, 2)
        if target.training is not False and bent != "training" and self.chance(0.7) or self.chance(0.05):
            rule["training"] = "accepted"
        if self.chance(0.12) or bent == "until":
            rule["until"] = self.until()
        if self.chance(0.15) or bent == "scope":
            rule["tenants"] = self.patterns(tenants)
        if self.chance(0.15) or bent == "scope":
            rule["models"] = [self.model_pattern([model_name, upstream])] if bent != "scope" else self.model_patterns()
        return rule

    def forbid(self, number, classes, own, tenants):
        _, _, partition, target = self.pick()
        rule = {"id": "forbid-%d" % number, "why": "because"}
        touch = self.chance(0.25)
        facts = some(self.rng, ("process", "store", "operator_home", "partitions", "training"), 2)
        off_switch = self.chance(0.12)
        for fact in [] if off_switch else facts:
            if fact == "partitions":
                words = ["azure-cn", "aws-cn", "aws", "azure", "self"]
                rule[fact] = [partition] if touch and partition else some(self.rng, [word for word in words if word != partition], 2)
            elif fact == "training":
                rule[fact] = True
            else:
                places = target.store.places if fact == "store" else getattr(target, fact)
                rule[fact] = {"touches": self.names_against(places, own, touch)}
        if classes and (self.chance(0.35) or off_switch):
            rule["classes"] = some(self.rng, classes, 2)
        if self.chance(0.3) or (off_switch and self.chance(0.7)):
            rule["tenants"] = self.patterns(tenants)
        if self.chance(0.25) or (off_switch and self.chance(0.7)):
            rule["models"] = self.model_patterns()
        return rule

    def policy(self, organisation, names):
        own = self.places()
        names = [name for name in names if name.startswith(organisation + "/")]
        classes = list(CLASSES[:self.rng.choice((1, 2, 2, 3, 3, 4))])
        if self.crowd:
            classes += ["c%d" % number for number in range(self.rng.randint(1, 28))]
        self.rng.shuffle(classes)
        default = self.rng.choice(classes)
        classify = {"default": default}
        if self.chance(0.3):
            classify["assign"] = [{"tenants": self.patterns(names), "class": self.rng.choice(classes)}
                                  for _ in range(self.rng.randint(1, 2))]
        if self.chance(0.6):
            classify["labels"] = ["header:x-data-class"] if self.chance(0.9) else ["header:X-Data-Class", "header:x-sensitivity"]
            classify["unknown_label"] = self.rng.choice(("deny", "highest"))
        if self.chance(0.5):
            classify["uninspected"] = some(self.rng, classes, 2)
        allow = [self.allow(number, some(self.rng, classes, 4) if number >= len(classes) else [classes[number]], own, names)
                 for number in range(len(classes) + self.rng.randint(0, 60 if self.crowd else 2))]
        applies_to = organisation + "/*" if self.chance(0.6) else organisation if self.chance(0.8) else self.patterns(names, 2)[0]
        covered = [name for name in names if covers(applies_to, name)]
        forbid = [self.forbid(number, classes, own, covered or names) for number in range(self.rng.choice((0, 0, 1, 1, 2)))]
        result = {"kind": "residency/1", "name": organisation, "applies_to": applies_to, "facts": "regions/2026-11-21",
                  "places": own, "classes": classes, "classify": classify, "allow": allow, "forbid": forbid,
                  "audit_store": {"within": ["ANYWHERE"]}}
        for key in ("places", "forbid"):
            if not result[key]:
                del result[key]
        return result

    def guard(self, number, names):
        own = self.places()
        organisation = self.rng.choice(sorted({name.split("/")[0] for name in names}))
        names = [name for name in names if name.startswith(organisation + "/")]
        result = {"kind": "residency/1", "role": "guard", "name": "guard-%d" % number,
                  "applies_to": organisation if self.chance(0.8) else "*",
                  "facts": "regions/2026-11-21", "forbid": [self.forbid(number, (), own, names)]}
        if own:
            result["places"] = own
        if self.chance(0.2):
            result["nodes"] = [dict(node) for node in self.nodes]
        return result

    # Requests

    def request(self, names):
        model, alias = self.models[0] if self.chance(0.8) else self.rng.choice(self.models)
        roll = self.rng.random()
        features = []
        if self.chance(0.22):
            features = [{"name": name, "where": "tools[%d]" % index} for index, name in enumerate(some(self.rng, FEATURES[:3] if self.chance(0.7) else FEATURES, 2))]
        if self.chance(0.03):
            features.append({"name": "", "where": "frobnicate"})
        request = {"tenant": self.rng.choice(names), "model": model if roll < 0.85 else alias if roll < 0.97 else "nonesuch",
                   "endpoint": "chat.completions" if self.chance(0.85) else self.rng.choice(ENDPOINTS), "headers": {}, "features": features}
        if self.chance(0.25):
            request["uninspected"] = self.chance(0.9)
        if self.chance(0.05):
            request["inference_geo"] = self.rng.choice(("us", "us", "global", "ch", "EEA", "nowhere"))
        return request

    def label(self, known):
        """A class of the policy, at times several, an unknown one or none at all."""
        if self.chance(0.7):
            return self.rng.choice(known)
        return self.rng.choice(("top-secret", "Public", "", ", ".join(some(self.rng, known, 3)), self.rng.choice(known) + ",nonsense"))

    def add_headers(self, request, policies):
        policy = policies.get(request["tenant"].split("/")[0])
        own = policy.get("places", {}) if policy else {}
        if self.chance(0.3):
            known = policy["classes"] if policy else CLASSES
            request["headers"]["x-data-class"] = self.label(known)
            if self.chance(0.2):
                request["headers"]["x-sensitivity"] = self.label(known)
        if self.chance(0.25):
            process, store = self.any_target()
            names = self.names_for(process | store, own, self.chance(0.35))
            if self.chance(0.05):
                names = names + [self.rng.choice(("XX", "EUROPE", "eu", "elsewhere"))]
            separator = " " if self.chance(0.8) else self.rng.choice((",", ", "))
            request["headers"]["x-gatehouse-places"] = separator.join(names) if self.chance(0.97) else ""

    def world(self):
        self.models = self.rng.sample(MODELS, self.rng.randint(1, 3))
        tenants, names = self.tenants()
        fleet = self.fleet(names)
        self.deployments = [each for document in fleet for each in document["deployments"]]
        requests = [self.request(names) for _ in range(self.rng.randint(2, 4))]
        view = World(fleet, self.now, self.node, self.facts)
        self.targets = []
        for request in requests:
            for each in self.deployments:
                for name, entry in each["models"].items():
                    if request["model"] == name or not self.targets:
                        entry = dict({"upstream": name}, **entry)
                        self.targets.append((name, entry["upstream"], view.partition_of(each),
                                             view.target(each, entry, name, request["features"])))
        if not self.targets:
            return None
        known = [each for each in self.targets if each[0] == requests[0]["model"] and "?" not in each[3].process_listed | each[3].store_listed.places]
        self.favourite = self.rng.choice(known or self.targets)
        policies = {name: self.policy(name, names) for name in sorted({name.split("/")[0] for name in names}) if self.chance(0.97)}
        guards = [self.guard(number, names) for number in range(self.rng.choice((0, 0, 0, 1, 2)))]
        self.add_caller_limits(tenants, policies)
        for request in requests:
            self.add_headers(request, policies)
        documents = fleet + [tenants] + list(policies.values()) + guards
        self.rng.shuffle(documents)
        return {"documents": [{"path": "%02d-%s.json" % (index, each["kind"].split("/")[0]), "json": each}
                              for index, each in enumerate(documents)],
                "now": self.now, "node": self.node, "requests": requests}


def make_world(seed, number, facts):
    """World `number` of a seed; the same for ever."""
    rng = random.Random("%s/%s" % (seed, number))
    while True:
        world = Maker(rng, facts).world()
        if world is not None:
            return world


def line(world):
    """One world as the driver reads it."""
    return json.dumps(world, separators=(",", ":"))


# Changes for the laws. Each returns a changed copy, or None when it does not apply to this world.

def copied(world):
    return json.loads(json.dumps(world))


def of_kind(world, kind):
    return [each["json"] for each in world["documents"] if each["json"]["kind"] == kind]


def add_forbid(rng, world):
    """One more forbid, in a document of the world or in a guard of its own."""
    world = copied(world)
    documents = of_kind(world, "residency/1")
    if not documents or rng.random() < 0.3:
        documents = [{"kind": "residency/1", "role": "guard", "name": "one-more", "applies_to": "*", "facts": "regions/2026-11-21"}]
        world["documents"].append({"path": "one-more.json", "json": documents[0]})
    document = rng.choice(documents)
    rule = {"id": "one-more", "why": "law", rng.choice(("process", "store", "operator_home")): {"touches": some(rng, COUNTRIES + SETS, 2)}}
    if "classes" in document and rng.random() < 0.3:
        rule["classes"] = [rng.choice(document["classes"])]
    document.setdefault("forbid", []).append(rule)
    return world


def add_class(rng, world):
    world = copied(world)
    policies = [each for each in of_kind(world, "residency/1") if "classes" in each]
    for document in of_kind(world, "tenants/1"):
        for organisation in document["organisations"]:
            for tenant in organisation["tenants"]:
                name = organisation["id"] + "/" + tenant["id"]
                policy = next((each for each in policies if covers(each["applies_to"], name)), None)
                if policy is None:
                    continue
                holder = rng.choice([tenant] + tenant["apps"])
                holder["classes"] = sorted(set(holder.get("classes", [])) | {rng.choice(policy["classes"])})
    if rng.random() < 0.5:
        for request in world["requests"]:
            request["headers"].setdefault("x-data-class", rng.choice(CLASSES))
    if rng.random() < 0.3:
        for request in world["requests"]:
            request["uninspected"] = True
    return world


def add_unknown(rng, world):
    """Take away a fact, its evidence, the region's name, or use a feature nobody lists."""
    world = copied(world)
    if rng.random() < 0.25:
        for request in world["requests"]:
            request["features"].append({"name": rng.choice(("", "image_generation")), "where": "tools[9]"})
        return world
    for document in of_kind(world, "fleet/1"):
        for deployment in document.get("deployments", ()):
            holder = rng.choice([deployment] + list(deployment["models"].values()))
            facts = [] if "by" in holder.get("evidence", {"by": ""}) else sorted(holder["evidence"])
            if "by" in holder.get("evidence", {}):
                del holder["evidence"]
            if "region" in holder and rng.random() < 0.3:
                holder["region"] = "nowhere-1"
            elif facts:
                fact = rng.choice(facts)
                del holder["evidence"][fact]
                if not holder["evidence"]:
                    del holder["evidence"]
                if holder is deployment and fact in ("store", "operator_home", "training", "attest") and rng.random() < 0.5:
                    del holder[fact]
    return world


def add_narrowing(rng, world):
    world = copied(world)
    names = some(rng, SETS + COUNTRIES, 3)
    if rng.random() < 0.5:
        for request in world["requests"]:
            if "x-gatehouse-places" not in request["headers"]:
                request["headers"]["x-gatehouse-places"] = " ".join(names)
        return world
    for document in of_kind(world, "tenants/1"):
        for organisation in document["organisations"]:
            for tenant in organisation["tenants"]:
                inside = organisation.get("places", names) is names            # a level below can only narrow
                if inside and not any("places" in holder for holder in [tenant] + tenant["apps"]) and rng.random() < 0.5:
                    tenant["places"] = names
                for app in tenant["apps"]:
                    if inside and "places" not in app and tenant.get("places", names) is names and rng.random() < 0.5:
                        app["places"] = names
    return world


def shuffled(rng, world):
    """Documents, rules, deployments, nodes, patterns and requested features in another order, paths too."""
    world = copied(world)
    rng.shuffle(world["documents"])
    for index, each in enumerate(world["documents"]):
        each["path"] = "%02d-again.json" % index
        document = each["json"]
        for key in ("allow", "forbid", "deployments", "nodes", "organisations"):
            if key in document:
                rng.shuffle(document[key])
        for rule in document.get("allow", []) + document.get("forbid", []):
            for key in ("classes", "tenants", "models", "partitions", "attest"):
                if key in rule:
                    rng.shuffle(rule[key])
        rng.shuffle(document.get("classify", {}).get("assign", []))
        for deployment in document.get("deployments", ()):
            entries = list(deployment["models"].items())
            rng.shuffle(entries)
            deployment["models"] = dict(entries)
    for request in world["requests"]:
        rng.shuffle(request["features"])
    return world


TIGHTENING = {"forbid": add_forbid, "class": add_class, "unknown": add_unknown, "narrowing": add_narrowing}
assert set(COUNTRIES) <= ISO_CODES
