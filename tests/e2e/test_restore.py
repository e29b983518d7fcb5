"""Backup and restore under running workers, and every other way of changing the store's file: denied, by name."""
import json
import os
import shutil
import threading
import time

import pytest

import records
from client import Client, ask, body_of, events, expect_error, until
from documents import deployment, fleet, forbid, residency, tenants
from gateway import Backend
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, role, send, wait

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def two(make_gateway, mock):
    """A gateway with two workers and a backend in the US."""
    backend = mock("127.0.0.61", name="us")
    gateway = make_gateway([Backend("us", backend, read="60s")], workers=2)
    gateway.us = backend
    gateway.expect_log("policy store")
    yield gateway
    for line in gateway.record(kinds=()):
        if line["type"] == "decision" and line["verdict"] == "allow":
            gateway.outcome(line["id"])
    records.check_all(gateway.audit)


def permit(gateway):
    return gateway.apply(fleet(deployment("us", country="US")), residency(), tenants())


def forbid_us(gateway):
    return gateway.apply(fleet(deployment("us", country="US")), residency(forbids=[forbid("never-us", process=["US"])]), tenants())


def backup(gateway, name="backup"):
    path = gateway.prefix / name
    gateway.command("backup", path)
    return path


def served(gateway, key=None):
    """One request to each worker at least, and what they all were answered."""
    found = {ask(gateway, key=key).status for _ in range(8)}
    assert len(found) == 1, found
    return found.pop()


def all_are(gateway, status):
    return {ask(gateway).status for _ in range(8)} == {status}


# ---- round trip ----

def test_round_trip(two):
    """The policy of the backup is in force again, as a new revision, in every worker, when the command is done."""
    permit(two)
    saved = backup(two)
    forbid_us(two)
    two.start().all_there()
    assert served(two) == 403
    done = two.command("restore", saved, "--reason", "it was better")
    assert "revision 3: the policy of revision 1 again; history and keys of the present store kept, revocations too" in done.stdout
    assert "obeyed by 2 workers" in done.stdout
    assert served(two) == 200
    history = json.loads(two.command("policy", "history", "--json").stdout)
    history = history["revisions"] if isinstance(history, dict) else history
    assert [one["revision"] if "revision" in one else one["number"] for one in history] == [3, 2, 1]
    two.command("policy", "rollback", "2", "--reason", "tests", "--cut")
    assert served(two) == 403
    assert "revision 5\n" in permit(two).stdout and served(two) == 200


def test_revoked_keys_stay_revoked(two):
    """A key revoked after the backup, one made after it, and one that was good all the time."""
    permit(two)
    good, doomed = two.key(), two.key(name="doomed")
    saved = backup(two)
    later = two.key(name="later")
    two.command("key", "revoke", "acme/red/app/doomed")
    two.start()
    two.command("restore", saved)
    assert [served(two, key) for key in (good, doomed, later)] == [200, 401, 200]
    listed = two.command("key", "list").stdout
    assert "later" in listed and two.command("key", "create", "acme/red/app", "doomed", check=False).returncode == 1


def test_revoked_in_the_backup(two):
    """An older copy of the store was put in its place, in which the key is good: the backup knows better."""
    permit(two)
    doomed = two.key(name="doomed")
    old = (two.home / "store" / "data.mdb").read_bytes()
    two.command("key", "revoke", "acme/red/app/doomed")
    saved = backup(two)
    (two.home / "store" / "data.mdb").write_bytes(old)
    two.command("restore", saved, "--keys-as-saved")
    two.start()
    assert served(two, doomed) == 401 and served(two) == 200


def test_running_dispatches(two):
    """Nothing is done before it is told; then they are cut as by any edit, uploads and streams."""
    permit(two)
    forbid_us(two)
    saved = backup(two)
    permit(two)
    two.start()
    go = threading.Event()
    two.us.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("first"))), wait(go, 60), send(chunk(DONE) + LAST_CHUNK)))
    with Client(two.port, timeout=60) as client:
        client.request(body=body_of(stream=True), key=two.key())
        two.us.wait_requests(1)
        time.sleep(0.2)
        done = two.command("restore", saved, check=False)
        assert done.returncode == 1 and "1 dispatch is running" in done.stderr and "say --cut to end them, or --let-finish" in done.stderr
        done = two.command("restore", saved, "--cut")
        assert "1 dispatch cut" in done.stdout
        assert json.loads(events(client.answer().body)[-1])["error"]["code"] == "residency_denied"
    go.set()
    two.outcome(two.us.requests[0].id)
    assert served(two) == 403


@pytest.mark.slow
def test_while_it_is_in_use(two):
    """Requests and edits go on while backups are made; each of these is whole."""
    permit(two)
    two.start()
    wrong, over = [], threading.Event()

    def traffic():
        while not over.is_set():
            wrong.extend({ask(two).status} - {200})

    def edits():
        for n in range(4):
            two.key(name=f"k{n}")
            permit(two)
    threads = [threading.Thread(target=traffic), threading.Thread(target=edits)]
    for thread in threads:
        thread.start()
    paths = [backup(two, f"backup-{n}") for n in range(3)]
    threads[1].join()
    over.set()
    threads[0].join()
    assert not wrong
    for path in paths:
        assert "revision " in two.command("backup", path, "--check").stdout
    two.command("restore", paths[0])
    assert served(two) == 200

    def ids(kind):
        return [line["id"] for line in two.record(kinds=()) if line["type"] == kind]
    until(lambda: sorted(ids("decision")) == sorted(ids("outcome")))
    assert len(set(ids("outcome"))) == len(ids("outcome"))


