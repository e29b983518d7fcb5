"""
The clouds' own SDKs must take what tests/cli/clouds.py answers: so those answers are of the published form, and what gatehouse does with them is what
azure-identity and botocore do. Each case gets a credential by the SDK, from the same environment and files.
"""
import datetime
import os
import time

import botocore.credentials
import botocore.session
import botocore.utils
import pytest

from clouds import CLIENT, FEDERATED, ROLE, SECRET, TENANT, short_term_key
from test_credential import Place, entra, identity, place, secure  # noqa: F401

azure = pytest.importorskip("azure.identity", reason="azure-identity is not installed")

SCOPE = "https://cognitiveservices.azure.com/.default"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "IDENTITY_", "MSI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def check(place, source, **more):
    """The same by gatehouse."""
    place.write({**entra(place, source), **more})
    row = place.rows()["azure"]
    assert row["works"], row


def test_azure_identity(secure):
    place = secure
    how = {"authority": place.clouds.url, "disable_instance_discovery": True, "connection_verify": str(place.authority.certificate)}
    token = azure.ClientSecretCredential(TENANT, CLIENT, SECRET, **how).get_token(SCOPE)
    assert token.token in place.clouds.tokens and abs(token.expires_on - time.time() - 3600) < 300
    token = azure.CertificateCredential(TENANT, CLIENT, certificate_data=place.pem.read_bytes(), **how).get_token(SCOPE)
    assert token.token in place.clouds.tokens
    token = azure.CertificateCredential(TENANT, CLIENT, certificate_data=place.pem.read_bytes(), send_certificate_chain=True, **how).get_token(SCOPE)
    assert token.token in place.clouds.tokens
    token = azure.WorkloadIdentityCredential(tenant_id=TENANT, client_id=CLIENT, token_file_path=f"{place.tmp}/federated", **how).get_token(SCOPE)
    assert token.token in place.clouds.tokens and FEDERATED in [asked[3].get("client_assertion") for asked in place.clouds.asked]
    with pytest.raises(azure.CredentialUnavailableError.__mro__[1]):
        azure.ClientSecretCredential(TENANT, CLIENT, "wrong", **how).get_token(SCOPE)
    check(place, "entra_client_secret", secret={"file": f"{place.tmp}/secret"})
    check(place, "entra_client_certificate", certificate={"file": str(place.pem)})
    check(place, "entra_client_certificate", certificate={"file": str(place.pem)}, send_chain=True)
    check(place, "entra_workload_identity", token_file=f"{place.tmp}/federated")
    asked = [one[3] for one in place.clouds.asked if one[0] == "entra"]
    sdk, ours = asked[0], next(one for one in asked[5:] if "client_secret" in one)
    assert {name: ours[name] for name in ours} == {name: sdk[name] for name in ours}


