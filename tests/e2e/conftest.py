"""Fixtures: an authority, a shared gateway with four backends, and gateways of a test's own."""
import collections
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "audit"))

import documents                                    # noqa: E402
from auditor import Auditor                         # noqa: E402
from certificates import Authority                  # noqa: E402
from client import tls_context                      # noqa: E402
from gateway import SLOW, Backend, Gateway                # noqa: E402
from mock_backend import MockBackend                # noqa: E402
from timely import not_around_midnight              # noqa: E402

COUNTED = collections.Counter()                     # by the auditor, of every process of tests
RUNNING = []                                        # gateways whose error.log is read after every test


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitizer: also run with the module built with AddressSanitizer and UBSan")
    config.addinivalue_line("markers", "slow: left out of the sanitizer run")


@pytest.fixture(scope="session", autouse=True)
def auditor(request):
    """Reads after every test what its backends and editors saw and what was recorded, and judges it anew."""
    MockBackend.directory = tempfile.mkdtemp(prefix="gatehouse-trail-", dir="/tmp")
    found = Auditor(MockBackend.directory)
    yield found
    left = found.run(final=True)
    COUNTED.update(found.counts)
    if hasattr(request.config, "workeroutput"):         # one of several processes, which the first of them hears of
        request.config.workeroutput["counted"] = dict(COUNTED)
    if not os.environ.get("GATEHOUSE_KEEP"):
        shutil.rmtree(MockBackend.directory, ignore_errors=True)
    assert not left, "\n".join(str(one) for one in left)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    COUNTED.update(getattr(node, "workeroutput", {}).get("counted", {}))


def pytest_terminal_summary(terminalreporter):
    if COUNTED:
        terminalreporter.write_line("auditor: " + ", ".join(f"{name} {count}" for name, count in sorted(COUNTED.items())))


def audited(auditor, gateways, over=False):
    """The auditor's complaints about what came since the last test. `over`: these gateways serve nothing more."""
    for gateway in gateways:
        gateway.note_deaths()
        gateway.note_ledger()
        if over:
            gateway.trail.close()
    found = auditor.run()
    if over:
        auditor.forget()
    for gateway in gateways:
        gateway.trail.write("excused", t=time.time())
    return [str(one) for one in found[:3]] + ([f"and {len(found) - 3} more"] if len(found) > 3 else [])


@pytest.fixture(scope="session")
def authority():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-ca-", dir="/tmp"))
    directory.chmod(0o755)
    yield Authority(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def rogue(authority):
    """An authority nobody trusts."""
    return Authority(authority.directory / "rogue", "Rogue CA")


@pytest.fixture(scope="session")
def tls(authority):
    """For clients of the gateway; made anew by tests that change it."""
    return tls_context(authority)


@pytest.fixture(scope="session")
def server_certificate(authority):
    return authority.issue("gateway.test", "localhost", "127.0.0.1")


class World:
    """
    A gateway and its mock backends. `route("b1", "b2")` makes that the order for model m, with nothing remembered from before. "b1-silent" is b1 as well, for
    tests where it says nothing: it is given up after 2 s.
    """

    def __init__(self, gateway, mocks):
        self.gateway, self.mocks, self.turn = gateway, mocks, 0
        self.__dict__.update(mocks)

    def route(self, *names, rules=(), forbids=(), residency=None, tenants=None, **more):
        self.turn += 1
        for mock in self.mocks.values():
            mock.clear()
        fleet = documents.fleet(*(documents.deployment(f"{name}-{self.turn}", name, priority=number + 1, **more)
                                  for number, name in enumerate(names or self.mocks)))
        self.gateway.apply(fleet, residency or documents.residency(*rules, forbids=forbids), tenants or documents.tenants())
        return self.gateway

    def contacted(self):
        """Names of the backends in the order in which requests reached them."""
        arrived = sorted((request.order, name) for name, mock in self.mocks.items() for request in mock.requests)
        return [name for _, name in arrived]


@pytest.fixture(scope="session")
def shared_world(auditor, server_certificate):
    mocks = {f"b{i}": MockBackend(f"127.0.0.{i + 1}", name=f"b{i}") for i in range(1, 5)}
    backends = [Backend(name, mock, credential=f"secret-of-{name}") for name, mock in mocks.items()]
    backends += [Backend(f"{name}-silent", mock, credential=f"secret-of-{name}", read="2s") for name, mock in mocks.items() if name in ("b1", "b2")]
    gateway = Gateway(backends, certificate=server_certificate,
                      servers=["gatehouse_route_timeout 4s;", "gatehouse_commit_size 2k; gatehouse_commit_time 300ms;",
                               "gatehouse_drain_time 700ms; gatehouse_drain_size 64k;", "gatehouse_tries 1;", "client_body_timeout 2s;"])
    gateway.init().apply()
    RUNNING.append(gateway)
    gateway.start()
    gateway.deadline_port, gateway.commit_port, gateway.drain_port, gateway.single_port, gateway.hasty_port = gateway.server_ports
    yield World(gateway, mocks)
    RUNNING.remove(gateway)
    gateway.remove()
    for mock in mocks.values():
        mock.stop()


@pytest.fixture(autouse=True)
def proven():
    """Every request that came to a mock Bedrock was signed, or had the bearer, as its credential says: whatever attempt of whatever it was."""
    yield
    wrong, MockBackend.unproven[:] = MockBackend.unproven[:3], []
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def world(shared_world):
    """The shared gateway: one worker, backends b1..b4 in this order, tenants acme/red and acme/blue, applied anew."""
    shared_world.route()
    return shared_world


@pytest.fixture
def make_gateway(auditor):
    """Gateways of the test's own: make_gateway([Backend(...)], ...) gives one that is initialised but not started."""
    made = []

    def make(backends, init=True, **options):
        gateway = Gateway(backends, **options)
        made.append(gateway)
        RUNNING.append(gateway)
        return gateway.init() if init else gateway
    yield make
    problems = []
    for gateway in made:
        try:
            gateway.stop()
            gateway.check_log()
        except AssertionError as problem:
            problems.append(str(problem))
        RUNNING.remove(gateway)
    problems += audited(auditor, made, over=True)
    for gateway in made:
        gateway.remove()
    assert not problems, "\n".join(problems)


@pytest.fixture
def mock():
    """Backends of the test's own: mock("127.0.0.9", tls=...)."""
    made = []

    def make(*arguments, **options):
        made.append(MockBackend(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def too_long(_signal, _frame):
    raise TimeoutError("the test took more than four minutes")


@pytest.fixture(autouse=True)
def clean_log(request, auditor):
    not_around_midnight()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(240 * SLOW)
    yield
    signal.alarm(0)
    for gateway in RUNNING:
        gateway.check_log()
    complaints = audited(auditor, RUNNING)
    assert not complaints, "the auditor: " + "\n".join(complaints)


def pytest_report_header():
    from gateway import MODULE, NGINX, nginx_version
    return f"{NGINX} {'.'.join(map(str, nginx_version()))}, {MODULE}, uid {os.geteuid()}"
