"""fleet import --merge and fleet drift: what people wrote stays; what is no longer so is named, and taken out when that is asked for."""

import copy
import json

import pytest

from conftest import EVIDENCE, RESIDENCY, TENANTS, changed, write_policy
from control_planes import KEYS, LOGGED, TOKEN, Arm, Region, account, account_id, bedrock, deployment, model, profile

HAIKU, OSS = "anthropic.claude-3-haiku-20240307-v1:0", "openai.gpt-oss-120b-1:0"


def arm(logging="false", sku="Standard", extra=(), **properties):
    return Arm([(account("acme-se", logging=logging, **properties), [deployment("prod", "acme-se", sku=sku), deployment("other", "acme-se", "gpt-4.1-mini"),
                                                                     *extra])])


def azure(cli, estate, command, *arguments, code=0):
    (cli.tmp / "token").write_text(TOKEN)
    with estate.serve() as server:
        return cli.run("fleet", command, "azure", "--token", cli.tmp / "token", "--endpoint", server.url, *arguments, code=code)


def differences(done):
    return [(one["kind"], one["deployment"], one["model"], one["fact"]) for one in json.loads(done.stdout)["differences"]]


def by_id(fleet):
    return {one["id"]: one for one in fleet["deployments"]}


def imported(cli, estate=None):
    """An imported document as people finish it."""
    fleet = json.loads(azure(cli, estate or arm(), "import", "--json").stdout)["fleet"]
    fleet["nodes"] = [{"id": "fra-1", "country": "DE"}]
    for one in fleet["deployments"]:
        one.update(serves=["nordbank"], training=False)
        one["evidence"]["training"] = EVIDENCE
    return fleet


def merged(cli, fleet, estate):
    path = cli.tmp / "mine.json"
    path.write_text(json.dumps(fleet))
    done = azure(cli, estate, "import", "--merge", path, "--output", path, "--replace", "--json")
    return json.loads(path.read_text()), differences(done)


# ---- merge ----

def test_nothing_new_changes_nothing(cli):
    """Evidence of the first import stays while it is still so."""
    fleet = imported(cli)
    assert merged(cli, fleet, arm()) == (fleet, [])


def test_what_people_wrote_stays(cli):
    fleet = imported(cli)
    mine = by_id(fleet)["acme-se-prod"]
    mine.update(id="azure-se", priority=1, backend="se")
    mine["models"] = {"gpt-4.1": {**mine["models"]["gpt-4.1"], "price": {"input": 1, "output": 2}, "source": "contract", "as_of": "2026-11-01"}}
    fleet["models"]["gpt-4.1"]["aliases"] = ["gpt"]
    assert merged(cli, fleet, arm()) == (fleet, [])


def test_a_new_deployment_comes_in(cli):
    fleet = imported(cli)
    new, said = merged(cli, fleet, arm(extra=[deployment("third", "acme-se", "gpt-5")]))
    assert said == [("new", "acme-se-third", "gpt-5", "")]
    assert by_id(new)["acme-se-third"]["models"]["gpt-5"]["upstream"] == "third" and "gpt-5" in new["models"]
    assert "serves" not in by_id(new)["acme-se-third"] and [one["id"] for one in new["deployments"]][:2] == ["acme-se-other", "acme-se-prod"]


def test_what_changed_is_replaced_with_its_evidence(cli):
    fleet = imported(cli)
    new, said = merged(cli, fleet, arm(logging=None, sku="GlobalStandard"))
    assert said == [("changed", "acme-se-other", "gpt-4.1-mini", "store"), ("changed", "acme-se-prod", "gpt-4.1", "sku"),
                    ("changed", "acme-se-prod", "gpt-4.1", "store")]
    prod = by_id(new)["acme-se-prod"]
    assert prod["sku"] == "GlobalStandard" and prod["models"]["gpt-4.1"]["store"] == {"in": ["ANYWHERE"], "days": 30}
    assert "no capability ContentLogging" in prod["models"]["gpt-4.1"]["evidence"]["store"]["source"] and prod["evidence"]["training"] == EVIDENCE


def test_what_people_state_otherwise_is_a_conflict_and_stays(cli):
    fleet = imported(cli)
    for one in fleet["deployments"]:
        for entry in one["models"].values():
            entry["evidence"] = EVIDENCE
    new, said = merged(cli, fleet, arm(logging=None))
    assert new == fleet and said == [("conflict", "acme-se-other", "gpt-4.1-mini", "store"), ("conflict", "acme-se-prod", "gpt-4.1", "store")]


