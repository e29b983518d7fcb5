"""What is learned of backends: the order by latency, the breaker and its probe, Retry-After for all workers and generations."""
import concurrent.futures
import json
import os
import signal
import threading
import time

import documents
import limits
from client import Client, ask, body_of, expect_error, until
from gateway import Backend
from mock_backend import (DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, close, completion, delta, pause, plain, provider_error, reset, send, signal as tell,
                          usage_event, wait)
from timely import windows

FAILURES, OPEN_S = 5, 2.0


def slow(seconds, body=None):
    return Script(pause(seconds), send(plain(200, body or completion())))


def equals(world, *names, objective="latency"):
    """One deployment a backend, all of one priority and price, for a tenant with this objective."""
    world.turn += 1
    for mock in world.mocks.values():
        mock.clear()
    world.gateway.apply(documents.fleet(*(documents.deployment(f"{name}-{world.turn}", name) for name in names)), documents.residency(),
                        documents.tenants(red={"objective": objective}, blue={"objective": objective}))


def status(gateway, deployment):
    answer = json.loads(gateway.command("backend", "status", deployment, "--json").stdout)
    return answer["backends"][0]


def last_error(gateway, found):
    return [(one["deployment"].split("-")[0], one.get("error")) for one in gateway.outcome(found.id)["attempts"]]


# ---- latency ----

def test_the_faster_backend_is_preferred_and_changes(world):
    equals(world, "b1", "b2")
    world.b1.always(slow(0.6))
    world.b2.always(slow(0.002))
    for _ in range(10):                                     # five each, in turns: nothing is known of them
        assert ask(world.gateway).status == 200
    assert sorted(world.contacted()) == ["b1"] * 5 + ["b2"] * 5
    for _ in range(4):
        found = ask(world.gateway)
    assert world.contacted()[10:] == ["b2"] * 4
    assert "It comes out as recorded." in world.gateway.command("explain", found.id, "--again").stdout
    known = status(world.gateway, f"b1-{world.turn}")
    assert known["samples"] == 5 and 550000 < known["first_byte_us"] < 60000000
    # they swap: the average of the one that is asked grows above the other's
    world.b1.always(slow(0.002))
    world.b2.always(slow(3))
    for _ in range(6):
        found = ask(world.gateway)
    assert world.contacted()[-1] == "b1"
    decision = world.gateway.record(found.id, kinds=("decision", "outcome"))[0]
    assert decision["order_by"] == {"cost": 0, "latency": 1000}
    assert [term["deployment"].split("-")[0] for term in decision["terms"]] == ["b1", "b2"] == [
        step["deployment"].split("-")[0] for step in decision["route"]]
    assert decision["terms"][0]["first_byte_us"] < decision["terms"][1]["first_byte_us"]


def test_cost_asks_nobody_else(world):
    equals(world, "b1", "b2", objective="cost")
    world.b1.always(slow(0.03))
    for _ in range(8):
        ask(world.gateway)
    assert world.contacted() == ["b1"] * 8


def test_a_streams_tokens_are_timed(world):
    equals(world, "b1")
    rest = b"".join(chunk(delta(f"word {i}")) for i in range(20)) + chunk(usage_event(completion=21)) + chunk(DONE) + LAST_CHUNK
    longest = 0
    for _ in range(6):
        world.b1.play(Script(send(STREAM_HEAD), pause(0.02), send(chunk(delta("word"))), pause(0.1), send(rest)))
        begun = time.monotonic()
        assert ask(world.gateway, body=body_of(stream=True)).status == 200
        longest = max(longest, (time.monotonic() - begun) * 1000000)
    known = status(world.gateway, f"b1-{world.turn}")
    assert 20000 <= known["first_byte_us"] < longest and 2500 <= known["token_us"] < longest / 20     # a first event may be read late


# ---- the breaker ----

