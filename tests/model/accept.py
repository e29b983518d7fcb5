#!/usr/bin/env python3
"""Is a trace of the real programs a behaviour of the model (barrier.pml)? Spin searches for one.

    tests/model/accept.py TRACE...          each is accepted, or rejected with the event that the model cannot get past
    tests/model/accept.py --bad TRACE       also plants faults in it, each of which must be rejected

The exit code is 0 when all is as it must be, 1 when something is not, 3 when a search was not done in its time.

A trace is what programs built with -DGH_TRACE append to $GATEHOUSE_TRACE: "<clock_ns> <pid> <slot> <event> <number>", in the order in which
the lines were appended (policy/ledger/trace.h).

The mapping. A worker's process is a number in the order in which slots are taken; slots are numbered as they appear; an editor's processes are
the model's one editor, and must not overlap. Transactions: what was in force at the beginning is the model's first, each commit the next, and
any other number that of the newest commit not above it, since other writes to the store (keys) are no edits. Scans outside of a wait are looks
and are left out. What the model's other numbers are the search finds: which edits forbid what runs, what runs, and when a worker dies, which is
after its last line.
"""

import argparse
import bisect
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "barrier.pml")
WORKER = {"take": "TAKE", "window": "OPEN", "snapshot": "SNAPSHOT", "permit": "PERMIT", "refuse": "REFUSE", "write": "WRITE", "close": "CLOSE",
          "sweep": "SWEEP"}
EDITOR = {"commit": "COMMIT", "announce": "ANNOUNCE", "scan": "SCAN", "ack": "ACK", "giveup": "GIVEUP"}
NOBODY = 255
FIRST = 2


