"""Client certificates as identities: made by openssl, verified by nginx, mapped by identity/1. What is no proof of who asks is refused, whatever way it comes."""
import socket
import ssl
import subprocess

import pytest

import records
from client import Client, Http2, body_of, expect_error, until
from certificates import Authority
from documents import allow, deployment, fleet, residency, tenants
from gateway import Backend, nginx_version

pytestmark = pytest.mark.sanitizer
SPIFFE = "spiffe://acme.example/ns/red/sa/app"
NUL = b"blue.acme.example\0.com"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("mesh"), "Mesh CA")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("foreign"), "Foreign CA")


def identity(mesh, *rules, organisation="acme", **more):
    apps = [{"when": when, "app": app} for when, app in rules] or [
        {"when": {"uri": SPIFFE}, "app": "red/app"}, {"when": {"dns": "blue.acme.example"}, "app": "blue/app"}, {"when": {"subject": "CN=red,O=Acme,C=SE"}, "app": "red/app"}]
    return {"kind": "identity/1", "organisation": organisation, "certificates": [{"id": "mesh", "authorities": [mesh.sha256()], "apps": apps, **more}]}


def listen(port):
    return f"listen 127.0.0.1:{port} ssl" + (";" if nginx_version() >= (1, 25, 1) else " http2;")


@pytest.fixture
def world(make_gateway, mock, authority, mesh):
    backend = mock("127.0.0.11", name="b1")

    def make(http="", verify="optional", **options):
        gateway = make_gateway([Backend("b1", backend)], certificate=authority.issue("gateway.test", "b.test"),
                               http=f"ssl_client_certificate {mesh.certificate}; ssl_verify_client {verify}; ssl_protocols TLSv1.2 TLSv1.3; {http}", **options)
        gateway.backend = backend

        def apply(*found, **more):
            gateway.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"]), classes=("public", "secret")), tenants(**more), *found)

        gateway.identify = apply
        apply(identity(mesh))
        return gateway

    return make


def context(authority, pair=None):
    made = ssl.create_default_context(cafile=str(authority.certificate))
    made.check_hostname = False
    if pair:
        made.load_cert_chain(*pair)
    return made


def ask(gateway, made, key=None, headers=()):
    with Client(gateway.tls_port, tls=made) as client:
        return client.request(body=body_of(), key=key, headers=headers).answer()


def last(gateway):
    return [line for line in records.lines(gateway.audit) if line["type"] == "decision"][-1]


def test_names_and_what_they_map_to(world, authority, mesh):
    gateway = world().start()
    pairs = {"red": mesh.client("uri", f"URI:{SPIFFE}"), "blue": mesh.client("dns", "DNS:other.example,DNS:BLUE.acme.example"),
             "red again": mesh.client("subject", subject="/C=SE/O=Acme/CN=red")}
    for name, pair in pairs.items():
        made = context(authority, pair)
        with Client(gateway.tls_port, tls=made) as client:
            for _ in range(2):                                       # the second time from what the connection knows
                assert client.request(body=body_of()).answer().status == 200, name
        decision = last(gateway)
        assert (decision["org"], decision["tenant"], decision["app"], decision["key"]) == ("acme", name.split()[0], "app", "@mesh")
    with Http2(gateway.tls_port, context(authority, pairs["red"])) as client:
        answers = [client.answer(client.request(body_of(), None)) for _ in range(2)]
        assert [one.status for one in answers] == [200, 200]
    lone = mesh.client("fingerprint", "DNS:nobody.example")
    assert ask(gateway, context(authority, lone)).status == 401
    gateway.identify(identity(mesh, ({"sha256": mesh.sha256(lone[0])}, "blue/app"), user="sha256", classes=[{"when": {"dns": "hr.example"}, "classes": ["secret"]}]))
    assert ask(gateway, context(authority, lone)).status == 200
    assert (last(gateway)["tenant"], last(gateway)["user"]) == ("blue", mesh.sha256(lone[0]))
    sent = b"".join(repr(one.headers).encode() + one.body for one in gateway.backend.requests)
    assert SPIFFE.encode() not in sent and b"acme.example" not in sent


