"""
What the mock providers share: each serves answers of its shape, written from the formats (tests/data/dialects), with its headers, to requests that carry its credential
and are of its form; every other request is refused as the provider would, and noted in `refused`.

    provider.says("tools")        the next answers are tools.json, or tools.sse to who asks for a stream
    provider.plays(script)        one script of mock_backend for the next request whose credential is right
"""
import collections
import json
import pathlib

import mock_backend
from mock_backend import Script, answer, chunk, head, send

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/dialects"


class Refused(Exception):
    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class Provider:
    """dialect: the folder of its answers unless a request is of another one."""
    def __init__(self, host, name):
        self.name, self.stem, self.refused, self.scripts = name, "hello", [], collections.deque()
        self.mock = mock_backend.MockBackend(host, name=name)
        self.mock.default = self.handle
        self.address = "http://" + self.mock.address

    def says(self, stem):
        self.clear()
        self.stem = stem
        return self

    def plays(self, *scripts):
        self.scripts.extend(scripts)
        return self

    def clear(self):
        self.mock.requests.clear()
        self.refused.clear()
        self.scripts.clear()
        self.stem = "hello"

    @property
    def arrived(self):
        return self.mock.requests

    def handle(self, request):
        try:
            self.admit(request)
            if self.scripts:
                return self.scripts.popleft()
            return self.answer(request)
        except Refused as refusal:
            self.refused.append(refusal.sentence)
            return self.refuse(refusal.status, refusal.sentence)

    # ---- of each provider ----

    def admit(self, request):
        """Raises Refused when credential or form are not right."""
        raise NotImplementedError

    def answer(self, request):
        raise NotImplementedError

    def refuse(self, status, sentence):
        raise NotImplementedError


def asked(request):
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the body is no object")
    return body


def sample(dialect, stem, kind):
    path = DATA / dialect / f"{stem}.{kind}"
    if not path.exists():
        raise Refused(404, f"nothing is written as {dialect}/{stem}.{kind}")
    return path.read_bytes()


def plain(body, headers=(), status=200):
    return answer(status, body, list(headers))


def blocks(text):
    """The events of a text/event-stream, each with its empty line."""
    return [block + b"\n\n" for block in text.split(b"\n\n") if block.strip()]


def stream(parts, headers=(), kind="text/event-stream", whole=True):
    """Each part in an HTTP chunk of its own. whole: with HTTP's end; else the connection is closed without it."""
    made = [send(head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked"), *headers]))]
    made += [send(chunk(part)) for part in parts]
    return Script(*made, send(mock_backend.LAST_CHUNK) if whole else mock_backend.close())
