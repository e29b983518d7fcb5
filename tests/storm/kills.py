#!/usr/bin/env python3
"""
The kill storm: three organisations with tight budgets, rates and limits of what is in flight, clients and backends of three dialects each, so that most of what
is asked is translated, and backends that report usage in every shape, fail and fall silent; meanwhile workers and masters are killed, stopped and reloaded, binaries upgraded and rolled back, and the record's disks fill, fail and
are slow. Then the auditor reads what backends saw, the record and the ledger (I1, I2 and I3), and finds nothing.

    tests/storm/kills.py [--seconds N | --kills N] [--every SECONDS] [--seed TEXT] [--workers N] [--only KIND,...] [--sync group]
                         [--keep]

KILLS_SECONDS is the default of --seconds, 25 without it; --kills goes on until so many processes were killed. --only: of these kinds of trouble.
With --sync group each dispatch is also held against what the disk had synced when its first byte came.
Full disks are a small tmpfs, which root alone can mount; the rest of it runs for everybody. The last line has the numbers.
"""
import argparse
import collections
import errno
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/storm"), str(ROOT / "tests/e2e"), str(ROOT / "tests/audit")]

import dialects  # noqa: E402
import records  # noqa: E402
import usage_shapes  # noqa: E402
from auditor import Auditor  # noqa: E402
from client import Client  # noqa: E402
from disk import FAULTY, Faults, unsynced  # noqa: E402
from documents import allow, deployment, fleet, residency, tenants  # noqa: E402
from gateway import NGINX, PRELOAD, Backend, Gateway  # noqa: E402
from mock_backend import MockBackend, Script, pause  # noqa: E402

ORGANISATIONS = ("tight", "busy", "rich")
BACKENDS = {"one": "chat", "two": "messages", "three": "converse"}       # what they speak
MODELS = {"m": ("one", "two", "three"), "n": ("two", "three", "one"), "o": ("three", "one", "two")}     # who is asked first, and then
PRICE = {"input": 2500000, "cached": 1250000, "output": 10000000}
KINDS = (("worker", 10), ("master", 1), ("reload", 1), ("upgrade", 1), ("pause", 1), ("write_errors", 1), ("slow", 1), ("no_space", 1), ("sync_errors", 1), ("full", 1))
KILLS = ("worker", "master")
REPORTS = ("plain", "plain", "plain", "none", "zero", "cached_inside", "cached_outside", "reasoning", "negative", "strings", "absurd", "null")
AUDIT_SIZE = "48m"
SETTLING = 120                       # seconds in which what died is recovered
LONGER = 300                         # seconds at most that it goes on until it has had something of each


# ---- what is asked for ----

def limit(dimension, amount, per=None, limit_class="budget", model=None):
    return {"dimension": dimension, "amount": amount, "class": limit_class, **({"per": per} if per else {}), **({"model": model} if model else {})}


def owners():
    """tight: budgets that are used up in the run; busy: rates and what is in flight; rich: enough of all, every dimension counted."""
    made = {name: tenants("red", organisation=name) for name in ORGANISATIONS}
    place = {name: one["organisations"][0] for name, one in made.items()}
    place["tight"]["limits"] = [limit("tokens", 3000000, "day"), limit("micro-dollars", 9000000, "month"), limit("requests", 100000, "day")]
    place["tight"]["tenants"][0]["limits"] = [limit("input", 2500000, "day", model="m"), limit("micro-dollars", 8000000)]
    place["busy"]["limits"] = [limit("requests", 60, "second", "rate"), limit("in-flight", 6, None, "rate")]
    place["busy"]["tenants"][0]["limits"] = [limit("streams", 3, None, "budget"), limit("tokens", 400000, "minute", "rate")]
    place["busy"]["tenants"][0]["apps"][0]["limits"] = [limit("tokens", 10000, "day", "shadow")]
    place["rich"]["limits"] = [limit("micro-dollars", 10 ** 12), limit("tokens", 10 ** 12, "month"), limit("output", 10 ** 12, "day"), limit("input", 10 ** 12, "minute"),
                               limit("in-flight", 1000)]
    place["rich"]["tenants"][0]["apps"][0]["key_limits"] = [limit("requests", 10 ** 9, "minute"), limit("requests", 10 ** 9, model="m", per="day")]
    return list(made.values())


