#!/usr/bin/env python3
"""
What an event of a translated stream costs a worker: tests/bench/dialects/streams.py [--events N] [--streams N] [--rounds N] [--page] [--check]

The real nginx, one worker on one processor, backend and client on the other. For each pair of dialects N streams of the same text; what the scheduler says the
worker used for them (system calls, HTTP and the record among it), less what the same backend's stream uses when its own dialect's client asks and nothing is
translated, by events: what the translation adds. Beside it the same bytes through nginx alone (proxy_pass without buffering), which copies and knows nothing.
Rounds go by turns; the median counts. --page puts the table into conf/numbers.md. --check fails when translating adds more than 2 us to an event, or a translated stream
costs more than three times one that is passed on: by hand, on a calm machine.
"""
import argparse
import base64
import json
import os
import pathlib
import re
import socket
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.dont_write_bytecode = True
for name in ("tests/bench", "tests/e2e", "tests/audit"):
    sys.path.insert(0, str(ROOT / name))

import anthropic_shapes as shapes                                       # noqa: E402
import documents                                                        # noqa: E402
import measure                                                          # noqa: E402
from gateway import Backend, Gateway                                    # noqa: E402
from mock_backend import DONE, MockBackend, Script, chunk, delta, head, role, send, usage_event     # noqa: E402
from ports import free_port                                             # noqa: E402

WORDS = " countries"
AWS = "application/vnd.amazon.eventstream"
HI = [{"role": "user", "content": "hi"}]
CLIENTS = {
    "chat": ("/v1/chat/completions", {"messages": HI, "stream": True, "stream_options": {"include_usage": True}}, "data: [DONE]"),
    "messages": ("/v1/messages", {"messages": HI, "max_tokens": 99, "stream": True}, "message_stop"),
    "converse": ("/model/{}/converse-stream", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "metadata"),
    "invoke": ("/model/{}/invoke-with-response-stream", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": HI}, None),
    "responses": ("/v1/responses", {"input": "hi", "stream": True}, "response.completed"),
}
BACKENDS = {
    "chat": {}, "messages": {"dialect": "anthropic", "endpoints": ["messages"]}, "converse": {"dialect": "bedrock", "endpoints": ["converse"]},
    "invoke": {"dialect": "bedrock", "endpoints": ["invoke"]}, "responses": {"endpoints": ["responses"]},
}
UPSTREAM = {"converse": "amazon.nova-lite-v1:0", "invoke": "anthropic.claude-x-v1:0"}


def told(kind, **members):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def events(dialect, count):
    """A whole answer of so many deltas, event by event."""
    if dialect == "chat":
        return [role(), *[delta(WORDS)] * count, delta("", "stop"), usage_event(), DONE]
    if dialect == "messages":
        return shapes.told(*[WORDS] * count)
    if dialect == "converse":
        return shapes.spoken(*[WORDS] * count)
    if dialect == "invoke":
        data = (line[5:].strip() for one in shapes.told(*[WORDS] * count) for line in one.split(b"\n") if line.startswith(b"data:"))
        return [shapes.frame("chunk", {"bytes": base64.b64encode(one).decode(), "p": "abcdefgh"}) for one in data]
    text = WORDS * count
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "status": "in_progress", "output": []}
    done = {**response, "status": "completed", "output": [item], "usage": {"input_tokens": 9, "output_tokens": count, "total_tokens": 9 + count}}
    return [told("response.created", response=response), told("response.output_item.added", output_index=0, item={**item, "content": [], "status": "in_progress"}),
            *[told("response.output_text.delta", output_index=0, content_index=0, item_id="msg_1", delta=WORDS)] * count,
            told("response.output_text.done", output_index=0, content_index=0, item_id="msg_1", text=text),
            told("response.output_item.done", output_index=0, item=item), told("response.completed", response=done)]


