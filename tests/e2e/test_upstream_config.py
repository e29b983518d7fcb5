"""nginx -t on upstream groups whose addresses are a name's: what else would name servers is refused, with file and line."""
import pytest

from gateway import Backend, Gateway

RESOLVER = "resolver 127.0.0.1:9;"
BACKEND = "gatehouse_backend named { upstream named; }"
# "# here" marks the lines that the message may name: those of the two directives that exclude each other, or their group's.
REFUSED = {
    "zone behind": ["gatehouse_resolve a.test:1; # here", "zone named 128k; # here"],
    "zone before": ["zone named 128k; # here", "gatehouse_resolve a.test:1; # here"],
    "zone behind keepalive": ["gatehouse_resolve a.test:1; # here", "keepalive 4;", "zone named 128k; # here"],
    "server behind": ["gatehouse_resolve a.test:1; # here", "server 127.0.0.1:9; # here"],
    "server before": ["server 127.0.0.1:9; # here", "gatehouse_resolve a.test:1; # here"],
    "server behind keepalive": ["gatehouse_resolve a.test:1; # here", "keepalive 4;", "server 127.0.0.1:9; # here"],
    "backup server behind": ["gatehouse_resolve a.test:1; # here", "server 127.0.0.1:9 backup; # here"],
    "server by a name behind": ["gatehouse_resolve a.test:1; # here", "server 127.0.0.2:9; # here"],
}


@pytest.fixture(scope="module")
def prefix():
    """A prefix for nginx -t; made once."""
    gateway = Gateway([Backend("one", "127.0.0.1:9")]).init()
    yield gateway
    gateway.remove()


def group(gateway, lines, backend=BACKEND):
    text = "\n".join([RESOLVER, "upstream named { # here", *lines, "}", backend])
    return gateway.configuration().replace("server {\n", text + "\nserver {\n", 1)


@pytest.mark.parametrize("name", REFUSED)
def test_other_servers_beside_a_resolved_name(prefix, name):
    """
    A `server` beside the name would get requests, with the credential, at an address that is not the name's; a `zone` has copies of the
    servers that no look-up changes. In any order both are an [emerg] at a line of this group, never a crash and never accepted.
    """
    text = group(prefix, REFUSED[name])
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "# here" in line]
    done = prefix.test(text)
    assert done.returncode == 1 and "[emerg]" in done.stderr, (done.returncode, done.stderr)
    assert any(f"{prefix.conf}:{line}\n" in done.stderr for line in lines), (lines, done.stderr)
    assert "gatehouse_resolve" in done.stderr or (name.startswith("backup") and '"backup"' in done.stderr)      # nginx's own word for that one


def test_refused_without_a_backend_too(prefix):
    """Also when no gatehouse_backend uses the group: proxy_pass might."""
    for name in ("zone behind", "server behind"):
        done = prefix.test(group(prefix, REFUSED[name], backend=""))
        assert done.returncode == 1 and f"{prefix.conf}:" in done.stderr and "gatehouse_resolve" in done.stderr, (name, done.stderr)


def test_zone_and_servers_without_a_name(prefix):
    """Groups of their own may have both; only beside a name they are refused."""
    done = prefix.test(group(prefix, ["zone named 128k;", "server 127.0.0.1:9;", "server 127.0.0.1:10 backup;", "keepalive 4;"]))
    assert done.returncode == 0, done.stderr
