"""Between Messages and InvokeModel: bodies and events pass as they are, but for what stands elsewhere at the other one; what Bedrock lacks is refused by its path."""
import base64
import json
import re

import botocore.eventstream
import pytest
from anthropic.lib.streaming._beta_messages import accumulate_event

import anthropic_shapes as shapes
import documents
import test_ids
from client import Client
from mock_backend import answer, stream
from test_claude_code import SAID, as_sent, chunk

pytestmark = pytest.mark.sanitizer

ANTHROPIC = {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "up"}}
BEDROCK = {"dialect": "bedrock", "endpoints": ["invoke"], "models": {"m": "eu.anthropic.claude-sonnet-4-6"}}
ANY = [documents.allow("here", process=["SE", "DE"], unlisted_features="accepted")]
CITED = {"type": "text", "text": "x", "citations": [{"type": "search_result_location", "cited_text": "x", "source": "s", "title": "t", "search_result_index": 0,
                                                     "start_block_index": 0, "end_block_index": 1}]}
RICH = {"max_tokens": 99, "temperature": 0.50, "tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "memory_20250818", "name": "memory"},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {"name": "t", "input_schema": {"type": "object"}, "defer_loading": True, "input_examples": [{"a": 1}], "eager_input_streaming": True}],
        "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "page"}]}, "citations": {"enabled": True}},
                                                  {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": True}}]},
                     {"role": "assistant", "content": [CITED]}, {"role": "user", "content": "and?"}, {"role": "system", "content": "be brief"}],
        "context_management": {"edits": [{"type": "compact_20260112"}, {"type": "clear_tool_uses_20250919"}]}}
ANSWER = {**shapes.message(CITED, {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_regex", "input": {}}), "context_management": {"applied_edits": []}}
EVENTS = [*SAID[:3], {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITED["citations"][0]}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "tomorrows_delta", "half": "\ud83d"}}, {"type": "tomorrow", "text": "x"}, *SAID[3:]]


def asks(world, body, bedrock, streamed=False, headers=()):
    text = body if isinstance(body, bytes) else json.dumps(body if bedrock else {"model": "m", **body, **({"stream": True} if streamed else {})}).encode()
    target = "/v1/messages" if not bedrock else "/model/m/invoke-with-response-stream" if streamed else "/model/m/invoke"
    with Client(world.gateway.port) as client:
        return client.request(target, text, None, [("x-api-key" if not bedrock else "authorization", ("Bearer " if bedrock else "") + world.gateway.key()), *headers]).answer()


def framed(body):
    """[(type, payload)], each checksum compared."""
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(body)
    return [(one.headers.get(":event-type", one.headers.get(":exception-type")), json.loads(one.payload)) for one in buffer]


def chunks(body):
    return [base64.b64decode(payload["bytes"]) for kind, payload in framed(body) if kind == "chunk"]


@pytest.mark.parametrize("bedrock", [False, True])
def test_what_both_have_passes(world, bedrock):
    """Every byte of the body but its own members, every byte of the plain answer."""
    world.route("b1", rules=ANY, **(ANTHROPIC if bedrock else BEDROCK))
    said = json.dumps(ANSWER, indent=1).encode()
    world.b1.play(answer(body=said))
    found = asks(world, {"anthropic_version": "bedrock-2023-05-31", **RICH} if bedrock else RICH, bedrock)
    assert found.status == 200 and found.body == said and found.header("content-type") == "application/json", found.body
    arrived = world.b1.requests[0]
    assert json.dumps(RICH)[1:-1].encode() in arrived.body
    assert arrived.json == {**RICH, **({"model": "up"} if bedrock else {"anthropic_version": "bedrock-2023-05-31"})}
    usage = world.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["source"]) == (11, 3, 7, "reported")


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("scope", ["global", "x" * 300])
def test_a_request_cached_as_a_whole_is_whole(world, scope, last):
    """Its cache_control goes once, with the scope in it: what follows on the connection is another request still."""
    world.route("b1", rules=ANY, **BEDROCK)
    said = json.dumps(shapes.message()).encode()
    cached = {"cache_control": {"type": "ephemeral", "scope": scope}}
    block = [{"type": "text", "text": "s", "cache_control": {"scope": scope, "type": "ephemeral"}}]
    body = {"max_tokens": 9, "messages": test_ids.HI, "system": block}
    for _ in range(2):
        world.b1.play(answer(body=said))
        found = asks(world, {**body, **cached} if last else {**cached, **body}, False)
        assert found.status == 200 and found.body == said, found.body
    left = {**body, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], "anthropic_version": "bedrock-2023-05-31"}
    assert len(world.b1.requests) == 2
    for arrived in world.b1.requests:
        assert arrived.json == left and int(arrived.header("content-length")) == len(arrived.body)


