"""
The auditor finds what is planted. A run is written by hand, as backends, editors and the record would have: an honest one, about which it says
nothing, and then each time the same run with one thing changed.
"""
import hashlib
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import segments  # noqa: E402
from auditor import Auditor  # noqa: E402
from documents import allow, deployment, fleet, forbid, residency, tenants  # noqa: E402

segments.TYPES = None                # lines of a run written by hand have only what the auditor reads: the published schema is not theirs
HOUR = 1800000000.0                  # the run's first second
NODE_FILE = "node-1-1800000000000-77-0.jsonl"
ADDRESSES = {"eu": "127.0.0.2:80", "us": "127.0.0.3:80"}
FLEET = fleet(deployment("eu", features={"web_search": {"process": ["SE"], "store": "nothing"}}), deployment("us", priority=2, country="US"))
STRANGE = {"features": [{"name": "", "where": "field_of_tomorrow"}], "uninspected": True}
CLASSIFY = {"labels": ["header:x-data-class"]}


def policy(*rules, forbids=()):
    return [FLEET, residency(*rules, forbids=forbids, classes=("public", "secret"), classify=CLASSIFY), tenants()]


WIDE = policy(allow("anywhere", ("public", "secret")))
TIGHT = policy(allow("anywhere", ("public",)), allow("quiet", ("secret",), process=("EU",), store="nothing"), forbids=[forbid("never-us", process=["US"])])


class Run:
    """Written with `write`, after whatever was changed."""

    def __init__(self):
        self.edits, self.arrivals, self.lines, self.events = [], [], [], []

    # ---- what happens ----

    def edit(self, at, number, documents, *flags, exit=0, lasts=0.2, command="policy apply", argv=None, out=None):
        self.edits.append({"event": "edit", "command": command, "argv": argv or ["policy", "apply", "DIR", *flags], "begin": HOUR + at, "end": HOUR + at + lasts, "exit": exit,
                           "out": f"revision {number}\n" if out is None else out,
                           "documents": [{"path": f"{i}.json", "text": json.dumps(one)} for i, one in enumerate(documents or ())]})

    def decision(self, at, id, revision, route, no=None, rule=None, code=None, classes=("public",), **more):
        line = {"type": "decision", "t": int((HOUR + at) * 1000), "id": id, "org": "acme", "tenant": "red", "app": "app", "key": "main", "endpoint": "chat.completions",
                "model": "m", "bytes": 66, "classes": [{"name": one, "from": "default"} for one in classes], "features": [], "revision": revision,
                "verdict": "allow" if route else "deny", "code": code, "rule": rule,
                "route": [self.target(name, rules) for name, rules in route], "no": no or {}, "deployments": ["eu", "us"], "node": "node-1", "clock": int((HOUR + at) * 1000)}
        self.lines.append({key: value for key, value in {**line, **more}.items() if value is not None})
        return self.lines[-1]

    def target(self, name, rules):
        return {"deployment": name, "upstream_model": "m", "process": ["DE", "SE" if name == "eu" else "US"], "store": "nothing", "rules": list(rules)}

    def attempt(self, at, id, number, revision, name, rules):
        self.lines.append({"type": "attempt", "t": int((HOUR + at) * 1000), "id": id, "number": number, "revision": revision, **self.target(name, rules)})
        return self.lines[-1]

    def outcome(self, at, id, tries=1):
        self.lines.append({"type": "outcome", "t": int((HOUR + at) * 1000), "id": id, "status": 200, "end": "complete",
                           "attempts": [{"deployment": "eu", "sent": 10000, "total_us": 5} for _ in range(tries)]})

    def arrival(self, at, id, name, chunks=(), **body):
        """chunks: [(seconds after the first byte, bytes)]; the line before it was written when its head was whole."""
        self.arrivals.append({"at": at, "id": id, "name": name, "chunks": [(0, 300), *chunks], "after": len(self.lines), "body": {"model": "m", "fields": ["messages", "model"], **body}})
        return self.arrivals[-1]

    # ---- as files ----

    def write(self, directory):
        texts, previous = [], "0" * 64
        segment = {"type": "segment", "t": int(HOUR * 1000), "node": "node-1", "pid": 77}
        for number, line in enumerate([segment, *self.lines]):
            text = json.dumps({"prev": previous, "n": number, "v": 1, **line}, separators=(",", ":")).encode()
            previous = hashlib.sha256(text).hexdigest()
            texts.append(text + b"\n")
        record = directory / "audit" / "open"
        record.mkdir(parents=True)
        (record / NODE_FILE).write_bytes(b"".join(texts))
        sizes = [sum(map(len, texts[:count])) for count in range(1, len(texts) + 1)]
        events = [{"event": "gateway", "audit": str(directory / "audit"), "node": "node-1", "log": "", "backends": ADDRESSES}, *self.edits, *self.events]
        self.jsonl(directory / "gateway-1.jsonl", events)
        for number, (name, address) in enumerate(ADDRESSES.items(), 2):
            events = [{"event": "backend", "name": name, "address": address}]
            for request, one in enumerate([one for one in self.arrivals if one["name"] == name], 1):
                key = {"c": 1, "r": request}
                events += [{"event": "bytes", **key, "t": HOUR + one["at"] + after, "n": count, "kernel": True} for after, count in one["chunks"]]
                if one["id"] != "headless":
                    events.append({"event": "head", **key, "t": HOUR + one["at"], "id": one["id"], "target": "/v1/chat/completions", "sizes": {NODE_FILE: sizes[one["after"]]}})
                    events.append({"event": "body", **key, "t": HOUR + one["at"], **one["body"]})
                if "answered" in one:
                    events.append({"event": "answered", **key, "id": one["id"], **one["answered"]})
            self.jsonl(directory / f"backend-{number}.jsonl", events)
        return record / NODE_FILE

    @staticmethod
    def jsonl(path, events):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))


