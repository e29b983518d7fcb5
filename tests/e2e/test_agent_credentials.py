"""
Credentials that the agent fetches: they turn over under load and no request fails; they end, fail and come back without a reload; and a secret is nowhere but
where it belongs. The clouds are those of tests/cli/clouds.py.
"""
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

import pytest

from agent import Agent
from client import ask, expect_error
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import Script, answer
from test_credentials import OK, status, until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from clouds import CLIENT, ROLE, SECRET, TENANT, Clouds  # noqa: E402


class Plant:
    """Two backends: Entra ID's tokens for the first, a role of AWS's instance metadata for the second, which signs nothing here but has them handed over."""

    def __init__(self, make_gateway, mock, life):
        self.a, self.b, self.clouds = mock("127.0.0.64"), mock("127.0.0.65"), Clouds()
        self.clouds.life = life
        self.a.default = self.b.default = OK
        self.gateway = make_gateway([Backend("a", self.a, credential="not-yet"), Backend("b", self.b, credential="canary-of-b")], workers=2)
        self.gateway.apply(fleet(deployment("a"), deployment("b", priority=2)), residency(), tenants())
        (self.gateway.home / "cred" / "a").unlink()
        self.secret = self.gateway.prefix / "client.secret"
        self.put_secret(SECRET)
        self.document([{"id": "a", "source": "entra_client_secret", "tenant_id": TENANT, "client_id": CLIENT, "authority": self.clouds.url, "secret": {"file": str(self.secret)}},
                       {"id": "role", "source": "aws_assume_role", "role_arn": ROLE, "region": "eu-central-1", "endpoint": self.clouds.url,
                        "from": {"source": "aws_instance_metadata", "endpoint": self.clouds.url}}])
        self.gateway.start()
        self.agent = Agent(self.gateway)

    def put_secret(self, text):
        self.secret.write_text(text)
        self.secret.chmod(0o600)

    def document(self, credentials):
        path = self.gateway.secrets / "credentials.json"
        path.with_suffix(".new").write_text(json.dumps({"kind": "credentials/1", "credentials": credentials}))
        path.with_suffix(".new").rename(path)

    def close(self):
        self.agent.close()
        self.clouds.close()