@pytest.mark.parametrize("name,value,path", [
    ("mcp_servers", [{"type": "url", "url": "https://a.b", "name": "x"}], "mcp_servers"), ("speed", "fast", "speed"),
    ("tools", [{"type": "web_search_20250305", "name": "web_search"}], "tools[0].type"), ("tools", [{"type": "code_execution_20250825", "name": "code_execution"}], "tools[0].type"),
    ("messages", [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}}]}], "messages[0].content[0].source.type"),
    ("nobody_knows", 1, "nobody_knows"),
])
def test_what_bedrock_lacks_is_refused(world, name, value, path):
    world.route("b1", rules=ANY, **BEDROCK)
    found = asks(world, {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}], name: value}, False)
    assert found.status == 400 and b"not_expressible" in found.body and path.encode() in found.body and not world.b1.requests, found.body


@pytest.mark.parametrize("split", [None, 1, 7])
def test_events_pass(world, split):
    """To a client of Messages, whatever they are; the frames come cut anywhere."""
    world.route("b1", rules=ANY, **BEDROCK)
    said = b"".join(map(chunk, EVENTS))
    world.b1.play(shapes.aws_stream(*(said[at:at + split] for at in range(0, len(said), split)) if split else [said]))
    found = asks(world, RICH, False, True)
    assert found.status == 200 and found.body == as_sent(EVENTS) and world.gateway.outcome(found.id)["end"] == "complete"


@pytest.mark.parametrize("split", [None, 1, 7])
def test_events_pass_the_other_way(world, split):
    world.route("b1", rules=ANY, **ANTHROPIC)
    said = as_sent(EVENTS)
    world.b1.play(stream(*(said[at:at + split] for at in range(0, len(said), split)) if split else [said]))
    found = asks(world, RICH, True, True)
    told = chunks(found.body)
    assert told[:-1] == [json.dumps(one).encode() for one in EVENTS[:-1]] and world.gateway.outcome(found.id)["end"] == "complete"
    assert json.loads(told[-1]).pop("amazon-bedrock-invocationMetrics")["outputTokenCount"] == 7


def test_events_in_several_lines(world):
    """JSON with line ends in it is one event still."""
    world.route("b1", rules=ANY, **BEDROCK)
    world.b1.play(shapes.aws_stream(*(shapes.frame("chunk", {"bytes": base64.b64encode(json.dumps(one, indent=1).replace("\n", "\r\n").encode()).decode()}) for one in SAID)))
    found = asks(world, RICH, False, True)
    told = [json.loads(line[6:]) for line in found.body.decode().split("\n") if line.startswith("data: ")]
    assert told == SAID and found.body.count(b"\n\n") == len(SAID)


