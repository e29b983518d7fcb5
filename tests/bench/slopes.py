"""How the cost of a request grows, in instructions of the worker (callgrind): along one size at a time, all others as they are.

Linear at most in the body, flat in everything else: the exponent of the best power law through the points. What a size costs is also said per unit.
"""

import math
import subprocess

import callgrind
import measure
import world
from measure import Figure
from servers import Gateway

BATCH = 40
KNOWN = 8                               # callers, which the worker has seen before it is counted: the first time costs several times as much
LINEAR, FLAT = 1.1, 0.05                # exponents at most


def exponent(sizes, costs):
    """Of cost ~ size^e, by least squares over the logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def per_unit(sizes, costs):
    """By least squares: instructions for one more."""
    mean_x, mean_y = sum(sizes) / len(sizes), sum(costs) / len(costs)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(sizes, costs)) / sum((a - mean_x) ** 2 for a in sizes)


class Line:
    """One size: its name, and what was counted at each."""

    def __init__(self, bench, what, unit, most):
        self.bench, self.what, self.unit, self.most, self.points = bench, what, unit, most, []

    def add(self, size, cost):
        self.points.append((size, cost))

    def end(self):
        sizes, costs = zip(*self.points)
        if self.most >= 1:                  # of what comes on top of the smallest: what a request costs anyway hides how the rest grows
            grows = exponent([size - sizes[0] for size in sizes[1:]], [cost - costs[0] for cost in costs[1:]])
        else:
            grows = exponent(sizes, costs)
        self.bench.add("slopes", f"exponent: {self.what}", "", None, Figure([grows]), most=self.most, asked="gateway",
                       note="; ".join(f"{size:,}: {cost:,.0f}" for size, cost in self.points)
                            + f" instructions; {per_unit(sizes, costs):.3g} for one more {self.unit}")


def worker(bench, port, home, ledger_size="64m"):
    server = Gateway(port, home, bench.build, bench.record, ledger_size)
    bench.running.append(server)
    return callgrind.Counted(server, bench.record)


def known(bench, home=None):
    return {**bench.callers(home), "keys": KNOWN}


def everyone(bench, home):
    return bench.callers(home)


def requests(bench, counted, batches=2, **options):
    """Instructions of one request: of the batch with the fewest behind one that is not counted; 0: of one batch as it is."""
    def send():
        result = bench.tools.load("serial", counted.server.port, 1, requests=BATCH, **{"size": 1000, **options})
        if result["ok"] != BATCH:
            raise SystemExit(f"slopes: {result['ok']} answers of {BATCH}, the last other one {result['other_status']}\n{counted.server.errors()[-1000:]}")
    if not batches:
        send()
        return counted.dump().total / BATCH
    return counted.count(send, batches).total / BATCH


def stop(bench, counted):
    bench.running.remove(counted.server)
    counted.server.remove()


def by_home(bench, port, what, unit, sizes, make, callers=known):
    line = Line(bench, what, unit, FLAT)
    for size in sizes:
        home = make(size).make()
        counted = worker(bench, port, home, "512m" if size > 10000 else "64m")
        line.add(size, requests(bench, counted, **callers(bench, home)))
        stop(bench, counted)
    line.end()


def by_body(bench, port):
    counted = worker(bench, port, bench.homes.thousand)
    for what, stream in (("size of the body", False), ("size of the body, streamed", True)):
        line = Line(bench, what, "KB", LINEAR)
        for size in (20, 50, 100, 200):
            line.add(size, requests(bench, counted, size=size * 1000, stream=stream, **known(bench)))
        line.end()
    stop(bench, counted)


def by_record(bench, port):
    """Requests recorded before, by the same worker."""
    counted, line, before = worker(bench, port, bench.homes.thousand), Line(bench, "requests in the record before", "request", FLAT), 200
    for size in (200, 1000, 5000) if bench.quick else (200, 1000, 5000, 20000):
        counted.say("instrumentation", "off")
        bench.tools.load("serial", counted.server.port, 1, requests=max(1, size - before + 1), size=1000, **bench.callers())
        counted.say("instrumentation", "on")
        before = size
        line.add(size, requests(bench, counted, **known(bench)))
    line.end()
    stop(bench, counted)


def by_streams(bench):
    """Streams that are open and silent meanwhile."""
    port, _ = bench.backend(interval_us=15000000, chunks=3)
    counted, line = worker(bench, port, bench.homes.thousand), Line(bench, "open streams", "stream", FLAT)
    for count in (1, 20, 200):
        running = bench.tools.load("streams", counted.server.port, 1, wait=False, connections=count, seconds=1, **bench.callers())
        bench.tools.load("open", counted.server.port, 1, rate=5, connections=2, seconds=4, **bench.callers())        # until all of them are open
        line.add(count, requests(bench, counted, **known(bench)))
        running.kill()
        running.wait()
        bench.tools.load("open", counted.server.port, 1, rate=5, connections=2, seconds=3, **bench.callers())
    line.end()
    stop(bench, counted)


def by_edits(bench, port):
    """Keys of others, written between the requests: what a worker does for that, which time on a machine that the writer uses too does not show."""
    home = bench.homes.thousand
    counted = worker(bench, port, home)
    written = [bench.build / "tests/bench/scale/scale", "churn", home.home, home.directory / "secrets/store.key", "1", "10", "1"]
    calm = requests(bench, counted, **known(bench))
    costs = []
    for _ in range(3):
        subprocess.run(written, check=True, stdout=subprocess.PIPE)
        costs.append(requests(bench, counted, batches=0, **known(bench)))
    bench.add("slopes", f"instructions of a request, ten keys written by one commit before every {BATCH}", "", Figure([calm]), Figure(costs),
              Figure(cost / calm for cost in costs), most=1.05, names=("none", "written"))
    stop(bench, counted)


TENANTS = (100, 1000, 10000, 100000)
RULES = (10, 100, 1000)
DEPLOYMENTS = (4, 16, 48)


def maker(build, cache):
    def home(tenants=1000, **more):
        return world.Home(build, cache, tenants, **more)
    return home


def prepare(build, cache):
    """The homes that slopes() asks for, made ahead."""
    home = maker(build, cache)
    for one in [home(size) for size in TENANTS] + [home(rules=size) for size in RULES] + [home(deployments=size) for size in DEPLOYMENTS]:
        one.make()


def slopes(bench):
    why = callgrind.missing()
    if why:
        bench.skip("slopes", why)
        return
    port, _ = bench.backend()
    by_body(bench, port)

    home, tenants = maker(bench.build, bench.homes.cache), list(TENANTS)
    if bench.homes.million.ready and not bench.quick:
        tenants.append(1000000)
    by_home(bench, port, "tenants and keys", "tenant", tenants[:3] if bench.quick else tenants, home)
    by_home(bench, port, "tenants and keys, callers not seen before", "tenant", tenants[1:3] if bench.quick else tenants[1:], home, everyone)
    by_home(bench, port, "rules", "rule", RULES, lambda size: home(rules=size))
    by_home(bench, port, "deployments of the model", "deployment", DEPLOYMENTS, lambda size: home(deployments=size))
    by_edits(bench, port)
    by_record(bench, port)
    by_streams(bench)
