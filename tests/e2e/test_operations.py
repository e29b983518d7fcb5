"""What operators do and what breaks: reload, apply, kill -9, damaged stores, full disks; and the record through all of it."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import records
from conftest import audited
from client import Answer, Client, ask, body_of, events, expect_error, until
from documents import deployment, fleet, forbid, residency, tenants
from gateway import Backend
from mock_backend import (DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, close, delta, hang, pause, plain, provider_error, reset, role, send, stream,
                          usage_event, wait)

STREAM = body_of(stream=True)


@pytest.fixture
def plant(make_gateway, mock):
    """Two workers, two backends."""
    mocks = [mock(f"127.0.0.{31 + i}", name=name) for i, name in enumerate(("one", "two"))]
    gateway = make_gateway([Backend(m.name, m) for m in mocks], workers=2, shutdown="20s")
    gateway.one, gateway.two = mocks
    gateway.apply()
    return gateway.start()


def settle(gateway, seconds=60):
    """Every decision has its outcome or is said to be lost, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = gateway.record()
        allowed = {line["id"] for line in lines if line["type"] == "decision" and line["verdict"] == "allow"}
        if allowed <= {line["id"] for line in lines if line["type"] in ("outcome", "lost")}:
            return
        time.sleep(0.05)


# ---- the record ----

@pytest.mark.sanitizer
def test_decision_is_written_before_the_first_byte(plant):
    """When a request reaches a backend, its decision is in the file already; before the second dispatch, its attempt."""
    found = []

    def look(request):
        found.append([line["type"] for line in records.lines(plant.audit) if line.get("id") == request.id])
        return provider_error(503) if len(found) % 2 else plain_ok(request)

    def plain_ok(_request):
        return Script(send(plain(200, b"{}")))
    plant.one.always(look), plant.two.always(look)
    for _ in range(5):
        assert ask(plant).status == 200
    assert found == [["decision"], ["decision", "attempt"]] * 5


@pytest.mark.sanitizer
def test_record_of_one_request(plant):
    plant.one.play(provider_error(429, headers=[("x-request-id", "theirs")]))
    answer = ask(plant, body_of(text="secret prompt canary", stream=True))
    plant.outcome(answer.id)
    decision, attempt, outcome = plant.record(answer.id)
    assert list(decision)[:6] == ["prev", "n", "v", "type", "t", "id"]
    assert {k: decision[k] for k in ("org", "tenant", "app", "key", "endpoint", "model", "stream", "revision", "verdict", "node_country", "node")} == {
        "org": "acme", "tenant": "red", "app": "app", "key": "main", "endpoint": "chat.completions", "model": "m", "stream": True,
        "revision": plant.revision, "verdict": "allow", "node_country": "DE", "node": "node-1"}
    assert decision["bytes"] == len(body_of(text="secret prompt canary", stream=True))
    assert [one["name"] for one in decision["classes"]] == ["public"] and decision["classes"][0]["from"] == "default"
    assert [one["deployment"] for one in decision["route"]] == ["one", "two"] and decision["route"][0]["rules"] == ["all"]
    assert "SE" in decision["route"][0]["process"] and decision["route"][0]["store"] in ("nothing", [])
    assert len(decision["policy"]) == len(decision["facts"]) == 64
    assert (attempt["number"], attempt["deployment"], attempt["revision"], attempt["rules"]) == (2, "two", plant.revision, ["all"])
    assert (outcome["status"], outcome["end"], outcome["bytes_out"]) == (200, "complete", len(answer.body))
    first, second = outcome["attempts"]
    assert (first["deployment"], first["status"], first["request_id"]) == ("one", 429, "theirs") and (second["deployment"], second["status"]) == ("two", 200)
    assert second["sent"] >= len(plant.two.requests[0].body) and second["received"] > 0 and second["total_us"] >= second["first_byte_us"] >= second["connect_us"] >= 0
    assert outcome["usage"] == {"input": 11, "cached": 3, "output": 7, "source": "reported", **{k: 0 for k in outcome["usage"] if k in ("cache_write", "reasoning")}}
    everything = b"".join(path.read_bytes() for path in records.files(plant.audit)) + plant.log.read_bytes() + plant.prefix.joinpath("access.log").read_bytes()
    assert b"canary" not in everything and plant.key().encode() not in everything


