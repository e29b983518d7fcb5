"""Tokens that an organisation's own issuer signed: who they are for, and what ends them. A second library makes them."""
import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import records
from client import Client, ask, body_of, expect_error, until
from documents import allow, deployment, fleet, residency, tenants
from gateway import Backend

pytestmark = pytest.mark.sanitizer
ISS, AUD = "https://login.example", "api://gatehouse"
KEYS = {kid: ec.generate_private_key(ec.SECP256R1()) for kid in ("a", "b")}


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()


def jwk(kid):
    public = KEYS[kid].public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "x": number(public.x), "y": number(public.y)}


def identity(*kids, apps=None, **more):
    return {"kind": "identity/1", "organisation": "acme", "issuers": [
        {"id": "login", "issuer": ISS, "audiences": [AUD], "algorithms": ["ES256"], "skew_seconds": 0, "keys": {"keys": [jwk(kid) for kid in kids or ("a",)]},
         "user": "sub", "apps": apps or [{"when": {"azp": "red-client"}, "app": "red/app"}, {"when": {"azp": "blue-client"}, "app": "blue/app"}],
         "classes": [{"when": {"groups": "secret"}, "classes": ["secret"]}], **more}]}


def token(kid="a", seconds=600, **more):
    claims = {"iss": ISS, "aud": AUD, "sub": "anna", "azp": "red-client", "exp": time.time() + seconds, **more}
    return jwt.encode(claims, KEYS[kid], algorithm="ES256", headers={"kid": kid})


@pytest.fixture
def login(make_gateway, mock):
    """A gateway with one backend that knows issuers; apply(identity document) changes them."""
    backend = mock("127.0.0.11", name="b1")
    gateway = make_gateway([Backend("b1", backend)])
    gateway.backend = backend

    def apply(*found, more=(), **options):
        gateway.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"]), classes=("public", "secret")), tenants(**dict(more)), *found, **options)

    gateway.identify = apply
    apply(identity())
    gateway.start()
    return gateway


def test_a_token_is_its_app(login):
    for _ in range(2):                                       # the second time from what is kept
        answer = ask(login, key=token())
        assert answer.status == 200
    decision = [line for line in records.lines(login.audit) if line["type"] == "decision"][-1]
    assert (decision["org"], decision["tenant"], decision["app"], decision["key"], decision["user"]) == ("acme", "red", "app", "@login", "anna")
    assert ask(login, key=token(azp="blue-client", sub="bert")).status == 200
    text = b"".join(json.dumps(request.headers, default=str).encode() for request in login.backend.requests)
    assert b"eyJ" not in text and b"anna" not in text        # no token and no name reaches a backend
    with Client(login.port) as client:
        assert client.request("/v1/chat/completions", body_of(), None, [("x-api-key", token())]).answer().status == 200


def test_what_is_refused(login):
    good = token()
    for bad in (token(kid="b"), token(aud="other"), token(iss="https://other"), token(seconds=-1), token(azp="none"), token(nbf=time.time() + 60),
                good[:-2] + ("AA" if good[-2:] != "AA" else "BA"), good.rsplit(".", 1)[0] + ".", jwt.encode({"iss": ISS, "aud": AUD}, None, algorithm="none")):
        answer = ask(login, key=bad)
        expect_error(answer, 401, "invalid_token")
        assert bad not in answer.body.decode() and "eyJ" not in answer.body.decode()
    assert not login.backend.requests
    assert ask(login, key=good).status == 200


def test_forged_tokens_are_held_back(login):
    """
    While many are refused, each of one address would cost its signature; what the worker knows, and API keys, are served on. From an address of its own: others of these
    tests refuse tokens too. Sent at once, since the worker has a hundred a second for them.
    """
    def shown(key, source="127.0.0.9"):
        with Client(login.port, source=source) as client:
            return client.request("/v1/chat/completions", body_of(), key).answer()

    known, good = token(), token(sub="forger")
    forged = good.rsplit(".", 1)[0] + "." + "A" * 86
    assert shown(known).status == 200
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {forged}\r\nContent-Type: application/json\r\nContent-Length: {len(body_of())}\r\n\r\n"
    answers = []
    while not any(each.header("retry-after") for each in answers):
        with Client(login.port, source="127.0.0.9") as client:
            client.send((head.encode() + body_of()) * 50)
            answers += [client.answer() for _ in range(50)]
        assert len(answers) < 5000
    for each in answers:
        expect_error(each, 401, "invalid_token")
    assert not any(each.header("retry-after") for each in answers[:200])         # until then nothing needs protection
    assert {int(each.header("retry-after")) for each in answers if each.header("retry-after")} <= {1, 2}
    assert shown(known).status == 200 and shown(login.key()).status == 200
    assert ask(login, key=token(sub="of another address")).status == 200
    until(lambda: shown(token(sub="first")).status == 200)


