#!/usr/bin/env python3
"""
Random request bodies through build/tests/tools/wire_intake: Python's json says whether exactly the intended fields
changed, and every byte outside the changed values must be the client's. Mutated bodies: what Python's strict reading
refuses is refused, what the gateway takes Python takes.

    tests/data/check_splice.py [--tool build/tests/tools/wire_intake] [--count N] [--seed N]
"""
import argparse
import json
import os
import pathlib
import random
import subprocess

KNOWN = ["temperature", "top_p", "seed", "user", "metadata", "stop", "logit_bias", "response_format", "tool_choice",
         "parallel_tool_calls", "presence_penalty", "service_tier", "safety_identifier", "top_k", "chat_template_kwargs"]
UNKNOWN = ["provider", "route", "x", "Stream", "store ", "é", "a.b", ""]
REFUSED = dict.fromkeys(
    ["api_base", "base_url", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "extra_body", "model_list",
     "user_config", "deployment_id"], "invalid_request")
# name, version, adds usage, adds store, the field that says how long an answer may be
DIALECTS = [("openai", "-", True, True, "max_completion_tokens"), ("self", "-", True, True, "max_tokens"),
            ("azure-v1", "-", True, True, "max_completion_tokens"), ("azure-classic", "2024-06-01", False, False, "max_tokens"),
            ("azure-classic", "2024-10-21", True, False, "max_completion_tokens"),
            ("azure-classic", "2025-04-01-preview", True, True, "max_completion_tokens"), ("bedrock-openai", "-", True, False, "max_completion_tokens")]
GEOS = [None, "us", "global", "eu-only", "ch"]
MAXIMA = ["max_tokens", "max_completion_tokens", "n_predict"]


class Raw(str):
    """JSON text that stands as it is."""


def space(rng):
    return rng.choice(["", "", "", " ", "\n  ", "\t", "\r\n"])


