"""TLS to backends: the name is sent and verified on every attempt, and a wrong one is not used."""
import ssl
import time

import pytest

from client import Client, Http2, ask, body_of, expect_error, tls_context
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import Script, close, pause, plain, provider_error, reset, send

pytestmark = pytest.mark.sanitizer


def start(gateway):
    gateway.apply()
    return gateway.start()


def test_name_of_each_attempt(make_gateway, mock, authority):
    """SNI, Host, path, credential and body are right for each attempt of one request."""
    ca = authority.certificate
    a = mock("127.0.0.11", tls=authority.issue("a.test"))
    b = mock("127.0.0.12", tls=authority.issue("b.test"))
    c = mock("127.0.0.13")
    gateway = make_gateway([Backend("a", a, tls="a.test", ca=ca, credential="key-a", lines=["path /prefix;"]), Backend("b", b, tls="b.test", ca=ca, credential="key-b"),
                            Backend("c", c)])
    gateway.apply(fleet(deployment("a", models={"m": "at-a"}), deployment("b", priority=2, dialect="azure-v1", models={"m": "at-b"}),
                        deployment("c", priority=3, models={"m": "at-c"})), residency(), tenants())
    gateway.start()
    a.play(provider_error(429))
    b.play(provider_error(529))
    assert ask(gateway, body_of(text="x" * 20000)).status == 200
    one, two, three = a.requests[0], b.requests[0], c.requests[0]
    assert (one.sni, two.sni, three.sni) == ("a.test", "b.test", None)
    assert (one.header("host"), two.header("host"), three.header("host")) == ("a.test", "b.test", "c")
    assert (one.target, two.target, three.target) == ("/prefix/v1/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions")
    assert (one.header("authorization"), two.header("api-key"), three.header("authorization")) == ("Bearer key-a", "key-b", None)
    assert [r.json["model"] for r in (one, two, three)] == ["at-a", "at-b", "at-c"]
    assert len({len(r.json["messages"][0]["content"]) for r in (one, two, three)}) == 1


def test_many_requests_over_kept_tls_connections(make_gateway, mock, authority):
    mocks = {name: mock(f"127.0.0.{11 + i}", tls=authority.issue(f"{name}.test")) for i, name in enumerate("ab")}
    gateway = start(make_gateway([Backend(name, one, tls=f"{name}.test", ca=authority.certificate) for name, one in mocks.items()]))
    for number in range(20):
        if number % 2:
            mocks["a"].play(provider_error(503))
        assert ask(gateway).status == 200
    for name, one in mocks.items():
        assert {r.sni for r in one.requests} == {f"{name}.test"}
    # a's is closed after each 503, whose body nobody read; b's never
    assert len({r.connection for r in mocks["b"].requests}) == 1 and len(mocks["b"].requests) == 10


WRONG = ["other name", "unknown authority", "expired", "no TLS", "garbage", "closes", "resets"]


@pytest.mark.parametrize("what", WRONG)
def test_wrong_certificate_is_not_used(make_gateway, mock, authority, rogue, what):
    """Not a byte of the request, and the next backend serves."""
    certificate = {"other name": authority.issue("evil.test"), "unknown authority": rogue.issue("good.test"),
                   "expired": authority.issue("good.test", expired=True)}.get(what)
    bad, good = mock("127.0.0.11", tls=certificate), mock("127.0.0.12", tls=authority.issue("fine.test"))
    if not certificate:
        step = {"no TLS": None, "garbage": send(b"\x15\x03\x01garbage" * 10), "closes": close(), "resets": reset()}[what]
        if step:
            bad.play(*[Script(step, close(), at="accept")] * 5)
    gateway = start(make_gateway([Backend("bad", bad, tls="good.test", ca=authority.certificate),
                                  Backend("good", good, tls="fine.test", ca=authority.certificate)]))
    gateway.expect_log(r"\[crit\].*SSL_do_handshake\(\) failed")
    found = ask(gateway)
    assert found.status == 200 and not bad.requests and len(good.requests) == 1
    assert b"hello" not in b"".join(r.raw for r in bad.requests)
    outcome = gateway.outcome(found.id)
    assert outcome["attempts"][0].get("error") and "status" not in outcome["attempts"][0]


