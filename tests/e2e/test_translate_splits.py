"""
Streams of every dialect, written from the formats, for clients of every dialect, through nginx: the backend's bytes, HTTP's framing among them, split anywhere come out the same,
and cut anywhere they never end well. The hub alone is held against every byte in tests/dialects; here each pair has a sample of them, SPLITS=1 has all.
"""
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import sys

import botocore.eventstream
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "dialects"))

import sdk_read                                     # noqa: E402
from client import ask                              # noqa: E402
from mock_backend import Script, chunk, close, head, pieces    # noqa: E402
from test_translate import by, use                  # noqa: E402

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/dialects"
SAMPLE = int(os.environ.get("SPLITS", "0"))         # every so many bytes; 0: about 12 places a pair
AWS = "application/vnd.amazon.eventstream"
BACKENDS = {
    "chat": {},
    "messages": {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "claude-x"}},
    "converse": {"dialect": "bedrock", "endpoints": ["converse"], "models": {"m": "amazon.nova-lite-v1:0"}},
    "invoke": {"dialect": "bedrock", "endpoints": ["invoke"], "models": {"m": "anthropic.claude-x-v1:0"}},
    "responses": {"endpoints": ["responses"], "models": {"m": "gpt-x"}},
}
HI = [{"role": "user", "content": "hi"}]
CLIENTS = {
    "chat": ("/v1/chat/completions", {"model": "m", "messages": HI, "stream": True, "stream_options": {"include_usage": True}}),
    "messages": ("/v1/messages", {"model": "m", "messages": HI, "max_tokens": 99, "stream": True}),
    "converse": ("/model/m/converse-stream", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
    "invoke": ("/model/m/invoke-with-response-stream", {"anthropic_version": "bedrock-2023-05-31", "messages": HI, "max_tokens": 99}),
    "responses": ("/v1/responses", {"model": "m", "input": "hi", "stream": True}),
}
PAIRS = [(client, backend) for client in CLIENTS for backend in BACKENDS]
ENDS = {"chat": "[DONE]", "messages": "message_stop", "invoke": "message_stop", "converse": "metadata", "responses": "response.completed"}
# numbers and names that are this request's own
OWN = [(re.compile(rf'"{name}": ?\d+'), f'"{name}":0') for name in ("created", "created_at", "latencyMs", "invocationLatency")]
OWN += [(re.compile(r"\b(resp|msg|rs|fc)_[A-Za-z0-9_-]+"), r"\1"), (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID")]


def sample(backend):
    """The head, and the body in HTTP chunks, one an event."""
    if backend in ("converse", "invoke"):
        body = sdk_read.framed((DATA / backend / "tools.events").read_bytes())
        parts = []
        while body:
            length = int.from_bytes(body[:4], "big")
            parts, body = parts + [body[:length]], body[length:]
    else:
        parts = [part + b"\n\n" for part in (DATA / backend / "tools.sse").read_bytes().split(b"\n\n") if part.strip()]
    kind = AWS if backend in ("converse", "invoke") else "text/event-stream"
    start = head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")])
    return start, start + b"".join(chunk(part) for part in parts) + b"0\r\n\r\n"


def told(client, found):
    """Events as text, without what is this request's own."""
    if found.header("content-type") == AWS:
        buffer, text = botocore.eventstream.EventStreamBuffer(), ""
        buffer.add_data(found.body)
        for message in buffer:
            payload = message.payload
            if message.headers.get(":event-type") == "chunk":
                payload = base64.b64decode(json.loads(payload)["bytes"])
            text += f'{message.headers.get(":event-type") or message.headers[":exception-type"]} {payload.decode()}\n'
    else:
        text = found.body.decode()
    for pattern, word in OWN:
        text = pattern.sub(word, text)
    return text


def ended(client, text):
    """Is its dialect's end there, as an event that can be read?"""
    for line in text.split("\n"):
        line = line.removeprefix("data: ").removeprefix("chunk ")
        try:
            kind = line if line == "[DONE]" or line.startswith("metadata ") else json.loads(line).get("type")
        except ValueError:
            continue
        if kind and kind.startswith(ENDS[client]):
            return True
    return False


def places(pair, begin, end):
    if SAMPLE:
        return range(begin, end, SAMPLE)
    step = max(1, (end - begin) // 12)
    return range(begin + PAIRS.index(pair) % step, end, step)


@pytest.mark.parametrize("pair", PAIRS, ids=" from ".join)
def test_split_and_cut(world, pair):
    client, backend = pair
    use(world, by("b1", BACKENDS[backend]))
    path, body = CLIENTS[client]
    start, raw = sample(backend)
    world.gateway.key()
    if SAMPLE and client == backend == "responses":
        world.gateway.excuse("I2", reason="usage of an event that was cut behind it is the provider's word all the same")

    def asked(_=None):
        return ask(world.gateway, json.dumps(body).encode(), path=path)

    world.b1.play(Script(pieces(raw)))
    whole = asked()
    wanted = told(client, whole)
    assert whole.status == 200 and whole.whole and ended(client, wanted) and "ool" in wanted, whole

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        splits = places(pair, 1, len(raw))
        world.b1.play(*(Script(pieces(raw, at)) for at in splits))
        for found in pool.map(asked, splits):
            assert found.status == 200 and found.whole and told(client, found) == wanted, (found, world.gateway.outcome(found.id))

        # a good one behind each, or the deployment would be left alone
        cuts = places(pair, len(start), len(raw) - len(b"\n\n\r\n0\r\n\r\n"))
        for at in cuts:
            world.b1.play(Script(pieces(raw[:at]), close()), Script(pieces(raw)))
        found = list(pool.map(asked, [*cuts, *cuts]))
        texts = [told(client, one) if one.status == 200 else "error" for one in found]
        assert texts.count(wanted) == len(cuts) and len(world.b1.requests) == 1 + len(splits) + 2 * len(cuts)
        for one, text in zip(found, texts):
            assert one.status in (200, 502, 503, 529), one
            assert text == wanted or not ended(client, text) and ("rror" in text or "xception" in text), one
