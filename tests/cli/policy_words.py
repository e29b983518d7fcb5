"""Reads `gatehouse policy show --words` back into rules, from the sentences alone. Shares nothing with the program that wrote them."""

import re


class Unread(Exception):
    """A line that is no sentence of a policy."""


def lines_of(text):
    """[(kind, text)] with kind "head", "section", "rule", "say" or "item"; wrapped lines joined."""
    result = []
    for line in text.split("\n"):
        assert len(line) <= 100 or " " not in line.strip(), line
        indent = len(line) - len(line.lstrip(" "))
        body = line[indent:]
        if not body:
            continue
        if line.startswith("Signed for "):
            break
        if indent == 0 or not result[-1:] or result[-1][0] == "head" and indent > 7:
            kind = "section" if re.fullmatch(r"\d+\. [A-Z].*", body) else "head"
            result.append([kind, body])
        elif indent == 3 and re.fullmatch(r'\d+\.\d+ (Permission|Prohibition) "[a-z0-9-]+"', body):
            result.append(["rule", body])
        elif indent == 3:
            result.append(["say", body])
        elif indent == 5 and body.startswith("- "):
            result.append(["item", body[2:]])
        elif (indent == 6 and result[-1][0] == "say") or (indent == 7 and result[-1][0] == "item"):
            result[-1][1] += " " + body
        else:
            raise Unread(line)
    return result


def quoted(text):
    """Names in quotes, joined by commas and a last word."""
    names = re.findall(r'"([^"]*)"', text)
    for join in ("and", "or"):
        if text == ", ".join(f'"{name}"' for name in names[:-1]) + (f" {join} " if names[1:] else "") + f'"{names[-1]}"':
            return names
    raise Unread(text)


