"""`gatehouse ledger check --record`: what the ledger has settled is what the record says, at rest, and after workers were killed."""
import json
import os
import signal
import threading

import pytest

import documents
import ledger
import records
from client import Client, ask, body_of, until
from gateway import Backend
from limits import observed, priced, settled
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, provider_error, role, send, wait

STREAM = body_of(stream=True)


@pytest.fixture
def plant(make_gateway, mock):
    one, two = mock("127.0.0.36", name="one"), mock("127.0.0.37", name="two")
    gateway = make_gateway([Backend("one", one), Backend("two", two)], workers=2, shutdown="60s", body_timeout="4s")
    made = documents.tenants("red", red={"limits": observed(), "apps": [{"id": "app", "limits": observed(tokens=10 ** 9)}]})
    fleet = documents.fleet(*(documents.deployment(f"{name}-1", name, priority=number, models={"m": priced()})
                              for number, name in enumerate(("one", "two"), 1)))
    gateway.apply(fleet, documents.residency(), made)
    gateway.one, gateway.two = one, two
    return gateway.start()


def check(gateway, *options, code=0):
    done = gateway.command("ledger", "check", "--record", gateway.audit, "--json", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_at_rest_both_say_the_same(plant):
    """Answers, streams, hops, errors of a provider and denials."""
    for number in range(12):
        if number % 4 == 1:
            plant.one.play(provider_error(500))
        body = STREAM if number % 3 == 0 else body_of(**({"model": "unknown"} if number % 5 == 4 else {}))
        ask(plant, body, plant.key())
    settled(plant)
    found = check(plant, "--exact")
    assert found["problems"] == [] and found["reservations"] == 0
    assert found["record"]["less"] == found["record"]["more"] == found["record"]["running"] == 0
    assert found["record"]["requests"] >= 10 and found["record"]["compared"] >= 8
    assert "what the record says" in plant.command("ledger", "check", "--record", plant.audit).stdout


def test_what_ends_before_it_is_decided_has_a_line_too(plant):
    """A body that is refused, one that never comes, one whose client leaves: each counted as a request, and says so in the record, over a reboot as well."""
    key = plant.key()
    assert ask(plant, b'{"model": "m", ', key).error["code"] == "invalid_json"
    assert ask(plant, body_of(api_base="http://elsewhere"), key).error["code"] == "invalid_request"
    assert ask(plant, body_of(model="unknown"), key).error["code"] == "model_not_found"
    with Client(plant.port) as client:
        assert client.request(body=STREAM[:20], key=key, length=len(STREAM)).answer().error["code"] == "request_timeout"
    for reset in (False, True):
        client = Client(plant.port)
        client.request(body=STREAM[:20], key=key, length=len(STREAM))
        until(lambda: ledger.read(plant.home / "ledger")[1])             # it is admitted
        client.leave(reset=reset)
        settled(plant)
    assert ask(plant, body_of(), key).status == 200
    settled(plant)
    found = check(plant, "--exact")
    assert found["record"]["requests"] == 7 and found["record"]["compared"] >= 8
    lines = [line for line in records.lines(plant.audit) if line["type"] == "decision" and line["verdict"] == "deny"]
    assert sorted(line["code"] for line in lines) == ["client_left", "client_left", "invalid_json", "invalid_request", "model_not_found", "request_timeout"]
    assert all({one["dimension"] for one in line["reserve"]["limits"]} == {"requests", "in-flight"} for line in lines)
    told = plant.command("explain", next(line["id"] for line in lines if line["code"] == "invalid_json"), check=False)
    assert told.returncode == 3 and "Denied with invalid_json before it was decided, on node" in told.stdout
    assert "acme/red/app, key main, asked at chat.completions.\n" in told.stdout
    before = requests_of(plant)
    assert set(before.values()) == {7}
    plant.stop(graceful=True)
    (plant.home / "ledger").unlink()
    plant.init()
    assert requests_of(plant) == before


def requests_of(gateway):
    return {(one["level"], one["uid"], one["per"], one["class"]): one["value"] for one in json.loads(gateway.command("ledger", "show", "--json").stdout)["counters"]
            if one["dimension"] == "requests" and one["per"] == "day"}


def test_killed_workers_charge_no_less_than_is_recorded(plant):
    """Requests that ended, and some that were lost while they ran; the sweeper charges these in full."""
    plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    for _ in range(6):
        assert ask(plant, body_of(), plant.key()).status == 200
    gate = threading.Event()
    held = Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(gate, 60), send(chunk(DONE) + LAST_CHUNK))
    clients = []
    for _ in range(6):
        plant.one.play(held)
        clients.append(Client(plant.port))
        clients[-1].request(body=STREAM, key=plant.key())
        assert clients[-1].head().status == 200
    assert check(plant)["record"]["running"] == 6
    for pid in plant.worker_pids():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not check(plant)["record"]["running"])
    gate.set()
    settled(plant)
    found = check(plant, "--exact")
    assert found["orphans"] == 0 and found["record"]["running"] == 0 and found["record"]["requests"] == 12


def test_a_ledger_that_forgot_is_found(plant):
    """A counter that something else wrote into: less than the record says is a problem."""
    for _ in range(3):
        ask(plant, body_of(), plant.key())
    settled(plant)
    check(plant, "--exact")
    path = plant.home / "ledger"
    shown = json.loads(plant.command("ledger", "show", "--json").stdout)["counters"]
    tokens = next(one for one in shown if one["dimension"] == "tokens" and one["level"] == "tenant")
    with open(path, "r+b") as file:
        content = file.read()
        word = (tokens["value"] | (tokens["window"] & 0xffff) << 48).to_bytes(8, "little")
        places = [at for at in range(0, len(content), 64) if content[at:at + 8] == word
                  and int.from_bytes(content[at + 16:at + 24], "little") & (1 << 48) - 1 == tokens["uid"]
                  and int.from_bytes(content[at + 16:at + 24], "little") >> 51 & 7 == 2]
        assert len(places) == 1
        file.seek(places[0])
        file.write((tokens["value"] - 1 | (tokens["window"] & 0xffff) << 48).to_bytes(8, "little"))
    found = check(plant, code=1)
    assert found["record"]["less"] == 1 and f"settled in the ledger: {tokens['value'] - 1}, in the record: {tokens['value']}" in found["problems"][0]
    with open(path, "r+b") as file:                    # as it was, for the auditor finds it too
        file.seek(places[0])
        file.write((tokens["value"] | (tokens["window"] & 0xffff) << 48).to_bytes(8, "little"))
    check(plant, "--exact")
