"""Anthropic's Messages: clients of it in front of deployments that speak it. Bytes pass as they come, errors are told in its words."""
import json

import anthropic
import httpx2
import pytest

import documents
from client import Client, ask, get, tls_context
from mock_backend import answer, stream

pytestmark = pytest.mark.sanitizer

ENDPOINTS = ["messages", "messages.count_tokens"]
HELLO = [{"role": "user", "content": "hello, world"}]
USAGE = {"input_tokens": 11, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 20, "output_tokens": 7}
ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn",
          "stop_sequence": None, "usage": USAGE}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}


def body_of(**more):
    return json.dumps({"model": "m", "max_tokens": 100, "messages": HELLO, **more}).encode()


STREAM = body_of(stream=True)


def event(kind, **members):
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())


START = event("message_start", message={**ANSWER, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}})
PING = event("ping")
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
WORDS = [event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in ("one ", "two")]
BLOCK_END = event("content_block_stop", index=0)
END = [event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7}), event("message_stop")]
WHOLE = [START, PING, BLOCK, *WORDS, BLOCK_END, *END]
BEGINNING = [START, PING, BLOCK]


@pytest.fixture
def site(world):
    world.route("b1", "b2", dialect="anthropic", endpoints=ENDPOINTS, models={"m": "up"})
    return world


def asks(world, body=None, path="/v1/messages", key=None, headers=(), **more):
    """As Anthropic's SDKs do: the key in x-api-key."""
    with Client(world.gateway.port) as client:
        return client.request(path, body or body_of(), None, [("x-api-key", key or world.gateway.key()), ("anthropic-version", "2023-06-01"), *headers],
                              **more).answer()


def expect_error(found, status, kind, code):
    assert found.status == status and found.header("content-type") == "application/json", (found.status, found.body)
    told = json.loads(found.body)
    assert set(told) == {"type", "error", "request_id"} and told["type"] == "error" and told["error"]["type"] == kind
    assert told["error"]["message"].startswith(code + ": ") and told["request_id"] == found.header("request-id") == found.header("x-request-id")


def claude(world, authority, **more):
    return anthropic.Anthropic(base_url=f"https://127.0.0.1:{world.gateway.tls_port}", max_retries=0, timeout=60,
                               http_client=httpx2.Client(verify=tls_context(authority)), **more)


def test_an_answer_passes_byte_for_byte(site):
    raw = json.dumps(ANSWER, indent=1).encode()
    site.b1.play(answer(body=raw, headers=[("request-id", "req_9"), ("anthropic-ratelimit-requests-remaining", "3")]))
    found = asks(site, body_of(temperature=1.0))
    assert found.status == 200 and found.body == raw
    assert found.header("request-id") == found.header("x-request-id") and found.header("anthropic-ratelimit-requests-remaining") is None
    sent = site.b1.requests[0]
    assert sent.target == "/v1/messages" and sent.header("x-api-key") == "secret-of-b1" and sent.header("authorization") is None
    assert sent.all("anthropic-version") == ["2023-06-01"] and sent.body == body_of(temperature=1.0).replace(b'"m"', b'"up"', 1)
    outcome = site.gateway.outcome(found.id)
    assert (outcome["usage"]["input"], outcome["usage"]["cached"], outcome["usage"]["cache_write"], outcome["usage"]["output"]) == (11, 300, 20, 7)
    assert outcome["usage"]["source"] == "reported"


@pytest.mark.parametrize("split", [1, 7, 100000])
def test_a_stream_passes_byte_for_byte(site, split):
    whole = b"".join(WHOLE)
    site.b1.play(stream(*(whole[at:at + split] for at in range(0, len(whole), split))))
    found = asks(site, STREAM)
    assert found.status == 200 and found.whole and found.body == b"".join(WHOLE)
    usage = site.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["cache_write"], usage["output"], usage["source"]) == (11, 300, 20, 7, "reported")
    assert len(site.b2.requests) == 0


@pytest.mark.parametrize("way", [dict(api_key=True), dict(auth_token=True)])
def test_sdk(site, authority, way):
    site.b1.play(answer(body=json.dumps(ANSWER).encode()), stream(*WHOLE), answer(body=b'{"input_tokens":42}'))
    sdk = claude(site, authority, **{name: site.gateway.key() for name in way})
    assert sdk.messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hello"
    with sdk.messages.stream(model="m", max_tokens=9, messages=HELLO) as parts:
        assert "".join(parts.text_stream) == "one two" and parts.get_final_message().usage.output_tokens == 7
    assert sdk.messages.count_tokens(model="m", messages=HELLO).input_tokens == 42
    assert [one.id for one in sdk.models.list()] == ["m"]
    assert [request.target for request in site.b1.requests] == ["/v1/messages", "/v1/messages", "/v1/messages/count_tokens"]


