"""What is measured, a function a part. Each gives rows; what it could not do it says with skip()."""

import subprocess
import time

import measure
from measure import Figure
from servers import Gateway, Plain, Returns, free_port

BODIES = ((1, False), (10, False), (100, False), (1, True), (10, True), (100, True))     # KB, streamed
ADDED = {1: (1.6, 1.4), 10: (1.6, 1.4), 100: (1.8, 1.5)}                                 # target and aim
REFUSALS = (("403 residency_denied", 403, {"first": 100, "keys": 800, "header": "x-data-class: secret"}),
            ("429 insufficient_quota", 429, {"first": 0, "keys": 1}),
            ("401 unknown key", 401, {"first": 3000000000, "keys": 1000}))
RATES = {1: (0.58, 0.65), 10: (0.55, 0.65), 100: (0.45, 0.65)}


class Row:
    """One line of the table: two figures that stand beside each other, and what is asked of their ratio."""

    def __init__(self, part, what, unit, plain=None, gateway=None, ratio=None, most=None, least=None, aim=None, note="", asked="ratio", names=("nginx", "gateway")):
        self.part, self.what, self.unit, self.plain, self.gateway, self.ratio = part, what, unit, plain, gateway, ratio
        self.most, self.least, self.aim, self.note, self.asked, self.names = most, least, aim, note, asked, names

    @property
    def met(self):
        """None: nothing is asked."""
        judged = self.ratio if self.asked == "ratio" else self.gateway
        if judged is None or (self.most is None and self.least is None):
            return None
        return judged.median <= self.most if self.most is not None else judged.median >= self.least

    def target(self):
        if self.met is None:
            return ""
        text = f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"
        return text + (f", aim {self.aim:g}" if self.aim is not None else "")

    def json(self):
        return {"part": self.part, "what": self.what, "unit": self.unit, "names": self.names, "note": self.note, "target": self.target(), "met": self.met,
                **{name: getattr(self, name).json() for name in ("plain", "gateway", "ratio") if getattr(self, name) is not None}}


def body_name(kilobytes, streamed):
    return f"{kilobytes} KB{', streamed' if streamed else ''}"


class Bench:
    """Servers as they are needed, all alive at once and idle but for the one that is measured."""

    def __init__(self, build, tools, homes, record, quick, rounds, say):
        self.build, self.tools, self.homes, self.record, self.say = build, tools, homes, record, say
        self.quick, self.rounds = quick, rounds
        self.running, self.rows, self.skipped = [], [], []

    def add(self, *arguments, **more):
        row = Row(*arguments, **more)
        self.rows.append(row)
        self.say(row)
        return row

    def skip(self, part, why):
        self.skipped.append((part, why))
        print(f"skipped {part}: {why}", flush=True)

    def backend(self, core=1, **options):
        port = free_port()
        process = self.tools.backend(port, core, **options)
        self.running.append(process)
        return port, process

    def start(self, server, core=0):
        self.running.append(server)
        return server.start(core)

    def plain(self, port, core=0):
        return self.start(Plain(port), core)

    def gateway(self, port, core=0, home=None, ledger_size="64m"):
        return self.start(Gateway(port, home or self.homes.thousand, self.build, self.record, ledger_size), core)

    def end(self):
        """Of a part: everything is stopped, and no error log may have anything to say."""
        for one in reversed(self.running):
            if isinstance(one, subprocess.Popen):
                measure.stop(one)
                continue
            one.stop()
            for line in one.complaints()[:5]:
                print(f"{one.name}: {line}", flush=True)
            one.remove()
        self.running.clear()

    def callers(self, home=None):
        """Tenant 0 is the limited one."""
        return {"first": 1, "keys": (home or self.homes.thousand).tenants - 1}


def must(result, what):
    """A load whose answers were not all there measures something else."""
    if result["other"] or result["cut"] or not result["ok"]:
        raise SystemExit(f"{what}: {result['ok']} good answers, {result['other']} others (the last one {result['other_status']}), {result['cut']} cut")
    return result