def test_azure_managed_identity(place, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", place.clouds.url)
    assert azure.ManagedIdentityCredential(client_id=CLIENT).get_token(SCOPE).token in place.clouds.tokens
    sdk = place.clouds.asked[-1]
    place.write({"id": "vm", "source": "azure_managed_identity", "client_id": CLIENT, "endpoint": place.clouds.url})
    assert place.rows()["vm"]["works"] and place.clouds.asked[-1][:2] == sdk[:2] and place.clouds.asked[-1][3] == sdk[3]
    monkeypatch.setenv("IDENTITY_ENDPOINT", place.clouds.url + "/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
    assert azure.ManagedIdentityCredential().get_token(SCOPE).token in place.clouds.tokens
    sdk = place.clouds.asked[-1]
    place.environment |= {"IDENTITY_ENDPOINT": place.clouds.url + "/msi/token", "IDENTITY_HEADER": "canary-header"}
    place.write({"id": "vm", "source": "azure_managed_identity"})
    assert place.rows()["vm"]["works"] and (place.clouds.asked[-1][:2], place.clouds.asked[-1][3]) == (sdk[:2], sdk[3])


def keys_of(place, session):
    frozen = session.get_credentials().get_frozen_credentials()
    assert place.clouds.keys[frozen.access_key] == (frozen.secret_key, frozen.token)
    return frozen


def test_botocore_metadata_and_containers(place, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", place.clouds.url)
    keys_of(place, botocore.session.Session())
    sdk = [asked[:3] for asked in place.clouds.asked]
    place.clouds.asked.clear()
    place.write({"id": "vm", "source": "aws_instance_metadata", "endpoint": place.clouds.url})
    assert place.rows()["vm"]["works"] and [asked[:3] for asked in place.clouds.asked] == sdk
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", place.clouds.url + "/v2/credentials/1")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f"{place.tmp}/sdk-token")
    (place.tmp / "sdk-token").write_text("canary-container")
    keys_of(place, botocore.session.Session())
    assert place.clouds.asked[-1][0] == "container"


@pytest.mark.parametrize("profile", ["chain", "machine"])
def test_botocore_roles_of_profiles(place, monkeypatch, profile):
    names = {"AWS_CONFIG_FILE": f"{place.tmp}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{place.tmp}/credentials", "AWS_PROFILE": profile, "AWS_ENDPOINT_URL_STS": place.clouds.url,
             "AWS_EC2_METADATA_SERVICE_ENDPOINT": place.clouds.url}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    keys_of(place, botocore.session.Session())
    sdk = [(asked[0], asked[3].get("Action"), asked[3].get("RoleArn"), asked[3].get("ExternalId")) for asked in place.clouds.asked]
    place.clouds.asked.clear()
    place.environment |= names
    place.write({"id": "p", "source": "aws_profile"})
    assert place.rows()["p"]["works"]
    assert [(asked[0], asked[3].get("Action"), asked[3].get("RoleArn"), asked[3].get("ExternalId")) for asked in place.clouds.asked] == sdk and sdk[-1][0] == "sts"


def test_botocore_web_identity(place, monkeypatch):
    names = {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{place.tmp}/web", "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "node-1", "AWS_ENDPOINT_URL_STS": place.clouds.url}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    keys_of(place, botocore.session.Session())
    sdk = place.clouds.asked[-1][3]
    place.environment |= {**names, "AWS_REGION": "eu-central-1"}
    place.write({"id": "web", "source": "aws_web_identity"})
    assert place.rows()["web"]["works"] and place.clouds.asked[-1][3] == sdk


def test_short_term_keys_of_bedrock(place):
    key, before = short_term_key(3600), time.time()
    place.file("bedrock", key + "\n")
    place.write({"id": "short", "source": "bedrock_api_key", "secret": {"file": f"{place.tmp}/bedrock"}})
    assert place.rows("refresh")["short"]["works"]
    handed = place.handed("short")
    ends = datetime.datetime.strptime(handed["expires"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert handed["secret"] == key and handed["send"] == "bearer" and -2 <= ends - before - 3600 <= 300
    place.file("bedrock", short_term_key(1) + "\n")
    time.sleep(2.1)
    assert place.rows(check=False)["short"]["code"] == "source_answer"


def add_profiles(place):
    """Sources of a role that are none of the others' profiles."""
    text = (place.tmp / "config").read_text()
    place.file("config", text + f"[profile token]\nrole_arn={ROLE}\nweb_identity_token_file={place.tmp}/web\nregion=eu-central-1\nrole_session_name=node-1\n"
               f"[profile container]\nrole_arn={ROLE}\ncredential_source=EcsContainer\nregion=eu-central-1\n"
               f"[profile environment]\nrole_arn={ROLE}\ncredential_source=Environment\nregion=eu-central-1\n"
               f"[profile other]\nrole_arn={ROLE}\ncredential_source=Person\nregion=eu-central-1\n")
    place.file("container", "canary-container", 0o644)


@pytest.mark.parametrize("profile, more, asked", [
    ("token", {}, [("sts", "AssumeRoleWithWebIdentity")]),
    ("container", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL/v2/credentials/1", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "TMP/container"}, [("container", None), ("sts", "AssumeRole")]),
    ("environment", {"AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "canary/static+key"}, [("sts", "AssumeRole")])])
def test_botocore_other_sources_of_profiles(place, monkeypatch, profile, more, asked):
    add_profiles(place)
    names = {"AWS_CONFIG_FILE": f"{place.tmp}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{place.tmp}/credentials", "AWS_ENDPOINT_URL_STS": place.clouds.url,
             **{name: value.replace("URL", place.clouds.url).replace("TMP", str(place.tmp)) for name, value in more.items()}}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    keys_of(place, botocore.session.Session(profile=profile))
    sdk = [(one[0], one[3].get("Action"), one[3].get("RoleArn"), one[3].get("WebIdentityToken")) for one in place.clouds.asked]
    place.clouds.asked.clear()
    place.environment |= names
    place.write({"id": "p", "source": "aws_profile", "profile": profile})
    row = place.rows("refresh")["p"]
    assert row["works"], row
    assert [(one[0], one[3].get("Action"), one[3].get("RoleArn"), one[3].get("WebIdentityToken")) for one in place.clouds.asked] == sdk and [one[:2] for one in sdk] == asked
    handed = place.handed("p")
    assert place.clouds.keys[handed["AccessKeyId"]] == (handed["SecretAccessKey"], handed["SessionToken"])


def test_a_source_that_no_profile_may_name(place):
    add_profiles(place)
    place.write({"id": "p", "source": "aws_profile", "profile": "other", "config_file": f"{place.tmp}/config", "credentials_file": f"{place.tmp}/credentials"})
    assert 'credential_source "Person" is none of Environment' in place.run("check", check=False).stdout
