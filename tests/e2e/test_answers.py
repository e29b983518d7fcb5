"""Every answer of the gateway itself: malformed bodies, headers, keys and paths, each with its named error."""
import base64
import gzip
import json
import time
import uuid
import zlib

import pytest

from client import Client, Http2, ask, body_of, expect_error, expect_id, get, tls_context
from documents import tenants
from mock_backend import answer

pytestmark = pytest.mark.sanitizer

MESSAGES = '"messages":[{"role":"user","content":"x"}]'
DEEP = 20000


def malformed_key(text):
    """Right shape, right sum, nobody's: 32 bytes and their CRC-32."""
    first = base64.urlsafe_b64encode(text.ljust(32, b"x")).rstrip(b"=")
    last = base64.urlsafe_b64encode(zlib.crc32(first).to_bytes(4, "big")).rstrip(b"=")
    return "gh_" + (first + last).decode()


# ---- keys ----

KEYS = {"none": None, "empty": "", "word": "hello", "prefix only": "gh_", "short": "gh_abc", "bad sum": "gh_" + "A" * 49,
        "unknown": malformed_key(b"nobody"), "long": "gh_" + "A" * 5000, "openai": "sk-proj-" + "a" * 48,
        "bytes": "gh_\u00e9\u00ff" + "A" * 47, "quote": "gh_\"';--" + "A" * 40}


@pytest.mark.parametrize("name", KEYS)
def test_key_refused(world, name):
    headers = [("Authorization", f"Bearer {KEYS[name]}")] if KEYS[name] is not None else []
    with Client(world.gateway.port) as client:
        expect_error(client.request(body=body_of(), headers=headers).answer(), 401, "invalid_api_key")
    assert not world.contacted()


def test_key_in_the_azure_header(world):
    with Client(world.gateway.port) as client:
        found = client.request(body=body_of(), headers=[("api-key", world.gateway.key())]).answer()
    assert found.status == 200 and world.contacted() == ["b1"]


@pytest.mark.parametrize("scheme", ["Basic", "", "Token"])
def test_other_schemes(world, scheme):
    with Client(world.gateway.port) as client:
        expect_error(client.request(body=body_of(), headers=[("Authorization", f"{scheme} {world.gateway.key()}".strip())]).answer(), 401,
                     "invalid_api_key")


def test_scheme_is_not_case_sensitive(world):
    """RFC 9110 section 11.1."""
    with Client(world.gateway.port) as client:
        assert client.request(body=body_of(), headers=[("Authorization", f"bearer {world.gateway.key()}")]).answer().status == 200


def test_key_is_checked_before_the_body(world):
    with Client(world.gateway.port) as client:
        expect_error(client.request(body=b"{", headers=[("Authorization", "Bearer gh_x")]).answer(), 401, "invalid_api_key")
    with Client(world.gateway.port) as client:      # no byte of the body has to come
        expect_error(client.request(body=b"", length=100000, headers=[("Authorization", "Bearer gh_x")]).answer(), 401)


def test_stored_form_of_a_key_is_no_key(world):
    listed = world.gateway.command("key", "list", "--json").stdout
    assert world.gateway.key() not in listed


def test_revoked_and_expired_keys(world):
    key = world.gateway.key(name="short-lived")
    assert ask(world.gateway, key=key).status == 200
    world.gateway.command("key", "revoke", "acme/red/app/short-lived")
    expect_error(ask(world.gateway, key=key), 401, "invalid_api_key")


# ---- bodies ----

INVALID_JSON = {
    "empty": b"", "space": b"  \n", "open": b"{", "word": b"hello", "comma": b'{"model":"m",}', "single quotes": b"{'model':'m'}",
    "trailing": body_of() + b"x", "two values": body_of() + body_of(), "bom": b"\xef\xbb\xbf" + body_of(),
    "utf-16": body_of().decode().encode("utf-16"), "utf-16 without bom": body_of().decode().encode("utf-16-le"),
    "lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "surrogates swapped": b'{"model":"m","messages":[{"role":"user","content":"\\udc00\\ud800"}]}',
    "nul escape": b'{"model":"m\\u0000",' + MESSAGES.encode() + b"}", "nul byte": b'{"model":"m\0",' + MESSAGES.encode() + b"}",
    "newline in string": b'{"model":"m\n",' + MESSAGES.encode() + b"}",
    "bad utf-8": b'{"model":"m\xff",' + MESSAGES.encode() + b"}", "overlong utf-8": b'{"model":"\xc0\xaf",' + MESSAGES.encode() + b"}",
    "surrogate in utf-8": b'{"model":"\xed\xa0\x80",' + MESSAGES.encode() + b"}",
    "huge number": b'{"model":"m","temperature":1e999,' + MESSAGES.encode() + b"}",
    "leading zero": b'{"model":"m","temperature":01,' + MESSAGES.encode() + b"}",
    "plus": b'{"model":"m","temperature":+1,' + MESSAGES.encode() + b"}", "nan": b'{"model":"m","temperature":NaN,' + MESSAGES.encode() + b"}",
    "hex": b'{"model":"m","seed":0x10,' + MESSAGES.encode() + b"}", "comment": b'{/* */"model":"m",' + MESSAGES.encode() + b"}",
    "bad escape": b'{"model":"\\x6d",' + MESSAGES.encode() + b"}", "depth": b'{"model":"m","nobody":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "depth of objects": b'{"model":"m","metadata":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1)}


