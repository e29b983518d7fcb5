"""
What Converse says in its body and InvokeModel in headers: guardrails, how quick the answer is to be, labels. boto3 asks the one, the deployment offers the other, and gets
what botocore's own serializer makes of the same arguments there.
"""
import json

import botocore.serialize
import botocore.session
import pytest

import clients
import sdk_read
from provider_bedrock import EVENTS, HEADERS, chunk, frames
import provider

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
ARN = "arn:aws:bedrock:eu-central-1:123456789012:guardrail/abc1"
LABELS = {"team": "a b@c", "x:y": "#1 $=/+,-._"}
# (members of Converse, arguments of InvokeModel): the same
SAID = [
    ({"guardrailConfig": {"guardrailIdentifier": "abc1", "guardrailVersion": "7"}}, {"guardrailIdentifier": "abc1", "guardrailVersion": "7"}),
    ({"guardrailConfig": {"guardrailIdentifier": ARN, "guardrailVersion": "DRAFT", "trace": "enabled_full"}},
     {"guardrailIdentifier": ARN, "guardrailVersion": "DRAFT", "trace": "ENABLED_FULL"}),
    ({"guardrailConfig": {"guardrailIdentifier": "abc1", "guardrailVersion": "7", "trace": "disabled"}, "performanceConfig": {"latency": "optimized"},
      "requestMetadata": LABELS, "serviceTier": {"type": "flex"}},
     {"guardrailIdentifier": "abc1", "guardrailVersion": "7", "trace": "DISABLED", "performanceConfigLatency": "optimized", "requestMetadata": json.dumps(LABELS),
      "serviceTier": "flex"}),
    ({"performanceConfig": {"latency": "standard"}}, {"performanceConfigLatency": "standard"}),
    ({"requestMetadata": {"a": ""}}, {"requestMetadata": json.dumps({"a": ""})}),
]
MODEL = botocore.session.Session().get_service_model("bedrock-runtime")


def written(operation, **arguments):
    """(headers of Bedrock, body) as botocore writes them."""
    made = botocore.serialize.create_serializer("rest-json").serialize_to_request({"modelId": "m", **arguments}, MODEL.operation_model(operation))
    return said(made["headers"].items()), json.loads(made["body"])


def said(headers):
    """Those of Bedrock, labels read."""
    found = {name.lower(): value for name, value in headers if name.lower().startswith("x-amzn-bedrock-") and not name.lower().endswith("-accept")}
    if "x-amzn-bedrock-request-metadata" in found:
        found["x-amzn-bedrock-request-metadata"] = json.loads(found["x-amzn-bedrock-request-metadata"])
    return found


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("members, arguments", SAID)
def test_of_converse(site, members, arguments, streamed):
    """At InvokeModel: in headers, each of them signed; nothing of it in the body."""
    sdk = site.through(clients.Converse)
    found = sdk.ask("converse_stream" if streamed else "converse", modelId="to-invoke", messages=HELLO, **members)
    assert list(found["stream"]) if streamed else found["output"]
    [arrived] = site.of("invoke").arrived
    assert not site.of("invoke").refused
    operation = "InvokeModelWithResponseStream" if streamed else "InvokeModel"
    headers, _ = written(operation, body=b"{}", **arguments)
    assert said(arrived.headers) == headers and not set(arrived.json) & {"guardrailConfig", "requestMetadata", "performanceConfig"}
    assert set(headers) <= set(arrived.header("authorization").split("SignedHeaders=")[1].split(",")[0].split(";"))


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("members, arguments", SAID)
def test_of_invoke(site, members, arguments, streamed):
    """At Converse: in the body, and in no header."""
    sdk = site.through(clients.InvokeBoto)
    found = sdk.ask("invoke_model_with_response_stream" if streamed else "invoke_model", modelId="to-converse", body=json.dumps(BODY), **arguments)
    assert list(found["body"])
    [arrived] = site.of("converse").arrived
    assert not site.of("converse").refused and not said(arrived.headers)
    _, body = written("Converse", messages=HELLO, **members)
    assert arrived.json == {**body, "inferenceConfig": {"maxTokens": 9}}


@pytest.mark.parametrize("arguments, where", [
    ({"guardrailIdentifier": "abc1", "guardrailVersion": "7"}, "x-amzn-bedrock-guardrailidentifier"), ({"trace": "ENABLED"}, "x-amzn-bedrock-trace")])
