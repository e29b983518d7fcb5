#!/usr/bin/env python3
"""Records a trace of the real nginx and the real command: one upload after another, while policy is edited and workers are killed, stopped and
reloaded. They are built with -DGH_TRACE below build/trace.

    tests/model/record.py FILE [--seed N] [--steps N]
"""

import argparse
import os
import pathlib
import random
import re
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("GATEHOUSE_BUILD", "build/trace")
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "audit")]

import json  # noqa: E402

from client import Client, body_of  # noqa: E402
from documents import deployment, fleet, forbid, residency, tenants  # noqa: E402
from gateway import Backend, Gateway  # noqa: E402
from mock_backend import MockBackend  # noqa: E402

UPLOADS = (100, 100, 200000, 2000000, 4000000)


class Load(threading.Thread):
    """Requests one after the other, so that there is never more than one dispatch: the model's workers have one each."""

    def __init__(self, gateway, rng):
        super().__init__(daemon=True)
        self.gateway, self.rng, self.over, self.answers = gateway, rng, threading.Event(), []

    def run(self):
        while not self.over.is_set():
            try:
                with Client(self.gateway.port, timeout=8) as client:
                    client.request(body=body_of(text="x" * self.rng.choice(UPLOADS)), key=self.gateway.key())
                    self.answers.append(client.answer().status)
            except (OSError, ValueError, AssertionError, IndexError):
                self.answers.append(0)
                time.sleep(0.02)


class Edits:
    """Turns about: the deployment in the US is forbidden, and allowed again."""

    def __init__(self, gateway):
        self.gateway, self.number, self.exits = gateway, 0, []

    def write(self):
        self.number += 1
        directory = self.gateway.prefix / ("edit-%d" % self.number)
        directory.mkdir()
        forbids = [forbid("never-us", process=["US"])] if self.number % 2 == 0 else []
        texts = (fleet(deployment("outside", priority=1, country="US"), deployment("inside", priority=2)),
                 residency(forbids=forbids), tenants())
        for number, text in enumerate(texts):
            (directory / ("%d.json" % number)).write_text(json.dumps(text))
        return directory

    def make(self, *options):
        done = self.gateway.command("policy", "apply", self.write(), "--author", "tests", "--reason", "tests", *options, check=False)
        self.exits.append(done.returncode)
        return done


def step(rng, gateway, edits, calm):
    what = "edit" if calm else rng.choice(("edit", "edit", "edit", "edit", "kill", "reload", "stop"))
    how = rng.choice(("--cut", "--let-finish"))
    pids = gateway.worker_pids()
    if what == "edit":
        edits.make(how)
    elif what == "kill" and pids:
        os.kill(rng.choice(pids), signal.SIGKILL)
    elif what == "reload" and len(pids) < 4:
        gateway.reload(wait=False)
    elif what == "stop" and pids:
        pid = rng.choice(pids)
        os.kill(pid, signal.SIGSTOP)
        try:
            edits.make(how, "--wait", "1")
        finally:
            os.kill(pid, signal.SIGCONT)
    time.sleep(rng.random() * 0.15)


def record(path, seed, steps, calm=False):
    """The statuses of the requests and the exit codes of the edits."""
    rng = random.Random(seed)
    mocks = [MockBackend("127.0.0.%d" % (91 + number), name=name) for number, name in enumerate(("outside", "inside"))]
    for mock in mocks:
        mock.piece, mock.pace = 1 << 16, 0.001
    gateway = Gateway([Backend(mock.name, mock, read="5s") for mock in mocks], workers=2, body_limit="8m", shutdown="1s")
    try:
        gateway.init()
        edits = Edits(gateway)
        done = edits.make("--cut")
        assert done.returncode == 0, done.stderr
        gateway.key()
        pathlib.Path(path).write_text("")
        os.chmod(path, 0o666)
        gateway.environment["GATEHOUSE_TRACE"] = str(pathlib.Path(path).resolve())
        gateway.start()
        load = Load(gateway, rng)
        load.start()
        time.sleep(0.2)
        for _ in range(steps):
            step(rng, gateway, edits, calm)
        load.over.set()
        load.join(10)
    finally:
        gateway.remove()
        for mock in mocks:
            mock.stop()
    return load.answers, edits.exits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--seed", default=os.environ.get("SEED") or str(time.time()))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--calm", action="store_true", help="edits only: the same workers from beginning to end")
    options = parser.parse_args()
    answers, exits = record(options.file, options.seed, options.steps, options.calm)
    print("requests: %s; edits ended with %s" % ({status: answers.count(status) for status in sorted(set(answers))}, exits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
