"""Checkpoints of the ledger, and a new ledger made from one and from the record written after it."""

import hashlib
import json
import os
import signal
import subprocess
import time
import uuid

import pytest

from conftest import GATEHOUSE, ROOT, owner_arguments

COUNT = ROOT / "build" / "tests" / "tools" / "count"
NEVER = "0" * 64


def words(*limit):
    """(uid, level, dimension, per, class) in the order of a counter's JSON."""
    return dict(zip(("level", "uid", "dimension", "per", "class"), (limit[1], limit[0], *limit[2:])))


BUDGET = words(2, "tenant", "tokens", "day", "budget")
FOREVER = words(4, "key", "micro-dollars", "none", "budget")
REQUESTS = words(4, "key", "requests", "day", "rate")
FLIGHT = words(4, "key", "in-flight", "none", "rate")


@pytest.fixture
def made(cli):
    cli.init("--ledger-size", "1m")
    return cli


def now():
    return int(time.time() * 1000)


def window(per, at):
    return {"none": 0, "day": at // 86400000}[per]


class Record:
    """Lines as workers write them, as far as a replay reads them."""

    def __init__(self, directory, sequence=1, pid=77):
        self.path = directory / "open" / ("fra-1-1700000000000-%d-%d.jsonl" % (pid, sequence))
        self.n = 0

    def line(self, kind, at, request, **members):
        text = json.dumps({"prev": NEVER, "n": self.n, "v": 1, "type": kind, "t": at, "id": request, **members}, separators=(",", ":"))
        self.n += 1
        with open(self.path, "a") as file:
            file.write(text + "\n")

    def decision(self, at, *limits, request=None, verdict="allow"):
        request = request or new_id(at)
        self.line("decision", at, request, org="nordbank", verdict=verdict, reserve={"at": at, "limits": self.limits(at, limits)})
        return request

    @staticmethod
    def limits(at, limits):
        return [{**limit, "limit": 10 ** 9, "window": window(limit["per"], at), "amount": amount, **more} for limit, amount, more in limits]

    def attempt(self, at, request, *limits):
        self.line("attempt", at, request, number=2, reserve={"at": at, "limits": self.limits(at, limits)})

    def outcome(self, at, request, kind="outcome", **charged):
        self.line(kind, at, request, charged=charged)


def new_id(at):
    return str(uuid.UUID(int=at << 80 | 0x7 << 76 | 0x8 << 60 | int.from_bytes(os.urandom(7), "big")))


def of(limit, amount, **more):
    return limit, amount, more


def counters(cli):
    shown = json.loads(cli.run("ledger", "show", "--json").stdout)["counters"]
    return {(row["level"], row["uid"], row["dimension"], row["per"], row["class"], row.get("model")): row["value"] for row in shown if row["value"]}


def key(limit, model=None):
    number = None if model is None else "%016x" % int.from_bytes(hashlib.sha256(model.encode()).digest()[:8], "little")
    return (limit["level"], limit["uid"], limit["dimension"], limit["per"], limit["class"], number)


def reboot(cli, *arguments, **options):
    (cli.home / "ledger").unlink()
    return cli.init("--ledger-size", "1m", *arguments, **options)


def count(cli, *lines):
    subprocess.run([COUNT, cli.home / "ledger"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)


def test_counters_come_back(made):
    count(made, "2 tenant tokens day budget 700", "4 key micro-dollars none budget 12", "2 tenant tokens day budget 1 gpt-4.1")
    before = counters(made)
    assert before == {key(BUDGET): 700, key(FOREVER): 12, key(BUDGET, "gpt-4.1"): 1}
    said = json.loads(made.run("ledger", "checkpoint", "--json").stdout)
    assert (said["counters"], said["open"], said["made"], said["failed"]) == (3, 0, 1, 0)
    assert said["file"] == str(made.home / "ledger.ckpt") and os.stat(said["file"]).st_size == said["bytes"] == 128 + 3 * 40 + 32
    done = reboot(made, "--json")
    assert json.loads(done.stdout)["counters"] == 3 and json.loads(done.stdout)["checkpoint"] == said["file"]
    assert counters(made) == before
    assert made.run("ledger", "check").returncode == 0
    # a ledger that is there stays as it is
    count(made, "2 tenant tokens day budget 5")
    made.init()
    assert counters(made)[key(BUDGET)] == 705


def test_what_is_open_is_charged_in_full_and_flight_comes_back(made):
    with subprocess.Popen([COUNT, made.home / "ledger", "held"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in ("4 key in-flight none rate 1", "2 tenant tokens day budget 300"):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "counted\n"
        assert "2 of them in open" in made.run("ledger", "checkpoint", made.tmp / "elsewhere").stdout
        process.stdin.close()
    assert not (made.home / "ledger.ckpt").exists()
    done = reboot(made, "--checkpoint", made.tmp / "elsewhere")
    assert "charged in full" in done.stdout
    assert counters(made) == {key(BUDGET): 300}


def test_the_record_is_replayed_where_there_is_no_checkpoint(made):
    """Outcomes say what is charged; who has none is charged what it had reserved, with its further attempts; a lost line says."""
    record, at = Record(made.home / "audit"), now()
    done = record.decision(at, of(BUDGET, 900), of(FOREVER, 50), of(REQUESTS, 1), of(FLIGHT, 1), of(BUDGET, 900, model="gpt-4.1"))
    record.outcome(at + 5, done, requests=1, input=100, output=23, tokens=123, micro_dollars=7)
    record.decision(at, of(BUDGET, 1000), of(REQUESTS, 1))
    failed_over = record.decision(at, of(BUDGET, 2000), of(FOREVER, 3))
    record.attempt(at + 1, failed_over, of(BUDGET, 4000), of(FOREVER, 4))
    denied = record.decision(at, of(BUDGET, 10 ** 6), verdict="deny")
    assert denied
    lost = record.decision(at, of(BUDGET, 70000), of(REQUESTS, 1))
    Record(made.home / "audit", pid=3).outcome(at + 9, lost, kind="lost", requests=1, tokens=20000)
    record.decision(at - 86400000, of(BUDGET, 5000))                  # a day that is over
    record.decision(at, of(BUDGET, 8000, left_out=True))
    with open(record.path, "a") as file:
        file.write("{\"prev\":\"damaged\n" + "torn")
    said = reboot(made)
    assert counters(made) == {key(BUDGET): 123 + 1000 + 6000 + 20000, key(BUDGET, "gpt-4.1"): 123, key(FOREVER): 7 + 7, key(REQUESTS): 3}
    assert "7 requests since are charged, 5 of them what they had reserved" in said.stdout and "1 damaged lines" in said.stderr
    # and as often as one likes
    reboot(made)
    assert counters(made)[key(BUDGET)] == 27123


def test_a_replay_without_a_basis(made):
    """Limits that stood in a basis which is damaged cannot be charged: that is said, and the others are."""
    record, at = Record(made.home / "audit"), now()
    record.line("basis", at, new_id(at), basis=1, members={"limits": 5})
    record.line("basis", at, new_id(at), basis=2, members=5)
    for number in (2, 3):
        request = new_id(at)
        record.line("decision", at, request, org="nordbank", verdict="allow", reserve={"at": at, "basis": [number]})
        record.outcome(at + 5, request, requests=1, tokens=123)
    done = record.decision(at, of(BUDGET, 900))
    record.outcome(at + 5, done, requests=1, tokens=77)
    said = reboot(made)
    assert counters(made) == {key(BUDGET): 77} and "3 damaged lines of the record were left out" in said.stderr


def test_what_was_admitted_and_then_denied_was_a_request(made):
    """Its decision says which limits of requests counted it; one that a limit refused was counted by none."""
    record, at = Record(made.home / "audit"), now() - 60000
    denied = record.decision(at, of(REQUESTS, 1), of(FLIGHT, 1), verdict="deny")
    record.line("decision", at, new_id(at), org="nordbank", verdict="deny", code="rate_limit_exceeded", limit=Record.limits(at, [of(REQUESTS, 1)])[0])
    said = reboot(made)
    assert counters(made) == {key(REQUESTS): 1} and "1 requests since are charged, 0 of them" in said.stdout
    # one that a checkpoint has is not charged again
    made.run("ledger", "checkpoint")
    assert denied and counters(made) == {key(REQUESTS): 1}
    reboot(made)
    assert counters(made) == {key(REQUESTS): 1}


def test_a_lost_line_speaks_of_the_last_attempt(made):
    """What those before it were charged is no more than they had reserved, and not forgotten."""
    record, at = Record(made.home / "audit"), now()
    request = record.decision(at, of(BUDGET, 2000), of(FOREVER, 300), of(REQUESTS, 1))
    record.attempt(at + 1, request, of(BUDGET, 4000), of(FOREVER, 400))
    record.outcome(at + 9, request, kind="lost", requests=1, tokens=50)
    reboot(made)
    assert counters(made) == {key(BUDGET): 2000 + 50, key(FOREVER): 300 + 400, key(REQUESTS): 1}


def test_the_record_after_a_checkpoint(made):
    """What the checkpoint has is not charged again; a request that was open in it only what it used above its reservation."""
    record, at = Record(made.home / "audit"), now() - 60000
    before = record.decision(at, of(BUDGET, 900))
    record.outcome(at + 5, before, tokens=100)
    count(made, "2 tenant tokens day budget 100")
    made.run("ledger", "checkpoint")
    time.sleep(0.01)
    after = record.decision(now(), of(BUDGET, 900))
    record.outcome(now(), after, tokens=11)
    record.attempt(now(), before, of(BUDGET, 4))                      # decided long before, and one more attempt since
    reboot(made)
    assert counters(made) == {key(BUDGET): 100 + 11 + 4}


def test_a_request_that_was_open_is_not_charged_twice(made):
    """tests/tools/count reserves under one id, 01000000-0000-...: its decision comes into the record after the checkpoint."""
    with subprocess.Popen([COUNT, made.home / "ledger", "held"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write("2 tenant tokens day budget 300\n")
        process.stdin.flush()
        assert process.stdout.readline() == "counted\n"
        made.run("ledger", "checkpoint")
        process.stdin.close()
    record = Record(made.home / "audit")
    request = record.decision(now(), of(BUDGET, 300), of(FOREVER, 5), request="01000000-0000-0000-0000-000000000000")
    record.outcome(now(), request, tokens=120, micro_dollars=2)
    reboot(made)
    assert counters(made) == {key(BUDGET): 300, key(FOREVER): 2}


def test_segments_of_other_directories(made):
    elsewhere = made.tmp / "second"
    (elsewhere / "open").mkdir(parents=True)
    first, second = Record(made.home / "audit", sequence=1), Record(elsewhere, sequence=2)
    request = first.decision(now(), of(BUDGET, 900))
    second.outcome(now(), request, tokens=5)
    reboot(made, "--audit", made.home / "audit", "--audit", elsewhere)
    assert counters(made) == {key(BUDGET): 5}
    reboot(made)
    assert counters(made) == {key(BUDGET): 900}


def damage(path, what):
    data = bytearray(path.read_bytes())
    if what == "cut":
        del data[-7:]
    elif what == "bit":
        data[140] ^= 1
    elif what == "version":
        data[8] = 9
    elif what == "nothing":
        data = bytearray()
    path.write_bytes(data)


@pytest.mark.parametrize("what, says", (("cut", "cut short"), ("bit", "damaged"), ("version", "layout 9"), ("nothing", "no checkpoint")))
def test_a_damaged_checkpoint_is_refused(made, what, says):
    count(made, "2 tenant tokens day budget 700")
    made.run("ledger", "checkpoint")
    damage(made.home / "ledger.ckpt", what)
    done = reboot(made, code=1)
    assert says in done.stderr and "--no-checkpoint" in done.stderr and "move" in done.stderr
    assert not (made.home / "ledger").exists() and not list(made.home.glob("*.loading"))
    made.init("--ledger-size", "1m", "--no-checkpoint")
    assert counters(made) == {}


def test_a_checkpoint_of_another_store_or_time_is_refused(made, tmp_path_factory):
    count(made, "2 tenant tokens day budget 700")
    made.run("ledger", "checkpoint")
    other = type(made)(tmp_path_factory.mktemp("other"))
    other.init("--ledger-size", "1m")
    (other.home / "ledger.ckpt").write_bytes((made.home / "ledger.ckpt").read_bytes())
    assert "another store.key" in reboot(other, code=1).stderr
    assert "cannot be read" in reboot_missing(made).stderr


def reboot_missing(cli):
    return reboot(cli, "--checkpoint", cli.tmp / "none", code=1)


def test_every(made):
    """Goes on until SIGTERM, with what is counted meanwhile; one that fails leaves the file as it was."""
    count(made, "2 tenant tokens day budget 1")
    environment = [GATEHOUSE, "ledger", "checkpoint", "--every", "100ms", "--json", "--home", made.home, "--secrets", made.secrets]
    process = subprocess.Popen(list(map(str, environment)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "first checkpoint made, with 1 counters" in process.stderr.readline()
    count(made, "2 tenant tokens day budget 41", "4 key micro-dollars none budget 5")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and json.loads(out)["made"] >= 2 and json.loads(out)["counters"] == 2
    reboot(made)
    assert counters(made) == {key(BUDGET): 42, key(FOREVER): 5}


def test_several_at_once(made):
    """Checkpoints of the service and by hand, and then what is made of them at a boot: each is whole, and none is in another's way."""
    def all_do(*words):
        running = [subprocess.Popen([GATEHOUSE, *words], env=made.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(6)]
        assert [(one.communicate()[0], one.returncode) for one in running if one.wait() != 0] == []
    count(made, *("%d key tokens day budget 7" % uid for uid in range(1, 400)))
    before = counters(made)
    assert len(before) == 399
    for _ in range(4):
        all_do("ledger", "checkpoint")
        assert sorted(one.name for one in made.home.glob("ledger.ckpt*")) == ["ledger.ckpt"]
        (made.home / "ledger").unlink()
        all_do("init", *owner_arguments(), "--ledger-size", "1m")
        assert counters(made) == before and made.run("ledger", "check").returncode == 0
        assert sorted(one.name for one in made.home.glob("ledger*")) == ["ledger", "ledger.ckpt"]
        count(made, "1 key tokens day budget 1")                      # in the one that the store names
        before[("key", 1, "tokens", "day", "budget", None)] += 1


def test_usage(made):
    for every in ("5x", "10ms", "2h", "", "-1s"):
        assert "--every" in made.run("ledger", "checkpoint", f"--every={every}", code=64).stderr
    (made.home / "ledger").unlink()
    assert "gatehouse init" in made.run("ledger", "checkpoint", code=1).stderr
