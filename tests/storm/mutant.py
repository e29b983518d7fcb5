"""Builds the gateway without its barrier, in a copy of the source: what the storm is to find something in."""
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# File, function, and what stands first in it then.
CHANGES = {
    "check": [("ngx_module/ngx_http_gatehouse_policy.c", "ngx_http_gatehouse_still", "return NGX_OK;")],    # in front of each write, and of what runs
    "wait": [("policy/ledger/barrier.c", "missing", "return NULL;")],                                       # of the editor, for every worker
}
CHANGES["barrier"] = CHANGES["check"] + CHANGES["wait"]


def changed(text, function, statement):
    """The source with a statement in front of everything else that the function does."""
    found, count = re.subn(rf"(^{function}\([^{{;]*\)\n{{\n)", rf"\1    {statement}\n\n", text, flags=re.M)
    if count != 1:
        raise SystemExit(f"mutant: {count} definitions of {function}: tests/storm/mutant.py has to follow the source")
    return found


def build(name, directory):
    """The mutant's build directory below `directory`."""
    source = pathlib.Path(directory) / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=lambda path, names: {"build", ".git", ".run", "__pycache__"} & set(names))
    for path, function, statement in CHANGES[name]:
        (source / path).write_text(changed((source / path).read_text(), function, statement))
    flags = {**os.environ, "CFLAGS": "-O2 -g -Wno-error"}
    for step in (["make", f"-j{os.cpu_count()}", "core", "cli"], ["make", "module"]):
        done = subprocess.run(step, cwd=source, env=flags, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"mutant: {' '.join(step)}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return source / "build"
