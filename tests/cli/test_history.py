"""policy history, diff and export: what was in force when, by whom, why, and what differs."""

import copy
import difflib
import json
import random
import re

import pytest

from conftest import TENANTS, changed
from organisations import BOTH_FLEET, RESIDENCY, SUD_RESIDENCY, Gateway, stricter, write


@pytest.fixture
def gateway(cli):
    return Gateway(cli)


def history(cli, *arguments):
    return json.loads(cli.run("policy", "history", "--json", *arguments).stdout)


# ---- history ----


def test_every_revision_keeps_who_when_why_and_whose(gateway):
    gateway.apply_nord("--author", "ada", "--reason", "audit finding 7", residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    gateway.apply_sud()
    lines = gateway.cli.run("policy", "history").stdout.splitlines()
    assert [re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line) for line in lines] == [
        "     4*  TIME  tester        nothing",
        "     3   TIME  tester        sudbank",
        "     2   TIME  ada           nordbank                      audit finding 7",
        "     1   TIME  tester        gateway, nordbank, sudbank"]

    found = history(gateway.cli)
    assert [one["revision"] for one in found] == [4, 3, 2, 1]
    assert [one["in_force"] for one in found] == [True, False, False, False]
    assert found[2]["author"] == "ada" and found[2]["reason"] == "audit finding 7" and found[2]["base"] == 1
    assert found[2]["changed"] == {"gateway": False, "organisations": ["nordbank"]}
    assert [(one["organisation"], one["path"]) for one in found[3]["documents"]] == [
        ("", "fleet.json"), ("", "guard.json"), ("nordbank", "orgs/nordbank/residency.json"), ("nordbank", "orgs/nordbank/tenants.json"),
        ("sudbank", "orgs/sudbank/residency.json"), ("sudbank", "orgs/sudbank/tenants.json")]
    times = [one["time"] for one in found]
    assert times == sorted(times, reverse=True)