def documents():
    def priced(model, dialect):
        return {model: {"upstream": dialects.UPSTREAM.get(dialect, model), "price": PRICE, "source": "made for tests", "as_of": "2026-01-01"}}
    made = fleet(*(deployment(f"{name}-{model}", name, priority=number, models=priced(model, BACKENDS[name]), serves=list(ORGANISATIONS), **dialects.SPECS[BACKENDS[name]])
                   for model, order in MODELS.items() for number, name in enumerate(order, 1)))
    for model in MODELS:
        made["models"][model] = {"context": 4000, "max_output": 600}
    return [made, *(residency(allow("all"), name=name) for name in ORGANISATIONS), *owners()]


class Backends:
    """Each request is answered in a shape that its text chooses."""

    def __init__(self):
        self.mocks = {name: MockBackend(f"127.0.6.{number}", name=name) for number, name in enumerate(BACKENDS, 2)}
        for mock in self.mocks.values():
            mock.default = self.answer

    @staticmethod
    def answer(request):
        dice = random.Random(request.sha256 + request.backend.name)
        if BACKENDS[request.backend.name] != "chat":
            return dialects.answered(BACKENDS[request.backend.name], request, dice)
        what = dice.random()
        if what < 0.12:
            return usage_shapes.error_status(dice.choice((429, 500, 503, 400)), usage_shapes.reported("plain") if dice.random() < 0.5 else None)
        if what < 0.16:
            return usage_shapes.error_inside()
        if what < 0.24:
            return usage_shapes.shaped(dice.choice(REPORTS), cut=dice.choice(usage_shapes.CUTS[2:]), how=dice.choice(("close", "reset")))(request)
        found = usage_shapes.shaped(dice.choice(REPORTS), where=dice.choice(usage_shapes.PLACES), prompt=dice.randrange(5, 60), completion=dice.randrange(1, 40),
                                    gap=dice.choice((0, 0, 0, 0.004, 0.02)))(request)
        return Script(pause(dice.random() * 0.2), *found.steps) if dice.random() < 0.4 else found

    def stop(self):
        for mock in self.mocks.values():
            mock.stop()


class Load:
    """Clients of the three organisations, on threads."""

    def __init__(self, port, keys, seed, threads=4):
        self.port, self.keys, self.seed, self.stopping = port, keys, seed, threading.Event()
        self.counts, self.wrong, self.lock = collections.Counter(), [], threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(name, number), daemon=True) for name in keys for number in range(threads)]

    def start(self):
        for one in self.threads:
            one.start()

    def stop(self):
        self.stopping.set()
        for one in self.threads:
            one.join(120)
        return [one for one in self.threads if one.is_alive()]

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def _run(self, name, number):
        dice, turn = random.Random(f"{self.seed}/{name}/{number}"), 0
        while not self.stopping.is_set():
            turn += 1
            self.count("requests")
            self.count(f"requests of {name}")
            try:
                self._ask(dice, f"{name}-{number}-{turn}-{dice.randrange(10 ** 9)}", self.keys[name])
            except OSError:
                self.count("connections that ended")
                self.stopping.wait(0.02)

    def _ask(self, dice, nonce, key):
        stream, leaves = dice.random() < 0.4, dice.random() < 0.12
        dialect, model = dice.choice(dialects.CLIENTS), dice.choice(list(MODELS))
        path, body = dialects.question(dialect, model, nonce + " " + "x" * dice.choice((10, 200, 2000, 60000)), stream,
                                       dice.randrange(1, 900) if dice.random() < 0.6 else None)
        self.count("asked in " + dialect)
        with Client(self.port, timeout=60) as client:
            if leaves and dice.random() < 0.3:              # in the middle of its body
                client.request(path, body[:len(body) // 2], key, length=len(body))
            else:
                client.request(path, body, key)
            if leaves:
                time.sleep(dice.random() * 0.2)
                client.leave(reset=dice.random() < 0.5)
                self.count("left")
                return
            found = client.answer()
        self.count(f"status {found.status}" if found.status else "connections that ended")
        if found.status in (429, 503, 529):
            self.stopping.wait(0.02)
        if found.status == 200 and found.whole:
            text = dialects.spoken(dialect, stream, found.body)
            if text is not None and not text.startswith(nonce[:40]):    # the answer belongs to the request
                self.wrong.append((nonce, text[:80]))


# ---- the gateway ----

class Adopted:
    """A master that nginx started itself, in place of the process that we had started."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        try:
            return 0 if pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z" else None
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("nginx", seconds)
            time.sleep(0.01)
        return 0


class Storm(Gateway):
    """What nginx hands on to the next binary has the faulty disk in it."""

    def configuration(self):
        return "".join(f"env {name};\n" for name in FAULTY) + super().configuration()

    def start(self):
        """As a daemon: a master whose parent is the process that started it takes no SIGUSR2. By its whole path, by which it starts the next one."""
        self.write()
        self.stderr = open(self.prefix / "stderr.log", "ab")
        subprocess.run([shutil.which(NGINX), "-p", str(self.prefix), "-c", str(self.conf)], stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr,
                       env={**self.environment, **self._sanitizer()}, timeout=120, check=True)
        self.process = Adopted(self.master_with_workers(0, 60))
        return self

    def master_with_workers(self, before, seconds):
        """The master in the pid file once it is another one than `before` and has its workers."""
        end, pid = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                pid = int((self.prefix / "nginx.pid").read_text())
                if pid != before and len(children(pid)) >= self.workers:
                    return pid
            except (OSError, ValueError):
                pass
            time.sleep(0.02)
        raise AssertionError(f"no master with {self.workers} workers but {before}, in the pid file is {pid}")


def children(pid):
    try:
        return [int(one) for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Disk(Faults):
    """The record's first directory: on a small tmpfs where that may be mounted, and with faults by faulty_disk.c."""

    def __init__(self, directory, audit, prefix):
        super().__init__(directory, audit / "open", prefix)
        self.audit, self.mounted = audit, False

    def mount(self):
        """False, and why is said, where it cannot."""
        was = (self.audit / "open").stat()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={AUDIT_SIZE},mode=2770,uid={was.st_uid},gid={was.st_gid}", "tmpfs", self.audit], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"skipped: a full disk, for no tmpfs can be mounted: {done.stderr.strip() or 'not root'}")
            return False
        self.mounted = True
        (self.audit / "open").mkdir()
        os.chown(self.audit / "open", was.st_uid, was.st_gid)
        (self.audit / "open").chmod(0o2770)
        return True

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.audit], check=False)

    def fill(self):
        """Until nothing fits any more."""
        with open(self.audit / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 16))
            except OSError:
                pass

    def empty(self):
        (self.audit / "filler").unlink(missing_ok=True)


