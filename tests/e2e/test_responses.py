"""OpenAI's Responses: passed on to deployments that speak it. Ids of what is kept are the gateway's own, and tie a request to where it is kept."""
import json
import re

import openai
import pytest

import anthropic_shapes
import documents
from client import Client, ask, expect_error, tls_context
from limits import limit
from mock_backend import DONE as CHAT_DONE
from mock_backend import answer, completion, delta, role, stream, usage_event
from mock_backend import stream as chat_stream

pytestmark = pytest.mark.sanitizer

KEPT = {"store": {"process": ["SE"], "store": {"in": ["SE"], "days": 30}}}
USAGE = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 18}


def item(number=1, text="hello"):
    return {"id": f"msg_{number}", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}


def response(number=1, status="completed", output=(), **more):
    return {"id": f"resp_{number:048d}", "object": "response", "created_at": 1741476542, "status": status, "error": None, "incomplete_details": None,
            "instructions": None, "max_output_tokens": None, "model": "up", "output": list(output), "parallel_tool_calls": True, "previous_response_id": None,
            "store": True, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "truncation": "disabled", "usage": USAGE if status == "completed" else None, "metadata": {}, **more}


def event(kind, number, **members):
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, "sequence_number": number, **members}).encode())


CREATED = event("response.created", 0, response=response(status="in_progress"))
PROGRESS = event("response.in_progress", 1, response=response(status="in_progress"))
ADDED = event("response.output_item.added", 2, output_index=0, item={**item(), "status": "in_progress", "content": []})
PART = event("response.content_part.added", 3, item_id="msg_1", output_index=0, content_index=0, part={"type": "output_text", "text": "", "annotations": []})
WORDS = [event("response.output_text.delta", 4 + at, item_id="msg_1", output_index=0, content_index=0, delta=text, logprobs=[])
         for at, text in enumerate(("hel", "lo"))]
DONE = [event("response.output_text.done", 6, item_id="msg_1", output_index=0, content_index=0, text="hello", logprobs=[]),
        event("response.output_item.done", 7, output_index=0, item=item()),
        event("response.completed", 8, response=response(output=[item()]))]
BEGINNING = [CREATED, PROGRESS, ADDED, PART]
WHOLE = [*BEGINNING, *WORDS, *DONE]
HANDLE = re.compile(r"^(resp|msg|rs|conv)_[A-Za-z0-9_-]{40,}$")


def body_of(**more):
    return json.dumps({"model": "m", "input": "hello, world", **more}).encode()


def plain(**more):
    return answer(body=json.dumps(response(output=[item()], **more)).encode())


@pytest.fixture
def site(world):
    world.route("b1", "b2", endpoints=["responses"], models={"m": "up"}, features=KEPT)
    return world


def asks(world, body=None, path="/v1/responses", **more):
    return ask(world.gateway, body or body_of(), path=path, **more)


def decision(world, found):
    return next(line for line in world.gateway.record(found.id, kinds=("decision",)) if line["type"] == "decision")


def sdk_of(world, authority, key=None):
    import httpx2
    return openai.OpenAI(base_url=f"https://127.0.0.1:{world.gateway.tls_port}/v1", api_key=key or world.gateway.key(), max_retries=0, timeout=60,
                         http_client=httpx2.Client(verify=tls_context(authority)))


def with_ids(text, found):
    """What the backend said with the ids that the client was told."""
    told = json.loads(found)
    return json.loads(text.replace(response()["id"], told["id"]).replace("msg_1", told["output"][0]["id"]))


def test_an_answer_passes_with_other_ids(site):
    site.b1.play(plain())
    found = asks(site, body_of(temperature=1.0))
    told = json.loads(found.body)
    assert found.status == 200 and HANDLE.match(told["id"]) and HANDLE.match(told["output"][0]["id"]) and len(told["id"]) < 250
    assert told == with_ids(json.dumps(response(output=[item()])), found.body)
    sent = site.b1.requests[0]
    assert sent.target == "/v1/responses" and sent.body == body_of(temperature=1.0).replace(b'"m"', b'"up"', 1)
    usage = site.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["reasoning"], usage["source"]) == (11, 3, 7, 2, "reported")
    line = decision(site, found)
    assert line["endpoint"] == "responses" and line["features"] == [{"name": "store", "where": "store", "by_default": True}] and "pin" not in line


