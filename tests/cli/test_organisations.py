"""Several organisations on one gateway: whose document is whose, and edits that touch nobody else's."""

import json
import threading

import pytest

from conftest import TENANTS, changed
from organisations import BOTH_FLEET, GUARD, RESIDENCY, SUD_RESIDENCY, SUD_TENANTS, Gateway, stricter, write


@pytest.fixture
def gateway(cli):
    return Gateway(cli)


def test_an_edit_of_one_changes_only_that_one(gateway):
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (0, 0)
    done = gateway.apply_nord(residency=stricter())
    assert done.stdout.startswith("revision 2\n6 documents, 3 deployments, 2 tenants with 4 apps, 1 warning\n")
    assert done.stdout.count("\nchanged: documents of nordbank\n") == 1
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 0)
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 3)
    gateway.apply_nord(residency=RESIDENCY)
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (0, 3)


def test_both_may_call_their_files_the_same(gateway):
    gateway.apply_nord()
    gateway.apply_sud()
    answer = json.loads(gateway.apply_nord("--json").stdout)
    assert answer["documents"] == 6 and answer["changed"] == {"gateway": False, "organisations": []}


def test_warnings_of_another_organisation_are_not_ones_own(gateway):
    done = gateway.apply_nord(residency=stricter())
    assert f"{gateway.nord}/residency.json:" in done.stderr and done.stderr.count(": warning: ") == 1
    done = gateway.apply_sud("--json")
    assert done.stderr == "" and json.loads(done.stdout)["report"] == []
    assert "revision 3: nordbank/residency.json:" in gateway.apply(gateway.own, "--gateway").stderr


def test_a_new_organisation_comes_by_itself(gateway):
    residency = json.loads(json.dumps(RESIDENCY).replace("nordbank", "westbank"))
    tenants = json.loads(json.dumps(TENANTS).replace("nordbank", "westbank"))
    directory = write(gateway.cli.tmp / "west", residency=residency, tenants=tenants)
    assert "changed: documents of westbank\n" in gateway.apply(directory, "--organisation", "westbank").stdout


@pytest.mark.parametrize("name, document, line", [
    ("fleet", BOTH_FLEET, '2:11: error: a fleet/1 document belongs to the gateway: an edit of organisation "nordbank" cannot hold it; '
                          'take it out of the directory'),
    ("guard", GUARD, '3:11: error: a guard belongs to the gateway: an edit of organisation "nordbank" cannot hold it; take it out of '
                     'the directory'),
    ("sud", SUD_RESIDENCY, '4:17: error: this is organisation "sudbank": an edit of organisation "nordbank" cannot touch it'),
    ("tenants", SUD_TENANTS, '5:13: error: this is organisation "sudbank": an edit of organisation "nordbank" cannot touch it'),
    ("tenants", {"kind": "tenants/1", "organisations": TENANTS["organisations"] + SUD_TENANTS["organisations"]},
     'error: this is organisation "sudbank": an edit of organisation "nordbank" cannot touch it'),
    ("more", changed(RESIDENCY, lambda p: p.update(name="more", applies_to=["nordbank/x", "sudbank/retail"])),
     '6:5: error: this is organisation "sudbank": an edit of organisation "nordbank" cannot touch it'),
    ("more", changed(RESIDENCY, lambda p: p.update(name="more", applies_to="*")),
     '4:17: error: a policy for everybody belongs to the gateway: an edit of organisation "nordbank" cannot hold it; take it out of '
     'the directory'),
])
def test_what_an_organisation_may_not_touch(gateway, name, document, line):
    done = gateway.apply_nord(code=1, **{name: document})
    assert done.stderr.startswith(f"{gateway.nord}/{name}.json:") and line in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[-1] == "nothing was applied: 1 error, 0 warnings"
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (0, 0)
    assert gateway.apply_sud().stdout.startswith("revision 2\n")


def test_an_organisations_directory_is_not_the_gateways(gateway):
    done = gateway.apply(gateway.nord, "--gateway", code=1)
    assert f'{gateway.nord}/residency.json:4:17: error: a policy of organisation "nordbank" is not the gateway\'s: apply it with ' \
           '--organisation nordbank, or everything together' in done.stderr
    assert "tenants.json:5:13: error: a tenants/1 document of organisation" in done.stderr