@pytest.mark.sanitizer
def test_chains_hold_whatever_clients_and_backends_do(plant):
    scripts = [provider_error(503), Script(reset()), Script(send(STREAM_HEAD + chunk(delta("x"))), reset()), stream(role(), delta("x"), usage_event(), DONE),
               Script(hang(0.3), close()), provider_error(400)]
    for number in range(24):
        plant.one.play(scripts[number % len(scripts)])
        body = body_of(text=f"n{number}", stream=bool(number % 2))
        if number % 5 == 4:
            client = Client(plant.port)
            client.request(body=body, key=plant.key())
            time.sleep(0.01)
            client.leave(reset=True)
        else:
            ask(plant, body)
    ask(plant, b"{")
    ask(plant, body_of("nobody"))
    ask(plant, key="gh_stranger")
    settle(plant)
    requests = records.check_all(plant.audit)
    sent = sum(len(m.requests) for m in (plant.one, plant.two))
    written = sum(1 for found in requests.values() for line in found if line["type"] == "attempt" or line.get("verdict") == "allow")
    assert sent <= written, "a dispatch without its line"
    assert not any(line.get("tenant") is None for line in plant.record() if line["type"] == "decision")


@pytest.mark.sanitizer
def test_access_log_variables(plant):
    answer = ask(plant)
    plant.logged(answer)
    line = [text for text in plant.prefix.joinpath("access.log").read_text().splitlines() if answer.id in text][0].split()
    assert line[1:10] == ["200", answer.id, "acme/red/app", "m", "one", "1", "11", "7", "allow"], line


def mount(directory, size):
    directory.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(directory)], capture_output=True, text=True)
    assert done.returncode == 0, f"a full disk needs a small one, which needs mount: {done.stderr}"


@pytest.mark.sanitizer
def test_full_disk_refuses_before_dispatch(make_gateway, mock, auditor):
    """503 audit_unavailable, not a byte at the backend; served again once there is room."""
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)], init=False)
    disk = gateway.prefix / "disk"
    mount(disk, "2m")
    try:
        gateway.audit, gateway.audit_options = disk / "audit", "segment=256k"
        gateway.init().apply()
        shutil.copytree(gateway.home / "audit", gateway.audit, copy_function=shutil.copy2)
        for name in ("", "open", "sealed"):
            kept, made = gateway.home / "audit" / name, gateway.audit / name
            os.chown(made, kept.stat().st_uid, kept.stat().st_gid)
            made.chmod(kept.stat().st_mode & 0o7777)
        gateway.start()
        assert ask(gateway).status == 200
        settle(gateway)
        filler = open(disk / "filler", "wb", buffering=0)
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
        answers = []
        while len(answers) < 400 and (not answers or len(answers) < 12 or answers[-12].status == 200):
            answers.append(ask(gateway))
        refused = [a for a in answers if a.status != 200]
        assert refused and [a.status for a in answers] == sorted(a.status for a in answers), "served again after a refusal on a full disk"
        for answer in refused:
            expect_error(answer, 503, "audit_unavailable")
        written = {line["id"] for line in gateway.record() if line["type"] == "decision"}
        assert {r.id for r in backend.requests} <= written and len(backend.requests) == 1 + len(answers) - len(refused)
        filler.close()
        (disk / "filler").unlink()
        until(lambda: ask(gateway).status == 200)      # a segment that could not be begun is not tried again at once
        settle(gateway)
        for path in records.files(gateway.audit):
            records.check_chain(path)
    finally:
        gateway.stop()
        complaints = audited(auditor, [gateway], over=True)
        subprocess.run(["umount", "-l", str(disk)], check=False)
        assert not complaints, complaints