def serial(bench):
    """One connection, everything on one processor: the time that each adds to a request, by its median."""
    port, _ = bench.backend(core=0)
    plain, gateway = bench.plain(port), bench.gateway(port)
    count = 2000 if bench.quick else 10000
    for kilobytes, streamed in BODIES:
        times = {"direct": [], "plain": [], "gateway": []}
        for _ in range(bench.rounds):
            for name, at in (("direct", port), ("plain", plain.port), ("gateway", gateway.port)):
                found = bench.tools.load("serial", at, 0, requests=count, size=kilobytes * 1000, stream=streamed, **bench.callers())
                times[name].append(must(found, f"serial {name}")["p50_us"])
            gateway.clean()
        added = {name: Figure(value - direct for value, direct in zip(times[name], times["direct"])) for name in ("plain", "gateway")}
        ratios = Figure(g / p for g, p in zip(added["gateway"].values, added["plain"].values))
        target, aim = ADDED[kilobytes]
        bench.add("serial", f"added time, {body_name(kilobytes, streamed)}", "us", added["plain"], added["gateway"], ratios, most=target, aim=aim,
                  note=f"direct {measure.median(times['direct']):.1f} us")


def saturated_pair(bench, plain, gateway, seconds, options, callers=None):
    """Rounds of requests a second and of processor time a request, of each; [(requests/s, us)]."""
    found = {plain: [], gateway: []}
    for _ in range(bench.rounds):
        for server in (plain, gateway):
            begun, cpu = time.monotonic(), server.cpu()
            result = must(bench.tools.load("closed", server.port, 1, connections=32, awake=True, seconds=seconds, **options, **(callers or {})),
                          f"saturated {server.name}")
            used, took = server.cpu() - cpu, time.monotonic() - begun
            found[server].append((result["ok"] / result["seconds"], used * 1e6 / result["ok"], used / took))
            server.clean()
    return found[plain], found[gateway]


def saturated(bench):
    """The worker has one processor, load and backend the other. Where the worker's is not used up, requests a second say less than time per request."""
    port, _ = bench.backend()
    plain, gateway = bench.plain(port), bench.gateway(port)
    for kilobytes, streamed in BODIES:
        a, b = saturated_pair(bench, plain, gateway, 1 if bench.quick else 2, {"size": kilobytes * 1000, "stream": streamed}, bench.callers())
        name = body_name(kilobytes, streamed)
        target, aim = RATES[kilobytes]
        busy = f"of its processor nginx used {measure.median(x[2] for x in a):.0%}, the gateway {measure.median(x[2] for x in b):.0%}"
        bench.add("saturated", f"requests/s, {name}", "/s", Figure(x[0] for x in a), Figure(x[0] for x in b),
                  Figure(y[0] / x[0] for x, y in zip(a, b)), least=target, aim=aim, note=busy)
        bench.add("saturated", f"CPU per request, {name}", "us", Figure(x[1] for x in a), Figure(x[1] for x in b),
                  Figure(x[1] / y[1] for x, y in zip(a, b)), least=target, aim=aim, note="ratio: nginx / gateway")


def scale(bench):
    """A thousand tenants and keys beside a million, each asked for as often as the others: while most of the million are new to the worker, and when it has seen them."""
    if not bench.homes.million.ready and bench.quick:
        bench.skip("scale", f"no home of {bench.homes.million.tenants:,} tenants is prepared; a run without --quick makes and keeps it, in some minutes")
        return
    bench.homes.million.make()
    port, _ = bench.backend()
    few, many = bench.gateway(port), bench.gateway(port, home=bench.homes.million, ledger_size="2g")
    homes = {few: bench.homes.thousand, many: bench.homes.million}

    def asked(server, seconds, **options):
        return must(bench.tools.load("closed", server.port, 1, connections=32, awake=True, seconds=seconds, **options, **bench.callers(homes[server])), "scale")["ok"]

    def rounds(which):
        for name, options in (("1 KB", {"size": 1000}), ("10 KB", {"size": 10000})):
            found = {few: [], many: []}
            for _ in range(bench.rounds):
                for server in found:
                    cpu = server.cpu()
                    count = asked(server, 2 if bench.quick else 4, **options)
                    found[server].append((server.cpu() - cpu) * 1e6 / count)
                    server.clean()
            bench.add("scale", f"CPU per request, {name}, so many tenants, {which}", "us",
                      Figure(found[few]), Figure(found[many]), Figure(b / a for a, b in zip(found[few], found[many])), most=1.1,
                      names=tuple(f"{homes[server].tenants:,}" for server in found))

    rounds("most of the million new")
    if bench.quick:
        return
    seen, until = 0, time.monotonic() + 240
    while seen < 2 * homes[many].tenants and time.monotonic() < until:      # of each seven, six
        seen += asked(many, 10)
        many.clean()
    rounds(f"after {seen:,} requests")


