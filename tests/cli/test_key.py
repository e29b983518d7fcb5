"""The life of an API key."""

import json
import re
import zlib
import base64

import pytest

from conftest import TENANTS, changed, write_policy

KEY = re.compile(r"gh_[A-Za-z0-9_-]{49}")


def states(cli, *below):
    return {item["name"]: item["state"] for item in json.loads(cli.run("key", "list", *below, "--json").stdout)}


def explain(cli, key, code, *more):
    return cli.run("explain", "--request", cli.request(), "--key", key, "--node", "fra-1", *more, code=code)


def test_create_prints_the_key_alone(ready):
    done = ready.run("key", "create", "nordbank/retail/chat", "sdk")
    assert KEY.fullmatch(done.stdout.removesuffix("\n"))
    assert done.stderr == "key nordbank/retail/chat/sdk made; it is shown this once\n"
    key = done.stdout.strip()
    check = base64.urlsafe_b64decode(key[46:] + "==")
    assert zlib.crc32(key[:46].encode()) == int.from_bytes(check, "big")
    assert key.encode() not in (ready.home / "store" / "data.mdb").read_bytes()


def test_keys_differ(ready):
    assert len({ready.key(f"k{n}") for n in range(5)}) == 5


def test_a_name_is_used_once(ready):
    ready.key("sdk")
    done = ready.run("key", "create", "nordbank/retail/chat", "sdk", code=1)
    assert "nordbank/retail/chat/sdk" in done.stderr
    ready.key("sdk", "nordbank/retail/mail")
    ready.run("key", "revoke", "nordbank/retail/chat/sdk")
    ready.run("key", "create", "nordbank/retail/chat", "sdk", code=1)


def test_an_unknown_app_is_answered_with_the_nearest(ready):
    done = ready.run("key", "create", "nordbank/retail/chta", "sdk", code=1)
    assert "chta" in done.stderr and "nordbank/retail/chat" in done.stderr


def test_revoke(ready):
    key = ready.key()
    explain(ready, key, 0)
    assert ready.run("key", "revoke", "nordbank/retail/chat/sdk").stdout == "revoked nordbank/retail/chat/sdk\n"
    done = explain(ready, key, 3)
    assert "the gateway answers 401 invalid_api_key: " in done.stderr
    assert ready.run("key", "revoke", "nordbank/retail/chat/sdk").stdout == "nordbank/retail/chat/sdk was revoked before\n"
    assert states(ready) == {"sdk": "revoked"}


def test_revoke_as_json(ready):
    ready.key()
    found = [json.loads(ready.run("key", "revoke", "nordbank/retail/chat/sdk", "--json").stdout) for _ in range(2)]
    assert [one["revoked"] for one in found] == ["nordbank/retail/chat/sdk"] * 2 and [one["before"] for one in found] == [False, True]
    assert found[0]["obeyed"] is True and found[0]["workers"] == 0


def test_revoke_of_an_unknown_key_names_the_nearest(ready):
    ready.key()
    done = ready.run("key", "revoke", "nordbank/retail/chat/skd", code=1)
    assert "nordbank/retail/chat/sdk" in done.stderr and "do: gatehouse key list" in done.stderr


def test_an_apply_does_not_revive_a_key(ready):
    key = ready.key()
    ready.run("key", "revoke", "nordbank/retail/chat/sdk")
    ready.run("policy", "apply", ready.tmp / "policy")
    explain(ready, key, 3)


def test_expiry_by_day_is_its_last(ready):
    key = ready.key("sdk", "nordbank/retail/chat", "--expires", "2099-12-31")
    explain(ready, key, 0, "--now", "2099-12-31T23:59:59Z")
    explain(ready, key, 3, "--now", "2100-01-01T00:00:00Z")
    (item,) = json.loads(ready.run("key", "list", "--json").stdout)
    assert item["refused_from"] == "2100-01-01T00:00:00Z" and item["state"] == "live"


def test_expiry_in_days(ready):
    done = ready.run("key", "create", "nordbank/retail/chat", "sdk", "--expires", "30d", "--json")
    answer = json.loads(done.stdout)
    assert KEY.fullmatch(answer["key"])
    assert (answer["org"], answer["tenant"], answer["app"], answer["name"]) == ("nordbank", "retail", "chat", "sdk")
    assert answer["refused_from"] > "2026"


def test_list(ready):
    assert ready.run("key", "list").stderr == "no keys\n"
    ready.key("b")
    ready.key("a")
    ready.key("c", "nordbank/retail/mail")
    lines = ready.run("key", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["key", "nordbank/retail/chat/a", "nordbank/retail/chat/b",
                                                   "nordbank/retail/mail/c"]
    assert set(states(ready, "nordbank/retail/mail")) == {"c"}
    assert set(states(ready, "nordbank")) == {"a", "b", "c"}
    assert states(ready, "nordban") == {}
    assert states(ready, "nordbank/retail/chat/a") == {"a": "live"}


def test_a_removed_app_is_seen(ready):
    key = ready.key("c", "nordbank/retail/mail")
    write_policy(ready.tmp / "policy", tenants=changed(
        TENANTS, lambda t: t["organisations"][0]["tenants"][0]["apps"].pop()))
    ready.run("policy", "apply", ready.tmp / "policy")
    assert states(ready) == {"c": "app-removed"}
    assert explain(ready, key, 1).returncode == 1


@pytest.mark.parametrize("key", ["", "gh_", "sk-123", "gh_" + "A" * 49, "gh_" + "A" * 48, "x" * 5000])
def test_keys_that_are_none(ready, key):
    if key == "":
        ready.run("explain", "--request", ready.request(), "--key", key, "--node", "fra-1", code=64)
    else:
        assert "401 invalid_api_key" in explain(ready, key, 1).stderr


def test_a_key_from_a_file(ready):
    (ready.tmp / "key").write_text(ready.key() + "\n")
    explain(ready, f"@{ready.tmp}/key", 0)
    assert "cannot open" in explain(ready, "@/nonexistent", 1).stderr