@pytest.mark.sanitizer
def test_audit_directory_that_cannot_be_written(make_gateway, mock):
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)])
    gateway.apply()
    shutil.rmtree(gateway.audit / "open")
    gateway.expect_log("audit|record")
    gateway.start()
    expect_error(ask(gateway), 503, "audit_unavailable")
    assert not backend.connections


# ---- the store ----

def store_of(gateway):
    return gateway.home / "store" / "data.mdb"


DAMAGES = {
    "missing file": lambda path: path.unlink(), "missing directory": lambda path: shutil.rmtree(path.parent), "empty": lambda path: truncate(path, 0),
    "one page": lambda path: truncate(path, 4096), "half": lambda path: truncate(path, path.stat().st_size // 2 // 4096 * 4096),
    "odd size": lambda path: truncate(path, path.stat().st_size - 100), "zeros": lambda path: overwrite(path, 0, b"\0" * path.stat().st_size),
    "garbage": lambda path: overwrite(path, 0, os.urandom(path.stat().st_size)), "no lock": lambda path: path.with_name("lock.mdb").unlink(),
    "unreadable": lambda path: path.chmod(0), "another store": None, "other key": None,
}


def truncate(path, size):
    os.truncate(path, size)


def overwrite(path, at, data):
    with open(path, "r+b") as handle:
        handle.seek(at)
        handle.write(data)


def alive(gateway, workers=1):
    assert len(gateway.worker_pids()) >= workers       # an old one may be on its way out
    assert "exited on signal" not in gateway.errors() and not re.search("exited with code [1-9]", gateway.errors())


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_store_denies(make_gateway, mock, name):
    """Workers run and answer 503 policy_unavailable; nothing is sent, nobody crashes, and a repaired store serves again after a restart."""
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)])
    gateway.apply()
    key = gateway.key()
    kept = gateway.prefix / "kept"
    shutil.copytree(gateway.home / "store", kept, copy_function=shutil.copy2)
    if name == "another store":
        other = make_gateway([Backend("one", backend)])
        other.apply()
        store_of(gateway).write_bytes(store_of(other).read_bytes())
    elif name == "other key":
        (gateway.secrets / "store.key").write_bytes(os.urandom(32))
    elif name == "unreadable" and not gateway.root:
        pytest.skip("needs a worker of another user")
    else:
        DAMAGES[name](store_of(gateway))
    gateway.expect_log("store|mdb|policy")
    gateway.start()
    for _ in range(3):
        expect_error(ask(gateway, key=key), 503, "policy_unavailable")
        with Client(gateway.port) as client:
            expect_error(client.request("/v1/models", None, key, method="GET").answer(), 503, "policy_unavailable")
    assert not backend.connections
    alive(gateway)
    assert gateway.command("policy", "apply", gateway.prefix / "policy-1", check=False).returncode in (0, 1)
    assert gateway.test().returncode == 0, "the state of the store is a warning of nginx -t"


