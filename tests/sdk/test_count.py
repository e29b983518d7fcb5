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
