"""Which backend is asked, in which order, and what the client gets when all fail."""
import time

import pytest

from client import Client, ask, body_of, expect_error, until
from mock_backend import (LAST_CHUNK, Script, answer, chunk, close, completion, hang, head, pause, plain, provider_error, reset, send)
from timely import windows

pytestmark = pytest.mark.sanitizer

RETRIED = [408, 429, 500, 501, 502, 503, 504, 507, 520, 529]
PASSED_ON = [400, 404, 409, 413, 422, 424]


@pytest.mark.parametrize("status", RETRIED + [401, 403])
def test_next_backend_after(world, status):
    world.b1.play(provider_error(status, "canary-of-b1"))
    found = ask(world.gateway)
    assert found.status == 200 and b"canary" not in found.body
    assert world.contacted() == ["b1", "b2"]
    outcome = world.gateway.outcome(found.id)
    assert [(one.get("status"), one["deployment"].split("-")[0]) for one in outcome["attempts"]] == [(status, "b1"), (200, "b2")]
    assert outcome["status"] == 200 and outcome["end"] == "complete"


@pytest.mark.parametrize("status", PASSED_ON)
def test_answers_that_are_the_clients(world, status):
    world.b1.play(provider_error(status, "yours"))
    found = ask(world.gateway)
    assert found.status == status and found.error["message"] == "yours" and world.contacted() == ["b1"]


def test_two_failures_then_success(world):
    world.b1.play(provider_error(429))
    world.b2.refuse()
    try:
        assert ask(world.gateway).status == 200
    finally:
        world.b2.listen()
    assert world.contacted() == ["b1", "b3"]


BROKEN = {
    "reset at once": Script(reset(), at="accept"), "closed at once": Script(close(), at="accept"), "reset after the head": Script(reset(), at="head"),
    "closed after the request": Script(close()), "reset after the request": Script(reset()), "half a status line": Script(send(b"HTTP/1.1 2"), reset()),
    "half a head": Script(send(b"HTTP/1.1 200 OK\r\nContent-Ty"), close()), "garbage": Script(send(b"\x16\x03\x01\x02hello\r\n\r\n" * 20), close()),
    "another protocol": Script(send(b"SSH-2.0-mock\r\n"), close()), "silent": Script(hang()),
    "two lengths": Script(send(head(200, [("Content-Length", 2), ("Content-Length", 3)]) + b"{}")),
    "length and chunks": Script(send(head(200, [("Content-Length", 2), ("Transfer-Encoding", "chunked")]) + chunk(b"{}") + LAST_CHUNK)),
    "length that is no number": Script(send(head(200, [("Content-Length", "two")]) + b"{}")),
    "a head of 100 KiB": Script(send(head(200, [("x-long", "a" * 102400), ("Content-Length", 2)]) + b"{}")),
    "compressed against our word": Script(send(head(200, [("Content-Encoding", "gzip"), ("Content-Length", 2)]) + b"{}")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_next_backend_after_broken(world, name):
    if name == "silent":
        world.route("b1-silent", "b2")
    world.b1.play(BROKEN[name])
    found = ask(world.gateway)
    assert found.status == 200 and world.contacted()[-1] == "b2", found
    assert found.json["choices"][0]["message"]["content"] == "hello"


def test_interim_answers_are_skipped(world):
    world.b1.play(Script(send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), send(plain(200, completion("late")))))
    found = ask(world.gateway)
    assert found.status == 200 and found.json["choices"][0]["message"]["content"] == "late" and world.contacted() == ["b1"]


def test_last_provider_error_is_given(world):
    world.route("b1", "b2")
    world.b1.play(provider_error(500, "first"))
    world.b2.play(provider_error(503, "second", [("Retry-After", "9"), ("x-ratelimit-remaining-requests", "0")]))
    found = ask(world.gateway)
    assert found.status == 503 and found.error["message"] == "second"
    assert found.header("retry-after") == "9" and not found.all("x-ratelimit-remaining-requests")
    assert found.header("content-type") == "application/json"


@pytest.mark.parametrize("after", ["refused", "reset"])
def test_provider_error_outlives_a_broken_backend(world, after):
    world.route("b1", "b2")
    world.b1.play(provider_error(529, "overloaded"))
    if after == "reset":
        world.b2.always(Script(reset()))
        found = ask(world.gateway)
    else:
        world.b2.refuse()
        try:
            found = ask(world.gateway)
        finally:
            world.b2.listen()
    assert found.status == 529 and found.error["message"] == "overloaded"


def test_provider_error_body_is_cut_at_16_kib(world):
    world.route("b1", "b2")
    text = b'{"error":{"message":"' + b"x" * 50000 + b'","type":null,"param":null,"code":null}}'
    world.b1.play(answer(500, text))
    world.b2.always(Script(reset()))
    found = ask(world.gateway)
    assert found.status == 500 and found.whole and 0 < len(found.body) <= 16384 and text.startswith(found.body)


def test_provider_error_in_chunks(world):
    world.route("b1", "b2")
    world.b1.play(Script(send(head(503, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])),
                         send(chunk(b'{"error":{"message":"in ')), send(chunk(b'pieces","type":"a","param":null,"code":null}}') + LAST_CHUNK)))
    world.b2.always(Script(reset()))
    found = ask(world.gateway)
    assert found.status == 503 and found.error["message"] == "in pieces"


