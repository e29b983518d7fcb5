#!/usr/bin/env python3
"""
What providers really said and were really asked, through the translator and the intake: by hand, since recordings are other people's and no part of this tree.

    recorded.py [--splits BYTES] DIRECTORY...

A directory holds recordings as VCR's cassettes (YAML, which needs PyYAML): those of the tests of pydantic-ai, openllmetry and opentelemetry-python-contrib have answers of OpenAI,
Azure, Anthropic and Bedrock. Each answer, error and stream of status 200 goes to every other dialect, where a stream has to end as that dialect ends; each request that was accepted
is read as a client's, and what of it is a feature without a name is told. --splits also has each stream of at most so many bytes split and cut at every byte.
It ends with 1 when an answer could not be read, or a stream did not end well.
"""
import argparse
import base64
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

import yaml
from botocore.eventstream import EventStreamBuffer

from driver import ROOT, ask, built

INTAKE = ROOT / "build/tests/tools/wire_intake"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ENDS = {"chat": b"data: [DONE]", "chat-open": b"data: [DONE]", "messages": b"message_stop", "responses": b'"type":"response.completed"', "converse": b"metadata ", "invoke": b"chunk "}
Exchange = collections.namedtuple("Exchange", "file dialect intake request status answer stream")


def spoken(host, path):
    """The dialects of a URL's answers, and what the intake calls its endpoint and its backend."""
    if path.endswith("/chat/completions"):
        own = "openai" if host == "api.openai.com" or host.endswith(".azure.com") else "self"
        return ["chat"] if own != "self" else ["chat", "chat-open"], ("chat.completions", own)
    if path.endswith("/responses"):
        return ["responses"], ("responses", "openai")
    if path.endswith("/v1/messages"):
        return ["messages"], ("messages", "anthropic")
    if path.endswith(("/converse", "/converse-stream")):
        return ["converse"], ("converse", "bedrock")
    if "/invoke" in path and "anthropic" in path:
        return ["invoke"], None
    return [], None


def body_of(part):
    if part.get("parsed_body") is not None:
        return json.dumps(part["parsed_body"]).encode()
    body = part.get("body")
    body = body.get("string", b"") if isinstance(body, dict) else body
    body = body if isinstance(body, bytes) else str(body or "").encode()
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def frames(body):
    """Lines "TYPE LENGTH" and payloads, as the driver wants streams of Bedrock."""
    buffer, out = EventStreamBuffer(), b""
    buffer.add_data(body)
    for message in buffer:
        exception = message.headers[":message-type"] == "exception"
        name = ("!" + message.headers[":exception-type"]) if exception else message.headers[":event-type"]
        out += f"{name} {len(message.payload)}\n".encode() + message.payload + b"\n"
    return out


def exchanges(directory):
    for path in sorted([*directory.rglob("*.yaml"), *directory.rglob("*.yml")]):
        try:
            document = yaml.load(path.read_text(), LOADER)
        except (yaml.YAMLError, UnicodeDecodeError):
            print(f"{path}: no YAML that can be read")
            continue
        for one in (document or {}).get("interactions", []) if isinstance(document, dict) else []:
            request, response = one.get("request", {}), one.get("response", {})
            url = urllib.parse.urlsplit(str(request.get("uri", "")))
            dialects, intake = spoken(url.netloc, url.path)
            if "status" not in response:
                continue
            body = body_of(response)
            for dialect in dialects:
                framed = dialect in ("converse", "invoke") and "stream" in url.path and response["status"]["code"] == 200
                stream = framed or body.lstrip().startswith((b"event:", b"data:"))
                yield Exchange(path.name, dialect, intake, body_of(request), response["status"]["code"], frames(body) if framed else body, stream)


def ended(target, text, answer):
    if b'"error"' in answer or b"\n!" in b"\n" + answer:
        return True                                          # the provider's own error inside of it
    if target == "invoke":
        chunks = re.findall(rb'"bytes":"([A-Za-z0-9+/=]+)"', text)
        return bool(chunks) and b"message_stop" in base64.b64decode(chunks[-1])
    if target == "responses":
        return any(b'"type":"response.%s"' % word in text for word in (b"completed", b"incomplete", b"failed"))
    return ENDS[target] in text


def questions(found, splits):
    for one in found:
        what = "stream" if one.stream else "answer"
        if one.status != 200 and not one.stream:
            what = "error"
        for target in built():
            if one.answer and target != one.dialect:
                yield one, (what, one.dialect, target, one.answer, one.status if what == "error" else 0)
                if one.stream and len(one.answer) <= splits:
                    yield one, ("splits", one.dialect, target, one.answer)


def translated(found, splits):
    """How many of each kind went well, and what did not."""
    asked, count, wrong = list(questions(found, splits)), collections.Counter(), collections.defaultdict(set)
    for at in range(0, len(asked), 100):
        part = asked[at:at + 100]
        for (one, question), (good, text) in zip(part, ask([question for _, question in part])):
            if good and question[0] == "stream" and not ended(question[2], text, one.answer):
                good, text = False, ("unended", "the stream does not end as its dialect ends")
            count[question[0], good] += 1
            if not good:
                wrong[question[0], question[1], re.sub(r"\d+", "N", " ".join(text))[:120]].add(f"{one.file} -> {question[2]}")
    return count, wrong


def unnamed(found):
    """Members of accepted requests that are features without a name, by endpoint."""
    names = collections.Counter()
    for one in found:
        if one.intake and one.status == 200 and one.request:
            done = subprocess.run([INTAKE, *one.intake, "upstream", "2025-01-01", "0"], input=one.request, capture_output=True, check=True)
            for feature in json.loads(done.stdout).get("features", []):
                if feature["name"] == "":
                    names[one.intake[0], re.sub(r"\d+", "N", feature["where"])] += 1
    return names


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    parser.add_argument("directories", nargs="+", type=pathlib.Path)
    parser.add_argument("--splits", type=int, default=0)
    options = parser.parse_args()
    found = [one for directory in options.directories for one in exchanges(directory)]
    count, wrong = translated(found, options.splits)
    print(f"{len(found)} exchanges,", ", ".join(f"{number} {what} {'well' if good else 'NOT WELL'}" for (what, good), number in sorted(count.items())))
    for (what, source, text), where in sorted(wrong.items()):
        print(f"{what} of {source}: {text}: {len(where)}, such as {sorted(where)[0]}")
    for (endpoint, where), number in sorted(unnamed(found).items()):
        print(f"{endpoint}: {where} is a feature without a name, in {number}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
