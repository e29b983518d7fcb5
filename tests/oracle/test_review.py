"""The enumeration that plan and prove stand on (policy/review), against one that tries everything with the reference.

    python3 tests/oracle/test_review.py --worlds 1000 --seed 7
"""

import argparse
import datetime
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from reach_reference import KINDS, all_patterns, key_patterns, reach  # noqa: E402
from residency_reference import covers  # noqa: E402
from test_oracle import FACTS, FIXED_SEED, ROOT, fresh_seed, run_driver  # noqa: E402
from worlds import make_world  # noqa: E402

DRIVER = os.path.join(ROOT, "build", "tests", "oracle", "review_worlds")
SAMPLE = 60                                                 # further requests of each group that the driver holds against single ones
KEYS = ("batch", "batches", "b", "ba", "nightly", "nightly2", "zz", "x")


def make(seed, number):
    rng = random.Random("%s/%s/review" % (seed, number))
    world = make_world(seed, number, FACTS)
    if rng.random() < 0.5:
        world = key_patterns(rng, world)
    world["sample"] = SAMPLE
    return world


def documents_of(world, member="documents"):
    return [each["json"] for each in world[member]]


def milliseconds(now):
    return int(datetime.datetime.fromisoformat(now.replace("Z", "+00:00")).timestamp() * 1000)


def text(instant):
    return datetime.datetime.fromtimestamp(instant / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def reached_at(answer, instant):
    """{(path, class, deployment, upstream): {kind: countries}} of the driver's answer."""
    result = {}
    for group in answer["groups"]:
        for row in group["rows"]:
            step = [each for each in row["steps"] if each["from"] <= instant][-1:]
            if not step or not step[0]["process"]:
                continue
            for path in group["members"]:
                found = result.setdefault((path, row["class"], row["deployment"], row["upstream"]), {kind: set() for kind in KINDS})
                for kind in KINDS:
                    found[kind] |= set(step[0][kind])
    return result


def instants(rng, world, answer):
    """Now, and some of the instants at which the driver says that something ends, with the last moments before."""
    now = milliseconds(world["now"])
    later = sorted({step["from"] for group in answer["groups"] for row in group["rows"] for step in row["steps"] if step["from"] > now})
    chosen = rng.sample(later, min(2, len(later)))
    return [now] + [each for instant in chosen for each in (instant - 1000, instant) if each >= now]


def wrong_keys(rng, world, answer):
    """Every key is told apart by the same patterns as exactly one that stands for its kind."""
    found, patterns = [], all_patterns(documents_of(world))
    apps = {}
    for path in [path for group in answer["groups"] for path in group["members"]]:
        apps.setdefault(path.rpartition("/")[0], []).append(path)

    def covering(path):
        return frozenset(pattern for pattern in patterns if covers(pattern, path))

    for app, paths in apps.items():
        known = [covering(path) for path in paths]
        if len(set(known)) != len(known):
            found.append("%s has two keys that nothing tells apart: %s" % (app, paths))
        for key in KEYS:
            if covering(app + "/" + key) not in known:
                found.append("no key of %s stands for %s: %s" % (app, key, paths))
    return found


def disagreements(seed, number, world, answer):
    if "groups" not in answer:
        return ["%s/%d: %s" % (seed, number, answer)] if "crash" in answer else None
    rng = random.Random("%s/%s/instants" % (seed, number))
    found = ["%s/%d: %s" % (seed, number, each) for each in answer["laws"] + wrong_keys(rng, world, answer)]
    paths = [path for group in answer["groups"] for path in group["members"]]
    for instant in instants(rng, world, answer):
        expected = reach(rng, documents_of(world), text(instant), FACTS, paths)
        got = reached_at(answer, instant)
        for key in sorted(set(expected) | set(got)):
            if expected.get(key) != got.get(key):
                found.append("%s/%d at %s: %s\n   expected %s\n   got      %s" % (
                    seed, number, text(instant), key, shown(expected.get(key)), shown(got.get(key))))
    return found


def shown(row):
    return None if row is None else {kind: " ".join(sorted(row[kind])) if len(row[kind]) < 40 else len(row[kind]) for kind in KINDS}


def compare(seed, count, driver=DRIVER):
    """(worlds compared, rows seen, sentences about what differs)"""
    worlds = [make(seed, number) for number in range(count)]
    compared, rows, found = 0, 0, []
    for number, (world, answer) in enumerate(zip(worlds, run_driver(driver, worlds))):
        differing = disagreements(seed, number, world, answer)
        if differing is None:
            continue
        compared += 1
        rows += sum(len(group["rows"]) for group in answer.get("groups", ()))
        found += differing
    return compared, rows, found


def check(seed, count):
    assert os.access(DRIVER, os.X_OK), "no %s: run `make tools` first" % os.path.relpath(DRIVER, ROOT)
    compared, rows, found = compare(seed, count)
    assert not found, "\n".join(found[:5])
    assert compared > count * 0.9 and rows > count, (compared, rows)


def test_fixed_worlds():
    check(FIXED_SEED, 60)


def test_fresh_worlds():
    check(fresh_seed(), 60)


def main():
    parser = argparse.ArgumentParser(description="Compare policy/review with an enumeration by the brute-force reference.")
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--seed", default=None)
    options = parser.parse_args()
    compared, rows, found = compare(options.seed or fresh_seed(), options.worlds)
    print("\n".join(found[:10]))
    print("%d worlds compared, %d rows, %d differences" % (compared, rows, len(found)))
    return 1 if found or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
