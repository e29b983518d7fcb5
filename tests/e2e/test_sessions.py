"""Sessions: what names one, what is recorded of it, which ids carry it, and that no name of one gives a right or goes to a backend."""
import hashlib
import hmac
import json
import pathlib
import re

import pytest

from client import Client, ask, expect_error
from mock_backend import answer
from test_claude_code import BEDROCK, MESSAGES, ORDINARY, sends
from test_responses import KEPT, body_of, item, plain, response, sdk_of

pytestmark = pytest.mark.sanitizer

UUID = "00000000-0000-4000-8000-000000000000"


def decision(world, found):
    return next(line for line in world.gateway.record(found.id, kinds=("decision",)) if line["type"] == "decision")


def session(world, found):
    return decision(world, found).get("session")




def reference(world, kind, label, key=None):
    """What id_sha256 may be: tenants have small numbers. Made from the description, with Python's HMAC."""
    secret = pathlib.Path(world.gateway.secrets, "store.key").read_bytes()
    subkey = hmac.new(hmac.new(bytes(32), secret, hashlib.sha256).digest(), b"session\x01", hashlib.sha256).digest()
    return {hmac.new(subkey, uid.to_bytes(8, "little") + kind + b"\0" + label, hashlib.sha256).hexdigest() for uid in range(200)}


def no_word_of(world, *labels):
    """No label is in the record, nor in the worker's log."""
    for path in [*pathlib.Path(world.gateway.audit, "open").glob("*.jsonl"), *pathlib.Path(world.gateway.prefix).rglob("*.log")]:
        text = path.read_bytes()
        assert not [label for label in labels if label.encode() in text], path


HEADERS = {
    "x-gatehouse-session-id": ("x-gatehouse-session-id", b"gatehouse", "LABEL-01"), "x-claude-code-session-id": ("x-claude-code-session-id", b"claude-code", "LABEL-02"),
    "session-id": ("session-id", b"codex", "LABEL-03"), "session_id": ("session-id", b"codex", "LABEL-04"), "thread-id": ("thread-id", b"codex", "LABEL-05"),
    "x-codex-turn-metadata": ("x-codex-turn-metadata", b"codex", '{"turn_id":"1","session_id":"LABEL-06"}'), "x-codex-window-id": ("x-codex-window-id", b"codex", "LABEL-07:2"),
    "baggage": ("baggage gen_ai.conversation.id", b"baggage", "a=b,gen_ai.conversation.id=LABEL%2D08;p"), "x-litellm-trace-id": ("x-litellm-trace-id", b"litellm", "LABEL-09"),
    "x-portkey-trace-id": ("x-portkey-trace-id", b"portkey", "LABEL-10"), "helicone-session-id": ("helicone-session-id", b"helicone", "LABEL-11"),
    "x-opencode-session": ("x-opencode-session", b"opencode", "LABEL-12"), "x-grok-conv-id": ("x-grok-conv-id", b"grok", "LABEL-13"),
    "agent-session-id": ("agent-session-id", b"agent-session", "LABEL-14"), "x-session-id": ("x-session-id", b"session", "LABEL-15"),
}


def test_headers(world):
    """Each by itself; then all of them, in any order, and ours counts. None goes to a backend, and only ours is told again."""
    for number, (name, (source, kind, value)) in enumerate(HEADERS.items(), 1):
        found = ask(world.gateway, headers=[(name, value)])
        assert found.status == 200, found
        told_session = session(world, found)
        assert told_session["source"] == source and told_session["id_sha256"] in reference(world, kind, b"LABEL-%02d" % number), (name, told_session)
        assert found.all("x-gatehouse-session-id") == (["LABEL-01"] if number == 1 else [])
    every = [(name, value) for name, (_, _, value) in HEADERS.items()]
    ours = {session(world, ask(world.gateway, headers=order))["source"] for order in (every, every[::-1])}
    assert ours == {"x-gatehouse-session-id"}
    assert session(world, ask(world.gateway)) is None
    sent = b"".join(name.encode() + b":" + value.encode() for request in world.b1.requests for name, value in request.headers)
    assert b"LABEL" not in sent and b"session" not in sent.lower() and b"baggage" not in sent
    no_word_of(world, "LABEL-")


def test_a_session_is_its_tenants(world):
    """Two keys of a tenant share it, another tenant has another, and so has another label."""
    headers = [("x-gatehouse-session-id", "LABEL-16")]
    red, again, blue = (session(world, ask(world.gateway, headers=headers, key=world.gateway.key(owner, name))) for owner, name in (
        ("acme/red/app", None), ("acme/red/app", "second-session"), ("acme/blue/app", None)))
    assert red == again and red["id_sha256"] != blue["id_sha256"] and {red["id_sha256"], blue["id_sha256"]} <= reference(world, b"gatehouse", b"LABEL-16")
    assert session(world, ask(world.gateway, headers=[("x-gatehouse-session-id", "LABEL-17")]))["id_sha256"] != red["id_sha256"]


