"""policy apply PLAN: exactly what was planned, or nothing."""

import json
import shutil

import pytest

import plans
from conftest import Cli
from organisations import BOTH_FLEET, RESIDENCY, SUD_RESIDENCY, Gateway, stricter, write


@pytest.fixture
def gateway(cli):
    return Gateway(cli)


def revision(cli, number):
    return json.loads(cli.run("policy", "history", str(number), "--json").stdout)


def documents_of(gateway, number=1):
    """{path: text} of a revision, with the paths of an organisation's own edit for nordbank."""
    out = gateway.cli.tmp / f"export-{number}"
    gateway.cli.run("policy", "export", number, out)
    found = {str(file.relative_to(out)): file.read_text() for file in out.rglob("*.json")}
    shutil.rmtree(out)
    return found


def save(gateway, plan, name="plan.json"):
    path = gateway.cli.tmp / name
    path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
    return path


def plan_of_nord(gateway, residency, base=1, **change):
    """A plan of nordbank's two documents on revision 1, in the paths its own edits have."""
    own = {"nordbank/residency.json": json.dumps(residency), "nordbank/tenants.json": (gateway.nord / "tenants.json").read_text()}
    others = {path: text for path, text in documents_of(gateway, base).items() if "nordbank" not in path}
    policy = change.pop("policy", plans.digest(own | others))
    return plans.make(gateway.cli, revision(gateway.cli, base), own, policy, "organisation", "nordbank", **change)


def test_a_plan_is_applied_as_it_was_written(gateway):
    path = save(gateway, plan_of_nord(gateway, stricter()))
    (gateway.nord / "residency.json").write_text("changed since")
    done = gateway.apply(path, "--reason", "reviewed")
    assert done.stdout.startswith("revision 2\n6 documents,") and done.stdout.count("\nchanged: documents of nordbank\n") == 1
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 0)
    assert documents_of(gateway, 2)["nordbank/residency.json"] == json.dumps(stricter())
    assert revision(gateway.cli, 2)["reason"] == "reviewed"


def test_a_plan_of_everything_and_on_nothing(gateway, tmp_path):
    documents = documents_of(gateway)
    other = Cli(tmp_path / "other")
    other.tmp.mkdir()
    other.init()
    plan = plans.make(other, None, documents, plans.digest(documents), facts=revision(gateway.cli, 1)["facts"])
    other.run("policy", "apply", save(gateway, plan))
    assert revision(other, 1)["policy"] == revision(gateway.cli, 1)["policy"]


def test_a_plan_is_used_once(gateway):
    path = save(gateway, plan_of_nord(gateway, stricter()))
    gateway.apply(path)
    done = gateway.apply(path, code=1)
    assert 'revision 2 by tester changed the documents of organisation "nordbank" after revision 1' in done.stderr


def test_the_other_organisations_edit_does_not_hurt_a_plan(gateway):
    path = save(gateway, plan_of_nord(gateway, stricter()))
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert gateway.apply(path).stdout.startswith("revision 3\n")
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 3)


def test_the_gateways_edit_does(gateway):
    path = save(gateway, plan_of_nord(gateway, stricter()))
    write(gateway.own, fleet=dict(BOTH_FLEET, models=dict(BOTH_FLEET["models"], more={})))
    gateway.apply(gateway.own, "--gateway")
    assert "revision 2 by tester changed the gateway's documents after revision 1" in gateway.apply(path, code=1).stderr
    assert gateway.asks("nordbank") == 0


def edited(plan, change):
    plan = json.loads(json.dumps(plan))
    change(plan)
    return plan


@pytest.mark.parametrize("change", [
    lambda p: p["documents"][0].update(text=p["documents"][0]["text"].replace('"IS"', '"EU"')),
    lambda p: p["documents"].pop(), lambda p: p["base"].update(revision=2), lambda p: p.update(organisation="sudbank"),
    lambda p: p.update(scope="all"), lambda p: p.update(by="ada"), lambda p: p["summary"].update(says="something"),
    lambda p: p.update(more=1), lambda p: p.update(mac=p["mac"][:-1] + ("0" if p["mac"][-1] != "0" else "1"))])
def test_an_edited_plan_is_refused(gateway, change):
    plan = plan_of_nord(gateway, stricter())
    path = save(gateway, edited(plan, change))
    done = gateway.apply(path, code=1)
    assert f"{path} is not the plan that was written: it was edited or damaged after that, or made with another gateway's store.key" \
        in done.stderr
    assert revision(gateway.cli, 1)["in_force"]
    gateway.apply(save(gateway, json.dumps(plan, indent=7, sort_keys=True)))    # how it is laid out does not matter


