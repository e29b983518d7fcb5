"""fleet import azure: accounts and deployments of Azure Resource Manager as fleet/1; hostile answers; where the token may go."""

import json

import jsonschema
import pytest

from conftest import ROOT
from control_planes import SUBSCRIPTION, TOKEN, Arm, Server, account, account_id, deployment

SCHEMA = json.loads((ROOT / "conf" / "schema" / "fleet-1.schema.json").read_text())
EMBED = {"embeddings": "true", "maxContextToken": "8191"}


def estate(page=100):
    """Fourteen deployments: 5 may run anywhere, 3 keep text 30 days, 2 unknown."""
    off = dict(logging="false")
    return Arm([
        (account("acme-se", **off), [deployment("gpt41-prod", "acme-se"), deployment("embed", "acme-se", "text-embedding-3-small", capabilities=EMBED),
                                     deployment("ptu", "acme-se", sku="ProvisionedManaged"), deployment("old", "acme-se", state="Failed")]),
        (account("acme-weu", "westeurope", **off), [deployment(f"global-{n}", "acme-weu", sku="GlobalStandard") for n in range(4)]
         + [deployment("dz", "acme-weu", sku="DataZoneStandard")]),
        (account("acme-us", "eastus2"), [deployment("a", "acme-us"), deployment("b", "acme-us"), deployment("c", "acme-us", sku="DeveloperTier")]),
        (account("acme-foundry", "Sweden Central", kind="AIServices", **off),
         [deployment("claude", "acme-foundry", "claude-sonnet-4-5", sku="GlobalStandard", format="Anthropic"),
          deployment("deepseek", "acme-foundry", "DeepSeek-V3.1", sku="GlobalStandard", format="DeepSeek"),
          deployment("mini", "acme-foundry", "gpt-4.1-mini")]),
        (account("speech", kind="SpeechServices"), [deployment("x", "speech")]),
    ], page=page)


def run(cli, server, *arguments, code=0, token=TOKEN):
    path = cli.tmp / "token"
    path.write_text(token)
    done = cli.run("fleet", "import", "azure", "--token", path, "--endpoint", server.url, *arguments, code=code)
    assert TOKEN not in done.stdout + done.stderr
    return done


def imported(cli, arm, *arguments):
    with arm.serve() as server:
        said = json.loads(run(cli, server, "--json", *arguments).stdout)
    jsonschema.validate(said["fleet"], SCHEMA)
    return said


def by_id(fleet):
    return {one["id"]: one for one in fleet["deployments"]}


def test_the_sentence(cli):
    with estate().serve() as server:
        lines = run(cli, server).stdout.splitlines()
    assert lines[0] == (
        "14 deployments: 5 may run anywhere, 3 keep text 30 days, 2 unknown, because whether a SKU binds models of DeepSeek is not published (1); "
        "Claude in Foundry is run by its seller and may leave Azure, so it must be stated (1)") or lines[0] == (
        "14 deployments: 5 may run anywhere, 3 keep text 30 days, 2 unknown, because Claude in Foundry is run by its seller and may leave Azure, so it "
        "must be stated (1); whether a SKU binds models of DeepSeek is not published (1)")
    assert "  deployment old of acme-se was left out: it is Failed" in lines
    assert "  acme-se  acme-se.openai.azure.com" in lines


