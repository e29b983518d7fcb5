"""The record when workers and disks fail: lost requests are named, the second directory takes over, changes are copied."""
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest

import records
from client import Client, ask, body_of
from conftest import audited
from gateway import Backend
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, role, send, wait

STREAM = body_of(stream=True)


def lines_of(gateway, kind):
    return [line for line in records.lines(gateway.audit) if line["type"] == kind]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def ids(kind, directories):
    return {line["id"] for directory in directories for line in records.lines(directory) if line["type"] == kind}


def decided(*directories):
    return ids("decision", directories)


def ended(*directories):
    return ids("outcome", directories)


@pytest.fixture
def plant(make_gateway, mock):
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)], workers=2, shutdown="20s")
    gateway.one = backend
    gateway.apply()
    return gateway.start()


@pytest.mark.sanitizer
def test_requests_of_a_killed_worker_are_lost_once(plant):
    """Every id that a backend saw has a decision, and an outcome or a lost line; the dead worker's file ends in a seal."""
    plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    gate = threading.Event()
    held = Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(gate, 60), send(chunk(DONE) + LAST_CHUNK))
    clients = []
    for _ in range(12):
        plant.one.play(held)
        client = Client(plant.port)
        client.request(body=STREAM, key=plant.key())
        assert client.head().status == 200
        clients.append(client)
    seen = {request.id for request in plant.one.requests}
    victims = plant.worker_pids()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    until(lambda: len(lines_of(plant, "lost")) >= len(seen))
    gate.set()
    for client in clients:
        client.leave()
    assert ask(plant).status == 200
    time.sleep(2.2)                                   # the next turns of the timer have nothing to add
    lost = lines_of(plant, "lost")
    assert sorted(line["id"] for line in lost) == sorted(seen)
    for line in lost:
        decision = next(one for one in lines_of(plant, "decision") if one["id"] == line["id"])
        assert line["segment"] == decision["_file"] == line["_file"] and line["number"] == 1 and line["t"] >= decision["t"]
    for path in records.files(plant.audit):
        found = records.check_chain(path)
        if int(records.NAME.match(path.name).group("pid")) in victims:
            assert found[-1]["type"] == "seal" and found[-1]["recovered_by"] in plant.worker_pids(), found[-1]
    records.check_all(plant.audit, running=seen)


def test_nobody_was_there_to_name_what_was_lost(plant):
    """Master and workers die together; the next start finishes their record."""
    plant.expect_log(r".")
    gate = threading.Event()
    plant.one.play(Script(send(STREAM_HEAD + chunk(delta("x"))), wait(gate, 60)))
    client = Client(plant.port)
    client.request(body=STREAM, key=plant.key())
    assert client.head().status == 200
    request = plant.one.requests[0].id
    victims = plant.worker_pids()
    plant.process.kill()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    plant.process.wait()
    gate.set()
    client.leave()
    until(lambda: not plant.worker_pids())
    plant.start()
    until(lambda: [line["id"] for line in lines_of(plant, "lost")] == [request])
    plant.outcome(ask(plant).id)
    records.check_all(plant.audit, running={request})


def test_segments_are_sealed_at_the_end(plant):
    assert ask(plant).status == 200
    plant.stop(graceful=True)
    for path in records.files(plant.audit):
        found = records.check_chain(path)
        assert found[-1]["type"] == "seal" and "next_file" not in found[-1] and found[-1]["lines"] == len(found) - 1


def test_segments_roll_by_age(make_gateway, mock):
    gateway = make_gateway([Backend("one", mock("127.0.0.31", name="one"))])
    gateway.audit_options = "segment=256k roll=1s"
    gateway.apply()
    gateway.start()
    def by_workers():
        return [path for path in records.files(gateway.audit) if not path.name.startswith("node-1-0-0-")]
    until(lambda: (ask(gateway).status == 200, len(by_workers()) >= 3)[1])
    until(lambda: decided(gateway.audit) <= ended(gateway.audit))
    rolled = by_workers()
    for path in rolled[:-1]:
        assert records.check_chain(path)[-1]["next_file"] in [one.name for one in rolled]
    records.check_all(gateway.audit)


@pytest.mark.sanitizer
def test_second_directory_takes_over(make_gateway, mock, auditor):
    """The first disk is full from the start, and has room later."""
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)], init=False)
    disk = gateway.prefix / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "tmpfs", str(disk)], capture_output=True, text=True)
    assert done.returncode == 0, f"a full disk needs a small one, which needs mount: {done.stderr}"
    try:
        gateway.init().apply()
        shutil.copytree(gateway.home / "audit", disk / "audit", copy_function=shutil.copy2)
        for name in ("", "open"):
            kept, made = gateway.home / "audit" / name, disk / "audit" / name
            os.chown(made, kept.stat().st_uid, kept.stat().st_gid)
            made.chmod(kept.stat().st_mode & 0o7777)
        second = gateway.audit_second = gateway.audit
        gateway.audit, gateway.audit_options = disk / "audit", "segment=512k"
        with open(disk / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        gateway.start()
        assert [ask(gateway).status for _ in range(5)] == [200] * 5
        assert not list((gateway.audit / "open").glob("*.jsonl")) and len(list((second / "open").glob("node-1-1*.jsonl"))) == 1
        (disk / "filler").unlink()
        until(lambda: (time.sleep(0.3), ask(gateway).status == 200, list((gateway.audit / "open").glob("node-1-1*.jsonl")))[2])
        until(lambda: decided(gateway.audit, second) <= ended(gateway.audit, second))
        for directory in (gateway.audit, second):
            for path in records.files(directory):
                records.check_chain(path)
        moved = [line for line in records.lines(gateway.audit) if line["type"] == "segment" and "previous_file" in line]
        assert moved and (second / "open" / moved[0]["previous_file"]).exists()
        assert "written in its second directory" in gateway.errors() and "written in its first directory" in gateway.errors()
    finally:
        gateway.stop()
        complaints = audited(auditor, [gateway], over=True)
        subprocess.run(["umount", "-l", str(disk)], check=False)
        assert not complaints, complaints


@pytest.mark.sanitizer
def test_changes_are_in_the_record_once(plant):
    """Those from before the start, and while nobody ran, too."""
    plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")

    def subjects():
        return [(line["what"], line["subject"]) for line in lines_of(plant, "change")]
    plant.key()
    until(lambda: ("key.create", "acme/red/app/main") in subjects())
    assert subjects()[0] == ("apply", str(plant.revision)) and lines_of(plant, "change")[0]["actor"] == "tests"
    for name in ("a", "b", "c"):
        plant.key(name=name)
        for pid in plant.worker_pids():
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(plant.worker_pids()) == 2)
    until(lambda: ("key.create", "acme/red/app/c") in subjects())
    plant.stop()
    plant.key(name="d")
    plant.apply()
    plant.start()
    until(lambda: subjects()[-1] == ("apply", str(plant.revision)))
    plant.reload()
    plant.key(name="e")
    until(lambda: subjects()[-1] == ("key.create", "acme/red/app/e"))
    changes = lines_of(plant, "change")
    assert [line["number"] for line in changes] == list(range(1, len(changes) + 1))
    for path in records.files(plant.audit):
        records.check_chain(pathlib.Path(path))
