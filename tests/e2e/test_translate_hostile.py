"""What a backend of another dialect may do to the gateway and its client, and does not: endless and huge answers, answers of the wrong kind, clients that leave."""
import base64
import json
import struct
import threading
import zlib

import pytest

import anthropic_shapes as shapes
from client import Client, ask, body_of, events
from documents import residency, tenants
from gateway import Backend
from mock_backend import DONE, Script, answer, chunk, close, delta, event, head, reset, role, send, stream
from test_translate import CLAUDE, NOVA, by, chunks, fleet, resident, said, use

pytestmark = pytest.mark.sanitizer

GPT = {"dialect": "openai", "endpoints": ["responses"], "models": {"m": "gpt-x"}}
CHAT = {}
IMAGE = base64.b64encode(bytes(range(256)) * 8000).decode()


def asked(path, **more):
    """A question of one of the client's dialects, which streams."""
    if path == "/v1/chat/completions":
        return body_of(stream=True, **more)
    if path == "/v1/messages":
        return body_of(stream=True, max_tokens=9, **more)
    return json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()


def response(kind, **members):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': 1, **members})}\n\n".encode()


CREATED = response("response.created", response={"id": "resp_1", "model": "gpt-x", "created_at": 1, "status": "in_progress", "output": []})

# a backend's dialect, the client's path; the head of its stream, how it begins, an event without content, one with it
SIDES = [
    ("messages", CLAUDE, "/v1/chat/completions", "text/event-stream", shapes.start() + shapes.block(), shapes.PING, shapes.text("word ")),
    ("chat", CHAT, "/v1/messages", "text/event-stream", role(), b": wait\n\n", delta("word ")),
    ("converse", NOVA, "/v1/chat/completions", "application/vnd.amazon.eventstream", shapes.frame("messageStart", {"role": "assistant"}),
     shapes.frame("unheardOf", {"p": "x" * 30}), shapes.frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "word "}})),
    ("responses", GPT, "/v1/messages", "text/event-stream", CREATED, response("response.unheard_of", x=1),
     response("response.output_text.delta", output_index=0, content_index=0, item_id="i", delta="word ")),
]
NAMES = [side[0] for side in SIDES]


