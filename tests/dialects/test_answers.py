"""
Answers and streams: what a provider's own SDK has of them is what the client's SDK has of the translation; however a stream is split it is the same,
and wherever it is cut it does not end well.
"""
import json
import pathlib
import re

import pytest

import driver
import sdk_read

DATA = driver.ROOT / "tests/data/dialects"
BUILT = tuple(sdk_read.STREAMS)
STREAMS = [(path.parent.name, target, path) for path in sorted(DATA.glob("*/*")) if path.suffix in (".sse", ".events")
           for target in BUILT if target != path.parent.name]
ANSWERS = [(path.parent.name, target, path) for path in sorted(DATA.glob("*/*.json")) for target in BUILT if target != path.parent.name]

# What one dialect has and another cannot say.
LOST = {
    "surrogates": {"text": "a😀b\\ud83dc�"},     # half of a pair that never becomes one
    "unfinished": {"error": "cut"},
    "garbage": {"error": "cut"},
    "malformed": {"error": "it could not be read"},
}
LOST_THERE = {("beside", "responses"): {"error": "an item that is done cannot go on"}}


def name(value):
    return value.stem if isinstance(value, pathlib.Path) else value


def expected(source, target, path, direct):
    found = LOST_THERE.get((path.stem, target), LOST.get(path.stem, {}))
    return found if "error" in found else without_sources({**direct, **found}, target)


def without_sources(told, target):
    """OpenAI's dialects cite web pages alone."""
    return {**told, "cited": [one for one in told["cited"] if one[0] == "page"]} if "cited" in told and target in ("chat", "responses") else told


def compared(found, wanted, target):
    """An error is one; calls without usage are told none."""
    if "error" in wanted or "error" in found:
        assert "error" in wanted and "error" in found, (found, wanted)
        return
    if wanted["usage"] is None:
        wanted = {**wanted, "usage": found["usage"]}
    if target == "converse":
        wanted = {**wanted, "usage": {**wanted["usage"], "reasoning": 0}}      # it has no such count
    assert found == wanted


@pytest.mark.parametrize("source,target,path", STREAMS, ids=name)
def test_streams(source, target, path):
    text = path.read_bytes()
    direct = {} if "error" in LOST.get(path.stem, {}) else sdk_read.STREAMS[source](text)
    compared(sdk_read.STREAMS[target](driver.one("stream", source, target, text)), expected(source, target, path, direct), target)


@pytest.mark.parametrize("source,target,path", STREAMS, ids=name)
def test_split_and_cut_at_every_byte(source, target, path):
    driver.one("splits", source, target, path.read_bytes())


@pytest.mark.parametrize("source,target,path", ANSWERS, ids=name)
def test_plain_answers(source, target, path):
    text = path.read_bytes()
    compared(sdk_read.ANSWERS[target](driver.one("answer", source, target, text)), without_sources(sdk_read.ANSWERS[source](text), target), target)


def test_what_is_cited_is_read():
    """Of a provider's own answer: else the tests above would compare nothing with nothing."""
    for source in ("messages", "converse", "invoke"):
        for read, name in ((sdk_read.ANSWERS, "cited.json"), (sdk_read.STREAMS, "cited.sse" if source == "messages" else "cited.events")):
            assert [one[0] for one in read[source]((DATA / source / name).read_bytes())["cited"]] == ["chars", "pages", "blocks", "result"]
    for source in ("chat", "responses"):
        for read, name in ((sdk_read.ANSWERS, "pages.json"), (sdk_read.STREAMS, "pages.sse")):
            assert read[source]((DATA / source / name).read_bytes())["cited"] == [("page", "https://example.com/sky?a=1", 'Sky "today"')]


# ---- audio tokens: only the usage of chat completions has them, in the openai package's types as in the dialect ----

def heard(usage):
    """(of the input, of the output), as an object of the openai package says it."""
    return usage.prompt_tokens_details.audio_tokens, usage.completion_tokens_details.audio_tokens


def with_audio(stem):
    """The recorded answer of chat, with 40 of its input's tokens audio and 8 of its output's."""
    text = (DATA / "chat" / stem).read_bytes()
    for details, count in ((b"cache_write_tokens", 40), (b"reasoning_tokens", 8)):
        text, found = re.subn(rb'("%s": ?\d+,\s*"audio_tokens": ?)0' % details, rb"\g<1>%d" % count, text)
        assert found == 1
    return text


def last_usage(body):
    chunks = list(sdk_read.openai_client(body, "text/event-stream").chat.completions.create(model="m", messages=[], stream=True))
    return [chunk.usage for chunk in chunks if chunk.usage][-1]


def plain_usage(body):
    return sdk_read.openai_client(body, "application/json").chat.completions.create(model="m", messages=[]).usage


AUDIO = [("answer", "counted.json", plain_usage, sdk_read.ANSWERS), ("stream", "counted.sse", last_usage, sdk_read.STREAMS)]


@pytest.mark.parametrize("what,stem,usage,read", AUDIO, ids=("plain", "streamed"))
def test_audio_tokens_stay(what, stem, usage, read):
    text = with_audio(stem)
    direct = usage(text)
    assert heard(direct) == (40, 8)
    assert heard(usage(driver.one(what, "chat", "chat-open", text))) == (40, 8)
    assert heard(usage(driver.one(what, "chat-open", "chat", text))) == (40, 8)


@pytest.mark.parametrize("what,stem,usage,read", AUDIO, ids=("plain", "streamed"))
def test_audio_tokens_that_are_none_stay_none(what, stem, usage, read):
    """Of another dialect's usage, which has no such count, a client of chat is told that there were none."""
    for source in ("messages", "converse", "responses", "invoke"):
        suffix = ".json" if what == "answer" else ".events" if source in ("converse", "invoke") else ".sse"
        text = (DATA / source / ("counted" + suffix)).read_bytes()
        assert heard(usage(driver.one(what, source, "chat", text))) == (0, 0)


@pytest.mark.parametrize("target", [target for target in BUILT if target != "chat"])
@pytest.mark.parametrize("what,stem,usage,read", AUDIO, ids=("plain", "streamed"))
def test_audio_tokens_are_among_the_others(what, stem, usage, read, target):
    """Dialects without the count have the same sums, and no word that their SDKs do not know."""
    text = with_audio(stem)
    written = driver.one(what, "chat", target, text)
    compared(read[target](written), read["chat"](text), target)
    assert b"audio" not in written
