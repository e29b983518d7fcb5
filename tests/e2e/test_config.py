"""nginx -t: every malformed directive is an [emerg] that names file and line, and a good configuration passes."""
import re

import pytest

from gateway import Backend, nginx_version

UP = "upstream u { server 127.0.0.1:9; }"


@pytest.fixture(scope="module")
def prefix():
    """A prefix for nginx -t; made once."""
    from gateway import Gateway
    gateway = Gateway([Backend("one", "127.0.0.1:9")]).init()
    yield gateway
    gateway.remove()


def check(gateway, text, mark):
    """Runs nginx -t on a text in which `mark` stands on the faulty line."""
    done = gateway.test(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if mark in one)
    return done, line


def at_http(gateway, directive):
    return gateway.configuration().replace("server {\n", directive + "\nserver {\n", 1)


HTTP = {
    "backend without a name": "gatehouse_backend { upstream u; }", "backend without a group": "gatehouse_backend x { tls a.test; }",
    "backend with two names": "gatehouse_backend x y { upstream u; }", "unknown group": "gatehouse_backend x { upstream nobody; }",
    "unknown word in a backend": "gatehouse_backend x { upstream u; colour red; }", "backend twice": "gatehouse_backend one { upstream u; }",
    "bad name": "gatehouse_backend X_Y! { upstream u; }", "group twice": "gatehouse_backend x { upstream u; upstream u; }",
    "tls twice": "gatehouse_backend x { upstream u; tls a.test; tls b.test; }", "tls without a name": "gatehouse_backend x { upstream u; tls; }",
    "credential of no kind": "gatehouse_backend x { upstream u; credential secret; }", "credential without a name": "gatehouse_backend x { upstream u; credential file:; }",
    "credential that climbs": "gatehouse_backend x { upstream u; credential file:../store/data.mdb; }",
    "credential twice": "gatehouse_backend x { upstream u; credential file:a; credential file:b; }",
    "bad time": "gatehouse_backend x { upstream u; connect_timeout soon; }", "bad read time": "gatehouse_backend x { upstream u; read_timeout -1; }",
    "bad path": "gatehouse_backend x { upstream u; path prefix; }", "certificate that is not there": "gatehouse_backend x { upstream u; tls a.test; trusted_certificate /nowhere.pem; }",
    "home twice": "gatehouse_home /a;", "home without a path": "gatehouse_home;", "secrets without a path": "gatehouse_secrets;", "node twice": "gatehouse_node other;",
    "audit twice": "gatehouse_audit /a;",
    "unknown directive": "gatehouse_colour red;", "credentials without a path": "gatehouse_credentials;",
}


@pytest.mark.parametrize("name", HTTP)
def test_http_directives(prefix, name):
    text = at_http(prefix, f"{UP}\n{HTTP[name]} # here")
    done, line = check(prefix, text, "# here")
    assert done.returncode != 0, done.stderr
    assert "[emerg]" in done.stderr and re.search(rf"{re.escape(str(prefix.conf))}:{line}\b", done.stderr), done.stderr


FIRST = {"node that is no name": ("gatehouse_node", "gatehouse_node Fra_1!;"), "node empty": ("gatehouse_node", 'gatehouse_node "";'),
         "audit with a bad option": ("gatehouse_audit", "gatehouse_audit /a sync=never;"), "audit that waits without a sync": ("gatehouse_audit", "gatehouse_audit /a sync_timeout=1s;"),
         "audit that waits for ever": ("gatehouse_audit", "gatehouse_audit /a sync=group sync_timeout=2m;"), "audit with an unknown option": ("gatehouse_audit", "gatehouse_audit /a colour=red;"),
         "home empty": ("gatehouse_home", 'gatehouse_home "";')}


@pytest.mark.parametrize("name", FIRST)
def test_values_of_http_directives(prefix, name):
    directive, replacement = FIRST[name]
    text = re.sub(rf"^{directive} .*$", replacement + " # here", prefix.configuration(), count=1, flags=re.M)
    done, line = check(prefix, text, "# here")
    assert done.returncode != 0 and f"{prefix.conf}:{line}" in done.stderr, done.stderr


LOCATION = ["gatehouse maybe;", "gatehouse;", "gatehouse on off;", "gatehouse on;", "gatehouse_route_timeout soon;", "gatehouse_route_timeout;", "gatehouse_tries none;",
            "gatehouse_tries 0;", "gatehouse_tries -1;", "gatehouse_commit_size large;", "gatehouse_commit_time never;", "gatehouse_drain_time x;", "gatehouse_drain_size x;",
            "gatehouse_route_timeout 1s; gatehouse_route_timeout 2s;"]