def test_people_may_narrow_places_that_nobody_publishes(cli):
    fleet = imported(cli, arm(logging=None))
    for one in fleet["deployments"]:
        for entry in one["models"].values():
            entry.update(store={"in": ["SE"], "days": 30}, evidence=EVIDENCE)
    assert merged(cli, fleet, arm(logging=None)) == (fleet, [])


def test_what_the_document_does_not_state_is_learned(cli):
    fleet = imported(cli)
    entry = by_id(fleet)["acme-se-prod"]["models"]["gpt-4.1"]
    del entry["store"], entry["evidence"]
    new, said = merged(cli, fleet, arm())
    assert said == [("learned", "acme-se-prod", "gpt-4.1", "store")] and by_id(new)["acme-se-prod"]["models"]["gpt-4.1"]["store"] == "nothing"


def test_one_evidence_for_all_is_kept_for_what_it_was_for(cli):
    """A fact that comes in beside others brings its own; what had one for all has it still."""
    fleet = imported(cli)
    entry = by_id(fleet)["acme-se-prod"]["models"]["gpt-4.1"]
    del entry["store"]
    entry.update(attest=["c5"], evidence=EVIDENCE)
    new, _ = merged(cli, fleet, arm())
    entry = by_id(new)["acme-se-prod"]["models"]["gpt-4.1"]
    assert entry["evidence"]["attest"] == EVIDENCE and entry["evidence"]["store"]["by"] == "gatehouse fleet import"


def test_what_is_gone_is_named_and_stays(cli):
    fleet = imported(cli)
    new, said = merged(cli, fleet, Arm([(account("acme-se", logging="false"), [deployment("prod", "acme-se")])]))
    assert new == fleet and said == [("gone", "acme-se-other", "gpt-4.1-mini", "")]


def test_a_name_that_is_taken_is_not_used_again(cli):
    fleet = imported(cli)
    fleet["deployments"] = [{**by_id(fleet)["acme-se-prod"], "resource": account_id("another"), "id": "acme-se-other"}]
    new, said = merged(cli, fleet, arm())
    assert [one["id"] for one in new["deployments"]] == ["acme-se-other", "acme-se-other-2", "acme-se-prod"]
    assert ("gone", "acme-se-other", "gpt-4.1", "") in said


def test_several_models_in_one_deployment_keep_their_own_words(cli):
    """A deployment that people made of two: what changed of one is said of it alone."""
    fleet = imported(cli)
    both = by_id(fleet)["acme-se-prod"]
    both["models"]["gpt-4.1-mini"] = by_id(fleet)["acme-se-other"]["models"]["gpt-4.1-mini"]
    fleet["deployments"] = [both]
    new, said = merged(cli, fleet, arm(sku="GlobalStandard"))
    assert said == [("changed", "acme-se-prod", "gpt-4.1", "sku")]
    assert new["deployments"][0]["sku"] == "Standard" and new["deployments"][0]["models"]["gpt-4.1"]["sku"] == "GlobalStandard"


@pytest.mark.parametrize("text, said", [("{", "mine.json:1:2"), ("[]", 'not of kind "fleet/1"'), ('{"kind": "tenants/1"}', 'not of kind "fleet/1"'),
                                        ('{"kind": "fleet/1", "deployments": {}}', "is no list")])
def test_documents_that_cannot_be_merged_into(cli, text, said):
    (cli.tmp / "mine.json").write_text(text)
    assert said in azure(cli, arm(), "import", "--merge", cli.tmp / "mine.json", code=1).stderr


# ---- drift ----

ALLOW = {"id": "anywhere", "why": "test", "classes": ["public", "personal", "secret"], "process": {"within": ["ANYWHERE"]}, "store": "nothing"}


def in_force(cli, fleet):
    cli.init()
    write_policy(cli.tmp / "policy", fleet=fleet, residency=changed(RESIDENCY, lambda r: r.update(allow=[ALLOW])), tenants=TENANTS)
    cli.run("policy", "apply", cli.tmp / "policy")
    return fleet


def test_nothing_drifted(cli):
    in_force(cli, imported(cli))
    assert azure(cli, arm(), "drift").stdout == "Nothing drifted: 2 deployments in force have a resource.\n"


def test_a_new_deployment_is_no_drift(cli):
    in_force(cli, imported(cli))
    azure(cli, arm(extra=[deployment("third", "acme-se", "gpt-5")]), "drift")


