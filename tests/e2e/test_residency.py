"""Requests reach only what policy allows, from the next request on, in every worker."""
import concurrent.futures
import json
import random
import socket
import threading
import time

import pytest

from client import Client, ask, body_of, events, expect_error, get
from documents import EVIDENCE, allow, azure, deployment, fleet, forbid, residency, tenants
from gateway import Backend
from mock_backend import DONE, Script, delta, provider_error, role, send, stream, usage_event, wait

pytestmark = pytest.mark.sanitizer


def untouched(mock):
    """Not one byte, not one connection."""
    return mock.connections == 0 and mock.bytes == 0 and not mock.requests


@pytest.fixture
def pair(make_gateway, mock):
    """A gateway with fresh backends "inside" (first choice) and "outside"."""
    inside, outside = mock("127.0.0.11", name="inside"), mock("127.0.0.12", name="outside")
    gateway = make_gateway([Backend("inside", inside), Backend("outside", outside)], body_limit="32m")
    gateway.inside, gateway.outside = inside, outside
    return gateway


BEDROCK = {"dialect": "bedrock-openai", "endpoints": ["chat.completions"]}
FORBIDDEN = {
    "global standard in westeurope": azure("outside", region="westeurope", sku="GlobalStandard"),
    "global standard that states DE": azure("outside", region="westeurope", sku="GlobalStandard", process=["DE"]),
    "data zone": azure("outside", region="swedencentral", sku="DataZoneStandard"), "uksouth": azure("outside", region="uksouth"),
    "eastasia": azure("outside", region="eastasia"), "unknown region": azure("outside", region="narnia-1"), "unknown sku": azure("outside", sku="Instant"),
    "own machine in the US": deployment("outside", country="US"), "own machine nowhere": deployment("outside", country=None),
    "no evidence": deployment("outside", evidence=None), "evidence expired": deployment("outside", evidence={**EVIDENCE, "until": "2025-06-30"}),
    "process empty": deployment("outside", process=[]), "operated from the US": deployment("outside", operator_home="US"),
    "operator unknown": deployment("outside", operator_home=None), "stores in the US": deployment("outside", store={"in": ["US"], "days": 1}),
    "stores too long": deployment("outside", store={"in": ["SE"], "days": 31}), "storage unknown": deployment("outside", store=None),
    "may train": deployment("outside", training=True), "training unknown": deployment("outside", training=None),
    "other partition": azure("outside", operator_home="SE"), "no contract": deployment("outside", attest=["hipaa-baa"]),
    "serves others": deployment("outside", serves=["other-org"]), "serves nobody": deployment("outside", serves=None),
    "other tenant's": deployment("outside", serves=["acme/blue"]), "endpoint not offered": deployment("outside", endpoints=["embeddings"]),
    "bedrock global": deployment("outside", provider="aws", partition="aws", region="eu-central-1", profile="global.", country=None, **BEDROCK),
    "bedrock eu without destinations": deployment("outside", provider="aws", partition="aws", region="eu-central-1", profile="eu.", country=None, **BEDROCK),
}
# what this key cannot name at all is not there for it
UNKNOWN_MODEL = {"serves others", "serves nobody", "other tenant's", "endpoint not offered"}
STRICT = allow("strict", process=("EU",), store=("EU",), operator_home={"within": ["EU"]}, attest=["c5"], partitions=["self"])
STRICT["store"]["max_days"] = 30
AZURE = allow("strict", process=("EU",), store=("EU",))


