"""policy show: the listing; and the sentences, read back into the policy that they came from."""

import json
import os
import random
import subprocess
import sys

import pytest

from conftest import FLEET, GATEHOUSE, RESIDENCY, ROOT, TENANTS, changed, write_policy
from policy_words import lines_of, read
from test_countries import names

sys.path.insert(0, str(ROOT / "tests/oracle"))
from residency_reference import Facts, covers  # noqa: E402
from worlds import make_world  # noqa: E402

ARTEFACT = ROOT / "residency/data/regions-2026-11-21.json"
FACTS = Facts(ARTEFACT)
COUNTRIES = names()
WORLDS = int(os.environ.get("WORDS_WORLDS", "80"))


# ---- what the documents say, in the reader's form ----


def rule_of(document, kind, rule):
    own = document.get("places")
    side = "within" if kind == "allow" else "touches"
    result = {"kind": kind, "id": rule["id"], "why": rule.get("why"), "law": rule.get("law"),
              "classes": set(rule["classes"]) if "classes" in rule else None}
    for name in ("tenants", "models", "until"):
        if name in rule:
            result[name] = rule[name]
    for name in ("partitions", "attest"):
        if name in rule:
            result[name] = set(rule[name])
    for name in ("process", "operator_home"):
        if name in rule:
            result[name] = FACTS.places(rule[name][side], own)
    store = rule.get("store")
    if kind == "allow":
        result["store"] = store if store == "nothing" else (FACTS.places(store["within"], own), store.get("max_days"))
        result["training"] = rule.get("training") == "accepted"
        result["unlisted"] = rule.get("unlisted_features") == "accepted"
        return result
    if store:
        result["store"] = FACTS.places(store["touches"], own)
    if "training" in rule:
        result["training"] = True
    result["states"] = any(name in rule for name in ("process", "store", "operator_home", "partitions", "training"))
    return result


def rules_of(document):
    return [rule_of(document, kind, rule) for kind in ("allow", "forbid") for rule in document.get(kind, [])]


def as_list(value):
    return [value] if isinstance(value, str) else value


def meets(a, b):
    """Can one name be covered by both lists?"""
    return any(x.rstrip("*").startswith(y.rstrip("*")) or y.rstrip("*").startswith(x.rstrip("*")) for x in as_list(a) for y in as_list(b))


def limits_of(document, tenants):
    """Classes added and apps narrowed by tenants/1, of tenants that the policy covers."""
    added, narrowed = {}, {}
    for organisation in tenants["organisations"]:
        for tenant in organisation["tenants"]:
            path = organisation["id"] + "/" + tenant["id"]
            if not any(covers(pattern, path) for pattern in as_list(document["applies_to"])):
                continue
            classes = set(organisation.get("classes", [])) | set(tenant.get("classes", []))
            if classes:
                added[path] = classes
            for app in tenant["apps"]:
                if app.get("classes"):
                    added[path + "/" + app["id"]] = set(app["classes"])
                lists = [holder["places"] for holder in (organisation, tenant, app) if "places" in holder]
                if lists:
                    narrowed[path + "/" + app["id"]] = frozenset.intersection(*(FACTS.places(each, document.get("places")) for each in lists))
    return added, narrowed


def amounts_of(document, tenants):
    """What tenants/1 lets those use whom the policy covers: limits, and the most tokens of an answer to each app."""
    limits, answers = set(), {}
    for organisation in tenants["organisations"]:
        for tenant in organisation["tenants"]:
            path = organisation["id"] + "/" + tenant["id"]
            if not any(covers(pattern, path) for pattern in as_list(document["applies_to"])):
                continue
            holders = [("organisation", organisation["id"], organisation, "limits"), ("tenant", path, tenant, "limits")]
            for app in tenant["apps"]:
                below = path + "/" + app["id"]
                holders += [("app", below, app, "limits"), ("key", below, app, "key_limits"), ("user", below, app, "user_limits")]
                said = [holder["max_output"] for holder in (organisation, tenant, app) if "max_output" in holder]
                if said:
                    answers[below] = min(said)
            for level, name, holder, member in holders:
                least = {}
                for each in [each for one in ((organisation, tenant, holder) if member != "limits" else (holder,)) for each in one.get(member, [])]:
                    per = each.get("per", "none")
                    counter = (each["dimension"], None if per == "none" else per, each["class"], each.get("model"))
                    least[counter] = min(each["amount"], least.get(counter, each["amount"]))
                limits |= {(level, name, *counter[:2], amount, *counter[2:]) for counter, amount in least.items()}
    return limits, answers


