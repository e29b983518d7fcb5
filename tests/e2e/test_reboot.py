"""A reboot takes the ledger away: what was used is used afterwards, from the last checkpoint and from the record written after it."""
import time
import types

import ledger
from gateway import Backend
from limits import Tenant, observed, settled, small


def counted(gateway):
    counters, held = ledger.read(gateway.home / "ledger")
    assert held == []
    return {tuple(sorted(one.items())) for one in counters if one["value"] and one["dimension"] not in ("in-flight", "streams")}


def reboot(gateway):
    """Everything ends in order, and the tmpfs is empty afterwards."""
    gateway.stop(graceful=True)
    (gateway.home / "ledger").unlink()
    gateway.init()


def test_what_was_used_is_used_after_a_reboot(make_gateway, mock):
    backend = mock("127.0.0.63", name="b1")
    gateway = make_gateway([Backend("b1", backend)])
    tenant = Tenant(types.SimpleNamespace(gateway=gateway, mocks={"b1": backend}, turn=0), *observed(), at="key")
    gateway.start()
    for _ in range(3):
        assert tenant.ask(small()).status == 200
    settled(gateway)
    time.sleep(1.2)                                                   # what was decided within the last second may be charged twice
    gateway.command("ledger", "checkpoint")
    for _ in range(2):
        found = tenant.ask(small())
        assert found.status == 200
    settled(gateway)
    used, before = tenant.used(found), counted(gateway)
    assert used["requests"] == 5 and used["tokens"] > 0 and used["micro-dollars"] > 0
    reboot(gateway)
    assert counted(gateway) == before
    gateway.start()
    found = tenant.ask(small())
    assert found.status == 200 and tenant.used(found)["requests"] == 6
    settled(gateway)
