"""`gatehouse audit`: what verify finds, what show chooses, and how tail follows; on a record made by the test's own writer."""
import hashlib
import json
import os
import pathlib
import subprocess
import time

import pytest

COMMAND = pathlib.Path(__file__).resolve().parents[2] / "build" / "gatehouse"
TIME = 1700000000000


def request_id(number):
    return f"018bcfe5-6800-7000-8000-{number:012d}"


class Writer:
    """One writer's chain of segments. Bodies without prev and n."""

    def __init__(self, directory, pid=77, node="fra-1"):
        self.open, self.pid, self.node, self.chain, self.sequence, self.name = pathlib.Path(directory) / "open", pid, node, "0" * 64, 0, None
        self.open.mkdir(parents=True, exist_ok=True)

    def begin(self, **more):
        name = f"{self.node}-{TIME}-{self.pid}-{self.sequence}.jsonl"
        previous = {"previous_file": self.name} if self.name else {}
        self.name, self.path, self.n, self.sequence = name, self.open / name, 0, self.sequence + 1
        self.add("segment", node=self.node, worker=0, epoch=TIME, pid=self.pid, version="0.1.0", **previous, **more)
        return self

    def add(self, kind, t=0, **members):
        first = {"prev": self.chain, "n": self.n, "v": 1, "type": kind, "t": TIME + t}
        text = json.dumps({**first, **members}, separators=(",", ":"))
        self.chain, self.n = hashlib.sha256(text.encode()).hexdigest(), self.n + 1
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(text + "\n")
        return self

    def request(self, number, tenant="retail", end="outcome", t=0):
        self.add("decision", t, id=request_id(number), org="nordbank", tenant=tenant, app="chat", key="main", model="gpt", verdict="allow",
                 route=[{"deployment": "se"}])
        if end == "outcome":
            self.add("outcome", t + 5, id=request_id(number), status=200, end="complete", attempts=[{"deployment": "se"}], bytes_out=3)
        elif end == "lost":
            self.add("lost", t + 9, id=request_id(number), segment=self.name, number=1)
        return self

    def seal(self, **more):
        return self.add("seal", lines=self.n, bytes=self.path.stat().st_size, **more)

    def roll(self):
        self.seal(next_file=f"{self.node}-{TIME}-{self.pid}-{self.sequence}.jsonl")
        return self.begin()


def run(*arguments, code=0):
    done = subprocess.run([COMMAND, "audit", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def problems(directory, *more, code=3):
    found = json.loads(run("verify", directory, *more, "--json", code=code))
    assert found["sound"] == (code == 0) and found["signed"] is False and "forgery" in found["undetectable"]
    return sorted({one["code"] for one in found["problems"]})


@pytest.fixture
def audit(tmp_path):
    writer = Writer(tmp_path / "audit").begin()
    writer.request(1).request(2, tenant="hr").roll().request(3, end="lost").request(4)
    writer.seal()
    return tmp_path / "audit"


def segments(audit):
    return sorted((audit / "open").iterdir())


def test_sound_record(audit):
    text = run("verify", audit)
    assert "4 requests allowed (3 ended, 1 lost, 0 running)" in text and "not signed" in text and "cannot be told" in text
    assert problems(audit, code=0) == []
    assert run("verify", audit / "open") == text


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def rewrite(path, lines):
    path.write_bytes(b"".join(line + b"\n" for line in lines))


TAMPER = {
    "a line removed": (lambda lines: lines[:2] + lines[3:], {"chain", "number"}),
    "two lines exchanged": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], {"chain", "number", "without_decision"}),
    "a line doubled": (lambda lines: lines[:2] + lines[1:], {"chain", "number"}),
    "a status changed": (lambda lines: [line.replace(b'"status":200', b'"status":500') for line in lines], {"chain"}),
    "a line that is no JSON": (lambda lines: lines[:2] + [lines[2][:-1]] + lines[3:], {"chain", "json"}),
    "a line of somebody else": (lambda lines: lines[:2] + [b"hello"] + lines[2:], {"chain", "form"}),
    "the seal cut off": (lambda lines: lines[:-1], {"unsealed"}),
    "a tail cut off": (lambda lines: lines[:-2], {"unsealed", "without_outcome"}),
    "the first line gone": (lambda lines: lines[1:], {"gap", "no_segment_line", "number"}),
}