def best_effort(document, tenants):
    """Apps that are sent though their decision cannot be recorded."""
    found = set()
    for organisation in tenants["organisations"]:
        for tenant in organisation["tenants"]:
            path = organisation["id"] + "/" + tenant["id"]
            for app in tenant["apps"] if any(covers(pattern, path) for pattern in as_list(document["applies_to"])) else ():
                said = [holder["audit"] for holder in (organisation, tenant, app) if "audit" in holder]
                if said and said[-1] == "best-effort":
                    found.add(path + "/" + app["id"])
    return found


def policy_of(document, documents):
    """What the text must say of one policy."""
    classify, own = document["classify"], document.get("places", {})
    nodes, added, narrowed, limits, answers, less = {}, {}, {}, set(), {}, set()
    for each in documents:
        nodes.update({node["id"]: frozenset([node["country"]]) for node in each.get("nodes", []) if each["kind"] == "fleet/1"})
        if each["kind"] == "tenants/1":
            more = limits_of(document, each)
            added.update(more[0])
            narrowed.update(more[1])
            more = amounts_of(document, each)
            limits |= more[0]
            answers.update(more[1])
            less |= best_effort(document, each)
    guards = [{"name": each["name"], "applies_to": as_list(each["applies_to"]), "rules": rules_of(each),
               "pins": {node["id"]: frozenset([node["country"]]) for node in each.get("nodes", [])}} for each in documents
              if each.get("role") == "guard" and meets(each["applies_to"], document["applies_to"])]
    labels = [label.split(":")[1].lower() for label in classify.get("labels", [])]
    return {"name": document["name"], "facts": document["facts"], "applies_to": as_list(document["applies_to"]),
            "classes": document["classes"], "default": classify["default"],
            "assign": [(each["tenants"], each["class"]) for each in classify.get("assign", [])], "labels": labels,
            "unknown_label": classify.get("unknown_label", "deny") if labels else None,
            "uninspected": set(classify.get("uninspected", [])), "rules": rules_of(document),
            "guards": guards, "places": {name: FACTS.places([name], own) for name in own}, "added": added, "narrowed": narrowed, "limits": limits,
            "max_output": answers, "nodes": nodes, "audit": document.get("audit", "required"), "best_effort": less,
            "audit_store": FACTS.places(document["audit_store"]["within"], own) if "audit_store" in document else None}


def without_guard_order(policy):
    return dict(policy, guards=sorted(policy["guards"], key=lambda guard: guard["name"]))


def check(text, documents):
    """Every policy is there and says what its document says; the sets it names are spelled out as the facts have them."""
    told = read(text, COUNTRIES, FACTS.sets)
    for policy in told.values():
        assert policy.pop("callers") == []                                # no document says who issues tokens
    policies = {each["name"]: each for each in documents if each["kind"] == "residency/1" and each.get("role") != "guard"}
    assert set(told) == set(policies)
    for name, policy in told.items():
        for place, members in policy.pop("spelled").items():
            assert members == FACTS.sets[place]
        expected, policy = without_guard_order(policy_of(policies[name], documents)), without_guard_order(policy)
        for key in expected:
            assert policy[key] == expected[key], (name, key)
        assert set(policy) == set(expected)


def show(directory, *arguments):
    done = subprocess.run([GATEHOUSE, "policy", "show", str(directory), *arguments], capture_output=True, text=True, timeout=300)
    return done


# ---- the round trip ----


TEXTS = ("because", 'as "counsel" said; Law: "x"', "a  b   c", "- not a list", "It permits data of \"everything\".", "Schrems II, § 5: ÄÖÜ ß 日本",
         "1. NOT A SECTION", "x" * 300, " leading", "No deployment is used at all.", "word " * 60 + "end")


def reword(rng, world):
    """Reasons as people write them, to try what the text does with them."""
    for document in world["documents"]:
        for rule in document["json"].get("allow", []) + document["json"].get("forbid", []):
            for member in ("why", "law"):
                rule.pop(member, None)
                if rng.random() < 0.7:
                    rule[member] = rng.choice(TEXTS)


WINDOWS = {"requests": ("second", "minute", "day"), "tokens": ("minute", "day", "month"), "input": ("minute", "day", "month"),
           "output": ("minute", "day", "month"), "micro-dollars": ("day", "month", "none", None), "in-flight": ("none", None), "streams": (None,)}


def random_limits(rng, models):
    """Limits that can be held, no two of one counter."""
    limits = {}
    for _ in range(rng.randrange(4)):
        dimension = rng.choice(list(WINDOWS))
        per, kind, model = rng.choice(WINDOWS[dimension]), rng.choice(("budget", "rate", "shadow")), rng.choice([None] + models)
        if (kind, per) == ("budget", "second") or (dimension, kind) == ("micro-dollars", "rate") and per in ("none", None):
            continue
        limit = {"dimension": dimension, "amount": rng.choice((0, 5, 10 ** 9)), "class": kind, **({"per": per} if per else {}),
                 **({"model": model} if model else {})}
        limits.setdefault((dimension, per or "none", kind, model), limit)
    return list(limits.values())


