"""Windows under a clock that is moved: the end of a month, and time that goes back. The clock is libfaketime's, in nginx and in the command."""
import calendar
import glob
import os
import threading
import time

import pytest

from client import Client, ask, expect_error
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from limits import PRICE, Tenant, limit, priced, settled, small
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, role, send, usage_event, wait
from usage_shapes import shaped

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)
YEAR = time.gmtime().tm_year


def moment(year, month, day, hour=0, minute=0, second=0.0):
    return calendar.timegm((year, month, day, hour, minute, 0)) + second


class Clock:
    """Seconds UTC; it runs on from where it is set."""

    def __init__(self, gateway):
        self.path = gateway.prefix / "clock"
        names = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        gateway.environment.update(names)
        plain = gateway.configuration
        gateway.configuration = lambda: "".join(f"env {name};\n" for name in names) + plain()      # nginx takes all others away

    def at(self, second):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{second - time.time():+.3f}\n")
        os.rename(fresh, self.path)


@pytest.fixture
def plant(mock, make_gateway):
    """One worker; tenant red may have a small request's tokens a month, and not another's."""
    assert LIBRARY, "the Debian package libfaketime is not installed"
    backend = mock("127.0.0.9")
    gateway = make_gateway([Backend("b1", backend, read="20s")])
    gateway.clock, gateway.backend = Clock(gateway), backend
    gateway.clock.at(moment(YEAR + 1, 1, 31, 23, 59, 30))
    gateway.apply(fleet(deployment("b1", models={"m": priced(PRICE)})), residency(),
                  tenants(red={"limits": [limit("tokens", 160, "budget", "month"), limit("input", 10 ** 9, "budget", "day")]}))
    gateway.start()
    gateway.key()
    backend.always(shaped("plain", prompt=60, completion=7))
    gateway.excuse("I1", "R1", "R2", "R3", "R11", reason="the gateway's clock is not the backend's")
    return gateway


class Counted:
    def __init__(self, gateway):
        self.gateway = gateway

    used, lines = Tenant.used, Tenant.lines


def test_the_end_of_a_month(plant):
    """What began before it is of the old month, whenever it ends; the new one begins at nothing."""
    go = threading.Event()
    plant.backend.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(go, 60),
                              send(chunk(delta("x")) + chunk(usage_event(prompt=60)) + chunk(DONE) + LAST_CHUNK)))
    with Client(plant.port) as client:
        client.request(body=small(stream=True), key=plant.key())
        head = client.head()
        assert head.status == 200
        refused = ask(plant, small())
        expect_error(refused, 429, "rate_limit_exceeded")           # half a minute: that is worth waiting for
        assert 1000 <= int(refused.header("retry-after-ms")) <= 30000
        plant.clock.at(moment(YEAR + 1, 2, 1, 0, 0, 0.5))
        fresh = ask(plant, small())
        assert fresh.status == 200
        go.set()
        assert b"[DONE]" in b"".join(client.parts(head))
    settled(plant)
    counted = Counted(plant)
    line = counted.lines(fresh, "decision")[0]
    assert {one["per"]: one["window"] for one in line["reserve"]["limits"]} == {
        "month": 12 * (YEAR + 1) + 1, "day": int(moment(YEAR + 1, 2, 1)) // 86400}
    assert counted.used(fresh) == {"tokens": 67, "input": 60}
    refused = ask(plant, small())
    expect_error(refused, 429, "insufficient_quota")                # four weeks
    assert refused.header("x-ratelimit-remaining-tokens") == str(160 - 67) and refused.header("x-should-retry") == "false"


def test_a_clock_that_steps_back(plant):
    """It brings nothing back: the newer window's counter stays, and is what older time is held against."""
    plant.clock.at(moment(YEAR + 1, 2, 1, 0, 0, 1))
    found = ask(plant, small())
    assert found.status == 200
    plant.clock.at(moment(YEAR + 1, 1, 31, 23, 59, 50))
    expect_error(ask(plant, small()), 429)
    plant.clock.at(moment(YEAR + 1, 2, 1, 0, 0, 5))
    expect_error(ask(plant, small()), 429, "insufficient_quota")
    assert Counted(plant).used(found) == {"tokens": 67, "input": 60} and len(plant.backend.requests) == 1
    plant.clock.at(moment(YEAR + 1, 3, 1, 0, 0, 5))
    assert ask(plant, small()).status == 200
    settled(plant)
