#!/usr/bin/env python3
"""Streams of every pair of dialects, for a module that counts its branches: tests/bench/dialects/train.py HOME. tests/bench/train.py calls it."""
import json
import os
import pathlib
import socket
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.dont_write_bytecode = True
for name in ("tests/bench", "tests/bench/dialects"):
    sys.path.insert(0, str(ROOT / name))

import home             # noqa: E402
import servers          # noqa: E402
import speech           # noqa: E402

STREAMS, EVENTS = 8, 100
BUILD = ROOT / os.environ.get("GATEHOUSE_BUILD", "build")


class Home(home.Home):
    """One with a backend of each dialect, made when its ledger is."""

    def init(self, ledger, size):
        self.home.mkdir(parents=True)
        super().init(ledger, size)
        (self.directory / "documents").mkdir()
        for number, text in enumerate(speech.policy()):
            (self.directory / "documents" / f"{number}.json").write_text(json.dumps(text))
        self.run("policy", "apply", self.directory / "documents", "--author", "bench")
        for dialect in speech.BACKENDS:
            (self.home / "cred" / dialect).write_text("secret\n")
            (self.home / "cred" / dialect).chmod(0o640)


class Translator(servers.Gateway):
    """A gateway with a backend of each dialect."""

    def __init__(self, home, mocks):
        super().__init__(0, home, BUILD, home.directory, "16m", node="node-1")
        self.mocks = mocks

    def http(self):
        backends = "".join(f"upstream {name} {{ server {mock.address}; keepalive 16; }}\ngatehouse_backend {name} {{ upstream {name}; credential file:{name}; }}\n"
                           for name, mock in self.mocks.items())
        return f"""
gatehouse_home {self.home.home};
gatehouse_secrets {self.home.directory}/secrets;
gatehouse_ledger {self.ledger};
gatehouse_audit {self.audit} sync=written;
gatehouse_node {self.node};
{backends}
server {{ listen 127.0.0.1:{self.port}; location / {{ gatehouse on; }} }}
"""


def main():
    made = Home(BUILD, pathlib.Path(sys.argv[1]))
    mocks = {dialect: speech.speaker(dialect, EVENTS) for dialect in speech.BACKENDS}
    gateway = Translator(made, mocks)
    try:
        gateway.start(min(os.sched_getaffinity(0)))
        key = made.run("key", "create", "acme/red/app", "main").splitlines()[0].strip()
        for backend in speech.BACKENDS:
            for client, (_, _, end) in speech.CLIENTS.items():
                with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
                    for _ in range(STREAMS):
                        tail = speech.whole(sock, speech.request(client, backend, gateway.port, key))
                        if end and end.encode() not in tail and client != "responses":
                            raise SystemExit(f"{client} from {backend}: the stream did not end well: {tail!r}")
        gateway.quit()
    finally:
        gateway.remove()
        for mock in mocks.values():
            mock.stop()


if __name__ == "__main__":
    main()
