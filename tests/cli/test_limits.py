"""Limits: what plan and diff say of them, `gatehouse limits` and `gatehouse usage`, live from a ledger that something counts in."""

import datetime
import hashlib
import json
import subprocess

import pytest

from conftest import FLEET, ROOT, TENANTS, changed, write_policy

COUNT = ROOT / "build" / "tests" / "tools" / "count"

BUDGET = {"dimension": "tokens", "per": "day", "amount": 1000, "class": "budget"}
RATE = {"dimension": "requests", "per": "minute", "amount": 60, "class": "rate", "model": "gpt-4.1"}
MONEY = {"dimension": "micro-dollars", "per": "month", "amount": 5000000, "class": "budget"}
RUNNING = {"dimension": "in-flight", "amount": 4, "class": "rate"}


def limited(organisation=(), tenant=(), app=(), key=(), answers=None):
    """The tenants document with limits at each level, and max_output of levels by name."""

    def change(document):
        holders = {"organisation": document["organisations"][0]}
        holders["tenant"] = holders["organisation"]["tenants"][0]
        holders["app"] = holders["tenant"]["apps"][0]
        for name, limits in (("organisation", organisation), ("tenant", tenant), ("app", app)):
            if limits:
                holders[name]["limits"] = list(limits)
        if key:
            holders["app"]["key_limits"] = list(key)
        for name, amount in (answers or {}).items():
            holders[name]["max_output"] = amount

    return changed(TENANTS, change)


def of(limit, **changes):
    return {**limit, **changes}


def lines_below(text, title):
    lines = text.split("\n" + title + ":\n")[1].split("\n\n")[0].splitlines() if "\n" + title + ":\n" in text else []
    return [line.strip() for line in lines]


# ---- plan and diff ----


def test_a_plan_says_whose_limits_change(ready):
    directory = ready.tmp / "policy"
    write_policy(directory, tenants=limited(organisation=[MONEY], tenant=[BUDGET, RATE], key=[RUNNING], answers={"tenant": 4000}))
    text = ready.run("policy", "plan", directory, code=2).stdout
    assert lines_below(text, "Limits") == [
        "+ limit organisation nordbank: at most 5000000 micro-dollars per month, as a budget",
        "+ limit tenant nordbank/retail: at most 1000 tokens per day, as a budget",
        '+ limit tenant nordbank/retail: at most 60 requests per minute for model "gpt-4.1", as a rate',
        "+ limit tenant nordbank/retail: at most 4000 tokens an answer",
        "+ limit each key of nordbank/retail/chat: at most 4 requests at one time, as a rate",
    ]
    assert lines_below(text, "Also") == []
    ready.run("policy", "apply", directory)

    write_policy(directory, tenants=limited(organisation=[of(MONEY, amount=7)], tenant=[of(RATE, amount=70), of(BUDGET, **{"class": "rate"})],
                                            app=[RUNNING], answers={"tenant": 3000}))
    text = ready.run("policy", "plan", directory, code=2).stdout
    assert lines_below(text, "Limits") == [
        "~ limit organisation nordbank: lowered from 5000000 to 7: at most 7 micro-dollars per month, as a budget",
        '~ limit tenant nordbank/retail: raised from 60 to 70: at most 70 requests per minute for model "gpt-4.1", as a rate',
        "+ limit tenant nordbank/retail: at most 1000 tokens per day, as a rate",
        "- limit tenant nordbank/retail: at most 1000 tokens per day, as a budget",
        "~ limit tenant nordbank/retail: lowered from 4000 to 3000: at most 3000 tokens an answer",
        "+ limit app nordbank/retail/chat: at most 4 requests at one time, as a rate",
        "- limit each key of nordbank/retail/chat: at most 4 requests at one time, as a rate",
    ]
    edits = json.loads(ready.run("policy", "plan", directory, "--json", code=2).stdout)["edits"]
    assert {"change": "changed", "what": "limit", "id": "organisation nordbank",
            "details": "lowered from 5000000 to 7: at most 7 micro-dollars per month, as a budget"} in edits
    assert len([edit for edit in edits if edit["what"] == "limit"]) == 7


