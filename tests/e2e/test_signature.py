"""Requests to AWS backends: botocore verifies each one that arrives, whatever attempt of whatever request it is."""
import datetime
import email.utils
import json
import time

import pytest

import anthropic_shapes as shapes
from client import ask, body_of, events, expect_error, until
from documents import deployment, fleet, residency, tenants
from gateway import Backend
from mock_backend import DONE, MockBackend, Script, answer, completion, delta, plain, provider_error, reset, role, stream, usage_event
from signature import verify
from test_bedrock import invoked

pytestmark = pytest.mark.sanitizer

KEYS = {"AKIDONE": ("canary/secret+one", None), "AKIDTWO": ("canary-two", "token/with+signs==")}
LINES = ["aws_signature bedrock;"]


def credential(access, secret=None, token=None, **more):
    members = {"Version": 1, "AccessKeyId": access, "SecretAccessKey": secret or KEYS[access][0]}
    token = token or KEYS.get(access, (None, None))[1]
    return json.dumps(members | ({"SessionToken": token} if token else {}) | more)


def bedrock(name, region="eu-central-1", **more):
    return deployment(name, provider="aws", partition="aws", region=region, country=None, dialect="bedrock-openai", endpoints=["chat.completions"],
                      operator_home="US", models={"m": "openai.gpt-oss-120b-1:0"}, **more)


class Cloud:
    """A mock that answers what its requests deserve. behind: how far its clock is behind ours."""

    def __init__(self, mock, region="eu-central-1", keys=None, behind=0, then=None):
        self.mock, self.scope, self.keys, self.behind = mock, (region, "bedrock"), KEYS if keys is None else keys, datetime.timedelta(seconds=behind)
        self.then, self.refused = then or answer(200, {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}), []
        mock.default = Script(self.judge)

    def judge(self, exchange):
        request, now = exchange.request, datetime.datetime.now(datetime.timezone.utc) - self.behind
        wrong = verify(request.method, request.target, request.headers, request.body, self.keys, self.scope, now)
        if wrong is None:
            return self.then.run(exchange)
        self.refused.append(wrong)
        return exchange.send(plain(403, {"message": "mock"}, [("x-amzn-ErrorType", "InvalidSignatureException"), ("Date", email.utils.format_datetime(now, usegmt=True))]))


@pytest.fixture
def two(make_gateway, mock):
    """Deployments a and b in two regions, with credentials of their own, b's of a session."""
    a, b = Cloud(mock("127.0.0.41")), Cloud(mock("127.0.0.42"), region="eu-north-1")
    gateway = make_gateway([Backend("a", a.mock, credential=credential("AKIDONE"), lines=LINES), Backend("b", b.mock, credential=credential("AKIDTWO"), lines=LINES)])
    gateway.apply(fleet(bedrock("a"), bedrock("b", "eu-north-1", priority=2)), residency(), tenants())
    gateway.start()
    return gateway, a, b


def test_every_request_is_signed(two):
    """Plain and streamed, short and in pieces; neither the secret nor a bearer goes with it."""
    gateway, a, b = two
    for body in (body_of(), body_of(text="x" * 100000), body_of(text="é\u2028"), body_of(stream=False)):
        assert ask(gateway, body).status == 200
    a.then = stream(role(), delta("hello"), usage_event(), DONE)
    assert any("hello" in one for one in events(ask(gateway, body_of(stream=True)).body))
    assert not a.refused and not b.mock.requests and len(a.mock.requests) == 5
    for request in a.mock.requests:
        assert request.json["model"] == "openai.gpt-oss-120b-1:0" and request.target == "/openai/v1/chat/completions"
        assert request.header("authorization").startswith("AWS4-HMAC-SHA256 Credential=AKIDONE/") and b"canary" not in request.raw
        assert request.header("x-amz-content-sha256") == request.sha256 and request.header("x-amz-security-token") is None


def test_the_next_deployment_is_signed_for_itself(two):
    """Its region, its credential, its session token, its body: what the first one got is of no use there."""
    gateway, a, b = two
    for status in (503, 429):
        a.then = provider_error(status)
        assert ask(gateway).status == 200
    assert not a.refused and not b.refused and len(b.mock.requests) == 2
    assert all("/eu-north-1/bedrock/" in request.header("authorization") and request.header("x-amz-security-token") == KEYS["AKIDTWO"][1] for request in b.mock.requests)