def test_the_gateways_own_edit_leaves_organisations_alone(gateway):
    gateway.apply_nord(residency=stricter())
    write(gateway.own, fleet=changed(BOTH_FLEET, lambda fleet: fleet["deployments"].pop()))
    done = gateway.apply(gateway.own, "--gateway")
    assert done.stdout.count("\nchanged: documents of gateway\n") == 1 and "2 deployments" in done.stdout
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 0)


def test_all_documents_are_checked_together(gateway):
    write(gateway.own, guard=changed(GUARD, lambda guard: guard["forbid"].append(
        {"id": "off", "why": "Incident", "tenants": ["nordbank/retail"], "models": ["gpt-4.1"]})))
    gateway.apply(gateway.own, "--gateway")
    renamed = json.loads(json.dumps(TENANTS).replace('"retail"', '"shops"'))
    done = gateway.apply_nord(tenants=renamed, code=1)
    assert 'revision 2: guard.json:' in done.stderr and 'error: forbid "off": pattern "nordbank/retail" covers no tenant' in done.stderr
    report = json.loads(gateway.apply_nord("--json", code=1).stdout)["report"]
    assert [item["file"] for item in report if item["severity"] == "error"] == ["revision 2: guard.json"]
    assert gateway.asks("nordbank") == 3


def test_errors_of_ones_own_files_have_their_own_names(gateway):
    done = gateway.apply_nord(residency=changed(RESIDENCY, lambda p: p["allow"][0].update(classes=["publik"])), code=1)
    assert done.stderr.startswith(f"{gateway.nord}/residency.json:") and 'did you mean "public"' in done.stderr


def test_tenants_given_together_are_the_gateways(gateway):
    together = {"kind": "tenants/1", "organisations": TENANTS["organisations"] + SUD_TENANTS["organisations"]}
    whole = write(gateway.cli.tmp / "together", fleet=BOTH_FLEET, nord=RESIDENCY, sud=SUD_RESIDENCY, tenants=together)
    gateway.apply(whole)

    done = gateway.apply_nord(code=1)
    assert done.stderr.startswith(f"{gateway.nord}/tenants.json:5:13: error: organisation \"nordbank\" is given at tenants.json:5:13 of "
                                  "revision 2, together with others: that document is the gateway's.")
    assert "Give each organisation a tenants/1 document of its own" in done.stderr

    (gateway.nord / "tenants.json").unlink()
    assert gateway.apply_nord(residency=stricter()).stdout.count("\nchanged: documents of nordbank\n") == 1
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 0)


def test_tenants_that_were_forgotten(gateway):
    write(gateway.own, guard=dict(GUARD, applies_to="*"))
    gateway.apply(gateway.own, "--gateway")
    (gateway.nord / "tenants.json").unlink()
    done = gateway.apply_nord()
    assert 'warning: organisation "nordbank" has no tenants/1 document any more: the tenants that it gave are gone, and their keys are ' \
           'refused' in done.stderr
    assert "1 tenant with 2 apps" in done.stdout and gateway.asks("nordbank") == 1
    assert "has no tenants/1 document any more" not in gateway.apply_nord(residency=stricter()).stderr


def test_a_name_taken_by_another_owner(gateway):
    write(gateway.own / "nordbank", fleet={"kind": "fleet/1", "nodes": [{"id": "fra-2", "country": "DE"}]})
    gateway.apply(gateway.own, "--gateway")
    done = gateway.apply_nord(fleet=changed(RESIDENCY, lambda p: None), code=1)
    assert done.stderr.startswith(f"{gateway.nord}/fleet.json: error: the gateway's documents in force have one of this name")


def test_one_policy_an_organisation(gateway):
    done = gateway.apply_nord(second=changed(RESIDENCY, lambda p: p.update(name="second", applies_to="nordbank/other")), code=1)
    assert 'second.json:4:17: error: policy of organisation "nordbank" is already given at nordbank/residency.json:4:17' in done.stderr


# ---- base ----