class Words:
    """One policy. countries: {code: name}; sets: {name: {codes}} of the facts."""

    def __init__(self, text, countries, sets):
        self.countries, self.sets = countries, sets
        self.everything = frozenset(countries)
        self.policy = {"guards": [], "rules": [], "places": {}, "assign": [], "labels": [], "unknown_label": None, "uninspected": set(),
                       "added": {}, "narrowed": {}, "callers": [], "limits": set(), "max_output": {}, "nodes": {}, "spelled": {}, "audit_store": None, "audit": None, "best_effort": set()}
        self.rule = self.guard = None
        self.limits = False
        readers = {"head": self.read_head, "section": self.read_section, "rule": self.read_rule, "say": self.read_say, "item": self.read_item}
        for kind, body in lines_of(text):
            readers[kind](body)

    # ---- places ----

    def sum(self, text):
        result, at = set(), 0
        while at < len(text):
            found = re.compile(r"(?:(any country)|([A-Z][A-Z_]*[A-Z])|(.+?) \(([A-Z]{2})\))(?:, |$)").match(text, at)
            if not found:
                raise Unread(text)
            if found.group(1):
                result |= self.everything
            elif found.group(2):
                result |= self.sets[found.group(2)]
            else:
                assert self.countries[found.group(4)] == found.group(3), found.group(0)
                result.add(found.group(4))
            at = found.end()
        return frozenset(result)

    def places(self, text):
        whole, _, lost = text.partition(" without ")
        return self.sum(whole) - (self.sum(lost) if lost else frozenset())

    # ---- lines ----

    def read_head(self, body):
        found = re.fullmatch(r'RESIDENCY POLICY "([a-z0-9-]+)"', body)
        if found:
            self.policy["name"] = found.group(1)
        found = re.match(r"Facts: +(\S+)", body)
        if found:
            self.policy["facts"] = found.group(1)

    def read_section(self, body):
        self.rule = self.guard = None
        self.limits = body.endswith(". HOW MUCH MAY BE USED")

    def read_rule(self, body):
        _, kind, rule = body.split(" ")
        self.rule = {"kind": "allow" if kind == "Permission" else "forbid", "id": rule.strip('"'), "why": None, "law": None}
        if self.rule["kind"] == "allow":
            self.rule["training"] = self.rule["unlisted"] = True
        (self.guard["rules"] if self.guard else self.policy["rules"]).append(self.rule)

    def one(self, patterns, body):
        """The first pattern that fits the whole body, and what it says."""
        for pattern, then in patterns:
            found = re.fullmatch(pattern, body)
            if found:
                then(*found.groups())
                return
        raise Unread(body)

    def read_say(self, body):
        if body.startswith('The guard "'):
            self.rule = None
        self.one(self.SAY_RULE if self.rule else self.SAY, body)

    def read_item(self, body):
        self.one(self.ITEM_RULE if self.rule else self.ITEM_LIMIT if self.limits else self.ITEM, body)

    def set(self, name, value):
        assert self.rule.get(name) in (None, True), name
        self.rule[name] = value

    @property
    def SAY_RULE(self):
        return [
            (r"It permits data of (.*)\.", lambda x: self.set("classes", set(quoted(x)))),
            (r"It concerns requests that carry (.*), whatever else they carry\.", lambda x: self.set("classes", set(quoted(x)))),
            (r"It concerns requests of every class\.", lambda: self.set("classes", None)),
            (r"It concerns only requests of (.*)\.", lambda x: self.set("tenants", quoted(x))),
            (r"It concerns only the models (.*), by the name in the catalogue or by the name that the deployment knows\.",
             lambda x: self.set("models", quoted(x))),
            (r"It holds until the end of (\d{4}-\d\d-\d\d), UTC, and not after\.", lambda x: self.set("until", x)),
            (r"It fits a deployment when all of this is known and true:", lambda: None),
            (r"No deployment is used of which any of this is true, or is not known to be false:", lambda: self.set("states", True)),
            (r"No deployment is used at all\.", lambda: self.set("states", False)),
            (r"It does not look at: .*\.", lambda: None),
            (r"Features that the deployment does not list are accepted: .*\.", lambda: None),
            (r'Why: "(.*)"', lambda x: self.set("why", x)),
            (r'Law: "(.*)"', lambda x: self.set("law", x)),
            (r"No reason is written down\.", lambda: None),
        ]

    def begin_guard(self, name, applies_to):
        self.guard = {"name": name, "applies_to": applies_to, "rules": [], "pins": {}}
        self.policy["guards"].append(self.guard)

    @property
    def ITEM_RULE(self):
        return [
            (r"content is processed in (any country), as long as it is known in which;", lambda x: self.set("process", self.places(x))),
            (r"content is processed only in (.*);", lambda x: self.set("process", self.places(x))),
            (r"content is stored nowhere;", lambda: self.set("store", "nothing")),
            (r"content is stored nowhere, or only in (.*), and for at most (\d+) days;", lambda x, n: self.set("store", (self.places(x), int(n)))),
            (r"content is stored nowhere, or only in (.*), for however long;", lambda x: self.set("store", (self.places(x), None))),
            (r"the operator is seated in, and controlled from, only (.*);", lambda x: self.set("operator_home", self.places(x))),
            (r"the deployment is in the partition (.*);", lambda x: self.set("partitions", set(quoted(x)))),
            (r"these contracts are in force for it: (.*);", lambda x: self.set("attest", set(quoted(x)))),
            (r"the operator may not train on the content;", lambda: self.set("training", False)),
            (r"the request uses no feature that the deployment does not list;", lambda: self.set("unlisted", False)),
            (r"content could be processed in (.*);", lambda x: self.set("process", self.places(x))),
            (r"content could be stored in (.*);", lambda x: self.set("store", self.places(x))),
            (r"the operator is seated in, or controlled from, (.*);", lambda x: self.set("operator_home", self.places(x))),
            (r"the operator may train on the content;", lambda: self.set("training", True)),
        ]

    def note(self, name, value):
        self.policy[name] = value

    @property
    def SAY(self):
        return [
            (r"This policy binds every tenant, app and key of (.*)\.", lambda x: self.note("applies_to", quoted(x))),
            (r"The classes are, the lowest first: (.*)\.", lambda x: self.note("classes", quoted(x))),
            (r'The guard "([a-z0-9-]+)" binds every tenant, app and key of (.*)\. It only takes away\.',
             lambda name, x: self.begin_guard(name, quoted(x))),
            (r"Records of decisions are kept on the nodes, all of which stand within (.*)\.", lambda x: self.note("audit_store", self.places(x))),
            (r"Nothing is sent before its decision is in the record: while it cannot be written, requests are refused\.", lambda: self.note("audit", "required")),
            (r"Nothing is sent before its decision is in the record: .* This policy permits that tenants/1 asks for less: .*", lambda: self.note("audit", "best-effort")),
            (r"([A-Z_]+) means: (.*)\.", lambda name, x: self.policy["spelled"].update({name: self.sum(x)})),
            (r"(At present these are|A tenant that no policy|A request carries every class|A request is sent to|With a feature that|There is none"
             r"|A client may take|An API key may be made|A name that nobody|A node that is not|Records of decisions are kept on the nodes, wherever|A fact that is not"
             r"|No set is named|Each of these limits).*", lambda _: None),
        ]

    COUNTED = {"requests": "requests", "tokens": "tokens", "micro-dollars": "micro-dollars", "requests at one time": "in-flight",
               "streamed answers at one time": "streams", "input tokens": "input", "output tokens": "output"}

    def limit(self, who, path, amount, counted, per, model, kind):
        level = {"each key of app": "key", "each user of app": "user"}.get(who, who)
        limit = (level, path, self.COUNTED[counted], {" for ever": None, None: None}.get(per, per and per.removeprefix(" per ")), int(amount),
                 kind, model)
        assert limit not in self.policy["limits"], limit
        self.policy["limits"].add(limit)

    @property
    def ITEM_LIMIT(self):
        return [
            (r'(organisation|tenant|app|each key of app|each user of app) "([^"]+)": at most (\d+) ([a-z -]*?)( per [a-z]+| for ever)?(?: for model "([^"]+)")?, '
             r"as a (budget|rate|shadow);", self.limit),
            (r'an answer to app "([^"]+)": at most (\d+) tokens;', lambda who, n: self.policy["max_output"].update({who: int(n)})),
            (r"no other\.", lambda: None),
        ]

    @property
    def ITEM(self):
        return [
            (r'a request of (.*) carries "([a-z0-9-]+)";', lambda x, c: self.policy["assign"].append((quoted(x), c))),
            (r'(?:any other|every) request carries "([a-z0-9-]+)";', lambda c: self.note("default", c)),
            (r"clients cannot name classes: no header is read for them;", lambda: None),
            (r"a client may name further classes in the header (.*), separated by commas;", lambda x: self.note("labels", quoted(x))),
            (r"a request whose header names anything else is refused;", lambda: self.note("unknown_label", "deny")),
            (r"a request whose header names anything else carries .* too;", lambda: self.note("unknown_label", "highest")),
            (r'every request of (?:tenant|app) "([^"]+)" carries (.*) too;', lambda who, x: self.policy["added"].update({who: set(quoted(x))})),
            (r"a request with content that cannot be inspected, .* carries (.*) too;", lambda x: self.note("uninspected", set(quoted(x)))),
            (r'"([a-z0-9-]+)" stands for (.*);', lambda name, x: self.policy["places"].update({name: self.places(x)})),
            (r'app "([^"]+)": within (.*);', lambda who, x: self.policy["narrowed"].update({who: self.places(x) if x != "no country" else frozenset()})),
            (r'app "([^"]+)": sent with a gap;', lambda who: self.policy["best_effort"].add(who)),
            (r'((?:each user of )?(?:tokens of issuer|certificates of) "[a-z0-9-]+".*);', lambda x: self.policy["callers"].append(x)),
            (r'it pins node "([a-z0-9-]+)" to (.*): a fleet that says otherwise is refused;',
             lambda name, x: self.guard["pins"].update({name: self.sum(x)})),
            (r'node "([a-z0-9-]+)" stands in (.*);', lambda name, x: self.policy["nodes"].update({name: self.sum(x)})),
            (r".*", lambda: None),
        ]


def read(text, countries, sets):
    """Every policy of the text, as {name: policy}."""
    result = {}
    for page in text.split("\f"):
        policy = Words(page, countries, sets).policy
        result[policy["name"]] = policy
    return result