def test_what_is_nobody(world, authority, mesh, foreign):
    gateway = world(f"ssl_trusted_certificate {foreign.certificate};").start()
    wrong = {
        "another authority's": foreign.client("spiffe", f"URI:{SPIFFE}"),
        "no name that is mapped": mesh.client("other", "URI:spiffe://acme.example/ns/red/sa/other"),
        "a longer name": mesh.client("longer", f"URI:{SPIFFE}/x"),
        "another case in the path": mesh.client("case", "URI:spiffe://acme.example/ns/RED/sa/app"),
        "a wildcard": mesh.client("wildcard", "DNS:*.acme.example"),
        "a common name that is none": mesh.client("common", subject="/CN=blue.acme.example"),
        "a subject in another order": mesh.client("order", subject="/O=Acme/C=SE/CN=red"),
        "two SPIFFE IDs": mesh.client("two", f"URI:{SPIFFE},URI:spiffe://acme.example/ns/blue/sa/app"),
        "names of two apps": mesh.client("both", f"URI:{SPIFFE},DNS:blue.acme.example"),
        "an authority of its own": mesh.client("authority", f"URI:{SPIFFE}", more="basicConstraints=critical,CA:true\n"),
        "a NUL in a name": mesh.client("nul", more=f"subjectAltName=DER:30188216{NUL.hex()}\n"),
    }
    for name, pair in wrong.items():
        answer = ask(gateway, context(authority, pair))
        assert answer.status == 401 and answer.error["code"] == "invalid_certificate", (name, answer)
        assert b"spiffe" not in answer.body and b"acme" not in answer.body
    for name, pair in {"expired": mesh.client("expired", f"URI:{SPIFFE}", seconds=-60), "for servers": mesh.client("server", f"URI:{SPIFFE}", usage="serverAuth"),
                       "nobody's": mesh.self_signed("alone")}.items():
        assert ask(gateway, context(authority, pair)).status in (400, 401), name
    expect_error(ask(gateway, context(authority)), 401, "invalid_api_key")
    expect_error(ask(gateway, context(authority), headers=[("x-client-cert", "MIIB"), ("x-ssl-client-verify", "SUCCESS"), ("x-forwarded-client-cert", f"URI={SPIFFE}")]),
                 401, "invalid_api_key")
    assert not gateway.backend.requests


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/model/m/converse"])
def test_what_nginx_refuses_names_the_certificate(world, authority, mesh, foreign, path):
    """nginx answers each of them as 400, before it looks for a location: the client is told which it was, in its own dialect."""
    gateway = world(verify="on").start()
    pairs = {"expired": mesh.client("over", f"URI:{SPIFFE}", seconds=-60), "unable to": foreign.client("foreign", f"URI:{SPIFFE}"),
             "self": mesh.self_signed("self"), "purpose": mesh.client("purpose", f"URI:{SPIFFE}", usage="serverAuth")}

    def said(answer, status, code, *words):
        body = answer.json
        message = body["message"] if path.endswith("converse") else body["error"]["message"]
        assert answer.status == (403 if path.endswith("converse") and status == 401 else status) and all(word in message for word in words), answer
        assert answer.header("x-request-id") and b"<html" not in answer.body
        if path == "/v1/chat/completions":
            assert body["error"]["code"] == code
        elif path == "/v1/messages":
            assert (body["type"], body["error"]["type"]) == ("error", "authentication_error" if status == 401 else "invalid_request_error")
        else:
            assert answer.header("x-amzn-errortype")

    def asked(made, **more):
        with Client(gateway.tls_port, tls=made) as client:
            return client.request(path, body_of(), **more).answer()

    for words, pair in pairs.items():
        said(asked(context(authority, pair)), 401, "certificate_error", "client certificate is not valid", words)
    said(asked(context(authority)), 401, "certificate_required", "client certificate is needed")
    said(asked(None), 400, "https_required", "HTTPS")
    good = context(authority, mesh.client("good", f"URI:{SPIFFE}"))
    said(asked(good, headers=[("x-large", "l" * 40000)]), 400, "headers_too_large", "headers are too large")
    said(asked(good, headers=[("content-length", "many")], length=0), 400, "bad_request", "not valid HTTP")
    assert not gateway.backend.requests and not [line for line in records.lines(gateway.audit) if line["type"] == "decision"]