def test_the_other_organisations_edit_does_not_move_the_base(gateway):
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert gateway.apply_nord("--base", "1", residency=stricter()).stdout.startswith("revision 3\n")


def test_ones_own_edit_moves_the_base(gateway):
    gateway.apply_nord("--author", "ada", "--reason", "audit finding 7", residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    done = gateway.apply_nord("--base", "1", residency=RESIDENCY, code=1)
    assert 'revision 2 by ada ("audit finding 7") changed the documents of organisation "nordbank" after revision 1, which this edit ' \
           'was made on' in done.stderr
    assert "gatehouse policy diff 1" in done.stderr
    assert gateway.asks("nordbank") == 3
    assert gateway.apply_nord("--base", "2").stdout.startswith("revision 4\n")


def test_the_gateways_edit_moves_every_base(gateway):
    write(gateway.own, fleet=changed(BOTH_FLEET, lambda fleet: fleet["deployments"].pop()))
    gateway.apply(gateway.own, "--gateway")
    assert "revision 2 by tester changed the gateway's documents after revision 1" in gateway.apply_nord("--base", "1", code=1).stderr


@pytest.mark.parametrize("scope", [["--gateway"], []])
def test_the_gateways_base_is_everything(gateway, scope):
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    done = gateway.apply(gateway.own if scope else gateway.whole, *scope, "--base", "1", code=1)
    assert 'revision 2 by tester changed the documents of organisation "sudbank" after revision 1' in done.stderr
    assert gateway.asks("sudbank") == 3


def test_what_was_undone_does_not_move_the_base(gateway):
    gateway.apply_nord(residency=stricter())
    gateway.apply_nord(residency=RESIDENCY)
    assert gateway.apply_nord("--base", "1", residency=stricter()).stdout.startswith("revision 4\n")


@pytest.mark.parametrize("base, code, sentence", [
    ("9", 1, "there is no revision 9 to base this on: revision 1 is in force"),
    ("0", 1, "revision 1 by tester changed the gateway's documents after revision 0, which this edit was made on"),
    ("x", 64, "--base x is not the number of a revision"), ("-1", 64, "--base -1 is not the number of a revision"),
    ("99999999999999999999", 64, "is not the number of a revision")])
def test_bases_that_are_none(gateway, base, code, sentence):
    assert sentence in gateway.apply_nord("--base=" + base, code=code).stderr


def test_the_first_revision_may_be_based_on_nothing(cli):
    cli.init()
    directory = write(cli.tmp / "nord", fleet=BOTH_FLEET)
    assert cli.run("policy", "apply", directory, "--base", "0").stdout.startswith("revision 1\n")
    changed_done = cli.run("policy", "apply", directory, "--base", "0", code=1)
    assert "revision 1 by tester changed" in changed_done.stderr


@pytest.mark.parametrize("arguments, sentence", [
    (["--organisation", "nordbank", "--gateway"], "give --organisation or --gateway, not both"),
    (["--organisation", "Nord"], "--organisation Nord is not a name"),
    (["--organisation", "nordbank/retail"], "--organisation nordbank/retail is not a name")])
def test_scopes_that_are_none(gateway, arguments, sentence):
    assert sentence in gateway.apply(gateway.nord, *arguments, code=64).stderr


def test_two_editors_at_once_both_get_through(gateway):
    """Every edit of either is one revision, none undoes the other's."""
    def edit(directory, organisation, base):
        for round_ in range(4):
            policy = stricter(base) if round_ % 2 == 0 else base
            write(directory, residency=changed(policy, lambda p: p["allow"][0].update(why=f"round {round_}")))
            assert gateway.apply(directory, "--organisation", organisation).returncode == 0

    editors = [threading.Thread(target=edit, args=arguments) for arguments in
               ((gateway.nord, "nordbank", RESIDENCY), (gateway.sud, "sudbank", SUD_RESIDENCY))]
    [editor.start() for editor in editors]
    [editor.join() for editor in editors]
    answer = json.loads(gateway.apply_nord("--json").stdout)
    assert answer["revision"] == 10 and answer["changed"] == {"gateway": False, "organisations": []}
    assert json.loads(gateway.apply_sud("--json").stdout)["changed"] == {"gateway": False, "organisations": []}
