"""Counts of tokens: the SDKs of Anthropic and AWS, each in front of either provider. What is counted is what would have been asked."""
import base64
import json

import anthropic
import httpx2
import pytest

import clients

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"name": "get_weather", "description": "the weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
ASK = {"messages": HELLO, "system": "be brief", "tools": [TOOL], "tool_choice": {"type": "any"}}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "tool_choice": {"type": "auto"}}
SPEC = {"toolSpec": {"name": "get_weather", "description": "the weather", "inputSchema": {"json": TOOL["input_schema"]}}}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hello"}]}], "system": [{"text": "be brief"}], "toolConfig": {"tools": [SPEC], "toolChoice": {"any": {}}}}
INVOKE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 2048, "temperature": 1, **ASK}


def texts(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def blocks(body):
    """The same body of Messages where every text is a block."""
    return {**body, "system": texts(body["system"]), "messages": [{**one, "content": texts(one["content"])} for one in body["messages"]]}


def arrived(site, deployment):
    [request] = site.of(deployment).arrived
    assert not site.of(deployment).refused
    blob = request.json.get("input", {}).get("invokeModel")
    return request.target, json.loads(base64.b64decode(blob["body"])) if blob else request.json


def number(deployment):
    return 2095 if deployment == "messages" else 42


@pytest.mark.parametrize("ask", [ASK, {**ASK, **THINKING}])
@pytest.mark.parametrize("deployment, target, more", [
    ("messages", "/v1/messages/count_tokens", {"model": "claude-x"}),
    ("invoke", "/model/anthropic.claude-x-v1%3A0/count-tokens", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4096}),
])
def test_anthropic(site, deployment, target, more, ask):
    found = site.through(clients.Messages).sdk.messages.count_tokens(model="to-" + deployment, **ask)
    assert found.input_tokens == number(deployment)
    to, body = arrived(site, deployment)
    assert to == target and blocks(body) == blocks({**ask, **more})


@pytest.mark.parametrize("asked, deployment, expected", [
    ({"converse": CONVERSE}, "converse", {"input": {"converse": CONVERSE}}),
    ({"converse": CONVERSE}, "invoke", {"input": {"converse": CONVERSE}}),
    ({"invokeModel": {"body": json.dumps(INVOKE)}}, "invoke", INVOKE),
    ({"converse": CONVERSE}, "messages", {**blocks(ASK), "model": "claude-x"}),
    ({"invokeModel": {"body": json.dumps(INVOKE)}}, "messages", {**blocks(ASK), "model": "claude-x"}),
])
def test_boto3(site, asked, deployment, expected):
    found = site.through(clients.Converse).ask("count_tokens", modelId="to-" + deployment, input=asked)
    assert found["inputTokens"] == number(deployment)
    body = arrived(site, deployment)[1]
    assert (blocks(body) if deployment == "messages" else body) == expected


RICH = {
    "tools": [{"type": "bash_20250124", "name": "bash", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "memory_20250818", "name": "memory"},
              {**TOOL, "defer_loading": True, "input_examples": [{"city": "x"}]}, {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}],
    "messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "page"}]}, "citations": {"enabled": True}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": True}}]}],
    "context_management": {"edits": [{"type": "compact_20260112"}]},
}


def test_what_both_count_passes(site):
    """Tools with a version, documents made of blocks, compaction: whatever Messages and InvokeModel both have is counted as it was written."""
    found = site.through(clients.Messages).sdk.beta.messages.count_tokens(model="to-invoke", **RICH, betas=["context-management-2025-06-27", "claude-code-20250219"],
                                                                          cache_control={"type": "ephemeral"})
    assert found.input_tokens == 42
    assert arrived(site, "invoke")[1] == {**RICH, "anthropic_version": "bedrock-2023-05-31", "max_tokens": 4096, "anthropic_beta": ["context-management-2025-06-27"]}

    asked = {**INVOKE, **RICH, "top_k": 3, "top_p": 0.5, "stop_sequences": ["x"], "anthropic_beta": ["tool-search-tool-2025-10-19", "compact-2026-01-12"]}
    found = site.through(clients.Converse).ask("count_tokens", modelId="to-messages", input={"invokeModel": {"body": json.dumps(asked)}})
    assert found["inputTokens"] == 2095
    [request] = site.of("messages").arrived
    counted = {name: value for name, value in {**ASK, **RICH}.items()}
    assert request.json == {"model": "claude-x", **counted}
    assert request.header("anthropic-beta") == "advanced-tool-use-2025-11-20,compact-2026-01-12"


@pytest.mark.parametrize("more, path", [({"container": {}}, "container"), ({"of_tomorrow": 1}, "of_tomorrow")])
def test_what_the_other_count_has_not(site, more, path):
    with pytest.raises(site.through(clients.Converse).FAILURES, match="not_expressible.*" + path):
        site.through(clients.Converse).ask("count_tokens", modelId="to-messages", input={"invokeModel": {"body": json.dumps({**INVOKE, **more})}})
    assert not site.of("messages").arrived


def test_what_cannot_be_said(site):
    """Refused by its name before anything is sent, in the client's own words."""
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    with pytest.raises(anthropic.BadRequestError, match="not_expressible"):
        site.through(clients.Messages).sdk.messages.count_tokens(model="to-invoke", messages=[{"role": "user", "content": [image]}])
    assert not site.of("invoke").arrived


@pytest.mark.parametrize("body", [
    {}, {"input": {}}, {"input": {"converse": CONVERSE, "invokeModel": {"body": ""}}}, {"input": {"converse": CONVERSE}, "model": "x"}, {"input": {"converse": []}},
    {"input": {"converse": {"messages": 7}}}, {"input": {"invokeModel": {"body": "bm8ganNvbg=="}}}, {"input": {"invokeModel": {"body": "{}"}}},
    {"input": {"invokeModel": {"body": "e30=", "more": 1}}}, {"input": {"invokeModel": {"body": 7}}},
])
def test_bodies_that_are_none(site, body):
    found = httpx2.post(f"{site.address}/model/to-invoke/count-tokens", json=body, headers={"authorization": "Bearer " + site.key})
    assert found.status_code == 400 and found.headers["x-amzn-errortype"] == "ValidationException" and not site.of("invoke").arrived