@pytest.mark.parametrize("deployment", ["messages", "chat"])
def test_a_guardrail_is_never_lost(site, deployment, arguments, where):
    """What has none is not asked."""
    with pytest.raises(site.through(clients.InvokeBoto).FAILURES, match="not_expressible") as caught:
        site.through(clients.InvokeBoto).ask("invoke_model", modelId="to-" + deployment, body=json.dumps(BODY), **arguments)
    assert "x-amzn-bedrock-" in str(caught.value) and (deployment == "chat" or where in str(caught.value))
    with pytest.raises(site.through(clients.Converse).FAILURES, match="not_expressible.*guardrailConfig"):
        site.through(clients.Converse).ask("converse", modelId="to-" + deployment, messages=HELLO, guardrailConfig={"guardrailIdentifier": "abc1", "guardrailVersion": "7"})
    assert not site.of(deployment).arrived


@pytest.mark.parametrize("arguments, where", [
    ({"guardrailIdentifier": "abc1", "guardrailVersion": "7", "trace": "LOUD"}, "x-amzn-bedrock-guardrailidentifier"),
    ({"requestMetadata": "team=a"}, "x-amzn-bedrock-request-metadata"), ({"requestMetadata": '{"a":{}}'}, "x-amzn-bedrock-request-metadata"),
    ({"requestMetadata": '{"a":"(b)"}'}, "x-amzn-bedrock-request-metadata"), ({"performanceConfigLatency": "instant"}, "x-amzn-bedrock-performanceconfig-latency")])
def test_headers_that_no_body_can_say(site, arguments, where):
    """Converse is not asked without them; what drops labels anyway is."""
    sdk = site.through(clients.InvokeBoto)
    with pytest.raises(sdk.FAILURES, match=where):
        sdk.ask("invoke_model", modelId="to-converse", body=json.dumps(BODY), **arguments)
    assert not site.of("converse").arrived
    if "requestMetadata" in arguments:
        assert sdk.ask("invoke_model", modelId="to-chat", body=json.dumps(BODY), **arguments)["body"].read()


def intervened(events):
    """The last event says it, behind the reason."""
    last = json.dumps({"type": "message_stop", "amazon-bedrock-guardrailAction": "INTERVENED"}).encode()
    return [*events[:-1], b"data: " + last + b"\n\n"]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_guardrail_that_intervened(site, streamed):
    """Both have their own word for it."""
    answer = json.loads(provider.sample("messages", "hello", "json")) | {"amazon-bedrock-guardrailAction": "INTERVENED", "amazon-bedrock-trace": {"guardrail": {}}}
    events = intervened(provider.blocks(provider.sample("messages", "hello", "sse")))
    site.of("invoke").plays(provider.stream([chunk(one) for one in events], HEADERS, EVENTS) if streamed else provider.plain(json.dumps(answer).encode(), HEADERS))
    asked = {"modelId": "to-invoke", "messages": HELLO, "guardrailConfig": {"guardrailIdentifier": "abc1", "guardrailVersion": "7"}}
    found = site.through(clients.Converse).ask("converse_stream" if streamed else "converse", **asked)
    reasons = [one["messageStop"]["stopReason"] for one in found["stream"] if "messageStop" in one] if streamed else [found["stopReason"]]
    assert reasons == ["guardrail_intervened"]

    answer = json.loads(provider.sample("converse", "hello", "json")) | {"stopReason": "guardrail_intervened"}
    text = provider.sample("converse", "hello", "events").replace(b'"end_turn"', b'"guardrail_intervened"')
    site.of("converse").plays(provider.stream(frames(framed(text)), HEADERS, EVENTS) if streamed else provider.plain(json.dumps(answer).encode(), HEADERS))
    asked = {"modelId": "to-converse", "body": json.dumps(BODY), "guardrailIdentifier": "abc1", "guardrailVersion": "7"}
    found = site.through(clients.InvokeBoto).ask("invoke_model_with_response_stream" if streamed else "invoke_model", **asked)
    told = [json.loads(one["chunk"]["bytes"]) for one in found["body"]] if streamed else [json.loads(found["body"].read())]
    assert [one["amazon-bedrock-guardrailAction"] for one in told if "amazon-bedrock-guardrailAction" in one] == ["INTERVENED"]
    assert "refusal" in [one.get("stop_reason") or one.get("delta", {}).get("stop_reason") for one in told]


def framed(text):
    """Lines of tests/data/dialects, whose lengths are those of what stands there now."""
    lines, made = text.split(b"\n"), b""
    for head, payload in zip(lines[::2], lines[1::2]):
        made += head.split()[0] + b" %d\n" % len(payload) + payload + b"\n"
    return sdk_read.framed(made)