def test_nobody_listens(world):
    for mock in world.mocks.values():
        mock.refuse()
    try:
        found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    finally:
        for mock in world.mocks.values():
            mock.listen()
    assert b"127.0.0" not in found.body
    outcome = world.gateway.outcome(found.id)
    assert len(outcome["attempts"]) == 3 and outcome["status"] == 503 and outcome["end"] == "failed"


def test_everybody_is_broken(world):
    world.route("b1", "b2")
    world.b1.always(Script(reset()))
    world.b2.always(Script(send(b"HTTP/1.1 banana\r\n\r\n"), close()))
    found = ask(world.gateway)
    expect_error(found, 503, "no_healthy_backend")


def test_everybody_is_silent(world):
    world.route("b1-silent")
    world.b1.always(Script(hang()))
    found = ask(world.gateway)
    expect_error(found, 503, "no_healthy_backend")


def test_tries(world):
    """Three by default, with a fourth waiting."""
    for mock in world.mocks.values():
        mock.always(provider_error(503, mock.name))
    found = ask(world.gateway)
    assert found.status == 503 and found.error["message"] == "b3" and world.contacted() == ["b1", "b2", "b3"]


def test_a_single_try(world):
    world.b1.play(provider_error(503, "only"))
    found = ask(world.gateway, port=world.gateway.single_port)
    assert found.status == 503 and found.error["message"] == "only" and world.contacted() == ["b1"]


def test_deadline_of_the_route(world):
    """4 s in all at this port, though each of three silent backends may take longer."""
    for mock in world.mocks.values():
        mock.always(Script(hang()))
    begun = time.monotonic()
    found = ask(world.gateway, port=world.gateway.deadline_port)
    taken = time.monotonic() - begun
    assert 3.8 < taken < 35, (taken, found)            # far less than the 40 s that one of them may take
    expect_error(found, 503, "no_healthy_backend")


def test_deadline_keeps_the_provider_error(world):
    world.b1.play(provider_error(503, "kept"))
    for mock in (world.b2, world.b3):
        mock.always(Script(hang()))
    found = ask(world.gateway, port=world.gateway.deadline_port)
    assert found.status == 503 and found.error["message"] == "kept"


# ---- credentials ----

@pytest.mark.parametrize("status", [401, 403])
def test_a_backends_refusal_of_our_credential_is_not_passed_on(world, status):
    world.route("b1", "b2")
    for mock in (world.b1, world.b2):
        mock.play(provider_error(status, "invalid api key sk-canary", [("WWW-Authenticate", "Bearer")]))
    found = expect_error(ask(world.gateway), 502, "backend_credentials")
    assert b"canary" not in found.body and not found.all("www-authenticate")
    assert world.contacted() == ["b1", "b2"]
    assert [one["status"] for one in world.gateway.outcome(found.id)["attempts"]] == [status, status]


def test_each_backend_gets_its_own_credential(world):
    world.b1.play(provider_error(500))
    ask(world.gateway)
    assert world.b1.requests[0].all("authorization") == ["Bearer secret-of-b1"]
    assert world.b2.requests[0].all("authorization") == ["Bearer secret-of-b2"]
    assert world.gateway.key().encode() not in world.b1.requests[0].raw + world.b2.requests[0].raw


def test_changed_credential_without_reload(world):
    def sent():
        ask(world.gateway)
        return world.b1.requests[-1].header("authorization")
    assert sent() == "Bearer secret-of-b1"
    world.gateway.credential("b1", "rotated")
    until(lambda: sent() == "Bearer rotated")       # looked at once a second
    world.gateway.credential("b1", "secret-of-b1")
    until(lambda: sent() == "Bearer secret-of-b1")


