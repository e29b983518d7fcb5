"""Audit mode best-effort: sent though nothing can be recorded, beside tenants that are not; the gap is in the record as soon as there can be a line, whoever dies meanwhile."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import ledger
from client import Client, ask, body_of, expect_error
from conftest import audited
from documents import allow, deployment, fleet, residency, tenants
from gateway import PRELOAD, Backend
from mock_backend import Script, send, wait
from test_operations import mount

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "storm"))
from disk import Faults  # noqa: E402

faulty = pytest.mark.skipif(bool(PRELOAD), reason="the sanitizer is loaded in the disk's place")
RED, BLUE = "acme/red/app", "acme/blue/app"


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def modes(gateway, red="best-effort", blue="required", floor="best-effort", **more):
    """red best-effort, blue required."""
    price = {"input": 1000000, "output": 2000000}
    return (fleet(*(deployment(one.name, priority=number + 1, models={"m": {"upstream": "m", "price": price, "source": "contract", "as_of": "2026-01-01"}})
                    for number, one in enumerate(gateway.backends))),
            residency(allow("all"), audit=floor), tenants(red={"audit": red, **more}, blue={"audit": blue}))


@pytest.fixture
def plant(make_gateway, mock, tmp_path_factory):
    def make(backends=1, workers=1, options="segment=4m", connect="10s", **more):
        mocks = [mock(f"127.0.0.{80 + number}", name=f"b{number}") for number in range(backends)]
        gateway = make_gateway([Backend(one.name, one, connect=connect) for one in mocks], workers=workers, **more)
        gateway.mocks, gateway.audit_options = mocks, options
        directory = tmp_path_factory.mktemp("disk")
        for path in (directory, *directory.parents[:2]):
            path.chmod(0o755)
        gateway.disk = Faults(directory, gateway.audit / "open", gateway.audit)
        gateway.environment.update(gateway.disk.environment())
        return gateway
    return make


def broken(gateway, is_broken=True):
    """Nothing can be written any more, nor anything begun."""
    gateway.disk.set("open_errors", int(is_broken))
    gateway.disk.set("write_errors", 1000 * is_broken)


def lines(gateway, kind):
    return [line for line in gateway.record(kinds=()) if line["type"] == kind]


def gaps(gateway):
    return lines(gateway, "gap")


def sent(gateway):
    return sum(len(one.requests) for one in gateway.mocks)


def at_rest(gateway):
    """Every decision has its outcome."""
    until(lambda: {one["id"] for one in lines(gateway, "decision") if one["verdict"] == "allow"} == {one["id"] for one in lines(gateway, "outcome") + lines(gateway, "lost")})


def verified(gateway):
    done = gateway.command("audit", "verify", gateway.audit, "--json", check=False)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


@faulty
def test_both_side_by_side(plant):
    """blue is refused in front of its dispatch; red is served; the gap says how many, whose and what they were charged, in front of the next decision."""
    gateway = plant()
    gateway.apply(*modes(gateway))
    gateway.start()
    assert [ask(gateway, key=gateway.key(owner)).status for owner in (RED, BLUE)] == [200, 200]
    at_rest(gateway)
    broken(gateway)
    before, begin = sent(gateway), time.time()
    for _ in range(3):
        assert ask(gateway, key=gateway.key(RED)).status == 200
        expect_error(ask(gateway, key=gateway.key(BLUE)), 503, "audit_unavailable")
    assert sent(gateway) == before + 3
    assert "sent without a line in the record" in gateway.errors()
    assert not gaps(gateway)
    broken(gateway, False)
    until(lambda: ask(gateway, key=gateway.key(BLUE)).status == 200)      # a segment that could not be begun is not tried again at once
    found = gaps(gateway)
    first = found[0]
    assert sum(one["requests"] for one in found) == 3 and first["requests"] == 3 and "attempts" not in first
    assert begin * 1000 - 1000 <= first["from"] <= first["to"] <= time.time() * 1000
    assert [(one["org"], one["tenant"], one["requests"]) for one in first["tenants"]] == [("acme", "red", 3)]
    at_rest(gateway)
    until(lambda: sum(one.get("ended", 0) for one in gaps(gateway)) == 3)
    charged = [one["charged"] for one in gaps(gateway) if "charged" in one]
    assert sum(one["input"] for one in charged) == 3 * 11 and sum(one["output"] for one in charged) == 3 * 7
    assert sum(one["micro_dollars"] for one in charged) == 3 * (11 + 14)
    written = gateway.record(kinds=())
    at = [line["type"] for line in written].index("gap")
    assert all(line["t"] <= first["from"] for line in written[:at] if line["type"] == "decision"), "a decision came in front of the gap"
    said = verified(gateway)
    assert said["gaps"] == {"lines": len(gaps(gateway)), "requests": 3, "attempts": 0}
    shown = gateway.command("audit", "show", gateway.audit, "--type", "gap").stdout
    assert "requests 3" in shown and "gap" in shown


@pytest.mark.sanitizer
def test_a_full_disk(make_gateway, mock, auditor):
    """Both directories on one small disk: what is required is refused once it is full, what is not is served, and the record has the gap when there is room."""
    backend = mock("127.0.0.80", name="b0")
    gateway = make_gateway([Backend("b0", backend)], init=False)
    gateway.mocks, disk = [backend], gateway.prefix / "disk"
    mount(disk, "2m")
    try:
        gateway.audit, gateway.audit_options = disk / "audit", "segment=256k"
        gateway.init().apply(*modes(gateway))
        shutil.copytree(gateway.home / "audit", gateway.audit, copy_function=shutil.copy2)
        for name in ("", "open", "sealed"):
            kept, made = gateway.home / "audit" / name, gateway.audit / name
            os.chown(made, kept.stat().st_uid, kept.stat().st_gid)
            made.chmod(kept.stat().st_mode & 0o7777)
        gateway.start()
        assert ask(gateway, key=gateway.key(BLUE)).status == 200
        with open(disk / "filler", "wb", buffering=0) as filler:
            with pytest.raises(OSError):
                while True:
                    filler.write(b"x" * 4096)
        for _ in range(400):
            answer = ask(gateway, key=gateway.key(BLUE))
            if answer.status != 200:
                break
        expect_error(answer, 503, "audit_unavailable")
        recorded = sum(line["verdict"] == "allow" for line in lines(gateway, "decision"))
        for _ in range(4):
            assert ask(gateway, key=gateway.key(RED)).status == 200
            expect_error(ask(gateway, key=gateway.key(BLUE)), 503, "audit_unavailable")
        assert len(backend.requests) == recorded + 4
        (disk / "filler").unlink()
        until(lambda: sum(one["requests"] for one in gaps(gateway)) == 4)
        assert ask(gateway, key=gateway.key(BLUE)).status == 200
        at_rest(gateway)
        verified(gateway)
    finally:
        gateway.stop()
        complaints = audited(auditor, [gateway], over=True)
        subprocess.run(["umount", "-l", str(disk)], check=False)
        assert not complaints, complaints


@faulty
@pytest.mark.parametrize("whole", (False, True))
def test_killed_in_the_gap(plant, whole):
    """The count outlives the worker, and the whole gateway: whoever comes after it says how many there were."""
    gateway = plant(workers=2 if not whole else 1)
    gateway.apply(*modes(gateway))
    gateway.start()
    assert ask(gateway, key=gateway.key(RED)).status == 200
    at_rest(gateway)
    broken(gateway)
    answers = [ask(gateway, key=gateway.key(RED)) for _ in range(5)]
    assert [one.status for one in answers] == [200] * 5
    gateway.logged(*answers)                  # nothing but the access log says whose these were
    gateway.expect_log("exited on signal")
    victims = gateway.worker_pids()
    if whole:                                 # the master first: it would start another worker, which nobody ends
        gateway.process.kill()
        gateway.process.wait()
        gateway.process = None
    for pid in victims:
        gateway.trail.write("died", pid=pid, t=time.time())
        os.kill(pid, signal.SIGKILL)
    if whole:
        until(lambda: not [one for one in gateway.worker_pids() if pathlib.Path(f"/proc/{one}").exists()])
        gateway.start()
    until(lambda: ask(gateway, key=gateway.key(RED)).status == 200)
    assert not gaps(gateway)
    broken(gateway, False)
    until(lambda: sum(one["requests"] for one in gaps(gateway)) >= 6)
    at_rest(gateway)
    found = gaps(gateway)
    assert sum(one["requests"] for one in found) == sent(gateway) - 1, found
    assert any("recovered_by" in one and one["recovered_by"] != one["pid"] for one in found)
    verified(gateway)
    assert sum(one["requests"] for one in gaps(gateway)) == sent(gateway) - 1, "said once"


@faulty
def test_limits_hold_in_the_gap(plant):
    """A limit refuses in the gap as ever, and what was sent in it counts afterwards."""
    gateway = plant()
    limits = [{"dimension": "requests", "per": "day", "amount": 4, "class": "budget"}, {"dimension": "tokens", "per": "day", "amount": 100000000, "class": "budget"}]
    gateway.apply(*modes(gateway, limits=limits))
    gateway.start()
    assert ask(gateway, key=gateway.key(RED)).status == 200
    at_rest(gateway)
    broken(gateway)
    assert [ask(gateway, key=gateway.key(RED)).status for _ in range(5)] == [200, 200, 200, 429, 429]
    broken(gateway, False)
    assert ask(gateway, key=gateway.key(RED)).status == 429
    until(lambda: sum(one.get("ended", 0) for one in gaps(gateway)) == 3)
    values = {one["dimension"]: one["value"] for one in ledger.read(gateway.home / "ledger")[0] if one["level"] == "tenant"}
    assert values["requests"] == 4 and values["tokens"] == 4 * 18, values
    assert sum(one["charged"]["tokens"] for one in gaps(gateway) if "charged" in one) == 3 * 18


@faulty
def test_a_further_attempt_without_its_line(plant):
    """The decision is recorded, the disk breaks, and the second deployment is asked nevertheless; of a request without a decision likewise."""
    gateway = plant(backends=2)
    gateway.apply(*modes(gateway))
    gateway.start()
    gate, refused = threading.Event(), b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}"
    gateway.mocks[0].play(Script(wait(gate, 60), send(refused)))
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(gateway, body_of(), key=gateway.key(RED))), daemon=True)
    asking.start()
    until(lambda: gateway.mocks[0].requests)
    broken(gateway)
    gate.set()
    asking.join(60)
    assert answers[0].status == 200 and len(gateway.mocks[1].requests) == 1
    gateway.expect_log("not in the record")          # its outcome, which a broken disk has no room for
    gateway.excuse("I1", "I2", reason="the outcome had no disk")
    gateway.mocks[0].play(Script(send(refused)))
    assert ask(gateway, key=gateway.key(RED)).status == 200
    broken(gateway, False)
    until(lambda: gaps(gateway))
    assert sum(one["requests"] for one in gaps(gateway)) == 1 and sum(one.get("attempts", 0) for one in gaps(gateway)) == 2


@faulty
@pytest.mark.parametrize("recorded", (True, False))
def test_required_by_the_time_of_a_further_attempt(plant, recorded):
    """An edit asks for the line while the first deployment has the request, decided in the record or in a gap: the second one gets nothing of it."""
    gateway = plant(backends=2)
    gateway.apply(*modes(gateway))
    gateway.start()
    assert ask(gateway, key=gateway.key(RED)).status == 200
    at_rest(gateway)
    gate, refused = threading.Event(), b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}"
    before = len(gateway.mocks[0].requests)
    gateway.mocks[0].play(Script(wait(gate, 60), send(refused)))
    answers = []
    if not recorded:
        broken(gateway)
    asking = threading.Thread(target=lambda: answers.append(ask(gateway, body_of(), key=gateway.key(RED))), daemon=True)
    asking.start()
    until(lambda: len(gateway.mocks[0].requests) > before)
    broken(gateway)
    gateway.apply(*modes(gateway, red="required", floor="required"))
    gate.set()
    asking.join(60)
    expect_error(answers[0], 503, "audit_unavailable")
    assert not gateway.mocks[1].requests
    if recorded:
        gateway.expect_log("not in the record")          # its outcome, which a broken disk has no room for
        gateway.excuse("I1", "I2", reason="the outcome had no disk")
    broken(gateway, False)
    if not recorded:
        until(lambda: gaps(gateway))
        assert sum(one["requests"] for one in gaps(gateway)) == 1 and not any("attempts" in one for one in gaps(gateway))


class Full:
    """Listens in a mock's place, and takes no connection until it is let: who connects meanwhile waits."""

    def __init__(self, mock):
        mock.refuse()
        self.address, self.got, self.waiting = (mock.host, mock.port), b"", []
        self.listener = socket.create_server(self.address, backlog=0)
        while not self.waiting or self.waiting[-1].connect_ex(self.address) == 0:
            self.waiting.append(socket.socket())
            self.waiting[-1].settimeout(1)
        self.own = {one.getsockname()[1] for one in self.waiting}

    def connecting(self):
        """How many others wait."""
        packed = "%08X:%04X" % (int.from_bytes(socket.inet_aton(self.address[0]), sys.byteorder), self.address[1])
        lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[2] == packed and line[3] == "02" and int(line[1].split(":")[1], 16) not in self.own for line in lines)

    def drain(self):
        """Takes whoever waits, until nobody does; what they sent is in got."""
        for one in self.waiting:
            one.close()
        self.listener.settimeout(0.2)
        idle = 0
        while idle < 3:
            try:
                with self.listener.accept()[0] as taken:
                    taken.settimeout(30)
                    self.got += taken.recv(65536)
                idle = 0
            except TimeoutError:
                idle += not self.connecting()
            except OSError:
                idle = 0                         # who waited had gone
        self.listener.close()


