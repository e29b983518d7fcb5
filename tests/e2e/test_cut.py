"""What an edit does to dispatches that run: counted before it is made, cut or left to finish as it says, in every stage of an answer."""
import json
import re
import socket
import threading
import time

import pytest

import records
from client import Client, Http2, ask, body_of, events, expect_error, tls_context
from documents import allow, deployment, fleet, forbid, residency, tenants
from gateway import Backend
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, head, role, send, usage_event, wait

pytestmark = pytest.mark.sanitizer

STAGES = ["waiting", "head", "held", "stream", "whole"]


@pytest.fixture
def one(make_gateway, mock, server_certificate):
    """A gateway with a backend in the US and one in Sweden, whose record is checked at the end."""
    mocks = [mock(f"127.0.0.{61 + i}", name=name) for i, name in enumerate(("us", "se"))]
    gateway = make_gateway([Backend(m.name, m, read="60s") for m in mocks], certificate=server_certificate, http="gatehouse_commit_time 60s;")
    gateway.us, gateway.se = mocks
    yield gateway
    for line in gateway.record(kinds=()):
        if line["type"] == "decision" and line["verdict"] == "allow":
            gateway.outcome(line["id"])
    records.check_all(gateway.audit)


def permit(gateway, *places, **more):
    deployments = [deployment(place, country=place.upper(), priority=i + 1) for i, place in enumerate(places or ("us",))]
    return gateway.apply(fleet(*deployments), residency(), tenants(), **more)


def forbid_us(gateway, *options, places=("us",), check=True):
    deployments = [deployment(place, country=place.upper(), priority=i + 1) for i, place in enumerate(places)]
    return gateway.apply(fleet(*deployments), residency(forbids=[forbid("never-us", process=["US"])]), tenants(), options=options, check=check)