def string(rng, text):
    out = []
    for c in text:
        if c in '"\\' or ord(c) < 32 or rng.random() < 0.05:
            units = c.encode("utf-16-be")
            out.append("".join("\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2)))
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def words(rng):
    return "".join(rng.choice('ab "\\/\n{}[]:,äß漢😀\u2028') for _ in range(rng.randrange(12)))


def value(rng, depth=0):
    kind = rng.randrange(7 if depth < 3 else 5)
    if kind == 0:
        return words(rng)
    if kind == 1:
        return Raw(rng.choice(["0", "-0", "1.50", "1E5", "123456789012345678901234567890", "0.1e-3", "-7"]))
    if kind < 5:
        return [True, False, None][kind - 2]
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {words(rng) + str(i): value(rng, depth + 1) for i in range(rng.randrange(4))}


def text(rng, v):
    if isinstance(v, Raw):
        return str(v)
    if isinstance(v, str):
        return string(rng, v)
    if isinstance(v, list):
        return "[" + ",".join(space(rng) + text(rng, x) + space(rng) for x in v) + "]"
    if isinstance(v, dict):
        return "{" + (",".join(space(rng) + string(rng, k) + space(rng) + ":" + space(rng) + text(rng, x) + space(rng)
                               for k, x in v.items()) or space(rng)) + "}"
    return {True: "true", False: "false", None: "null"}[v]


def message(rng):
    picture = {"type": "image_url", "image_url": rng.choice([{"url": "data:," + words(rng)}, "data:image/png;base64," + "QUJD" * rng.randrange(9)])}
    content = rng.choice([words(rng), None, [{"type": "text", "text": words(rng)}], [picture, words(rng)], [picture, picture]])
    return {"role": rng.choice(["user", "assistant"]), "content": content}


def request(rng, endpoint):
    fields = [("model", rng.choice(["gpt-4.1", "up", "ä/b", words(rng).replace("\n", "") or "m"]))]
    if endpoint == "chat.completions":
        fields.append(("messages", [message(rng) for _ in range(rng.randrange(4))]))
        if rng.random() < 0.5:
            fields.append(("store", rng.choice([True, False, None])))
    elif endpoint == "messages":
        fields.append(("messages", [{"role": "user", "content": rng.choice([words(rng), [{"type": "text", "text": words(rng)}]])} for _ in range(rng.randrange(4))]))
        fields += [(name, value) for name, value in (("max_tokens", Raw(str(rng.randrange(1, 2000)))), ("stream", rng.choice([True, False, None]))) if rng.random() < 0.7]
    else:
        fields.append(("prompt" if endpoint == "completions" else "input", rng.choice([words(rng), [words(rng)]])))
    if endpoint not in ("embeddings", "messages"):
        if rng.random() < 0.7:
            fields.append(("stream", rng.choice([True, True, False, None])))
        if rng.random() < 0.6:
            options = {k: v for k, v in [("include_usage", rng.choice([True, False, None])), ("include_obfuscation", True),
                                         ("other", {"include_usage": False})] if rng.random() < 0.5}
            fields.append(("stream_options", rng.choice([options, options, None])))
        if rng.random() < 0.6:
            for name in rng.sample(MAXIMA, rng.choice([1, 1, 2, 3])):
                fields.append((name, rng.choice([None, Raw("-1"), Raw("0"), Raw(str(rng.randrange(1, 2000))), Raw(str(rng.randrange(1, 2000)))])))
    for name in rng.sample(KNOWN if endpoint != "messages" else (), rng.randrange(4) if endpoint != "messages" else 0) + rng.sample(UNKNOWN, rng.choice([0, 0, 1, 2])):
        fields.append((name, value(rng)))
    if rng.random() < 0.3:
        fields.append(("inference_geo", rng.choice(GEOS)))
    rng.shuffle(fields)
    return dict(fields)


def exact(data, duplicates=False):
    """As Python reads it, number spellings kept, duplicate keys (unless allowed) and non-finite numbers refused."""
    def pairs(items):
        if not duplicates and len({k for k, _ in items}) != len(items):
            raise ValueError("duplicate")
        return dict(items)

    def refuse(name):
        raise ValueError(name)
    return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_float=lambda s: ("number", s),
                      parse_int=lambda s: ("number", s), parse_constant=refuse)


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path, "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, endpoint, dialect, upstream, version, store_false, body, cap=0, geo="-"):
        head = f"{endpoint} {dialect} {upstream} {version} {int(store_false)} {cap} {geo} {len(body)}\n"
        self.process.stdin.write(head.encode() + body)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the tool has died")
        return json.loads(line)


def capped(asked, endpoint, cap, field):
    """No number above the cap, and one that every server obeys: the client's own, or one that is added."""
    out = dict(asked)
    for name in MAXIMA:
        if name in out and out[name] is not None and not 0 <= int(out[name][1]) <= cap:
            out[name] = ("number", str(cap))
    if all(out.get(name) is None for name in MAXIMA[:2]):
        out[field if endpoint == "chat.completions" else "max_tokens"] = ("number", str(cap))
    return out


def expected(asked, endpoint, upstream, adds_usage, adds_store, store_false, cap, field, geo):
    out = dict(asked)
    out.pop("inference_geo", None)                          # it narrows: what is sent is the deployment's own
    if geo != "-":
        out["inference_geo"] = geo
    if cap and endpoint != "embeddings":
        out = capped(out, endpoint, cap, field)
    out["model"] = upstream
    if asked.get("stream") is True and adds_usage:
        options = dict(asked.get("stream_options") or {})
        options["include_usage"] = True
        out["stream_options"] = options
    if store_false and endpoint == "chat.completions" and (adds_store or "store" in asked):
        out["store"] = False
    return out


def check_edits(body, answer):
    """The edits are in order, inside, and the rest is the client's bytes."""
    out, at = b"", 0
    for edit in answer["edits"]:
        assert edit["offset"] >= at and edit["offset"] + edit["length"] <= len(body), edit
        out += body[at:edit["offset"]] + edit["text"].encode()
        at = edit["offset"] + edit["length"]
    out += body[at:]
    assert bytes.fromhex(answer["body_hex"]) == out
    return out


def plain(value):
    """The shortest text of what was read: what a byte-level tokenizer could see at most."""
    if isinstance(value, dict):
        return "{" + ",".join('"' + key + '":' + plain(member) for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(plain(member) for member in value) + "]"
    if isinstance(value, tuple):
        return value[1]
    return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else '"' + value + '"'


def check_counts(asked, answer, endpoint):
    """What the bound of the prompt is made from."""
    pictures = [part["image_url"] for message in asked.get("messages") or () for part in message.get("content") or ()
                if isinstance(part, dict) and "image_url" in part]
    urls = [picture if isinstance(picture, str) else picture["url"] for picture in pictures]
    assert answer["messages"] == len(asked.get("messages") or ()) and answer["images"] == len(urls), answer
    text, media = len(plain(asked).encode()), sum(len(url.encode()) for url in urls)
    if any(use["name"] == "fetched_url" for use in answer["features"]):     # a spelling that may hide one: its bytes are text
        assert text - media <= answer["text_bytes"] <= text, (answer, asked)
    else:
        assert answer["text_bytes"] == text - media, (answer, asked)
    assert answer["prompts"] == 1 and (answer["unbounded"] == 0) <= all(name not in asked for name in UNKNOWN), answer
    given = [int(asked[name][1]) for name in MAXIMA if asked.get(name) is not None]
    obeyed = any(asked.get(name) is not None and int(asked[name][1]) > 0 for name in MAXIMA[:2]) and endpoint != "embeddings"
    assert answer["max_tokens"] == (max(given) if obeyed and min(given) >= 0 else 0), answer


def check_good(tool, rng):
    endpoint = rng.choice(["chat.completions", "chat.completions", "completions", "embeddings"])
    dialect, version, adds_usage, adds_store, field = rng.choice(DIALECTS)
    upstream, store_false = rng.choice(["up", "gpt-4.1", 'q"\\/ä:0']), rng.random() < 0.5
    cap, geo = rng.choice([0, 0, 1, 500, 10 ** 9]), "-"
    if rng.random() < 0.2:
        endpoint, dialect, version, adds_usage, adds_store, cap, geo = "messages", "anthropic", "-", False, False, 0, rng.choice(["-", "us", "global"])
    asked = request(rng, endpoint)
    body = (space(rng) + text(rng, asked) + space(rng)).encode()
    answer = tool.ask(endpoint, dialect, upstream, version, store_false, body, cap, geo)
    if dialect == "bedrock-openai" and endpoint != "chat.completions":
        assert answer.get("error") == "bad_gateway", answer
        return
    assert "error" not in answer, (body, answer)
    before, after = exact(body), exact(check_edits(body, answer))
    want = expected(before, endpoint, upstream, adds_usage, adds_store, store_false, cap, field, geo)
    assert after == want, (body, after, want)
    assert [k for k in after if k in before] == [k for k in before if k in after], "the order of keys"
    said = before.get("inference_geo") or "global"
    assert answer["inference_geo"] == ("" if said == "global" else said.upper() if len(said) == 2 else said), answer
    assert len(answer["edits"]) <= 7
    check_counts(before, answer, endpoint)
    if want == before and answer["edits"] and not (geo != "-" and "inference_geo" in before):
        # only a value spelled otherwise may be the same afterwards: none is
        raise AssertionError((body, answer["edits"]))
    assert answer["model"] == before["model"] and answer["stream"] == (before.get("stream") is True)
    unknown = {f["where"] for f in answer["features"] if f["name"] == ""}
    for name in UNKNOWN:
        assert (name in before) == (name in unknown), (name, answer["features"], body)


def check_steering(tool, rng):
    """A body that says where it goes is refused, however the name is spelled, whatever it says, wherever it stands."""
    endpoint, name = rng.choice(["chat.completions", "completions", "embeddings"]), rng.choice(list(REFUSED))
    asked = list(request(rng, endpoint).items())
    asked.insert(rng.randrange(len(asked) + 1), (name, value(rng)))
    body = (space(rng) + text(rng, dict(asked)) + space(rng)).encode()
    answer = tool.ask(endpoint, "openai", "up", "-", False, body)
    assert answer.get("error") == REFUSED[name], (body, answer)


def strict(data, duplicates=False):
    """What a strict reader makes of it, or None: Python lets pass NUL, lone surrogates and 1e999."""
    try:
        read = exact(data, duplicates)
    except (ValueError, RecursionError):
        return None
    stack = [read]
    while stack:
        v = stack.pop()
        if isinstance(v, dict):
            stack += list(v) + list(v.values())
        elif isinstance(v, list):
            stack += v
        elif isinstance(v, tuple):
            if float(v[1]) in (float("inf"), float("-inf")):
                return None
        elif isinstance(v, str) and ("\0" in v or any(0xD800 <= ord(c) < 0xE000 for c in v)):
            return None
    return read


def check_mutated(tool, rng):
    body = bytearray(text(rng, request(rng, "chat.completions")).encode())
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(body) + 1)
        end = min(len(body), at + rng.randrange(4))
        body[at:end] = rng.choice([b"", b"\x00", b"\xff", b'"', b"{", b"}", b",", b"1", b"\\u0000", b"\\ud800", b"1e999", b"null",
                                   bytes([rng.randrange(256)]), bytes(body[at:at + 9])])
    answer = tool.ask("chat.completions", "openai", "up", "-", False, bytes(body))
    if "error" not in answer:
        # objects that the gateway does not read may hold a key twice
        assert strict(bytes(body), duplicates=True) is not None, (bytes(body), answer)
        after = json.loads(check_edits(bytes(body), answer).decode("utf-8"))
        assert after["model"] == "up"
    elif answer["error"] in ("invalid_json", "duplicate_key"):
        assert strict(bytes(body)) is None, (bytes(body), answer)
    else:
        assert answer["error"] in ("invalid_request", "invalid_places"), answer


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default=str(root / "build/tests/tools/wire_intake"))
    parser.add_argument("--count", type=int, default=30000)
    parser.add_argument("--seed", default=os.environ.get("SEED") or str(random.randrange(1 << 30)))
    args = parser.parse_args()

    tool, rng = Tool(args.tool), random.Random(args.seed)
    print(f"check_splice: {args.count} bodies, seed {args.seed}", flush=True)
    for i in range(args.count):
        (check_steering if i % 30 == 0 else check_mutated if i % 3 == 2 else check_good)(tool, rng)
    print(f"check_splice: {args.count} bodies as intended")


if __name__ == "__main__":
    main()
