"""
Fields, tools, parts and headers that move or keep content, and those nobody knows: denied by name, or passed on unchanged where the rule accepts them.
"""
import hashlib
import json

import pytest

from client import ask, body_of, expect_error
from documents import allow, deployment, fleet, forbid, residency, tenants

pytestmark = pytest.mark.sanitizer

def message(**more):
    return {"messages": [{"role": "user", "content": "hello", **more}]}


def part(**more):
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}, more]}]}


# Name of the place in the 403: what the request has beside model and messages.
UNKNOWN = {
    "field_of_tomorrow": {"field_of_tomorrow": 1},
    "messages[0].attachments": message(attachments=[{"file": 1}]),
    "messages[0].content[1].type=input_hologram": part(type="input_hologram"),
    "messages[0].content[1].source": part(type="image_url", image_url={"url": "data:image/png;base64,AAAA"}, source="x"),
    "messages[0].content[1].image_url.cache": part(type="image_url", image_url={"url": "data:image/png;base64,AAAA", "cache": True}),
    "messages[0].tool_calls[0].type=mcp_call": message(tool_calls=[{"type": "mcp_call", "id": "x"}]),
    "tools[0].type=teleport": {"tools": [{"type": "teleport"}]},
    "tools[1].function.server_url": {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g", "server_url": "x"}}]},
    "tool_choice.type=teleport": {"tool_choice": {"type": "teleport"}},
    "tool_choice.function.where": {"tool_choice": {"type": "function", "function": {"name": "f", "where": "x"}}},
    "response_format.type=hologram": {"response_format": {"type": "hologram"}},
    "response_format.json_schema.store": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "store": True}}},
    "stream_options.send_to": {"stream": True, "stream_options": {"send_to": "x"}},
    "service_tier=of-tomorrow": {"service_tier": "of-tomorrow"},
    "prediction.from": {"prediction": {"type": "content", "content": "x", "from": "y"}},
    "chat_template_kwargs.tools": {"chat_template_kwargs": {"tools": 1}},
    "metadata_url": {"metadata_url": "https://elsewhere.test"},
}

NAMED = {
    "store": {"store": True},
    "audio": {"audio": {"voice": "alloy", "format": "wav"}},
    "modalities[1]": {"modalities": ["text", "audio"]},
    "web_search_options": {"web_search_options": {}},
    "moderation": {"moderation": {"model": "x"}},
    "prompt_cache_retention": {"prompt_cache_retention": "24h"},
    "prompt_cache_options": {"prompt_cache_options": {"mode": "explicit"}},
    "data_sources": {"data_sources": [{"type": "azure_search"}]},
    "user_security_context": {"user_security_context": {"end_user_id": "x"}},
    "amazon-bedrock-guardrailConfig": {"amazon-bedrock-guardrailConfig": {"guardrailIdentifier": "x"}},
    "tools[0].type": {"tools": [{"type": "mcp", "server_url": "https://elsewhere.test"}]},
    "tool_choice.type": {"tool_choice": {"type": "file_search"}},
    "messages[0].audio": message(audio={}),
    "messages[0].cache_control": message(cache_control={"type": "ephemeral"}),
    "messages[0].content[1].uuid": part(type="image_url", image_url={"url": "data:image/png;base64,AA"}, uuid="x"),
    "messages[0].content[1].image_url.url": part(type="image_url", image_url={"url": "https://elsewhere.test/x.png"}),
    "messages[0].content[1].image_url": part(type="image_url", image_url="https://elsewhere.test/x.png"),
    "tools[0].function.parameters": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "https://elsewhere.test"}}}]},
}

HEADERS = {"OpenAI-Beta": "assistants=v2", "anthropic-beta": "files-api-2025-04-14", "aoai-evals": "preview", "x-ms-enable-preview": "true",
           "X-Amzn-Bedrock-GuardrailIdentifier": "x", "X-Amzn-Bedrock-GuardrailVersion": "1", "X-Amzn-Bedrock-Trace": "ENABLED"}

# What a client or its SDK may say to a provider, and what is ours to say: none of it goes on.
NOT_PASSED_ON = {
    "OpenAI-Organization": "org-x", "OpenAI-Project": "proj-x", "OpenAI-Beta-Of-Tomorrow": "x", "Idempotency-Key": "x", "X-Client-Request-Id": "x",
    "X-Stainless-Lang": "python", "x-ms-client-request-id": "x", "x-ms-azureml-model-session": "x", "x-ms-oai-image-generation-deployment": "x",
    "X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized", "X-Amzn-Bedrock-Service-Tier": "flex", "x-amz-security-token": "x",
    "anthropic-workspace-id": "x", "x-api-base": "http://elsewhere.test", "x-portkey-config": "x", "Helicone-Auth": "x", "Cookie": "a=b", "Via": "1.1 x",
    "Forwarded": "for=1.2.3.4", "X-Forwarded-For": "1.2.3.4", "X-Real-IP": "1.2.3.4", "baggage": "a=b", "tracestate": "a=b", "traceparent": "the prompt",
    "x-goog-user-project": "x", "x-of-tomorrow": "x"}
PASSED_ON = {"host", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "x-request-id", "authorization", "connection"}


def strict(world, **more):
    """Everything is allowed but what no deployment lists."""
    world.route("b1", rules=[allow("all", **more)])
    return world


