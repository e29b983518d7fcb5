"""Event streams: passed as they come once committed, failed over before, ended in words after."""
import hashlib
import itertools
import json
import re
import threading
import time

import pytest

from client import Client, Http2, ask, body_of, events, expect_id, tls_context
from mock_backend import (DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, close, completion, delta, event, hang, head, pause, pieces, plain,
                          provider_error, reset, role, send, signal, stream, usage_event, wait)

pytestmark = pytest.mark.sanitizer

STREAM = body_of(stream=True)
ASKED = body_of(stream=True, stream_options={"include_usage": True})
TEXT = [role(), delta("one "), delta("two"), delta("", "stop")]


def data_of(parts):
    return b"".join(parts)


def test_stream_passes_byte_for_byte(world):
    world.b1.play(stream(*TEXT, usage_event(), DONE))
    found = ask(world.gateway, ASKED)
    assert found.status == 200 and found.whole and found.body == data_of(TEXT + [usage_event(), DONE])
    assert found.header("content-type") == "text/event-stream" and expect_id(found)


def test_unasked_usage_is_removed_and_nothing_else(world):
    world.b1.play(stream(*TEXT, usage_event(), DONE))
    found = ask(world.gateway, STREAM)
    assert found.body == data_of(TEXT + [DONE])
    usage = world.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["source"]) == (11, 3, 7, "reported")


def test_null_usage_stays(world):
    parts = [delta("x", usage=None), delta("", "stop", usage=None)]
    world.b1.play(stream(*parts, usage_event(), DONE))
    assert ask(world.gateway, STREAM).body == data_of(parts + [DONE])


