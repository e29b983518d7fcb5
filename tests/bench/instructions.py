#!/usr/bin/env python3
"""The regression check on cost, by instructions instead of time: tests/bench/instructions.py [--record | --show | --page]

A worker serves fixed requests under callgrind. Counted for each kind of request: the instructions of the module's own code, of everything in the process,
and of each step with what it calls. None may be more than 3 % (and 150 instructions) above what tests/bench/instructions.json has.

Other compilers and libraries make other instructions, so figures are recorded for each: processor, nginx, compiler, libc, libcrypto, valgrind. Where none
is recorded for this machine's, the nearest is taken, and only what does not depend on them much is held against it: the module's own
instructions, by 30 %, and how often its steps are called and call libcrypto and LMDB, exactly. Either is enough to notice a step done twice.

What falls into a batch by chance, such as a body that came in two reads, only adds: what seems too high is counted again, and the lowest counts. What
timers do is not counted at all.

    --record    puts what is counted now, the middle of three counts, into tests/bench/instructions.json, for this machine's compiler and libraries:
                commit it with the change that costs more (and say why it must) or less
    --show      only prints the figures, and where the instructions of a request go
    --page      puts that table into conf/numbers.md
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

import callgrind  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import world  # noqa: E402

BUILD = ROOT / os.environ.get("GATEHOUSE_BUILD", "build")
CACHE = ROOT / "build" / "bench"
FIGURES = HERE / "instructions.json"
BATCH, BATCHES = 30, 3
MORE, FLOOR = 1.03, 150                 # what a figure may be above the recorded one: parts, and instructions
MORE_ELSEWHERE = 1.30
COUNTS = 3                              # of all, for what is recorded
AGAIN = 8                               # times at most that what seems too high is counted

KEY = {"first": 7, "keys": 1}
CASES = {
    "1 KB": {**KEY, "size": 1000},
    "10 KB": {**KEY, "size": 10000},
    "100 KB": {**KEY, "size": 100000},
    "1 KB, streamed": {**KEY, "size": 1000, "stream": True},
    "403 residency_denied": {"first": 200, "keys": 1, "size": 1000, "header": "x-data-class: secret", "expect": 403},
    "429 insufficient_quota": {"first": 0, "keys": 1, "size": 1000, "expect": 429},
    "401 unknown key": {"first": 3000000000, "keys": 1, "size": 1000, "expect": 401},
}

# Steps of a request, by the function that does it with all that it calls. One that is not seen (renamed, or compiled into its caller) is left out.
STEPS = {
    "who asks": "gh_store_identify", "policy's newest revision": "gh_store_current", "limits: admission": "gh_quota_admit",
    "body read": "gh_intake_parse", "decision": "gh_decide", "order": "gh_order_decide", "limits: the attempt": "gh_quota_reserve_attempt",
    "decision line made": "gh_record_decision", "outcome line made": "gh_record_outcome", "lines chained and written": "gh_record_flush",
    "request built": "gh_dialect_request", "stream passed on": "gh_stream_feed", "usage read": "gh_usage_scan_feed",
    "limits: settled": "gh_quota_settle_attempt", "limits: end": "gh_quota_end", "limits' headers": "gh_quota_headers",
    "backend's state": "gh_backend_tell",
}


def version(*command, pattern=r"(\d+(?:\.\d+)+)"):
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "?"


def environment():
    """What decides which instructions there are, most telling first."""
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    compiler = os.environ.get("CC", "cc")
    widest = next((one for one in ("avx2", "avx", "sse4_2") if flags and one in flags.group(1).split()), "")
    return " | ".join((f"{platform.machine()} {widest}".strip(), f"cc {version(compiler, '-dumpfullversion')}", f"nginx {version(servers.NGINX, '-v')}",
                       f"libcrypto {version('openssl', 'version')}", f"libc {version('ldd', '--version')}", f"valgrind {version('valgrind', '--version')}"))


def nearest(recorded, own):
    """Of the same processor, with most in common."""
    wanted = own.split(" | ")
    same = [key for key in recorded if key.split()[0] == own.split()[0]]
    return max(same, key=lambda key: sum(part in wanted for part in key.split(" | ")), default=None)


def figures(profile):
    found = {"module": round(profile.of("gatehouse") / BATCH), "all": round(profile.total / BATCH),
             "calls": round(profile.library_calls / BATCH, 1), "steps": {}}
    for name, function in STEPS.items():
        if profile.calls[function]:
            found["steps"][name] = [round(profile.inclusive[function] / BATCH), round(profile.calls[function] / BATCH, 2)]
    return found


def counted(server, tools, cases):
    """{case: Profile}"""
    worker, found = callgrind.Counted(server, CACHE), {}
    for name, options in cases.items():
        def send():
            if name.startswith("429"):
                time.sleep(1.1)                     # 64 lines of such refusals are written in a second: of each batch all are
            result = tools.load("serial", server.port, 1, requests=BATCH, **options)
            if result["ok"] != BATCH and not (name.startswith("429") and result["ok"] >= BATCH - 1):
                raise SystemExit(f"instructions: {name}: {result['ok']} answers of {BATCH} as expected, the last other one {result['other_status']}\n"
                                 f"{server.errors()[-2000:]}")
        found[name] = worker.count(send, BATCHES)
    return found


def measured():
    """({case: figures}, {case: Profile}, instructions of plain nginx for a request)"""
    CACHE.mkdir(parents=True, exist_ok=True)
    tools, port = measure.Tools(BUILD), servers.free_port()
    backend, running = tools.backend(port, 1), []
    try:
        gateway = servers.Gateway(port, world.Home(BUILD, CACHE, 1000).make(), BUILD, CACHE)
        running.append(gateway)
        profiles = counted(gateway, tools, CASES)
        gateway.stop()
        plain = servers.Plain(port)
        running.append(plain)
        bare = counted(plain, tools, {"1 KB": CASES["1 KB"]})["1 KB"].total / BATCH
        return {name: figures(profile) for name, profile in profiles.items()}, profiles, bare
    finally:
        measure.stop(backend)
        for one in running:
            one.remove()


def merged(counts, choose):
    """Of several counts, each figure as chosen."""
    def one(values):
        if isinstance(values[0], dict):
            return {name: one([value[name] for value in values]) for name in values[0] if all(name in value for value in values)}
        return [one(list(each)) for each in zip(*values)] if isinstance(values[0], list) else choose(values)
    return one(counts)


def compare(now, then, same):
    """Sentences about what is more than it may be."""
    found = []

    def more(what, value, before, part, floor):
        if value > before * part + floor:
            found.append(f"{what}: {value:g}, recorded are {before:g} (+{100 * (value / before - 1) if before else 100:.1f} %)")

    for case, before in then.items():
        if case not in now:
            continue
        value = now[case]
        more(f"{case}: the module's own instructions", value["module"], before["module"], MORE if same else MORE_ELSEWHERE, FLOOR)
        more(f"{case}: calls of libcrypto and LMDB", value["calls"], before["calls"], 1, 0.5)
        if same:
            more(f"{case}: all instructions", value["all"], before["all"], MORE, FLOOR)
        for step, (cost, calls) in before["steps"].items():
            if step in value["steps"]:
                more(f"{case}: {step}, times", value["steps"][step][1], calls, 1, 0.1)
                if same:
                    more(f"{case}: {step}, instructions", value["steps"][step][0], cost, MORE, FLOOR)
    return found


def rows(now, profiles):
    """The table: whose instructions they are, then those of each step."""
    found = [("in all", [profile.total / BATCH for profile in profiles.values()])]
    for name, part in (("the module's own", "gatehouse"), ("nginx's own", "nginx"), ("libcrypto's", "libcrypto"), ("libc's", "libc.so"), ("LMDB's", "liblmdb")):
        found.append((name, [profile.of(part) / BATCH for profile in profiles.values()]))
    for step in STEPS:
        if any(step in one["steps"] for one in now.values()):
            found.append((step, [one["steps"].get(step, [None])[0] for one in now.values()]))
    return found


def show(now, profiles, bare):
    print(f"instructions of a request (plain nginx, 1 KB: {bare:.0f}); a step's with all that it calls")
    print(f"{'':28}" + "".join(f"{case.replace(' KB, streamed', ' KB s').split('_')[0][:10]:>11}" for case in now))
    for name, values in rows(now, profiles):
        print(f"{name:28}" + "".join(f"{'' if value is None else round(value):>11}" for value in values))
    print(flush=True)


def page(now, profiles, bare, own):
    """Under SHA-256's emulated instructions libcrypto looks dearer than it is: the page says so."""
    lines = [f"Counted with: {own}. Plain nginx, 1 KB: {bare:,.0f}.", "", "| | " + " | ".join(now) + " |", "|---|" + "---:|" * len(now)]
    for name, values in rows(now, profiles):
        lines.append(f"| {name} | " + " | ".join("" if value is None else f"{value:,.0f}" for value in values) + " |")
    report.put("steps", "\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    why = callgrind.missing()
    if why:
        sys.exit(f"instructions: {why}")
    own = environment()
    now, profiles, bare = measured()
    show(now, profiles, bare)
    if arguments.page:
        page(now, profiles, bare, own)
    if arguments.show or arguments.page:
        return 0
    recorded = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if arguments.record:
        recorded[own] = merged([now] + [measured()[0] for _ in range(COUNTS - 1)], statistics.median_low)
        FIGURES.write_text(json.dumps(dict(sorted(recorded.items())), indent=1) + "\n")
        print(f"recorded for {own}")
        return 0
    against = own if own in recorded else nearest(recorded, own)
    if against is None:
        print(f"instructions: nothing is recorded for a processor such as {own}: nothing to hold against (tests/bench/instructions.py --record)")
        return 0
    if against == own:
        print(f"held against what is recorded for {own}: 3 %")
    else:
        print(f"nothing is recorded for {own};\nheld against {against}: the module's own instructions by 30 %, and how often steps and libraries are called")
    found = compare(now, recorded[against], against == own)
    for _ in range(AGAIN - 1):
        if found:
            print("\n".join(found) + "\ncounted again:")
            now = merged([now, measured()[0]], min)
            found = compare(now, recorded[against], against == own)
    for line in found:
        print(line)
    lower = [case for case, one in now.items() if against == own and one["module"] < recorded[own][case]["module"] * 0.97]
    if lower:
        print(f"less than recorded by more than 3 %, record it: {', '.join(lower)}")
    print(f"{len(now)} kinds of requests, {sum(3 + len(one['steps']) for one in now.values())} figures, {len(found)} too high")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
