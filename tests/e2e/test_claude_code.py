"""What Claude Code sends by itself: natively as it came, and what becomes of it elsewhere."""
import base64
import json
import pathlib

import botocore.eventstream
import pytest

import anthropic_shapes as shapes
import documents
from client import Client
from mock_backend import DONE, delta, stream

pytestmark = pytest.mark.sanitizer

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "data/clients"
MESSAGES = {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "up"}}
BEDROCK = {"dialect": "bedrock", "models": {"m": "eu.anthropic.claude-sonnet-4-6"}}
ORDINARY = [documents.allow("here", process=["SE", "DE"], store="nothing")]
OURS = {"host", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "x-request-id", "connection", "x-api-key"}


SAID = [{"type": "message_start", "message": {**shapes.message(), "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}, {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 7}}, {"type": "message_stop"}]


def chunk(event):
    return shapes.frame("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})


def sends(world, name, model=True, **more):
    """Its request with a key of the gateway's, and its body as it goes."""
    said = json.loads((CLIENTS / f"{name}.json").read_text())
    body = {**said["body"], **({"model": "m"} if model else {}), **more}
    headers = [(key, value) for key, value in said["headers"] if key.lower() not in ("accept", "content-type")]
    target = said["target"] if model else "/model/m/invoke-with-response-stream"
    with Client(world.gateway.port) as client:
        return client.request(target, json.dumps(body).encode(), None, [("x-api-key", world.gateway.key()), *headers]).answer(), body, dict(headers)


def test_natively_as_it_came(world):
    world.route("b1", rules=ORDINARY, **MESSAGES)
    world.b1.play(stream(*shapes.told("x")))
    found, body, headers = sends(world, "claude_code")
    assert found.status == 200, found.body
    arrived = world.b1.requests[0]
    assert arrived.json == {**body, "model": "up"} and arrived.all("anthropic-beta") == [headers["anthropic-beta"]]
    assert arrived.all("anthropic-version") == [headers["anthropic-version"]]
    assert {name.lower() for name, _ in arrived.headers} - OURS == {"anthropic-beta", "anthropic-version"}


def test_of_bedrock_likewise(world):
    """CLAUDE_CODE_USE_BEDROCK: some flags in the body, others in the header."""
    world.route("b1", rules=ORDINARY, **BEDROCK, endpoints=["invoke"])
    world.b1.play(shapes.aws_stream(*(chunk(one) for one in SAID)))
    found, body, headers = sends(world, "claude_code_bedrock", model=False)
    assert found.status == 200, found.body
    arrived = world.b1.requests[0]
    assert arrived.json == body and arrived.all("anthropic-beta") == [headers["anthropic-beta"]]


def as_sent(events):
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)


def test_at_invoke_as_it_came(world):
    """Its body is Bedrock's but for what that has elsewhere, and the events that come back are those of Anthropic."""
    world.route("b1", rules=ORDINARY, **BEDROCK, endpoints=["invoke"])
    metrics = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 11, "outputTokenCount": 7, "invocationLatency": 9, "firstByteLatency": 1}}
    world.b1.play(shapes.aws_stream(*(chunk(one) for one in SAID[:-1]), chunk({**SAID[-1], **metrics})))
    found, body, _ = sends(world, "claude_code")
    assert found.status == 200 and found.body == as_sent(SAID), found.body
    assert {name for name in ("model", "stream") if body.pop(name)} == {"model", "stream"}
    arrived = world.b1.requests[0]
    flags = ["context-1m-2025-08-07", "interleaved-thinking-2025-05-14", "context-management-2025-06-27", "effort-2025-11-24"]
    assert arrived.json == {**body, "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": flags}
    assert json.dumps(body)[1:-1].encode() in arrived.body and not arrived.all("anthropic-beta") and not arrived.all("anthropic-version")


def test_of_bedrock_at_anthropic_as_it_came(world):
    """CLAUDE_CODE_USE_BEDROCK at Anthropic's own API, likewise."""
    world.route("b1", rules=ORDINARY, **MESSAGES)
    world.b1.play(stream(as_sent(SAID)))
    found, body, headers = sends(world, "claude_code_bedrock", model=False)
    assert found.status == 200 and found.header("content-type") == "application/vnd.amazon.eventstream", found.body
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(found.body)
    told = [json.loads(base64.b64decode(json.loads(one.payload)["bytes"])) for one in buffer]
    counts = told[-1].pop("amazon-bedrock-invocationMetrics")
    assert told == SAID and (counts["inputTokenCount"], counts["outputTokenCount"]) == (11, 7)
    flags = [flag for flag in body.pop("anthropic_beta")] + headers["anthropic-beta"].split(",")
    flags = ["advanced-tool-use-2025-11-20" if flag == "tool-search-tool-2025-10-19" else flag for flag in flags]
    arrived = world.b1.requests[0]
    del body["anthropic_version"]
    assert arrived.json == {**body, "model": "up", "stream": True} and arrived.all("anthropic-beta") == [",".join(flags)]
    assert arrived.all("anthropic-version") == ["2023-06-01"]


def test_translated_to_chat(world):
    """Edits that clear nothing have nothing to lose there; others are named."""
    world.route("b1", rules=ORDINARY, models={"m": "up"})
    world.b1.play(stream(delta("x"), delta("", "stop"), DONE))
    found, _, _ = sends(world, "claude_code")
    assert found.status == 200 and b"message_stop" in found.body, found.body
    arrived = world.b1.requests[0].json
    assert "context_management" not in arrived and arrived["reasoning_effort"] == "high"
    found, _, _ = sends(world, "claude_code", context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})
    assert found.status == 400 and b"context_management.edits[0]" in found.body and len(world.b1.requests) == 1


@pytest.mark.parametrize("name, model", [("claude_code", True), ("claude_code_bedrock", False)])
def test_translated_to_converse(world, name, model):
    """Of Anthropic's models; no other has a system message behind others, or such an effort."""
    world.route("b1", rules=ORDINARY, **BEDROCK, endpoints=["converse"])
    world.b1.play(shapes.aws_stream(*shapes.spoken("x")))
    found, body, _ = sends(world, name, model)
    assert found.status == 200, found.body
    arrived = world.b1.requests[0].json
    assert arrived["outputConfig"] == {"effort": body["output_config"]["effort"]} and arrived["additionalModelRequestFields"]["thinking"] == body["thinking"]
    assert [one["role"] for one in arrived["messages"]] == [one["role"] for one in body["messages"]]
    world.route("b1", rules=ORDINARY, dialect="bedrock", models={"m": "amazon.nova-lite-v1:0"}, endpoints=["converse"])
    found, body, _ = sends(world, name, model, messages=body["messages"][:1])
    assert found.status == 400 and b"output_config.effort" in found.body and not world.b1.requests