@pytest.fixture
def plant(make_gateway, mock):
    made = []

    def make(life):
        made.append(Plant(make_gateway, mock, life))
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_they_turn_over_under_load(plant):
    """Tokens that live for five seconds, six clients who never pause: every answer is a 200, and no token arrives that has ended. On a machine that is too busy to be in time the second
    backend takes over for a moment."""
    world = plant(5)
    late = []

    def judge(exchange):
        token = exchange.request.header("authorization").removeprefix("Bearer ")
        if exchange.request.first > world.clouds.ends[token] + 1:
            late.append(token)
        return OK.run(exchange)
    world.a.default = Script(judge)
    world.agent.start()
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    world.b.requests.clear()
    key, ends, failed, count = world.gateway.key(), time.monotonic() + 8, [], [0]

    def load():
        while time.monotonic() < ends or count[0] <= 50:
            found = ask(world.gateway, key=key)
            count[0] += 1
            time.sleep(0.02)
            if found.status != 200:
                failed.append(found)
    threads = [threading.Thread(target=load) for _ in range(6)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    used = {one.header("authorization").removeprefix("Bearer ") for one in world.a.requests}
    assert not failed and not late
    assert used <= world.clouds.tokens and len(used) >= 2, used
    searched(world)


def searched(world):
    """No secret in a log, in a command line, in a file that others may read, nor in what any command says."""
    gateway, agent = world.gateway, world.agent
    said = agent.path.read_text() + gateway.log.read_text() + gateway.command("backend", "status").stdout + gateway.command("credential", "list", "--json").stdout
    for name in (gateway.prefix / "logs").iterdir():
        said += name.read_text(errors="replace")
    for path in gateway.audit.rglob("*.jsonl"):
        said += path.read_text(errors="replace")
    assert "canary" not in said
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                assert b"canary" not in (process / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                pass
    holding = []
    for directory, _, files in os.walk(gateway.prefix):
        for name in files:
            path = pathlib.Path(directory, name)
            try:
                if path.is_file() and path.name != "ledger" and re.search(rb"canary", path.read_bytes()):
                    holding.append((path, path.stat().st_mode & 0o7777))
            except FileNotFoundError:                    # what the agent writes has another name at first
                pass
    assert not [path for path, mode in holding if mode & 0o007]
    assert {path.parent for path, _ in holding} <= {gateway.home / "cred", gateway.prefix}
    assert {mode for path, mode in holding if path.parent.name == "cred"} == {0o640}
    assert (gateway.home / "cred").stat().st_mode & 0o007 == 0


def test_one_that_cannot_be_renewed_takes_its_deployment_out(plant):
    """It holds until its end and no longer; the reason is where people look; a new secret in the same file is enough."""
    world = plant(3)
    gateway = world.gateway
    world.agent.start()
    until(lambda: ask(gateway).status == 200 and world.a.requests)
    world.put_secret("canary-wrong")
    until(lambda: status(gateway)["a"].get("credential") == "expired")
    count = len(world.a.requests)
    for _ in range(5):
        assert ask(gateway).status == 200
    assert len(world.a.requests) == count and len(world.b.requests) >= 5
    listed = {one["id"]: one for one in json.loads(gateway.command("credential", "list", "--json").stdout)["credentials"]}
    assert listed["a"]["state"] == "expired" and "AADSTS7000215" in listed["a"]["fails"]["error"] and listed["role"]["state"] == "ready"
    assert "AADSTS7000215" in gateway.command("backend", "status").stdout
    failures = [line for line in world.agent.lines() if line["what"] == "a credential cannot be fetched"]
    assert failures and all(line["credential"] == "a" for line in failures)
    world.clouds.life = 3600
    world.put_secret(SECRET)
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: "credential" not in status(gateway)["a"])
    assert ask(gateway).status == 200 and len(world.a.requests) == count + 1
    assert "AADSTS7000215" not in gateway.command("backend", "status").stdout
    gateway.expect_log("has expired")
    searched(world)


def test_one_that_the_backend_refuses_is_fetched_anew(plant):
    """A token that was taken back ahead of its end: its deployment is out, the agent hears of it and fetches another, and requests go there again."""
    world = plant(3600)
    gateway, taken_back, takes_none = world.gateway, set(), threading.Event()

    def judge(exchange):
        good = not takes_none.is_set() and exchange.request.header("authorization").removeprefix("Bearer ") not in taken_back
        return (OK if good else answer(401, {"error": {"code": "401", "message": "Unauthorized."}})).run(exchange)
    world.a.default = Script(judge)
    world.agent.start()
    until(lambda: ask(gateway).status == 200 and world.a.requests)
    takes_none.set()                        # nor the next one, until it was seen that it is out: the agent may be quicker than who looks
    until(lambda: ask(gateway).status == 200 and status(gateway)["a"].get("credential") == "refused")
    taken_back |= world.clouds.tokens
    takes_none.clear()
    until(lambda: world.agent.lines("a backend refuses a credential: it is fetched again"))
    until(lambda: ask(gateway).status == 200 and world.a.requests[-1].header("authorization").removeprefix("Bearer ") not in taken_back)
    assert "credential" not in status(gateway)["a"]
    searched(world)


def keyed(world, key, every=30):
    """a's credential is a key in a file, checked at the list of models."""
    world.put_secret(key)
    world.document([{"id": "a", "source": "azure_key", "secret": {"file": str(world.secret)}, "check": {"url": f"{world.clouds.url}/openai/v1/models", "every_seconds": every}}])


def handed(world):
    path = world.gateway.home / "cred" / "a"
    return path.read_text() if path.exists() else ""


def test_one_that_is_refused_is_out_before_a_client_meets_it(plant):
    """The check is refused twice: the file is taken away, every request goes elsewhere, the reason is where people look, and when it is accepted again it is back."""
    world = plant(3600)
    gateway = world.gateway
    met = []

    def judge(exchange):
        good = exchange.request.header("authorization").removeprefix("Bearer ") in world.clouds.accepts
        met.append(good)
        return (OK if good else answer(401, {"error": {"code": "401"}})).run(exchange)
    world.a.default = Script(judge)
    world.clouds.accepts = {"canary-good"}
    keyed(world, "canary-good")
    world.agent.start()
    until(lambda: "canary-good" in handed(world))
    until(lambda: ask(gateway).status == 200 and met)
    world.clouds.accepts = set()
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: not handed(world))
    until(lambda: status(gateway)["a"].get("credential") == "unavailable")
    met.clear()
    for _ in range(6):
        assert ask(gateway).status == 200
    assert not met and len(world.b.requests) >= 6
    assert "refused it: it answered 401" in gateway.command("backend", "status").stdout
    assert world.agent.lines("a credential is withdrawn: its backend refuses it")
    world.clouds.accepts = {"canary-good"}
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: "canary-good" in handed(world) and "credential" not in status(gateway)["a"])
    until(lambda: ask(gateway).status == 200 and met)
    assert all(met) and "refused it" not in gateway.command("backend", "status").stdout
    gateway.expect_log("cannot be")
    searched(world)