class Trouble:
    """One thing after the other, each on its thread, until `stop`."""

    def __init__(self, gateway, disk, options):
        self.gateway, self.disk, self.options = gateway, disk, options
        self.counts, self.failed, self.stopping = collections.Counter(), [], threading.Event()
        only = set(options.only.split(",")) if options.only else {name for name, _ in KINDS}
        self.kinds = [(name, weight) for name, weight in KINDS if name in only and (name != "full" or disk.mounted)]
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def kills(self):
        return self.counts["workers killed"] + self.counts["masters killed"]

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join(180)

    def _run(self):
        dice = random.Random(f"{self.options.seed}/trouble")
        try:
            while not self.stopping.is_set():
                self.stopping.wait(dice.random() * 2 * self.options.every)
                name = dice.choices([name for name, _ in self.kinds], [weight for _, weight in self.kinds])[0]
                getattr(self, name)(dice)
        except Exception as problem:                        # told at the end
            self.failed.append(f"{name}: {problem!r}")

    def _workers(self):
        return children(self.gateway.process.pid)

    def _kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.counts["workers killed"] += 1
        self.gateway.trail.write("died", pid=pid)

    # ---- processes ----

    def worker(self, dice):
        workers = self._workers()
        for pid in dice.sample(workers, len(workers) if dice.random() < 0.1 else 1) if workers else ():
            self._kill(pid)

    def master(self, dice):
        """Its workers are left alone for a moment, as after an oom kill, then go too; all of it is started again."""
        workers = self._workers()
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.counts["masters killed"] += 1
        time.sleep(dice.random() * 0.3)
        for pid in workers:
            self._kill(pid)
        end = time.monotonic() + 60
        while time.monotonic() < end and any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers):
            time.sleep(0.01)
        self.gateway.start()

    def reload(self, dice):
        self.gateway.process.send_signal(signal.SIGHUP)
        self.counts["reloads"] += 1
        time.sleep(dice.random() * 0.5)

    def upgrade(self, dice):
        """Another binary takes over, or is sent away again."""
        old = self.gateway.process
        old.send_signal(signal.SIGUSR2)
        new = Adopted(self.gateway.master_with_workers(old.pid, 60))
        time.sleep(dice.random() * 0.5)
        stays, goes = (new, old) if dice.random() < 0.5 else (old, new)
        goes.send_signal(signal.SIGQUIT)
        try:
            goes.wait(120)
        except subprocess.TimeoutExpired:
            self.failed.append("a master did not end after SIGQUIT")
        self.gateway.process = stays
        self.counts["upgrades" if stays is new else "upgrades rolled back"] += 1

    def pause(self, dice):
        """A worker stands still; whoever looks for the dead must not take what it holds."""
        workers = self._workers()
        if not workers:
            return
        pid, seconds = dice.choice(workers), 10 if self.options.long and dice.random() < 0.1 else dice.random() * 2
        try:
            os.kill(pid, signal.SIGSTOP)
            self.counts["workers stopped for a while"] += 1
            self.stopping.wait(seconds)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    # ---- the disk ----

    def _for_a_while(self, dice, name, value, count):
        self.disk.set(name, value)
        self.counts[count] += 1
        self.stopping.wait(0.3 + dice.random())
        if dice.random() < 0.5:
            self.worker(dice)                               # a death while the disk fails
        self.disk.set(name, 0)

    def write_errors(self, dice):
        self._for_a_while(dice, "short_writes" if dice.random() < 0.3 else "write_errors", dice.choice((20, 200, 1000)), "disks that failed")

    def slow(self, dice):
        self._for_a_while(dice, "slow", dice.choice((2000, 20000)), "slow disks")

    def no_space(self, dice):
        self._for_a_while(dice, "open_errors" if dice.random() < 0.3 else "no_space", 1, "disks without room for a segment")

    def sync_errors(self, dice):
        if dice.random() < 0.3:
            self._for_a_while(dice, "slow_syncs", dice.choice((20000, 500000, 3000000)), "disks that synced slowly")
        else:
            self._for_a_while(dice, "sync_errors", dice.choice((errno.EIO, errno.ENOSPC, errno.EDQUOT)), "disks that did not sync")

    def full(self, dice):
        self.disk.fill()
        self.counts["full disks"] += 1
        self.stopping.wait(0.5 + dice.random())
        if dice.random() < 0.5:
            self.worker(dice)
        self.disk.empty()


