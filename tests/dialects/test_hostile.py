"""What providers do at the edges, translated: calls without ids or with ids that others refuse, ids without end, answers that go on behind their end."""
import json
import re

import pytest

import driver
import sdk_read

TARGETS = ["messages", "converse", "responses"]
TAKEN = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")      # ids of calls, of Anthropic and Bedrock
ODD = ["functions.look:0", "functions.look:1", "", "a b", "\u00e4", "x" * 65, "call_1"]


def events(*chunks):
    return b"".join(b"data: " + (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n\n" for each in (*chunks, b"[DONE]"))


def chunk(finish=None, id="c", **delta):
    return {"id": id, "model": "m", "created": 1, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(number, id):
    return {"index": number, **({} if id is None else {"id": id}), "type": "function", "function": {"name": f"f{number}", "arguments": "{}"}}


@pytest.mark.parametrize("target", TARGETS)
def test_ids_of_calls(target):
    """A call without an id gets one, one that the client's dialect refuses another: each its own, and the same in a stream and in a request."""
    ids = [None, *ODD]
    calls = [call(number, id) for number, id in enumerate(ids)]
    streamed = sdk_read.STREAMS[target](driver.one("stream", "chat", target, events(chunk(tool_calls=calls), chunk("tool_calls"))))["calls"]
    plain = {"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": calls}}]}
    answered = sdk_read.ANSWERS[target](driver.one("answer", "chat", target, plain))["calls"]
    assert streamed == answered and [name for _, name, _ in streamed] == [f"f{number}" for number in range(len(ids))]
    found = [id for id, _, _ in streamed]
    assert all(found) and len(set(found)) == len(found) and found[-1] == "call_1"
    assert target == "responses" or all(TAKEN.match(id) for id in found), found


@pytest.mark.parametrize("source,part", [("chat", lambda media: {"type": "file", "file": {"file_data": f"data:{media};base64,AAAA"}}),
                                         ("responses", lambda media: {"type": "input_file", "file_data": f"data:{media};base64,AAAA"})])
def test_files_without_a_name(source, part):
    """OpenAI must have one: it is made of the type. Bedrock takes no type that it has no word for, and is never told another."""
    target = {"chat": "responses", "responses": "chat"}[source]
    for media, name in (("application/pdf", "document.pdf"), ("text/csv", "document.csv"), ("text/plain;charset=utf-8", "document.txt"), ("application/zip", "document")):
        message = {"role": "user", "content": [part(media)]}
        body = {"model": "m", **({"messages": [message]} if source == "chat" else {"input": [message]})}
        made = json.loads(driver.one("request", source, target, body))
        found = made["input"][0]["content"][0] if target == "responses" else made["messages"][0]["content"][0]["file"]
        assert (found["filename"], found["file_data"]) == (name, f"data:{media.split(';')[0]};base64,AAAA")
        ((good, text),) = driver.ask([("request", source, "converse", body)])
        assert good == (media != "application/zip") and (good or text[0] == "not_expressible"), text


@pytest.mark.parametrize("target", ["messages", "converse", "invoke"])
def test_ids_of_calls_in_requests(target):
    """A call and its result still belong together, whatever escapes were used."""
    ids = [id for id in ODD if id]
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call(0, id) for id in ids]},
                                                        *({"role": "tool", "tool_call_id": id, "content": "r"} for id in ids)]}
    text = json.dumps(body).replace('"tool_call_id": "functions', '"tool_call_id": "\\u0066unctions')
    _, called, answered = json.loads(driver.one("request", "chat", target, text.encode()))["messages"]
    made = [each["toolUse"]["toolUseId"] if target == "converse" else each["id"] for each in called["content"]]
    assert made == [each["toolResult"]["toolUseId"] if target == "converse" else each["tool_use_id"] for each in answered["content"]]
    assert len(set(made)) == len(ids) and all(TAKEN.match(id) for id in made) and made[-1] == "call_1"


@pytest.mark.parametrize("target", TARGETS)
def test_ids_without_end(target):
    """Ours is told instead; the answer is the answer."""
    for long in ("i" * 4096, "i" * 4097, "i" * 500000):
        told = driver.one("stream", "chat", target, events(chunk(id=long, content="hi"), chunk("stop", id=long)))
        assert sdk_read.STREAMS[target](told)["text"] == "hi" and (long.encode() in told) == (len(long) <= 4096 and target != "converse")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("late", [{"content": "late"}, {"tool_calls": [call(0, "c1")]}, {"reasoning_content": "late"}, {"refusal": "late"}])
def test_going_on_behind_the_end(target, late):
    """Is an error: those who say the reason last have no word for it, and what came late must not be lost silently."""
    found = sdk_read.STREAMS[target](driver.one("stream", "chat", target, events(chunk(content="hi"), chunk("stop"), chunk(**late))))
    assert "error" in found
    assert "error" not in sdk_read.STREAMS[target](driver.one("stream", "chat", target, events(chunk(content="hi"), chunk("stop"), chunk(content=""))))


def test_ids_of_items_differ_between_answers():
    """A client of Responses sends earlier items back, those of several answers in one input."""
    item = re.compile(rb'"id":"((?:msg|fc|rs)_gh_[0-9a-f]{16}_\d+)"')
    found = item.findall(driver.one("answer", "chat", "responses", {"id": "a", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "x"}}]}))
    assert len(found) == 1


@pytest.mark.parametrize("source,target", [("chat", "messages"), ("messages", "chat")])
def test_line_ends(source, target):
    """LF, CR LF and CR end a line, each alike, however the bytes are split."""
    text = (driver.ROOT / f"tests/data/dialects/{source}/text.sse").read_bytes()
    told = driver.one("stream", source, target, text)
    text = text.replace(b"data: {", b"data: {\ndata: ")         # an event in two lines
    for end in (b"\n", b"\r\n", b"\r"):
        for size in (0, 1, 2, 7):
            assert driver.one("stream", source, target, text.replace(b"\n", end), size) == told
