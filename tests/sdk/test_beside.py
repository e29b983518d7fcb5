"""What is no conversation: embeddings, counts of tokens, lists of models; and deployments of our own, whose chat completions take more than OpenAI's."""
import json

import clients
import pytest
import site_of
from mock_backend import answer
from provider_bedrock import HEADERS

import documents

VECTOR = [0.125, -0.001, 0.1, 3.0]
EMBEDDINGS = {"object": "list", "model": "gpt-x", "data": [{"object": "embedding", "index": at, "embedding": VECTOR} for at in (0, 1)],
              "usage": {"prompt_tokens": 5, "total_tokens": 5}}


def bedrock(site, **models):
    """Deployments of Bedrock's embeddings for one test, each alone with the model of its name."""
    made = [site_of.aws(f"{name}-{site.turn}", "bedrock", endpoints=["embeddings"], models={name: upstream}) for name, upstream in models.items()]
    site.gateway.apply(documents.fleet(*made), documents.residency(documents.allow("all")), documents.tenants())


def test_embeddings_of_its_own_dialect(site):
    """The SDK asks for base64 by itself and makes floats of it."""
    provider, found = site.of("chat"), []
    for sdk, model in ((site.direct(clients.Chat, "chat"), "gpt-x"), (site.through(clients.Chat), "to-chat")):
        provider.plays(answer(200, EMBEDDINGS))
        found.append(sdk.sdk.embeddings.create(model=model, input=["one", "two"], dimensions=4).to_dict())
    assert found[0] == found[1] and found[0]["data"][1]["embedding"] == VECTOR
    direct, through = (request.json for request in provider.arrived)
    assert through == {**direct, "model": "gpt-x"}


@pytest.mark.parametrize("form", ["float", "base64"])
@pytest.mark.parametrize("model, upstream, texts, said", [
    ("titan", "amazon.titan-embed-text-v2:0", ["one"], {"embedding": VECTOR, "inputTextTokenCount": 11}),
    ("cohere", "cohere.embed-v4:0", ["one", "two"], {"embeddings": {"float": [VECTOR, VECTOR]}}),
])
def test_embeddings_of_bedrock(fresh, form, model, upstream, texts, said):
    bedrock(fresh, **{model: upstream})
    provider = fresh.of("converse")
    provider.plays(answer(200, said, HEADERS))
    found = fresh.through(clients.Chat).sdk.embeddings.create(model=model, input=texts, encoding_format=form)
    assert not provider.refused and found.usage.prompt_tokens == 11 and [one.index for one in found.data] == list(range(len(texts)))
    assert form == "base64" or all(one.embedding == VECTOR for one in found.data)
    asked = provider.arrived[0].json
    assert asked.get("texts", [asked.get("inputText")]) == texts


def test_counts_of_tokens(site):
    provider, found = site.of("messages"), []
    for sdk, model in ((site.direct(clients.Messages, "messages"), "claude-x"), (site.through(clients.Messages), "to-messages")):
        provider.plays(answer(200, {"input_tokens": 2095}))
        found.append(sdk.sdk.messages.count_tokens(model=model, messages=[{"role": "user", "content": "Hello?"}], system="Be brief.").to_dict())
    assert found == [{"input_tokens": 2095}] * 2
    assert provider.arrived[0].json == provider.arrived[1].json and provider.arrived[1].target.startswith("/v1/messages/count_tokens")


def test_lists_of_models(site):
    """Of either style, by either SDK: what the key may use, page by page as each asks for them, and one by its name."""
    openai, anthropic = site.through(clients.Chat).sdk, site.through(clients.Messages).sdk
    names = sorted("to-" + name for name in site_of.DEPLOYMENTS)
    assert sorted(one.id for one in openai.models.list()) == names
    assert openai.models.retrieve("to-chat").id == "to-chat" and openai.models.retrieve("to-chat").object == "model"
    assert sorted(one.id for one in anthropic.models.list()) == names
    assert sorted(one.id for one in anthropic.models.list(limit=2)) == names
    assert anthropic.models.retrieve("to-messages").type == "model"
    with pytest.raises(clients.openai.NotFoundError):
        openai.models.retrieve("no-such")


def test_chat_of_our_own(site):
    """vLLM, SGLang, llama.cpp take top_k and reasoning that is sent back, which OpenAI does not."""
    provider = site.of("chat").says("hello")
    asked = {"model": "to-chat", "max_tokens": 9, "top_k": 40, "stop_sequences": list("abcde"), "messages": [
        {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "First.", "signature": "c2lnbmVk"}, {"type": "text", "text": "4"}]},
        {"role": "user", "content": "And 3+3?"}]}
    for streamed in (False, True):
        found = site.through(clients.Messages).told(asked, streamed)
        assert found["text"] == "Grüße, 😀 \"you\"\nbye", found
        arrived = provider.arrived[-1].json
        assert arrived["top_k"] == 40 and len(arrived["stop"]) == 5
        said = arrived["messages"][1]
        assert said["content"] == "4" and "First." in json.dumps(said.get("reasoning_details") or said.get("reasoning_content"))
    refused = site.through(clients.Messages).told({**asked, "model": "to-azure"})
    assert refused["status"] == 400 and not site.of("azure").arrived
