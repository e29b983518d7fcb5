"""A backend that refuses its credential: out for whoever met it, by a reason that people find, and back by one probe or a credential that is another."""
import json

import pytest

from client import ask, body_of, expect_error
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import Script, answer
from test_credentials import OK, status, until

REFUSED = answer(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}})
REFUSALS = 3                                       # GH_REFUSALS


class World:
    """Two backends of which the first is asked first, and accepts what `accepts` says."""

    def __init__(self, make_gateway, mock):
        self.a, self.b = mock("127.0.0.66"), mock("127.0.0.67")
        self.a.default, self.b.default, self.accepts = Script(self.judge), OK, lambda request: False
        self.refusal = REFUSED
        self.gateway = make_gateway([Backend("a", self.a, credential="canary-old"), Backend("b", self.b, credential="canary-b")], workers=2)
        self.gateway.apply(fleet(deployment("a"), deployment("b", priority=2)), residency(), tenants())
        self.gateway.start()

    def judge(self, exchange):
        return (OK if self.accepts(exchange.request) else self.refusal).run(exchange)

    def asked(self, tenant="red", count=1, **more):
        """How many of so many requests, all of which are answered, reached the first backend. What came of one is told by its end, which a client may not await."""
        before = len(self.a.requests)
        for _ in range(count):
            found = ask(self.gateway, key=self.gateway.key(f"acme/{tenant}/app"), **more)
            assert found.status == 200 and self.gateway.outcome(found.id)
        return len(self.a.requests) - before

    def state(self):
        return status(self.gateway)["a"]


@pytest.fixture
def world(make_gateway, mock):
    return World(make_gateway, mock)


@pytest.mark.sanitizer
def test_out_for_everybody_and_back_with_another_credential(world):
    gateway = world.gateway
    assert world.asked("red", REFUSALS - 1) == REFUSALS - 1 and world.asked("blue") == 1
    assert world.asked("red", 4) == 0 and world.asked("blue", 4) == 0
    assert world.state()["credential"] == "refused" and world.state()["credential_refused"]["for"] == "everybody"
    assert "out: its credential is refused by the backend" in gateway.command("backend", "status").stdout
    until(lambda: world.state()["credential_refused"]["wait_ms"] > 0 and terms(gateway) == ["refused"])
    request = gateway.prefix / "request.json"
    request.write_bytes(body_of())
    assert "its credential is refused by the backend" in gateway.command("explain", "--request", request, "--as", "acme/red/app", "--node", "node-1").stdout

    world.accepts = lambda request: request.all("authorization") == ["Bearer canary-new"]
    before = len(world.a.requests)
    gateway.credential("a", "canary-new")
    until(lambda: world.asked() == 1 and "credential" not in world.state())
    assert {one.header("authorization") for one in world.a.requests[before:]} <= {"Bearer canary-new", "Bearer canary-old"} and len(world.a.requests) - before <= 4
    assert world.asked("red", 5) + world.asked("blue", 5) == 10
    assert "canary" not in gateway.errors()
    gateway.expect_log("goes on refusing its credential")


def terms(gateway):
    found = ask(gateway)
    decision = next(line for line in gateway.record(found.id) if line["type"] == "decision")
    return [term.get("credential") for term in decision["terms"] if term["deployment"] == "a"]


def test_passed_over_by_its_name(world):
    world.gateway.apply(fleet(deployment("a")), residency(), tenants())
    for tenant in ("red", "blue", "red"):
        expect_error(ask(world.gateway, key=world.gateway.key(f"acme/{tenant}/app")), 502, "backend_credentials")
    found = expect_error(ask(world.gateway), 502, "backend_credentials")
    assert [(one["deployment"], one["error"]) for one in world.gateway.outcome(found.id)["attempts"]] == [("a", "credential_refused")]
    assert len(world.a.requests) == REFUSALS


def test_one_tenants_own_errors_are_its_own(world):
    """What one tenant's requests alone provoke passes the backend over for that tenant; the first success of another says that the credential is good."""
    world.accepts = lambda request: b"provoked" not in request.body
    assert world.asked("red", 10, body=body_of(text="provoked")) == REFUSALS and world.state()["credential_refused"]["for"] == "one_tenant"
    assert terms(world.gateway) == [None] or not terms(world.gateway), "the order of others does not know of it"
    assert world.asked("red") == 0 and world.asked("blue") == 1
    assert "credential" not in world.state() and world.asked("red") == 1


def test_a_success_among_them(world):
    world.accepts = lambda request: b"good" in request.body
    for _ in range(4):
        assert world.asked("red", REFUSALS - 1) == REFUSALS - 1 and world.asked("blue", body=body_of(text="good")) == 1
    assert "credential" not in world.state()


@pytest.mark.parametrize("headers, body, counts", [
    ({"x-amzn-errortype": "UnrecognizedClientException:http://internal.amazon.com/coral/"}, {"message": "The security token included in the request is invalid."}, True),
    ({"x-amzn-errortype": "ExpiredTokenException"}, {"message": "The security token included in the request is expired"}, True),
    ({"x-amzn-errortype": "AccessDeniedException"}, {"Message": "Authentication failed: Please make sure your API Key is valid."}, True),
    ({"x-amzn-errortype": "AccessDeniedException"}, {"Message": "You don't have access to the model with the specified model ID."}, False),
    ({}, {"error": {"message": "Refused: 'please make sure your API Key is valid, or the Bearer Token has expired'"}}, False),   # what was asked, said again
    ({}, {"error": {"type": "permission_error", "message": "Your API key does not have permission to use the specified resource."}}, False)])
def test_which_403_is_the_credentials(world, headers, body, counts):
    world.refusal = answer(403, body, headers=list(headers.items()))
    assert world.asked("red", 2) + world.asked("blue", 2) == (REFUSALS if counts else 4)
    assert (world.state().get("credential") == "refused") == counts
    assert json.loads(world.gateway.command("backend", "status", "a", "--json").stdout)["backends"][0]["breaker"] == "closed"
