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
RESPONSES = "responses"

HOSTED = {"apply_patch", "code_interpreter", "computer_use", "file_search", "image_generation", "mcp", "programmatic_tool_calling", "shell", "web_search"}

# What turns a feature on, by OpenAI's documentation of each: it is kept, fetched, or done by another service. Everything else of the SDK is inert.
FEATURES = {
    CHAT: {
        "audio": "audio_output", "modalities[]": "audio_output", "messages[].audio.id": "stored_audio", "messages[].content[].file.file_id": "files",
        "messages[].content[].image_url.url": "fetched_url", "messages[].content[].prompt_cache_breakpoint": "prompt_cache", "moderation": "moderation",
        "prediction.content[].prompt_cache_breakpoint": "prompt_cache", "prompt_cache_options": "prompt_cache", "prompt_cache_retention": "prompt_cache",
        "store": "store", "web_search_options": "web_search"},
    "completions": {},
    "embeddings": {},
    RESPONSES: {
        "background": {"background"}, "context_management[].type=x": {""}, "conversation": {"conversation"}, "conversation.id": {"conversation"},
        "input[].action.sources[].url": {"fetched_url"}, "input[].action.url": {"fetched_url"}, "input[].approval_request_id": {"store"},
        "input[].container_id": {"code_interpreter"}, "input[].content[].annotations[].container_id": {"code_interpreter"},
        "input[].content[].annotations[].file_id": {"files"}, "input[].content[].annotations[].url": {"fetched_url"}, "input[].content[].file_id": {"files"},
        "input[].content[].file_url": {"fetched_url"}, "input[].content[].image_url": {"fetched_url"}, "input[].content[].prompt_cache_breakpoint": {"prompt_cache"},
        "input[].environment.container_id": {"shell"}, "input[].environment.skills": {"skills"}, "input[].id": {"store"}, "input[].output.file_id": {"files"},
        "input[].output.image_url": {"fetched_url"}, "input[].output[].file_id": {"files"}, "input[].output[].file_url": {"fetched_url"},
        "input[].output[].image_url": {"fetched_url"}, "input[].output[].prompt_cache_breakpoint": {"prompt_cache"}, "input[].outputs[].url": {"fetched_url"},
        "input[].results[].file_id": {"files"}, "input[].tools[].container": {"code_interpreter"}, "input[].tools[].container.file_ids[]": {"files"},
        "input[].tools[].environment.file_ids[]": {"files"}, "input[].tools[].environment.skills": {"skills"},
        "input[].tools[].input_image_mask.file_id": {"files"}, "input[].tools[].input_image_mask.image_url": {"fetched_url"}, "input[].tools[].type": HOSTED,
        "input[].type": {"mcp"}, "moderation": {"moderation"}, "previous_response_id": {"store"}, "prompt.id": {"stored_prompt"},
        "prompt_cache_options.comparison_response_id": {"store"}, "prompt_cache_options.mode": {"prompt_cache"}, "prompt_cache_options.prewarm": {"prompt_cache"},
        "prompt_cache_options.ttl": {"prompt_cache"}, "prompt_cache_retention": {"prompt_cache"}, "store": {"store"}, "tool_choice.type": HOSTED,
        "tools[].container": {"code_interpreter"}, "tools[].container.file_ids[]": {"files"}, "tools[].environment.file_ids[]": {"files"},
        "tools[].environment.skills": {"skills"}, "tools[].input_image_mask.file_id": {"files"}, "tools[].input_image_mask.image_url": {"fetched_url"},
        "tools[].type": HOSTED},
}

# Of Messages, Anthropic's documentation: what the provider runs, and what it left in a conversation, by the beginning of its type.
RUN_BY_THE_PROVIDER = {
    "web_search": "web_search", "web_fetch": "web_fetch", "code_execution": "code_execution", "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution", "encrypted_code_execution": "code_execution", "advisor": "advisor", "mcp_tool_result": "mcp",
    "mcp_tool_listing": "mcp", "mcp_toolset": "mcp", "mcp_tool_reference": "mcp", "container_upload": "container"}
AS_A_WHOLE = {"mcp_servers": "mcp", "container": "container", "thread": "thread", "diagnostics": "cache_diagnosis"}
STEERING = ("fallbacks",)
MESSAGES = ("messages", "messages.count_tokens")

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
    asked = b"".join(b"%s openai m - 0 0 - %d\n%s" % (endpoint.encode(), len(text), text) for text in texts)
    done = subprocess.run([READER, "--batch"], input=asked, capture_output=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts)
    return [[(one["name"], one["where"]) for one in answer["features"]] if "features" in answer else answer["error"] for answer in answers]


def anywhere(place):
    """A place whatever its number in an array."""
    return re.sub(r"\[\d+\]", "[]", place)


def least(**more):
    return {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}


def asked(body):
    """Features that a body of Messages turns on."""
    found = {feature for name, feature in AS_A_WHOLE.items() if body.get(name) is not None}
    if isinstance(body.get("container"), dict) and body["container"].get("skills") is not None:
        found.add("skills")
    rest = {name: value for name, value in body.items() if name not in AS_A_WHOLE}
    for path, value in sdk_types.places(rest):
        kind = str(value.get("type"))
        found |= {feature for prefix, feature in RUN_BY_THE_PROVIDER.items() if kind.startswith(prefix)}
        if value.get("ttl") == "1h" and path[-1:] == ("cache_control",):
            found.add("prompt_cache")
        if "file_id" in value:
            found.add("files")
        if kind == "url" and path[-1:] == ("source",):
            found.add("fetched_url")
        if any(caller != "direct" for caller in value.get("allowed_callers", ())):
            found.add("code_execution")
    return found