def test_an_answer_that_ends_inside_of_an_id(site):
    """Whole by its length, and no JSON: every byte that came is passed on."""
    site.b1.play(answer(body=json.dumps(response()).encode()[:30]))
    found = asks(site)
    assert found.status == 200 and found.whole and found.body == json.dumps(response()).encode()[:30]


@pytest.mark.parametrize("split", [1, 7, 100000])
def test_a_stream_passes_with_other_ids(site, split):
    whole = b"".join(WHOLE)
    site.b1.play(plain(), stream(*(whole[at:at + split] for at in range(0, len(whole), split))))
    told = json.loads(asks(site, body_of(prompt_cache_key="one")).body)
    found = asks(site, body_of(stream=True, prompt_cache_key="one"))
    assert found.status == 200 and found.whole
    assert found.body == whole.replace(response()["id"].encode(), told["id"].encode()).replace(b"msg_1", told["output"][0]["id"].encode())
    usage = site.gateway.outcome(found.id)["usage"]
    assert (usage["input"], usage["cached"], usage["output"], usage["reasoning"], usage["source"]) == (11, 3, 7, 2, "reported")
    assert not site.b2.requests and site.gateway.outcome(found.id)["end"] == "complete"


def test_sdk(site, authority):
    site.b1.play(plain(), stream(*WHOLE), plain())
    sdk = sdk_of(site, authority)
    first = sdk.responses.create(model="m", input="hello", prompt_cache_key="one")
    assert first.output_text == "hello" and first.usage.input_tokens == 11
    with sdk.responses.stream(model="m", input="hello", prompt_cache_key="one") as parts:
        final = parts.get_final_response()
    assert final.output_text == "hello" and final.id == first.id and final.output[0].id == first.output[0].id
    again = sdk.responses.create(model="m", input="more", previous_response_id=first.id)
    assert again.output_text == "hello"
    assert json.loads(site.b1.requests[2].body)["previous_response_id"] == response()["id"]


def test_state_stays_where_it_was_made(site):
    """The first of the route fails once: the second makes the response, and everything that goes on from it goes there."""
    site.b1.play(answer(status=500), plain(number=9))
    site.b2.play(plain(), plain(number=2))
    made = json.loads(asks(site).body)["id"]
    assert site.contacted() == ["b1", "b2"]
    found = asks(site, body_of(previous_response_id=made))
    assert found.status == 200 and site.contacted() == ["b1", "b2", "b2"]
    assert json.loads(site.b2.requests[1].body)["previous_response_id"] == response()["id"]
    line = decision(site, found)
    assert line["pin"]["where"] == "previous_response_id" and line["pin"]["deployment"].startswith("b2-")
    assert len(line["route"]) == 1 and line["no"]["(elsewhere)"]
    site.b2.play(answer(status=500))
    assert asks(site, body_of(previous_response_id=made)).status == 500 and site.contacted() == ["b1", "b2", "b2", "b2"]


