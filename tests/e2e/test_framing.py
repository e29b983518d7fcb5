"""Where a backend's answer ends: what stands before it (1xx) and behind it (surplus bytes) is in nobody's answer."""
import threading
import time

import pytest

from client import Client, Http2, ask, body_of, events, tls_context
from mock_backend import (DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, completion, delta, event, head, pause, pieces, plain, role, send, signal,
                          usage_event)

pytestmark = pytest.mark.sanitizer

JSON_HEAD = head(200, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
STOLEN = b"stolen"
FOREIGN = plain(200, {"nonce": "stolen"})           # a whole answer that nobody asked for
# What may stand behind the last chunk: one more chunk, an event, an answer, a byte.
BEHIND = {"chunk": chunk(STOLEN) + LAST_CHUNK, "event": chunk(event({"stolen": 1})), "answer": FOREIGN, "byte": b"X"}
WINDOW = 65535                                      # bytes of a stream that an HTTP/2 client takes at first, RFC 9113 section 6.9.2


@pytest.fixture(autouse=True)
def no_kept_connections(world):
    """What earlier tests left in the gateway's pool would serve the next request too."""
    world.b1.drop_connections()
    time.sleep(0.05)


def text_of(found):
    return found.json["choices"][0]["message"]["content"]


def expect_own_answer_on_a_new_connection(world, key=None):
    """The next request is answered as it asked, by the same backend, over a connection that was not there before."""
    before = world.b1.requests[-1].connection
    found = ask(world.gateway, body_of(text="mine"), key)
    assert found.status == 200 and text_of(found) == "mine" and STOLEN not in found.body, found
    assert set(world.contacted()) == {"b1"} and world.b1.requests[-1].connection != before
    assert world.b1.requests[-1].index == 1


# ---- behind the final chunk ----

@pytest.mark.parametrize("name", BEHIND)
def test_behind_the_final_chunk_while_an_http2_client_is_slow(world, authority, name):
    """
    The client's window is full when the final chunk is read and when more comes behind it. Protects the end of an answer: what follows
    is given neither to this client nor to the next request (another tenant's), and the connection is not used again.
    """
    said = threading.Event()
    body = b'"' + b"y" * WINDOW + b'"'
    world.b1.play(Script(send(JSON_HEAD + chunk(body)), pause(0.15), send(LAST_CHUNK), pause(0.15), send(BEHIND[name]), pause(0.1), signal(said)))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        stream = client.request(body_of(), world.gateway.key())
        assert said.wait(60)
        found = client.answer(stream)
    assert found.status == 200 and found.whole and found.body == body, (found.status, found.whole, len(found.body), found.body[-40:])
    expect_own_answer_on_a_new_connection(world, world.gateway.key("acme/blue/app"))


def test_behind_the_final_chunk_of_a_stream_while_an_http2_client_is_slow(world, authority):
    """The same for an event stream, which has a filter of its own: nothing comes behind [DONE]."""
    said = threading.Event()
    long, sent = delta("y" * WINDOW), [role(), delta("z", "stop"), DONE]
    world.b1.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(long)), pause(0.15), send(b"".join(map(chunk, sent[1:])) + LAST_CHUNK), pause(0.15),
                         send(BEHIND["event"]), pause(0.1), signal(said)))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        stream = client.request(body_of(stream=True), world.gateway.key())
        assert said.wait(60)
        found = client.answer(stream)
    assert found.whole and found.body == role() + long + sent[1] + DONE, (found.whole, found.body[-200:])
    expect_own_answer_on_a_new_connection(world, world.gateway.key("acme/blue/app"))


@pytest.mark.parametrize("name", BEHIND)
def test_behind_the_final_chunk_in_the_same_read(world, name):
    """All in one segment, and a client that takes at once: the end is found inside of a buffer."""
    world.b1.play(Script(send(JSON_HEAD + chunk(b'{"nonce":1}') + LAST_CHUNK + BEHIND[name])))
    found = ask(world.gateway)
    assert found.whole and found.json == {"nonce": 1} and found.body == b'{"nonce":1}', found
    expect_own_answer_on_a_new_connection(world)