def test_of_one_organisation(gateway):
    gateway.apply_nord(residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    write(gateway.own, fleet=changed(BOTH_FLEET, lambda fleet: fleet["deployments"].pop()))
    gateway.apply(gateway.own, "--gateway")
    numbers = {scope: [one["revision"] for one in history(gateway.cli, *scope)] for scope in
               (("--organisation", "nordbank"), ("--organisation", "sudbank"), ("--gateway",), ("--limit", "2"), ("--organisation", "x"))}
    assert list(numbers.values()) == [[2, 1], [3, 1], [4, 1], [4, 3], []]


def test_one_revision_with_its_documents(gateway):
    gateway.apply_nord("--reason", "why not", residency=stricter())
    text = gateway.cli.run("policy", "history", "2").stdout
    assert text.startswith("revision 2 (in force)\ntime      ") and "\nreason    why not\n" in text and "\nchanged   nordbank\n" in text
    assert re.search(r"^document  [0-9a-f]{12}  nordbank          nordbank/residency.json$", text, re.M)
    assert history(gateway.cli, "2") == history(gateway.cli)[0]
    assert "there is no revision 3" in gateway.cli.run("policy", "history", "3", code=1).stderr
    assert "two is not the number of a revision" in gateway.cli.run("policy", "history", "two", code=64).stderr
    assert "--limit many is not a count" in gateway.cli.run("policy", "history", "--limit", "many", code=64).stderr


def test_an_empty_history(cli):
    cli.init()
    assert cli.run("policy", "history").stdout == "" and history(cli) == []
    assert "do: gatehouse policy apply DIR" in cli.run("policy", "diff", "1", code=1).stderr
    assert cli.run("policy", "export", "0", cli.tmp / "out", code=1).stderr.startswith("gatehouse policy export: ")


def test_control_bytes_of_authors_do_not_reach_the_terminal(gateway):
    gateway.apply_nord("--author", "a\x1b[2Jb", "--reason", "c\x07d")
    for arguments in ([], ["2"]):
        text = gateway.cli.run("policy", "history", *arguments).stdout
        assert "\x1b" not in text and "\x07" not in text and "a.[2Jb" in text


def test_history_outlives_the_images(gateway):
    """More revisions than images are kept: the oldest is as complete as the newest, and comes back."""
    for number in range(20):
        gateway.apply_nord(residency=changed(RESIDENCY, lambda p: p["allow"][0].update(why=f"round {number}")))
    first = history(gateway.cli, "1")
    assert len(first["documents"]) == 6
    answer = json.loads(gateway.cli.run("policy", "diff", "1", "21", "--json").stdout)
    assert answer["items"] == [{"change": "changed", "kind": "allow", "id": "nordbank/public-anywhere", "members": ["why"]}]
    gateway.cli.run("policy", "rollback", "1", "--reason", "back to the start")
    assert history(gateway.cli, "22")["policy"] == first["policy"]


# ---- diff ----


def diff(cli, *arguments):
    return json.loads(cli.run("policy", "diff", "--json", *arguments).stdout)


def test_items_by_id(gateway):
    def edit(fleet):
        fleet["deployments"].pop(0)
        fleet["deployments"][0]["priority"] = 7
        fleet["deployments"].append(dict(copy.deepcopy(fleet["deployments"][0]), id="azure-new"))
        fleet["models"]["gpt-9"] = {}
        fleet["nodes"][0]["country"] = "SE"
    write(gateway.own, fleet=changed(BOTH_FLEET, edit))
    gateway.apply(gateway.own, "--gateway")

    def tenants(document):
        organisation = document["organisations"][0]
        organisation["tenants"][0]["apps"] = [{"id": "chat", "classes": ["secret"]}]
        organisation["tenants"].append({"id": "web", "apps": [{"id": "bot"}]})

    def policy(document):
        document["forbid"].append({"id": "off", "why": "Incident", "models": ["gpt-4.1"]})
        document["allow"].pop(0)
        document["classes"] = ["personal", "secret"]
        document["classify"]["default"] = "secret"
    gateway.apply_nord(tenants=changed(TENANTS, tenants), residency=changed(RESIDENCY, policy))

    lines = gateway.cli.run("policy", "diff", "1", "3").stdout.split("\n\n")[1].splitlines()
    assert lines == [
        "~ policy nordbank: classes, classify", "- allow nordbank/public-anywhere", "+ forbid nordbank/off", "~ node fra-1: country",
        "+ model gpt-9", "+ deployment azure-new", "- deployment azure-se", "~ deployment azure-we-global: priority",
        "+ tenant nordbank/web", "~ app nordbank/retail/chat: classes", "- app nordbank/retail/mail", "+ app nordbank/web/bot"]
    assert diff(gateway.cli, "3", "1")["items"][1] == {"change": "added", "kind": "allow", "id": "nordbank/public-anywhere", "members": []}
    assert [one["organisation"] for one in diff(gateway.cli, "1", "3", "--organisation", "nordbank")["documents"]] == ["nordbank"] * 2
    assert [one["path"] for one in diff(gateway.cli, "1", "--gateway")["documents"]] == ["fleet.json"]


def test_spelling_is_no_difference_of_items(gateway):
    gateway.apply_nord(residency=json.dumps(dict(reversed(RESIDENCY.items()))))
    answer = diff(gateway.cli, "1")
    assert answer["items"] == []
    assert [(one["change"], one["path"], one["was"]) for one in answer["documents"]] == [
        ("changed", "nordbank/residency.json", "orgs/nordbank/residency.json"),
        ("moved", "nordbank/tenants.json", "orgs/nordbank/tenants.json")]


def test_nothing_differs(gateway):
    gateway.apply(gateway.whole)
    assert gateway.cli.run("policy", "diff", "1", "2").stdout == "revision 1 to revision 2: 0 documents differ\n"


def test_documents_added_and_removed(gateway):
    (gateway.whole / "guard.json").unlink()
    write(gateway.whole, more={"kind": "fleet/1", "nodes": [{"id": "fra-2", "country": "DE"}]})
    gateway.apply(gateway.whole)
    text = gateway.cli.run("policy", "diff", "1").stdout
    assert "\nremoved   gateway           guard.json\nadded     gateway           more.json\n" in text
    assert "\n--- revision 1: guard.json\n+++ revision 2: nothing\n@@ -1," in text
    assert "--- revision 1: nothing\n+++ revision 2: more.json\n@@ -0,0 +1," in text


def patched(before, hunks):
    """The second text by the first and a unified diff: an implementation of its own, strict about every line."""
    lines, out, at = before.split("\n"), [], 0
    if lines and lines[-1] == "":
        lines.pop()
    expected = None
    for line in hunks.split("\n")[:-1]:
        if line.startswith("@@"):
            assert expected in (None, (0, 0))
            a, a_count, b, b_count = map(int, re.fullmatch(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@", line).groups())
            begin = a - 1 if a_count else a
            out += lines[at:begin]
            assert len(out) == (b - 1 if b_count else b)
            at, expected = begin, (a_count, b_count)
            continue
        if line[0] in " -":
            assert lines[at] == line[1:]
            at += 1
        if line[0] in " +":
            out.append(line[1:])
        expected = (expected[0] - (line[0] in " -"), expected[1] - (line[0] in " +"))
    assert expected in (None, (0, 0))
    return out + lines[at:]


def test_lines_make_the_second_text_of_the_first(gateway):
    """Random edits of white space inside a document, against an implementation that applies a diff."""
    random.seed(7)
    base = json.dumps(RESIDENCY, indent=1).split("\n")
    texts = []
    for _ in range(30):
        lines = list(base if not texts else texts[-1])
        for _ in range(random.choice((1, 1, 2, 5, 40))):
            at = random.randrange(len(lines) + 1)
            if random.random() < 0.5:
                lines.insert(at, random.choice(("", " ", "  ")))
            else:
                blank = [i for i, line in enumerate(lines) if not line.strip()]
                if blank:
                    del lines[random.choice(blank)]
        texts.append(lines)
    for lines in texts:
        gateway.apply_nord(residency="\n".join(lines) + "\n")
    for a, b in [(number, number + 1) for number in range(2, 30)] + [(2, 31), (31, 2), (17, 5)]:
        found = [one for one in diff(gateway.cli, str(a), str(b))["documents"] if one["path"].endswith("residency.json")]
        before, after = texts[a - 2], texts[b - 2]
        if before == after:
            assert found == []
            continue
        hunks = found[0]["lines"]
        assert patched("\n".join(before) + "\n", hunks) == after
        changes = sum(line[0] in "+-" for line in hunks.split("\n")[:-1])
        least = sum(line[0] in "+-" for line in difflib.ndiff(before, after))
        assert changes <= least


# ---- export ----


def test_exported_documents_make_the_same_policy(gateway):
    gateway.apply_nord(residency=stricter())
    done = gateway.cli.run("policy", "export", "1", gateway.cli.tmp / "out")
    assert done.stdout == f"6 documents of revision 1 written below {gateway.cli.tmp / 'out'}\n"
    for file in gateway.whole.rglob("*.json"):
        assert (gateway.cli.tmp / "out" / file.relative_to(gateway.whole)).read_bytes() == file.read_bytes()
    gateway.apply(gateway.cli.tmp / "out")
    found = history(gateway.cli)
    assert found[0]["policy"] == found[2]["policy"] and found[0]["changed"] == {"gateway": False, "organisations": ["nordbank"]}

    answer = json.loads(gateway.cli.run("policy", "export", "0", gateway.cli.tmp / "nord", "--organisation", "nordbank", "--json").stdout)
    assert answer == {"revision": 3, "directory": str(gateway.cli.tmp / "nord"),
                      "documents": ["orgs/nordbank/residency.json", "orgs/nordbank/tenants.json"]}


def test_export_writes_over_nothing(gateway):
    (gateway.cli.tmp / "out").mkdir()
    done = gateway.cli.run("policy", "export", "1", gateway.cli.tmp / "out", code=1)
    assert "out cannot be made: File exists" in done.stderr and "nothing is written over" in done.stderr
