"""The agent's own look at clouds: after each edit and once a day; what drifted is taken out; credentials come from a credentials/1 document."""

import json
import pathlib
import subprocess
import time

import pytest

from conftest import EVIDENCE, GATEHOUSE, RESIDENCY, TENANTS, changed, write_policy
from control_planes import KEYS, TOKEN, Arm, Region, account, bedrock, deployment, model

LIBRARY = next((str(found) for found in pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)      # of the package libfaketime
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
ALLOW = {"id": "anywhere", "why": "test", "classes": ["public", "personal", "secret"], "process": {"within": ["ANYWHERE"]}, "store": "nothing"}


def frankfurt(**said):
    return {"eu-central-1": Region(models=[model(HAIKU)], **said)}


def clouds(cli, **others):
    """The document with the sources of both clouds."""
    secret, session = KEYS["AKIDREADONLY"]
    for name, text in (("aws", secret), ("session", session), ("arm", TOKEN), *others.items()):
        (cli.tmp / name).write_text(text)
        (cli.tmp / name).chmod(0o600)
    path = cli.tmp / "clouds.json"
    path.write_text(json.dumps({"kind": "credentials/1", "credentials": [
        {"id": "bedrock", "source": "aws_keys", "access_key_id": "AKIDREADONLY", "secret": {"file": str(cli.tmp / "aws")},
         "session_token": {"file": str(cli.tmp / "session")}},
        {"id": "azure", "source": "bedrock_api_key", "secret": {"file": str(cli.tmp / "arm")}}]}))
    return path


def in_force(cli, fleet):
    fleet["nodes"] = [{"id": "fra-1", "country": "DE"}]
    for one in fleet["deployments"]:
        one.update(serves=["nordbank"], training=False)
        one["evidence"]["training"] = EVIDENCE
    cli.init()
    write_policy(cli.tmp / "policy", fleet=fleet, residency=changed(RESIDENCY, lambda r: r.update(allow=[ALLOW])), tenants=TENANTS)
    cli.run("policy", "apply", cli.tmp / "policy")


def newest(cli):
    return json.loads(cli.run("policy", "history", "--json").stdout)[0]


class Agent:
    def __init__(self, cli, **environment):
        self.log = cli.tmp / "agent.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([GATEHOUSE, "agent", "--node", "fra-1"], env={**cli.environment, **environment}, stderr=log, stdout=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(120) == 0, self.log.read_text()

    def until(self, condition):
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def says(self, text):
        self.until(lambda: text in self.log.read_text())


def test_import_with_a_source(cli):
    path = clouds(cli)
    with bedrock(frankfurt()) as server:
        said = json.loads(cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--endpoint", server.url, "--clouds", path, "--json").stdout)
    assert said["models"] == 1
    with Arm([(account("a"), [deployment("d", "a")])]).serve() as server:
        said = json.loads(cli.run("fleet", "import", "azure", "--endpoint", server.url, "--clouds", path, "--json").stdout)
    assert said["models"] == 1


def test_sources_that_are_no_use(cli):
    path = clouds(cli)
    document = json.loads(path.read_text())
    document["credentials"][1]["source"] = "azure_key"
    document["credentials"][0]["id"] = "aws"
    path.write_text(json.dumps(document))
    assert 'has no credential of the id "bedrock"' in cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--clouds", path, code=1).stderr
    assert "gives no token for a control plane" in cli.run("fleet", "import", "azure", "--clouds", path, code=1).stderr
    path.write_text("{")
    assert "clouds.json:1:2" in cli.run("fleet", "import", "azure", "--clouds", path, code=1).stderr


def test_the_agent_takes_out_what_drifted(cli):
    """At its start nothing is otherwise; after an edit it looks again, and what the cloud no longer says serves nobody."""
    regions = frankfurt()
    with bedrock(regions) as server:
        path = clouds(cli)
        fleet = json.loads(cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--endpoint", server.url, "--clouds", path, "--json").stdout)["fleet"]
        in_force(cli, fleet)
        (cli.secrets / "clouds.json").write_text(path.read_text())
        with Agent(cli, AWS_ENDPOINT_URL_BEDROCK=server.url) as agent:
            agent.says("the fleet in force is what the cloud says")
            regions["eu-central-1"].mode = "default"
            cli.run("policy", "apply", cli.tmp / "policy", "--reason", "again")
            agent.until(lambda: newest(cli)["author"] == "gatehouse drift")
            assert newest(cli)["reason"].startswith("incident facts_drift: bedrock-eu-central-1, " + HAIKU + ": store is now unknown: under the retention mode")
            agent.says("incident facts_drift: deployments were taken out")
            assert newest(cli)["revision"] == 3
    log = agent.log.read_text()
    assert KEYS["AKIDREADONLY"][0] not in log and KEYS["AKIDREADONLY"][1] not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_every_day(cli):
    """By a clock that is put forward: a day later the cloud is asked again, with nobody having edited anything, and what it says no more is out."""
    regions, clock = frankfurt(), cli.tmp / "clock"

    def put_forward(by):
        clock.with_suffix(".new").write_text(by)
        clock.with_suffix(".new").rename(clock)
    put_forward("+0s")
    with bedrock(regions) as server:
        path = clouds(cli)
        fleet = json.loads(cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--endpoint", server.url, "--clouds", path, "--json").stdout)["fleet"]
        in_force(cli, fleet)
        (cli.secrets / "clouds.json").write_text(path.read_text())
        faked = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with Agent(cli, AWS_ENDPOINT_URL_BEDROCK=server.url, **faked) as agent:
            agent.says("the fleet in force is what the cloud says")
            regions["eu-central-1"].mode = "default"
            asked = len(server.requests)
            put_forward("+12h")
            agent.until(lambda: json.loads((cli.home / "agent" / "status.json").read_text())["written_ms"] > (time.time() + 11 * 3600) * 1000)
            time.sleep(1)
            assert len(server.requests) == asked and newest(cli)["revision"] == 1
            put_forward("+25h")
            agent.until(lambda: newest(cli)["author"] == "gatehouse drift")
            agent.says("incident facts_drift: deployments were taken out")
    assert newest(cli)["revision"] == 2 and newest(cli)["reason"].startswith("incident facts_drift: bedrock-eu-central-1, ")


def test_a_cloud_that_refuses_is_logged_and_takes_nothing_out(cli):
    regions = frankfurt()
    with bedrock(regions) as server:
        path = clouds(cli)
        fleet = json.loads(cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--endpoint", server.url, "--clouds", path, "--json").stdout)["fleet"]
        in_force(cli, fleet)
        (cli.secrets / "clouds.json").write_text(path.read_text())
        regions["eu-central-1"].override["ListFoundationModels"] = (403, "AccessDeniedException", "no")
        with Agent(cli, AWS_ENDPOINT_URL_BEDROCK=server.url) as agent:
            agent.says("lacks the IAM permission bedrock:ListFoundationModels")
    assert newest(cli)["revision"] == 1


def test_azure_by_the_agent(cli):
    estate = Arm([(account("acme", logging="false"), [deployment("prod", "acme")])])
    with estate.serve() as server:
        path = clouds(cli)
        fleet = json.loads(cli.run("fleet", "import", "azure", "--endpoint", server.url, "--clouds", path, "--json").stdout)["fleet"]
        in_force(cli, fleet)
        (cli.secrets / "clouds.json").write_text(path.read_text())
        estate.accounts = []
        with Agent(cli, AZURE_RESOURCE_MANAGER_ENDPOINT=server.url + "/") as agent:
            agent.until(lambda: newest(cli)["author"] == "gatehouse drift")
    assert newest(cli)["reason"] == "incident facts_drift: acme-prod, gpt-4.1: the cloud does not have it any more"


@pytest.mark.parametrize("document", [None, '{"kind": "credentials/1", "credentials": []}'])
def test_without_credentials_no_cloud_is_asked(cli, document):
    with bedrock(frankfurt()) as server:
        path = clouds(cli)
        fleet = json.loads(cli.run("fleet", "import", "bedrock", "--region", "eu-central-1", "--endpoint", server.url, "--clouds", path, "--json").stdout)["fleet"]
        in_force(cli, fleet)
        asked = len(server.requests)
        if document:
            (cli.secrets / "clouds.json").write_text(document)
        with Agent(cli, AWS_ENDPOINT_URL_BEDROCK=server.url) as agent:
            agent.says("the agent runs")
            time.sleep(1.5)
        assert len(server.requests) == asked and newest(cli)["revision"] == 1
