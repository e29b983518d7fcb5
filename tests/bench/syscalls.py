#!/usr/bin/env python3
"""System calls of a request, the gateway's beside plain nginx's: tests/bench/syscalls.py [--page]

A worker serves fixed requests, one after the other on one connection, under strace -c: how often each call is made does not depend on how busy the machine is.
Answers of the same backend, keepalive on both sides. What is called by the clock and not by a request is left out, and what is less than once in fifty requests.

    --page      puts the table into conf/numbers.md
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time

import instructions  # noqa: I001    (it finds the others)
import measure
import report
import servers
import world

REQUESTS = 500
LEAST = 0.02
BY_TIME = {"newfstatat", "stat", "fstat", "statx", "fcntl", "pread64"}      # places of the store's files, once a millisecond; workers' locks, by the sweeper
CASES = {name: instructions.CASES[name] for name in ("1 KB", "10 KB", "1 KB, streamed", "403 residency_denied")}
LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)


def traced(server, tools, options):
    """{call: how often in a request}"""
    tools.load("serial", server.port, 1, requests=50, **options)
    out = server.prefix / "strace.out"
    out.write_text("")
    tracer = subprocess.Popen(["strace", "-c", "-o", str(out), "-p", str(server.workers()[0])],
                              stderr=subprocess.PIPE, text=True)
    while "attached" not in (line := tracer.stderr.readline()):
        if not line:
            sys.exit(f"strace: {tracer.wait()}: may this user trace other processes?")
    result = tools.load("serial", server.port, 1, requests=REQUESTS, **options)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(30)
    if result["ok"] != REQUESTS:
        sys.exit(f"syscalls: {result['ok']} answers of {REQUESTS} as expected, the last other one {result['other_status']}\n{server.errors()[-2000:]}")
    return {name: int(calls) / REQUESTS for calls, name in LINE.findall(out.read_text()) if name != "total" and name not in BY_TIME and int(calls) >= LEAST * REQUESTS}


def measured():
    """[(case, plain nginx's calls, the gateway's)]"""
    instructions.CACHE.mkdir(parents=True, exist_ok=True)
    tools, port = measure.Tools(instructions.BUILD), servers.free_port()
    backend, running = tools.backend(port, 1), []
    try:
        for one in (servers.Gateway(port, world.Home(instructions.BUILD, instructions.CACHE, 1000).make(), instructions.BUILD, instructions.CACHE),
                    servers.Plain(port), servers.Returns(port)):
            running.append(one)
            one.start()
        gateway, plain, returns = running
        return [(case, traced(returns if "expect" in options else plain, tools, options), traced(gateway, tools, options)) for case, options in CASES.items()]
    finally:
        measure.stop(backend)
        for one in running:
            one.remove()


def table(found):
    names = sorted({name for _, *both in found for calls in both for name in calls}, key=lambda name: -max(calls.get(name, 0) for _, *both in found for calls in both))
    lines = ["| | " + " | ".join(f"{case}: {'`return`' if case.startswith('403') else 'nginx'} | gateway" for case, _, _ in found) + " |", "|---|" + "---:|" * 2 * len(found)]
    for name in names:
        lines.append(f"| {name} | " + " | ".join(f"{calls[name]:.2f}" if name in calls else "" for _, *both in found for calls in both) + " |")
    lines.append("| in all | " + " | ".join(f"{sum(calls.values()):.2f}" for _, *both in found for calls in both) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("strace"):
        sys.exit("syscalls: strace is not installed (apt-get install strace)")
    text = table(measured())
    print(text)
    if arguments.page:
        report.put("syscalls", text)


if __name__ == "__main__":
    main()
