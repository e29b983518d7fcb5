"""The table of what is mapped, dropped and refused: each cell is backed by requests that ask it, and conf/dialects.md shows it as it is."""
import copy
import json
import re

import pytest

import driver
import losses
import samples

ROWS = losses.VERDICTS         # of the document, which shows what the code has: the first test
COLUMNS = driver.built()
SOURCES = sorted({driver.family(name) for name in COLUMNS})


def test_the_document_shows_it():
    text = (driver.ROOT / "conf/dialects.md").read_text()
    for table in ("table", "models"):
        assert driver.table(table) + "\n" in text, f"make build/tests/tools/dialects and put what `dialects {table}` prints into conf/dialects.md"


def test_the_document_shows_models_of_embeddings():
    assert driver.table("embeddings") in (driver.ROOT / "conf/dialects.md").read_text()


def test_the_document_shows_which_endpoint_is_asked():
    text = (driver.ROOT / "conf/dialects.md").read_text()
    assert driver.table("endpoints") + "\n" in text, "put what `build/tests/tools/dialects endpoints` prints into conf/dialects.md"


def test_every_row_is_asked():
    asked = set(samples.SAMPLES)
    assert asked == set(ROWS)


# What is asked stands deeper than what a refusal names: (row, dialect): its path in the sample.
FIELDS = {
    ("images and documents in a tool's result", "responses"): "input[0].output[0]",
    ("images and documents in a tool's result", "messages"): "messages[1].content[0].content[0]",
    ("images and documents in a tool's result", "invoke"): "messages[1].content[0].content[0]",
    ("`context` of a document", "messages"): "messages[1].content[0].context",
    ("`context` of a document", "invoke"): "messages[1].content[0].context",
    ("`is_error` of a tool's result", "converse"): "messages[1].content[0].toolResult.status",
    ("`is_error` of a tool's result", "messages"): "messages[1].content[0].is_error",
    ("`is_error` of a tool's result", "invoke"): "messages[1].content[0].is_error",
    ("earlier reasoning without a signature", "chat"): "messages[0].reasoning_content",
    ("no tool calls beside each other", "messages"): "tool_choice.disable_parallel_tool_use",
    ("no tool calls beside each other", "invoke"): "tool_choice.disable_parallel_tool_use",
    ("an answer by a JSON schema", "responses"): "text.format",
    ("an answer by a JSON schema", "chat"): "response_format",
    ("`tool_choice`: some of the tools", "chat"): "tool_choice",
    ("`tool_choice`: some of the tools", "responses"): "tool_choice",
}
# A request is none without it: what is written of it.
NEEDED = {("an earlier tool call whose arguments are no JSON object", "responses"): '"arguments":"[]"'}
# (row, dialect that asks or None, dialect that is asked): why its body does not show what the table says.
EXCEPTIONS = {
    ("service tier: default, standard_only", None, "invoke"): "it stands in a header",
    ("service tier: flex", None, "invoke"): "it stands in a header",
    ("service tier: priority", None, "invoke"): "it stands in a header",
    ("service tier: reserved", None, "invoke"): "it stands in a header",
    ("`guardrailConfig`", None, "invoke"): "it stands in headers",
    ("`performanceConfig`", None, "invoke"): "it stands in a header",
    ("`requestMetadata`", None, "invoke"): "it stands in a header",
    ("`anthropic_beta`, `anthropic-beta`", None, "messages"): "it stands in a header",
}


def without(body, path):
    """The body but for what stands there."""
    body = copy.deepcopy(body)
    *steps, last = [int(step[1:-1]) if step[0] == "[" else step for step in re.findall(r"\[\d+\]|[^.\[]+", path)]
    at = body
    for step in steps:
        at = at[step]
    del at[last]
    return body


def shown(row, source, target, verdict, body, path, text):
    """Does the body written show it? What is dropped changes nothing, what is mapped changes something."""
    if (row, source) in NEEDED:
        assert verdict == "mapped" and NEEDED[row, source] in text.decode(), (row, source, target, text)
        return True
    path = path.removesuffix(".custom")        # a tool or a call is none without it
    less = driver.one("request", source, target, without(body, FIELDS.get((row, source), path)))
    return (json.loads(less) == json.loads(text)) == (verdict == "dropped")


