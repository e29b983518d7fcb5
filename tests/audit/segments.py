"""Reads the record while it grows and checks that each file is one chain: every line begins with the digest of the line before."""
import hashlib
import json
import pathlib
import re

NAME = re.compile(r"^(?P<node>[a-z0-9-]+)-(?P<epoch>\d+)-(?P<pid>\d+)-(?P<sequence>\d+)\.jsonl$")
LINE_MAX = 32768


class Segment:
    """One file. `last` is the digest of its newest line, `end` the offset after it."""

    def __init__(self, path):
        self.path, self.last, self.end, self.lines, self.torn = path, None, 0, 0, b""
        self.pid = int(NAME.match(path.name).group("pid")) if NAME.match(path.name) else None

    def more(self, complain):
        """The lines that came, each with its file and the offset after it. complain(text) for every break in the chain."""
        with open(self.path, "rb") as source:
            source.seek(0, 2)
            if source.tell() < self.end:
                complain(f"{self.path.name}: cut from {self.end} to {source.tell()} bytes")
                self.end = source.tell()
                return
            source.seek(self.end)
            data = source.read()
        whole = data.rfind(b"\n") + 1
        self.torn = data[whole:]
        for text in data[:whole].split(b"\n")[:-1]:
            self.end += len(text) + 1
            line = self._checked(text, complain)
            if line is not None:
                yield {**line, "_file": self.path.name, "_end": self.end}

    def _checked(self, text, complain):
        number, self.lines = self.lines, self.lines + 1
        before, self.last = self.last, hashlib.sha256(text).hexdigest()
        if len(text) >= LINE_MAX:
            complain(f"{self.path.name}:{number + 1}: {len(text)} bytes")
        try:
            line = json.loads(text)
        except ValueError:
            complain(f"{self.path.name}:{number + 1}: no JSON")
            return None
        if not text.startswith(b'{"prev":"%s","n":%d,' % (str(line.get("prev")).encode(), number)):
            complain(f"{self.path.name}:{number + 1}: does not begin with prev and n {number}")
        if before is not None and line.get("prev") != before:
            complain(f"{self.path.name}:{number + 1}: does not continue the line before")
        if number == 0 and line.get("type") != "segment":
            complain(f"{self.path.name}:1: a file begins with a segment line")
        return line


class Record:
    """All files of one gateway's record."""

    def __init__(self, audit):
        self.directory, self.segments = pathlib.Path(audit) / "open", {}

    def more(self, complain):
        paths = {path.name: path for path in sorted(self.directory.glob("*.jsonl"))}
        for name, path in paths.items():
            self.segments.setdefault(name, Segment(path))
        for name in list(self.segments):
            if name not in paths:
                complain(f"{name}: removed")
                del self.segments[name]
        for segment in self.segments.values():
            for line in segment.more(complain):
                if line.get("type") == "segment":
                    self._continues(segment, line, complain)
                yield line

    def _continues(self, segment, line, complain):
        """A file's first line continues the file it names, or begins with zeros."""
        previous = line.get("previous_file")
        if previous is None:
            if line.get("prev") != "0" * 64:
                complain(f"{segment.path.name}:1: continues a file that it does not name")
        elif previous in self.segments and self.segments[previous].last != line.get("prev"):
            complain(f"{segment.path.name}:1: does not continue {previous}")