@pytest.mark.sanitizer
def test_flipped_bits_deny_or_do_not_matter(make_gateway, mock):
    """LMDB has no checksums; our records have. Every page in turn: the right answer or a refusal, never a crash or another answer."""
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)])
    gateway.apply(fleet(deployment("one")), residency(), tenants())
    gateway.apply(fleet(deployment("one")), residency(forbids=[forbid("no-us", process=["US"])]), tenants())
    key = gateway.key()
    gateway.expect_log("store|mdb|policy")
    gateway.start()
    good = store_of(gateway).read_bytes()
    seen = set()
    pages = len(good) // 4096
    for page in sorted({0, 1, *range(2, pages, max(1, pages // 20))}):
        bad = bytearray(good)
        for at in (20, 100, 1000, 2048, 4000):
            bad[page * 4096 + at] ^= 0x10
        fresh = store_of(gateway).with_name("fresh")
        fresh.write_bytes(bad)
        shutil.copystat(store_of(gateway), fresh)
        if gateway.root:
            shutil.chown(fresh, "root", "www-data")
        fresh.chmod(0o640)
        fresh.rename(store_of(gateway))
        gateway.reload()
        found = ask(gateway, key=key)
        seen.add(found.status)
        assert found.status in (200, 401, 503), (page, found)
        if found.status == 503:
            expect_error(found, 503, "policy_unavailable")
        alive(gateway)
    assert 503 in seen


@pytest.mark.sanitizer
def test_store_replaced_or_cut_while_workers_run(make_gateway, mock):
    """Under running workers: denied within about a second, no SIGBUS, no older policy."""
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)])
    gateway.apply()
    old = store_of(gateway).read_bytes()
    gateway.apply(fleet(deployment("one", country="US")), residency(forbids=[forbid("no-us", process=["US"])]), tenants())
    key = gateway.key()
    gateway.expect_log("store|mdb|policy")
    gateway.start()
    expect_error(ask(gateway, key=key), 403, "residency_denied")
    fresh = store_of(gateway).with_name("fresh")
    fresh.write_bytes(old)
    if gateway.root:
        shutil.chown(fresh, "root", "www-data")
    fresh.chmod(0o640)
    fresh.rename(store_of(gateway))
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert ask(gateway, key=key).status != 200, "an older revision was accepted"
        time.sleep(0.1)
    assert not backend.connections
    alive(gateway)


def test_nothing_applied_yet(make_gateway, mock):
    backend = mock("127.0.0.31", name="one")
    gateway = make_gateway([Backend("one", backend)])
    gateway.expect_log("store|policy")
    gateway.start()
    expect_error(ask(gateway, key="gh_" + "A" * 49), 503, "policy_unavailable")      # whose key it is, nobody can say yet
    assert not backend.connections
    gateway.apply()
    assert ask(gateway).status == 200


def test_nginx_test_makes_nothing(make_gateway, mock):
    """`nginx -t` as root must not leave a root-owned lock file, nor any file."""
    gateway = make_gateway([Backend("one", "127.0.0.31:9")], init=False)
    assert "gatehouse init" in gateway.test().stderr
    assert not gateway.home.exists()
    gateway.init()
    tree = lambda: sorted((str(p), p.stat().st_uid, p.stat().st_gid, p.stat().st_mode, p.stat().st_mtime_ns) for p in gateway.home.rglob("*"))
    before = tree()
    assert gateway.test().returncode == 0
    assert tree() == before


def test_worker_cannot_write_policy(plant):
    """Promise 8: the data file is read-only to the workers' uid, which can neither change nor replace nor remove it, nor anything it rests on."""
    if not plant.root:
        pytest.skip("needs workers of another user")
    mode = store_of(plant).stat()
    assert mode.st_mode & 0o777 == 0o640 and mode.st_uid == 0
    assert ask(plant).status == 200          # the workers are there, and one has read
    seen = []
    for pid in plant.worker_pids():
        for one in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(one)
                flags = int(pathlib.Path(f"/proc/{pid}/fdinfo/{one.name}").read_text().split("flags:")[1].split()[0], 8)
            except OSError:
                continue
            if target.endswith("data.mdb"):
                seen.append(flags & os.O_ACCMODE)
    assert seen and set(seen) == {os.O_RDONLY}, seen
    status = pathlib.Path(f"/proc/{plant.worker_pids()[0]}/status").read_text()
    uid, gid = (int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1)) for name in ("Uid", "Gid"))
    assert uid and gid
    before = store_of(plant).read_bytes()
    attempt = lambda command: subprocess.run(["/bin/sh", "-c", command], cwd=plant.home, capture_output=True, text=True, user=uid, group=gid, extra_groups=[])
    assert attempt("cat store/data.mdb > /dev/null && echo > audit/open/mine && rm audit/open/mine").returncode == 0, "it must at least be a worker"
    for command in (": >> store/data.mdb", "exec 3<> store/data.mdb", "rm -f store/data.mdb", "mv store/data.mdb store/old", ": > store/fresh", "rm -f store/lock.mdb",
                    "mv store elsewhere", ": > cred/mine", ": > mine", "mv audit/open audit/shut", "chmod 0666 store/data.mdb", ": >> ../secrets/store.key",
                    "rm -f ../secrets/store.key"):
        done = attempt(command)
        assert done.returncode != 0 and ("Permission denied" in done.stderr or "not permitted" in done.stderr), (command, done)
    assert store_of(plant).read_bytes() == before and ask(plant).status == 200