def test_forbidden_deployments_are_never_contacted(pair):
    """
    Each in turn is the cheaper first choice beside an eligible one that fails: no first try, no failover, not a connection.
    One gateway, one `apply` each.
    """
    gateway = pair
    gateway.apply(fleet(deployment("inside"), deployment("outside")), residency(), tenants())
    gateway.start()
    key = gateway.key()
    for name, forbidden in FORBIDDEN.items():
        rule = AZURE if forbidden["provider"] == "azure" and name != "other partition" else STRICT
        gateway.apply(fleet({**forbidden, "priority": 1}, deployment("inside", priority=2)), residency(rule), tenants())
        gateway.inside.clear()
        found = ask(gateway, key=key)
        assert found.status == 200 and len(gateway.inside.requests) == 1, (name, found)
        gateway.inside.play(provider_error(503, "down"))
        assert ask(gateway, key=key).status == 503, name
        assert untouched(gateway.outside), name
        gateway.apply(fleet({**forbidden, "priority": 1}), residency(rule), tenants(), check=True)
        found = ask(gateway, key=key)
        expect_error(found, *((404, "model_not_found") if name in UNKNOWN_MODEL else (403, "residency_denied")))
        assert untouched(gateway.outside), name


def test_denial_names_the_rule_and_nothing_of_ours(pair):
    gateway = pair
    gateway.apply(fleet(deployment("outside", country="US")), residency(allow("home-only", process=("EU",))), tenants())
    gateway.start()
    found = expect_error(ask(gateway), 403, "residency_denied")
    assert found.error["message"].startswith(f'Denied by residency rule "home-only" (request {found.id})')
    gateway.apply(fleet(deployment("outside", country="US")), residency(forbids=[forbid("never-us", process=["US"])]), tenants())
    found = expect_error(ask(gateway), 403, "residency_denied")
    assert found.error["message"].startswith(f'Denied by residency rule "never-us" (request {found.id})')
    for word in (b"outside", b"127.0.0", b"US"):
        assert word not in found.body
    lines = gateway.record(found.id, kinds=("decision",))
    assert [line["type"] for line in lines] == ["decision"] and lines[0]["verdict"] == "deny" and lines[0]["rule"] == "never-us"
    assert untouched(gateway.outside)


def test_an_organisation_without_policy_is_denied(pair):
    gateway = pair
    gateway.apply(fleet(deployment("inside", serves=["acme", "other"])), residency(), tenants(), tenants("red", organisation="other"))
    gateway.start()
    expect_error(ask(gateway, key=gateway.key("other/red/app")), 403, "no_policy")
    assert untouched(gateway.inside)


def test_nodes_country_counts(make_gateway, mock):
    """The same machines are not inside when the gateway itself stands outside; an unlisted node serves nothing."""
    backend = mock("127.0.0.11")
    gateway = make_gateway([Backend("inside", backend)])
    rule = residency(allow("home-only", process=("EU",)))
    gateway.apply(fleet(deployment("inside"), nodes=[{"id": "node-1", "country": "US"}]), rule, tenants())
    gateway.start()
    expect_error(ask(gateway), 403, "residency_denied")
    gateway.apply(fleet(deployment("inside"), nodes=[{"id": "node-2", "country": "DE"}]), rule, tenants())
    expect_error(ask(gateway), 503, "policy_unavailable")
    assert untouched(backend)
    gateway.apply(fleet(deployment("inside")), rule, tenants())
    assert ask(gateway).status == 200


