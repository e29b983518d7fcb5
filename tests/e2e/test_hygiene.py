"""
What clients show to say who they are, and what the gateway shows to backends, stands nowhere else: canaries are put wherever SDKs, proxies and attackers put credentials and
identities, and then every log, record, answer, store and command is searched for them, and everything a backend got.
"""
import base64
import json
import os
import ssl
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certificates import Authority
from client import Client, body_of, until
from documents import allow, deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import answer

pytestmark = pytest.mark.sanitizer
SIGNER = ec.generate_private_key(ec.SECP256R1())
BACKEND = "canary-of-the-deployment-0123456789"
SPIFFE = "spiffe://acme.example/ns/red/sa/of-a-client"            # stands in the store: identity/1 has it
IDENTITIES = {                                # what proxies, clouds and service meshes say of a caller
    "x-forwarded-client-cert": "URI=spiffe://canary-xfcc.example/a", "x-ssl-client-s-dn": "CN=canary-dn", "x-client-cert": "canary-pem", "ssl-client-verify": "canary-SUCCESS",
    "x-ms-client-principal": "canary-principal", "x-ms-client-principal-id": "canary-principal-id", "x-amzn-oidc-data": "canary-oidc", "x-amzn-oidc-identity": "canary-oidc-id",
    "x-goog-authenticated-user-email": "canary-user", "x-remote-user": "canary-remote", "x-forwarded-user": "canary-forwarded", "x-forwarded-for": "203.0.113.77",
    "forwarded": "for=canary-forwarded-for", "cookie": "session=canary-cookie", "proxy-authorization": "Basic canary-proxy", "x-goog-api-key": "canary-goog",
    "ocp-apim-subscription-key": "canary-apim", "x-amz-security-token": "canary-amz-token", "x-amz-date": "20270101T000000Z", "openai-organization": "canary-organization",
    "openai-project": "canary-project", "x-subscription-token": "canary-subscription", "www-authenticate": "canary-www", "x-auth-token": "canary-auth-token",
    # what an inside would say to an inside
    "x-gatehouse-tenant": "acme/blue", "x-gatehouse-org": "canary-org", "x-gatehouse-key": "canary-key", "x-gatehouse-backend": "canary-backend", "x-gatehouse-classes": "canary-classes",
    "x-gatehouse-identity": "canary-identity", "x-accel-redirect": "/canary-redirect", "x-accel-expires": "77", "x-original-url": "/canary-url", "x-rewrite-url": "/canary-rewrite",
    "x-real-ip": "203.0.113.78", "x-forwarded-host": "canary-host", "x-http-method-override": "CANARY", "host-override": "canary-override"}


def token(**more):
    return jwt.encode({"iss": "https://login.example", "aud": "api://gatehouse", "sub": "canary-claim-nobody-maps", "azp": "red-client", "exp": time.time() + 600, **more}, SIGNER,
                      algorithm="ES256")


def identity(mesh):
    public = SIGNER.public_key().public_numbers()
    key = {"kty": "EC", "crv": "P-256", "alg": "ES256", **{name: base64.urlsafe_b64encode(getattr(public, name).to_bytes(32, "big")).rstrip(b"=").decode() for name in "xy"}}
    return {"kind": "identity/1", "organisation": "acme", "issuers": [
        {"id": "login", "issuer": "https://login.example", "audiences": ["api://gatehouse"], "algorithms": ["ES256"], "keys": {"keys": [key]},
         "apps": [{"when": {"azp": "red-client"}, "app": "red/app"}]}], "certificates": [
        {"id": "mesh", "authorities": [mesh.sha256()], "apps": [{"when": {"uri": SPIFFE}, "app": "red/app"}]}]}


