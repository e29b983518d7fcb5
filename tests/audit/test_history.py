"""
The history checker finds what is planted. An honest run under limits is written by hand; then the same each time with one fault in what was
reserved, charged, sent or counted.
"""
import copy
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import money  # noqa: E402
from documents import allow, deployment, fleet, residency, tenants  # noqa: E402
from test_auditor import CLASSIFY, HOUR, Run, audit  # noqa: E402

PRICE = {"input": 2000000, "cached": 500000, "output": 8000000}
UIDS = {"organisation": 1, "tenant": 2, "app": 3, "key": 4}
LIMITS = [("organisation", "tokens", "day", "budget", None, 20000), ("tenant", "micro-dollars", "month", "budget", None, 60000),
          ("tenant", "requests", "minute", "rate", None, 50), ("app", "output", "day", "shadow", None, 5), ("app", "in-flight", "none", "rate", None, 2),
          ("key", "input", "day", "budget", "m", 15000)]
WINDOWS = {per: money.window_at(per, HOUR) for per in ("day", "month", "minute", "none")}
CAP = 500


def said(limit):
    level, dimension, per, limit_class, model, amount = limit
    return {"dimension": dimension, "per": per, "class": limit_class, "amount": amount, **({"model": model} if model else {})}


def documents():
    priced = {"m": {"upstream": "m", "price": PRICE, "source": "made for tests", "as_of": "2026-01-01"}}
    owners = tenants()
    for level, place in (("organisation", owners["organisations"][0]), ("tenant", owners["organisations"][0]["tenants"][0]),
                         ("app", owners["organisations"][0]["tenants"][0]["apps"][0])):
        place["limits"] = [said(one) for one in LIMITS if one[0] == level]
    owners["organisations"][0]["tenants"][0]["apps"][0]["key_limits"] = [said(one) for one in LIMITS if one[0] == "key"]
    return [fleet(deployment("eu", models=priced, features={"web_search": {"process": ["SE"], "store": "nothing"}}), deployment("us", priority=2, country="US", models=priced)),
            residency(allow("anywhere", ("public", "secret")), classes=("public", "secret"), classify=CLASSIFY), owners]


def report(prompt, completion, cached=0):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, "prompt_tokens_details": {"cached_tokens": cached}}