# ---- reload and apply under load ----

class Load:
    """Clients that ask without a pause until told to stop, and remember what was not right."""

    def __init__(self, gateway, threads=4, allowed=(200,)):
        self.gateway, self.allowed, self.count, self.wrong, self.stopping = gateway, allowed, 0, [], threading.Event()
        key = gateway.key()
        self.threads = [threading.Thread(target=self._run, args=(key, n)) for n in range(threads)]

    def _run(self, key, number):
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            text, streamed = f"nonce-{number}-{turn}", bool(turn % 2)
            try:
                found = ask(self.gateway, body_of(text=text, stream=streamed), key)
                got = found.body.decode()
                if streamed and found.status == 200:
                    got = "".join(json.loads(one)["choices"][0]["delta"].get("content") or "" for one in events(found.body)[:-1])
                if found.status not in self.allowed or (found.status == 200 and text not in got):
                    self.wrong.append((text, found))
            except (OSError, ValueError) as problem:
                self.wrong.append((text, repr(problem)))
            self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_reload_under_load(plant):
    with Load(plant) as load:
        for _ in range(4):
            time.sleep(0.15)
            plant.reload()
        until(lambda: load.count > 50)
    # a connection that was accepted by no worker when its listener closed is reset; nothing else may go wrong
    assert not [one for one in load.wrong if not isinstance(one[1], str)], load.wrong[:3]
    assert len(load.wrong) <= 4 * len(load.threads), load.wrong[:3]
    settle(plant)
    records.check_all(plant.audit)


def test_apply_under_load(plant):
    """Twenty edits that flip the order: every request is served under one revision or the other."""
    expected = {plant.revision: ["one", "two"]}
    with Load(plant) as load:
        for turn in range(20):
            plant.apply(fleet(deployment("one", priority=1 + turn % 2), deployment("two", priority=2 - turn % 2)), residency(), tenants())
            expected[plant.revision] = ["two", "one"] if turn % 2 else ["one", "two"]
        until(lambda: load.count > 50)
    assert not load.wrong, load.wrong[:3]
    settle(plant)
    records.check_all(plant.audit)
    for line in plant.record():
        if line["type"] == "decision":
            assert [one["deployment"] for one in line["route"]] == expected[line["revision"]], line


def test_reload_keeps_streams(plant):
    """A stream of an old worker goes on to its end."""
    gate = threading.Event()
    plant.one.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("before"))), wait(gate, 60), send(chunk(delta("after")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK)))
    with Client(plant.port) as client:
        client.request(body=STREAM, key=plant.key())
        head = client.head()
        before = plant.worker_pids()
        plant.reload()
        assert set(plant.worker_pids()) - set(before)
        assert ask(plant).status == 200
        gate.set()
        assert b"".join(client.parts(head)) == role() + delta("before") + delta("after") + DONE
    assert plant.outcome(plant.one.requests[0].id)["usage"]["output"] == 7