def honest():
    """Two revisions, the second tighter; a plain request, one that fails over, one with two classes, one outside its narrowing, two with a field that nobody knows."""
    run = Run()
    run.edit(0, 1, WIDE)
    run.decision(1, "plain", 1, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(1.01, "plain", "eu")
    run.outcome(1.1, "plain")
    run.decision(2, "twice", 1, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(2.01, "twice", "eu")
    run.attempt(2.1, "twice", 2, 1, "us", ["anywhere"])
    run.arrival(2.11, "twice", "us")
    run.outcome(2.2, "twice", 2)
    run.decision(3, "nowhere", 1, [], {"(narrowed)": "03"}, code="residency_denied", narrowing=["FR"])
    run.decision(4, "odd", 1, [], {"anywhere": "03"}, "anywhere", "residency_denied", **STRANGE)
    run.edit(5, 2, TIGHT)
    run.decision(6, "late", 2, [("eu", ["anywhere"])], {"never-us": "02"})
    run.arrival(6.01, "late", "eu")
    run.outcome(6.1, "late")
    run.decision(7, "secret", 2, [("eu", ["anywhere", "quiet"])], {"never-us": "02"}, classes=("public", "secret"), labels=[{"header": "X-Data-Class", "value": "secret"}])
    run.arrival(7.01, "secret", "eu", store=False)
    run.outcome(7.1, "secret")
    run.decision(8, "strange", 2, [], {"never-us": "03"}, "never-us", "residency_denied", **STRANGE)
    return run


def audit(run, tmp_path, final=False, after=None):
    path = run.write(tmp_path)
    if after:
        after(path)
    auditor = Auditor(tmp_path, late=0)
    auditor.run(final)
    return auditor


def found(run, tmp_path, **more):
    return {one.rule for one in audit(run, tmp_path, **more).violations}


def line_of(run, id, kind="decision"):
    return next(line for line in run.lines if line["id"] == id and line["type"] == kind)


def arrival_of(run, id):
    return [one for one in run.arrivals if one["id"] == id][-1]


def test_an_honest_run(tmp_path):
    auditor = audit(honest(), tmp_path, final=True)
    assert not auditor.violations, auditor.report()
    assert auditor.counts == {"decisions": 7, "denials": 3, "requests at backends": 5}


PLANTED = {}


def planted(rule):
    def keep(plant):
        PLANTED[plant.__name__] = (rule, plant)
        return plant
    return keep


@planted("R1")
def forbidden_deployment_is_routed(run):
    line_of(run, "late")["route"].append(run.target("us", ["anywhere"]))
    line_of(run, "late")["no"] = {}


@planted("R1")
def forbidden_deployment_is_contacted(run):
    line_of(run, "late")["route"] = [run.target("us", ["anywhere"])]
    arrival_of(run, "late")["name"] = "us"


@planted("R1")
def rule_that_does_not_fit(run):
    line_of(run, "secret")["route"][0]["rules"] = ["anywhere", "anywhere"]


@planted("R1")
def class_without_a_rule(run):
    line_of(run, "secret")["route"][0]["rules"] = ["anywhere"]


@planted("R1")
def retry_by_a_rule_that_does_not_fit(run):
    line_of(run, "twice", "attempt")["rules"] = ["quiet"]


@planted("R1")
def another_model_is_asked_for(run):
    arrival_of(run, "late")["body"]["model"] = "another"


@planted("R1")
def store_is_not_off(run):
    del arrival_of(run, "secret")["body"]["store"]


@planted("R1")
def unknown_feature_is_served(run):
    line = line_of(run, "strange")
    line.update(verdict="allow", route=[run.target("eu", ["anywhere"])], no={"never-us": "02"})
    del line["rule"], line["code"]
    run.arrival(8.01, "strange", "eu")


@planted("R1")
def feature_that_the_decision_does_not_know(run):
    arrival_of(run, "late")["body"]["fields"].append("web_search_options")


@planted("R2")
def revision_that_nobody_made(run):
    line_of(run, "late")["revision"] = 3


@planted("R2")
def served_without_a_policy(run):
    run.edits = [one for one in run.edits if one["begin"] > HOUR + 4]


@planted("R3")
def decided_by_an_older_revision(run):
    line_of(run, "late").update(revision=1, no={}, route=[run.target("eu", ["anywhere"]), run.target("us", ["anywhere"])])


@planted("R3")
def dispatched_after_the_edit(run):
    arrival_of(run, "twice")["at"] = 5.3
    arrival_of(run, "twice")["after"] += 1


@planted("R3")
def bytes_after_the_edit(run):
    arrival_of(run, "twice")["chunks"] += [(1, 5000), (3.2, 1)]


@planted("R3")
def bytes_after_an_edit_that_lets_others_finish(run):
    """It began after the edit that lets finish what ran before."""
    run.edits[1]["argv"].append("--let-finish")
    arrival_of(run, "twice")["at"] = 5.3


@planted("R3")
def key_was_revoked(run):
    run.edit(5.5, 0, (), command="key revoke", argv=["key", "revoke", "acme/red/app/main"])


@planted("R3")
def worker_goes_back(run):
    run.edit(5.3, 3, WIDE, exit=3)
    line_of(run, "late").update(revision=3, no={}, route=[run.target("eu", ["anywhere"]), run.target("us", ["anywhere"])])


@planted("R9")
def denied_and_sent(run):
    run.arrival(8.01, "strange", "eu")


@planted("R9")
def denied_by_a_forbid_that_does_not_fire(run):
    run.edits[1]["documents"][1]["text"] = json.dumps(residency(allow("anywhere", ("public", "secret")), forbids=[forbid("never-us", process=["US"]), forbid("others", classes=["secret"])],
                                                                classes=("public", "secret"), classify=CLASSIFY))
    line_of(run, "strange")["rule"] = "others"


@planted("R9")
def denied_by_an_allow_that_is_farther(run):
    run.edits[0]["documents"][1]["text"] = json.dumps(residency(allow("anywhere", ("public", "secret")), allow("farther", process=("FR",)),
                                                                classes=("public", "secret"), classify=CLASSIFY))
    line_of(run, "odd")["rule"] = "farther"


@planted("R9")
def denied_without_a_name(run):
    del line_of(run, "odd")["rule"]


@planted("R9")
def empty_set_is_served(run):
    line = line_of(run, "odd")
    line.update(verdict="allow", route=[run.target("us", ["anywhere"])], no={"anywhere": "01"})
    del line["rule"], line["code"]
    run.arrival(4.01, "odd", "us")


@planted("R11")
def eligible_deployment_is_refused(run):
    line_of(run, "late").update(no={"never-us": "03"})


@planted("R11")
def refused_for_another_reason(run):
    line_of(run, "late").update(no={"anywhere": "02"})


@planted("R11")
def class_is_missing(run):
    line_of(run, "secret")["classes"].pop()


@planted("R11")
def other_places(run):
    line_of(run, "late")["route"][0]["process"] = ["DE"]


@planted("R11")
def denied_though_eligible(run):
    line_of(run, "late").update(verdict="deny", code="residency_denied", rule="never-us", route=[], no={"never-us": "03"})
    run.arrivals = [one for one in run.arrivals if one["id"] != "late"]


@planted("I1")
def no_line_at_all(run):
    run.lines = [line for line in run.lines if line["id"] != "secret"]


@planted("I1")
def line_is_written_after_the_dispatch(run):
    arrival_of(run, "late")["after"] -= 1


@planted("I1")
def line_is_younger_than_the_dispatch(run):
    line_of(run, "late")["t"] += 50


@planted("I1")
def retry_without_a_line(run):
    run.lines.remove(line_of(run, "twice", "attempt"))


@planted("I1")
def dispatch_to_a_place_that_no_line_names(run):
    line_of(run, "twice", "attempt")["deployment"] = "eu"
    line_of(run, "twice", "attempt")["process"] = ["DE", "SE"]


@planted("I1")
def second_decision(run):
    run.lines.append(dict(line_of(run, "late")))


@planted("I1")
def bytes_that_the_outcome_does_not_know(run):
    line_of(run, "twice", "outcome")["attempts"][1]["sent"] = 299


@planted("I1")
def attempts_out_of_order(run):
    line_of(run, "twice", "attempt")["number"] = 3


@planted("I1")
def outcome_after_a_denial(run):
    run.outcome(8.1, "strange")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation(tmp_path, name):
    rule, plant = PLANTED[name]
    run = honest()
    plant(run)
    auditor = audit(run, tmp_path)
    assert rule in {one.rule for one in auditor.violations}, auditor.report()


@pytest.mark.parametrize("what", ["no outcome", "half a head"])
def test_what_only_the_end_shows(tmp_path, what):
    run = honest()
    if what == "no outcome":
        run.lines = [line for line in run.lines if (line["id"], line["type"]) != ("late", "outcome")]
        run.events.append({"event": "stopped", "t": HOUR + 100})
    else:
        run.arrival(9, "headless", "eu")
    assert found(run, tmp_path, final=True) == {"I1"}


def test_a_killed_worker_leaves_no_outcome(tmp_path):
    run = honest()
    run.lines = [line for line in run.lines if (line["id"], line["type"]) != ("late", "outcome")]
    run.events += [{"event": "died", "pid": 77}, {"event": "stopped", "t": HOUR + 100}]
    assert not found(run, tmp_path, final=True)


def damage(path, change):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(change(lines)))


CHAIN = {
    "changed": lambda lines: [line.replace(b'"app":"app"', b'"app":"api"') for line in lines],
    "removed": lambda lines: lines[:3] + lines[4:],
    "reordered": lambda lines: lines[:3] + [lines[4], lines[3]] + lines[5:],
    "without a beginning": lambda lines: lines[1:],
    "garbage": lambda lines: lines[:-1] + [b"{", b""],
}


@pytest.mark.parametrize("what", CHAIN)
def test_a_broken_chain(tmp_path, what):
    assert "chain" in found(honest(), tmp_path, after=lambda path: damage(path, CHAIN[what]))


@pytest.mark.parametrize("what", ["cut", "gone"])
def test_a_file_that_was_read_before(tmp_path, what):
    path = honest().write(tmp_path)
    auditor = Auditor(tmp_path, late=0)
    assert not auditor.run()
    path.write_bytes(path.read_bytes()[:-200]) if what == "cut" else path.unlink()
    assert [one.rule for one in auditor.run()] == ["chain"]


# ---- what is no violation ----

def test_bytes_that_an_edit_lets_finish(tmp_path):
    run = honest()
    run.edits[1]["argv"].append("--let-finish")
    arrival_of(run, "twice")["chunks"] += [(1, 5000), (3.2, 1)]
    assert not found(run, tmp_path)


def test_an_edit_that_was_not_acknowledged(tmp_path):
    """In force, not acknowledged: either revision will do, until a later command says that it is obeyed."""
    run = honest()
    run.edits[1]["exit"] = 3
    arrival_of(run, "twice")["chunks"] += [(4, 1)]
    assert not found(run, tmp_path / "waiting")
    run.edit(5.25, 0, (), command="policy wait", argv=["policy", "wait"], out="")
    assert found(run, tmp_path / "confirmed") == {"R3"}


def test_an_edit_that_was_refused(tmp_path):
    run = honest()
    run.edits[1].update(exit=1, out="nothing was applied: revision 1 is in force")
    run.lines = [line for line in run.lines if line["revision" if "revision" in line else "t"] != 2 and line["id"] in ("plain", "twice", "nowhere")]
    run.arrivals = [one for one in run.arrivals if one["id"] in ("plain", "twice")]
    arrival_of(run, "twice")["chunks"] += [(4, 1)]
    assert not found(run, tmp_path)


def test_a_rollback(tmp_path):
    run = honest()
    run.edit(9, 3, None, command="policy rollback", argv=["policy", "rollback", "1"])
    run.decision(10, "again", 3, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(10.01, "again", "eu")
    assert not found(run, tmp_path / "right")
    run.decision(11, "wrong", 3, [("eu", ["anywhere"])], {"never-us": "02"})
    assert "R1" in found(run, tmp_path / "wrong")


def test_a_restored_backup(tmp_path):
    """Its revision is above any used; what it says is the backup's."""
    run = honest()
    run.edit(4.5, 1, None, command="backup", argv=["backup", "FILE"], out="revision 1 of 2027-01-15T08:00:00Z, 5000 bytes\n")
    run.edits.sort(key=lambda one: one["begin"])
    run.edit(9, 7, None, command="restore", argv=["restore", "FILE"], out="revision 7: the policy of revision 1 again\n")
    run.decision(10, "again", 7, [("eu", ["anywhere"]), ("us", ["anywhere"])])
    run.arrival(10.01, "again", "us")
    assert found(run, tmp_path / "first of its route is another") == {"I1"}
    run.arrivals[-1]["name"] = "eu"
    assert not found(run, tmp_path / "right")


def test_one_organisation_edits_its_own(tmp_path):
    """The others' documents stay as they were."""
    run = honest()
    run.edit(9, 3, [residency(allow("theirs"), name="other"), tenants("one", organisation="other")], "--organisation", "other")
    run.decision(10, "again", 3, [("eu", ["anywhere"])], {"never-us": "02"})
    run.arrival(10.01, "again", "eu")
    assert not found(run, tmp_path)


def test_what_is_excused(tmp_path):
    run = honest()
    line_of(run, "late")["route"][0]["process"] = ["DE"]
    run.events += [{"event": "excuse", "t": HOUR + 5.9, "rules": ["R11"], "reason": "planted"}, {"event": "excused", "t": HOUR + 6.9}]
    auditor = audit(run, tmp_path)
    assert not auditor.violations and [one.rule for one in auditor.excused] == ["R11"]
    line_of(run, "secret")["route"][0]["process"] = ["DE"]
    assert found(run, tmp_path / "another") == {"R11"}