@pytest.mark.parametrize("name", INVALID_JSON)
def test_invalid_json(world, name):
    expect_error(ask(world.gateway, INVALID_JSON[name]), 400, "invalid_json")
    assert not world.contacted()


INVALID_REQUEST = {
    "array": b"[]", "string": b'"m"', "number": b"1", "null": b"null", "no model": "{%s}" % MESSAGES, "model number": '{"model":1,%s}' % MESSAGES,
    "model null": '{"model":null,%s}' % MESSAGES, "model empty": '{"model":"",%s}' % MESSAGES, "model long": '{"model":"%s",%s}' % ("m" * 257, MESSAGES),
    "model object": '{"model":{"a":"m"},%s}' % MESSAGES, "stream word": '{"model":"m","stream":"yes",%s}' % MESSAGES,
    "stream number": '{"model":"m","stream":1,%s}' % MESSAGES, "n zero": '{"model":"m","n":0,%s}' % MESSAGES, "n big": '{"model":"m","n":129,%s}' % MESSAGES,
    "n float": '{"model":"m","n":1.5,%s}' % MESSAGES, "n word": '{"model":"m","n":"1",%s}' % MESSAGES,
    "stream options": '{"model":"m","stream":true,"stream_options":[],%s}' % MESSAGES,
    "include usage": '{"model":"m","stream":true,"stream_options":{"include_usage":"yes"},%s}' % MESSAGES,
    "max tokens": '{"model":"m","max_tokens":"many",%s}' % MESSAGES}


@pytest.mark.parametrize("name", INVALID_REQUEST)
def test_invalid_request(world, name):
    body = INVALID_REQUEST[name]
    expect_error(ask(world.gateway, body if isinstance(body, bytes) else body.encode()), 400, "invalid_request")
    assert not world.contacted()


DUPLICATES = {"model": '{"model":"m","model":"m",%s}' % MESSAGES, "escaped": '{"model":"m","mod\\u0065l":"other",%s}' % MESSAGES,
              "stream": '{"model":"m","stream":true,%s,"stream":false}' % MESSAGES, "messages": '{"model":"m",%s,%s}' % (MESSAGES, MESSAGES),
              "unknown": '{"model":"m","x":1,"x":2,%s}' % MESSAGES,
              "stream options": '{"model":"m","stream_options":{"include_usage":true,"include_usage":false},"stream":true,%s}' % MESSAGES}


@pytest.mark.parametrize("name", DUPLICATES)
def test_duplicate_keys(world, name):
    expect_error(ask(world.gateway, DUPLICATES[name].encode()), 400, "duplicate_key")
    assert not world.contacted()


def test_escaped_spelling_of_a_key(world):
    """"mod\\u0065l" is "model"."""
    assert ask(world.gateway, ('{"mod\\u0065l":"m",%s}' % MESSAGES).encode()).status == 200


@pytest.mark.parametrize("path, body", [("/v1/embeddings", {"model": "m", "input": "x"}), ("/v1/completions", {"model": "m", "prompt": "x"})])
def test_other_endpoints_are_checked_too(world, path, body):
    assert ask(world.gateway, json.dumps(body).encode(), path=path).status == 200
    assert world.b1.requests[0].target == path
    expect_error(ask(world.gateway, b"{", path=path), 400, "invalid_json")
    expect_error(ask(world.gateway, json.dumps({**body, "model": None}).encode(), path=path), 400, "invalid_request")
    expect_error(ask(world.gateway, json.dumps({**body, "model": "nobody"}).encode(), path=path), 404, "model_not_found")


# ---- headers ----

@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
                                  "text/json;application/json", "application/xml"])
def test_content_type(world, kind):
    expect_error(ask(world.gateway, kind=kind), 415, "unsupported_media_type")
    assert not world.contacted()


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])
def test_content_type_with_parameters(world, kind):
    assert ask(world.gateway, kind=kind).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"])
