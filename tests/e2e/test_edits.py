"""Edits, revocations and breakage between two dispatches or two writes of one request; connections others opened; drains and their bounds."""
import os
import signal
import socket
import threading
import time

import pytest

import records
from client import Client, Http2, ask, body_of, expect_error, get, tls_context, until
from documents import allow, azure, deployment, fleet, forbid, residency, tenants
from gateway import Backend
from mock_backend import (DONE, LAST_CHUNK, STREAM_HEAD, Closed, Script, chunk, close, delta, hang, provider_error, reset, role, send, usage_event,
                          wait)

pytestmark = pytest.mark.sanitizer

UPLOAD = 16000000                   # four times what Linux keeps in a socket's send buffer
KERNEL = 4 << 20                    # net.ipv4.tcp_wmem's third number: what was written before the edit may still arrive


def untouched(mock):
    return mock.connections == 0 and mock.bytes == 0 and not mock.requests


@pytest.fixture
def trio(make_gateway, mock):
    """A gateway with fresh backends "inside", "outside" and "elsewhere", whose record is checked at the end."""
    mocks = [mock(f"127.0.0.{61 + i}", name=name) for i, name in enumerate(("inside", "outside", "elsewhere"))]
    gateway = make_gateway([Backend(m.name, m) for m in mocks], body_limit="32m")
    gateway.inside, gateway.outside, gateway.elsewhere = mocks
    yield gateway
    allowed = {line["id"] for line in gateway.record(kinds=()) if line["type"] == "decision" and line["verdict"] == "allow"}
    for request in allowed:
        gateway.outcome(request)
    records.check_all(gateway.audit)


def held(gateway, edit, first=b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}", key=None, body=None):
    """The answer to a request whose first backend, inside, fails with `first` once `edit` was made."""
    gate = threading.Event()
    gateway.inside.play(Script(wait(gate, 60), send(first)))
    with Client(gateway.port) as client:
        client.request(body=body or body_of(), key=key or gateway.key())
        gateway.inside.wait_requests(1)
        edit()
        gate.set()
        return client.answer()


def held_upload(gateway, edit, key=None):
    """The answer to an upload to outside that stalls until `edit` was made, and how many of its bytes came after that."""
    stalled, edited, ended = threading.Event(), threading.Event(), threading.Event()
    late = []

    def stall(exchange):
        stalled.set()
        edited.wait(60)
        exchange.sock.settimeout(0.7)
        try:
            while data := exchange.sock.recv(1 << 18):
                late.append(len(data))
        except OSError:
            pass
        ended.set()
        raise Closed
    gateway.outside.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    gateway.outside.play(Script(stall, at="head"))
    with Client(gateway.port) as client:
        client.request(body=body_of(text="x" * UPLOAD), key=key or gateway.key())
        assert stalled.wait(60)
        time.sleep(0.1)
        edit()
        edited.set()
        found = client.answer()
    assert ended.wait(60)
    return found, sum(late)


def two(place="outside", **more):
    return fleet(deployment("inside"), deployment("second", place, priority=2, **more))


# ---- a deployment that an edit moves ----

def test_moved_backend_on_a_retry(trio):
    """The retry goes to where the deployment is now, under the rules, the facts and the places of now."""
    trio.apply(two(country="US"), residency(allow("old")), tenants())
    trio.start()
    found = held(trio, lambda: trio.apply(two("elsewhere", country="FR"), residency(allow("new", process=("EU",))), tenants()))
    assert found.status == 200 and untouched(trio.outside) and len(trio.elsewhere.requests) == 1
    trio.outcome(found.id)
    decision, attempt, outcome = trio.record(found.id)
    assert (decision["revision"], attempt["revision"], attempt["number"]) == (trio.revision - 1, trio.revision, 2)
    assert decision["route"][1]["rules"] == ["old"] and sorted(decision["route"][1]["process"]) == ["DE", "US"]
    assert attempt["deployment"] == "second" and attempt["rules"] == ["new"] and sorted(attempt["process"]) == ["DE", "FR"]
    assert [(one["deployment"], one["revision"], one["status"]) for one in outcome["attempts"]] == [
        ("inside", trio.revision - 1, 503), ("second", trio.revision, 200)]