def test_missing_credential_is_no_dispatch(world):
    path = world.gateway.home / "cred" / "b1"
    kept = path.read_text().strip()
    path.unlink()
    try:
        until(lambda: ask(world.gateway).status == 200 and world.contacted()[-1] == "b2")
        asked = len(world.b1.requests)
        assert ask(world.gateway).status == 200
        assert world.contacted()[-1] == "b2" and len(world.b1.requests) == asked
    finally:
        world.gateway.credential("b1", kept)
        until(lambda: ask(world.gateway).status == 200 and world.contacted()[-1] == "b1")


# ---- Retry-After ----

def test_retry_after_is_obeyed_by_later_requests(world):
    for window in windows(0.9):
        with window:
            world.route()
            world.b1.play(provider_error(429, "wait", [("Retry-After", "1")]))
            window.begin()
            assert ask(world.gateway).status == 200
            assert ask(world.gateway).status == 200
            assert world.contacted() == ["b1", "b2", "b2"]
    time.sleep(1.2)
    assert ask(world.gateway).status == 200
    assert world.contacted() == ["b1", "b2", "b2", "b1"]


@pytest.mark.parametrize("headers", [[("retry-after-ms", "900")], [("Retry-After", "0.9")], [("retry-after-ms", "900"), ("Retry-After", "60")]])
def test_spellings_of_retry_after(world, headers):
    for window in windows(0.8):
        with window:
            world.route()
            world.b1.play(provider_error(503, "wait", headers))
            window.begin()
            ask(world.gateway)
            ask(world.gateway)
            assert world.contacted() == ["b1", "b2", "b2"]
    time.sleep(1.0)
    ask(world.gateway)
    assert world.contacted() == ["b1", "b2", "b2", "b1"]


def test_retry_after_as_a_date(world):
    from email.utils import formatdate
    world.b1.play(provider_error(503, "wait", [("Retry-After", formatdate(time.time() + 300, usegmt=True))]))
    ask(world.gateway)
    ask(world.gateway)
    assert world.contacted() == ["b1", "b2", "b2"]


@pytest.mark.parametrize("value", ["-5", "soon", "", "99999999999999999999", "1e400", "nan", "0"])
def test_absurd_retry_after_breaks_nothing(world, value):
    """Negative and unreadable ones mean now; huge ones an hour at most. Either way the next one serves."""
    world.b1.play(provider_error(429, "wait", [("Retry-After", value)]))
    assert ask(world.gateway).status == 200
    assert ask(world.gateway).status == 200
    if value in ("-5", "soon", "", "nan", "0"):
        assert world.contacted() == ["b1", "b2", "b1"]


def test_request_never_waits_for_retry_after(world):
    world.route("b1")
    world.b1.play(provider_error(429, "wait", [("Retry-After", "120")]))
    first = ask(world.gateway)
    assert first.status == 429 and first.header("retry-after") == "120"
    begun = time.monotonic()
    second = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    assert time.monotonic() - begun < 60 and world.contacted() == ["b1"]
    assert world.gateway.outcome(second.id)["status"] == 503


# ---- connections ----

def test_connections_are_kept_alive(world):
    world.b1.drop_connections()
    time.sleep(0.05)
    for _ in range(5):
        assert ask(world.gateway).status == 200
    assert len({r.connection for r in world.b1.requests}) == 1


@pytest.mark.parametrize("end", [reset, close])
@pytest.mark.parametrize("at", ["head", "body"])
def test_stale_idle_connection_is_tried_again_on_the_same_backend(world, end, at):
    """The backend ends a kept connection just as the next request arrives on it."""
    assert ask(world.gateway).status == 200
    world.b1.play(Script(end(), at=at))
    found = ask(world.gateway)
    assert found.status == 200 and world.contacted() == ["b1", "b1", "b1"]
    first, stale, again = world.b1.requests
    assert first.connection == stale.connection != again.connection and again.index == 1
    assert again.sha256 == world.b1.requests[0].sha256


def test_stale_once_only(world):
    """Fresh connections that break count: after one repeat the next backend is asked."""
    assert ask(world.gateway).status == 200
    world.b1.play(Script(reset()), Script(reset()))
    assert ask(world.gateway).status == 200
    assert world.contacted() == ["b1", "b1", "b1", "b2"]


def test_a_broken_answer_on_a_kept_connection_is_not_stale(world):
    """Once a status came, the backend has worked (and may have billed): the next backend, not the same again."""
    assert ask(world.gateway).status == 200
    world.b1.play(provider_error(500))
    assert ask(world.gateway).status == 200
    assert world.contacted() == ["b1", "b1", "b2"]


