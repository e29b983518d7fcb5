#!/usr/bin/env python3
"""The edit barrier's model, searched exhaustively.

    tests/model/check.py            the protocol in small sizes, and every faulty variant, which must fail
    tests/model/check.py --large    the protocol in sizes that take minutes and gigabytes
    tests/model/check.py --keep DIR leave the searches there; a counter-example is shown by `spin -t -p` on the trail

Each line: what was searched, states, seconds. A faulty variant that does not fail is an error: the model would not see that fault.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "barrier.pml")

SMALL = {
    "one worker, two edits": "WORKERS=1 EDITS=2 DISPATCHES=2",
    "two workers, one edit": "WORKERS=2",
    "a worker dies or ends, another takes its slot; two edits": "WORKERS=2 SLOTS=1 EDITS=2 CRASHES=1",
    "a restore, an older copy put in place": "WORKERS=1 RESTORES=1 INTRUDERS=1 SWEEPS=3",
    "a restore while a worker dies and another comes": "WORKERS=2 SLOTS=1 RESTORES=1 CRASHES=1",
    "another ledger": "WORKERS=2 SLOTS=1 LEDGERS=1 CRASHES=1",
    "dispatches counted when they begin, as the module does; the file looked at last": "WORKERS=1 RESTORES=1 SWEEPS=3 COUNTED_FIRST FILE_LAST",
}
LARGE = {
    "two workers, two edits": "WORKERS=2 EDITS=2",
    "two workers, one edit, a death": "WORKERS=2 CRASHES=1",
    "two workers and a later one, one edit": "WORKERS=3 SLOTS=2 CRASHES=1 PIECES=1",
    "two workers, an edit and a restore": "WORKERS=2 RESTORES=1 PIECES=1",
}
FAULTY = {
    "NO_WORKER_FENCE": ("the worker's window is not fenced", "WORKERS=1"),
    "NO_EDITOR_FENCE": ("the editor's commit is not fenced", "WORKERS=1"),
    "CLEAR_BEFORE_WRITE": ("the window is closed before the write", "WORKERS=1"),
    "SWEPT_ONLY": ("windows are not waited for", "WORKERS=1"),
    "WINDOW_ONLY": ("running dispatches are not waited for", "WORKERS=1"),
    "RUNNING_FIRST": ("what runs is looked at before the window", "WORKERS=1"),
    "FILE_LAST": ("the store's file is looked at after the window", "WORKERS=1 RESTORES=1 SWEEPS=2"),
    "NO_INODE_CHECK": ("transactions of two files are compared", "WORKERS=1 RESTORES=1"),
    "STALE_SWEPT": ("what was swept in one file counts in the next", "WORKERS=1 RESTORES=1 SWEEPS=3"),
    "NO_RESET": ("a slot is used again as it was left", "WORKERS=2 SLOTS=1 CRASHES=1"),
    "NO_REREAD": ("policy is read once a dispatch", "WORKERS=1"),
    "PINNED_REVISION": ("a dispatch is judged by the revision it began under", "WORKERS=1"),
    "HALF_EDIT": ("head and image are read in two snapshots", "WORKERS=1"),
    "NO_IDENTITY": ("any file in the store's place is used", "WORKERS=1 INTRUDERS=1"),
    "LOCK_FIRST": ("a dead worker's lock is free before its sockets are reset", "WORKERS=1 CRASHES=1"),
    "NO_DROP": ("what is cut leaves its bytes in the socket", "WORKERS=1"),
    "SWEPT_BEFORE_CUT": ("a sweep is told before what it forbids is cut", "WORKERS=1"),
    "LEDGER_REMOVED": ("the ledger is replaced while workers hold slots of it", "WORKERS=1 LEDGERS=1"),
}


def search(sizes, folder, model=MODEL, seconds=900, large=False):
    """(states, errors or None, the violated assertion, seconds) of an exhaustive search."""
    os.makedirs(folder, exist_ok=True)
    flags = ["-D" + each for each in sizes.split()]
    begun = time.time()
    subprocess.run(["spin"] + flags + ["-a", model], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    optimize = "-O2" if large or "WORKERS=2" in sizes else "-O1"
    subprocess.run(["cc", optimize, "-w", "-DSAFETY", "-DNOCLAIM", "-DCOLLAPSE", "-DVECTORSZ=2048", "-o", "pan", "pan.c"], cwd=folder, check=True)
    try:
        done = subprocess.run(["./pan", "-m100000", "-w26" if large else "-w22"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds)
    except subprocess.TimeoutExpired:
        return 0, None, "not done in %d s" % seconds, time.time() - begun
    said = done.stdout.decode()
    found = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\d+) states, stored", said)
    wrong = re.search(r"pan:1: (.*?)( \(at depth .*)?\n", said)
    if found is None or "max search depth too small" in said or "out of memory" in said:
        return 0, None, said[-400:], time.time() - begun
    return int(states.group(1)), int(found.group(1)), wrong.group(1) if wrong else "", time.time() - begun


def report(name, words, outcome, must_fail):
    """One line; True when it came out as it must."""
    states, errors, wrong, seconds = outcome
    good = errors is not None and bool(errors) == must_fail
    verdict = "fails, as it must: " + wrong if errors and must_fail else "holds" if errors == 0 and not must_fail \
        else "DOES NOT FAIL" if errors == 0 else "FAILS: " + wrong if errors else "UNDECIDED: " + wrong
    print("%-22s %-75s %9d states %5.1f s  %s" % (name, words, states, seconds, verdict))
    sys.stdout.flush()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--keep", metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.keep or scratch
        jobs = [("protocol", words, sizes, False) for words, sizes in (LARGE if options.large else SMALL).items()]
        if not options.large:
            jobs += [(name, words, sizes + " " + name, True) for name, (words, sizes) in FAULTY.items()]
        with concurrent.futures.ThreadPoolExecutor(1 if options.large else os.cpu_count() or 1) as pool:
            outcomes = [pool.submit(search, sizes, os.path.join(root, str(number)), large=options.large, seconds=7200 if options.large else 900)
                        for number, (_, _, sizes, _) in enumerate(jobs)]
            good = [report(name, words, outcome.result(), must_fail)
                    for (name, words, _, must_fail), outcome in zip(jobs, outcomes)]
    print("%d of %d searches came out as they must" % (sum(good), len(good)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