def test_behind_the_final_chunk_while_a_client_is_slow(world):
    """More than the kernel keeps for a client that does not read: the end of the answer waits in the gateway."""
    body = b'"' + b"y" * 6000000 + b'"'
    world.b1.play(Script(send(JSON_HEAD + chunk(body) + LAST_CHUNK + BEHIND["chunk"])))
    with Client(world.gateway.port, receive_buffer=4096) as client:
        client.request(body=body_of(), key=world.gateway.key())
        found = client.head()
        time.sleep(0.3)
        found.body = b"".join(client.parts(found))
    assert found.whole and found.body == body, (found.whole, len(found.body), found.body[-40:])
    expect_own_answer_on_a_new_connection(world)


# ---- behind the Content-Length ----

@pytest.mark.parametrize("gap", [0, 0.05])
@pytest.mark.parametrize("surplus", [b"EXTRA", FOREIGN], ids=["bytes", "answer"])
def test_more_than_the_content_length(world, surplus, gap):
    """
    Surplus in the read that completes the answer or shortly behind it. Protects the client's connection (its next answer must begin where
    this one ended) and the next request at the backend.
    """
    asked = plain(200, b"0123456789")
    said = threading.Event()
    world.b1.play(Script(pieces(asked + surplus, len(asked), gap=gap) if gap else send(asked + surplus), signal(said)))
    with Client(world.gateway.port) as client:
        first = client.request(body=body_of(), key=world.gateway.key()).answer()
        assert said.wait(60)
        time.sleep(gap + 0.03)
        second = client.request(body=body_of(text="mine"), key=world.gateway.key()).answer()
    assert first.status == 200 and first.whole and first.body == b"0123456789", first
    assert second.status == 200 and text_of(second) == "mine", second
    assert [request.index for request in world.b1.requests][-1] == 1
    assert len({request.connection for request in world.b1.requests[-2:]}) == 2


def test_more_than_the_content_length_of_a_stream(world):
    """An event stream may have a length; an event behind it is nobody's."""
    whole = role() + delta("x", "stop") + DONE
    world.b1.play(Script(send(head(200, [("Content-Type", "text/event-stream"), ("Content-Length", len(whole))]) + whole + event({"stolen": 1}))))
    found = ask(world.gateway, body_of(stream=True))
    assert found.whole and found.body == whole and events(found.body)[-1] == "[DONE]", found
    expect_own_answer_on_a_new_connection(world)


def test_more_than_the_content_length_while_an_http2_client_is_slow(world, authority):
    """The window is full when the answer is complete and surplus comes."""
    said = threading.Event()
    body = b'"' + b"y" * WINDOW + b'"'
    whole = plain(200, body)
    world.b1.play(Script(send(whole[:-1]), pause(0.15), send(whole[-1:] + FOREIGN), pause(0.1), signal(said)))
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        stream = client.request(body_of(), world.gateway.key())
        assert said.wait(60)
        found = client.answer(stream)
    assert found.whole and found.body == body, (found.whole, len(found.body), found.body[-40:])
    expect_own_answer_on_a_new_connection(world)


# ---- before the answer ----

HINTS = [("Content-Type", "text/event-stream"), ("Retry-After", "70"), ("retry-after-ms", "70000"), ("Connection", "close"), ("x-ratelimit-remaining-tokens", "1"),
         ("Content-Encoding", "gzip")]
INTERIM = {"early hints": head(103, HINTS), "continue": head(100), "processing": head(102, HINTS), "several": head(100) + head(103, HINTS) + head(103, HINTS[:2])}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", INTERIM)
def test_interim_answers_leave_no_trace(world, name, apart):
    """
    RFC 9110 section 15.2: headers of a 1xx are not those of the final answer. Protects the final answer's headers and its handling: JSON is
    no stream, a plain body is not compressed, and the deployment did not ask to be left alone.
    """
    final = plain(200, completion("hello"))
    world.b1.play(Script(pieces(INTERIM[name] + final, len(INTERIM[name]), gap=0.05) if apart else send(INTERIM[name] + final)))
    found = ask(world.gateway, body_of(stream=False))
    assert found.status == 200 and found.all("content-type") == ["application/json"] and found.json == completion("hello"), found
    for header in ("retry-after", "retry-after-ms", "x-ratelimit-remaining-tokens", "content-encoding"):
        assert not found.all(header), found
    assert world.contacted() == ["b1"]
    assert world.gateway.outcome(found.id)["attempts"][0]["status"] == 200
    assert ask(world.gateway).status == 200 and world.contacted() == ["b1", "b1"], "the wait of a 1xx was obeyed"


