#!/usr/bin/env python3
"""
The offline auditor: what the promises of residency say, derived again from what backends, editors and the record wrote down (see trail.py).
It shares no code with the gateway.

    tests/audit/auditor.py DIRECTORY       of a run's trail; the records it names must still be there

    R1      a dispatch went to a deployment, with the upstream model, that is eligible under a revision that could be in force when its first byte came;
            its line names for each class a rule that fits, and the deployment's places as they are
    R2      nothing was served without a policy, by a node or backend that the documents do not give
    R3      nothing began, and no byte of what ran came, at a backend that every revision forbids that could be in force then; decisions are by a revision
            not older than the acknowledged one; no worker goes back to an older one; nothing for a key revoked before
    R9      an empty set is denied, by a forbid that fires or by the allow that fails in fewest facts, and nothing of it was sent
    R11     the verdict on each deployment follows from the line and the documents alone
    I1      a request at a backend has its line, written before it came; one decision, attempts in order, at most one outcome, which owns up to
            every byte that came
    I1 I2 I3  of limits, see history.py
    chain   each file of the record is one chain

Tolerances: CLOCK of disagreement between the end of an editor's command and the network stack's time of an arrival. Bytes whose arrival only the
backend's own reading dates (`kernel` false) are counted late only above READ_LATE.
"""
import collections
import functools
import json
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from gaps import Gaps, in_force, owner_of  # noqa: E402
from history import History  # noqa: E402
from judge import Judge, least, written  # noqa: E402
from segments import Record  # noqa: E402
from timeline import Timeline  # noqa: E402
from trail import Reader  # noqa: E402
from residency_reference import Facts  # noqa: E402
from test_reference import artefact  # noqa: E402

CLOCK = 0.005                       # seconds
READ_LATE = 4 << 20                 # bytes: what a socket's two buffers may hold
LATE = 0                            # bytes after an edit that forbids them
MOVES = {"audio": "audio_output", "data_sources": "data_sources", "moderation": "moderation", "prompt_cache_options": "prompt_cache",
         "user_security_context": "user_security_context", "web_search_options": "web_search"}     # fields that take content elsewhere
OPEN = 60                           # seconds after which an allowed request has its outcome


LIMITED = {"rate_limit_exceeded", "insufficient_quota", "unpriced_model", "ledger_full"}      # codes of denials by a limit


class Violation:
    def __init__(self, rule, text, moment, evidence):
        self.rule, self.text, self.moment, self.evidence = rule, text, moment, evidence

    def __str__(self):
        shown = "\n".join(f"    {name}: {json.dumps(value, default=str)[:1500]}" for name, value in self.evidence.items())
        return f"{self.rule}: {self.text} (at {self.moment:.6f})\n{shown}"


class Arrival:
    """One request as a backend saw it."""

    def __init__(self, backend, connection, request):
        self.backend, self.name = backend, f"{backend.name or backend.address} connection {connection} request {request}"
        self.chunks, self.head, self.body, self.answer, self.dispatch, self.judged = [], None, None, None, None, set()

    @property
    def first(self):
        return self.chunks[0][0]

    @property
    def bytes(self):
        return sum(count for _, count, _ in self.chunks)

    def shown(self):
        return {"arrival": self.name, "address": self.backend.address, "head": self.head and {k: v for k, v in self.head.items() if k != "sizes"},
                "body": self.body, "answered": self.answer, "first": self.chunks and self.first, "last": self.chunks and self.chunks[-1][0], "bytes": self.bytes}


class Backend:
    def __init__(self, path):
        self.reader, self.name, self.address, self.arrivals, self.closed = Reader(path), "", "", {}, False

    def more(self):
        """The arrivals that something came for."""
        touched = {}
        for event in self.reader.more():
            if event["event"] == "backend":
                self.name, self.address = event["name"], event["address"]
                continue
            if event["event"] in ("closed", "hello"):
                self.closed |= event["event"] == "closed"
                continue
            key = event["c"], event["r"]
            if key not in self.arrivals:
                self.arrivals[key] = Arrival(self, *key)
            arrival = touched[key] = self.arrivals[key]
            if event["event"] == "bytes":
                arrival.chunks.append((event["t"], event["n"], event["kernel"]))
            elif event["event"] == "head":
                arrival.head = event
            elif event["event"] == "answered":
                arrival.answer = event
            else:
                arrival.body = event
        return list(touched.values())


