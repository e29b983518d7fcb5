"""Other forms of URLs: Azure OpenAI's, and the models in two APIs' words."""
import json

import anthropic
import httpx2
import openai
import pytest

from client import ask, body_of, expect_error, get, tls_context
from documents import tenants

pytestmark = pytest.mark.sanitizer

HELLO = [{"role": "user", "content": "hello, world"}]
VERSION = "?api-version=2024-10-21"


def azure(world, authority, **more):
    """Azure's SDK with nothing but its endpoint and key changed."""
    return openai.AzureOpenAI(azure_endpoint=f"https://127.0.0.1:{world.gateway.tls_port}", api_version="2024-10-21", max_retries=0, timeout=60,
                              http_client=httpx2.Client(verify=tls_context(authority)), **more)


@pytest.mark.parametrize("more", ["api_key", "azure_ad_token"])
def test_azure_sdk(world, authority, more):
    sdk = azure(world, authority, **{more: world.gateway.key()})
    assert sdk.chat.completions.create(model="m", messages=HELLO).choices[0].message.content == "hello, world"
    chunks = list(sdk.chat.completions.create(model="m", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "hello, world"
    assert sdk.completions.create(model="m", prompt="once upon").choices[0].text == "once upon"
    assert [one.embedding[2] for one in sdk.embeddings.create(model="m", input=["a", "bcd"], encoding_format="float").data] == [1.0, 3.0]
    assert [one.id for one in sdk.models.list()] == ["m"] and sdk.models.retrieve("m").id == "m"
    assert [(r.target, r.json["model"]) for r in world.b1.requests] == [(f"/v1/{path}", "m") for path in
                                                                       ("chat/completions", "chat/completions", "completions", "embeddings")]


def test_azure_sdk_with_its_deployment_in_the_client(world, authority):
    sdk = azure(world, authority, api_key=world.gateway.key(), azure_deployment="m")
    assert sdk.chat.completions.create(model="whatever", messages=HELLO).choices[0].message.content == "hello, world"
    assert world.b1.requests[0].json["model"] == "m"
    with pytest.raises(openai.NotFoundError) as caught:
        azure(world, authority, api_key=world.gateway.key(), azure_deployment="nobody").chat.completions.create(model="m", messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_deployment_in_the_path_is_the_model(world):
    """A body without model is as good, one with another counts for nothing; what the backend gets is its own name."""
    world.route("b1", models={"m": "up", "other": "o"}, tenants=tenants(models=["m"]))
    for body in ({"messages": HELLO}, {"model": "other", "messages": HELLO}, {"messages": HELLO, "model": "m"}):
        assert ask(world.gateway, json.dumps(body).encode(), path="/openai/deployments/m/chat/completions" + VERSION).status == 200
        assert world.b1.requests[-1].json == {**body, "model": "up"}
    expect_error(ask(world.gateway, json.dumps({"model": "m", "messages": HELLO}).encode(), path="/openai/deployments/other/chat/completions"), 403,
                 "model_not_allowed")
    expect_error(ask(world.gateway, b"{}", path="/openai/deployments/m/embeddings"), 400, "invalid_request")
    assert len(world.b1.requests) == 3


def test_v1_of_azure(world):
    for path in ("/openai/v1/chat/completions", "/openai/v1/chat/completions?api-version=preview"):
        assert ask(world.gateway, path=path).status == 200
    assert [r.target for r in world.b1.requests] == ["/v1/chat/completions"] * 2


@pytest.mark.parametrize("path", ["/openai/deployments/%0a/embeddings", "/openai/deployments/%ff/embeddings", "/openai/deployments/%00/embeddings"])
def test_names_that_are_none(world, path):
    found = ask(world.gateway, body_of(), path=path)
    assert found.status in (400, 404) and found.json["error"]["code"] in ("invalid_request", "bad_request", "unknown_endpoint")
    assert not world.contacted()


@pytest.mark.parametrize("path", ["/openai/deployments/x/../m/embeddings", "/openai/deployments/x%2f..%2fm/embeddings", "/openai//deployments/m/embeddings",
                                  "/openai/deployments/m%2fembeddings", "/%6fpenai/deployments/m/embeddings"])
def test_paths_that_were_changed(world, path):
    expect_error(ask(world.gateway, b'{"input":"x"}', path=path), 404, "unknown_endpoint")
    assert not world.contacted()


def test_models(world):
    world.route("b1", models={"a/b": "1", "m": "2", "private": "3"}, tenants=tenants(models=["a/b", "m"]))
    for path in ("/v1/models", "/openai/v1/models", "/openai/models" + VERSION):
        found = get(world.gateway, path, world.gateway.key())
        assert found.status == 200 and [one["id"] for one in found.json["data"]] == ["a/b", "m"]
    for path in ("/v1/models/a/b", "/v1/models/a%2Fb"):
        assert get(world.gateway, path, world.gateway.key()).json == {"id": "a/b", "object": "model", "created": 0, "owned_by": "gatehouse"}
    for name in ("private", "nobody"):
        expect_error(get(world.gateway, f"/v1/models/{name}", world.gateway.key()), 404, "model_not_found")
    expect_error(ask(world.gateway, path="/v1/models/m"), 405, "method_not_allowed")
    expect_error(get(world.gateway, "/v1/models/m"), 401, "invalid_api_key")


def test_models_in_anthropics_words(world):
    world.route("b1", models={"a": "1", "b": "2", "c": "3"}, tenants=tenants(models=["a", "b", "c"]))
    sdk = anthropic.Anthropic(base_url=f"http://127.0.0.1:{world.gateway.port}", auth_token=world.gateway.key(), max_retries=0, timeout=60)
    assert [(one.id, one.type, one.display_name, one.created_at.year) for one in sdk.models.list()] == [(name, "model", name, 1970) for name in "abc"]
    page = sdk.models.list(limit=2)
    assert ([one.id for one in page.data], page.has_more, page.first_id, page.last_id) == (["a", "b"], True, "a", "b")
    assert [one.id for one in sdk.models.list(limit=1)] == ["a", "b", "c"]
    assert sdk.models.retrieve("b").id == "b"
