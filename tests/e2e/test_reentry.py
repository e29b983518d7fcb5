"""
nginx comes back to a request by itself (error_page, subrequests, rewrites) and copies locations (if, limit_except). None of these
is a second request: one decision, no further dispatch, and the answer that was given stands.
"""
import threading
import time

import pytest

import documents
import records
from client import Client, ask, body_of, expect_error, expect_id, get
from gateway import Backend, free_port
from mock_backend import Script, completion, plain, provider_error, send, wait

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def site(make_gateway, mock):
    """
    A started gateway with backends a and b. `location`: what follows `gatehouse on;` in `location /`; more locations stand behind a "}",
    the last of them open.
    """
    def make(location="", **options):
        one, two = mock("127.0.0.21", name="a"), mock("127.0.0.22", name="b")
        gateway = make_gateway([Backend("a", one, read="5s"), Backend("b", two, read="5s")], location=location, **options)
        gateway.one, gateway.two = one, two
        gateway.apply()
        return gateway.start()
    return make


def expect_one_decision(gateway, found, dispatches, verdict="allow"):
    """The record of an answer: one decision, an outcome when it was allowed, and so many dispatches, which the backends saw as well."""
    kinds = ("outcome",) if verdict == "allow" else ("decision",)
    lines = [line["type"] for line in gateway.record(found.id, kinds)]
    assert lines.count("decision") == 1 and lines.count("outcome") == (verdict == "allow"), lines
    assert len(gateway.one.requests) + len(gateway.two.requests) == dispatches
    records.check_all(gateway.audit)


# ---- error_page ----

AGAIN = {"named": "error_page 401 403 404 500 502 503 504 = @again; recursive_error_pages on; } location @again { gatehouse on; gatehouse_tries 3;",
         "named, keeps the status": "error_page 401 403 404 500 502 503 504 @again; } location @again { gatehouse on; gatehouse_tries 3;",
         "by its path": "error_page 401 403 404 500 502 503 504 = /v1/chat/completions; recursive_error_pages on;",
         "to another path": "error_page 401 403 404 500 502 503 504 /v1/completions; } location /v1/completions { gatehouse on; gatehouse_tries 3;"}


@pytest.mark.parametrize("name", AGAIN)
def test_error_page_does_not_dispatch_again(site, name):
    """
    No backend answered within one try, and error_page names a location that is `gatehouse on`, where b could serve. Protects the number of
    tries, the one record of a request, and our error: the answer is not another one's.
    """
    gateway = site("gatehouse_tries 1; " + AGAIN[name])
    gateway.one.play(Script(lambda exchange: exchange.close()))
    found = expect_error(ask(gateway), 503, "no_healthy_backend")
    expect_one_decision(gateway, found, 1)
    line = gateway.outcome(found.id)
    assert line["status"] == 503 and line["code"] == "no_healthy_backend" and [one["deployment"] for one in line["attempts"]] == ["a"]


@pytest.mark.parametrize("name", AGAIN)
def test_error_page_does_not_replace_a_providers_error(site, name):
    """The first backend's 500 was kept, the second is not there: the provider's words are the answer, and nobody is asked again."""
    gateway = site(AGAIN[name])
    gateway.one.play(provider_error(500, "the provider's words"))
    gateway.two.refuse()
    found = ask(gateway)
    assert found.status == 500 and found.error["message"] == "the provider's words", found
    expect_id(found)
    expect_one_decision(gateway, found, 1)
    assert gateway.outcome(found.id)["status"] == 500