def test_ids_that_were_not_given_out(site):
    site.b1.play(plain())
    told = json.loads(asks(site).body)
    blue = site.gateway.key("acme/blue/app")
    for body, param in ((body_of(previous_response_id=response()["id"]), "previous_response_id"),
                        (body_of(previous_response_id=told["id"][:-1] + ("A" if told["id"][-1] != "A" else "Q")), "previous_response_id"),
                        (body_of(previous_response_id=told["output"][0]["id"]), "previous_response_id"),
                        (body_of(conversation={"id": "conv_1"}), "conversation.id"),
                        (body_of(input=[{"type": "item_reference", "id": "msg_1"}]), "input[0].id"),
                        (body_of(input=[{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]), "input[0].content[0].file_id")):
        found = asks(site, body)
        expect_error(found, 404, "state_not_found")
        assert found.json["error"]["param"] == param
    expect_error(asks(site, body_of(previous_response_id=told["id"]), key=blue), 404, "state_not_found")
    assert len(site.b1.requests) == 1


def test_items_sent_back(site):
    """As agents do: what came goes back in full; another's id goes without it; a reference alone is tied."""
    site.b1.play(plain(), plain(), plain())
    told = json.loads(asks(site).body)["output"]
    assert asks(site, body_of(input=[*told, {"role": "user", "content": "go on"}], store=False)).status == 200
    assert json.loads(site.b1.requests[1].body)["input"][0] == item()
    assert asks(site, body_of(input=[{**item(), "id": "msg_of_another"}, {"type": "item_reference", "id": told[0]["id"]}])).status == 200
    sent = json.loads(site.b1.requests[2].body)["input"]
    assert sent == [{key: value for key, value in item().items() if key != "id"}, {"type": "item_reference", "id": "msg_1"}]


def test_what_is_kept_by_default_is_not_where_no_rule_allows_it(world):
    world.route("b1", endpoints=["responses"], models={"m": "up"}, features=KEPT, rules=[documents.allow("here", store="nothing")])
    world.b1.play(plain(store=False), plain(store=False))
    found = asks(world)
    assert found.status == 200 and json.loads(world.b1.requests[0].body)["store"] is False and json.loads(found.body)["store"] is False
    assert asks(world, body_of(store=False)).status == 200 and world.b1.requests[1].body == body_of(store=False).replace(b'"m"', b'"up"', 1)
    for more in ({"store": True}, {"background": True}):
        expect_error(asks(world, body_of(**more)), 403, "residency_denied")
    world.route("b1", endpoints=["responses"], models={"m": "up"})          # nobody lists it
    world.b1.play(plain(store=False))
    assert asks(world).status == 200 and json.loads(world.b1.requests[0].body)["store"] is False
    expect_error(asks(world, body_of(store=True)), 403, "residency_denied")


def test_what_goes_on_in_the_background_costs_what_was_reserved(world):
    """Its answer comes before its work: what that used is never told to who asked."""
    world.route("b1", endpoints=["responses"], models={"m": "up"}, features={**KEPT, "background": KEPT["store"]}, tenants=documents.tenants(red={"limits": [limit("output", 10 ** 6)]}))
    for asked, said, source in (({"background": True}, response(status="queued"), "reservation"), ({}, response(status="in_progress"), "counted"),
                                ({"background": True}, response(output=[item()]), "reported")):
        world.b1.play(answer(body=json.dumps(said).encode()))
        found = asks(world, body_of(max_output_tokens=500, **asked))
        charged = world.gateway.outcome(found.id)["attempts"][0]["charged"]
        assert found.status == 200 and charged["source"] == source
        assert charged["output"] == {"reservation": 500, "counted": 0, "reported": USAGE["output_tokens"]}[source]
        assert world.gateway.outcome(found.id)["response"] == {"id": response()["id"], "status": said["status"]}


def test_policy_judges_the_pin_anew(world):
    gateway, turn = world.gateway, [documents.deployment(name, name, endpoints=["responses"], models={"m": "up"}, priority=at, country=country,
                                                             features={"store": {"process": [country], "store": {"in": [country], "days": 30}}})
                                    for at, (name, country) in enumerate((("b1", "SE"), ("b2", "FR")), 1)]
    world.route("b1")
    gateway.apply(documents.fleet(*turn), documents.residency(), documents.tenants())
    world.b1.play(plain())
    made = json.loads(asks(world).body)["id"]
    gateway.apply(documents.fleet(*turn), documents.residency(forbids=[documents.forbid("not-se", process=("SE",))]), documents.tenants())
    found = asks(world, body_of(previous_response_id=made))
    expect_error(found, 403, "residency_denied")
    line = decision(world, found)
    assert line["rule"] == "not-se" and "kept by deployment \"b1\"" in line["detail"] and not world.b2.requests
    gateway.apply(documents.fleet(turn[1]), documents.residency(), documents.tenants())
    expect_error(asks(world, body_of(previous_response_id=made)), 404, "state_not_found")
    assert not world.b2.requests


@pytest.mark.parametrize("said", [[event("error", 0, code="rate_limit_exceeded", message="slow", param=None)],
                                  [*BEGINNING, event("response.failed", 4, response=response(status="failed", error={"code": "server_error", "message": "m"}))],
                                  BEGINNING, []])
def test_what_fails_before_the_first_delta_goes_to_another(site, said):
    site.b1.play(stream(*said))
    site.b2.play(stream(*WHOLE))
    found = asks(site, body_of(stream=True))
    assert found.status == 200 and b'"delta": "hel"' in found.body and site.contacted() == ["b1", "b2"]


def test_a_stream_that_only_fails_is_an_error(site):
    failed = event("response.failed", 4, response=response(status="failed", error={"code": "rate_limit_exceeded", "message": "slow down"}))
    site.b1.play(stream(*BEGINNING, failed))
    site.b2.play(stream(*BEGINNING, failed))
    found = asks(site, body_of(stream=True))
    assert found.status == 429 and found.json["error"]["message"] == "slow down"


FILTERS = [{"blocked": True, "source_type": "prompt", "content_filter_results": {"jailbreak": {"detected": True, "filtered": True}},
            "content_filter_offsets": {"start_offset": 0, "end_offset": 73, "check_offset": 0}}]
POLICY = event("error", 5, error={"code": "content_policy_violation", "message": "the policy", "type": "invalid_request_error", "param": None})


@pytest.mark.parametrize("filters,behind,code", [(FILTERS, [], "content_filter"), (FILTERS, [POLICY], "content_policy_violation"),
                                                 (None, [POLICY], "content_policy_violation")])
def test_what_a_content_filter_blocked_goes_to_nobody_else(site, filters, behind, code):
    """Azure's response.failed gives no error: its content_filters say it, or the event behind."""
    failed = event("response.failed", 4, response=response(status="failed", content_filters=filters))
    site.b1.play(stream(*BEGINNING, failed, *behind))
    site.b2.play(stream(*WHOLE))
    found = asks(site, body_of(stream=True))
    assert found.status == 400 and site.contacted() == ["b1"]
    assert found.json["error"]["code"] in (code, "content_filter") and (not filters or behind or found.json["error"]["content_filters"] == FILTERS)


@pytest.mark.parametrize("count", range(5, 9))
def test_a_stream_that_is_cut_ends_in_an_error(site, count):
    site.b1.play(stream(*WHOLE[:count]))
    found = asks(site, body_of(stream=True))
    lines = [json.loads(line[6:]) for line in found.body.decode().splitlines() if line.startswith("data: ")]
    assert lines[-1]["type"] == "error" and lines[-1]["code"] == "backend_stream_broken" and lines[-1]["sequence_number"] == count
    assert "response.completed" not in [one["type"] for one in lines] and site.contacted() == ["b1"]


def test_a_long_beginning_is_no_answer(site):
    """Its first events repeat the instructions, however long."""
    created = event("response.created", 0, response=response(status="in_progress", instructions="x" * 40000))
    site.b1.play(stream(created, event("error", 1, code="server_error", message="m", param=None)))
    site.b2.play(stream(*WHOLE))
    found = asks(site, body_of(stream=True))
    assert found.status == 200 and site.contacted() == ["b1", "b2"] and b"xxxx" not in found.body


def test_azures_path(world):
    world.route("b1", dialect="azure-classic", api_version="2025-04-01-preview", endpoints=["responses"], models={"m": "up"}, features=KEPT)
    world.b1.play(plain())
    assert asks(world, path="/openai/responses?api-version=2025-04-01-preview").status == 200
    assert world.b1.requests[0].target == "/openai/responses?api-version=2025-04-01-preview" and world.b1.requests[0].json["model"] == "up"


def test_errors_of_the_provider_pass(site):
    said = json.dumps({"error": {"message": "no", "type": "invalid_request_error", "param": "input", "code": None}}).encode()
    site.b1.play(answer(body=said, status=400))
    found = asks(site)
    assert found.status == 400 and found.body == said and not site.b2.requests


def test_reasoning_of_another_model_stays_with_its_kind(world):
    """What was translated from Messages goes back there in full, and to Responses without what its provider could not read."""
    world.route("b1", "b2")
    world.gateway.apply(documents.fleet(documents.deployment("claude", "b1", dialect="anthropic", endpoints=["messages"], models={"m": "up"}),
                                        documents.deployment("native", "b2", priority=2, endpoints=["responses"], models={"m": "up"}, features=KEPT)),
                        documents.residency(), documents.tenants())
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    said = anthropic_shapes.message(thinking, {"type": "text", "text": "hello"})
    world.b1.play(answer(body=json.dumps(said).encode()), answer(status=500))
    world.b2.play(plain(store=False))
    first = asks(world, body_of(input="hi", store=False))
    output = first.json["output"]
    assert [one["type"] for one in output] == ["reasoning", "message"] and output[0]["id"].startswith("rs_gh_")
    more = body_of(input=[{"role": "user", "content": "hi"}, *output, {"role": "user", "content": "go on"}], store=False)
    assert asks(world, more).status == 200 and world.contacted() == ["b1", "b1", "b2"]
    assert thinking in world.b1.requests[1].json["messages"][1]["content"]
    sent = world.b2.requests[0].json["input"]
    assert [one.get("type", one.get("role")) for one in sent] == ["user", "message", "user"] and b"rs_gh_" not in world.b2.requests[0].body


@pytest.fixture
def chat(world):
    """Deployments that speak chat completions alone."""
    world.route("b1", "b2", models={"m": "up"})
    return world


def test_a_deployment_of_chat_completions(chat, authority):
    """It keeps nothing for later, and the answer says so; what asks for that is refused."""
    chat.b1.play(answer(body=completion("hello")), chat_stream(role(), delta("hel"), delta("lo", finish="stop"), usage_event(), CHAT_DONE))
    sdk = sdk_of(chat, authority)
    told = sdk.responses.create(model="m", input="hello", instructions="be brief")
    assert told.output_text == "hello" and told.store is False and told.usage.input_tokens == 11
    assert chat.b1.requests[0].target == "/v1/chat/completions" and [one["role"] for one in chat.b1.requests[0].json["messages"]] == ["system", "user"]
    with sdk.responses.stream(model="m", input="hello") as parts:
        assert parts.get_final_response().output_text == "hello"
    for more in ({"store": True}, {"background": True}):
        expect_error(asks(chat, body_of(**more)), 403, "residency_denied")
    expect_error(asks(chat, body_of(previous_response_id=told.id)), 404, "state_not_found")


def test_no_room_of_a_translated_stream_is_left(world):
    """It broke before it was good; ids of the next one, each longer as it is given out, are more than what that took."""
    world.route("b1", "b2")
    world.gateway.apply(documents.fleet(documents.deployment("claude", "b1", dialect="anthropic", endpoints=["messages"], models={"m": "up"}),
                                        documents.deployment("native", "b2", priority=2, endpoints=["responses"], models={"m": "up"}, features=KEPT)),
                        documents.residency(), documents.tenants())
    cited = item()
    cited["content"][0]["annotations"] = [{"file_id": f"file-{at}"} for at in range(600)]
    whole = b"".join([*BEGINNING, *WORDS, event("response.completed", 6, response=response(output=[cited]))])
    world.b1.play(stream(anthropic_shapes.start(), anthropic_shapes.failed()))
    world.b2.play(stream(whole))
    found = asks(world, body_of(stream=True))
    assert found.status == 200 and found.whole and world.contacted() == ["b1", "b2"]
    told = json.loads(found.body.decode().splitlines()[-2][6:])["response"]
    files = [one["file_id"] for one in told["output"][0]["content"][0]["annotations"]]
    assert len(set(files)) == 600 and all(re.fullmatch(r"file-[A-Za-z0-9_-]{40,}", one) for one in files)
    back = found.body.decode().replace(told["id"], response()["id"]).replace(told["output"][0]["id"], "msg_1")
    for at, one in enumerate(files):
        back = back.replace(one, f"file-{at}")
    assert back.encode() == whole


def test_failover_from_responses_to_chat(world):
    world.route("b1", "b2")
    world.gateway.apply(documents.fleet(documents.deployment("native", "b1", endpoints=["responses"], models={"m": "up"}, features=KEPT),
                                        documents.deployment("chat", "b2", priority=2, models={"m": "up"})), documents.residency(), documents.tenants())
    world.b1.play(answer(status=500))
    world.b2.play(answer(body=completion("hello")))
    found = asks(world)
    assert found.status == 200 and world.contacted() == ["b1", "b2"] and found.json["output"][0]["content"][0]["text"] == "hello"
    assert world.b2.requests[0].target == "/v1/chat/completions" and found.json["object"] == "response"
