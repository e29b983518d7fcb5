"""`gatehouse agent status`: what the agent keeps fresh, how old it is, and what is ageing while it is down."""
import datetime
import json
import signal

import pytest

from client import ask
from documents import EVIDENCE, deployment, fleet, residency, tenants
from test_agent_credentials import entra_row, key_row, plant  # noqa: F401
from test_credentials import until
from clouds import short_term_key


def status(gateway, *options, code=0):
    done = gateway.command("agent", "status", "--json", *options, check=False)
    assert done.returncode == code, done
    found = json.loads(done.stdout)
    return found, {(one["kind"], one["name"]): one for one in found["sources"]}


def text(gateway):
    return gateway.command("agent", "status").stdout


def test_what_is_fresh_and_what_is_ageing(plant):                       # noqa: F811
    world = plant(3600)
    gateway = world.gateway
    assert status(gateway)[0]["runs"] is False and "agent: none ever ran here" in text(gateway)
    status(gateway, "--check", code=2)
    world.document([entra_row(world, "a"), key_row(world, "b"), entra_row(world, "c", "canary-wrong")])
    world.agent.start()
    until(lambda: ask(gateway).status == 200 and world.a.requests)
    until(lambda: ("credential", "c") in status(gateway)[1] and status(gateway)[1]["credential", "c"]["failures"] > 0)
    found, sources = status(gateway, "--check", code=2)
    assert found["runs"] and found["ageing"] == 1 and {name: one["state"] for name, one in sources.items()} == {
        ("checkpoint", str(gateway.home / "ledger.ckpt")): "fine", ("fleet", "azure"): "fine", ("fleet", "bedrock"): "fine", ("credential", "a"): "fine",
        ("credential", "b"): "fine", ("credential", "c"): "fails", ("sweep", "what dead workers left"): "fine"}
    assert "AADSTS7000215" in sources["credential", "c"]["error"] and "holds_until" in sources["credential", "a"] and "holds_until" not in sources["credential", "b"]
    assert not sources["fleet", "azure"]["asked"] and "not asked" in text(gateway)
    world.document([entra_row(world, "a"), key_row(world, "b")])
    until(lambda: ("credential", "c") not in status(gateway)[1])
    assert status(gateway, "--check")[0]["ageing"] == 0
    world.agent.stop()
    found, sources = status(gateway, "--check", code=2)
    assert not found["runs"] and ("sweep", "what dead workers left") not in sources and "agent: ended at" in text(gateway)
    assert "canary" not in json.dumps(found) + text(gateway)


def test_what_is_fetched_and_cannot_be_handed_over(plant):              # noqa: F811
    """It failed, whatever its source said: `cred/` must be the workers' and the agent's alone."""
    world = plant(3600)
    cred = world.gateway.home / "cred"
    mode = cred.stat().st_mode & 0o7777
    cred.chmod(0o755)
    world.agent.start()
    until(lambda: status(world.gateway)[1].get(("credential", "a"), {}).get("failures", 0) >= 2)
    one = status(world.gateway, "--check", code=2)[1]["credential", "a"]
    assert one["state"] == "fails" and one["code"] == "hand_over" and "succeeded" not in one, one
    assert ", failed " in text(world.gateway) and not (cred / "a").exists()
    cred.chmod(mode)
    until(lambda: status(world.gateway)[1]["credential", "a"]["state"] == "fine")
    assert (cred / "a").exists() and status(world.gateway, "--check")[0]["ageing"] == 0


def test_a_killed_agent_and_credentials_that_end(plant):                # noqa: F811
    world = plant(3)
    world.agent.start()
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    until(lambda: "holds_until" in status(world.gateway)[1].get(("credential", "a"), {}))
    world.agent.kill()
    until(lambda: status(world.gateway)[1]["credential", "a"]["state"] == "over")
    until(lambda: not status(world.gateway)[0]["runs"])
    assert "agent: not running, last seen at" in text(world.gateway) and ", over since" in text(world.gateway)
    world.gateway.expect_log("has expired")


def test_a_key_that_says_its_end(plant):                                # noqa: F811
    """A short-term key of Bedrock is read again and again, and stays the same until a person replaces it: it is ageing before it is over."""
    world = plant(3600)
    path = world.gateway.prefix / "bedrock.secret"

    def put(seconds):
        path.write_text(short_term_key(seconds))
        path.chmod(0o600)

    def one():
        return status(world.gateway)[1].get(("credential", "a"), {})

    def read_again():
        before = one()["succeeded"]
        world.agent.process.send_signal(signal.SIGHUP)
        until(lambda: one()["succeeded"] != before)
        return one()["state"]

    put(250)
    world.document([{"id": "a", "source": "bedrock_api_key", "secret": {"file": str(path)}}])
    world.agent.start()
    until(lambda: "holds_until" in one())
    assert one()["state"] == "fine" and read_again() == "ageing"
    assert status(world.gateway, "--check", code=2)[0]["ageing"] == 1
    put(3600)
    assert read_again() == "fine"
    assert status(world.gateway, "--check")[0]["ageing"] == 0


def evidence(days):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return {"by": "ops", "on": str(today), "source": "contract 1", "until": str(today + datetime.timedelta(days=days))}


def test_evidence_that_ends(plant):                                     # noqa: F811
    """Listed with its days, warned of by the configuration, and by the agent in its log."""
    world = plant(3600)
    gateway = world.gateway

    def rests(name, **facts):
        return deployment(name, evidence={**{fact: EVIDENCE for fact in ("country", "store", "attest")}, **{fact: evidence(days) for fact, days in facts.items()}})
    gateway.apply(fleet(rests("a", operator_home=5, training=40), rests("b", operator_home=25, training=90)), residency(), tenants())
    found = status(gateway)[0]
    assert [(one["deployment"], one["fact"], one["days_left"] in (5, 6)) for one in found["evidence"]] == [("a", "operator_home", True), ("b", "operator_home", False)]
    assert found["ageing"] == 1 and "a, operator_home  ends in" in text(gateway)
    world.agent.start()
    until(lambda: world.agent.lines("the evidence of a fact ends soon"))
    assert [(line["deployment"], line["fact"]) for line in world.agent.lines("the evidence of a fact ends soon")] == [("a", "operator_home")]
    gateway.reload()
    assert 'evidence of 1 facts ends within 14 days, that of operator_home of deployment "a" first' in gateway.log.read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"kind":"agent-status/2"}'])
def test_a_file_that_is_none(plant, content):                           # noqa: F811
    gateway = plant(3600).gateway
    (gateway.home / "agent" / "status.json").write_text(content)
    assert gateway.command("agent", "status", check=False).returncode == 1