# Of pairs, what tests/sdk/test_table.py has no row for: test_cells tries each of these cells.
PAIRED = ("audio as data", "audio answers", "files, images and documents kept by the provider (`file_id`, S3)", "web pages and all else cited in an earlier answer",
          "images in documents made of blocks", "`context` of a document")
SPEAKERS = ("chat", "converse", "invoke", "messages", "responses")
SHOWN = {"mapped": "mapped", "dropped": "*dropped*", "refused": "**refused**"}
# Endpoints that have no conversation in them: (asked, at): what becomes of it, and what holds that.
OTHERS = {
    ("embeddings", "embeddings"): ("same", "tests/e2e/test_sdk.py", "test_embeddings"),
    ("embeddings", "embeddings of models of Bedrock"): ("mapped", "tests/e2e/test_embeddings.py", "test_titan", "test_cohere", "test_what_cannot_be_asked"),
    ("messages.count_tokens", "messages.count_tokens"): ("same", "tests/sdk/test_count.py", "test_anthropic"),
    ("messages.count_tokens", "bedrock.count_tokens"): ("mapped", "tests/sdk/test_count.py", "test_anthropic", "test_what_both_count_passes", "test_what_cannot_be_said"),
    ("bedrock.count_tokens", "bedrock.count_tokens"): ("same", "tests/sdk/test_count.py", "test_boto3"),
    ("bedrock.count_tokens", "messages.count_tokens"): ("mapped", "tests/sdk/test_count.py", "test_boto3", "test_what_both_count_passes", "test_what_the_other_count_has_not", "test_bodies_that_are_none"),
    ("completions", "completions"): ("same", "tests/e2e/test_sdk.py", "test_completions"),
}


def passes(row, source, target):
    """Between Messages and InvokeModel bodies pass (tests/unit/test_alike.c, tests/e2e/test_alike.py), but for what Bedrock keeps nothing of."""
    return {source, target} == {"messages", "invoke"} and not (target == "invoke" and row.startswith("files"))


def pairs():
    """Of conversations: what becomes of each of PAIRED, by who asks and who is asked; of other endpoints: what holds it."""
    columns = [(source, target) for source in SPEAKERS for target in SPEAKERS]
    asks = {row: {source for source, _, _ in samples.SAMPLES[row]} for row in PAIRED}
    lines = ["| | " + " | ".join(f"{source} to {target}" for source, target in columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [f"| {row} | " + " | ".join("-" if source not in asks[row] else "same" if source == target or passes(row, source, target) else SHOWN[ROWS[row][target]] for source, target in columns) + " |"
              for row in PAIRED]
    lines += ["", "| asked | at | becomes | held by |", "|---|---|---|---|"]
    lines += [f"| `{asked}` | {at if ' ' in at else f'`{at}`'} | {told} | `{file}`: {', '.join(f'`{one}`' for one in tests)} |"
              for (asked, at), (told, file, *tests) in OTHERS.items()]
    return "\n".join(lines) + "\n"


def test_the_document_shows_pairs():
    assert pairs() in (driver.ROOT / "conf/dialects.md").read_text(), "put what `build/venv/bin/python tests/dialects/test_table.py` prints into conf/dialects.md"


def test_what_holds_other_endpoints_is_there():
    """And every endpoint that no conversation is in stands there, to where the gateway translates it."""
    for _, file, *tests in OTHERS.values():
        text = (driver.ROOT / file).read_text()
        assert all(f"\ndef {one}(" in text for one in tests), (file, tests)
    told = [[cell.strip() for cell in line.split("|")[1:3]] for line in driver.table("endpoints").splitlines()[2:]]
    mapped = {(asked.strip("`"), at.strip("`")) for asked, at in told if "count_tokens" in asked}
    assert mapped == {pair for pair in OTHERS if "count_tokens" in pair[0] and pair[0] != pair[1]}
    assert not any(asked in ("`completions`", "`embeddings`") for asked, _ in told)


@pytest.mark.parametrize("row", samples.SAMPLES)
def test_cells(row):
    questions, wanted = [], []
    for source, put, path in samples.SAMPLES[row]:
        for target in COLUMNS:
            if driver.family(target) != source:
                questions.append(("request", source, target, {**samples.LEAST[source], **put}))
                wanted.append((ROWS[row][target], path, target))
    for (good, text), (verdict, path, target), question in zip(driver.ask(questions), wanted, questions):
        if verdict == "refused":
            assert not good, (question, text)
            assert text[0] == "not_expressible" and text[1] == f"{path} ({row}) cannot be asked of a backend that speaks {target}"[:511], text
        else:
            assert good, (question, text)
            _, source, _, body = question
            excepted = bool({(row, source, target), (row, None, target)} & set(EXCEPTIONS))
            assert shown(row, source, target, verdict, body, path, text) != excepted, (verdict, question, text)


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_said_is_nothing_asked(source):
    """Defaults and nulls turn nothing on."""
    plain = {"chat": {"temperature": None, "n": 1, "logprobs": False, "top_logprobs": 0, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {},
                      "store": False, "modalities": ["text"], "parallel_tool_calls": True, "response_format": {"type": "text"}, "seed": None,
                      "service_tier": "auto", "audio": None, "stop": None, "functions": [],
                      "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "refusal": None, "audio": None, "annotations": [],
                                                                      "function_call": None, "tool_calls": None}]},
             "messages": {"stop_sequences": [], "service_tier": "auto", "container": None, "inference_geo": None,
                          "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [{"type": "text", "text": "y", "citations": None},
                                       {"type": "tool_use", "id": "i", "name": "n", "input": {}, "caller": {"type": "direct"}}]}]}}.get(source, {})
    for target in COLUMNS:
        if driver.family(target) != source:
            driver.one("request", source, target, {**samples.LEAST[source], **plain})