def test_chains(world, authority, mesh):
    """Who a client is says its own certificate, which an authority below the one that nginx trusts may have signed: the client sends that one's too, or is refused."""
    gateway = world().start()
    issuing = mesh.intermediate("issuing", "DNS:blue.acme.example")
    leaf = mesh.client("below", f"URI:{SPIFFE}", signer=issuing)
    chain = mesh.with_chain(leaf, issuing)
    made = context(authority, chain)
    assert ask(gateway, made).status == 200
    assert (last(gateway)["tenant"], last(gateway)["key"]) == ("red", "@mesh")       # the names of who signed it are not the client's
    with Http2(gateway.tls_port, context(authority, chain)) as client:
        assert client.answer(client.request(body_of(), None)).status == 200
    served = len(gateway.backend.requests)

    lower = mesh.intermediate("lower", signer=issuing)
    longer = mesh.with_chain(mesh.client("longest", f"URI:{SPIFFE}", signer=lower), lower, issuing)
    other = mesh.intermediate("other-issuing")
    forged = mesh.self_signed("forged", subject="/CN=issuing")
    plain = mesh.client("plain", f"URI:{SPIFFE}")
    expired = mesh.client("ended", usage="", more="basicConstraints=critical,CA:true\n", seconds=-60)
    wrong = {
        "none above it": leaf,
        "another one above it": mesh.with_chain(leaf, other),
        "one of the same name above it": mesh.with_chain(mesh.client("by-forged", f"URI:{SPIFFE}", signer=forged), forged),
        "a client's certificate above it": mesh.with_chain(mesh.client("by-plain", f"URI:{SPIFFE}", signer=plain), plain),
        "one that has expired": mesh.with_chain(mesh.client("by-ended", f"URI:{SPIFFE}", signer=expired), expired),
        "more above it than nginx goes up": longer,
        "who signs, as the client": issuing,
    }
    for name, pair in wrong.items():
        expect_error(ask(gateway, context(authority, pair)), 401, "certificate_error")
    assert len(gateway.backend.requests) == served

    gateway.http = gateway.http.replace("ssl_verify_client", "ssl_verify_depth 2; ssl_verify_client")
    gateway.write().reload()
    until(lambda: len(gateway.worker_pids()) == 1)
    assert ask(gateway, context(authority, longer)).status == 200
    expect_error(ask(gateway, context(authority, leaf)), 401, "certificate_error")

    # an organisation may name the lower one alone
    rules = identity(mesh)
    rules["certificates"][0]["authorities"] = [mesh.sha256(issuing[0])]
    gateway.identify(rules)
    assert ask(gateway, made).status == 200 and ask(gateway, context(authority, longer)).status == 200
    expect_error(ask(gateway, context(authority, plain)), 401, "invalid_certificate")
    by_other = mesh.with_chain(mesh.client("by-other", f"URI:{SPIFFE}", signer=other), other)
    expect_error(ask(gateway, context(authority, by_other)), 401, "invalid_certificate")


def test_a_certificate_beside_a_key(world, authority, mesh, foreign):
    gateway = world(f"ssl_trusted_certificate {foreign.certificate};").start()
    made, nobody = context(authority, mesh.client("uri", f"URI:{SPIFFE}")), context(authority, foreign.client("service", "DNS:blue.acme.example"))
    red, blue = gateway.key("acme/red/app"), gateway.key("acme/blue/app")
    assert ask(gateway, made, key=red).status == 200
    assert last(gateway)["key"] == "main"
    expect_error(ask(gateway, made, key=blue), 401, "invalid_certificate")
    assert ask(gateway, nobody, key=blue).status == 200              # nobody names who signed it: the key alone counts
    assert ask(gateway, made, key="certificate").status == 200       # what an SDK sends that has to send something
    assert last(gateway)["key"] == "@mesh"
    expect_error(ask(gateway, context(authority), key="certificate"), 401, "invalid_api_key")
    expect_error(ask(gateway, made, key="gh_no"), 401, "invalid_api_key")
    expect_error(ask(gateway, made, headers=[("authorization", "Basic YTpi")]), 401, "invalid_api_key")
    gateway.command("key", "revoke", "acme/red/app/main")
    expect_error(ask(gateway, made, key=red), 401, "invalid_api_key")


