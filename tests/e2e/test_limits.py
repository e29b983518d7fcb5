"""Limits of tenants/1: each dimension, window, class and level, and what clients are told."""
import concurrent.futures
import threading
import time

import openai
import pytest

from client import ask, body_of, expect_error, get, until
from documents import deployment, fleet, residency
from gateway import Backend
from limits import FREE, PRICE, Tenant, cost, limit, not_at_the_end_of, observed, priced, settled, small
from mock_backend import answer, completion, provider_error
from usage_shapes import shaped

HELLO = [{"role": "user", "content": "hello, world"}]
ECHO = {"input": 11, "output": 7, "tokens": 18, "micro-dollars": cost(11, 7, 3), "requests": 1}     # what the mock reports


@pytest.fixture(autouse=True)
def nothing_left(world):
    yield
    settled(world.gateway)


def client_of(tenant, **more):
    return openai.OpenAI(api_key=tenant.key, base_url=f"http://127.0.0.1:{tenant.gateway.port}/v1", timeout=60, **{"max_retries": 0, **more})


HOLDS = {}


def hold_of(world, dimension, kind):
    """What the small request holds of a limit, by its decision's line."""
    if kind not in HOLDS:
        each = [limit(name, 10 ** 12, kind) for name in ("requests", "tokens", "input", "output", "micro-dollars")]
        tenant = Tenant(world, *each)
        HOLDS[kind] = {one["dimension"]: one["amount"] for one in tenant.reserve(tenant.ask(small()))["limits"]}
    return HOLDS[kind][dimension]


WINDOWS = [("requests", "minute"), ("requests", "day"), ("tokens", "minute"), ("tokens", "day"), ("tokens", "month"), ("input", "minute"), ("input", "day"),
           ("input", "month"), ("output", "minute"), ("output", "day"), ("output", "month"), ("micro-dollars", "day"), ("micro-dollars", "month"),
           ("micro-dollars", None)]


@pytest.mark.parametrize("kind", ["budget", "rate"])
@pytest.mark.parametrize("dimension, per", WINDOWS, ids=lambda one: one or "ever")
def test_dimension_and_window(world, dimension, per, kind):
    """As many as fit: each holds its bound, and what was settled before is what the backend reported."""
    if kind == "rate" and per is None:
        pytest.skip("tenants/1 refuses it")
    if per == "minute":
        not_at_the_end_of(60)
    amount = 2 * ECHO[dimension] + hold_of(world, dimension, kind)
    tenant = Tenant(world, limit(dimension, amount, kind, per))
    for number in (1, 2, 3):
        found = tenant.ask(small())
        assert found.status == 200 and tenant.used(found) == {dimension: number * ECHO[dimension]}
    refused = tenant.ask(small())
    expect_error(refused, 429, "rate_limit_exceeded" if per == "minute" else "insufficient_quota")
    assert refused.header("x-should-retry") == ("true" if per == "minute" else "false")
    assert per is None or 0 < float(refused.header("retry-after")) and abs(float(refused.header("retry-after")) * 1000 - int(refused.header("retry-after-ms"))) < 1000
    assert per != "minute" or int(refused.header("retry-after-ms")) <= 60000
    line = tenant.lines(refused, "decision")[0]
    assert (line["verdict"], line["code"], line["limit"]["dimension"], line["limit"]["limit"]) == ("deny", refused.error["code"], dimension, amount)
    assert len(world.b1.requests) == 3 and tenant.used(found) == {dimension: 3 * ECHO[dimension]}
    if dimension == "requests":
        assert refused.header("x-ratelimit-limit-requests") == str(amount) and refused.header("x-ratelimit-remaining-requests") == "0"
    if dimension == "tokens":
        assert refused.header("x-ratelimit-remaining-tokens") == str(amount - 3 * 18)