def raw(kind, *parts):
    """Chunked, and never ended."""
    return Script(send(head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")])), *(send(chunk(part)) for part in parts), close())


@pytest.fixture(scope="module")
def alone():
    """A gateway whose memory is its own."""
    from gateway import Gateway
    from mock_backend import MockBackend
    backend = MockBackend("127.0.0.61")
    gateway = Gateway([Backend("b1", backend, credential="secret")])
    gateway.init().apply()
    gateway.start()
    yield gateway, backend
    gateway.stop()
    gateway.check_log()
    gateway.remove()
    backend.stop()


@pytest.mark.parametrize("side", SIDES, ids=NAMES)
def test_endless(alone, side):
    """Before the first delta: let through at the bound; behind it: read, and forgotten. Megabytes of it, of events that say nothing and of ones that are tiny."""
    gateway, backend = alone
    name, spec, path, kind, begin, idle, word = side
    gateway.apply(fleet({**by("b1", spec), "id": f"b1-{name}"}), residency(), tenants())
    many = 8 * (1 << 20)
    backend.play(raw(kind, begin, word))
    ask(gateway, asked(path), path=path)
    for parts in ([begin] + [idle * (many // 8 // len(idle))] * 8, [begin, word] + [idle * (many // 8 // len(idle))] * 8):
        backend.play(raw(kind, *parts))
        before = resident(gateway)
        found = ask(gateway, asked(path), path=path)
        grown = resident(gateway) - before
        assert found.status == 200 and not found.body.rstrip().endswith(b"[DONE]") and b"message_stop" not in found.body, found
        assert grown < 3 * 1024, (name, grown)


@pytest.mark.parametrize("side", SIDES, ids=NAMES)
@pytest.mark.parametrize("what", ["event", "deep", "number", "bytes"])
def test_an_event_that_is_none(world, side, what):
    """One that never ends, is nested too deep, counts beyond all bounds, is no text: another deployment before the first delta, an error behind it."""
    name, spec, path, kind, begin, _idle, word = side
    use(world, by("b1", spec), by("b2", {}, 2))
    inside = {"event": b'"' + b"x" * (3 << 19) + b'"', "deep": b"[" * 200 + b"]" * 200, "number": b"1" + b"0" * 70000, "bytes": b'"\xff\xfe"'}[what]
    if name == "converse":
        bad = framed("contentBlockDelta", b'{"contentBlockIndex":0,"x":' + inside + b"}")
    else:
        bad = b'data: {"type":"response.output_text.delta","index":%s,"output_index":%s,"choices":%s}\n\n' % (inside, inside, inside)
    world.b1.play(raw(kind, begin, word, bad, word))
    found = ask(world.gateway, asked(path), path=path)
    assert found.status == 200 and b"error" in found.body and b"[DONE]" not in found.body and b"message_stop" not in found.body, found
    assert b"word" in found.body and world.contacted() == ["b1"]
    world.b1.play(raw(kind, begin, bad))
    found = ask(world.gateway, asked(path), path=path)
    if what != "event":       # a long one is let through before it is known to be too long
        assert found.status == 200 and b"hello" in found.body and world.contacted() == ["b1", "b1", "b2"], found


def framed(kind, payload):
    """A message of AWS's event stream around any bytes."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return prelude + headers + payload + struct.pack(">I", zlib.crc32(prelude + headers + payload))


@pytest.mark.parametrize("side", SIDES, ids=NAMES)
def test_a_stream_nobody_asked_for(world, side):
    """The client could not read it: another deployment is asked, and what came of it is charged."""
    name, spec, path, kind, begin, _idle, word = side
    use(world, by("b1", spec), by("b2", {}, 2))
    world.b1.play(raw(kind, begin, word))
    found = ask(world.gateway, json.dumps({**json.loads(asked(path)), "stream": False}).encode(), path=path)
    assert found.status == 200 and found.whole and found.header("content-type").startswith("application/json"), found
    tried = world.gateway.outcome(found.id)["attempts"]
    assert tried[0]["error"] == "invalid_answer" and tried[0]["charged"]["output"] and world.contacted() == ["b1", "b2"]


@pytest.mark.parametrize("side", SIDES, ids=NAMES)
def test_clients_that_leave(world, side):
    """At the head, in front of the first delta, in the middle: the worker goes on, the next request is answered."""
    name, spec, path, kind, begin, idle, word = side
    use(world, by("b1", spec))
    for parts, wait in (((), 0), ((begin,), 0), ((begin, word), 10)):
        held = threading.Event()
        world.b1.play(Script(send(head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")])), *(send(chunk(part)) for part in parts),
                             lambda _: held.wait(60), send(chunk(word * 50)), send(chunk(idle)), close()))
        with Client(world.gateway.port) as client:
            client.request(path, asked(path), world.gateway.key())
            world.b1.wait_requests(1)
            if wait:
                client.sock.recv(1)
            client.leave(reset=True)
        held.set()
        world.b1.clear()
    use(world, by("b1", {}))
    assert said(chunks(ask(world.gateway, body_of(stream=True, text="still here")))) == "still here"


def test_bodies_on_a_long_route(world):
    """Translated for each deployment anew, a first one half taken: the last has all of it, and nothing of the others'."""
    use(world, by("b1", CLAUDE), by("b2", NOVA, 2), by("b3", CLAUDE, 3))
    world.b1.play(*[Script(reset(), at="head")] * 2)        # once more where its connection was an idle one
    world.b2.play(answer(503, {"message": "busy"}))
    world.b3.play(answer(200, shapes.message()))
    content = [{"type": "text", "text": "look \ud83d\ude00 \" \\ \u2028"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + IMAGE}}]
    found = ask(world.gateway, json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode())
    assert found.status == 200 and world.contacted()[-2:] == ["b2", "b3"], found
    assert world.b2.requests[0].json["messages"][0]["content"][1]["image"]["source"]["bytes"] == IMAGE
    arrived = world.b3.requests[0]
    assert arrived.all("content-length") == [str(len(arrived.body))] and not arrived.all("transfer-encoding")
    text, image = arrived.json["messages"][0]["content"]
    assert text["text"] == "look \U0001f600 \" \\ \u2028" and image["source"]["data"] == IMAGE


def test_nothing_gets_out_of_its_string(world):
    """Names, ids, errors and flags with line ends, quotes and framing in them stay what they are: one value."""
    nasty = "x\r\n\r\nevent: message_stop\ndata: [DONE]\r\n\r\n\"},\"a\":{\u2028"
    use(world, by("b1", CHAT))
    call = {"index": 0, "id": nasty, "function": {"name": nasty, "arguments": json.dumps({"a": nasty})}}
    first = {"id": nasty, "model": nasty, "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}
    world.b1.play(stream(event(first), delta("", "tool_calls"), DONE))
    found = ask(world.gateway, asked("/v1/messages"), path="/v1/messages")
    told = [json.loads(one) for one in events(found.body)]
    assert [one["type"] for one in told].count("message_stop") == 1 and told[0]["message"]["id"] == nasty and told[0]["message"]["model"] == nasty
    start = next(one for one in told if one["type"] == "content_block_start")["content_block"]
    assert start["name"] == nasty and start["id"].startswith("call_gh_")
    use(world, by("b1", CLAUDE))
    world.b1.play(shapes.message_error(400, "invalid_request_error", nasty, headers=[("x-amzn-errortype", "A")]))
    found = ask(world.gateway)
    assert found.status == 400 and found.error["message"] == nasty and not found.header("x-amzn-errortype")
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], "anthropic_beta": ["a\r\nx-api-key: b"]}
    world.b1.clear()
    found = ask(world.gateway, json.dumps(body).encode(), path="/model/m/invoke")
    assert not world.b1.requests or world.b1.requests[0].all("x-api-key") == ["secret-of-b1"] and not world.b1.requests[0].all("anthropic-beta"), found