def test_moved_backend_that_is_forbidden_now(trio):
    """It moved from where it may be to where it may not: neither place is asked."""
    trio.apply(two(country="SE"), residency(allow("eu", process=("EU",))), tenants())
    trio.start()
    found = held(trio, lambda: trio.apply(two("elsewhere", country="US"), residency(allow("eu", process=("EU",))), tenants()))
    expect_error(found, 403, "residency_denied")
    assert untouched(trio.outside) and untouched(trio.elsewhere)
    assert trio.outcome(found.id)["end"] == "denied_late"


def test_deployment_that_is_gone(trio):
    trio.apply(two(), residency(), tenants())
    trio.start()
    found = held(trio, lambda: trio.apply(fleet(deployment("inside")), residency(), tenants()))
    expect_error(found, 403, "residency_denied")
    assert untouched(trio.outside)


def test_moved_backend_during_an_upload(trio):
    """What is left of the body is for neither place."""
    trio.apply(fleet(deployment("second", "outside", country="US")), residency(allow("old")), tenants())
    trio.start()
    found, late = held_upload(trio, lambda: trio.apply(fleet(deployment("second", "elsewhere")), residency(allow("new", process=("EU",))), tenants()))
    expect_error(found, 403, "residency_denied")
    assert late < KERNEL and untouched(trio.elsewhere)
    outcome = trio.outcome(found.id)
    assert (outcome["end"], outcome["status"]) == ("denied_late", 403) and len(outcome["attempts"]) == 1


def test_unrelated_edit_leaves_an_upload_alone(trio):
    """The whole body arrives, though the revision changed in the middle of it."""
    trio.apply(two(), residency(allow("old")), tenants())
    trio.start()
    begun, edited = threading.Event(), threading.Event()

    def slow(exchange):
        begun.set()
        edited.wait(60)
        body = len(trio.inside.requests[0].raw.split(b"\r\n\r\n", 1)[1])
        while body < length:
            body += len(exchange.sock.recv(1 << 18))
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    length = len(body_of(text="x" * UPLOAD))
    trio.inside.play(Script(slow, at="head"))
    with Client(trio.port) as client:
        client.request(body=body_of(text="x" * UPLOAD), key=trio.key())
        assert begun.wait(60)
        trio.apply(two("elsewhere"), residency(allow("new", process=("EU",))), tenants())
        edited.set()
        assert client.answer().status == 200
    assert int(trio.inside.requests[0].header("content-length")) == length and untouched(trio.outside) and untouched(trio.elsewhere)
    found = trio.outcome(trio.inside.requests[0].id)
    assert [(one["deployment"], one["revision"]) for one in found["attempts"]] == [("inside", trio.revision)], "its last bytes left under the new one"


def test_rules_of_the_new_revision(trio):
    """The retry is what the new rules ask for: `store` off, and their names in its line."""
    trio.apply(two(), residency(allow("old")), tenants())
    trio.start()
    found = held(trio, lambda: trio.apply(two(), residency(allow("new", process=("EU",), store="nothing")), tenants()))
    assert found.status == 200
    assert "store" not in trio.inside.requests[0].json and trio.outside.requests[0].json["store"] is False
    attempt = [line for line in trio.record(found.id) if line["type"] == "attempt"]
    assert [(one["rules"], one["revision"], one["store"]) for one in attempt] == [(["new"], trio.revision, "nothing")]


def test_store_that_must_be_off_ends_an_upload(trio):
    """The bytes already sent said nothing of `store`, and cannot be taken back: the rest stays here."""
    trio.apply(fleet(deployment("outside")), residency(allow("old")), tenants())
    trio.start()
    found, late = held_upload(trio, lambda: trio.apply(fleet(deployment("outside")), residency(allow("new", store="nothing")), tenants()))
    expect_error(found, 403, "residency_denied")
    assert late < KERNEL


def test_ten_classes(world):
    """Every class has its rule in the record, and the tenth rule's `store` counts like the first's."""
    names = [f"c{i}" for i in range(10)]
    rules = [allow(f"r{i}", [name], **({"store": "nothing"} if i == 9 else {})) for i, name in enumerate(names)]
    world.gateway.apply(fleet(deployment("home", "b1"), deployment("second", "b2", priority=2)),
                        residency(*rules, classes=names, default="c0", classify={"labels": ["header:x-data-class"]}), tenants())
    world.b1.play(provider_error(503))
    found = ask(world.gateway, headers=[("x-data-class", ",".join(names))])
    assert found.status == 200 and world.contacted() == ["b1", "b2"]
    assert world.b1.requests[0].json["store"] is False and world.b2.requests[0].json["store"] is False
    decision, attempt = world.gateway.record(found.id)[:2]
    assert [one["name"] for one in decision["classes"]] == names
    assert [one["rules"] for one in (*decision["route"], attempt)] == [[f"r{i}" for i in range(10)]] * 3


