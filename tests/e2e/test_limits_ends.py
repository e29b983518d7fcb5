"""Every way a request can end: charged once, for what was used, and nothing is held any more."""
import concurrent.futures
import os
import signal
import threading
import time

import pytest

from client import Client, Http2, ask, body_of, expect_error, tls_context, until
from documents import deployment, fleet, forbid, residency, tenants
from gateway import SLOW, Backend
from limits import FREE, PRICE, Tenant, cost, limit, observed, priced, settled, small
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, answer, chunk, completion, delta, hang, pause, provider_error, role, send, usage_event, wait
from usage_shapes import CUTS, shaped

pytestmark = pytest.mark.sanitizer

TEXT = "y" * 64


@pytest.fixture(autouse=True)
def nothing_left(world):
    yield
    settled(world.gateway)


def ended(tenant, request_id, *sources):
    """The outcome's charges, which the counters must come to."""
    settled(tenant.gateway)
    outcome = tenant.gateway.outcome(request_id)
    charged = outcome["charged"]
    found = [one["charged"]["source"] for one in outcome["attempts"] if "charged" in one]
    assert found == list(sources), outcome
    used = tenant.used(request_id)
    assert {name: used[name] for name in ("requests", "input", "output", "tokens", "micro-dollars", "in-flight")} == {
        "requests": 1, "input": charged["input"], "output": charged["output"], "tokens": charged["input"] + charged["output"],
        "micro-dollars": charged["micro_dollars"], "in-flight": 0}, outcome
    return outcome


