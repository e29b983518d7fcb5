"""An edit that is acknowledged is obeyed: by every worker, of an older configuration too, stopped, killed or busy. One that is not says who."""
import ctypes
import fcntl
import json
import mmap
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import records
from client import Client, ask, body_of, expect_error
from documents import deployment, fleet, forbid, residency, tenants
from gateway import Backend
from ledger import HEADER, LOCK, SLOT, SLOTS, Slots
from mock_backend import Closed, Script

pytestmark = pytest.mark.sanitizer

UPLOAD = 16000000                   # four times what Linux keeps in a socket's send buffer


# ---- the ledger, held by a program of the test's own ----

class Holder:
    """A slot held by the test, with what it is made to say: a worker that never comes back from its write."""

    def __init__(self, gateway, window=0, running=0, swept=0, inode=None):
        self.file = open(gateway.home / "ledger", "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)
        inode = (gateway.home / "store" / "data.mdb").stat().st_ino if inode is None else inode
        self.number = None
        for number in range(SLOTS):
            try:
                fcntl.fcntl(self.file, fcntl.F_OFD_SETLK, struct.pack(LOCK, fcntl.F_WRLCK, 0, HEADER + number * SLOT, 1, 0))
            except OSError:
                continue
            self.number = number
            break
        at = HEADER + self.number * SLOT
        struct.pack_into("<IIQQQIII", self.map, at + 64, os.getpid(), 1, 0, inode, swept, running, 0, 0)
        struct.pack_into("<Q", self.map, at, window)

    def close_window(self):
        struct.pack_into("<Q", self.map, HEADER + self.number * SLOT, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.map.close()
        self.file.close()


@pytest.fixture
def pair(make_gateway, mock):
    """A gateway with two workers and the backends inside and outside, whose record is checked at the end."""
    mocks = [mock(f"127.0.0.{61 + i}", name=name) for i, name in enumerate(("inside", "outside"))]
    gateway = make_gateway([Backend(m.name, m, read="60s") for m in mocks], workers=2, body_limit="32m", shutdown="60s")
    gateway.inside, gateway.outside = mocks
    gateway.lost = []                    # ids of requests whose worker is killed
    yield gateway
    for line in gateway.record(kinds=()):
        if line["type"] == "decision" and line["verdict"] == "allow" and line["id"] not in gateway.lost:
            gateway.outcome(line["id"])
    records.check_all(gateway.audit, gateway.lost)


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def only(place="outside", **more):
    return fleet(deployment(place, country="US", **more))


def allow_all(gateway, **more):
    return gateway.apply(only(), residency(), tenants(), **more)


def forbid_us(gateway, *options, check=True):
    """The edit that everything here is about."""
    return gateway.apply(only(), residency(forbids=[forbid("never-us", process=["US"])]), tenants(), check=check, options=options or ["--cut"])


class Upload:
    """A request to outside that stalls in the middle of its body: how much came, and how much after the edit was acknowledged."""

    def __init__(self, gateway, key=None):
        self.gateway, self.stalled, self.edited, self.ended, self.late = gateway, threading.Event(), threading.Event(), threading.Event(), 0
        gateway.outside.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        gateway.outside.play(Script(self._stall, at="head"))
        self.client = Client(gateway.port, timeout=60)
        self.client.request(body=body_of(text="x" * UPLOAD), key=key or gateway.key())
        assert self.stalled.wait(60)
        time.sleep(0.1)                          # the worker fills the socket's buffer, and waits for room

    def _stall(self, exchange):
        self.stalled.set()
        self.edited.wait(120)
        exchange.sock.settimeout(1)
        try:
            while data := exchange.sock.recv(1 << 18):
                self.late += len(data)
        except OSError:
            pass
        self.ended.set()
        raise Closed

    def acknowledged(self):
        """What had arrived at this host by then is in the mock's own receive buffer: read first, before the rest is counted."""
        self.edited.set()
        assert self.ended.wait(60)
        return self.late


RECEIVE = 64 << 10                   # bytes of the mock's receive buffer, which were there before the edit


# ---- uploads ----

def test_no_byte_after_the_acknowledgement(pair):
    """Not even those that the kernel had taken and not sent: the connection was reset before the command came back."""
    allow_all(pair)
    pair.start().all_there()
    uploads = [Upload(pair) for _ in range(4)]
    assert {words["running"] for words in Slots(pair).alive().values()} != {0}
    done = forbid_us(pair)
    assert re.search(r"^obeyed by 2 workers; 4 dispatches cut, 0 left to finish$", done.stdout, re.M)
    assert [upload.acknowledged() < RECEIVE for upload in uploads] == [True] * 4
    for upload in uploads:
        expect_error(upload.client.answer(), 403, "residency_denied")
    for line in pair.record():
        if line["type"] == "outcome":
            assert (line["end"], line["status"], line["attempts"][0]["error"]) == ("denied_late", 403, "denied")


def test_old_generation_obeys(pair):
    """A worker that drains after a reload has a slot, and what it is sending ends with the edit too."""
    allow_all(pair)
    pair.start().all_there()
    upload = Upload(pair)
    pair.reload()
    until(lambda: len(Slots(pair).alive()) >= 3)
    assert len({words["generation"] for words in Slots(pair).alive().values()}) == 2
    done = forbid_us(pair)
    assert "1 dispatch cut" in done.stdout
    assert upload.acknowledged() < RECEIVE
    expect_error(upload.client.answer(), 403, "residency_denied")


def test_killed_worker_sends_nothing_more(pair):
    """Its slot is nobody's at once, so the edit does not wait for it; and its sockets were reset with it, not flushed."""
    allow_all(pair)
    pair.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    pair.start().all_there()
    upload = Upload(pair)
    slots = Slots(pair)
    victim, = [words["pid"] for words in slots.alive().values() if words["running"]]
    pair.lost = [request.id for request in pair.outside.requests]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in [words["pid"] for words in slots.alive().values()])
    forbid_us(pair)
    assert upload.acknowledged() < RECEIVE


def test_revoked_key_ends_its_uploads(pair):
    """As an edit does, though it makes no revision; a request with another key goes on."""
    allow_all(pair)
    pair.start().all_there()
    doomed, other = pair.key(name="doomed"), pair.key()
    uploads = [Upload(pair, doomed), Upload(pair, other)]
    done = pair.command("key", "revoke", "acme/red/app/doomed")
    assert re.search(r"^obeyed by 2 workers; 1 dispatch cut", done.stdout, re.M)
    expect_error(uploads[0].client.answer(), 401, "invalid_api_key")
    assert uploads[0].acknowledged() < RECEIVE
    assert uploads[1].acknowledged() > 1 << 20, "the other one's upload was to go on"
    uploads[1].client.leave()
    expect_error(ask(pair, key=doomed), 401, "invalid_api_key")


# ---- workers that do not answer ----

def test_stopped_worker_without_a_window_is_not_waited_for(pair):
    """It can do nothing before it has read policy again."""
    allow_all(pair)
    pair.start().all_there()
    assert ask(pair).status == 200
    slots = Slots(pair)
    until(lambda: not any(words["running"] for words in slots.alive().values()))
    pids = pair.worker_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = forbid_us(pair, "--cut", "--wait", "5")
        assert "obeyed by 2 workers" in done.stdout
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    expect_error(ask(pair), 403, "residency_denied")


def test_stopped_worker_with_a_running_dispatch_is_named(pair):
    """Its socket may still be sending: exit 3 with its pid, the edit stands; once it goes on, `policy wait` is done."""
    allow_all(pair)
    pair.start().all_there()
    upload = Upload(pair)
    slots = Slots(pair)
    (number, busy), = [(n, words) for n, words in slots.alive().items() if words["running"]]
    os.kill(busy["pid"], signal.SIGSTOP)
    try:
        done = forbid_us(pair, "--cut", "--wait", "4", "--json", check=False)
        assert done.returncode == 3
        answer = json.loads(done.stdout)
        assert (answer["applied"], answer["obeyed"], answer["workers"]) == (True, False, 2)
        assert [(one["pid"], one["slot"]) for one in answer["waiting"]] == [(busy["pid"], number)]
        assert f"worker {busy['pid']} has not confirmed it: its running dispatches have not been judged again (slot {number}" in done.stderr
        again = pair.command("policy", "wait", "--wait", "0", check=False)
        assert again.returncode == 3 and "not confirmed by 1 of 2 workers" in again.stdout
    finally:
        os.kill(busy["pid"], signal.SIGCONT)
    assert "obeyed by 2 workers" in pair.command("policy", "wait").stdout
    assert upload.acknowledged() < RECEIVE
    expect_error(upload.client.answer(), 403, "residency_denied")


@pytest.mark.parametrize("what, sentence", [
    ({"window": 1}, "it is reading policy and has not said which"), ({"window": 2}, "it is sending under an older policy"),
    ({"window": 1 << 40, "inode": 1}, "it is sending under another policy store"),
    ({"running": 2, "swept": 1}, "its running dispatches have not been judged again")])
def test_window_that_stays_open(pair, what, sentence):
    """A worker that never comes back from a write is waited for and named, whatever else it is; its end ends the waiting."""
    allow_all(pair)
    pair.start().all_there()
    with Holder(pair, **what) as holder:
        done = forbid_us(pair, "--cut", "--wait", "3", check=False)
        assert done.returncode == 3 and f"worker {os.getpid()} has not confirmed it: {sentence} (slot {holder.number}" in done.stderr
        assert "not confirmed by 1 of 3 workers" in done.stdout and "do: gatehouse policy wait" in done.stderr
        assert pair.command("key", "revoke", "acme/red/app/none", check=False).returncode == 1
    expect_error(ask(pair), 403, "residency_denied")
    assert "obeyed by 2 workers" in pair.command("policy", "wait").stdout


def test_wait_ends_with_the_window(pair):
    allow_all(pair)
    pair.start().all_there()
    with Holder(pair, window=2) as holder:
        begun = time.monotonic()
        threading.Timer(0.5, holder.close_window).start()
        assert "obeyed by 3 workers" in forbid_us(pair, "--cut", "--wait", "30").stdout
        assert time.monotonic() - begun >= 0.4


def test_wrong_wait(pair):
    for text in ("x", "-1", "1.x", "99999999"):
        done = pair.command("policy", "wait", f"--wait={text}", check=False)
        assert done.returncode == 64 and "--wait takes seconds" in done.stderr


# ---- the ledger ----

def test_reload_and_end_keep_slots_right(pair):
    """Each worker has one slot for as long as it lives, and no longer."""
    allow_all(pair)
    pair.start().all_there()
    slots = Slots(pair)
    for _ in range(5):
        pair.reload()
        until(lambda: len(pair.worker_pids()) <= 2)
        until(lambda: sorted(words["pid"] for words in slots.alive().values()) == pair.worker_pids())
        until(lambda: all(words["running"] == 0 and words["window"] == 0 for words in slots.alive().values()))
    for _ in range(20):
        ask(pair)
    until(lambda: [words["running"] for words in slots.alive().values()] == [0, 0])
    pair.stop()
    assert slots.alive() == {}


def test_ledger_that_is_gone(pair):
    """Nothing is served and nothing is applied without it, both say so, and `gatehouse init` is enough to go on."""
    allow_all(pair)
    pair.start().all_there()
    assert ask(pair).status == 200
    (pair.home / "ledger").unlink()
    done = forbid_us(pair, check=False)
    assert done.returncode == 1 and "the ledger cannot be opened" in done.stderr and "do: gatehouse init" in done.stderr
    until(lambda: ask(pair).status != 200)       # looked at once a second
    expect_error(ask(pair), 503, "policy_unavailable")
    assert "ledger_missing" in pair.errors() and "ledger" in pair.test().stderr
    assert not (pair.home / "ledger").exists(), "nginx made a ledger"
    pair.init()
    until(lambda: ask(pair).status == 200)
    assert "obeyed by" in forbid_us(pair).stdout


@pytest.mark.parametrize("how", ["copy", "cut", "layout", "other store"])
def test_ledger_that_is_none(pair, how):
    """Refused by workers and by the command, by name."""
    allow_all(pair)
    path = pair.home / "ledger"
    whole = path.read_bytes()
    fresh = path.with_name("fresh")
    if how == "other store":
        other = pair.prefix / "other"
        pair.command("init", "--home", other, "--secrets", pair.prefix / "other-secrets", "--ledger", fresh, "--user", "root")
        sentence = "belongs to another policy store"
    else:
        fresh.write_bytes({"copy": whole, "cut": whole[:5000], "layout": whole[:8] + struct.pack("<I", 9) + whole[12:]}[how])
        sentence = {"copy": "a copy of another file", "cut": "has 5000 bytes", "layout": "has layout 9, this program knows layout 2"}[how]
    fresh.rename(path)
    path.chmod(0o666)
    assert sentence in pair.test().stderr
    pair.start()
    done = forbid_us(pair, check=False)
    assert done.returncode == 1 and sentence in done.stderr
    expect_error(ask(pair), 503, "policy_unavailable")
    assert sentence in pair.errors()


def test_no_slot_left(pair):
    """The worker that finds none serves nothing; when one is free it does."""
    allow_all(pair)
    libc = ctypes.CDLL(None)
    assert libc is not None
    file = [open(pair.home / "ledger", "r+b") for _ in range(1)][0]
    for number in range(SLOTS):
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack(LOCK, fcntl.F_WRLCK, 0, HEADER + number * SLOT, 1, 0))
    pair.start()
    expect_error(ask(pair), 503, "policy_unavailable")
    assert "all 1024 slots of the ledger are taken" in pair.errors()
    file.close()
    until(lambda: ask(pair).status == 200)


