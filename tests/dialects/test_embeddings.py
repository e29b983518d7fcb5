"""Embeddings: what Titan and Cohere are asked for any question of OpenAI's, and what becomes of their answers, against writers of their own here."""
import base64
import json
import random
import re
import struct

import pytest

import driver

TITAN_V1, TITAN_V2, COHERE_V3, COHERE_V4 = MODELS = (3, 4, 5, 6)
TEXTS = {TITAN_V1: 1, TITAN_V2: 1, COHERE_V3: 96, COHERE_V4: 96}
DIMENSIONS = {TITAN_V1: (1536,), TITAN_V2: (256, 512, 1024), COHERE_V3: (1024,), COHERE_V4: (256, 512, 1024, 1536)}
TYPES = {"search_document": "search_document", "search_query": "search_query", "classification": "classification", "clustering": "clustering",
         "passage": "search_document", "query": "search_query"}


def words(rng):
    return "".join(rng.choice(["a", "\u00e9", "\u6f22", "\U0001f600", '"', "\\", "\n", "\t", "\u2028", "/", " "]) for _ in range(rng.randrange(1, 40)))


def question(rng, model):
    """And the field for which the model cannot be asked it, or None."""
    count = rng.choice([1, 1, 2, 5, TEXTS[model], TEXTS[model] + 1])
    texts = [words(rng) for _ in range(count)]
    body = {"model": "m", "input": texts[0] if count == 1 and rng.random() < 0.5 else texts}
    wrong = "input" if count > TEXTS[model] else None
    if rng.random() < 0.5:
        body["dimensions"] = rng.choice([*DIMENSIONS[model], *DIMENSIONS[model], 3, 1 << 70 if rng.random() < 0.1 else 77])
        wrong = wrong or (None if body["dimensions"] in DIMENSIONS[model] else "dimensions")
    if rng.random() < 0.5:
        body["input_type"] = rng.choice([*TYPES, "image"])
        wrong = wrong or ("input_type" if model >= COHERE_V3 and body["input_type"] not in TYPES else None)
    for name, value in (("encoding_format", rng.choice(["float", "base64"])), ("user", words(rng)), ("dimensions", None)):
        if rng.random() < 0.4:
            body.setdefault(name, value)
    if rng.random() < 0.1:
        body["odd"], wrong = 1, "odd"
    items = list(body.items())
    rng.shuffle(items)
    return dict(items), texts, wrong


def asked(model, body, texts):
    """As AWS's pages have it."""
    dimensions = body.get("dimensions")
    if model in (TITAN_V1, TITAN_V2):
        return {"inputText": texts[0], **({"dimensions": dimensions} if dimensions and model == TITAN_V2 else {})}
    return {"texts": texts, "input_type": TYPES[body.get("input_type", "search_document")], "embedding_types": ["float"],
            **({"output_dimension": dimensions} if dimensions and model == COHERE_V4 else {})}


def number(rng):
    return rng.choice(["0", "-0.0", "1", "-1e-7", "0.1", "3.4028235e38", "1E2", repr(rng.uniform(-1, 1)), repr(rng.gauss(0, 1e-3))])


def answered(rng, model, vectors):
    listed = [f"[{','.join(vector)}]" for vector in vectors]
    if model in (TITAN_V1, TITAN_V2):
        return f'{{"embedding":{listed[0]},"inputTextTokenCount":11,"x":{{"embedding":[1]}}}}'
    return rng.choice([f'{{"id":"x","embeddings":[{",".join(listed)}],"texts":[]}}', f'{{"embeddings":{{"float":[{", ".join(listed)}]}},"meta":{{}}}}'])


@pytest.mark.parametrize("model", MODELS)
def test_questions(model):
    rng = random.Random(model)
    made = [question(rng, model) for _ in range(400)]
    bodies = [json.dumps(body, ensure_ascii=rng.random() < 0.5).encode() for body, _, _ in made]
    for (body, texts, wrong), (good, found) in zip(made, driver.ask([("embed", "-", "-", each, model) for each in bodies])):
        if body.get("dimensions") == 1 << 70:
            assert not good and found[0] == "invalid_request" and found[1].startswith("dimensions"), found
        elif wrong:
            assert not good and found[0] == "not_expressible" and found[1].startswith(wrong + ":"), (body, found)
        else:
            assert good and json.loads(found) == asked(model, body, texts), (body, found)


@pytest.mark.parametrize("model", MODELS)
def test_answers(model):
    """Numbers keep their spelling; as base64 they are the nearest 32-bit floats, which is what a client makes of the spelling."""
    rng = random.Random(model + 10)
    for _ in range(40):
        count = 1 if model in (TITAN_V1, TITAN_V2) else rng.randrange(1, 6)
        vectors = [[number(rng) for _ in range(rng.choice([1, 2, 256]))] for _ in range(count)]
        said = answered(rng, model, vectors)
        plain, coded = (json.dumps({"model": "m", "input": ["t"] * count, "encoding_format": form}).encode() + b"\n" + said.encode() for form in ("float", "base64"))
        text = driver.one("embedded", "-", "-", plain, model).decode()
        assert [re.split(r", ?", each) for each in re.findall(r'"embedding":\[(.*?)\]', text)] == vectors
        for body in (json.loads(text), json.loads(driver.one("embedded", "-", "-", coded, model))):
            assert (body["object"], body["model"], body["usage"]) == ("list", "a-model", {"prompt_tokens": 11, "total_tokens": 11})
            assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", at) for at in range(count)]
        packed = [base64.b64decode(one["embedding"], validate=True) for one in body["data"]]
        assert packed == [struct.pack(f"<{len(vector)}f", *map(float, vector)) for vector in vectors]


@pytest.mark.parametrize("model, said", [
    (TITAN_V2, '{"embedding":[1],"inputTextTokenCount":1099511627777}'), (TITAN_V2, '{"embedding":[1],"inputTextTokenCount":-1}'),
    (TITAN_V2, '{"embedding":[1],"embedding":[2]}'), (TITAN_V2, '{"embedding":[[1]]}'), (TITAN_V2, '{"embedding":[null]}'), (TITAN_V2, '{"inputTextTokenCount":1}'),
    (TITAN_V2, '{"embedding":[' + "1," * 8192 + "1]}"), (TITAN_V2, '{"embedding":[0.' + "1" * 64 + "]}"), (TITAN_V2, '{"embedding":[1]}x'),
    (COHERE_V4, '{"embeddings":{"float":[]}}'), (COHERE_V4, '{"embeddings":[[1],[2]]}'), (COHERE_V4, '{"embeddings":{"int8":[[1]]}}'), (COHERE_V4, "[]"), (COHERE_V4, ""),
])
def test_answers_that_are_none(model, said):
    good, found = driver.ask([("embedded", "-", "-", b'{"model":"m","input":"t"}\n' + said.encode(), model)])[0]
    assert not good and found[0] == "bad_answer", found
