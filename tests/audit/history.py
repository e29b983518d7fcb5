"""
I1, I2 and I3 of limits: what was reserved and charged, derived again from what backends answered, from the documents, and from the record, and held
against the counters of the ledger (a "ledger" event of the gateway's trail, which is `gatehouse ledger show --json`). No code is shared with the gateway.

    I1   an allowed request ends in one outcome or one `lost`, never both
    I2   an attempt is charged what the backend reported; where it reported nothing, from what was delivered, and marked; its reservation where bytes were
         sent and no status came; nothing for a provider's error. What it costs is the documents' price. What the lines say was charged is, counter by
         counter, what the ledger has
    I3   every limit that the documents give is reserved; nothing is admitted that with the least that those before it will be charged is above a limit;
         what is recorded stays within it, but for the excess of those named over_reserved; what is in flight comes back to 0

Numbers of a request that a death ended are an interval: it may have been settled before it died.
"""
import collections
import json
import pathlib

import money

NONE, UNCLEAR = None, money.UNCLEAR
TOKENS = ("input", "output", "tokens", "micro-dollars")
RETURNS = ("in-flight", "streams")
EXACT = ("budget", "rate")           # classes that refuse; shadow ones count only
LATER = 0.005                        # seconds between two lines' stamps that say nothing about their order
TURN = 0.1                           # likewise of two workers, each of which stamps a line with the time at which its turn began: a busy machine may stop one in its middle
BYTES_A_TOKEN = 4                    # of the documented estimate


def items_of(reserve):
    return [Item(one) for one in (reserve or {}).get("limits", ())]


class Item:
    """One counter that a reservation took from."""

    def __init__(self, said):
        self.dimension, self.level, self.per = money.word(said["dimension"]), said["level"], said.get("per", "none")
        self.limit_class, self.model, self.uid, self.window = said.get("class"), said.get("model"), said["uid"], said.get("window", 0)
        self.limit, self.amount, self.value = said.get("limit"), said["amount"], said.get("value")
        self.left_out = said.get("left_out", False)         # the ledger had no room for it

    @property
    def counter(self):
        """As `ledger show` names it: a model by its number."""
        return self.level, self.uid, self.dimension, self.per, self.limit_class, self.model and money.number_of(self.model)

    def limits(self):
        """What the documents would say it is."""
        return self.level, self.dimension, self.per, self.limit_class, self.model, self.limit


class Tried:
    """One dispatch with what was reserved for it, what the outcome says of it, and what came to a backend."""

    def __init__(self, number, deployment, revision, reserve, said):
        self.number, self.deployment, self.revision, self.reserve, self.said, self.arrival = number, deployment, revision, reserve or {}, said, None
        self.items = [one for one in items_of(reserve) if one.dimension in TOKENS]

    @property
    def charged(self):
        return {money.word(name): value for name, value in (self.said or {}).get("charged", {}).items()}

    @property
    def answer(self):
        return self.arrival.answer if self.arrival else None


def tries_of(request):
    """The dispatches of a request in order, the reservation of each being in its own line."""
    done = [one for one in (request.outcome or {}).get("attempts", ()) if "total_us" in one or "status" in one or one.get("error") in ("no_peer", "no_address")]
    found = []
    for dispatch in request.dispatches():
        said = done[dispatch.number - 1] if dispatch.number <= len(done) else None
        found.append(Tried(dispatch.number, dispatch.deployment, dispatch.revision, dispatch.line.get("reserve"), said))
    for arrival in request.arrivals:
        number = arrival.dispatch
        if number is not None and number <= len(found):
            found[number - 1].arrival = arrival
    return found


