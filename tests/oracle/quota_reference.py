"""Books of quota, kept from the documents alone: conf/documents.md, conf/reference.md and the ledger's design; no line of the core was read for it.

A counter is no number here: it is the list of what was written into its window, and its value their sum. What a request takes of a limit is one entry,
which is written lower, or crossed out, when the request gives back; an entry of a window that is over is in no list any more. So nothing here adds
and takes away again, which is what the core does.
"""
import datetime
import math

BUDGET, RATE, SHADOW = 1, 2, 3
REQUESTS, TOKENS, MONEY, IN_FLIGHT, INPUT, OUTPUT, STREAMS = range(1, 8)
FOREVER, SECOND, MINUTE, DAY, MONTH = range(5)
NOTHING, ANSWER, RESERVATION = range(3)
PATIENCE, HELD, MOST_TOKENS, MOST = 120000, 1000, 1 << 32, (1 << 48) - 1      # MOST: of a counter
COMES_BACK = (IN_FLIGHT, STREAMS)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
UNKNOWN = math.inf


def quarter(size):
    return -(-size // 4)


def reachable(tokens):
    """No request has more tokens: a report above it is none."""
    return tokens if tokens == UNKNOWN else min(tokens, MOST_TOKENS)


def window(per, now):
    """(first, end) of the window that `now` is in, in milliseconds; the end of no window is None."""
    if per == FOREVER:
        return (0, None)
    if per == MONTH:
        day = (EPOCH + datetime.timedelta(milliseconds=now)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return tuple(round((one - EPOCH).total_seconds() * 1000) for one in (day, (day + datetime.timedelta(days=32)).replace(day=1)))
    length = {SECOND: 1000, MINUTE: 60000, DAY: 86400000}[per]
    return (now - now % length, now - now % length + length)


class Entry:
    def __init__(self, amount):
        self.amount, self.open = amount, True


class Counter:
    def __init__(self):
        self.window, self.entries, self.past, self.overflowed = (-1, None), [], [], False

    def of(self, asked):
        """The entries that count for who asks in this window: when the clock stepped back, those of the newer one."""
        return self.entries if asked[0] <= self.window[0] else []

    def write(self, asked, amount):
        if asked[0] > self.window[0]:
            self.past += self.entries
            self.window, self.entries = asked, []
        self.entries.append(Entry(amount))
        self.overflows()
        return self.entries[-1]

    def overflows(self):
        """A counter is held at its most, and what comes back to it then is not said: its books are closed."""
        self.overflowed |= sum(one.amount for one in self.entries) > MOST
        return self.overflowed


def cost(price, tokens):
    """tokens: (plain input, cached, cache written, plain output, reasoning). One tier prices all of it."""
    if price is None:
        return UNKNOWN
    rates = [one for above, one in [(-1, price[0]), *price[1]] if sum(tokens[:3]) > above][-1]
    return -(-sum(count * rate for count, rate in zip(tokens, rates)) // 1000000)


def dearest(price, most_input, most_output):
    """The most that so many tokens may cost: each at the dearest rate of all the tiers that the input may reach."""
    if price is None:
        return UNKNOWN
    reached = [one for above, one in [(-1, price[0]), *price[1]] if most_input > above]
    if UNKNOWN in (most_input, most_output):
        return UNKNOWN
    return -(-(most_input * max(max(one[:3]) for one in reached) + most_output * max(max(one[3:]) for one in reached)) // 1000000)


class Ask:
    """What a request for a target is, and what it can come to there."""

    def __init__(self, target, ask, max_output, counted):
        self.target, self.embeds = target, ask["endpoint"] == 2
        context = target["context"] * ask["prompts"] or UNKNOWN
        text = ask["text"] + ask["messages"] * target["message"] + ask["images"] * target["image"]
        self.whole = bool(ask["unbounded"] or ask["images"] and not target["image"])
        self.most_input = reachable(context if self.whole else min(text, context))
        choices = ask["n"] * ask["prompts"]
        own = max(max_output // choices, 1) if max_output else 0
        said = [one for one in (ask["max_tokens"], target["max_output"], own) if one]
        self.most_output = 0 if self.embeds else reachable(choices * min([*said, target["context"] or UNKNOWN]))
        self.expected_input = quarter(ask["text"])
        self.cap = 0
        if not self.embeds and (counted or max_output):
            bounds = said if counted or not ask["max_tokens"] else [own]
            most = min([one for one in bounds if one], default=0)
            self.cap = 0 if 0 < ask["max_tokens"] <= most else most
        estimate = quarter(ask["text"]) + ask["images"] * target["image"]
        self.estimate = self.most_input if self.whole and self.most_input != UNKNOWN else min(estimate, self.most_input)

    def amounts(self, limit_class):
        """By dimension."""
        price = self.target["price"]
        if limit_class == BUDGET:
            given, made, money = self.most_input, self.most_output, dearest(price, self.most_input, self.most_output)
        else:
            given, made = self.expected_input, 0 if self.most_output == UNKNOWN else self.most_output
            money = cost(price, (given, 0, 0, made, 0))
        return {dimension: amount if amount == UNKNOWN else min(amount, MOST)
                for dimension, amount in ((INPUT, given), (OUTPUT, made), (TOKENS, given + made), (MONEY, money))}


class Request:
    def __init__(self, now):
        self.now, self.taken, self.attempt, self.over, self.ask = now, [], None, False, None


class Books:
    def __init__(self, limits, max_output):
        """limits: (level, dimension, per, class, amount, model)."""
        self.limits, self.max_output = limits, max_output
        self.counters = [Counter() for _ in limits]
        self.running = 0                                    # attempts at the deployment

    def _take(self, request, wanted, now):
        """wanted: {number of a limit: amount}. All of them, or none: then why."""
        taken, shadowed = [], []
        for number, amount in wanted.items():
            _, _, per, limit_class, limit, _ = self.limits[number]
            counter, asked = self.counters[number], window(per, request.now)
            entries = counter.of(asked)
            if sum(one.amount for one in entries) + amount > limit:
                if limit_class == SHADOW:
                    shadowed.append(number)
                else:
                    for _, entry in taken:
                        entry.amount, entry.open = 0, False
                    return self._refusal(number, amount, counter, asked, now), None
            taken.append((number, counter.write(asked, amount)))
        return shadowed, taken

    def _refusal(self, number, amount, counter, asked, now):
        _, dimension, _, _, limit, _ = self.limits[number]
        left = max(asked[1] - now, 1) if asked[1] else 0
        held = amount <= limit and (dimension in COMES_BACK
                                    or dimension != REQUESTS and sum(one.amount for one in counter.of(asked) if not one.open) + amount <= limit)
        soon = amount <= limit and asked[1] is not None and left <= PATIENCE
        code = "rate_limit_exceeded" if held or soon else "insufficient_quota"
        if asked < counter.window and any(one.open for one in counter.past):
            return {"ok": False, "status": 429, "limit": number}        # what still runs of a window that is over: whether waiting helps is not said exactly
        return {"ok": False, "code": code, "status": 429, "limit": number, "retry_after_ms": HELD if held and not soon and dimension not in COMES_BACK else left, "should_retry": held or soon}

    def _step(self, dimensions, wanted_model, streams):
        return {number: 1 for number, (_, dimension, _, _, _, model) in enumerate(self.limits)
                if dimension in dimensions and wanted_model(model) or streams and dimension == STREAMS and model in (0, streams[0])}

    def admit(self, now):
        request = Request(now)
        found, taken = self._take(request, self._step((REQUESTS, IN_FLIGHT), lambda model: model == 0, ()), now)
        if taken is None:
            return None, found
        request.taken, request.shadowed = taken, found
        return request, self._admitted(request)

    def enter(self, request, now, model, stream):
        request.model = model
        found, taken = self._take(request, self._step((REQUESTS, IN_FLIGHT), lambda one: one == model, (model,) if stream else ()), now)
        if taken is None:
            self.undo(request)
            return found
        request.taken += taken
        request.shadowed += found
        return self._admitted(request)

    def reserve(self, request, now, target, ask):
        mine = [(number, one) for number, one in enumerate(self.limits) if one[1] in (TOKENS, MONEY, INPUT, OUTPUT) and one[5] in (0, request.model)]
        budgets = any(one[3] == BUDGET and one[1] != INPUT for _, one in mine)
        made = Ask(target, ask, self.max_output, budgets)
        wanted = {number: made.amounts(one[3])[one[1]] for number, one in mine}
        if any(wanted[number] == UNKNOWN and one[3] != SHADOW for number, one in mine):
            return {"ok": False, "code": "unpriced_model", "status": 403, "limit": -1, "retry_after_ms": 0, "should_retry": False}
        found, taken = self._take(request, {number: 0 if amount == UNKNOWN else amount for number, amount in wanted.items()}, now)
        if taken is None:
            return found
        request.attempt, request.ask = taken, made
        request.shadowed += found
        request.reserved = made.amounts(BUDGET if any(one[3] == BUDGET for _, one in mine) else RATE)
        expected = made.amounts(RATE)
        for dimension, amount in request.reserved.items():
            if amount >= MOST:
                request.reserved[dimension] = 0 if expected[dimension] == UNKNOWN else expected[dimension]
        self.running += 1
        return self._admitted(request, made)

    def _admitted(self, request, made=None):
        return {"ok": True, "shadowed": sum(1 << number for number in set(request.shadowed)),
                **({"input": request.reserved[INPUT], "output": request.reserved[OUTPUT], "micro_dollars": request.reserved[MONEY], "cap": made.cap} if made else {})}

    def settle(self, request, use):
        """use: charge, reported, cached_outside, reasoning_outside, the five counts, partial, bytes, events."""
        made, source = request.ask, "nothing"
        given, cached, written, output, reasoning = use["counts"]
        given += cached + written if use["cached_outside"] or cached + written > given else 0    # parts larger than their whole stand beside it
        output += reasoning if use["reasoning_outside"] or reasoning > output else 0
        tokens = (0, 0, 0, 0, 0)
        if use["charge"] == RESERVATION:
            source = "reservation"
        elif use["charge"] == ANSWER:
            estimate = min(max(quarter(use["bytes"]), use["events"]), made.most_output)
            parts = (given - cached - written, cached, written, output - reasoning, reasoning)
            sound = use["reported"] and max(given, output) <= MOST_TOKENS and not MOST < cost(made.target["price"], parts) < UNKNOWN
            source = "reported" if sound else "counted"
            if not sound:
                given, output, cached, written, reasoning = made.estimate, estimate, 0, 0, 0
            elif use["partial"] and (made.estimate > given or estimate > output):
                given, output, source = max(given, made.estimate), max(output, estimate), "counted"
            tokens = (given - cached - written, cached, written, output - reasoning, reasoning)
        given, output, money = sum(tokens[:3]), sum(tokens[3:]), cost(made.target["price"], tokens)
        charged = {INPUT: given, OUTPUT: output, TOKENS: given + output, MONEY: 0 if money == UNKNOWN else min(money, MOST)}
        for number, entry in request.attempt:
            used = charged[self.limits[number][1]]
            request.over |= self.limits[number][3] == BUDGET and source != "reservation" and used > entry.amount
            entry.amount, entry.open = entry.amount if source == "reservation" else used, False
        request.attempt, self.running = None, self.running - 1
        told = request.reserved if source == "reservation" else charged
        return {"input": told[INPUT], "output": told[OUTPUT], "micro_dollars": told[MONEY], "source": source, "over": request.over}

    def undo_attempt(self, request):
        for _, entry in request.attempt:
            entry.amount, entry.open = 0, False
        request.attempt, self.running = None, self.running - 1

    def end(self, request):
        for number, entry in request.taken:
            entry.amount, entry.open = 0 if self.limits[number][1] in COMES_BACK else 1, False

    def undo(self, request):
        for _, entry in request.taken:
            entry.amount, entry.open = 0, False

    def look(self, now):
        return {"in_flight": self.running,
                "counters": [sum(one.amount for one in counter.of(window(limit[2], now))) for limit, counter in zip(self.limits, self.counters)]}