# ---- what the client is told ----

@pytest.mark.parametrize("status", [429, 503, 401])
def test_late_denial_is_a_denial(trio, status):
    """Whatever a provider said before, it was policy that ended the route: 403, with nothing that invites a retry."""
    trio.apply(two(country="US"), residency(), tenants())
    trio.start()
    first = b"HTTP/1.1 %d x\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}" % status
    found = held(trio, lambda: trio.apply(two(country="US"), residency(forbids=[forbid("never", process=["US"])]), tenants()), first)
    expect_error(found, 403, "residency_denied")
    assert not found.all("retry-after") and untouched(trio.outside)
    outcome = trio.outcome(found.id)
    assert (outcome["status"], outcome["end"]) == (403, "denied_late")
    assert [(one["deployment"], one.get("status"), one.get("error")) for one in outcome["attempts"]] == [("inside", status, None), ("second", None, "denied")]


def test_denial_of_one_deployment_is_not_the_last_word(trio):
    """The second is forbidden meanwhile, the third is not: its answer is the client's, a provider's error too."""
    three = fleet(deployment("inside"), deployment("outside", priority=2, country="US"), deployment("elsewhere", priority=3))
    trio.apply(three, residency(), tenants())
    trio.start()
    for script, status in ((None, 200), (provider_error(503, "mine"), 503)):
        trio.inside.clear()
        if script:
            trio.apply(three, residency(), tenants())
            trio.elsewhere.play(script)
        found = held(trio, lambda: trio.apply(three, residency(forbids=[forbid("never-us", process=["US"])]), tenants()))
        assert found.status == status and untouched(trio.outside)
    assert found.error["message"] == "mine"


def test_revoked_key_on_a_retry(trio):
    trio.apply(two(), residency(), tenants())
    trio.start()
    found = held(trio, lambda: trio.command("key", "revoke", "acme/red/app/doomed"), key=trio.key(name="doomed"))
    expect_error(found, 401, "invalid_api_key")
    assert untouched(trio.outside) and trio.outcome(found.id)["end"] == "denied_late"


@pytest.mark.parametrize("seconds", [0, 1.2])
def test_revoked_key_during_an_upload(trio, seconds):
    """A revocation is in force once the command says so, as an edit is, though it makes no revision."""
    trio.apply(fleet(deployment("outside")), residency(), tenants())
    trio.start()
    key = trio.key(name="doomed")
    found, late = held_upload(trio, lambda: (trio.command("key", "revoke", "acme/red/app/doomed"), time.sleep(seconds)), key)
    expect_error(found, 401, "invalid_api_key")
    assert late < KERNEL and trio.outcome(found.id)["end"] == "denied_late"


def late_body(gateway, edit, key=None):
    """The answer to a request whose body is half here when `edit` is made."""
    body = body_of(text="x" * 100000)
    with Client(gateway.port) as client:
        client.request(body=body[:50000], length=len(body), key=key or gateway.key())
        time.sleep(0.1)
        edit()
        client.send(body[50000:])
        return client.answer()


def test_revoked_key_while_the_body_comes(trio):
    """It was good when the head came. Before the first dispatch it is not."""
    trio.apply(two(), residency(), tenants())
    trio.start()
    found = late_body(trio, lambda: trio.command("key", "revoke", "acme/red/app/doomed"), trio.key(name="doomed"))
    expect_error(found, 401, "invalid_api_key")
    assert untouched(trio.inside) and untouched(trio.outside)


@pytest.mark.parametrize("what", ["policy", "models", "tenant"])
def test_edit_while_the_body_comes(trio, what):
    trio.apply(two(), residency(), tenants())
    trio.start()
    edits = {"policy": (two(), residency(forbids=[forbid("never-se", process=["SE"])]), tenants()), "models": (two(), residency(), tenants(models=["other"])),
             "tenant": (two(), residency(), tenants("blue"))}
    status, code = {"policy": (403, "residency_denied"), "models": (403, "model_not_allowed"), "tenant": (401, "invalid_api_key")}[what]
    expect_error(late_body(trio, lambda: trio.apply(*edits[what])), status, code)
    assert untouched(trio.inside) and untouched(trio.outside)


