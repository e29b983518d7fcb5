"""What stands in headers, between dialects: a provider's allowances, service tiers, flags of betas."""
import json
import urllib.parse

import pytest

import anthropic_shapes as shapes
import documents
from client import ask
from mock_backend import answer, completion, provider_error

pytestmark = pytest.mark.sanitizer

HELLO = [{"role": "user", "content": "hello"}]
CLAUDE = "eu.anthropic.claude-x-v1:0"
CHAT, MESSAGES = {}, {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "claude-x"}}
INVOKE, CONVERSE = ({"dialect": "bedrock", "endpoints": [name], "models": {"m": CLAUDE}} for name in ("invoke", "converse"))
TIER, BETA = "x-amzn-bedrock-service-tier", "anthropic-beta"
REQUESTS = [("x-ratelimit-limit-requests", "100"), ("x-ratelimit-remaining-requests", "7"), ("x-ratelimit-reset-requests", "6")]     # Azure's seconds
TOKENS = [("x-ratelimit-limit-tokens", "-1"), ("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-reset-tokens", "1m30s")]
OF_ANTHROPIC = [("anthropic-ratelimit-requests-limit", "100"), ("anthropic-ratelimit-requests-remaining", "7"), ("anthropic-ratelimit-input-tokens-remaining", "9")]


def messages(world, headers=(), **more):
    return ask(world.gateway, json.dumps({"model": "m", "max_tokens": 9, "messages": HELLO, **more}).encode(), path="/v1/messages", headers=list(headers))


def native(world, operation, body, headers=()):
    return ask(world.gateway, json.dumps(body).encode(), path="/model/m/" + operation, headers=list(headers))


def invoke(world, headers=()):
    return native(world, "invoke", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO}, headers)


def limits_of(found):
    return {name: value for name, value in found.headers if "ratelimit" in name}


# ---- what an account has left ----

def own(world, deployment, serves=("acme/red",), **more):
    world.route("b1", **{**deployment, "serves": list(serves)}, **more)


def test_allowances_of_a_tenants_own_account(world):
    """In the words of the client's API; -1 is nothing said."""
    own(world, CHAT)
    world.b1.play(*[answer(200, completion(), REQUESTS + TOKENS)] * 2)
    told = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "6s", "x-ratelimit-reset-tokens": "1m30s"}
    assert limits_of(ask(world.gateway)) == told
    found = limits_of(messages(world))
    assert found.pop("anthropic-ratelimit-requests-reset").endswith("Z") and found.pop("anthropic-ratelimit-tokens-reset").startswith("20")
    assert found == {"anthropic-ratelimit-requests-limit": "100", "anthropic-ratelimit-requests-remaining": "7"}
    own(world, MESSAGES)
    world.b1.play(answer(200, shapes.message({"type": "text", "text": "x"}), OF_ANTHROPIC))
    assert limits_of(ask(world.gateway)) == {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "7", "x-ratelimit-remaining-input-tokens": "9"}
    own(world, CHAT)
    world.b1.play(provider_error(429, headers=[("x-ratelimit-limit-requests", "100"), ("x-ratelimit-remaining-requests", "0"), ("x-should-retry", "false")]))
    found = ask(world.gateway)
    assert found.status == 429 and limits_of(found) == {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "0"}


def test_a_key_s_own_limit_stands_first(world):
    own(world, CHAT, tenants=documents.tenants(red={"limits": [{"dimension": "requests", "per": "day", "amount": 50, "class": "rate"}]}))
    world.b1.play(answer(200, completion(), REQUESTS + [("x-ratelimit-remaining-tokens", "1234")]))
    found = limits_of(ask(world.gateway))
    assert (found["x-ratelimit-limit-requests"], found["x-ratelimit-remaining-requests"], found["x-ratelimit-remaining-tokens"]) == ("50", "49", "1234")


@pytest.mark.parametrize("serves", [["acme"], ["acme/red", "acme/blue"], ["acme/*"], ["acme/re*"]])
def test_allowances_of_a_shared_account(world, serves):
    """They would say what its other tenants do."""
    own(world, CHAT, serves)
    world.b1.play(answer(200, completion(), REQUESTS))
    assert ask(world.gateway).status == 200 and limits_of(ask(world.gateway)) == {}


def test_an_account_is_a_backend_s(world):
    """Another deployment of the same backend serves others: it is shared."""
    world.route("b1")
    fleet = documents.fleet(documents.deployment("own", "b1", serves=["acme/red"]), documents.deployment("other", "b1", models={"n": "n"}))
    world.gateway.apply(fleet, documents.residency(), documents.tenants())
    world.b1.play(answer(200, completion(), REQUESTS))
    found = ask(world.gateway)
    assert found.status == 200 and limits_of(found) == {}


# ---- service tiers ----

def reply(kind):
    return answer(200, shapes.message({"type": "text", "text": "x"}) if kind in ("invoke", "messages") else completion(), [(TIER, "flex")])


