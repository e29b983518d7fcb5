#!/usr/bin/env python3
"""
The storm: two organisations under load, EU backends that fail, US ones healthy and cheap; meanwhile tightening and widening edits, keys that are
revoked, workers that are killed, stopped and reloaded. The offline auditor reads what the backends and the editors saw, and finds nothing.

    tests/storm/run.py [--seconds N] [--seed TEXT] [--expect-violations] [--without barrier|check|wait] [--keep]

STORM_SECONDS is the default of --seconds, 40 without it. --expect-violations: for a build that lacks the barrier; then it must find some of R3.
--without makes such a build in a copy of the source and storms it: without the check in front of writes, the editor's wait, or both.
The gateway under test is that of the end-to-end tests: GATEHOUSE_BUILD, GATEHOUSE_NGINX, GATEHOUSE_MODULE, GATEHOUSE_COMMAND.
The last line has the numbers; the exit code is 0 when it went as expected.
"""
import argparse
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/storm"), str(ROOT / "tests/e2e"), str(ROOT / "tests/audit")]

import mutant  # noqa: E402
from auditor import Auditor  # noqa: E402
from certificates import Authority  # noqa: E402
from gateway import Backend, Gateway  # noqa: E402
from load import Load  # noqa: E402
from mock_backend import MockBackend  # noqa: E402
from trouble import ORGANISATIONS, Trouble, fleet_of, policy_of, tenants_of  # noqa: E402

SLOW_WINDOW = 16384                  # bytes of a slow backend's receive buffer: an upload to it takes seconds
LONGER = 300                         # seconds at most that it goes on until it has had something of each


def make_mocks(authority):
    """The slow ones read slowly, so that edits find uploads under way; those with TLS take their time over the handshake."""
    mocks = {}
    for number, name in enumerate(("us", "us-slow", "azure", "eu", "eu-slow"), 2):
        tls = authority.issue(f"{name}.test") if name in ("us", "eu") else None
        mocks[name] = MockBackend(f"127.0.5.{number}", name=name, tls=tls)
    dice = random.Random("handshakes")
    for name in ("us", "eu"):
        mocks[name].delay = lambda: dice.random() * 0.5 if dice.random() < 0.5 else 0
    for name in ("us-slow", "eu-slow", "azure"):
        mocks[name].listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_WINDOW)
        mocks[name].piece, mocks[name].pace = 32768, 0.01
    return mocks


def make_gateway(authority, mocks, workers):
    backends = [Backend(name, mock, credential=f"secret-of-{name}", connect="3s", read="4s", keepalive=8,
                        **({"tls": f"{name}.test", "ca": authority.certificate} if mock.tls else {})) for name, mock in mocks.items()]
    gateway = Gateway(backends, workers=workers, body_limit="16m", shutdown="10s")
    gateway.init()
    gateway.apply(fleet_of(), *(make(name) for name in ORGANISATIONS for make in (policy_of, tenants_of)))
    return gateway.start()


def settled(gateway, seconds=15):
    """Until nothing is written any more."""
    end, before = time.monotonic() + seconds, None
    while time.monotonic() < end:
        now = sorted((path.name, path.stat().st_size) for path in (gateway.audit / "open").glob("*"))
        if now == before:
            return
        before = now
        time.sleep(1)


def storm(options, directory):
    MockBackend.directory = directory / "trail"
    MockBackend.directory.mkdir()
    authority = Authority(directory)
    mocks = make_mocks(authority)
    gateway = make_gateway(authority, mocks, options.workers)
    try:
        keys = {name: [gateway.key(f"{name}/red/app")] for name in ORGANISATIONS}
        load, trouble = Load(gateway.port, keys, options.seed), Trouble(gateway, mocks, keys, options.seed, options.seconds > 90)
        load.start()
        trouble.start()
        time.sleep(options.seconds)
        end = time.monotonic() + LONGER
        while time.monotonic() < end and not trouble.failed and any(too_few(options, gateway, load, trouble)):
            time.sleep(0.5)
        trouble.stop()
        load.stop()
        settled(gateway)
        gateway.stop(graceful=True)
        gateway.note_deaths()
        auditor = Auditor(MockBackend.directory)
        auditor.run(final=True)
        return gateway, load, trouble, auditor
    finally:
        gateway.stop()
        for mock in mocks.values():
            mock.stop()


def too_few(options, gateway, load, trouble):
    """What there has been too little of, and how much: a storm that nothing came of shows nothing."""
    for name, least in (("edits acknowledged", options.seconds / 4), ("workers killed", 1), ("reloads", 1)):
        if trouble.counts[name] < least:
            yield f"only {trouble.counts[name]} {name}"
    if load.counts["status 200"] < options.seconds:
        yield f"only {load.counts['status 200']} requests were answered"
    if not any(b'"denied_late"' in path.read_bytes() for path in (gateway.audit / "open").glob("*.jsonl")):
        yield "only 0 requests that an edit ended"


def complaints(options, gateway, load, trouble, auditor):
    """What is wrong with the run, beside what the auditor says."""
    found = [f"the answer to {nonce} was {text}" for nonce, text in load.wrong] + trouble.failed + list(too_few(options, gateway, load, trouble))
    trouble.counts["requests that an edit ended"] = sum(request.outcome is not None and request.outcome["end"] == "denied_late"
                                                        for one in auditor.gateways.values() for request in one.requests.values())
    bad = [line for line in gateway.errors().splitlines() if "Sanitizer" in line or "[emerg]" in line or ("[alert]" in line and "exited on signal 9" not in line)]
    return found + bad[:10]


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("STORM_SECONDS", 40)))
    parser.add_argument("--seed", default=os.environ.get("SEED") or str(int(time.time())))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--expect-violations", action="store_true")
    parser.add_argument("--without", choices=("barrier", "check", "wait"))
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args(arguments)


def against_a_mutant(options, directory):
    """The same once more, in a process of its own, for the build that lacks something."""
    built = mutant.build(options.without, directory)
    more = ["--keep"] if options.keep else []
    return subprocess.run([sys.executable, __file__, "--expect-violations", "--seconds", str(options.seconds), "--seed", options.seed, "--workers", str(options.workers), *more],
                          env={**os.environ, "GATEHOUSE_BUILD": str(built)}).returncode


def main():
    options = options_of(sys.argv[1:])
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-storm-", dir="/tmp"))
    directory.chmod(0o755)
    if options.without:
        try:
            return against_a_mutant(options, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    gateway, load, trouble, auditor = storm(options, directory)
    wrong = complaints(options, gateway, load, trouble, auditor)
    late = [one for one in auditor.violations if one.rule == "R3"]
    for one in auditor.violations[:5]:
        print(one)
    print("\n".join(wrong))
    numbers = {**load.counts, **trouble.counts, **auditor.counts}
    print(f"seed {options.seed}: " + ", ".join(f"{name} {count}" for name, count in sorted(numbers.items())))
    if options.keep:
        print(f"kept: {directory} {gateway.prefix}")
    else:
        gateway.remove()
        shutil.rmtree(directory, ignore_errors=True)
    expected = bool(late) if options.expect_violations else not auditor.violations and not wrong
    print(f"{options.seconds:.0f} s, {load.counts['requests']} requests, {trouble.counts['edits acknowledged']} edits acknowledged, {len(auditor.violations)} violations, "
          f"{len(late)} of R3: {'as expected' if expected else 'NOT as expected'}")
    return 0 if expected else 1


if __name__ == "__main__":
    sys.exit(main())