class Trace:
    """Events as the model's: (kind, who, number), and of each worker its slot and the index after its last event."""

    def __init__(self, lines):
        rows = [(int(pid), slot, event, int(number)) for _, pid, slot, event, number in (line.split() for line in lines if line.strip())]
        rows = self.without_looks(rows)
        self.commits = sorted({number for _, _, event, number in rows if event == "commit"})
        self.workers, self.slots, self.events, self.last = {}, {}, [], []
        for pid, slot, event, number in rows:
            self.add(pid, slot, event, number)

    @staticmethod
    def without_looks(rows):
        waiting, kept = set(), []
        for row in rows:
            pid, _, event, _ = row
            if event == "announce":
                waiting.add(pid)
            if event != "scan" or pid in waiting:
                kept.append(row)
            if event in ("ack", "giveup"):
                waiting.discard(pid)
        return kept

    def transaction(self, number):
        return number if number <= 1 else FIRST + bisect.bisect_right(self.commits, number)

    def add(self, pid, slot, event, number):
        if event in EDITOR:
            who = self.slots.setdefault(slot, len(self.slots)) if event == "scan" else NOBODY
            self.events.append((EDITOR[event], who, self.transaction(number)))
            return
        if event == "take":
            self.workers[pid] = len(self.workers)
            self.last.append(0)
            number = self.slots.setdefault(slot, len(self.slots))
        elif event != "close":
            number = self.transaction(number)
        who = self.workers[pid]
        self.events.append((WORKER[event], who, number))
        self.last[who] = len(self.events)

    def owner_at(self, slot, index):
        """The worker that took a slot last before an event."""
        found = [who for kind, who, number in self.events[:index] if kind == "TAKE" and number == slot]
        return found[-1] if found else None

    def model(self):
        """The Promela that sets the sizes and the trace, and includes the model."""
        slot_of = [0] * len(self.workers)
        for kind, who, number in self.events:
            if kind == "TAKE":
                slot_of[who] = number
        lines = ["#define TRACED %d" % len(self.events), "#define WORKERS %d" % max(1, len(self.workers)),
                 "#define SLOTS %d" % max(1, len(self.slots)), "#define EDITS %d" % len(self.commits), "#define COUNTED_FIRST", "#define FILE_LAST",
                 "inline trace_set_first()", "{", "    d_step {"]
        following, first = [len(self.events)] * len(self.events), [len(self.events)] * (len(self.workers) + 1)
        for index in reversed(range(len(self.events))):
            kind, who, _ = self.events[index]
            process = len(self.workers) if kind in EDITOR.values() else who
            following[index], first[process] = first[process], index
        for index, (kind, who, number) in enumerate(self.events):
            if index % 200 == 199:     # as long as a step may be
                lines += ["        skip", "    }", "}", "inline trace_set_%d()" % (index // 200), "{", "    d_step {"]
            lines.append("        trace_kind[%d] = %s; trace_who[%d] = %d; trace_number[%d] = %d; next_of[%d] = %d;" % (
                index, kind, index, who, index, number, index, following[index]))
        lines += ["        wanted_slot[%d] = %d;" % each for each in enumerate(slot_of)]
        lines += ["        mine[%d] = %d;" % each for each in enumerate(first)]
        lines += ["        skip", "    }", "}", "inline trace_set()", "{", "    trace_set_first()"]
        lines += ["    ; trace_set_%d()" % part for part in range((len(self.events)) // 200)]
        return "\n".join(lines + ["}", '#include "%s"' % MODEL, ""])


def accepted(trace, folder, seconds=300):
    """(True, events) when the model has the behaviour; (False, how far it came) when it has not; (None, why) when that is not known."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "trace.pml"), "w") as out:
        out.write(trace.model())
    done = subprocess.run(["spin", "-a", "trace.pml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 or b"rror" in done.stdout:
        return None, done.stdout.decode()[-500:]
    subprocess.run(["cc", "-O1", "-w", "-DSAFETY", "-DNOCLAIM", "-DCOLLAPSE", "-DVECTORSZ=4096", "-o", "pan", "pan.c"], cwd=folder, check=True)
    try:
        done = subprocess.run(["./pan", "-E", "-m2000000", "-w24"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, "not done in %d s" % seconds
    said = done.stdout.decode()
    if "at<%d" % len(trace.events) in said.replace(" ", "") and "errors: 1" in said:
        return True, len(trace.events)
    if "errors: 0" in said and "max search depth too small" not in said:
        return False, said
    return None, said[-500:]


# ---- planted faults: each is a trace that no run of the programs may leave ----

def planted(trace, name):
    """A copy of the trace's events with one fault, or None where there is no room for it."""
    events = list(trace.events)
    writes = [index for index, (kind, _, number) in enumerate(events) if kind == "WRITE"]
    acks = [index for index, (kind, _, _) in enumerate(events) if kind == "ACK"]
    if name == "old-write":            # after an acknowledgement a window, all of it, of the transaction before
        for ack in acks:
            for write in writes:
                if write > ack and events[write - 3][0] == "OPEN" and events[write - 3][1] == events[write][1] \
                        and write - 3 > ack and len({each[1] for each in events[write - 3:write + 1]}) == 1:
                    old = events[ack][2] - 1
                    for index in range(write - 2, write + 1):
                        events[index] = events[index][:2] + (old,)
                    return events
    if name == "unjudged-write":       # a write without a snapshot
        for write in writes:
            if [each[0] for each in events[write - 2:write + 1]] == ["SNAPSHOT", "PERMIT", "WRITE"]:
                del events[write - 2]
                return events
    if name == "early-ack":            # the acknowledgement comes before anything was looked at
        for ack in acks:
            announced = max(index for index in range(ack) if events[index][0] == "ANNOUNCE")
            if any(each[0] == "SCAN" for each in events[announced:ack]):
                events.insert(announced + 1, events.pop(ack))
                return events
    if name == "window-left-open":     # what was seen last of a slot before the acknowledgement was an older window
        for ack in acks:
            scans = [index for index in range(ack) if events[index][0] == "SCAN"]
            if scans and events[scans[-1]][2] == 0 and events[ack][2] - 1 >= FIRST:
                events[scans[-1]] = events[scans[-1]][:2] + (events[ack][2] - 1,)
                return events
    if name == "blind-scan":           # a slot whose worker lives is not looked at
        for ack in acks:
            announced = max(index for index in range(ack) if events[index][0] == "ANNOUNCE")
            scans = [index for index in range(announced, ack) if events[index][0] == "SCAN"]
            alive = [index for index in scans if any(kind in WORKER.values() and number > 0 and who == trace.owner_at(events[index][1], ack)
                                                     for kind, who, number in events[ack:])]
            if alive:
                slot = events[alive[0]][1]
                return [each for index, each in enumerate(events) if not (index in scans and each[1] == slot)]
    if name == "backwards":            # a worker reads an older transaction than it has read
        seen = {}
        for index, (kind, who, number) in enumerate(events):
            if kind == "SNAPSHOT" and seen.get(who, 0) > FIRST and [each[0] for each in events[index:index + 3]] == ["SNAPSHOT", "PERMIT", "WRITE"]:
                for each in range(index, index + 3):
                    events[each] = events[each][:2] + (FIRST,)
                return events
            if kind == "SNAPSHOT":
                seen[who] = max(seen.get(who, 0), number)
    return None


FAULTS = ("old-write", "unjudged-write", "early-ack", "window-left-open", "blind-scan", "backwards")


def with_events(trace, events):
    """The trace with other events of the same workers."""
    other = Trace([])
    other.commits, other.workers, other.slots, other.events = trace.commits, trace.workers, trace.slots, events
    other.last = [1 + max([index for index, (kind, who, _) in enumerate(events) if kind in WORKER.values() and who == worker], default=-1)
                  for worker in range(len(trace.last))]
    return other


def judge(name, trace, folder, expected, seconds):
    """True: as expected; False: not; None: the search was not done in its time."""
    found, said = accepted(trace, folder, seconds)
    words = "accepted" if found else "rejected" if found is False else "UNDECIDED: %s" % said
    good = found is expected
    print("%-40s %5d events, %2d workers, %2d edits: %s%s" % (name, len(trace.events), len(trace.workers), len(trace.commits), words,
                                                            "" if good or found is None else ", WHICH IT MUST NOT BE"))
    sys.stdout.flush()
    return None if found is None else good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="+")
    parser.add_argument("--bad", action="store_true", help="plant faults too")
    parser.add_argument("--seconds", type=int, default=300, help="for each search")
    parser.add_argument("--keep", metavar="DIR")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in options.trace:
            with open(path) as source:
                trace = Trace(source.read().splitlines())
            found.append(judge(os.path.basename(path), trace, os.path.join(options.keep or scratch, "trace"), True, options.seconds))
            for name in FAULTS if options.bad else ():
                events = planted(trace, name)
                if events is None:
                    print("%-40s no room for it" % name)
                else:
                    found.append(judge(name, with_events(trace, events), os.path.join(options.keep or scratch, name), False, options.seconds))
    return 1 if False in found else 3 if None in found else 0


if __name__ == "__main__":
    sys.exit(main())