def test_the_document(cli):
    said = imported(cli, estate())
    fleet = by_id(said["fleet"])
    assert len(fleet) == 14 and list(fleet) == sorted(fleet)
    one = fleet["acme-se-gpt41-prod"]
    assert {key: one[key] for key in ("backend", "provider", "partition", "region", "sku", "dialect", "endpoints", "operator_home", "resource")} == {
        "backend": "acme-se", "provider": "azure", "partition": "azure", "region": "swedencentral", "sku": "Standard", "dialect": "azure-v1",
        "endpoints": ["chat.completions", "responses"], "operator_home": ["US"], "resource": account_id("acme-se")}
    assert one["models"]["gpt-4.1"]["upstream"] == "gpt41-prod" and one["models"]["gpt-4.1"]["store"] == "nothing"
    assert 'capability ContentLogging is "false" by Accounts_List of subscription' in one["models"]["gpt-4.1"]["evidence"]["store"]["source"]
    assert "request arm-Accounts_List, 20" in one["models"]["gpt-4.1"]["evidence"]["store"]["source"]
    assert said["fleet"]["models"]["gpt-4.1"] == {"context": 1047576, "max_output": 32768}
    assert fleet["acme-us-a"]["models"]["gpt-4.1"]["store"] == {"in": ["ANYWHERE"], "days": 30}
    assert fleet["acme-se-embed"]["endpoints"] == ["embeddings"]
    claude = fleet["acme-foundry-claude"]
    assert claude["seller"] == "anthropic" and claude["dialect"] == "anthropic" and claude["region"] == "swedencentral"
    assert "store" not in claude["models"]["claude-sonnet-4-5"] and "sku" not in fleet["acme-foundry-deepseek"]
    assert said["anywhere"] == 5 and said["kept"] == 3 and said["unknown"] == 2


def test_pages_are_the_same(cli):
    assert imported(cli, estate(page=2))["sentence"] == imported(cli, estate())["sentence"]


@pytest.mark.parametrize("value, kept", [("false", "nothing"), ("False", {"in": ["ANYWHERE"], "days": 30}), ("true", {"in": ["ANYWHERE"], "days": 30}),
                                         ("", {"in": ["ANYWHERE"], "days": 30})])
def test_only_false_says_that_nothing_is_kept(cli, value, kept):
    said = imported(cli, Arm([(account("a", logging=value), [deployment("d", "a")])]))
    assert by_id(said["fleet"])["a-d"]["models"]["gpt-4.1"]["store"] == kept


def test_a_monitor_of_ones_own_keeps_what_it_keeps(cli):
    config = {"adxStorageResourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kusto/clusters/c", "identityClientId": "i"}
    said = imported(cli, Arm([(account("a", logging="false", raiMonitorConfig=config), [deployment("d", "a")])]))
    assert "store" not in by_id(said["fleet"])["a-d"]["models"]["gpt-4.1"] and "raiMonitorConfig" in said["because"]


def test_an_account_in_several_regions_is_not_in_its_own(cli):
    locations = {"routingMethod": "Priority", "regions": [{"name": "westeurope", "value": 1}]}
    said = imported(cli, Arm([(account("a", logging="false", locations=locations), [deployment("d", "a")])]))
    assert "sku" not in by_id(said["fleet"])["a-d"] and "spread over several regions" in said["because"] and said["unknown"] == 1


def test_only_the_subscriptions_that_were_named(cli):
    other = "11111111-2222-3333-4444-555555555555"
    arm = Arm([(account("a"), [deployment("d", "a")]), (account("b", subscription=other), [])], subscriptions=[SUBSCRIPTION, other])
    with arm.serve() as server:
        run(cli, server, "--subscription", SUBSCRIPTION)
        assert not any(path.startswith("/subscriptions?") or other in path for _, path, _ in server.requests)
        assert {method for method, _, _ in server.requests} == {"GET"}


@pytest.mark.parametrize("operation, permission", [
    ("Subscriptions_List", "Microsoft.Resources/subscriptions/read (role Reader)"),
    ("Accounts_List", "Microsoft.CognitiveServices/accounts/read (role Reader)"),
    ("Deployments_List", "Microsoft.CognitiveServices/accounts/deployments/read (role Reader)")])
def test_a_refusal_names_the_permission(cli, operation, permission):
    arm = estate()
    arm.override[operation] = (403, "AuthorizationFailed", "The client does not have authorization")
    with arm.serve() as server:
        error = run(cli, server, code=1).stderr
    assert f"lacks the permission {permission} (403 AuthorizationFailed: The client does not have" in error