def test_classes_and_edits(world, authority, mesh):
    gateway = world().start()
    made = context(authority, mesh.client("uri", f"URI:{SPIFFE}"))
    with Client(gateway.tls_port, tls=made) as client:
        assert client.request(body=body_of()).answer().status == 200
        gateway.identify(identity(mesh, ({"uri": SPIFFE}, "red/app"), classes=[{"when": {"uri": SPIFFE}, "classes": ["secret"]}]))
        expect_error(client.request(body=body_of()).answer(), 403, "residency_denied")
        expect_error(client.request(body=body_of(), key=gateway.key("acme/red/app")).answer(), 403, "residency_denied")    # classes of both
        gateway.identify(identity(mesh, ({"dns": "blue.acme.example"}, "blue/app")))
        expect_error(client.request(body=body_of()).answer(), 401, "invalid_certificate")
        gateway.identify()                                               # nobody signs certificates
        expect_error(client.request(body=body_of()).answer(), 401, "invalid_certificate")


def resumed(gateway, made, session, name="gateway.test", host=None):
    """(was it resumed, status): one request on a connection that offers a session."""
    with socket.create_connection(("127.0.0.1", gateway.tls_port), 10) as sock, made.wrap_socket(sock, server_hostname=name, session=session) as tls:
        body = body_of()
        tls.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host or name}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode() + body)
        data = b""
        while True:
            more = tls.recv(65536)
            if not more:
                break
            data += more
        return tls.session_reused, int(data.split(b" ", 2)[1]), tls.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_proves_nothing_by_itself(world, authority, mesh, version, tmp_path):
    ticket, crl = tmp_path / "ticket.key", tmp_path / "crl.pem"
    ticket.write_bytes(bytes(range(80)))
    pair = mesh.client("resumed", f"URI:{SPIFFE}")
    crl.write_bytes(open(mesh.revoke(), "rb").read())
    for path in (tmp_path, ticket, crl):
        path.chmod(0o755)
    gateway = world(f"ssl_session_ticket_key {ticket}; ssl_crl {crl}; ssl_session_timeout 1h; ssl_session_cache none;").start()
    made = context(authority, pair)
    made.minimum_version = made.maximum_version = version
    reused, status, session = resumed(gateway, made, None)
    assert (reused, status) == (False, 200)
    reused, status, session = resumed(gateway, made, session)
    assert (reused, status) == (True, 200)
    crl.write_bytes(open(mesh.revoke(pair[0]), "rb").read())
    gateway.reload()
    until(lambda: len(gateway.worker_pids()) == 1)
    reused, status, _ = resumed(gateway, made, session)
    assert reused and status == 401                                  # nginx passes what the session says; the certificate is revoked


@pytest.mark.parametrize("kept", [False, True], ids=["sent", "kept"])
def test_a_resumed_session_of_a_chain(world, authority, mesh, kept):
    """A session has the client's certificate alone: who signed it has to be known to the server, or the session proves nothing."""
    issuing = mesh.intermediate("issuing-sessions")
    made = context(authority, mesh.with_chain(mesh.client("of-sessions", f"URI:{SPIFFE}", signer=issuing), issuing))
    gateway = world(f"ssl_trusted_certificate {issuing[0]};" if kept else "").start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        made.minimum_version = made.maximum_version = version
        reused, status, session = resumed(gateway, made, None)
        assert (reused, status) == (False, 200)
        reused, status, _ = resumed(gateway, made, session)
        assert (reused, status) == (True, 200 if kept else 401), version