def test_usage_inside_a_chunk_with_choices_stays(world):
    """vLLM's continuous usage: the chunk has content, so it is the client's; the last number counts."""
    parts = [delta("x", usage={"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12}),
             delta("", "stop", usage={"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13})]
    world.b1.play(stream(*parts, DONE))
    found = ask(world.gateway, STREAM)
    assert found.body == data_of(parts + [DONE])
    assert world.gateway.outcome(found.id)["usage"]["output"] == 2


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("space", ["", " "])
def test_line_endings(world, ending, space):
    """WHATWG HTML section 9.2.6 allows three line endings and an optional space."""
    def spelled(data):
        return data.decode().replace("data: ", "data:" + space).replace("\n", ending).encode()
    world.b1.play(stream(*[spelled(one) for one in [*TEXT, usage_event(), DONE]]))
    found = ask(world.gateway, STREAM)
    assert found.body == data_of([spelled(one) for one in [*TEXT, DONE]])
    assert world.gateway.outcome(found.id)["usage"]["output"] == 7


def test_comments_and_other_fields_pass(world):
    parts = [b": keep-alive\n\n", b"event: chunk\nid: 7\n" + delta("x"), b"retry: 100\n\n", b": bye\n\n"]
    world.b1.play(stream(*parts, usage_event(), DONE))
    assert ask(world.gateway, STREAM).body == data_of(parts + [DONE])


def test_annotation_before_content_passes(world):
    """Azure's prompt_filter_results come with empty choices, but are no usage chunk."""
    first = event({"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    world.b1.play(stream(first, *TEXT, usage_event(), DONE))
    assert ask(world.gateway, STREAM).body == data_of([first, *TEXT, DONE])


def test_long_events(world):
    """Longer than any buffer of ours."""
    parts = [role(), delta("x" * 100000), delta("y" * 20000), delta("", "stop")]
    world.b1.play(stream(*parts, usage_event(), DONE))
    found = ask(world.gateway, STREAM)
    assert hashlib.sha256(found.body).digest() == hashlib.sha256(data_of(parts + [DONE])).digest()


def test_the_first_event_is_long(world):
    parts = [delta("x" * 40000), delta("", "stop")]
    world.b1.play(stream(*parts, usage_event(), DONE))
    assert ask(world.gateway, STREAM).body == data_of(parts + [DONE])


def test_close_delimited_stream(world):
    """No length, no chunks: the end of the connection is the end, and clean."""
    world.b1.play(Script(send(head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])), send(data_of([*TEXT, usage_event(), DONE])), close()))
    found = ask(world.gateway, STREAM)
    assert found.whole and found.body == data_of(TEXT + [DONE])
    assert world.gateway.outcome(found.id)["end"] == "complete"


def test_content_length_stream(world):
    body = data_of([*TEXT, usage_event(), DONE])
    world.b1.play(Script(send(plain(200, body, kind="text/event-stream"))))
    found = ask(world.gateway, STREAM)
    assert found.whole and found.body == data_of(TEXT + [DONE])


def test_events_come_as_they_are_made(world):
    """A second event must not wait for a third."""
    more = threading.Event()
    world.b1.play(Script(send(STREAM_HEAD), send(chunk(role())), send(chunk(delta("now"))), wait(more), send(chunk(DONE) + LAST_CHUNK)))
    with Client(world.gateway.port) as client:
        client.request(body=STREAM, key=world.gateway.key())
        answer = client.head()
        got = b""
        for part in client.parts(answer):
            got += part
            if got == role() + delta("now"):
                more.set()
        assert got == role() + delta("now") + DONE


@pytest.mark.parametrize("asked", [True, False])
def test_split_at_every_byte(world, asked):
    """Head, chunk framing and events cut in two at each byte in turn."""
    parts = [delta("one "), delta("", "stop"), usage_event(), DONE]
    whole = STREAM_HEAD + b"".join(chunk(one) for one in parts) + LAST_CHUNK
    wanted = data_of(parts if asked else [one for one in parts if one is not parts[2]])
    body, key = (ASKED if asked else STREAM), world.gateway.key()
    with Client(world.gateway.port) as client:
        for at in range(1, len(whole)):
            world.b1.play(Script(pieces(whole, at, gap=0.001)))
            found = client.request(body=body, key=key).answer()
            assert found.body == wanted, (at, whole[:at][-30:], found)
    assert world.contacted() == ["b1"] * (len(whole) - 1)


def test_one_byte_at_a_time(world):
    parts = [delta("one "), delta("", "stop"), usage_event(), DONE]
    whole = STREAM_HEAD + b"".join(chunk(one) for one in parts) + LAST_CHUNK
    world.b1.play(Script(pieces(whole, *range(1, len(whole)), gap=0.0005)))
    found = ask(world.gateway, STREAM)
    assert found.body == data_of(parts[:2] + parts[3:])
    assert world.gateway.outcome(found.id)["usage"]["output"] == 7


def test_one_byte_chunks(world):
    whole = data_of([*TEXT, usage_event(), DONE])
    world.b1.play(Script(send(STREAM_HEAD + b"".join(chunk(whole[i:i + 1]) for i in range(len(whole))) + LAST_CHUNK)))
    assert ask(world.gateway, STREAM).body == data_of(TEXT + [DONE])


def test_plain_answer_split_at_every_byte(world):
    whole = plain(200, completion("hi"))
    body = json.dumps(completion("hi")).encode()
    key = world.gateway.key()
    with Client(world.gateway.port) as client:
        for at in range(1, len(whole), 3):
            world.b1.play(Script(pieces(whole, at, gap=0.001)))
            found = client.request(body=body_of(), key=key).answer()
            assert found.body == body, at
    assert world.gateway.outcome(found.id)["usage"]["output"] == 7


# ---- before the commit point ----

ERROR = event({"error": {"message": "canary", "type": "server_error", "param": None, "code": "overloaded"}})
EARLY = {
    "at once": [ERROR], "after a comment": [b": hello\n\n", ERROR], "after an annotation": [event({"id": "", "choices": [], "prompt_filter_results": []}), ERROR],
    "as an event": [b"event: error\n" + ERROR], "with a status": [event({"error": {"message": "canary", "type": None, "param": None, "code": 503}})],
    "rate limit": [event({"error": {"message": "canary", "type": "rate_limit_exceeded", "param": None, "code": "429"}})],
    "vllm": [event({"object": "error", "message": "canary", "type": "InternalServerError", "param": None, "code": 500})],
}


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize("done", [True, False])
def test_error_inside_200_fails_over(world, name, done):
    world.b1.play(stream(*EARLY[name], *([DONE] if done else [])))
    found = ask(world.gateway, STREAM)
    assert found.status == 200 and b"canary" not in found.body and world.contacted() == ["b1", "b2"], found
    assert events(found.body)[-1] == "[DONE]"


@pytest.mark.parametrize("name", ["closed", "reset", "empty", "ended"])
def test_broken_before_the_first_event_fails_over(world, name):
    world.b1.play({"closed": Script(send(STREAM_HEAD), close()), "reset": Script(send(STREAM_HEAD + chunk(b": hi\n\n")), pause(0.05), reset()),
                   "empty": Script(send(head(200, [("Content-Type", "text/event-stream"), ("Content-Length", 0)]))),
                   "ended": Script(send(STREAM_HEAD + LAST_CHUNK))}[name])
    found = ask(world.gateway, STREAM)
    assert found.status == 200 and world.contacted() == ["b1", "b2"], found
    assert events(found.body)[-1] == "[DONE]"


def test_silent_after_the_head_fails_over(world):
    """The read timeout (2 s) ends the wait for a first event... but the commit time (5 s) has not come."""
    world.route("b1-silent", "b2")
    world.b1.play(Script(send(STREAM_HEAD), hang()))
    found = ask(world.gateway, STREAM)
    assert found.status == 200 and world.contacted() == ["b1", "b2"]


def test_error_inside_200_of_the_last_backend(world):
    """Nothing is left: the provider's error is the answer, with a status of its own and no 200."""
    world.route("b1")
    world.b1.play(stream(event({"error": {"message": "mine", "type": "server_error", "param": None, "code": 503}}), DONE))
    found = ask(world.gateway, STREAM)
    assert found.status == 503 and found.whole and found.header("content-type") == "application/json", found
    assert found.json == {"error": {"message": "mine", "type": "server_error", "param": None, "code": 503}}


def test_error_inside_200_split_at_every_byte(world):
    whole = STREAM_HEAD + chunk(b": x\n\n") + chunk(ERROR) + LAST_CHUNK
    world.route("b1", "b2")
    world.b2.always(stream(delta("good"), DONE))
    with Client(world.gateway.port) as client:
        for at in range(len(STREAM_HEAD) - 10, len(whole), 2):
            world.b1.play(Script(pieces(whole, at, gap=0.001)))
            assert client.request(body=STREAM, key=world.gateway.key()).answer().body == delta("good") + DONE, at


def test_commit_by_size(world):
    """2 KiB of comments at this port: the head is given up and what was held goes out first."""
    comments = b": padding padding padding padding\n\n" * 200
    more = threading.Event()
    world.b1.play(Script(send(STREAM_HEAD + chunk(comments)), wait(more, 60), send(chunk(delta("x")) + chunk(DONE) + LAST_CHUNK)))
    with Client(world.gateway.commit_port, timeout=50) as client:
        client.request(body=STREAM, key=world.gateway.key())
        found = client.head()
        assert found.status == 200
        more.set()
        assert b"".join(client.parts(found)) == comments + delta("x") + DONE


def test_commit_by_time(world):
    """300 ms at this port: with one comment come, the head goes out before the first event."""
    more = threading.Event()
    world.b1.play(Script(send(STREAM_HEAD + chunk(b": wait\n\n")), wait(more, 60), send(chunk(delta("x")) + chunk(DONE) + LAST_CHUNK)))
    begun = time.monotonic()
    with Client(world.gateway.commit_port, timeout=50) as client:
        client.request(body=STREAM, key=world.gateway.key())
        found = client.head()
        assert found.status == 200 and time.monotonic() - begun > 0.2
        more.set()
        assert b"".join(client.parts(found)) == b": wait\n\n" + delta("x") + DONE


def test_not_committed_before_the_first_event(world):
    """While held, the client has not one byte."""
    more = threading.Event()
    world.b1.play(Script(send(STREAM_HEAD + chunk(b": wait\n\n")), wait(more, 60), send(chunk(delta("x")) + chunk(DONE) + LAST_CHUNK)))
    with Client(world.gateway.port) as client:
        client.request(body=STREAM, key=world.gateway.key())
        client.sock.settimeout(0.4)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(60)
        more.set()
        assert client.answer().body == b": wait\n\n" + delta("x") + DONE


# ---- after the commit point ----

def expect_broken_stream(found, *before):
    """What came, then an error event in OpenAI's shape, and no [DONE]."""
    assert found.status == 200
    got = events(found.body)
    assert found.body.startswith(data_of(before)) and "[DONE]" not in got, found
    error = json.loads(got[-1])["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"], error
    return error


@pytest.mark.parametrize("name", ["reset", "closed", "inside a chunk", "inside an event", "silent"])
def test_cut_after_the_commit(world, name):
    """No other backend is asked; the client is told in words."""
    if name == "silent":
        world.route("b1-silent", "b2")
    begin = STREAM_HEAD + chunk(role()) + chunk(delta("par"))
    world.b1.play({"reset": Script(send(begin), pause(0.05), reset()), "closed": Script(send(begin), close()), "silent": Script(send(begin), hang()),
                   "inside a chunk": Script(send(begin + b"1000\r\ndata: "), close()),
                   "inside an event": Script(send(begin + chunk(b'data: {"choices":[{"del')), close())}[name])
    found = ask(world.gateway, STREAM)
    expect_broken_stream(found, role(), delta("par"))
    assert world.contacted() == ["b1"]
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "cut" and outcome["status"] == 200, outcome
    assert b"127.0.0" not in found.body


@pytest.mark.parametrize("ending", ["reset", "clean", "done"])
def test_error_event_after_the_commit(world, ending):
    """The provider's own error event is the last thing: a [DONE] behind it must not make it look whole."""
    begin = STREAM_HEAD + chunk(role()) + chunk(delta("par")) + chunk(ERROR)
    world.b1.play({"reset": Script(send(begin), pause(0.05), reset()), "clean": Script(send(begin + LAST_CHUNK)),
                   "done": Script(send(begin + chunk(DONE) + LAST_CHUNK))}[ending])
    found = ask(world.gateway, STREAM)
    error = expect_broken_stream(found, role(), delta("par"))
    assert ERROR in found.body and error["code"]
    assert world.contacted() == ["b1"] and world.gateway.outcome(found.id)["end"] == "cut"


def test_done_is_never_made_up(world):
    """A stream that ends cleanly without [DONE] is not given one."""
    world.b1.play(stream(role(), delta("x")))
    assert "[DONE]" not in events(ask(world.gateway, STREAM).body)


def test_plain_answer_cut_short(world):
    """Less than its Content-Length: never a whole-looking answer."""
    body = json.dumps(completion("x" * 30000)).encode()
    world.b1.play(Script(send(plain(200, body)[:-1000]), close()))
    found = ask(world.gateway)
    assert not found.whole or found.status >= 500
    assert world.gateway.outcome(found.id or world.b1.requests[0].id)["end"] == "cut"


def test_backend_that_closes_after_a_stream(world):
    for _ in range(5):
        world.b1.play(Script(send(STREAM_HEAD + chunk(delta("x")) + chunk(DONE) + LAST_CHUNK), close()))
        assert ask(world.gateway, STREAM).body == delta("x") + DONE


# ---- slow clients ----

def flood(count=600):
    return [role()] + [delta(f"{i:06d}" + "x" * 2000) for i in range(count)] + [delta("", "stop")]


def test_slow_client_gets_every_byte(world):
    parts = flood()
    world.b1.play(stream(*parts, usage_event(), DONE))
    with Client(world.gateway.port, receive_buffer=4096) as client:
        client.request(body=STREAM, key=world.gateway.key())
        answer = client.head()
        sha, size = hashlib.sha256(), 0
        for number, part in enumerate(client.parts(answer)):
            sha.update(part)
            size += len(part)
            if number < 60:
                time.sleep(0.01)
    wanted = data_of(parts + [DONE])
    assert answer.whole and size == len(wanted) and sha.digest() == hashlib.sha256(wanted).digest()
    assert world.gateway.outcome(world.b1.requests[0].id)["usage"]["output"] == 7


def test_client_that_does_not_read_blocks_nobody(world):
    world.b1.play(stream(*flood(3000), DONE))
    with Client(world.gateway.port, receive_buffer=4096) as client:
        client.request(body=STREAM, key=world.gateway.key())
        time.sleep(0.3)
        begun = time.monotonic()
        assert all(ask(world.gateway).status == 200 for _ in range(5))
        assert time.monotonic() - begun < 35           # of the 40 s that a backend may take
        assert len(b"".join(client.parts(client.head()))) == len(data_of(flood(3000) + [DONE]))


def test_slow_client_over_http2(world, authority):
    parts = flood(150)
    world.b1.play(stream(*parts, usage_event(), DONE))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        number = client.request(STREAM, world.gateway.key())
        while not client.answers[number].whole:
            time.sleep(0.005)
            client.receive()
        assert client.answers[number].body == data_of(parts + [DONE])


# ---- the client leaves ----

LEAVING = itertools.count()


def drained(world, request, usage=7):
    """The outcome of a request whose client left: the usage the backend went on to report."""
    outcome = world.gateway.outcome(request.id)
    assert outcome["end"] == "client_left", outcome
    assert outcome["usage"]["source"] == "reported" and outcome["usage"]["output"] == usage, outcome
    return outcome


@pytest.mark.parametrize("abrupt", [True, False])
@pytest.mark.parametrize("stage", ["before the head", "held", "first event", "middle"])
def test_client_leaves_a_stream(world, stage, abrupt):
    """The backend is read to its usage, and its connection is used again."""
    left, text = threading.Event(), f"nonce-{next(LEAVING)}"
    early, late = {
        "before the head": (b"", STREAM_HEAD + chunk(role()) + chunk(delta(text))), "held": (STREAM_HEAD + chunk(b": hi\n\n"), chunk(role()) + chunk(delta(text))),
        "first event": (STREAM_HEAD + chunk(role()) + chunk(delta("n")), chunk(delta(text))), "middle": (STREAM_HEAD + chunk(role()) + chunk(delta(text)), chunk(delta("more")))}[stage]
    arrived = threading.Event()
    world.b1.play(Script(send(early), signal(arrived), wait(left, 60), pause(0.1), send(late), pause(0.05), send(chunk(delta("", "stop")) + chunk(usage_event())),
                         send(chunk(DONE) + LAST_CHUNK)))
    client = Client(world.gateway.port)
    client.request(body=STREAM, key=world.gateway.key())
    assert arrived.wait(60)
    if stage in ("first event", "middle"):
        assert client.head().status == 200
    time.sleep(0.05)
    client.leave(reset=abrupt)
    left.set()
    drained(world, world.b1.requests[0])
    mine = ask(world.gateway, body_of(text="after"))
    assert mine.json["choices"][0]["message"]["content"] == "after"
    assert world.b1.requests[0].failed is None and world.b1.requests[1].connection == world.b1.requests[0].connection


def test_client_leaves_a_plain_answer(world):
    left = threading.Event()
    world.b1.play(Script(wait(left, 60), pause(0.1), send(plain(200, completion("x" * 50000)))))
    client = Client(world.gateway.port)
    client.request(body=body_of(), key=world.gateway.key())
    world.b1.wait_requests(1)
    client.leave(reset=True)
    left.set()
    drained(world, world.b1.requests[0])


def test_client_cancels_an_http2_stream(world, authority):
    left = threading.Event()
    world.b1.play(Script(send(STREAM_HEAD + chunk(delta("y"))), wait(left, 60), pause(0.1), send(chunk(delta("x")) + chunk(usage_event()) + chunk(DONE) + LAST_CHUNK)))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        number = client.request(STREAM, world.gateway.key())
        while not client.answers[number].body:
            client.receive()
        client.cancel(number)
        left.set()
        drained(world, world.b1.requests[0])
        other = client.answer(client.request(body_of(text="still here"), world.gateway.key()))
        assert other.json["choices"][0]["message"]["content"] == "still here"


def test_nobody_is_asked_for_a_client_that_left(world):
    """It left while the first backend failed: no second dispatch is for anybody."""
    left = threading.Event()
    world.b1.play(Script(wait(left, 60), pause(0.2), send(plain(503, b"{}"))))
    client = Client(world.gateway.port)
    client.request(body=body_of(), key=world.gateway.key())
    world.b1.wait_requests(1)
    client.leave(reset=True)
    left.set()
    assert world.gateway.outcome(world.b1.requests[0].id)["end"] == "client_left"
    assert world.contacted() == ["b1"]


def test_draining_ends_in_time(world):
    """700 ms at this port, and the backend would go on for ever."""
    ended = threading.Event()

    def drip(exchange):
        try:
            exchange.send(STREAM_HEAD + chunk(role()))
            for _ in range(6000):
                exchange.send(chunk(delta("x")))
                time.sleep(0.02)
        finally:
            ended.set()
    world.b1.play(Script(drip))
    client = Client(world.gateway.drain_port)
    client.request(body=STREAM, key=world.gateway.key())
    client.head()
    begun = time.monotonic()
    client.leave(reset=True)
    assert ended.wait(60) and 0.4 < time.monotonic() - begun < 60
    outcome = world.gateway.outcome(world.b1.requests[0].id)
    assert outcome["end"] == "client_left" and outcome.get("usage", {}).get("source") != "reported"


def test_draining_ends_by_size(world):
    """64 KiB at this port, against a backend that pours."""
    sent = []

    def pour(exchange):
        exchange.send(STREAM_HEAD + chunk(role()))
        for _ in range(20000):
            exchange.send(chunk(delta("x" * 4000)))
            sent.append(4000)
    world.b1.play(Script(pour))
    client = Client(world.gateway.drain_port)
    client.request(body=STREAM, key=world.gateway.key())
    client.head()
    client.leave(reset=True)
    assert world.gateway.outcome(world.b1.requests[0].id)["end"] == "client_left"
    assert sum(sent) < 40 << 20


def test_answers_belong_to_their_requests_under_cancels(world):
    """Nonces, kept connections and clients that leave at every moment."""
    world.b1.always(lambda request: stream(role(), *[delta(part) for part in re.findall(".{1,6}", request.json["messages"][-1]["content"])],
                                           delta("", "stop"), usage_event(), DONE, gap=0.001))
    for number in range(60):
        client = Client(world.gateway.port)
        client.request(body=body_of(text=f"cancelled-{number}", stream=True), key=world.gateway.key("acme/blue/app"))
        time.sleep(number * 0.0004)
        client.leave(reset=bool(number % 2))
        found = ask(world.gateway, body_of(text=f"mine-{number:04d}", stream=True))
        text = "".join(json.loads(one)["choices"][0]["delta"].get("content") or "" for one in events(found.body)[:-1])
        assert text == f"mine-{number:04d}", number


def test_two_providers_errors_inside_200(world):
    """All three tries used up by streams that begin with an error."""
    for mock in (world.b1, world.b2, world.b3):
        mock.play(stream(ERROR, DONE))
    found = ask(world.gateway, STREAM)
    assert world.contacted() == ["b1", "b2", "b3"]
    assert found.status == 503 and found.whole and found.header("content-type") == "application/json", found
    assert found.body == ERROR[len(b"data: "):].strip()


def test_stream_after_retries_is_whole(world):
    world.b1.play(provider_error(500))
    world.b2.play(stream(ERROR))
    world.b3.play(stream(*TEXT, usage_event(), DONE))
    found = ask(world.gateway, STREAM)
    assert found.body == data_of(TEXT + [DONE]) and world.contacted() == ["b1", "b2", "b3"]
    kinds = [line["type"] for line in world.gateway.record(found.id)]
    assert kinds == ["decision", "attempt", "attempt", "outcome"]
