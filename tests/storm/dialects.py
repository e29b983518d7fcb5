"""Clients and backends of several dialects for the storms: how each asks, what its answer says, and what a backend of Anthropic's or Bedrock's may answer."""
import json

import anthropic_shapes as shapes
import botocore.eventstream
from mock_backend import Script, answer, chunk, close, head, pause, provider_error, reset, send

CLIENTS = ("chat", "messages", "converse")
SPECS = {
    "chat": {},
    "messages": {"dialect": "anthropic", "endpoints": ["messages"]},
    "converse": {"dialect": "bedrock", "endpoints": ["converse"], "region": "eu-north-1"},
}
# how its backend is asked: the mocks verify each request, retries and what a killed worker left included
CREDENTIAL = {"converse": json.dumps({"Version": 1, "AccessKeyId": "AKIASTORM", "SecretAccessKey": "canary/secret", "SessionToken": "canary/token=="}), "messages": "canary"}
LINES = {"converse": ["aws_signature bedrock;"]}
UPSTREAM = {"converse": "amazon.nova-lite-v1:0"}
AWS = "application/vnd.amazon.eventstream"


# ---- clients ----

def question(dialect, model, text, stream, maximum):
    """(path, body)."""
    if dialect == "converse":
        body = {"messages": [{"role": "user", "content": [{"text": text}]}], **({"inferenceConfig": {"maxTokens": maximum}} if maximum else {})}
        return f"/model/{model}/converse" + ("-stream" if stream else ""), json.dumps(body).encode()
    body = {"model": model, "messages": [{"role": "user", "content": text}], **({"stream": True} if stream else {})}
    if maximum or dialect == "messages":
        body["max_tokens"] = maximum or 100
    return "/v1/messages" if dialect == "messages" else "/v1/chat/completions", json.dumps(body).encode()


def sse(body):
    """The data of every whole event."""
    return [line[5:].strip() for block in body.decode().split("\n\n")[:-1] for line in block.split("\n") if line.startswith("data:")]


def spoken(dialect, stream, body):
    """What an answer says; None: it ended in an error, or not at all."""
    if not stream:
        found = json.loads(body)
        if dialect == "chat":
            return found["choices"][0]["message"]["content"] if "choices" in found else None
        content = found["content"] if dialect == "messages" else found["output"]["message"]["content"]
        return "".join(part.get("text", "") for part in content)
    if dialect == "converse":
        buffer = botocore.eventstream.EventStreamBuffer()
        buffer.add_data(body)
        found = [(one.headers.get(":event-type"), json.loads(one.payload)) for one in buffer]
        return "".join(said["delta"].get("text", "") for kind, said in found if kind == "contentBlockDelta") if found and found[-1][0] == "metadata" else None
    data = sse(body)
    if dialect == "chat":
        parts = [json.loads(one) for one in data if one != "[DONE]"]
        whole = "[DONE]" in data and not any("error" in one for one in parts)
        return "".join(choice["delta"].get("content") or "" for one in parts for choice in one["choices"]) if whole else None
    parts = [json.loads(one) for one in data]
    whole = any(one["type"] == "message_stop" for one in parts) and not any(one["type"] == "error" for one in parts)
    return "".join(one["delta"].get("text", "") for one in parts if one["type"] == "content_block_delta") if whole else None


# ---- backends ----

def asked(request):
    content = request.json["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def events(dialect, text, usage):
    """A whole stream, event by event; the text in three pieces."""
    words = [text[:7], text[7:20], text[20:60]]
    if dialect == "converse":
        found = [one for one in shapes.spoken(*words, metadata=False)]
        counts = {"inputTokens": usage["input"], "outputTokens": usage["output"], "totalTokens": usage["input"] + usage["output"]}
        return [*found, shapes.frame("metadata", {"usage": counts, "metrics": {"latencyMs": 5}})]
    return [shapes.start(**usage), shapes.PING, shapes.block(), *map(shapes.text, words), shapes.stop(), shapes.end(output=usage["output"])]


def said(dialect, text, usage):
    if dialect == "converse":
        counts = {"inputTokens": usage["input"], "outputTokens": usage["output"], "totalTokens": usage["input"] + usage["output"]}
        return shapes.converse(text[:60], usage=counts)
    return shapes.message({"type": "text", "text": text[:60]}, **usage)


def failure(dialect, status):
    if dialect == "converse":
        return answer(status, {"message": "no"}, [("x-amzn-ErrorType", {429: "ThrottlingException", 400: "ValidationException"}.get(status, "ServiceUnavailableException"))])
    return provider_error(status) if status == 503 else shapes.message_error(status, {429: "rate_limit_error", 400: "invalid_request_error"}.get(status, "overloaded_error"))


def answered(dialect, request, dice):
    """Whole, refused, failed in the first event or in a later one, or cut; as fast as it can or slowly."""
    usage = {"input": dice.randrange(5, 60), "output": dice.randrange(1, 40), "cached": 0, "written": 0}
    what, text = dice.random(), asked(request)
    streamed = request.json.get("stream") or request.target.endswith("-stream")
    if what < 0.1:
        return failure(dialect, dice.choice((429, 503, 529 if dialect == "messages" else 503, 400)))
    if not streamed:
        return Script(pause(dice.random() * 0.1), *answer(200, said(dialect, text, usage)).steps)
    parts, ends = events(dialect, text, usage), True
    if what < 0.2:
        at = dice.choice((1, 1, len(parts) - 3))
        parts = parts[:at] + [shapes.exception("throttlingException") if dialect == "converse" else shapes.failed()]
    elif what < 0.28:
        parts, ends = parts[:dice.randrange(1, len(parts))], False
    kind = AWS if dialect == "converse" else "text/event-stream"
    steps, gap = [send(head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")]))], dice.choice((0, 0, 0.004, 0.02))
    for part in parts:
        steps += [send(chunk(part)), *([pause(gap)] if gap else [])]
    return Script(*steps, send(b"0\r\n\r\n") if ends else dice.choice((close, reset))())
