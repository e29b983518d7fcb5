"""Bedrock's Converse and ConverseStream: clients of them in front of deployments that speak them, and of others."""
import json
import urllib.parse

import botocore.config
import botocore.exceptions
import botocore.eventstream
import botocore.session
import pytest

import anthropic_shapes as shapes
import documents
from client import Client, ask
from mock_backend import DONE, answer, completion, delta, event as chat_event, provider_error, role, stream, usage_event

pytestmark = pytest.mark.sanitizer

NOVA = "eu.amazon.nova-2-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "hello, world"}]}]
STREAM = [shapes.frame("messageStart", {"role": "assistant"}),
          shapes.frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one "}, "p": "abcd"}),
          shapes.frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "two"}}),
          shapes.frame("contentBlockStop", {"contentBlockIndex": 0}), shapes.frame("messageStop", {"stopReason": "end_turn"}),
          shapes.frame("metadata", {"usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 23, "cacheReadInputTokens": 5}, "metrics": {"latencyMs": 9}})]


@pytest.fixture
def site(world):
    world.route("b1", "b2", dialect="bedrock", endpoints=["converse"], models={"m": NOVA})
    return world


def asks(world, body=None, stream=False, model="m", key=None):
    path = f"/model/{urllib.parse.quote(model, safe='')}/converse{'-stream' if stream else ''}"
    return ask(world.gateway, json.dumps({"messages": HELLO} if body is None else body).encode() if not isinstance(body, bytes) else body, path=path, key=key)


@pytest.fixture
def boto(monkeypatch, world, authority):
    """As boto3 with AWS_BEARER_TOKEN_BEDROCK and an endpoint of its own."""
    def make(key=None):
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key or world.gateway.key())
        return botocore.session.Session().create_client(
            "bedrock-runtime", region_name="eu-central-1", endpoint_url=f"https://127.0.0.1:{world.gateway.tls_port}", verify=str(authority.certificate),
            config=botocore.config.Config(retries={"total_max_attempts": 1}))
    return make


def messages(body):
    """[(event or exception, payload)] of an event stream, and whether nothing was left over."""
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(body)
    found = [(one.headers.get(":event-type") or one.headers.get(":exception-type"), json.loads(one.payload)) for one in buffer]
    return found


def expect_error(found, status, kind, code):
    assert found.status == status and found.header("x-amzn-errortype") == kind and found.header("content-type") == "application/json", (found.status, found.body)
    assert json.loads(found.body)["message"].startswith(code + ": ") and found.header("x-amzn-requestid") == found.header("x-request-id")


def test_an_answer_passes_byte_for_byte(site):
    raw = json.dumps(shapes.converse("hello", trace={"guardrail": {}}), indent=1).encode()
    site.b1.play(answer(body=raw, headers=[("x-amzn-RequestId", "r-9")]))
    found = asks(site, {"messages": HELLO, "inferenceConfig": {"maxTokens": 50, "temperature": 1.0}})
    assert found.status == 200 and found.body == raw
    sent = site.b1.requests[0]
    assert sent.target == f"/model/{urllib.parse.quote(NOVA, safe='')}/converse" and sent.header("authorization") == "Bearer secret-of-b1"
    assert sent.json == {"messages": HELLO, "inferenceConfig": {"maxTokens": 50, "temperature": 1.0}} and b"1.0" in sent.body
    usage = site.gateway.outcome(found.id)["usage"]
    said = json.loads(raw)["usage"]
    assert (usage["input"], usage["output"], usage["source"]) == (said["inputTokens"], said["outputTokens"], "reported")


@pytest.mark.parametrize("split", [1, 13, 100000])
def test_a_stream_passes_byte_for_byte(site, split):
    whole = b"".join(STREAM)
    site.b1.play(shapes.aws_stream(*(whole[at:at + split] for at in range(0, len(whole), split))))
    found = asks(site, stream=True)
    assert found.status == 200 and found.whole and found.body == whole and found.header("content-type") == "application/vnd.amazon.eventstream"
    assert site.b1.requests[0].target.endswith("/converse-stream")
    usage = site.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["source"]) == (11, 5, 7, "reported") and not site.b2.requests


