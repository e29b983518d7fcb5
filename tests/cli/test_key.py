"""The life of an API key."""

import hashlib
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


def test_an_access_key_is_printed_for_the_environment(ready):
    done = ready.run("key", "create", "nordbank/retail/chat", "boto", "--aws")
    first, second = done.stdout.splitlines()
    id, secret = first.removeprefix("AWS_ACCESS_KEY_ID="), second.removeprefix("AWS_SECRET_ACCESS_KEY=")
    assert re.fullmatch(r"GHAK[A-Z2-7]{26}", id) and re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert done.stderr == "key nordbank/retail/chat/boto made; it is shown this once\n"
    data = (ready.home / "store" / "data.mdb").read_bytes()
    assert secret.encode() not in data and id.encode() not in data
    made = json.loads(ready.run("key", "rotate", "nordbank/retail/chat/boto", "--json").stdout)
    assert made["access_key_id"] != id and made["secret_access_key"] != secret and "key" not in made
    (listed,) = json.loads(ready.run("key", "list", "--json").stdout)
    assert listed["access_key"] is True and listed["state"] == "live"
    for text in (id, secret, made["secret_access_key"]):
        explain(ready, text, 1)
    ready.key("plain")
    assert "access_key" not in json.loads(ready.run("key", "list", "nordbank/retail/chat/plain", "--json").stdout)[0]


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


# ---- rotation ----

PATH = "nordbank/retail/chat/sdk"


def rotate(cli, *arguments, code=0):
    return json.loads(cli.run("key", "rotate", PATH, "--json", *arguments, code=code).stdout)


def listed(cli, *arguments):
    return {item["name"]: item for item in json.loads(cli.run("key", "list", "--json", *arguments).stdout)}


def test_rotate_prints_the_new_secret_alone(ready):
    ready.key()
    done = ready.run("key", "rotate", PATH)
    assert KEY.fullmatch(done.stdout.removesuffix("\n"))
    assert done.stderr.startswith(f"key {PATH} rotated; the old secret works until 20")
    assert done.stdout.strip().encode() not in (ready.home / "store" / "data.mdb").read_bytes()


def test_rotate_leaves_two_secrets_of_one_key(ready):
    old = ready.key("sdk", "nordbank/retail/chat", "--owner", "Anna Berg", "--class", "secret")
    found = rotate(ready, "--overlap", "7d")
    assert found["rotated"] == PATH and KEY.fullmatch(found["key"]) and found["obeyed"] is True
    explain(ready, old, 3)
    explain(ready, found["key"], 3)                          # both: "secret" fits nowhere
    item = listed(ready)["sdk"]
    assert (item["state"], item["owner"], item["classes"]) == ("live", "Anna Berg", "secret")
    assert item["before_until"] == found["before_until"] and item["rotated"] >= item["created"]
    done = ready.run("key", "rotate", PATH, code=1)
    assert "is being rotated" in done.stderr and f"do: gatehouse key rotate {PATH} --finish" in done.stderr


def test_rotate_without_an_overlap_ends_the_old_secret(ready):
    old = ready.key()
    new = rotate(ready, "--overlap", "0")
    assert "before_until" not in new
    assert "401 invalid_api_key" in explain(ready, old, 3).stderr
    explain(ready, new["key"], 0)
    explain(ready, rotate(ready, "--overlap=0")["key"], 0)
    assert "401 invalid_api_key" in explain(ready, new["key"], 3).stderr


def test_rotate_finish_ends_the_old_secret(ready):
    old = ready.key()
    new = rotate(ready)["key"]
    explain(ready, old, 0)
    assert rotate(ready, "--finish") == {"retired": PATH, "before": False, "obeyed": True, "workers": 0, "cut": 0, "finishing": 0, "waiting": []}
    assert rotate(ready, "--finish")["before"] is True
    explain(ready, old, 3)
    explain(ready, new, 0)
    assert "before_until" not in listed(ready)["sdk"]


def test_rotate_lets_no_secret_live_longer(ready):
    old = ready.key("sdk", "nordbank/retail/chat", "--expires", "2099-12-31")
    new = rotate(ready, "--overlap", "1h", "--expires", "2098-12-31")
    assert new["refused_from"] == "2099-01-01T00:00:00Z"
    explain(ready, old, 3, "--now", "2099-06-01")
    explain(ready, new["key"], 0, "--now", "2098-12-31T23:59:59Z")
    explain(ready, new["key"], 3, "--now", "2099-01-01")