def test_claims_add_classes(login):
    expect_error(ask(login, key=token(groups=["staff", "secret"])), 403, "residency_denied")
    assert ask(login, key=token(groups=["staff"])).status == 200


def test_a_token_ends_when_it_expires(login):
    short = token(seconds=6)
    assert ask(login, key=short).status == 200
    until(lambda: ask(login, key=short).status == 401)


def test_keys_and_rules_are_those_in_force(login):
    old, new = token(), token(kid="b")
    assert ask(login, key=old).status == 200
    login.identify(identity("a", "b"))                       # while they are rotated
    assert ask(login, key=old).status == 200 and ask(login, key=new).status == 200
    login.identify(identity("b"))
    expect_error(ask(login, key=old), 401, "invalid_token")
    assert ask(login, key=new).status == 200
    login.identify(identity("b", apps=[{"when": {"azp": "blue-client"}, "app": "blue/app"}]))
    expect_error(ask(login, key=new), 401, "invalid_token")
    login.identify()                                         # nobody issues tokens
    expect_error(ask(login, key=new), 401, "invalid_api_key")


def test_key_limits_hold_for_each_user(login):
    limited = {"red": {"apps": [{"id": "app", "key_limits": [{"dimension": "requests", "per": "day", "amount": 2, "class": "budget"}]}]}}
    login.identify(identity(), more=limited)
    anna, again, bert = token(), token(seconds=900), token(sub="bert")
    assert [ask(login, key=key).status for key in (anna, again, anna, bert, bert, bert)] == [200, 200, 429, 200, 200, 429]


def test_claims_narrow_places_models_and_limits(login):
    """What is mapped narrows, what is not mapped is refused; each decision's line has what it was narrowed to, by which the auditor judges it again."""
    login.identify(identity(narrow=[{"when": {"groups": "interns"}, "models": ["m"], "limits": [{"dimension": "requests", "per": "day", "amount": 1, "class": "budget"}]}],
                            places=[{"claim": "residency", "values": {"eu": ["EU"], "sea": ["SG"]}}]))
    for bad in (token(), token(residency="mars"), token(residency=["eu", "mars"]), token(residency=[])):
        refused = ask(login, key=bad)
        expect_error(refused, 401, "invalid_token")
        assert "mars" not in refused.body.decode()
    assert ask(login, key=token(residency="eu")).status == 200
    expect_error(ask(login, key=token(residency="sea")), 403, "residency_denied")
    expect_error(ask(login, key=token(residency=["eu", "sea"])), 403, "residency_denied")
    lines = [line for line in records.lines(login.audit) if line["type"] == "decision"]
    assert [line["key_places"] for line in lines] == [["EU"], ["SG"], ["EU", "SG"]] and "key, token or certificate" in lines[-1]["detail"]
    assert "narrowed to the places SG" in login.command("explain", lines[1]["id"], check=False).stdout
    intern = token(residency="eu", groups=["interns"], sub="carl")
    assert ask(login, key=intern).status == 200
    limited = ask(login, key=intern)
    assert limited.status == 429 and "user" in limited.json["error"]["message"]
    assert ask(login, key=token(residency="eu", groups=["interns"], sub="dora")).status == 200    # another user
    line = [line for line in records.lines(login.audit) if line["type"] == "decision"][-1]
    assert [one["level"] for one in line["reserve"]["limits"]] == ["user"] and line["key_models"] == ["m"]
    shown = json.loads(login.command("limits", "acme/red/app", "--user", "login/carl", "--json").stdout)
    assert shown["limits"] == []                                          # of rules; those of tenants/1 are listed


def test_users_of_an_app_have_limits_of_their_own(login):
    limited = {"red": {"user_limits": [{"dimension": "requests", "per": "day", "amount": 2, "class": "budget"}], "apps": [{"id": "app"}]}}
    login.identify(identity(), more=limited)
    assert [ask(login, key=token(sub=name)).status for name in ("eva", "eva", "eva", "fred")] == [200, 200, 429, 200]
    shown = json.loads(login.command("limits", "acme/red/app", "--user", "login/eva", "--json").stdout)
    assert [(one["level"], one["amount"], one["used"]) for one in shown["limits"]] == [("user", 2, 2)]
    assert "each user of acme/red/app" in login.command("limits", "acme/red/app").stdout
    assert [ask(login).status for _ in range(3)] == [200] * 3             # an API key is no user


