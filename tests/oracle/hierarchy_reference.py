"""
What is left to a caller, written from the rules alone ("Organisation, tenant, app, key or user" of conf/documents.md): an independent model of organisations, tenants, apps, keys and users, each
of which adds classes and narrows places, models and limits, and of what may then be sent where. It shares nothing with the program: sets are Python's, and nothing is compiled.

A world has one organisation with one residency policy; deployments of the operator's own keep nothing and process in one country and the node's. That is the least in which everything
that a level can say shows.
"""

EU = set("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
SETS = {"EU": EU}
EVERYWHERE = EU | {"NO", "US", "CH", "all others"}
LIMITED = ("dimension", "per", "class", "model")


def counted(limit):
    """What tells the counter of a limit from others of its level."""
    return (limit["dimension"], limit.get("per", "none"), limit["class"], limit.get("model", ""))


def covers(pattern, name):
    """A model is permitted by its own name, or by a beginning of it and a star: nothing lies below a model."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def within(pattern, other):
    """Is whatever the first pattern can ever fit fitted by the other too?"""
    if other.endswith("*"):
        return pattern.startswith(other[:-1])
    return pattern == other


class Refused(Exception):
    """A key that is not made; the code."""


class Hierarchy:
    def __init__(self, step):
        by_kind = {}
        for document in step["documents"]:
            by_kind.setdefault(document["json"]["kind"], []).append(document["json"])
        self.policy, self.fleet = by_kind["residency/1"][0], by_kind["fleet/1"][0]
        self.organisation = by_kind["tenants/1"][0]["organisations"][0]
        self.identity = (by_kind.get("identity/1") or [{"issuers": [], "certificates": []}])[0]
        self.catalogue = list(self.fleet["models"])

    # ---- words ----

    def place(self, name):
        """The countries of one word, or None."""
        if name in self.policy.get("places", {}):
            return self.union(self.policy["places"][name])
        if name in SETS:
            return set(SETS[name])
        return {name} if len(name) == 2 and name.isupper() else None

    def union(self, names):
        return set().union(*(self.place(name) or set() for name in names))

    # ---- levels ----

    def levels(self, path):
        """What organisation, tenant and app say, outermost first; None: there is no such app."""
        _, tenant, app = path.split("/")
        for one in self.organisation["tenants"]:
            for each in one.get("apps", ()) if one["id"] == tenant else ():
                if each["id"] == app:
                    return [self.organisation, one, each]
        return None

    def apps(self):
        return [f"{self.organisation['id']}/{tenant['id']}/{app['id']}" for tenant in self.organisation["tenants"] for app in tenant.get("apps", ())]

    def app_places(self, levels):
        """What all of them together leave; None: nobody narrows."""
        said = [self.union(level["places"]) for level in levels if "places" in level]
        return set.intersection(*said) if said else None

    def permits(self, levels, model):
        return all(any(covers(pattern, model) for pattern in level["models"]) for level in levels if "models" in level)

    @staticmethod
    def smallest(*lists):
        """One limit for each counter: of several, the smallest amount."""
        held = {}
        for limits in lists:
            for limit in limits or ():
                held[counted(limit)] = min(limit["amount"], held.get(counted(limit), limit["amount"]))
        return held

    def limits(self, levels, own_key=(), own_user=(), user=False):
        """{(level, counter): amount} of all that a request is held to."""
        found = {}
        for name, level in zip(("organisation", "tenant", "app"), levels):
            found.update({(name, counter): amount for counter, amount in self.smallest(level.get("limits")).items()})
        of_key = self.smallest(*(level.get("key_limits") for level in levels), own_key)
        found.update({("key", counter): amount for counter, amount in of_key.items()})
        if user:
            of_user = self.smallest(*(level.get("user_limits") for level in levels), own_user)
            found.update({("user", counter): amount for counter, amount in of_user.items()})
        return found

    # ---- a level below another says no more ----

    @staticmethod
    def more_limit(limit, above):
        return limit["class"] != "shadow" and any(counted(limit) == counted(other) and limit["amount"] > other["amount"] for other in above)

    def loosens_below(self, levels):
        """Does the last of these levels say more than those above it?"""
        level, above = levels[-1], levels[:-1]
        if any(not any(within(pattern, other) for other in upper["models"]) for pattern in level.get("models", ()) for upper in above if "models" in upper):
            return True
        if "places" in level and any(self.union(level["places"]) - self.union(upper["places"]) for upper in above if "places" in upper):
            return True
        least = min((upper["max_output"] for upper in above if "max_output" in upper), default=None)
        if "max_output" in level and least is not None and level["max_output"] > least:
            return True
        whole = [limit for upper in above for limit in upper.get("limits", ())]
        if any(self.more_limit(limit, whole) for limit in level.get("limits", ())):
            return True
        whole += level.get("limits", ())
        of_key = [limit for upper in above for limit in upper.get("key_limits", ())]
        if any(self.more_limit(limit, whole + of_key) for limit in level.get("key_limits", ())):
            return True
        of_key += level.get("key_limits", ())
        of_user = [limit for upper in above for limit in upper.get("user_limits", ())]
        return any(self.more_limit(limit, whole + of_key + of_user) for limit in level.get("user_limits", ()))

    def mode_of(self, caller):
        """The caller's audit mode: its app's, unless it is tightened."""
        return "required" if caller.get("required") else self.audit(self.levels(caller["app"]))

    def audit(self, levels):
        """The mode by what the levels say: the innermost word."""
        return next((level["audit"] for level in reversed(levels) if "audit" in level), "required")

    def audit_loosens(self, levels):
        """Does the last of these levels ask for less than one above, or does what holds there ask for less than the policy permits?"""
        if levels[-1].get("audit") == "best-effort" and any(upper.get("audit") == "required" for upper in levels[:-1]):
            return True
        return len(levels) > 1 and self.audit(levels) == "best-effort" and self.policy.get("audit", "required") == "required"

    def rule_loosens(self, rule, apps):
        """Does a rule of identity/1 say what is more than any of the apps that it can be of has?"""
        levels = [self.levels(path) for path in apps]

        def everywhere(more):
            return bool(levels) and all(more(each) for each in levels)

        def more_places(each):
            left = self.app_places(each)
            return left is not None and bool(self.union(rule["places"]) - left)
        if "places" in rule and everywhere(more_places):
            return True
        for pattern in rule.get("models", ()):
            if everywhere(lambda each, pattern=pattern: any(not any(within(pattern, other) for other in level["models"]) for level in each if "models" in level)):
                return True
        for limit in rule.get("limits", ()):
            if everywhere(lambda each, limit=limit: self.more_limit(limit, [one for level in each for name in ("limits", "key_limits", "user_limits") for one in level.get(name, ())])):
                return True
        return False

    def refused(self):
        """Is the set of documents refused because a level below says more?"""
        organisation = self.organisation
        if self.loosens_below([organisation]):
            return True
        for tenant in organisation["tenants"]:
            if self.loosens_below([organisation, tenant]) or self.audit_loosens([organisation, tenant]):
                return True
            for app in tenant.get("apps", ()):
                if self.loosens_below([organisation, tenant, app]) or self.audit_loosens([organisation, tenant, app]):
                    return True
        for source in self.identity.get("issuers", []) + self.identity.get("certificates", []):
            apps = [f"{organisation['id']}/{rule['app']}" for rule in source["apps"]]
            if any(self.rule_loosens(rule, apps) for rule in source.get("narrow", ())):
                return True
        return False

    # ---- keys ----

    def make_key(self, key, keys):
        """What the key has; Refused with its code."""
        made = {"app": key["app"], "minter": None, "revoked": False, "required": key.get("required", False), **{name: list(key.get(name, ())) for name in ("classes", "places", "models", "limits", "mints")}}
        if "minter" in key:
            if key["minter"] not in keys:
                raise Refused("key_unknown")
            made = self.within_minter({**made, "minter": key["minter"]}, keys[key["minter"]])
        self.within_app(made)
        return made

    def both(self, key, minter):
        """What the key has with all that takes away from the one that made it."""
        held = self.smallest(key["limits"], minter["limits"])
        return {**key, "required": key["required"] or minter["required"], "classes": minter["classes"] + key["classes"], "places": key["places"] + minter["places"], "models": key["models"] + minter["models"],
                "limits": [dict(zip(LIMITED, counter), amount=amount) for counter, amount in held.items()]}

    def within_minter(self, key, minter):
        """The key with what its minter has; Refused where its app would let it do more, or it makes keys where that makes none."""
        if not all(self.makes_keys(minter, where) for where in [key["app"], *key["mints"]]):
            raise Refused("mint_elsewhere")
        made = self.both(key, minter)
        if minter["app"] != key["app"] and self.mode_of(minter) == "required" != self.mode_of(made):
            raise Refused("mint_wider")
        if minter["app"] != key["app"] and self.wider(minter, made):
            raise Refused("mint_wider")
        return made

    def edit_key(self, edit, keys):
        """Changes what there is; Refused with its code: nothing changes."""
        path, said = edit["key"], edit.get("says")
        key = keys.get(path)
        alive = key is not None and not key["revoked"]
        if said is not None:
            new = {**(key if alive else {"app": path.rpartition("/")[0], "minter": None}), **said}
            if alive and key["minter"] is not None:
                held = self.within_minter(new, keys[key["minter"]])
                new.update({name: held[name] for name in said})
            self.within_app({"app": new["app"], **{name: new[name] if name in said else [] for name in ("places", "models", "limits")}})
        if not alive:
            raise Refused("key_unknown" if key is None else "key_revoked")
        keys[path] = {**key, "revoked": True} if said is None else new
        self.follow(path, keys)

    def follow(self, path, keys):
        """What a key made is never more than it, nor what that made."""
        for made in [made for made, key in keys.items() if key["minter"] == path and not key["revoked"]]:
            if keys[path]["revoked"]:
                keys[made] = {**keys[made], "revoked": True}
            else:
                keys[made] = {**self.both(keys[made], keys[path]), "mints": [scope for scope in keys[made]["mints"] if self.makes_keys(keys[path], scope)]}
            self.follow(made, keys)

    def within_app(self, key):
        levels, limits = self.levels(key["app"]), key["limits"]
        left = self.app_places(levels)
        for text in key["places"]:
            for name in text.split():
                if self.place(name) is None:
                    raise Refused("place_unknown")
                if left is not None and self.place(name) - left:
                    raise Refused("loosens")
        for text in key["models"]:
            for pattern in text.split():
                if not any(covers(pattern, model) for model in self.catalogue):
                    raise Refused("model_unknown")
                if not any(covers(pattern, model) and self.permits(levels, model) for model in self.catalogue):
                    raise Refused("loosens")
        for limit in limits:
            if self.more_limit(limit, [one for level in levels for name in ("limits", "key_limits") for one in level.get(name, ())]):
                raise Refused("loosens")

    @staticmethod
    def makes_keys(minter, where):
        return minter["app"] == where or any(where == scope or where.startswith(scope + "/") for scope in minter["mints"])

    def rights(self, key):
        """What a key and its app come to: (classes that every request carries, places, models, limits of the key)."""
        levels = self.levels(key["app"])
        left = self.app_places(levels)
        places = set(EVERYWHERE) if left is None else left
        for text in key["places"]:
            places = places & self.union(text.split())
        models = {model for model in self.catalogue if self.permits(levels, model) and all(any(covers(pattern, model) for pattern in text.split()) for text in key["models"])}
        return ({one for level in levels for one in level.get("classes", ())} | set(key["classes"]), places, models,
                self.smallest(*(level.get("key_limits") for level in levels), key["limits"]))

    def wider(self, minter, made):
        """May the one do what the other may not, in anything that a key can be narrowed in?"""
        (classes, places, models, limits), (other_classes, other_places, other_models, other_limits) = self.rights(minter), self.rights(made)
        return bool(classes - other_classes or other_places - places or other_models - models
                    or any(counter not in other_limits or other_limits[counter] > amount for counter, amount in limits.items() if counter[2] != "shadow"))

    # ---- tokens and certificates ----

    @staticmethod
    def by_rules(source, shows):
        """What the rules of an issuer or an authority say of who shows this: (apps, classes, places, models, limits, must it be recorded)."""
        def fits(rule):
            return all(shows(name, value) for name, value in rule["when"].items())
        rules = [rule for rule in source.get("narrow", ()) if fits(rule)]
        return ({rule["app"] for rule in source["apps"] if fits(rule)}, [one for rule in source.get("classes", ()) if fits(rule) for one in rule["classes"]],
                [" ".join(rule["places"]) for rule in rules if "places" in rule], [" ".join(rule["models"]) for rule in rules if "models" in rule],
                [limit for rule in rules for limit in rule.get("limits", ())], any("audit" in rule for rule in rules))

    def of_token(self, claims):
        source = self.identity["issuers"][0]

        def shows(name, value):
            claim = claims.get(name)
            return claim == value or (isinstance(claim, list) and value in claim)
        apps, classes, places, models, limits, required = self.by_rules(source, shows)
        if len(apps) != 1:
            return {"code": "token_ambiguous" if apps else "token_unmapped"}
        for mapping in source.get("places", ()):
            claim = claims.get(mapping["claim"])
            if claim is None:
                if not mapping.get("optional"):
                    return {"code": "token_places"}
                continue
            for value in claim if isinstance(claim, list) and claim else [claim]:
                if not isinstance(value, str) or value not in mapping["values"]:
                    return {"code": "token_places"}
                places.append(" ".join(mapping["values"][value]))
        return {"code": "ok", "app": f"{self.organisation['id']}/{apps.pop()}", "classes": classes, "places": places, "models": models, "key_limits": [], "user_limits": limits, "user": True, "required": required}

    def of_certificate(self, name):
        source = self.identity["certificates"][0]
        apps, classes, places, models, limits, required = self.by_rules(source, lambda kind, value: kind == "dns" and value == f"{name}.example")
        if len(apps) != 1:
            return {"code": "certificate_ambiguous" if apps else "certificate_unmapped"}
        return {"code": "ok", "app": f"{self.organisation['id']}/{apps.pop()}", "classes": classes, "places": places, "models": models, "key_limits": [], "user_limits": limits, "user": True, "required": required}

    def caller(self, shown, keys, claims):
        """Who shows this: {"code"}, and what it has of its own."""
        if "key" in shown and shown["key"] not in keys:
            return {"code": "key_unknown"}
        certificate = self.of_certificate(shown["certificate"]) if "certificate" in shown else None
        if certificate is not None and certificate["code"] != "ok":
            return certificate
        if "key" in shown and keys[shown["key"]]["revoked"]:
            return {"code": "key_revoked"}
        if "token" in shown:
            found = self.of_token(claims[shown["token"]])
        elif "key" in shown:
            key = keys[shown["key"]]
            found = {"code": "ok", "app": key["app"], "classes": key["classes"], "places": key["places"], "models": key["models"], "key_limits": key["limits"], "user_limits": [], "user": False, "required": key["required"]}
        else:
            return certificate
        if found["code"] != "ok" or certificate is None:
            return found
        if certificate["app"] != found["app"]:
            return {"code": "certificate_conflict"}
        found = {**found, **{name: found[name] + certificate[name] for name in ("classes", "places", "models")}}
        found["required"] = found.get("required", False) or certificate["required"]
        if not found["user"]:
            found.update(user=True, user_limits=certificate["user_limits"])
        return found

    def held_to(self, caller):
        levels = self.levels(caller["app"])
        said = [level["max_output"] for level in levels if "max_output" in level]
        return self.limits(levels, caller["key_limits"], caller["user_limits"], caller["user"]), min(said, default=0)

    # ---- a request ----

    def decide(self, caller, request):
        """(code, eligible, classes)"""
        levels, classes = self.levels(caller["app"]), {self.policy["classify"]["default"]}
        for level in levels:
            classes |= set(level.get("classes", ()))
        classes |= set(caller["classes"])
        if "label" in request:
            classes.add(request["label"])
        model = request["model"]
        if not self.permits(levels, model) or not all(any(covers(pattern, model) for pattern in text.split()) for text in caller["models"]):
            return "model_not_allowed", [], classes
        if not any(model in deployment["models"] for deployment in self.fleet["deployments"]):
            return "model_not_found", [], classes
        narrowings = [self.union(level["places"]) for level in levels if "places" in level] + [self.union(text.split()) for text in caller["places"]]
        if "places" in request:
            narrowings.append(self.union(request["places"].split(",")))
        node = self.fleet["nodes"][0]["country"]
        eligible = []
        for deployment in self.fleet["deployments"]:
            process = {deployment["country"], node}
            allowed = all(any(one in rule["classes"] and process <= self.union(rule["process"]["within"]) for rule in self.policy["allow"]) for one in classes)
            if model in deployment["models"] and allowed and all(process <= places for places in narrowings):
                eligible.append(deployment["id"])
        return ("allow" if eligible else "residency_denied"), eligible, classes