@pytest.mark.parametrize("bedrock", [False, True])
@pytest.mark.parametrize("broken", ["cut", "error", "unreadable"])
def test_a_broken_stream_ends_in_an_error(world, bedrock, broken):
    world.route("b1", rules=ANY, **(ANTHROPIC if bedrock else BEDROCK))
    if bedrock:
        world.b1.play(stream(as_sent(SAID[:3]), *{"cut": [], "error": [shapes.failed()], "unreadable": [b"data: {\n\n"]}[broken]))
    else:
        world.b1.play(shapes.aws_stream(*map(chunk, SAID[:3]), *{"cut": [], "error": [shapes.exception("throttlingException")],
                                                                 "unreadable": [shapes.frame("chunk", {"bytes": base64.b64encode(b"\xff{").decode()})]}[broken]))
    found = asks(world, RICH, bedrock, True)
    assert found.status == 200 and b"message_stop" not in found.body and world.gateway.outcome(found.id)["end"] == "cut"
    if bedrock:
        assert [kind for kind, _ in framed(found.body)][-1].endswith("Exception") and len(chunks(found.body)) == 3
    else:
        assert found.body.startswith(as_sent(SAID[:3])) and found.body.rsplit(b"event: ", 1)[1].startswith(b"error\n")


def test_before_content_another_takes_over(world):
    world.route("b1", "b2", rules=ANY, **BEDROCK)
    world.b1.play(shapes.aws_stream(*map(chunk, SAID[:2]), shapes.exception("throttlingException")))
    world.b2.play(shapes.aws_stream(*map(chunk, SAID)))
    found = asks(world, RICH, False, True)
    assert found.status == 200 and found.body == as_sent(SAID) and world.contacted() == ["b1", "b2"]


@pytest.mark.parametrize("backend", [BEDROCK, ANTHROPIC], ids=["invoke", "messages"])
def test_ids_in_frames_are_given_out(world, backend):
    """Only their frames are others, and what was given out is opened when it comes back."""
    world.route("b1", rules=ANY, features=test_ids.FEATURES, **backend)
    events = [{**SAID[0], "message": {**SAID[0]["message"], "container": test_ids.CONTAINER}}, *SAID[1:]]
    frames = [shapes.frame("chunk", {"p": "abcd", "bytes": base64.b64encode(json.dumps(one).encode()).decode()}) for one in events]
    world.b1.play(shapes.aws_stream(*frames) if backend is BEDROCK else stream(as_sent(events)), answer(body=json.dumps(shapes.message()).encode()))
    found = asks(world, {"max_tokens": 9, "messages": test_ids.HI, **test_ids.RUN}, True, True)
    assert found.status == 200 and b"container_CON1" not in b"".join(chunks(found.body)), found.body
    first = json.loads(chunks(found.body)[0])
    ours = first["message"]["container"]["id"]
    assert first == {**events[0], "message": {**events[0]["message"], "container": {**test_ids.CONTAINER, "id": ours}}} and re.fullmatch(r"[A-Za-z0-9_-]{40,}", ours)
    if backend is BEDROCK:
        assert found.body.endswith(b"".join(frames[1:]))
        assert [payload.get("p") for _, payload in framed(found.body)] == ["abcd"] * len(events)
    found = asks(world, {"max_tokens": 9, "messages": test_ids.HI, "container": ours}, True)
    assert found.status == 200 and world.b1.requests[1].json["container"] == "container_CON1", found.body


@pytest.mark.parametrize("strange", [shapes.frame("tomorrow", {"container": test_ids.CONTAINER}), shapes.frame("chunk", {"container": test_ids.CONTAINER}, "tomorrow")],
                         ids=["event", "message"])
@pytest.mark.parametrize("kept", [False, True])
def test_no_id_passes_in_a_frame_nobody_knows(world, strange, kept):
    """Where ids are given out, what is not known to have any goes to nobody; elsewhere it passes as it came."""
    world.route("b1", rules=ANY, features=test_ids.FEATURES, **BEDROCK)
    frames = [*map(chunk, SAID[:3]), strange, *map(chunk, SAID[3:])]
    world.b1.play(shapes.aws_stream(*frames))
    found = asks(world, {"max_tokens": 9, "messages": test_ids.HI, **(test_ids.RUN if kept else {})}, True, True)
    assert found.status == 200 and found.body == b"".join(one for one in frames if one != strange or not kept)
    assert world.gateway.outcome(found.id)["end"] == "complete"