def test_unlisted_features_are_denied(world):
    """Fields that move or keep content, and fields that nobody knows."""
    world.route("b1", rules=[allow("home-only", process=("EU",), store="nothing")])
    for more in ({"store": True}, {"web_search_options": {}}, {"tools": [{"type": "web_search"}]}, {"tools": [{"type": "nobody-knows"}]},
                 {"data_sources": [{"type": "azure_search"}]}, {"field_of_tomorrow": 1}):
        found = expect_error(ask(world.gateway, body_of(**more)), 403, "residency_denied")
        assert not world.contacted(), more
        assert found.error["code"] == "residency_denied"
    image = {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://elsewhere.test/a.png"}}]}]}
    expect_error(ask(world.gateway, json.dumps(image).encode()), 403, "residency_denied")
    image["messages"][0]["content"][0]["image_url"]["url"] = "data:image/png;base64,AAAA"
    assert ask(world.gateway, json.dumps(image).encode()).status == 200
    world.route("b1", rules=[allow("relaxed", process=("EU",), store="nothing", unlisted_features="accepted")])
    assert ask(world.gateway, body_of(field_of_tomorrow=1)).status == 200
    assert world.b1.requests[0].json["field_of_tomorrow"] == 1


def test_listed_features_add_their_places(world):
    listed = {"web_search": {"process": ["US"], "store": "nothing"}}
    world.route("b1", rules=[allow("home-only", process=("EU",))], features=listed)
    assert ask(world.gateway).status == 200
    expect_error(ask(world.gateway, body_of(web_search_options={})), 403, "residency_denied")
    world.route("b1", rules=[allow("with-us", process=("EU", "US"))], features=listed)
    assert ask(world.gateway, body_of(web_search_options={})).status == 200


# ---- classes and narrowing ----

CLASSES = dict(classes=("public", "secret"), default="public", classify={"labels": ["header:x-data-class"], "unknown_label": "deny"})


def classed(world):
    rules = [allow("public-anywhere", ["public"]), allow("secret-at-home", ["secret"], process=("EU",))]
    world.gateway.apply(fleet(deployment("away", "b1", country="US"), deployment("home", "b2", priority=2)), residency(*rules, **CLASSES), tenants())


def test_labels_add_classes(world):
    classed(world)
    assert ask(world.gateway).status == 200 and world.contacted() == ["b1"]
    assert ask(world.gateway, headers=[("x-data-class", "secret")]).status == 200 and world.contacted() == ["b1", "b2"]
    assert ask(world.gateway, headers=[("X-Data-Class", "public")]).status == 200
    for value in ("Secret", "secret2", "nonsense", "", " ", ",", "public,", "public,,secret"):
        expect_error(ask(world.gateway, headers=[("x-data-class", value)]), 403, "unknown_data_class")
    assert world.contacted() == ["b1", "b2", "b1"]
    assert ask(world.gateway, headers=[("x-data-class", "public"), ("x-data-class", "secret")]).status == 200
    assert world.contacted()[-1] == "b2"


def test_every_class_needs_an_allow(world):
    """More classes never permit more, in one header or in two."""
    world.gateway.apply(fleet(deployment("away", "b1", country="US"), deployment("home", "b2", priority=2)),
                        residency(allow("public-abroad", ["public"], process=("US", "DE")), allow("secret-at-home", ["secret"], process=("EU",)), **CLASSES), tenants())
    assert ask(world.gateway).status == 200
    expect_error(ask(world.gateway, headers=[("x-data-class", "secret")]), 403, "residency_denied")
    assert world.contacted() == ["b1"]


def test_narrowing_only_narrows(world):
    world.gateway.apply(fleet(deployment("away", "b1", country="US"), deployment("home", "b2", priority=2)), residency(), tenants())
    assert ask(world.gateway).status == 200
    assert ask(world.gateway, headers=[("x-gatehouse-places", "EU")]).status == 200
    assert ask(world.gateway, headers=[("x-gatehouse-places", "SE, DE")]).status == 200
    assert world.contacted() == ["b1", "b2", "b2"]
    expect_error(ask(world.gateway, headers=[("x-gatehouse-places", "FR")]), 403, "residency_denied")
    world.gateway.apply(fleet(deployment("away", "b1", country="US")), residency(allow("home-only", process=("EU",))), tenants())
    for wider in ("US", "ANYWHERE", "US,EU"):
        expect_error(ask(world.gateway, headers=[("x-gatehouse-places", wider)]), 403, "residency_denied")
    assert world.contacted() == ["b1", "b2", "b2"]


OVERRIDES = {"api_base": "http://127.0.0.9:1", "base_url": "http://127.0.0.9:1", "fallbacks": ["m"], "extra_body": {"model": "x"}, "model_list": [{"model_name": "m"}],
             "deployment_id": "x"}


@pytest.mark.parametrize("features", ["denied", "accepted"])
@pytest.mark.parametrize("field", OVERRIDES)
def test_override_fields_do_not_steer(world, field, features):
    """Refused by name, whatever a rule says of unknown fields, and whatever the value is: nothing is sent anywhere."""
    world.route("b1", rules=[allow("all", **({"unlisted_features": "accepted"} if features == "accepted" else {}))])
    for value in (OVERRIDES[field], None, ""):
        expect_error(ask(world.gateway, body_of(**{field: value})), 400, "invalid_request")
    assert not world.contacted()


def test_inference_geo_narrows(world):
    """Beside the header, never more; and no backend sees it."""
    world.route("b1")
    assert ask(world.gateway, body_of(inference_geo="EU")).status == 200 and ask(world.gateway, body_of(inference_geo=None)).status == 200
    assert [b"inference_geo" in request.body for request in world.b1.requests] == [False, False]
    for geo, headers in (("us", ()), ("EU", [("x-gatehouse-places", "FR")]), ("FR", [("x-gatehouse-places", "EU")])):
        expect_error(ask(world.gateway, body_of(inference_geo=geo), headers=headers), 403, "residency_denied")
    for geo in ("", "atlantis", 7):
        expect_error(ask(world.gateway, body_of(inference_geo=geo)), 400, "invalid_places")
    assert len(world.b1.requests) == 2


@pytest.mark.parametrize("name, value", [("x-gatehouse-deployment", "b2"), ("x-gatehouse-backend", "b2"), ("x-gatehouse-tenant", "blue"), ("Host", "b2"),
                                         ("X-Forwarded-Host", "b2"), ("x-region", "us")])
def test_headers_do_not_steer(world, name, value):
    with Client(world.gateway.port) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\n" + (b"" if name == "Host" else b"Host: gateway.test\r\n") + f"{name}: {value}\r\n".encode()
                    + b"Authorization: Bearer " + world.gateway.key().encode() + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body_of())
                    + body_of())
        found = client.answer()
    assert found.status == 200 and world.contacted() == ["b1"] and world.b1.requests[0].header("host") == "b1"
    assert world.gateway.record(found.id)[0]["tenant"] == "red"


