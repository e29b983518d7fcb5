#!/usr/bin/env python3
"""
Seeded faults (mutants.py), each built in a copy of the source and held against the checks that must notice it.

    tests/mutants/run.py [--only WORD]... [--kind unit|oracle|hierarchy|quota|findings|laws|histories|reuse|kill|cli|dialects|e2e|instructions]... [--table]

The copy is build/mutants: what a fault does not touch is built once. Every check first has to pass without a fault. A fault is killed when every one
of its checks fails; when one does not, a test is missing. --table prints the table of README.md, which has to be the same.
The last line is "N passed, N failed"; the exit code is 1 when something failed.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "mutants"
SOURCE = PLACE / "source"
PYTHON = os.environ.get("GATEHOUSE_PYTHON", str(ROOT / "build" / "venv" / "bin" / "python"))
README = Path(__file__).with_name("README.md")
SECONDS = {"unit": 120, "oracle": 300, "quota": 120, "hierarchy": 300, "findings": 300, "laws": 300, "histories": 300, "reuse": 120, "kill": 300, "cli": 300, "dialects": 300, "e2e": 300, "instructions": 300}
JOBS = "-j%d" % (os.cpu_count() or 2)


def sh(command, seconds, log):
    """Runs it in the copy; its status, None when it did not end."""
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=SOURCE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"})
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None


class Failed(Exception):
    pass


def build(target, log):
    """A mutant that does not build says nothing."""
    flags = "CFLAGS=-O1 -g -Wno-error"
    for command in {"core": [["make", JOBS, flags, "core"]], "tools": [["make", JOBS, flags, "core"], ["make", JOBS, flags, "tools"]],
                    "cli": [["make", JOBS, flags, "core", "cli", "build/tests/tools/count"]], "module": [["make", JOBS, flags, "core", "cli"], ["make", flags, "module"]],
                    }.get(target, [["make", JOBS, flags, "core"], ["make", flags, target]]):
        if sh(command, 600, log) != 0:
            raise Failed("%s: %s" % (" ".join(command), Path(log).read_text()[-600:]))


def instructions(log):
    """Is what a request costs within what the source without a fault costs here? Built as it is delivered, in a place of its own."""
    place = "BUILD=build/instructions"
    os.environ["GATEHOUSE_BUILD"] = "build/instructions"
    for command in (["make", JOBS, place, "core", "cli"], ["make", JOBS, place, *("build/instructions/tests/bench/load/" + each for each in ("load", "backend")),
                                                           "build/instructions/tests/bench/scale/scale"], ["make", place, "module"]):
        if sh(command, 600, log) != 0:
            raise Failed("%s: %s" % (" ".join(command), Path(log).read_text()[-600:]))
    count = [PYTHON, "tests/bench/instructions.py"]
    if not (PLACE / "instructions.recorded").exists():           # the first is without a fault
        if sh(count + ["--record"], SECONDS["instructions"], log) != 0:
            raise Failed("%s" % Path(log).read_text()[-600:])
        (PLACE / "instructions.recorded").touch()
    return sh(count, SECONDS["instructions"], log) == 0


def check(killer, log):
    """Runs one check: does it pass?"""
    kind, _, what = killer.partition(":")
    if kind == "instructions":
        return instructions(log)
    if kind == "unit":
        build("build/tests/unit/" + what, log)
        command = ["build/tests/unit/" + what]
    elif kind in ("oracle", "findings"):
        build("build/tests/oracle/judge_worlds", log)
        script, more = ("test_oracle.py", ["--print", "0"]) if kind == "oracle" else ("test_findings.py", [])
        command = [PYTHON, "tests/oracle/" + script, "--seed", "gatehouse", *more, "--worlds"]
        worlds = (300, 8000) if kind == "oracle" else (50, 500)      # most faults show in the first few
        return all(sh(command + [str(count)], SECONDS[kind], log) == 0 for count in worlds)
    elif kind == "hierarchy":
        build("build/tests/oracle/hierarchy_worlds", log)
        command = [PYTHON, "tests/oracle/test_hierarchy.py", "--worlds", "3000", "--seed", "gatehouse"]
    elif kind == "laws":
        build("tools", log)
        command = ["build/tests/laws/laws", "--worlds", "10000", "--seed", "1", "--report", str(PLACE / "laws")]
    elif kind == "quota":
        build("build/tests/oracle/quota_worlds", log)
        command = [PYTHON, "tests/oracle/test_quota.py", "--histories", "3000", "--seed", "1"]
    elif kind in ("histories", "reuse", "kill"):
        target = "build/tests/%s/%s" % ("kill" if kind == "kill" else "counters", kind)
        build(target, log)
        command = [target, *{"histories": ["--histories", "4000", "--seed", "1"], "reuse": [], "kill": ["--kills", "4000", "--seed", "1"]}[kind]]
        command += ["--ledger", "/dev/shm/gatehouse-mutants-%s-%d" % (kind, os.getpid())]
    else:
        build({"cli": "cli", "dialects": "build/tests/tools/dialects"}.get(kind, "module"), log)
        words = shlex.split(what)
        at = words.index("-k") if "-k" in words else len(words)
        files = ["tests/%s/%s" % (kind, name) for name in words[:at]]
        command = [PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files, *words[at:]]
    status = sh(command, SECONDS[kind], log)
    if kind in ("cli", "dialects", "e2e") and status == 5:
        raise Failed("%s chose no test" % killer)
    return status == 0


def copy_source():
    """The tree as it stands, without what is built. Files that did not change keep their time, and what is built from them stays."""
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "instructions.recorded").unlink(missing_ok=True)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if names.returncode == 0:
        files = [name for name in names.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    else:
        files = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and path.relative_to(ROOT).parts[0] not in ("build", ".git")]
    for name in files:
        there = SOURCE / name
        if there.exists() and there.read_bytes() == (ROOT / name).read_bytes():
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, there)
        shutil.copymode(ROOT / name, there)
    for path in list(SOURCE.rglob("*")):
        inside = path.relative_to(SOURCE)
        if path.is_file() and inside.parts[0] != "build" and str(inside) not in set(files):
            path.unlink()


def edited(mutant):
    """{file: text} with the fault in it."""
    texts = {}
    for name, old, new in mutant.edits:
        text = texts.get(name) or (ROOT / name).read_text()
        if text.count(old) != 1:
            raise Failed("%s has the text to change %d times, not once: mutants.py has to follow the source" % (name, text.count(old)))
        texts[name] = text.replace(old, new)
    return texts


def try_mutant(mutant, killers):
    """The killers that did not notice it."""
    texts = edited(mutant)
    try:
        for name, text in texts.items():
            (SOURCE / name).write_text(text)
        return [killer for number, killer in enumerate(killers) if check(killer, PLACE / ("%s-%d.log" % (mutant.name, number)))]
    finally:
        for name in texts:
            shutil.copyfile(ROOT / name, SOURCE / name)


def table():
    lines = ["| mutant | what it breaks | killed by |", "|---|---|---|"]
    lines += ["| `%s` | %s | %s |" % (each.name, each.breaks, ", ".join("`%s`" % killer for killer in each.killers)) for each in MUTANTS]
    return "\n".join(lines) + "\n"


def chosen(options):
    for mutant in MUTANTS:
        killers = [killer for killer in mutant.killers if not options.kind or killer.partition(":")[0] in options.kind]
        if killers and (not options.only or any(word in mutant.name for word in options.only)):
            yield mutant, killers


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        print(table(), end="")
        return 0
    passed, failures, todo = 0, [], list(chosen(options))
    if len(MUTANTS) != len({each.name for each in MUTANTS}):
        failures.append("a name is given twice")
    if table() not in README.read_text():
        failures.append("README.md does not have the table of --table")
    copy_source()
    broken = set()
    for number, killer in enumerate(sorted({killer for _, killers in todo for killer in killers})):
        try:
            if check(killer, PLACE / ("without-%d.log" % number)):
                passed += 1
                continue
            failures.append("%s fails without a fault: %s" % (killer, PLACE / ("without-%d.log" % number)))
        except Failed as failed:
            failures.append("%s: %s" % (killer, failed))
        broken.add(killer)
    print("%d checks pass without a fault" % passed, flush=True)
    for mutant, killers in todo:
        begun = time.monotonic()
        try:
            unnoticed = try_mutant(mutant, killers)
            bad = unnoticed + [killer for killer in killers if killer in broken]
            result = "SURVIVED " + ", ".join(bad) if bad else "killed by " + ", ".join(killers)
        except Failed as failed:
            bad, result = [mutant.name], "NOT TRIED: %s" % failed
        passed += not bad
        if bad:
            failures.append("%s: %s" % (mutant.name, result))
        print("%-28s %5.0f s  %s" % (mutant.name, time.monotonic() - begun, result), flush=True)
    if failures:
        print("\n".join(["failures:"] + failures))
    print("%d passed, %d failed" % (passed, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