def test_a_wrong_new_one_does_not_replace_a_good_one(plant):
    world = plant(3600)
    world.clouds.accepts = {"canary-good"}
    keyed(world, "canary-good")
    world.agent.start()
    until(lambda: "canary-good" in handed(world))
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    world.put_secret("canary-wrong")
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: len([one for one in world.clouds.asked if one[0] == "models"]) >= 5 and "answered 401" in world.gateway.command("backend", "status").stdout)
    count = len(world.a.requests)
    assert "canary-good" in handed(world) and ask(world.gateway).status == 200 and len(world.a.requests) == count + 1
    assert "credential" not in status(world.gateway)["a"]
    searched(world)


def test_what_was_refused_waits_until_it_is_accepted(plant):
    """A page that says nothing later does not let it through: neither in the place of a good one, nor where it was withdrawn."""
    world = plant(3600)
    world.clouds.accepts = {"canary-good"}
    keyed(world, "canary-good")
    world.agent.start()
    until(lambda: "canary-good" in handed(world))
    world.put_secret("canary-wrong")
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: "answered 401" in world.gateway.command("backend", "status").stdout)
    world.clouds.fail["models"] = (503, "application/json", "{}")
    until(lambda: "answered 503" in world.gateway.command("backend", "status").stdout)
    assert "canary-good" in handed(world)
    del world.clouds.fail["models"]
    world.clouds.accepts = {"canary-wrong"}
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: "canary-wrong" in handed(world))
    searched(world)


def test_one_whose_source_fails_is_checked_all_the_same(plant):
    """The secret is gone, and what the workers have from before is taken back by the backend."""
    world = plant(3600)
    world.document([{"id": "a", "source": "entra_client_secret", "tenant_id": TENANT, "client_id": CLIENT, "authority": world.clouds.url, "secret": {"file": str(world.secret)},
                     "check": {"url": f"{world.clouds.url}/openai/v1/models", "every_seconds": 30}}])
    world.clouds.accepts = world.clouds.tokens       # whatever is issued is accepted
    world.agent.start()
    until(lambda: "canary-token" in handed(world))
    world.put_secret("canary-wrong")
    world.clouds.accepts = set()
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: not handed(world))
    assert world.agent.lines("a credential is withdrawn: its backend refuses it")
    world.gateway.expect_log("cannot be")


def test_a_check_that_nobody_answers_takes_nothing_out(plant):
    world = plant(3600)
    world.clouds.fail["models"] = (503, "application/json", "{}")
    keyed(world, "canary-good")
    world.agent.start()
    until(lambda: "canary-good" in handed(world))
    until(lambda: world.agent.lines("a credential is handed over unchecked"))
    assert "answered 503, which says nothing of the credential" in world.agent.lines("a credential is handed over unchecked")[0]["error"]
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)


