"""
What the gateway knows of requests, against the types of the openai package: everything they allow is inert or turns on the feature said here, and
everything they do not have is a use without a name, found where it stands. A new version of the package brings a complaint about each new field.
"""
import json
import os
import pathlib
import re
import subprocess
import typing

import openai.types.responses.tool_param as responses_tools
import pytest
import typing_extensions

import sdk_types

ROOT = pathlib.Path(__file__).resolve().parents[2]
READER = ROOT / os.environ.get("GATEHOUSE_BUILD", "build") / "tests/tools/wire_intake"
CHAT = "chat.completions"

# What turns a feature on, by OpenAI's documentation of each: it is kept, fetched, or done by another service. Everything else of the SDK is inert.
FEATURES = {
    CHAT: {
        "audio": "audio_output", "modalities[]": "audio_output", "messages[].audio": "stored_audio", "messages[].content[].file.file_id": "files",
        "messages[].content[].image_url.url": "fetched_url", "messages[].content[].prompt_cache_breakpoint": "prompt_cache", "moderation": "moderation",
        "prediction.content[].prompt_cache_breakpoint": "prompt_cache", "prompt_cache_options": "prompt_cache", "prompt_cache_retention": "prompt_cache",
        "store": "store", "web_search_options": "web_search"},
    "completions": {},
    "embeddings": {},
}

# Beyond the SDK: what clouds and servers of open models take, each with what it turns on; None: nothing is known of it, so it is denied by its name.
BEYOND = {
    "data_sources": "data_sources", "dataSources": "data_sources", "enhancements": "enhancements", "user_security_context": "user_security_context",
    "amazon-bedrock-guardrailConfig": "guardrail", "enable_search": "web_search", "search_parameters": "web_search", "background": None,
    "conversation": None, "previous_response_id": None, "include": None, "files": None, "attachments": None, "container": None, "plugins": None,
    "mcp_servers": None, "guardrailConfig": None, "guardrails": None, "provider": None, "extra_headers": None, "lora_path": "lora",
    "kv_transfer_params": "kv_transfer", "bootstrap_host": "kv_transfer"}


def read(endpoint, bodies):
    """What the gateway reads in each body: [(feature, place)], or the code of its refusal."""
    texts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    asked = b"".join(b"%s openai m - 0 %d\n%s" % (endpoint.encode(), len(text), text) for text in texts)
    done = subprocess.run([READER, "--batch"], input=asked, capture_output=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts)
    return [[(one["name"], one["where"]) for one in answer["features"]] if "features" in answer else answer["error"] for answer in answers]


def anywhere(place):
    """A place whatever its number in an array."""
    return re.sub(r"\[\d+\]", "[]", place)


def least(**more):
    return {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}


@pytest.mark.parametrize("endpoint", sdk_types.REQUESTS)
def test_every_field_of_the_sdk(endpoint):
    """At whatever depth: none is refused, none is unknown, and those that turn something on are the ones said above."""
    bodies = list(sdk_types.bodies(endpoint))
    assert len(bodies) > len(sdk_types.fields_of(endpoint))
    found = {}
    for body, uses in zip(bodies, read(endpoint, bodies)):
        assert isinstance(uses, list), (body, uses)
        for feature, place in uses:
            assert found.setdefault(anywhere(place), feature) == feature, body
    assert found == FEATURES[endpoint]


@pytest.mark.parametrize("endpoint", sdk_types.REQUESTS)
def test_the_sdks_fields_each_have_a_sample(endpoint):
    """The samples leave out no field at the top."""
    assert {name for body in sdk_types.bodies(endpoint) for name in body} == set(sdk_types.fields_of(endpoint))


def changed(body, path, change):
    """A copy of the body with the object at the path changed."""
    copy = json.loads(json.dumps(body))
    at = copy
    for step in path:
        at = at[step]
    change(at)
    return copy


def objects(endpoint):
    """(place, body, path) of one of every kind of object in the samples: same place, same fields."""
    seen = {}
    for body in sdk_types.bodies(endpoint):
        for path, value in sdk_types.places(body):
            seen.setdefault((anywhere(sdk_types.spelled(path)), tuple(sorted(value)), str(value.get("type"))), (body, path))
    return [(place, *found) for (place, _, _), found in seen.items()]


def turned_on(uses, place):
    """Is a feature named for something that holds this place? What it holds is not looked at, then."""
    return any(name and (place == where or place.startswith((where + ".", where + "["))) for name, where in uses)


@pytest.mark.parametrize("endpoint", sdk_types.REQUESTS)
def test_an_unknown_field_in_every_object(endpoint):
    """However deep: it is a use without a name, with its path, or inside what is a feature as a whole."""
    cases = objects(endpoint)
    assert len(cases) >= {CHAT: 100, "completions": 15, "embeddings": 3}[endpoint]
    bodies = [changed(body, path, lambda at: at.update(field_of_tomorrow={"a": ["b"]})) for _, body, path in cases]
    for (place, _, path), uses in zip(cases, read(endpoint, bodies)):
        full = sdk_types.spelled(path + ("field_of_tomorrow",))
        assert uses == "invalid_request" or ("", full) in uses or turned_on(uses, full), (place, uses)
        assert uses != "invalid_request", place