def test_a_token_that_is_over(cli):
    with estate().serve() as server:
        error = run(cli, server, code=1, token="eyJ.old.one").stderr
    assert "the credential is not accepted (401 InvalidAuthenticationToken" in error and "eyJ.old.one" not in error


@pytest.mark.parametrize("text", ['{"accessToken": "%s", "expiresOn": "x"}' % TOKEN, '{"access_token": "%s", "token_type": "Bearer"}' % TOKEN, TOKEN + "\n"])
def test_forms_of_the_token(cli, text):
    with estate().serve() as server:
        run(cli, server, token=text)


@pytest.mark.parametrize("text, said", [("", "there is no token"), ("{}", "accessToken or access_token"), ('{"accessToken": 7}', "accessToken or access_token"),
                                        ("a b", "bytes that no token has"), ("{", "accessToken or access_token")])
def test_what_is_no_token(cli, text, said):
    with estate().serve() as server:
        assert said in run(cli, server, code=1, token=text).stderr and not server.requests


@pytest.mark.parametrize("link", ["http://127.0.0.1:{other}/subscriptions?x", "http://127.0.0.1:{port}0/subscriptions", "http://127.0.0.1:{port}@evil.example/",
                                  "https://evil.example/", "//evil.example/", "/subscriptions?x", "http://127.0.0.1:{port}.evil.example/"])
def test_the_token_goes_to_no_other_host(cli, link):
    """A next page elsewhere is refused before anything is sent there."""
    arm = estate()
    with Server(lambda *_: (200, {}, b'{"value": []}')) as evil, arm.serve() as server:
        port, other = server.url.rsplit(":", 1)[1], evil.url.rsplit(":", 1)[1]
        arm.override["Accounts_List"] = lambda query, origin: {"value": [], "nextLink": link.format(port=port, other=other)}
        error = run(cli, server, code=1).stderr
        assert not evil.requests
    assert "the next page is said to be at another host" in error


def test_pages_without_an_end(cli):
    arm = estate()
    arm.override["Accounts_List"] = lambda query, origin: {
        "value": [], "nextLink": f"{origin}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts?api-version=2025-09-01"}
    with arm.serve() as server:
        assert "the list goes on after 200 pages" in run(cli, server, code=1).stderr
        assert len(server.requests) == 201


def changed_account(**members):
    return {"value": [{**account("a"), **members}]}


@pytest.mark.parametrize("operation, body, said", [
    ("Subscriptions_List", {"value": [{"subscriptionId": "../x"}]}, 'a subscription has no "subscriptionId"'),
    ("Subscriptions_List", {"value": []}, "the token sees no subscription"),
    ("Subscriptions_List", {}, '"value" is missing, not a list'),
    ("Accounts_List", {"value": {}}, '"value" is an object, not a list'),
    ("Accounts_List", {"value": [[]]}, '"value" holds an array, not objects alone'),
    ("Accounts_List", changed_account(id="/subscriptions/other/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"), 'an account has no "id"'),
    ("Accounts_List", changed_account(id=account_id("a/../../x")), 'an account has no "id"'),
    ("Accounts_List", changed_account(id=account_id("a?x=1")), 'an account has no "id"'),
    ("Accounts_List", changed_account(id=7), 'an account has no "id"'),
    ("Accounts_List", changed_account(name=None), 'an account has no "id"'),
    ("Accounts_List", changed_account(id=account_id("a") + "/b"), 'an account has no "id"'),
    ("Deployments_List", {"value": [{"name": "d"}]}, "a deployment of account acme-se has no"),
    ("Deployments_List", {"value": [{**deployment("d", "a"), "name": "d e"}]}, "a deployment of account acme-se has no"),
    ("Deployments_List", {"value": [{**deployment("d", "a"), "properties": [1]}]}, "a deployment of account acme-se has no"),
    ("Deployments_List", b'{"value": [' + b"[" * 200 + b"]" * 200 + b"]}", "the answer is no JSON"),
    ("Deployments_List", b"\xff", "the answer is no JSON"),
])
def test_answers_that_are_not_documented(cli, operation, body, said):
    arm = estate()
    arm.override[operation] = body
    with arm.serve() as server:
        assert said in run(cli, server, code=1).stderr