def test_without_the_agent_they_end_and_with_it_they_are_back(plant):
    world = plant(3)
    gateway = world.gateway
    gateway.apply(fleet(deployment("a")), residency(), tenants())
    world.agent.start()
    until(lambda: ask(gateway).status == 200)
    world.agent.kill()
    until(lambda: status(gateway)["a"].get("credential") == "expired")
    expect_error(ask(gateway), 502, "backend_credentials")
    world.clouds.life = 3600
    world.agent.start()
    until(lambda: ask(gateway).status == 200)
    gateway.expect_log("has expired")


def test_the_document_is_read_again(plant):
    """What it says anew is fetched at once; a mistake in it is said with its place and changes nothing."""
    world = plant(3600)
    world.agent.start()
    until(lambda: (world.gateway.home / "cred" / "role").exists())
    world.document([{"id": "a", "source": "api_keys"}])
    until(lambda: any(line["what"].startswith("credentials/1 has a mistake") for line in world.agent.lines()))
    mistake = next(line for line in world.agent.lines() if line["what"].startswith("credentials/1 has a mistake"))
    assert 'did you mean \\"api_key\\"' in json.dumps(mistake) and mistake["place"].startswith("1:")
    assert ask(world.gateway).status == 200 and world.a.requests
    world.document([{"id": "a", "source": "api_key", "secret": {"file": str(world.secret)}}])
    until(lambda: ask(world.gateway).status == 200 and world.a.requests[-1].all("authorization") == [f"Bearer {SECRET}"])


def test_a_key_that_is_gone_is_withdrawn(plant):
    """What has no end would be used for ever after somebody took its secret away."""
    world = plant(3600)
    world.document([{"id": "a", "source": "api_key", "secret": {"file": str(world.secret)}}])
    world.agent.start()
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    world.secret.unlink()
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: status(world.gateway)["a"].get("credential") == "unavailable", 30)
    assert not (world.gateway.home / "cred" / "a").exists() and world.agent.lines("a credential is withdrawn: its secret is not there any more")
    count = len(world.a.requests)
    assert ask(world.gateway).status == 200 and len(world.a.requests) == count and world.b.requests
    world.put_secret("canary-again")
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: ask(world.gateway).status == 200 and world.a.requests[-1].all("authorization") == ["Bearer canary-again"])
    world.gateway.expect_log("is not there")


def test_a_secret_that_is_replaced_for_a_moment(plant):
    """Whoever takes a file away and puts another there has not taken the key away: what was handed over stays meanwhile."""
    world = plant(3600)
    handed = world.gateway.home / "cred" / "a"
    world.document([{"id": "a", "source": "api_key", "secret": {"file": str(world.secret)}}])
    world.agent.start()
    until(handed.exists)
    world.secret.unlink()
    world.agent.process.send_signal(signal.SIGHUP)
    until((world.gateway.home / "cred" / ".a.why").exists)
    assert handed.exists()
    world.put_secret("canary-again")
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: ask(world.gateway).status == 200 and world.a.requests and world.a.requests[-1].all("authorization") == ["Bearer canary-again"])
    assert not world.agent.lines("a credential is withdrawn: its secret is not there any more")


def key_row(world, name):
    return {"id": name, "source": "api_key", "secret": {"file": str(world.secret)}}


def entra_row(world, name, secret=SECRET):
    path = world.gateway.prefix / f"{name}.secret"
    path.write_text(secret)
    path.chmod(0o600)
    return {"id": name, "source": "entra_client_secret", "tenant_id": TENANT, "client_id": CLIENT, "authority": world.clouds.url, "secret": {"file": str(path)}}