def test_sessions_and_names_of_another_server(world, authority, mesh, foreign):
    """Server b.test asks for another authority's certificates: neither a session begun with gateway.test nor its connection is good for it."""
    gateway = world()
    pair = authority.issue("gateway.test", "b.test")
    gateway.http += (f" server {{ {listen(gateway.tls_port)} server_name b.test; ssl_certificate {pair[0]}; ssl_certificate_key {pair[1]}; "
                     f"ssl_client_certificate {foreign.certificate}; ssl_verify_client on; location / {{ gatehouse on; }} }}")
    gateway.identify(identity(mesh), {**identity(foreign, ({"uri": SPIFFE}, "blue/app"))} | {"certificates": [
        {"id": "foreign", "authorities": [foreign.sha256()], "apps": [{"when": {"uri": SPIFFE}, "app": "blue/app"}]}]})
    gateway.start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        made, theirs = context(authority, mesh.client("red", f"URI:{SPIFFE}")), context(authority, foreign.client("blue", f"URI:{SPIFFE}"))
        made.minimum_version = made.maximum_version = version
        assert resumed(gateway, theirs, None, "b.test")[1] == 200 and last(gateway)["tenant"] == "blue"
        _, status, session = resumed(gateway, made, None)
        assert status == 200 and last(gateway)["tenant"] == "red"
        for offered, name, host in ((None, "b.test", "b.test"), (session, "b.test", "b.test"), (session, "gateway.test", "b.test"), (None, "gateway.test", "b.test"),
                                    (None, "127.0.0.1", "b.test"), (session, "127.0.0.1", "b.test")):
            try:
                status = resumed(gateway, made, offered, name, host)[1]
            except (ssl.SSLError, ConnectionError):
                continue
            assert status in (400, 401, 421), (version, name, host, status)


def test_sessions_of_openssls_own_client(world, authority, mesh, foreign, tmp_path):
    gateway = world()
    pair, client = authority.issue("gateway.test", "b.test"), mesh.client("red", f"URI:{SPIFFE}")
    gateway.http += (f" server {{ {listen(gateway.tls_port)} server_name b.test; ssl_certificate {pair[0]}; ssl_certificate_key {pair[1]}; "
                     f"ssl_client_certificate {foreign.certificate}; ssl_verify_client on; location / {{ gatehouse on; }} }}")
    gateway.identify(identity(mesh))
    gateway.start()

    def talk(name, *more):
        body = body_of()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-servername", name, "-CAfile", str(authority.certificate), "-ign_eof", *more],
                              input=head.encode() + body, capture_output=True, timeout=120).stdout

    for version in ("-tls1_2", "-tls1_3"):
        session = str(tmp_path / f"session{version}")
        assert b"HTTP/1.1 200" in talk("gateway.test", version, "-cert", client[0], "-key", client[1], "-sess_out", session)
        again = talk("gateway.test", version, "-sess_in", session)           # no certificate is sent: the session has it
        assert b"Reused" in again and b"HTTP/1.1 200" in again
        assert b"HTTP/1.1 200" not in talk("b.test", version, "-sess_in", session)
        assert b"HTTP/1.1 200" not in talk("b.test", version, "-cert", client[0], "-key", client[1], "-sess_in", session)


@pytest.mark.parametrize("change, words", [
    (lambda d: d["certificates"][0]["apps"][0].update(app="red/appp"), 'did you mean "red/app"?'),
    (lambda d: d["certificates"][0]["apps"][0].update(when={"url": SPIFFE}), 'did you mean "uri"?'),
    (lambda d: d["certificates"][0]["apps"][0].update(when={"dns": "*.acme.example"}), "a wildcard fits nothing"),
    (lambda d: d["certificates"][0]["apps"][0].update(when={"dns": "Acme.example"}), "lower case"),
    (lambda d: d["certificates"][0]["apps"][0].update(when={"sha256": "AA:BB"}), "64 hexadecimal digits"),
    (lambda d: d["certificates"][0].update(authorities=["mesh"]), "openssl x509"),
    (lambda d: d["certificates"][0].update(user="urn"), '"uri"'),
    (lambda d: d["certificates"][0]["apps"].append({"when": {"uri": SPIFFE}, "app": "blue/app"}), "name different apps"),
    (lambda d: d["certificates"][0]["apps"].append({"when": {"uri": SPIFFE, "dns": "a.example"}, "app": "blue/app"}), "refused always"),
    (lambda d: d["certificates"].append({**d["certificates"][0], "id": "again"}), "already given"),
    (lambda d: d.pop("certificates"), '"issuers" or "certificates"'),
])
def test_a_document_with_a_mistake_changes_nothing(world, mesh, change, words):
    gateway = world()
    document = identity(mesh)
    change(document)
    with pytest.raises(AssertionError) as found:
        gateway.identify(document)
    assert words in str(found.value)