def test_an_order_of_limits_is_no_change(ready):
    directory = ready.tmp / "policy"
    write_policy(directory, tenants=limited(tenant=[BUDGET, RATE]))
    ready.run("policy", "apply", directory)
    write_policy(directory, tenants=limited(tenant=[RATE, BUDGET], answers={"app": 9}))
    assert lines_below(ready.run("policy", "plan", directory, code=2).stdout, "Limits") == [
        "+ limit app nordbank/retail/chat: at most 9 tokens an answer"]


def test_a_diff_says_what_became_of_each_limit(ready):
    directory = ready.tmp / "policy"
    for tenants in (limited(tenant=[BUDGET]), limited(tenant=[of(BUDGET, amount=2000)], key=[RUNNING]), TENANTS):
        write_policy(directory, tenants=tenants)
        ready.run("policy", "apply", directory)
    lines = ready.run("policy", "diff", "2", "3", "--no-lines").stdout.splitlines()
    assert lines[lines.index("~ tenant nordbank/retail: limits") + 1] == (
        "  ~ limit tenant nordbank/retail: raised from 1000 to 2000: at most 2000 tokens per day, as a budget")
    assert lines[lines.index("~ app nordbank/retail/chat: key_limits") + 1] == (
        "  + limit each key of nordbank/retail/chat: at most 4 requests at one time, as a rate")
    items = json.loads(ready.run("policy", "diff", "3", "4", "--json").stdout)["items"]
    assert [item.get("limits") for item in items if item["kind"] == "tenant"] == [
        [{"change": "removed", "text": "at most 2000 tokens per day, as a budget"}]]


def test_a_plan_says_what_budgets_rest_on(ready):
    """Prices and the most that a request can use."""
    directory = ready.tmp / "policy"

    def change(fleet):
        fleet["models"]["gpt-4.1"].update(max_output=100, image_tokens=85)
        fleet["models"]["small"] = {}
        fleet["deployments"][0]["models"]["gpt-4.1"]["price"].update(cached=5, service_tiers={"flex": {"input": 1, "output": 2}})

    write_policy(directory, fleet=changed(FLEET, change))
    base = "input 2000000 cached %s cache_write 2000000 output 8000000 reasoning 8000000"
    assert lines_below(ready.run("policy", "plan", directory, code=2).stdout, "Also") == [
        "~ deployment azure-se/gpt-4.1: price: %s -> %s, as flex input 1 cached 1 cache_write 1 output 2 reasoning 2"
        % (base % 2000000, base % 5),
        "~ model gpt-4.1: max_output: 32768 -> 100; image_tokens: none -> 85", "+ model small"]


# ---- live ----


@pytest.fixture
def counting(ready):
    """A gateway with limits at every level and two keys: uids 1 to 5 are the organisation, the tenant, the app, and the keys one and two."""
    fleet = changed(FLEET, lambda f: f["models"].update({"small": {}}))
    write_policy(ready.tmp / "policy", fleet=fleet, tenants=limited(
        organisation=[MONEY], tenant=[BUDGET, RATE, of(RATE, model="small")], app=[of(BUDGET, per="month", **{"class": "shadow"})],
        key=[RUNNING, of(MONEY, per="none")], answers={"organisation": 5000, "app": 4000}))
    ready.run("policy", "apply", ready.tmp / "policy")
    ready.key("one")
    ready.key("two")
    return ready


def count(cli, *lines):
    subprocess.run([COUNT, cli.home / "ledger"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)


def limits(cli, path, *arguments):
    return json.loads(cli.run("limits", path, "--json", *arguments).stdout)


def table(answer):
    return [(row["level"], row["path"], row["dimension"], row["per"], row["class"], row.get("model"), row["amount"], row.get("used"),
             row.get("left")) for row in answer["limits"]]


def window_end(per):
    now = datetime.datetime.now(datetime.timezone.utc)
    if per == "day":
        end = now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)
    elif per == "month":
        end = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=32)).replace(day=1)
    else:
        end = now.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