def test_types_of_properties_that_are_not_documented_are_unknown(cli):
    odd = account("a", capabilities={"ContentLogging": "false"})
    one = deployment("d", "a")
    one["sku"] = "Standard"
    one["properties"]["capabilities"] = []
    said = imported(cli, Arm([(odd, [one])]))
    entry = by_id(said["fleet"])["a-d"]
    assert "sku" not in entry and "endpoints" not in entry and entry["models"]["gpt-4.1"]["store"] == {"in": ["ANYWHERE"], "days": 30}
    assert said["because"] == "it says no SKU"


def test_names_that_come_to_the_same_are_told_apart(cli):
    said = imported(cli, Arm([(account("a"), [deployment("d.e", "a"), deployment("d_e", "a"), deployment("d-e", "a")])]))
    assert [(one["id"], one["models"]["gpt-4.1"]["upstream"]) for one in said["fleet"]["deployments"]] == [
        ("a-d-e", "d-e"), ("a-d-e-2", "d.e"), ("a-d-e-3", "d_e")]


def test_an_empty_estate(cli):
    said = imported(cli, Arm([]))
    assert said["sentence"] == "0 deployments: none unknown" and "deployments" not in said["fleet"]


def test_misuse(cli):
    assert "no token for Azure" in cli.run("fleet", "import", "azure", code=1).stderr
    assert "unknown --cloud moon" in cli.run("fleet", "import", "azure", "--cloud", "moon", code=64).stderr
    assert "--region and --credential are for bedrock" in cli.run("fleet", "import", "azure", "--region", "x", code=64).stderr
    assert "are for azure" in cli.run("fleet", "import", "bedrock", "--region", "x", "--token", "y", code=64).stderr
    (cli.tmp / "token").write_text(TOKEN)
    assert 'is not the id of a subscription' in cli.run("fleet", "import", "azure", "--token", cli.tmp / "token", "--subscription", "a/b", code=1).stderr


def test_azures_own_sdk_reads_the_same(cli):
    """The mock's answers are what azure-mgmt-cognitiveservices takes for its own: nothing is undocumented, and it finds the same deployments."""
    cognitive = pytest.importorskip("azure.mgmt.cognitiveservices")
    policies = pytest.importorskip("azure.core.pipeline.policies")

    def documented(value, where):
        """Everything that was sent is known to the SDK's model."""
        assert not getattr(value, "additional_properties", None), f"{where}: {value.additional_properties}"
        for name, form in getattr(value, "_attribute_map", {}).items():
            member = getattr(value, name)
            for item in member if isinstance(member, list) else [member]:
                if hasattr(item, "_attribute_map"):
                    documented(item, f"{where}.{name}")

    with estate(page=2).serve() as server:
        client = cognitive.CognitiveServicesManagementClient(
            object(), SUBSCRIPTION, base_url=server.url, authentication_policy=policies.HeadersPolicy({"authorization": f"Bearer {TOKEN}"}))
        found = {}
        for one in client.accounts.list():
            documented(one, one.name)
            if one.kind in ("OpenAI", "AIServices"):
                for item in client.deployments.list("ai", one.name):
                    documented(item, item.name)
                    found[(one.id, item.name)] = (item.sku.name, item.properties.model.name)
    said = imported(cli, estate())
    ours = {(one["resource"], entry["upstream"]): (one.get("sku"), name) for one in said["fleet"]["deployments"] for name, entry in one["models"].items()}
    for key, (sku, name) in ours.items():
        assert found[key][1] == name and sku in (None, found[key][0])
    assert set(found) - set(ours) == {(account_id("acme-se"), "old")}