@pytest.fixture
def world(make_gateway, mock, authority, tmp_path_factory):
    mesh = Authority(tmp_path_factory.mktemp("mesh"), "Mesh CA")
    backend = mock("127.0.0.11", name="b1")
    gateway = make_gateway([Backend("b1", backend, credential=BACKEND)], certificate=authority.issue("gateway.test"),
                           http=f"ssl_client_certificate {mesh.certificate}; ssl_verify_client optional; access_log {{prefix}}/combined.log combined;")
    gateway.http = gateway.http.replace("{prefix}", str(gateway.prefix))
    gateway.backend, gateway.mesh = backend, mesh
    gateway.apply(fleet(deployment("b1")), residency(allow("all")), tenants(), identity(mesh))
    return gateway.start()


def found_in(text, secrets):
    return [secret for secret in secrets if secret in text]


def readable(pid):
    """Everything that a process has written or may write."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, mode = line.split()[:2]
            begin, end = (int(part, 16) for part in span.split("-"))
            if mode.startswith("rw") and "s" not in mode:
                memory.seek(begin)
                try:
                    yield memory.read(end - begin)
                except OSError:                   # a page that nobody has, such as a guard of a sanitizer
                    continue


@pytest.mark.skipif("asan" in os.environ.get("GATEHOUSE_BUILD", ""), reason="the sanitizer keeps what was freed, and terabytes of shadow")
def test_nothing_stays_in_memory(make_gateway, mock):
    """When a request is over the worker has no copy of what its client showed, and of a backend's credential the one that it was given."""
    gateway = make_gateway([Backend("b1", mock("127.0.0.14", name="b1"), credential=BACKEND)])
    gateway.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"])), tenants())
    gateway.start()
    pid, key = next(iter(gateway.worker_pids())), gateway.key()
    forged = "eyJhbGciOiJub25lIn0." + "forged" * 60 + ".AAAA"
    before = sum(part.count(BACKEND.encode()) for part in readable(pid))
    shown = [[("authorization", f"Bearer {key}")], [("x-api-key", key)], [("api-key", key), ("x-padding", "p" * 3000)], [("authorization", f"Bearer {forged}")]]
    with Client(gateway.port) as kept:
        for headers in shown:
            assert kept.request("/v1/chat/completions", body_of(), None, headers).answer().status in (200, 401)
    for headers in shown:
        with Client(gateway.port) as client:
            assert client.request("/v1/chat/completions", body_of(), None, headers).answer().status in (200, 401)
    secret = key[3:46].encode()

    def left():
        return [sum(part.count(what) for part in readable(pid)) for what in (secret, b"forgedforgedforged", BACKEND.encode())]

    until(lambda: left()[:2] == [0, 0] and left()[2] <= max(before, 1))


@pytest.mark.skipif("asan" in os.environ.get("GATEHOUSE_BUILD", ""), reason="the sanitizer keeps what was freed, and terabytes of shadow")
def test_no_claim_stays_in_memory(world):
    """Nor of what a token says, which is more than the memory that a worker keeps for each request: what is of the request's pool is wiped, too."""
    pid = next(iter(world.worker_pids()))
    claims = {f"claim-{number}": f"canary-of-a-claim-{number}" for number in range(150)}
    presented = token(**claims)
    assert 6000 < len(presented) < 8000
    for _ in range(2):
        with Client(world.port) as client:
            assert client.request("/v1/chat/completions", body_of(), None, [("authorization", f"Bearer {presented}")]).answer().status == 200
        with Client(world.port) as client:
            assert client.request("/v1/chat/completions", body_of(), None, [("authorization", f"Bearer {presented[:-8]}AAAAAAAA")]).answer().status == 401
    until(lambda: sum(part.count(b"canary-of-a-claim") for part in readable(pid)) == 0)