def denied(found, place, rule="all"):
    """The place stands in the message, and alone in `param`; a header is no field."""
    expect_error(found, 403, "residency_denied")
    assert f'"{place}"' in found.error["message"] and f'"{rule}"' in found.error["message"], found
    assert found.error["param"] == (None if " " in place else place), found


def test_unknown_ones_are_denied_by_name(world):
    strict(world)
    for place, more in UNKNOWN.items():
        denied(ask(world.gateway, body_of(**more)), place)
    assert not world.contacted()


def test_named_ones_are_denied_by_name(world):
    strict(world)
    for place, more in NAMED.items():
        denied(ask(world.gateway, body_of(**more)), place)
    for name, value in HEADERS.items():
        denied(ask(world.gateway, headers=[(name, value)]), f"header {name.lower()}")
    assert not world.contacted()


@pytest.mark.parametrize("path, body", [("/v1/completions", {"prompt": "x"}), ("/v1/embeddings", {"input": "x"})])
def test_other_endpoints_too(world, path, body):
    strict(world)
    for place, more in {"field_of_tomorrow": {"field_of_tomorrow": {"a": 1}}, "tools": {"tools": []}, "web_search_options": {"web_search_options": {}}}.items():
        denied(ask(world.gateway, json.dumps({"model": "m", **body, **more}).encode(), path=path), place)
    assert not world.contacted()
    assert ask(world.gateway, json.dumps({"model": "m", **body}).encode(), path=path).status == 200


def test_accepted_ones_pass_unchanged(world):
    """`unlisted_features: accepted`: to the byte, header values included."""
    strict(world, unlisted_features="accepted")
    for place, more in {**UNKNOWN, **NAMED}.items():
        if place.startswith("stream_options"):
            continue                                        # a stream's options are the gateway's too
        body = body_of(**more)
        found = ask(world.gateway, body)
        assert found.status == 200, (place, found)
        assert world.b1.requests[-1].sha256 == hashlib.sha256(body).hexdigest(), place
    for name, value in HEADERS.items():
        assert ask(world.gateway, headers=[(name, value)]).status == 200
        assert world.b1.requests[-1].all(name) == [value], name


def test_forbids_never_accept(world):
    """For a forbid places are unknown with an unlisted feature, so whatever it names is touched; the allow's acceptance is another matter."""
    world.gateway.apply(fleet(deployment("home", "b1")), residency(allow("all", unlisted_features="accepted"), forbids=[forbid("never-kp", process=["KP"])]), tenants())
    assert ask(world.gateway).status == 200
    for place, more in {**UNKNOWN, **NAMED}.items():
        denied(ask(world.gateway, body_of(**more)), place, "never-kp")
    assert len(world.b1.requests) == 1


def test_narrowing_never_accepts(world):
    strict(world, unlisted_features="accepted")
    assert ask(world.gateway, headers=[("x-gatehouse-places", "EU")]).status == 200
    found = expect_error(ask(world.gateway, body_of(field_of_tomorrow=1), headers=[("x-gatehouse-places", "EU")]), 403, "residency_denied")
    assert '"field_of_tomorrow"' in found.error["message"] and found.error["param"] == "field_of_tomorrow"
    assert len(world.b1.requests) == 1


def test_a_listed_one_beside_an_unknown_one(world):
    """The one that is not listed is told, in whatever order they come."""
    world.route("b1", rules=[allow("all")], features={"web_search": {"process": ["SE"], "store": "nothing"}})
    assert ask(world.gateway, body_of(web_search_options={})).status == 200
    denied(ask(world.gateway, body_of(web_search_options={}, field_of_tomorrow=1)), "field_of_tomorrow")
    denied(ask(world.gateway, body_of(data_sources=[], web_search_options={})), "data_sources")


def test_null_turns_nothing_on(world):
    strict(world)
    for field in ("store", "audio", "web_search_options", "moderation", "modalities", "service_tier", "data_sources", "tools", "response_format"):
        assert ask(world.gateway, body_of(**{field: None})).status == 200, field


def test_names_are_only_shown(world):
    """What a client calls its fields can neither break the answer nor reach the log."""
    strict(world)
    before = len(world.gateway.errors())      # other tests of this gateway send broken heads, which nginx quotes
    for name in ('a"b', "a\nb", "a\u2028b", "\u001b[31m", "%s%n%d", "x" * 5000, "\\", "\u00e9" * 200):
        found = expect_error(ask(world.gateway, body_of(**{name: 1})), 403, "residency_denied")
        assert len(found.body) < 2000 and b"\n" not in found.body and b"\x1b" not in found.body
        assert name not in world.gateway.errors()[before:]


def test_headers_that_are_not_passed_on(world):
    """Whatever a client sends: only the gateway's own, and those that count as features where they are allowed."""
    strict(world)
    found = ask(world.gateway, headers=list(NOT_PASSED_ON.items()))
    assert found.status == 200
    arrived = world.b1.requests[-1]
    assert {name.lower() for name, _ in arrived.headers} <= PASSED_ON, arrived.headers
    assert not [value for _, value in arrived.headers if value in NOT_PASSED_ON.values()]
    good = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    assert ask(world.gateway, headers=[("traceparent", good)]).status == 200
    assert world.b1.requests[-1].header("traceparent") == good


def test_the_query_is_not_passed_on(world):
    strict(world)
    assert ask(world.gateway, path="/v1/chat/completions?api-version=2099-01-01&background=true").status == 200
    assert world.b1.requests[-1].target == "/v1/chat/completions"
