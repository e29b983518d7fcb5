"""gatehouse_resolve: names are looked up again at their TTL, and starting needs no DNS."""
import time

import pytest

from client import ask, expect_error
from gateway import Backend, free_port
from mock_dns import MockDns

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def dns():
    with MockDns(ttl=1) as server:
        yield server


@pytest.fixture
def named(make_gateway, mock, dns):
    """A gateway whose only backend is a name; .one and .two listen on the same port of two addresses."""
    one = mock("127.0.0.21", name="one")
    two = mock("127.0.0.22", one.port, name="two")

    def make(start=True, **options):
        gateway = make_gateway([Backend("named", resolve=f"api.test:{one.port}", **options)], http=f"resolver {dns.address} ipv6=off; resolver_timeout 1s;")
        gateway.one, gateway.two = one, two
        gateway.apply()
        return gateway.start() if start else gateway
    return make


def until(action, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if action():
            return True
        time.sleep(0.1)
    return False


def test_answers_change_without_reload(named, dns):
    dns.names["api.test"] = ["127.0.0.21"]
    gateway = named()
    assert until(lambda: ask(gateway).status == 200)
    pid = gateway.worker_pids()
    dns.names["api.test"] = ["127.0.0.22"]
    assert until(lambda: ask(gateway).status == 200 and gateway.two.requests)
    seen = len(gateway.one.requests)
    assert all(ask(gateway).status == 200 for _ in range(10))
    assert len(gateway.one.requests) == seen, "an idle connection to an old address was used"
    assert gateway.worker_pids() == pid


def test_every_address_is_used_and_a_dead_one_is_survived(named, dns):
    dns.names["api.test"] = ["127.0.0.21", "127.0.0.22"]
    gateway = named(keepalive=0)
    assert until(lambda: ask(gateway).status == 200)
    for _ in range(20):
        assert ask(gateway).status == 200
    assert gateway.one.requests and gateway.two.requests


def test_starting_needs_no_dns(named, dns):
    """No answer at all: nginx starts, requests get their error, and the name works as soon as it is known."""
    dns.names["api.test"] = None
    gateway = named()
    begun = time.monotonic()
    found = expect_error(ask(gateway), 503, "no_healthy_backend")
    assert time.monotonic() - begun < 35 and gateway.outcome(found.id)["status"] == 503
    dns.names["api.test"] = ["127.0.0.21"]
    assert until(lambda: ask(gateway).status == 200)


def test_name_that_does_not_exist(named, dns):
    gateway = named()
    expect_error(ask(gateway), 503, "no_healthy_backend")
    dns.names["api.test"] = ["127.0.0.21"]
    assert until(lambda: ask(gateway).status == 200)


@pytest.mark.parametrize("loss", ["silent", "gone"])
def test_last_good_answer_is_kept(named, dns, loss):
    dns.names["api.test"] = ["127.0.0.21"]
    gateway = named()
    assert until(lambda: ask(gateway).status == 200)
    if loss == "silent":
        dns.names["api.test"] = None
    else:
        del dns.names["api.test"]
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert ask(gateway).status == 200
        time.sleep(0.1)


def test_lookups_follow_the_ttl(named, dns):
    dns.names["api.test"] = ["127.0.0.21"]
    gateway = named()
    assert until(lambda: ask(gateway).status == 200)
    begun = time.time()
    for _ in range(50):
        ask(gateway)
        time.sleep(0.05)
    asked = [at for at, name, kind in dns.queries if at > begun and name == "api.test" and kind == 1]
    assert 1 <= len(asked) <= 6 * max(1, (time.time() - begun) / 2.5), asked


def test_tls_name_is_verified_at_resolved_addresses(make_gateway, mock, dns, authority):
    good = mock("127.0.0.21", tls=authority.issue("api.test"))
    bad = mock("127.0.0.22", good.port, tls=authority.issue("evil.test"))
    gateway = make_gateway([Backend("named", resolve=f"api.test:{good.port}", tls="api.test", ca=authority.certificate)],
                           http=f"resolver {dns.address} ipv6=off; resolver_timeout 1s;")
    gateway.apply()
    dns.names["api.test"] = ["127.0.0.21"]
    gateway.start()
    assert until(lambda: ask(gateway).status == 200) and good.requests[0].sni == "api.test"
    dns.names["api.test"] = ["127.0.0.22"]
    assert until(lambda: ask(gateway).status != 200)
    assert not bad.requests


def test_reload_while_names_are_known(named, dns):
    dns.names["api.test"] = ["127.0.0.21"]
    gateway = named()
    assert until(lambda: ask(gateway).status == 200)
    gateway.reload()
    assert until(lambda: ask(gateway).status == 200)


def test_old_workers_leave(named, dns):
    """The look-up's timer must not keep a worker that was told to go."""
    dns.names["api.test"] = ["127.0.0.21"]
    gateway = named()
    assert until(lambda: ask(gateway).status == 200)
    old = gateway.worker_pids()
    gateway.reload()
    assert until(lambda: not set(old) & set(gateway.worker_pids()))


def test_resolve_needs_a_resolver(make_gateway):
    gateway = make_gateway([Backend("named", resolve=f"api.test:{free_port()}")])
    done = gateway.test()
    assert done.returncode != 0 and "resolver" in done.stderr
