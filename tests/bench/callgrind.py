"""Instructions of a worker, counted by valgrind's callgrind while it serves: the same on a busy machine as on a calm one.

nginx runs as one process under callgrind; after a batch of requests `vgdb` has it write down what it counted since the last time. A batch is counted
several times and the smallest is taken. What a worker does by time (sweeping, timers) is not counted: a slow machine would have more of it in a request.
"""

import collections
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLER = re.compile(r"\((\d+)\)(?: (.*))?")


class Profile:
    """One dump. Instructions: of all, of each object's own code, of functions with what they call; and how often each was called."""

    def __init__(self, text):
        self.total, self.own, self.inclusive, self.calls, self.library_calls = 0, collections.Counter(), collections.Counter(), collections.Counter(), 0
        names, objects = {}, {}
        function = callee = owner = callee_object = calls = None
        for line in text.splitlines():
            if line.startswith("ob="):
                owner = self.name(line[3:], objects)
            elif line.startswith("cob="):
                callee_object = self.name(line[4:], objects)
            elif line.startswith("fn="):
                function, callee_object = self.name(line[3:], names), None
            elif line.startswith("cfn="):
                callee = self.name(line[4:], names)
            elif line.startswith("calls="):
                calls = int(line[6:].split()[0])
            elif line and (line[0].isdigit() or line[0] in "+-*"):
                cost = int(line.split()[1])
                if calls is None:
                    self.total += cost
                    self.own[pathlib.Path(owner).name] += cost
                    continue
                if callee.split("'")[0] != function.split("'")[0]:          # not of itself
                    self.inclusive[callee] += cost
                    self.calls[callee] += calls
                if "gatehouse" in owner and callee_object and re.search(r"libcrypto|liblmdb", callee_object):
                    self.library_calls += calls
                calls, callee_object = None, None

    @staticmethod
    def name(text, table):
        number, name = CALLER.match(text).groups()
        if name is not None:                # a copy that the compiler made for some callers counts as the function
            table[number] = re.sub(r"\.(constprop|isra|part|lto_priv|cold)\b.*", "", name)
        return table[number]

    def of(self, fragment):
        """An object's own instructions."""
        return sum(cost for name, cost in self.own.items() if fragment in name)


def preload(cache):
    """Valgrind has no room for the policy store's map as it is: load/small_map.c."""
    source, built = ROOT / "tests/bench/load/small_map.c", cache / "small_map.so"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", built, source], check=True)
    return built


def missing():
    """Why it cannot be done here; None: it can."""
    for program in ("valgrind", "vgdb"):
        if subprocess.run(["which", program], capture_output=True).returncode != 0:
            return f"{program} is not installed (apt-get install valgrind)"
    return None


class Counted:
    """A server of servers.py under callgrind."""

    def __init__(self, server, cache, core=0):
        self.server, self.out = server, server.prefix / "callgrind.out"
        self.vgdb = f"--vgdb-prefix={server.prefix}/vgdb"
        server.environment = {**server.environment, "LD_PRELOAD": str(preload(cache))}
        # Entering that function ends the counting, leaving it begins it again.
        server.start(core, ("valgrind", "--tool=callgrind", "--quiet", "--toggle-collect=ngx_event_expire_timers", "--collect-atstart=yes",
                            f"--callgrind-out-file={self.out}", self.vgdb))

    def say(self, *words, tries=400):
        """The process makes its pipes anew after each command: a moment later they are there."""
        for left in reversed(range(tries)):
            done = subprocess.run(["vgdb", f"--pid={self.server.process.pid}", self.vgdb, *words], capture_output=True, text=True, timeout=60)
            if done.returncode == 0:
                return
            if not left or self.server.process.poll() is not None:
                raise SystemExit(f"vgdb {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}")
            time.sleep(0.05)

    def dump(self):
        """What was counted since the last one. Had a command to be said twice, there may be two, and one of them is empty."""
        for _ in range(3):
            self.say("dump")
            written, end = {}, time.monotonic() + 60
            while time.monotonic() < end:
                written = {path: path.read_text() for path in self.out.parent.glob(f"{self.out.name}.*")}
                if written and all("totals:" in text[-200:] for text in written.values()):
                    for path in written:
                        path.unlink()
                    return max(map(Profile, written.values()), key=lambda profile: profile.total)
                time.sleep(0.01)
        found = ", ".join(f"{path.name} of {len(text)} bytes" for path, text in written.items()) or "nothing"
        raise SystemExit(f"callgrind wrote no whole {self.out}.*, but {found} (is the disk full?)")

    def count(self, send, batches=3):
        """send() is a batch. The profile of the one with the fewest instructions; one before them is not counted."""
        send()
        self.dump()
        found = []
        for _ in range(batches):
            send()
            found.append(self.dump())
        return min(found, key=lambda profile: profile.total)
