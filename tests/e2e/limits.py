"""Tenants with limits on the shared gateway, and their counters as they lie in the ledger's file."""
import itertools
import json
import time
import uuid

import documents
import ledger
from client import ask, body_of
from gateway import SLOW

TURN = itertools.count(1)
PRICE = {"input": 1_000_000, "cached": 500_000, "output": 2_000_000}       # micro-dollars a million tokens
FREE = {"input": 0, "output": 0}
EVERY = {"requests": "day", "tokens": "day", "input": "day", "output": "day", "micro-dollars": "day", "in-flight": None, "streams": None}


def limit(dimension, amount, kind="budget", per="day", model=None):
    made = {"dimension": dimension, "amount": amount, "class": kind}
    if per and dimension not in ("in-flight", "streams"):
        made["per"] = per
    return {**made, **({"model": model} if model else {})}


def observed(**more):
    """A limit of each dimension that is far away, to count by; `more` sets amounts of some."""
    return [limit(name, more.get(name.replace("-", "_"), 10 ** 12), "budget", per) for name, per in EVERY.items()]


def priced(price=PRICE, upstream="m"):
    return {"upstream": upstream, **({"price": price, "source": "tests", "as_of": "2026-11-01"} if price else {})}


def cost(input, output, cached=0, price=PRICE):
    """By the definition: the sum over kinds of tokens x price, rounded up once."""
    return -(-((input - cached) * price["input"] + cached * price.get("cached", price["input"]) + output * price["output"]) // 10 ** 6)


class Tenant:
    """One of the test's own: nothing was counted for it before. `at`: the level whose limits these are; `alike`: deployments of one priority."""

    def __init__(self, world, *limits, at="tenant", prices=None, models=None, alike=False, **more):
        self.world, self.gateway, self.name = world, world.gateway, f"t{next(TURN)}"
        app, own = {"id": "app"}, {**more}
        if at == "tenant":
            own["limits"] = list(limits)
        elif at == "app":
            app["limits"] = list(limits)
        elif at == "key":
            app["key_limits"] = list(limits)
        made = documents.tenants("red", "blue", self.name, **{self.name: {"apps": [app], **own}})
        if at == "organisation":
            made["organisations"][0]["limits"] = list(limits)
        self.documents = made
        world.turn += 1
        for mock in world.mocks.values():
            mock.clear()
        prices = {"b1": PRICE} if prices is None else prices
        models = models or ("m",)
        self.fleet = documents.fleet(*(documents.deployment(f"{backend}-{world.turn}", backend, priority=1 if alike else number + 1,
                                                            models={model: priced(price, model) for model in models})
                                       for number, (backend, price) in enumerate(prices.items())))
        self.gateway.apply(self.fleet, documents.residency(), made)
        self.key = self.gateway.key(f"acme/{self.name}/app")

    def ask(self, body=None, **more):
        """To its end: the worker settles a request behind the last write of its answer, which a client may have read before."""
        found = ask(self.gateway, body, self.key, **more)
        if found.whole:
            settled(self.gateway, of=found.id)
        return found

    def lines(self, found, *kinds):
        lines = self.gateway.record(found.id, kinds=kinds or ("decision", "outcome"))
        return [next((line for line in lines if line["type"] == kind), None) for kind in (kinds or ("decision", "outcome"))]

    def reserve(self, found):
        return self.lines(found, "decision")[0]["reserve"]

    def used(self, found):
        """Of the counters that the request `found` was counted by: dimension -> value now, each in the window that it was in."""
        if isinstance(found, str):
            line = next(line for line in self.gateway.record(found, kinds=("decision",)) if line["type"] == "decision")
        else:
            line = self.lines(found, "decision")[0]
        counters, _ = ledger.read(self.gateway.home / "ledger")
        values = {}
        for one in line["reserve"]["limits"]:
            same = [counter["value"] for counter in counters if counter["window"] == one["window"]
                    and all(counter[name] == one[name] for name in ("level", "uid", "dimension", "per", "class"))
                    and counter["model"] == (ledger.model_number(one["model"]) if "model" in one else 0)]
            values[one["dimension"]] = same[0] if same else 0
        return values

    def expect(self, found, requests, input, output, micro_dollars):
        """What all of them came to, once nothing runs any more."""
        settled(self.gateway)
        assert self.used(found) == {"requests": requests, "input": input, "output": output, "tokens": input + output,
                                    "micro-dollars": micro_dollars, "in-flight": 0, **({"streams": 0} if "streams" in self.used(found) else {})}


def settled(gateway, seconds=60, of=None):
    """Nothing is held any more, and what is in flight is 0 everywhere; `of`: a request's id, nothing is held by it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        counters, held = ledger.read(gateway.home / "ledger")
        flying = [one for one in counters if one["dimension"] in ("in-flight", "streams") and one["value"] and not of]
        held = [one for one in held if of in (None, str(uuid.UUID(one["id"])))]
        if not held and not flying:
            return
        assert time.monotonic() < end, f"still held: {held}, in flight: {flying}"
        time.sleep(0.02)


def not_at_the_end_of(seconds, room=15):
    """Waits when the window of so many seconds ends within `room`."""
    left = seconds - time.time() % seconds
    if left < room:
        time.sleep(left + 0.05)


def small(text="hello", **more):
    return body_of(text=text, **{"max_completion_tokens": 20, **more})


def shown(body):
    return json.loads(body)
