"""Every id that an answer of Responses can carry: given out as one of the gateway's own, or passed on as conf/dialects.md says."""
import json
import re

import pytest

import documents
from client import expect_error
from ids_table import native, rows
from mock_backend import answer, stream
from test_responses import KEPT, asks, body_of, decision, event, response

pytestmark = pytest.mark.sanitizer

ITSELF = response()["id"]

# As providers write them: the kind by the beginning of the id. Each stands once.
PART = {"type": "input_file", "file_id": "file-FIL1"}
TOOLS = [{"type": "code_interpreter", "container": "cntr_CON1"}, {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-FIL2", "file-FIL3"]}},
         {"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_CON2", "skills": [{"type": "skill_reference", "skill_id": "skill_SKI1"}]}},
         {"type": "image_generation", "input_image_mask": {"file_id": "file-FIL4"}}, {"type": "file_search", "vector_store_ids": ["vs_VEC1"]},
         {"type": "mcp", "connector_id": "connector_CNN1", "server_label": "x"}]
OUTPUT = [{"id": "msg_ITE1", "type": "message", "role": "assistant", "status": "completed", "content": [
              {"type": "output_text", "text": "msg_TEXT", "annotations": [{"type": "file_citation", "file_id": "file-FIL5", "index": 0},
                                                                          {"type": "container_file_citation", "container_id": "cntr_CON3", "file_id": "cfile_FIL6"}]}]},
          {"id": "ci_ITE2", "type": "code_interpreter_call", "container_id": "cntr_CON4", "code": "resp_TEXT", "outputs": []},
          {"id": "fs_ITE3", "type": "file_search_call", "results": [{"file_id": "file-FIL7", "attributes": {"file_id": "file-TEXT"}}]},
          {"id": "cu_ITE4", "type": "computer_call", "call_id": "call_CAL1", "pending_safety_checks": [{"id": "sc_SAF1"}]},
          {"id": "cuo_ITE5", "type": "computer_call_output", "call_id": "call_CAL2", "output": {"type": "computer_screenshot", "file_id": "file-FIL8"}},
          {"id": "mcpr_ITE6", "type": "mcp_approval_request", "name": "x", "arguments": "{}"}, {"id": "mcpa_ITE7", "type": "mcp_approval_response", "approval_request_id": "mcpr_ITE8"},
          {"id": "at_ITE9", "type": "additional_tools", "tools": [{"type": "code_interpreter", "container": "cntr_CON5"}]},
          {"id": "sh_ITEA", "type": "shell_call", "call_id": "call_CAL3", "caller": {"type": "program", "caller_id": "call_CAL4"}, "environment": {"container_id": "cntr_CON6"}},
          {"id": "rs_ITEB", "type": "reasoning", "summary": [], "encrypted_content": "file-PRO1"}, {"id": "pg_ITEC", "type": "program", "fingerprint": "resp_PRO2"}]
WHOLE = response(output=OUTPUT, tools=TOOLS, previous_response_id="resp_RES1", conversation={"id": "conv_COV1"}, prompt_cache_options={"comparison_response_id": "resp_RES2"},
                 instructions=[{"id": "msg_ITED", "type": "message", "role": "developer", "content": [PART]}], input_transformations=[{"id": "rs_ITEE", "type": "reasoning", "action": "removed"}],
                 prompt={"id": "pmpt_TEM1", "variables": {"file_id": {"type": "input_image", "file_id": "file-FIL9"}, "word": "file-TEXT"}},
                 metadata={"id": "resp_TEXT", "file_id": "file-TEXT"}, user="resp_TEXT")
GIVEN = {"responses": "RES", "conversations": "COV", "items": "ITE", "files": "FIL", "containers": "CON"}
PASSED = {"vector stores": "VEC", "templates": "TEM", "skills": "SKI", "connectors": "CNN", "calls": "CAL", "safety checks": "SAF", "programs": "PRO"}


@pytest.fixture
def site(world):
    world.route("b1", endpoints=["responses"], models={"m": "up"}, features=KEPT)
    return world


def test_the_table_is_of_these():
    assert {name: row[1] for name, row in rows("Responses").items()} == {**dict.fromkeys(GIVEN, "given out"), **dict.fromkeys(PASSED, "as it came")}
    kinds = {one[:3] for one in native(json.dumps(WHOLE))}
    assert kinds == set(GIVEN.values()) | set(PASSED.values())


