"""gatehouse credential: every source against what clouds answer; that no secret gets where it does not belong; and what is said of mistakes."""
import hashlib
import json
import os
import subprocess
import sys

import jsonschema
import pytest

import clouds
from clouds import CLIENT, FEDERATED, ROLE, SECOND_ROLE, SECRET, TENANT, WEB_TOKEN, Clouds
from conftest import GATEHOUSE, ROOT

sys.path.insert(0, str(clouds.Path(__file__).resolve().parents[1] / "e2e"))
from certificates import Authority  # noqa: E402


class Place:
    """A directory of its own with secrets in files, the clouds, and the command with the environment that a test wants."""

    def __init__(self, tmp, identity, authority=None):
        self.tmp, self.cred, self.environment = tmp, tmp / "cred", {}
        self.cred.mkdir(mode=0o750)
        self.authority = authority
        self.pem = tmp / "client.pem"
        self.pem.write_text((identity / "key").read_text() + (identity / "cert").read_text())
        self.pem.chmod(0o600)
        self.clouds = Clouds(self.authority, identity / "cert")
        self.file("secret", SECRET)
        self.file("federated", FEDERATED, 0o644)
        self.file("web", WEB_TOKEN, 0o644)
        self.file("static", "canary/static+key")
        self.file("container", "canary-container\n", 0o644)
        self.file("config", f"[profile chain]\nrole_arn = {SECOND_ROLE}\nsource_profile = middle\nregion = eu-central-1\nexternal_id=ours\n[profile middle]\nrole_arn={ROLE}\n"
                            "source_profile=base\nregion=eu-central-1\n[profile machine]\nrole_arn=" + ROLE + "\ncredential_source = Ec2InstanceMetadata\nregion=eu-central-1\n"
                            "[profile person]\nrole_arn=" + ROLE + "\nsource_profile=base\nregion=eu-central-1\nmfa_serial=arn:aws:iam::1:mfa/x\n"
                            "[profile circle]\nrole_arn=" + ROLE + "\nsource_profile=square\nregion=eu-central-1\n[profile square]\nrole_arn=" + ROLE
                            + "\nsource_profile=circle\nregion=eu-central-1\n[plugins]\nx=y\n")
        self.file("credentials", "# keys\n[base]\naws_access_key_id = AKIDSTATIC\naws_secret_access_key = canary/static+key\n")

    def file(self, name, text, mode=0o600):
        path = self.tmp / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def write(self, *credentials):
        entra = ("entra_client_secret", "entra_client_certificate", "entra_workload_identity")
        for one in credentials:
            for inner in (one, one.get("from", {})):
                if self.authority and (inner.get("source", "") in entra or inner.get("endpoint", "").startswith("https")):
                    inner.setdefault("ca_file", str(self.authority.certificate))
        (self.tmp / "credentials.json").write_text(json.dumps({"kind": "credentials/1", "credentials": list(credentials)}, indent=1))

    def run(self, command, *arguments, check=True):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.tmp / "nowhere"), **self.environment}
        done = subprocess.run([GATEHOUSE, "credential", command, *arguments, "--file", self.tmp / "credentials.json", "--directory", self.cred], capture_output=True,
                              text=True, env=environment, timeout=300)
        assert "canary" not in done.stdout + done.stderr, done
        if check:
            assert done.returncode == 0, done
        return done

    def rows(self, command="check", **more):
        done = self.run(command, "--json", **more)
        return {row["id"]: row for row in json.loads(done.stdout)["credentials"]}

    def handed(self, name):
        return json.loads((self.cred / name).read_text())


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """A client's certificate and key, and an authority of servers: slow to make, and the same for all."""
    made = tmp_path_factory.mktemp("identity")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=gateway", "-keyout", made / "key", "-out", made / "cert"],
                   check=True, capture_output=True)
    return made, Authority(made / "ca")


@pytest.fixture
def place(tmp_path, identity):
    made = Place(tmp_path, identity[0])
    yield made
    made.clouds.close()


