"""Reads the record while it grows and checks that each file is one chain: every line begins with the digest of the line before."""
import hashlib
import json
import pathlib
import re

try:
    import jsonschema
    SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "conf" / "schema" / "record-1.schema.json").read_text())
    TYPES = {kind["title"]: jsonschema.Draft202012Validator({**SCHEMA["$defs"][f"{kind['title']}_line"], "$defs": SCHEMA["$defs"]})
             for kind in SCHEMA["$defs"].values() if "title" in kind}
except ImportError:                  # the judgement itself needs nothing but Python
    TYPES = None

NAME = re.compile(r"^(?P<node>[a-z0-9-]+)-(?P<epoch>\d+)-(?P<pid>\d+)-(?P<sequence>\d+)\.jsonl$")
LINE_MAX = 32768


def order(name):
    """Segments of one writer in the order in which it wrote them."""
    parts = NAME.match(name)
    return (parts["node"], int(parts["epoch"]), int(parts["pid"]), int(parts["sequence"])) if parts else (name, 0, 0, 0)


class Missing(Exception):
    """What a line refers to does not stand before it."""


def filled(value, values):
    """The members of a basis, each null in them with the next of the values."""
    if value is None:
        if not values:
            raise Missing("fewer values than the basis has places for")
        return values.pop(0)
    if isinstance(value, dict):
        return {name: filled(one, values) for name, one in value.items()}
    return [filled(one, values) for one in value] if isinstance(value, list) else value


def restored(value, bases):
    """A decision, or a part of one, with the members of its bases where "basis":[K,VALUE,...] stands for them."""
    if isinstance(value, list):
        return [restored(one, bases) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        if name != "basis":
            found[name] = restored(one, bases)
            continue
        number, *values = one
        if number not in bases:
            raise Missing(f"basis {number} stands nowhere before it")
        found.update(filled(bases[number], values))
        if values:
            raise Missing(f"basis {number} has no place for {len(values)} of the values")
    return found


class Segment:
    """One file. `last` is the digest of its newest line, `end` the offset after it."""

    def __init__(self, path):
        self.path, self.last, self.end, self.lines, self.torn, self.seen = path, None, 0, 0, b"", {}
        self.bases = {}                                     # members by number
        self.digests, self.texts, self.counted, self.again = [], [], None, set()      # of each line; how many count; lines that were read elsewhere
        self.pid = int(NAME.match(path.name).group("pid")) if NAME.match(path.name) else None

    def more(self, complain):
        """The lines that came, each with its file and the offset after it. complain(text) for every break in the chain."""
        if self.counted is not None and self.lines >= self.counted:
            return                                          # what follows was taken back
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
            if self.lines == self.counted:
                return
            self.end += len(text) + 1
            line = self._checked(text, complain)
            if line is not None and (self.lines == 1 or self.texts[-1] not in self.again):
                yield {**line, "_file": self.path.name, "_end": self.end}

    def _checked(self, text, complain):
        number, self.lines = self.lines, self.lines + 1
        before, self.last = self.last, hashlib.sha256(text).hexdigest()
        self.digests.append(self.last)
        self.texts.append(hash(text[text.find(b',"v":'):]))  # without what the chain puts in front
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
        self._published(line, number, complain)
        try:
            return self._meant(line)
        except (Missing, KeyError, TypeError, ValueError) as why:
            complain(f"{self.path.name}:{number + 1}: {why}")
            return line

    def _meant(self, line):
        if line.get("type") == "basis":
            if line["basis"] in self.bases:
                raise Missing(f"basis {line['basis']} stands there already")
            self.bases[line["basis"]] = line["members"]
        return restored(line, self.bases) if line.get("type") == "decision" else line

    def _published(self, line, number, complain):
        """As the schema of the record says. A few hundred lines of each type and file are enough."""
        if TYPES is None:
            return
        kind = line.get("type")
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.seen[kind] > 200:
            return
        if kind not in TYPES:
            complain(f"{self.path.name}:{number + 1}: the schema has no line of type {kind}")
            return
        for error in TYPES[kind].iter_errors(line):
            complain(f"{self.path.name}:{number + 1}: not as the schema says: {error.json_path}: {error.message[:200]}")


class Record:
    """All files of one gateway's record, in its directory and in the one that takes over."""

    def __init__(self, audit, second=None):
        self.directory, self.segments = pathlib.Path(audit) / "open", {}
        self.directories = [self.directory] + ([pathlib.Path(second) / "open"] if second else [])

    def more(self, complain):
        found = {path.name: path for directory in self.directories for path in directory.glob("*.jsonl")}
        paths = {name: found[name] for name in sorted(found, key=order)}
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

    def _voided(self, segment, void, complain):
        """From line `line` of that file on, up to this one, the writer took everything back, and writes it again here."""
        first, until = order(void["file"]), order(segment.path.name)
        if first[:3] != until[:3] or first[3] >= until[3]:
            complain(f"{segment.path.name}:1: takes back what is not its writer's: {void['file']}")
        for name, other in self.segments.items():
            if order(name)[:3] == until[:3] and first[3] <= order(name)[3] < until[3]:
                kept = void["line"] if name == void["file"] else 0
                segment.again |= set(other.texts[max(kept, 1):]) | other.again
                other.counted = min(kept, other.counted if other.counted is not None else kept)

    def _continues(self, segment, line, complain):
        """A file's first line continues the file it names, or begins with zeros."""
        previous = line.get("previous_file")
        if "void" in line:
            self._voided(segment, line["void"], complain)
            if previous == line["void"]["file"] and previous in self.segments:
                if self.segments[previous].digests[line["void"]["line"] - 1:line["void"]["line"]] != [line.get("prev")]:
                    complain(f"{segment.path.name}:1: does not continue line {line['void']['line']} of {previous}")
                return
        if previous is None:
            if line.get("prev") != "0" * 64:
                complain(f"{segment.path.name}:1: continues a file that it does not name")
        elif previous in self.segments and self.segments[previous].last != line.get("prev"):
            complain(f"{segment.path.name}:1: does not continue {previous}")
