"""Clients that sign with AWS access keys: plain SDKs with nothing but their endpoint changed, and every way in which a signature can be wrong."""
import contextlib
import datetime
import email.utils
import hashlib
import json
import urllib.parse

import anthropic
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session
import pytest

import anthropic_shapes as shapes
from client import Client, Http2, ask, body_of, until
from documents import deployment, fleet, residency, tenants
from limits import limit
from mock_backend import answer
from test_bedrock import invoked
from test_converse import STREAM

pytestmark = pytest.mark.sanitizer

NATIVE = {"dialect": "bedrock", "endpoints": ["invoke", "converse"], "models": {"m": "eu.anthropic.claude-x-v1:0"}}
HELLO = [{"role": "user", "content": [{"text": "hello, world"}]}]
BODY = json.dumps({"messages": HELLO}).encode()
PATH = "/model/m/converse"


def pair(gateway, name, owner="acme/red/app", *more):
    made = json.loads(gateway.command("key", "create", owner, name, "--aws", "--json", *more).stdout)
    return made["access_key_id"], made["secret_access_key"]


COUNT = iter(range(10**6))


@pytest.fixture
def keys(world):
    world.route("b1", "b2", **NATIVE)
    return pair(world.gateway, f"aws-{next(COUNT)}")


def test_over_http2(world, keys, tls):
    """The host is :authority there."""
    world.b1.always(answer(body=shapes.converse("hello")))
    with Http2(world.gateway.tls_port, tls) as client:
        own = [(name.lower(), value) for name, value in signature_of(keys) if name.lower() not in ("host", "content-type")]
        assert client.answer(client.request(BODY, path=PATH, headers=own)).status == 200


@pytest.fixture(scope="session")
def plain_session():
    return botocore.session.Session()


def boto(session, gateway, keys, retries=0):
    return session.create_client(
        "bedrock-runtime", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{gateway.port}", aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
        config=botocore.config.Config(retries={"total_max_attempts": retries + 1}, read_timeout=60))


def signature_of(keys, body=BODY, path=PATH, headers=(), service="bedrock", region="eu-central-1", at=None, token=None, method="POST"):
    """The headers of a request that botocore's own signer signed."""
    request = botocore.awsrequest.AWSRequest(method=method, url=f"http://gateway.test{path}", data=body)
    for name, value in [("content-type", "application/json"), *headers]:
        request.headers[name] = value
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*keys, token), service, region)
    at = at or datetime.datetime.now(datetime.timezone.utc)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signer._inject_signature_to_request(request, signature)
    return [("host", "gateway.test"), *request.headers.items()]


def signed(gateway, keys, body=BODY, path=PATH, method="POST", change=None, sent=None, **more):
    """Such a request sent; change: a function of the headers that are sent then."""
    lines = signature_of(keys, body, path, method=method, **more)
    lines = change(lines) if change else lines
    sent = body if sent is None else sent
    raw = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + f"content-length: {len(sent)}\r\n\r\n"
    with Client(gateway.port) as one:
        one.send(raw.encode() + sent)
        return one.answer()


def refused(found, kind, code, said="", status=403):
    assert found.status == status and found.header("x-amzn-errortype") == kind, found
    message = json.loads(found.body)["message"]
    assert message.startswith(code) and said in message, message
    assert found.header("x-amzn-requestid") == found.header("x-request-id") and email.utils.parsedate_to_datetime(found.header("date"))


# ---- SDKs ----

def test_boto3_with_access_keys(world, keys, plain_session):
    client = boto(plain_session, world.gateway, keys)
    world.b1.play(answer(body=shapes.converse("hello")), answer(body=shapes.message(), headers=[("x-amzn-RequestId", "r")]))
    assert client.converse(modelId="m", messages=HELLO)["output"]["message"]["content"][0]["text"] == "hello"
    got = client.invoke_model(modelId="m", body=json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}))
    assert json.loads(got["body"].read())["content"][0]["text"] == "hello"
    assert len(world.b1.requests) == 2
    for request in world.b1.requests:
        assert request.header("authorization") == "Bearer secret-of-b1" and b"AWS4" not in request.raw and b"GHAK" not in request.raw
        assert not [name for name, _ in request.headers if name.lower().startswith(("x-amz-", "amz-"))]