def test_revoking_a_key_ends_both_secrets_of_it(ready):
    old = ready.key()
    new = rotate(ready)["key"]
    ready.run("key", "revoke", PATH)
    for key in (old, new):
        assert "401 invalid_api_key" in explain(ready, key, 3).stderr
    assert "was revoked" in ready.run("key", "rotate", PATH, code=1).stderr


@pytest.mark.parametrize("arguments, code, words", [
    (("nordbank/retail/chat",), 64, ""), ((PATH, "--overlap", "1w"), 64, "15m, 24h or 7d"), ((PATH, "--overlap", "367d"), 64, "366d"),
    ((PATH, "--expires", "2001-01-01"), 64, "is over already"), ((PATH, "--finish", "--overlap", "1h"), 64, "--finish makes no new secret"),
    (("nordbank/retail/chat/skd",), 1, f"did you mean {PATH}?")])
def test_rotate_refuses(ready, arguments, code, words):
    ready.key()
    assert words in ready.run("key", "rotate", *arguments, code=code).stderr


# ---- owners, classes, last use ----

def test_owner_and_class(ready):
    done = ready.run("key", "create", "nordbank/retail/chat", "a", "--owner", "Jürgen <j@nordbank.example>", "--json")
    assert json.loads(done.stdout)["owner"] == "Jürgen <j@nordbank.example>"
    assert "Jürgen <j@nordbank.example>" in ready.run("key", "list").stdout
    ready.run("key", "create", "nordbank/retail/chat", "b", "--owner", "a\nb", code=64)
    done = ready.run("key", "create", "nordbank/retail/chat", "c", "--class", "secert", code=1)
    assert 'did you mean "secret"?' in done.stderr
    assert set(listed(ready)) == {"a"}


def test_last_use_without_a_record(ready):
    ready.key()
    assert "last_use" not in listed(ready, "--last-use")["sdk"]
    assert ready.run("key", "list", "nordbank", "--last-use").stdout.splitlines()[1].split()[3] == "-"


