"""Responses that a deployment keeps: read, cancelled, deleted, and their input listed, where they were made and nowhere else."""
import json
import threading

import openai
import pytest

import documents
import ledger
from client import Client, expect_error
from limits import limit, settled
from mock_backend import Script, answer, head, stream
from test_responses import BEGINNING, DONE, HANDLE, KEPT, WHOLE, WORDS, asks, body_of, decision, event, item, plain, response, sdk_of

pytestmark = pytest.mark.sanitizer

NATIVE = response()["id"]


def told(value, status=200):
    return answer(body=json.dumps(value).encode(), status=status)


def kept(world, path, method="GET", key=None, body=None, headers=()):
    with Client(world.gateway.port) as client:
        return client.request(path, body, key or world.gateway.key(), headers, method).answer()


@pytest.fixture
def site(world):
    world.route("b1", "b2", endpoints=["responses"], models={"m": "up"}, features={**KEPT, "background": KEPT["store"]})
    return world


@pytest.fixture
def made(site):
    """Made by b2, since b1 failed: who asks for it later has to come there."""
    site.b1.play(answer(status=500))
    site.b2.play(plain())
    found = json.loads(asks(site).body)
    site.b1.clear()
    return found


def test_sdk(site, authority, made):
    sdk = sdk_of(site, authority)
    site.b2.play(plain(), told(response(status="cancelled")), told({"object": "list", "data": [item(3), item(4)], "first_id": "msg_3", "last_id": "msg_4", "has_more": True}),
                 told({"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}),
                 told({"id": NATIVE, "object": "response", "deleted": True}))
    found = sdk.responses.retrieve(made["id"], include=["reasoning.encrypted_content"])
    assert found.id == made["id"] and found.output[0].id == made["output"][0]["id"] and found.output_text == "hello"
    assert sdk.responses.cancel(made["id"]).status == "cancelled"
    items = list(sdk.responses.input_items.list(made["id"], limit=2, order="asc"))
    assert [one.id for one in items] == [items[0].id, items[1].id] and all(HANDLE.match(one.id) for one in items)
    sdk.responses.delete(made["id"])
    asked = [(one.method, one.target, one.body) for one in site.b2.requests[1:]]
    assert asked == [("GET", f"/v1/responses/{NATIVE}?include%5B%5D=reasoning.encrypted_content", b""), ("POST", f"/v1/responses/{NATIVE}/cancel", b""),
                     ("GET", f"/v1/responses/{NATIVE}/input_items?limit=2&order=asc", b""),
                     ("GET", f"/v1/responses/{NATIVE}/input_items?limit=2&order=asc&after=msg_4", b""), ("DELETE", f"/v1/responses/{NATIVE}", b"")]
    assert [one.header("content-length") for one in site.b2.requests[1:]] == [None, "0", None, None, None]
    assert not site.b1.requests[1:]


def test_the_record_and_the_limits(world):
    world.route("b1", endpoints=["responses"], models={"m": "up"}, features=KEPT,
                tenants=documents.tenants(red={"limits": [limit("requests", 3), limit("output", 10 ** 6)]}))
    world.b1.play(plain(), plain(), told({"id": NATIVE, "object": "response", "deleted": True}))
    made = json.loads(asks(world).body)["id"]
    found = kept(world, f"/v1/responses/{made}")
    assert found.status == 200
    line, outcome = decision(world, found), world.gateway.outcome(found.id)
    assert (line["verdict"], line["endpoint"], line["operation"], line["model"], line["bytes"]) == ("allow", "responses", "retrieve", "m", 0)
    assert line["pin"] == {"deployment": line["pin"]["deployment"], "where": "path", "response": NATIVE} and line["pin"]["deployment"].startswith("b1-")
    assert line["features"] == [{"name": "store", "where": "path"}] and "uninspected" not in line
    assert outcome["attempts"][0]["status"] == 200 and outcome["end"] == "complete" and "usage" not in outcome
    assert outcome["attempts"][0]["charged"]["source"] == "nothing" and not outcome["charged"].get("output")
    assert decision(world, kept(world, f"/v1/responses/{made}", "DELETE"))["operation"] == "delete"
    expect_error(kept(world, f"/v1/responses/{made}"), 429)
    assert len(world.b1.requests) == 3


def test_what_went_on_in_the_background(world):
    """The record says what it took, once it is told; what was charged stays, however often it is told."""
    world.route("b1", endpoints=["responses"], models={"m": "up"}, features={**KEPT, "background": KEPT["store"]},
                tenants=documents.tenants(red={"limits": [limit("output", 10 ** 6)]}))
    world.b1.play(told(response(status="queued")), told(response(status="in_progress")), *[told(response(output=[item()]))] * 2, stream(*DONE))
    made = asks(world, body_of(background=True, max_output_tokens=500))
    (mine,) = decision(world, made)["reserve"]["limits"]

    def counted():
        settled(world.gateway)
        counters, _ = ledger.read(world.gateway.home / "ledger")
        return [one["value"] for one in counters if all(one[name] == mine[name] for name in ("level", "uid", "dimension", "window"))]
    before = counted()
    assert len(before) == 1 and before[0] >= 500
    assert world.gateway.outcome(made.id)["attempts"][0]["charged"]["output"] == 500
    usage = {"input": 11, "cached": 3, "cache_write": 0, "output": 7, "reasoning": 2}
    path = f"/v1/responses/{made.json['id']}"
    for query, status, took in (("", "in_progress", None), ("", "completed", usage), ("", "completed", usage), ("?stream=true&starting_after=5", "completed", usage)):
        found = kept(world, path + query)
        assert found.status == 200 and found.header("x-ratelimit-remaining-tokens") is None
        outcome = world.gateway.outcome(found.id)
        assert outcome["response"] == {"id": NATIVE, "status": status, **({"usage": took} if took else {})}
        assert not outcome["charged"].get("output") and "usage" not in outcome
    assert counted() == before


@pytest.mark.parametrize("split", [1, 100000])
def test_a_stream_is_told_again(site, made, split):
    whole = b"".join([*WORDS, *DONE])
    site.b2.play(stream(*(whole[at:at + split] for at in range(0, len(whole), split))))
    found = kept(site, f"/v1/responses/{made['id']}?stream=true&starting_after=3")
    assert found.status == 200 and found.whole and site.b2.requests[1].target == f"/v1/responses/{NATIVE}?stream=true&starting_after=3"
    assert found.body == whole.replace(NATIVE.encode(), made["id"].encode()).replace(b"msg_1", made["output"][0]["id"].encode())
    assert decision(site, found)["stream"] is True and site.gateway.outcome(found.id)["end"] == "complete"


def test_a_stream_that_failed_or_breaks(site, made):
    """That it failed is what is told again; that its telling breaks is an error."""
    failed = event("response.failed", 4, response=response(status="failed", error={"code": "server_error", "message": "m"}))
    site.b2.play(stream(failed), stream(*BEGINNING))
    found = kept(site, f"/v1/responses/{made['id']}?stream=true")
    assert found.status == 200 and b"response.failed" in found.body and site.gateway.outcome(found.id)["end"] == "complete"
    found = kept(site, f"/v1/responses/{made['id']}?stream=true")
    assert found.status == 200 and b"backend_stream_broken" in found.body and site.gateway.outcome(found.id)["end"] == "cut"


def test_sdk_streams(site, authority, made):
    site.b2.play(stream(*WHOLE))
    events = list(sdk_of(site, authority).responses.retrieve(made["id"], stream=True))
    assert events[-1].type == "response.completed" and events[-1].response.id == made["id"]


def test_it_is_passed_on_at_once(site, made):
    """There is nowhere else to go: no first word is waited for."""
    more = threading.Event()

    def script(exchange):
        exchange.send(head(200, [("content-type", "text/event-stream"), ("connection", "close")]) + BEGINNING[0])
        assert more.wait(60)
        exchange.send(b"".join(WHOLE[1:]))
        exchange.close()
    site.b2.play(Script(script))
    with Client(site.gateway.port) as client:
        client.request(f"/v1/responses/{made['id']}?stream=true", None, site.gateway.key(), (), "GET")
        parts = client.parts(client.head())
        first = next(parts)
        assert b"response.created" in first and made["id"].encode() in first
        more.set()
        assert b"response.completed" in b"".join(parts)


def test_azures_urls(world, authority):
    world.route("b1", dialect="azure-classic", api_version="2025-04-01-preview", endpoints=["responses"], models={"m": "up"}, features=KEPT)
    world.b1.play(*[plain()] * 4)
    made = json.loads(asks(world, path="/openai/responses?api-version=2025-03-01-preview").body)["id"]
    for path in (f"/openai/responses/{made}?api-version=2099-01-01&include=reasoning.encrypted_content", f"/openai/v1/responses/{made}?include=reasoning.encrypted_content"):
        assert kept(world, path).status == 200
        assert world.b1.requests[-1].target == f"/openai/responses/{NATIVE}?api-version=2025-04-01-preview&include=reasoning.encrypted_content"
    assert kept(world, f"/openai/responses/{made}/cancel?api-version=2025-03-01-preview", "POST").status == 200
    assert world.b1.requests[-1].target == f"/openai/responses/{NATIVE}/cancel?api-version=2025-04-01-preview"
    with pytest.raises(openai.NotFoundError):
        sdk_of(world, authority).responses.retrieve(NATIVE)


def test_ids_that_were_not_given_out(site, made):
    """The client is told nothing of why; the record knows."""
    blue = site.gateway.key("acme/blue/app")
    deployment = decision(site, kept(site, f"/v1/responses/{made['id']}"))["pin"]["deployment"]
    forged = made["id"][:-1] + ("A" if made["id"][-1] != "A" else "Q")
    site.b2.clear()
    before = len(site.b2.requests)
    for id, key, why, of in ((NATIVE, None, "handle_unknown", None), (forged, None, "handle_unknown", None), (made["output"][0]["id"], None, "handle_kind", deployment),
                             (made["id"], blue, "handle_foreign", deployment), ("input_tokens", None, "handle_unknown", None)):
        for method, behind in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            found = expect_error(kept(site, f"/v1/responses/{id}{behind}", method, key), 404, "state_not_found")
            assert found.error["param"] is None and found.error["message"].startswith("path names no response")
        line = decision(site, found)
        assert (line["verdict"], line["code"], line["operation"], line["tenant"]) == ("deny", "state_not_found", "input_items", "blue" if key else "red")
        assert line["unopened"] == {"why": why, "where": "path", **({"deployment": of} if of else {})}
    assert len(site.b2.requests) == before


def test_ids_of_items_in_the_query(site, made):
    site.b1.play(plain())
    other = json.loads(asks(site).body)
    for after, why in (("msg_1", "handle_unknown"), (made["id"], "handle_kind"), (other["output"][0]["id"], "handle_elsewhere")):
        found = expect_error(kept(site, f"/v1/responses/{made['id']}/input_items?after={after}"), 404, "state_not_found")
        assert decision(site, found)["unopened"]["why"] == why and decision(site, found)["unopened"]["where"] == "query after"
    site.b2.play(told({"object": "list", "data": [], "has_more": False}))
    assert kept(site, f"/v1/responses/{made['id']}/input_items?after={made['output'][0]['id']}").status == 200
    assert site.b2.requests[-1].target.endswith("/input_items?after=msg_1")


@pytest.mark.parametrize("query, status, code", [("stream=yes", 400, "invalid_request"), ("starting_after=-1", 400, "invalid_request"),
                                                 ("stream=true&stream=true", 400, "invalid_request"), ("a=%zz", 400, "invalid_request"),
                                                 ("limit=2", 403, "residency_denied"), ("include=what.nobody.knows", 403, "residency_denied")])
def test_queries(site, made, query, status, code):
    before = len(site.b2.requests)
    expect_error(kept(site, f"/v1/responses/{made['id']}?{query}"), status, code)
    assert len(site.b2.requests) == before


def test_bodies_and_methods(site, made):
    path = f"/v1/responses/{made['id']}"
    site.b2.play(plain(), plain())
    assert kept(site, path + "/cancel", "POST", body=b"{}").status == 200 and site.b2.requests[-1].body == b""
    assert kept(site, path + "/cancel", "POST", body=b"").status == 200
    expect_error(kept(site, path + "/cancel", "POST", body=b'{"a":1}'), 400, "invalid_request")
    for method, behind, allow in (("POST", "", "GET, DELETE"), ("GET", "/cancel", "POST"), ("POST", "/input_items", "GET")):
        found = expect_error(kept(site, path + behind, method), 405, "method_not_allowed")
        assert found.header("allow") == allow
    for behind in ("/other", "/cancel/", "/"):
        expect_error(kept(site, path + behind), 404, "unknown_endpoint")
    for path in ("/v1/responses/input_tokens", "/v1/responses/compact"):
        expect_error(kept(site, path, "POST", body=b"{}"), 404, "unknown_endpoint")


def test_policy_judges_the_place_anew(world):
    def deployment(name, country, **more):
        return documents.deployment(name, name, **{"endpoints": ["responses"], "models": {"m": "up"}, "country": country, "features": {"store": {"process": [country], "store": {"in": [country], "days": 30}}}, **more})
    gateway, both = world.gateway, [deployment("b1", "SE"), deployment("b2", "FR", priority=2)]
    world.route("b1", "b2")
    gateway.apply(documents.fleet(*both), documents.residency(), documents.tenants())
    world.b1.play(plain())
    made = json.loads(asks(world).body)["id"]
    gateway.apply(documents.fleet(*both), documents.residency(forbids=[documents.forbid("not-se", process=("SE",))]), documents.tenants())
    for method, behind in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        found = expect_error(kept(world, f"/v1/responses/{made}{behind}", method), 403, "residency_denied")
        assert decision(world, found)["rule"] == "not-se"
    gateway.apply(documents.fleet(*both), documents.residency(documents.allow("here", store="nothing")), documents.tenants())
    expect_error(kept(world, f"/v1/responses/{made}"), 403, "residency_denied")
    world.b1.play(told({"id": NATIVE, "object": "response", "deleted": True}))
    assert kept(world, f"/v1/responses/{made}", "DELETE").status == 200      # ending what is kept keeps nothing
    for fleet in ([both[1]], [deployment("b1", "SE", endpoints=["chat.completions"]), both[1]], [deployment("b1", "SE", endpoints=["chat.completions"])]):
        gateway.apply(documents.fleet(*fleet), documents.residency(), documents.tenants())
        found = expect_error(kept(world, f"/v1/responses/{made}"), 404, "state_not_found")
        assert found.error["message"] == f"What this request names is kept where it cannot be asked for any more (request {found.id})."
    assert len(world.b1.requests) == 2 and not world.b2.requests


def test_the_providers_error_passes(site, made):
    said = {"error": {"message": "gone", "type": "invalid_request_error", "param": "id", "code": None}}
    site.b2.play(told(said, 404), told(said, 503))
    for status in (404, 503):
        found = kept(site, f"/v1/responses/{made['id']}")
        assert found.status == status and found.json == said
    assert not site.b1.requests[1:]


def test_explain_of_what_is_kept(site, made):
    """What `explain` says of a kept response's URL is what becomes of it: asked where it is kept, or nobody."""
    def explains(url, *more, key=None, code=0):
        done = site.gateway.command("explain", "--url", url, "--key", key or site.gateway.key(), "--node", "node-1", *more, check=False)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    path = f"/v1/responses/{made['id']}"
    for url, more, operation in ((path, (), "retrieve"), (path + "?stream=true", (), "retrieve"), (path + "/cancel", (), "cancel"), (path, ("--method", "DELETE"), "delete"),
                                 (f"{path}/input_items?after={made['output'][0]['id']}", (), "input_items"), ("/openai" + path, ("--method", "GET"), "retrieve")):
        told = json.loads(explains(url, *more, "--json"))
        assert told["intake"]["operation"] == operation and told["intake"]["model"] == "m" and told["intake"]["stream"] == ("stream" in url)
        assert told["intake"]["pin"] == {"deployment": f"b2-{site.turn}", "where": "path"}
        assert [one["deployment"] for one in told["decision"]["route"]] == [f"b2-{site.turn}"]
    words = explains(path)
    assert f"State: what path names is kept by deployment b2-{site.turn}." in words and "asks for m at responses, to read what is kept" in words
    assert "state_not_found: path names no response that was given out here" in explains(path, key=site.gateway.key("acme/blue/app"), code=1)
    assert "state_not_found" in explains(f"/v1/responses/{NATIVE}", code=1)
    assert "--request FILE is missing" in explains("/v1/responses", code=64)
    assert "method_not_allowed" in explains(path, "--method", "PUT", code=1)
    assert "the gateway answers itself" in explains("/v1/models", "--method", "GET", code=1)
    assert len(site.b2.requests) == 1
    expect_error(kept(site, path, key=site.gateway.key("acme/blue/app")), 404, "state_not_found")

    site.gateway.apply(documents.fleet(documents.deployment(f"b2-{site.turn}", "b2", endpoints=["responses"], models={"m": "up"}, features=KEPT, country="US")),
                       documents.residency(documents.allow("se", process=("SE", "DE"))), documents.tenants())
    assert "residency_denied" in explains(path, code=3)
    expect_error(kept(site, path), 403, "residency_denied")