class Running:
    """A request whose answer stops at a stage until `go`."""

    def __init__(self, gateway, stage="stream", key=None, http2=None):
        self.gateway, self.stage, self.go = gateway, stage, threading.Event()
        begun = {"waiting": [], "head": [send(STREAM_HEAD[:30])], "held": [send(STREAM_HEAD + chunk(b": nothing yet\n\n"))],
                 "stream": [send(STREAM_HEAD + chunk(role()) + chunk(delta("first")))],
                 "whole": [send(head(200, [("Content-Type", "application/json"), ("Content-Length", 20)]) + b'{"half":')]}[stage]
        end = chunk(delta("last")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK
        rest = {"waiting": STREAM_HEAD + end, "head": STREAM_HEAD[30:] + end, "whole": b'"an answer"}'}.get(stage, end)
        gateway.us.play(Script(*begun, wait(self.go, 60), send(rest)))
        self.body = body_of(stream=stage != "whole")
        seen = len(gateway.us.requests)
        self.http2, self.client = http2, None
        if http2:
            self.stream = http2.request(self.body, key or gateway.key())
        else:
            self.client = Client(gateway.port, timeout=60)
            self.client.request(body=self.body, key=key or gateway.key())
        gateway.us.wait_requests(seen + 1)
        self.id = gateway.us.requests[seen].id
        if stage in ("stream", "whole"):
            self._first()
        time.sleep(0.15)

    def _first(self):
        """Until the client has begun to get its answer."""
        if self.http2:
            while not self.http2.answers[self.stream].body:
                self.http2.receive()
        else:
            assert self.client.sock.recv(1, socket.MSG_PEEK)

    def answer(self):
        if self.http2:
            return self.http2.answer(self.stream)
        with self.client:                        # nginx waits for it before the request is over
            return self.client.answer()


# ---- what the edit is told ----

@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_applied_without_a_word(one, stage):
    """Neither --cut nor --let-finish: the number, and nothing changes; what runs goes on to its end."""
    permit(one)
    one.start()
    runs = [Running(one, stage) for _ in range(2)]
    done = forbid_us(one, check=False)
    assert done.returncode == 1
    assert re.search(r"2 running dispatches would be forbidden \(worker \d+: 2\)", done.stderr) and "do: say --cut to end them, or --let-finish" in done.stderr
    assert "nothing was applied" in done.stderr and "revision" not in done.stdout
    for run in runs:
        run.go.set()
    assert [run.answer().status for run in runs] == [200, 200]
    assert {one.outcome(run.id)["end"] for run in runs} == {"complete"}
    assert "revision 2\n" in forbid_us(one).stdout, "nothing runs any more"


def test_json_of_a_refusal(one):
    permit(one)
    one.start()
    run = Running(one)
    done = forbid_us(one, "--json", check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and answer["applied"] is False and answer["report"][-1]["code"] == "running"
    run.go.set()
    assert run.answer().status == 200


def test_edit_that_forbids_nothing_that_runs(one):
    """Is made at once, and no question is left in the store."""
    permit(one, "se", "us")
    one.start()
    one.se.play(Script(send(STREAM_HEAD + chunk(role())), wait(go := threading.Event(), 20), send(chunk(DONE) + LAST_CHUNK)))
    with Client(one.port, timeout=60) as client:
        client.request(body=body_of(stream=True), key=one.key())
        one.se.wait_requests(1)
        time.sleep(0.15)
        assert "obeyed by 1 worker; 0 dispatches cut, 0 left to finish" in forbid_us(one, places=("se", "us")).stdout
        go.set()
        assert client.answer().body.endswith(DONE)


def test_two_words(one):
    permit(one)
    done = forbid_us(one, "--cut", "--let-finish", check=False)
    assert done.returncode == 64 and "say one of them" in done.stderr


@pytest.mark.parametrize("what", ["tenant", "moved", "store"])
def test_what_counts_as_forbidden(one, what):
    """Not a forbid alone: an app that is listed no more, a deployment that is elsewhere now, bytes that would have to be others."""
    permit(one)
    one.start()
    run = Running(one)
    us = deployment("us", country="US")
    texts = {"tenant": (fleet(us), residency(), tenants("blue")), "moved": (fleet(dict(us, backend="se")), residency(), tenants()),
             "store": (fleet(us), residency(allow("a", store="nothing")), tenants())}[what]
    done = one.apply(*texts, options=(), check=False)
    assert done.returncode == 1 and "1 running dispatch would be forbidden" in done.stderr
    assert "1 left to finish" in one.apply(*texts, options=["--let-finish"]).stdout
    run.go.set()
    assert run.answer().body.endswith(DONE)


# ---- cut ----

@pytest.mark.parametrize("stage", STAGES)
def test_cut(one, stage):
    """Before the answer's head: 403. In a stream: an error event and no [DONE]. In a whole answer: the connection ends short of its length."""
    permit(one)
    one.start()
    run = Running(one, stage)
    done = forbid_us(one, "--cut")
    assert "obeyed by 1 worker; 1 dispatch cut, 0 left to finish" in done.stdout
    found = run.answer()
    if stage in ("waiting", "head", "held"):
        expect_error(found, 403, "residency_denied")
    elif stage == "stream":
        assert found.status == 200 and DONE not in found.body
        first, last = events(found.body)[-2], json.loads(events(found.body)[-1])
        assert "first" in first and last["error"]["code"] == "residency_denied"
        assert "policy changed" in last["error"]["message"]
    else:
        assert found.status == 200 and not found.whole and found.body == b'{"half":'
    outcome = one.outcome(run.id)
    assert (outcome["end"], outcome["code"]) == ("denied_late", "residency_denied")
    assert outcome["attempts"][0]["error"] == "denied"
    run.go.set()
    expect_error(ask(one), 403, "residency_denied")


@pytest.mark.parametrize("stage", ["waiting", "stream", "whole"])
def test_cut_over_http2(one, authority, stage):
    """The stream alone ends: another one of the same connection goes on."""
    permit(one)
    one.start()
    with Http2(one.tls_port, tls_context(authority)) as client:
        run = Running(one, stage, http2=client)
        assert "1 dispatch cut" in forbid_us(one, "--cut").stdout
        found = run.answer()
        if stage == "waiting":
            expect_error(found, 403, "residency_denied")
        elif stage == "stream":
            assert json.loads(events(found.body)[-1])["error"]["code"] == "residency_denied" and DONE not in found.body
        else:
            assert found.body == b'{"half":' and (not found.whole or run.stream in client.resets)
        permit(one)
        number = client.request(body_of(stream=True), one.key())
        assert client.answer(number).body.endswith(DONE)
    assert one.outcome(run.id)["end"] == "denied_late"
    run.go.set()


@pytest.mark.parametrize("stage", STAGES)
def test_cut_of_an_old_generation(one, stage):
    """It drains, and may end with its last answer before the edit looks again: what it cut is in the number."""
    permit(one)
    one.start()
    run = Running(one, stage)
    one.reload()
    time.sleep(1)
    assert re.search(r"obeyed by [12] workers?; 1 dispatch cut, 0 left to finish", forbid_us(one, "--cut").stdout)
    found = run.answer()
    assert not found.body.endswith(DONE)
    run.go.set()
    expect_error(ask(one), 403, "residency_denied")


def test_cut_goes_on_elsewhere(one):
    """Before its head the route goes on to what is still allowed: the client has its answer from there."""
    permit(one, "us", "se")
    one.start()
    run = Running(one, "waiting")
    assert "1 dispatch cut" in forbid_us(one, "--cut", places=("us", "se")).stdout
    found = run.answer()
    assert found.status == 200 and found.body.endswith(DONE) and len(one.se.requests) == 1
    outcome = one.outcome(run.id)
    assert [(a["deployment"], a.get("error")) for a in outcome["attempts"]] == [("us", "denied"), ("se", None)]
    run.go.set()


def test_cut_of_a_drained_answer(one):
    """An answer that is read on without its client ends with the edit as well."""
    permit(one)
    one.start()
    run = Running(one)
    run.client.leave(reset=True)
    time.sleep(0.2)
    assert "1 dispatch cut" in forbid_us(one, "--cut").stdout
    assert one.outcome(run.id)["end"] == "denied_late"
    run.go.set()


def test_client_that_does_not_read(one):
    """What was not read by it stays unread: the backend's connection ends with the edit, not with the client."""
    permit(one)
    one.start()
    go = threading.Event()
    one.us.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x" * 8000)) * 4000), wait(go, 60)))
    client = Client(one.port, timeout=60)
    client.request(body=body_of(stream=True), key=one.key())
    one.us.wait_requests(1)
    time.sleep(0.5)
    assert "1 dispatch cut" in forbid_us(one, "--cut", "--wait", "5").stdout
    client.leave(reset=True)
    go.set()
    assert one.outcome(one.us.requests[0].id)["end"] == "denied_late"


@pytest.mark.slow
def test_fifty_at_once(one):
    """All of them, each told; the connection pool and the slot's numbers are right afterwards."""
    permit(one)
    one.start()
    runs = [Running(one, ["waiting", "stream"][i % 2]) for i in range(4)]
    go = threading.Event()
    for _ in range(46):
        one.us.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("first"))), wait(go, 60)))
    clients = [Client(one.port, timeout=60) for _ in range(46)]
    for client in clients:
        client.request(body=body_of(stream=True), key=one.key())
    one.us.wait_requests(50)
    time.sleep(0.3)
    assert "50 dispatches cut, 0 left to finish" in forbid_us(one, "--cut").stdout
    assert all(b"residency_denied" in client.answer().body for client in clients)
    assert all(b"residency_denied" in run.answer().body for run in runs)
    go.set()
    for run in runs:
        run.go.set()
    permit(one)
    assert [ask(one).status for _ in range(3)] == [200] * 3