# ---- edits while requests run ----

def worker_of(gateway, request_id):
    return gateway.record(request_id, kinds=("decision",))[0]["_file"].split("-")[-2]


@pytest.fixture
def crowd(make_gateway, mock):
    """Four workers with a socket each, so that new connections spread over them."""
    one, two = mock("127.0.0.11", name="one"), mock("127.0.0.12", name="two")
    gateway = make_gateway([Backend("one", one), Backend("two", two)], workers=4)
    gateway.one, gateway.two = one, two
    gateway.apply()
    gateway.start()
    return gateway


@pytest.mark.slow
def test_apply_is_obeyed_by_the_next_request_in_every_worker(crowd):
    key = crowd.key()
    both = fleet(deployment("one"), deployment("two", priority=2, country="NO"))
    for turn in range(4):
        crowd.apply(both, residency(), tenants())
        crowd.one.clear(), crowd.two.clear()
        workers = {worker_of(crowd, ask(crowd, key=key).id) for _ in range(24)}
        assert len(workers) >= 3 and len(crowd.one.requests) == 24 and not crowd.two.requests
        crowd.apply(both, residency(forbids=[forbid("no-se", process=["SE"])]), tenants())
        before = crowd.one.bytes
        answers = [ask(crowd, key=key) for _ in range(24)]
        assert [a.status for a in answers] == [200] * 24 and len(crowd.two.requests) == 24 and crowd.one.bytes == before
        assert {line["revision"] for a in answers for line in crowd.record(a.id, kinds=("decision",)) if line["type"] == "decision"} == {crowd.revision}


def test_revoked_key_is_dead_in_every_worker(crowd):
    key = crowd.key(name="doomed")
    assert [ask(crowd, key=key).status for _ in range(16)] == [200] * 16
    crowd.command("key", "revoke", "acme/red/app/doomed")
    seen = len(crowd.one.requests)
    assert [ask(crowd, key=key).status for _ in range(24)] == [401] * 24
    assert len(crowd.one.requests) == seen and ask(crowd).status == 200


