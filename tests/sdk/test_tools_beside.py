"""
Anthropic's tools that the client runs, as Converse has them: among additionalModelRequestFields, beside tools of its own. At InvokeModel and Messages they stand among the others, as they are
written; what Anthropic runs, and what others have no such tools for, is refused by its path.
"""
import pytest

import clients

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
SPEC = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}
COMPUTER = {"type": "computer_20250124", "name": "computer", "display_width_px": 1024, "display_height_px": 768, "display_number": 1}
TOOLS = [COMPUTER, {"type": "bash_20250124", "name": "bash"}, {"name": "str_replace_based_edit_tool", "type": "text_editor_20250728", "max_characters": 100},
         {"type": "memory_20250818", "name": "memory", "cache_control": {"type": "ephemeral"}}]
FLAG = "computer-use-2025-01-24"


def ask(site, deployment, tools, **more):
    sdk = site.through(clients.Converse)
    return sdk.ask("converse", modelId="to-" + deployment, messages=HELLO, toolConfig={"tools": [SPEC], **more},
                   additionalModelRequestFields={"tools": tools, "anthropic_beta": [FLAG]})


@pytest.mark.parametrize("deployment", ["invoke", "messages"])
def test_both_kinds_arrive(site, deployment):
    site.of(deployment).says("tools")
    found = ask(site, deployment, TOOLS, toolChoice={"tool": {"name": "computer"}})
    assert found["stopReason"] == "tool_use"
    [arrived] = site.of(deployment).arrived
    assert not site.of(deployment).refused
    own = {"name": "get_weather", "input_schema": {"type": "object"}}
    assert sorted(arrived.json["tools"], key=str) == sorted([own, *TOOLS], key=str)
    assert arrived.json["tool_choice"] == {"type": "tool", "name": "computer"}
    assert (arrived.json["anthropic_beta"] if deployment == "invoke" else [arrived.header("anthropic-beta")]) == [FLAG]


def test_a_tool_of_messages_is_one_of_its_own(site):
    own = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "type": "custom"}
    assert ask(site, "invoke", [own])["output"]
    assert {"name": "f", "description": "d", "input_schema": {"type": "object"}} in site.of("invoke").arrived[0].json["tools"]


@pytest.mark.parametrize("tool", [{"type": "web_search_20250305", "name": "web_search"}, {"type": "computer_toolset_20260801", "name": "computer"}, {**COMPUTER, "of_tomorrow": 1}])
def test_what_the_client_does_not_run(site, tool):
    with pytest.raises(site.through(clients.Converse).FAILURES, match=r"not_expressible.*additionalModelRequestFields\.tools\[1\]"):
        ask(site, "invoke", [COMPUTER, tool])
    assert not site.of("invoke").arrived


@pytest.mark.parametrize("deployment", ["chat", "responses"])
def test_others_have_none(site, deployment):
    with pytest.raises(site.through(clients.Converse).FAILURES, match=r"not_expressible.*additionalModelRequestFields\.tools\[0\]"):
        ask(site, deployment, [COMPUTER])
    assert not site.of(deployment).arrived
