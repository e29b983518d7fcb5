"""Issuers' keys that the agent fetches: who has none, rotation under load, what is taken away, and nothing that fails open."""
import json
import os
import threading
import time

import pytest

from agent import Agent, modified, until
from client import ask, expect_error
from documents import allow, deployment, fleet, residency, tenants
from gateway import Backend
from issuer import Issuer


@pytest.fixture
def site(make_gateway, mock):
    """A gateway, an issuer with the key "a", an agent that is not started; site.apply(jwks_uri=...) says where the keys are."""
    gateway = make_gateway([Backend("b1", mock("127.0.0.62", name="b1"))])
    gateway.issuer, gateway.agent = Issuer(), Agent(gateway)
    gateway.issuer.make("a")
    gateway.file = gateway.home / "agent" / "keys" / "acme.login.json"

    def place(check=True, **where):
        return gateway.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"]), classes=("public", "secret")), tenants(),
                             gateway.issuer.document(**where), check=check)
    gateway.place = place
    yield gateway
    gateway.agent.close()
    gateway.issuer.close()


def status(site, token):
    return ask(site, key=token).status


def test_keys_come_from_the_agent_alone(site):
    """Without it there are none, which is 503 and not 401; with it they are there within a second; workers never ask the issuer."""
    site.place(jwks_uri=f"{site.issuer.url}/jwks")
    site.start()
    token = site.issuer.token("a")
    refused = ask(site, key=token)
    expect_error(refused, 503, "identity_unavailable")
    assert "have not been fetched yet" in refused.json["error"]["message"] and site.issuer.asked == []
    site.agent.start()
    until(lambda: status(site, token) == 200)
    assert [path for _, path in site.issuer.asked] == ["/jwks"]
    assert site.file.stat().st_mode & 0o777 == 0o640 and site.agent.lines("keys of an issuer were fetched")
    site.agent.kill()
    assert status(site, token) == 200 and status(site, site.issuer.token("a", jti="2")) == 200
    expect_error(ask(site, key=site.issuer.token("a") [:-4] + "AAAA"), 401, "invalid_token")
    # what is too old counts no more, whether the token is known or not; the agent fetches again, and it is known again
    kept = json.loads(site.file.read_text())
    site.file.with_name(".old").write_text(json.dumps({**kept, "until": int(time.time() * 1000) - 1}))
    os.chmod(site.file.with_name(".old"), 0o644)
    site.file.with_name(".old").rename(site.file)
    until(lambda: status(site, site.issuer.token("a", jti="3")) == 503)
    site.agent.start()
    until(lambda: status(site, token) == 200)


def test_rotation_under_load(site):
    """The issuer publishes the next key, signs with it, and takes the last one away, again and again: nobody who waits for the key to be there is refused."""
    site.issuer.age = 60
    site.place(discovery=f"{site.issuer.url}/.well-known/openid-configuration", keys_max_age_seconds=600)
    site.start()
    site.agent.start()
    until(lambda: status(site, site.issuer.token("a")) == 200)
    stop, refused, served, current = threading.Event(), [], [], ["a"]

    turns = [0, 0]

    def load(number):
        while not stop.is_set():
            answer = ask(site, key=site.issuer.token(current[0]))
            (served if answer.status == 200 else refused).append(answer.status)
            turns[number] += 1
            time.sleep(0.01)
    runners = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for one in runners:
        one.start()
    for turn in range(3):
        fresh, old = site.issuer.make(f"k{turn}"), current[0]
        site.agent.process.send_signal(1)                       # in place of a minute's wait
        until(lambda: status(site, site.issuer.token(fresh)) == 200)
        current[0] = fresh
        begun = list(turns)
        until(lambda: all(now >= then + 2 for now, then in zip(turns, begun)))      # what was signed with the last one is through
        site.issuer.published.remove(old)
        site.agent.process.send_signal(1)
        until(lambda: status(site, site.issuer.token(old)) == 401)
    stop.set()
    for one in runners:
        one.join()
    assert refused == [] and len(served) > 30


def test_an_unknown_key_is_asked_for(site):
    """A token with a key that nobody knows yet makes the agent look, at most every five seconds, whatever is sent."""
    site.issuer.age = 3600
    site.place(jwks_uri=f"{site.issuer.url}/jwks")
    site.start()
    site.agent.start()
    until(lambda: status(site, site.issuer.token("a")) == 200)
    site.issuer.make("b")
    until(lambda: status(site, site.issuer.token("b")) == 200)
    site.issuer.make("rogue", publish=False)
    before, begun = len(site.issuer.asked), time.monotonic()
    for turn in range(40):
        assert status(site, site.issuer.token("rogue", jti=str(turn))) == 401
    time.sleep(0.5)
    assert len(site.issuer.asked) - before <= 1 + (time.monotonic() - begun) // 5