@faulty
@pytest.mark.parametrize("tightened", (True, False))
def test_required_while_it_still_connects(plant, tightened):
    """Nothing of a request that a gap let go has been sent while its connection is being made: an edit that asks for its line ends it, another one does not."""
    gateway = plant(connect="300s")
    gateway.apply(*modes(gateway))
    gateway.start()
    assert ask(gateway, key=gateway.key(RED)).status == 200
    at_rest(gateway)
    gateway.mocks[0].drop_connections()
    full, answers = Full(gateway.mocks[0]), []
    broken(gateway)

    def asked():
        with Client(gateway.port, timeout=240) as client:
            answers.append(client.request("/v1/chat/completions", body_of(), gateway.key(RED)).answer())
    asking = threading.Thread(target=asked, daemon=True)
    asking.start()
    until(full.connecting, 60)
    gateway.apply(*(modes(gateway, red="required", floor="required") if tightened else modes(gateway, blue="best-effort")))
    full.drain()
    asking.join(240)
    assert (b"POST" in full.got) is not tightened, full.got
    assert (answers[0].json["error"]["code"] == "audit_unavailable") is tightened, answers[0]
    broken(gateway, False)
    until(lambda: gaps(gateway))
    assert sum(one["requests"] for one in gaps(gateway)) == 1


