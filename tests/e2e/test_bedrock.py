"""Clients of Bedrock's native API: InvokeModel of Anthropic's models and Converse, at deployments that speak the same and at others; and InvokeModel upstream."""
import base64
import json

import anthropic
import botocore.config
import botocore.eventstream
import botocore.exceptions
import botocore.session
import pytest

import anthropic_shapes as shapes
from client import ask, body_of
from documents import deployment, fleet, residency, tenants
from mock_backend import answer, stream

pytestmark = pytest.mark.sanitizer

NATIVE = {"dialect": "bedrock", "endpoints": ["invoke", "converse"], "models": {"m": "eu.anthropic.claude-x-v1:0"}}
INVOKE = {**NATIVE, "endpoints": ["invoke"]}
CONVERSE = {**NATIVE, "endpoints": ["converse"]}
CLAUDE = {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "claude-x"}}
HELLO = [{"role": "user", "content": "hi"}]
PATH = "/model/eu.anthropic.claude-x-v1%3A0"


def use(world, *specs, **more):
    for mock in world.mocks.values():
        mock.clear()
    world.turn += 1
    made = [{**deployment(f"b{number}", f"b{number}", priority=number, **spec), "id": f"b{number}-{world.turn}"} for number, spec in enumerate(specs, 1)]
    world.gateway.apply(fleet(*made), residency(*more.pop("rules", ())), tenants(), **more)


def chunk(event, **more):
    return shapes.frame("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdef", **more})


def invoked(*words, end=True):
    """A whole stream of InvokeModel, one frame an event."""
    found = [chunk({"type": "message_start", "message": {**shapes.message(), "content": [], "stop_reason": None}}),
             chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})]
    found += [chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}) for word in words]
    found += [chunk({"type": "content_block_stop", "index": 0}),
              chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 7}})]
    return found + ([chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 11, "outputTokenCount": 7}})] if end else [])


def claude(world):
    """Anthropic's SDK for Bedrock, as Claude Code uses it."""
    return anthropic.AnthropicBedrock(api_key=world.gateway.key(), aws_region="eu-central-1", base_url=f"http://127.0.0.1:{world.gateway.port}",
                                      max_retries=0, timeout=60)


@pytest.fixture
def aws(world, authority, monkeypatch):
    """AWS's SDK with a Bedrock API key and nothing but its endpoint changed."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", world.gateway.key())
    return botocore.session.Session().create_client("bedrock-runtime", region_name="eu-central-1", endpoint_url=f"https://127.0.0.1:{world.gateway.tls_port}",
                                                    verify=str(authority.certificate), config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60))


def spoken_by(sdk, **more):
    with sdk.messages.stream(model="m", max_tokens=9, messages=HELLO, **more) as events:
        return "".join(events.text_stream), events.get_final_message()


# ---- the same on both sides ----

def test_a_plain_answer_passes_as_it_came(world):
    use(world, NATIVE)
    given = json.dumps(shapes.message({"type": "text", "text": "hé"}, {"type": "something_new", "x": 1.50}), indent=1).encode()
    world.b1.play(answer(200, given, [("x-amzn-bedrock-input-token-count", "11")]))
    body = b'{"anthropic_version":"bedrock-2023-05-31", "max_tokens": 9,"messages":[{"role":"user","content":"hi"}],"anthropic_beta":["context-1m-2025-08-07"]}'
    found = ask(world.gateway, body, path="/model/m/invoke")
    arrived = world.b1.requests[0]
    assert arrived.target == PATH + "/invoke" and arrived.body == body and arrived.all("authorization") == ["Bearer secret-of-b1"]
    assert found.status == 200 and found.body == given and found.header("x-amzn-requestid") == found.id
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "complete" and (outcome["usage"]["input"], outcome["usage"]["cached"], outcome["usage"]["source"]) == (11, 3, "reported")


@pytest.mark.parametrize("operation, frames", [("invoke-with-response-stream", invoked("he", "llo") + [shapes.frame("somethingNew", {"x": 1})]),
                                               ("converse-stream", shapes.spoken("he", "llo"))])
def test_a_stream_passes_as_it_came(world, operation, frames):
    use(world, NATIVE)
    if operation.startswith("invoke"):
        frames = frames[-1:] + frames[:-1]
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO}
    else:
        body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    world.b1.play(shapes.aws_stream(*frames))
    found = ask(world.gateway, json.dumps(body).encode(), path=f"/model/m/{operation}")
    assert world.b1.requests[0].target == f"{PATH}/{operation}"
    assert found.status == 200 and found.header("content-type") == "application/vnd.amazon.eventstream" and found.body == b"".join(frames) and found.whole
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "complete" and (outcome["usage"]["input"], outcome["usage"]["output"], outcome["usage"]["source"]) == (11, 7, "reported")


def test_anthropics_sdk(world):
    use(world, NATIVE)
    world.b1.play(answer(200, shapes.message()))
    assert claude(world).messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hello"
    world.b1.play(shapes.aws_stream(*invoked("he", "llo")))
    text, final = spoken_by(claude(world))
    assert text == "hello" and final.stop_reason == "end_turn" and final.usage.output_tokens == 7 and final.usage.input_tokens == 11
    assert world.b1.requests[1].json["messages"] == HELLO and "model" not in world.b1.requests[1].json


def test_awss_sdk(world, aws):
    use(world, NATIVE)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO})
    world.b1.play(answer(200, shapes.message()))
    assert json.loads(aws.invoke_model(modelId="m", body=body)["body"].read())["content"][0]["text"] == "hello"
    world.b1.play(shapes.aws_stream(*invoked("he", "llo")))
    events = [json.loads(one["chunk"]["bytes"]) for one in aws.invoke_model_with_response_stream(modelId="m", body=body)["body"]]
    assert [one["type"] for one in events][-1] == "message_stop" and "".join(one.get("delta", {}).get("text", "") for one in events) == "hello"


@pytest.mark.parametrize("kind", ["throttlingException", "internalServerException", "serviceUnavailableException"])
def test_an_exception_before_the_first_delta(world, kind):
    """goes to the next deployment; with none it is the client's, with its status."""
    use(world, NATIVE, INVOKE)
    world.b1.play(shapes.aws_stream(*invoked()[:2], shapes.exception(kind)))
    world.b2.play(shapes.aws_stream(*invoked("hello")))
    assert spoken_by(claude(world))[0] == "hello" and world.contacted() == ["b1", "b2"]
    use(world, NATIVE)
    world.b1.play(shapes.aws_stream(*invoked()[:2], shapes.exception(kind)))
    with pytest.raises(anthropic.APIStatusError):
        spoken_by(claude(world))