def test_boto(site, boto):
    site.b1.play(answer(body=json.dumps(shapes.converse("hello")).encode()), shapes.aws_stream(*STREAM))
    sdk = boto()
    assert sdk.converse(modelId="m", messages=HELLO)["output"]["message"]["content"] == [{"text": "hello"}]
    events = list(sdk.converse_stream(modelId="m", messages=HELLO)["stream"])
    assert "".join(one["contentBlockDelta"]["delta"]["text"] for one in events if "contentBlockDelta" in one) == "one two" and "metadata" in events[-1]
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        sdk.converse(modelId="nobody", messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException" and caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        boto("gh_" + "x" * 49).converse(modelId="m", messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_signature_is_no_key(site):
    """A client that signs with keys of AWS has none of ours (test_signed.py has those of ours)."""
    with Client(site.gateway.port) as client:
        found = client.request("/model/m/converse", json.dumps({"messages": HELLO}).encode(), None, [("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/x")]).answer()
    expect_error(found, 403, "IncompleteSignatureException", "incomplete_signature")


def test_errors_in_its_words(site):
    expect_error(asks(site, b"{}"), 400, "ValidationException", "invalid_request")
    expect_error(asks(site, b"{"), 400, "ValidationException", "invalid_json")
    expect_error(asks(site, {"messages": HELLO, "inference_geo": "nowhere"}), 400, "ValidationException", "invalid_places")
    expect_error(asks(site, model="nobody"), 404, "ResourceNotFoundException", "model_not_found")
    site.route("b1", dialect="bedrock", endpoints=["converse"], models={"m": NOVA}, rules=[documents.allow("here", process=["SE", "DE"], store="nothing")])
    for more in ({"guardrailConfig": {"guardrailIdentifier": "g"}}, {"additionalModelRequestFields": {"of_tomorrow": 1}}, {"of_tomorrow": 1},
                 {"additionalModelRequestFields": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}},
                 {"additionalModelRequestFields": {"tools": [{"type": "of_tomorrow", "name": "x"}]}}):
        expect_error(asks(site, {"messages": HELLO, **more}), 403, "AccessDeniedException", "residency_denied")
    assert not site.b1.requests and not site.b2.requests


def test_tools_that_the_client_runs_turn_nothing_on(site):
    """And what Anthropic runs is the feature that it is at Messages."""
    body = {"messages": HELLO, "additionalModelRequestFields": {"tools": [{"type": "bash_20250124", "name": "bash"}], "anthropic_beta": ["computer-use-2025-01-24"]}}
    site.route("b1", dialect="bedrock", endpoints=["converse"], models={"m": "eu.anthropic.claude-x-v1:0"}, rules=[documents.allow("here", process=["SE", "DE"], store="nothing")])
    site.b1.play(answer(body=json.dumps(shapes.converse("hello")).encode()))
    assert asks(site, body).status == 200 and site.b1.requests[0].json == body
    body["additionalModelRequestFields"]["tools"].append({"type": "web_search_20250305", "name": "web_search"})
    found = asks(site, body)
    assert found.status == 403 and len(site.b1.requests) == 1
    assert {"name": "web_search", "where": "additionalModelRequestFields.tools[1].type"}.items() <= site.gateway.record(found.id, ("decision",))[0]["features"][0].items()


@pytest.mark.parametrize("config, sent", [(None, {"maxTokens": 64}), ({}, {"maxTokens": 64}), ({"temperature": 0.5}, {"temperature": 0.5, "maxTokens": 64}),
                                          ({"maxTokens": 100}, {"maxTokens": 64}), ({"maxTokens": 10}, {"maxTokens": 10}), ({"maxTokens": None}, {"maxTokens": 64})])
def test_the_most_tokens(site, config, sent):
    site.route("b1", dialect="bedrock", endpoints=["converse"], models={"m": NOVA},
               tenants=documents.tenants(red={"max_output": 64}))
    site.b1.play(answer(body=json.dumps(shapes.converse("hello")).encode()))
    found = asks(site, {"messages": HELLO} if config is None else {"messages": HELLO, "inferenceConfig": config})
    assert found.status == 200, found.body
    assert site.b1.requests[0].json["inferenceConfig"] == sent


