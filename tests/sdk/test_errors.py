"""What fails: before anything was said, inside of a stream, at its end. The SDK raises the same through the gateway, and retries as it would."""
import pytest

import clients
import matrix
import mock_backend
import provider
import scenarios
from mock_backend import Script, close, send
from site_of import DEPLOYMENTS

OPENAI = lambda message, kind, code=None, param=None: {"error": {"message": message, "type": kind, "param": param, "code": code}}
ANTHROPIC = lambda message, kind: {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_9"}

# What each dialect's provider answers: name: (status, body, headers).
FAILURES = {
    "chat": {
        "wrong": (400, OPENAI("Unsupported value: 'x'.", "invalid_request_error", "unsupported_value", "reasoning_effort"), []),
        "too long": (400, OPENAI("This model's maximum context length is 9 tokens.", "invalid_request_error", "context_length_exceeded", "messages"), []),
        "limited": (429, OPENAI("Rate limit reached for gpt-x.", "tokens", "rate_limit_exceeded"), [("retry-after", "7"), ("retry-after-ms", "6500")]),
        "failed": (500, OPENAI("The server had an error.", "server_error"), []),
        "filtered": (400, {"error": {**OPENAI("The response was filtered.", None, "content_filter", "prompt")["error"], "status": 400, "innererror": {
            "code": "ResponsibleAIPolicyViolation", "content_filter_result": {"jailbreak": {"filtered": True, "detected": True}}}}}, []),
    },
    "messages": {
        "wrong": (400, ANTHROPIC("temperature: must be at most 1", "invalid_request_error"), []),
        "too long": (400, ANTHROPIC("prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"), []),
        "limited": (429, ANTHROPIC("This request would exceed your rate limit.", "rate_limit_error"), [("retry-after", "7")]),
        "failed": (500, ANTHROPIC("Internal server error", "api_error"), []),
        "overloaded": (529, ANTHROPIC("Overloaded", "overloaded_error"), []),
    },
    "converse": {
        "wrong": (400, {"message": "The value at inferenceConfig is not valid."}, [("x-amzn-ErrorType", "ValidationException")]),
        "too long": (400, {"message": "Input is too long for requested model."}, [("x-amzn-ErrorType", "ValidationException:http://x/")]),
        "limited": (429, {"message": "Too many tokens, please wait before trying again."}, [("x-amzn-ErrorType", "ThrottlingException"), ("retry-after", "7")]),
        "failed": (500, {"Message": "It failed."}, [("x-amzn-ErrorType", "InternalServerException")]),
        "model failed": (424, {"message": "The model failed.", "originalStatusCode": 500}, [("x-amzn-ErrorType", "ModelErrorException")]),
    },
}
FAILURES["responses"] = FAILURES["chat"]
FAILURES["invoke"] = FAILURES["converse"]
CASES = [(client, deployment, what) for client, deployment in matrix.SERVED for what in FAILURES[DEPLOYMENTS[deployment].dialect]]
TEXT = scenarios.ANSWERS["hello"]["text"]


def body(client, deployment):
    return {**matrix.written(client, scenarios.row("text")), "model": "to-" + deployment}


def sentence(failure):
    found = failure[1].get("error") or failure[1]
    return found.get("message") or found.get("Message")


@pytest.mark.parametrize("client,deployment,what,streamed", [(*case, streamed) for case in CASES for streamed in (False, True)])
def test_before_anything_is_said(fresh, client, deployment, what, streamed):
    """The provider's own status and sentence; of one dialect all that the SDK has of it."""
    failure, kind = FAILURES[DEPLOYMENTS[deployment].dialect][what], matrix.CLIENTS[client]
    provider_ = fresh.of(deployment)
    answer = provider.plain(failure[1], failure[2], failure[0])
    found = []
    for sdk, model in ((fresh.through(kind), "to-" + deployment), (fresh.direct(kind, deployment), DEPLOYMENTS[deployment].upstream)):
        provider_.plays(answer)
        found.append(sdk.told({**body(client, deployment), "model": model}, streamed))
        if kind.dialect != DEPLOYMENTS[deployment].dialect:
            break
    assert found[0]["status"] == (503 if failure[0] == 529 and kind.dialect != "messages" else failure[0])
    assert sentence(failure) in found[0]["said"] and len(provider_.arrived) == len(found)
    if len(found) == 2:
        assert found[0] == found[1]


@pytest.mark.parametrize("client,deployment", matrix.SERVED)
def test_the_sdk_retries(fresh, client, deployment):
    """By the provider's word, which comes through: the first attempt is refused for some milliseconds. boto3 does not read it but waits a random part of a second, which may
    be less than that and then is answered by the gateway alone: it gets some retries more."""
    status, answer, _ = FAILURES[DEPLOYMENTS[deployment].dialect]["limited"]
    fresh.of(deployment).says("hello").plays(provider.plain(answer, [("retry-after-ms", "20"), ("retry-after", "1")], status))
    found = fresh.through(matrix.CLIENTS[client], 4 if issubclass(matrix.CLIENTS[client], clients.Boto) else 1).told(body(client, deployment))
    assert found == scenarios.expected("hello", client, DEPLOYMENTS[deployment].dialect) and len(fresh.of(deployment).arrived) == 2


@pytest.mark.parametrize("stem", ["broken", "cut"])
@pytest.mark.parametrize("client,deployment", matrix.SERVED)
def test_inside_of_a_stream(fresh, client, deployment, stem):
    """What came before it reaches the client; then it raises (of Responses the error is an event), and nobody else is asked. A stream without its end is broken, too."""
    fresh.of(deployment).says(stem)
    seen, kind = [], matrix.CLIENTS[client]
    found = kind.caught(lambda asked: [seen.append(event) for event in fresh.through(kind).stream(asked)], body(client, deployment))
    ends = seen[-1]["type"] == "error" if client == "responses" else "error" in found
    assert ends and TEXT.startswith(kind.text_of(seen)) and kind.text_of(seen), (found, seen)
    assert len(fresh.of(deployment).arrived) == 1


@pytest.mark.parametrize("client,deployment", [one for one in matrix.SERVED if one != ("converse", "converse")])    # boto3 reads a cut body as an empty answer, from AWS itself too
def test_a_connection_that_ends(fresh, client, deployment):
    """In the middle of the body of a whole answer, and of a stream's chunk."""
    kind = matrix.CLIENTS[client]
    fresh.of(deployment).plays(Script(send(mock_backend.head(200, [("Content-Type", "application/json"), ("Content-Length", "5000")]) + b'{"id":'), close()))
    with pytest.raises(kind.FAILURES):
        fresh.through(kind).plain(body(client, deployment))


MOST = {"chat": lambda body: body.get("max_completion_tokens") or body["max_tokens"], "responses": lambda body: body["max_output_tokens"], "messages": lambda body: body["max_tokens"],
        "invoke": lambda body: body["max_tokens"], "converse": lambda body: body["inferenceConfig"]["maxTokens"]}


@pytest.mark.parametrize("client,deployment,asks,gets", [(client, deployment, asks, gets) for client, deployment in matrix.SERVED
                                                         for asks, gets in ((None, 300), (200, 200)) if asks or matrix.may_be_silent(client)])
def test_the_most_tokens_are_capped(fresh, client, deployment, asks, gets):
    """The tenant's maximum is asked for where the client says none."""
    fresh.forget(max_output=300)
    asked = matrix.without_maximum(client, body(client, deployment)) if asks is None else body(client, deployment)
    fresh.through(matrix.CLIENTS[client]).plain(asked)
    assert MOST[DEPLOYMENTS[deployment].dialect](fresh.of(deployment).arrived[0].json) == gets