def test_draining_worker_obeys_new_policy(plant):
    """An old generation's next dispatch is judged by the newest revision."""
    gate = threading.Event()
    plant.one.play(Script(wait(gate, 60), send(plain(503))))
    with Client(plant.port) as client:
        client.request(body=body_of(), key=plant.key())
        plant.one.wait_requests(1)
        plant.reload()
        plant.apply(fleet(deployment("one"), deployment("two", priority=2, country="NO")), residency(forbids=[forbid("no-no", process=["NO"])]), tenants())
        gate.set()
        expect_error(client.answer(), 403, "residency_denied")
    assert not plant.two.requests and not plant.two.bytes


def test_broken_configuration_is_not_loaded(plant):
    plant.expect_log(r"\[emerg\]")
    plant.write(plant.configuration().replace("gatehouse on;", "gatehouse maybe;", 1))
    plant.process.send_signal(signal.SIGHUP)
    until(lambda: "[emerg]" in plant.errors())
    assert ask(plant).status == 200
    plant.write()


# ---- kill -9 ----

def test_worker_killed(plant):
    """Its streams break, everybody else goes on, a new one takes its place, and every chain holds."""
    plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    gate = threading.Event()
    held = Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(gate, 60), send(chunk(usage_event()) + chunk(DONE) + LAST_CHUNK))
    clients = []
    for _ in range(12):
        plant.one.play(held)
        client = Client(plant.port)
        client.request(body=STREAM, key=plant.key())
        assert client.head().status == 200
        clients.append(client)
    running = {r.id for r in plant.one.requests}
    victim = plant.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(plant.worker_pids()) == 2 and victim not in plant.worker_pids())
    time.sleep(0.1)
    assert all(ask(plant).status == 200 for _ in range(12))
    gate.set()
    whole = 0
    for client in clients:
        try:
            text = b"".join(client.parts(Answer(200, [("transfer-encoding", "chunked")])))
            whole += text.endswith(DONE)
        except OSError:
            pass
        client.leave()
    settle(plant)
    finished = {line["id"] for line in plant.record() if line["type"] == "outcome"}
    assert whole == len(finished & running)
    records.check_all(plant.audit, running=running - finished)


def test_worker_killed_under_load_many_times(plant):
    plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    with Load(plant) as load:
        for _ in range(5):
            time.sleep(0.15)
            pids = plant.worker_pids()
            if pids:
                os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.5)
    assert not [one for one in load.wrong if not isinstance(one[1], str) and one[1].status not in (0, 200)], load.wrong[:3]
    assert ask(plant).status == 200
    assert plant.apply().returncode == 0, "a dead reader must not block the editor"
    settle(plant)
    lines = plant.record()
    ended = {line["id"] for line in lines if line["type"] == "outcome"}
    records.check_all(plant.audit, running={line["id"] for line in lines if line["type"] == "decision"} - ended)


def test_master_stops_gracefully(plant):
    plant.one.play(Script(send(STREAM_HEAD + chunk(delta("x"))), pause(0.5), send(chunk(DONE) + LAST_CHUNK)))
    with Client(plant.port) as client:
        client.request(body=STREAM, key=plant.key())
        head = client.head()
        plant.process.send_signal(signal.SIGQUIT)
        assert b"".join(client.parts(head)).endswith(DONE)
    assert plant.process.wait(60) == 0
    records.check_all(plant.audit)


def test_many_requests_leave_nothing_behind(plant):
    """Descriptors and memory of the workers return to where they were."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(plant), range(100)))

    def measure():
        descriptors = sum(len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) for pid in plant.worker_pids())
        memory = sum(int(line.split()[1]) for pid in plant.worker_pids() for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                     if line.startswith("RssAnon"))
        return descriptors, memory
    time.sleep(0.2)
    before = measure()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: ask(plant, body_of(text="x" * 30000, stream=bool(i % 2))), range(600)))
    until(lambda: measure()[0] <= before[0] + 8)
    assert measure()[1] <= before[1] + 8192, (before, measure())