@pytest.mark.parametrize("size", [60, 6000, 600000])
def test_a_translated_body_is_hashed_for_itself(two, size):
    """What is written for the next deployment may stand where the last one's was, and be as long: only the model's name tells them apart."""
    gateway, a, b = two
    names = {"20b": bedrock("a"), "21b": bedrock("b", "eu-north-1", priority=2)}
    gateway.apply(fleet(*(one | {"models": {"m": {"upstream": f"openai.gpt-oss-{name}-1:0"}}} for name, one in names.items())), residency(), tenants())
    a.then, b.then = provider_error(503), answer(200, completion())
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * size}]}).encode()
    found = ask(gateway, body, path="/v1/messages", headers=[("anthropic-version", "2023-06-01")])
    assert found.status == 200 and not a.refused and not b.refused, found
    first, second = a.mock.requests[-1], b.mock.requests[-1]
    assert len(first.body) == len(second.body) and second.header("x-amz-content-sha256") == second.sha256 != first.sha256


@pytest.mark.parametrize("last", [False, True])
def test_a_body_with_members_taken_out_is_hashed_as_it_goes(two, last):
    """The request's own cache_control, a scope in it, is left out for InvokeModel."""
    gateway, a, _ = two
    gateway.apply(fleet(bedrock("a") | {"dialect": "bedrock", "endpoints": ["invoke"], "models": {"m": {"upstream": "anthropic.claude-x-v1:0"}},
                                        "features": {"prompt_cache": {"process": ["SE"], "store": "nothing"}}}), residency(), tenants())
    a.then = answer(200, shapes.message())
    cached = {"cache_control": {"type": "ephemeral", "scope": "x" * 300}}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    for _ in range(2):
        found = ask(gateway, json.dumps({**body, **cached} if last else {**cached, **body}).encode(), path="/v1/messages", headers=[("anthropic-version", "2023-06-01")])
        assert found.status == 200 and not a.refused, found.body
    assert len(a.mock.requests) == 2
    for request in a.mock.requests:
        assert request.json == {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": body["messages"]}
        assert request.header("x-amz-content-sha256") == request.sha256 and int(request.header("content-length")) == len(request.body)


def test_a_repeat_is_signed_too(two):
    """A kept connection ends just as the next request arrives on it: that request is sent again, on another."""
    gateway, a, b = two
    assert ask(gateway).status == 200
    a.mock.play(Script(reset()))
    assert ask(gateway).status == 200 and not a.refused and not b.mock.requests
    first, gone, again = a.mock.requests
    assert first.connection == gone.connection != again.connection
    told = {request.order: verify(request.method, request.target, request.headers, request.body, KEYS, a.scope) for request in a.mock.requests}
    assert set(told.values()) == {None}, told


@pytest.mark.parametrize("behind", [1200, -1200])
def test_clock_that_differs(two, behind):
    """One refusal says what the backend's time is; the same deployment is asked again, and from then on at once."""
    gateway, a, b = two
    a.behind = datetime.timedelta(seconds=behind)
    first = ask(gateway)
    assert first.status == 200 and a.refused == ["the time is not the backend's"] and len(a.mock.requests) == 2 and not b.mock.requests
    assert ask(gateway).status == 200 and len(a.mock.requests) == 3 and len(a.refused) == 1
    gateway.expect_log(r"the clock of backend \"a\" differs")
    outcome = gateway.outcome(first.id)
    assert [attempt["status"] for attempt in outcome["attempts"]] == [403, 200], outcome


def test_clock_and_no_try_left(make_gateway, mock):
    """What was refused for the time is our business, not the client's; the next request has the right one."""
    a = Cloud(mock("127.0.0.45"), behind=3600)
    gateway = make_gateway([Backend("a", a.mock, credential=credential("AKIDONE"), lines=LINES)], location="gatehouse_tries 1;")
    gateway.apply(fleet(bedrock("a")), residency(), tenants())
    gateway.start()
    expect_error(ask(gateway), 502, "backend_credentials")
    assert len(a.mock.requests) == 1 and ask(gateway).status == 200


def test_wrong_key_is_no_clock(two):
    """A signature refused at the right time is not tried again there; nobody learns anything from it."""
    gateway, a, b = two
    a.keys = {}
    assert ask(gateway).status == 200
    assert len(a.mock.requests) == 1 and len(b.mock.requests) == 1
    b.keys = {}
    expect_error(ask(gateway), 502, "backend_credentials")


def test_credential_that_changes(two):
    """A new file holds for the next request; what cannot be read or has expired sends nothing."""
    gateway, a, b = two
    a.keys = {**KEYS, "AKIDNEW": ("canary-new", "t")}
    gateway.credential("a", credential("AKIDNEW", "canary-new", "t"))
    until(lambda: ask(gateway).status == 200 and "Credential=AKIDNEW/" in a.mock.requests[-1].header("authorization"))
    assert not a.refused
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    gateway.credential("a", credential("AKIDNEW", "canary-new", "t", Expiration=soon))
    wait_a_second()
    assert ask(gateway).status == 200 and not a.refused and not b.mock.requests
    for text, said in ((credential("AKIDNEW", "canary-new", "t", Expiration="2020-01-01T00:00:00Z"), "has expired"), ("canary-plain", "no JSON object"),
                       ('{"AccessKeyId":"canary"}', "no SecretAccessKey"), (credential("AKID NEW", "canary-new"), "access key id is not")):
        gateway.credential("a", text)
        gateway.expect_log(said)
        until(lambda: ask(gateway).status == 200 and said in gateway.errors())
        asked = len(a.mock.requests)
        assert ask(gateway).status == 200 and len(a.mock.requests) == asked
    assert len(b.mock.requests) >= 4 and "canary" not in gateway.errors()


CLAUDE = "anthropic.claude-x-v1:0"
INVOKE = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode()
CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": "é" * 3000}]}]}).encode()
CHAT = body_of(stream=True)


@pytest.mark.parametrize("path, body", [("/model/m/converse-stream", CONVERSE), ("/model/m/invoke-with-response-stream", INVOKE), ("/v1/chat/completions", CHAT)], ids=("converse", "invoke", "chat"))
def test_native_requests_are_signed_whatever_becomes_of_them(make_gateway, mock, path, body):
    """Streams that fail before they are good, errors and resets: each attempt is signed for where it goes, in the client's dialect or another; the mocks judge them all."""
    first, second = mock("127.0.0.48", name="first"), mock("127.0.0.49", name="second")
    gateway = make_gateway([Backend("a", first, credential=credential("AKIDONE"), lines=LINES), Backend("b", second, credential=credential("AKIDTWO"), lines=LINES)],
                           location="gatehouse_tries 4;")
    spec = {"dialect": "bedrock", "endpoints": ["converse"] if "invoke" not in path else ["invoke"], "models": {"m": CLAUDE}}
    gateway.apply(fleet(bedrock("a") | {**spec, "models": {"m": {"upstream": CLAUDE}}}, bedrock("b", "eu-north-1", priority=2) | {**spec, "models": {"m": {"upstream": CLAUDE}}}),
                  residency(), tenants())
    gateway.start()
    good = shapes.aws_stream(*(invoked("one") if "invoke" in path else shapes.spoken("one")))
    before = MockBackend.proven
    for bad in (provider_error(503), Script(reset()), shapes.aws_stream(shapes.exception("throttlingException")), shapes.aws_stream(b"\0\0\0\1"), provider_error(429)):
        first.play(bad)
        second.always(good)
        found = ask(gateway, body, path=path)
        assert found.status == 200 and (b"one" in found.body or "invoke" in path), found       # base64 there
    assert not MockBackend.unproven and MockBackend.proven - before >= 6 and second.requests and first.requests
    assert {request.header("authorization").split("/")[2] for request in second.requests} == {"eu-north-1"}


def wait_a_second():
    """Workers look at the file once a second."""
    time.sleep(1.1)


@pytest.mark.parametrize("lines, keep", [(["aws_signature bedrock;"], False), (["aws_signature Bedrock;"], True), (["aws_signature bed/rock;"], True)])
def test_configuration_is_checked(make_gateway, mock, lines, keep):
    gateway = make_gateway([Backend("a", mock("127.0.0.43"), credential=credential("AKIDONE") if keep else None, lines=lines)])
    gateway.apply()
    done = gateway.test()
    assert done.returncode != 0 and "aws_signature" in done.stderr and "to sign with" in done.stderr


def test_region_and_service_are_compared_with_the_host(make_gateway, mock, authority):
    """Warnings, each once: what is signed would not be taken."""
    one = mock("127.0.0.44", tls=authority.issue("x.test"))
    hosts = {"right": ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"), "fips": ("bedrock-runtime-fips.eu-north-1.amazonaws.com", "bedrock"),
             "other": ("bedrock-mantle.eu-central-1.api.aws", "bedrock"), "own": ("x.test", "bedrock")}
    gateway = make_gateway([Backend(name, one, tls=tls, ca=authority.certificate, credential=credential("AKIDONE"), lines=[f"aws_signature {service};"])
                            for name, (tls, service) in hosts.items()])
    two = {"m": "openai.gpt-oss-120b-1:0", "n": "openai.gpt-oss-20b-1:0"}
    gateway.apply(fleet(*(bedrock(name) | {"models": {key: {"upstream": value} for key, value in two.items()}} for name in hosts), models=["m", "n"]), residency(), tenants())
    said = [line for line in gateway.test().stderr.splitlines() if "sign" in line]
    assert len(said) == 2, said
    assert any('"fips": requests for deployment "fips" of fleet/1 are signed for its region, "eu-central-1"' in line for line in said), said
    assert any('"other": "bedrock-mantle.eu-central-1.api.aws" takes signatures for "bedrock-mantle", not "bedrock"' in line for line in said), said


MANTLE = "bedrock-mantle.eu-north-1.api.aws"
UPSTREAMS = {"openai": "openai.gpt-oss-20b-1:0", "bedrock-openai": "openai.gpt-oss-120b-1:0", "anthropic": "anthropic.claude-x-v1:0"}


def test_mantle(make_gateway, mock, authority):
    """One host of AWS with three APIs at prefixes of their own: each is asked at its path, signed for that host's own service, plain and streamed, translated or not."""
    cloud = Cloud(mock("127.0.0.45", tls=authority.issue(MANTLE)), region="eu-north-1")
    cloud.scope = ("eu-north-1", "bedrock-mantle")
    apis = {"v1": ("openai", ["chat.completions", "responses"], None, "/v1/chat/completions"),
            "prefixed": ("bedrock-openai", ["chat.completions"], None, "/openai/v1/chat/completions"),
            "claude": ("anthropic", ["messages"], "path /anthropic;", "/anthropic/v1/messages")}
    gateway = make_gateway([Backend(name, cloud.mock, tls=MANTLE, ca=authority.certificate, credential=credential("AKIDTWO"),
                                    lines=["aws_signature bedrock-mantle;"] + [line] * bool(line)) for name, (_, _, line, _) in apis.items()])
    gateway.apply(fleet(*(bedrock(name, "eu-north-1") | {"dialect": dialect, "endpoints": endpoints, "models": {name: {"upstream": UPSTREAMS[dialect]}}}
                          for name, (dialect, endpoints, _, _) in apis.items()), models=list(apis)), residency(), tenants())
    assert not [line for line in gateway.test().stderr.splitlines() if "sign" in line]      # the host is the region's, and takes that service
    gateway.start()
    for name, (dialect, _, _, target) in apis.items():
        native = dialect == "anthropic"
        for streamed in (False, True):
            said = stream(*shapes.told("hello")) if native else stream(role(), delta("hello"), usage_event(), DONE)
            cloud.then = said if streamed else answer(200, shapes.message() if native else completion())
            for path in ("/v1/chat/completions", "/v1/messages"):
                body = json.loads(body_of(stream=streamed)) | {"model": name, "max_tokens": 9}
                found = ask(gateway, json.dumps(body).encode(), path=path, headers=[("anthropic-version", "2023-06-01")])
                assert found.status == 200 and not cloud.refused, (found.body, cloud.refused)
                request = cloud.mock.requests[-1]
                assert (request.target, request.sni, request.header("host"), request.json["model"]) == (target, MANTLE, MANTLE, UPSTREAMS[dialect])
                assert "/eu-north-1/bedrock-mantle/aws4_request" in request.header("authorization")
    assert len(cloud.mock.requests) == 12
