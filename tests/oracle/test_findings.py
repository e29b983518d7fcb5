"""What documents are warned of, against brute force on random worlds: a rule said never to match never does, and the others do.

    python3 tests/oracle/test_findings.py --worlds 20000 --seed 7

Two judges. The reference (which shares no code with the gateway) tries every rule on every app, set of classes, deployment and node.
And the gateway's own decisions on every such request stay the same when a rule that is said to do nothing is taken away.
"""

import argparse
import collections
import itertools
import re
import sys

from residency_reference import World, covers
from test_oracle import FACTS, FIXED_SEED, built_driver, fresh_seed, run_driver
from worlds import copied, make_world

RULE = re.compile(r'^(?:an )?(?:allow|forbid) "([^"]+)"')
SHADOWS, NEVER = "shadowed", ("never_fits", "never_fires")


class Brute:
    """Everything that can be asked in a world, and every rule held against it."""

    def __init__(self, world):
        self.documents = [each["json"] for each in world["documents"]]
        self.judge = World(self.documents, world["now"], world["node"], FACTS)
        self.nodes = sorted(self.judge.nodes)
        self.paths = {id(each["json"]): each["path"] for each in world["documents"]}
        self.guards = self.judge.guards

    def covered(self, policy):
        return [name for name in sorted(self.judge.tenants) if covers(policy["applies_to"], name)]

    def class_sets(self, policy, app):
        """Every set of classes that a request of an app can carry."""
        labels = policy["classify"].get("labels")
        found = set()
        for uninspected in (False, True):
            sets = [()] + [(one,) for one in policy["classes"]] if labels else [()]
            for label in sets:
                headers = {labels[0].partition(":")[2].lower(): ",".join(label)} if label else {}
                classes, denial = self.judge.classes_of(policy, app, headers, uninspected)
                if not denial:
                    found.add(frozenset(classes))
        return found

    def offers(self, policy):
        """(app, model, upstream, target of each node): what a deployment with an endpoint serves to an app that may use the model."""
        for app in self.covered(policy):
            for deployment in self.judge.deployments:
                for model, entry in deployment["models"].items():
                    entry = dict({"upstream": model}, **entry)
                    if not self.judge.overridden(deployment, entry, "endpoints", ()):
                        continue
                    if any(covers(pattern, app) for pattern in self.judge.overridden(deployment, entry, "serves", ())):
                        yield app, model, entry["upstream"], deployment, entry

    def targets(self, deployment, entry, model):
        for node in self.nodes:
            self.judge.node = node
            yield self.judge.target(deployment, entry, model, ())

    def forbidden(self, policy, classes, app, model, upstream, target):
        return any(self.judge.forbid_fires(rule, document, classes, app, model, upstream, target)
                   for document in [policy] + [guard for guard in self.guards if covers(guard["applies_to"], app)]
                   for rule in document.get("forbid", ()))

    def findings(self, policy):
        """(rules that never match, rules whose every match is forbidden, classes never given, is anything offered)."""
        given, offered = set(), False
        sets = {app: self.class_sets(policy, app) for app in self.covered(policy)}
        for each in sets.values():
            given |= set().union(*each)
        matched, counted = set(), set()
        for app, model, upstream, deployment, entry in self.offers(policy):
            offered = True
            if not self.judge.model_permitted(app, model):
                continue
            for rule in policy.get("forbid", ()):
                if self.judge.in_scope(rule, "forbid", app, model, upstream):
                    if "classes" not in rule or any(classes & set(rule["classes"]) for classes in sets[app]):
                        matched.add(rule["id"])
            for target in self.targets(deployment, entry, model):
                for classes in sets[app]:
                    forbidden = None
                    for rule in policy["allow"]:
                        if rule["id"] in counted or not set(rule["classes"]) & classes:
                            continue
                        if any(self.judge.allow_fits(rule, policy, one, app, model, upstream, target) for one in classes):
                            matched.add(rule["id"])
                            if forbidden is None:
                                forbidden = self.forbidden(policy, classes, app, model, upstream, target)
                            if not forbidden:
                                counted.add(rule["id"])
        return matched, counted, given, offered


def expected(world):
    """{(file, code, id)} of the reference: rules and classes."""
    brute, found = Brute(world), set()
    for policy in brute.judge.policies:
        path = brute.paths[id(policy)]
        if not brute.covered(policy):
            continue
        matched, counted, given, offered = brute.findings(policy)
        found |= {(path, "class_never_given", one) for one in policy["classes"] if one not in given}
        for kind, code in (("allow", "never_fits"), ("forbid", "never_fires")):
            for rule in policy.get(kind, ()) if offered else ():
                if "tenants" in rule and not any(covers(pattern, app) for pattern in rule["tenants"] for app in brute.covered(policy)):
                    continue                                # its patterns are warned of
                if "until" in rule and brute.judge.today > rule["until"]:
                    continue
                if kind == "allow" and not set(rule["classes"]) & given or "classes" in rule and not set(rule["classes"]) & given:
                    continue
                if rule["id"] not in matched:
                    found.add((path, code, rule["id"]))
                elif kind == "allow" and rule["id"] not in counted:
                    found.add((path, SHADOWS, rule["id"]))
    return found


def said(result):
    """The same of the gateway; and the policies that a forbid leaves nothing of."""
    found, emptied = set(), set()
    for each in result["findings"]:
        if each["code"] in NEVER + (SHADOWS,):
            found.add((each["file"], each["code"], RULE.match(each["text"]).group(1)))
        elif each["code"] == "class_never_given":
            found.add((each["file"], each["code"], re.match(r'class "([^"]+)"', each["text"]).group(1)))
        elif each["code"] == "forbids_everything":
            emptied.add(re.search(r'under policy "([^"]+)"', each["text"]).group(1))
    return found, emptied