@pytest.mark.parametrize("directive", LOCATION)
def test_location_directives(prefix, directive):
    text = prefix.configuration().replace("gatehouse on;  }", f"gatehouse on;\n{directive} # here\n}}", 1)
    assert "# here" in text
    done, line = check(prefix, text, "# here")
    assert done.returncode != 0 and f"{prefix.conf}:{line}" in done.stderr, done.stderr


RESOLVER = "resolver 127.0.0.1:9;\n"
UPSTREAM = {
    "without a port": "gatehouse_resolve api.test;", "without a name": "gatehouse_resolve :443;", "port that is none": "gatehouse_resolve api.test:x;",
    "port too big": "gatehouse_resolve api.test:70000;", "nothing": "gatehouse_resolve;", "two names": "gatehouse_resolve a.test:1 b.test:1;",
    "twice": "gatehouse_resolve a.test:1; gatehouse_resolve b.test:1;", "beside a server": "server 127.0.0.1:9; gatehouse_resolve a.test:1;",
}


def test_resolve_after_keepalive(prefix):
    """Until nginx 1.29.7 keepalive wraps the balancer that stands before it; since then the order is free."""
    text = at_http(prefix, RESOLVER + "upstream named {\nkeepalive 4; gatehouse_resolve a.test:1; # here\n}\ngatehouse_backend named { upstream named; }")
    done, line = check(prefix, text, "# here")
    if nginx_version() >= (1, 29, 7):
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0 and f"{prefix.conf}:{line}" in done.stderr, done.stderr


@pytest.mark.parametrize("name", UPSTREAM)
def test_resolve(prefix, name):
    text = at_http(prefix, RESOLVER + "upstream named {\n" + UPSTREAM[name] + " # here\n}\ngatehouse_backend named { upstream named; }")
    done, line = check(prefix, text, "# here")
    assert done.returncode != 0 and f"{prefix.conf}:" in done.stderr, done.stderr
    if name != "beside a server":
        assert f"{prefix.conf}:{line}" in done.stderr, done.stderr


def test_resolve_and_keepalive_in_order(prefix):
    text = at_http(prefix, RESOLVER + "upstream named { gatehouse_resolve api.test:443; keepalive 4; }\ngatehouse_backend named { upstream named; }")
    assert prefix.test(text).returncode == 0


def test_node_is_required(prefix):
    text = re.sub(r"^gatehouse_node .*$", "", prefix.configuration(), flags=re.M)
    done = prefix.test(text)
    assert done.returncode != 0 and "gatehouse_node" in done.stderr


def test_no_gatehouse_at_all_is_fine(prefix):
    """The module loaded, and not used."""
    text = f"load_module {__import__('gateway').MODULE};\npid {prefix.prefix}/p;\nerror_log stderr;\nevents {{}}\nhttp {{ server {{ listen 127.0.0.1:1; }} }}\n"
    done = prefix.test(text)
    assert done.returncode == 0, done.stderr


def test_directives_in_the_wrong_place(prefix):
    for text in (prefix.configuration().replace("events {", "gatehouse_home /a; # here\nevents {", 1), prefix.configuration().replace("location / {", "gatehouse_home /a;\nlocation / {", 1),
                 at_http(prefix, "gatehouse_resolve a.test:1;"), prefix.configuration().replace("keepalive 4;", "gatehouse on;", 1)):
        done = prefix.test(text)
        assert done.returncode != 0 and "[emerg]" in done.stderr


def test_good_configuration(prefix):
    done = prefix.test(prefix.configuration())
    assert done.returncode == 0, done.stderr


def test_facts_without_a_backend_are_a_warning(prefix):
    """A fleet edit never blocks a certificate reload."""
    import documents
    prefix.apply(documents.fleet(documents.deployment("ghost")), documents.residency(), documents.tenants())
    done = prefix.test(prefix.configuration())
    assert done.returncode == 0 and "[warn]" in done.stderr and "ghost" in done.stderr, done.stderr
    assert "one" in done.stderr


def test_signature_is_checked(tmp_path):
    """A module built for another nginx is refused in words, before nginx says `not binary compatible`."""
    import subprocess
    from gateway import MODULE, NGINX, ROOT
    script = ROOT / "ngx_module" / "check_signature.sh"
    nginx = subprocess.run(["bash", "-c", f"command -v {NGINX}"], capture_output=True, text=True).stdout.strip()
    assert subprocess.run([script, MODULE, nginx], capture_output=True).returncode == 0
    bytes_ = open(MODULE, "rb").read()
    found = re.search(rb"8,4,8,[01]{20,}", bytes_)
    assert found, "no signature in the module"
    flipped = bytearray(bytes_)
    flipped[found.end() - 3] ^= 1
    (tmp_path / "other.so").write_bytes(flipped)
    done = subprocess.run([script, tmp_path / "other.so", nginx], capture_output=True, text=True)
    assert done.returncode != 0 and "nginx" in done.stderr and len(done.stderr.split()) > 5