# ---- let finish ----

@pytest.mark.parametrize("stage", ["waiting", "stream", "whole"])
def test_let_finish(one, stage):
    """It ends as if nothing had been; new requests are denied meanwhile; the command says how many are left, `policy wait` says so too."""
    permit(one)
    one.start()
    run = Running(one, stage)
    assert "obeyed by 1 worker; 0 dispatches cut, 1 left to finish" in forbid_us(one, "--let-finish").stdout
    expect_error(ask(one), 403, "residency_denied")
    assert "1 left to finish" in one.command("policy", "wait").stdout
    run.go.set()
    found = run.answer()
    assert found.status == 200 and (found.body.endswith(DONE) if stage != "whole" else found.body == b'{"half":"an answer"}')
    outcome = one.outcome(run.id)
    assert (outcome["end"], outcome["attempts"][0]["revision"]) == ("complete", 1)
    assert "0 left to finish" in one.command("policy", "wait").stdout


def test_let_finish_is_the_edits_word(one):
    """A later edit decides anew: one that says --cut ends it; an edit of keys does not."""
    permit(one)
    one.start()
    runs = [Running(one), Running(one)]
    forbid_us(one, "--let-finish")
    one.key(name="another")
    assert "2 left to finish" in one.command("policy", "wait").stdout
    runs[0].go.set()
    assert runs[0].answer().body.endswith(DONE)
    done = forbid_us(one, check=False)
    assert done.returncode == 1 and "1 running dispatch would be forbidden" in done.stderr
    assert "1 dispatch cut, 0 left to finish" in forbid_us(one, "--cut").stdout
    assert b"residency_denied" in runs[1].answer().body
    runs[1].go.set()