class Limited(Run):
    """A gateway that keeps its books. Each request: reserve, then what became of each of its tries."""

    def __init__(self):
        super().__init__()
        self.counters = {one[:5]: 0 for one in LIMITS}
        self.edit(0, 1, documents())

    def amount_of(self, limit, amounts):
        return {"requests": 1, "in-flight": 1}.get(limit[1], amounts.get(limit[1], 0))

    def reserve(self, amounts, attempt_only=False):
        items = []
        for limit in LIMITS:
            if attempt_only and limit[1] in ("requests", "in-flight"):
                continue
            amount = self.amount_of(limit, amounts)
            self.counters[limit[:5]] += amount
            items.append({"level": limit[0], "uid": UIDS[limit[0]], "dimension": limit[1], "per": limit[2], "class": limit[3], "limit": limit[5], "window": WINDOWS[limit[2]],
                          "amount": amount, "value": self.counters[limit[:5]], **({"model": limit[4]} if limit[4] else {})})
        return {"at": 0, **{name.replace("-", "_"): value for name, value in amounts.items()}, "output_cap": CAP, "deployment": "eu", "limits": items}

    def settle(self, reserved, actual):
        for limit in LIMITS:
            if limit[1] in ("requests", "in-flight"):
                continue
            self.counters[limit[:5]] += actual.get(limit[1], 0) - reserved.get(limit[1], 0)

    @staticmethod
    def amounts(usage):
        return {"input": usage.input, "output": usage.output, "tokens": usage.input + usage.output, "micro-dollars": money.cost(PRICE, usage)}

    def ask(self, at, id, *tries, end="complete"):
        """tries: (status, text bytes, usage reported or None, charged by: reported counted reservation nothing)."""
        bound = self.amounts(money.Usage(900, CAP))
        self.decision(at, id, 1, [("eu", ["anywhere"]), ("us", ["anywhere"])], reserve=self.reserve(bound))
        done = []
        for number, (status, text, usage, source) in enumerate(tries, 1):
            name = "eu" if number == 1 else "us"
            if number > 1:
                line = self.attempt(at + number * 0.1, id, number, 1, name, ["anywhere"])
                line["reserve"] = self.reserve(bound, attempt_only=True)
            arrival = self.arrival(at + number * 0.1 + 0.01, id, name, caps={"max_tokens": CAP}, stream=False)
            arrival["answered"] = {"t": HOUR + at + number * 0.1 + 0.05, "sent": 300 + text if status else 0, "failed": None, "cut": False, "status": status, "text": text,
                                   "usage": [usage] if usage else [], "error": status >= 400, "done": False, "whole": bool(status)}
            actual = {"reported": lambda: self.amounts(money.read_usage(usage)), "counted": lambda: self.amounts(money.Usage(66, -(-text // 4))),
                      "reservation": lambda: dict(bound), "nothing": lambda: dict.fromkeys(bound, 0)}[source]()
            self.settle(bound, actual)
            done.append({"deployment": name, "revision": 1, "sent": 10000, "total_us": 5, **({"status": status} if status else {}),
                         "charged": {**{key.replace("-", "_"): value for key, value in actual.items()}, "source": source}})
        for counter in self.counters:
            if counter[1] == "in-flight":
                self.counters[counter] -= 1
        total = {name: sum(one["charged"][name] for one in done) for name in ("input", "output", "tokens", "micro_dollars")}
        over = any(one["charged"][name.replace("-", "_")] > bound[name] for one in done for name in bound)
        self.lines.append({"type": "outcome", "t": int((HOUR + at + 0.9) * 1000), "id": id, "status": 200, "end": end, "attempts": done, "charged": {"requests": 1, **total},
                           **({"over_reserved": True} if over else {})})

    def dies(self, at, id, before_decision=False):
        """A worker dies while the answer comes, or before it has decided: it is charged what it held."""
        bound = self.amounts(money.Usage(900, CAP))
        held = self.reserve({} if before_decision else bound)
        for counter in self.counters:
            if counter[1] == "in-flight":
                self.counters[counter] -= 1
        if not before_decision:
            self.decision(at, id, 1, [("eu", ["anywhere"])], reserve=held, no={})
            self.lines[-1]["route"].append(self.target("us", ["anywhere"]))
            self.arrival(at + 0.1, id, "eu", caps={"max_tokens": CAP}, stream=False)
        charged = {} if before_decision else {name.replace("-", "_"): value for name, value in bound.items()}
        self.lines.append({"type": "lost", "t": int((HOUR + at + 1.5) * 1000), "id": id, "segment": "x", "reserve": held, "charged": {"requests": 1, **charged}})

    def snapshot(self, at):
        self.events.append({"event": "ledger", "t": HOUR + at, "rest": True, "reservations": [], "counters": [
            {"level": level, "uid": UIDS[level], "dimension": dimension, "per": per, "class": limit_class, "window": WINDOWS[per], "value": value, **({"model": money.number_of(model)} if model else {})}
            for (level, dimension, per, limit_class, model), value in self.counters.items()]})


def honest():
    run = Limited()
    run.ask(1, "plain", (200, 40, report(100, 10), "reported"))
    run.ask(2, "cached", (200, 40, report(800, 10, 600), "reported"))
    run.ask(3, "counted", (200, 40, None, "counted"))
    run.ask(4, "failed over", (503, 0, report(100, 10), "nothing"), (200, 40, report(100, 10), "reported"))
    run.ask(5, "silent", (0, 0, None, "reservation"), (200, 40, report(100, 10), "reported"))
    run.ask(6, "zero", (200, 40, report(0, 0), "reported"))
    run.ask(7, "left", (200, 400, report(100, 100), "counted"), end="client_left")
    run.dies(8, "lost")
    run.dies(9, "early", before_decision=True)
    run.ask(10, "above", (200, 4000, report(100, 1000), "reported"))
    run.snapshot(20)
    return run


def line_of(run, id, kind="outcome"):
    return next(one for one in run.lines if one["id"] == id and one["type"] == kind)


def counter_of(run, dimension):
    return next(one for one in run.events[-1]["counters"] if one["dimension"] == dimension)


def test_an_honest_run(tmp_path):
    auditor = audit(honest(), tmp_path, final=True)
    assert not auditor.violations, auditor.report()
    assert auditor.counts["requests under limits"] == 8 and auditor.counts["counters compared"] == len(LIMITS)


def charge(run, id, number=0, **change):
    """Changes what an outcome says, and its sum with it, and the ledger's counters: only what really was used tells."""
    outcome = line_of(run, id)
    charged = outcome["attempts"][number]["charged"]
    before = dict(charged)
    charged.update(change)
    charged["tokens"] = charged["input"] + charged["output"]
    for name in ("input", "output", "tokens", "micro_dollars"):
        outcome["charged"][name] += charged[name] - before[name]
        for one in run.events[-1]["counters"]:
            if one["dimension"].replace("-", "_") == name:
                one["value"] += charged[name] - before[name]


def add(run, dimension, amount):
    counter_of(run, dimension)["value"] += amount


def arrival_of(run, id):
    return next(one for one in run.arrivals if one["id"] == id)


def held_of(run, id, dimension, kind="decision"):
    return next(one for one in line_of(run, id, kind)["reserve"]["limits"] if one["dimension"] == dimension)


def limit_left_out(run):
    line_of(run, "plain", "decision")["reserve"]["limits"].pop(0)


def without_a_reservation(run):
    del line_of(run, "plain", "decision")["reserve"]


def limit_of_more(run):
    held_of(run, "plain", "tokens")["limit"] += 1


def admitted_above(run):
    held_of(run, "plain", "tokens")["value"] = 20001


def second_outcome_and_lost(run):
    run.lines.append({**line_of(run, "lost", "lost"), "id": "plain"})


def admitted_while_exhausted(run):
    for number in range(30):
        run.ask(11 + number, f"more {number}", (200, 40, report(900, 300), "reported"))
    for one in run.lines:
        for item in one.get("reserve", {}).get("limits", ()):
            item["value"] = min(item["value"], item["limit"])
    run.events.clear()
    run.snapshot(60)


def more_at_once_than_may(run):
    """Three of two: the backends were still answering the first when the others came."""
    for number, id in enumerate(("plain", "cached", "counted")):
        arrival_of(run, id)["at"], arrival_of(run, id)["answered"]["t"] = 3.2 + number / 100, HOUR + 3.6
        line_of(run, id)["t"] = int((HOUR + 3.7) * 1000)


def recorded_above_without_an_incident(run):
    line_of(run, "above").pop("over_reserved")


PLANTED = {
    # I1
    "both outcome and lost": ("I1", second_outcome_and_lost),
    "neither outcome nor lost": ("I1", lambda run: run.lines.remove(line_of(run, "lost", "lost"))),
    # I2, one attempt
    "charged less than reported": ("I2", lambda run: charge(run, "plain", output=9, micro_dollars=272)),
    "charged more than reported": ("I2", lambda run: charge(run, "plain", output=11, micro_dollars=288)),
    "cached tokens at the full price": ("I2", lambda run: charge(run, "cached", micro_dollars=1680)),
    "rounded down": ("I2", lambda run: charge(run, "plain", micro_dollars=279)),
    "an estimate although it was reported": ("I2", lambda run: charge(run, "plain", source="counted")),
    "reported although it was not": ("I2", lambda run: charge(run, "counted", source="reported")),
    "an estimate below what was delivered": ("I2", lambda run: charge(run, "counted", output=9, micro_dollars=204)),
    "an estimate without input": ("I2", lambda run: charge(run, "counted", input=0, micro_dollars=80)),
    "zero reported and charged": ("I2", lambda run: charge(run, "zero", input=66, output=10, micro_dollars=212, source="counted")),
    "an error is charged": ("I2", lambda run: charge(run, "failed over", input=100, output=10, micro_dollars=280, source="reported")),
    "silence is charged nothing": ("I2", lambda run: charge(run, "silent", input=0, output=0, micro_dollars=0, source="nothing")),
    "silence is charged less than reserved": ("I2", lambda run: charge(run, "silent", output=10, micro_dollars=1880)),
    "an answer is charged nothing": ("I2", lambda run: charge(run, "plain", input=0, output=0, micro_dollars=0, source="nothing")),
    "a negative charge": ("I2", lambda run: charge(run, "plain", output=-10)),
    "no charge": ("I2", lambda run: line_of(run, "plain")["attempts"][0].pop("charged")),
    "another status than the backend's": ("I2", lambda run: line_of(run, "plain")["attempts"][0].update(status=503)),
    "tokens that are not the sum": ("I2", lambda run: line_of(run, "plain")["attempts"][0]["charged"].update(tokens=1)),
    "a sum that is not its attempts'": ("I2", lambda run: line_of(run, "silent")["charged"].update(input=5)),
    # I2, the counters
    "a charge the ledger does not have": ("I2", lambda run: add(run, "tokens", -1)),
    "a charge only the ledger has": ("I2", lambda run: add(run, "micro-dollars", 1)),
    "a request counted twice": ("I2", lambda run: add(run, "requests", 1)),
    "a request not counted": ("I2", lambda run: add(run, "requests", -1)),
    "a lost one is not charged": ("I2", lambda run: add(run, "input", -900)),
    "a lost one without a line": ("I2", lambda run: run.lines.remove(line_of(run, "early", "lost"))),
    "a counter of a window to come": ("I2", lambda run: counter_of(run, "tokens").update(window=WINDOWS["day"] + 1)),
    "a counter is gone": ("I2", lambda run: run.events[-1]["counters"].remove(counter_of(run, "input"))),
    "a counter nobody took from": ("I2", lambda run: run.events[-1]["counters"].append({**counter_of(run, "input"), "uid": 77})),
    "a counter of another window": ("I2", lambda run: counter_of(run, "tokens").update(window=WINDOWS["day"] - 1)),
    # I3
    "a limit is left out": ("I3", limit_left_out),
    "no limit is reserved": ("I3", without_a_reservation),
    "a limit of more": ("I3", limit_of_more),
    "admitted above": ("I3", admitted_above),
    "admitted while exhausted": ("I3", admitted_while_exhausted),
    "an incident is not named": ("I3", recorded_above_without_an_incident),
    "more at once than may": ("I3", more_at_once_than_may),
    "in flight at rest": ("I3", lambda run: add(run, "in-flight", 1)),
    "held at rest": ("I3", lambda run: run.events[-1]["reservations"].append({"index": 0, "phase": "held"})),
    "no cap is sent": ("I3", lambda run: arrival_of(run, "plain")["body"].update(caps={})),
    "a cap above the reservation": ("I3", lambda run: arrival_of(run, "plain")["body"].update(caps={"max_tokens": CAP + 1})),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name, tmp_path):
    rule, plant = PLANTED[name]
    run = copy.deepcopy(honest())
    plant(run)
    auditor = audit(run, tmp_path, final=True)
    assert rule in {one.rule for one in auditor.violations}, auditor.report()


@pytest.mark.parametrize("said, read", [
    (report(100, 10, 60), money.Usage(100, 10, 60)), (report(0, 0), money.Usage(0, 0)), ({"prompt_tokens": 5, "total_tokens": 5}, money.Usage(5, 0)),
    ({**report(100, 10, 60), "total_tokens": 170}, money.Usage(160, 10, 60)), (report(10, 10, 60), money.Usage(70, 10, 60)),
    (report(-1, 5), None), (report(5, -1), None), ({**report(5, 5), "prompt_tokens": "5"}, None), (None, None), ([], None), ({}, None), (report(1 << 60, 1), None), ("text", None),
    ({"input_tokens": 5, "output_tokens": 6}, None), (report(5.5, 5), money.UNCLEAR), ({**report(5, 5), "(twice)": True}, money.UNCLEAR)])
def test_usage_is_read(said, read):
    assert money.read_usage(said) == read


def test_costs():
    assert money.cost(PRICE, money.Usage(100, 10)) == 280 and money.cost(PRICE, money.Usage(100, 10, 60)) == 190
    assert money.cost({"input": 1, "output": 1}, money.Usage(1, 0)) == 1 and money.cost({"input": 0, "output": 0}, money.Usage(1, 1)) == 0
    tiered = {**PRICE, "tiers": [{"input_above": 100, "input": 4000000, "output": 16000000}]}
    assert money.cost(tiered, money.Usage(100, 10)) == 280 and money.cost(tiered, money.Usage(101, 10, 101)) == 404 + 160
    assert money.cost({**PRICE, "reasoning": 16000000}, money.Usage(0, 10, 0, 0, 5)) == 120