@faulty
def test_required_by_a_key(plant):
    """A key asks for the record that its app does without; an edit of it holds from the next request on."""
    gateway = plant()
    gateway.apply(*modes(gateway))
    gateway.start()
    strict, lax = gateway.key(RED, "strict", "--audit", "required"), gateway.key(RED, "lax")
    assert [ask(gateway, key=one).status for one in (strict, lax)] == [200, 200]
    at_rest(gateway)
    broken(gateway)
    before = sent(gateway)
    expect_error(ask(gateway, key=strict), 503, "audit_unavailable")
    assert ask(gateway, key=lax).status == 200 and sent(gateway) == before + 1
    gateway.command("key", "edit", f"{RED}/lax", "--audit", "required")
    gateway.command("key", "edit", f"{RED}/strict", "--without", "audit")
    expect_error(ask(gateway, key=lax), 503, "audit_unavailable")
    assert ask(gateway, key=strict).status == 200 and sent(gateway) == before + 2
    broken(gateway, False)
    until(lambda: sum(one["requests"] for one in gaps(gateway)) == 2)


@faulty
def test_a_disk_that_does_not_sync_in_time(plant):
    """sync=group: it is sent when the patience is over, its lines get there later, and the gap says that it was not on the disk."""
    gateway = plant(options="segment=4m sync=group sync_timeout=3s")
    gateway.apply(*modes(gateway))
    gateway.start()
    assert [ask(gateway, key=gateway.key(owner)).status for owner in (RED, BLUE)] == [200, 200]
    at_rest(gateway)
    gateway.disk.set("slow_syncs", 120000000)
    before = sent(gateway)
    answers = {}
    asking = [threading.Thread(target=lambda owner=owner: answers.setdefault(owner, ask(gateway, key=gateway.key(owner))), daemon=True) for owner in (RED, BLUE)]
    for one in asking:
        one.start()
    for one in asking:
        one.join(60)
    assert answers[RED].status == 200
    expect_error(answers[BLUE], 503, "audit_unavailable")
    assert sent(gateway) == before + 1
    gateway.disk.set("slow_syncs", 0)
    until(lambda: sum(one["requests"] for one in gaps(gateway)) == 1)
    assert gateway.outcome(answers[RED].id)["end"] == "complete"
    until(lambda: ask(gateway, key=gateway.key(BLUE)).status == 200)
    at_rest(gateway)
    verified(gateway)


@faulty
def test_what_the_policy_does_not_permit(plant):
    """Without the security team's word it is refused when it is applied; taken back, the next request is refused."""
    gateway = plant()
    done = gateway.apply(*modes(gateway, floor="required"), check=False)
    assert done.returncode == 1 and "does not permit" in done.stdout + done.stderr
    gateway.apply(*modes(gateway))
    gateway.start()
    assert ask(gateway, key=gateway.key(RED)).status == 200
    at_rest(gateway)
    broken(gateway)
    assert ask(gateway, key=gateway.key(RED)).status == 200
    plan = gateway.prefix / "required"
    plan.mkdir()
    for number, text in enumerate(modes(gateway, red="required", floor="required")):
        (plan / f"{number}.json").write_text(json.dumps(text))
    said = gateway.command("policy", "plan", plan, check=False).stdout
    assert "audit: best-effort -> required" in said, said
    gateway.apply(*modes(gateway, red="required", floor="required"))
    before = sent(gateway)
    expect_error(ask(gateway, key=gateway.key(RED)), 503, "audit_unavailable")
    assert sent(gateway) == before
    broken(gateway, False)
    until(lambda: gaps(gateway))
