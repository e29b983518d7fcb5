#!/usr/bin/env python3
"""
Random AWS event streams through build/tests/tools/event_stream, which reads each split at every byte and writes it again. What it reads is compared with
botocore and, where node and npm are installed, with @smithy/eventstream-codec in both directions. Streams cut at every byte, with every bit flipped, and
with damage under a right checksum: what is told is exact, and nothing gets through.

    tests/data/check_event_stream.py [--tool build/tests/tools/event_stream] [--count N] [--seed N]
"""
import argparse
import json
import pathlib
import random
import shutil
import struct
import subprocess
import zlib

import botocore.eventstream
from botocore.eventstream import EventStreamBuffer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMITHY = "@smithy/eventstream-codec@4.5.2"
MAX = 24 << 20
NUMBERS = {2: "!b", 3: "!h", 4: "!i", 5: "!q", 8: "!q"}
EVENTS = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "chunk"]
EXCEPTIONS = ["internalServerException", "modelStreamErrorException", "serviceUnavailableException", "throttlingException", "validationException"]


# ---- messages: [[(name, type, value)], payload], integers as int, bytes and strings as bytes ----

def header(name, kind, value):
    head = bytes([len(name)]) + name + bytes([kind])
    if kind in NUMBERS:
        return head + struct.pack(NUMBERS[kind], value)
    if kind in (6, 7):
        return head + struct.pack("!H", len(value)) + value
    return head + (value if kind == 9 else b"")


def frame(headers, payload):
    """A message of any bytes as headers, its checksums right."""
    head = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    body = head + struct.pack("!I", zlib.crc32(head)) + headers + payload
    return body + struct.pack("!I", zlib.crc32(body))


def encode(message):
    return frame(b"".join(header(*h) for h in message[0]), message[1])


def string(rng, most):
    return "".join(rng.choice("aZ0:-_ /\"\\\né漢😀") for _ in range(rng.randrange(most))).encode()


def value(rng, kind):
    if kind in NUMBERS:
        bits = struct.calcsize(NUMBERS[kind]) * 8 - 1
        if kind == 8:
            return rng.choice([0, -1, rng.randrange(-8_640_000_000_000_000, 8_640_000_000_000_000)])
        return rng.choice([0, -1, 2**bits - 1, -2**bits, rng.randrange(-2**bits, 2**bits)])
    if kind == 6:
        return rng.randbytes(rng.choice([0, 1, 7, 300]))
    return {7: string(rng, 30), 9: rng.randbytes(16)}.get(kind, b"")


def message(rng, small=False):
    """As services send them, or with headers of every type."""
    payload = rng.choice([b"", b"{}", json.dumps({"delta": {"text": string(rng, 40).decode()}}).encode(), rng.randbytes(rng.randrange(60 if small else 3000))])
    choice = rng.randrange(6)
    if choice < 3:
        kind, what = rng.choice([("event", rng.choice(EVENTS)), ("exception", rng.choice(EXCEPTIONS))])
        names = {":" + kind + "-type": what, ":content-type": "application/json", ":message-type": kind}
        return [[(n.encode(), 7, v.encode()) for n, v in names.items()], payload]
    if choice == 3:
        names = {":message-type": "error", ":error-code": "InternalError", ":error-message": string(rng, 20).decode()}
        return [[(n.encode(), 7, v.encode()) for n, v in names.items()], b""]
    names = {b"n" + bytes([97 + i]) + string(rng, 10) for i in range(rng.randrange(1 if small else 12))}
    headers = [(name, kind, value(rng, kind)) for name in sorted(names) for kind in [rng.randrange(10)]]
    rng.shuffle(headers)
    return [headers, payload]


# ---- those who read ----

class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, stream, most=MAX, split=False):
        self.process.stdin.write(b"%d %d %d\n" % (most, split, len(stream)) + stream)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the tool has died")
        answer = json.loads(line)
        assert answer["same"] and answer["encoded"], (answer, stream.hex())
        return answer