def test_of_ours_only_good_ones(world):
    """A label of ours is sent on purpose: what is none is refused in the client's words and recorded. Anybody else's is passed over."""
    for bad in ("", "x" * 257, "caf\u00e9".encode().decode("latin-1")):
        found = ask(world.gateway, headers=[("x-gatehouse-session-id", bad)])
        expect_error(found, 400, "invalid_session")
        assert not found.all("x-gatehouse-session-id") and decision(world, found)["code"] == "invalid_session"
        found = ask(world.gateway, headers=[("x-session-id", bad)])
        assert found.status == 200 and session(world, found) is None
    expect_error(ask(world.gateway, headers=[("x-gatehouse-session-id", "a"), ("x-gatehouse-session-id", "b")]), 400, "invalid_session")
    found = ask(world.gateway, headers=[("x-gatehouse-session-id", "x" * 256)])
    assert found.status == 200 and found.all("x-gatehouse-session-id") == ["x" * 256]
    found = ask(world.gateway, b'{"model":"nobody","messages":[]}', headers=[("x-gatehouse-session-id", "LABEL-18")])
    assert found.status == 404 and found.all("x-gatehouse-session-id") == ["LABEL-18"] and session(world, found)["source"] == "x-gatehouse-session-id"


def test_claude_code(world):
    """Its header, or without it its metadata, whose session is the same; on Bedrock too. No provider is told by the header."""
    world.route("b1", rules=ORDINARY, **MESSAGES)
    world.b1.play(*[answer(body=b"{}")] * 3)
    found, _, _ = sends(world, "claude_code")
    by_header = session(world, found)
    assert by_header["source"] == "x-claude-code-session-id" and by_header["id_sha256"] in reference(world, b"claude-code", UUID.encode())
    for user in (json.dumps({"device_id": "d", "account_uuid": "", "session_id": UUID}), f"user_1_account_2_session_{UUID}"):
        with Client(world.gateway.port) as client:
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "metadata": {"user_id": user}}
            found = client.request("/v1/messages", json.dumps(body).encode(), None, [("x-api-key", world.gateway.key())]).answer()
        assert session(world, found) == {**by_header, "source": "metadata.user_id"}
    assert not [name for request in world.b1.requests for name, _ in request.headers if "session" in name.lower()]
    world.route("b1", rules=ORDINARY, **BEDROCK, endpoints=["invoke"])
    world.b1.play(answer(status=500))
    found, _, _ = sends(world, "claude_code_bedrock", model=False)
    assert session(world, found) == by_header


def test_openai_sdk(world, authority):
    """What it has for it: extra headers, metadata, a cache's key, an extra field; the strongest counts, and bodies go as they came."""
    world.route("b1", rules=[], models={"m": "up"}, features={"session": KEPT["store"]})
    sdk = sdk_of(world, authority)
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    weak = {"prompt_cache_key": "LABEL-19"}
    stronger = {**weak, "extra_body": {"session_id": "LABEL-20"}}
    strongest = {**stronger, "metadata": {"topic": "x", "group_id": "LABEL-21"}}
    expected = [(weak, "prompt_cache_key"), (stronger, "session_id"), (strongest, "metadata.group_id"),
                ({**strongest, "extra_headers": {"x-gatehouse-session-id": "LABEL-22"}}, "x-gatehouse-session-id")]
    for more, source in expected:
        found = sdk.chat.completions.with_raw_response.create(**asked, **more)
        line = next(line for line in world.gateway.record(found.headers["x-request-id"], kinds=("decision",)) if line["type"] == "decision")
        assert line["session"]["source"] == source
        assert found.headers.get("x-gatehouse-session-id") == ("LABEL-22" if source.startswith("x-") else None)
    assert json.loads(world.b1.requests[-1].body)["metadata"] == {"topic": "x", "group_id": "LABEL-21"}
    no_word_of(world, "LABEL-19", "LABEL-2")


@pytest.fixture
def site(world):
    world.route("b1", "b2", endpoints=["responses"], models={"m": "up"}, features=KEPT)
    return world


