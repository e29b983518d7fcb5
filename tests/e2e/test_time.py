"""What the clock of a route counts, and what a client is told about coming back."""
import time

import pytest

import documents
from client import Client, Http2, ask, body_of, expect_error, tls_context
from mock_backend import Script, hang, provider_error

pytestmark = pytest.mark.sanitizer

ROUTE = 4                                           # seconds that gatehouse_route_timeout gives at the deadline port


def slowly(client, body, seconds, parts=5):
    """Sends a body in parts, the last of them after `seconds`."""
    size = len(body) // parts + 1
    for at in range(0, len(body), size):
        if at:
            time.sleep(seconds / (parts - 1))
        client.send(body[at:at + size])


# ---- the route's time ----

@pytest.mark.parametrize("size", [2000, 60000])
def test_a_slow_upload_is_not_the_routes_time(world, size):
    """Longer than the route's time until the body is there, in memory or in a file: the backend is asked all the same."""
    body = body_of(text="x" * size)
    with Client(world.gateway.deadline_port) as client:
        client.request(body=b"", length=len(body), key=world.gateway.key())
        slowly(client, body, ROUTE + 0.3)
        found = client.answer()
    assert found.status == 200, found
    assert world.b1.requests[0].json["messages"][0]["content"] == "x" * size


def test_after_a_slow_upload_the_route_has_its_whole_time(world):
    """The route's time begins when the body is there: silent backends are given up that long after it, not before and not much later."""
    body = body_of(text="x" * 2000)
    for mock in world.mocks.values():
        mock.always(Script(hang()))
    with Client(world.gateway.deadline_port) as client:
        client.request(body=b"", length=len(body), key=world.gateway.key())
        slowly(client, body, 1.0)
        begun = time.monotonic()
        found = client.answer()
    taken = time.monotonic() - begun
    expect_error(found, 503, "no_healthy_backend")
    assert ROUTE - 0.2 < taken < 35, (taken, found)          # far less than the 40 s that one of them may take


# ---- retry-after of our own 503 ----

def ask_to_wait(world, **seconds):
    """Each of these deployments answers 429 once and asks to be left alone so long; the first request finds out."""
    for name, wait in seconds.items():
        world.mocks[name].play(provider_error(429, "wait", [("Retry-After", str(wait))]))
    return ask(world.gateway)


@pytest.mark.parametrize("waits", [{"b1": 400, "b2": 200}, {"b1": 200, "b2": 400}, {"b1": 400, "b2": 200, "b3": 300}], ids=lambda waits: "-".join(map(str, waits.values())))
def test_all_asked_to_be_left_alone(world, waits):
    """
    Nothing is sent, and the 503 names the earliest time at which one may be tried: the smallest wait, whoever asked for it. Protects clients
    from coming back too early for nothing, or much too late.
    """
    world.route(*waits)
    assert ask_to_wait(world, **waits).status == 429
    seen = world.contacted()
    found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    assert world.contacted() == seen
    smallest = min(waits.values())
    assert len(found.all("retry-after")) == len(found.all("retry-after-ms")) == 1, found
    assert smallest - 60 < int(found.header("retry-after")) <= smallest, found
    assert (smallest - 60) * 1000 < int(found.header("retry-after-ms")) <= smallest * 1000, found
    assert found.header("x-should-retry") != "false"


@pytest.mark.parametrize("waits_first", [True, False])
def test_one_waits_and_the_other_is_gone(world, waits_first):
    """Coming back later than at once is not asked for: the one that did not answer may do so now. In either order of the route."""
    patient, gone = ("b1", "b2") if waits_first else ("b2", "b1")
    world.route("b1", "b2")
    world.mocks[patient].play(provider_error(429, "wait", [("Retry-After", "1800")]))
    if not waits_first:
        world.mocks[gone].play(provider_error(500))
    ask(world.gateway)
    world.mocks[gone].refuse()
    try:
        found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    finally:
        world.mocks[gone].listen()
    assert not found.all("retry-after") and not found.all("retry-after-ms"), found
    assert world.contacted().count(patient) == 1


def test_who_is_not_eligible_does_not_count(world):
    """A deployment in a country that the policy forbids is no reason to say nothing: all that may serve have asked to be left alone."""
    fleet = documents.fleet(documents.deployment("wait-a", "b1", priority=1), documents.deployment("wait-b", "b2", priority=2),
                            documents.deployment("wait-c", "b3", priority=3, country="FR"))
    world.route("b1")
    world.gateway.apply(fleet, documents.residency(forbids=[documents.forbid("no-france", process=("FR",))]), documents.tenants())
    assert ask_to_wait(world, b1=400, b2=200).status == 429
    found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    assert 140 < int(found.header("retry-after")) <= 200, found
    assert world.contacted() == ["b1", "b2"]


def test_nobody_asked_to_be_left_alone(world):
    """A 503 because nobody could be reached says nothing about when to come back."""
    world.route("b1", "b2")
    for mock in (world.b1, world.b2):
        mock.refuse()
    try:
        found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
    finally:
        for mock in (world.b1, world.b2):
            mock.listen()
    assert not found.all("retry-after") and not found.all("retry-after-ms"), found


def test_the_wait_over_http2(world, authority):
    """The same headers on the other protocol."""
    world.route("b1")
    assert ask_to_wait(world, b1=200).status == 429
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        found = expect_error(client.answer(client.request(body_of(), world.gateway.key())), 503, "no_healthy_backend")
    assert 140 < int(found.header("retry-after")) <= 200, found
