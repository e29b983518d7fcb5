"""Ids of what providers keep, in chat completions and Messages: given out as the gateway's own, or passed on, as conf/dialects.md says; opened, or refused, in requests."""
import json
import re

import httpx2
import openai
import pytest

import documents
import test_messages
from client import ask, expect_error, tls_context
from ids_table import native, rows
from mock_backend import DONE, answer, completion, delta, event, role, stream
from test_messages import BLOCK, BLOCK_END, PING, WORDS, claude
from test_messages import event as messages_event

pytestmark = pytest.mark.sanitizer

SE = {"process": ["SE"], "store": {"in": ["SE"], "days": 30}}
FEATURES = dict.fromkeys(("audio_output", "stored_audio", "files", "file_search", "container", "code_execution", "skills", "thread", "cache_diagnosis"), SE)
AUDIO_ASKED = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
RUN = {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}
HI = [{"role": "user", "content": "hello, world"}]


# Answers as providers write them: the kind by the beginning of the id. Each stands once.
AUDIO = {"id": "audio_AUD1", "data": "UklGRg==", "transcript": "audio_TEXT", "expires_at": 1741476542}
CHAT_MESSAGE = {"role": "assistant", "content": [{"type": "text", "text": "file_TEXT", "annotations": [{"type": "file_path", "file_id": "file-FIL3"}]},
                                                 {"type": "file", "file": {"file_id": "file-FIL4"}}, {"type": "input_image", "file_id": "file-FIL5"},
                                                 {"type": "image_url", "image_url": {"file_id": "file-FIL6", "url": "file-TEXT"}}],
                "annotations": [{"type": "file_citation", "file_citation": {"file_id": "file-FIL1", "quote": "file_TEXT"}}, {"type": "x", "file_id": "file-FIL2"}],
                "audio": AUDIO, "tool_calls": [{"id": "call_CAL1", "type": "function", "function": {"name": "f", "arguments": '{"file_id":"file-TEXT"}'}}]}
CHAT = {"id": "chatcmpl-CPL1", "object": "chat.completion", "created": 1, "model": "up", "choices": [{"index": 0, "message": CHAT_MESSAGE, "finish_reason": "tool_calls"}],
        "usage": completion()["usage"], "kv_transfer_params": {"remote_engine_id": "engine_CAC1", "file_id": "file-TEXT"}}
RESULT = {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_CAL2", "content": {
    "type": "bash_code_execution_result", "stdout": "file_TEXT", "stderr": "", "return_code": 0, "content": [{"type": "bash_code_execution_output", "file_id": "file_FIL1"}]}}
UPLOAD = {"type": "container_upload", "file_id": "file_FIL2"}
CITED = {"type": "text", "text": "container_TEXT", "citations": [{"type": "char_location", "cited_text": "file_TEXT", "document_index": 0, "file_id": "file_FIL3"}]}
TOOL = {"type": "tool_use", "id": "toolu_CAL3", "name": "f", "input": {"file_id": "file-TEXT", "container": {"id": "container_TEXT"}}}
THOUGHT = {"type": "thinking", "thinking": "x", "signature": "file_SIG1"}
CONTAINER = {"id": "container_CON1", "expires_at": "2026-11-27T00:00:00Z", "skills": [{"type": "custom", "skill_id": "skill_SKI1", "version": "1"}]}
MESSAGE = {"id": "msg_MES1", "type": "message", "role": "assistant", "model": "up", "content": [RESULT, UPLOAD, CITED, TOOL, THOUGHT], "stop_reason": "tool_use", "stop_sequence": None,
           "container": CONTAINER, "usage": test_messages.USAGE}

GIVEN = {"Chat completions": {"answers in audio": "AUD", "files": "FIL"}, "Messages": {"containers": "CON", "files": "FIL", "messages": "MES"}}
PASSED = {"Chat completions": {"completions": "CPL", "calls": "CAL", "caches of another server": "CAC"}, "Messages": {"skills": "SKI", "calls": "CAL", "signatures": "SIG"}}


def chat_events(answer_of):
    """The same in chunks: SDKs put the delta's members together."""
    message = answer_of["choices"][0]["message"]
    first = {**answer_of, "object": "chat.completion.chunk", "usage": None, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}
    again = {**first, "choices": [{"index": 0, "delta": {"audio": {"id": message["audio"]["id"], "data": "AA=="}}, "finish_reason": "stop"}]}
    return [event(first), event(again), DONE]


