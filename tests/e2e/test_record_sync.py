"""sync=group: what is sent was on the disk before, by the disk's own word; and disks that fail, wait and forget."""
import errno
import json
import os
import pathlib
import shutil
import signal
import sys
import threading
import time
import types

import pytest

import ledger
from client import Client, ask, body_of, expect_error
from documents import allow, deployment, fleet, residency, tenants
from gateway import PRELOAD, Backend
from limits import PRICE, Tenant, observed, settled, small
from mock_backend import Script, send, wait

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "storm"))
from disk import Faults, Synced, raw_lines, unsynced  # noqa: E402

pytestmark = pytest.mark.skipif(bool(PRELOAD), reason="the sanitizer is loaded in the disk's place")


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


@pytest.fixture
def plant(make_gateway, mock, tmp_path_factory):
    """A gateway whose record is on disks that a test can fail: `disk` is the first directory, or both."""
    def make(second=False, both=False, timeout="40s", backends=1, workers=1, **more):
        mocks = [mock(f"127.0.0.{80 + number}", name=f"b{number}") for number in range(backends)]
        gateway = make_gateway([Backend(one.name, one) for one in mocks], workers=workers, **more)
        gateway.mocks = mocks
        if second:
            gateway.audit_second = gateway.home / "audit-2"
            shutil.copytree(gateway.audit, gateway.audit_second)
            for path in (gateway.audit_second, gateway.audit_second / "open"):
                shutil.copystat(gateway.audit / "open", path)
                shutil.chown(path, gateway.audit.stat().st_uid, (gateway.audit / "open").stat().st_gid)
                path.chmod(0o2770)
        gateway.audit_options = f"segment=4m sync=group sync_timeout={timeout}"
        directory = tmp_path_factory.mktemp("disk")
        for path in (directory, *directory.parents[:2]):
            path.chmod(0o755)
        gateway.disk = Faults(directory, gateway.home / "audit" if both else gateway.audit / "open", gateway.home / "audit")
        gateway.environment.update(gateway.disk.environment())
        return gateway
    return make


def expect_synced_before(gateway, least=1):
    seen, found = unsynced(gateway.disk.log, (gateway.audit, gateway.audit_second), gateway.mocks)
    assert not found and seen >= least, found
    return Synced(gateway.disk.log)


def test_on_the_disk_before_it_is_sent(plant):
    """No byte comes before fdatasync has returned, and requests that come together share one."""
    gateway = plant()
    gateway.apply()
    gateway.start()
    gateway.disk.set("slow_syncs", 100000)
    assert ask(gateway).status == 200
    before = len(Synced(gateway.disk.log).calls)
    answers = gateway.burst([body_of(text=f"n {number}") for number in range(30)], gateway.key())
    assert [one.status for one in answers] == [200] * 30
    synced = expect_synced_before(gateway, 31)
    assert len(synced.calls) - before <= 8, "thirty requests share a few syncs"
    gateway.disk.set("slow_syncs", 0)


def verified(gateway):
    """The gateway's own commands find one sound record; each line of it once."""
    done = gateway.command("audit", "verify", gateway.audit, *filter(None, [gateway.audit_second]), check=False)
    assert done.returncode == 0, done.stdout
    shown = gateway.command("audit", "show", "--json", gateway.audit, *filter(None, [gateway.audit_second])).stdout
    lines = [json.loads(text) for text in shown.splitlines()]
    keys = [(line["type"], line["id"], line.get("number")) for line in lines if "id" in line]
    assert len(keys) == len(set(keys))
    return lines


class Asked:
    """Requests that are under way on threads of their own."""

    def __init__(self, gateway, count=1, **more):
        self.answers, self.took = [None] * count, [0] * count
        self.threads = [threading.Thread(target=self._ask, args=(gateway, number, more), daemon=True) for number in range(count)]
        for one in self.threads:
            one.start()

    def _ask(self, gateway, number, more):
        begin = time.monotonic()
        self.answers[number] = ask(gateway, body_of(text=f"n {number}"), **more)
        self.took[number] = time.monotonic() - begin

    def all(self):
        for one in self.threads:
            one.join(60)
        return self.answers

    @property
    def waiting(self):
        return any(one.is_alive() for one in self.threads)


