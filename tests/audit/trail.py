"""
What backends and editors saw, as files that an auditor reads after the run. One JSON object a line; every writer has a file of its own:

    backend-NUMBER.jsonl   one mock backend
        backend   name, address
        bytes     c r t n kernel      n bytes of a request came; c, r: connection and request on it; t: when the last of them was received.
                                      kernel: the time is the network stack's, true also when the reader was late
        hello     c                   a TLS client said hello to a backend in clear text
        head      c r t id method target host sni agent length sizes    the head is whole; sizes: of the record's files at that moment
        body      c r t bytes sha256 model fields store                 the body is whole; fields: those at the top that are not null;
                                                                        caps: its limits of output and n; stream, service_tier
        answered  c r t id sent failed cut + answers.described          what it was answered, once nothing more comes; sent: bytes; cut: not all was looked at
    gateway-NUMBER.jsonl   one gateway and whoever edits its policy
        gateway   audit audit_second node access backends{name: address} at each configuration written
        edit      command argv begin end exit out documents scope       a command that edits policy or keys; documents as they were given
        ledger    t counters reservations rest                          what `ledger show --json` says; rest: nothing runs, and what died was recovered
        asked     owner count                                           how many requests clients sent with keys of owner, where workers died
        died      pid                                                   a worker that a signal ended
        excuse    t rules reason, excused t                             a test that breaks a rule on purpose, and its end
        stopped   t                                                     nginx was stopped
    closed in either                                                    nothing follows

Times are seconds since 1970. Files are appended to with one write a line, so threads share them.
"""
import hashlib
import itertools
import json
import os
import pathlib
import re
import select
import socket
import struct
import threading
import time

SO_TIMESTAMPNS = 35                  # asm-generic/socket.h; the control message has the same number
NUMBERS = itertools.count(1)
HELLO = b"\x16\x03"                 # a TLS client's first bytes, sent to a backend that has no TLS: no request
READ_FIELDS = 1 << 18                # of a larger body only model and length are written down
SAID_MAX = 1 << 20                   # bytes of an answer that are looked at
CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of")
MODEL = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.)*)"')


def caps_of(asked):
    """Limits of output; Converse has its own in an object."""
    inference = asked.get("inferenceConfig")
    most = inference.get("maxTokens") if isinstance(inference, dict) else None
    return {name: value for name, value in [("max_tokens", most), *((name, asked.get(name)) for name in CAPS)] if value is not None}


class Writer:
    def __init__(self, directory, kind):
        self.path = pathlib.Path(directory) / f"{kind}-{next(NUMBERS)}.jsonl"
        self.lock = threading.Lock()
        self.handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, event, **fields):
        with self.lock:
            if self.handle is not None:
                os.write(self.handle, json.dumps({"event": event, **fields}, separators=(",", ":")).encode() + b"\n")

    def close(self):
        self.write("closed")
        with self.lock:
            if self.handle is not None:
                os.close(self.handle)
            self.handle = None


class Reader:
    """The whole lines that came since the last read."""

    def __init__(self, path):
        self.path, self.offset = pathlib.Path(path), 0

    def more(self):
        with open(self.path, "rb") as source:
            source.seek(self.offset)
            data = source.read()
        end = data.rfind(b"\n") + 1
        self.offset += end
        return [json.loads(line) for line in data[:end].split(b"\n")[:-1]]


class Silent:
    """A writer that writes nothing, for mocks that nobody audits."""

    def write(self, event, **fields):
        pass

    def close(self):
        pass


class Watched:
    """
    A backend's connection, whose every received byte is written down with the time at which the network stack had it. Everything but
    receiving is the socket's own.
    """

    def __init__(self, sock, writer, connection):
        self.sock, self.writer, self.connection, self.request = sock, writer, connection, 1
        self.stamp = self.first = None
        self.raw = sock if not hasattr(sock, "pending") else socket.socket(fileno=os.dup(sock.fileno()))
        self.own = self.raw is not sock
        self.raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def recv(self, size, flags=0):
        if self.own:
            stamp = self._peeked()
            data = self.sock.recv(size)
        else:
            data, control, _, _ = self.sock.recvmsg(size, 64, flags)
            stamp = stamped(control)
        if data.startswith(HELLO) and not self.own and self.first is None:
            self.writer.write("hello", c=self.connection)
        elif data and not flags & socket.MSG_PEEK:
            self.stamp = stamp or time.time()
            self.first = self.first or self.stamp
            self.writer.write("bytes", c=self.connection, r=self.request, t=self.stamp, n=len(data), kernel=stamp is not None)
        return data

    def _peeked(self):
        """The TLS library hides the time, so the bytes it is about to read are looked at first."""
        if self.sock.pending():
            return self.stamp
        try:
            select.select([self.raw], [], [], self.sock.gettimeout())
            _, control, _, _ = self.raw.recvmsg(1, 64, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (OSError, ValueError):
            return None
        return stamped(control)

    def next_request(self, number, carried):
        """The following bytes are of another request; `carried` of it have come already."""
        self.request, self.first = number, None
        if carried:
            self.first = self.stamp
            self.writer.write("bytes", c=self.connection, r=number, t=self.stamp, n=carried, kernel=False)

    def close(self):
        if self.own:
            self.raw.close()
        self.sock.close()


def documents_in(place):
    """The texts that an edit is given: of every *.json below a directory, by their paths, or of a saved plan."""
    place = pathlib.Path(place)
    if place.is_file():
        return saved_plan(place).get("documents", [])
    paths = sorted(path for path in place.rglob("*.json") if not any(part.startswith(".") for part in path.relative_to(place).parts))
    return [{"path": str(path.relative_to(place)), "text": path.read_text(errors="surrogateescape")} for path in paths]


def saved_plan(path):
    """What a file of `policy plan --out` says; {} when it is none."""
    try:
        found = json.loads(path.read_text())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def scope_of(place):
    """Which documents a saved plan replaces: "everything", "the gateway's" or an organisation's name; None for a directory."""
    place = pathlib.Path(place)
    if not place.is_file():
        return None
    saved = saved_plan(place)
    return {"gateway": "the gateway's", "organisation": saved.get("organisation")}.get(saved.get("scope"), "everything")


def stamped(control):
    """The time in recvmsg's control messages; None: there is none."""
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", value[:16])
            return seconds + nanoseconds / 1e9
    return None


def described(body, tier=None):
    """What is written down of a body. tier: of its service, where a header says it; Converse has an object for it."""
    found = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if len(body) > READ_FIELDS:
        name = MODEL.search(body)
        return {**found, "model": json.loads(b'"' + name.group(1) + b'"') if name else None}
    try:
        asked = json.loads(body)
    except ValueError:
        return found
    if isinstance(asked, dict):
        found.update(model=asked.get("model"), fields=sorted(name for name, value in asked.items() if value is not None), **({"store": asked["store"]} if "store" in asked else {}),
                     caps=caps_of(asked), stream=asked.get("stream") is True, service_tier=tier or asked.get("service_tier") or (asked.get("serviceTier") or {}).get("type"),
                     background=asked.get("background") is True)
    return found