class Smithy:
    """None of it where there is no node or npm: why says so."""
    def __init__(self):
        self.process, self.why = None, None
        if not shutil.which("node") or not shutil.which("npm"):
            self.why = "not compared with " + SMITHY + ": node or npm is not installed"
            return
        folder = ROOT / "build/node"
        stamp = folder / "stamp"
        if not stamp.exists() or stamp.read_text() != SMITHY:
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", SMITHY], capture_output=True, text=True)
            if done.returncode != 0:
                self.why = "not compared with " + SMITHY + ": npm could not install it: " + done.stderr.strip()[-200:]
                return
            stamp.write_text(SMITHY)
        self.process = subprocess.Popen(["node", ROOT / "tests/data/smithy_codec.mjs", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def plain(kind, text):
    """A header's value as the tool and as smithy write it."""
    if kind in NUMBERS:
        return int(text)
    return text.encode() if kind == 7 else bytes.fromhex(text)


def ours(answer):
    read = lambda h: (h[0].encode(), h[1], h[2] if h[1] in NUMBERS else bytes.fromhex(h[3]))
    return [[[read(h) for h in m["headers"]], bytes.fromhex(m["payload"])] for m in answer["messages"]]


def amazons(stream, step=None):
    """botocore's reading: messages as (headers, payload), and what it raised."""
    buffer, out = EventStreamBuffer(), []
    try:
        for at in range(0, len(stream), step or len(stream) or 1):
            buffer.add_data(stream[at:at + (step or len(stream))])
            out.extend((m.headers, m.payload) for m in buffer)
    except (botocore.eventstream.ParserError, ValueError, KeyError, struct.error) as error:
        return out, error
    return out, None


def as_amazon(messages):
    """The same messages as botocore gives them."""
    def one(kind, v):
        return {0: True, 1: False}.get(kind, v.decode() if kind == 7 else v)
    return [({h[0].decode(): one(h[1], h[2]) for h in m[0]}, m[1]) for m in messages]


# ---- what is checked ----

def check_class(answer):
    for m in answer["messages"]:
        texts = {h[0]: bytes.fromhex(h[3]).decode() for h in m["headers"] if h[1] == 7}
        kind = texts.get(":message-type")
        which = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
        if kind is None or (kind in which and which[kind] not in texts):
            assert "kind" not in m, m
        else:
            assert m["kind"] == {"error": "fault"}.get(kind, kind if kind in which else "unknown") and m["type"] == texts.get(which.get(kind), kind), m
            assert m["content_type"] == texts.get(":content-type", "") and m["text"] == (texts.get(":error-message", "") if kind == "error" else ""), m


def check_stream(tool, smithy, messages):
    stream = b"".join(encode(m) for m in messages)
    answer = tool.ask(stream, split=True)
    assert "error" not in answer and ours(answer) == messages, (answer, messages)
    assert amazons(stream) == (as_amazon(messages), None)
    check_class(answer)
    if smithy.process:
        text = lambda h: (h[0].decode(), h[1], str(h[2]) if h[1] in NUMBERS else h[2].decode() if h[1] == 7 else h[2].hex())
        asked = [{"headers": [text(h) for h in m[0]], "payload": m[1].hex()} for m in messages]
        if asked:
            assert smithy.ask(encode=asked)["hex"] == stream.hex(), messages
        told = smithy.ask(decode=stream.hex())
        assert told["error"] is None, told
        assert [[[(h[0].encode(), h[1], plain(h[1], h[2])) for h in m["headers"]], bytes.fromhex(m["payload"])] for m in told["messages"]] == messages
    return stream


def check_cuts(tool, messages):
    """At every byte: the messages before it, and whether it is one's end."""
    stream = b"".join(encode(m) for m in messages)
    ends = [sum(len(encode(m)) for m in messages[:i]) for i in range(len(messages) + 1)]
    for cut in range(len(stream)):
        answer = tool.ask(stream[:cut])
        assert ours(answer) == messages[:sum(end <= cut for end in ends) - 1], cut
        assert answer.get("error") == (None if cut in ends else "event_stream_cut"), (cut, answer)
    return len(stream)


def check_flips(tool, messages):
    """Of every bit: an error in its message, those before it as they were, none behind. A length that grew may end as a cut."""
    stream = b"".join(encode(m) for m in messages)
    ends = [sum(len(encode(m)) for m in messages[:i + 1]) for i in range(len(messages))]
    for bit in range(len(stream) * 8):
        damaged = bytearray(stream)
        damaged[bit // 8] ^= 1 << bit % 8
        answer = tool.ask(bytes(damaged))
        good = sum(end <= bit // 8 for end in ends)
        at = bit // 8 - ([0] + ends)[good]
        expected = "event_stream_prelude_checksum" if at < 12 else "event_stream_message_checksum"
        assert ours(answer) == messages[:good] and answer.get("error") == expected, (bit, answer)
    return len(stream) * 8


def check_damage(tool, rng, count):
    """Headers with bytes changed, added or removed under right checksums: what is read is what botocore reads, what botocore refuses is refused."""
    taken = 0
    for _ in range(count):
        headers = bytearray(b"".join(header(*h) for h in message(rng)[0]))
        for _ in range(rng.choice([1, 1, 2])):
            at = rng.randrange(len(headers) + 1)
            headers[at:at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        stream = frame(bytes(headers), b"x")
        answer, (theirs, error) = tool.ask(stream), amazons(stream)
        if "error" not in answer:
            taken += 1
            assert error is None and as_amazon(ours(answer)) == theirs, (answer, theirs, error)
        else:
            assert answer["error"].startswith("event_stream_header_") and not answer["messages"], answer
    return taken


def check_limits(tool):
    short = lambda length, headers: (lambda head: head + struct.pack("!I", zlib.crc32(head)) + bytes(64))(struct.pack("!II", length, headers))
    string_header = lambda name, text: header(name, 7, text)
    cases = [
        (frame(b"", b""), MAX, None), (frame(b"", b"x" * 100), 116, None), (frame(b"", b"x" * 101), 116, "event_stream_too_long"),
        (short(15, 0), MAX, "event_stream_length"), (short(0, 0), MAX, "event_stream_length"), (short(16, 1), MAX, "event_stream_headers_length"),
        (short(0xffffffff, 0xfffffff0), MAX, "event_stream_too_long"), (short(MAX + 1, 0), MAX, "event_stream_too_long"), (short(MAX, 0), MAX, "event_stream_cut"),
        (short(1 << 20, (128 << 10) + 1), MAX, "event_stream_headers_length"), (short(1 << 20, 128 << 10), MAX, "event_stream_cut"),
        (frame(header(b"", 0, b""), b""), MAX, "event_stream_header_name"), (frame(header(b"\xff", 0, b""), b""), MAX, "event_stream_header_name"),
        (frame(header(b"a", 10, b""), b""), MAX, "event_stream_header_type"), (frame(header(b"a", 255, b""), b""), MAX, "event_stream_header_type"),
        (frame(b"\x05abc", b""), MAX, "event_stream_header_cut"), (frame(b"\x01a", b""), MAX, "event_stream_header_cut"),
        (frame(b"\x01a\x05\0\0\0\0\0\0\0", b""), MAX, "event_stream_header_cut"), (frame(b"\x01a\x07\0\x02x", b""), MAX, "event_stream_header_cut"),
        (frame(string_header(b"a", b"\xed\xa0\x80"), b""), MAX, "event_stream_header_value"),
        (frame(string_header(b"a", b"x" * 32767), b""), MAX, None), (frame(string_header(b"a", b"x" * 32768), b""), MAX, "event_stream_header_value"),
        (frame(header(b"a", 0, b"") + header(b"a", 1, b""), b""), MAX, "event_stream_header_twice"),
        (frame(b"".join(header(b"%d" % i, 0, b"") for i in range(128)), b""), MAX, None),
        (frame(b"".join(header(b"%d" % i, 0, b"") for i in range(129)), b""), MAX, "event_stream_header_count"),
    ]
    for stream, most, expected in cases:
        answer = tool.ask(stream, most)
        assert answer.get("error") == expected, (answer, expected)
    # behind an error nothing is read
    answer = tool.ask(frame(b"\xff", b"") + frame(b"", b""))
    assert answer["messages"] == [] and answer["error"] == "event_stream_header_cut"
    return len(cases)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default=ROOT / "build/tests/tools/event_stream")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    rng, tool, smithy = random.Random(options.seed), Tool(options.tool), Smithy()

    size = sum(len(check_stream(tool, smithy, [message(rng) for _ in range(rng.randrange(6))])) for _ in range(options.count))
    limits = check_limits(tool)
    cuts = sum(check_cuts(tool, [message(rng, small=True) for _ in range(3)]) for _ in range(4))
    flips = sum(check_flips(tool, [message(rng, small=True) for _ in range(2)]) for _ in range(3))
    taken = check_damage(tool, rng, options.count * 10)
    assert taken * 20 > options.count, taken
    print(f"{options.count} streams of {size} bytes, {limits} limits, {cuts} cuts, {flips} flipped bits, {options.count * 10} with damaged headers, {taken} of them "
          f"readable; {smithy.why or 'compared with botocore and ' + SMITHY}")


if __name__ == "__main__":
    main()