def test_an_unknown_word_for_every_type():
    """Wherever the SDK has a "type": another one is unknown, and told with the word."""
    cases = [(place, body, path) for place, body, path in objects(CHAT) if isinstance(body_at(body, path).get("type"), str)]
    assert len({place for place, _, _ in cases}) >= 9
    bodies = [changed(body, path, lambda at: at.update(type="of-tomorrow")) for _, body, path in cases]
    for (place, _, path), uses in zip(cases, read(CHAT, bodies)):
        full = sdk_types.spelled(path + ("type",))
        assert ("", full + "=of-tomorrow") in uses or turned_on(uses, full), (place, uses)


def body_at(body, path):
    for step in path:
        body = body[step]
    return body


def hosted_tools():
    """The types of the tools that the SDK knows of beside functions."""
    found = set()
    for kind in typing.get_args(responses_tools.ToolParam):
        hint = sdk_types.bare(typing_extensions.get_type_hints(kind, include_extras=True)["type"])
        found |= set(typing.get_args(hint))
    return sorted(found - {"function", "custom"})


@pytest.mark.parametrize("kind", hosted_tools())
def test_a_tool_that_the_provider_runs(kind):
    """In the list of tools, in a message, as the choice, among the allowed ones: named or unknown, never inert."""
    tool = {"type": kind}
    bodies = [least(tools=[tool]), least(tool_choice=tool), least(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool]}}),
              {"model": "m", "messages": [{"role": "developer", "content": "x", "tools": [tool]}]}]
    for uses in read(CHAT, bodies):
        assert len(uses) == 1 and uses[0][1].startswith(("tools[0].type", "tool_choice", "messages[0].tools[0].type")), uses
        assert uses[0][0] or uses[0][1].endswith("=" + kind), uses


def test_the_known_hosted_tools_are_named():
    """What a fleet may list by name."""
    named = {kind: read(CHAT, [least(tools=[{"type": kind}])])[0][0][0] for kind in hosted_tools()}
    assert named == {
        "apply_patch": "apply_patch", "code_interpreter": "code_interpreter", "computer": "computer_use", "computer_use_preview": "computer_use",
        "file_search": "file_search", "image_generation": "image_generation", "local_shell": "shell", "mcp": "mcp", "namespace": "",
        "programmatic_tool_calling": "", "shell": "shell", "tool_search": "", "web_search": "web_search", "web_search_2025_08_26": "web_search",
        "web_search_preview": "web_search", "web_search_preview_2025_03_11": "web_search"}


@pytest.mark.parametrize("field", BEYOND)
def test_fields_beyond_the_sdk(field):
    for value in ({"a": "b"}, "x", 1, True, [], ["x"]):
        assert read(CHAT, [least(**{field: value})]) == [[(BEYOND[field] or "", field)]], value


@pytest.mark.parametrize("endpoint, field", [(CHAT, "dimensions"), (CHAT, "prompt"), (CHAT, "input"), (CHAT, "suffix"), ("completions", "messages"), ("completions", "tools"),
                                             ("completions", "web_search_options"), ("embeddings", "prompt"), ("embeddings", "stream"), ("embeddings", "tools")])
def test_a_field_of_another_endpoint(endpoint, field):
    """Known elsewhere is not known here."""
    body = {CHAT: least(), "completions": {"model": "m", "prompt": "x"}, "embeddings": {"model": "m", "input": "x"}}[endpoint]
    assert read(endpoint, [{**body, field: "x"}]) == [[("", field)]]


@pytest.mark.parametrize("spelling", ["Store", "STORE", "store ", " store", "store\u200b", "ſtore", "tools\ufeff"])
def test_spellings_are_others(spelling):
    """Byte for byte, without case and Unicode folding: what looks like a known field is unknown."""
    uses, = read(CHAT, [least(**{spelling: True})])
    assert len(uses) == 1 and uses[0][0] == "", uses


def test_an_escaped_spelling_is_the_same():
    uses = read(CHAT, [b'{"model":"m","messages":[],"st\\u006fre":true}', b'{"model":"m","messages":[],"tools":[{"t\\u0079pe":"m\\u0063p"}]}'])
    assert uses == [[("store", "store")], [("mcp", "tools[0].type")]]


def test_many_unknown_fields_are_all_counted():
    """However many come before it, the unknown one is not lost."""
    many = {f"field_{number}": 1 for number in range(100)}
    uses, = read(CHAT, [least(**many)])
    assert len(uses) == 32 and uses[0] == ("", "field_0") and uses[-1] == ("", "too many features")


def named_in_the_source():
    """Every feature that a row, a reader of values or a header can turn on."""
    text = "".join(path.read_text() for path in sorted((ROOT / "ngx_module/wire").glob("*.[ch]")) if path.name.startswith(("fields", "intake")))
    patterns = (r'\b(?:FEATURE|KEPT|FLAG)\(\w+, "[^"]*", "([^"]+)"\)', r'CHOICE\(\w+, "[^"]*", \w+, "([^"]+)"', r'gh_intake_use\(r, "([^"]+)"\)', r'HEADER\("[^"]*", "([^"]+)"\)')
    return {name for pattern in patterns for name in re.findall(pattern, text)}


def test_every_feature_is_documented():
    """conf/features.md has a row for each, and for no other."""
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "conf/features.md").read_text(), re.M)
    assert rows == sorted(named_in_the_source()) and len(rows) >= 25