def message_events(message):
    """As Anthropic streams it; the container once more at the end, as it does."""
    parts = [messages_event("message_start", message={**message, "content": []}), PING]
    for at, block in enumerate(message["content"]):
        parts += [messages_event("content_block_start", index=at, content_block=block), messages_event("content_block_stop", index=at)]
        parts += [messages_event("content_block_delta", index=at, delta={"type": "citations_delta", "citation": one}) for one in block.get("citations", ())]
    return [*parts, messages_event("message_delta", delta={"stop_reason": message["stop_reason"], "container": message["container"]}, usage={"output_tokens": 7}),
            messages_event("message_stop")]


@pytest.fixture
def chats(world):
    world.route("b1", "b2", models={"m": "up"}, features=FEATURES)
    return world


@pytest.fixture
def messages(world):
    world.route("b1", "b2", dialect="anthropic", endpoints=test_messages.ENDPOINTS, models={"m": "up"}, features=FEATURES)
    return world


def chat_body(**more):
    return json.dumps({"model": "m", "messages": HI, **more}).encode()


def asks_chat(world, more=(), **options):
    return ask(world.gateway, chat_body(**{**AUDIO_ASKED, **dict(more)}), **options)


def asks_message(world, more=(), **options):
    return test_messages.asks(world, test_messages.body_of(**{**RUN, **dict(more)}), **options)


KINDS = {"Chat completions": ("chats", asks_chat, CHAT, chat_events, {}), "Messages": ("messages", asks_message, MESSAGE, message_events, {"thread": {"type": "create"}})}


def decision(world, found):
    return next(line for line in world.gateway.record(found.id, kinds=("decision",)) if line["type"] == "decision")


@pytest.mark.parametrize("heading", KINDS)
def test_the_table_is_of_these(heading):
    said = {name: row[1] for name, row in rows(heading).items() if row[1] != "-"}
    assert said == {**dict.fromkeys(GIVEN[heading], "given out"), **dict.fromkeys(PASSED[heading], "as it came")}
    assert {one[:3] for one in native(json.dumps(KINDS[heading][2]))} == {*GIVEN[heading].values(), *PASSED[heading].values()}


@pytest.mark.parametrize("split", [None, 1, 7, 100000])
@pytest.mark.parametrize("heading", KINDS)
def test_every_id_of_an_answer(request, heading, split):
    """Plain, and in a stream however it is split: exactly the ids are others, and the same id is the same each time."""
    fixture, asks, whole, events, more = KINDS[heading]
    site = request.getfixturevalue(fixture)
    said = json.dumps(whole).encode() if split is None else b"".join(events(whole))
    site.b1.play(answer(body=said) if split is None else stream(*(said[at:at + split] for at in range(0, len(said), split))))
    found = asks(site, {**more, **({} if split is None else {"stream": True})})
    assert found.status == 200 and found.whole and site.gateway.outcome(found.id)["end"] == "complete"
    before, after = native(said.decode()), native(found.body.decode())
    assert before - after == {one for one in before if one[:3] in GIVEN[heading].values()}, after
    assert before & after == {one for one in before if one[:3] in PASSED[heading].values()}
    pairs = dict(zip(re.findall(rb'"([a-z]+[_-][A-Z]{3}[0-9])"', said), re.findall(rb'"([a-z]+[_-](?:[A-Z]{3}[0-9]|[A-Za-z0-9_-]{40,}))"', found.body)))
    back = found.body
    for theirs, ours in pairs.items():
        back = back.replace(b'"%s"' % ours, b'"%s"' % theirs)
    assert back == said                          # nothing else was touched


@pytest.mark.parametrize("heading", KINDS)
def test_an_answer_that_ends_inside_of_an_id(request, heading):
    """Whole by its length, and no JSON: every byte that came is passed on."""
    fixture, asks, whole, _, more = KINDS[heading]
    site = request.getfixturevalue(fixture)
    said = json.dumps(whole).encode()
    end = said.index(b"FIL1") + 2
    site.b1.play(answer(body=said[:end]))
    found = asks(site, more)
    assert found.status == 200 and found.whole and found.body.endswith(said[end - 20:end]) and b"FIL1" not in found.body


@pytest.mark.parametrize("heading", KINDS)
def test_an_answer_that_keeps_nothing_passes_unread(request, heading):
    """With its length, and an id in it is nobody's: a request that brings it is refused."""
    fixture, _, whole, events, _ = KINDS[heading]
    site = request.getfixturevalue(fixture)
    said = json.dumps(whole).encode()
    site.b1.play(answer(body=said), stream(*events(whole)))
    plain = test_messages.asks if fixture == "messages" else lambda world, body: ask(world.gateway, body)
    body = test_messages.body_of if fixture == "messages" else chat_body
    found = plain(site, body())
    assert found.body == said and int(found.header("content-length")) == len(said)
    assert plain(site, body(stream=True)).body == b"".join(events(whole))