@pytest.mark.parametrize("now, drifted", [
    (dict(sku="GlobalStandard"), [("changed", "acme-se-prod", "gpt-4.1", "sku")]),
    (dict(sku="Odd"), [("changed", "acme-se-prod", "gpt-4.1", "sku")]),
    (dict(logging=None), [("changed", "acme-se-other", "gpt-4.1-mini", "store"), ("changed", "acme-se-prod", "gpt-4.1", "store")]),
    (dict(raiMonitorConfig={"adxStorageResourceId": "/x"}), [("changed", "acme-se-other", "gpt-4.1-mini", "store"), ("changed", "acme-se-prod", "gpt-4.1", "store")]),
    (dict(locations={"routingMethod": "Weighted", "regions": [{"name": "eastus", "value": 1}]}),
     [("changed", "acme-se-other", "gpt-4.1-mini", "sku"), ("changed", "acme-se-prod", "gpt-4.1", "sku")]),
])
def test_what_drifted_is_named(cli, now, drifted):
    in_force(cli, imported(cli))
    done = azure(cli, arm(**now), "drift", "--json", code=2)
    assert differences(done) == drifted and json.loads(done.stdout)["revision"] is None
    assert json.loads(cli.run("policy", "history", "--json").stdout)[0]["revision"] == 1


def test_narrower_stays_true(cli):
    in_force(cli, imported(cli, arm(sku="GlobalStandard", logging=None)))
    done = azure(cli, arm(), "drift", "--take-out", "--json")
    assert {kind for kind, *_ in differences(done)} == {"narrower"}


def test_taking_out(cli):
    """It serves nobody, in a revision that says why; the other goes on; only people put it back."""
    fleet = in_force(cli, imported(cli))
    key = cli.key()
    body = cli.request()
    assert cli.run("explain", "--request", body, "--key", key, "--node", "fra-1").returncode == 0
    done = azure(cli, arm(sku="GlobalStandard"), "drift", "--take-out", code=2)
    assert "changed: acme-se-prod, gpt-4.1: sku is now GlobalStandard, not Standard" in done.stdout
    assert "revision 2: 1 deployment taken out; back only by an edit of people: gatehouse policy apply DIR" in done.stdout
    newest = json.loads(cli.run("policy", "history", "--json").stdout)[0]
    assert newest["author"] == "gatehouse drift" and newest["reason"] == \
        "incident facts_drift: acme-se-prod, gpt-4.1: sku is now GlobalStandard, not Standard"
    exported = cli.tmp / "exported"
    cli.run("policy", "export", "2", exported)
    now = json.loads((exported / "fleet.json").read_text())
    expected = copy.deepcopy(fleet)
    by_id(expected)["acme-se-prod"]["serves"] = []
    assert now == expected
    assert cli.run("explain", "--request", body, "--key", key, "--node", "fra-1", code=3)
    assert cli.run("explain", "--request", cli.request(model="gpt-4.1-mini"), "--key", key, "--node", "fra-1").returncode == 0
    assert "Nothing drifted" in azure(cli, arm(sku="GlobalStandard"), "drift", "--take-out").stdout
    cli.run("policy", "apply", cli.tmp / "policy")
    assert cli.run("explain", "--request", cli.request(), "--key", key, "--node", "fra-1").returncode == 0
    azure(cli, arm(sku="GlobalStandard"), "drift", code=2)


def test_the_bytes_around_stay(cli):
    """Only lists of who is served are replaced, wherever they stand; names with escapes are found."""
    fleet = imported(cli)
    both = by_id(fleet)["acme-se-prod"]
    both["models"]["gpt-4.1"]["serves"] = ["nordbank/retail"]
    in_force(cli, fleet)
    text = (cli.tmp / "policy" / "fleet.json").read_text().replace('"acme-se-prod"', '"acme\\u002dse-prod"').replace('"id":', '"id" :\t')
    (cli.tmp / "policy" / "fleet.json").write_text(text)
    cli.run("policy", "apply", cli.tmp / "policy")
    azure(cli, arm(sku="GlobalStandard"), "drift", "--take-out", code=2)
    cli.run("policy", "export", "3", cli.tmp / "exported")
    now = (cli.tmp / "exported" / "fleet.json").read_text()
    prod = text.index('"acme\\u002dse-prod"')
    before, after = text[:prod], text[prod:]
    end = after.index('"id" :') if '"id" :' in after else len(after)
    expected = before + after[:end].replace('[\n        "nordbank"\n      ]', "[]").replace('[\n            "nordbank/retail"\n          ]', "[]") + after[end:]
    assert now == expected and now.count("[]") == 2


def test_a_deployment_that_serves_nobody_is_not_told_of(cli):
    fleet = imported(cli)
    by_id(fleet)["acme-se-prod"]["serves"] = []
    in_force(cli, fleet)
    azure(cli, arm(sku="GlobalStandard"), "drift")


