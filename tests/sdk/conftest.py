"""One gateway in front of every mock provider."""
import json
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
for name in ("audit", "e2e", "dialects"):
    sys.path.insert(0, str(TESTS / name))

import clients                                      # noqa: E402
import documents                                    # noqa: E402
import site_of                                      # noqa: E402
from certificates import Authority                  # noqa: E402
from gateway import SLOW, Backend, Gateway          # noqa: E402


class Site:
    """The gateway, its address and a key for it, and `providers` by name."""
    def __init__(self):
        self.providers = {name: one.provider(f"127.0.0.{60 + number}", name) for number, (name, one) in enumerate(site_of.PROVIDERS.items())}
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-ca-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.authority = Authority(self.directory)
        self.gateway = Gateway([Backend(name, self.providers[name].mock, credential=one.credential, lines=one.lines)
                                for name, one in site_of.PROVIDERS.items()], certificate=self.authority.issue("gateway.test", "localhost", "127.0.0.1"))
        self.gateway.init()
        self.turn = 0
        self.forget()
        self.gateway.start()
        self.address = f"http://127.0.0.1:{self.gateway.port}"
        self.key = self.gateway.key()
        self.kept = {}

    def forget(self, route=(), **more):
        """Nothing is known any more of how deployments answered. route: who has the model "any"; more: of the key's tenant."""
        self.turn += 1
        self.gateway.apply(site_of.fleet(self.turn, route), documents.residency(documents.allow("all", unlisted_features="accepted")), documents.tenants(red=more))

    def of(self, deployment):
        return self.providers[site_of.DEPLOYMENTS[deployment].provider]

    def direct(self, kind, deployment):
        """The SDK at the provider itself."""
        where = site_of.DEPLOYMENTS[deployment].provider
        way = site_of.PROVIDERS[where]
        return self.made(way.direct.get(kind.dialect, kind), self.providers[where].address, way.key)

    def through(self, kind, retries=0):
        if issubclass(kind, clients.Boto):              # it sends no API key in clear text
            return self.made(kind, f"https://127.0.0.1:{self.gateway.tls_port}", self.key, retries, str(self.authority.certificate))
        return self.made(kind, self.address, self.key, retries)

    def made(self, *how):
        """SDKs are made once: it takes them longer than a request."""
        if how not in self.kept:
            self.kept[how] = how[0](*how[1:])
        return self.kept[how]

    def close(self):
        self.gateway.stop()
        self.gateway.check_log()
        self.gateway.remove()
        shutil.rmtree(self.directory, ignore_errors=True)
        for one in self.providers.values():
            one.mock.stop()


@pytest.fixture(scope="session")
def session_site():
    made = Site()
    yield made
    made.close()


def too_long(_signal, _frame):
    raise TimeoutError("the test took more than four minutes")


@pytest.fixture
def site(session_site):
    for provider in session_site.providers.values():
        provider.clear()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(240 * SLOW)
    yield session_site
    signal.alarm(0)
    session_site.gateway.check_log()


@pytest.fixture
def fresh(site):
    """The same, where nothing is known yet of how deployments answer, nor afterwards."""
    site.forget()
    yield site
    site.forget()


def pytest_make_parametrize_id(config, val, argname):
    return val if isinstance(val, str) else json.dumps(val)