# ---- the run ----

def unended(gateway):
    """Ids of decisions that are without an end in the record."""
    found = {"decision": set(), "outcome": set(), "lost": set()}
    for line in (line for directory in (gateway.audit, gateway.audit_second) for line in records.lines(directory)):
        if line["type"] in found and line.get("verdict") != "deny":
            found[line["type"]].add(line["id"])
    return found["decision"] - found["outcome"] - found["lost"]


def at_rest(gateway):
    """Waits until nothing is held any more; the last look is the auditor's."""
    end = time.monotonic() + SETTLING
    while time.monotonic() < end:
        shown = json.loads(gateway.command("ledger", "show", "--json").stdout)
        if not shown["reservations"] and not unended(gateway):
            break
        time.sleep(0.5)
    time.sleep(2.5)                                         # whoever recovers also writes lines
    return gateway.note_ledger(rest=True)


def checked(gateway):
    """What the gateway's own commands complain about."""
    wanted = [("ledger", "check"), ("audit", "verify", gateway.audit, gateway.audit_second)]
    done = [(words, gateway.command(*words, check=False)) for words in wanted]
    return [f"{' '.join(map(str, words))}: {one.returncode} {one.stdout[-1500:]}{one.stderr[-1500:]}" for words, one in done if one.returncode != 0]


