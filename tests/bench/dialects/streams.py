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

import documents                                                        # noqa: E402
import measure                                                          # noqa: E402
import speech                                                           # noqa: E402
from gateway import Backend, Gateway                                    # noqa: E402
from ports import free_port                                             # noqa: E402
from speech import BACKENDS, CLIENTS                                    # noqa: E402


class Site:
    """A gateway with a deployment of each dialect, and an nginx without one in the same process."""
    def __init__(self, count):
        self.count, self.mocks, self.plain = count, {}, {}
        for dialect in BACKENDS:
            self.mocks[dialect] = speech.speaker(dialect, count)
            self.plain[dialect] = free_port()
        http = "".join(f"server {{ listen 127.0.0.1:{port}; access_log off; location / {{ proxy_pass http://{self.mocks[dialect].address}; proxy_buffering off;"
                       f" proxy_http_version 1.1; proxy_set_header Connection ''; }} }}\n" for dialect, port in self.plain.items())
        self.gateway = Gateway([Backend(dialect, mock, credential="secret", read="60s") for dialect, mock in self.mocks.items()], http=http)
        self.gateway.init()
        self.gateway.apply(*speech.policy())
        self.gateway.start()
        self.key = self.gateway.key()
        self.worker, = self.gateway.worker_pids()
        os.sched_setaffinity(0, {1})
        measure.move(os.getpid(), 1)
        measure.move(self.worker, 0)

    def spent(self, client, backend, streams, plain=False):
        """The worker's processor time for so many streams on one connection, in seconds."""
        port = self.plain[backend] if plain else self.gateway.port
        text, end = speech.request(client, backend, port, self.key), (CLIENTS[client][2] or "").encode()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            before = measure.cpu_seconds([self.worker])
            for _ in range(streams):
                tail = speech.whole(sock, text)
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
        size = len(speech.events(backend, 1000)[500])
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
