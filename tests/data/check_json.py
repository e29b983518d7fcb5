#!/usr/bin/env python3
"""
Holds the JSON reader against Python's json module, made as strict by hooks: the same documents must be accepted, with the same
values and spellings of numbers.

    tests/data/check_json.py [--tool build/tests/tools/json_events] [--count N] [--seed N]

Documents: those in tests/data/json (accept-*, refuse-*), generated ones, and mutations of both.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEPTH = 128
TOKENS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\u0000", b"\\ud83d", b"\\ude00", b"\\ud83d\\ude00", b"\\u00e9", b"\\/",
          b"null", b"true", b"false", b"nul", b"NaN", b"Infinity", b"-Infinity", b"-", b"+", b".", b"e", b"E", b"0", b"00", b"1", b"1e308",
          b"1e309", b"1.7976931348623158e308", b"1.7976931348623159e308", b"e-400", b"e99999999999999999999", b" ", b"\t", b"\n", b"\r", b"\f",
          b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xbf", b"\xc0\xaf", b"\xc3\xa9", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80",
          b"\xf4\x90\x80\x80", b"\xff", b'"a":', b'"a":1', b",", b"//", b"/*", b"'"]


class Refused(ValueError):
    pass


class Duplicate(Refused):
    pass


class Number(str):
    """A number by its spelling."""


def number(text):
    if float(text) in (float("inf"), float("-inf")):
        raise Refused("not finite")
    return Number(text)


def constant(text):
    raise Refused(text)


def pairs(items):
    value = dict(items)
    if len(value) != len(items):
        raise Duplicate("duplicate key")
    return ("object", items)


def walk(value, depth=0):
    """Depth, and what a string may not hold. A RecursionError is a refusal, too: DEPTH is far below."""
    if isinstance(value, (list, tuple)):
        if depth == DEPTH:
            raise Refused("depth")
        members = value if isinstance(value, list) else [part for pair in value[1] for part in pair]
        for member in members:
            walk(member, depth + 1)
    elif isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise Refused("NUL or lone surrogate")


def loose(items):
    return ("object", items)


def parse(data, hook=pairs):
    text = data.decode("utf-8")
    if text.startswith("\ufeff"):
        raise Refused("BOM")
    value = json.loads(text, object_pairs_hook=hook, parse_float=number, parse_int=number, parse_constant=constant)
    walk(value)
    return value


def judge(data):
    """("ok", value), ("duplicate", None) or ("error", None)."""
    try:
        value = parse(data, loose)
    except (ValueError, RecursionError):
        return "error", None
    try:
        return "ok", parse(data)
    except Duplicate:
        return "duplicate", None


# ---- making documents ----

def make_string(rng):
    parts = []
    for _ in range(rng.choice([0, 1, 1, 3, 6, 20, 40])):
        kind = rng.random()
        if kind < 0.6:
            parts.append(rng.choice("abcdefghijklmnop XYZ0123/.:;{}[],'"))
        elif kind < 0.7:
            parts.append(rng.choice(["\\n", "\\t", "\\\\", '\\"', "\\/", "\\b", "\\f", "\\r"]))
        elif kind < 0.8:
            code = rng.choice([1, 0x1f, 0x7f, 0xe9, 0x2028, 0xd7ff, 0xe000, 0xffff, rng.randrange(1, 0xd800)])
            parts.append(("\\u%04x" if rng.random() < 0.5 else "\\u%04X") % code)
        elif kind < 0.85:
            code = rng.randrange(0x10000, 0x110000) - 0x10000
            parts.append("\\u%04x\\u%04x" % (0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff)))
        else:
            parts.append(chr(rng.choice([0xe9, 0x20ac, 0x1f600, 0x7f, 0x80, 0x7ff, 0x800, 0xfffd, 0x10ffff, rng.randrange(0xe000, 0x10000)])))
    return '"' + "".join(parts) + '"'


def make_number(rng):
    digits = str(rng.choice([0, 1, 7, 42, rng.randrange(10**9), rng.randrange(10**25), 10**rng.randrange(300, 312)]))
    fraction = "." + "".join(rng.choices("0123456789", k=rng.choice([1, 2, 20]))) if rng.random() < 0.3 else ""
    exponent = ""
    if rng.random() < 0.3:
        exponent = rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.choice([0, 1, 5, 20, 290, 300, 307, 308, 309, 310, 330, 9999]))
    return rng.choice(["", "-"]) + digits + fraction + exponent


def space(rng):
    return rng.choice(["", "", "", " ", "\n", "\t ", "\r\n"])


def make(rng, depth=0):
    kind = rng.random()
    if depth > 5 or kind < 0.4:
        return rng.choice([make_string, make_string, make_number, make_number, lambda _: "null", lambda _: "true", lambda _: "false"])(rng)
    count = rng.choice([0, 1, 2, 3, 5])
    if kind < 0.75:
        members = []
        for i in range(count):
            key = make_string(rng) if rng.random() < 0.5 else rng.choice(['"a"', '"b"', '"model"', '"mod\\u0065l"', '"k%d"' % i])
            members.append(space(rng) + key + space(rng) + ":" + space(rng) + make(rng, depth + 1) + space(rng))
        return "{" + ",".join(members) + space(rng) + "}"
    return "[" + ",".join(space(rng) + make(rng, depth + 1) + space(rng) for _ in range(count)) + space(rng) + "]"


def make_deep(rng):
    depth = rng.choice([1, 63, 64, 65, 126, 127, 128, 129, 130, 200, 1500])
    kinds = [rng.random() < 0.5 for _ in range(depth)]
    return "".join('{"a":' if k else "[" for k in kinds) + "1" + "".join("}" if k else "]" for k in reversed(kinds))


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[at:at + rng.choice([1, 1, 2, 8])]
        elif kind == 2:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 3:
            data[at:at + rng.choice([1, 2, 4])] = rng.choice(TOKENS)
        elif kind == 4:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start:start + rng.randrange(20)]
        else:
            del data[at:]
    return bytes(data)


def documents(rng, count):
    """(name, bytes, what the name promises or None)."""
    found = []
    for path in sorted((HERE / "json").glob("*.json")):
        found.append((path.name, path.read_bytes(), path.name.split("-")[0]))
    if len(found) < 20:
        sys.exit(f"check_json: {HERE / 'json'} holds {len(found)} documents")
    seeds = [data for _, data, _ in found]
    for i in range(count):
        kind = rng.random()
        data = (make_deep(rng) if kind < 0.02 else make(rng)).encode("utf-8")
        if kind > 0.4:
            data = mutate(rng, data if kind < 0.8 else rng.choice(seeds))
        found.append((f"made {i}", data, None))
    return found


def check(name, data, promise, answer):
    """None, or what is wrong."""
    verdict, value = judge(data)
    got = answer.split(" ", 1)[0]
    if got != verdict:
        return f"Python says {verdict}, the reader says {answer[:200]}"
    if promise is not None and (promise == "accept") != (got == "ok"):
        return f"should be: {promise}; both say {got}"
    if got == "ok":
        again = parse(answer[3:].encode("utf-8"))
        if again != value or json.dumps(again) != json.dumps(value):
            return f"values differ: {answer[:200]}"
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tool", default=str(HERE.parent.parent / "build/tests/tools/json_events"))
    arguments.add_argument("--count", type=int, default=20000)
    arguments.add_argument("--seed", type=int, default=8259)
    options = arguments.parse_args()

    cases = documents(random.Random(options.seed), options.count)
    run = subprocess.run([options.tool], input=b"".join(data.hex().encode() + b"\n" for _, data, _ in cases), stdout=subprocess.PIPE)
    answers = run.stdout.decode("utf-8").split("\n")[:-1]
    if run.returncode != 0 or len(answers) != len(cases):
        sys.exit(f"check_json: {options.tool} ended with {run.returncode} after {len(answers)} of {len(cases)} documents")

    failed, seen = 0, {"ok": 0, "duplicate": 0, "error": 0}
    for (name, data, promise), answer in zip(cases, answers):
        wrong = check(name, data, promise, answer)
        seen[answer.split(" ", 1)[0]] = seen.get(answer.split(" ", 1)[0], 0) + 1
        if wrong:
            failed += 1
            if failed <= 20:
                print(f"{name}: {data[:300]!r}: {wrong}", file=sys.stderr)

    # a generator that only makes one kind tests nothing
    if min(seen["ok"], seen["error"]) < options.count // 10 or seen["duplicate"] < options.count // 200:
        print(f"too few of a kind: {seen}", file=sys.stderr)
        failed += 1

    print(f"check_json: {len(cases) - failed} passed, {failed} failed ({seen['ok']} accepted, {seen['error']} refused, "
          f"{seen['duplicate']} with a repeated key)")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
