"""
Content of an answer as a list of parts, as Mistral's API and servers like it send it to clients of chat completions. What each client's SDK has of the translation is what it has of
the same answer written as OpenAI and vLLM write it, which the openai package reads.
"""
import json

import pytest

import driver
import sdk_read
from test_answers import compared
from test_hostile import chunk, events

TARGETS = ["messages", "converse", "responses", "invoke"]
USAGE = {"id": "c", "model": "m", "created": 1, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}


def text(said):
    return {"type": "text", "text": said}


def thinking(*parts, **more):
    return {"type": "thinking", "thinking": [text(part) if isinstance(part, str) else part for part in parts], **more}


REFERENCE = {"type": "reference", "reference_ids": [1, "a"]}
WRITTEN = events(chunk(role="assistant", content=""), chunk(reasoning_content="Let me "), chunk(reasoning_content="th\u00efnk."), chunk(content="Hel"), chunk(content="lo \ud83d\ude00"),
                 chunk(tool_calls=[{"index": 0, **CALL}]), chunk("tool_calls"), USAGE)
LISTED = events(chunk(role="assistant", content=[]), chunk(content=[thinking("Let me ")]),
                chunk(content=[thinking("th\u00ef", REFERENCE, "nk.", closed=True), {"type": "thinking", "thinking": ""}, text("Hel")]),
                chunk(content=[text("l"), REFERENCE, text("o \ud83d")]), chunk(content="\ude00"), chunk(content=[], tool_calls=[{"index": 0, **CALL}]), chunk("tool_calls"), USAGE)


@pytest.mark.parametrize("target", TARGETS)
def test_streams(target):
    direct = sdk_read.STREAMS["chat"](WRITTEN)
    assert direct["reasoning"] == "Let me th\u00efnk." and direct["text"] == "Hello \U0001f600"
    compared(sdk_read.STREAMS[target](driver.one("stream", "chat", target, LISTED)), direct, target)
    driver.one("splits", "chat", target, LISTED)


def plain(message):
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE["usage"],
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": [CALL], **message}}]}


@pytest.mark.parametrize("target", TARGETS)
def test_answers(target):
    listed = plain({"content": [thinking("Let me ", REFERENCE, "th\u00ef", "nk.", closed=True), text("Hel"), REFERENCE, text("lo")]})
    direct = sdk_read.ANSWERS["chat"](json.dumps(plain({"content": "Hello", "reasoning_content": "Let me th\u00efnk."})).encode())
    compared(sdk_read.ANSWERS[target](driver.one("answer", "chat", target, listed)), direct, target)


def test_signatures():
    """One that stands beside its thinking is told to those that send it back."""
    stream = events(chunk(content=[thinking("a", "b")]), chunk(content=[thinking("c", signature="c2ln"), text("x")]), chunk("stop"))
    told = sdk_read.STREAMS["messages"](driver.one("stream", "chat", "messages", stream))
    assert (told["reasoning"], told["signature"], told["text"]) == ("abc", "c2ln", "x")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("part", [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, {"type": "thinking"}, {"type": "text"}, {"text": "x"},
                                  thinking({"type": "image_url", "image_url": "x"}), {"type": "thinking", "thinking": {}}, "x"])
def test_what_is_no_text_is_an_error(target, part):
    """Never an answer that lacks it."""
    stream = events(chunk(content=[text("a"), part]), chunk("stop"))
    told = sdk_read.STREAMS[target](driver.one("stream", "chat", target, stream))
    assert "neither text, thinking nor a reference" in told["error"]
    ((good, found),) = driver.ask([("answer", "chat", target, plain({"content": [text("a"), part]}))])
    assert not good and found[0] == "bad_answer" and "choices[0].message.content[1]" in found[1]


@pytest.mark.parametrize("target,kept", [("converse", True), ("messages", False), ("responses", False)])
def test_sent_back(target, kept):
    """An earlier answer's is reasoning without a signature; of others it is refused by name."""
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [thinking("a", "b", closed=True), text("c")]},
                                                        {"role": "user", "content": "y"}]}
    made = driver.one("request", "chat-open", target, body).decode()
    assert ('"ab"' in made) == kept and '"c"' in made
    body["messages"][0]["content"] = [thinking("a")]
    ((good, found),) = driver.ask([("request", "chat-open", target, body)])
    assert not good and found[0] == "not_expressible" and found[1].startswith("messages[0]")