class Held:
    """What a request takes of each counter in the end: counter, window -> [least, most]."""

    def __init__(self, request, cost=lambda tried, usage: 0):
        self.cost, self.parts = cost, collections.defaultdict(lambda: [0, 0])
        self.reserved, self.most, self.limits, self.moment = collections.Counter(), collections.Counter(), {}, request.decision["t"] / 1000 if request.decision else 0
        if request.decision:                                # denied: admitted all the same, where its line says so
            self._of_lines(request)
        elif request.lost:
            self._alone(request.lost)

    def _take(self, item, least, most):
        if item.left_out:
            return
        key = item.counter, item.window
        self.parts[key][0] += least
        self.parts[key][1] += most
        self.limits[key] = item.limit

    def _of_lines(self, request):
        for item in items_of(request.decision.get("reserve")):
            if item.dimension not in TOKENS:
                self._take(item, *([0, 0] if item.dimension in RETURNS else [item.amount] * 2))
        tries = tries_of(request)
        for tried in tries:
            for item in tried.items:
                self.reserved[item.counter, item.window] += item.amount
                self.most[item.counter, item.window] = max(self.most[item.counter, item.window], item.amount)      # one try is settled before the next
                self._take(item, *self._charge(request, tried, item, tried is tries[-1]))

    def _charge(self, request, tried, item, last):
        if request.outcome is None:
            lost = {money.word(name): value for name, value in (request.lost or {}).get("charged", {}).items()}
            if last and lost:
                return min(item.amount, lost.get(item.dimension, 0)), max(item.amount, lost.get(item.dimension, 0))
            return 0, max(item.amount, self._reported(tried, item.dimension))
        if tried.said is None:
            return 0, 0
        said = tried.charged.get(item.dimension, 0)
        if tried.charged.get("source") == "reservation":
            return min(said, item.amount), max(said, item.amount)
        return said, said

    def _reported(self, tried, dimension):
        """The most that a settlement of which no line tells can have been, besides what was reserved: what the backend reported."""
        reports = [money.read_usage(one) for one in (tried.answer or {}).get("usage", ())]
        clear = [one for one in reports if one is not None and one is not UNCLEAR]
        values = {"input": lambda one: one.input, "output": lambda one: one.output, "tokens": lambda one: one.input + one.output,
                  "micro-dollars": lambda one: self.cost(tried, one)}
        return max((values[dimension](one) for one in clear), default=0) if dimension in values else 0

    def _alone(self, lost):
        """One that died before its decision was written: whoever recovers it knows what it held."""
        for item in items_of(lost.get("reserve")):
            self._take(item, *([0, 0] if item.dimension in RETURNS else [item.amount] * 2))


