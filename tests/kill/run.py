#!/usr/bin/env python3
"""Kills processes inside the ledger's protocol (kill.c), and holds the points at which they died against those that the source has.

    tests/kill/run.py [--kills N] [--seconds N] [--workers N] [--seed N]

The last line says how many kills there were. With enough kills for each point the run goes on until somebody has died at all of them, up to eight times as many; one that nobody met even then fails it.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENOUGH = 4000


def named():
    """The points inside the ledger's source."""
    return {name for path in sorted((ROOT / "policy" / "ledger").glob("*.c")) for name in re.findall(r'gh_kill_point\("(\w+)"\)', path.read_text())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=ENOUGH)
    parser.add_argument("--seconds", type=int, default=86400)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    path = "%s/gatehouse-kill-%d" % (place, os.getpid())
    arguments = [str(ROOT / os.environ.get("GATEHOUSE_BUILD", "build") / "tests" / "kill" / "kill"), "--ledger", path]
    for name in ("kills", "seconds", "workers", "seed"):
        arguments += ["--" + name, str(getattr(options, name))]
    if options.kills >= ENOUGH and options.seconds == 86400:
        arguments += ["--points", str(len(named()))]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    if done.returncode != 0:
        print("seed %d:\n%s" % (options.seed, said[-2000:]))
        return 1
    died = {name: int(count) for name, count in re.findall(r"point (\w+) +(\d+) died", said)}
    print(said.rstrip())
    missed = sorted(name for name in named() if died.get(name, 0) == 0)
    if missed and options.kills >= ENOUGH and options.seconds == 86400:
        print("seed %d: nobody died at %s" % (options.seed, ", ".join(missed)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