def test_compressed_body(world, coding):
    expect_error(ask(world.gateway, gzip.compress(body_of()), headers=[("Content-Encoding", coding)]), 415, "unsupported_media_type")
    assert not world.contacted()


@pytest.mark.parametrize("places", ["NARNIA", "EU,NARNIA", "??"])
def test_unknown_places(world, places):
    expect_error(ask(world.gateway, headers=[("x-gatehouse-places", places)]), 400, "invalid_places")
    assert not world.contacted()


@pytest.mark.parametrize("lines", [b"Bad Header\r\n", b"Transfer-Encoding: gzip\r\n", b"Content-Length: abc\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
                                   b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"])
def test_broken_http(world, lines):
    """nginx itself refuses these with 400 or 501: in our shape all the same."""
    with Client(world.gateway.port) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + world.gateway.key().encode()
                    + b"\r\nContent-Type: application/json\r\n" + lines + b"\r\n{}")
        found = client.answer()
    if b"Bad Header" in lines and found.status in (200, 411):     # nginx ignores a header it cannot read
        return
    expect_error(found, found.status)
    assert found.status in (400, 501) and not world.contacted()


def test_no_host_header(world):
    with Client(world.gateway.port) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
        expect_error(client.answer(), 400)


def test_long_header(world):
    with Client(world.gateway.port) as client:
        found = client.request(body=body_of(), headers=[("x-long", "a" * 60000)], key=world.gateway.key()).answer()
    expect_error(found, 400)


def test_chunks_that_are_none(world):
    with Client(world.gateway.port) as client:
        client.request(body=b"zz\r\nhello\r\n", key=world.gateway.key(), headers=[("Transfer-Encoding", "chunked")])
        expect_error(client.answer(), 400)
    assert not world.contacted()


# ---- methods and paths ----

@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_methods(world, method, path):
    found = None
    with Client(world.gateway.port) as client:
        client.request(path, None, world.gateway.key(), method=method)
        found = client.head() if method == "HEAD" else client.answer()
    if method == "HEAD":
        assert found.status == 405 and expect_id(found)
    else:
        expect_error(found, 405, "method_not_allowed")


def test_models_is_for_reading(world):
    expect_error(ask(world.gateway, path="/v1/models"), 405, "method_not_allowed")
    found = get(world.gateway, "/v1/models", world.gateway.key())
    assert found.status == 200 and expect_id(found)
    assert found.json["object"] == "list" and [one["id"] for one in found.json["data"]] == ["m"]
    assert {"id", "object", "created", "owned_by"} <= set(found.json["data"][0])
    with Client(world.gateway.port) as client:
        expect_error(client.request("/v1/models", None, None, method="GET").answer(), 401, "invalid_api_key")


UNKNOWN = ["/", "/v1", "/v1/", "/v1/files", "/v1/chat", "/v1/chat/completions/", "/v1/chat/completions/x", "/v1/Chat/Completions", "/V1/chat/completions",
           "/v1/files", "/v1/audio/speech", "/v1/images/generations", "/v2/chat/completions", "/chat/completions", "/openai/deployments/m/chat",
           "/openai/chat/completions", "/v1/models/", "/v1/moderations", "/v1/chat/completions;x", "/v1/chat/completions%00", "/v1/chat/completions%20", "/admin", "/v1/batches"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_paths(world, path):
    found = ask(world.gateway, path=path)
    if "%00" in path:
        expect_error(found, found.status)
        assert found.status in (400, 404)
    else:
        expect_error(found, 404, "unknown_endpoint")
    assert not world.contacted()


@pytest.mark.parametrize("path", ["//v1/chat/completions", "/v1/chat%2fcompletions", "/v1/%63hat/completions", "/x/../v1/chat/completions", "/v1/./chat/completions",
                                  "http://elsewhere.test/v1/chat/completions", "/v1/chat/completions?model=other&api_base=http://127.0.0.5"])
def test_spellings_of_a_path_change_nothing(world, path):
    """Refused, or exactly the path that was authorised, at the same backend."""
    found = ask(world.gateway, path=path)
    if found.status == 200:
        assert [(r.target, r.header("host")) for r in world.b1.requests] == [("/v1/chat/completions", "b1")]
    else:
        expect_error(found, 404, "unknown_endpoint")
        assert not world.contacted()


def test_errors_over_http2(world, authority):
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        key = world.gateway.key()
        expect_error(client.answer(client.request(b"{", key)), 400, "invalid_json")
        expect_error(client.answer(client.request(body_of(), "gh_x")), 401, "invalid_api_key")
        expect_error(client.answer(client.request(body_of(), key, path="/v1/files")), 404, "unknown_endpoint")
        expect_error(client.answer(client.request(None, key, method="GET")), 405, "method_not_allowed")
        expect_error(client.answer(client.request(body_of("nobody"), key)), 404, "model_not_found")


# ---- sizes and times ----

def test_body_above_the_limit(world):
    big = body_of(text="x" * (4 << 20))
    expect_error(ask(world.gateway, b"", length=len(big)), 413, "request_too_large")
    with Client(world.gateway.port) as client:
        client.request(body=b"%x\r\n" % len(big), key=world.gateway.key(), headers=[("Transfer-Encoding", "chunked")])
        try:
            client.send(big)
        except OSError:
            pass
        expect_error(client.answer(), 413, "request_too_large")
    assert not world.contacted()


def test_body_above_the_limit_over_http2(world, authority):
    big = body_of(text="x" * (4 << 20))
    for length in (True, False):
        with Http2(world.gateway.tls_port, tls_context(authority)) as client:
            stream = client.request(big, world.gateway.key(), length=length)
            expect_error(client.answer(stream), 413, "request_too_large")
    assert not world.contacted()


def test_body_that_never_ends(world):
    """client_body_timeout is 2 s at this port."""
    begun = time.monotonic()
    with Client(world.gateway.hasty_port) as client:
        client.request(body=body_of()[:20], length=500, key=world.gateway.key())
        expect_error(client.answer(), 408, "request_timeout")
    assert 1.5 < time.monotonic() - begun < 35 and not world.contacted()


# ---- ids, and what a denial says ----

def test_every_answer_has_its_own_id(world):
    gateway, key = world.gateway, world.gateway.key()
    found = [ask(gateway), ask(gateway, b"{"), ask(gateway, key="gh_x"), ask(gateway, path="/v1/nothing"), get(gateway, "/v1/models", key),
             ask(gateway, body_of("nobody"))]
    ids = [expect_id(one) for one in found]
    assert len(set(ids)) == len(ids)
    times = [uuid.UUID(one).int >> 80 for one in ids]
    assert all(abs(value / 1000 - time.time()) < 60 for value in times)


def test_clients_id_does_not_become_ours(world):
    found = ask(world.gateway, headers=[("x-request-id", "01890000-0000-7000-8000-000000000000"), ("X-Client-Request-Id", "mine")])
    assert found.status == 200 and found.id != "01890000-0000-7000-8000-000000000000"
    assert world.b1.requests[0].id == found.id


def test_backends_id_does_not_become_ours(world):
    world.b1.play(answer(200, {"ok": 1}, [("x-request-id", "backend-7")]))
    found = ask(world.gateway)
    assert expect_id(found) == world.b1.requests[0].id
    assert world.gateway.outcome(found.id)["attempts"][0]["request_id"] == "backend-7"


def test_model_not_found_and_not_allowed(world):
    world.route("b1", models={"m": "m", "private": "p"}, tenants=tenants(models=["m"]))
    expect_error(ask(world.gateway, body_of("nobody")), 404, "model_not_found")
    expect_error(ask(world.gateway, body_of("M")), 404, "model_not_found")
    expect_error(ask(world.gateway, body_of("m ")), 404, "model_not_found")
    expect_error(ask(world.gateway, body_of("private")), 403, "model_not_allowed")
    assert not world.contacted()


def test_names_from_clients_are_escaped(world):
    """A model name that would be a header, an event or a record line: refused for its control bytes, or unknown."""
    for name in ("x\r\nx-evil: 1\r\n\r\ndata: {}\u2028\"}\n", "data: {\u2028\u2029\"}\\", "\u007f\u0085", "$gatehouse_key", "%s%n"):
        found = ask(world.gateway, body_of(name))
        assert found.status in (400, 404)
        expect_error(found, found.status, "invalid_request" if found.status == 400 else "model_not_found")
        assert not found.all("x-evil")
    assert all(line["type"] for line in world.gateway.record())


def test_a_backend_without_its_block(world):
    """fleet/1 names a backend that nginx.conf has not: the next one serves; alone it is no_healthy_backend."""
    import documents
    world.gateway.apply(documents.fleet(documents.deployment("ghost"), documents.deployment("real", "b2", priority=2)), documents.residency(),
                        documents.tenants())
    assert ask(world.gateway).status == 200 and world.contacted() == ["b2"]
    world.gateway.apply(documents.fleet(documents.deployment("ghost")), documents.residency(), documents.tenants())
    expect_error(ask(world.gateway), 503, "no_healthy_backend")