def test_the_path_of_foundry(site):
    site.b1.play(answer(body=json.dumps(ANSWER).encode()))
    assert asks(site, path="/anthropic/v1/messages?x=1").status == 200 and site.b1.requests[0].target == "/v1/messages"


def test_betas_pass_unchanged(site):
    site.b1.play(answer(body=json.dumps(ANSWER).encode()))
    flags = "context-1m-2025-08-07,interleaved-thinking-2025-05-14"
    assert asks(site, headers=[("anthropic-beta", flags), ("anthropic-workspace-id", "w"), ("x-stainless-lang", "python")]).status == 200
    sent = site.b1.requests[0]
    assert sent.all("anthropic-beta") == [flags] and sent.header("anthropic-workspace-id") is None and sent.header("x-stainless-lang") is None


def test_what_is_not_listed_is_denied(site):
    for more, headers, named in (({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}, (), "mcp_servers"),
                                 ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, (), "tools[0].type"),
                                 ({"of_tomorrow": 1}, (), "of_tomorrow"),
                                 ({}, [("anthropic-beta", "context-1m-2025-08-07,of-tomorrow")], "header anthropic-beta=of-tomorrow")):
        site.route("b1", dialect="anthropic", endpoints=ENDPOINTS, models={"m": "up"},
                   rules=[documents.allow("here", process=["SE", "DE"], store="nothing")])
        found = asks(site, body_of(**more), headers=headers)
        expect_error(found, 403, "permission_error", "residency_denied")
        assert f'"{named}"' in json.loads(found.body)["error"]["message"] and not site.b1.requests


CLAUDE = {"provider": "anthropic", "partition": "anthropic", "country": None, "dialect": "anthropic", "endpoints": ["messages"], "operator_home": "US", "models": {"m": "up"}}
IN_US = {"nodes": [{"id": "node-1", "country": "US"}]}


def geo_site(world, **rule):
    """One account, and two deployments of it: one whose requests say where they are to be run."""
    fleet = documents.fleet(documents.deployment("cheap", "b1", priority=1, **CLAUDE), documents.deployment("american", "b1", priority=2, inference_geo="us", **CLAUDE), **IN_US)
    world.gateway.apply(fleet, documents.residency(documents.allow("all", **rule)), documents.tenants())


def sent(world):
    return [json.loads(request.body).get("inference_geo") for request in world.b1.requests]


def test_inference_geo_is_the_deployments(world):
    """A rule that wants the United States gets the deployment that asks for them; what a client says is not sent on, and narrows."""
    world.route()
    reply = answer(body=json.dumps(ANSWER).encode())
    world.b1.play(*[reply] * 9)
    geo_site(world)
    for more in ({}, {"inference_geo": "global"}, {"inference_geo": None}, {"inference_geo": "us"}):
        assert asks(world, body_of(**more)).status == 200, more
    assert sent(world) == [None, None, None, "us"]
    geo_site(world, process=["US"])
    for more in ({}, {"inference_geo": "global"}, {"inference_geo": "us"}):
        assert asks(world, body_of(**more)).status == 200, more
    assert sent(world)[4:] == ["us", "us", "us"]
    for more in ({"inference_geo": "de"}, {"inference_geo": "EEA"}):
        expect_error(asks(world, body_of(**more)), 403, "permission_error", "residency_denied")
    chat = json.dumps({"model": "m", "messages": HELLO, "inference_geo": "us"}).encode()
    found = ask(world.gateway, chat)                                                # translated
    assert found.status == 200 and sent(world)[7:] == ["us"]
    raw = b'{ "inference_geo" :"us" , "model":"m","max_tokens":1.0e1,"messages":[{"role":"user","content":"hi"}]}'
    geo_site(world)
    assert asks(world, raw.replace(b'"us"', b'"global"').replace(b"1.0e1", b"10")).status == 200
    assert world.b1.requests[-1].body == b'{  "model":"up","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}'