def test_tenant_that_is_gone(trio):
    """Its key went with it."""
    trio.apply(two(), residency(), tenants())
    trio.start()
    found = held(trio, lambda: trio.apply(two(), residency(), tenants("blue")))
    expect_error(found, 401, "invalid_api_key")
    assert untouched(trio.outside)


@pytest.mark.parametrize("how", ["gone", "zeros", "cut"])
def test_store_that_breaks_on_a_retry(trio, how):
    """Nothing further is sent by the last policy known."""
    trio.apply(two(), residency(), tenants())
    trio.expect_log("store|mdb|policy")
    trio.start()

    def ruin():
        path = trio.home / "store" / "data.mdb"
        if how == "gone":
            path.unlink()
        elif how == "zeros":
            with open(path, "r+b") as handle:
                handle.write(b"\0" * path.stat().st_size)
        else:
            os.truncate(path, 4096)
        time.sleep(1.3)                # looked at once a second
        until(lambda: ask(trio).status == 503)
    found = held(trio, ruin)
    expect_error(found, 503, "policy_unavailable")
    assert untouched(trio.outside)
    assert trio.outcome(found.id)["end"] == "denied_late" and "exited on signal" not in trio.errors()


# ---- the record ----

def test_deployment_that_is_to_wait(world):
    """One that said when it may be asked again is last in the route meanwhile: the first dispatch needs no line but the decision's."""
    world.route("b1", "b2", "b3")
    world.b1.play(provider_error(429, "wait", [("Retry-After", "300")]))
    assert ask(world.gateway).status == 200
    seen = []

    def look(request):
        seen.extend(line for line in records.lines(world.gateway.audit) if line.get("id") == request.id)
        return provider_error(503)
    world.b2.always(look)
    found = ask(world.gateway)
    assert found.status == 200 and world.contacted() == ["b1", "b2", "b2", "b3"]
    assert [line["type"] for line in seen] == ["decision"]
    route, terms = ([one["deployment"] for one in seen[0][name]] for name in ("route", "terms"))
    outcome = world.gateway.outcome(found.id)
    assert [one.get("status", one.get("error")) for one in outcome["attempts"]] == [503, 200]
    assert [one["deployment"] for one in outcome["attempts"]] == route[:2] and terms == route and seen[0]["terms"][2]["retry_at"]
    attempts = [line["deployment"] for line in world.gateway.record(found.id) if line["type"] == "attempt"]
    assert attempts == [one["deployment"] for one in outcome["attempts"][1:]]


# ---- connections that something else opened to the same group ----

SIDE = "}} location /side {{ proxy_pass {scheme}://one; proxy_http_version 1.1; proxy_set_header Connection ''; "


@pytest.mark.parametrize("what", ["unverified", "clear text", "TLS for a clear one"])
def test_side_door(make_gateway, mock, authority, rogue, what):
    """A proxy_pass over the same group verifies nothing: what it leaves open carries neither a prompt nor a credential of ours."""
    certificate = {"unverified": rogue.issue("a.test"), "clear text": None, "TLS for a clear one": authority.issue("a.test")}[what]
    bad = mock("127.0.0.71", name="bad", tls=certificate)
    ours = {} if what == "TLS for a clear one" else {"tls": "a.test", "ca": authority.certificate}
    gateway = make_gateway([Backend("one", bad, credential="the-secret", **ours)], location=SIDE.format(scheme="https" if certificate else "http"))
    gateway.apply()
    gateway.expect_log(r"\[crit\].*SSL_do_handshake\(\) failed")
    gateway.excuse("I1", reason="a proxy_pass beside the gateway has no record")
    gateway.start()
    for _ in range(2):
        get(gateway, "/side")
    assert [(r.target, r.connection, r.index) for r in bad.requests] == [("/side", 1, 1), ("/side", 1, 2)], "the side door must keep its connection"
    expect_error(ask(gateway, body_of(text="the-prompt", stream=True)), 503, "no_healthy_backend")
    expect_error(ask(gateway, body_of(text="the-prompt" * 5000)), 503, "no_healthy_backend")
    get(gateway, "/side")
    assert [r.target for r in bad.requests] == ["/side"] * 3 and bad.requests[2].connection > 1, "the kept connection was not looked at"
    everything = b"".join(r.raw for r in bad.requests)
    assert b"the-prompt" not in everything and b"the-secret" not in everything


