"""Limits and prices as edits change them, and what the command says of them while requests run."""
import concurrent.futures
import copy
import json
import threading

import pytest

import documents
from client import expect_error
from limits import PRICE, Tenant, cost, limit, observed, settled, small
from usage_shapes import shaped


@pytest.fixture(autouse=True)
def nothing_left(world):
    yield
    settled(world.gateway)


def edit(tenant, *limits, fleet=None, **more):
    """Its limits are these from now on, and its other members."""
    made = copy.deepcopy(tenant.documents)
    own = next(one for one in made["organisations"][0]["tenants"] if one["id"] == tenant.name)
    own.update(more)
    own.pop("limits", None)
    if limits:
        own["limits"] = list(limits)
    tenant.gateway.apply(fleet or tenant.fleet, documents.residency(), made)


def test_an_edit_counts_from_the_next_request_on(world):
    """Raised, lowered, taken away and said again: what was used stays used."""
    tenant = Tenant(world, limit("requests", 1))
    assert tenant.ask(small()).status == 200
    expect_error(tenant.ask(small()), 429, "insufficient_quota")
    edit(tenant, limit("requests", 2))
    assert tenant.ask(small()).status == 200
    expect_error(tenant.ask(small()), 429, "insufficient_quota")
    edit(tenant)
    found = tenant.ask(small())
    assert found.status == 200 and not [name for name, _ in found.headers if name.startswith("x-ratelimit")]
    edit(tenant, limit("requests", 3))
    found = tenant.ask(small())
    assert (found.status, found.header("x-ratelimit-remaining-requests")) == (200, "0")
    edit(tenant, limit("requests", 2))
    expect_error(tenant.ask(small()), 429, "insufficient_quota")
    assert tenant.used(found) == {"requests": 3}
    tenant.gateway.command("policy", "rollback", str(tenant.gateway.revision - 1), "--reason", "tests", "--cut")
    expect_error(tenant.ask(small()), 429, "insufficient_quota")


def test_what_runs_is_settled_on_what_it_was_admitted_by(world):
    """Limits and prices that change under a stream do not change what it holds, and what it holds comes back."""
    tenant, go = Tenant(world, *observed()), threading.Event()

    def held(request):
        assert go.wait(60)
        return shaped("plain", prompt=50, completion=9)(request)
    world.b1.always(held)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(tenant.ask, small(stream=True))
        world.b1.wait_requests(1)
        edit(tenant, limit("requests", 0))
        go.set()
        found = asked.result()
    assert found.status == 200
    tenant.expect(found, 1, 50, 9, cost(50, 9))
    expect_error(tenant.ask(small()), 429, "insufficient_quota")


def told(tenant, *arguments):
    return json.loads(tenant.gateway.command(*arguments, "--json").stdout)


def test_the_command_says_what_is_used_while_it_is(world):
    tenant, go = Tenant(world, limit("tokens", 1000, "rate", "month"), limit("in-flight", 4, "rate"), limit("requests", 5, model="m")), threading.Event()
    path = f"acme/{tenant.name}/app/main"
    world.b1.always(shaped("plain", prompt=50, completion=9))
    for _ in range(2):
        assert tenant.ask(small()).status == 200
    settled(world.gateway)

    def left():
        return {one["dimension"]: (one["used"], one["left"]) for one in told(tenant, "limits", path)["limits"]}
    assert left() == {"tokens": (118, 882), "in-flight": (0, 4), "requests": (2, 3)}

    def held(request):
        assert go.wait(60)
        return shaped("plain", prompt=50, completion=9)(request)
    world.b1.always(held)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(tenant.ask, small())
        world.b1.wait_requests(3)
        running = left()
        counters = told(tenant, "usage", f"acme/{tenant.name}")["counters"]
        deployments = [one["path"][:2] for one in told(tenant, "usage")["counters"] if one["level"] == "deployment"]
        go.set()
        assert asked.result().status == 200
    assert running["in-flight"] == (1, 3) and running["requests"] == (3, 2) and 118 < running["tokens"][0] and sum(running["tokens"]) == 1000
    assert {one["dimension"]: one["used"] for one in counters} == {name: used for name, (used, _) in running.items()}
    assert {one["path"] for one in counters} == {f"acme/{tenant.name}"} and deployments == ["b1"]
    settled(world.gateway)
    assert left() == {"tokens": (177, 823), "in-flight": (0, 4), "requests": (3, 2)}


TIERS = {**PRICE, "tiers": [{"input_above": 100, "input": 3_000_000, "cached": 1_500_000, "output": 6_000_000}],
         "service_tiers": {"flex": {"input": 250_000, "cached": 125_000, "output": 500_000}}}


def test_a_longer_prompt_is_priced_wholly_by_its_tier(world):
    tenant = Tenant(world, *observed(), prices={"b1": TIERS})
    spent = 0
    for number, (prompt, price) in enumerate([(100, TIERS), (101, TIERS["tiers"][0])]):
        world.b1.always(shaped("plain", prompt=prompt, completion=9))
        found = tenant.ask(small())
        assert tenant.lines(found)[1]["charged"]["micro_dollars"] == cost(prompt, 9, price=price), number
        spent += cost(prompt, 9, price=price)
    settled(world.gateway)
    assert tenant.used(found)["micro-dollars"] == spent


def test_a_service_tier_is_asked_for_where_it_is_cheapest(world):
    def priced(standard, flex):
        return {"input": standard, "output": standard, "service_tiers": {"flex": {"input": flex, "output": flex}}}

    tenant = Tenant(world, *observed(), prices={"b1": priced(1000000, 900000), "b2": priced(2000000, 100000)}, alike=True)
    for asked, backend in (({}, "b1"), ({"service_tier": "flex"}, "b2"), ({"service_tier": "default"}, "b1")):
        decision = tenant.lines(tenant.ask(small(**asked)))[0]
        assert [target["backend"] for target in decision["route"]][0] == backend, asked
    assert (len(world.b1.requests), len(world.b2.requests)) == (2, 1)


def test_a_service_tier_has_its_own_price_or_none(world):
    tenant = Tenant(world, limit("micro-dollars", 10 ** 9), prices={"b1": TIERS})
    world.b1.always(shaped("plain", prompt=40, completion=9))
    for asked, price in (({}, TIERS), ({"service_tier": "auto"}, TIERS), ({"service_tier": "flex"}, TIERS["service_tiers"]["flex"])):
        found = tenant.ask(small(**asked))
        decision, outcome = tenant.lines(found)
        assert outcome["charged"]["micro_dollars"] == cost(40, 9, price=price), asked
        assert decision.get("service_tier") == asked.get("service_tier")
    expect_error(tenant.ask(small(service_tier="priority")), 403, "unpriced_model")
    assert len(world.b1.requests) == 3
    edit(tenant)
    assert tenant.ask(small(service_tier="priority")).status == 200       # nothing is counted in money any more