@pytest.mark.parametrize("name", AGAIN)
def test_error_page_does_not_get_round_a_refusal(site, name):
    """What was refused here stays refused: a denial by residency, a wrong key, an unknown model, path and method."""
    gateway = site(AGAIN[name])
    denied = documents.residency(documents.allow("nowhere", process=("JP",)))
    gateway.apply(documents.fleet(documents.deployment("a"), documents.deployment("b")), denied, documents.tenants())
    found = expect_error(ask(gateway), 403, "residency_denied")
    expect_one_decision(gateway, found, 0, verdict="deny")
    expect_error(ask(gateway, key="gh_nobody"), 401, "invalid_api_key")
    expect_error(ask(gateway, body_of("nobody")), 404, "model_not_found")
    expect_error(ask(gateway, path="/v1/files"), 404, "unknown_endpoint")
    assert not gateway.one.requests + gateway.two.requests
    records.check_all(gateway.audit)


STATUS = ["=200 /v1/models", "=200 @again", "=404 @again"]


@pytest.mark.parametrize("target", STATUS)
def test_error_page_with_a_status_of_its_own(site, target):
    """An error_page that would make a 200 of a failure: the error stands here too, and the client is told at once, not left to wait."""
    gateway = site(f"gatehouse_tries 1; error_page 502 503 {target}; }} location @again {{ gatehouse on;")
    gateway.one.play(Script(lambda exchange: exchange.close()))
    with Client(gateway.port, timeout=60) as client:
        found = expect_error(client.request(body=body_of(), key=gateway.key()).answer(), 503, "no_healthy_backend")
    expect_one_decision(gateway, found, 1)


@pytest.mark.parametrize("target", STATUS)
def test_error_page_for_a_refusal_before_the_body(site, target):
    """
    The same for a refusal given before the body was read. Protects the connection's framing as well: what is still to come of that body is
    never taken for a request: in front of a proxy that shares connections it would be answered to somebody else.
    """
    gateway = site(f"error_page 401 {target}; }} location @again {{ gatehouse on;")
    inner = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body_of())
    inner += b"Authorization: Bearer " + gateway.key().encode() + b"\r\n\r\n" + body_of()
    with Client(gateway.port, timeout=60) as client:
        expect_error(client.request(body=inner, key="gh_nobody").answer(), 401, "invalid_api_key")
    assert not gateway.one.requests + gateway.two.requests, "a body was taken for a request"
    records.check_all(gateway.audit)


STOCK = "error_page 500 502 503 504 /50x.html;"


@pytest.mark.parametrize("kept", [True, False])
def test_stock_error_page_of_the_http_block(site, kept):
    """
    The line of every packaged nginx.conf, with no location of its own for /50x.html. Protects the kept provider error, and our own: both
    come as they would without the line.
    """
    gateway = site(http=STOCK)
    gateway.two.refuse()
    gateway.one.play(provider_error(500, "the provider's words") if kept else Script(lambda exchange: exchange.close()))
    found = ask(gateway)
    if kept:
        assert found.status == 500 and found.error["message"] == "the provider's words", found
    else:
        expect_error(found, 503, "no_healthy_backend")
    expect_one_decision(gateway, found, 1)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_stock_error_page_with_its_location(site, kept, there, tmp_path_factory):
    """
    The same with the location that the default server of nginx has for it, its page there or not. Every answer of a `gatehouse on` location
    is in the dialect and has its id: a client library cannot read a page.
    """
    directory = tmp_path_factory.mktemp("html", numbered=True)
    for one in (directory, *directory.parents[:2]):
        one.chmod(0o755)
    if there:
        (directory / "50x.html").write_text("<html>An error occurred.</html>")
    gateway = site(f"}} {STOCK} location = /50x.html {{ root {directory};")
    gateway.two.refuse()
    gateway.one.play(provider_error(500, "the provider's words") if kept else Script(lambda exchange: exchange.close()))
    found = ask(gateway)
    if kept:
        assert found.status == 500 and b"the provider's words" in found.body, found
        expect_id(found)
    else:
        expect_error(found, 503, "no_healthy_backend")
    expect_one_decision(gateway, found, 1)
    assert gateway.outcome(found.id)["status"] == found.status


