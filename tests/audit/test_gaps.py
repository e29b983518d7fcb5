"""A request without a line is accepted only of a best-effort caller, within a gap that the record has, and no more of them than that says."""
import pytest

from gaps import mode
from test_auditor import HOUR, Run, audit
from documents import allow, deployment, fleet, residency, tenants

FLEET = fleet(deployment("eu"), deployment("us", priority=2, country="US"))


def documents(red="best-effort", floor="best-effort", **more):
    return [FLEET, residency(allow("anywhere"), audit=floor), tenants(red={"audit": red, **more})]


def gap(run, at, requests, begin=2, **more):
    run.lines.append({"type": "gap", "t": int((HOUR + at) * 1000), "from": int((HOUR + begin) * 1000), "to": int((HOUR + at - 0.1) * 1000), "pid": 77, "requests": requests, **more})


def run_with(directory, count=2, owner="acme/red/app", said=None, when=2.5, attempts=0, written=documents(), again=False):
    """One recorded request, `count` without a line, and a gap that says so."""
    run = Run()
    run.edit(0, 1, written)
    run.decision(1, "before", 1, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(1.01, "before", "eu")
    run.outcome(1.1, "before")
    for number in range(count):
        run.arrival(when + number / 100, f"gone{number}", "eu")
    if said != 0:
        for _ in range(1 + again):
            gap(run, 4, count if said is None else said, **({"attempts": attempts} if attempts else {}))
    run.decision(5, "after", 1, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(5.01, "after", "eu")
    run.outcome(5.1, "after")
    access = directory / "access.log"
    access.write_text("".join(f"{HOUR + 3:.3f} 200 gone{number} {owner} m eu\n" for number in range(count)))
    original = run.write

    def write(to):
        path = original(to)
        trail = to / "gateway-1.jsonl"
        trail.write_text(trail.read_text().replace('"log": ""', f'"log": "", "access": "{access}"'))
        return path
    run.write = write
    return run


@pytest.mark.parametrize("planted, wrong", [
    ({}, set()), ({"said": 1, "attempts": 1}, set()), ({"again": True, "said": 2}, set()),
    ({"said": 0}, {"I1"}), ({"said": 1}, {"I1"}), ({"again": True, "said": 1}, {"I1"}), ({"when": 1.2}, {"I1"}),
    ({"owner": "acme/blue/app"}, {"I1"}), ({"owner": "acme/nobody/app"}, {"I1"}), ({"written": documents(red="required")}, {"I1"}),
    ({"written": documents(apps=[{"id": "app", "audit": "required"}])}, {"I1"}), ({"written": documents(floor="required")}, {"I1"}),
])
def test_without_a_line(tmp_path, planted, wrong):
    auditor = audit(run_with(tmp_path, **planted), tmp_path)
    assert {one.rule for one in auditor.violations} == wrong, auditor.report()


def test_a_further_attempt(tmp_path):
    """Of a request whose decision is there, an attempt that no line promised."""
    for directory, said in ((tmp_path / "told", 1), (tmp_path / "untold", 0)):
        directory.mkdir()
        run = Run()
        run.edit(0, 1, documents())
        run.decision(2, "twice", 1, [("eu", ["anywhere"]), ("us", ["anywhere"])])
        run.arrival(2.01, "twice", "eu")
        run.arrival(2.11, "twice", "us")
        if said:
            gap(run, 2.2, 0, begin=2.1, attempts=1)
        run.outcome(2.3, "twice", 2)
        auditor = audit(run, directory)
        assert {one.rule for one in auditor.violations} == (set() if said else {"I1"}), auditor.report()


def test_modes():
    assert mode(documents(), "acme/red/app") == "best-effort" and mode(documents(), "acme/blue/app") == "required"
    whole = tenants()
    whole["organisations"][0]["audit"] = "best-effort"
    for tenant in whole["organisations"][0]["tenants"]:
        del tenant["audit"]
    assert mode([residency(audit="best-effort"), whole], "acme/blue/app") == "best-effort"
    assert mode([residency(), whole], "acme/blue/app") == "required"