def test_keys_narrow_themselves(login):
    near, far = login.key("acme/red/app", "near", "--places", "EU,NO", "--models", "m*"), login.key("acme/red/app", "far", "--places", "SG")
    few = login.key("acme/red/app", "few", "--limit", "budget:requests/day=1")
    assert ask(login, key=near).status == 200
    expect_error(ask(login, key=far), 403, "residency_denied")
    assert [ask(login, key=few).status for _ in range(2)] == [200, 429]
    (login.prefix / "minter").write_text(few)
    minted = login.key("acme/red/app", "minted", "--minter", login.prefix / "minter", "--limit", "budget:requests/day=5")
    assert [ask(login, key=minted).status for _ in range(2)] == [200, 429]     # no more than its minter has
    for words, status in ((["--places", "SG"], 403), (["--places", "EU"], 200), (["--models", "m", "--without", "places"], 200), (["--limit", "requests/day=0"], 429),
                          (["--without", "limits", "--class", "secret"], 403), (["--without", "classes", "--places", "EU,NO", "--models", "m*"], 200)):
        edited = login.command("key", "edit", "acme/red/app/near", *words, "--json")
        assert json.loads(edited.stdout)["obeyed"] is True
        assert ask(login, key=near).status == status, words               # the next request, in every worker
    listed = {one["name"]: one for one in json.loads(login.command("key", "list", "acme/red/app", "--json").stdout)}
    assert listed["near"]["places"] == ["EU NO"] and listed["near"]["models"] == ["m*"] and listed["minted"]["limits"] == ["budget:requests/day=1"]
    wrong = login.command("key", "create", "acme/red/app", "wrong", "--places", "EUU", check=False)
    assert wrong.returncode == 1 and 'did you mean "EU"?' in wrong.stderr


def test_what_a_key_made_follows_it(login):
    """From the next request on, in every worker: what is taken from a key, and its end, in the middle of an answer too."""
    def made(name, by=None):
        text = login.key("acme/red/app", name, *(("--minter", login.prefix / by) if by else ()))
        (login.prefix / name).write_text(text)
        return text
    maker, child = made("maker"), made("child", "maker")
    grandchild, other = made("grandchild", "child"), made("other")
    assert [ask(login, key=key).status for key in (maker, child, grandchild, other)] == [200] * 4
    assert json.loads(login.command("key", "edit", "acme/red/app/maker", "--places", "SG", "--json").stdout)["minted"] == 2
    for key in (maker, child, grandchild):
        expect_error(ask(login, key=key), 403, "residency_denied")
    login.command("key", "edit", "acme/red/app/maker", "--without", "places")
    assert [ask(login, key=key).status for key in (maker, child, grandchild, other)] == [200, 403, 403, 200]
    login.command("key", "edit", "acme/red/app/child", "--without", "places")
    assert [ask(login, key=key).status for key in (child, grandchild)] == [200, 403]
    login.command("key", "edit", "acme/red/app/grandchild", "--without", "places", "--minter", login.prefix / "maker")
    assert ask(login, key=grandchild).status == 200
    assert "2 keys that it made" in login.command("key", "revoke", "acme/red/app/maker").stdout
    for key in (maker, child, grandchild):
        expect_error(ask(login, key=key), 401, "invalid_api_key")
    assert ask(login, key=other).status == 200

    def changes():
        return [(line["what"], line["subject"], line["actor"]) for line in records.lines(login.audit) if line["type"] == "change" and "as its minter" in line["actor"]]
    until(lambda: len(changes()) >= 4, seconds=60)
    assert [one[:2] for one in changes()] == [("key.edit", "acme/red/app/child"), ("key.edit", "acme/red/app/grandchild"), ("key.revoke", "acme/red/app/child"), ("key.revoke", "acme/red/app/grandchild")]
    assert all(actor.endswith("(as its minter acme/red/app/maker)") for _, _, actor in changes())


@pytest.mark.parametrize("change, words", [
    (lambda d: d["issuers"][0]["apps"][0].update(app="red/appp"), 'does not list acme/red/appp; did you mean "red/app"?'),
    (lambda d: d["issuers"][0]["classes"][0].update(classes=["secert"]), 'did you mean "secret"?'),
    (lambda d: d["issuers"][0].update(algorithms=["HS256"]), "HS256"),
    (lambda d: d["issuers"][0]["keys"]["keys"][0].update(d="AAAA"), "private key"),
    (lambda d: d["issuers"].append(d["issuers"][0]), "is already given"),
    (lambda d: d["issuers"][0].update(jwks_uri="https://login.example/keys"), "in one place"),
    (lambda d: d["issuers"][0].update(skew_seconds=301), "300"),
    (lambda d: d.update(organisation="Acme"), "Acme"),
])
def test_an_identity_document_with_a_mistake_changes_nothing(login, change, words):
    document = identity()
    change(document)
    done = login.command("policy", "history", "--json")
    with pytest.raises(Exception) as found:
        login.identify(document)
    assert words in str(getattr(found.value, "stderr", "")) + str(found.value)
    assert login.command("policy", "history", "--json").stdout == done.stdout
    assert ask(login, key=token()).status == 200