def test_stock_error_page_leaves_good_answers_alone(site):
    """And an error of a last backend, which passes as an answer, is not replaced by a page either."""
    gateway = site(http=STOCK, location="gatehouse_tries 1;")
    assert ask(gateway).json["choices"]
    gateway.one.play(provider_error(503, "the provider's words"))
    found = ask(gateway)
    assert found.status == 503 and found.error["message"] == "the provider's words", found
    expect_one_decision(gateway, found, 2)


# ---- subrequests ----

def expect_outcome_at_the_end(gateway):
    """One request while its backend waits: no outcome before the answer, one whole outcome after it. Returns the answer."""
    release = threading.Event()
    gateway.one.play(Script(wait(release), send(plain(200, completion("hello")))))
    with Client(gateway.port) as client:
        client.request(body=body_of(), key=gateway.key())
        gateway.one.wait_requests(1)
        time.sleep(0.2)
        assert [line["type"] for line in gateway.record(kinds=()) if "id" in line] == ["decision"]
        release.set()
        found = client.answer()
    assert found.status == 200, found
    line = gateway.outcome(found.id)
    assert line["status"] == 200 and line["end"] == "complete" and line["usage"]["output"] == 7, line
    return found


def test_mirror_that_is_logged(site):
    """
    A mirror's subrequest is over, and logged, long before its request. Protects the outcome: written once, at the end, with the usage.
    """
    port = free_port()
    gateway = site(f"mirror /mirrored; mirror_request_body off; log_subrequest on; }} location = /mirrored {{ internal; log_subrequest on; "
                   f"proxy_pass http://127.0.0.1:{port};", http=f"server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}")
    expect_one_decision(gateway, expect_outcome_at_the_end(gateway), 1)


@pytest.mark.parametrize("body", ["on", "off"])
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/embeddings", "/mirrored"])
def test_mirror_to_a_gatehouse_location(site, target, body):
    """A mirror into `gatehouse on` reaches no backend: content goes out only for a request that was decided and recorded."""
    more = " } location = /mirrored { gatehouse on; log_subrequest on;" if target == "/mirrored" else ""
    gateway = site(f"mirror {target}; mirror_request_body {body}; log_subrequest on;{more}")
    found = expect_outcome_at_the_end(gateway)
    assert found.json == completion("hello")
    expect_one_decision(gateway, found, 1)


@pytest.mark.parametrize("place", ["add_after_body", "add_before_body"])
def test_added_body_from_a_gatehouse_location(site, place):
    """An added subrequest reaches no backend either, and what it is refused with is not this request's status or record."""
    gateway = site(f"}} location = /v1/models {{ gatehouse on; {place} /v1/chat/completions; addition_types application/json; log_subrequest on;")
    found = get(gateway, "/v1/models", gateway.key())
    assert found.status == 200 and found.whole and b'"object":"list"' in found.body, found
    time.sleep(0.1)
    assert not gateway.one.requests + gateway.two.requests
    assert not [line for line in gateway.record(kinds=()) if line["type"] != "segment"]


def test_added_body_behind_a_dispatch(site):
    """The same behind an answer that was dispatched: one dispatch, one decision, one outcome at the end."""
    gateway = site("add_after_body /v1/chat/completions; addition_types application/json; log_subrequest on;")
    found = ask(gateway)
    assert found.status == 200 and found.body.startswith(b'{"id": "chatcmpl-1"'), found
    expect_one_decision(gateway, found, 1)
    assert gateway.outcome(found.id)["usage"]["output"] == 7


def test_subrequest_before_the_request(site):
    """auth_request asks a plain location first: the request that it lets through is served and recorded as any other."""
    gateway = site("auth_request /let; log_subrequest on; } location = /let { internal; log_subrequest on; return 204;")
    expect_one_decision(gateway, expect_outcome_at_the_end(gateway), 1)


# ---- what the operator's own words answer ----

