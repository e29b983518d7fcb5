#!/usr/bin/env python3
"""The models of the edit barrier, of the ledger's counters and of the places they lie in, searched exhaustively.

    tests/model/check.py            the protocols in small sizes, and every faulty variant, which must fail
    tests/model/check.py --large    the protocols in sizes that take minutes and gigabytes
    tests/model/check.py --model counter    one of them
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
COUNTER = os.path.join(HERE, "counter.pml")
PLACE = os.path.join(HERE, "place.pml")

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

COUNTER_SMALL = {
    "two owners, one counter, a death at any step": "CRASHES=1",
    "two deaths: who recovers dies too": "CRASHES=2 ONE_END",
    "the next owner of a dead one's slot finishes what it left": "CRASHES=1 LIVES=2 ONE_END",
    "a third process recovers, and may die at it": "SWEEPERS=1 OWNERS=1 TAKES=2 CRASHES=2",
    "two counters, one of them of what is in flight": "ITEMS=2 CRASHES=1 ONE_END",
    "the window rolls over, the clock steps back": "STEPS=2 OWNERS=1 SWEEPERS=1 TAKES=2 CRASHES=1",
    "one owner with two reservations open": "OWNERS=1 SWEEPERS=1 SPARE=1 TAKES=2 CRASHES=2",
    "two open, and the next owner of the slot": "OWNERS=1 SWEEPERS=1 SPARE=1 TAKES=2 LIVES=2 CRASHES=1",
}
COUNTER_LARGE = {
    "two owners, two reservations each, two deaths": "TAKES=2 CRASHES=2",
    "two owners and the next ones in their slots, two deaths": "LIVES=2 CRASHES=2",
    "two owners and a third who recovers, two deaths": "SWEEPERS=1 SWEEPS=0 CRASHES=2",
    "two owners, windows, a clock that steps back, two deaths": "STEPS=3 CRASHES=2",
    "three owners, a death": "OWNERS=3 SWEEPS=0 LIMIT=5 CRASHES=1 ONE_END",
    "two counters, two deaths": "ITEMS=2 CRASHES=2",
    "two owners with two open each, and the next ones in their slots": "SPARE=1 TAKES=2 LIVES=2 SWEEPS=0 ONE_END LIMIT=9",
}
COUNTER_FAULTY = {
    "NO_DONE": ("nobody tells an owner that its operation is in", "CRASHES=1"),
    "DONE_AFTER_SWAP": ("it is told after its tag is gone", "CRASHES=2"),
    "DONE_STORED": ("it is told by a plain store", "OWNERS=3 SWEEPS=0 LIMIT=9 ONE_END"),
    "DONE_FIRST": ("recovery looks at done before the counter's tag", "SWEEPERS=1 SWEEPS=0 ONE_END"),
    "REUSE_FIRST": ("a slot's identity is used again before its last owner's work is finished", "SPARE=1 TAKES=2 LIVES=2"),
    "IN_ANY_ORDER": ("the next owner takes numbers for what was held before it looks at what is in doubt", "SPARE=1 TAKES=2 LIVES=2 SWEEPS=0 ONE_END LIMIT=9"),
    "SEQ_RESET": ("the next owner of a slot counts its operations from 1 again", "LIVES=2"),
    "SEQ_AFTER": ("an operation is published behind the swap", "CRASHES=1"),
    "NO_OWNER": ("the tag does not say whose operation it is", "CRASHES=1"),
    "PROGRESS_FIRST": ("progress is noted in front of the swap", "CRASHES=1"),
    "FETCH_ADD": ("plain fetch-and-add, noted behind it", "CRASHES=1"),
    "BLIND_SWAP": ("the word is stored, not compared and swapped", "CRASHES=0"),
    "LIMIT_OUTSIDE": ("the limit is looked at outside of the swap", "CRASHES=0"),
    "UNDO_ANY_WINDOW": ("settle and undo take from whatever window there is", "STEPS=1 CRASHES=0"),
    "SETTLE_AT_NOW": ("what is settled counts in the window of its end", "STEPS=1 CRASHES=0"),
    "OLD_WINDOW_RESETS": ("a clock that steps back begins a window anew", "STEPS=2 OWNERS=1 TAKES=3 CRASHES=0"),
    "WINDOW_AS_ASKED": ("a reservation carries the window it asked for, not the one it counts in", "STEPS=2 CRASHES=0"),
    "WINDOW_AFTER": ("the window is noted behind the swap", "STEPS=1 CRASHES=1"),
    "NO_FLIP": ("who adopts writes over the set of the dead owner", "CRASHES=2"),
    "FLIP_FIRST": ("the owner's name is changed before its set is", "CRASHES=2"),
    "HELD_UNDONE": ("what a dead owner held is given back", "CRASHES=1"),
    "NO_LOCK": ("two recover the same owner", "CRASHES=2"),
    "IN_FLIGHT_KEPT": ("what was in flight does not come back", "ITEMS=2 CRASHES=1"),
}

PLACE_SMALL = {
    "two owners make one counter, a death at any step": "IDS=1 FIRST=1",
    "two identities want one place": "FIRST=1",
    "two places under two claims": "FIRST=2 CLAIMS=2",
    "a window ends while a place is looked for": "FIRST=2 FILLED=1 IDS=1 STEPS=1",
    "a place in front of a counter is given away": "FIRST=2 FILLED=2 STEPS=1",
    "the ledger grows, a window ends": "IDS=1 FIRST=1 SECOND=1 FILLED=1 STEPS=1",
    "what is in flight": "FIRST=1 FLYING",
    "a clock that is behind": "OWNERS=1 FIRST=1 TAKES=3 STEPS=1 LATE",
}
PLACE_LARGE = {
    "two identities want one place, a window ends, a death": "FIRST=1 STEPS=1",
    "two places, two deaths, who comes recovers": "FIRST=2 CLAIMS=2 CRASHES=2 SWEEPS=1",
    "two takes each of what is in flight": "FIRST=1 IDS=1 TAKES=2 FLYING",
    "the ledger grows, two identities, a window ends": "FIRST=1 SECOND=1 FILLED=1 STEPS=1",
}
PLACE_FAULTY = {
    "NO_CLAIM": ("an identity is put in without a claim", "FIRST=2 FILLED=1 IDS=1 STEPS=1 CRASHES=0"),
    "CLAIM_STOLEN": ("a claim is taken from who still holds it", "FIRST=2 FILLED=1 IDS=1 STEPS=1 CRASHES=0"),
    "CLAIM_KEPT": ("a dead owner's claim stays", "IDS=1 FIRST=1"),
    "NOTED_AFTER": ("which place is given away is noted behind the swap", "FIRST=1"),
    "NO_RETIRE": ("a place gets another identity while it is counted in", "FIRST=1 CRASHES=0"),
    "RETIRED_BLINDLY": ("a word is retired that is not the one that was judged", "FIRST=1 CRASHES=0"),
    "WORD_FIRST": ("a place is counted in again before its identity is changed", "FIRST=1 CRASHES=0"),
    "IN_USE_TAKEN": ("a place is taken from a counter whose window runs", "FIRST=1 CRASHES=0"),
    "SAME_TAG": ("the words of new counters are alike", "FIRST=1 CRASHES=0"),
    "NO_INCARNATION": ("giving back does not ask whether it is still the same counter", "OWNERS=1 FIRST=1 TAKES=3 STEPS=1 LATE CRASHES=0"),
    "IDENTITY_UNSEEN": ("whoever counts does not ask whose place it is by now", "FIRST=1 CRASHES=0"),
    "RECOVERED_UNSEEN": ("a dead owner's place is freed though it had not retired it", "FIRST=1"),
    "FREED_AS_NEVER": ("a dead owner's place becomes one that was never used", "FIRST=2 FILLED=2 SWEEPS=1 STEPS=1"),
    "EXTENTS_FIRST": ("extents are counted before the claim is had", "IDS=1 FIRST=1 SECOND=1 FILLED=1 STEPS=1 CRASHES=0"),
    "PUBLISHED_FIRST": ("an extent is told of before it is laid out", "IDS=1 FIRST=1 SECOND=1 FILLED=1 CRASHES=0"),
}
MODELS = {"barrier": (MODEL, SMALL, LARGE, FAULTY), "counter": (COUNTER, COUNTER_SMALL, COUNTER_LARGE, COUNTER_FAULTY),
          "place": (PLACE, PLACE_SMALL, PLACE_LARGE, PLACE_FAULTY)}


def search(sizes, folder, model=MODEL, seconds=900, large=False, faulty=False):
    """(states, errors or None, the violated assertion, seconds) of an exhaustive search."""
    os.makedirs(folder, exist_ok=True)
    flags = ["-D" + each for each in sizes.split()]
    begun = time.time()
    subprocess.run(["spin"] + flags + ["-a", model], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    # A fault is found soon: most of its time is the compiler's.
    optimize = "-O2" if large or "WORKERS=2" in sizes and not faulty else "-O0" if faulty else "-O1"
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
    parser.add_argument("--model", choices=sorted(MODELS))
    parser.add_argument("--keep", metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.keep or scratch
        jobs = []
        for name in [options.model] if options.model else sorted(MODELS):
            model, small, large, faulty = MODELS[name]
            jobs += [(name, words, sizes, model, False) for words, sizes in (large if options.large else small).items()]
            if not options.large:
                jobs += [(fault, words, sizes + " " + fault, model, True) for fault, (words, sizes) in faulty.items()]
        with concurrent.futures.ThreadPoolExecutor(1 if options.large else os.cpu_count() or 1) as pool:
            outcomes = [pool.submit(search, sizes, os.path.join(root, str(number)), model, large=options.large, faulty=must_fail, seconds=7200 if options.large else 3600)
                        for number, (_, _, sizes, model, must_fail) in enumerate(jobs)]
            good = [report(name, words, outcome.result(), must_fail)
                    for (name, words, _, _, must_fail), outcome in zip(jobs, outcomes)]
    print("%d of %d searches came out as they must" % (sum(good), len(good)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