def test_init_does_not_take_it_from_workers(pair):
    """Running it again keeps the ledger in use, whatever was done to its owner or mode."""
    allow_all(pair)
    pair.start().all_there()
    until(lambda: len(Slots(pair).alive()) == 2)
    before = (pair.home / "ledger").stat()
    (pair.home / "ledger").chmod(0o600)
    pair.init()
    after = (pair.home / "ledger").stat()
    assert (after.st_ino, after.st_mode & 0o777) == (before.st_ino, 0o660)
    assert "obeyed by 2 workers" in forbid_us(pair).stdout


def test_nginx_t_leaves_nothing(make_gateway, mock):
    """As root, before there is anything: warnings, and not a file more than before."""
    gateway = make_gateway([Backend("inside", mock("127.0.0.61"))])
    for text in (gateway.home / "store" / "data.mdb", gateway.home / "store" / "lock.mdb", gateway.home / "store" / "identity", gateway.home / "ledger"):
        text.unlink()
    before = {str(path): path.stat().st_mtime_ns for path in pathlib.Path(gateway.home).rglob("*")}
    done = gateway.test()
    assert done.returncode == 0 and "[warn]" in done.stderr
    assert {str(path): path.stat().st_mtime_ns for path in pathlib.Path(gateway.home).rglob("*")} == before
    gateway.init()
    before = {str(path): path.stat().st_mtime_ns for path in pathlib.Path(gateway.home).rglob("*")}
    assert gateway.test().returncode == 0
    assert {str(path): path.stat().st_mtime_ns for path in pathlib.Path(gateway.home).rglob("*")} == before
    assert subprocess.run(["find", gateway.home, "-newer", gateway.conf], capture_output=True, text=True).stdout == ""