def test_side_door_to_the_right_backend(make_gateway, mock, authority):
    """A connection it opened is not used even where the certificate would do; ours are verified and kept."""
    good = mock("127.0.0.71", name="good", tls=authority.issue("a.test"))
    gateway = make_gateway([Backend("one", good, tls="a.test", ca=authority.certificate, credential="the-secret")], location=SIDE.format(scheme="https"))
    gateway.apply()
    gateway.excuse("I1", reason="a proxy_pass beside the gateway has no record")
    gateway.start()
    get(gateway, "/side")
    assert [ask(gateway).status for _ in range(3)] == [200] * 3
    side, *others = good.requests
    assert {r.connection for r in others} == {2} and {r.sni for r in others} == {"a.test"} and side.connection == 1


# ---- the same backend again ----

NOT_STALE = {
    "timeout": Script(hang(5)), "two lengths": Script(send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")),
    "bad chunk": Script(send(STREAM_HEAD + b"zz\r\n")), "garbage": Script(send(b"banana\r\n\r\n"), close()),
    "half a status line": Script(send(b"HTTP/1.1 2"), reset()), "half a head": Script(send(b"HTTP/1.1 200 OK\r\nContent-Ty"), close()),
    "interim only": Script(send(b"HTTP/1.1 100 Continue\r\n\r\n"), reset())}


@pytest.fixture(scope="module")
def pair(request):
    """Two backends that may take 500 ms, shared by the tests below."""
    from conftest import RUNNING
    from gateway import Gateway
    from mock_backend import MockBackend
    mocks = [MockBackend(f"127.0.0.{64 + i}", name=f"k{i}") for i in range(2)]
    gateway = Gateway([Backend(m.name, m, read="500ms") for m in mocks]).init()
    gateway.mocks = mocks
    gateway.apply()
    RUNNING.append(gateway)
    yield gateway.start()
    RUNNING.remove(gateway)
    gateway.remove()
    for one in mocks:
        one.stop()


@pytest.mark.parametrize("what", NOT_STALE)
def test_kept_connection_that_worked_is_not_stale(pair, what):
    """The backend took the request and may have billed it: it is not asked again, the next one is."""
    first, second = pair.mocks[0].clear(), pair.mocks[1].clear()
    pair.apply()
    assert ask(pair).status == 200
    first.play(NOT_STALE[what])
    found = ask(pair, body_of(stream=what == "bad chunk"))
    assert found.status == 200 and len(first.requests) == 2 and len(second.requests) == 1
    assert first.requests[0].connection == first.requests[1].connection
    one, other = pair.outcome(found.id)["attempts"]
    assert (one["deployment"], one["cached"], other["deployment"], other["status"]) == ("k0", True, "k1", 200)


@pytest.mark.parametrize("end", [reset, close])
def test_kept_connection_that_died_unheard_is_stale(pair, end):
    """Not a byte came back: the same backend once more, on a new connection, with a line of its own."""
    first, second = pair.mocks[0].clear(), pair.mocks[1].clear()
    pair.apply()
    assert ask(pair).status == 200
    first.play(Script(end()))
    found = ask(pair)
    assert found.status == 200 and len(first.requests) == 3 and not second.requests
    assert first.requests[2].connection != first.requests[1].connection
    one, other = pair.outcome(found.id)["attempts"]
    assert (one["cached"], one["received"], other["cached"], other["status"]) == (True, 0, False, 200) and "status" not in one
    assert [line["deployment"] for line in pair.record(found.id) if line["type"] == "attempt"] == ["k0"]


# ---- how many answers are read on without their client ----

def rest():
    return send(chunk(delta("x")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK)


class Leavers:
    """Streams that a backend begins and holds until `gate`; their clients leave meanwhile."""

    def __init__(self, gateway, backend):
        self.gateway, self.backend, self.gate = gateway, backend, threading.Event()

    def play(self, count=1):
        self.backend.play(*[Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(self.gate, 230), rest())] * count)

    def leave(self, owner="acme/red/app"):
        self.play()
        client = Client(self.gateway.port)
        client.request(body=body_of(stream=True), key=self.gateway.key(owner))
        assert client.head().status == 200
        client.leave(reset=True)

    def ended(self, ids, count, seconds=60):
        """Ids of those that have an outcome, once `count` have."""
        end = time.monotonic() + seconds
        while True:
            found = {line["id"]: line for line in self.gateway.record() if line["type"] == "outcome" and line["id"] in ids}
            if len(found) >= count or time.monotonic() > end:
                assert {line["end"] for line in found.values()} <= {"client_left"}
                return found
            time.sleep(0.02)

    def read_on(self, ids):
        """How many of them were read to the usage that the backend reported at its end."""
        found = self.ended(ids, len(ids))
        assert len(found) == len(ids), f"{len(found)} of {len(ids)} have an outcome"
        return sum(line.get("usage", {}).get("source") == "reported" and line["usage"]["output"] == 7 for line in found.values())


@pytest.fixture
def lone(make_gateway, mock, server_certificate):
    backend = mock("127.0.0.61", name="one")
    gateway = make_gateway([Backend("one", backend, keepalive=0, read="240s")], certificate=server_certificate, location="gatehouse_drain_time 4m;")
    gateway.one = backend
    gateway.apply()
    return gateway.start()


def test_drains_of_one_http2_connection(lone, authority):
    """16 cancelled streams are read on, those cancelled beyond are closed at once; a client of its own is not held against them."""
    crowd = Leavers(lone, lone.one)
    crowd.play(20)
    with Http2(lone.tls_port, tls_context(authority)) as client:
        streams = [client.request(body_of(stream=True), lone.key()) for _ in range(20)]
        while not all(client.answers[number].body for number in streams):
            client.receive()
        for number in streams:
            client.cancel(number)
        ids = {r.id for r in lone.one.requests}
        assert len(crowd.ended(ids, 4)) == 4
        crowd.leave()
        ids = {r.id for r in lone.one.requests}
        time.sleep(0.1)
        assert len(crowd.ended(ids, 4)) == 4
        crowd.gate.set()
        assert crowd.read_on(ids) == 17
        crowd.play()
        number = client.request(body_of(stream=True), lone.key())
        assert client.answer(number).body.endswith(DONE)


def test_drains_of_one_tenant_and_a_killed_worker(lone):
    """64 of a tenant in a worker; another tenant has its own 64; a killed worker takes its count with it."""
    crowd = Leavers(lone, lone.one)
    for _ in range(68):
        crowd.leave()
    ids = {r.id for r in lone.one.requests}
    assert len(crowd.ended(ids, 4)) == 4
    crowd.leave("acme/blue/app")
    ids = {r.id for r in lone.one.requests}
    time.sleep(0.1)
    assert len(crowd.ended(ids, 4)) == 4
    crowd.gate.set()
    assert crowd.read_on(ids) == 65
    crowd.gate.clear()
    lone.one.clear()
    for _ in range(64):
        crowd.leave()
    time.sleep(0.1)
    lone.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    victim = lone.worker_pids()
    os.kill(victim[0], signal.SIGKILL)
    until(lambda: lone.worker_pids() and lone.worker_pids() != victim)
    crowd.gate.set()
    time.sleep(0.1)
    crowd.gate.clear()
    lone.one.clear()
    for _ in range(64):
        crowd.leave()
    crowd.gate.set()
    assert crowd.read_on({r.id for r in lone.one.requests}) == 64


# ---- what nginx -t says ----

def test_warnings_about_credentials_and_clear_text(make_gateway, mock, authority):
    """Warnings, never an error: a certificate's reload is not blocked by them."""
    names = {"open": {"credential": "s", "tls": "a.test"}, "closed": {"credential": "s", "tls": "a.test"}, "clear": {"credential": "s"}, "cloud": {}, "own": {}}
    gateway = make_gateway([Backend(name, f"127.0.0.75:{9000 + i}", ca=authority.certificate if "tls" in more else None, **more)
                            for i, (name, more) in enumerate(names.items())])
    gateway.apply(fleet(*(azure(name) if name == "cloud" else deployment(name) for name in names)), residency(), tenants())
    (gateway.home / "cred" / "open").chmod(0o644)
    done = gateway.test()
    assert done.returncode == 0, done.stderr
    warned = {name: [line for line in done.stderr.splitlines() if "[warn]" in line and f'"{name}"' in line] for name in names}
    assert {name for name, lines in warned.items() if lines} == {"open", "clear", "cloud"}, done.stderr
    assert all(len(lines) == 1 and f"{gateway.conf}:" in lines[0] for lines in warned.values() if lines), done.stderr
    assert str(gateway.home / "cred" / "open") in warned["open"][0] and "everybody" in warned["open"][0]
    assert "clear text" in warned["clear"][0] and "credential" in warned["clear"][0] and "clear text" in warned["cloud"][0]
    gateway.start()