def test_secrets_stand_nowhere(world, authority):
    good, gone, blue, presented = world.key(), world.key(name="gone"), world.key("acme/blue/app"), token()
    world.command("key", "revoke", "acme/red/app/gone")
    rotated = world.command("key", "rotate", "acme/red/app/main").stdout.splitlines()[0].strip()
    imported = "canary-imported-0123456789"
    forged, expired = presented[:-8] + "AAAAAAAA", token(exp=time.time() - 60)
    secrets = [good, gone, blue, rotated, presented, forged, expired, imported, *(one.rsplit(".", 1)[1] for one in (presented, forged, expired)), "canary", "of-a-client"]
    answers = b""
    extra = list(IDENTITIES.items())
    plain = ssl.create_default_context(cafile=str(authority.certificate))
    made = ssl.create_default_context(cafile=str(authority.certificate))
    made.load_cert_chain(*world.mesh.client("canary", f"URI:{SPIFFE}", subject="/CN=canary-subject"))

    def ask(status, *headers, tls=None, path="/v1/chat/completions", body=body_of()):
        nonlocal answers
        with Client(world.tls_port if tls else world.port, tls=tls) as client:
            got = client.request(path, body, headers=[*headers, *extra]).answer()
        assert got.status == status, (headers, got)
        answers += repr(got.headers).encode() + got.body
        return got

    for name, form in (("authorization", "Bearer {}"), ("Authorization", "bearer {}"), ("api-key", "{}"), ("x-api-key", "{}"), ("X-API-Key", "{}")):
        for key in (good, rotated, presented):
            ask(200, (name, form.format(key)))
        for key in (gone, forged, expired, imported, good[:-1], good + "x"):
            ask(401, (name, form.format(key)))
    ask(200, tls=made)
    ask(200, ("authorization", f"Bearer {good}"), tls=made)
    ask(401, ("authorization", f"Bearer {blue}"), tls=made)
    ask(401, tls=plain)
    ask(401, ("authorization", f"Bearer {good}"), ("x-api-key", blue))
    ask(401, ("authorization", f"Basic {base64.b64encode(good.encode()).decode()}"))
    ask(401, ("authorization", f"AWS4-HMAC-SHA256 Credential={good}/20270101/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature=canary"))
    ask(404, ("authorization", f"Bearer {good}"), path="/v1/nothing")
    ask(400, ("authorization", f"Bearer {good}"), body=b"{")
    ask(404, ("authorization", f"Bearer {good}"), body=body_of("nobody"))
    for status in (401, 403):                 # a provider that quotes the credential that it refuses
        world.backend.play(answer(status, json.dumps({"error": {"message": f"Incorrect API key provided: {BACKEND}.", "code": "invalid_api_key"}}).encode(),
                                    headers=[("x-echo", BACKEND), ("www-authenticate", f"Bearer {BACKEND}")]))
        with Client(world.port) as client:
            got = client.request(body=body_of(), key=good).answer()
        answers += repr(got.headers).encode() + got.body
    world.record(kinds=("outcome",))
    assert not found_in(answers.decode(), secrets + [BACKEND])

    sent = [request.raw for request in world.backend.requests]
    assert len(sent) == 19
    for raw in sent:
        assert not found_in(raw.decode().replace(BACKEND, ""), secrets + ["203.0.113", "acme", "red"]), raw
        assert raw.count(BACKEND.encode()) == 1                              # by the deployment alone

    request_id = got.id
    commands = [world.command(*words, check=False) for words in (
        ("key", "list"), ("key", "list", "--json"), ("audit", "show", "--json"), ("explain", request_id), ("explain", request_id, "--json"), ("usage", "acme"),
        ("limits", "acme/red/app/main"), ("policy", "history"), ("backend", "status"), ("ledger", "show", "--all", "--json"))]
    seen = "".join(one.stdout + one.stderr for one in commands)
    assert "acme/red/app" in seen
    assert not found_in(seen, secrets + [BACKEND])
    for path in [world.log, world.prefix / "access.log", world.prefix / "combined.log", world.prefix / "stderr.log", *world.audit.rglob("*"),
                 *(world.home / "store").iterdir(), world.home / "ledger"]:
        if path.is_file():
            data = path.read_bytes().decode("latin-1")
            assert set(found_in(data, secrets + [BACKEND])) <= ({"of-a-client"} if path.parent.name == "store" else set()), path