def test_an_account_that_is_not_there_any_more(cli):
    in_force(cli, imported(cli))
    estate = Arm([])
    done = azure(cli, estate, "drift", "--json", code=2)
    assert {kind for kind, *_ in differences(done)} == {"gone"}


def test_an_account_that_the_token_may_not_see_is_no_drift(cli):
    """Lists leave out what may not be read: that must not end the service."""
    in_force(cli, imported(cli))
    estate = Arm([])
    answer = estate.answer
    estate.answer = lambda path, query, origin: ("Accounts_Get", None) if path == account_id("acme-se") else answer(path, query, origin)
    estate.override["Accounts_Get"] = (403, "AuthorizationFailed", "no")
    error = azure(cli, estate, "drift", "--take-out", code=1).stderr
    assert f"Accounts_Get of {account_id('acme-se')} was refused: the credential lacks the permission Microsoft.CognitiveServices/accounts/read" in error
    assert json.loads(cli.run("policy", "history", "--json").stdout)[0]["revision"] == 1


@pytest.mark.parametrize("status", [500, 429])
def test_a_cloud_that_does_not_answer_is_no_drift(cli, status):
    in_force(cli, imported(cli))
    estate = arm()
    estate.override["Deployments_List"] = (status, "Busy", "later")
    with estate.serve() as server:
        send = server.server.RequestHandlerClass.send_response

        def hurried(self, code, message=None):
            send(self, code, message)
            self.send_header("Retry-After", "0")

        server.server.RequestHandlerClass.send_response = hurried
        error = cli.run("fleet", "drift", "azure", "--token", cli.tmp / "token", "--endpoint", server.url, "--take-out", code=1).stderr
    assert f"was answered with {status} Busy: later" in error


def test_what_has_no_resource_is_not_compared(cli):
    in_force(cli, imported(cli))
    fleet = imported(cli)
    for one in fleet["deployments"]:
        del one["resource"]
    write_policy(cli.tmp / "policy", fleet=fleet, residency=changed(RESIDENCY, lambda r: r.update(allow=[ALLOW])), tenants=TENANTS)
    cli.run("policy", "apply", cli.tmp / "policy")
    assert 'no deployment in force has a "resource" of Azure' in azure(cli, arm(), "drift", code=1).stderr


def test_before_a_policy(cli):
    cli.init()
    assert "no policy was applied yet" in azure(cli, arm(), "drift", code=1).stderr


# ---- Amazon Bedrock ----

def aws(cli, regions, command, *arguments, code=0):
    secret, token = KEYS["AKIDREADONLY"]
    with bedrock(regions) as server:
        return cli.run("fleet", command, "bedrock", "--endpoint", server.url, *arguments, code=code, env={
            **cli.environment, "AWS_ACCESS_KEY_ID": "AKIDREADONLY", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token})


def frankfurt(destinations=("eu-central-1", "eu-west-1"), models=(HAIKU, OSS), there="none", **changes):
    return {"eu-central-1": Region(models=[model(name) for name in models], profiles=[profile(f"eu.{HAIKU}", HAIKU, destinations)], **changes),
            "eu-west-1": Region(mode=there), "eu-north-1": Region(), "eu-central-2": Region()}


@pytest.mark.parametrize("now, drifted", [
    ({}, []),
    (dict(destinations=["eu-central-1"]), []),
    (dict(destinations=["eu-central-1", "eu-west-1", "eu-central-2"]), [("changed", "bedrock-eu-central-1-eu", HAIKU, "destinations")]),
    (dict(there="default"), [("changed", "bedrock-eu-central-1-eu", HAIKU, "store")]),
    (dict(logging=LOGGED), [("changed", name, of, "store") for name, of in (("bedrock-eu-central-1", HAIKU), ("bedrock-eu-central-1", OSS),
                                                                            ("bedrock-eu-central-1-eu", HAIKU))]),
    (dict(models=[HAIKU]), [("gone", "bedrock-eu-central-1", OSS, "")]),
])
def test_bedrock(cli, now, drifted):
    fleet = json.loads(aws(cli, frankfurt(), "import", "--region", "eu-central-1", "--json").stdout)["fleet"]
    fleet["nodes"] = [{"id": "fra-1", "country": "DE"}]
    for one in fleet["deployments"]:
        one.update(serves=["nordbank"], training=False)
        one["evidence"]["training"] = EVIDENCE
    in_force(cli, fleet)
    done = aws(cli, frankfurt(**now), "drift", "--json", code=2 if drifted else 0)
    assert [one for one in differences(done) if one[0] != "narrower"] == drifted