def test_it_opens_on_refused_connections_and_a_probe_closes_it(world):
    for window in windows(OPEN_S):
        with window:
            world.route("b1", "b2")
            world.b1.refuse()
            try:
                for _ in range(FAILURES):
                    window.begin()
                    assert last_error(world.gateway, ask(world.gateway)) == [("b1", "refused"), ("b2", None)]
                opened = time.monotonic()
                assert status(world.gateway, f"b1-{world.turn}")["breaker"] == "open"
                assert last_error(world.gateway, ask(world.gateway)) == [("b2", None)]      # it is last now
            finally:
                world.b1.listen()
            assert world.contacted() == ["b2"] * (FAILURES + 1)
    while time.monotonic() < opened + OPEN_S:
        time.sleep(0.05)
    assert last_error(world.gateway, ask(world.gateway)) == [("b1", None)]
    assert status(world.gateway, f"b1-{world.turn}")["breaker"] == "closed"


def test_one_tenants_errors_open_nothing(world):
    blue = world.gateway.key("acme/blue/app")
    for window in windows(OPEN_S):
        with window:
            world.route("b1", "b2")
            world.b1.always(provider_error(500, "bad"))
            for _ in range(3 * FAILURES):
                assert ask(world.gateway).status == 200
            assert world.contacted().count("b1") == 3 * FAILURES and status(world.gateway, f"b1-{world.turn}")["breaker"] == "closed"
            world.b1.always(Script(reset()))
            ask(world.gateway, key=blue)
            assert status(world.gateway, f"b1-{world.turn}")["breaker"] == "closed"
            window.begin()
            ask(world.gateway, key=blue)
            assert status(world.gateway, f"b1-{world.turn}")["breaker"] == "open"
            reached = len(world.b1.requests)
            assert ask(world.gateway).status == 200 and len(world.b1.requests) == reached


def test_an_answer_to_anybody_begins_the_count_anew(world):
    world.route("b1", "b2")
    blue = world.gateway.key("acme/blue/app")
    for _ in range(4):
        world.b1.play(provider_error(503), provider_error(503))
        ask(world.gateway)
        ask(world.gateway, key=blue)
        assert ask(world.gateway, key=blue).status == 200
    assert status(world.gateway, f"b1-{world.turn}")["breaker"] == "closed" and world.contacted().count("b1") == 12


def test_half_open_lets_one_probe_through(world):
    world.route("b1", "b2")
    world.b1.refuse()
    for _ in range(FAILURES):
        ask(world.gateway)
    world.b1.listen()
    time.sleep(OPEN_S + 0.1)
    arrived, go = threading.Event(), threading.Event()
    world.b1.play(Script(tell(arrived), wait(go), send(plain(200, completion("probe")))))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        probe = pool.submit(ask, world.gateway)
        assert arrived.wait(60)
        for key in (None, world.gateway.key("acme/blue/app")) * 2:
            assert ask(world.gateway, key=key).status == 200
        assert len(world.b1.requests) == 1
        go.set()
        assert probe.result().json["choices"][0]["message"]["content"] == "probe"
    assert ask(world.gateway).status == 200 and len(world.b1.requests) == 2


def test_a_limit_that_passes_it_over_leaves_the_probe_to_others(world):
    """red cannot pay b1, which it would have probed: blue's request is the probe, though red's still runs at b2."""
    world.turn += 1
    for mock in world.mocks.values():
        mock.clear()
    dear, cheap = ({"m": limits.priced({"input": price, "cached": price, "output": price})} for price in (10 ** 9, 1))
    world.gateway.apply(documents.fleet(documents.deployment(f"b1-{world.turn}", "b1", models=dear), documents.deployment(f"b2-{world.turn}", "b2", priority=2, models=cheap)),
                        documents.residency(), documents.tenants(red={"limits": [limits.limit("micro-dollars", 5000)]}, blue={}))
    blue, body = world.gateway.key("acme/blue/app"), body_of(max_completion_tokens=100)
    world.b1.refuse()
    for _ in range(FAILURES):
        assert ask(world.gateway, body, blue).status == 200
    world.b1.listen()
    time.sleep(OPEN_S + 0.1)
    arrived, go = threading.Event(), threading.Event()
    world.b2.play(Script(tell(arrived), wait(go), send(plain(200, completion()))))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        passed_over = pool.submit(ask, world.gateway, body)
        assert arrived.wait(60)
        assert ask(world.gateway, body, blue).status == 200 and len(world.b1.requests) == 1
        go.set()
        assert last_error(world.gateway, passed_over.result())[0] == ("b1", "insufficient_quota")