USED = ("1 organisation micro-dollars month budget 4000000", "2 tenant tokens day budget 1500", "3 app tokens month shadow 999",
        "4 key micro-dollars none budget 123", "5 key micro-dollars none budget 7")


def test_limits_of_a_key_are_those_of_every_level(counting):
    count(counting, *USED)
    before = window_end("day"), window_end("month")
    answer = limits(counting, "nordbank/retail/chat/one")
    assert table(answer) == [
        ("organisation", "nordbank", "micro-dollars", "month", "budget", None, 5000000, 4000000, 1000000),
        ("tenant", "nordbank/retail", "tokens", "day", "budget", None, 1000, 1500, 0),
        ("tenant", "nordbank/retail", "requests", "minute", "rate", "gpt-4.1", 60, 0, 60),
        ("tenant", "nordbank/retail", "requests", "minute", "rate", "small", 60, 0, 60),
        ("app", "nordbank/retail/chat", "tokens", "month", "shadow", None, 1000, 999, 1),
        ("key", "nordbank/retail/chat/one", "in-flight", "none", "rate", None, 4, 0, 4),
        ("key", "nordbank/retail/chat/one", "micro-dollars", "none", "budget", None, 5000000, 123, 4999877),
    ]
    assert answer["max_output"] == 4000 and answer["revision"] == 2
    resets = [row.get("resets") for row in answer["limits"]]
    assert (resets[1], resets[0]) in (before, (window_end("day"), window_end("month"))) and resets[4] == resets[0]
    assert resets[5] is None and resets[6] is None
    assert [row["used"] for row in limits(counting, "nordbank/retail/chat/two")["limits"]][-1] == 7


def test_limits_above_and_of_a_model(counting):
    count(counting, *USED)
    assert [row[0] for row in table(limits(counting, "nordbank"))] == ["organisation"]
    assert [row[0] for row in table(limits(counting, "nordbank/retail"))] == ["organisation"] + ["tenant"] * 3
    app = table(limits(counting, "nordbank/retail/chat"))
    assert [row[0] for row in app] == ["organisation"] + ["tenant"] * 3 + ["app", "key", "key"]
    assert app[-1][-2:] == (None, None) and app[0][-2:] == (4000000, 1000000)
    assert [row[5] for row in table(limits(counting, "nordbank/retail", "--model", "small"))] == [None, None, "small"]
    assert [row[5] for row in table(limits(counting, "nordbank/retail", "--model", "gpt-4.1-2025-04-14"))] == [None, None, "gpt-4.1"]
    assert "did you mean small?" in counting.run("limits", "nordbank", "--model", "smal", code=1).stderr


def test_limits_as_text(counting):
    count(counting, *USED)
    lines = counting.run("limits", "nordbank/retail/chat/one").stdout.splitlines()
    assert lines[0].split() == ["limit", "of", "class", "at", "most", "used", "left", "resets"]
    assert lines[2].split() == ["tokens", "per", "day", "tenant", "nordbank/retail", "budget", "1000", "1500", "0", window_end("day")]
    assert lines[-1] == "answers have at most 4000 tokens"
    assert "requests per minute for model \"small\"" in lines[4]
    assert counting.run("limits", "nordbank/retail/chat").stdout.count("each key of nordbank/retail/chat") == 2
    write_policy(counting.tmp / "policy")
    counting.run("policy", "apply", counting.tmp / "policy")
    assert counting.run("limits", "nordbank/retail/chat/one").stdout == "nothing limits nordbank/retail/chat/one\n"


def test_limits_by_name_only_of_what_is_there(counting):
    assert "did you mean nordbank/retail/chat?" in counting.run("limits", "nordbank/retail/chta", code=1).stderr
    assert "there is no key nordbank/retail/chat/three" in counting.run("limits", "nordbank/retail/chat/three", code=1).stderr
    assert "no app below nordbnk" in counting.run("limits", "nordbnk", code=1).stderr
    assert "is not a name" in counting.run("limits", "Nordbank", code=64).stderr
    counting.run("limits", code=64)
    (counting.home / "ledger").unlink()
    assert "gatehouse init" in counting.run("limits", "nordbank", code=1).stderr


