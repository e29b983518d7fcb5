"""The same streamed text in every dialect: what a client asks, what a backend says, and the policy under which each dialect's backend serves all of them."""
import base64
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
for name in ("tests/e2e", "tests/audit"):
    if str(ROOT / name) not in sys.path:
        sys.path.insert(0, str(ROOT / name))

import anthropic_shapes as shapes                                       # noqa: E402
import documents                                                        # noqa: E402
from mock_backend import DONE, MockBackend, Script, chunk, delta, head, role, send, usage_event     # noqa: E402

WORDS = " countries"
AWS = "application/vnd.amazon.eventstream"
HI = [{"role": "user", "content": "hi"}]
CLIENTS = {
    "chat": ("/v1/chat/completions", {"messages": HI, "stream": True, "stream_options": {"include_usage": True}}, "data: [DONE]"),
    "messages": ("/v1/messages", {"messages": HI, "max_tokens": 99, "stream": True}, "message_stop"),
    "converse": ("/model/{}/converse-stream", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "metadata"),
    "invoke": ("/model/{}/invoke-with-response-stream", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": HI}, None),
    "responses": ("/v1/responses", {"input": "hi", "stream": True}, "response.completed"),
}
BACKENDS = {
    "chat": {}, "messages": {"dialect": "anthropic", "endpoints": ["messages"]}, "converse": {"dialect": "bedrock", "endpoints": ["converse"]},
    "invoke": {"dialect": "bedrock", "endpoints": ["invoke"]}, "responses": {"endpoints": ["responses"]},
}
UPSTREAM = {"converse": "amazon.nova-lite-v1:0", "invoke": "anthropic.claude-x-v1:0"}


def told(kind, **members):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def events(dialect, count):
    """A whole answer of so many deltas, event by event."""
    if dialect == "chat":
        return [role(), *[delta(WORDS)] * count, delta("", "stop"), usage_event(), DONE]
    if dialect == "messages":
        return shapes.told(*[WORDS] * count)
    if dialect == "converse":
        return shapes.spoken(*[WORDS] * count)
    if dialect == "invoke":
        data = (line[5:].strip() for one in shapes.told(*[WORDS] * count) for line in one.split(b"\n") if line.startswith(b"data:"))
        return [shapes.frame("chunk", {"bytes": base64.b64encode(one).decode(), "p": "abcdefgh"}) for one in data]
    text = WORDS * count
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "status": "in_progress", "output": []}
    done = {**response, "status": "completed", "output": [item], "usage": {"input_tokens": 9, "output_tokens": count, "total_tokens": 9 + count}}
    return [told("response.created", response=response), told("response.output_item.added", output_index=0, item={**item, "content": [], "status": "in_progress"}),
            *[told("response.output_text.delta", output_index=0, content_index=0, item_id="msg_1", delta=WORDS)] * count,
            told("response.output_text.done", output_index=0, content_index=0, item_id="msg_1", text=text),
            told("response.output_item.done", output_index=0, item=item), told("response.completed", response=done)]


def speaker(dialect, count):
    """A backend that gives every request that answer, as fast as it can."""
    mock = MockBackend("127.0.0.70", name=dialect)
    kind = AWS if dialect in ("converse", "invoke") else "text/event-stream"
    raw = head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")]) + b"".join(map(chunk, events(dialect, count))) + b"0\r\n\r\n"
    mock.always(Script(send(raw)))
    return mock


def policy():
    """Documents: each dialect's deployment has the model of its name."""
    return (documents.fleet(*(documents.deployment(name, name, models={name: UPSTREAM.get(name, "up")}, **spec) for name, spec in BACKENDS.items())),
            documents.residency(documents.allow("all", unlisted_features="accepted")), documents.tenants())


def request(client, backend, port, key):
    path, body, _ = CLIENTS[client]
    text = json.dumps({"model": backend, **body} if "{}" not in path else body).encode()
    return (f"POST {path.format(backend)} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text


def whole(sock, text):
    """Sends a request and reads its answer to the end; the last bytes of it."""
    sock.sendall(text)
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        data = sock.recv(1 << 20)
        if not data:
            raise SystemExit(f"{text[:60]!r}: the connection ended: {tail[-300:]!r}")
        tail = (tail + data)[-600:]
    return tail