ALLOWED = b'{"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"allowed_tools","allowed_tools":%s}}'
WRONG = [
    ("chat", ALLOWED % b'{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}', "invalid_request",
     'tool_choice allows "f", which is not among tools'),
    ("chat", ALLOWED % b'{"mode":"none","tools":[]}', "invalid_request", "tool_choice.allowed_tools.mode must be auto or required"),
    ("chat", ALLOWED % b'{"mode":"auto","tools":[]}', "invalid_request", "tool_choice must have allowed_tools with a mode, and tools"),
    ("chat", b'{"messages":[{"role":"user","content":"x"}],"top_logprobs":-1}', "invalid_request", "top_logprobs must be a number from 0 on"),
    ("chat", b'{"messages":[{"role":"user","content":"x"}],"temperature":"hot"}', "invalid_request", "temperature must be a number"),
    ("chat", b'{"messages":[{"role":"user","content":3}]}', "invalid_request", "messages[0].content must be a string or an array of parts"),
    ("chat", b'{"messages":[{"role":"user","content":"x"},{"content":"x","content":"y"}]}', "duplicate_key",
     "the key messages[1].content stands twice at byte 58 (line 1, column 59)"),
    ("chat", b'{"messages":[', "invalid_json", "unexpected end at byte 13 (line 1, column 14)"),
    ("chat", b'[]', "invalid_request", "the body must be a JSON object"),
    ("chat", b'{"messages":[]}', "invalid_request", "messages is missing: it must be an array that is not empty"),
    ("messages", b'{"max_tokens":"many","messages":[{"role":"user","content":"x"}]}', "invalid_request", "max_tokens must be a number"),
    ("messages", b'{"max_tokens":1,"messages":[{"role":"critic","content":"x"}]}', "invalid_request",
     "messages[0] must have a role: user, assistant or system"),
    ("messages", b'{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"text"}]}]}', "invalid_request",
     "messages[0].content[0] must have a text"),
    ("messages", b'{"max_tokens":1,"messages":[{"role":"user","content":"\\ud800"}]}', "invalid_json", "lone surrogate at byte 54 (line 1, column 55)"),
]


@pytest.mark.parametrize("source,body,code,sentence", WRONG)
def test_what_is_wrong_is_said(source, body, code, sentence):
    target = "messages" if source == "chat" else "chat"
    assert driver.ask([("request", source, target, body)]) == [(False, (code, sentence))]


if __name__ == "__main__":
    print(pairs(), end="")
