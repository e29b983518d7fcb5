"""The gateway's residency decisions against the brute-force reference, on random worlds, and laws that hold for every world.

    python3 tests/oracle/test_oracle.py --worlds 100000 --seed 7 --driver build/tests/oracle/judge_worlds
    python3 tests/oracle/test_oracle.py --show 7/1234         one world of a seed, what was expected and what came

The driver reads one world a line and writes one line of answers (or of errors, when it refuses the documents). Disagreements are printed
minimised: everything is dropped that is not needed for the two to differ.
"""

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from residency_reference import CONDITIONS, BadPlace, Facts, answers  # noqa: E402
from test_reference import artefact  # noqa: E402
from worlds import TIGHTENING, copied, line, make_world, shuffled  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DRIVER = os.path.join(ROOT, "build", "tests", "oracle", "judge_worlds")
FACTS = Facts(artefact())
FIXED_SEED = "gatehouse"
CHUNK = 1000
SECONDS_PER_CHUNK = 300
JUDGED = ("allow", "residency_denied")                      # codes at which every class is known; earlier denials may stop before


# The driver

def run_driver(driver, worlds):
    """One result a world: {"answers"}, {"errors"}, or {"crash"} for the world that ended the process; the rest go to a new process."""
    results = []
    while len(results) < len(worlds):
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as errors:
            given.writelines(line(world) + "\n" for world in worlds[len(results):])
            given.seek(0)
            try:
                done = subprocess.run([driver], stdin=given, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, timeout=SECONDS_PER_CHUNK)
                output, status = done.stdout, done.returncode
            except subprocess.TimeoutExpired as slow:
                output, status = slow.stdout or b"", "timeout"
            lines = output.decode("utf-8", "replace").split("\n")[:-1]
            results += [json.loads(each) for each in lines]
            if len(results) < len(worlds):
                errors.seek(0)
                results.append({"crash": status, "said": errors.read()[-2000:]})
            elif len(results) > len(worlds) or status != 0:
                raise AssertionError("the driver ended with %s after %d lines for %d worlds" % (status, len(results), len(worlds)))
    return results


def run_reference(worlds):
    return [{"answers": answers(world, FACTS)} for world in worlds]


def differs(expected, got):
    """What differs between two answers to one request; empty when they agree."""
    found = [key for key in ("code", "narrowed") if expected[key] != got.get(key)]
    if got.get("narrowed") and got.get("rule"):
        found.append("rule")                                # a narrowing that decides leaves no rule to name
    if sorted(expected["eligible"]) != sorted(got.get("eligible", [])):
        found.append("eligible")
    if expected["code"] in JUDGED and sorted(expected["classes"]) != sorted(got.get("classes", [])):
        found.append("classes")
    return found


def disagreements(world, result):
    """[(index of the request, what differs, expected, got)]; a refusal or a crash counts once, with index None."""
    if "answers" not in result:
        return [(None, [next(iter(result))], None, result)]
    expected = answers(world, FACTS)
    if len(expected) != len(result["answers"]):
        return [(None, ["number of answers"], expected, result)]
    return [(index, differs(want, got), want, got) for index, (want, got) in enumerate(zip(expected, result["answers"]))
            if differs(want, got)]


# Making a disagreement small