@pytest.mark.parametrize("endpoint", MESSAGES)
def test_every_field_of_anthropics_sdk(endpoint):
    """At whatever depth, in beta or not: what moves or keeps something is named, everything else is inert, and what says where a request goes is refused."""
    bodies = list(sdk_types.bodies(endpoint))
    assert len(bodies) > 5000
    for body, uses in zip(bodies, read(endpoint, bodies)):
        steered = [name for name in STEERING if name in body]
        assert isinstance(uses, str) == bool(steered), (body, uses)
        if not steered:
            assert {name for name, _ in uses} == asked(body), (body, uses)


def test_every_member_of_converse():
    """By botocore's service model: what moves or keeps something is named, fields of the model's own API are unknown."""
    bodies = list(sdk_types.bodies("converse"))
    assert len(bodies) > 200
    found = {}
    for body, uses in zip(bodies, read("converse", bodies)):
        assert isinstance(uses, list), (body, uses)
        for feature, place in uses:
            last = anywhere(place).rsplit(".", 1)[-1]
            assert found.setdefault(last, feature) == feature, (body, uses)
    assert found == {"guardrailConfig": "guardrail", "projectIdentifier": "project", "promptVariables": "stored_prompt", "s3Location": "s3_location", "ttl": "prompt_cache",
                     "systemTool": "system_tool", "type": "system_tool", "serverName": "mcp", "url": "fetched_url", "key": "",
                     "schema": ""}, found             # the sample's schema is a text that is none


@pytest.mark.parametrize("endpoint", FEATURES)
def test_every_field_of_the_sdk(endpoint):
    """At whatever depth: none is refused, none is unknown, and those that turn something on are the ones said above."""
    bodies = list(sdk_types.bodies(endpoint))
    assert len(bodies) > len(sdk_types.fields_of(endpoint))
    found = {}
    for body, uses in zip(bodies, read(endpoint, bodies)):
        assert isinstance(uses, list), (body, uses)
        for feature, place in uses:
            found.setdefault(anywhere(place), set()).add(feature)
    assert found == {place: features if isinstance(features, set) else {features} for place, features in FEATURES[endpoint].items()}


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
    """Is a feature named for something that holds this place? What it holds is not looked at, then. A tool is a feature by its type."""
    wholes = [re.sub(r"(tools\[\d+\]|definition)\.type$", r"\1", where) for name, where in uses if name]
    return any(place == whole or place.startswith((whole + ".", whole + "[")) for whole in wholes)


def of_hosted_tool(uses, place):
    """What a tool that the provider runs has besides is of its feature."""
    return any(name in HOSTED and re.search(r"(tools\[\d+\]|tool_choice)\.(type|container)$", where) and place.startswith(where.rpartition(".")[0] + ".")
               for name, where in uses)


@pytest.mark.parametrize("endpoint", sdk_types.REQUESTS)
def test_an_unknown_field_in_every_object(endpoint):
    """However deep: it is a use without a name, with its path, or inside what is a feature as a whole."""
    cases = [(place, body, path) for place, body, path in objects(endpoint) if not any(name in body for name in STEERING)]
    assert len(cases) >= {CHAT: 100, "completions": 15, "embeddings": 3, "messages": 1000, "messages.count_tokens": 1000, RESPONSES: 200}[endpoint]
    bodies = [changed(body, path, lambda at: at.update(field_of_tomorrow={"a": ["b"]})) for _, body, path in cases]
    for (place, _, path), uses in zip(cases, read(endpoint, bodies)):
        full = sdk_types.spelled(path + ("field_of_tomorrow",))
        named = any(not name and (where == full or where.startswith(full + ".")) for name, where in uses)    # below it where keys are the client's own
        assert uses != "invalid_request", place
        assert named or turned_on(uses, full) or of_hosted_tool(uses, full), (place, uses)


@pytest.mark.parametrize("endpoint", (CHAT, RESPONSES, *MESSAGES))
def test_an_unknown_word_for_every_type(endpoint):
    """Wherever the SDK has a "type" that may turn something on: another one is unknown, and told with the word."""
    cases = [(place, body, path) for place, body, path in objects(endpoint)
             if isinstance(body_at(body, path).get("type"), str) and not any(name in body for name in STEERING)
             and not (endpoint == RESPONSES and LABELS.search(place))]
    assert len({place for place, _, _ in cases}) >= 9
    bodies = [changed(body, path, lambda at: at.update(type="of-tomorrow")) for _, body, path in cases]
    for (place, _, path), uses in zip(cases, read(endpoint, bodies)):
        full = sdk_types.spelled(path + ("type",))
        assert ("", full + "=of-tomorrow") in uses or turned_on(uses, full) or of_hosted_tool(uses, full), (place, uses)


# Types that only say what the other fields are: each of these is known by its own name.
LABELS = re.compile(r"\b(annotations\[\]|action|actions\[\]|sources\[\]|summary\[\]|caller|operation|outcome|error|environment|container)$")


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
    patterns = (r'\.feature = "([^"]+)"', r'\b(?:FEATURE|KEPT|FLAG)\(\w+, "[^"]*", "([^"]+)"\)', r'\bHANDLE\(\w+, "[^"]*", \w+, "([^"]+)"\)', r'CHOICE\(\w+, "[^"]*", \w+, "([^"]+)"', r'\bHOSTED\("[^"]*", "([^"]+)"\)', r'gh_intake_use\(r, "([^"]+)"\)', r'HEADER\("[^"]*", "([^"]+)"\)')
    return {name for pattern in patterns for name in re.findall(pattern, text)}


def test_every_feature_is_documented():
    """conf/features.md has a row for each, and for no other."""
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "conf/features.md").read_text(), re.M)
    assert rows == sorted(named_in_the_source()) and len(rows) >= 25