def test_errors_in_its_words(site):
    expect_error(asks(site, key="gh_" + "x" * 49), 401, "authentication_error", "invalid_api_key")
    expect_error(get(site.gateway, "/v1/messages", method="POST"), 401, "authentication_error", "invalid_api_key")
    expect_error(asks(site, b"{}"), 400, "invalid_request_error", "invalid_request")
    expect_error(asks(site, body_of(inference_geo="nowhere")), 400, "invalid_request_error", "invalid_places")
    expect_error(asks(site, body_of(inference_geo=["us"])), 400, "invalid_request_error", "invalid_places")
    expect_error(asks(site, body_of(model="nobody")), 404, "not_found_error", "model_not_found")
    expect_error(get(site.gateway, "/v1/messages", headers=[("anthropic-version", "2023-06-01")]), 405, "invalid_request_error", "method_not_allowed")
    expect_error(asks(site, b"{", length=40 << 20), 413, "request_too_large", "request_too_large")
    assert not site.b1.requests and not site.b2.requests
    site.b1.refuse(), site.b2.refuse()
    try:
        expect_error(asks(site), 529, "overloaded_error", "no_healthy_backend")
    finally:
        site.b1.listen(), site.b2.listen()


def test_two_keys_that_differ(site):
    expect_error(ask(site.gateway, body_of(), path="/v1/messages", headers=[("x-api-key", "gh_" + "x" * 49)]), 401, "authentication_error", "invalid_api_key")
    site.b1.play(answer(body=json.dumps(ANSWER).encode()))
    assert ask(site.gateway, body_of(), path="/v1/messages", headers=[("x-api-key", site.gateway.key())]).status == 200


def test_an_error_of_the_provider_passes(site):
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too many"}, "request_id": "req_1"}
    site.b1.play(answer(body=json.dumps(said).encode(), status=400))
    found = asks(site)
    assert found.status == 400 and json.loads(found.body) == said and not site.b2.requests


@pytest.mark.parametrize("said", [[event("error", error={"type": "overloaded_error", "message": "Overloaded"})],
                                  [*BEGINNING, event("error", error={"type": "api_error", "message": "Internal"})], BEGINNING, []])
def test_what_fails_before_the_first_delta_goes_to_another(site, said):
    site.b1.play(stream(*said))
    site.b2.play(stream(*WHOLE))
    found = asks(site, STREAM)
    assert found.status == 200 and found.body == b"".join(WHOLE) and site.contacted() == ["b1", "b2"]


@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_status_that_another_may_not_have(site, status):
    site.b1.play(answer(body=json.dumps(OVERLOADED).encode(), status=status))
    site.b2.play(answer(body=json.dumps(ANSWER).encode()))
    assert asks(site).status == 200 and site.contacted() == ["b1", "b2"]


def test_an_error_behind_a_delta_ends_the_stream(site):
    broken = [*BEGINNING, WORDS[0], event("error", error={"type": "overloaded_error", "message": "Overloaded"})]
    site.b1.play(stream(*broken, *END))
    found = asks(site, STREAM)
    assert found.body == b"".join([*broken, END[0]]) and site.contacted() == ["b1"]
    assert site.gateway.outcome(found.id)["end"] == "cut"


@pytest.mark.parametrize("count", range(4, 7))
def test_a_stream_that_is_cut_ends_in_an_error(site, count):
    site.b1.play(stream(*WHOLE[:count]))
    found = asks(site, STREAM)
    kinds = [json.loads(line[6:])["type"] for line in found.body.decode().splitlines() if line.startswith("data: ")]
    assert kinds[-1] == "error" and "message_stop" not in kinds and site.contacted() == ["b1"]
    last = json.loads(found.body.decode().strip().splitlines()[-1][6:])
    assert last["error"]["type"] == "api_error" and last["error"]["message"].startswith("backend_stream_broken: ") and last["request_id"] == found.id
    assert found.body.decode().count("event: error\n") == 1


@pytest.mark.parametrize("piece", [WORDS[1][:1], WORDS[1][:7], WORDS[1][:27], WORDS[1][:60], WORDS[1][:-2], WORDS[1][:-1], b": comm"])
def test_a_stream_that_is_cut_inside_of_an_event(site, piece):
    """What had been passed on of it is ended, and nothing of the error is taken for more of it."""
    begun = b"".join([*BEGINNING, WORDS[0]])
    site.b1.play(stream(begun, piece))
    found = asks(site, STREAM)
    assert found.body.startswith(begun + piece + b"\n\nevent: error\ndata: {") and found.body.endswith(b"}\n\n"), found
    last = json.loads(found.body[len(begun + piece):].split(b"data: ")[1])
    assert last["error"]["message"].startswith("backend_stream_broken: ") and site.gateway.outcome(found.id)["end"] == "cut" and site.contacted() == ["b1"]


def test_sdk_hears_of_a_stream_that_is_cut(site, authority):
    site.b1.play(stream(*WHOLE[:5]))
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(claude(site, authority, api_key=site.gateway.key()).messages.create(model="m", max_tokens=9, messages=HELLO, stream=True))
    assert "backend_stream_broken" in str(caught.value)