def put_together(events):
    """As Anthropic's SDK does it."""
    snapshot, inputs = None, {}
    for one in events:
        snapshot = accumulate_event(event=one, current_snapshot=snapshot, json_bufs=inputs, request_headers={})
    return snapshot.to_dict(mode="json")


@pytest.mark.parametrize("backend, bedrock", [(ANTHROPIC, True), (BEDROCK, False), (BEDROCK, True)], ids=["messages to invoke", "invoke to messages", "invoke to invoke"])
def test_a_plain_answer_to_who_asked_for_a_stream_is_whole(world, backend, bedrock):
    """Put together again it is what the backend said: citations, calls of what the provider runs, signatures, blocks of tomorrow, usage and all else."""
    world.route("b1", rules=ANY, features=test_ids.FEATURES, **backend)
    thought = {"type": "thinking", "thinking": "h\u00e9\n", "signature": "c2ln"}
    said = {**ANSWER, "container": test_ids.CONTAINER, "stop_details": None, "content": [
        thought, CITED, *ANSWER["content"][1:], {"type": "text", "text": ""}, {"type": "redacted_thinking", "data": "eA=="},
        {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"a": [1, {"b": "\"\\ \u20ac"}]}}, {"type": "tomorrow", "input": {"x": 1}, "text": "y", "citations": [1]}]}
    world.b1.play(answer(body=json.dumps(said, indent=1).encode()))
    found = asks(world, {"max_tokens": 9, "messages": test_ids.HI, **(test_ids.RUN if bedrock else {})}, bedrock, True)
    assert found.status == 200 and world.gateway.outcome(found.id)["end"] == "complete", found.body
    told = chunks(found.body) if bedrock else [line[6:] for line in found.body.split(b"\n") if line.startswith(b"data: ")]
    events = [json.loads(one) for one in told]
    whole = put_together(events)
    ours = whole["container"]["id"]
    if bedrock:                     # of Messages nothing that is kept can be asked at Bedrock
        assert b"container_CON1" not in b"".join(told) and re.fullmatch(r"[A-Za-z0-9_-]{40,}", ours)
    else:
        assert ours == test_ids.CONTAINER["id"]
    wanted = {**said, "container": {**test_ids.CONTAINER, "id": ours}}
    assert whole["content"] == wanted["content"] and {name: whole.get(name) for name in wanted} == wanted
    usage = world.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["source"]) == (11, 3, 7, "reported")


def test_a_plain_answer_of_many_blocks_is_told_one_by_one(world):
    """It may be longer than one event may be."""
    world.route("b1", rules=ANY, **BEDROCK)
    said = {**ANSWER, "content": [{"type": "text", "text": f"{number}" * 500000} for number in range(10)]}
    world.b1.play(answer(body=json.dumps(said).encode()))
    found = asks(world, RICH, False, True)
    assert found.status == 200 and world.gateway.outcome(found.id)["end"] == "complete", found.body[-300:]
    events = [json.loads(line[6:]) for line in found.body.split(b"\n") if line.startswith(b"data: ")]
    assert put_together(events)["content"] == said["content"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"content":[]}', b'{"content":7,"stop_reason":"end_turn"}', b'{"type":"error","error":{"message":"x"}}'])
def test_a_plain_answer_that_is_none_goes_to_another(world, body):
    world.route("b1", "b2", rules=ANY, **BEDROCK)
    world.b1.play(answer(body=body))
    world.b2.play(shapes.aws_stream(*map(chunk, SAID)))
    found = asks(world, RICH, False, True)
    assert found.status == 200 and found.body == as_sent(SAID) and world.contacted() == ["b1", "b2"]
