"""policy apply and validate: revisions, exact messages, all or nothing."""

import json
import os
import re
import threading

import pytest

from conftest import FLEET, NEVER_FITS, RESIDENCY, ROOT, TENANTS, changed, write_policy


@pytest.fixture
def applied(cli):
    cli.init()
    return cli


def test_revisions_count_up(applied):
    policy = write_policy(applied.tmp / "policy")
    first = applied.run("policy", "apply", policy)
    assert first.stdout == "revision 1\n3 documents, 3 deployments, 1 tenant with 2 apps, 1 warning\n" \
        "changed: documents of gateway, nordbank\n"
    assert first.stderr.endswith(f": warning: {NEVER_FITS} [never_fits]\n") and first.stderr.count("\n") == 1
    assert applied.run("policy", "apply", policy, "--author", "ada", "--reason", "again").stdout.startswith("revision 2\n")
    assert applied.run("policy", "apply", str(policy) + "/").stdout.startswith("revision 3\n")


def test_json(applied):
    policy = write_policy(applied.tmp / "policy")
    answer = json.loads(applied.run("policy", "apply", policy, "--json").stdout)
    (warning,) = answer.pop("report")
    assert answer == {"applied": True, "revision": 1, "base": 0, "documents": 3, "unread": 0, "deployments": 3, "tenants": 1, "apps": 2,
                      "obeyed": True, "workers": 0, "cut": 0, "finishing": 0, "waiting": [],
                      "changed": {"gateway": True, "organisations": ["nordbank"]}}
    assert (warning["severity"], warning["code"], warning["text"]) == ("warning", "never_fits", NEVER_FITS)


def test_every_error_has_its_place_and_nothing_is_applied(applied):
    policy = write_policy(applied.tmp / "policy")
    applied.run("policy", "apply", policy)

    (policy / "fleet.json").write_text('{ "kind": "fleet/1",\n  "nodes": [ { "id": "fra-1", "country": "XX" } ],\n'
                                       '  "deployments": [], "modles": {} }\n')
    (policy / "orgs" / "tenants.json").write_text('{ "kind": "tenants/1",\n  "organisations": [ { "id": "Nord" } ] }\n')
    done = applied.run("policy", "apply", policy, code=1)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    places = [line.split(": error: ")[0] for line in lines if ": error: " in line]
    assert f"{policy}/fleet.json:2:42" in places
    assert any(place.startswith(f"{policy}/fleet.json:3:") for place in places)
    assert f"{policy}/orgs/tenants.json:2:30" in places
    assert any('"modles"' in line and '"models"' in line for line in lines)
    assert lines[-1].startswith("nothing was applied: ")

    answer = json.loads(applied.run("policy", "apply", policy, "--json", code=1).stdout)
    assert answer["applied"] is False
    assert {(item["file"], item["line"]) for item in answer["report"] if item["severity"] == "error"} >= {
        (f"{policy}/fleet.json", 2), (f"{policy}/orgs/tenants.json", 2)}

    write_policy(policy)
    assert applied.run("policy", "apply", policy).stdout.startswith("revision 2\n")


def test_a_syntax_error_is_placed(applied):
    policy = write_policy(applied.tmp / "policy")
    (policy / "broken.json").write_text('{ "kind": "fleet/1",\n  "nodes": [ }\n')
    lines = applied.run("policy", "apply", policy, code=1).stderr.splitlines()
    assert lines[0].startswith(f"{policy}/broken.json:2:14: error: ")
    assert lines[-1].startswith("nothing was applied: 1 error,")


def test_warnings_do_not_stop_it(applied):
    policy = write_policy(applied.tmp / "policy", fleet=changed(FLEET, lambda f: f["deployments"][0].pop("operator_home")))
    done = applied.run("policy", "apply", policy)
    assert done.stdout.startswith("revision 1\n")
    assert ": warning: " in done.stderr and "operator_home" in done.stderr
    assert " 2 warnings\n" in done.stdout


def test_directory_manners(applied):
    policy = write_policy(applied.tmp / "policy")
    (policy / ".draft.json").write_text("not json")
    (policy / ".git").mkdir()
    (policy / ".git" / "x.json").write_text("not json")
    (policy / "README.md").write_text("not json")
    os.rename(policy / "fleet.json", policy / ".fleet.json")
    (policy / "fleet.json").symlink_to(policy / ".fleet.json")
    assert applied.run("policy", "apply", policy).stdout.startswith("revision 1\n3 documents")

    (policy / "more").symlink_to(applied.tmp)
    done = applied.run("policy", "apply", policy, code=1)
    assert f"{policy}/more is a link to a directory, which is not followed" in done.stderr