def test_last_use_of_the_record(ready):
    ready.key("sdk")
    ready.key("other")
    record = ready.tmp / "record"
    record.mkdir()
    lines = [{"prev": "0" * 64, "n": n, "v": 1, "type": kind, "t": t, "id": "x", "verdict": "allow", "org": "nordbank", "tenant": "retail",
              "app": "chat", "key": name} for n, (kind, t, name) in enumerate([
                  ("decision", 1795000000000, "sdk"), ("decision", 1795000100000, "sdk"), ("outcome", 1795000200000, "sdk"),
                  ("decision", 1795000050000, "sdk"), ("decision", 1795000300000, "gone")])]
    (record / "n1-1795000000000-1-0.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    found = listed(ready, "--last-use", "--audit", record)
    assert found["sdk"]["last_use"] == "2026-11-18T11:08:20Z" and "last_use" not in found["other"]


@pytest.mark.parametrize("members, words", [({"type": "basis", "basis": 1, "members": 5}, "3 lines were read without what stands once for many"),
                                            ({"type": "basis", "basis": 2, "members": {"app": "chat"}}, "2 lines were read without what stands once for many"),
                                            ({"type": 5}, "1 line could not be read")])
def test_last_use_of_a_damaged_record(ready, members, words):
    """What cannot be known is said, as by the other readers, and what stands there is shown."""
    ready.key("sdk")
    record = ready.tmp / "record"
    record.mkdir()
    own = {"id": "x", "verdict": "allow", "org": "nordbank", "tenant": "retail", "app": "chat", "key": "sdk"}
    lines = [members, *[{"type": "decision", "basis": [1], **own}] * 2, {"type": "decision", "at": 100000, **own}]
    (record / "n1-1795000000000-1-0.jsonl").write_text("".join(json.dumps({"prev": "0" * 64, "n": n, "v": 1, "type": line["type"], "t": 1795000000000 + line.get("at", 0), **line}, separators=(",", ":")) + "\n"
                                                             for n, line in enumerate(lines)))
    done = ready.run("key", "list", "--json", "--last-use", "--audit", record)
    assert words in done.stderr and "may have been used later than is shown" in done.stderr and "audit verify" in done.stderr
    assert json.loads(done.stdout)[0]["last_use"] == "2026-11-18T11:08:20Z"


# ---- import ----

SECRETS = ["sk-proj-4d2f0a1b9c8e7d6f", "0123456789abcdef0123456789abcdef"]


def imported(cli, keys, *arguments, code=0, mode=0o600, text=None):
    path = cli.tmp / "keys.json"
    path.write_text(text or json.dumps({"kind": "keys/1", "keys": keys}, indent=1))
    path.chmod(mode)
    done = cli.run("key", "import", path, *arguments, code=code)
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    return done


def one(number, **more):
    secret = {} if "sha256" in more else {"key": SECRETS[number]}
    return {"app": "nordbank/retail/chat", "name": f"old-{number}", **secret, **more}


def test_import(ready):
    digest = hashlib.sha256(SECRETS[1].encode()).hexdigest()
    keys = [one(0, owner="Anna", expires="2099-12-31", classes=["public"]), one(1, sha256=digest.upper())]
    assert imported(ready, keys, "--check").stdout == "would be: 2 keys imported, 0 there before\n"
    assert states(ready) == {}
    assert imported(ready, keys).stdout == "2 keys imported, 0 there before\n"
    assert json.loads(imported(ready, keys, "--json").stdout) == {"imported": 0, "before": 2, "check": False}
    for secret in SECRETS:
        explain(ready, secret, 0)
        assert secret.encode() not in (ready.home / "store" / "data.mdb").read_bytes()
    assert "401 invalid_api_key" in explain(ready, digest, 1).stderr
    found = listed(ready)
    assert found["old-0"]["owner"] == "Anna" and found["old-0"]["refused_from"] == "2100-01-01T00:00:00Z"
    assert found["old-0"]["classes"] == "public" and found["old-1"]["imported"] is True
    new = json.loads(ready.run("key", "rotate", "nordbank/retail/chat/old-0", "--overlap", "0", "--json").stdout)["key"]
    explain(ready, new, 0)
    assert "401 invalid_api_key" in explain(ready, SECRETS[0], 3).stderr


def test_import_of_a_key_of_another_gateway_of_this_kind(ready):
    key = ready.key()
    ready.run("key", "revoke", PATH)
    done = imported(ready, [{"app": "nordbank/retail/mail", "name": "again", "key": key}], code=1)
    assert "is another key's, or was" in done.stderr and key not in done.stderr


@pytest.mark.parametrize("keys, where, words", [
    ([one(0), one(1, app="nordbank/retail/chta")], "9:1", "nordbank/retail/chat"),
    ([one(0), one(1, name="old-0")], "", "old-0"),
    ([one(0), one(1, key=SECRETS[0])], "", "is another key's, or was"),
    ([one(0, sha256="ab")], "", "64 hexadecimal digits"),
    ([one(0, key="short")], "", "20 to 512 printable"),
    ([one(0, key="gh_" + "A" * 49)], "", "begins with"),
    ([one(0, key="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")], "", "does not look like a JWT"),
    ([{**one(0), "sha256": "0" * 64}], "", "either"),
    ([one(0, expires="2001-01-01")], "", "is over already"),
    ([one(0, classes=["secert"])], "", 'did you mean "secret"?'),
    ([one(0, owners="x")], "", '"owner"'),
    ([one(0, name="Old")], "", "name"),
])
def test_an_import_with_a_mistake_imports_nothing(ready, keys, where, words):
    done = imported(ready, keys, code=1)
    assert words in done.stderr and re.search(r"keys\.json:\d+:\d+: error: ", done.stderr) and "nothing was imported" in done.stderr
    assert where.partition(":")[0] in done.stderr
    assert states(ready) == {}


def test_an_import_of_secrets_that_everybody_may_read(ready):
    done = imported(ready, [one(0)], code=1, mode=0o604)
    assert "everybody may read it" in done.stderr and "do: chmod 0600" in done.stderr
    imported(ready, [one(0, sha256="00" * 32)], mode=0o604)
    imported(ready, None, code=1, text='{"kind": "keys/1", "keys": [{"key": "' + SECRETS[0] + '" "name"')


def test_a_minted_key_lies_within_its_minter(ready, tmp_path):
    """A key makes keys of its own app, with its classes, that end when it does."""
    def mint(code=0, app="nordbank/retail/chat", name="minted", *more):
        return ready.run("key", "create", app, name, "--minter", minter, *more, code=code)

    minter = tmp_path / "minter.key"
    minter.write_text(ready.run("key", "create", "nordbank/retail/chat", "minter", "--expires", "30d", "--class", "secret").stdout)
    listed = lambda name: next(one for one in json.loads(ready.run("key", "list", "--json").stdout) if one["name"] == name)      # noqa: E731
    minted = mint().stdout.strip()
    assert KEY.fullmatch(minted)
    assert {key: listed("minted").get(key) for key in ("classes", "refused_from")} == {key: listed("minter").get(key) for key in ("classes", "refused_from")}
    mint(0, "nordbank/retail/chat", "sooner")
    mint(0, "nordbank/retail/chat", "shorter", "--expires", "7d", "--class", "personal")
    assert sorted(listed("shorter")["classes"].split(",")) == ["personal", "secret"] and listed("shorter")["refused_from"] < listed("minter")["refused_from"]
    assert "ends before" in mint(1, "nordbank/retail/chat", "longer", "--expires", "31d").stderr
    assert "of nordbank/retail/chat" in mint(1, "nordbank/web-bot/site", "elsewhere").stderr
    assert "revoked with it: 3 keys that it made" in ready.run("key", "revoke", "nordbank/retail/chat/minter").stdout
    assert "revoked" in mint(1, "nordbank/retail/chat", "late").stderr
    assert states(ready) == dict.fromkeys(("minter", "minted", "sooner", "shorter"), "revoked")
    again = json.loads(ready.run("key", "revoke", "nordbank/retail/chat/minter", "--json").stdout)
    assert again["before"] is True and "minted" not in again


def test_what_a_key_made_follows_it(ready, tmp_path):
    """An edit of a key narrows what it made, and that stays within it, until it is nobody's."""
    app = "nordbank/retail/chat"

    def listed(name):
        return next(one for one in json.loads(ready.run("key", "list", "--json").stdout) if one["name"] == name)

    def edit(name, *more, code=0):
        return ready.run("key", "edit", f"{app}/{name}", *more, code=code)
    for name, by in (("top", None), ("middle", "top"), ("low", "middle"), ("other", None)):
        minter = ("--minter", tmp_path / by) if by else ()
        (tmp_path / name).write_text(ready.run("key", "create", app, name, *minter).stdout)
    assert [listed(name).get("minter") for name in ("top", "middle", "low", "other")] == [None, f"{app}/top", f"{app}/middle", None]
    assert f"made by {app}/top" in ready.run("key", "list").stdout
    edited = json.loads(edit("top", "--places", "SE,NO", "--class", "secret", "--limit", "requests/day=9", "--expires", "30d", "--json").stdout)
    assert edited["edited"] == f"{app}/top" and edited["minted"] == 2
    for name in ("middle", "low"):
        assert (listed(name)["places"], listed(name)["classes"], listed(name)["limits"]) == (["SE NO"], "secret", ["rate:requests/day=9"])
        assert listed(name)["refused_from"] == listed("top")["refused_from"]
    assert "places" not in listed("other")
    assert "edited with it: 1 key that it made" in edit("middle", "--models", "gpt-4.1").stdout
    assert "models" not in listed("top") and listed("low")["models"] == ["gpt-4.1"]
    # what was given back to the minter is not given back to what it made, which asks for it
    edit("top", "--without", "places")
    assert listed("low")["places"] == listed("middle")["places"] == ["SE NO"]
    edit("low", "--without", "places")
    assert listed("low")["places"] == ["SE NO"]
    edit("middle", "--without", "places")
    edit("low", "--without", "places", "--limit", "requests/day=20")
    assert "places" not in listed("low") and listed("low")["limits"] == ["rate:requests/day=9"]
    assert "ends before" in edit("low", "--expires", "31d", code=1).stderr
    assert "ends before" in ready.run("key", "rotate", f"{app}/low", "--expires", "31d", code=1).stderr
    # who has the minter's key edits what it made, and nothing else
    edit("low", "--owner", "Berta", "--minter", tmp_path / "top")
    for name, by in (("low", "other"), ("low", "low"), ("top", "middle")):
        assert "was not made by the key" in edit(name, "--owner", "Carl", "--minter", tmp_path / by, code=1).stderr
    edit("low", "--without", "minter", "--minter", tmp_path / "top", code=64)
    edit("low", "--without", "minter", "--without", "minter", code=64)
    edit("low", "--without", "minter", "--without", "limits", "--without", "end")
    assert "minter" not in listed("low") and "limits" not in listed("low") and "refused_from" not in listed("low")
    ready.run("key", "revoke", f"{app}/top")
    assert states(ready) == {"top": "revoked", "middle": "revoked", "low": "live", "other": "live"}


def test_an_administrator_makes_keys_of_other_apps(ready, tmp_path):
    """A key made with --mint makes keys below that name: none wider than itself, none that makes keys elsewhere, and its name stands in the history."""
    def create(app, name, *more, by=None, code=0):
        done = ready.run("key", "create", app, name, *(("--minter", tmp_path / by) if by else ()), *more, code=code)
        if code == 0:
            (tmp_path / name).write_text(done.stdout)
        return done

    def listed(name):
        return next(one for one in json.loads(ready.run("key", "list", "--json").stdout) if one["name"] == name)
    limit = {"dimension": "requests", "per": "minute", "amount": 7, "class": "rate"}
    bot = {"id": "web-bot", "classes": ["secret"], "places": ["SE"], "key_limits": [limit], "apps": [{"id": "site"}]}
    ready.run("policy", "apply", write_policy(tmp_path / "edited", tenants=changed(TENANTS, lambda t: t["organisations"][0]["tenants"].append(bot))))
    create("nordbank/retail/chat", "tenant-admin", "--mint", "nordbank/retail", "--places", "SE,DE", "--limit", "requests/day=50")
    create("nordbank/web-bot/site", "admin", "--mint", "nordbank")
    create("nordbank/retail/mail", "mailer", by="tenant-admin")
    assert listed("mailer")["places"] == ["SE DE"] and listed("mailer")["limits"] == ["rate:requests/day=50"] and "mints" not in listed("mailer")
    assert "makes keys for nordbank/retail" in ready.run("key", "list").stdout
    create("nordbank/retail/mail", "lower", "--limit", "requests/day=5", by="tenant-admin")
    assert listed("lower")["limits"] == ["rate:requests/day=5"]
    assert "makes keys of that app and below nordbank/retail alone" in create("nordbank/web-bot/site", "no", by="tenant-admin", code=1).stderr
    assert "of that app alone" in create("nordbank/retail/chat", "no", by="mailer", code=1).stderr
    assert "where the minter makes none" in create("nordbank/retail/mail", "no", "--mint", "nordbank", by="tenant-admin", code=1).stderr
    create("nordbank/retail/mail", "deputy", "--mint", "nordbank/retail/chat", by="tenant-admin")
    create("nordbank/retail/chat", "of-deputy", by="deputy")
    assert listed("of-deputy")["places"] == ["SE DE"]
    for scope in ("fjord", "nordbank/", "nordbank/retail/chat/laptop", "nordbank/Retail"):
        assert "can make keys for nordbank" in create("nordbank/retail/chat", "no", "--mint", scope, code=1).stderr, scope
    # what the administrator's own app takes away, that of another may not give
    for more, words in (([], "carries the class \"secret\""), (["--class", "secret"], "may be served in"), (["--class", "secret", "--places", "SE,NO"], "may be served in NO"),
                        (["--class", "secret", "--places", "SE"], "would be held to no rate of requests per minute that is at most the minter's 7"),
                        (["--class", "secret", "--places", "SE", "--limit", "requests/minute=8"], "at most the minter's 7")):
        assert words in create("nordbank/retail/chat", "no", *more, by="admin", code=1).stderr, more
    create("nordbank/retail/chat", "narrower", "--class", "secret", "--places", "SE", "--limit", "requests/minute=7", by="admin")
    assert not [name for name in states(ready) if name == "no"]
    # an end is followed by keys of other apps, whose places stay as they are
    ready.run("key", "rotate", "nordbank/retail/chat/tenant-admin", "--expires", "30d")
    assert listed("mailer")["refused_from"] == listed("tenant-admin")["refused_from"] is not None and listed("mailer")["places"] == ["SE DE"]
    ready.run("key", "edit", "nordbank/retail/mail/mailer", "--without", "minter", "--expires", "20d")
    ready.run("key", "edit", "nordbank/retail/chat/tenant-admin", "--audit", "required")
    assert listed("lower")["audit"] == "required" and listed("lower")["places"] == ["SE DE"]


def test_a_key_is_edited(ready, tmp_path):
    """What is said stands instead of what was said of the same; what is not said stays, and nothing is more than the app has."""
    path = "nordbank/retail/chat/laptop"

    def edit(*more, code=0):
        return ready.run("key", "edit", path, *more, code=code)

    def listed():
        one = next(one for one in json.loads(ready.run("key", "list", "--json").stdout) if one["name"] == "laptop")
        return {name: one.get(name) for name in ("owner", "classes", "places", "models", "limits", "mints", "audit")}
    ready.run("key", "create", "nordbank/retail/chat", "laptop", "--places", "SE,DE", "--places", "EU", "--models", "gpt-4.1", "--limit", "requests/day=9", "--owner", "Anna", "--expires", "30d")
    was = listed()
    assert was["places"] == ["SE DE", "EU"]
    assert json.loads(edit("--places", "NO,DE", "--json").stdout)["edited"] == path
    assert listed() == {**was, "places": ["NO DE"]}
    edit("--owner", "Berta", "--class", "secret", "--limit", "requests/day=90", "--limit", "tokens/day=7", "--mint", "nordbank/retail")
    assert listed() == {**was, "places": ["NO DE"], "owner": "Berta", "classes": "secret", "limits": ["rate:requests/day=90", "rate:tokens/day=7"], "mints": "nordbank/retail"}
    edit("--audit", "required")
    assert listed()["audit"] == "required" and "sends nothing without a record" in ready.run("key", "list").stdout
    assert 'can only ask for "required"' in edit("--audit", "best-effort", code=64).stderr
    ready.run("key", "rotate", path)
    assert listed()["audit"] == "required"
    edit("--without", "audit", "--without", "places", "--without", "models", "--without", "classes", "--without", "limits", "--without", "mint", "--without", "owner", "--without", "end")
    assert listed() == dict.fromkeys(was)
    ends = next(one for one in json.loads(ready.run("key", "list", "--json").stdout) if one["name"] == "laptop")
    assert "refused_from" not in ends and "before_until" in ends
    edit("--expires", "7d")
    for more, words in ((["--places", "EUU"], 'did you mean "EU"?'), (["--models", "gpt"], "no model of the catalogue"), (["--class", "sekret"], 'did you mean "secret"?'), (["--mint", "fjord"], "can make keys for nordbank")):
        assert words in edit(*more, code=1).stderr, more
    for more in ([], ["--without", "place"], ["--without", "places", "--places", "EU"], ["--without", "end", "--without", "end"], ["--places", ""], ["--limit", "requests=1"], ["--expires", "2001-01-01"]):
        edit(*more, code=64)
    bot = {"id": "web-bot", "places": ["SE"], "models": ["gpt-4.1"], "key_limits": [{"dimension": "requests", "per": "day", "amount": 5, "class": "rate"}], "apps": [{"id": "site"}]}
    ready.run("policy", "apply", write_policy(tmp_path / "edited", tenants=changed(TENANTS, lambda t: t["organisations"][0]["tenants"].append(bot))))
    ready.run("key", "create", "nordbank/web-bot/site", "narrow")
    for more in (["--places", "NO"], ["--limit", "requests/day=6"]):
        assert "only narrow" in ready.run("key", "edit", "nordbank/web-bot/site/narrow", *more, code=1).stderr
    assert "no key nordbank/retail/chat/lapdog" in ready.run("key", "edit", "nordbank/retail/chat/lapdog", "--owner", "C", code=1).stderr
    ready.run("key", "revoke", path)
    assert "was revoked" in edit("--owner", "C", code=1).stderr