class Site:
    """A gateway with a deployment of each dialect, and an nginx without one in the same process."""
    def __init__(self, count):
        self.count, self.mocks, self.plain = count, {}, {}
        for dialect in BACKENDS:
            self.mocks[dialect] = MockBackend("127.0.0.70", name=dialect)
            kind = AWS if dialect in ("converse", "invoke") else "text/event-stream"
            raw = head(200, [("Content-Type", kind), ("Transfer-Encoding", "chunked")]) + b"".join(map(chunk, events(dialect, count))) + b"0\r\n\r\n"
            self.mocks[dialect].always(Script(send(raw)))
            self.plain[dialect] = free_port()
        http = "".join(f"server {{ listen 127.0.0.1:{port}; access_log off; location / {{ proxy_pass http://{self.mocks[dialect].address}; proxy_buffering off;"
                       f" proxy_http_version 1.1; proxy_set_header Connection ''; }} }}\n" for dialect, port in self.plain.items())
        self.gateway = Gateway([Backend(dialect, mock, credential="secret", read="60s") for dialect, mock in self.mocks.items()], http=http)
        self.gateway.init()
        self.gateway.apply(documents.fleet(*(documents.deployment(name, name, models={name: UPSTREAM.get(name, "up")}, **spec) for name, spec in BACKENDS.items())),
                           documents.residency(documents.allow("all", unlisted_features="accepted")), documents.tenants())
        self.gateway.start()
        self.key = self.gateway.key()
        self.worker, = self.gateway.worker_pids()
        os.sched_setaffinity(0, {1})
        measure.move(os.getpid(), 1)
        measure.move(self.worker, 0)

    def request(self, client, backend, port):
        path, body, _ = CLIENTS[client]
        text = json.dumps({"model": backend, **body} if "{}" not in path else body).encode()
        return (f"POST {path.format(backend)} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\n\r\n").encode() + text

    def spent(self, client, backend, streams, plain=False):
        """The worker's processor time for so many streams on one connection, in seconds."""
        port = self.plain[backend] if plain else self.gateway.port
        text, end = self.request(client, backend, port), (CLIENTS[client][2] or "").encode()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            before = measure.cpu_seconds([self.worker])
            for _ in range(streams):
                sock.sendall(text)
                tail = b""
                while not tail.endswith(b"\r\n0\r\n\r\n"):
                    data = sock.recv(1 << 20)
                    if not data:
                        raise SystemExit(f"{client} from {backend}: the connection ended: {tail[-300:]!r}")
                    tail = (tail + data)[-600:]
                if end not in tail and client != "responses":
                    raise SystemExit(f"{client} from {backend}: the stream did not end well: {tail!r}")
            return measure.cpu_seconds([self.worker]) - before

    def close(self):
        self.gateway.stop()
        self.gateway.remove()
        for mock in self.mocks.values():
            mock.stop()


def measured(site, streams, rounds):
    """{(client, backend) or ("nginx", backend): microseconds of an event in each round}."""
    pairs = [(client, backend) for backend in BACKENDS for client in CLIENTS]
    found = {pair: [] for pair in [*pairs, *(("nginx", backend) for backend in BACKENDS)]}
    for number in range(rounds + 1):                        # the first is to warm up
        for (client, backend), list_of in found.items():
            plain = client == "nginx"
            one = site.spent(backend if plain else client, backend, streams, plain) * 1e6 / streams / site.count
            if number:
                list_of.append(one)
    return {pair: statistics.median(values) for pair, values in found.items()}


def table(found):
    lines = ["| backend | bytes an event | through nginx alone | passed on as it came | " + " | ".join(f"for {client}" for client in CLIENTS) + " |",
             "|---|---|---|---|" + "---|" * len(CLIENTS)]
    for backend in BACKENDS:
        size = len(events(backend, 1000)[500])
        own, alone = found[backend, backend], found["nginx", backend]
        cells = ["-" if client == backend else f"{found[client, backend]:.2f} ({found[client, backend] - own:+.2f})" for client in CLIENTS]
        lines.append(f"| {backend} | {size} | {alone:.2f} | {own:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    site = Site(options.events)
    try:
        found = measured(site, options.streams, options.rounds)
    finally:
        site.close()
    text = table(found)
    sys.stdout.write(text)
    added = {pair: value - found[pair[1], pair[1]] for pair, value in found.items() if pair[0] not in ("nginx", pair[1])}
    most, ratio = max(added.values()), max(found[pair] / found[pair[1], pair[1]] for pair in added)
    print(f"translation adds {min(added.values()):.2f} to {most:.2f} us an event; a translated stream costs at most {ratio:.1f} times one that is passed on")
    copied = max(found[pair] / found["nginx", pair[1]] for pair in added)
    print(f"and at most {copied:.1f} times the same bytes through nginx alone")
    if options.check and (most > 2 or ratio > 3):
        raise SystemExit("above what it may cost: 2 us an event, three times the stream that is passed on")
    if options.page:
        page = ROOT / "conf/numbers.md"
        before, begin, rest = page.read_text().partition("<!-- translated streams -->\n")
        _, end, after = rest.partition("<!-- end of translated streams -->\n")
        page.write_text(before + begin + text + end + after)


if __name__ == "__main__":
    main()