def test_what_is_taken_out_is_used_no_more(plant):
    """A key without an end goes with its row, and what was said of its failures; what a person put there under another name stays."""
    world = plant(3600)
    cred = world.gateway.home / "cred"
    by_hand = (cred / "b").read_bytes()
    world.document([key_row(world, "a"), entra_row(world, "c", "canary-wrong")])
    world.agent.start()
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    until(lambda: (cred / ".c.why").exists())
    assert "credential c cannot be fetched" in world.gateway.command("backend", "status").stdout
    (cred / "c").write_text("canary-by-hand")
    world.document([])
    until(lambda: status(world.gateway)["a"].get("credential") == "unavailable")
    assert not (cred / "a").exists() and [line["credential"] for line in world.agent.lines("a credential is withdrawn: credentials/1 does not have it any more")] == ["a"]
    assert "cannot be fetched" not in world.gateway.command("backend", "status").stdout
    assert (cred / "b").read_bytes() == by_hand and (cred / "c").read_text() == "canary-by-hand"
    assert {path.name for path in cred.iterdir()} == {"b", "c"}
    count = len(world.a.requests)
    assert ask(world.gateway).status == 200 and len(world.a.requests) == count and world.b.requests
    world.gateway.expect_log("is not there")


def test_what_was_taken_out_while_no_agent_ran(plant):
    """What the agent handed over it knows again; a file that somebody has written since is that person's; a document that is away says there are none."""
    world = plant(3600)
    cred = world.gateway.home / "cred"
    world.document([key_row(world, name) for name in "acd"])
    world.agent.start()
    until(lambda: all((cred / f".{name}.from").exists() for name in "acd"))
    world.agent.kill()
    (cred / "c").write_text("canary-by-hand")
    world.document([key_row(world, "d")])
    world.agent.start()
    until(lambda: not (cred / "a").exists())
    assert (cred / "c").read_text() == "canary-by-hand" and (cred / "d").exists() and not (cred / ".c.from").exists()
    (world.gateway.secrets / "credentials.json").unlink()
    until(lambda: not (cred / "d").exists())
    assert (cred / "c").exists() and (cred / "b").exists()
    world.gateway.expect_log("is not there")


def test_a_source_that_becomes_another(plant):
    """The old key serves until the new source gives something, and no longer than its first failure."""
    world = plant(3600)
    world.document([key_row(world, "a")])
    world.agent.start()
    until(lambda: ask(world.gateway).status == 200 and world.a.requests)
    world.document([entra_row(world, "a", "canary-wrong")])
    until(lambda: status(world.gateway)["a"].get("credential") == "unavailable")
    assert not (world.gateway.home / "cred" / "a").exists()
    assert world.agent.lines("a credential is withdrawn: it comes from elsewhere now, and nothing came from there")
    world.document([entra_row(world, "a")])
    world.agent.process.send_signal(signal.SIGHUP)
    until(lambda: (world.gateway.home / "cred" / "a").exists())
    token = (world.gateway.home / "cred" / "a").read_bytes()
    world.document([{**key_row(world, "a"), "secret": {"file": str(world.secret) + ".nowhere"}}])
    until(lambda: (world.gateway.home / "cred" / ".a.why").exists())
    assert (world.gateway.home / "cred" / "a").read_bytes() == token, "what has an end holds until then"
    world.gateway.expect_log("is not there")


def test_that_no_agent_runs_is_said(plant):
    """By `backend status`, and in the log, by workers that began after it had died as well."""
    world = plant(3600)

    def said():
        return json.loads(world.gateway.command("backend", "status", "--json").stdout).get("agent")
    assert said() == {"runs": False} and "agent: not running, and none ever did" in world.gateway.command("backend", "status").stdout
    world.agent.start()
    until(lambda: said() is None)
    assert "agent:" not in world.gateway.command("backend", "status").stdout
    world.agent.kill()
    until(lambda: "the agent is gone since 2" in world.gateway.log.read_text())
    assert not said()["runs"] and f"agent: not running since {said()['since']}" in world.gateway.command("backend", "status").stdout
    before = world.gateway.log.read_text().count("the agent is gone since")
    world.gateway.reload()
    until(lambda: world.gateway.log.read_text().count("the agent is gone since") > before)
    world.agent.start()
    world.agent.stop()
    assert said()["since"]