def test_an_exception_behind_the_first_delta(world):
    use(world, NATIVE, INVOKE)
    world.b1.play(shapes.aws_stream(*invoked("hel", "lo")[:3], shapes.exception("serviceUnavailableException", "overloaded")))
    with pytest.raises(anthropic.APIError, match="overloaded"):
        spoken_by(claude(world))
    assert world.contacted() == ["b1"]


@pytest.mark.parametrize("frames", [invoked("hello", end=False), invoked("hello")[:3], [*invoked("hello")[:3], invoked("x")[2][:40]]])
def test_cut_short(world, frames):
    """What has not its own end is told as cut, at the end of a frame."""
    use(world, NATIVE)
    world.b1.play(shapes.aws_stream(*frames))
    with pytest.raises(anthropic.APIError, match="ended before"):
        spoken_by(claude(world))


def test_errors(world, aws):
    use(world, NATIVE)
    world.b1.play(answer(400, {"message": "max_tokens: too many"}, [("x-amzn-ErrorType", "ValidationException:http://internal.amazon.com/")]))
    with pytest.raises(anthropic.BadRequestError, match="too many"):
        claude(world).messages.create(model="m", max_tokens=9, messages=HELLO)
    for make, code in ((lambda: aws.invoke_model(modelId="nobody", body='{"messages":[]}'), "ResourceNotFoundException"),
                       (lambda: aws.invoke_model(modelId="m", body='{"messages":[]'), "ValidationException")):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            make()
        assert caught.value.response["Error"]["Code"] == code and caught.value.response["ResponseMetadata"]["RequestId"]


# ---- InvokeModel at deployments that speak something else ----

def test_invoke_to_messages(world):
    use(world, CLAUDE)
    world.b1.play(answer(200, shapes.message()))
    sdk = claude(world)
    assert sdk.messages.create(model="m", max_tokens=9, messages=HELLO, extra_headers={"anthropic-beta": "context-1m-2025-08-07,interleaved-thinking-2025-05-14"}
                               ).content[0].text == "hello"
    arrived = world.b1.requests[0]
    assert arrived.target == "/v1/messages" and arrived.json == {"model": "claude-x", "max_tokens": 9, "messages": HELLO}
    assert arrived.all("anthropic-beta") == ["context-1m-2025-08-07,interleaved-thinking-2025-05-14"] and arrived.all("anthropic-version") == ["2023-06-01"]
    world.b1.play(stream(*shapes.told("he", "llo")))
    text, final = spoken_by(sdk)
    assert text == "hello" and final.usage.input_tokens == 11 and world.b1.requests[1].json["stream"] is True