def decided(gateway, count):
    """Until so many decisions are written, on the disk or not."""
    until(lambda: sum(line["type"] == "decision" for line, _, _ in raw_lines(gateway.audit, gateway.audit_second)) >= count)


def test_each_attempt_is_on_the_disk_before_it_is_sent(plant):
    """A second deployment is connected to, and gets its first byte when the line of that attempt is there."""
    gateway = plant(backends=2)
    gateway.apply()
    gateway.start()
    gateway.disk.set("slow_syncs", 60000)
    for number in range(4):
        gateway.mocks[0].play(Script(send(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}")))
        begin = time.monotonic_ns()
        found = ask(gateway, body_of(text=f"n {number}"))
        took_us = (time.monotonic_ns() - begin) // 1000
        assert found.status == 200, found
        attempts = gateway.outcome(found.id)["attempts"]
        assert [one["deployment"] for one in attempts] == ["b0", "b1"]
        # one after the other, however long each takes: the decision's sync, the first attempt, the second one's sync, and from there to its first byte
        apart = attempts[0]["first_byte_us"] + attempts[1]["first_byte_us"] - attempts[1]["connect_us"]
        assert apart + 2 * 60000 <= took_us, "the wait is none of the backend's time"
    expect_synced_before(gateway, 8)
    gateway.disk.set("slow_syncs", 0)


@pytest.mark.parametrize("code", (errno.EIO, errno.ENOSPC, errno.EDQUOT))
def test_a_sync_that_fails_goes_to_the_second_directory(plant, code):
    """What waits is written again there, goes on when it is on that disk, and stands in the record once."""
    gateway = plant(second=True)
    gateway.apply()
    gateway.start()
    first = ask(gateway)
    assert first.status == 200
    gateway.disk.set("slow_syncs", 120000000)
    asked = Asked(gateway, 8)
    decided(gateway, 5)
    gateway.disk.sync_errors(code)
    gateway.disk.set("slow_syncs", 0)
    answers = asked.all()
    assert [one.status for one in answers] == [200] * 8, answers
    expect_synced_before(gateway, 9)
    until(lambda: len([line for line in verified(gateway) if line["type"] == "outcome"]) == 9)
    raw = [line for line, _, _ in raw_lines(gateway.audit, gateway.audit_second)]
    again = [line for line in raw if "void" in line]
    assert again and os.strerror(code) in again[0]["previous_error"]
    doubled = next(line["id"] for line in raw if line["type"] == "decision" and sum(other["type"] == "decision" and other["id"] == line["id"] for other in raw) == 2)
    told = gateway.command("explain", doubled, "--audit", gateway.audit, "--audit", gateway.audit_second, "--json", check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert gateway.errors().count("a segment of the record was left") == len(again)
    gateway.disk.sync_errors(0)


def test_no_disk_syncs_and_nothing_is_sent(plant):
    """503 and no byte at any backend; what was decided meanwhile is closed in the record when a disk works again."""
    gateway = plant(second=True, both=True)
    gateway.apply()
    gateway.start()
    assert ask(gateway).status == 200
    gateway.disk.set("slow_syncs", 120000000)
    asked = Asked(gateway, 5)
    decided(gateway, 4)
    gateway.disk.sync_errors()
    gateway.disk.set("slow_syncs", 0)
    for one in asked.all():
        expect_error(one, 503, "audit_unavailable")
    for number in range(3):
        expect_error(ask(gateway), 503, "audit_unavailable")
    assert len(gateway.mocks[0].requests) == 1
    gateway.disk.sync_errors(0)
    until(lambda: ask(gateway).status == 200)
    until(lambda: {line["end"] for line in verified(gateway) if line["type"] == "outcome"} >= {"complete", "failed"})
    expect_synced_before(gateway, 2)


def test_a_disk_that_does_not_answer(plant):
    """The wait has an end, nothing was sent then, and until the disk answers new requests are refused at once."""
    gateway = plant(timeout="3s")
    gateway.apply()
    gateway.start()
    assert ask(gateway).status == 200
    gateway.disk.set("slow_syncs", 120000000)
    asked = Asked(gateway, 4)
    for one in asked.all():
        expect_error(one, 503, "audit_unavailable")
    assert all(2.5 < took < 60 for took in asked.took), asked.took
    expect_error(ask(gateway), 503, "audit_unavailable")
    assert len(gateway.mocks[0].requests) == 1
    gateway.disk.set("slow_syncs", 0)
    until(lambda: ask(gateway).status == 200)
    assert "does not answer" in gateway.errors()
    until(lambda: not [line for line in verified(gateway) if line["type"] == "outcome" and line.get("code") == "audit_unavailable"] == [])
    expect_synced_before(gateway, 2)


def test_an_attempt_whose_line_gets_on_no_disk(plant):
    """The route ends there: the second backend has a connection and gets no byte."""
    gateway = plant(backends=2, timeout="3s")
    gateway.apply()
    gateway.start()
    gate = threading.Event()
    gateway.mocks[0].play(Script(wait(gate, 60), send(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}")))
    asked = Asked(gateway)
    until(lambda: gateway.mocks[0].requests)
    gateway.disk.set("slow_syncs", 120000000)
    gate.set()
    found = asked.all()[0]
    expect_error(found, 503, "audit_unavailable")
    gateway.disk.set("slow_syncs", 0)
    outcome = gateway.outcome(found.id)
    assert outcome["attempts"][1]["error"] == "audit_unavailable" and outcome["attempts"][1]["sent"] == 0, outcome
    assert not gateway.mocks[1].requests
    until(lambda: ask(gateway).status == 200)


@pytest.mark.parametrize("reset", (False, True))
def test_a_client_that_leaves_while_it_waits(plant, reset):
    """Nothing was sent for it, and what it held is given back at once."""
    gateway = plant(backends=2)
    tenant = Tenant(types.SimpleNamespace(gateway=gateway, mocks={}, turn=0), *observed(), at="key", prices=dict.fromkeys((one.name for one in gateway.mocks), PRICE))
    gateway.start()
    assert tenant.ask(small()).status == 200
    settled(gateway)
    gateway.disk.set("slow_syncs", 120000000)
    client = Client(gateway.port)
    client.request(body=body_of(), key=tenant.key)
    decided(gateway, 2)
    client.leave(reset=reset)
    settled(gateway)
    gateway.disk.set("slow_syncs", 0)
    until(lambda: [line for line in verified(gateway) if line.get("end") == "client_left"])
    assert len(gateway.mocks[0].requests) == 1

    gate = threading.Event()                                  # and in front of a further attempt
    gateway.mocks[0].play(Script(wait(gate, 60), send(b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}")))
    client = Client(gateway.port)
    client.request(body=body_of(), key=tenant.key)
    until(lambda: len(gateway.mocks[0].requests) == 2)
    gateway.disk.set("slow_syncs", 120000000)
    gate.set()
    until(lambda: sum(line["type"] == "attempt" for line, _, _ in raw_lines(gateway.audit)) == 1)
    client.leave(reset=reset)
    settled(gateway)
    assert not gateway.mocks[1].requests
    gateway.disk.set("slow_syncs", 0)


@pytest.mark.parametrize("how", (signal.SIGQUIT, signal.SIGHUP))
def test_a_worker_that_is_told_to_end_stays_for_who_waits(plant, how):
    gateway = plant(shutdown="60s")
    gateway.apply()
    gateway.start()
    assert ask(gateway).status == 200
    gateway.disk.set("slow_syncs", 120000000)
    asked = Asked(gateway, 3)
    decided(gateway, 4)
    gateway.process.send_signal(how)
    time.sleep(0.4)
    assert asked.waiting and len(gateway.mocks[0].requests) == 1
    gateway.disk.set("slow_syncs", 0)
    assert [one.status for one in asked.all()] == [200] * 3
    expect_synced_before(gateway, 4)
    if how == signal.SIGQUIT:
        gateway.process.wait(60)
        files = sorted((gateway.audit / "open").glob("*.jsonl"))
        synced = Synced(gateway.disk.log)
        assert all(synced.size(path) == path.stat().st_size for path in files if "-0-0-" not in path.name), "the seal is on the disk too"


def test_a_worker_that_is_killed_while_requests_wait(plant):
    """Nothing was sent for them: they are named as lost, and what they held is charged as of any dead worker's."""
    gateway = plant(workers=1)
    gateway.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    tenant = Tenant(types.SimpleNamespace(gateway=gateway, mocks={}, turn=0), *observed(), at="key", prices=dict.fromkeys((one.name for one in gateway.mocks), PRICE))
    gateway.start()
    assert tenant.ask(small()).status == 200
    settled(gateway)
    gateway.disk.set("slow_syncs", 120000000)
    client = Client(gateway.port)
    client.request(body=body_of(), key=tenant.key)
    decided(gateway, 2)
    os.kill(gateway.worker_pids()[-1], signal.SIGKILL)
    gateway.disk.set("slow_syncs", 0)
    until(lambda: any(line["type"] == "lost" for line, _, _ in raw_lines(gateway.audit)))
    client.leave()
    settled(gateway)
    assert len(gateway.mocks[0].requests) == 1
    until(lambda: [line["type"] for line in verified(gateway) if line.get("id")].count("lost") == 1)


def test_an_edit_while_a_request_waits(plant):
    """Policy is asked again behind the wait: what it forbids by then is not sent."""
    gateway = plant()
    gateway.apply()
    gateway.start()
    assert ask(gateway).status == 200
    gateway.disk.set("slow_syncs", 120000000)
    asked = Asked(gateway, 2)
    decided(gateway, 3)
    gateway.apply(fleet(deployment("b0")), residency(allow("elsewhere", process=("JP",))), tenants())
    gateway.disk.set("slow_syncs", 0)
    for one in asked.all():
        expect_error(one, 403, "residency_denied")
    assert len(gateway.mocks[0].requests) == 1


def amount_of(decision, dimension):
    return sum(one["amount"] for one in decision["reserve"]["limits"] if one["dimension"] == dimension)


def test_power_loss(plant):
    """
    Power is lost under load: files end where the disk had them, the ledger is gone. Every request that a backend saw has its decision, and is
    charged after the next init: what was reported where its outcome survived, what was reserved where it did not.
    """
    gateway = plant(workers=2)
    gateway.expect_log(r".")
    tenant = Tenant(types.SimpleNamespace(gateway=gateway, mocks={}, turn=0), *observed(), at="key", prices=dict.fromkeys((one.name for one in gateway.mocks), PRICE))
    gateway.start()
    assert tenant.ask(small()).status == 200
    gateway.disk.set("slow_syncs", 30000)
    stopping = threading.Event()

    def load():
        while not stopping.is_set():
            try:
                ask(gateway, key=tenant.key)
            except OSError:
                return
    threads = [threading.Thread(target=load, daemon=True) for _ in range(8)]
    for one in threads:
        one.start()
    until(lambda: len(gateway.mocks[0].requests) > 60)
    gateway.excuse("chain", "I1", "I2", "I3", reason="power loss")
    pids = gateway.worker_pids()
    gateway.process.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    stopping.set()
    for one in threads:
        one.join()
    gateway.process.wait()
    gateway.process = None
    synced, lost = Synced(gateway.disk.log), 0
    for path in (gateway.audit / "open").glob("*.jsonl"):
        size = synced.size(path)
        lost += path.stat().st_size - size
        os.truncate(path, size)
        if size == 0:
            path.unlink()
    assert lost > 0, "nothing was under way"
    kept = {}
    for line, _, _ in raw_lines(gateway.audit):
        if "id" in line:
            kept.setdefault(line["id"], {})[line["type"]] = line
    seen = {request.id for request in gateway.mocks[0].requests}
    assert seen <= set(kept) and all("decision" in kept[one] for one in seen)
    assert any("outcome" not in kept[one] for one in seen), "every outcome was on the disk"
    (gateway.home / "ledger").unlink()
    gateway.init()
    counted = {(one["dimension"], one["per"]): one["value"] for one in ledger.read(gateway.home / "ledger")[0]}
    for (dimension, per), value in counted.items():
        if dimension == "requests":
            assert value == len(kept) >= len(seen)
        elif dimension in ("tokens", "micro-dollars", "input", "output"):
            name = dimension.replace("-", "_")
            least = sum(found["outcome"]["charged"].get(name, 0) if "outcome" in found else amount_of(found["decision"], dimension)
                        for found in kept.values())
            assert value == least, (dimension, per)
    assert counted
    gateway.start()
    assert ask(gateway, key=tenant.key).status == 200
    until(lambda: gateway.command("audit", "verify", gateway.audit, check=False).returncode == 0)