def test_a_chain_is_one_session(site, authority):
    """Responses: the first begins one, whoever goes on from it is of it, plain, streamed, asked again; another label counts, and what it goes on from is said."""
    site.b1.play(*[plain()] * 4, answer(body=json.dumps(response(output=[item()])).encode()))
    sdk = sdk_of(site, authority)

    def create(**more):
        made = sdk.responses.with_raw_response.create(model="m", input="x", **more)
        lines = site.gateway.record(made.headers["x-request-id"], kinds=("decision",))
        return made.parse(), next(line for line in lines if line["type"] == "decision")

    first, line = create()
    begun = line["session"]
    assert begun["source"] == "request" and begun["id_sha256"] in reference(site, b"request", line["id"].encode()) and "state_sessions" not in line
    second, line = create(previous_response_id=first.id)
    assert line["session"] == {"source": "state", "id_sha256": begun["id_sha256"]} and "state_sessions" not in line
    third, line = create(previous_response_id=second.id, prompt_cache_key="weaker")
    assert line["session"]["id_sha256"] == begun["id_sha256"] and line["pin"]["deployment"].startswith("b1-")
    other, line = create(previous_response_id=third.id, extra_headers={"x-gatehouse-session-id": "LABEL-23"})
    assert line["session"]["source"] == "x-gatehouse-session-id" and line["session"]["id_sha256"] != begun["id_sha256"]
    assert line["state_sessions"] == [begun["id_sha256"]]
    assert other.id == third.id                      # what the mock tells again is what was named: it stays the id it had
    again = sdk.responses.with_raw_response.retrieve(third.id, extra_headers={"x-gatehouse-session-id": "LABEL-24"})
    assert again.parse().id == third.id              # told again under another label, it has the ids it had
    line = decision(site, type("found", (), {"id": again.headers["x-request-id"]}))
    assert line["session"]["source"] == "x-gatehouse-session-id" and line["state_sessions"] == [begun["id_sha256"]]


def test_an_id_of_a_session_is_its_tenants(site):
    """As one without: unknown to another tenant, whatever it says its session is."""
    site.b1.play(plain())
    headers = [("x-gatehouse-session-id", "LABEL-25")]
    made = json.loads(ask(site.gateway, body_of(), path="/v1/responses", headers=headers).body)
    for more in ((), headers):
        found = ask(site.gateway, body_of(previous_response_id=made["id"]), path="/v1/responses", headers=more, key=site.gateway.key("acme/blue/app"))
        expect_error(found, 404, "state_not_found")
        assert decision(site, found)["unopened"]["why"] == "handle_foreign"
    assert len(site.b1.requests) == 1


def test_items_and_files(site):
    """An item goes on in its session where no response is named; of two sessions' items the first counts and the other is said."""
    def made(label):
        site.b1.play(plain())
        return json.loads(ask(site.gateway, body_of(), path="/v1/responses", headers=[("x-session-id", label)]).body)["output"][0]["id"]

    def goes_on(*ids):
        site.b1.play(plain())
        found = ask(site.gateway, body_of(input=[{"type": "item_reference", "id": one} for one in ids]), path="/v1/responses")
        assert found.status == 200, found
        return decision(site, found)

    one, two = made("LABEL-26"), made("LABEL-27")
    first, both = goes_on(one), goes_on(two, one)
    assert first["session"]["source"] == both["session"]["source"] == "state"
    assert first["session"]["id_sha256"] in reference(site, b"session", b"LABEL-26") and both["session"]["id_sha256"] in reference(site, b"session", b"LABEL-27")
    assert both["state_sessions"] == [first["session"]["id_sha256"]] and "state_sessions" not in first


def test_the_record_is_asked_for_a_session(site):
    """By its id and by its name; a follow-up that names none is found too, and another tenant's of the same name is another."""
    site.b1.play(*[plain()] * 4)
    headers = [("x-gatehouse-session-id", "LABEL-28")]
    first = ask(site.gateway, body_of(), path="/v1/responses", headers=headers)
    follow = ask(site.gateway, body_of(previous_response_id=json.loads(first.body)["id"]), path="/v1/responses")
    blue = ask(site.gateway, body_of(), path="/v1/responses", headers=headers, key=site.gateway.key("acme/blue/app"))
    stranger = ask(site.gateway, body_of(), path="/v1/responses")
    ids = {one.id for one in (first, follow, blue, stranger)}
    for one in (first, follow, blue, stranger):
        site.gateway.outcome(one.id)

    def shown(*options):
        out = site.gateway.command("audit", "show", site.gateway.audit, "--json", *options).stdout
        return {json.loads(line)["id"] for line in out.splitlines()} & ids

    assert shown("--session", session(site, first)["id_sha256"]) == {first.id, follow.id}
    assert shown("--session", "LABEL-28") == {first.id, follow.id, blue.id} and shown("--session", "LABEL-28", "--tenant", "blue") == {blue.id}
    assert shown("--session", "LABEL-29") == set()
    text = site.gateway.command("explain", follow.id).stdout
    assert re.search(r"Session [0-9a-f]{64}, named by state\.", text)