def test_invoke_to_chat(world):
    use(world, {})
    assert claude(world).messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hi"
    text, final = spoken_by(claude(world), system="be brief")
    assert text == "hi" and final.stop_reason == "end_turn"
    assert world.b1.requests[1].json["messages"][0] == {"role": "system", "content": "be brief"}


def test_invoke_to_converse(world):
    use(world, CONVERSE)
    world.b1.play(answer(200, shapes.converse()))
    assert claude(world).messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hello"
    world.b1.play(shapes.aws_stream(*shapes.spoken("he", "llo")))
    assert spoken_by(claude(world))[0] == "hello" and world.b1.requests[1].target == PATH + "/converse-stream"


@pytest.mark.parametrize("backend", [CONVERSE, INVOKE], ids=["converse", "invoke"])
def test_padding_passes_between_the_two(world, backend):
    """Each frame that is made of one with padding has the same; a frame that came without goes without."""
    use(world, backend)
    if backend is CONVERSE:
        frames = shapes.spoken("he", "llo")
        frames[1:3] = [shapes.frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "he"}, "p": "ab\\u0063\"d"}),
                       shapes.frame("contentBlockDelta", {"contentBlockIndex": 0, "p": 1, "delta": {"text": "llo"}})]
        asked = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HELLO}
    else:
        frames = invoked("he", "llo")
        asked = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    world.b1.play(shapes.aws_stream(*frames))
    found = ask(world.gateway, json.dumps(asked).encode(), path="/model/m/invoke-with-response-stream" if backend is CONVERSE else "/model/m/converse-stream")
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(found.body)
    told = [(one.headers[":event-type"], json.loads(one.payload)) for one in buffer]
    if backend is CONVERSE:
        events = [(json.loads(base64.b64decode(payload["bytes"])), payload.get("p")) for _, payload in told]
        assert [(one["delta"]["text"], padding) for one, padding in events if one["type"] == "content_block_delta"] == [("he", "ab\\u0063\"d"), ("llo", None)], events
    else:
        assert [(payload["delta"]["text"], payload["p"]) for kind, payload in told if kind == "contentBlockDelta"] == [("he", "abcdef"), ("llo", "abcdef")], told


# ---- other clients at InvokeModel ----

def test_messages_to_invoke(world):
    """The nearest to Messages that Bedrock has; flags of betas move into the body."""
    use(world, NATIVE)
    sdk = anthropic.Anthropic(api_key=world.gateway.key(), base_url=f"http://127.0.0.1:{world.gateway.port}", max_retries=0, timeout=60)
    world.b1.play(answer(200, shapes.message()))
    assert sdk.messages.create(model="m", max_tokens=9, messages=HELLO, extra_headers={"anthropic-beta": "context-1m-2025-08-07"}).content[0].text == "hello"
    arrived = world.b1.requests[0]
    assert arrived.target == PATH + "/invoke" and not arrived.all("anthropic-beta")
    assert arrived.json == {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["context-1m-2025-08-07"], "max_tokens": 9, "messages": HELLO}
    world.b1.play(shapes.aws_stream(*invoked("he", "llo")))
    assert spoken_by(sdk)[0] == "hello" and world.b1.requests[1].target == PATH + "/invoke-with-response-stream"


def test_chat_to_invoke(world):
    use(world, INVOKE)
    world.b1.play(answer(200, shapes.message()))
    assert ask(world.gateway, body_of(text="hi")).json["choices"][0]["message"]["content"] == "hello"
    world.b1.play(shapes.aws_stream(*invoked("he", "llo")))
    assert b'"he"' in ask(world.gateway, body_of(text="hi", stream=True)).body


def test_invoke_is_anthropics_alone(world):
    """Whatever a deployment lists: another vendor's model is asked by Converse, and models of embeddings by none of them."""
    use(world, {**NATIVE, "models": {"m": "eu.amazon.nova-2-lite-v1:0"}})
    world.b1.play(answer(200, shapes.converse()))
    assert claude(world).messages.create(model="m", max_tokens=9, messages=HELLO).content[0].text == "hello"
    assert world.b1.requests[0].target.endswith("/converse")
