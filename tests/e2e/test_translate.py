"""Clients of one dialect, backends of another: what arrives there, what comes back, and what becomes of errors and of ends that are none."""
import json
import re
import time

import pytest

import anthropic_shapes as shapes
from client import Client, ask, body_of, events, expect_error
from documents import allow, azure, deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import DONE, Script, answer, close, completion, delta, hang, pause, pieces, provider_error, reset, role, send, stream, usage_event

pytestmark = pytest.mark.sanitizer

CLAUDE = {"dialect": "anthropic", "endpoints": ["messages"], "models": {"m": "claude-x"}}
NOVA = {"dialect": "bedrock", "endpoints": ["converse"], "models": {"m": "eu.amazon.nova-2-lite-v1:0"}}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}


def by(name, spec, priority=1, **more):
    return deployment(name, name, priority=priority, **{**spec, **more})


def use(world, *deployments, **more):
    for mock in world.mocks.values():
        mock.clear()
    world.turn += 1
    made = [{**one, "id": f"{one['id']}-{world.turn}"} for one in deployments]
    world.gateway.apply(fleet(*made), residency(*more.pop("rules", ())), tenants(), **more)


def chunks(found):
    assert found.status == 200, found
    got = events(found.body)
    assert got[-1] == "[DONE]", got
    return [json.loads(one) for one in got[:-1]]


def said(got):
    return "".join(choice["delta"].get("content") or "" for one in got for choice in one["choices"])


# ---- plain answers ----

def test_chat_to_messages(world):
    use(world, by("b1", CLAUDE))
    world.b1.play(answer(200, shapes.message({"type": "text", "text": "hé\u2028llo"}), [("request-id", "req_9"), ("anthropic-ratelimit-requests-remaining", "5"), ("anthropic-ratelimit-tokens-limit", "-1"),
                                                                                                  ("x-ms-region", "Sweden Central"), ("x-ms-deployment-name", "secret-name")]))
    found = ask(world.gateway, json.dumps({"model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}], "tools": [TOOL],
                                           "temperature": 0.50, "stop": "x", "max_completion_tokens": 99}).encode())
    arrived = world.b1.requests[0]
    assert (arrived.method, arrived.target) == ("POST", "/v1/messages")
    assert arrived.all("x-api-key") == ["secret-of-b1"] and not arrived.all("authorization") and arrived.all("anthropic-version") == ["2023-06-01"]
    assert arrived.json["model"] == "claude-x" and arrived.json["max_tokens"] == 99 and arrived.json["stop_sequences"] == ["x"]
    assert arrived.json["system"][0]["text"] == "be brief" if isinstance(arrived.json["system"], list) else arrived.json["system"] == "be brief"
    assert arrived.json["tools"][0]["name"] == "look" and arrived.json["temperature"] == 0.5
    assert found.status == 200 and found.header("content-type") == "application/json"
    got = found.json
    assert got["object"] == "chat.completion" and got["choices"][0]["message"]["content"] == "hé\u2028llo" and got["choices"][0]["finish_reason"] == "stop"
    assert got["usage"]["prompt_tokens"] == 11 + 3 + 2 and got["usage"]["prompt_tokens_details"]["cached_tokens"] == 3 and got["usage"]["completion_tokens"] == 7
    outcome = world.gateway.outcome(found.id)
    assert outcome["attempts"][0]["upstream_endpoint"] == "messages" and outcome["attempts"][0]["upstream_dialect"] == "anthropic"
    assert outcome["usage"]["input"] == 11 and outcome["usage"]["cached"] == 3 and outcome["usage"]["cached_outside"] and outcome["usage"]["source"] == "reported"
    assert outcome["end"] == "complete"
    assert outcome["attempts"][0]["provider"] == {"region": "Sweden Central", "deployment": "secret-name", "requests": {"remaining": 5}}
    assert outcome["attempts"][0]["request_id"] == "req_9"
    assert not any("ratelimit" in name.lower() and "anthropic" in name.lower() or value == "secret-name" for name, value in found.headers)


