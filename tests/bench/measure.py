"""Processes on processors of their choice, what they used, and what many rounds of a figure say."""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import time

LIMIT_SECONDS = 300                 # of any load: what hangs is ended


realtime = False                    # --realtime: what is measured goes before everything else that runs here


def spawn(arguments, core, **more):
    """A process on one processor. It is ours to stop. What it starts inherits its priority."""
    first = ("chrt", "-f", "5") if realtime else ()
    return subprocess.Popen([*first, "taskset", "-c", str(core), *map(str, arguments)], stdin=subprocess.DEVNULL, **more)


def stop(process, how=signal.SIGTERM, seconds=10):
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def move(pid, core):
    """A process and its threads to another processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            found += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except OSError:
            pass
    return found


def family(pid):
    """A process and all below it."""
    found = [pid]
    for one in found:
        found += children(one) if os.path.exists(f"/proc/{one}") else []
    return found


def cpu_seconds(pids):
    """Processor time that they and their threads have used, by the scheduler's count in nanoseconds."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass
    return total / 1e9


def private_kb(pids):
    """Memory that is theirs alone: not what files and other processes share."""
    total = 0
    for pid in pids:
        total += int(re.search(r"^Anonymous:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
    return total


class Tools:
    """The load generator and the raw backend."""

    def __init__(self, build):
        self.load_program = str(build / "tests/bench/load/load")
        self.backend_program = str(build / "tests/bench/load/backend")

    def load(self, mode, port, core, wait=True, **options):
        arguments = [self.load_program, mode, port]
        for name, value in options.items():
            if value is True:
                arguments.append(f"--{name}")
            elif value is not None and value is not False:
                arguments += [f"--{name}", value]
        process = spawn(arguments, core, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self.result(process) if wait else process

    @staticmethod
    def result(process):
        try:
            out, errors = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"load: {process.returncode}: {errors.strip()}")
        return json.loads(out)

    def backend(self, port, core, **options):
        arguments = [self.backend_program, port]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", value]
        return spawn(arguments, core)


def median(values):
    return statistics.median(values)


class Figure:
    """Rounds of one number: its median, and the least and most of them."""

    def __init__(self, values):
        self.values = [float(value) for value in values]

    @property
    def median(self):
        return median(self.values)

    def text(self, digits=2):
        low, high = min(self.values), max(self.values)
        spread = f" ({low:.{digits}f}-{high:.{digits}f})" if len(self.values) > 1 else ""
        return f"{self.median:.{digits}f}{spread}"

    def json(self):
        return {"median": round(self.median, 4), "min": round(min(self.values), 4), "max": round(max(self.values), 4), "rounds": len(self.values)}


def machine():
    """What the figures were taken on."""
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) // 1048576
    system = re.search(r'PRETTY_NAME="([^"]*)"', pathlib.Path("/etc/os-release").read_text())
    return {"processor": cpu.group(1) if cpu else os.uname().machine, "processors": os.cpu_count(), "memory_gib": memory,
            "system": system.group(1) if system else "", "kernel": re.match(r"[\d.]+", os.uname().release).group(0),
            "load_before": round(os.getloadavg()[0], 2), "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}


def directory(prefix, where=None):
    found = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    found.chmod(0o755)
    return found
