#!/usr/bin/env python3
"""
What a module that counts its branches is trained by: tests/bench/train.py MODULE BUILD HOMES

MODULE serves it in the nginx of tests/bench/run, over the loopback: requests of each size, plain and streamed, from many tenants, refusals of each kind, and a stream
of every pair of dialects. So many of each, however long they take. The module writes its counts when its worker ends. ngx_module/pgo.sh calls it.
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

REQUESTS = 1500
FIRST, LAST = (sorted(os.sched_getaffinity(0))[at] for at in (0, -1))        # processors


def plain(parts, bench):
    """What the parts of tests/bench/run send, without their clock."""
    port, _ = bench.backend(LAST)
    gateway = bench.gateway(port, FIRST, ledger_size="32m")             # of a /dev/shm as small as containers have

    def send(**options):
        parts.must(bench.tools.load("serial", gateway.port, LAST, requests=REQUESTS, **{**bench.callers(), **options}), "train")

    for kilobytes, streamed in parts.BODIES:
        send(size=kilobytes * 1000, stream=streamed)
    bench.tools.load("serial", gateway.port, LAST, requests=2, first=0, keys=1)         # tenant 0 has had its request of today
    for _, status, options in parts.REFUSALS:
        send(expect=status, **options)
    gateway.quit()
    bench.end()


def translated(home):
    """A process of its own: what it is made of has names that the parts of tests/bench/run have too."""
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, HERE / "dialects/train.py", home], check=True)
    shutil.rmtree(home)


def main():
    module, build, homes = map(pathlib.Path, sys.argv[1:])
    os.environ.update(GATEHOUSE_MODULE=str(module.resolve()), GATEHOUSE_BUILD=str(build.resolve()))

    import measure
    import parts
    import world

    build, homes = build.resolve(), homes.resolve()
    made = world.Homes(build, homes)
    made.thousand.make()
    plain(parts, parts.Bench(build, measure.Tools(build), made, homes, True, 1, print))
    translated(homes / "dialects")


if __name__ == "__main__":
    main()