def test_plain_text_before_the_handshake(make_gateway, mock, authority):
    """An answer injected in clear text ahead of the handshake is nobody's answer."""
    bad, good = mock("127.0.0.11", tls=authority.issue("a.test")), mock("127.0.0.12", tls=authority.issue("b.test"))
    gateway = start(make_gateway([Backend("a", bad, tls="a.test", ca=authority.certificate, connect="5s"),
                                  Backend("b", good, tls="b.test", ca=authority.certificate, connect="5s")]))
    for _ in range(4):                   # who is first is a race
        bad.clear().play(*[Script(send(plain(200, b'{"injected": 1}')), pause(0.05), close(), at="accept")] * 40)
        for number, found in enumerate(gateway.burst([body_of(text=f"n{i}-") for i in range(40)], gateway.key())):
            assert found.status == 200 and b"injected" not in found.body, gateway.outcome(found.id)
            assert found.json["choices"][0]["message"]["content"] == f"n{number}-"
        time.sleep(0.1)
    assert not bad.requests


def test_only_a_wrong_backend(make_gateway, mock, rogue, authority):
    bad = mock("127.0.0.11", tls=rogue.issue("good.test"))
    gateway = start(make_gateway([Backend("bad", bad, tls="good.test", ca=authority.certificate)]))
    expect_error(ask(gateway), 503, "no_healthy_backend")
    assert not bad.requests


def test_system_bundle_is_the_default(make_gateway, mock, authority):
    """A test authority is not in it."""
    bad = mock("127.0.0.11", tls=authority.issue("a.test"))
    gateway = start(make_gateway([Backend("bad", bad, tls="a.test")]))
    expect_error(ask(gateway), 503, "no_healthy_backend")
    assert not bad.requests


def test_one_tls_name_a_group(make_gateway, mock, authority):
    """nginx's keepalive cache knows addresses only: a connection verified for A must not carry B's request."""
    one = mock("127.0.0.11", tls=authority.issue("a.test", "b.test"))
    gateway = make_gateway([Backend("a", one, tls="a.test", ca=authority.certificate, group="shared"),
                            Backend("b", one, tls="b.test", ca=authority.certificate, group="shared")])
    text = gateway.configuration().replace(gateway.backends[1].upstream + "\n", "", 1)
    done = gateway.test(text)
    assert done.returncode != 0 and "shared" in done.stderr and f"{gateway.conf}:" in done.stderr
    assert "a.test" in done.stderr and "b.test" in done.stderr


def test_two_backends_with_the_same_name_may_share(make_gateway, mock, authority):
    one = mock("127.0.0.11", tls=authority.issue("a.test"))
    gateway = make_gateway([Backend("a", one, tls="a.test", ca=authority.certificate, group="shared"),
                            Backend("b", one, tls="a.test", ca=authority.certificate, group="shared")])
    text = gateway.configuration().replace(gateway.backends[1].upstream, "", 1).replace(gateway.backends[0].upstream, gateway.backends[0].upstream, 1)
    text = text if gateway.backends[0].upstream in text else text.replace("gatehouse_backend a", gateway.backends[0].upstream + "\ngatehouse_backend a", 1)
    assert gateway.test(text).returncode == 0


def test_clear_text_and_tls_may_not_share(make_gateway, mock, authority):
    one = mock("127.0.0.11", tls=authority.issue("a.test"))
    gateway = make_gateway([Backend("a", one, tls="a.test", ca=authority.certificate, group="shared"), Backend("b", one, group="shared")])
    text = gateway.configuration().replace(gateway.backends[1].upstream + "\n", "", 1)
    assert gateway.test(text).returncode != 0


# ---- the gateway's own TLS ----

def test_clients_verify_us(world, authority):
    with Client(world.gateway.tls_port, tls=ssl.create_default_context(cafile=str(authority.certificate))) as client:
        assert client.request(body=body_of(), key=world.gateway.key()).answer().status == 200


def test_resumed_sessions(world, authority):
    context = tls_context(authority)
    for _ in range(3):
        with Client(world.gateway.tls_port, tls=context) as client:
            assert client.request(body=body_of(), key=world.gateway.key()).answer().status == 200


def test_streams_over_tls_and_http2(world, authority):
    body = body_of(text="through the tunnel", stream=True)
    with Client(world.gateway.tls_port, tls=tls_context(authority)) as client:
        plain = client.request(body=body, key=world.gateway.key()).answer()
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        other = client.answer(client.request(body, world.gateway.key()))
    assert plain.whole and plain.body == other.body and plain.body.endswith(b"data: [DONE]\n\n")