class Dispatch:
    """What a line promised: the decision for the route's first, or an attempt's line."""

    def __init__(self, line, route, number):
        self.line, self.number = line, number
        self.deployment, self.upstream, self.rules = route["deployment"], route["upstream_model"], route.get("rules", [])
        self.process, self.store, self.revision, self.moment = route.get("process"), route.get("store"), line["revision"], line["t"] / 1000


class Request:
    """The lines of one id."""

    def __init__(self):
        self.decision, self.attempts, self.outcome, self.lost, self.arrivals, self.judged = None, [], None, None, [], set()

    def dispatches(self):
        found = []
        if self.decision and self.decision["verdict"] == "allow":
            if not (self.attempts and self.attempts[0]["number"] == 1) and self.decision.get("route"):
                found.append(Dispatch(self.decision, self.decision["route"][0], 1))
            found += [Dispatch(line, line, line["number"]) for line in self.attempts]
        return found

    def asked(self):
        """What the decision was about, as the reference takes it."""
        line = self.decision
        headers = {}
        for label in line.get("labels", ()):
            name = label["header"].lower()
            headers[name] = headers[name] + "," + label["value"] if name in headers else label["value"]
        if "narrowing" in line:
            headers["x-gatehouse-places"] = line["narrowing"]
        return {"tenant": "/".join((line["org"], line["tenant"], line["app"])), "model": line.get("model_sent", line["model"]), "endpoint": line["endpoint"],
                "headers": headers, "uninspected": line.get("uninspected", False), "features": line["features"],
                "pin": line.get("pin", {}).get("deployment"), "operation": line.get("operation"),
                "inexpressible": {"strict": set(line.get("not_expressible", ())), "self": set(line.get("not_expressible_self", ())),
                                  "models": set(line.get("not_expressible_models", ())),
                                  "converse": None if "not_expressible_converse" not in line else set(line["not_expressible_converse"])},
                "key_places": line.get("key_places", ()), "key_models": line.get("key_models", ()),
                "key_classes": [one.strip() for one in line.get("key_classes", "").split(",") if one.strip()]}

    def shown(self):
        return {"decision": self.decision, "attempts": self.attempts, "outcome": self.outcome, "lost": self.lost}


@functools.lru_cache(maxsize=1)
def facts():
    return Facts(artefact())


def day(moment):
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


class Gateway:
    def __init__(self, path):
        self.reader, self.timeline, self.requests, self.record = Reader(path), Timeline(), {}, None
        self.addresses, self.dead, self.excuses, self.newest, self.judges = collections.defaultdict(set), set(), [], {}, {}
        self.stopped, self.closed, self.ledger, self.access, self.asked, self.gaps = None, False, None, None, collections.Counter(), Gaps()

    def read_trail(self):
        for event in self.reader.more():
            kind = event["event"]
            if kind == "gateway":
                if self.record is None or str(self.record.directory.parent) != event["audit"]:
                    self.record, self.access = Record(event["audit"], event.get("audit_second")), event.get("access")
                for name, address in event["backends"].items():
                    self.addresses[name].add(address)
            elif kind == "edit":
                self.timeline.add(event)
            elif kind == "died":
                self.dead.add(event["pid"])
            elif kind == "asked":
                self.asked[event["owner"]] += event["count"]
            elif kind == "ledger":
                self.ledger = event
            elif kind == "stopped":
                self.stopped = event["t"]
            elif kind == "closed":
                self.closed = True
            elif kind == "excuse":
                self.excuses.append([event["t"], float("inf"), event["rules"]])
            elif kind == "excused":
                self.excuses = [[begin, min(end, event["t"]), rules] for begin, end, rules in self.excuses]

    def excused(self, violation):
        return any(violation.rule in rules and begin <= violation.moment <= end for begin, end, rules in self.excuses)

    def read_record(self, complain):
        """The ids that lines came for."""
        touched = set()
        if self.record is None or self.closed and not self.record.directory.exists():
            return touched
        for line in self.record.more(complain):
            if line["type"] == "gap":
                self.gaps.add(line)
            if "id" not in line:
                continue
            request = self.requests.setdefault(line["id"], Request())
            touched.add(line["id"])
            if line["type"] == "attempt":
                request.attempts.append(line)
            elif getattr(request, line["type"], None) is None:
                setattr(request, line["type"], line)
            else:
                complain(f"a second {line['type']} of {line['id']}", "I1")
            if "revision" in line:
                self._goes_on(line, complain)
        return touched

    def _goes_on(self, line, complain):
        """No worker goes back to a revision older than one that it has used."""
        before = self.newest.get(line["_file"], 0)
        if line["revision"] < before:
            complain(f"a worker that used revision {before} went back to {line['revision']} ({line['_file']}, {line['id']})", "R3")
        self.newest[line["_file"]] = max(before, line["revision"])

    def judge(self, revision, node, on):
        key = revision.number, node, on
        if key not in self.judges:
            self.judges[key] = Judge([json.loads(one["text"]) for one in self.timeline.documents(revision.number)], on, node, facts())
        return self.judges[key]

    def verdict(self, revision, request, dispatch, moment):
        """The reference's, on the dispatch's deployment; None: the documents have no such deployment with this upstream."""
        node, asked = request.decision["node"], request.asked()
        found = None
        for on in sorted({day(moment), day(request.decision["clock"] / 1000)}):
            judge = self.judge(revision, node, on)
            if judge.answer(asked)["code"] not in ("allow", "residency_denied"):
                continue
            for verdict in judge.verdicts(asked):
                if (verdict.deployment, verdict.upstream) == (dispatch.deployment, dispatch.upstream):
                    found = verdict if found is None or not found.eligible else found
        return found

    def is_at(self, backend, address):
        """Is this backend of nginx.conf at that address? One that stands for a name may be anywhere."""
        return address in self.addresses.get(backend, ()) or None in self.addresses.get(backend, ())

    def permits(self, revision, request, dispatch, address, moment):
        verdict = self.verdict(revision, request, dispatch, moment)
        return verdict is not None and verdict.eligible and self.is_at(verdict.backend, address)