def requests(world):
    """Everything that can be asked of a world: apps, models, endpoints, one label each or none, read or not."""
    judge = World([each["json"] for each in world["documents"]], world["now"], world["node"], FACTS)
    policies = {each["name"]: each for each in judge.policies}
    for app, model, endpoint in itertools.product(sorted(judge.tenants), judge.models, ("chat.completions", "embeddings")):
        policy = policies.get(app.split("/")[0])
        labels = policy["classify"].get("labels") if policy else None
        for label in [None] + (policy["classes"] if labels else []):
            headers = {labels[0].partition(":")[2]: label} if label else {}
            for uninspected in (False, True):
                yield {"tenant": app, "model": model, "endpoint": endpoint, "headers": headers, "uninspected": uninspected, "features": []}


def without(world, path, rule):
    """The world without a rule; None when the list would be empty."""
    world = copied(world)
    document = next(each["json"] for each in world["documents"] if each["path"] == path)
    for kind in ("allow", "forbid"):
        kept = [each for each in document.get(kind, ()) if each["id"] != rule]
        if kept == document.get(kind, []):
            continue
        if not kept and kind == "allow":
            return None
        document[kind] = kept
        if not kept:
            del document[kind]
    return world


class Tally:
    def __init__(self):
        self.wrong, self.missed, self.found, self.emptied, self.removed = [], [], collections.Counter(), 0, 0


def check_world(tally, name, world, result):
    """Compares one world's findings with the reference's; gives the worlds whose decisions have to stay the same."""
    if "findings" not in result:
        tally.wrong.append("world %s: %s" % (name, result))
        return []
    found, emptied = said(result)
    want = expected(world)
    brute = Brute(world)
    hidden = {brute.paths[id(policy)] for policy in brute.judge.policies if policy["name"] in emptied}
    tally.found.update(code for _, code, _ in found)
    tally.emptied += len(emptied)
    for each in sorted(found - want):
        tally.wrong.append("world %s: said %s, and it is not so" % (name, each))
    for each in sorted(want - found):
        if not (each[1] == SHADOWS and each[0] in hidden):
            tally.missed.append("world %s: %s is not said" % (name, each))
    changed = []
    for path, code, rule in sorted(found):
        less = without(world, path, rule) if code != "class_never_given" else None
        if less is not None:
            changed.append((name, world, less))
    if emptied:
        changed.append((name, world, emptied))
    return changed


def same_decisions(tally, changed, driver):
    """Every request in the world with and without the rule, from every node."""
    pairs = []
    for name, world, other in changed:
        asked = list(requests(world))
        for node in sorted({node["id"] for each in world["documents"] for node in each["json"].get("nodes", ()) if each["json"]["kind"] == "fleet/1"}):
            pairs.append((name, other, dict(world, node=node, requests=asked),
                          dict(other, node=node, requests=asked) if isinstance(other, dict) else None))
    results = run_driver(driver, [each for _, _, first, second in pairs for each in (first, second) if each])
    at = iter(results)
    for name, other, first, second in pairs:
        before = next(at)["answers"]
        if second is None:
            for request, answer in zip(first["requests"], before):
                if request["tenant"].split("/")[0] in other and answer["eligible"]:
                    tally.wrong.append("world %s: forbids_everything, but %s gets %s" % (name, request, answer))
            continue
        after = next(at)
        tally.removed += 1
        for request, old, new in zip(first["requests"], before, after["answers"]):
            if (old["code"], old["eligible"], old["classes"]) != (new["code"], new["eligible"], new["classes"]):
                tally.wrong.append("world %s: a rule said to do nothing decides on %s: %s, %s" % (name, request, old, new))


def compare(seed, count, driver):
    tally = Tally()
    for start in range(0, count, 500):
        worlds = {"%s/%d" % (seed, number): dict(make_world(seed, number, FACTS), findings=True) for number in range(start, min(count, start + 500))}
        worlds = {name: world for name, world in worlds.items() if sum(len(each["json"].get("deployments", ())) for each in world["documents"]) < 20}
        changed = []
        for (name, world), result in zip(worlds.items(), run_driver(driver, list(worlds.values()))):
            changed += check_world(tally, name, world, result)
        same_decisions(tally, changed, driver)
    return tally


def judged(tally):
    print("said: %s; %d policies left with nothing; %d rules taken away; %d said wrongly, %d not said" % (
        dict(tally.found), tally.emptied, tally.removed, len(tally.wrong), len(tally.missed)))
    return not tally.wrong and not tally.missed


def test_findings_of_fixed_worlds():
    tally = compare(FIXED_SEED, 400, built_driver())
    assert judged(tally), "\n".join((tally.wrong + tally.missed)[:10])
    assert all(tally.found[code] for code in NEVER + (SHADOWS, "class_never_given")) and tally.emptied


def test_findings_of_fresh_worlds():
    tally = compare(fresh_seed(), 400, built_driver())
    assert judged(tally), "\n".join((tally.wrong + tally.missed)[:10])


def main():
    parser = argparse.ArgumentParser(description="Compare what documents are warned of with brute force.")
    parser.add_argument("--worlds", type=int, default=5000)
    parser.add_argument("--seed", default=None)
    options = parser.parse_args()
    tally = compare(options.seed or fresh_seed(), options.worlds, built_driver())
    print("\n".join((tally.wrong + tally.missed)[:20]))
    return 0 if judged(tally) else 1


if __name__ == "__main__":
    sys.exit(main())