class History:
    """say(gateway, rule, text, moment, evidence) is the auditor's."""

    def __init__(self, say, counts):
        self.say, self.counts = say, counts

    # ---- one request ----

    def request(self, gateway, id, request):
        """Called whenever something new is known of it; complains about the same once."""
        say = lambda rule, text, moment=None, **more: self.say(gateway, rule, f"{text}, request {id}", moment or request.decision["t"] / 1000, {**more, **request.shown()})
        if request.lost and request.outcome:
            say("I1", "both an outcome and a lost line")
        if request.decision is None or request.decision["verdict"] != "allow":
            return
        self._limits(gateway, request, say)
        tries = tries_of(request)
        for tried in tries:
            self._cap(tried, say)
        if request.outcome is None or any(tried.arrival and not tried.answer for tried in tries):
            return                                          # not over, or its backends have not said what they answered
        if not self._limited(request):
            return
        self.counts["requests under limits"] += "money" not in request.judged
        request.judged.add("money")
        for tried in tries:
            if tried.said is not None:
                self._attempt(gateway, request, tried, say)
        self._sum(request, tries, say)

    @staticmethod
    def _limited(request):
        return bool(request.decision.get("reserve"))

    def _limits(self, gateway, request, say):
        """The lines reserve every limit that some revision in force then gives the app, at most those."""
        line = request.decision
        if "limits" in request.judged:
            return
        request.judged.add("limits")
        first = items_of(line.get("reserve"))
        named = sorted((one.limits() for one in first if one.level in money.LEVELS), key=str)
        wanted = []
        for revision in gateway.timeline.at(line["t"] / 1000, 1) or ():
            documents = [json.loads(one["text"]) for one in gateway.timeline.documents(revision.number)]
            stream = line.get("stream")
            limits = [one for one in money.limits_of(documents, line["org"], line["tenant"], line["app"], line["model"], "user" in line) if one[1] != "streams" or stream]
            wanted.append(sorted(limits, key=str))
        if wanted and not any(self._held(named, one) for one in wanted):
            say("I3", f"reserved under the limits {named}, by the documents {wanted[-1]}")
        for one in first:
            if one.limit_class in EXACT and one.limit is not None and one.value is not None and one.value > one.limit:
                say("I3", f"admitted with {one.value} of {one.limit} {one.dimension}")

    @staticmethod
    def _held(named, wanted):
        """Those of the documents and no others, but for what is narrowed for one key or one user alone: less than they say, or more limits."""
        amounts = {one[:-1]: one[-1] for one in named}
        own = ("key", "user")
        return all(amounts.get(one[:-1], one[-1] + 1) <= one[-1] if one[0] in own else amounts.get(one[:-1]) == one[-1] for one in wanted) and all(
            one[0] in own or one in wanted for one in named)

    def _cap(self, tried, say):
        """What is sent asks for no more output than was reserved."""
        body, cap = tried.arrival.body if tried.arrival else None, tried.reserve.get("output_cap")
        if not cap or not body or "caps" not in body:
            return
        asked = [body["caps"][name] for name in ("max_tokens", "max_completion_tokens", "max_output_tokens") if name in body["caps"]]
        if not asked or max(asked) > cap:
            say("I3", f"{tried.arrival.name} was sent {body['caps']}, reserved were {cap} tokens of output", tried.arrival.first, **tried.arrival.shown())

    # ---- one attempt ----

    def _attempt(self, gateway, request, tried, say):
        charged, said, answer = tried.charged, tried.said, tried.answer
        shown = {"tried": said, **(tried.arrival.shown() if tried.arrival else {})}
        complain = lambda text: say("I2", f"attempt {tried.number} at {tried.deployment}: {text}", None, **shown)
        if "charged" not in said:                           # nothing was sent, nothing is charged
            if tried.arrival or said.get("sent", 0) or "status" in said:
                complain("nothing says what it was charged")
            return
        numbers = [charged.get(name, 0) for name in TOKENS]
        if any(not isinstance(one, int) or one < 0 or one >= money.ABSURD for one in numbers):
            complain(f"charged {charged}")
            return
        if charged.get("tokens", 0) != charged.get("input", 0) + charged.get("output", 0):
            complain(f"charged {charged}: tokens are not input and output")
        status = said.get("status")
        if not self._status_fits(tried, status):
            complain(f"the outcome says status {status}, the backend answered {answer and answer['status']}")
        source = charged.get("source")
        if "operation" in request.decision:                 # no model runs for what is kept
            if any(numbers) or source != "nothing":
                complain(f"{request.decision['operation']} of what is kept is charged {charged}")
        elif status is None:
            self._no_status(tried, charged, source, complain)
        elif not 200 <= status < 300:
            if any(numbers) or source != "nothing":
                complain(f"a provider's error is charged {charged}")
        elif answer is not None and not answer["cut"]:
            self._answered(gateway, request, tried, charged, source, complain)

    @staticmethod
    def _status_fits(tried, status):
        answer = tried.answer
        if tried.arrival is None:                           # what it read was there before the request
            return True
        if answer is None:
            return status is None
        if status is None:                                  # it may have been cut before it was read
            return True
        return answer["status"] == status

    def _no_status(self, tried, charged, source, complain):
        """Nothing came back: its reservation where bytes were sent, else nothing."""
        if tried.arrival is None:
            if source == "nothing" and any(charged.get(name, 0) for name in TOKENS):
                complain(f"charged {charged} from nothing")
            return                                          # the outcome may know of bytes that never came
        if source != "reservation":
            complain(f"bytes came to {tried.arrival.name}, no status came back, and it was charged {charged}")
        for item in tried.items:
            if item.limit_class == "budget" and charged.get(item.dimension, 0) < item.amount:
                complain(f"charged {charged.get(item.dimension, 0)} of the {item.amount} {item.dimension} reserved")

    def _answered(self, gateway, request, tried, charged, source, complain):
        answer = tried.answer
        reports = [money.read_usage(one) for one in answer["usage"]]
        clear = [one for one in reports if one is not None]
        whole = answer["whole"] is True and answer["failed"] is None and request.outcome.get("end") == "complete"
        usage = clear[-1] if clear else None
        if not clear and request.decision.get("endpoint") == "responses" and (tried.arrival.body or {}).get("background"):
            self._no_status(tried, charged, source, complain)   # its work goes on, and nobody is told how much it is
        elif source == "reported":
            if not clear:
                complain(f"charged {charged} as reported, reported was {answer['usage']}")
            elif UNCLEAR not in clear and not any((one.input, one.output) == (charged.get("input", 0), charged.get("output", 0)) for one in (clear if not whole else clear[-1:])):
                complain(f"charged {charged}, reported was {answer['usage']}")
            elif UNCLEAR not in clear and whole:
                self._cost(gateway, request, tried, usage, charged, complain)
        elif source == "counted":
            if whole and usage is not None and usage is not UNCLEAR and not answer["error"]:
                complain(f"charged {charged} by an estimate, reported was {answer['usage']}")
            self._estimate(tried, answer, charged, whole, complain)
            self._cost(gateway, request, tried, money.Usage(charged.get("input", 0), charged.get("output", 0), *self._known(request, clear)), charged, complain)
        elif source != "nothing" or any(charged.get(name, 0) for name in TOKENS) or not answer["error"] or answer["text"]:
            complain(f"an answer is charged {charged}")     # but an error inside a 200 is an error

    @staticmethod
    def _known(request, clear):
        """Of what is estimated, the parts that have a price of their own are those of a report that came before the cut."""
        said = request.outcome.get("usage", {})
        parts = tuple(said.get(name, 0) for name in ("cached", "cache_write", "reasoning"))
        return parts if any(one is not UNCLEAR and (one.cached, one.cache_write, one.reasoning) == parts for one in clear) else (0, 0, 0)

    @staticmethod
    def _estimate(tried, answer, charged, whole, complain):
        """Never less than what was delivered, never more tokens than bytes."""
        delivered, most = -(-answer["text"] // BYTES_A_TOKEN), tried.reserve.get("output") or answer["text"]
        if whole and charged.get("output", 0) < min(delivered, most):
            complain(f"{answer['text']} bytes of text were delivered, charged {charged}")
        if charged.get("output", 0) > answer["sent"]:
            complain(f"{answer['sent']} bytes were sent, charged {charged}")
        if tried.arrival.head["target"].endswith(("/count_tokens", "/count-tokens")):
            if any(charged.get(name, 0) for name in ("input", "output", "micro-dollars")):
                complain(f"a count of tokens is charged: {charged}")
        elif charged.get("input", 0) == 0 and tried.arrival.bytes:
            complain(f"no input is charged: {charged}")

    @staticmethod
    def _price(gateway, request, tried, tier):
        revision = (tried.said or {}).get("revision", tried.revision)
        documents = [json.loads(one["text"]) for one in gateway.timeline.documents(revision)]
        return money.price_of(documents, tried.deployment, request.decision["model"], tier)

    def _cost(self, gateway, request, tried, usage, charged, complain):
        tier, said = ((tried.arrival.body or {}).get("service_tier") if tried.arrival else None), request.decision.get("service_tier")
        if tried.arrival and "fields" in (tried.arrival.body or {}) and said != tier and "service_tier_bytes" not in request.decision:
            complain(f"the service tier {tier} came to the backend, the record has {said}")
        price = self._price(gateway, request, tried, tier)
        if price is None:
            if charged.get("micro-dollars", 0):
                complain(f"charged {charged} without a price")
            return
        if charged.get("micro-dollars", 0) != money.cost(price, usage):
            complain(f"charged {charged.get('micro-dollars', 0)} micro-dollars, {usage} costs {money.cost(price, usage)}")

    def _spent(self, gateway, request, tried, usage):
        price = self._price(gateway, request, tried, request.decision.get("service_tier"))
        return money.cost(price, usage) if price is not None else 0

    def _sum(self, request, tries, say):
        """The outcome's sum is that of its attempts, and more than was reserved is named."""
        total, over = collections.Counter(), False
        for tried in tries:
            for name in TOKENS:
                total[name] += tried.charged.get(name, 0)
            over |= any(tried.said and tried.charged.get(one.dimension, 0) > one.amount for one in tried.items if one.limit_class == "budget")
        said = {money.word(name): value for name, value in request.outcome.get("charged", {}).items()}
        if any(said.get(name, 0) != total[name] for name in TOKENS):
            say("I2", f"charged {said}, its attempts {dict(total)}")
        if over and not request.outcome.get("over_reserved"):
            say("I3", "more was used than reserved, and it is not named over_reserved")

    # ---- all of them ----

    def ledger(self, gateway, snapshot):
        """At rest: the counters are the sums of the record. snapshot: the "ledger" event; "rest" in it: whoever took it knows that nothing runs."""
        open_ones = [id for id, one in gateway.requests.items() if one.decision and one.decision["verdict"] == "allow" and not one.outcome and not one.lost]
        newest = max((line["t"] / 1000 for one in gateway.requests.values() for line in (one.decision, one.outcome, one.lost) if line), default=0)
        if not snapshot["rest"] and (open_ones or snapshot["reservations"] or newest >= snapshot["t"]):
            self.counts["ledgers seen while something ran"] += 1
            return
        for id in open_ones:
            self.say(gateway, "I1", f"no outcome and no lost line, request {id}", gateway.requests[id].decision["t"] / 1000, gateway.requests[id].shown())
        sums, excess = collections.defaultdict(lambda: [0, 0]), collections.Counter()
        for request in gateway.requests.values():
            held = Held(request, lambda tried, usage: self._spent(gateway, request, tried, usage))
            for key, (least, most) in held.parts.items():
                sums[key][0] += least
                sums[key][1] += most
                if request.outcome and request.outcome.get("over_reserved"):
                    excess[key] += max(0, most - held.reserved[key])
        nobodys = self._undecided(gateway, sums)            # counters and windows that the record names are all there
        counters = {(one["level"], one["uid"], money.word(one["dimension"]), one.get("per", "none"), one.get("class"), one.get("model")): one for one in snapshot["counters"]}
        say = lambda rule, text: self.say(gateway, rule, text, snapshot["t"], {})
        for (counter, window), (least, most) in sums.items():
            found = counters.get(counter)
            if (found is None or found["window"] > window) and window < money.window_at(counter[3], snapshot["t"]):
                continue                                    # its window has passed, and the counter counts another one, or is gone
            value = found["value"] if found is not None and found["window"] == window else 0
            self.counts["counters compared"] += 1
            if counter[2] in RETURNS:
                if value:
                    say("I3", f"{value} {counter[2]} of {counter} at rest")
            elif (beyond := gateway.gaps.charged(counter[2])) is None or not least <= value <= most + beyond:
                if beyond is None and value >= least:
                    continue                                # of a worker that died in a gap
                say("I2", f"the ledger has {value} of {counter} in window {window}, the record {least if least == most else (least, most)}")
        for counter, found in counters.items():
            if found["value"] <= nobodys and counter[2] == "requests":
                continue
            if gateway.gaps.lines and counter[2] not in RETURNS:
                continue                                    # whoever was sent without a line may be counted where no line is
            if (counter, found["window"]) not in sums and found["value"] and not any(key[0] == counter for key in sums):
                say("I3" if counter[2] in RETURNS else "I2", f"the ledger has {found['value']} of {counter}, the record nothing")
        for one in snapshot.get("reservations", ()):
            say("I3", f"a reservation is held at rest: {one}")
        self._within(gateway, excess, sums, say)
        self._at_once(gateway, say)

    @staticmethod
    def _undecided(gateway, sums):
        """
        A request that was admitted counts however it ended. One without a line, since the record could not be written or its worker died, may have been:
        such ones are counted as 0 or 1. Returns how many there are of owners whose counters the record never names.
        """
        owners, windows = collections.defaultdict(set), {}
        for request in gateway.requests.values():
            line = request.decision
            for item in items_of((line or {}).get("reserve")) if line and "app" in line else ():
                if item.dimension == "requests":
                    owners["/".join((line["org"], line["tenant"], line["app"]))].add(item.counter)
        ended = []
        if gateway.access and pathlib.Path(gateway.access).exists():
            for text in pathlib.Path(gateway.access).read_text(errors="replace").splitlines():
                words = text.split(" ")
                request = gateway.requests.get(words[2])
                if request is None or request.decision is None:
                    ended.append((float(words[0]), words[3]))
        for moment, owner in ended:
            for counter in owners.get(owner, ()):
                for window in {money.window_at(counter[3], moment - seconds) for seconds in (0, 0.5, 1, 2, 5)}:
                    sums[counter, window][1] += 1
        History._never_heard_of(gateway, owners, ended, sums)
        return sum(owner not in owners for _, owner in ended)

    @staticmethod
    def _never_heard_of(gateway, owners, ended, sums):
        """What clients sent and a death ended before it was decided: admitted or not, nothing but the ledger knows."""
        known = collections.Counter(owner for _, owner in ended)
        known.update("/".join((one.decision["org"], one.decision["tenant"], one.decision["app"])) for one in gateway.requests.values()
                     if one.decision)
        for owner, count in gateway.asked.items():
            for key in [key for key in sums if key[0] in owners.get(owner, ())]:
                sums[key][1] += max(0, count - known[owner])

    def _within(self, gateway, excess, sums, say):
        """Recorded <= limit but for the excess of those named. Nothing is admitted above it, whatever those before it will be charged."""
        held = [(one.moment, one) for one in map(Held, (each for each in gateway.requests.values() if each.decision and each.decision["verdict"] == "allow"))]
        held.sort(key=lambda pair: pair[0])
        before = collections.defaultdict(list)
        for moment, one in held:
            for key, (least, most) in one.parts.items():
                counter, limit = key[0], one.limits[key]
                if counter[4] not in EXACT or counter[2] in RETURNS or limit is None:
                    continue
                amount = one.most[key] if counter[2] in TOKENS else least
                taken = sum(least for then, least in before[key] if then < moment - TURN)
                if amount + taken > limit:
                    say("I3", f"{amount} of {counter} were admitted where {taken} of {limit} were taken")
                before[key].append((moment, min(least, amount)))
        for key, (least, _) in sums.items():
            limits = [one.limits[key] for _, one in held if key in one.limits and one.limits[key] is not None]
            if limits and key[0][4] == "budget" and key[0][2] not in RETURNS and least > max(limits) + excess[key]:
                say("I3", f"{least} of {key[0]} are recorded, above {max(limits)} and the {excess[key]} of incidents")

    @staticmethod
    def _at_once(gateway, say):
        """Never more at backends at one moment, by their own clocks, than a limit of what is in flight lets in."""
        moments = collections.defaultdict(list)
        for request in gateway.requests.values():
            if request.outcome is None or not request.arrivals or not all(one.answer for one in request.arrivals) or not request.decision:
                continue
            begin, end = min(one.first for one in request.arrivals), min(max(one.answer["t"] for one in request.arrivals), request.outcome["t"] / 1000) - LATER
            for item in items_of(request.decision.get("reserve")):
                if item.dimension in RETURNS and item.limit_class in EXACT and item.level in money.LEVELS and item.limit is not None and begin < end:
                    moments[item.counter].extend([(begin, 1, item.limit), (end, -1, item.limit)])
        for counter, found in moments.items():
            running = 0
            for moment, change, limit in sorted(found, key=lambda one: one[:2]):
                running += change
                if running > limit:
                    say("I3", f"{running} of {counter} were at backends at {moment:.3f}, the limit is {limit}")
                    break