def test_what_is_used_up_is_waited_for(world):
    """A 429 without Retry-After, whose headers say that no tokens are left and until when: the deployment is left alone until then."""
    use(world, by("b1", {}), by("b2", {}, 2))
    world.b1.play(provider_error(429, headers=[("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "30s")]))
    assert [ask(world.gateway).status for _ in range(2)] == [200, 200] and world.contacted() == ["b1", "b2", "b2"]
    use(world, by("b1", {}), by("b2", {}, 2))
    world.b1.play(provider_error(429, headers=[("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "1"), ("x-ratelimit-reset-tokens", "30s")]))
    assert [ask(world.gateway).status for _ in range(2)] == [200, 200] and world.contacted() == ["b1", "b2", "b1"]


def test_chat_to_converse(world):
    use(world, by("b1", NOVA))
    world.b1.play(answer(200, shapes.converse("hello")))
    found = ask(world.gateway, body_of(text="hi"))
    arrived = world.b1.requests[0]
    assert arrived.target == "/model/eu.amazon.nova-2-lite-v1%3A0/converse" and arrived.all("authorization") == ["Bearer secret-of-b1"]
    assert arrived.json == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert found.json["choices"][0]["message"]["content"] == "hello" and found.json["usage"]["total_tokens"] == 11 + 3 + 2 + 7
    assert world.gateway.outcome(found.id)["attempts"][0]["upstream_dialect"] == "bedrock"


@pytest.mark.parametrize("spec, good", [(CLAUDE, lambda: shapes.message()), (NOVA, lambda: shapes.converse())])
def test_answers_in_pieces(world, spec, good):
    """Chunked at any byte, long, and with a length: the same answer; a connection that can be kept is."""
    use(world, by("b1", spec))
    body = json.dumps(good()).encode()
    long = json.dumps({**good(), "padding": "x" * 300000}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for script in (Script(pieces(head + b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n", *range(20, 200, 7))), answer(200, body), answer(200, long),
                   Script(send(head + b"%x\r\n" % len(long)), send(long + b"\r\n0\r\n\r\n"))):
        world.b1.play(script)
        found = ask(world.gateway)
        assert found.status == 200 and found.whole and found.json["choices"][0]["message"]["content"] == "hello", found
    assert len({one.connection for one in world.b1.requests}) == 1


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"type":"message"}', b'{"content":[{"type":"text","text":1}]}'])
def test_an_answer_that_cannot_be_read(world, bad):
    """is another deployment's turn."""
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    world.b1.play(answer(200, bad))
    found = ask(world.gateway)
    assert found.status == 200 and found.json["object"] == "chat.completion" and world.contacted() == ["b1", "b2"]
    assert world.gateway.outcome(found.id)["attempts"][0]["error"] in ("bad_answer", "invalid_answer")


def test_errors(world):
    """A backend's error in the client's words: its status, a code, never another deployment when none can answer better."""
    use(world, by("b1", CLAUDE), by("b2", NOVA, 2))
    world.b1.play(shapes.message_error(400, "invalid_request_error", "too \"long\""))
    found = ask(world.gateway)
    expect_error(found, 400)
    assert found.error["message"] == "too \"long\"" and found.error["type"] == "invalid_request_error" and set(found.error) == {"message", "type", "param", "code"}
    assert world.contacted() == ["b1"]
    world.b1.play(shapes.message_error(529, "overloaded_error"))
    world.b2.play(answer(429, {"message": "slow down"}, [("x-amzn-ErrorType", "ThrottlingException:http://x"), ("retry-after", "3")]))
    found = ask(world.gateway)
    expect_error(found, 429)
    assert found.error["message"] == "slow down" and found.header("retry-after") == "3" and not found.header("x-amzn-errortype")
    assert world.contacted() == ["b1", "b1", "b2"]


def test_failover_between_dialects(world):
    """One request, three deployments, three dialects."""
    use(world, by("b1", CLAUDE), by("b2", NOVA, 2), by("b3", {}, 3))
    world.b1.play(shapes.message_error(529, "overloaded_error"))
    world.b2.play(provider_error(503))
    found = ask(world.gateway, body_of(text="once"))
    assert found.status == 200 and found.json["choices"][0]["message"]["content"] == "once" and world.contacted() == ["b1", "b2", "b3"]
    lines = world.gateway.record(found.id, ("attempt",))
    assert [(one["number"], one.get("upstream_endpoint")) for one in lines if one["type"] == "attempt"] == [(2, "converse"), (3, None)]
    assert world.b3.requests[0].body == body_of(text="once")


# ---- what cannot be said ----

def test_not_expressible(world):
    """The next deployment that can be asked is; none: the client is told which field. Residency comes first."""
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    found = ask(world.gateway, body_of(logprobs=True, top_logprobs=2))
    assert found.status == 200 and world.contacted() == ["b2"]
    line = world.gateway.record(found.id, ("decision",))[0]
    assert line["not_expressible"]["messages"] in ("logprobs", "top_logprobs") and "(not_expressible)" in line["no"]
    done = world.gateway.command("explain", found.id, "--again").stdout
    assert "It comes out as recorded." in done and "cannot be asked" in done, done
    use(world, by("b1", CLAUDE))
    found = ask(world.gateway, body_of(seed=7))
    expect_error(found, 400, "not_expressible")
    assert found.error["param"] == "seed" and not world.contacted()
    use(world, by("b1", CLAUDE), rules=[allow("norway", process=["NO"])])
    expect_error(ask(world.gateway, body_of(seed=7)), 403, "residency_denied")


EFFORT = {"anthropic.claude-x-v1:0": {"outputConfig": {"effort": "high"}, "additionalModelRequestFields": {"thinking": {"type": "adaptive"}}},
          "eu.amazon.nova-2-lite-v1:0": {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}},
          "openai.gpt-oss-120b-1:0": {"additionalModelRequestFields": {"reasoning_effort": "high"}}, "meta.llama4-scout-17b-instruct-v1:0": None}


def test_an_effort_by_whose_model_it_is(world):
    """Converse has no word for it that all models take: which one it is, is the model's provider's."""
    use(world, by("b1", {**NOVA, "models": {f"m{i}": upstream for i, upstream in enumerate(EFFORT)}}))
    for i, wanted in enumerate(EFFORT.values()):
        world.b1.clear()
        world.b1.play(answer(200, shapes.converse("Hi.")))
        found = ask(world.gateway, body_of(model=f"m{i}", reasoning_effort="high"))
        line = world.gateway.record(found.id, ("decision",))[0]
        assert line["not_expressible"]["converse"] == "reasoning_effort" and line["not_expressible_converse"] == {}
        assert "It comes out as recorded." in world.gateway.command("explain", found.id, "--again", check=False).stdout
        if wanted is None:
            expect_error(found, 400, "not_expressible")
            assert found.error["param"] == "reasoning_effort" and not world.contacted()
            continue
        assert found.status == 200
        sent = world.b1.requests[0].json
        assert {name: sent[name] for name in ("outputConfig", "additionalModelRequestFields") if name in sent} == wanted


@pytest.mark.parametrize("more", [{"max_completion_tokens": 9}, {"temperature": 0.5}, {"top_p": 0.5}])
def test_the_most_effort_of_nova_beside_a_bound(world, more):
    """Its provider refuses the two, so it is not asked; with another effort, or at another model, it is."""
    use(world, by("b1", NOVA), by("b2", {**NOVA, "models": {"m": "eu.anthropic.claude-x-v1:0"}}))
    world.b2.play(answer(200, shapes.converse("Hi.")))
    assert ask(world.gateway, body_of(reasoning_effort="high", **more)).status == 200 and world.contacted() == ["b2"]
    use(world, by("b1", NOVA))
    found = ask(world.gateway, body_of(reasoning_effort="high", **more))
    expect_error(found, 400, "not_expressible")
    assert found.error["param"] == "reasoning_effort" and not world.contacted()
    world.b1.play(answer(200, shapes.converse("Hi.")))
    assert ask(world.gateway, body_of(reasoning_effort="medium", **more)).status == 200


def test_a_system_message_behind_others(world):
    talk = [{"role": "user", "content": "hello"}, {"role": "system", "content": "Be brief."}]
    use(world, by("b1", {**NOVA, "models": {"m": "eu.anthropic.claude-x-v1:0"}}))
    world.b1.play(answer(200, shapes.converse("Hi.")))
    assert ask(world.gateway, body_of(messages=talk)).status == 200
    assert world.b1.requests[0].json["messages"][1] == {"role": "system", "content": [{"text": "Be brief."}]}
    use(world, by("b1", NOVA))
    found = ask(world.gateway, body_of(messages=talk))
    expect_error(found, 400, "not_expressible")
    assert found.error["param"] == "messages[1]" and not world.contacted()
    assert world.gateway.record(found.id, ("decision",))[0]["not_expressible_converse"] == {"nova": "messages[1]", "gpt-oss": "messages[1]"}


def test_a_header_has_no_translation(world):
    use(world, by("b1", CLAUDE, features={"openai-beta": {"process": ["SE"], "store": "nothing"}}))
    expect_error(ask(world.gateway, headers=[("OpenAI-Beta", "x=1")]), 400, "not_expressible")
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    world.b1.play(answer(200, shapes.message()))
    assert ask(world.gateway, headers=[("traceparent", trace)]).status == 200 and world.b1.requests[0].header("traceparent") == trace


# ---- streams ----

def test_stream_from_messages(world):
    use(world, by("b1", CLAUDE))
    world.b1.play(stream(*shapes.told("hel", "lo")))
    found = ask(world.gateway, body_of(stream=True))
    got = chunks(found)
    assert world.b1.requests[0].json["stream"] is True and found.header("content-type") == "text/event-stream"
    assert said(got) == "hello" and got[-1]["choices"][0]["finish_reason"] == "stop" and all(one["object"] == "chat.completion.chunk" for one in got)
    assert not any(one.get("usage") for one in got)
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "complete" and outcome["usage"]["output"] == 7 and outcome["usage"]["input"] == 11
    world.b1.play(stream(*shapes.told("x")))
    got = chunks(ask(world.gateway, body_of(stream=True, stream_options={"include_usage": True})))
    assert got[-1]["choices"] == [] and got[-1]["usage"]["prompt_tokens"] == 16


def test_stream_from_converse(world):
    use(world, by("b1", NOVA))
    world.b1.play(shapes.aws_stream(*shapes.spoken("hel", "lo")))
    found = ask(world.gateway, body_of(stream=True))
    assert said(chunks(found)) == "hello" and world.b1.requests[0].target.endswith("/converse-stream")
    assert found.header("content-type") == "text/event-stream" and world.gateway.outcome(found.id)["usage"]["output"] == 7


@pytest.mark.parametrize("spec, whole", [(CLAUDE, b"".join(shapes.told("hel", "lo"))), (NOVA, b"".join(shapes.spoken("hel", "lo")))])
def test_streams_in_pieces(world, spec, whole):
    use(world, by("b1", spec))
    kind = b"text/event-stream" if spec is CLAUDE else b"application/vnd.amazon.eventstream"
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % c for c in whole) + b"0\r\n\r\n"
    world.b1.play(Script(pieces(raw, *range(90, len(raw), 97), gap=0.0005)))
    assert said(chunks(ask(world.gateway, body_of(stream=True)))) == "hello"
    world.b1.play(Script(send(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole)))
    assert said(chunks(ask(world.gateway, body_of(stream=True)))) == "hello"
    assert len({one.connection for one in world.b1.requests}) == 1


def test_streamed_arguments(world):
    use(world, by("b1", CLAUDE))
    world.b1.play(stream(shapes.start(), shapes.block(0, type="tool_use", id="toolu_1", name="look", input={}), shapes.arguments('{"at":'), shapes.arguments('"x"}'),
                         shapes.stop(), shapes.end("tool_use")))
    got = chunks(ask(world.gateway, body_of(stream=True, tools=[TOOL])))
    calls = [call for one in got for choice in one["choices"] for call in choice["delta"].get("tool_calls", [])]
    assert calls[0]["id"] == "toolu_1" and calls[0]["function"]["name"] == "look" and "".join(one["function"].get("arguments", "") for one in calls) == '{"at":"x"}'
    assert got[-1]["choices"][0]["finish_reason"] == "tool_calls"


# ---- the commit point ----

@pytest.mark.parametrize("before", [[], [shapes.start()], [shapes.start(), shapes.PING, shapes.block()]])
def test_an_error_before_the_first_delta_fails_over(world, before):
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    world.b1.play(stream(*before, shapes.failed()))
    found = ask(world.gateway, body_of(stream=True, text="other"))
    assert said(chunks(found)) == "other" and world.contacted() == ["b1", "b2"]
    assert world.gateway.outcome(found.id)["attempts"][0]["error"] == "error_in_stream"


@pytest.mark.parametrize("before", [[], shapes.spoken()[:1]])
@pytest.mark.parametrize("kind, status", [("throttlingException", 429), ("serviceUnavailableException", 503), ("validationException", 400)])
def test_an_exception_before_the_first_delta(world, before, kind, status):
    """fails over when another deployment may answer better; else the client has its status."""
    use(world, by("b1", NOVA), by("b2", {}, 2))
    world.b1.play(shapes.aws_stream(*before, shapes.exception(kind, "no")))
    found = ask(world.gateway, body_of(stream=True, text="other"))
    if status == 400:
        expect_error(found, 400)
        assert found.error["message"] == "no" and world.contacted() == ["b1"]
    else:
        assert said(chunks(found)) == "other" and world.contacted() == ["b1", "b2"]


def test_an_exception_behind_the_first_delta(world):
    """ends the stream in the client's words, without [DONE], and nobody else is asked."""
    use(world, by("b1", NOVA), by("b2", {}, 2))
    world.b1.play(shapes.aws_stream(*shapes.spoken("hel")[:2], shapes.exception("modelStreamErrorException", "broke")))
    found = ask(world.gateway, body_of(stream=True))
    got = events(found.body)
    assert found.status == 200 and got[-1] != "[DONE]" and json.loads(got[-1])["error"]["message"] == "broke" and world.contacted() == ["b1"]
    assert world.gateway.outcome(found.id)["end"] == "cut"


@pytest.mark.parametrize("spec, script", [
    (NOVA, shapes.aws_stream(*shapes.spoken("hel", metadata=False))),
    (NOVA, shapes.aws_stream(*shapes.spoken("hel")[:2], shapes.spoken("hel")[1][:30])),
    (CLAUDE, stream(*shapes.told("hel")[:-2])),
    (CLAUDE, stream(*shapes.told("hel")[:4], b"data: {")),
])
def test_cut_short(world, spec, script):
    """A stream without its own end, metadata or message_stop, is no good one, however well the connection ended."""
    use(world, by("b1", spec))
    world.b1.play(script)
    found = ask(world.gateway, body_of(stream=True))
    got = events(found.body)
    assert found.status == 200 and got[-1] != "[DONE]" and "error" in json.loads(got[-1]), got
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "cut" and outcome["usage"]["source"] in ("counted", "reported")


def test_damaged_frames(world):
    use(world, by("b1", NOVA), by("b2", {}, 2))
    good = b"".join(shapes.spoken("hel"))
    for at in (3, 9, 30, 120):
        world.b1.play(shapes.aws_stream(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1:]))
        found = ask(world.gateway, body_of(stream=True))
        assert found.status in (200, 502), (at, found)
        assert found.status == 502 or events(found.body), at


def test_pings_are_bounded(world):
    """64 events without content commit the stream; what comes then ends it."""
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    world.b1.play(stream(shapes.start(), *[shapes.PING] * 62, shapes.failed()))
    assert chunks(ask(world.gateway, body_of(stream=True))) and world.contacted() == ["b1", "b2"]
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    world.b1.play(stream(shapes.start(), *[shapes.PING] * 80, shapes.failed()))
    found = ask(world.gateway, body_of(stream=True))
    assert found.status == 200 and json.loads(events(found.body)[-1])["error"] and world.contacted() == ["b1"]
    world.b1.play(Script(send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
                         send(b"%x\r\n" % len(shapes.start()) + shapes.start() + b"\r\n"), hang()))
    with Client(world.gateway.commit_port, timeout=60) as client:      # gatehouse_commit_time 300ms
        begun = time.monotonic()
        client.request(body=body_of(stream=True), key=world.gateway.key())
        assert client.head().status == 200 and time.monotonic() - begun < 30


@pytest.mark.parametrize("spec, kind, before", [(CLAUDE, b"text/event-stream", [shapes.start(), shapes.PING, shapes.block()]),
                                                (NOVA, b"application/vnd.amazon.eventstream", shapes.spoken()[:1])])
@pytest.mark.parametrize("last", [{}, CLAUDE])
def test_nothing_of_a_stream_that_broke_is_left(world, spec, kind, before, last):
    """Its connection ends before any content: what it had begun to say is in no answer."""
    use(world, by("b1", spec), by("b2", last, 2))
    raw = b"".join(before)
    for end in (reset(), close()):
        world.b1.play(Script(send(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(raw) + raw + b"\r\n"), pause(0.1), end))
        if last:
            world.b2.play(stream(*shapes.told("other")))
        got = chunks(ask(world.gateway, body_of(stream=True, text="other")))
        assert said(got) == "other" and sum("role" in choice["delta"] for one in got for choice in one["choices"]) <= 1
    assert world.contacted() == ["b1", "b2"] * 2


def in_pieces(whole, size=1000):
    return [whole[at:at + size] for at in range(0, len(whole), size)]


def test_no_room_of_a_stream_that_broke_is_left(world):
    """What the next deployment's stream is copied to has its own size, not what the translated one before took: events as long as a buffer come whole."""
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    words = "".join(chr(97 + at % 26) for at in range(15000))
    world.b1.play(stream(shapes.start(), shapes.failed()))
    world.b2.play(stream(role(), *in_pieces(delta(words)), delta("end", "stop"), usage_event(), DONE, gap=0.01))
    assert said(chunks(ask(world.gateway, body_of(stream=True)))) == words + "end" and world.contacted() == ["b1", "b2"]


def test_not_a_stream(world):
    """A plain answer where a stream was asked for becomes that stream, and is charged as what it says; one that cannot be read is another deployment's turn."""
    call = {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "Malmö \"S\""}}
    for spec, plain in ((CLAUDE, shapes.message({"type": "text", "text": "hello"}, call, stop="tool_use")), (NOVA, shapes.converse("hello"))):
        use(world, by("b1", spec))
        for script in (answer(200, plain), answer(200, json.dumps({**plain, "padding": "x" * 300000}).encode())):
            world.b1.play(script)
            found = ask(world.gateway, body_of(stream=True, stream_options={"include_usage": True}))
            got = chunks(found)
            assert said(got) == "hello" and found.header("content-type") == "text/event-stream" and got[-1]["usage"]["completion_tokens"] == 7
            calls = [one["function"].get("arguments", "") for chunk in got for choice in chunk["choices"] for one in choice["delta"].get("tool_calls", [])]
            assert not calls or json.loads("".join(calls)) == call["input"]
            outcome = world.gateway.outcome(found.id)
            assert outcome["end"] == "complete" and outcome["usage"]["output"] == 7 and outcome["usage"]["source"] == "reported"
        assert len({one.connection for one in world.b1.requests}) == 1
    use(world, by("b1", {}))
    world.b1.play(answer(200, completion("hello")))
    got = [json.loads(one) for one in events(told_to(world, stream=True).body)]
    assert "".join(one["delta"].get("text", "") for one in got if one["type"] == "content_block_delta") == "hello" and got[-1]["type"] == "message_stop"
    use(world, by("b1", CLAUDE), by("b2", {}, 2))
    world.b1.play(answer(200, b'{"type":"message"}'))
    assert said(chunks(ask(world.gateway, body_of(stream=True, text="other")))) == "other" and world.contacted() == ["b1", "b2"]


def test_the_client_leaves(world):
    """Its stream is read on; what was used is known."""
    use(world, by("b1", CLAUDE))
    whole = shapes.told(*["word "] * 20)
    world.b1.play(stream(*whole, gap=0.02))
    with Client(world.gateway.port) as client:
        client.request(body=body_of(stream=True), key=world.gateway.key())
        found = client.head()
        client.leave()
    outcome = world.gateway.outcome(found.id)
    assert outcome["end"] == "client_left" and outcome["usage"]["output"] == 7 and outcome["usage"]["source"] == "reported"


# ---- clients of Messages ----

ASKED = {"model": "m", "max_tokens": 50, "system": "be brief", "messages": [{"role": "user", "content": "hi"}]}


def told_to(world, **more):
    return ask(world.gateway, json.dumps({**ASKED, **more}).encode(), path="/v1/messages", headers=[("anthropic-version", "2023-06-01")])


def test_messages_to_chat_and_converse(world):
    use(world, by("b1", {"models": {"m": "up"}}))
    found = told_to(world)
    arrived = world.b1.requests[0]
    assert arrived.target == "/v1/chat/completions" and arrived.json["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert arrived.json["model"] == "up" and arrived.json["max_tokens"] == 50 and not arrived.all("anthropic-version")
    assert found.json["type"] == "message" and found.json["content"] == [{"type": "text", "text": "hi"}] and found.json["usage"]["input_tokens"] == 11 - 3
    use(world, by("b1", NOVA))
    world.b1.play(answer(200, shapes.converse("hello")))
    assert told_to(world).json["content"][0]["text"] == "hello" and world.b1.requests[0].json["inferenceConfig"] == {"maxTokens": 50}
    world.b1.play(answer(400, {"message": "bad"}, [("x-amzn-ErrorType", "ValidationException")]))
    found = told_to(world)
    assert found.status == 400 and found.json["type"] == "error" and found.json["error"] == {"type": "invalid_request_error", "message": "bad"}


def test_messages_streams(world):
    for spec, script in (({}, stream(role(), delta("hel"), delta("lo"), delta("", "stop"), usage_event(), DONE)), (NOVA, shapes.aws_stream(*shapes.spoken("hel", "lo")))):
        use(world, by("b1", spec))
        world.b1.play(script)
        got = [json.loads(one) for one in events(told_to(world, stream=True).body)]
        assert "".join(one["delta"].get("text", "") for one in got if one["type"] == "content_block_delta") == "hello"
        assert [got[0]["type"], got[-1]["type"]] == ["message_start", "message_stop"] and got[-2]["usage"]["output_tokens"] == 7
    world.b1.play(shapes.aws_stream(*shapes.spoken("hel")[:2]))
    got = [json.loads(one) for one in events(told_to(world, stream=True).body)]
    assert got[-1]["type"] == "error" and not any(one["type"] == "message_stop" for one in got)


def test_a_flag_that_says_something_has_no_translation(world):
    use(world, by("b1", {}))
    found = ask(world.gateway, json.dumps({**ASKED, "top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}}).encode(), path="/v1/messages")
    assert found.status == 200 and world.b1.requests[0].json["top_k"] == 5 and "thinking" not in world.b1.requests[0].json
    use(world, azure("azure-1", "b1"))
    found = ask(world.gateway, json.dumps({**ASKED, "top_k": 5}).encode(), path="/v1/messages")
    assert found.status == 400 and found.json["error"]["type"] == "invalid_request_error" and "top_k" in found.json["error"]["message"] and not world.contacted()


# ---- silence ----

def quiet(*between, seconds=0.9):
    steps = [send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")]
    for one in between:
        steps += [send(b"%x\r\n" % len(one) + one + b"\r\n"), pause(seconds)]
    return Script(*steps, send(b"0\r\n\r\n"))


def test_comments_in_silence(make_gateway, mock):
    """Between events, never inside of one; none where none are wanted, and none in AWS's framing."""
    backend = mock("127.0.0.51")
    gateway = make_gateway([Backend("b1", backend)], http="gatehouse_stream_keepalive 200ms;", servers=["gatehouse_stream_keepalive 0;"])
    gateway.start()
    comment = b": keep-alive\r\n\r\n"
    whole = shapes.told("hel", "lo")
    for spec, script, path, body in (
            ({}, quiet(role() + delta("hel"), delta("lo") + delta("", "stop") + DONE), "/v1/chat/completions", body_of(stream=True)),
            (CLAUDE, quiet(b"".join(whole[:4]), b"".join(whole[4:])), "/v1/chat/completions", body_of(stream=True)),
            (NOVA, shapes.aws_stream(*shapes.spoken("hel", "lo"), gap=0.3), "/v1/messages", json.dumps({**ASKED, "stream": True}).encode())):
        gateway.apply(fleet(by("b1", spec)), residency(), tenants())
        backend.play(script)
        begun = time.monotonic()
        found = ask(gateway, body, path=path)
        most = (time.monotonic() - begun) / 0.2 + 1
        assert found.whole and found.body.count(comment) >= 2 and "".join(re.findall(r'"(?:content|text)": ?"(hel|lo)"', "".join(events(found.body)))) == "hello"
        assert b"\n\n" + comment in found.body.replace(b"\r\n\r\n: keep-alive", b"\n\n: keep-alive") and found.body.count(comment) <= most
        backend.play(script)
        found = ask(gateway, body, path=path, port=gateway.server_ports[0])
        assert found.whole and comment not in found.body
    cut = delta("lo")
    gateway.apply(fleet(by("b1", {})), residency(), tenants())
    backend.play(quiet(role() + delta("hel") + cut[:20], cut[20:] + delta("", "stop") + DONE))
    found = ask(gateway, body_of(stream=True, stream_options={"include_usage": True}))
    assert said([json.loads(one) for one in events(found.body)[:-1]]) == "hello" and cut in found.body


# ---- signatures, memory ----

def test_converse_is_signed(make_gateway, mock):
    """botocore verifies every request, plain and streamed, and the one to the next region."""
    from test_signature import LINES, Cloud, credential
    a, b = Cloud(mock("127.0.0.52"), then=answer(200, shapes.converse("hello"))), Cloud(mock("127.0.0.53"), region="eu-north-1", then=answer(200, shapes.converse("there")))
    gateway = make_gateway([Backend("a", a.mock, credential=credential("AKIDONE"), lines=LINES), Backend("b", b.mock, credential=credential("AKIDTWO"), lines=LINES)])
    cloud = {"provider": "aws", "partition": "aws", "country": None, "operator_home": "US", "dialect": "bedrock", "endpoints": ["converse"],
             "models": {"m": "amazon.nova-lite-v1:0"}}
    gateway.apply(fleet(deployment("a", region="eu-central-1", **cloud), deployment("b", region="eu-north-1", priority=2, **cloud)), residency(), tenants())
    gateway.start()
    found = ask(gateway)
    assert found.status == 200 and found.json["choices"][0]["message"]["content"] == "hello", (found, a.refused)
    a.then = shapes.aws_stream(*shapes.spoken("hel", "lo"))
    assert said(chunks(ask(gateway, body_of(stream=True, text="é" * 3000)))) == "hello"
    a.then = answer(503, {"message": "busy"}, [("x-amzn-ErrorType", "ServiceUnavailableException")])
    assert ask(gateway).json["choices"][0]["message"]["content"] == "there"
    a.then = shapes.aws_stream(shapes.exception("throttlingException"))
    b.then = shapes.aws_stream(*shapes.spoken("there"))
    assert said(chunks(ask(gateway, body_of(stream=True)))) == "there"
    assert not a.refused and not b.refused and len(a.mock.requests) == 4 and len(b.mock.requests) == 2
    assert all("%3A0/converse" in one.target and not one.header("authorization").startswith("Bearer") for one in a.mock.requests + b.mock.requests)


def resident(gateway):
    return sum(int(line.split()[1]) for pid in gateway.worker_pids() for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


@pytest.mark.slow
def test_memory_of_a_stream(make_gateway, mock):
    """Tens of megabytes through one stream, of events short and long, to a client that reads and to one that does not for a while."""
    backend = mock("127.0.0.54")
    gateway = make_gateway([Backend("b1", backend)])
    gateway.apply(fleet(by("b1", CLAUDE)), residency(), tenants())
    gateway.start()
    short, long = shapes.text("word ") * 400, shapes.text("x" * 200000)
    begin, end = b"".join(shapes.told()[:3]), shapes.stop() + shapes.end()
    assert ask(gateway, b"{").status == 400                     # the worker has begun, and takes what it takes by itself
    for part, count in ((short, 200), (long, 100)):
        for slow in (False, True):
            backend.play(Script(send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + begin), *[send(part)] * count, send(end), close()))
            before = resident(gateway)
            with Client(gateway.port, receive_buffer=4096 if slow else None) as client:
                client.request(body=body_of(stream=True), key=gateway.key())
                client.head()
                time.sleep(1 if slow else 0)
                grown, total = 0, 0
                while data := client.sock.recv(1 << 20):
                    total += len(data)
                    grown = max(grown, resident(gateway) - before) if total % 7 == 0 else grown
                    if b"[DONE]" in data:
                        break
                grown = max(grown, resident(gateway) - before)
            assert total > len(part) * count / 4 and grown < 8 * 1024, (len(part), slow, total, grown)


def test_an_event_too_long(world):
    """One of more than 1 MiB ends the stream with an error, whatever it would have said."""
    use(world, by("b1", CLAUDE))
    world.b1.play(stream(*shapes.told("hel")[:4], shapes.text("x" * (1 << 20))))
    found = ask(world.gateway, body_of(stream=True))
    assert found.status == 200 and json.loads(events(found.body)[-1])["error"]