def test_boto3_streams(world, keys, plain_session):
    client = boto(plain_session, world.gateway, keys)
    world.b1.play(shapes.aws_stream(*STREAM), shapes.aws_stream(*invoked("one ", "two")))
    found = list(client.converse_stream(modelId="m", messages=HELLO)["stream"])
    assert "".join(one["contentBlockDelta"]["delta"].get("text", "") for one in found if "contentBlockDelta" in one) == "one two" and "metadata" in found[-1]
    got = client.invoke_model_with_response_stream(modelId="m", body=json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
                                                                                 "messages": [{"role": "user", "content": "hi"}]}))
    events = [json.loads(one["chunk"]["bytes"]) for one in got["body"]]
    assert "".join(one["delta"].get("text", "") for one in events if one["type"] == "content_block_delta") == "one two"


def test_boto3_fails_over_and_names_with_colons(world, keys, plain_session):
    """The model's name is encoded in the path, and once more in what is signed."""
    name = "eu.anthropic.claude-x-v1:0"
    world.gateway.apply(fleet(deployment("a", "b1", priority=1, **{**NATIVE, "models": {name: name}}), deployment("b", "b2", priority=2, **{**NATIVE, "models": {name: name}}),
                              models=[name]), residency(), tenants())
    client = boto(plain_session, world.gateway, keys)
    world.b1.play(answer(503, b"{}"))
    world.b2.play(answer(body=shapes.converse("second")))
    assert client.converse(modelId=name, messages=HELLO)["output"]["message"]["content"][0]["text"] == "second"
    assert world.b2.requests[-1].target == f"/model/{urllib.parse.quote(name, safe='')}/converse"


def test_anthropic_sdk_signs(world, keys):
    client = anthropic.AnthropicBedrock(aws_access_key=keys[0], aws_secret_key=keys[1], aws_region="eu-west-3", base_url=f"http://127.0.0.1:{world.gateway.port}",
                                        max_retries=0, timeout=60)
    world.b1.play(answer(body=shapes.message()), shapes.aws_stream(*invoked("one ", "two")))
    ask_for = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    assert client.messages.create(**ask_for).content[0].text == "hello"
    with client.messages.stream(**ask_for) as events:
        assert events.get_final_text() == "one two"


def test_wrong_secrets_are_told_as_bedrock_does(world, keys, plain_session):
    for pair_of, code in (((keys[0], "x" * 43), "InvalidSignatureException"), (("GHAK" + "A" * 26, keys[1]), "UnrecognizedClientException"),
                          (("AKIAIOSFODNN7EXAMPLE", keys[1]), "UnrecognizedClientException")):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            boto(plain_session, world.gateway, pair_of).converse(modelId="m", messages=HELLO)
        assert error.value.response["Error"]["Code"] == code and error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert not world.b1.requests


# ---- what is signed ----