def test_interim_answer_before_an_error(world):
    """A 1xx before a 503: the status and the wait that count are those of the 503."""
    world.b1.play(Script(send(head(103, HINTS) + plain(503, {"error": {"message": "busy"}}))))
    assert ask(world.gateway).status == 200 and world.contacted() == ["b1", "b2"]
    assert ask(world.gateway).status == 200 and world.contacted() == ["b1", "b2", "b1"]


# ---- answers without a body, and errors that call themselves streams ----

@pytest.mark.parametrize("stream", [False, True])
def test_no_content(world, stream):
    """RFC 9110 sections 8.6 and 15.3.5: a 204 has neither body nor length, and the client's connection goes on behind its head."""
    world.b1.play(Script(send(head(204))))
    with Client(world.gateway.port) as client:
        found = client.request(body=body_of(stream=stream), key=world.gateway.key()).answer()
        assert found.status == 204 and not found.all("content-length") and not found.all("transfer-encoding"), found
        after = client.request(body=body_of(text="mine"), key=world.gateway.key()).answer()
    assert after.status == 200 and text_of(after) == "mine", after
    line = world.gateway.outcome(found.id)
    assert line["status"] == 204 and line["end"] == "complete" and world.contacted() == ["b1", "b1"]


def test_no_content_with_content(world):
    """Bytes behind the head of a 204 are not its body: nobody gets them."""
    world.b1.play(Script(send(head(204) + FOREIGN)))
    with Client(world.gateway.port) as client:
        found = client.request(body=body_of(), key=world.gateway.key()).answer()
        assert found.status == 204, found
        time.sleep(0.05)
        after = client.request(body=body_of(text="mine"), key=world.gateway.key()).answer()
    assert after.status == 200 and text_of(after) == "mine", after
    assert len({request.connection for request in world.b1.requests}) == 2


LABELLED = b'event: error\ndata: {"error":{"message":"in words","code":"x"}}\n\n' + usage_event()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("status", [201, 400, 404, 422, 429, 500, 503])
def test_a_status_of_its_own_labelled_as_a_stream(world, status, chunked):
    """
    Only a 200 is a stream. Any other answer under text/event-stream keeps its status and every byte of its body: nothing is held back,
    taken out as unasked usage, or ended with an event of ours.
    """
    world.route("b1")
    kind = ("Content-Type", "text/event-stream; charset=utf-8")
    body = head(status, [kind, ("Transfer-Encoding", "chunked")]) + chunk(LABELLED) + LAST_CHUNK if chunked \
        else head(status, [kind, ("Content-Length", len(LABELLED))]) + LABELLED
    world.b1.play(Script(send(body)))
    found = ask(world.gateway, body_of(stream=True))
    assert found.status == status and found.whole and found.body == LABELLED, found
    assert world.gateway.outcome(found.id)["attempts"][0]["status"] == status


@pytest.mark.parametrize("next_one", ["answers", "is gone"])
def test_an_error_labelled_as_a_stream_fails_over(world, next_one):
    """The label does not make a 429 final; when nobody after it answers, its body is the one that is given."""
    world.route("b1", "b2")
    world.b1.play(Script(send(head(429, [("Content-Type", "text/event-stream"), ("Content-Length", len(LABELLED))]) + LABELLED)))
    if next_one == "is gone":
        world.b2.refuse()
    try:
        found = ask(world.gateway, body_of(stream=True))
    finally:
        world.b2.listen()
    if next_one == "answers":
        assert found.status == 200 and events(found.body)[-1] == "[DONE]" and world.contacted() == ["b1", "b2"], found
    else:
        assert found.status == 429 and found.whole and found.body == LABELLED, found
