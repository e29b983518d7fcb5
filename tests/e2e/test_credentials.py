"""What has become of a backend's credential: in its worker, in the route, in the record, in `backend status` and `explain`, and back again, without a reload."""
import datetime
import json
import os
import time

import pytest

from client import ask, body_of, expect_error
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import answer
from test_signature import LINES, Cloud, bedrock, credential

OK = answer(200, {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})


def at(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def handed(secret, send="bearer", **more):
    return json.dumps({"kind": "credential/1", "send": send, "secret": secret, **more})


def status(gateway):
    return {one["deployment"]: one for one in json.loads(gateway.command("backend", "status", "--json").stdout)["backends"]}


def until(holds, seconds=60):
    """Workers look once a second; a machine that is busy takes longer."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.fixture
def two(make_gateway, mock):
    mocks = {name: mock(address) for name, address in (("a", "127.0.0.61"), ("b", "127.0.0.62"))}
    for one in mocks.values():
        one.default = OK
    gateway = make_gateway([Backend(name, one, credential=handed(f"canary-{name}")) for name, one in mocks.items()])
    gateway.apply(fleet(deployment("a"), deployment("b", priority=2)), residency(), tenants())
    gateway.start()
    return gateway, mocks["a"], mocks["b"]


def test_it_says_itself_how_it_is_sent(two):
    """A bearer is one whatever header the dialect has for keys; a key is in the dialect's."""
    gateway, a, b = two
    gateway.apply(fleet(deployment("a", dialect="azure-v1"), deployment("b", priority=2)), residency(), tenants())
    assert ask(gateway).status == 200
    assert a.requests[-1].all("authorization") == ["Bearer canary-a"] and not a.requests[-1].all("api-key")
    gateway.credential("a", handed("canary-key", "key"))
    until(lambda: ask(gateway).status == 200 and a.requests[-1].all("api-key") == ["canary-key"])
    assert not a.requests[-1].all("authorization")


@pytest.mark.sanitizer
def test_an_expired_one_is_out_before_a_request_meets_it(two):
    gateway, a, b = two
    ends = at(3)
    gateway.credential("a", handed("canary-short", expires=ends))
    until(lambda: status(gateway)["a"].get("credential_until") == ends)
    assert ask(gateway).status == 200 and a.requests[-1].all("authorization") == ["Bearer canary-short"]
    until(lambda: status(gateway)["a"].get("credential") == "expired")
    count = len(a.requests)
    found = ask(gateway)
    assert found.status == 200 and len(a.requests) == count and len(b.requests) == 1
    assert [(one["deployment"], one.get("error")) for one in gateway.outcome(found.id)["attempts"]] == [("b", None)]
    decision = next(line for line in gateway.record(found.id) if line["type"] == "decision")
    assert [term.get("credential") for term in decision["terms"] if term["deployment"] == "a"] == ["expired"]
    assert f"its credential has expired, at {ends}" in gateway.command("backend", "status").stdout
    assert "its credential has expired" in gateway.command("explain", found.id).stdout
    request = gateway.prefix / "request.json"
    request.write_bytes(body_of())
    assert "; its credential has expired" in gateway.command("explain", "--request", request, "--as", "acme/red/app", "--node", "node-1").stdout

    gateway.credential("a", handed("canary-new", expires=at(3600)))
    until(lambda: "credential" not in status(gateway)["a"])
    assert ask(gateway).status == 200 and a.requests[-1].all("authorization") == ["Bearer canary-new"]
    gateway.expect_log("has expired")
    assert "canary" not in gateway.errors()


@pytest.mark.parametrize("text, said", [(None, "is not there"), ("{", "cannot be used"), (handed("canary", "both"), "neither"), (credential("AKIDONE"), "aws_signature")])
def test_without_any_the_client_is_told_whose_fault_it_is(two, text, said):
    gateway, a, b = two
    for name in ("a", "b"):
        if text is None:
            (gateway.home / "cred" / name).unlink()
        else:
            gateway.credential(name, text)
    until(lambda: {one.get("credential") for one in status(gateway).values()} == {"unavailable"})
    found = expect_error(ask(gateway), 502, "backend_credentials")
    assert [one["error"] for one in gateway.outcome(found.id)["attempts"]] == ["credential_unavailable"] * 2 and not a.requests and not b.requests
    gateway.expect_log(said)
    assert "canary" not in gateway.errors()
    gateway.credential("b", handed("canary-b"))
    until(lambda: "credential" not in status(gateway)["b"])
    assert ask(gateway).status == 200 and len(b.requests) == 1


@pytest.mark.parametrize("spoil, said", [(lambda path: path.chmod(0o644), "chmod 0640"), (lambda path: path.chmod(0o642), "chmod 0640"),
                                         (lambda path: (path.unlink(), os.mkfifo(path, 0o640)), "is no regular file"),
                                         (lambda path: (path.unlink(), path.mkdir(0o750)), "is no regular file")])
def test_a_file_that_cannot_hold_a_secret(two, spoil, said):
    """One that everybody may read, or that is none; a pipe keeps no worker waiting."""
    gateway, a, b = two
    spoil(gateway.home / "cred" / "a")
    until(lambda: status(gateway)["a"].get("credential") == "unavailable")
    assert ask(gateway).status == 200 and not a.requests and len(b.requests) == 1
    assert said in gateway.errors() and "canary" not in gateway.errors()


def test_a_file_that_everybody_may_read_on_purpose(make_gateway, mock):
    a = mock("127.0.0.68")
    a.default = OK
    gateway = make_gateway([Backend("a", a, lines=["credential file:a readable_by=everybody;"])])
    gateway.credential("a", "canary-a")
    (gateway.home / "cred" / "a").chmod(0o644)
    gateway.apply(fleet(deployment("a")), residency(), tenants())
    gateway.start()
    assert ask(gateway).status == 200 and a.requests[-1].all("authorization") == ["Bearer canary-a"]
    assert "everybody" not in gateway.errors()


def test_a_key_that_is_to_be_sent_signs_nothing(make_gateway, mock):
    a = Cloud(mock("127.0.0.63"))
    gateway = make_gateway([Backend("a", a.mock, credential=handed("canary"), lines=LINES)])
    gateway.apply(fleet(bedrock("a")), residency(), tenants())
    gateway.start()
    expect_error(ask(gateway), 502, "backend_credentials")
    gateway.expect_log("needs one to sign")
    assert not a.mock.requests


def test_no_request_fails_while_one_turns_over(two):
    """Each credential is replaced before it ends: every answer is 200, from the deployment that is first."""
    gateway, a, b = two
    begun, next_at, turn = time.monotonic(), 0, 0
    while time.monotonic() < begun + 4 or len({one.header("authorization") for one in a.requests}) < 4 or len(a.requests) < 21:
        if time.monotonic() >= next_at:
            turn, next_at = turn + 1, time.monotonic() + 0.7
            gateway.credential("a", handed(f"canary-{turn}", expires=at(30)))
        assert ask(gateway).status == 200
        time.sleep(0.01)
    used = {one.header("authorization") for one in a.requests}
    assert not b.requests and len(used) >= 4