def test_a_limit_that_is_changed_counts_on(counting):
    """What was used stays used: only the amount is another."""
    count(counting, *USED)
    for amount, left in ((2000, 500), (1800, 300), (1200, 0)):
        write_policy(counting.tmp / "policy", tenants=limited(tenant=[of(BUDGET, amount=amount)]))
        counting.run("policy", "apply", counting.tmp / "policy")
        assert table(limits(counting, "nordbank/retail/chat/one")) == [
            ("tenant", "nordbank/retail", "tokens", "day", "budget", None, amount, 1500, left)]
    counting.run("policy", "rollback", "2", "--reason", "too low")
    assert len(limits(counting, "nordbank/retail/chat/one")["limits"]) == 7


def usage(cli, *arguments):
    answer = json.loads(cli.run("usage", "--json", *arguments).stdout)
    return [(row["level"], row["path"], row["dimension"], row.get("class"), row.get("model"), row["used"]) for row in answer["counters"]]


def test_usage_by_name(counting):
    assert usage(counting) == []
    assert counting.run("usage").stderr == "nothing is counted now\n"
    count(counting, *USED, "2 tenant requests day rate 3 small", "99 tenant tokens day budget 1", "2 tenant tokens day rate 0")
    everything = [
        ("organisation", "nordbank", "micro-dollars", "budget", None, 4000000), ("tenant", "nordbank/retail", "requests", "rate", "small", 3),
        ("tenant", "nordbank/retail", "tokens", "budget", None, 1500), ("tenant", "uid 99", "tokens", "budget", None, 1),
        ("app", "nordbank/retail/chat", "tokens", "shadow", None, 999), ("key", "nordbank/retail/chat/one", "micro-dollars", "budget", None, 123),
        ("key", "nordbank/retail/chat/two", "micro-dollars", "budget", None, 7)]
    assert usage(counting) == everything
    assert usage(counting, "--all") == everything[:3] + [("tenant", "nordbank/retail", "tokens", "rate", None, 0)] + everything[3:]
    assert usage(counting, "nordbank/retail") == [row for row in everything if row[1].startswith("nordbank/retail")]
    assert usage(counting, "nordbank/retail/chat/two") == everything[-1:]
    assert usage(counting, "nordbank/ret") == []
    lines = counting.run("usage", "nordbank/retail/chat").stdout.splitlines()
    assert lines[0].split() == ["level", "name", "what", "class", "used", "until"]
    assert lines[1].split() == ["app", "nordbank/retail/chat", "tokens", "per", "month", "shadow", "999", window_end("month")]
    assert lines[2].split() == ["key", "nordbank/retail/chat/one", "micro-dollars", "for", "ever", "budget", "123", "-"]


def test_usage_of_what_runs(counting):
    """In flight while it is held, of a key and of a deployment, which is known by a number of its name."""
    number = int.from_bytes(hashlib.sha256(b"gpu-fkb").digest()[:8], "little") % 2 ** 48
    with subprocess.Popen([COUNT, counting.home / "ledger", "held"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in ("4 key in-flight none rate 1", "4 key in-flight none rate 1", "%d deployment in-flight none rate 1" % number):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "counted\n"
        assert usage(counting) == [("key", "nordbank/retail/chat/one", "in-flight", "rate", None, 2),
                                   ("deployment", "gpu-fkb", "in-flight", "rate", None, 1)]
        assert usage(counting, "nordbank") == usage(counting)[:1]
        assert table(limits(counting, "nordbank/retail/chat/one"))[5][-2:] == (2, 2)
        process.stdin.close()


def test_keys_that_are_revoked_keep_their_name(counting):
    count(counting, *USED)
    counting.run("key", "revoke", "nordbank/retail/chat/one")
    assert ("key", "nordbank/retail/chat/one", "micro-dollars", "budget", None, 123) in usage(counting)


def test_usage_of_what_was_never_applied(cli):
    cli.init()
    assert usage(cli) == []
    assert "no policy" in cli.run("limits", "nordbank", code=1).stderr