def add_audit(rng, world):
    """Levels that ask for less than every line, and policies that permit it; none that asks for less than one above."""
    for document in world["documents"]:
        if document["json"]["kind"] == "residency/1" and document["json"].get("role") != "guard":
            document["json"]["audit"] = "best-effort"
    for organisation in (each for document in world["documents"] for each in document["json"].get("organisations", [])):
        for levels in ([organisation], *([organisation, tenant] for tenant in organisation["tenants"]),
                       *([organisation, tenant, app] for tenant in organisation["tenants"] for app in tenant["apps"])):
            if rng.random() < 0.3:
                less = "required" not in [level.get("audit") for level in levels] and rng.random() < 0.7
                levels[-1]["audit"] = "best-effort" if less else "required"


def add_limits(rng, world):
    models = [name for document in world["documents"] for name in document["json"].get("models", {})]
    for document in world["documents"]:
        for organisation in document["json"].get("organisations", []):
            tenants = organisation["tenants"]
            apps = [app for tenant in tenants for app in tenant["apps"]]
            for holder, member in [(each, member) for each in [organisation] + tenants + apps for member in ("limits", "key_limits", "user_limits")]:
                limits = random_limits(rng, models)
                if limits and rng.random() < 0.5:
                    holder[member] = limits
                if rng.random() < 0.2:
                    holder["max_output"] = rng.randrange(1, 9)
            only_narrow(organisation)


def narrow(above, holder, *members):
    """Makes a level say no more than those above; what then holds for the levels below."""
    held = dict(above)
    for member in members:
        for limit in holder.get(member, []):
            key = tuple(limit.get(name, "none") for name in ("dimension", "per", "class", "model"))
            if limit["class"] != "shadow":
                held[key] = limit["amount"] = min(limit["amount"], held.get(key, limit["amount"]))
    if "max_output" in holder:
        held["max_output"] = holder["max_output"] = min(holder["max_output"], held.get("max_output", holder["max_output"]))
    return held


def only_narrow(organisation):
    members = ("limits", "key_limits", "user_limits")
    held = narrow({}, organisation, *members)
    for tenant in organisation["tenants"]:
        below = narrow(held, tenant, *members)
        for app in tenant["apps"]:
            narrow(below, app, *members)


def test_random_policies_are_read_back(tmp_path):
    told = refused = limited = 0
    for number in range(WORLDS):
        world = make_world("words", number, FACTS)
        rng = random.Random(number)
        reword(rng, world)
        add_limits(rng, world)
        if rng.random() < 0.5:
            add_audit(rng, world)
        directory = tmp_path / str(number)
        directory.mkdir()
        for document in world["documents"]:
            (directory / document["path"]).write_text(json.dumps(document["json"]))
        done = show(directory, "--words")
        limited += "HOW MUCH MAY BE USED" in done.stdout and ", as a budget;" in done.stdout
        if done.returncode != 0:
            assert " error: " in done.stderr or "there is no policy" in done.stderr, done.stderr
            refused += 1
            continue
        check(done.stdout, [document["json"] for document in world["documents"]])
        told += 1
    print(told, "policies told,", refused, "refused")
    assert told > WORLDS * 0.6 and limited > WORLDS * 0.3, (told, refused, limited)


def test_the_example_is_read_back():
    directory = ROOT / "conf/examples/nordbank"
    documents = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    check(show(directory, "--words").stdout, documents)


def test_what_callers_take_away_is_told(tmp_path):
    """Every rule of "narrow" and every value of a claim; of another organisation's document nothing."""
    for path in (ROOT / "conf/examples/nordbank").glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    key = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    issuer = {"id": "login", "issuer": "https://login.example", "audiences": ["api"], "algorithms": ["ES256"], "keys": {"keys": [key]}, "user": "sub",
              "apps": [{"when": {}, "app": "retail/chat"}],
              "narrow": [{"when": {"groups": "interns", "azp": "web"}, "places": ["EU", "NO"], "limits": [{"dimension": "requests", "per": "day", "amount": 7, "class": "rate"}]}],
              "places": [{"claim": "residency", "values": {"eu": ["EU"]}}]}
    mesh = {"id": "mesh", "authorities": ["00" * 32], "apps": [{"when": {}, "app": "retail/chat"}], "narrow": [{"when": {"dns": "a.example"}, "models": ["gpt-4.1"]}]}
    (tmp_path / "identity.json").write_text(json.dumps({"kind": "identity/1", "organisation": "nordbank", "issuers": [issuer], "certificates": [mesh]}))
    done = show(tmp_path, "--words")
    assert done.returncode == 0, done.stderr
    assert read(done.stdout, COUNTRIES, FACTS.sets)["nordbank"]["callers"] == [
        'tokens of issuer "login" with groups "interns" and azp "web": within "EU" or "NO" together',
        'each user of tokens of issuer "login" with groups "interns" and azp "web": at most 7 requests per day, as a rate',
        'tokens of issuer "login" whose residency says "eu": within "EU" together',
        'tokens of issuer "login" whose residency says anything else, or that have none, are refused',
        'certificates of "mesh" with dns "a.example": no other models than "gpt-4.1"']