@pytest.mark.parametrize("make, sentence", [
    (lambda d: None, "cannot open {0}: No such file or directory"),
    (lambda d: d.mkdir(), "no *.json file below {0}"),
    (lambda d: d.write_text("{}"), "{0} is neither a directory nor a saved plan"),
    (lambda d: (d.mkdir(), os.mkfifo(d / "x.json")), "{0}/x.json is not a file"),
    (lambda d: (d.mkdir(), (d / "x.json").symlink_to("/nonexistent")), "cannot open {0}/x.json: No such file or directory"),
])
def test_directories_that_cannot_be_read(applied, make, sentence):
    place = applied.tmp / "other"
    make(place)
    done = applied.run("policy", "apply", place, code=1)
    assert done.stderr.startswith("gatehouse policy apply: " + sentence.format(place))


def test_editors_at_the_same_time_each_get_a_revision(applied):
    policy = write_policy(applied.tmp / "policy")
    outputs = []
    editors = [threading.Thread(target=lambda: outputs.append(applied.run("policy", "apply", policy).stdout.split("\n")[0]))
               for _ in range(6)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert sorted(outputs) == [f"revision {n}" for n in range(1, 7)]


def test_a_fleet_before_its_nodes_and_tenants(cli):
    (cli.tmp / "fleet.json").write_text(json.dumps({name: value for name, value in FLEET.items() if name != "nodes"}))
    assert cli.run("policy", "validate", cli.tmp / "fleet.json").stdout.startswith("valid: 1 document, 0 errors")


def test_validate_needs_no_store(cli):
    policy = write_policy(cli.tmp / "policy")
    assert cli.run("policy", "validate", policy).stdout == "valid: 3 documents, 0 errors, 1 warning\n"
    files = [policy / "fleet.json", policy / "orgs" / "residency.json", policy / "orgs" / "tenants.json"]
    assert cli.run("policy", "validate", *files).stdout == "valid: 3 documents, 0 errors, 1 warning\n"
    assert not cli.home.exists()


def test_strict_makes_warnings_errors(cli):
    policy = write_policy(cli.tmp / "policy")
    done = cli.run("policy", "validate", "--strict", policy, code=1)
    assert done.stdout == "not valid: 3 documents, 0 errors, 1 warning\n"
    assert json.loads(cli.run("policy", "validate", "--strict", "--json", policy, code=1).stdout)["valid"] is False
    write_policy(policy, residency=changed(RESIDENCY, lambda r: r["allow"].pop() and r["classes"].pop()))
    assert cli.run("policy", "validate", "--strict", policy).stdout == "valid: 3 documents, 0 errors, 0 warnings\n"
    assert cli.run("policy", "validate", "--strict", ROOT / "conf" / "examples" / "nordbank").stderr == ""


def test_every_name_of_a_warning_is_in_the_manual():
    """In both directions: what the sources can warn of, and what the manual lists between validate's options and the next command."""
    sources = [path.read_text() for path in (ROOT / "policy" / "document").glob("*.c")]
    named = {name for text in sources for name in re.findall(r'gh_doc_warn\([^;]*?, "([a-z_]+)",', text)} | {
        name for text in sources for name in re.findall(r'code = (?:allow \? )?"([a-z_]+)"', text)} | {"never_fires", "alias"}
    manual = (ROOT / "conf" / "man" / "gatehouse.1").read_text()
    section = re.search(r"Warnings and their names.*?(?=\n\.SS )", manual, re.S).group()
    listed = {word for line in re.findall(r"^\.TP\n\.BR? (.*)$", section, re.M) for word in re.findall(r"[a-z_]+", line)}
    assert listed == named


def test_validate_says_what_apply_says(applied):
    policy = write_policy(applied.tmp / "policy", residency=changed(RESIDENCY, lambda r: r["allow"][1].update(
        process={"within": ["EUU"]})))
    apply = applied.run("policy", "apply", policy, code=1).stderr.splitlines()
    validate = applied.run("policy", "validate", policy, code=1)
    assert validate.stderr.splitlines() == apply[:-1]
    assert validate.stdout.startswith("not valid: 3 documents, 1 error")
    answer = json.loads(applied.run("policy", "validate", policy, "--json", code=1).stdout)
    assert answer["valid"] is False and answer["report"][0]["line"] > 0


def test_long_author_is_refused(applied):
    policy = write_policy(applied.tmp / "policy")
    done = applied.run("policy", "apply", policy, "--author", "x" * 257, code=1)
    assert "nothing was applied" in done.stderr


def test_two_documents_of_one_tenant_are_an_error(applied):
    policy = write_policy(applied.tmp / "policy")
    (policy / "second.json").write_text(json.dumps(changed(TENANTS, lambda t: None)))
    done = applied.run("policy", "apply", policy, code=1)
    assert ": error: " in done.stderr