def test_requests_a_second(world):
    """The window ends: the SDK waits as long as it is told, and no longer. Until two requests came within one second, which a busy machine may keep them from."""
    tenant = Tenant(world, limit("requests", 1, "rate", "second"))
    sdk = client_of(tenant, max_retries=2)
    for _ in range(60):
        not_at_the_end_of(1, 0.5)
        begin = time.monotonic()
        for _ in range(2):
            assert sdk.chat.completions.create(model="m", messages=HELLO).choices
        assert time.monotonic() - begin < 30
        lines = [line for line in tenant.gateway.record() if line["type"] == "decision" and line["tenant"] == tenant.name]
        seconds = [line["t"] // 1000 for line in lines if line["verdict"] == "allow"]
        assert len(set(seconds)) == len(seconds)
        if len(lines) > len(seconds):
            break
    assert [line["verdict"] for line in lines[-3:]] == ["allow", "deny", "allow"]


@pytest.mark.parametrize("dimension", ["in-flight", "streams"])
def test_at_a_time(world, dimension):
    """Eight at once where three may be: three reach the backend, and what they held comes back."""
    tenant, go = Tenant(world, limit(dimension, 3, "rate"), limit("requests", 1000)), threading.Event()
    streamed = dimension == "streams"

    def held(request):
        assert request.json["messages"][0]["content"] == "passes" or go.wait(60)
        return shaped("plain", prompt=9)(request)
    world.b1.always(held)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(tenant.ask, small(stream=streamed)) for _ in range(8)]
        until(lambda: sum(one.done() for one in asked) >= 5)
        refused = [one.result() for one in asked if one.done()]
        assert len(refused) == 5 and len(world.b1.wait_requests(3)) == 3
        if streamed:
            assert tenant.ask(small("passes")).status == 200        # it is none
        go.set()
        served = [one.result() for one in asked if one.result() not in refused]
    for one in refused:
        expect_error(one, 429, "rate_limit_exceeded")
        assert one.header("x-should-retry") == "true"
    assert [one.status for one in served] == [200] * 3
    settled(world.gateway)
    assert tenant.used(served[0]) == {dimension: 0, "requests": 4 if streamed else 3}
    assert tenant.ask(small(stream=streamed)).status == 200


@pytest.mark.parametrize("level", ["organisation", "tenant", "app", "key"])
def test_level(world, level):
    """What one level has used is used for everything below it, and for nothing beside it."""
    seen = Tenant(world, limit("requests", 10 ** 12), at=level)
    before = seen.used(seen.ask(small()))["requests"] if level == "organisation" else 0
    tenant = Tenant(world, limit("requests", before + 2), at=level)
    other = tenant.gateway.key(f"acme/{tenant.name}/app", name="other")
    assert [ask(tenant.gateway, small(), key).status for key in (tenant.key, other)] == [200, 200]
    if level == "key":
        assert [ask(tenant.gateway, small(), key).status for key in (tenant.key, other)] == [200, 200]
    for key in (tenant.key, other):
        refused = ask(tenant.gateway, small(), key)
        expect_error(refused, 429, "insufficient_quota")
        assert tenant.lines(refused, "decision")[0]["limit"]["level"] == level
    assert ask(tenant.gateway, small(), tenant.gateway.key("acme/blue/app")).status == (429 if level == "organisation" else 200)


def test_model(world):
    tenant = Tenant(world, limit("requests", 1, model="m"), limit("tokens", 300, model="m"), models=("m", "o"))
    assert [tenant.ask(small(model=model)).status for model in ("m", "o", "o")] == [200, 200, 200]
    refused = tenant.ask(small())
    expect_error(refused, 429, "insufficient_quota")
    assert " for model m " in refused.error["message"] and len(world.b1.requests) == 3


def test_shadow(world):
    """Counts, is marked, and refuses nobody; clients hear nothing of it."""
    tenant = Tenant(world, limit("requests", 1, "shadow"), limit("tokens", 1, "shadow"))
    for number in (1, 2):
        found = tenant.ask(small())
        assert found.status == 200 and not [name for name, _ in found.headers if name.startswith("x-ratelimit")]
    decision, outcome = tenant.lines(found)
    assert outcome["shadowed"] is True and {one["dimension"] for one in decision["reserve"]["limits"] if one.get("shadowed")} == {"requests", "tokens"}
    assert tenant.used(found) == {"requests": 2, "tokens": 36}


