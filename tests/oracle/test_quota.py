#!/usr/bin/env python3
"""
Random histories of requests through build/tests/oracle/quota_worlds and through quota_reference.py, which was written from the documents alone:
every verdict, reservation, charge and counter must agree.

    tests/oracle/test_quota_reference.py [--histories N] [--seed N] [--tool build/tests/oracle/quota_worlds]

A history is one key under limits of its own, and up to 8 requests that run beside each other, over window ends and a clock that steps back. The books say
what comes next, so a whole history is written first, and the tool's answers are compared then.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile

from quota_reference import (ANSWER, BUDGET, DAY, FOREVER, IN_FLIGHT, INPUT, MINUTE, MONEY, MONTH, NOTHING, OUTPUT, RATE, REQUESTS, RESERVATION, SECOND, SHADOW, STREAMS,
                         TOKENS, MOST, Books)

TOOL = pathlib.Path(__file__).resolve().parents[2] / os.environ.get("GATEHOUSE_BUILD", "build") / "tests/oracle/quota_worlds"
CHUNK = 2000                             # histories of one ledger
WINDOWS = {REQUESTS: (SECOND, MINUTE, DAY), MONEY: (DAY, MONTH, FOREVER), IN_FLIGHT: (FOREVER,), STREAMS: (FOREVER,),
           **dict.fromkeys((TOKENS, INPUT, OUTPUT), (MINUTE, DAY, MONTH))}
BEGINS = [1772323197000, 1835481597000, 1798761597000, 1795748699000, 1801439909000]   # before ends of February, leap February, a year, a minute, a month


def some_limits(dice):
    found = {}
    for _ in range(dice.choice((1, 2, 3, 4, 6, 10, 24))):
        dimension = dice.choice(list(WINDOWS))
        per, limit_class = dice.choice(WINDOWS[dimension]), dice.choice((BUDGET, BUDGET, RATE, SHADOW))
        most = {REQUESTS: 5, IN_FLIGHT: 4, STREAMS: 3, MONEY: 200000}.get(dimension, 30000)
        amount = dice.choice((0, 1, most // 2, most, most, most * 4, most * 40, MOST))
        name = (dice.randrange(1, 5), dimension, per, limit_class, dice.choice((0, 0, 1, 2)))
        if (dimension, per, limit_class) not in ((REQUESTS, SECOND, BUDGET), (MONEY, FOREVER, RATE)):
            found[name] = (*name[:4], amount, name[4])
    return list(found.values())


def some_rates(dice):
    return tuple(dice.choice((0, 1, 999999, 1000001, 10 ** 15 if dice.random() < 0.05 else dice.randrange(20000000))) for _ in range(5))


def some_target(dice):
    price = None
    if dice.random() < 0.85:
        above = sorted(dice.sample((0, 1, 50, 400, 401, 500, 2000, 9000), dice.choice((0, 0, 1, 2, 3, 8))))
        price = (some_rates(dice), [(one, some_rates(dice)) for one in above])
    return {"context": dice.choice((0, 10, 4000, 4000, 128000)), "max_output": dice.choice((0, 1, 600, 600, 5000)), "image": dice.choice((0, 0, 85, 1000)),
            "message": dice.choice((0, 3, 16, 16)), "price": price}


def some_ask(dice):
    endpoint = dice.choice((0, 0, 0, 1, 2))
    return {"endpoint": endpoint, "text": dice.choice((0, 1, 3, 4, dice.randrange(3000), dice.randrange(40000), 1 << 31 if dice.random() < 0.1 else 57)), "messages": dice.choice((0, 1, 1, 7)) if endpoint == 0 else 0,
            "prompts": 1 if endpoint == 0 else dice.choice((1, 1, 2, 5, 2048)), "images": dice.choice((0, 0, 0, 1, 3)) if endpoint == 0 else 0,
            "unbounded": int(dice.random() < 0.1), "n": dice.choice((1, 1, 1, 2, 5, 128)) if endpoint != 2 else 1,
            "max_tokens": dice.choice((0, 0, 1, 100, 599, 601, 100000, 1 << 62)) if endpoint != 2 else 0}


def some_use(dice, made):
    near = lambda most: max(0, dice.choice((0, 1, int(min(most, 5000)), int(min(most, 5000)) + 1, dice.randrange(3000), 3000 + dice.randrange(9000))))   # noqa: E731
    given, output = near(made.most_input), near(made.most_output)
    outside, beside = dice.random() < 0.15, dice.random() < 0.15
    part = lambda most, chance: dice.choice((most, most + 1, dice.randrange(most + 1), dice.randrange(most + 1))) if dice.random() < chance else 0   # noqa: E731
    if dice.random() < 0.06:
        given, output = dice.choice(((1 << 32, output), ((1 << 32) + 1, output), (given, 1 << 32), (given, (1 << 32) + 1), (1 << 40, 1 << 40)))
    cached, written, reasoning = part(given, 0.4), part(given // 2, 0.2), part(output, 0.3)
    return {"charge": dice.choices((ANSWER, NOTHING, RESERVATION), (7, 1, 1))[0], "reported": dice.random() < 0.75, "cached_outside": outside, "reasoning_outside": beside,
            "counts": (given, cached, written, output, reasoning), "partial": dice.random() < 0.2, "bytes": near(made.most_output) * dice.choice((0, 1, 4, 5, 5, 1 << 37)),
            "events": near(made.most_output) if made.stream else 0}


class History:
    def __init__(self, dice):
        self.dice, self.lines, self.expected = dice, [], []
        self.limits, self.max_output = some_limits(dice), dice.choice((0, 0, 3, 500, 4000))
        self.books, self.now, self.requests, self.ended = Books(self.limits, self.max_output), dice.choice(BEGINS) + dice.randrange(2000), {}, 0
        self.say("world", len(self.limits), self.max_output, *(word for limit in self.limits for word in limit), expect={})
        self.aim()
        for _ in range(dice.choice((3, 8, 20, 40))):
            self.step()
        for number in list(self.requests):
            self.finish(number)
        self.say("counters", self.now, expect=self.books.look(self.now))

    def say(self, *words, expect):
        self.lines.append(" ".join(str(int(word)) if not isinstance(word, str) else word for word in words))
        self.expected.append(None if any([counter.overflows() for counter in self.books.counters]) else expect)

    def aim(self):
        self.target = some_target(self.dice)
        price = self.target["price"] or ((0,) * 5, [])
        self.say("target", self.target["context"], self.target["max_output"], self.target["image"], self.target["message"], self.target["price"] is not None, *price[0],
                 len(price[1]), *(word for above, rates in price[1] for word in (above, *rates)), expect={})

    def step(self):
        dice, number = self.dice, self.dice.randrange(8)
        self.now += dice.choice((0, 0, 1, 17, 300, 1000, 30000, 61000, 3600000)) if dice.random() < 0.93 else -dice.choice((5, 1000, 61000, 86400000))
        if number not in self.requests:
            request, found = self.books.admit(self.now)
            self.say("admit", number, self.now, expect=found)
            if request:
                self.enter(number, request)
        elif self.requests[number].attempt is None:
            dice.choices((self.reserve, self.finish), (3, 1))[0](number)
        else:
            dice.choices((self.settle, self.undo_attempt), (5, 1))[0](number)
        if dice.random() < 0.3:
            self.say("counters", self.now, expect=self.books.look(self.now))

    def enter(self, number, request):
        model, stream = self.dice.choice((1, 1, 2, 3)), self.dice.random() < 0.4
        found = self.books.enter(request, self.now, model, stream)
        self.say("request", number, self.now, model, stream, expect=found)
        request.stream, request.dispatched = stream, False
        if found["ok"]:
            self.requests[number] = request

    def reserve(self, number):
        if self.dice.random() < 0.4 and all(one.attempt is None for one in self.requests.values()):
            self.aim()                                      # settled at the last target that was said, so no other attempt may be open
        ask, request = some_ask(self.dice), self.requests[number]
        found = self.books.reserve(request, self.now, self.target, ask)
        self.say("attempt", number, self.now, *ask.values(), request.stream, expect=found)
        if found["ok"]:
            request.ask.stream = request.stream

    def settle(self, number):
        request = self.requests[number]
        use = some_use(self.dice, request.ask)
        self.say("settle", number, use["charge"], use["reported"], use["cached_outside"], use["reasoning_outside"], *use["counts"], use["partial"], use["bytes"], use["events"],
                 expect=self.books.settle(request, use))
        request.dispatched = True

    def undo_attempt(self, number):
        self.books.undo_attempt(self.requests[number])
        self.say("undo_attempt", number, expect={})

    def finish(self, number):
        request = self.requests[number]
        if request.attempt is not None:
            self.settle(number)
        del self.requests[number]
        if request.dispatched or self.dice.random() < 0.5:
            self.books.end(request)
            self.say("end", number, expect={})
        else:
            self.books.undo(request)
            self.say("undo", number, expect={})


def answers_of(tool, lines):
    place = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir=place) as directory:
        done = subprocess.run([tool, os.path.join(directory, "ledger")], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=1800)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(tool, histories, seed, say=print):
    """How many answers were compared, and the first disagreements in words, one of a history."""
    compared, wrong = 0, []
    for begin in range(0, histories, CHUNK):
        made = [History(random.Random(f"{seed}/{number}")) for number in range(begin, min(begin + CHUNK, histories))]
        answers = iter(answers_of(tool, [line for one in made for line in one.lines]))
        for number, one in enumerate(made, begin):
            found = [next(answers) for _ in one.lines]
            compared += sum(must is not None for must in one.expected)
            at = next((at for at, (is_, must) in enumerate(zip(found, one.expected)) if must is not None and {**is_, **must} != is_), None)
            if at is not None:
                wrong.append("\n".join([f"history {seed}/{number}:", *one.lines[:at + 1], f"  the core: {found[at]}", f"  the books: {one.expected[at]}"]))
    return compared, wrong


def test_quota():
    compared, wrong = compare(TOOL, 2500, os.environ.get("SEED") or random.randrange(1 << 32))
    assert compared > 50000 and not wrong, "\n".join(wrong[:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tool", default=TOOL)
    options = parser.parse_args()
    compared, wrong = compare(options.tool, options.histories, options.seed)
    for one in wrong[:3]:
        print(one)
    print(f"{options.histories} histories, {compared} answers compared, {len(wrong)} histories that disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