def test_new_key_works_at_once(crowd):
    for number in range(5):
        assert ask(crowd, key=crowd.key(name=f"fresh-{number}")).status == 200


def test_retry_after_is_shared_by_workers(crowd):
    crowd.one.play(provider_error(429, "wait", [("Retry-After", "300")]))
    key = crowd.key()
    assert all(ask(crowd, key=key).status == 200 for _ in range(24))
    assert len(crowd.one.requests) == 1 and len(crowd.two.requests) == 24


def test_edit_between_two_attempts(pair):
    """The second backend is forbidden while the first is being asked: nothing goes there."""
    gateway = pair
    both = fleet(deployment("inside"), deployment("outside", priority=2, country="US"))
    gateway.apply(both, residency(), tenants())
    gateway.start()
    gate = threading.Event()
    gateway.inside.play(Script(wait(gate, 60), send(b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}")))
    with Client(gateway.port) as client:
        client.request(body=body_of(), key=gateway.key())
        gateway.inside.wait_requests(1)
        gateway.apply(both, residency(forbids=[forbid("never-us", process=["US"])]), tenants())
        gate.set()
        found = client.answer()
    assert untouched(gateway.outside)
    expect_error(found, 403, "residency_denied")
    assert gateway.outcome(found.id)["end"] == "denied_late"


def test_edit_during_a_long_upload(pair):
    """No further byte of a running upload leaves once the edit is acknowledged and its backend forbidden."""
    gateway = pair
    gateway.apply(fleet(deployment("outside")), residency(), tenants())
    gateway.start()
    stalled, edited, ended = threading.Event(), threading.Event(), threading.Event()

    def stall(exchange):
        stalled.set()
        edited.wait(60)
        got = 0
        exchange.sock.settimeout(1.0)
        try:
            while data := exchange.sock.recv(1 << 16):
                got += len(data)
        except OSError:
            pass
        exchange.request.late = got
        ended.set()
    gateway.outside.play(Script(stall, at="head"))
    gateway.outside.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with Client(gateway.port) as client:
        client.request(body=body_of(text="x" * 16000000), key=gateway.key())
        assert stalled.wait(60)
        time.sleep(0.2)
        gateway.apply(fleet(deployment("outside")), residency(forbids=[forbid("never-se", process=["SE"])]), tenants())
        edited.set()
        found = client.answer()
    expect_error(found, 403, "residency_denied")
    assert ended.wait(60) and gateway.outside.requests[0].late < 4 << 20      # what the kernels already held may still arrive
    assert gateway.outcome(gateway.outside.requests[0].id)["end"] == "denied_late"


def test_revoked_key_between_two_attempts(pair):
    """R1 covers every dispatch: a key revoked meanwhile sends nothing further."""
    gateway = pair
    gateway.apply(fleet(deployment("inside"), deployment("outside", priority=2)), residency(), tenants())
    gateway.start()
    key, gate = gateway.key(name="doomed"), threading.Event()
    gateway.inside.play(Script(wait(gate, 60), send(b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}")))
    with Client(gateway.port) as client:
        client.request(body=body_of(), key=key)
        gateway.inside.wait_requests(1)
        gateway.command("key", "revoke", "acme/red/app/doomed")
        gate.set()
        expect_error(client.answer(), 401, "invalid_api_key")
    assert untouched(gateway.outside)


def test_apply_that_fails_changes_nothing(world):
    before = world.gateway.revision
    done = world.gateway.apply(fleet(deployment("one", "b1")), residency(allow("a", process=("NARNIA",))), tenants(), check=False)
    assert done.returncode == 1 and "NARNIA" in done.stderr + done.stdout
    found = ask(world.gateway)
    assert found.status == 200 and world.gateway.record(found.id)[0]["revision"] == before


def test_rule_with_a_last_day(world):
    """`until` is the last day, UTC, tested at each dispatch: yesterday's allow no longer fits, today's does."""
    day = lambda offset: time.strftime("%Y-%m-%d", time.gmtime(time.time() + offset * 86400))
    world.route("b1", rules=[allow("over", until=day(-1))])
    expect_error(ask(world.gateway), 403, "residency_denied")
    world.route("b1", rules=[allow("last-day", until=day(0))])
    assert ask(world.gateway).status == 200


# ---- two tenants ----

def test_two_tenants_are_isolated_under_cancels(crowd):
    """
    Each tenant has a backend of its own in one gateway, 3 threads a tenant, answers with nonces, a third of the clients leaving at a random moment.
    Nobody reads another's answer, and no request reaches another's backend.
    """
    crowd.apply(fleet(deployment("one", serves=["acme/red"]), deployment("two", serves=["acme/blue"], priority=2)), residency(), tenants())
    crowd.one.clear(), crowd.two.clear()
    slow = lambda request: stream(role(), *[delta(c) for c in request.json["messages"][-1]["content"]], usage_event(), DONE, gap=0.0005)
    crowd.one.always(slow), crowd.two.always(slow)
    keys = {name: crowd.key(f"acme/{name}/app") for name in ("red", "blue")}

    def run(tenant, seed):
        dice = random.Random(f"{tenant}{seed}")
        for number in range(40):
            nonce = f"{tenant}-{seed}-{number}-{dice.randrange(10 ** 6)}"
            with Client(crowd.port) as client:
                client.request(body=body_of(text=nonce, stream=True), key=keys[tenant])
                if dice.random() < 0.34:
                    time.sleep(dice.random() * 0.02)
                    client.leave(reset=dice.random() < 0.5)
                    continue
                found = client.answer()
            text = "".join(json.loads(one)["choices"][0]["delta"].get("content") or "" for one in events(found.body)[:-1])
            assert found.status == 200 and text == nonce, (nonce, found)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for job in [pool.submit(run, tenant, seed) for tenant in keys for seed in range(3)]:
            job.result()
    for mock, tenant in ((crowd.one, "red"), (crowd.two, "blue")):
        assert mock.requests and all(r.json["messages"][-1]["content"].startswith(tenant) for r in mock.requests)


def test_models_are_the_keys_own(crowd):
    crowd.apply(fleet(deployment("one", serves=["acme/red"], models={"red-model": "x"}), deployment("two", serves=["acme/blue"], models={"blue-model": "x"})),
                residency(), tenants())
    listed = lambda tenant: [one["id"] for one in get(crowd, "/v1/models", crowd.key(f"acme/{tenant}/app")).json["data"]]
    assert listed("red") == ["red-model"] and listed("blue") == ["blue-model"]
    expect_error(ask(crowd, body_of("blue-model")), 404, "model_not_found")
    assert not crowd.two.requests


def test_explain_agrees(world, tmp_path):
    """`gatehouse explain` gives the verdict the worker gave."""
    world.gateway.apply(fleet(deployment("away", "b1", country="US"), deployment("home", "b2", priority=2)), residency(allow("home-only", process=("EU",))), tenants())
    found = ask(world.gateway)
    assert world.contacted() == ["b2"]
    path = tmp_path / "request.json"
    path.write_bytes(body_of())
    done = world.gateway.command("explain", "--request", path, "--key", world.gateway.key(), "--node", "node-1")
    lines = {words[1]: line for line in done.stdout.splitlines() if len(words := line.split()) > 1 and words[0] in ("yes", "no")}
    assert lines["home"].startswith("yes") and lines["away"].startswith("no") and "home-only" in lines["away"] and "US" in lines["away"], done.stdout
    told = world.gateway.command("explain", found.id, "--audit", world.gateway.audit).stdout
    assert "home" in told and "away" in told and "acme/red/app" in told
    path.write_bytes(body_of(field_of_tomorrow=1))
    done = world.gateway.command("explain", "--request", path, "--key", world.gateway.key(), "--node", "node-1", check=False)
    assert done.returncode == 3 and "field_of_tomorrow" in done.stdout + done.stderr
