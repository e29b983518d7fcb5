"""
Vercel's ai, whose objects are the same for all providers: through the gateway they are those of the SDK's own provider for the backend, asked directly,
whatever dialect the client speaks.
"""
import pytest

import matrix
import scenarios
import vercel
from site_of import DEPLOYMENTS, PROVIDERS

# Its providers by the dialect they speak, and what each deployment is to them when asked directly.
SPEAKS = {"openai.chat": "chat", "azure.chat": "chat", "openai.responses": "responses", "anthropic": "messages", "bedrock": "converse"}
DIRECT = {"chat": "openai.chat", "responses": "openai.responses", "messages": "anthropic", "converse": "bedrock", "classic": "azure.chat"}
PAIRS = [(provider, deployment) for provider, dialect in SPEAKS.items() for deployment in DIRECT if (dialect, deployment) in matrix.SERVED]
WEATHER = {name: {"description": one["description"], "schema": one["schema"]} for one in (scenarios.WEATHER, scenarios.CLOCK) for name in [one["name"]]}
CALLS = {
    "hello": {"system": "Be brief.", "prompt": "Hello?"},
    "call": {"prompt": "What is the weather?", "tools": WEATHER, "toolChoice": "auto"},
    "calls": {"tools": WEATHER, "toolChoice": "required", "messages": [
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "tool-call", "toolCallId": "call_1", "toolName": "weather", "input": {"city": "Malmö"}}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "call_1", "toolName": "weather", "output": {"type": "text", "value": "rain"}}]}]},
    "thought": {"prompt": "2+2?"},
    "short": {"prompt": "Go on.", "maxOutputTokens": 5},
    "counted": {"prompt": "Count.", "temperature": 0.5},
    "filtered": {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "file", "mediaType": "image/png", "data": scenarios.PIXEL}]}]},
    "broken": {"prompt": "Hello?"},
}


@pytest.fixture(scope="session")
def node():
    if vercel.why():
        pytest.skip(vercel.why())
    return vercel.Vercel()


def unsaid(provider, other):
    """What the client's provider does not read: reasoning in chat completions, of Responses but its summaries; the status of an error of another one."""
    if SPEAKS[provider] == SPEAKS.get(other):
        return ()
    return ("reasoning", "status", "error") if SPEAKS[provider] in ("chat", "responses") else ("status", "error")


@pytest.mark.parametrize("stem,stream", [(stem, stream) for stem in CALLS for stream in (False, True) if stream or stem != "broken"])
@pytest.mark.parametrize("provider,deployment", PAIRS)
def test_objects(site, node, provider, deployment, stem, stream):
    site.of(deployment).says(stem)
    way = PROVIDERS[DEPLOYMENTS[deployment].provider]
    direct = node.ask(DIRECT[deployment], site.of(deployment).address, getattr(way.provider, "api_key", way.key), DEPLOYMENTS[deployment].upstream, stream, **CALLS[stem])
    through = node.ask(provider, site.address, site.key, "to-" + deployment, stream, **CALLS[stem])
    for name in unsaid(provider, DIRECT[deployment]):
        direct.pop(name, None), through.pop(name, None)
    if SPEAKS[provider] == "converse" and DIRECT[deployment] != provider:
        for one in (direct, through):
            one.get("usage", {}).pop("reasoning", None)         # Converse does not tell it apart
    assert through == direct
    assert not site.of(deployment).refused