def streams(bench):
    """Streams of a chunk every 40 ms, begun over a second and begun again as they end."""
    for count in (50, 200, 600):
        port, _ = bench.backend(interval_us=40000, chunks=50)
        plain, gateway = bench.plain(port), bench.gateway(port)
        found = {plain: [], gateway: []}
        for _ in range(max(1, bench.rounds // 2)):
            for server in (plain, gateway):
                # what a worker keeps of its callers is not a stream's
                must(bench.tools.load("serial", server.port, 1, requests=2000, size=1000, **bench.callers()), "streams")
                must(bench.tools.load("closed", server.port, 1, connections=2, seconds=0.1, stream=True, **bench.callers()), "streams")
                before, cpu, begun = measure.private_kb(server.workers()), server.cpu(), time.monotonic()
                running = bench.tools.load("streams", server.port, 1, wait=False, connections=count, seconds=3 if bench.quick else 6, **bench.callers())
                time.sleep(2.5)
                memory = measure.private_kb(server.workers()) - before
                result = must(bench.tools.result(running), f"streams {server.name}")
                used = server.cpu() - cpu
                found[server].append({**result, "chunk_us": used * 1e6 / result["chunks"], "kb": memory / count,
                                      "busy": used / (time.monotonic() - begun)})
        a, b = found[plain], found[gateway]

        def pair(name):
            return Figure(x[name] for x in a), Figure(x[name] for x in b), Figure(y[name] / max(x[name], 1e-9) for x, y in zip(a, b))

        lost = sum(x["lost"] + (x["ok"] - x["complete"]) for x in b)
        bench.add("streams", f"CPU per chunk, {count} streams", "us", *pair("chunk_us"), most=1.5, aim=1.2,
                  note=f"{sum(x['chunks'] for x in b)} chunks through the gateway, {lost} lost or without an end")
        bench.add("streams", f"chunk transit p50, {count} streams", "us", *pair("transit_p50_us"))
        bench.add("streams", f"chunk transit p99, {count} streams", "us", *pair("transit_p99_us"), most=2)
        bench.add("streams", f"time to first chunk p50, {count} streams", "us", *pair("first_p50_us"))
        bench.add("streams", f"chunks lost, {count} streams", "", None, Figure([lost]), most=0, asked="gateway")
        if count == 600:                   # of the first round: later ones find memory that was given back already
            bench.add("streams", f"memory per stream beyond nginx's, {count} streams", "KB", Figure([a[0]["kb"]]), Figure([b[0]["kb"] - a[0]["kb"]]),
                      most=24, asked="gateway")
        bench.end()


def churn(bench):
    """1,000 records of keys written a second, in 20 and in 100 commits: the median of serial requests with it and without. What a busy neighbour of the processor
    alone makes of it, plain nginx shows, which reads no policy: the ratio is without that."""
    port, _ = bench.backend(core=0)
    servers, home = (bench.plain(port), bench.gateway(port)), bench.homes.thousand
    count = 3000 if bench.quick else 15000

    def medians():
        return [must(bench.tools.load("serial", server.port, 0, requests=count, **bench.callers()), "churn")["p50_us"] for server in servers]

    for commits in (20, 100):
        calm, moved = [], []
        for _ in range(bench.rounds):
            calm.append(medians())
            writer = measure.spawn([bench.build / "tests/bench/scale/scale", "churn", home.home, home.directory / "secrets/store.key", commits,
                                    1000 // commits, 60], 1, stdout=subprocess.PIPE, text=True)
            time.sleep(0.3)
            moved.append(medians())
            measure.stop(writer)
            wrote = writer.stdout.read().split()
            servers[1].clean()
        plain = [b[0] / a[0] for a, b in zip(calm, moved)]
        bench.add("churn", f"p50, 1,000 records/s in {commits} commits/s", "us", Figure(a[1] for a in calm), Figure(b[1] for b in moved),
                  Figure(b[1] / a[1] / by for a, b, by in zip(calm, moved, plain)), most=1.05, names=("calm", "churn"),
                  note=f"{wrote[0] if wrote else '?'} commits/s were made; the ratio is beside that of plain nginx, {measure.median(plain):.2f}")


def tail(bench):
    """3,000 requests a second, due at equal distances; times from when each was due."""
    port, _ = bench.backend()
    plain, gateway = bench.plain(port), bench.gateway(port)
    found = {plain: [], gateway: []}
    for _ in range(bench.rounds):
        for server in (plain, gateway):
            found[server].append(must(bench.tools.load("open", server.port, 1, rate=3000, connections=256, seconds=2 if bench.quick else 6,
                                                       **bench.callers()), f"tail {server.name}"))
            server.clean()
    for name, most in (("p50", None), ("p99", 1.25), ("p999", None)):
        values = [[one[f"{name}_us"] for one in found[server]] for server in (plain, gateway)]
        bench.add("tail", f"{name} at 3,000 requests/s, 1 KB", "us", Figure(values[0]), Figure(values[1]),
                  Figure(b / a for a, b in zip(*values)), most=most)


def reload(bench):
    """Five reloads while requests and streams run: nothing may be cut. A kept connection that nginx ends between two requests is used again by nobody."""
    port, _ = bench.backend(interval_us=40000, chunks=50)
    for server in (bench.plain(port), bench.gateway(port)):
        streams_run = bench.tools.load("streams", server.port, 1, wait=False, connections=20, seconds=6, **bench.callers())
        requests_run = bench.tools.load("open", server.port, 1, wait=False, rate=500, connections=64, seconds=6, **bench.callers())
        for _ in range(5):
            time.sleep(1)
            server.reload()
        found = [bench.tools.result(one) for one in (streams_run, requests_run)]
        cut = sum(one["cut"] + one["other"] for one in found) + found[0]["ok"] - found[0]["complete"] + found[0]["lost"]
        bench.add("reload", "cut, lost or failed in five reloads", "", None, Figure([cut]), most=0, asked="gateway", names=("", server.name),
                  note=f"{found[1]['ok']} requests, {found[0]['complete']} streams to their end, {found[0]['raced'] + found[1]['raced']} "
                       "sent again on a new connection, unanswered on one that nginx had ended between two requests")


def denied(bench):
    """What is refused, beside nginx's `return` with as long a body. Each is in the record but an unknown key. (The first organisation has rules of its own.)"""
    port, _ = bench.backend()
    returns, gateway = bench.start(Returns(port)), bench.gateway(port)
    bench.tools.load("serial", gateway.port, 1, requests=2, first=0, keys=1)         # tenant 0 has had its request of today
    for name, status, options in REFUSALS:
        found = {returns: [], gateway: []}
        for _ in range(bench.rounds):
            for server in (returns, gateway):
                cpu = server.cpu()
                result = must(bench.tools.load("closed", server.port, 1, connections=32, awake=True, seconds=1 if bench.quick else 2,
                                               expect=403 if server is returns else status, **options), f"denied {name}: {server.name}")
                found[server].append((server.cpu() - cpu) * 1e6 / result["ok"])
                server.clean()
        bench.add("denied", f"CPU per refusal, {name}", "us", Figure(found[returns]), Figure(found[gateway]),
                  Figure(b / a for a, b in zip(found[returns], found[gateway])), most=2, names=("return", "gateway"))


PARTS = {one.__name__: one for one in (serial, saturated, scale, streams, churn, tail, reload, denied)}