def storm(options, directory):
    MockBackend.directory = directory / "trail"
    MockBackend.directory.mkdir()
    backends = Backends()
    gateway = Storm([Backend(name, mock, connect="1s", read="2s", keepalive=8, credential=dialects.CREDENTIAL.get(BACKENDS[name]), lines=dialects.LINES.get(BACKENDS[name], ()))
                     for name, mock in backends.mocks.items()], workers=options.workers, shutdown="4s")
    disk = Disk(directory, gateway.audit, gateway.prefix)
    try:
        gateway.init()
        disk.mount()
        second = gateway.prefix / "second"
        (second / "open").mkdir(parents=True)
        for place in (second, second / "open"):
            shutil.chown(place, *(("www-data", "www-data") if gateway.root else (os.geteuid(), os.getegid())))
            place.chmod(0o2770)
        gateway.audit_second, gateway.audit_options = second, "segment=1m roll=20s" + (" sync=group sync_timeout=2s" if options.sync == "group" else "")
        if not PRELOAD:
            gateway.environment.update(disk.environment())
        gateway.apply(*documents())
        gateway.start()
        load, trouble = Load(gateway.port, {name: gateway.key(f"{name}/red/app") for name in ORGANISATIONS}, options.seed), Trouble(gateway, disk, options)
        load.start()
        trouble.start()
        begin = time.monotonic()
        while trouble.kills < options.kills if options.kills else time.monotonic() - begin < options.seconds:
            if trouble.failed:
                break
            time.sleep(0.2)
        while time.monotonic() - begin < options.seconds + LONGER and not trouble.failed and any(too_few(options, load, trouble)):
            time.sleep(0.5)
        trouble.stop()
        stuck = load.stop()
        trouble.failed += [f"{len(stuck)} clients wait for ever"] if stuck else []
        trouble.counts["faults of the disk"] = disk.faults()
        for name in ORGANISATIONS:
            gateway.trail.write("asked", owner=f"{name}/red/app", count=load.counts[f"requests of {name}"])
        at_rest(gateway)
        trouble.failed += checked(gateway) + MockBackend.unproven[:5]
        trouble.counts["requests whose signature was verified"] = MockBackend.proven
        gateway.stop(graceful=True)
        gateway.note_deaths()
        auditor = Auditor(MockBackend.directory)
        auditor.run(final=True)
        if options.sync == "group" and not PRELOAD:
            trouble.counts["dispatches held against the disk's log"], late = unsynced(disk.log, (gateway.audit, second), backends.mocks.values())
            trouble.failed += late[:10]
        return gateway, load, trouble, auditor
    finally:
        gateway.stop()
        backends.stop()
        if not options.keep:
            disk.unmount()


def too_few(options, load, trouble):
    """What there has been too little of, and how much."""
    if trouble.kills < options.seconds / 5:
        yield f"only {trouble.kills} kills"
    for name in ("status 200", "status 429"):
        if load.counts[name] < options.seconds:
            yield f"only {load.counts[name]} answers of {name}"


def complaints(options, gateway, load, trouble, auditor):
    found = [f"the answer to {nonce} was {text}" for nonce, text in load.wrong[:5]] + trouble.failed
    for name, least in (("requests under limits", 50), ("counters compared", 5)):
        if auditor.counts[name] < least:
            found.append(f"only {auditor.counts[name]} {name}")
    found += too_few(options, load, trouble)
    bad = [line for line in gateway.errors().splitlines() if "Sanitizer" in line or "[emerg]" in line or ("[alert]" in line and "exited on signal 9" not in line)]
    return found + bad[:10]


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("KILLS_SECONDS", 25)))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--every", type=float, default=0.25)
    parser.add_argument("--seed", default=os.environ.get("SEED") or str(int(time.time())))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--sync", choices=("written", "group"), default="written", help="of gatehouse_audit")
    parser.add_argument("--long", action="store_true", help="workers also stand still for 10 s")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(arguments)
    unknown = {*options.only.split(",")} - {"", *(name for name, _ in KINDS)}
    if unknown:
        parser.error(f"--only: no such kind: {', '.join(sorted(unknown))}; there are {', '.join(name for name, _ in KINDS)}")
    return options


def main():
    options = options_of(sys.argv[1:])
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-kills-", dir="/tmp"))
    directory.chmod(0o755)
    gateway, load, trouble, auditor = storm(options, directory)
    wrong = complaints(options, gateway, load, trouble, auditor)
    for one in auditor.violations[:5]:
        print(one)
    print("\n".join(wrong))
    numbers = {**load.counts, **trouble.counts, **auditor.counts}
    print(f"seed {options.seed}: " + ", ".join(f"{name} {count}" for name, count in sorted(numbers.items())))
    if options.keep:
        print(f"kept: {directory} {gateway.prefix}")
    else:
        gateway.remove()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{trouble.kills} kills, {load.counts['requests']} requests, {auditor.counts['requests under limits']} under limits, {auditor.counts['counters compared']} counters compared, "
          f"{len(auditor.violations)} violations: {'NOT as expected' if auditor.violations or wrong else 'as expected'}")
    return 1 if auditor.violations or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