def places_to_cut(value, path=()):
    """Every path into a JSON value whose element could be left out, the large ones first."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield path + (key,)
    elif isinstance(value, list):
        for index in reversed(range(len(value))):
            yield path + (index,)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places_to_cut(child, path + (key,))


def without(world, path):
    result = copied(world)
    holder = result
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return result


def still_differs(world, result, kind):
    try:
        return any(what == kind for _, what, _, _ in disagreements(world, result)) and "answers" in result
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, BadPlace):
        return False                                        # no longer a world


def minimised(driver, world, request, kind):
    """The world with one request, and nothing left that can be dropped while the answers still differ in the same way."""
    world = dict(world, requests=[world["requests"][request]])
    while True:
        candidates = [without(world, path) for path in places_to_cut(world) if len(path) > 1]
        for start in range(0, len(candidates), 100):
            some = candidates[start:start + 100]
            found = [each for each, result in zip(some, run_driver(driver, some)) if still_differs(each, result, kind)]
            if found:
                world = min(found, key=lambda each: len(line(each)))
                break
        else:
            return world


class Report:
    """Counts over worlds and the first disagreements, one of each kind of refusal."""

    def __init__(self, driver, show=3):
        self.driver, self.show = driver, show
        self.worlds = self.requests = self.with_allow = self.wrong = self.refused = self.crashed = 0
        self.codes, self.kinds, self.refusals = collections.Counter(), collections.Counter(), collections.Counter()
        self.text = []

    def add(self, name, world, result):
        self.worlds += 1
        found = disagreements(world, result)
        expected = answers(world, FACTS)
        self.requests += len(expected)
        self.codes.update(each["code"] for each in expected)
        self.with_allow += any(each["code"] == "allow" for each in expected)
        for request, what, want, got in found:
            if request is None:
                self.add_failure(name, got)
                continue
            self.wrong += 1
            self.kinds[(want["code"], got.get("code"), "+".join(what))] += 1
            if self.wrong <= self.show:
                small = minimised(self.driver, world, request, what)
                self.text.append("world %s request %d: %s\nexpected %s\ngot      %s\n%s\n" % (
                    name, request, ", ".join(what), answers(small, FACTS), run_driver(self.driver, [small]), json.dumps(small, indent=1)))

    def add_failure(self, name, result):
        if "errors" not in result:
            self.crashed += 1
            self.text.append("world %s: the driver ended: %s\n" % (name, result))
            return
        self.refused += 1
        for error in result["errors"]:
            kind = re.sub(r'\d+|"[^"]*"|\'[^\']*\'', "_", re.sub(r"^[^ ]*: ", "", error))
            self.refusals[kind] += 1
            if self.refusals[kind] == 1:
                self.text.append("world %s refused: %s\n" % (name, error))

    def summary(self):
        total = max(1, self.requests)
        lines = ["%d worlds, %d requests, %.1f%% allowed, %.1f%% of worlds allow something" % (
            self.worlds, self.requests, 100.0 * self.codes["allow"] / total, 100.0 * self.with_allow / max(1, self.worlds))]
        lines.append("codes: " + ", ".join("%s %d" % each for each in self.codes.most_common()))
        lines.append("%d answers disagree, %d worlds refused, %d crashes" % (self.wrong, self.refused, self.crashed))
        lines += ["  expected %s, got %s (%s): %d" % (kind + (count,)) for kind, count in self.kinds.most_common(10)]
        lines += ["  refused: %s: %d" % each for each in self.refusals.most_common(20)]
        return "\n".join(lines)

    def good(self):
        return not (self.wrong or self.refused or self.crashed)


def compare(driver, seed, count, show=3):
    report = Report(driver, show)
    for start in range(0, count, CHUNK):
        numbers = range(start, min(count, start + CHUNK))
        worlds = [make_world(seed, number, FACTS) for number in numbers]
        for number, world, result in zip(numbers, worlds, run_driver(driver, worlds)):
            report.add("%s/%d" % (seed, number), world, result)
    return report


# Laws

def permits_more(before, after):
    """Does some request of a tightened world reach a deployment it did not reach before?"""
    return any(set(new.get("eligible", [])) - set(old.get("eligible", [])) or (new["code"] == "allow" and old["code"] != "allow")
               for old, new in zip(before, after))


def same_answers(before, after):
    return all(not differs(old, new) for old, new in zip(before, after))


def broken_laws(judge, seed, count):
    """(how often each law was tried on a changed answer or world, sentences about worlds that break one). judge: worlds -> results."""
    tried, broken = collections.Counter(), []
    for start in range(0, count, CHUNK):
        numbers = range(start, min(count, start + CHUNK))
        worlds = {number: make_world(seed, number, FACTS) for number in numbers}
        base = dict(zip(numbers, judge(list(worlds.values()))))
        for law in list(TIGHTENING) + ["order"]:
            changed = {}
            for number in numbers:
                rng = random.Random("%s/%s/%s" % (seed, number, law))
                world = (shuffled if law == "order" else TIGHTENING[law])(rng, worlds[number])
                if world is not None and "answers" in base[number]:
                    changed[number] = world
            for number, result in zip(changed, judge(list(changed.values()))):
                before, after = base[number]["answers"], result.get("answers")
                if after is None:
                    broken.append("law %s, world %s/%d: the changed world gives %s" % (law, seed, number, result))
                    continue
                tried[law] += law == "order" or not same_answers(before, after)
                if law == "order" and not same_answers(before, after) or law != "order" and permits_more(before, after):
                    broken.append("law %s, world %s/%d: before %s, after %s" % (law, seed, number, before, after))
    return tried, broken


def decisive(seed, count, enough=None):
    """For each condition: in how many worlds does leaving it out change a code or an eligible set; counted up to `enough`."""
    found = collections.Counter()
    for number in range(count):
        tried = [condition for condition in CONDITIONS if enough is None or found[condition] < enough]
        if not tried:
            break
        world = make_world(seed, number, FACTS)
        whole = [(each["code"], each["eligible"]) for each in answers(world, FACTS)]
        for condition in tried:
            if [(each["code"], each["eligible"]) for each in answers(world, FACTS, (condition,))] != whole:
                found[condition] += 1
    return found


# pytest

def built_driver():
    assert os.access(DRIVER, os.X_OK), "no %s: run `make tools` first" % os.path.relpath(DRIVER, ROOT)
    return DRIVER


def fresh_seed():
    seed = os.environ.get("SEED") or str(int(time.time() * 1000))
    print("seed", seed)
    return seed


def check(report):
    print(report.summary())
    assert report.good(), "\n".join([report.summary()] + report.text[:6])


def test_fixed_worlds():
    check(compare(built_driver(), FIXED_SEED, 10000))


def test_fresh_worlds():
    check(compare(built_driver(), fresh_seed(), 1000))      # some to begin with: the stage goes on with 40,000


def test_laws():
    _, broken = broken_laws(lambda worlds: run_driver(built_driver(), worlds), fresh_seed(), 1000)
    assert not broken, "\n".join(broken[:5])      # that each law is tried is asked of the fixed worlds below


def test_laws_of_the_reference():
    tried, broken = broken_laws(run_reference, FIXED_SEED, 500)
    assert not broken, "\n".join(broken[:5])
    assert all(tried[law] for law in list(TIGHTENING) + ["order"]), tried


def test_every_condition_decides_somewhere():
    found = decisive(FIXED_SEED, 1000, enough=1)
    assert not [condition for condition in CONDITIONS if not found[condition]]


# Script

def show_world(driver, name):
    seed, number = name.split("/")
    world = make_world(seed, int(number), FACTS)
    print(json.dumps(world, indent=1))
    for index, expected in enumerate(answers(world, FACTS)):
        print("expected", index, json.dumps(expected))
    if os.access(driver, os.X_OK):
        print("got", json.dumps(run_driver(driver, [world])[0]))


def main():
    parser = argparse.ArgumentParser(description="Compare the gateway's residency decisions with the brute-force reference.")
    parser.add_argument("--worlds", type=int, default=20000)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--driver", default=DRIVER)
    parser.add_argument("--laws", type=int, default=0, metavar="N", help="also try the laws on N worlds")
    parser.add_argument("--decisive", type=int, default=0, metavar="N", help="also count what decides, on N worlds")
    parser.add_argument("--print", type=int, default=3, metavar="N", help="disagreements to print minimised")
    parser.add_argument("--show", metavar="SEED/NUMBER", help="print one world and stop")
    options = parser.parse_args()
    driver = os.path.abspath(options.driver)
    if options.show:
        return show_world(driver, options.show)
    seed = options.seed or fresh_seed()
    report = compare(driver, seed, options.worlds, options.print)
    print("\n".join(report.text[:40]))
    print(report.summary())
    broken = []
    if options.laws:
        tried, broken = broken_laws(lambda worlds: run_driver(driver, worlds), seed, options.laws)
        print("\n".join(broken[:5]))
        print("laws on %d worlds: %d broken; answers changed by: %s" % (options.laws, len(broken), dict(tried)))
    if options.decisive:
        found = decisive(seed, options.decisive)
        print("decides in worlds of %d:" % options.decisive)
        print("\n".join("  %-32s %d" % (condition, found[condition]) for condition in CONDITIONS))
    return 0 if report.good() and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