@pytest.mark.parametrize("what", TAMPER)
def test_tampering_of_the_last_segment(audit, what):
    change, expected = TAMPER[what]
    last = segments(audit)[-1]
    rewrite(last, change(lines_of(last)))
    assert expected <= set(problems(audit)), what


def test_every_byte_of_it(audit):
    """Whichever byte of a line is changed, verify does not say that the record is sound."""
    path = segments(audit)[0]
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        run("verify", audit, code=3)
    path.write_bytes(data)
    run("verify", audit)


def test_segments_that_are_missing(tmp_path):
    audit = tmp_path / "audit"
    writer = Writer(audit).begin().request(1)
    for number in range(2, 6):
        writer.roll().request(number)
    writer.seal()
    files = segments(audit)
    files[2].rename(tmp_path / "away")
    assert problems(audit) == ["gap"]
    (tmp_path / "away").rename(files[2])
    files[-1].unlink()
    assert problems(audit) == ["gap"]                      # its seal names the next
    files[0].unlink()
    assert "gap" in problems(audit)
    for path in files[1:-2]:
        path.unlink()
    found = json.loads(run("verify", audit, "--json", code=3))
    assert [one["code"] for one in found["notes"]] == ["begins_later"]


def test_torn_tail_and_open_request(audit):
    with open(segments(audit)[-1], "ab") as file:
        file.write(b'{"prev":"')
    assert "torn" in problems(audit)


def test_a_request_without_its_end(tmp_path):
    Writer(tmp_path).begin().request(1, end=None).seal()
    assert problems(tmp_path) == ["without_outcome"]
    Writer(tmp_path / "two").begin().request(1).add("outcome", id=request_id(1), status=200).seal()
    assert problems(tmp_path / "two") == ["without_decision"]
    Writer(tmp_path / "three").begin().request(1).request(1).seal()
    assert problems(tmp_path / "three", code=0) == []
    Writer(tmp_path / "four").begin().request(1, end=None).request(1).seal()
    assert "decided_twice" in problems(tmp_path / "four")


def test_two_directories(tmp_path):
    """A segment that failed in one, and went on in the other."""
    writer = Writer(tmp_path / "a").begin().request(1)
    writer.open = tmp_path / "b" / "open"
    writer.open.mkdir(parents=True)
    writer.begin(previous_error="Input/output error", torn_bytes=3).request(2).seal()
    assert problems(tmp_path / "a", tmp_path / "b", code=0) == []
    assert problems(tmp_path / "a") == ["unsealed"]
    assert len(run("show", "--audit", tmp_path / "a", "--audit", tmp_path / "b", "--type", "decision", "--json").splitlines()) == 2


def test_show_filters(audit):
    def ids(*arguments):
        return [json.loads(line)["id"] for line in run("show", audit, "--json", *arguments).splitlines()]
    assert ids("--tenant", "hr") == [request_id(2)] * 2
    assert ids("--org", "nordbank", "--type", "outcome", "--tenant", "retail") == [request_id(1), request_id(4)]
    assert ids("--type", "lost") == [request_id(3)] and ids("--id", request_id(3)) == [request_id(3)] * 2
    assert ids("--model", "other") == [] and ids("--verdict", "deny") == [] and len(ids("--verdict", "allow")) == 8
    assert ids("--deployment", "se", "--type", "outcome") == [request_id(n) for n in (1, 2, 4)]
    assert len(run("show", audit, "--until", "2023-11-14").splitlines()) == 0
    assert len(run("show", audit, "--since", "2023-11-14", "--until", "2023-11-15").splitlines()) == len(b"".join(map(pathlib.Path.read_bytes, segments(audit))).splitlines())
    text = run("show", audit, "--type", "decision")
    assert text.splitlines()[0].startswith("2023-11-14T22:13:20Z  decision") and "tenant retail" in text and "verdict allow" in text
    run("show", audit, "--type", "nothing", code=64)
    run("show", audit, "--since", "yesterday", code=64)
    run("show", audit / "nowhere", code=1)
    run("verify", audit / "nowhere", code=1)