def test_all_or_none(world):
    """What the last of them refuses is charged to none."""
    not_at_the_end_of(60)
    tenant = Tenant(world, limit("requests", 10), limit("in-flight", 5, "rate"), limit("input", 1000), limit("tokens", 200, "budget", "minute"))
    seen = tenant.ask(small("x", max_completion_tokens=1))
    assert seen.status == 200
    before = tenant.used(seen)
    expect_error(tenant.ask(small(max_completion_tokens=4000)), 429)
    assert tenant.used(seen) == before and len(world.b1.requests) == 1


def test_the_sdk_does_not_come_back_in_vain(world):
    tenant = Tenant(world, limit("micro-dollars", 1, per=None))
    with pytest.raises(openai.RateLimitError) as caught:
        client_of(tenant, max_retries=2).chat.completions.create(model="m", messages=HELLO)
    assert caught.value.code == "insufficient_quota" and caught.value.response.headers["x-should-retry"] == "false"
    assert len([line for line in tenant.gateway.record() if line["type"] == "decision" and line["tenant"] == tenant.name]) == 1
    assert not world.contacted()


def test_full_with_nothing_spent(world):
    """Held is not spent: what runs fills the budget, and gives back what it did not use."""
    hold = hold_of(world, "micro-dollars", "budget")
    tenant, go = Tenant(world, limit("micro-dollars", hold + hold // 2)), threading.Event()
    world.b1.play(lambda request: answer(200, completion("x")) if go.wait(60) else None)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        runs = pool.submit(tenant.ask, small())
        world.b1.wait_requests(1)
        refused = tenant.ask(small())
        expect_error(refused, 429, "rate_limit_exceeded")       # what runs gives it back
        go.set()
        assert runs.result().status == 200
    found = tenant.ask(small())
    assert found.status == 200 and tenant.used(found) == {"micro-dollars": 2 * ECHO["micro-dollars"]}


def test_more_than_the_limit_alone(world):
    tenant = Tenant(world, limit("tokens", 50, "budget", "minute"))
    refused = tenant.ask(small(max_completion_tokens=1000))
    expect_error(refused, 429, "insufficient_quota")
    assert refused.header("x-should-retry") == "false" and "max_completion_tokens" in refused.error["message"]


def test_a_free_model_does_not_fall_back_to_a_paid_one(world):
    """The money limit admits the free one alone; when that fails nothing else is asked."""
    tenant = Tenant(world, *observed(micro_dollars=5), prices={"b1": FREE, "b2": PRICE})
    world.b1.play(provider_error(503))
    refused = tenant.ask(small())
    expect_error(refused, 429, "insufficient_quota")
    assert world.contacted() == ["b1"] and refused.header("x-ratelimit-remaining-micro-dollars") == "5"
    outcome = tenant.lines(refused)[1]
    assert outcome["status"] == 429 and [(one.get("status"), one.get("error")) for one in outcome["attempts"]] == [(503, None), (None, "insufficient_quota")]
    assert outcome["charged"] == {"requests": 1, "input": 0, "output": 0, "tokens": 0, "micro_dollars": 0}
    tenant.expect(refused, 1, 0, 0, 0)


def test_a_free_model_falls_back_to_a_paid_one_that_is_paid_for(world):
    tenant = Tenant(world, *observed(), prices={"b1": FREE, "b2": PRICE})
    world.b1.play(provider_error(503))
    found = tenant.ask(small())
    assert found.status == 200 and world.contacted() == ["b1", "b2"]
    lines = tenant.gateway.record(found.id)
    attempt = next(line for line in lines if line["type"] == "attempt")
    assert attempt["reserve"]["micro_dollars"] > 0 == lines[0]["reserve"]["micro_dollars"] and attempt["reserve"]["deployment"].startswith("b2-")
    assert [one["charged"]["source"] for one in lines[-1]["attempts"]] == ["nothing", "reported"]
    tenant.expect(found, 1, 11, 7, ECHO["micro-dollars"])


def test_a_target_too_dear_is_passed_over(world):
    """Within the eligible set, and it is said."""
    tenant = Tenant(world, *observed(micro_dollars=5), prices={"b1": PRICE, "b2": FREE})
    found = tenant.ask(small())
    assert found.status == 200 and world.contacted() == ["b2"]
    decision, outcome = tenant.lines(found)
    assert decision["reserve"]["deployment"].startswith("b2-")
    assert [(one["deployment"][:2], one.get("error")) for one in outcome["attempts"]] == [("b1", "insufficient_quota"), ("b2", None)]
    tenant.expect(found, 1, 11, 7, 0)


def test_unpriced(world):
    """Not known is not 0."""
    tenant = Tenant(world, limit("micro-dollars", 10 ** 9), prices={"b1": None})
    refused = tenant.ask(small())
    expect_error(refused, 403, "unpriced_model")
    assert refused.header("x-should-retry") == "false" and not world.contacted()
    assert tenant.lines(refused, "decision")[0]["code"] == "unpriced_model"
    tenant = Tenant(world, limit("micro-dollars", 10 ** 9), prices={"b1": None, "b2": PRICE})
    assert tenant.ask(small()).status == 200 and world.contacted() == ["b2"]


REPORTED = {"zero": (0, 0, 0), "zero_output": (50, 0, 0), "plain": (50, 9, 0), "cached_inside": (50, 9, 50), "null_details": (50, 9, 0)}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("report", [*REPORTED, "none", "null", "negative", "absurd", "strings"])
def test_usage(world, report, streamed):
    """What is reported is charged, were it 0; what cannot be is counted from what came, and marked."""
    tenant = Tenant(world, *observed())
    world.b1.always(shaped(report, text="x" * 40, prompt=50, completion=9))
    found = tenant.ask(small(stream=streamed))
    assert found.status == 200
    outcome = tenant.lines(found)[1]
    if report in REPORTED:
        prompt, output, cached = REPORTED[report]
        assert outcome["usage"]["source"] == "reported"
        return tenant.expect(found, 1, prompt, output, cost(prompt, output, cached))
    assert outcome["usage"]["source"] == outcome["attempts"][0]["charged"]["source"] == "counted"
    assert outcome["charged"]["output"] >= 10 and outcome["charged"]["input"] > 0
    charged = outcome["charged"]
    tenant.expect(found, 1, charged["input"], charged["output"], cost(charged["input"], charged["output"]))


def test_more_than_was_reserved(world):
    """The truth is charged, and named."""
    tenant = Tenant(world, *observed())
    world.b1.always(shaped("plain", prompt=50, completion=900))
    found = tenant.ask(small())
    assert tenant.lines(found)[1]["over_reserved"] is True and "incident over_reserved: request " + found.id in tenant.gateway.errors()
    tenant.expect(found, 1, 50, 900, cost(50, 900))


ANSWERS = {
    "plain": (200, lambda tenant: tenant.ask(small())), "stream": (200, lambda tenant: tenant.ask(small(stream=True))),
    "provider's error": (400, lambda tenant: tenant.ask(small("fail"))), "provider's 429": (429, lambda tenant: tenant.ask(small("busy"))),
    "models": (200, lambda tenant: get(tenant.gateway, "/v1/models", tenant.key)),
    "unknown model": (404, lambda tenant: tenant.ask(small(model="nobody"))), "no JSON": (400, lambda tenant: tenant.ask(b"{")),
    "no content type": (415, lambda tenant: tenant.ask(small(), kind="text/plain")), "broken": (503, lambda tenant: tenant.ask(small("break")))}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_left_stands_on_every_answer(world, name):
    """And never what the provider says of its own."""
    tenant, (status, run) = Tenant(world, limit("requests", 100), limit("tokens", 10000)), ANSWERS[name]
    foreign = [("x-ratelimit-limit-requests", "7"), ("x-ratelimit-remaining-tokens", "7"), ("x-ratelimit-reset-tokens", "7ms")]

    def play(request):
        text = request.json["messages"][0]["content"]
        if text == "break":
            return answer(302, b"", foreign)
        if text in ("fail", "busy"):
            return provider_error(400 if text == "fail" else 429, headers=foreign)
        return shaped("plain", prompt=11)(request) if request.json.get("stream") else answer(200, completion("x"), foreign)
    world.b1.always(play)
    found = run(tenant)
    assert found.status == status, found
    admitted = name != "models"
    assert found.all("x-ratelimit-limit-requests") == ["100"] and found.all("x-ratelimit-limit-tokens") == ["10000"], found
    assert found.all("x-ratelimit-remaining-requests") == ["99" if admitted else "100"] and len(found.all("x-ratelimit-remaining-tokens")) == 1, found
    assert "h" in found.header("x-ratelimit-reset-requests") or "m" in found.header("x-ratelimit-reset-requests")


def test_refused_answers_say_so_too(world):
    tenant = Tenant(world, limit("requests", 0), limit("tokens", 1000))
    found = tenant.ask(small())
    assert found.header("x-ratelimit-limit-requests") == found.header("x-ratelimit-remaining-requests") == "0"
    assert found.header("x-ratelimit-remaining-tokens") == "1000"


def test_keys_without_limits_hear_nothing_of_any(world):
    world.b1.always(answer(200, completion("x"), [("x-ratelimit-remaining-tokens", "5")]))
    assert not [name for name, _ in ask(world.gateway, small()).headers if name.startswith("x-ratelimit")]


def test_output_is_capped_at_the_backend(world):
    """By a budget: the model's most, unless the client asks for less; by tenants/1's max_output in any case."""
    tenant = Tenant(world, limit("tokens", 10 ** 9))
    for asked, sent in (({}, 4096), ({"max_completion_tokens": 9}, 9), ({"max_tokens": 9000}, 4096)):
        world.b1.requests.clear()
        assert tenant.ask(body_of(**asked)).status == 200
        arrived = world.b1.requests[0].json
        assert {arrived.get("max_tokens"), arrived.get("max_completion_tokens")} - {None} == {sent}, arrived
    tenant = Tenant(world, max_output=50)
    assert tenant.ask(body_of()).status == 200 and 50 in (world.b1.requests[0].json.get("max_tokens"), world.b1.requests[0].json.get("max_completion_tokens"))
    tenant = Tenant(world)
    assert tenant.ask(body_of()).status == 200 and world.b1.requests[0].body == body_of()


def test_variables(world):
    tenant = Tenant(world, *observed())
    found = tenant.ask(small())
    settled(world.gateway)
    line = next(one for one in (tenant.gateway.prefix / "access.log").read_text().splitlines() if found.id in one).split()
    assert [line[7], line[8], line[-1]] == ["11", "7", str(ECHO["micro-dollars"])], line


@pytest.mark.sanitizer
def test_eight_first_requests_of_a_new_key_at_once(mock, make_gateway):
    """Nobody has counted anything yet, three workers look at once: the budget holds."""
    backend = mock("127.0.0.8")
    gateway = make_gateway([Backend("b1", backend)], workers=3)
    limits = [limit("tokens", 10 ** 6), limit("micro-dollars", 170), limit("requests", 100)]
    gateway.apply(fleet(deployment("b1", models={"m": priced(PRICE)})), residency(),
                  {"kind": "tenants/1", "organisations": [{"id": "acme", "tenants": [
                      {"id": "red", "models": ["*"], "audit": "required", "limits": limits, "apps": [{"id": "app"}]}]}]})
    gateway.start()
    for turn in range(4):
        backend.clear()
        backend.always(shaped("plain", prompt=60, completion=20))
        key = gateway.key(name=f"new-{turn}")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(gateway, small(), key), range(8)))
        served = [one for one in answers if one.status == 200]
        assert len(served) == len(backend.requests) == (1 if turn == 0 else 0), answers
        for one in answers:
            if one not in served:
                expect_error(one, 429, *(["rate_limit_exceeded"] if turn == 0 else []), "insufficient_quota")   # held by the one that runs, or used
    settled(gateway)