def user(*parts):
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, *parts]}]}


def spoken(audio):
    return {"messages": [*HI, {"role": "assistant", "audio": audio}, *HI]}


def chat_uses(audio, file):
    """Every place that takes an id."""
    yield audio, spoken({"id": audio})
    yield audio, spoken({"id": audio, "data": "UklGRg==", "transcript": "x", "expires_at": 1})
    yield file, user({"type": "file", "file": {"file_id": file}})
    yield file, user({"type": "input_image", "file_id": file})
    for name in ("image_url", "video_url", "audio_url", "input_audio", "input_video"):
        yield file, user({"type": name, name: {"file_id": file}})
    yield file, {"messages": [{"role": "assistant", "content": "x", "annotations": [{"type": "file_citation", "file_citation": {"file_id": file}}, ]}]}
    yield file, {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "x", "annotations": [{"type": "file_path", "file_id": file}]}]}]}


def message_uses(container, file, message):
    yield container, {"container": container}
    yield container, {"container": {"id": container}}
    yield container, {"container": {"id": container, "skills": [{"type": "custom", "skill_id": "skill_1"}]}}
    yield file, user({"type": "document", "source": {"type": "file", "file_id": file}})
    yield file, user({"type": "image", "source": {"type": "file", "file_id": file}})
    yield file, user({"type": "container_upload", "file_id": file})
    yield file, user({"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "document", "source": {"type": "file", "file_id": file}}]})
    yield file, {"messages": [*HI, {"role": "assistant", "content": json.loads(json.dumps([RESULT]).replace("file_FIL1", file))}, *HI]}
    yield file, {"messages": [*HI, {"role": "assistant", "content": json.loads(json.dumps([CITED]).replace("file_FIL3", file))}, *HI]}
    yield message, {"thread": {"type": "continue", "previous_message_id": message}}
    yield message, {"diagnostics": {"previous_message_id": message}}


def told(site, asks, whole, more):
    site.b1.play(answer(body=json.dumps(whole).encode()))
    return asks(site, more).json


def expect_refused(found, status, code):
    assert found.status == status and code in json.dumps(found.json["error"]), found


def uses_of(site, fixture):
    if fixture == "chats":
        message = told(site, asks_chat, CHAT, {})["choices"][0]["message"]
        ours = (message["audio"]["id"], message["annotations"][0]["file_citation"]["file_id"])
        return zip(chat_uses(*ours), chat_uses("audio_AUD1", "file-FIL1"))
    message = told(site, asks_message, MESSAGE, {"thread": {"type": "create"}})
    ours = (message["container"]["id"], message["content"][0]["content"]["content"][0]["file_id"], message["id"])
    return zip(message_uses(*ours), message_uses("container_CON1", "file_FIL1", "msg_MES1"))


@pytest.mark.parametrize("fixture, asks", [("chats", asks_chat), ("messages", asks_message)])
def test_what_was_given_out_comes_back_as_it_was(request, fixture, asks):
    """Each id, where a request says it: the provider gets its own again, and nobody else's id is taken there."""
    site = request.getfixturevalue(fixture)
    body = test_messages.body_of if fixture == "messages" else chat_body
    least = RUN if fixture == "messages" else AUDIO_ASKED
    for (ours, more), (own, meant) in list(uses_of(site, fixture)):
        site.b1.play(answer(body=json.dumps(MESSAGE if fixture == "messages" else CHAT).encode()))
        found = asks(site, more)
        assert found.status == 200, (more, found)
        assert site.b1.requests[-1].body == body(**{**least, **meant}).replace(b'"m"', b'"up"', 1)
        pin = decision(site, found)["pin"]
        assert pin["deployment"].startswith("b1-") and pin["where"].endswith(("id", "container")), pin
        before = len(site.b1.requests)
        for wrong in (own, ours[:-1] + ("A" if ours[-1] != "A" else "Q"), "file-of-nobody"):
            refused = asks(site, json.loads(json.dumps(more).replace(ours, wrong)))
            expect_refused(refused, 404, "state_not_found")
            assert pin["where"] in refused.json["error"]["message"]
        assert len(site.b1.requests) == before and not site.b2.requests


@pytest.mark.parametrize("fixture, asks", [("chats", asks_chat), ("messages", asks_message)])
def test_state_stays_where_it_was_made(request, fixture, asks):
    """The first of the route fails once: the second makes the state, and what goes on from it goes there. Another tenant has no part in it."""
    site = request.getfixturevalue(fixture)
    whole = MESSAGE if fixture == "messages" else CHAT
    site.b1.play(answer(status=500))
    site.b2.play(answer(body=json.dumps(whole).encode()))
    made = asks(site).json
    at_b2 = {"container": made["container"]["id"]} if fixture == "messages" else spoken({"id": made["choices"][0]["message"]["audio"]["id"]})
    site.b2.play(answer(body=json.dumps(whole).encode()), answer(status=500))
    before = len(site.b1.requests)
    found = asks(site, at_b2)
    assert found.status == 200 and decision(site, found)["pin"]["deployment"].startswith("b2-")
    assert asks(site, at_b2).status == 500                       # nobody else is asked instead
    expect_refused(asks(site, at_b2, key=site.gateway.key("acme/blue/app")), 404, "state_not_found")
    assert len(site.b1.requests) == before

    site.b1.play(answer(body=json.dumps(whole).encode()))
    other = asks(site).json
    if fixture == "messages":
        mixed = {**at_b2, **user({"type": "container_upload", "file_id": other["content"][1]["file_id"]})}
    else:
        mixed = {"messages": [*at_b2["messages"], *spoken({"id": other["choices"][0]["message"]["audio"]["id"]})["messages"]]}
    before = (len(site.b1.requests), len(site.b2.requests))
    expect_refused(asks(site, mixed), 400, "state_elsewhere")
    assert (len(site.b1.requests), len(site.b2.requests)) == before


@pytest.mark.parametrize("fixture, asks", [("chats", asks_chat), ("messages", asks_message)])
def test_policy_is_asked_again(request, fixture, asks):
    """State that was made while a rule allowed its place is not used when none does any more; nor when the feature that keeps it is listed no longer."""
    site = request.getfixturevalue(fixture)
    whole = MESSAGE if fixture == "messages" else CHAT
    made = told(site, asks, whole, {})
    more = {"container": made["container"]["id"]} if fixture == "messages" else spoken({"id": made["choices"][0]["message"]["audio"]["id"]})
    kinds = dict(dialect="anthropic", endpoints=test_messages.ENDPOINTS) if fixture == "messages" else {}
    same = documents.deployment(f"b1-{site.turn}", "b1", models={"m": "up"}, features=FEATURES, **kinds)
    for deployment in ({**same, "country": "US"}, {**same, "features": {}}):
        site.gateway.apply(documents.fleet(deployment), documents.residency(documents.allow("se", process=("SE", "DE"))), documents.tenants())
        before = len(site.b1.requests)
        expect_refused(asks(site, more), 403, "residency_denied")
        assert len(site.b1.requests) == before


def test_what_is_made_elsewhere_is_a_feature(chats):
    """Rows of the table that no answer gives out: denied by the feature's name where no rule has it."""
    tools = {"vector stores": {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "connectors": {"tools": [{"type": "mcp", "connector_id": "connector_1", "server_label": "x"}]},
             "indexes": {"data_sources": [{"type": "azure_search", "parameters": {"index_name": "x"}}]}, "sessions": {"session_id": "x"},
             "media left behind": user({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "uuid": "x"}}),
             "caches of another server": {"kv_transfer_params": {"do_remote_decode": True}}}
    assert {name for name, row in rows("Chat completions").items() if "feature" in row[2]} == set(tools)
    chats.route("b1", models={"m": "up"})
    for name, more in tools.items():
        feature = re.search(r"feature `(\w+)`", rows("Chat completions")[name][2])[1]
        found = expect_error(ask(chats.gateway, chat_body(**more)), 403, "residency_denied")
        assert [one["name"] for one in decision(chats, found)["features"]] == [feature], (name, found)
    chats.route("b1", models={"m": "up"}, features=dict.fromkeys((re.search(r"feature `(\w+)`", row[2])[1] for row in rows("Chat completions").values() if "feature" in row[2]), SE))
    for name, more in tools.items():
        assert ask(chats.gateway, chat_body(**more)).status == 200, name


def test_what_is_made_elsewhere_is_a_feature_of_messages(messages):
    makes = {"skills": {"container": {"skills": [{"type": "custom", "skill_id": "skill_1", "version": "latest"}]}}, "servers": {"mcp_servers": [{"type": "url", "url": "https://x.test", "name": "x"}]}}
    assert {name for name, row in rows("Messages").items() if "feature" in row[2]} == set(makes)
    kinds = dict(dialect="anthropic", endpoints=test_messages.ENDPOINTS, models={"m": "up"})
    messages.route("b1", **kinds, features={"container": SE})
    for name, more in makes.items():
        found = test_messages.asks(messages, test_messages.body_of(**more))
        expect_refused(found, 403, "residency_denied")
        assert re.search(r"feature `(\w+)`", rows("Messages")[name][2])[1] in [one["name"] for one in decision(messages, found)["features"]], (name, found)
    messages.route("b1", **kinds, features={"skills": SE, "mcp": SE, "container": SE})
    for name, more in makes.items():
        messages.b1.play(answer(body=json.dumps(MESSAGE).encode()))
        assert test_messages.asks(messages, test_messages.body_of(**more)).status == 200, name


def test_openai_sdk_goes_on_from_audio(chats, authority):
    """The second turn names the first's answer, plain or streamed, as OpenAI's guide has it; in one session an id is the same each time."""
    chats.b1.play(answer(body=json.dumps({**CHAT, "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, "audio": AUDIO}}]}).encode()),
                  answer(body=json.dumps(completion()).encode()), stream(role(), event({**completion(), "object": "chat.completion.chunk", "choices": [
                      {"index": 0, "delta": {"audio": {"id": "audio_AUD1", "transcript": "hel"}}, "finish_reason": None}]}), delta("", "stop"), DONE), answer(body=json.dumps(completion()).encode()))
    sdk = openai.OpenAI(base_url=f"https://127.0.0.1:{chats.gateway.tls_port}/v1", api_key=chats.gateway.key(), max_retries=0, timeout=60, default_headers={"x-gatehouse-session-id": "one"},
                        http_client=httpx2.Client(verify=tls_context(authority)))
    asked = dict(model="m", modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    first = sdk.chat.completions.create(messages=HI, **asked).choices[0].message
    assert first.audio.id.startswith("audio_") and first.audio.id != AUDIO["id"] and first.audio.transcript == AUDIO["transcript"]
    sdk.chat.completions.create(messages=[*HI, {"role": "assistant", "audio": {"id": first.audio.id}}, *HI], **asked)
    streamed = {one.choices[0].delta.audio.id if hasattr(one.choices[0].delta.audio, "id") else one.choices[0].delta.audio["id"]
                for one in sdk.chat.completions.create(messages=HI, stream=True, **asked) if one.choices and getattr(one.choices[0].delta, "audio", None)}
    assert streamed == {first.audio.id}
    sdk.chat.completions.create(messages=[*HI, {"role": "assistant", "audio": {"id": streamed.pop()}}, *HI], **asked)
    for number in (1, 3):
        assert json.loads(chats.b1.requests[number].body)["messages"][1]["audio"] == {"id": AUDIO["id"]}
    with pytest.raises(openai.NotFoundError) as raised:
        sdk.chat.completions.create(messages=[*HI, {"role": "assistant", "audio": {"id": AUDIO["id"]}}, *HI], **asked)
    assert raised.value.code == "state_not_found" and len(chats.b1.requests) == 4


def test_anthropic_sdk_uses_a_container_again(messages, authority):
    whole = json.dumps(MESSAGE).encode()
    messages.b1.play(answer(body=whole), answer(body=whole), stream(*message_events({**MESSAGE, "content": []})[:2], BLOCK, *WORDS, BLOCK_END, *message_events(MESSAGE)[-2:]), answer(body=whole))
    sdk = claude(messages, authority, api_key=messages.gateway.key())
    asked = dict(model="m", max_tokens=9, messages=HI, betas=["code-execution-2025-08-25"], tools=RUN["tools"])
    first = sdk.beta.messages.create(**asked)
    assert first.container.id.startswith("container_") and first.container.id != CONTAINER["id"] and first.container.skills[0].skill_id == "skill_SKI1"
    sdk.beta.messages.create(**asked, container=first.container.id)
    with sdk.beta.messages.stream(**asked, container={"id": first.container.id}) as parts:
        final = parts.get_final_message()
    assert final.container.id == first.container.id and final.content[0].text == "one two"
    upload = {"type": "container_upload", "file_id": first.content[1].file_id}
    sdk.beta.messages.create(**{**asked, "messages": [{"role": "user", "content": [upload]}]}, container=first.container.id)
    sent = [json.loads(request.body) for request in messages.b1.requests]
    assert [one.get("container") for one in sent] == [None, CONTAINER["id"], {"id": CONTAINER["id"]}, CONTAINER["id"]]
    assert sent[3]["messages"][0]["content"][0]["file_id"] == "file_FIL2"