def test_every_cut_of_a_plan_is_refused(gateway):
    text = json.dumps(plan_of_nord(gateway, stricter()))
    for length in (0, 1, 20, len(text) // 2, len(text) - 1):
        assert "is neither a directory nor a saved plan" in gateway.apply(save(gateway, text[:length]), code=1).stderr
    assert revision(gateway.cli, 1)["in_force"]


@pytest.mark.parametrize("text, sentence", [
    ('{"kind": "plan/2"}', 'is of kind "plan/2", a version that this program does not know: it reads "plan/1"'),
    ('{"kind": "plan/1"}', 'is not the plan that was written: it has no "mac"'),
    ('{"kind": "fleet/1"}', "is neither a directory nor a saved plan"), ("[]", "is neither a directory nor a saved plan"),
    ('{"kind": "plan/1", "kind": "plan/1"}', "is neither a directory nor a saved plan: line 1: duplicate object key")])
def test_files_that_are_no_plan(gateway, text, sentence):
    assert sentence in gateway.apply(save(gateway, text), code=1).stderr


def test_a_plan_of_another_gateway(gateway, tmp_path):
    """Its store.key is another; and with the same key, its revision 1 is another."""
    other = Cli(tmp_path / "other")
    other.tmp.mkdir()
    strange = Gateway(other)
    plan = plan_of_nord(strange, stricter())
    assert "made with another gateway's store.key" in gateway.apply(save(gateway, plan), code=1).stderr

    plan["base"]["policy"] = "00" * 32
    done = gateway.apply(save(gateway, plans.seal(gateway.cli, plan)), code=1)
    assert "the plan was made for another store: revision 1 here has other documents" in done.stderr


@pytest.mark.parametrize("change, sentence", [
    ({"policy": "11" * 32}, "the documents do not come to what the plan said of revision 1"),
    ({"facts": "11" * 32}, "the facts are not those the plan was made with on revision 1"),
    ({"newest_facts": "regions/2031-01-01"}, "the facts are not those the plan was made with on revision 1")])
def test_what_the_plan_promised_must_hold(gateway, change, sentence):
    done = gateway.apply(save(gateway, plan_of_nord(gateway, stricter(), **change)), code=1)
    assert sentence in done.stderr and "make the plan again" in done.stderr
    assert gateway.asks("nordbank") == 0


def test_newer_facts_are_seen_after_another_edit_too(gateway):
    path = save(gateway, plan_of_nord(gateway, stricter(), newest_facts="regions/2031-01-01"))
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert "the facts are not those the plan was made with" in gateway.apply(path, code=1).stderr


def test_a_plan_cannot_hold_what_its_scope_cannot(gateway):
    """Sealed with the right key all the same: the checks of an organisation's edit hold for plans too."""
    documents = {"nordbank/residency.json": json.dumps(RESIDENCY), "sudbank/residency.json": json.dumps(SUD_RESIDENCY)}
    plan = plans.make(gateway.cli, revision(gateway.cli, 1), documents, "00" * 32, "organisation", "nordbank")
    path = save(gateway, plan)
    assert f'{path}: sudbank/residency.json:1:58: error: this is organisation "sudbank"' in gateway.apply(path, code=1).stderr


@pytest.mark.parametrize("arguments", [["--organisation", "nordbank"], ["--gateway"], ["--base", "1"]])
def test_a_plan_says_for_itself_what_it_is_about(gateway, arguments):
    done = gateway.apply(save(gateway, plan_of_nord(gateway, stricter())), *arguments, code=64)
    assert "is a saved plan, which says what it changes and what it was made on" in done.stderr


def test_what_policy_plan_writes(gateway):
    """Sealed as the format says, by an implementation of its own; applied by whoever holds it, for its organisation only."""
    write(gateway.nord, residency=stricter())
    path = gateway.cli.tmp / "nord.plan"
    gateway.cli.run("policy", "plan", gateway.nord, "--organisation", "nordbank", "--out", path, code=2)
    plan = json.loads(path.read_text())
    assert plans.seal(gateway.cli, plan) == plan
    assert (plan["scope"], plan["organisation"], plan["by"], plan["base"]["revision"]) == ("organisation", "nordbank", "tester", 1)
    assert plan["base"]["policy"] == revision(gateway.cli, 1)["policy"]
    assert [one["path"] for one in plan["documents"]] == ["nordbank/residency.json", "nordbank/tenants.json"]
    assert path.stat().st_mode & 0o777 == 0o640 and not list(gateway.cli.tmp.glob("nord.plan.*"))

    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert gateway.apply(path).stdout.startswith("revision 3\n")
    assert revision(gateway.cli, 3)["changed"] == {"gateway": False, "organisations": ["nordbank"]}
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 3)


def test_a_plan_of_the_gateway_is_about_everybody(gateway):
    write(gateway.own, fleet=dict(BOTH_FLEET, deployments=BOTH_FLEET["deployments"][:2]))
    path = gateway.cli.tmp / "own.plan"
    gateway.cli.run("policy", "plan", gateway.own, "--gateway", "--out", path, code=None)
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert 'revision 2 by tester changed the documents of organisation "sudbank" after revision 1' in gateway.apply(path, code=1).stderr
    gateway.cli.run("policy", "plan", gateway.own, "--gateway", "--out", path, code=None)
    assert gateway.apply(path).stdout.count("\nchanged: documents of gateway\n") == 1