@pytest.fixture
def secure(tmp_path, identity):
    made = Place(tmp_path, *identity)
    yield made
    made.clouds.close()


def entra(place, source="entra_client_secret", **more):
    return {"id": "azure", "source": source, "tenant_id": TENANT, "client_id": CLIENT, "authority": place.clouds.url, **more}


def test_every_source_of_azure(secure):
    place = secure
    place.write({**entra(place), "id": "secret", "secret": {"file": f"{place.tmp}/secret"}},
                {**entra(place, "entra_client_certificate"), "id": "certificate", "certificate": {"file": str(place.pem)}},
                {**entra(place, "entra_client_certificate"), "id": "chain", "certificate": {"file": str(place.pem)}, "send_chain": True},
                {**entra(place, "entra_workload_identity"), "id": "federated", "token_file": f"{place.tmp}/federated"},
                {"id": "key", "source": "azure_key", "secret": {"environment": "THE_KEY"}})
    place.environment["THE_KEY"] = "canary-key"
    rows = place.rows("refresh")
    assert all(row["works"] and row["changed"] for row in rows.values()), rows
    assert {row["form"] for name, row in rows.items() if name != "key"} == {"bearer"} and rows["key"]["form"] == "key" and "expires" not in rows["key"]
    handed = [place.handed(name) for name in ("secret", "certificate", "chain", "federated")]
    assert {one["secret"] for one in handed} == place.clouds.tokens and all(one["send"] == "bearer" and one["expires"].endswith("Z") for one in handed)
    assert place.handed("key") == {"kind": "credential/1", "send": "key", "secret": "canary-key"}
    assert {asked[3]["scope"] for asked in place.clouds.asked} == {"https://cognitiveservices.azure.com/.default"}


def test_managed_identities(place):
    place.write({"id": "vm", "source": "azure_managed_identity", "endpoint": place.clouds.url, "client_id": CLIENT, "scope": "https://ai.azure.com/.default"})
    assert place.rows()["vm"]["works"] and place.clouds.asked[-1][3]["resource"] == "https://ai.azure.com"
    place.write({"id": "vm", "source": "azure_managed_identity"})
    place.environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = place.clouds.url
    assert place.rows()["vm"]["works"] and place.clouds.asked[-1][0] == "imds"
    place.environment |= {"IDENTITY_ENDPOINT": place.clouds.url + "/msi/token", "IDENTITY_HEADER": "canary-header"}
    assert place.rows()["vm"]["works"] and place.clouds.asked[-1][0] == "service"
    place.clouds.fail["service"] = Clouds.json(400, {"error": "no canary", "message": "canary"})
    assert place.rows(check=False)["vm"]["code"] == "source_refused"


def test_every_source_of_aws(place):
    url = place.clouds.url
    place.write({"id": "static", "source": "aws_keys", "access_key_id": "AKIDSTATIC", "secret": {"file": f"{place.tmp}/static"}},
                {"id": "machine", "source": "aws_instance_metadata", "endpoint": url},
                {"id": "container", "source": "aws_container", "full_uri": f"{url}/v2/credentials/1", "token_file": f"{place.tmp}/container"},
                {"id": "web", "source": "aws_web_identity", "role_arn": ROLE, "region": "eu-central-1", "endpoint": url, "token_file": f"{place.tmp}/web"},
                {"id": "role", "source": "aws_assume_role", "role_arn": SECOND_ROLE, "region": "eu-central-1", "endpoint": url, "external_id": "ours", "duration_seconds": 900,
                 "from": {"source": "aws_web_identity", "role_arn": ROLE, "region": "eu-central-1", "endpoint": url, "token_file": f"{place.tmp}/web"}},
                {"id": "chain", "source": "aws_profile", "profile": "chain", "config_file": f"{place.tmp}/config", "credentials_file": f"{place.tmp}/credentials", "endpoint": url},
                {"id": "base", "source": "aws_profile", "profile": "base", "config_file": f"{place.tmp}/config", "credentials_file": f"{place.tmp}/credentials"},
                {"id": "bearer", "source": "bedrock_api_key", "secret": {"systemd": "bedrock"}})
    place.environment["CREDENTIALS_DIRECTORY"] = str(place.tmp)
    place.file("bedrock", "canary-bedrock\n", 0o400)
    rows = place.rows("refresh")
    assert all(row["works"] for row in rows.values()), rows
    assert place.handed("bearer") == {"kind": "credential/1", "send": "bearer", "secret": "canary-bedrock"}
    for name in ("machine", "container", "web", "role", "chain"):
        one = place.handed(name)
        assert place.clouds.keys[one["AccessKeyId"]] == (one["SecretAccessKey"], one["SessionToken"]) and one["Expiration"] == rows[name]["expires"]
    for name in ("static", "base"):
        assert place.handed(name) == {"Version": 1, "AccessKeyId": "AKIDSTATIC", "SecretAccessKey": "canary/static+key"}
    assumed = [asked[3]["RoleArn"] for asked in place.clouds.asked if asked[3].get("Action") == "AssumeRole"]
    assert assumed == [SECOND_ROLE, ROLE, SECOND_ROLE]
    assert [asked[3].get("DurationSeconds") for asked in place.clouds.asked if asked[3].get("RoleArn") == SECOND_ROLE] == ["900", None]