def test_when_all_are_open_the_client_is_told_when(world):
    for window in windows(OPEN_S):
        with window:
            world.route("b1")
            world.b1.refuse()
            try:
                for failure in range(FAILURES):                      # the last of them opens it
                    window.begin()
                    told = expect_error(ask(world.gateway), 503, "no_healthy_backend").header("retry-after")
                    assert told == ("2" if failure == FAILURES - 1 else None)
                found = expect_error(ask(world.gateway), 503, "no_healthy_backend")
                assert 0 < int(found.header("retry-after-ms")) <= OPEN_S * 1000 and found.header("retry-after") in ("1", "2")
                assert last_error(world.gateway, found) == [("b1", "breaker_open")]
            finally:
                world.b1.listen()


def test_a_client_that_leaves_returns_the_probe(world):
    world.route("b1", "b2")
    world.b1.refuse()
    for _ in range(FAILURES):
        ask(world.gateway)
    world.b1.listen()
    time.sleep(OPEN_S + 0.1)
    arrived, left = threading.Event(), threading.Event()
    world.b1.play(Script(tell(arrived), wait(left), pause(0.2), close()))
    with Client(world.gateway.port) as client:
        client.request(body=body_of(), key=world.gateway.key())
        assert arrived.wait(60)
        client.leave(reset=True)
    left.set()
    assert world.gateway.outcome(world.b1.requests[0].id)["end"] == "client_left"
    assert ask(world.gateway).status == 200 and len(world.b1.requests) == 2       # the next one is the probe, at once


# ---- for everybody, for long ----

def many(gateway, count):
    """Answers to requests on connections of their own: workers take turns."""
    return [ask(gateway) for _ in range(count)]


def test_all_workers_know_through_reloads_and_deaths(make_gateway, mock):
    b1, b2 = mock("127.0.0.31", name="b1"), mock("127.0.0.32", name="b2")
    gateway = make_gateway([Backend("b1", b1), Backend("b2", b2)], workers=2)
    gateway.apply()
    gateway.start()
    b1.play(provider_error(429, "wait", [("Retry-After", "600")]))
    assert ask(gateway).status == 200 and len(b1.requests) == 1
    for change in ("nothing", "reload", "kill"):
        if change == "reload":
            gateway.reload()
        elif change == "kill":
            gateway.expect_log("exited on signal 9")
            before = set(gateway.worker_pids())
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            until(lambda: len(set(gateway.worker_pids()) - before) >= 2)
        assert all(found.status == 200 for found in many(gateway, 6)), change
        assert len(b1.requests) == 1, change
    assert status(gateway, "b1")["wait_ms"] > 500000 and status(gateway, "b2")["samples"] >= 18


def test_in_flight_comes_back_after_a_kill(make_gateway, mock):
    b1 = mock("127.0.0.33", name="b1")
    gateway = make_gateway([Backend("b1", b1)])
    gateway.apply()
    gateway.start()
    arrived = threading.Event()
    b1.play(Script(tell(arrived), pause(120)))
    with Client(gateway.port) as client:
        client.request(body=body_of(), key=gateway.key())
        assert arrived.wait(60) and status(gateway, "b1")["in_flight"] == 1
        gateway.expect_log("exited on signal 9")
        os.kill(gateway.worker_pids()[0], signal.SIGKILL)
        until(lambda: not status(gateway, "b1")["in_flight"])
    assert status(gateway, "b1")["in_flight"] == 0