def digest_header(body):
    return ("x-amz-content-sha256", hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("headers", [(), (digest_header(BODY),), (("x-note", "  a   b\t c "), ("x-other", "z")), (("amz-sdk-request", "attempt=1"), ("accept", "*/*"))])
@pytest.mark.parametrize("service, region", [("bedrock", "us-gov-west-1"), ("bedrock-mantle", "eu-north-1")])
def test_what_is_signed_is_accepted(world, keys, headers, service, region):
    world.b1.always(answer(body=shapes.converse("hello")))
    assert signed(world.gateway, keys, headers=headers, service=service, region=region).status == 200


def test_bodies_in_files_and_pieces_are_hashed_whole(world, keys):
    world.b1.always(answer(body=shapes.converse("hello")))
    big = json.dumps({"messages": [{"role": "user", "content": [{"text": "é" * 400000}]}]}, ensure_ascii=False).encode()
    assert signed(world.gateway, keys, body=big).status == 200
    assert world.b1.requests[-1].body == big
    refused(signed(world.gateway, keys, body=big, sent=big[:-4] + b' ]}]'[:4][::-1]), "InvalidSignatureException", "invalid_signature")
    assert len(world.b1.requests) == 1


def test_other_endpoints_take_signatures_too(world, keys):
    """OpenAI's SDK signs for Bedrock's OpenAI endpoints; errors are in that dialect."""
    world.route("b1")
    found = signed(world.gateway, keys, body=body_of(), path="/v1/chat/completions")
    assert found.status == 200, found
    found = signed(world.gateway, (keys[0], "wrong"), body=body_of(), path="/v1/chat/completions")
    assert found.status == 401 and found.error["code"] == "invalid_signature", found
    assert signed(world.gateway, keys, body=b"", path="/v1/models", method="GET").status == 200
    assert signed(world.gateway, (keys[0], "wrong"), body=b"", path="/v1/models", method="GET").status == 401


def swap(name, value):
    return lambda lines: [(key, value if key.lower() == name else old) for key, old in lines]


def edit(old, new):
    return lambda lines: [(key, value.replace(old, new) if key.lower() == "authorization" else value) for key, value in lines]


WRONG = {
    "another body": (dict(sent=BODY.replace(b"hello", b"hallo")), "InvalidSignatureException", "invalid_signature"),
    "a signed header changed": (dict(headers=[("x-gatehouse-places", "EU")], change=swap("x-gatehouse-places", "US")), "InvalidSignatureException", "invalid_signature"),
    "another host": (dict(change=swap("host", "other.test")), "InvalidSignatureException", "invalid_signature"),
    "another time": (dict(at=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=90),
                          change=lambda lines: swap("x-amz-date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ"))(lines)),
                     "InvalidSignatureException", "invalid_signature"),
    "another region": (dict(change=edit("eu-central-1", "eu-central-2")), "InvalidSignatureException", "invalid_signature"),
    "another service": (dict(service="s3"), "InvalidSignatureException", "invalid_signature"),
    "another digest": (dict(headers=[digest_header(b"x")]), "InvalidSignatureException", "invalid_signature"),
    "unsigned payload": (dict(headers=[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]), "InvalidSignatureException", "invalid_signature"),
    "streamed payload": (dict(headers=[("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]), "InvalidSignatureException", "invalid_signature"),
    "digest not signed": (dict(change=lambda lines: lines + [digest_header(BODY)]), "IncompleteSignatureException", "incomplete_signature"),
    "host not signed": (dict(change=edit("host;", "")), "IncompleteSignatureException", "incomplete_signature"),
    "date not signed": (dict(change=edit(";x-amz-date", "")), "IncompleteSignatureException", "incomplete_signature"),
    "names out of order": (dict(change=edit("content-type;host;x-amz-date", "host;content-type;x-amz-date")), "IncompleteSignatureException", "incomplete_signature"),
    "a name twice": (dict(change=edit("content-type;", "content-type;content-type;")), "IncompleteSignatureException", "incomplete_signature"),
    "capital names": (dict(change=edit("content-type", "Content-Type")), "IncompleteSignatureException", "incomplete_signature"),
    "a header signed and not sent": (dict(change=edit("content-type;", "accept;content-type;")), "IncompleteSignatureException", "incomplete_signature"),
    "a header twice": (dict(change=lambda lines: lines + [("content-type", "application/json")]), "InvalidSignatureException", "invalid_signature"),
    "two dates": (dict(change=lambda lines: lines + [line for line in lines if line[0].lower() == "x-amz-date"]), "IncompleteSignatureException", "incomplete_signature"),
    "no signature": (dict(change=edit(", Signature=", ", Other=")), "IncompleteSignatureException", "incomplete_signature"),
    "another algorithm": (dict(change=edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), "IncompleteSignatureException", "incomplete_signature"),
    "a session": (dict(token="token"), "UnrecognizedClientException", "invalid_access_key"),
    "a key beside it": (dict(change=lambda lines: lines + [("x-api-key", "gh_x")]), "IncompleteSignatureException", "incomplete_signature"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_signed_is_refused(world, keys, case):
    how, kind, code = WRONG[case]
    refused(signed(world.gateway, keys, **how), kind, code)
    assert not world.b1.requests and not world.b2.requests


@pytest.mark.parametrize("seconds, said", [(-400, "Signature expired: "), (400, "Signature not yet current: "), (-290, None), (290, None)])
def test_clock(world, keys, seconds, said):
    world.b1.always(answer(body=shapes.converse("hello")))
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    found = signed(world.gateway, keys, at=at)
    if said:
        refused(found, "InvalidSignatureException", "invalid_signature", said + at.strftime("%Y%m%dT%H%M%SZ"))
        # what an SDK learns from our Date makes its next request good
        skew = email.utils.parsedate_to_datetime(found.header("date")) - at
        assert signed(world.gateway, keys, at=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds) + skew).status == 200
    else:
        assert found.status == 200, found


# ---- the key's life ----

def test_revoked_rotated_and_expired(world, keys):
    gateway = world.gateway
    world.b1.always(answer(body=shapes.converse("hello")))
    name = f"life-{next(COUNT)}"
    first = pair(gateway, name)
    assert signed(gateway, first).status == 200
    made = json.loads(gateway.command("key", "rotate", f"acme/red/app/{name}", "--json").stdout)
    second = made["access_key_id"], made["secret_access_key"]
    assert first[0] != second[0] and first[1] != second[1]
    assert signed(gateway, first).status == 200 and signed(gateway, second).status == 200
    refused(signed(gateway, (first[0], second[1])), "InvalidSignatureException", "invalid_signature")
    gateway.command("key", "rotate", f"acme/red/app/{name}", "--finish")
    refused(signed(gateway, first), "UnrecognizedClientException", "invalid_access_key", "revoked")
    assert signed(gateway, second).status == 200
    gateway.command("key", "revoke", f"acme/red/app/{name}")
    refused(signed(gateway, second), "UnrecognizedClientException", "invalid_access_key", "revoked")
    assert signed(gateway, keys).status == 200


def test_an_access_key_is_no_bearer_and_a_bearer_no_access_key(world, keys):
    for text in (keys[0], keys[1], "Bearer " + keys[0]):
        assert ask(world.gateway, BODY, path=PATH, key=text).status == 403
    bearer = world.gateway.key()
    refused(signed(world.gateway, ("GHAK", bearer)), "UnrecognizedClientException", "invalid_access_key")
    refused(signed(world.gateway, (keys[0], bearer)), "InvalidSignatureException", "invalid_signature")


def test_who_it_was_is_recorded_and_no_secret(world, keys):
    """The key's name stands in the record; neither its secret nor the signature does, nor in the log. Of a forged request nothing is counted or recorded."""
    world.b1.always(answer(body=shapes.converse("hello")))
    found = signed(world.gateway, (keys[0], "forged"))
    assert found.status == 403
    good = signed(world.gateway, keys)
    assert good.status == 200
    decision = world.gateway.record(good.id, kinds=("decision",))
    text = json.dumps(decision)
    assert '"acme"' in text and "aws-" in text, text
    assert not world.gateway.record(found.id, kinds=("decision", "outcome"), seconds=0)
    for place in world.gateway.home.rglob("*"):
        if place.is_file() and place.stat().st_size < 50_000_000:
            data = place.read_bytes()
            assert keys[1].encode() not in data and b"AWS4-HMAC" not in data, place
    assert keys[1] not in world.gateway.errors() and "Signature=" not in world.gateway.errors()


def test_limits_are_those_of_the_owner_alone(world):
    """A forged request takes nothing of the key's limits; good ones do, and are refused in Bedrock's words."""
    made = tenants("red", "blue", "narrow", narrow={"limits": [limit("requests", 2)]})
    world.route("b1", tenants=made, **NATIVE)
    keys = pair(world.gateway, f"aws-{next(COUNT)}", "acme/narrow/app")
    world.b1.always(answer(body=shapes.converse("hello")))
    for _ in range(5):
        assert signed(world.gateway, (keys[0], "forged")).status == 403
    assert [signed(world.gateway, keys).status for _ in range(3)] == [200, 200, 429]
    refused(signed(world.gateway, keys), "ThrottlingException", "", status=429)


def head_of(keys, body=BODY, length=None, headers=(), **more):
    """A head alone, of a body of which nothing is sent yet."""
    lines = signature_of(keys, body, headers=headers, **more)
    return (f"POST {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + f"content-length: {len(body) if length is None else length}\r\n\r\n").encode()


def test_a_head_with_the_digest_is_judged_alone(world, keys):
    """What says the digest of its body, as SDKs for JavaScript do, is refused or known before a byte of the body came; then the body is held against it."""
    world.b1.always(answer(body=shapes.converse("hello")))
    for forged in (head_of((keys[0], "x" * 43), length=4_000_000, headers=[digest_header(BODY)]), head_of(keys, length=4_000_000, headers=[digest_header(BODY)]).replace(b"/bedrock/", b"/bedrock-mantle/")):
        with Client(world.gateway.port) as client:
            client.send(forged)
            refused(client.answer(), "InvalidSignatureException", "invalid_signature", "is not that of this request")
    with Client(world.gateway.port) as client:
        client.send(head_of(keys, headers=[digest_header(BODY)]) + BODY[:9])
        client.send(BODY[9:])
        assert client.answer().status == 200
    for sent in (BODY.replace(b"hello", b"hallo"), BODY[:-1] + b" "):
        got = signed(world.gateway, keys, headers=[digest_header(BODY)], sent=sent)
        refused(got, "InvalidSignatureException", "invalid_signature", "is not the SHA-256 of the body")
        line = next(line for line in world.gateway.record(got.id, kinds=("decision",)) if line["type"] == "decision")
        assert (line["app"], line["code"]) == ("app", "invalid_signature") and line["key"].startswith("aws"), line
    assert len(world.b1.requests) == 1 and world.b1.requests[0].body == BODY


def test_limits_are_asked_before_the_body_where_the_head_tells(world):
    made = tenants("red", "blue", "early", early={"limits": [limit("requests", 1)]})
    world.route("b1", tenants=made, **NATIVE)
    keys = pair(world.gateway, f"aws-{next(COUNT)}", "acme/early/app")
    world.b1.always(answer(body=shapes.converse("hello")))
    assert signed(world.gateway, keys, headers=[digest_header(BODY)]).status == 200
    with Client(world.gateway.port) as client:
        client.send(head_of(keys, length=4_000_000, headers=[digest_header(BODY)]))
        refused(client.answer(), "ThrottlingException", "", status=429)
    refused(signed(world.gateway, keys, headers=[digest_header(BODY)], sent=BODY[::-1]), "ThrottlingException", "", status=429)


def test_long_forgeries_count_by_their_length(world, keys):
    """Few long ones are enough for an address to be held back, whole or cut short, where it would take hundreds of short ones."""
    fresh = pair(world.gateway, f"aws-{next(COUNT)}")
    world.b1.always(answer(body=shapes.converse("hello")))
    zeros = b"0" * 4_000_000

    def asked(source, raw):
        with Client(world.gateway.port, source=source) as client:
            client.send(raw)
            return client.answer()

    def forge(source, whole):
        """Eight at once: all their bodies are received before one is refused."""
        with contextlib.ExitStack() as open_until_then:
            clients = [open_until_then.enter_context(Client(world.gateway.port, source=source)) for _ in range(8)]
            for client in clients:
                client.send(head_of((fresh[0], "x" * 43), length=len(zeros)) + zeros[1:])
            for client in clients if whole else ():
                client.send(zeros[:1])
            for client in clients if whole else ():
                refused(client.answer(), "InvalidSignatureException", "invalid_signature", "is not that of this request")

    for source, whole in (("127.0.0.21", True), ("127.0.0.22", False)):
        for _ in range(6):
            forge(source, whole)
            found = asked(source, head_of((fresh[0], "x" * 43)) + BODY)
            refused(found, "InvalidSignatureException", "invalid_signature")
            if found.header("retry-after"):
                break
        else:
            raise AssertionError("48 forgeries of 4 MB were read")
        world.gateway.reload()                                # a new worker: nobody owes it anything
        until(lambda: asked(source, head_of(keys) + BODY).status == 200)


def test_wrong_signatures_are_held_back(world, keys):
    """While many are refused, those of one address are before their bodies are read; an access key that was right here is served on."""
    other, fresh = (pair(world.gateway, f"aws-{next(COUNT)}") for _ in range(2))
    world.b1.always(answer(body=shapes.converse("hello")))

    def shown(requests, source="127.0.0.8"):
        with Client(world.gateway.port, source=source) as client:
            client.send(b"".join(requests))
            return [client.answer() for _ in requests]

    def one(with_keys):
        lines = signature_of(with_keys)
        return (f"POST {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + f"content-length: {len(BODY)}\r\n\r\n").encode() + BODY

    forged, answers = one((other[0], "x" * 43)), []
    assert shown([one(keys)])[0].status == 200
    while not any(each.header("retry-after") for each in answers):
        answers += shown([forged] * 50)
        assert len(answers) < 5000
    for each in answers:
        refused(each, "InvalidSignatureException", "invalid_signature", "Too many" if each.header("retry-after") else "is not that of this request")
    assert not any(each.header("retry-after") for each in answers[:200])
    assert shown([one(keys)])[0].status == 200 and shown([one(fresh)], "127.0.0.7")[0].status == 200
    until(lambda: shown([one(fresh)])[0].status == 200)