def test_a_role_of_the_machine_and_the_environment(place):
    place.write({"id": "machine", "source": "aws_profile", "profile": "machine", "config_file": f"{place.tmp}/config", "endpoint": place.clouds.url},
                {"id": "environment", "source": "aws_environment"})
    place.environment |= {"AWS_EC2_METADATA_SERVICE_ENDPOINT": place.clouds.url, "AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "canary/static+key"}
    rows = place.rows()
    assert rows["machine"]["works"] and rows["environment"]["works"] and [asked[0] for asked in place.clouds.asked] == ["instance"] * 3 + ["sts"]


@pytest.mark.parametrize("name, said", [("person", '"mfa_serial" of profile "person" needs a person'), ("circle", "more than 5 sources stand inside each other"),
                                        ("nobody", 'have no profile "nobody"')])
def test_profiles_that_cannot_be_used(place, name, said):
    place.write({"id": "p", "source": "aws_profile", "profile": name, "config_file": f"{place.tmp}/config", "credentials_file": f"{place.tmp}/credentials",
                 "endpoint": place.clouds.url})
    done = place.run("check", check=False)
    assert done.returncode == 1 and said in done.stdout, done


def test_what_is_refused_is_said_without_secrets(secure):
    """The answers repeat what was sent to them."""
    place = secure
    place.file("secret", "canary-wrong")
    place.file("federated", "canary.wrong.token", 0o644)
    place.write({**entra(place), "secret": {"file": f"{place.tmp}/secret"}}, {**entra(place, "entra_workload_identity"), "id": "federated", "token_file": f"{place.tmp}/federated"})
    rows = place.rows(check=False)
    assert rows["azure"]["code"] == "source_refused" and rows["azure"]["error"] == "Entra ID answered 401, invalid_client (AADSTS7000215)"
    assert rows["federated"]["error"] == "Entra ID answered 401, invalid_client (AADSTS700027)"
    other = Authority(place.tmp / "other")
    place.write({**entra(place), "secret": {"file": f"{place.tmp}/secret"}, "ca_file": str(other.certificate)})
    assert place.rows(check=False)["azure"]["code"] == "fetch_tls"


@pytest.mark.parametrize("answer", [
    (200, "text/html", "canary"), (200, "application/json", "{}"), (200, "application/json", '{"access_token":"canary","token_type":"Bearer"}'),
    (200, "application/json", '{"access_token":"can\\nary","token_type":"Bearer","expires_in":3600}'), (200, "application/json", '{"access_token":"canary","token_type":"mac","expires_in":9}'),
    (200, "application/json", '{"access_token":"canary","access_token":"x","token_type":"Bearer","expires_in":9}'), (200, "application/json", "[" * 100000), (500, "text/plain", ""),
    (302, "text/plain", "canary"), (200, "application/json", '{"access_token":"%s","token_type":"Bearer","expires_in":3600}' % ("canary" * 2000))])
def test_answers_that_are_none(place, answer):
    """Nothing is handed over, what was there stays, and why is written down for the others."""
    place.write({**entra(place), "secret": {"file": f"{place.tmp}/secret"}})
    place.run("refresh")
    before = (place.cred / "azure").read_bytes()
    place.clouds.fail["entra"] = answer
    assert not place.rows("refresh", check=False)["azure"]["works"]
    assert (place.cred / "azure").read_bytes() == before
    listed = place.rows("list")["azure"]
    assert listed["state"] == "ready" and listed["fails"]["failures"] == 1
    del place.clouds.fail["entra"]
    place.run("refresh")
    assert "fails" not in place.rows("list")["azure"] and sorted(os.listdir(place.cred)) == [".azure.from", "azure"]


@pytest.mark.parametrize("answer", [
    (200, "text/xml", "canary"), (200, "text/xml", "<a>"), (200, "text/xml", "<!DOCTYPE a [<!ENTITY x 'canary'>]><a>&x;</a>"), (403, "text/html", "<html>canary</html>"),
    (200, "text/xml", "<R><Credentials><AccessKeyId>canary</AccessKeyId></Credentials></R>"), (200, "text/xml", "<a>" * 50), (400, "text/xml", "\0")])
def test_answers_of_sts_that_are_none(place, answer):
    place.write({"id": "web", "source": "aws_web_identity", "role_arn": ROLE, "region": "eu-central-1", "endpoint": place.clouds.url, "token_file": f"{place.tmp}/web"})
    place.clouds.fail["sts"] = answer
    assert place.rows(check=False)["web"]["code"] in ("source_answer", "source_refused")


def test_files_of_the_workers(place):
    """Of the directory's group and nobody else's; replaced whole, and only when something is new."""
    place.write({"id": "key", "source": "api_key", "secret": {"file": f"{place.tmp}/secret"}})
    assert place.rows("refresh")["key"]["changed"] is True and place.rows("refresh")["key"]["changed"] is False
    info = (place.cred / "key").stat()
    assert info.st_mode & 0o7777 == 0o640 and info.st_gid == place.cred.stat().st_gid
    (place.cred / "key").chmod(0o644)
    assert place.rows("refresh")["key"]["changed"] is True and (place.cred / "key").stat().st_mode & 0o7777 == 0o640
    place.cred.chmod(0o755)
    assert "chmod 0750" in place.run("refresh", check=False).stdout
    place.cred.chmod(0o750)
    place.file("secret", SECRET, 0o644)
    assert "everybody may read or write" in place.run("check", check=False).stdout


def test_refresh_says_where_it_came_from(place):
    """The agent knows what `refresh` hands over as its own: it goes when the document says it no more."""
    place.write({"id": "key", "source": "api_key", "secret": {"file": f"{place.tmp}/secret"}})
    place.rows("refresh")
    first = json.loads((place.cred / ".key.from").read_text())
    assert first["file"] == hashlib.sha256((place.cred / "key").read_bytes()).hexdigest()
    place.file("secret", "another")
    place.rows("refresh")
    second = json.loads((place.cred / ".key.from").read_text())
    assert second["source"] == first["source"] and second["file"] == hashlib.sha256((place.cred / "key").read_bytes()).hexdigest() != first["file"]


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_files_of_awss_tools_that_everybody_may_read(place, name):
    place.write({"id": "chain", "source": "aws_profile", "profile": "chain", "config_file": f"{place.tmp}/config", "credentials_file": f"{place.tmp}/credentials", "endpoint": place.clouds.url})
    (place.tmp / name).chmod(0o604)
    done = place.run("check", check=False)
    assert done.returncode == 1 and f"everybody may read or write {place.tmp}/{name} (mode 0604); chmod 0640" in done.stdout


def test_a_secret_that_is_a_pipe(place):
    """Nobody writes to it: that is said at once, and waited for by nobody."""
    os.mkfifo(place.tmp / "pipe", 0o600)
    place.write({"id": "key", "source": "api_key", "secret": {"file": f"{place.tmp}/pipe"}})
    assert "is no regular file" in place.run("check", check=False).stdout


def test_checked_where_it_is_used(place):
    """Keys in each header, a bearer, and what is signed: what the other side refuses does not work, whatever its source says; what nobody can be asked of does."""
    url, key = f"{place.clouds.url}/openai/v1/models", {"secret": {"file": f"{place.tmp}/static"}}
    trust = {"ca_file": str(place.authority.certificate)} if place.authority else {}
    role = {"source": "aws_assume_role", "role_arn": ROLE, "region": "eu-central-1", "endpoint": place.clouds.url, "from": {"source": "aws_keys", "access_key_id": "AKIDSTATIC", **key}}
    bedrock = {"url": f"{place.clouds.url}/foundation-models", **trust}
    place.write({"id": "azure", "source": "azure_key", **key, "check": {"url": url, **trust}}, {"id": "openai", "source": "api_key", **key, "check": {"url": url, **trust}},
                {"id": "anthropic", "source": "api_key", **key, "check": {"url": url, "header": "x-api-key", **trust}},
                {"id": "role", **role, "check": bedrock},
                {"id": "caller", "source": "aws_keys", "access_key_id": "AKIDSTATIC", **key,
                 "check": {"url": f"{place.clouds.url}/?Action=GetCallerIdentity&Version=2011-06-15", "region": "eu-central-1", "service": "sts", **trust}},
                {"id": "elsewhere", "source": "api_key", **key, "check": {"url": f"{place.clouds.url}/nothing", **trust}},
                {"id": "nobody", "source": "api_key", **key, "check": {"url": "https://127.0.0.1:1/"}})
    rows = place.rows(check=False)
    assert {name for name, row in rows.items() if not row["works"]} == {"azure", "openai", "anthropic", "role"}
    assert {row["code"] for row in rows.values() if not row["works"]} == {"check_refused"}
    assert "answered 401" in rows["azure"]["error"] and "answered 403, UnrecognizedClientException" in rows["role"]["error"]
    assert rows["caller"]["accepted"] is True and rows["elsewhere"]["accepted"] is None and rows["nobody"]["accepted"] is None
    said = place.run("refresh", check=False).stdout
    assert "not checked" in said and "answered 404, which says nothing" in said and {path.name for path in place.cred.iterdir() if path.name[0] != "."} == {"caller", "elsewhere", "nobody"}
    place.clouds.accepts = {"canary/static+key", "ASIAISSUED"}
    rows = place.rows()
    assert all(row["works"] for row in rows.values()) and [name for name, row in rows.items() if row["accepted"]] == ["azure", "openai", "anthropic", "role", "caller"]
    assert "accepted where it is used" in place.run("refresh", "azure").stdout and (place.cred / "azure").exists()


MISTAKES = [
    ({"kind": "credential/1", "credentials": []}, 'must be "credentials/1"'), ({"kind": "credentials/1", "credential": []}, 'did you mean "credentials"?'),
    ({"id": "x", "source": "azure_keys", "secret": {"file": "/x"}}, 'did you mean "azure_key"?'), ({"id": "x", "source": "azure_key"}, 'must say "secret"'),
    ({"id": "x", "source": "azure_key", "secret": "canary"}, "must be an object"), ({"id": "x", "source": "azure_key", "secret": {"file": "x"}}, "absolute path"),
    ({"id": "x", "source": "azure_key", "secret": {"file": "/x", "environment": "Y"}}, "must say one of"),
    ({"id": "x", "source": "azure_key", "secret": {"systemd": "a/b"}}, "not a path"), ({"id": "X Y", "source": "azure_key", "secret": {"file": "/x"}}, "X Y"),
    ({"id": "x", "source": "entra_client_secret", "secret": {"file": "/x"}, "client_id": "c"}, "AZURE_TENANT_ID is not set"),
    ({"id": "x", "source": "entra_client_secret", "secret": {"file": "/x"}, "client_ids": "c", "tenant_id": "t"}, 'did you mean "client_id"?'),
    ({"id": "x", "source": "aws_assume_role", "role_arn": "a", "region": "r", "from": {"source": "azure_key", "secret": {"file": "/x"}}}, "source of AWS credentials"),
    ({"id": "x", "source": "aws_assume_role", "role_arn": "a", "region": "r"}, 'must say "from"'),
    ({"id": "x", "source": "aws_web_identity", "role_arn": "a", "region": "r", "token_file": "/t", "duration_seconds": 60}, "from 900"),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {}}, 'must say "url"'),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {"url": "http://models.example/"}}, "begins with https://"),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {"url": "https://u@models.example/"}}, "begins with https://"),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {"url": "https://m/", "header": "apikey"}}, 'did you mean "api-key"?'),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {"url": "https://m/", "every_seconds": 5}}, "from 30 to 86400"),
    ({"id": "x", "source": "api_key", "secret": {"file": "/x"}, "check": {"url": "https://m/", "region": "r"}}, "for what is signed"),
    ({"id": "x", "source": "bedrock_api_key", "secret": {"file": "/x"}, "check": {"url": "https://m/", "header": "api-key"}}, "sent as a bearer"),
    ({"id": "x", "source": "aws_environment", "check": {"url": "https://m/"}}, 'must say "region"'),
    ({"id": "x", "source": "aws_environment", "check": {"url": "https://m/", "region": "r", "header": "api-key"}}, 'has no "header"'),
    ({"id": "x", "source": "aws_assume_role", "role_arn": "a", "region": "r", "from": {"source": "aws_environment", "check": {"url": "https://m/", "region": "r"}}}, "check"),
]