def test_let_finish_is_not_for_a_revoked_key(one):
    permit(one)
    one.start()
    run = Running(one, key=one.key(name="doomed"))
    forbid_us(one, "--let-finish")
    assert "1 dispatch cut" in one.command("key", "revoke", "acme/red/app/doomed").stdout
    assert b"invalid_api_key" in run.answer().body
    run.go.set()


def test_let_finish_is_not_for_a_retry(one):
    """What is dispatched after the edit is judged by it alone."""
    permit(one, "us", "se")
    one.start()
    one.us.play(Script(wait(go := threading.Event(), 20), send(b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}")))
    with Client(one.port, timeout=60) as client:
        client.request(body=body_of(), key=one.key())
        one.us.wait_requests(1)
        time.sleep(0.1)
        one.apply(fleet(deployment("us", country="US"), deployment("se", country="SE", priority=2)),
                  residency(forbids=[forbid("never", process=["US", "SE"])]), tenants(), options=["--let-finish"])
        go.set()
        expect_error(client.answer(), 403, "residency_denied")
    assert not one.se.requests


def test_let_finish_ends_with_its_attempt(one):
    """What was left to finish failed, and its request runs elsewhere, where nothing forbids it: no worker says that it is left to finish."""
    permit(one, "us", "se")
    one.start()
    one.us.play(Script(wait(fail := threading.Event(), 20), send(b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}")))
    one.se.play(Script(wait(go := threading.Event(), 20), send(STREAM_HEAD + chunk(role()) + chunk(DONE) + LAST_CHUNK)))
    with Client(one.port, timeout=60) as client:
        client.request(body=body_of(stream=True), key=one.key())
        one.us.wait_requests(1)
        time.sleep(0.15)
        assert "0 dispatches cut, 1 left to finish" in forbid_us(one, "--let-finish", places=("us", "se")).stdout
        fail.set()
        one.se.wait_requests(1)
        assert "obeyed by 1 worker; 0 dispatches cut, 0 left to finish" in one.command("policy", "wait").stdout
        go.set()
        assert client.answer().body.endswith(DONE)


def test_rollback_is_an_edit(one):
    """It counts, cuts and waits like any other."""
    forbid_us(one)
    permit(one)
    one.start()
    run = Running(one)
    done = one.command("policy", "rollback", "1", "--reason", "tests", check=False)
    assert done.returncode == 1 and "1 running dispatch would be forbidden" in done.stderr
    assert "1 dispatch cut" in one.command("policy", "rollback", "1", "--reason", "tests", "--cut").stdout
    assert b"residency_denied" in run.answer().body
    run.go.set()