def test_an_error_of_the_provider_passes(site):
    site.b1.play(answer(body=b'{"message":"no such thing"}', status=400, headers=[("x-amzn-ErrorType", "ValidationException:http://x/")]))
    found = asks(site)
    assert found.status == 400 and found.body == b'{"message":"no such thing"}' and found.header("x-amzn-errortype") == "ValidationException:http://x/"


@pytest.mark.parametrize("said", [[shapes.exception("throttlingException")], [STREAM[0], shapes.exception("modelStreamErrorException")], STREAM[:1], [],
                                  [STREAM[0][:-1] + b"x"], [b"\0\0\0\1"]])
def test_what_fails_before_the_first_delta_goes_to_another(site, said):
    site.b1.play(shapes.aws_stream(*said))
    site.b2.play(shapes.aws_stream(*STREAM))
    found = asks(site, stream=True)
    assert found.status == 200 and found.body == b"".join(STREAM) and site.contacted() == ["b1", "b2"]


def test_an_exception_that_nobody_mends(site):
    for mock in (site.b1, site.b2):
        mock.play(shapes.aws_stream(STREAM[0], shapes.exception("throttlingException", "slow down")))
    found = asks(site, stream=True)
    assert found.status == 429 and json.loads(found.body)["message"] == "slow down" and found.header("x-amzn-errortype") == "ThrottlingException"


def test_an_exception_behind_a_delta_ends_the_stream(site):
    broken = [*STREAM[:2], shapes.exception("modelStreamErrorException")]
    site.b1.play(shapes.aws_stream(*broken, *STREAM[2:]))
    found = asks(site, stream=True)
    assert found.body == b"".join(broken) and site.contacted() == ["b1"] and site.gateway.outcome(found.id)["end"] == "cut"


@pytest.mark.parametrize("cut", [len(b"".join(STREAM[:2])), len(b"".join(STREAM[:2])) + 20, len(b"".join(STREAM[:5])), len(b"".join(STREAM)) - 1])
def test_a_stream_that_is_cut_ends_in_an_exception(site, cut):
    """At whatever byte: what comes is whole messages, and the last one says it."""
    site.b1.play(shapes.aws_stream(b"".join(STREAM)[:cut]))
    found = asks(site, stream=True)
    kinds = messages(found.body)
    assert kinds[-1][0] == "internalServerException" and kinds[-1][1]["message"] and site.contacted() == ["b1"]
    assert [kind for kind, _ in kinds[:2]] == ["messageStart", "contentBlockDelta"] and "metadata" not in [kind for kind, _ in kinds]


# ---- in front of what speaks another dialect ----

def test_translated_to_chat(world, boto):
    world.b1.play(answer(body=json.dumps(completion("hello")).encode()),
                  stream(role(), delta("one "), delta("two"), delta("", "stop"), usage_event(), DONE))
    sdk = boto()
    found = sdk.converse(modelId="m", messages=HELLO, inferenceConfig={"maxTokens": 9})
    assert found["output"]["message"] == {"role": "assistant", "content": [{"text": "hello"}]} and found["stopReason"] == "end_turn"
    assert (found["usage"]["inputTokens"], found["usage"]["cacheReadInputTokens"], found["usage"]["outputTokens"]) == (8, 3, 7)
    events = list(sdk.converse_stream(modelId="m", messages=HELLO)["stream"])
    assert "".join(one["contentBlockDelta"]["delta"]["text"] for one in events if "contentBlockDelta" in one) == "one two" and "metadata" in events[-1]
    assert world.b1.requests[1].json["stream"] is True and world.b1.requests[1].target == "/v1/chat/completions"


def test_translated_errors(world):
    world.b1.play(provider_error(400, "too long"), stream(role(), delta("one "), chat_event({"error": {"message": "x", "type": "server_error", "code": "500"}})))
    found = asks(world)
    assert found.status == 400 and found.header("x-amzn-errortype") == "ValidationException" and json.loads(found.body) == {"message": "too long"}
    kinds = messages(asks(world, stream=True).body)
    assert kinds[-1][0].endswith("Exception") and "metadata" not in [kind for kind, _ in kinds]
    world.route("b1", features={"system_tool": {"process": ["SE"], "store": "nothing"}})
    expect_error(asks(world, {"messages": HELLO, "toolConfig": {"tools": [{"systemTool": {"name": "x"}}]}}), 400, "ValidationException", "not_expressible")