@pytest.mark.parametrize("code, target, expected", [(302, "/x", "/x"), (301, "https://elsewhere.test/v1", "https://elsewhere.test/v1"), (307, "/x", "/x"), (308, "/x", "/x")])
def test_return_keeps_its_redirect(site, code, target, expected):
    """`return 302` in a location that is `gatehouse on`: status and Location are the operator's, and nothing is dispatched or recorded."""
    gateway = site(f"return {code} {target};")
    found = ask(gateway)
    assert found.status == code and len(found.all("location")) == 1 and found.header("location").endswith(expected), found
    expect_id(found)
    assert not gateway.one.requests and not [line for line in gateway.record(kinds=()) if line["type"] not in ("segment", "change")]


def test_redirect_of_the_server(site):
    """A rewrite in the server block comes before any location: its redirect stands as well."""
    gateway = site("} if ($http_x_redirect) { return 301 https://elsewhere.test/; } location /unused {")
    with Client(gateway.port) as client:
        found = client.request(body=body_of(), key=gateway.key(), headers=[("X-Redirect", "1")]).answer()
    assert found.status == 301 and found.header("location") == "https://elsewhere.test/", found
    assert not gateway.one.requests and ask(gateway).status == 200


# ---- copies of a location ----

def test_if_inside_of_a_location(site):
    """
    nginx makes a location of every `if` block. Protects what was set outside of it: the request is identified, decided and dispatched as
    without the block, with the location's own settings.
    """
    gateway = site("gatehouse_tries 1; if ($http_x_flag) { set $flag 1; }")
    for headers in ([], [("X-Flag", "1")]):
        gateway.one.clear()
        found = ask(gateway, headers=headers)
        assert found.status == 200 and found.json["choices"], found
        expect_one_decision(gateway, found, 1)
        expect_error(ask(gateway, key="gh_nobody", headers=headers), 401, "invalid_api_key")
        gateway.one.play(provider_error(503, "only one try"))
        assert ask(gateway, headers=headers).error["message"] == "only one try" and not gateway.two.requests


def test_if_that_refuses(site):
    """A `return 403` inside: in our shape, without a dispatch; others are served."""
    gateway = site("if ($http_x_block) { return 403; }")
    expect_error(ask(gateway, headers=[("X-Block", "1")]), 403, "forbidden")
    assert not gateway.one.requests
    found = ask(gateway)
    assert found.status == 200
    expect_one_decision(gateway, found, 1)


def test_limit_except_that_allows(site):
    """A method that limit_except lets through is served and refused as without the block."""
    gateway = site("limit_except POST { allow all; }")
    found = get(gateway, "/v1/models", gateway.key())
    assert found.status == 200 and [one["id"] for one in found.json["data"]] == ["m"], found
    expect_error(get(gateway, "/v1/models"), 401, "invalid_api_key")
    expect_error(get(gateway, "/v1/chat/completions", gateway.key(), method="DELETE"), 405, "method_not_allowed")
    found = ask(gateway)
    assert found.status == 200
    expect_one_decision(gateway, found, 1)


def test_limit_except_that_denies(site):
    """What it denies is a 403 in our shape; what it does not speak of is served."""
    gateway = site("limit_except POST { deny all; }")
    expect_error(get(gateway, "/v1/models", gateway.key()), 403, "forbidden")
    refused = get(gateway, "/v1/chat/completions", gateway.key(), method="DELETE")
    expect_error(refused, refused.status, "forbidden", "method_not_allowed")
    assert refused.status in (403, 405) and not gateway.one.requests
    found = ask(gateway)
    assert found.status == 200
    expect_one_decision(gateway, found, 1)


def test_limit_except_of_post(site):
    """Dispatches that are the exception: POST goes through the copy of the location."""
    gateway = site("gatehouse_tries 1; limit_except GET { allow all; }")
    found = ask(gateway)
    assert found.status == 200 and found.json["choices"], found
    expect_one_decision(gateway, found, 1)
    gateway.one.play(provider_error(503, "only one try"))
    assert ask(gateway).error["message"] == "only one try" and not gateway.two.requests
