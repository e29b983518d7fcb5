"""An unchanged openai SDK, over HTTP/1.1 and HTTP/2."""
import httpx2
import openai
import pytest

from client import tls_context
from documents import tenants
from mock_backend import DONE, delta, event, provider_error, role, stream, usage_event

pytestmark = pytest.mark.sanitizer


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def sdk(request, world, authority):
    """An SDK client for tenant red; `sdk.version` notes the protocol of the last answer."""
    seen = []
    http = httpx2.Client(verify=tls_context(authority), http2=request.param == "HTTP/2",
                         event_hooks={"response": [lambda answer: seen.append(answer.http_version)]})
    client = openai.OpenAI(api_key=world.gateway.key(), base_url=f"https://127.0.0.1:{world.gateway.tls_port}/v1", http_client=http,
                           max_retries=0, timeout=60)
    yield client
    assert seen and set(seen) == {request.param}
    http.close()


HELLO = [{"role": "user", "content": "hello, world"}]


def test_chat(sdk, world):
    answer = sdk.chat.completions.create(model="m", messages=HELLO)
    assert answer.choices[0].message.content == "hello, world"
    assert answer.usage.prompt_tokens == 11 and answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer._request_id and answer._request_id == world.b1.requests[0].id


def test_chat_stream(sdk, world):
    chunks = list(sdk.chat.completions.create(model="m", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "hello, world"
    assert all(chunk.usage is None for chunk in chunks)
    assert world.b1.requests[0].json["stream_options"] == {"include_usage": True}


def test_chat_stream_with_usage(sdk, world):
    chunks = list(sdk.chat.completions.create(model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [7]
    assert chunks[-1].choices == []


def test_tools_pass_through(sdk, world):
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    sdk.chat.completions.create(model="m", messages=HELLO, tools=tools, tool_choice="auto", temperature=0.25)
    arrived = world.b1.requests[0].json
    assert arrived["tools"] == tools and arrived["tool_choice"] == "auto" and arrived["temperature"] == 0.25


def test_completions(sdk):
    assert sdk.completions.create(model="m", prompt="once upon").choices[0].text == "once upon"


def test_embeddings(sdk):
    answer = sdk.embeddings.create(model="m", input=["a", "bcd"], encoding_format="float")
    assert [one.embedding[2] for one in answer.data] == [1.0, 3.0]


def test_models(sdk, world):
    world.route("b1", models={"m": "m", "other": "o", "private": "p"}, tenants=tenants(models=["m", "other"]))
    assert sorted(model.id for model in sdk.models.list()) == ["m", "other"]


def test_unknown_model(sdk):
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="nobody", messages=HELLO)
    assert caught.value.code == "model_not_found" and caught.value.request_id


def test_forbidden_model(sdk, world):
    world.route("b1", models={"m": "m", "private": "p"}, tenants=tenants(models=["m"]))
    with pytest.raises(openai.PermissionDeniedError) as caught:
        sdk.chat.completions.create(model="private", messages=HELLO)
    assert caught.value.code == "model_not_allowed"
    assert not world.contacted()


def test_bad_key(sdk, world):
    with pytest.raises(openai.AuthenticationError) as caught:
        sdk.with_options(api_key="gh_wrong").chat.completions.create(model="m", messages=HELLO)
    assert caught.value.code == "invalid_api_key"
    assert not world.contacted()


def test_bad_request(sdk):
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="m", messages=HELLO, n=0)
    assert caught.value.code == "invalid_request"


def test_provider_error_reaches_the_client(sdk, world):
    world.route("b1")
    world.b1.play(provider_error(400, "prompt too long"))
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="m", messages=HELLO)
    assert "prompt too long" in str(caught.value)


def test_rate_limit_of_the_last_provider(sdk, world):
    world.route("b1")
    world.b1.play(provider_error(429, "slow down", [("Retry-After", "7")]))
    with pytest.raises(openai.RateLimitError) as caught:
        sdk.chat.completions.create(model="m", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7" and "slow down" in str(caught.value)


def test_stream_that_breaks(sdk, world):
    """After the commit point: the SDK sees what came, then an error, and never a clean end."""
    world.route("b1", "b2")
    world.b1.play(stream(role(), delta("par"), event({"error": {"message": "lost", "type": "server_error", "param": None, "code": "oops"}})))
    got = []
    with pytest.raises(openai.APIError):
        for chunk in sdk.chat.completions.create(model="m", messages=HELLO, stream=True):
            got.append(chunk.choices[0].delta.content or "")
    assert "".join(got) == "par" and world.contacted() == ["b1"]


def test_usage_chunk_of_a_generous_backend_is_removed(sdk, world):
    """The backend counts; this client did not ask."""
    world.route("b1")
    world.b1.play(stream(role(), delta("x"), delta("", "stop"), usage_event(), DONE))
    chunks = list(sdk.chat.completions.create(model="m", messages=HELLO, stream=True))
    assert [bool(chunk.choices) for chunk in chunks] == [True, True, True]