def test_surplus_bytes_do_not_reach_the_next_request(world):
    """A backend that says more than its Content-Length."""
    world.b1.play(Script(send(plain(200, {"nonce": 1}) + b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"stolen": 1}')))
    assert ask(world.gateway).json == {"nonce": 1}
    time.sleep(0.05)
    assert ask(world.gateway, body_of(text="mine")).json["choices"][0]["message"]["content"] == "mine"


def test_answer_before_the_request_was_read(world):
    """A 503 after the head while a large body is still on its way, over a connection of its own."""
    world.b1.drop_connections()
    time.sleep(0.05)
    world.b1.play(Script(send(plain(503, {"error": "busy"}, [("Connection", "close")])), close(), at="head"))
    found = ask(world.gateway, body_of(text="x" * 3000000))
    assert found.status == 200 and world.contacted()[-1] == "b2"
    assert len(world.b2.requests[0].body) > 3000000


@pytest.mark.parametrize("early", [503, 408])
def test_answer_before_any_request(world, early):
    """A backend that speaks before it was asked: whatever it says answers nobody, and the next one starts afresh."""
    world.route("b1", "b2")
    world.b1.drop_connections()
    time.sleep(0.05)
    for _ in range(6):                   # who is first is a race that the backend must win at least once
        world.b1.clear().play(*[Script(send(plain(early, b'{"nobody": "asked"}')), pause(0.05), close(), at="accept")] * 40)
        answers = world.gateway.burst([body_of(text=f"n{i}" + "x" * 200) for i in range(40)], world.gateway.key())
        for number, found in enumerate(answers):
            assert found.status == 200 and b"nobody" not in found.body, world.gateway.outcome(found.id)
            assert found.json["choices"][0]["message"]["content"].rstrip("x") == f"n{number}"
        time.sleep(0.1)


def test_one_tenants_429_leaves_the_peer_for_others(world):
    """Passive health of the group must not count what a tenant caused."""
    world.b1.always(lambda request: provider_error(429))
    for _ in range(5):
        ask(world.gateway)
    world.b1.clear()
    assert ask(world.gateway, key=world.gateway.key("acme/blue/app")).status == 200 and world.contacted()[-1] == "b1"


# ---- what is sent ----

def test_head_of_the_backends_request(world):
    headers = [("OpenAI-Organization", "org-1"), ("X-Forwarded-For", "1.2.3.4"), ("Cookie", "a=b"), ("X-Stainless-Lang", "python"), ("Accept-Encoding", "gzip, br"),
               ("x-gatehouse-session-id", "s1"), ("Connection", "x-hop"), ("x-hop", "1")]
    ask(world.gateway, headers=headers)
    arrived = world.b1.requests[0]
    assert (arrived.method, arrived.target, arrived.version) == ("POST", "/v1/chat/completions", "HTTP/1.1")
    assert arrived.all("host") == ["b1"] and arrived.all("content-type") == ["application/json"]
    assert arrived.all("accept-encoding") == ["identity"] and arrived.header("user-agent").startswith("gatehouse/")
    assert arrived.all("content-length") == [str(len(arrived.body))] and not arrived.all("transfer-encoding")
    for name in ("openai-organization", "x-forwarded-for", "cookie", "x-gatehouse-session-id", "x-hop", "expect"):
        assert not arrived.all(name), name


def test_head_of_the_clients_answer(world):
    world.b1.play(answer(200, completion("x"), [("x-ratelimit-remaining-tokens", "5"), ("X-Accel-Redirect", "/etc/passwd"), ("X-Accel-Buffering", "yes"),
                                                ("Set-Cookie", "a=b"), ("Server", "canary"), ("Connection", "x-hop"), ("x-hop", "1"),
                                                ("openai-organization", "secret-org"), ("x-ms-region", "East US 2")]))
    found = ask(world.gateway)
    assert found.status == 200 and not found.all("x-ratelimit-remaining-tokens")
    assert found.header("content-type") == "application/json"
    for name in ("x-accel-redirect", "x-accel-buffering", "set-cookie", "x-hop"):
        assert not found.all(name), name
    assert "canary" not in (found.header("server") or "")


def test_pipelined_requests(world):
    with Client(world.gateway.port) as client:
        for number in range(3):
            client.request(body=body_of(text=f"n{number}"), key=world.gateway.key())
        assert [client.answer().json["choices"][0]["message"]["content"] for _ in range(3)] == ["n0", "n1", "n2"]
