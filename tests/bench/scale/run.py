#!/usr/bin/env python3
"""Edits and decisions by size, measured on this machine; by hand, it takes some minutes and 4 GB of disk.

    make cli build/tests/bench/scale/scale && tests/bench/scale/run.py [--tenants 1000000] [--revisions 1000] [--keys] [--limits] [DIRECTORY]

Seconds of `gatehouse policy apply`, and its processor time, for all documents and for an edit of one tenant; nanoseconds of a decision with
10, 1000 and 10000 rules, few and many tenants, the first and a late revision, with the worker's cells and without; and of who asks. Medians.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
GATEHOUSE = os.path.join(ROOT, "build", "gatehouse")
SCALE = os.path.join(ROOT, "build", "tests", "bench", "scale", "scale")

sys.path.insert(0, HERE)
import documents  # noqa: E402


class Store:
    """A home of its own, with documents."""

    def __init__(self, directory, name, tenants, organisations, files, rules, limits=False):
        self.tenants, self.organisations, self.edited = tenants, organisations, 0
        self.home = os.path.join(directory, name + ".home")
        self.documents = os.path.join(directory, name)
        self.key = os.path.join(self.home, "secrets", "store.key")
        self.environment = dict(os.environ, GATEHOUSE_HOME=self.home, GATEHOUSE_SECRETS=os.path.join(self.home, "secrets"),
                                GATEHOUSE_LEDGER=os.path.join(self.home, "ledger"))
        documents.make(self.documents, tenants, organisations, files, rules, limits)
        os.makedirs(self.home)
        self.run("init", *(("--user", "root", "--group", "root") if os.geteuid() == 0 else ()))

    def run(self, *arguments):
        """(answer, seconds, seconds of processor)"""
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([GATEHOUSE, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.exit("gatehouse %s: %d\n%s" % (" ".join(arguments), done.returncode, done.stderr[-2000:]))
        return done.stdout, time.monotonic() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def apply(self):
        answer, seconds, processor = self.run("policy", "apply", self.documents, "--author", "scale", "--json")
        answer = json.loads(answer)
        return answer["revision"], answer["unread"], seconds, processor

    def edit(self):
        """Another app for one tenant, in one of the files."""
        number, self.edited = self.edited, self.edited + 1
        names = sorted(name for name in os.listdir(self.documents) if name.startswith("tenants-"))
        path = os.path.join(self.documents, names[number * 7 % len(names)])
        with open(path, encoding="ascii") as file:
            document = json.load(file)
        tenants = document["organisations"][0]["tenants"]
        tenants[number % len(tenants)]["apps"].append({"id": "more-%d" % number})
        documents.write(path, document)

    def edits(self, count):
        times = []
        for _ in range(count):
            self.edit()
            times.append(self.apply())
        return times

    def decide(self):
        found = [json.loads(subprocess.run([SCALE, "decide", self.home, self.key, str(self.tenants), str(self.organisations)],
                                           stdout=subprocess.PIPE, check=True).stdout) for _ in range(5)]
        return {name: statistics.median(each[name] for each in found) for name in found[0]}

    def keys(self):
        subprocess.run([SCALE, "keys", self.home, self.key, str(self.tenants), str(self.organisations)], check=True)


def say_applied(what, times):
    print("%-58s %6.2f s  %6.2f s of processor, %d of tenants/1 not read again" % (
        what, statistics.median(each[2] for each in times), statistics.median(each[3] for each in times), times[-1][1]), flush=True)


def say_decided(what, found):
    print("%-58s %6.0f ns with cells, %8.0f ns without; who asks: %6.0f ns" % (
        what, found["decide_ns"], found["decide_without_cells_ns"], found["identify_ns"]), flush=True)


def by_rules(directory):
    for rules in (10, 1000, 10000):
        store = Store(directory, "rules-%d" % rules, 1000, 1, 1, rules)
        say_applied("apply: %d rules" % rules, [store.apply() for _ in range(3)])
        say_decided("decide: %d rules" % rules, store.decide())


def by_tenants(directory, tenants, keys, limits):
    for organisations in (1, 1000):
        store = Store(directory, "tenants-%d" % organisations, tenants, organisations, 1000, 10, limits)
        what = "%d tenants of %d organisation%s" % (tenants, organisations, "" if organisations == 1 else "s")
        say_applied("apply: " + what, [store.apply()])
        say_applied("apply: one of " + what, store.edits(5))
        say_decided("decide: " + what, store.decide())
        if keys and organisations == 1000:
            store.keys()
            say_applied("apply: one of them, and as many keys in the store", store.edits(5))
            say_decided("decide: with the keys", store.decide())


def by_revisions(directory, revisions):
    store = Store(directory, "revisions", 1000, 1, 10, 10)
    store.apply()
    say_decided("decide: revision 1", store.decide())
    times = [store.apply() for _ in range(revisions - 1)]
    say_applied("apply: revisions up to %d, the last ten" % times[-1][0], times[-10:])
    say_decided("decide: revision %d" % times[-1][0], store.decide())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", nargs="?", help="for what is made; a temporary one by itself")
    parser.add_argument("--tenants", type=int, default=1000000)
    parser.add_argument("--revisions", type=int, default=1000)
    parser.add_argument("--keys", action="store_true", help="an API key for every tenant, too")
    parser.add_argument("--limits", action="store_true", help="a budget of its own for every tenant")
    arguments = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="gatehouse-scale-", dir=arguments.directory)
    try:
        by_rules(directory)
        by_revisions(directory, arguments.revisions)
        by_tenants(directory, arguments.tenants, arguments.keys, arguments.limits)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
