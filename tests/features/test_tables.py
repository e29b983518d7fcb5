"""conf/fields.md is what the code says; and of the flags that the anthropic SDK knows each is named there, or refused as one that nobody knows."""
import os
import pathlib
import subprocess
import typing

import anthropic.types.anthropic_beta_param
import pytest

from test_fields import read

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / os.environ.get("GATEHOUSE_BUILD", "build") / "tests/tools/field_tables"
PAGE = (ROOT / "conf/fields.md").read_text()

# Flags of other APIs (agents, batches, administration, files of skills), and of what answers with another model than was asked: no request of Messages needs one.
ELSEWHERE = ("admin-", "agent-memory-", "analytics-", "ce-", "dreaming-", "efs-", "experimental-claude-tag-", "google-managed-", "managed-agents-", "mcp-tunnels-",
             "message-batches-", "server-side-fallback-", "spend-limit-", "telemetry-", "user-profiles-", "webhooks-")


def flags():
    return sorted({flag for one in typing.get_args(anthropic.types.anthropic_beta_param.AnthropicBetaParam) for flag in typing.get_args(one)})


def test_the_page_is_what_the_code_says():
    """To make it anew: build/tests/tools/field_tables >conf/fields.md"""
    assert subprocess.run([TOOL], capture_output=True, check=True, text=True).stdout == PAGE


def test_every_flag_of_the_sdk_is_named_or_unknown():
    known = flags()
    assert len(known) > 50
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    for flag, found in zip(known, read("invoke", [{**body, "anthropic_beta": [flag]} for flag in known])):
        if f"- `{flag}`\n" in PAGE:
            assert found == [], (flag, found)
        else:
            assert found and found[0][0] == "" and flag in found[0][1], (flag, found)
            assert flag.startswith(ELSEWHERE), f"{flag} is new: name it in ngx_module/wire/fields_betas.c, or here as one of another API"


@pytest.mark.parametrize("prefix", ELSEWHERE)
def test_what_stands_here_as_unknown_is(prefix):
    assert f"- `{prefix}" not in PAGE and any(flag.startswith(prefix) for flag in flags())