def test_what_is_no_set_of_keys_changes_nothing(site):
    """Errors, rubbish, other issuers' metadata and sets that are too large leave the last keys as they were."""
    site.place(discovery=f"{site.issuer.url}/.well-known/openid-configuration")
    site.start()
    site.agent.start()
    until(lambda: status(site, site.issuer.token("a")) == 200)
    before = modified(site.file)
    issuer = site.issuer
    for trouble in ({"status": 500}, {"body": b"{\"keys\":[]}"}, {"body": b"<html>"}, {"body": b"[" * 300000},
                    {"metadata": {**issuer.metadata, "issuer": issuer.url + "/"}}, {"metadata": {"issuer": issuer.url}}):
        kept = {name: getattr(issuer, name) for name in trouble}
        for name, value in trouble.items():
            setattr(issuer, name, value)
        count = len(site.agent.lines("keys of an issuer cannot be fetched; the last ones count for now"))
        site.agent.process.send_signal(1)
        until(lambda: len(site.agent.lines("keys of an issuer cannot be fetched; the last ones count for now")) > count)
        assert status(site, issuer.token("a", jti=next(iter(trouble)))) == 200
        for name, value in kept.items():
            setattr(issuer, name, value)
        good = len(site.agent.lines("keys of an issuer can be fetched again"))
        site.agent.process.send_signal(1)
        until(lambda: len(site.agent.lines("keys of an issuer can be fetched again")) > good)
    assert modified(site.file) == before


def test_a_file_of_keys_and_another_place(site):
    """`jwks_file`: read again when it changes. An issuer whose document names another place has no keys until they were fetched from there."""
    (site.secrets / "jwks").mkdir()
    (site.secrets / "jwks" / "login.json").write_text(json.dumps(site.issuer.jwks()))
    site.place(jwks_file="login.json")
    site.start()
    site.agent.start()
    until(lambda: status(site, site.issuer.token("a")) == 200)
    site.issuer.make("b")
    (site.secrets / "jwks" / "login.json").write_text(json.dumps(site.issuer.jwks()))
    until(lambda: status(site, site.issuer.token("b")) == 200)
    site.issuer.status = 500
    site.place(jwks_uri=f"{site.issuer.url}/jwks")
    assert status(site, site.issuer.token("a")) == 503
    site.issuer.status = 200
    until(lambda: status(site, site.issuer.token("a")) == 200)
    site.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"]), classes=("public", "secret")), tenants())
    until(lambda: not site.file.exists())
    expect_error(ask(site, key=site.issuer.token("a")), 401, "invalid_api_key")


@pytest.mark.parametrize("place, said", [
    ({}, "says where its keys are"),
    ({"jwks_uri": "https://a.example/jwks", "keys": {"keys": []}}, "an issuer's keys are in one place"),
    ({"jwks_uri": "http://a.example/jwks"}, "begins with https://"),
    ({"jwks_uri": "http://127.0.0.1.example/jwks"}, "begins with https://"),
    ({"jwks_uri": "http://169.254.169.254/latest/meta-data"}, "begins with https://"),
    ({"jwks_uri": "https://user@a.example/jwks"}, "begins with https://"),
    ({"jwks_uri": "https:///jwks"}, "begins with https://"),
    ({"discovery": "file:///etc/passwd"}, "begins with https://"),
    ({"jwks_file": "../store.key"}, "is the name of a file in SECRETS/jwks"),
    ({"jwks_file": "/etc/passwd"}, "is the name of a file in SECRETS/jwks"),
    ({"jwks_uri": "https://a.example/jwks", "keys_max_age_seconds": 5}, "a whole number from 60"),
    ({"keys": {"keys": []}, "keys_max_age_seconds": 600}, "is of keys that are fetched"),
    ({"jwks_url": "https://a.example/jwks"}, 'did you mean "jwks_uri"'),
])
def test_places_that_are_refused(site, place, said):
    done = site.place(check=False, **place)
    assert done.returncode == 1 and said in done.stdout + done.stderr, done.stdout + done.stderr
