"""A disk that fails, is slow and tells what it has synced: faulty_disk.c, loaded into nginx, and what it wrote down."""
import bisect
import collections
import errno
import json
import os
import pathlib
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ("write_errors", "short_writes", "no_space", "sync_errors", "open_errors", "slow", "slow_syncs", "faults")      # of faulty_disk.c

FAULTY = ("LD_PRELOAD", "FAULTY_DISK", "FAULTY_DISK_BELOW", "FAULTY_DISK_SYNCS", "FAULTY_DISK_SYNCED")                    # of its environment


def built(directory):
    """The library, in that directory."""
    library = directory / "faulty_disk.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/storm/faulty_disk.c", "-ldl"], check=True)
    library.chmod(0o755)
    return library


class Faults:
    """Below `place` it fails; below `synced` (the same place) it tells what is on the disk."""

    def __init__(self, directory, place, synced=None):
        self.control, self.log, self.place, self.synced = directory / "disk", directory / "syncs", place, synced or place
        self.control.write_bytes(bytes(4 * len(WORDS)))
        self.log.write_bytes(b"")
        for path in (self.control, self.log):
            path.chmod(0o666)
        self.library = built(directory)

    def environment(self):
        return dict(zip(FAULTY, map(str, (self.library, self.control, self.place, self.log, self.synced))))

    def set(self, name, value):
        with open(self.control, "r+b") as place:
            place.seek(4 * WORDS.index(name))
            place.write(struct.pack("I", value))

    def sync_errors(self, code=errno.EIO):
        self.set("sync_errors", code)

    def faults(self):
        return struct.unpack(f"{len(WORDS)}I", self.control.read_bytes())[-1]


class Synced:
    """What was on the disk when: by the log of faulty_disk.c."""

    def __init__(self, log):
        self.calls, self.by_file = [], collections.defaultdict(list)
        for text in pathlib.Path(log).read_text().splitlines():
            when, file, size, code = text.split()
            self.calls.append((int(when) / 1e9, file, int(size), int(code)))
            if code == "0":
                known = self.by_file[file]
                known.append((int(when) / 1e9, max(int(size), known[-1][1] if known else 0)))

    def size(self, path, when=float("inf")):
        """Bytes of the file that were on the disk at that time."""
        info = os.stat(path)
        known = self.by_file.get(f"{info.st_dev}:{info.st_ino}", [])
        at = bisect.bisect_right(known, (when, float("inf")))
        return known[at - 1][1] if at else 0


def raw_lines(*audits):
    """Every line that stands in a file, those that were taken back too: (line, path, offset behind it)."""
    for audit in filter(None, audits):
        for path in sorted((pathlib.Path(audit) / "open").glob("*.jsonl")):
            end = 0
            for text in path.read_bytes().split(b"\n")[:-1]:
                end += len(text) + 1
                yield json.loads(text), path, end


def unsynced(log, audits, mocks):
    """
    (how many dispatches came, complaints): when the first byte of the n-th dispatch of a request came at a backend, the lines of n of its
    dispatches, the decision and further attempts, had to be on the disk.
    """
    synced, lines, arrivals, found = Synced(log), collections.defaultdict(list), collections.defaultdict(list), []
    for line, path, end in raw_lines(*audits):
        if line["type"] in ("decision", "attempt"):
            lines[line["id"]].append((line.get("number", 1), path, end))
    for mock in mocks:
        for request in mock.requests:
            arrivals[request.id].append(request.first)
    for number, times in arrivals.items():
        for turn, moment in enumerate(sorted(times), 1):
            there = {dispatch for dispatch, path, end in lines[number] if synced.size(path, moment) >= end}
            if len(there) < turn:
                found.append(f"dispatch {turn} of {number} came when {len(there)} of its lines were on the disk")
    return sum(map(len, arrivals.values())), found