# ---- the file ----

def test_backup_is_not_overwritten(two):
    permit(two)
    path = two.prefix / "there"
    path.write_text("mine")
    done = two.command("backup", path, check=False)
    assert done.returncode == 1 and "is there already" in done.stderr and path.read_text() == "mine"
    assert "store.key is not in it" in two.command("backup", two.prefix / "new").stderr
    assert oct((two.prefix / "new").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("how", ["flip", "cut", "longer", "not one", "data.mdb"])
def test_damaged_backup(two, how):
    """Not a bit of it may be another; nothing changes."""
    permit(two)
    path = backup(two)
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[len(data) // 3] ^= 1
    elif how == "cut":
        del data[4096:8192]
    elif how == "longer":
        data += b"\0" * 4096
    path.write_bytes({"not one": b"x" * 20000, "data.mdb": (two.home / "store" / "data.mdb").read_bytes()}.get(how, bytes(data)))
    for command in (["restore", path], ["backup", path, "--check"]):
        done = two.command(*command, check=False)
        assert done.returncode == 1 and str(path) in done.stderr and "backup" in done.stderr
    two.start()
    assert served(two) == 200 and two.command("policy", "wait").stdout.startswith("revision 1\n")


def test_backup_of_another_store(two):
    """Made with another key it cannot be read at all."""
    permit(two)
    other = {**two.environment, "GATEHOUSE_HOME": str(two.prefix / "o"), "GATEHOUSE_SECRETS": str(two.prefix / "os")}
    mine = two.environment
    two.environment = other
    two.command("init", "--user", "root")
    permit(two)
    path = backup(two)
    two.environment = mine
    done = two.command("restore", path, check=False)
    assert done.returncode == 1 and "another store.key" in done.stderr


# ---- a store that changed in another way ----

def replace(gateway, how, old):
    """Somebody does something to the store's file."""
    path = gateway.home / "store" / "data.mdb"
    if how == "copied back":
        fresh = path.with_name("fresh")
        shutil.copyfile(path, fresh)
        fresh.chmod(0o640)
        shutil.chown(fresh, "root", "www-data")
        fresh.rename(path)
    elif how == "older in place":
        with open(path, "r+b") as file:
            file.write(old)
            file.truncate(len(old))
    elif how == "older moved":
        path.with_name("fresh").write_bytes(old)
        shutil.chown(path.with_name("fresh"), "root", "www-data")
        path.with_name("fresh").chmod(0o640)
        path.with_name("fresh").rename(path)
    elif how == "truncated":
        os.truncate(path, 12288)
    elif how == "zeros":
        with open(path, "r+b") as file:
            file.write(b"\0" * path.stat().st_size)
    elif how == "gone":
        path.unlink()
    elif how == "identity gone":
        path.with_name("identity").unlink()
    elif how == "identity changed":
        data = bytearray(path.with_name("identity").read_bytes())
        data[70] ^= 1
        path.with_name("identity").write_bytes(data)


MOVED = "copied or moved there by something else"


@pytest.mark.parametrize("how, sentence, when", [
    ("copied back", MOVED, "running"), ("copied back", MOVED, "stopped"), ("older in place", "older", "running"), ("older in place", "older", "stopped"),
    ("older moved", MOVED, "running"), ("older moved", MOVED, "stopped"), ("truncated", "", "running"), ("zeros", "", "stopped"), ("gone", "", "running"),
    ("identity gone", "no identity beside it", "stopped"), ("identity changed", "identity", "stopped")])
def test_replaced_store(two, how, sentence, when):
    """Denied by the command and by workers, which name it; `gatehouse restore` is the way out, with workers or without."""
    permit(two)
    old = (two.home / "store" / "data.mdb").read_bytes()
    two.key()
    permit(two)
    saved = backup(two)
    if when == "running":
        two.start().all_there()
        assert served(two) == 200
    replace(two, how, old)
    if when == "stopped":
        two.start().all_there()
    else:
        time.sleep(1.2)                          # the path is looked at once a second
    until(lambda: all_are(two, 503))
    named = [line for line in two.errors().splitlines() if "policy store: " in line]
    assert [line for line in named if sentence in line or how == "older in place"], named      # that one is shorter, or begins otherwise
    done = two.command("policy", "rollback", "1", "--reason", "tests", check=False)
    assert done.returncode == 1 and (sentence in done.stderr or how == "older in place") and "store" in done.stderr
    done = two.command("restore", saved, check=False)
    assert done.returncode == 1 and "say --keys-as-saved" in done.stderr
    done = two.command("restore", saved, "--keys-as-saved")
    assert "revision 3" in done.stdout and "obeyed by 2 workers" in done.stdout and "revoked after it was made" in done.stderr
    until(lambda: all_are(two, 200))             # a worker tries to open it once a second
    assert "exited on signal" not in two.errors()


def test_moved_home(two):
    """The whole home was copied to another disk: its store is not what it was, and says so."""
    permit(two)
    saved = backup(two)
    fresh = two.home.with_name("fresh")
    shutil.copytree(two.home, fresh, copy_function=shutil.copy2)
    shutil.rmtree(two.home)
    fresh.rename(two.home)
    done = two.command("key", "list", check=False)
    assert done.returncode == 1 and "copied or moved there by something else" in done.stderr and "gatehouse restore FILE" in done.stderr
    (two.home / "ledger").unlink()
    done = two.command("restore", saved, "--keys-as-saved")
    assert "there is no ledger" in done.stderr
    two.init()
    two.start()
    assert served(two) == 200