def test_the_tier_of_invoke_model(world):
    """It stands in a header: passed on as it is, and said in the words of another API, or refused where it has none."""
    world.route("b1", **INVOKE)
    world.b1.play(reply("invoke"))
    found = invoke(world, [(TIER, "flex")])
    assert found.status == 200 and world.b1.requests[0].all(TIER) == ["flex"] and found.header(TIER) == "flex"
    world.route("b1", **CHAT)
    world.b1.play(reply("chat"))
    found = invoke(world, [(TIER, "flex")])
    assert found.status == 200 and world.b1.requests[0].json["service_tier"] == "flex" and not world.b1.requests[0].all(TIER) and found.header(TIER) is None
    world.route("b1", **MESSAGES)
    found = invoke(world, [(TIER, "priority")])
    assert found.status == 400 and "x-amzn-bedrock-service-tier" in json.loads(found.body)["message"] and not world.b1.requests
    world.route("b1", rules=[documents.allow("all")], **INVOKE)
    assert invoke(world, [(TIER, "of-tomorrow")]).status == 403 and not world.b1.requests


@pytest.mark.parametrize("tier", ["flex", "priority", "default"])
def test_the_tier_for_invoke_model(world, tier):
    world.route("b1", **INVOKE)
    world.b1.play(reply("invoke"))
    found = ask(world.gateway, json.dumps({"model": "m", "messages": HELLO, "service_tier": tier}).encode())
    assert found.status == 200 and world.b1.requests[0].all(TIER) == [tier] and "service_tier" not in world.b1.requests[0].json


# ---- flags of betas ----

FLAGS = "claude-code-20250219, interleaved-thinking-2025-05-14,context-1m-2025-08-07"
KNOWN = ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"]


def test_flags_go_where_they_are_known(world):
    """Bedrock refuses flags that it does not document, so those stay here; what they turn on stands in the body, and is judged there."""
    world.route("b1", **INVOKE)
    world.b1.play(*[reply("invoke")] * 2)
    assert messages(world, [(BETA, FLAGS)]).status == 200 and messages(world, [(BETA, "claude-code-20250219")]).status == 200
    assert world.b1.requests[0].json["anthropic_beta"] == KNOWN and "anthropic_beta" not in world.b1.requests[1].json
    assert not world.b1.requests[0].all(BETA)
    for model, expected in ((CLAUDE, {"anthropic_beta": KNOWN}), ("eu.amazon.nova-2-lite-v1:0", None)):
        world.route("b1", **{**CONVERSE, "models": {"m": model}})
        world.b1.play(answer(200, shapes.converse("x")))
        assert messages(world, [(BETA, FLAGS)]).status == 200
        assert world.b1.requests[0].json.get("additionalModelRequestFields") == expected and urllib.parse.quote(model, safe="") in world.b1.requests[0].target
    world.route("b1", rules=[documents.allow("all", unlisted_features="accepted")], **INVOKE)
    found = messages(world, [(BETA, "of-tomorrow")])
    assert found.status == 400 and "header anthropic-beta=of-tomorrow" in json.loads(found.body)["error"]["message"] and not world.b1.requests


def test_flags_of_bedrock_in_a_header(world):
    world.route("b1", **MESSAGES)
    world.b1.play(*[reply("messages")] * 2)
    fields = {"additionalModelRequestFields": {"anthropic_beta": KNOWN, "top_k": 5}}
    assert native(world, "converse", {"messages": [{"role": "user", "content": [{"text": "x"}]}], **fields}).status == 200
    assert world.b1.requests[0].all(BETA) == [",".join(KNOWN)] and world.b1.requests[0].json["top_k"] == 5 and "anthropic_beta" not in world.b1.requests[0].json
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO, "anthropic_beta": KNOWN[:1]}
    assert native(world, "invoke", body).status == 200 and world.b1.requests[1].all(BETA) == KNOWN[:1]


def test_flags_of_a_body_and_of_a_header_are_one_list(world):
    """Claude Code on Bedrock sends both. Each goes once; those of a header go to Bedrock where it documents them, those of a body as they stand there."""
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO, "anthropic_beta": [KNOWN[0], "web-search-2025-03-05"]}
    said = [(BETA, f"claude-code-20250219,{KNOWN[0]}"), (BETA, f"{KNOWN[1]}, {KNOWN[1]}")]
    world.route("b1", **MESSAGES)
    world.b1.play(reply("messages"))
    assert native(world, "invoke", body, said).status == 200
    assert world.b1.requests[0].all(BETA) == [",".join([KNOWN[0], "web-search-2025-03-05", "claude-code-20250219", KNOWN[1]])]
    world.route("b1", **CONVERSE)
    world.b1.play(answer(200, shapes.converse("x")))
    assert native(world, "invoke", body, said).status == 200
    assert world.b1.requests[0].json["additionalModelRequestFields"] == {"anthropic_beta": [KNOWN[0], "web-search-2025-03-05", KNOWN[1]]}