def test_a_changed_sentence_is_a_changed_policy():
    """The reader is not deaf: any rule that says something else does not compare equal."""
    directory = ROOT / "conf/examples/nordbank"
    documents = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    text = show(directory, "--words").stdout
    for old, new in [("processed only in EU;", "processed only in EEA;"), ("at most 30 days", "at most 31 days"),
                     ("content is stored nowhere;", "content is stored nowhere, or only in EU, for however long;"),
                     ('data of "personal".', 'data of "secret".'), ("could be stored in", "could be processed in"),
                     ('"aws-eusc" or "self"', '"self"'), ("the operator may not train on the content;", "contracts;"),
                     ('carries "personal";', 'carries "public";'), ("names anything else is refused", "names anything else carries \"secret\" too"),
                     ("stands in Germany (DE)", "stands in Sweden (SE)")]:
        assert old in text
        with pytest.raises((AssertionError, Exception)):
            check(text.replace(old, new, 1), documents)


# ---- the rest of it ----


@pytest.fixture
def directory(cli):
    return write_policy(cli.tmp / "policy")


def test_head_and_signature(ready):
    text = ready.run("policy", "show", "--words").stdout
    assert text.startswith('RESIDENCY POLICY "nordbank"\n\nRevision:  1\nDocuments: SHA-256 ')
    assert "\nFacts:     regions/2026-11-21\n           SHA-256 " in text
    assert text.rstrip().endswith("Signature  ________________________________________")
    assert [line for line in text.splitlines() if len(line) > 100] == []
    assert text.count('Signed for "nordbank":') == 1


def test_unknown_facts_are_told(cli):
    directory = write_policy(cli.tmp / "policy", fleet=changed(FLEET, lambda f: f["deployments"][0].pop("store")))
    lines = lines_of(cli.run("policy", "show", directory, "--words").stdout)
    assert ["item", "azure-se, store: it is not stated;"] in lines and ["item", "nothing else."] in lines


def test_every_page_is_a_policy(cli):
    other = changed(RESIDENCY, lambda r: r.update(name="acme", applies_to="acme/*"))
    tenants = changed(TENANTS, lambda t: t["organisations"].append({"id": "acme", "tenants": [{"id": "x", "apps": [{"id": "y"}]}]}))
    directory = write_policy(cli.tmp / "policy", tenants=tenants)
    (directory / "acme.json").write_text(json.dumps(other))
    both = cli.run("policy", "show", directory, "--words").stdout
    assert both.count("RESIDENCY POLICY") == 2 and both.count("\f") == 1
    one = cli.run("policy", "show", directory, "--words", "--organisation", "acme").stdout
    assert one.startswith('RESIDENCY POLICY "acme"') and one.count("RESIDENCY POLICY") == 1
    assert "policy acme" not in cli.run("policy", "show", directory, "--organisation", "nordbank").stdout
    done = cli.run("policy", "show", directory, "--organisation", "acmee", code=1)
    assert "did you mean acme?" in done.stderr


def test_listing(cli, directory):
    lines = cli.run("policy", "show", directory).stdout.splitlines()
    assert lines[0] == "policy nordbank for nordbank/*, facts regions/2026-11-21"
    assert lines[1] == "  classes public, personal, secret; default personal; labels x-data-class, unknown denied"
    assert lines[3].startswith("  allow  personal-stays-in-eu: personal; process EU; store nothing (")
    assert lines[5].startswith("  forbid countries-of-concern: every class; operator_home DOJ_COUNTRIES_OF_CONCERN (")


def test_json_is_the_policy_with_countries(cli, directory):
    answer = json.loads(cli.run("policy", "show", directory, "--json").stdout)
    assert answer["revision"] == 0 and len(answer["policies"]) == 1
    rules = {rule["id"]: rule for rule in answer["policies"][0]["rules"]}
    assert set(rules["personal-stays-in-eu"]["process"]["within"]) == FACTS.sets["EU"]
    assert rules["secret-at-home"]["partitions"] == ["self"] and rules["public-anywhere"]["store"] == "nothing"
    assert rules["countries-of-concern"]["operator_home"] == {"touches": sorted(FACTS.sets["DOJ_COUNTRIES_OF_CONCERN"])}


def test_usage(cli, directory):
    cli.run("policy", "show", directory, "--words", "--json", code=64)
