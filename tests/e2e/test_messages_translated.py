"""Clients of Anthropic's Messages in front of deployments that speak chat completions: translated both ways, told in their own words."""
import json

import pytest

import documents
from mock_backend import DONE, answer, completion, delta, event as chat_event, provider_error, role, stream, usage_event
from test_messages import HELLO, asks, body_of, claude, expect_error

pytestmark = pytest.mark.sanitizer

TOOL = {"name": "weather", "description": "of a town", "input_schema": {"type": "object", "properties": {"town": {"type": "string"}}}}
CHUNKS = [role(), delta("one "), delta("two"), delta("", "stop"), usage_event(), DONE]


def test_an_answer(world):
    world.b1.play(answer(body=json.dumps(completion("hello")).encode()))
    found = asks(world, body_of(system="be brief", stop_sequences=["x"]), headers=[("anthropic-beta", "context-1m-2025-08-07")])
    assert found.status == 200, found.body
    told = json.loads(found.body)
    assert (told["type"], told["role"], told["model"], told["stop_reason"]) == ("message", "assistant", "m", "end_turn")
    assert told["content"] == [{"type": "text", "text": "hello"}]
    assert (told["usage"]["input_tokens"], told["usage"]["cache_read_input_tokens"], told["usage"]["output_tokens"]) == (8, 3, 7)
    sent = world.b1.requests[0]
    assert sent.target == "/v1/chat/completions" and sent.header("authorization") == "Bearer secret-of-b1"
    assert sent.header("anthropic-version") is None and sent.header("anthropic-beta") is None and sent.header("x-api-key") is None
    assert sent.json["messages"][0] == {"role": "system", "content": "be brief"} and sent.json["stop"] == ["x"] and sent.json["model"] == "m"
    usage = world.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["source"]) == (11, 3, 7, "reported")


def test_sdk(world, authority):
    world.b1.play(answer(body=json.dumps(completion("hello")).encode()), stream(*CHUNKS))
    sdk = claude(world, authority, api_key=world.gateway.key())
    assert sdk.messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hello"
    with sdk.messages.stream(model="m", max_tokens=9, messages=HELLO, tools=[TOOL]) as parts:
        assert "".join(parts.text_stream) == "one two"
        final = parts.get_final_message()
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 7 and final.model == "m"
    assert world.b1.requests[1].json["tools"][0]["function"]["name"] == "weather"
    assert world.b1.requests[1].json["stream_options"] == {"include_usage": True}


def test_a_cut_stream(world):
    world.b1.play(stream(*CHUNKS[:3]))
    found = asks(world, body_of(stream=True))
    kinds = [json.loads(line[6:])["type"] for line in found.body.decode().splitlines() if line.startswith("data: ")]
    assert kinds[0] == "message_start" and kinds[-1] == "error" and "message_stop" not in kinds


def test_before_the_first_delta_another_takes_over(world):
    world.route("b1", "b2")
    world.b1.play(stream(role(), chat_event({"error": {"message": "x", "type": "server_error", "code": "500"}})))
    world.b2.play(stream(*CHUNKS))
    found = asks(world, body_of(stream=True))
    assert found.status == 200 and b"one " in found.body and b"message_stop" in found.body and world.contacted() == ["b1", "b2"]


def test_from_one_dialect_to_the_other(world):
    """The first deployment speaks Anthropic's and fails, the second is translated."""
    world.route()
    fleet = documents.fleet(documents.deployment("first", "b1", priority=1, dialect="anthropic", endpoints=["messages"]), documents.deployment("second", "b2", priority=2))
    world.gateway.apply(fleet, documents.residency(), documents.tenants())
    world.b1.play(provider_error(500))
    world.b2.play(answer(body=json.dumps(completion("hello")).encode()))
    found = asks(world)
    assert found.status == 200 and json.loads(found.body)["content"] == [{"type": "text", "text": "hello"}] and world.contacted() == ["b1", "b2"]


def test_what_cannot_be_said(world):
    world.route("b1", features={"thread": {"process": ["SE"], "store": "nothing"}})
    expect_error(asks(world, body_of(thread={"type": "create"})), 400, "invalid_request_error", "not_expressible")
    assert not world.b1.requests


def test_an_error_of_the_backend(world):
    world.b1.play(provider_error(400, "too long"))
    found = asks(world)
    told = json.loads(found.body)
    assert found.status == 400 and told["type"] == "error" and told["error"] == {"type": "invalid_request_error", "message": "too long"}


def test_a_count_of_tokens_needs_one_that_counts(world):
    found = asks(world, json.dumps({"model": "m", "messages": HELLO}).encode(), path="/v1/messages/count_tokens")
    expect_error(found, 404, "not_found_error", "model_not_found")