def held_by(tenant, request_id):
    return next(line for line in tenant.gateway.record(request_id, kinds=("decision",)) if line["type"] == "decision")["reserve"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("cut", [one for one in CUTS if one != "accept"])
def test_backend_breaks_off(world, cut, streamed):
    tenant = Tenant(world, *observed())
    world.b1.drop_connections()
    world.b1.play(shaped("plain", cut=cut, text=TEXT, prompt=30, completion=16))
    tenant.ask(small(stream=streamed))
    request = world.b1.requests[0]
    if cut in ("head", "body", "in_head"):
        outcome = ended(tenant, request.id, "reservation")
        hold = held_by(tenant, request.id)
        assert (outcome["charged"]["input"], outcome["charged"]["output"]) == (hold["input"], hold["output"])
        return
    reported = cut in ("before_done", "before_last_chunk")      # and it has come
    outcome = ended(tenant, request.id, "reported" if reported else "counted")
    if reported:
        assert outcome["charged"]["input"] == 30 and outcome["charged"]["output"] == 16
    else:
        share = {"after_head": 0, "in_text": 0.5, "in_event": 0.5 if streamed else 1}.get(cut, 1)
        assert outcome["charged"]["output"] >= int(len(TEXT) * share) // 4 and outcome["charged"]["input"] > 0, outcome


def test_nothing_reached(world):
    """No byte was sent: nothing is charged but that it was asked."""
    tenant = Tenant(world, *observed(), prices={"b4": PRICE})
    world.b4.refuse()
    try:
        found = tenant.ask(small())
        assert found.status == 503
        outcome = ended(tenant, found.id)
        assert outcome["charged"]["tokens"] == 0
    finally:
        world.b4.listen()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
def test_providers_errors_are_free(world, status):
    """Usage inside an error's body changes nothing."""
    tenant = Tenant(world, *observed(), prices={"b1": PRICE})
    world.b1.play(shaped("plain", status=status))
    found = tenant.ask(small())
    assert ended(tenant, found.id, "nothing")["charged"]["tokens"] == 0


def test_each_attempt_by_itself(world):
    """One that broke off, one that refused, one that answered: each on its own price."""
    tenant = Tenant(world, *observed(), prices={"b1": PRICE, "b2": FREE, "b3": {"input": 7_000_000, "output": 9_000_000}})
    world.b1.drop_connections()
    world.b1.play(shaped(cut="body"))
    world.b2.play(provider_error(503))
    found = tenant.ask(small())
    assert found.status == 200 and world.contacted() == ["b1", "b2", "b3"]
    outcome = ended(tenant, found.id, "reservation", "nothing", "reported")
    hold = held_by(tenant, found.id)
    assert outcome["charged"]["micro_dollars"] == hold["micro_dollars"] + 11 * 7 + 7 * 9


# ---- the client leaves ----

@pytest.mark.parametrize("abrupt", [True, False])
def test_client_leaves_in_the_body(world, abrupt):
    tenant = Tenant(world, *observed())
    seen = tenant.ask(small())
    client = Client(world.gateway.port)
    client.request(body=small()[:20], key=tenant.key, length=len(small()))
    until(lambda: tenant.used(seen)["in-flight"] == 1)
    client.leave(reset=abrupt)
    settled(world.gateway)
    used = tenant.used(seen)
    assert used["requests"] == 2 and used["tokens"] == 18 and len(world.b1.requests) == 1


def test_body_that_does_not_come(world):
    """408, after the two seconds of this port."""
    tenant = Tenant(world, *observed())
    with Client(world.gateway.hasty_port) as client:
        found = client.request(body=small()[:20], key=tenant.key, length=len(small())).answer()
    expect_error(found, 408, "request_timeout")
    assert found.header("x-ratelimit-remaining-requests")
    settled(world.gateway)


@pytest.mark.parametrize("stage", ["waiting", "held", "stream"])
def test_client_leaves(world, stage):
    """It pays for what it used: the rest is read to its usage."""
    tenant, left = Tenant(world, *observed()), threading.Event()
    early = {"waiting": b"", "held": STREAM_HEAD + chunk(b": hi\n\n"), "stream": STREAM_HEAD + chunk(role()) + chunk(delta("x"))}[stage]
    late = (STREAM_HEAD if stage == "waiting" else b"") + chunk(delta("x")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK
    world.b1.play(Script(send(early), wait(left, 60), pause(0.1), send(late)))
    client = Client(world.gateway.port)
    client.request(body=small(stream=True), key=tenant.key)
    request = world.b1.wait_requests(1)[0]
    if stage == "stream":
        client.head()
    time.sleep(0.05)
    client.leave(reset=True)
    time.sleep(0.05)
    assert tenant.used(request.id)["in-flight"] == 1          # as long as it is read
    left.set()
    outcome = ended(tenant, request.id, "reported")
    assert outcome["end"] == "client_left" and outcome["charged"]["tokens"] == 18


@pytest.mark.parametrize("bound", ["time", "size"])
def test_client_leaves_and_the_rest_is_too_much(world, bound):
    """What came until reading ended is counted."""
    tenant = Tenant(world, *observed())

    def drip(exchange):
        piece = chunk(delta("x" * (4 if bound == "time" else 4000)))
        exchange.send(STREAM_HEAD + chunk(role()) + piece * 15)
        for _ in range(6000):
            exchange.send(piece)
            time.sleep(0.01)
    world.b1.play(Script(drip))
    client = Client(world.gateway.drain_port)
    client.request(body=small(stream=True, max_completion_tokens=4000), key=tenant.key)
    client.head()
    client.leave(reset=True)
    outcome = ended(tenant, world.b1.wait_requests(1)[0].id, "counted")
    assert outcome["end"] == "client_left" and outcome["charged"]["output"] > (10 if bound == "time" else 3000)


def test_nobody_waits_for_a_client_that_left_while_a_backend_was_asked(world):
    tenant, left = Tenant(world, *observed(), prices={"b1": FREE, "b2": PRICE}), threading.Event()
    world.b1.play(Script(wait(left, 60), pause(0.1), *provider_error(503).steps))
    client = Client(world.gateway.port)
    client.request(body=small(), key=tenant.key)
    request = world.b1.wait_requests(1)[0]
    client.leave(reset=True)
    left.set()
    assert ended(tenant, request.id, "nothing")["end"] == "client_left" and world.contacted() == ["b1"]


def test_http2(world, authority):
    """Streams of one connection: one runs to its end, one is cancelled, one is refused."""
    tenant, left = Tenant(world, *observed(requests=2)), threading.Event()
    world.b1.play(shaped("plain", prompt=11), Script(send(STREAM_HEAD + chunk(delta("y"))), wait(left, 60), pause(0.1),
                                                     send(chunk(delta("x")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK)))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        first = client.answer(client.request(small(), tenant.key))
        assert first.status == 200 and first.header("x-ratelimit-remaining-requests") == "1"
        number = client.request(small(stream=True), tenant.key)
        while not client.answers[number].body:
            client.receive()
        client.cancel(number)
        refused = client.answer(client.request(small(), tenant.key))
        expect_error(refused, 429, "insufficient_quota")
        left.set()
        settled(world.gateway)
    assert tenant.used(first) == {"requests": 2, "input": 22, "output": 14, "tokens": 36, "micro-dollars": cost(11, 7) + cost(11, 7, 3), "in-flight": 0}


def test_pipelined(world):
    tenant = Tenant(world, *observed(requests=2))
    with Client(world.gateway.port) as client:
        for _ in range(3):
            client.request(body=small(), key=tenant.key)
        answers = [client.answer() for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    tenant.expect(answers[0], 2, 22, 14, 2 * cost(11, 7, 3))


# ---- the gateway ends it ----

@pytest.mark.parametrize("stage", ["waiting", "held", "stream"])
def test_cut_by_an_edit(world, stage):
    tenant = Tenant(world, *observed())
    early = {"waiting": b"", "held": STREAM_HEAD + chunk(b": hi\n\n"), "stream": STREAM_HEAD + chunk(role()) + chunk(delta("x" * 40))}[stage]
    world.b1.play(Script(send(early), hang()))
    client = Client(world.gateway.port)
    client.request(body=small(stream=True), key=tenant.key)
    request = world.b1.wait_requests(1)[0]
    if stage == "stream":
        client.head()
    time.sleep(0.05)
    world.gateway.apply(tenant.fleet, residency(forbids=[forbid("no-more", process=["SE"])]), tenant.documents)
    found = client.answer() if stage != "stream" else None
    client.leave()
    outcome = ended(tenant, request.id, "reservation" if stage == "waiting" else "counted")
    assert outcome["end"] == "denied_late" and (found is None or found.status == 403)
    assert stage != "stream" or outcome["charged"]["output"] >= 10


def test_deadline(world):
    """The route's time is over while a backend thinks."""
    tenant = Tenant(world, *observed())
    world.b1.play(Script(hang()))
    found = ask(world.gateway, small(), tenant.key, port=world.gateway.deadline_port)
    assert found.status >= 500
    ended(tenant, found.id, "reservation")


def test_what_policy_denies_was_asked_all_the_same(world):
    tenant = Tenant(world, *observed(requests=2))
    assert [tenant.ask(body).status for body in (small(model="nobody"), b"{", small())] == [404, 400, 429]
    assert not world.contacted()


def test_an_error_page_of_the_operator(mock, make_gateway):
    """nginx goes to another location and back: counted once, ended once."""
    backend = mock("127.0.0.9")
    gateway = make_gateway([Backend("b1", backend)], location="error_page 429 500 503 /again;")
    gateway.apply(fleet(deployment("b1", models={"m": priced(PRICE)})), residency(), tenants(red={"limits": observed(requests=2)}))
    gateway.start()
    backend.play(provider_error(503))
    found = [ask(gateway, small()) for _ in range(3)]
    assert found[2].error["code"] == "insufficient_quota" and found[1].status == 200
    settled(gateway)
    assert found[1].header("x-ratelimit-remaining-requests") == "0" and len(backend.requests) == 2


class Plant:
    """A gateway with one backend and a tenant that is counted."""

    def __init__(self, make_gateway, backend, **options):
        self.backend = backend
        self.gateway = make_gateway([Backend("b1", backend, read="60s")], **options)
        self.gateway.apply(fleet(deployment("b1", models={"m": priced(PRICE)})), residency(), tenants(red={"limits": observed()}))
        self.gateway.start()
        self.key = self.gateway.key()

    def begin(self, go, early=STREAM_HEAD + chunk(role()) + chunk(delta("x" * 40))):
        self.backend.play(Script(send(early), wait(go, 60), send(chunk(delta("x")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK)))
        client = Client(self.gateway.port)
        client.request(body=small(stream=True), key=self.key)
        assert client.head().status == 200
        return client, self.backend.requests[-1].id

    used, lines = Tenant.used, Tenant.lines


def test_reload_in_the_middle(mock, make_gateway):
    """The old worker settles what it began; the new one counts on."""
    plant, go = Plant(make_gateway, mock("127.0.0.9")), threading.Event()
    client, number = plant.begin(go)
    plant.gateway.reload()
    assert plant.used(number)["in-flight"] == 1
    after = ask(plant.gateway, small(), plant.key)
    assert after.status == 200
    go.set()
    assert b"[DONE]" in b"".join(client.parts(type("Answer", (), {"status": 200, "header": lambda self, name: "chunked" if name == "transfer-encoding" else None})()))
    client.leave()
    settled(plant.gateway)
    assert plant.used(number) == {"requests": 2, "input": 22, "output": 14, "tokens": 36, "micro-dollars": 2 * cost(11, 7, 3), "in-flight": 0, "streams": 0}


def test_an_old_worker_whose_time_is_over(mock, make_gateway):
    """worker_shutdown_timeout, a second here: what runs is ended, and what came of it is counted."""
    plant, go = Plant(make_gateway, mock("127.0.0.9"), shutdown="1s"), threading.Event()
    client, number = plant.begin(go)
    old = plant.gateway.worker_pids()
    plant.gateway.reload()
    end = time.monotonic() + 60 * SLOW
    while set(old) & set(plant.gateway.worker_pids()) and time.monotonic() < end:
        time.sleep(0.02)
    go.set()
    client.leave()
    outcome = plant.gateway.outcome(number)
    assert outcome["attempts"][0]["charged"]["source"] == "counted" and outcome["charged"]["output"] >= 10, outcome
    settled(plant.gateway)
    assert plant.used(number)["output"] == outcome["charged"]["output"] and plant.used(number)["requests"] == 1


def test_worker_told_to_stop(mock, make_gateway):
    """At once: what came is counted, and said."""
    plant, go = Plant(make_gateway, mock("127.0.0.9")), threading.Event()
    _, number = plant.begin(go)
    time.sleep(0.05)
    plant.gateway.stop()
    go.set()
    outcome = plant.gateway.outcome(number)
    assert outcome["end"] == "cut" and outcome["attempts"][0]["charged"]["source"] == "counted" and outcome["charged"]["output"] >= 10
    settled(plant.gateway)
    used = plant.used(number)
    assert used["output"] == outcome["charged"]["output"] and used["requests"] == 1 and used["in-flight"] == 0


def test_worker_that_is_killed(mock, make_gateway):
    """An orphan is charged its reservation, and gives back what is in flight."""
    plant, go = Plant(make_gateway, mock("127.0.0.9")), threading.Event()
    plant.gateway.expect_log("exited on signal 9")
    _, number = plant.begin(go)
    os.kill(plant.gateway.worker_pids()[0], signal.SIGKILL)
    go.set()
    end = time.monotonic() + 60 * SLOW
    while time.monotonic() < end and not plant.gateway.worker_pids():
        time.sleep(0.02)
    settled(plant.gateway)
    hold = next(line for line in plant.gateway.record(number, kinds=("decision",)) if line["type"] == "decision")["reserve"]
    assert plant.used(number) == {"requests": 1, "input": hold["input"], "output": hold["output"], "tokens": hold["tokens"],
                                  "micro-dollars": hold["micro_dollars"], "in-flight": 0, "streams": 0}
    assert ask(plant.gateway, small(), plant.key).status == 200


def test_several_workers(mock, make_gateway):
    """One counter for all of them: what 200 requests come to, over four workers, is what the backend reported."""
    plant = Plant(make_gateway, mock("127.0.0.9"), workers=4)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: ask(plant.gateway, small(stream=number % 3 == 1), plant.key), range(200)))
    assert {one.status for one in found} == {200} and len(plant.backend.requests) == 200
    settled(plant.gateway)
    assert plant.used(found[0]) == {"requests": 200, "input": 2200, "output": 1400, "tokens": 3600, "micro-dollars": 200 * cost(11, 7, 3), "in-flight": 0}