@pytest.mark.parametrize("document, said", MISTAKES)
def test_mistakes_have_a_place(place, document, said):
    text = json.dumps(document if "kind" in document else {"kind": "credentials/1", "credentials": [document]}, indent=1)
    (place.tmp / "credentials.json").write_text(text)
    done = place.run("list", check=False)
    assert done.returncode == 1 and said in done.stderr and f"{place.tmp}/credentials.json:" in done.stderr, done.stderr


def test_the_schema_says_the_same(place):
    """Of what this file writes, and of the mistakes above, but for those that only the environment makes."""
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "conf/schema/credentials-1.schema.json").read_text()))
    right = [{"id": "x", "source": "aws_assume_role", "role_arn": "a", "region": "r", "from": {"source": "aws_assume_role", "role_arn": "b", "from": {"source": "aws_environment"}}},
             {"id": "x", "source": "entra_client_secret", "secret": {"systemd": "x"}}, {"id": "x", "source": "azure_managed_identity"},
             {"id": "x", "source": "azure_key", "secret": {"systemd": "x"}, "check": {"url": "https://m/openai/v1/models", "header": "api-key", "every_seconds": 30}},
             {"id": "x", "source": "aws_environment", "check": {"url": "https://sts.amazonaws.com/?a=b", "region": "us-east-1", "service": "sts", "ca_file": "/x"}},
             {"id": "x", "source": "aws_profile", "check": {"url": "http://127.0.0.1:8000/"}}]
    for one in right:
        assert not list(validator.iter_errors({"kind": "credentials/1", "credentials": [one]}))
    for document, said in MISTAKES:
        whole = document if "kind" in document else {"kind": "credentials/1", "credentials": [document]}
        assert bool(list(validator.iter_errors(whole))) == ("is not set" not in said), said


def test_names(place):
    place.write({"id": "azure-se", "source": "azure_key", "secret": {"file": f"{place.tmp}/secret"}}, {"id": "azure-we", "source": "azure_key", "secret": {"file": f"{place.tmp}/secret"}})
    assert list(place.rows("list")) == ["azure-se", "azure-we"] and "did you mean azure-se" in place.run("check", "azure-sf", check=False).stderr
    assert place.run("check", "azure-we").stdout.startswith("azure-we") and place.run("list").stdout.count("missing") == 2
