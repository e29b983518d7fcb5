"""Request bodies of every size and form: what leaves for each backend is the client's bytes but for the spliced fields."""
import hashlib
import json
import socket
import time

import pytest

from client import Client, Http2, ask, body_of, expect_error, tls_context
from documents import allow
from mock_backend import Script, close, plain, provider_error, reset, send

pytestmark = pytest.mark.sanitizer

BUFFER = 16384                      # client_body_buffer_size of these tests


def sized(size, model="m"):
    """A chat body of exactly so many bytes."""
    empty = body_of(model, "")
    return body_of(model, ("0123456789" * (size // 10 + 1))[:size - len(empty)])


def digest(data):
    return hashlib.sha256(data).hexdigest()


def spliced(original, arrived, edits=1):
    """True when arrived is original with one contiguous change: what precedes and what follows it is untouched."""
    before = 0
    while before < min(len(original), len(arrived)) and original[before] == arrived[before]:
        before += 1
    after = 0
    while after < min(len(original), len(arrived)) - before and original[-1 - after] == arrived[-1 - after]:
        after += 1
    return original != arrived and len(original) - before - after <= 64 * edits


SIZES = [70, 1000, 4096, 8191, 8192, 8193, BUFFER - 1, BUFFER, BUFFER + 1, BUFFER * 2, 65535, 65536, 65537, 1000003, (4 << 20) - 1, 4 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_sizes(world, size):
    """Same upstream name: not one byte changes, in memory or in a file."""
    body = sized(size)
    assert len(body) == size
    assert ask(world.gateway, body).status == 200
    assert world.b1.requests[0].sha256 == digest(body)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_spliced_twice(world, size):
    """503, then a second backend with another upstream name: both get whole bodies, on connections that stay clean."""
    world.route("b1", "b2", models={"m": "a-much-longer-upstream-name"})
    body = sized(size)
    world.b1.play(provider_error(503))
    assert ask(world.gateway, body).status == 200
    wanted = digest(body.replace(b'"model": "m"', b'"model": "a-much-longer-upstream-name"', 1))
    assert [world.b1.requests[0].sha256, world.b2.requests[0].sha256] == [wanted, wanted]
    assert ask(world.gateway).status == 200            # nothing was left over on the first connection
    assert world.b1.requests[-1].json["messages"][0]["content"] == "hello"


@pytest.mark.parametrize("size", [1000, BUFFER, BUFFER + 1, 1000003])
@pytest.mark.parametrize("names", [("x", "a-longer-name"), ("a-longer-name", "x")])
def test_each_backend_has_its_own_splice(world, size, names):
    import documents
    world.gateway.apply(documents.fleet(documents.deployment("one", "b1", models={"m": names[0]}),
                                        documents.deployment("two", "b2", priority=2, models={"m": names[1]})),
                        documents.residency(), documents.tenants())
    body = sized(size)
    world.b1.play(provider_error(503))
    assert ask(world.gateway, body).status == 200
    for mock, name in ((world.b1, names[0]), (world.b2, names[1])):
        assert mock.requests[0].sha256 == digest(body.replace(b'"model": "m"', b'"model": "%s"' % name.encode(), 1)), mock.name


@pytest.mark.parametrize("failure", [Script(reset(), at="head"), Script(close()), Script(reset(), at="accept"), Script(send(plain(500)), close(), at="head")])
@pytest.mark.parametrize("size", [1000, BUFFER + 1, 1000003])
def test_second_backend_after_a_cut_upload(world, size, failure):
    body = sized(size)
    world.b1.play(failure)
    found = ask(world.gateway, body)
    assert found.status == 200
    last = (world.b2.requests or world.b1.requests)[-1]
    assert last.sha256 == digest(body)


@pytest.mark.parametrize("size", [1, 2])
def test_tiny_bodies(world, size):
    expect_error(ask(world.gateway, b"{}"[:size]), 400, "invalid_json" if size == 1 else "invalid_request")


def test_no_body_at_all(world):
    with Client(world.gateway.port) as client:
        found = client.request(body=None, key=world.gateway.key(), headers=[("Content-Type", "application/json")]).answer()
    assert found.status in (400, 411)
    expect_error(found, found.status)


@pytest.mark.parametrize("pieces", [[1], [100, 1], [8000], [BUFFER - 1], [BUFFER], [BUFFER + 1], [65536, 3]])
def test_chunked(world, pieces):
    body = sized(max(sum(pieces) * 3, 200))
    with Client(world.gateway.port) as client:
        client.request(body=b"", key=world.gateway.key(), headers=[("Transfer-Encoding", "chunked")])
        at, number, out = 0, 0, []
        while at < len(body):
            size = pieces[number % len(pieces)]
            out.append(b"%x\r\n" % len(body[at:at + size]) + body[at:at + size] + b"\r\n")
            at, number = at + size, number + 1
        client.send(b"".join(out) + b"0\r\n\r\n")
        assert client.answer().status == 200
    assert world.b1.requests[0].sha256 == digest(body)
    assert world.b1.requests[0].header("content-length") == str(len(body))


@pytest.mark.parametrize("size", [70, BUFFER - 1, BUFFER, BUFFER + 1, 65536, 1000003])
@pytest.mark.parametrize("length", [True, False])
def test_http2(world, authority, size, length):
    world.b1.play(provider_error(503))
    body = sized(size)
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        assert client.answer(client.request(body, world.gateway.key(), length=length)).status == 200
    assert world.b1.requests[0].sha256 == world.b2.requests[0].sha256 == digest(body)


def test_http2_streams_side_by_side(world, authority):
    with Http2(world.gateway.tls_port, tls_context(authority)) as client:
        asked = {client.request(body_of(text=f"nonce-{i}"), world.gateway.key()): f"nonce-{i}" for i in range(20)}
        for stream, text in asked.items():
            assert client.answer(stream).json["choices"][0]["message"]["content"] == text


def test_expect_100_continue(world):
    body = sized(BUFFER + 1)
    with Client(world.gateway.port) as client:
        client.request(body=b"", length=len(body), key=world.gateway.key(), headers=[("Expect", "100-continue")])
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert client.answer().status == 200
    assert world.b1.requests[0].sha256 == digest(body)


def test_expect_100_continue_refused_before_the_body(world):
    with Client(world.gateway.port) as client:
        client.request(body=b"", length=5 << 20, key=world.gateway.key(), headers=[("Expect", "100-continue")])
        expect_error(client.answer(), 413, "request_too_large")
    with Client(world.gateway.port) as client:
        client.request(body=b"", length=100, key="gh_x", headers=[("Expect", "100-continue")])
        expect_error(client.answer(), 401, "invalid_api_key")


def test_byte_by_byte(world):
    body = body_of()
    with Client(world.gateway.port) as client:
        client.request(body=b"", length=len(body), key=world.gateway.key())
        for at in range(len(body)):
            client.send(body[at:at + 1])
            time.sleep(0.001)
        assert client.answer().status == 200
    assert world.b1.requests[0].body == body


# ---- what is spliced ----

ODD = (b'\n{ "messages" : [ {"role":"user","content":"caf\\u00e9 \xc3\xa9 \\/ \\ud83d\\ude00"} ] ,\t"temperature":1.0e0, "top_p" : 0.10,\r\n'
       b' "seed":  123456789012345678901234567890, "model":"m" , "user":"\xf0\x9f\x98\x80"}\n')


def test_nothing_else_changes(world):
    """Number spellings, key order, escapes and white space pass through."""
    assert ask(world.gateway, ODD).status == 200
    assert world.b1.requests[0].body == ODD


def test_model_is_mapped_in_place(world):
    world.route("b1", models={"m": "gpt\\41/prod"})
    assert ask(world.gateway, ODD).status == 200
    arrived = world.b1.requests[0]
    assert arrived.json["model"] == "gpt\\41/prod" and spliced(ODD, arrived.body)
    assert arrived.body.startswith(ODD[:ODD.index(b'"model":"') + 8]) and arrived.body.endswith(ODD[ODD.index(b" , \"user\""):])


def test_escaped_model_value(world):
    body = b'{"model":"\\u006d","messages":[]}'
    assert ask(world.gateway, body).status == 200
    assert world.b1.requests[0].json["model"] == "m"


@pytest.mark.parametrize("options", [b"", b',"stream_options":{}', b',"stream_options":{ }', b',"stream_options":null', b',"stream_options":{"include_usage":false}',
                                     b',"stream_options":{"include_obfuscation":false}', b',"stream_options":{"include_usage":true}',
                                     b',"stream_options":{"include_usage":false,"include_obfuscation":true}',
                                     b',"stream_opti\\u006fns":{"include_\\u0075sage":false}'])
def test_usage_is_always_asked_for(world, options):
    """The one change to a stream's body; what the client said besides stays as it was."""
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true' + options + b"}"
    assert ask(world.gateway, body).status == 200
    arrived = world.b1.requests[0]
    wanted = json.loads(body)
    wanted["stream_options"] = {**(wanted.get("stream_options") or {}), "include_usage": True}
    assert arrived.json == wanted
    if options == b',"stream_options":{"include_usage":true}':
        assert arrived.body == body
    else:
        assert spliced(body, arrived.body), arrived.body


def test_plain_requests_get_no_stream_options(world):
    assert ask(world.gateway, b'{"model":"m","messages":[],"stream":false}').status == 200
    assert world.b1.requests[0].body == b'{"model":"m","messages":[],"stream":false}'


def test_splices_in_every_order(world):
    """Model and options spliced at once, whichever comes first."""
    world.route("b1", models={"m": "longer-name"})
    for body in (b'{"model":"m","stream":true,"messages":[],"stream_options":{}}', b'{"stream_options":{},"messages":[],"stream":true,"model":"m"}',
                 b'{"stream":true,"messages":[],"model":"m"}'):
        assert ask(world.gateway, body).status == 200
        assert world.b1.requests[-1].json == {**json.loads(body), "model": "longer-name", "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("sent", [None, False, True])
def test_store_is_off_where_the_rule_says_nothing_is_kept(world, sent):
    """`store: true` is a feature the deployment does not list, so only the first two are allowed."""
    world.route("b1", rules=[allow("kept-nowhere", store="nothing")])
    body = body_of() if sent is None else body_of(store=sent)
    found = ask(world.gateway, body)
    if sent:
        expect_error(found, 403, "residency_denied")
        assert not world.contacted()
    else:
        assert found.status == 200 and world.b1.requests[0].json == {**json.loads(body), "store": False}


def test_store_false_is_for_chat_only(world):
    world.route("b1", rules=[allow("kept-nowhere", store="nothing")])
    body = json.dumps({"model": "m", "input": "x"}).encode()
    assert ask(world.gateway, body, path="/v1/embeddings").status == 200
    assert world.b1.requests[0].body == body


# ---- dialects ----

@pytest.mark.parametrize("dialect, more, path, header", [
    ("openai", {}, "/v1/chat/completions", "authorization"), ("azure-v1", {}, "/openai/v1/chat/completions", "api-key"),
    ("azure-classic", {"api_version": "2024-10-21"}, "/openai/deployments/up-stream/chat/completions?api-version=2024-10-21", "api-key"),
    ("bedrock-openai", {"endpoints": ["chat.completions"]}, "/openai/v1/chat/completions", "authorization")])
def test_dialects(world, dialect, more, path, header):
    world.route("b1", models={"m": "up-stream"}, dialect=dialect, **more)
    assert ask(world.gateway).status == 200
    arrived = world.b1.requests[0]
    assert arrived.target == path
    secret = "Bearer secret-of-b1" if header == "authorization" else "secret-of-b1"
    assert arrived.all(header) == [secret] and not arrived.all("api-key" if header == "authorization" else "authorization")


def test_upstream_names_are_escaped_in_paths(world):
    """A model name is one path segment, whatever it holds."""
    world.route("b1", models={"m": "a/b?c%2f#d"}, dialect="azure-classic", api_version="2024-10-21")
    assert ask(world.gateway).status == 200
    assert world.b1.requests[0].target == "/openai/deployments/a%2Fb%3Fc%252f%23d/chat/completions?api-version=2024-10-21"


# ---- the client leaves while it uploads ----

@pytest.mark.parametrize("size", [10, BUFFER + 1, 200000])
def test_client_leaves_in_the_body(world, size):
    body = sized(300000)
    client = Client(world.gateway.port)
    client.request(body=body[:size], length=len(body), key=world.gateway.key())
    time.sleep(0.05)
    client.leave(reset=True)
    time.sleep(0.1)
    assert not world.contacted()
    assert ask(world.gateway).status == 200


def test_half_closed_client_still_gets_its_answer(world):
    """shutdown(SHUT_WR) after the request is not leaving, or it is; both are allowed, but nobody else suffers."""
    with Client(world.gateway.port) as client:
        client.request(body=body_of(), key=world.gateway.key())
        client.sock.shutdown(socket.SHUT_WR)
        client.answer()
    assert ask(world.gateway).status == 200