def test_show_prints_what_the_whole_request_was_charged(tmp_path):
    """Not its first attempt's; and a rule may have any name."""
    writer = Writer(tmp_path / "audit").begin()
    nothing, some = {"tokens": 0, "micro_dollars": 0, "source": "nothing"}, {"tokens": 24, "micro_dollars": 150, "source": "reported"}
    writer.add("decision", id=request_id(1), org="nordbank", tenant="retail", app="chat", key="main", model="gpt", verdict="allow",
               route=[{"deployment": "se"}, {"deployment": "de"}], no={"deployment": "01", "code": "02"}, reserve={"tokens": 900, "micro_dollars": 70})
    writer.add("outcome", id=request_id(1), status=200, end="complete", attempts=[{"deployment": "se", "status": 500, "charged": nothing},
               {"deployment": "de", "status": 200, "charged": some}], usage={"input": 7, "source": "reported"}, charged={"requests": 1, "tokens": 24, "micro_dollars": 150}, bytes_out=3)
    writer.add("decision", id=request_id(2), org="nordbank", tenant="retail", app="chat", key="main", model="gpt", verdict="allow",
               route=[{"deployment": "se"}], reserve={"tokens": 900, "micro_dollars": 70})
    writer.add("lost", id=request_id(2), segment=writer.name, number=1, reserve={"tokens": 900, "micro_dollars": 70}, charged={"requests": 1, "tokens": 800})
    shown = run("show", tmp_path / "audit").splitlines()
    assert shown[1].endswith(" model gpt verdict allow deployment se")
    assert shown[2].endswith(" status 200 end complete deployment de source reported micro_dollars 150 bytes_out 3")
    assert shown[4].endswith(" number 1 tokens 800")