@pytest.mark.parametrize("kind", ["plain", "stream", "event", "list"])
def test_every_id_of_an_answer(site, kind):
    whole = json.dumps(WHOLE)
    if kind == "stream":
        said = b"".join(event(name, at, response=WHOLE) for at, name in enumerate(("response.created", "response.completed")))
    elif kind == "event":
        said = b"".join(event("response.output_item.done", at, item=one, item_id="msg_ITE0", response_id="resp_RES3") for at, one in enumerate(OUTPUT))
        said += event("response.output_text.annotation.added", 90, item_id="msg_ITE0", annotation=OUTPUT[0]["content"][0]["annotations"][1])
        said += event("response.completed", 99, response=response())
    else:
        said = json.dumps({"object": "list", "data": OUTPUT, "first_id": "msg_ITEF", "last_id": "msg_ITEG"}).encode() if kind == "list" else whole.encode()
    site.b1.play(answer(body=said) if kind in ("plain", "list") else stream(said))
    found = asks(site, body_of(stream=kind in ("stream", "event")))
    assert found.status == 200 and found.whole
    before, after = native(said.decode()), native(found.body.decode())
    assert before - after == {one for one in before if one[:3] in GIVEN.values()}, after
    assert before & after == {one for one in before if one[:3] in PASSED.values()}
    assert found.body.count(b"_TEXT") + found.body.count(b"-TEXT") == said.count(b"_TEXT") + said.count(b"-TEXT")
    assert ITSELF.encode() not in found.body


def test_what_was_given_out_comes_back_as_it_was(site):
    """Each id, where a request says it: the provider gets its own again, and nobody else's id is taken there."""
    features = {name: KEPT["store"] for name in ("store", "conversation", "files", "code_interpreter", "shell", "image_generation", "stored_prompt", "mcp")}
    site.route("b1", endpoints=["responses"], models={"m": "up"}, features=features)
    site.b1.play(answer(body=json.dumps(WHOLE).encode()))
    told = asks(site).json
    output, tools = told["output"], told["tools"]
    file, container = output[0]["content"][0]["annotations"][0]["file_id"], tools[0]["container"]
    asked = (({"previous_response_id": told["previous_response_id"]}, "resp_RES1"), ({"conversation": told["conversation"]["id"]}, "conv_COV1"),
             ({"conversation": told["conversation"]}, "conv_COV1"), ({"input": [{"type": "item_reference", "id": output[1]["id"]}]}, "ci_ITE2"),
             ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": file}]}]}, "file-FIL5"),
             ({"input": [{"type": "mcp_approval_response", "approve": True, "approval_request_id": output[5]["id"]}]}, "mcpr_ITE6"),
             ({"tools": [{"type": "code_interpreter", "container": container}]}, "cntr_CON1"),
             ({"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file]}}]}, "file-FIL5"),
             ({"tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": container}}]}, "cntr_CON1"),
             ({"tools": [{"type": "image_generation", "input_image_mask": {"file_id": file}}]}, "file-FIL5"),
             ({"prompt": {"id": "pmpt_1", "variables": {"x": {"type": "input_file", "file_id": file}}}}, "file-FIL5"))
    for more, own in asked:
        site.b1.play(answer(body=json.dumps(response()).encode()))
        found = asks(site, body_of(**more))
        assert found.status == 200, (more, found)
        ours = next(one for one in re.findall(r'"([^"]{40,})"', json.dumps(more)))
        assert site.b1.requests[-1].body == body_of(**json.loads(json.dumps(more).replace(ours, own))).replace(b'"m"', b'"up"', 1)
        assert decision(site, found)["pin"]["deployment"].startswith("b1-")
        before = len(site.b1.requests)
        for wrong in (own, ours[:-1] + ("A" if ours[-1] != "A" else "Q")):
            expect_error(asks(site, body_of(**json.loads(json.dumps(more).replace(ours, wrong)))), 404, "state_not_found")
        assert len(site.b1.requests) == before


@pytest.mark.parametrize("more", [{"tools": [TOOLS[4]]}, {"prompt": {"id": "pmpt_1"}}, {"tools": [TOOLS[5]]},
                                  {"tools": [{"type": "shell", "environment": {"type": "container_auto", "skills": [{"type": "skill_reference", "skill_id": "skill_1"}]}}]}])
def test_what_is_made_elsewhere_is_a_feature(site, more):
    expect_error(asks(site, body_of(**more)), 403, "residency_denied")
    assert not site.b1.requests
