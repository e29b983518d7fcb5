"""policy rollback: old documents become a new revision, checked against today, and no key comes back."""

import json

import pytest

from conftest import TENANTS, changed
from organisations import BOTH_FLEET, RESIDENCY, SUD_RESIDENCY, SUD_TENANTS, Gateway, stricter, write


@pytest.fixture
def gateway(cli):
    return Gateway(cli)


def rollback(gateway, number, *arguments, code=0, reason="it was wrong"):
    return gateway.cli.run("policy", "rollback", number, "--reason", reason, *arguments, code=code)


def history(gateway, *arguments):
    return json.loads(gateway.cli.run("policy", "history", "--json", *arguments).stdout)


def test_everything_as_it_was(gateway):
    gateway.apply_nord(residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    done = rollback(gateway, 1)
    assert done.stdout == "revision 4\n6 documents, 3 deployments, 2 tenants with 4 apps, 0 warnings\n" \
                          "changed: documents of nordbank, sudbank\n"
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (0, 0)
    newest, first = history(gateway)[0], history(gateway)[3]
    assert newest["documents"] == first["documents"] and newest["policy"] == first["policy"]
    assert newest["rollback_of"] == 1 and newest["reason"] == "it was wrong" and newest["base"] == 3
    assert "rollback to 1: it was wrong" in gateway.cli.run("policy", "history").stdout
    assert "rollback_of" not in first


def test_of_one_organisation(gateway):
    gateway.apply_nord(residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    assert rollback(gateway, 1, "--organisation", "nordbank").stdout.count("\nchanged: documents of nordbank\n") == 1
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (0, 3)
    assert rollback(gateway, 2, "--organisation", "nordbank").stdout.startswith("revision 5\n")
    assert (gateway.asks("nordbank"), gateway.asks("sudbank")) == (3, 3)


def test_of_the_gateway(gateway):
    write(gateway.own, fleet=changed(BOTH_FLEET, lambda fleet: fleet["deployments"].pop(0)))
    gateway.apply(gateway.own, "--gateway")
    gateway.apply_nord(residency=stricter())
    assert gateway.asks("sudbank") == 0 and gateway.asks("nordbank") == 3
    done = rollback(gateway, 1, "--gateway")
    assert "3 deployments" in done.stdout and done.stdout.count("\nchanged: documents of gateway\n") == 1
    assert gateway.asks("nordbank") == 3


def test_a_revoked_key_stays_revoked(gateway):
    key = gateway.cli.key()
    gateway.apply_nord(residency=stricter())
    gateway.cli.run("key", "revoke", "nordbank/retail/chat/sdk")
    asks = ["explain", "--request", gateway.cli.request(), "--key", key, "--node", "fra-1"]
    for scope in ([], ["--organisation", "nordbank"]):
        rollback(gateway, 1, *scope)
        assert gateway.asks("nordbank") == 0
        done = gateway.cli.run(*asks, code=None)
        assert done.returncode == 3 and "revoked" in done.stdout + done.stderr
    assert "revoked" in gateway.cli.run("key", "list").stdout


def test_a_key_made_since_stays(gateway):
    gateway.apply_nord(residency=stricter())
    key = gateway.cli.key("new")
    rollback(gateway, 1)
    gateway.cli.run("explain", "--request", gateway.cli.request(), "--key", key, "--node", "fra-1")


def test_what_is_no_longer_valid_together_is_refused(gateway):
    gateway.apply_nord(tenants=changed(TENANTS, lambda t: t["organisations"][0]["tenants"].append({"id": "web", "apps": [{"id": "a"}]})))
    write(gateway.own, guard={"kind": "residency/1", "role": "guard", "name": "off", "applies_to": "nordbank",
                              "facts": "regions/2026-11-21", "forbid": [{"id": "web", "why": "x", "tenants": ["nordbank/web"]}]})
    gateway.apply(gateway.own, "--gateway")
    done = rollback(gateway, 1, "--organisation", "nordbank", code=1)
    assert 'revision 3: guard.json:12:9: error: forbid "web": pattern "nordbank/web" covers no tenant' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("nothing was applied: 1 error")
    assert history(gateway)[0]["revision"] == 3


def test_an_error_in_an_old_document_names_its_revision(gateway):
    """The organisation pins a class that its policy of then does not have: the old policy alone does not fit today's tenants."""
    gateway.apply_nord(residency=changed(RESIDENCY, lambda p: (p["classes"].append("top"), p["allow"].append(
        {"id": "top", "why": "x", "classes": ["top"], "process": {"within": ["DE"]}, "store": "nothing"}))))
    together = {"kind": "tenants/1", "organisations": [
        changed(TENANTS["organisations"][0], lambda o: o.update(classes=["top"])), *SUD_TENANTS["organisations"]]}
    whole = write(gateway.cli.tmp / "together", fleet=BOTH_FLEET, sud=SUD_RESIDENCY, tenants=together)
    write(whole / "nordbank", residency=(gateway.nord / "residency.json").read_text())
    gateway.apply(whole)
    (gateway.nord / "tenants.json").unlink()
    done = gateway.apply_nord(residency=RESIDENCY, code=1)
    assert 'revision 3: tenants.json:' in done.stderr and 'unknown class "top"' in done.stderr
    done = rollback(gateway, 1, "--organisation", "nordbank", code=1)
    assert "revision 1: orgs/nordbank/tenants.json:5:13: error: organisation \"nordbank\" is given at tenants.json:5:13 of revision 3, " \
           "together with others" in done.stderr


def test_an_organisation_does_not_lose_its_tenants(gateway):
    """Before, a document of the gateway gave them; today its own does, and would be gone."""
    together = {"kind": "tenants/1", "organisations": TENANTS["organisations"] + SUD_TENANTS["organisations"]}
    whole = write(gateway.cli.tmp / "together", fleet=BOTH_FLEET, nord=RESIDENCY, sud=SUD_RESIDENCY, tenants=together)
    gateway.apply(whole)
    gateway.apply_nord(residency=stricter(), code=1)
    gateway.apply(gateway.whole)
    done = rollback(gateway, 2, "--organisation", "nordbank", code=1)
    assert 'in revision 2 the tenants of "nordbank" stood in a document of the gateway, tenants.json:5:13, which is not part of this ' \
           'rollback' in done.stderr
    assert "gatehouse policy export 2 DIR" in done.stderr
    assert rollback(gateway, 2).stdout.startswith("revision 4\n")


def test_the_reason_is_not_optional(gateway):
    done = gateway.cli.run("policy", "rollback", "1", code=64)
    assert "give --reason TEXT: whoever reads the history has to know why this was undone" in done.stderr


@pytest.mark.parametrize("number, code, sentence", [
    ("9", 1, "there is no revision 9\n  do: the newest is 1;"), ("0", 64, "revisions begin with 1"), ("one", 64, "one is not the number of")])
def test_revisions_that_are_none(gateway, number, code, sentence):
    assert sentence in rollback(gateway, number, code=code).stderr


def test_an_organisation_that_was_not_there(gateway):
    done = rollback(gateway, 1, "--organisation", "westbank", code=1)
    assert 'revision 1 has none of the documents of organisation "westbank"' in done.stderr


def test_base_of_a_rollback(gateway):
    gateway.apply_nord(residency=stricter())
    gateway.apply_sud(residency=stricter(SUD_RESIDENCY))
    done = rollback(gateway, 1, "--organisation", "nordbank", "--base", "1", code=1)
    assert 'revision 2 by tester changed the documents of organisation "nordbank" after revision 1' in done.stderr
    assert rollback(gateway, 1, "--organisation", "nordbank", "--base", "2", "--json").stdout.count('"applied": true') == 1