def test_tail(audit):
    assert [json.loads(line)["n"] for line in run("tail", audit, "--lines", "2", "--type", "seal", "--json").splitlines()] == [5, 5]
    assert len(run("tail", audit, "--lines", "0").splitlines()) == 0
    run("tail", audit, "--lines", "x", code=64)
    tail = subprocess.Popen([COMMAND, "audit", "tail", audit, "--follow", "--lines", "1", "--json", "--type", "decision"], stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(tail.stdout.readline())["id"] == request_id(4)
        writer = Writer(audit, pid=78).begin().request(10, t=100)
        assert json.loads(tail.stdout.readline())["id"] == request_id(10)
        writer.roll().request(11, t=200)
        Writer(audit, pid=79).begin().request(12, t=300)
        assert {json.loads(tail.stdout.readline())["id"] for _ in range(2)} == {request_id(11), request_id(12)}
        with open(writer.path, "a", encoding="utf-8") as file:          # half a line is none
            file.write('{"prev":"')
        time.sleep(0.3)
    finally:
        tail.kill()
        assert tail.communicate()[0] == ""


def test_bases(tmp_path):
    """Decisions are whole again wherever they are shown, from whichever line reading begins; one that refers to nothing is damage."""
    writer = Writer(tmp_path / "audit").begin()
    writer.add("basis", basis=1, members={"route": [{"deployment": "se"}], "policy": "null, \"basis\":[1]"})
    writer.add("basis", basis=2, members={"limits": [{"level": "key", "uid": None, "value": None}]})

    def request(number, **members):
        writer.add("decision", number, id=request_id(number), org="nordbank", tenant="retail", app="chat", key="main", verdict="allow", **members)
        writer.add("outcome", number + 1, id=request_id(number), status=200, end="complete", attempts=[{"deployment": "se"}], bytes_out=3)

    full = {"route": [{"deployment": "se"}], "policy": "null, \"basis\":[1]", "node": "fra-1",
            "reserve": {"at": 1, "limits": [{"level": "key", "uid": 7, "value": 9223372036854775807}], "tokens": 3}}
    short = {"basis": [1], "node": "fra-1", "reserve": {"at": 1, "basis": [2, 7, 9223372036854775807], "tokens": 3}}
    request(1, **full)
    request(10, **short)
    audit = tmp_path / "audit"
    shown = [json.loads(line) for line in run("show", audit, "--type", "decision", "--json").splitlines()]
    own = ("prev", "n", "t", "id")
    assert [{name: one[name] for name in one if name not in own} for one in shown][0] == {name: one for name, one in shown[1].items() if name not in own}
    assert list(shown[0]) == list(shown[1]) and shown[1]["reserve"] == full["reserve"]
    assert "deployment se" in run("show", audit, "--id", request_id(10)) and "basis" not in run("show", audit)
    assert len(run("show", audit, "--type", "basis").splitlines()) == 2
    story = subprocess.run([COMMAND, "explain", request_id(10), "--audit", audit, "--json"], capture_output=True, text=True, timeout=120)
    assert json.loads(story.stdout)[0] == shown[1]

    with subprocess.Popen([COMMAND, "audit", "tail", audit, "--lines", "1", "--type", "decision", "--follow", "--json"], stdout=subprocess.PIPE,
                          text=True) as tail:
        try:
            assert json.loads(tail.stdout.readline()) == shown[1]
            request(20, **short)
            assert json.loads(tail.stdout.readline())["reserve"] == full["reserve"]
        finally:
            tail.kill()
    writer.seal()
    assert problems(audit, code=0) == []

    for wrong in ({"basis": [3]}, {"basis": [1, 5]}, {"reserve": {"basis": [2, 7]}}):
        writer = Writer(tmp_path / "wrong", pid=len(str(wrong))).begin()
        writer.add("basis", basis=1, members={"route": []}).add("basis", basis=2, members={"limits": [None, None]})
        request(1, **wrong)
        writer.seal()
        assert problems(tmp_path / "wrong") == ["basis"]
        writer.path.unlink()
    writer = Writer(tmp_path / "wrong").begin()
    writer.add("basis", basis=1, members={"route": []}).add("basis", basis=1, members={"route": []}).seal()
    assert problems(tmp_path / "wrong") == ["basis"]


def test_a_basis_that_is_damaged(tmp_path):
    """What refers to it is shown as it stands, and said to be less than it was; verify says where."""
    writer = Writer(tmp_path / "audit").begin().add("basis", basis=1, members=5)
    writer.add("decision", 1, id=request_id(1), org="nordbank", tenant="retail", app="chat", key="main", verdict="allow", basis=[1])
    writer.add("outcome", 2, id=request_id(1), status=200, end="complete", attempts=[{"deployment": "se"}], bytes_out=3)
    writer.request(10, t=5).seal()
    done = subprocess.run([COMMAND, "audit", "show", tmp_path / "audit", "--type", "decision", "--json"], capture_output=True, text=True, timeout=120)
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and [one["id"] for one in shown] == [request_id(1), request_id(10)] and "route" not in shown[0]
    assert "2 lines are shown without what stands once for many" in done.stderr
    assert problems(tmp_path / "audit")[0] == "basis"


def test_schema():
    assert json.loads(run("schema")) == json.loads((pathlib.Path(COMMAND).parents[1] / "conf" / "schema" / "record-1.schema.json").read_text())
    assert os.access(COMMAND, os.X_OK)
