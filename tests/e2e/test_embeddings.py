"""OpenAI's embeddings from models that Bedrock has: Titan and Cohere, each with a body of its own."""
import base64
import json
import struct

import openai
import pytest

from client import ask, expect_error
from documents import deployment, fleet, residency, tenants
from mock_backend import answer

pytestmark = pytest.mark.sanitizer

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "eu.cohere.embed-v4:0"
VECTOR = [0.125, -1e-3, 0.1]


def use(world, *models):
    for mock in world.mocks.values():
        mock.clear()
    world.turn += 1
    made = []
    for number, model in enumerate(models, 1):
        spec = {"dialect": "bedrock", "endpoints": ["embeddings"], "models": {"m": model}} if model else {}
        made.append({**deployment(f"b{number}", f"b{number}", priority=number, **spec), "id": f"b{number}-{world.turn}"})
    world.gateway.apply(fleet(*made), residency(), tenants())


def sdk(world):
    return openai.OpenAI(api_key=world.gateway.key(), base_url=f"http://127.0.0.1:{world.gateway.port}/v1", max_retries=0, timeout=60)


def titan(tokens=5):
    return answer(200, {"embedding": VECTOR, "embeddingsByType": {"float": VECTOR}, "inputTextTokenCount": tokens})


def cohere(count, tokens=9):
    return answer(200, {"id": "x", "response_type": "embeddings_by_type", "texts": ["t"] * count, "embeddings": {"float": [VECTOR] * count}},
                  [("x-amzn-bedrock-input-token-count", str(tokens))])


@pytest.mark.parametrize("form", ["float", "base64"])
def test_titan(world, form):
    use(world, TITAN)
    world.b1.play(titan())
    found = sdk(world).embeddings.create(model="m", input="hé\u2028llo", dimensions=512, encoding_format=form)
    arrived = world.b1.requests[0]
    assert arrived.target == "/model/amazon.titan-embed-text-v2%3A0/invoke" and arrived.json == {"inputText": "hé\u2028llo", "dimensions": 512}
    got = found.data[0].embedding
    if form == "base64":
        assert base64.b64decode(got) == struct.pack("<3f", *VECTOR)
    else:
        assert got == VECTOR
    assert (found.model, found.usage.prompt_tokens, found.usage.total_tokens, found.data[0].index) == ("m", 5, 5, 0)


def test_cohere(world):
    use(world, COHERE)
    world.b1.play(cohere(2))
    found = sdk(world).embeddings.create(model="m", input=["a", "b"], dimensions=1024, extra_body={"input_type": "query"})
    assert world.b1.requests[0].json == {"texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 1024}
    assert [one.index for one in found.data] == [0, 1] and found.usage.prompt_tokens == 9
    assert found.data[1].embedding == pytest.approx(VECTOR)
    world.b1.play(cohere(1))
    body = ask(world.gateway, b'{"model":"m","input":["a"]}', path="/v1/embeddings")
    outcome = world.gateway.outcome(body.id)
    assert world.b1.requests[1].json["input_type"] == "search_document" and (outcome["usage"]["input"], outcome["usage"]["source"]) == (9, "reported")
    assert outcome["attempts"][0]["upstream_dialect"] == "bedrock"


@pytest.mark.parametrize("model, body, field", [(TITAN, {"input": ["a", "b"]}, "input"), (TITAN, {"input": "a", "dimensions": 7}, "dimensions"),
                                                (COHERE, {"input": ["a"] * 97}, "input"), (COHERE, {"input": "a", "input_type": "other"}, "input_type")])
def test_what_cannot_be_asked(world, model, body, field):
    """is refused with its field before anything is sent, or goes where it can be."""
    use(world, model)
    found = ask(world.gateway, json.dumps({"model": "m", **body}).encode(), path="/v1/embeddings")
    expect_error(found, 400, "not_expressible")
    assert field in json.dumps(found.error) and not world.contacted()
    use(world, model, None)
    ask(world.gateway, json.dumps({"model": "m", **body}).encode(), path="/v1/embeddings")
    assert set(world.contacted()) == {"b2"}


@pytest.mark.parametrize("bad", [b"", b"{}", b"[]", b'{"embedding":[1,"x"]}', b'{"embedding":1}', b'{"embedding":[1],"inputTextTokenCount":-1}'])
def test_an_answer_that_cannot_be_read(world, bad):
    use(world, TITAN, TITAN)
    world.b1.play(answer(200, bad))
    world.b2.play(titan())
    assert sdk(world).embeddings.create(model="m", input="a", encoding_format="float").data[0].embedding == VECTOR
    assert world.contacted() == ["b1", "b2"]


def test_errors(world):
    use(world, TITAN)
    world.b1.play(answer(400, {"message": "Too many input tokens."}, [("x-amzn-ErrorType", "ValidationException")]))
    with pytest.raises(openai.BadRequestError, match="Too many"):
        sdk(world).embeddings.create(model="m", input="a")