class Auditor:
    def __init__(self, directory, late=LATE):
        self.directory, self.late = pathlib.Path(directory), late
        self.backends, self.gateways, self.past, self.seen, self.waiting, self.fresh = {}, {}, set(), set(), [], []
        self.forgotten = set()
        self.counts, self.violations, self.excused = collections.Counter(), [], []
        self.history = History(self._violation, self.counts)

    def run(self, final=False):
        """Audits what came since the last run. Returns the violations that are new and not excused."""
        touched = self._read_backends()
        arrivals = [arrival for arrival in touched if arrival.head]
        self.waiting = [arrival for arrival in {*self.waiting, *touched} if not arrival.head]
        ids = self._read_gateways()
        for arrival in arrivals:
            self._place(arrival, ids)
        for gateway, id in ids:
            self._audit(gateway, id)
            self.history.request(gateway, id, gateway.requests[id])
        for gateway in self.gateways.values():
            if gateway.ledger is not None:
                self.history.ledger(gateway, gateway.ledger)
                gateway.ledger = None
        if final:
            for arrival in self.waiting:
                self._violation(None, "I1", f"bytes of a request without a whole head at {arrival.name}", arrival.first, arrival.shown())
            for gateway in self.gateways.values():
                self._finish(gateway)
        found, self.fresh = self.fresh, []
        return found

    def forget(self):
        """Gateways that have ended and backends that have closed: nothing comes of them any more."""
        for path, gateway in list(self.gateways.items()):
            if gateway.closed:
                del self.gateways[path]
                self.past.add(path.name)
                self.forgotten |= set(gateway.requests)
        for path, backend in list(self.backends.items()):
            if backend.closed:
                del self.backends[path]
                self.past.add(path.name)

    # ---- reading ----

    def _read_backends(self):
        for path in self._new("backend-", self.backends):
            self.backends[path] = Backend(path)
        return [arrival for backend in self.backends.values() for arrival in backend.more()]

    def _new(self, prefix, known):
        return [path for path in self.directory.iterdir() if path.name.startswith(prefix) and path not in known and path.name not in self.past]

    def _read_gateways(self):
        ids = set()
        for path in self._new("gateway-", self.gateways):
            self.gateways[path] = Gateway(path)
        for gateway in self.gateways.values():
            gateway.read_trail()
            complain = lambda text, rule="chain", gateway=gateway: self._violation(gateway, rule, text, time.time(), {})
            ids |= {(gateway, id) for id in gateway.read_record(complain)}
        return ids

    def _place(self, arrival, ids):
        """Finds the gateway whose record has the arrival's id."""
        id = arrival.head["id"]
        for gateway in self.gateways.values():
            if id in gateway.requests:
                if arrival not in gateway.requests[id].arrivals:
                    gateway.requests[id].arrivals.append(arrival)
                ids.add((gateway, id))
                return
        self.counts["requests at backends"] += 1
        if id in self.forgotten:                            # its backend was slow to say so; its record is gone
            self.counts["requests known too late"] += 1
            return
        owner = next((one for one in self.gateways.values() if any(arrival.backend.address in some for some in one.addresses.values())), None)
        wrong = owner.gaps.accept(arrival, in_force(owner.timeline, arrival.first), owner_of(owner.access, id)) if owner and owner.gaps.lines else "in no recorded gap"
        if wrong is None:
            self.counts["requests in gaps"] += 1
            return
        self._violation(owner, "I1", f"a request at {arrival.name} has no line in any record, {wrong}", arrival.first, arrival.shown())

    def _violation(self, gateway, rule, text, moment, evidence):
        if (rule, text) in self.seen:
            return
        self.seen.add((rule, text))
        violation = Violation(rule, text, moment, evidence)
        if gateway is not None and gateway.excused(violation):
            self.counts[f"excused {rule}"] += 1
            self.excused.append(violation)
            return
        self.counts[f"violations of {rule}"] += 1
        self.violations.append(violation)
        self.fresh.append(violation)

    # ---- one request ----

    def _audit(self, gateway, id):
        request = gateway.requests[id]
        say = lambda rule, text, moment, **more: self._violation(gateway, rule, f"{text}, request {id}", moment, {**more, **request.shown()})
        if request.decision is None and request.lost and not (request.attempts or request.outcome or request.arrivals):
            return                                          # it died before it was decided
        if request.decision is None:
            line = request.attempts[0] if request.attempts else request.outcome
            say("I1", "a line without a decision before it", (line or {"t": 0})["t"] / 1000)
            return
        if "decision" not in request.judged:
            request.judged.add("decision")
            self._decision(gateway, request, say)
        self._lines(request, say)
        request.arrivals.sort(key=lambda one: one.first)
        left = request.dispatches()
        for arrival in request.arrivals:
            dispatch = next((one for one in left if self._went_to(gateway, request, one, arrival)), None)
            if dispatch is None:
                if request.decision["verdict"] == "deny":
                    say("R9", f"denied, and sent to {arrival.name}", arrival.first, **arrival.shown())
                elif not gateway.gaps.lines or gateway.gaps.accept(arrival, in_force(gateway.timeline, arrival.first), request.asked()["tenant"]) is not None:
                    say("I1", f"a dispatch to {arrival.name} that no line promised", arrival.first, **arrival.shown())
                continue
            left, arrival.dispatch = left[left.index(dispatch) + 1:], dispatch.number
            self._arrival(gateway, request, dispatch, arrival, say)

    def _went_to(self, gateway, request, dispatch, arrival):
        """Does the line's deployment stand at the address where the request came?"""
        revision = gateway.timeline.revisions.get(dispatch.revision)
        verdict = revision and gateway.verdict(revision, request, dispatch, dispatch.moment)
        if verdict is None:                                 # a revision or a deployment nobody knows: that is said elsewhere
            return True
        return gateway.is_at(verdict.backend, arrival.backend.address)

    def _lines(self, request, say):
        attempts = request.attempts
        if request.decision["verdict"] == "deny" and (attempts or request.outcome):
            say("I1", "lines after a denial", request.decision["t"] / 1000)
        begin = attempts[0]["number"] if attempts else 2
        if begin not in (1, 2) or [line["number"] for line in attempts] != list(range(begin, begin + len(attempts))):
            say("I1", "attempts out of order", request.decision["t"] / 1000)

    # ---- the decision ----

    def _decision(self, gateway, request, say):
        line = request.decision
        moment = line["t"] / 1000
        self.counts["decisions"] += 1
        self.counts["denials"] += line["verdict"] == "deny"
        limited = line["verdict"] == "deny" and line["code"] in LIMITED     # what policy said is there all the same
        if limited:
            self.counts["refused by limits"] += 1
        if line["verdict"] == "deny" and "model" not in line:    # it ended before it was decided
            return
        revision = gateway.timeline.revisions.get(line["revision"])
        if revision is None:
            say("R2", f"decided by revision {line['revision']}, which no editor made", moment)
            return
        oldest = gateway.timeline.oldest_at(moment)
        if line["revision"] < oldest:
            say("R3", f"decided by revision {line['revision']} though {oldest} was acknowledged", moment, edit=gateway.timeline.revisions[oldest].end)
        if "model_bytes" in line:
            return                                          # the model's name was cut: nothing has it
        judge = gateway.judge(revision, line["node"], day(line["clock"] / 1000))
        asked = request.asked()
        answer = judge.answer(asked)
        got = "allow" if line["verdict"] == "allow" or limited else line["code"]
        if got != answer["code"]:
            rule = "R9" if answer["code"] == "residency_denied" else "R1" if got == "allow" else "R11"
            say(rule, f"the record says {got}, the reference {answer['code']}", moment, reference=answer)
            return
        if answer["code"] not in ("allow", "residency_denied"):
            return
        if [one["name"] for one in line["classes"]] != judge.in_order(asked, answer["classes"]):
            say("R11", f"classes {line['classes']}, by the reference {answer['classes']}", moment)
        verdicts = judge.verdicts(asked)
        self._verdicts(line, verdicts, say, moment)
        if line["verdict"] == "deny" and not limited:
            self._denial(line, verdicts, answer, say, moment)
        else:
            self._route(line, verdicts, answer, say, moment)

    def _route(self, line, verdicts, answer, say, moment):
        routed = [one["deployment"] + "/" + one["upstream_model"] for one in line["route"]]
        if "route_more" not in line and sorted(routed) != answer["eligible"] or not set(routed) <= set(answer["eligible"]):
            say("R1", f"the route is {routed}, eligible are {answer['eligible']}", moment)
        by_name = {(one.deployment, one.upstream): one for one in verdicts}
        for one in line["route"]:
            verdict = by_name.get((one["deployment"], one["upstream_model"]))
            if verdict is not None:
                self._facts(verdict, one, [each["name"] for each in line["classes"]], say, moment)

    def _facts(self, verdict, said, classes, say, moment):
        """A rule that fits for each class, and the places as they are."""
        named = said.get("rules", [])
        if len(named) != len(classes) or not all(named[number] in verdict.fits.get(one, ()) for number, one in enumerate(classes)):
            say("R1", f"rules {named} named for {classes}, deployment {verdict.deployment}: fitting are {verdict.fits}", moment)
        store = "nothing" if verdict.store.nothing else written(verdict.store.places)
        store_said = said.get("store") if isinstance(said.get("store"), str) else sorted(said.get("store", ()))
        if sorted(said.get("process", ())) != written(verdict.process) or store_said != store:
            say("R11", f"places of {verdict.deployment}: {said.get('process')} and {said.get('store')}, by the reference {written(verdict.process)} and {store}", moment)

    def _verdicts(self, line, verdicts, say, moment):
        """Each deployment's verdict in the line, against the reference's."""
        names = line.get("deployments")
        if names is not None and names != [one.deployment for one in verdicts]:
            say("R11", f"deployments {names}, by the reference {[one.deployment for one in verdicts]}", moment)
            return
        refused = {}
        for reason, bitmap in line.get("no", {}).items():
            bits = bytes.fromhex(bitmap)
            for number in range(len(bits) * 8):
                if bits[number // 8] >> number % 8 & 1:
                    if number in refused or number >= len(verdicts):
                        say("R11", f"target {number} is refused twice, or does not exist", moment)
                    refused[number] = reason
        for number, verdict in enumerate(verdicts):
            reason = refused.get(number)
            if (reason is None) != verdict.eligible:
                say("R1" if reason is None else "R11", f"{verdict.deployment}: {reason or 'eligible'} in the record, by the reference {verdict.reasons() or 'eligible'}", moment)
            elif reason is not None and reason not in verdict.reasons():
                say("R11", f"{verdict.deployment}: refused for {reason}, by the reference for {verdict.reasons()}", moment)

    def _denial(self, line, verdicts, answer, say, moment):
        """R9: the forbid, or the allow that came nearest; none where only a narrowing stands against it."""
        offered = [one for one in verdicts if one.gate is None]
        named = line.get("rule")
        if answer["narrowed"]:
            fitting = {None}
        else:
            fitting = {rule for one in offered for rule in one.forbids}
            for one_class in answer["classes"]:
                near = [entry for one in offered if not one.forbids for entry in one.nearest[one_class]]
                fitting |= least(near) | ({None} if not near else set())
        if named not in fitting:
            say("R9", f"the denial names {named}, it could name {sorted(map(str, fitting))}", moment)

    # ---- the dispatch ----

    def _arrival(self, gateway, request, dispatch, arrival, say):
        if "began" not in arrival.judged:
            arrival.judged.add("began")
            self.counts["requests at backends"] += 1
            self._began(gateway, request, dispatch, arrival, say)
        if arrival.body and "body" not in arrival.judged:
            arrival.judged.add("body")
            self._body(gateway, request, dispatch, arrival, say)
        self._late(gateway, request, dispatch, arrival, say)
        self._sent(request, dispatch, arrival, say)

    def _sent(self, request, dispatch, arrival, say):
        """The outcome owns up to every byte that came."""
        tried = [one for one in (request.outcome or {}).get("attempts", ()) if "total_us" in one or one.get("error") in ("no_peer", "no_address")]
        if dispatch.number <= len(tried) and tried[dispatch.number - 1]["sent"] < arrival.bytes:
            say("I1", f"the outcome says {tried[dispatch.number - 1]['sent']} bytes were sent, {arrival.bytes} came to {arrival.name}", arrival.first, **arrival.shown())

    def _began(self, gateway, request, dispatch, arrival, say):
        shown = {**arrival.shown(), "dispatch": {"number": dispatch.number, "deployment": dispatch.deployment, "revision": dispatch.revision}}
        sizes = arrival.head["sizes"]
        if dispatch.line["_file"] in sizes and dispatch.line["_end"] > sizes[dispatch.line["_file"]] or dispatch.moment > arrival.first + CLOCK:
            say("I1", f"dispatch {dispatch.number} reached {arrival.name} before its line was written", arrival.first, **shown)
        candidates = gateway.timeline.at(arrival.first, CLOCK)
        if not candidates:
            say("R2", f"served by {arrival.name} before there was a policy", arrival.first, **shown)
        elif not any(gateway.permits(one, request, dispatch, arrival.backend.address, arrival.first) for one in candidates):
            oldest = candidates[0].number
            say("R3" if dispatch.revision < oldest else "R1", f"dispatch {dispatch.number} to {dispatch.deployment} at {arrival.name} under revision "
                f"{dispatch.revision}: not eligible under any of {[one.number for one in candidates]}", arrival.first, acknowledged=candidates[0].end, **shown)
        if dispatch.revision not in gateway.timeline.revisions:
            say("R2", f"dispatched by revision {dispatch.revision}, which no editor made", arrival.first, **shown)
        elif dispatch.line["type"] == "attempt":
            self._attempt(gateway, request, dispatch, say)

    def _attempt(self, gateway, request, dispatch, say):
        """An attempt's line is right by its own revision."""
        revision = gateway.timeline.revisions[dispatch.revision]
        verdict = gateway.verdict(revision, request, dispatch, dispatch.moment)
        if verdict is None or not verdict.eligible:
            say("R1", f"attempt {dispatch.number} to {dispatch.deployment} is not eligible by its own revision {dispatch.revision}", dispatch.moment)
            return
        judge = gateway.judge(revision, request.decision["node"], day(dispatch.moment))
        carried = judge.answer(request.asked())["classes"]
        self._facts(verdict, {"rules": dispatch.rules, "process": dispatch.process, "store": dispatch.store},
                    judge.in_order(request.asked(), carried), say, dispatch.moment)

    def _body(self, gateway, request, dispatch, arrival, say):
        """The model asked for is the deployment's own; `store` is off where the rule that let it through says "nothing"."""
        path = [urllib.parse.unquote(part) for part in arrival.head["target"].split("?")[0].split("/")]
        if "operation" in request.decision:
            self._kept(request.decision, arrival, path, say)
        elif arrival.body.get("model") != dispatch.upstream and dispatch.upstream not in path:
            say("R1", f"{arrival.name} was asked for {arrival.body.get('model')!r}, the line says {dispatch.upstream!r}", arrival.first, **arrival.shown())
        revision = gateway.timeline.revisions.get(dispatch.revision)
        verdict = revision and gateway.verdict(revision, request, dispatch, dispatch.moment)
        moves = {MOVES[name] for name in arrival.body.get("fields", ()) if name in MOVES} - {one["name"] for one in request.decision["features"]}
        if moves:
            say("R1", f"{arrival.name} got fields for {sorted(moves)}, which the decision does not know of", arrival.first, **arrival.shown())
        nothing = verdict and any(set(dispatch.rules) & some for some in verdict.stores_nothing.values())
        knows = verdict and verdict.dialect in ("openai", "azure-v1")
        if nothing and knows and request.decision["endpoint"] == "chat.completions" and "fields" in arrival.body and arrival.body.get("store") is not False:
            say("R1", f"{arrival.name} got no \"store\": false, which {dispatch.rules} ask for", arrival.first, **arrival.shown())

    @staticmethod
    def _kept(decision, arrival, path, say):
        """Nothing but what is done with the response that the line names."""
        method, behind = {"retrieve": ("GET", []), "cancel": ("POST", ["cancel"]), "delete": ("DELETE", []), "input_items": ("GET", ["input_items"])}[decision["operation"]]
        named = ["responses", decision["pin"]["response"], *behind]
        if arrival.head["method"] != method or path[-len(named):] != named or arrival.body.get("bytes"):
            say("R1", f"{arrival.name} was asked {arrival.head['method']} {'/'.join(path)}, the line says {decision['operation']} of {named[1]}", arrival.first, **arrival.shown())

    def _late(self, gateway, request, dispatch, arrival, say):
        """No further byte of a running dispatch once an edit that forbids it was acknowledged, but for those that the edit lets finish."""
        timeline, first = gateway.timeline, arrival.first
        owner, key = request.asked()["tenant"], request.decision["key"]
        late = unsure = 0
        permitted = {}
        for moment, count, kernel in arrival.chunks:
            oldest = timeline.oldest_at(moment - CLOCK)
            if timeline.revoked_before(owner, key, moment - CLOCK):
                late, unsure = late + count * kernel, unsure + count * (not kernel)
                continue
            if oldest == timeline.oldest_at(first - CLOCK):
                continue
            if oldest not in permitted:
                permitted[oldest] = any(gateway.permits(one, request, dispatch, arrival.backend.address, moment) or self._finishes(timeline, one, first)
                                        for one in timeline.at(moment, CLOCK))
            if not permitted[oldest]:
                late, unsure = late + count * kernel, unsure + count * (not kernel)
        if late > self.late or unsure > READ_LATE:
            say("R3", f"{late + unsure} bytes came to {arrival.name} after an edit or a revocation that forbids them was acknowledged", arrival.chunks[-1][0],
                **arrival.shown())

    def _finishes(self, timeline, revision, first):
        """An edit with --let-finish leaves running what began under a revision that may."""
        least = timeline.finish_from(revision.number)
        return any(least <= one.number < revision.number for one in timeline.at(first, CLOCK))

    # ---- the end ----

    def _finish(self, gateway):
        for id, request in gateway.requests.items():
            pid = request.decision and int(request.decision["_file"].split("-")[-2])
            if request.decision and request.decision["verdict"] == "allow" and not request.outcome and not request.lost and pid not in gateway.dead:
                self.counts["without an outcome at the end"] += 1
                if (gateway.stopped or time.time()) - request.decision["t"] / 1000 > OPEN:
                    self._violation(gateway, "I1", f"no outcome, request {id}", request.decision["t"] / 1000, request.shown())

    def report(self):
        edits = sum(gateway.timeline.edits for gateway in self.gateways.values())
        lines = [str(one) for one in self.violations] + [f"excused: {one}" for one in self.excused]
        lines.append(", ".join(f"{name} {count}" for name, count in sorted(self.counts.items())) or "nothing to audit")
        return "\n".join(lines + [f"{len(self.gateways)} gateways, {len(self.backends)} backends, {edits} edits, {len(self.violations)} violations"])


def main():
    auditor = Auditor(sys.argv[1])
    auditor.run(final=True)
    print(auditor.report())
    return 1 if auditor.violations else 0


if __name__ == "__main__":
    sys.exit(main())
