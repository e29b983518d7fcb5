"""fleet import: what a cloud's control plane says becomes fleet/1 with evidence; what it does not say stays unknown; what it should not say is refused."""

import json

import jsonschema
import pytest

from conftest import ROOT
from control_planes import ACCOUNT, KEYS, LOGGED, Region, bedrock, model, profile, throughput

SCHEMA = json.loads((ROOT / "conf" / "schema" / "fleet-1.schema.json").read_text())
HAIKU, SONNET, OSS, TITAN = ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0", "openai.gpt-oss-120b-1:0",
                             "amazon.titan-embed-text-v2:0")
SECRET = KEYS["AKIDREADONLY"]


def frankfurt(**changes):
    said = dict(
        models=[model(OSS, "OpenAI"), model(HAIKU), model(SONNET, on_demand=False), model(TITAN, "Amazon", outputs=["EMBEDDING"]),
                model("stability.image-v1:0", "Stability AI", outputs=["IMAGE"])],
        profiles=[profile(f"eu.{HAIKU}", HAIKU, ["eu-central-1", "eu-west-1"]),
                  profile(f"eu.{SONNET}", SONNET, ["eu-central-1", "eu-central-2", "eu-north-1"]),
                  profile(f"global.{SONNET}", SONNET, ["", "eu-central-1"])],
        application=[profile("abc123", HAIKU, ["eu-central-1"], kind="APPLICATION", title="billing bot")],
        provisioned=[throughput("ours", OSS), throughput("gone", OSS, status="Failed")])
    return Region(**{**said, **changes})


def world(**changes):
    return {"eu-central-1": frankfurt(**changes), "eu-west-1": Region(), "eu-north-1": Region(), "eu-central-2": Region(mode="default")}


def run(cli, server, *arguments, code=0, regions=("eu-central-1",), **environment):
    keys = {"AWS_ACCESS_KEY_ID": "AKIDREADONLY", "AWS_SECRET_ACCESS_KEY": SECRET[0], "AWS_SESSION_TOKEN": SECRET[1], **environment}
    asked = [word for region in regions for word in ("--region", region)]
    done = cli.run("fleet", "import", "bedrock", *asked, "--endpoint", server.url, *arguments, code=code,
                   env={**cli.environment, **{k: v for k, v in keys.items() if v is not None}})
    assert SECRET[0] not in done.stdout + done.stderr and SECRET[1] not in done.stdout + done.stderr
    return done


def imported(cli, cloud, *arguments, **options):
    with bedrock(cloud) as server:
        said = json.loads(run(cli, server, "--json", *arguments, **options).stdout)
    jsonschema.validate(said["fleet"], SCHEMA)
    return said


def by_id(fleet):
    return {deployment["id"]: deployment for deployment in fleet["deployments"]}


# ---- Amazon Bedrock ----

def test_what_a_region_says(cli):
    said = imported(cli, world())
    fleet = by_id(said["fleet"])
    assert list(fleet) == ["bedrock-eu-central-1", "bedrock-eu-central-1-eu", "bedrock-eu-central-1-global", "bedrock-eu-central-1-profile-billing-bot",
                           "bedrock-eu-central-1-provisioned-ours"]
    bare = fleet["bedrock-eu-central-1"]
    assert list(bare["models"]) == [TITAN, HAIKU, OSS] and bare["resource"] == f"arn:aws:bedrock:eu-central-1:{ACCOUNT}"
    assert bare["provider"] == bare["partition"] == "aws" and bare["operator_home"] == ["US"] and "serves" not in bare and "training" not in bare
    assert bare["models"][HAIKU]["store"] == "nothing"
    source = bare["models"][HAIKU]["evidence"]["store"]
    assert source["by"] == "gatehouse fleet import" and "GetAccountDataRetention in eu-central-1, request req-GetAccountDataRetention, 20" in source["source"]
    assert "no log of invocations by GetModelInvocationLoggingConfiguration" in source["source"]


def test_destinations_and_what_is_kept_there(cli):
    eu = by_id(imported(cli, world())["fleet"])["bedrock-eu-central-1-eu"]
    assert eu["profile"] == "eu."
    assert eu["models"][HAIKU]["upstream"] == f"eu.{HAIKU}" and eu["models"][HAIKU]["destinations"] == ["eu-central-1", "eu-west-1"]
    assert f"GetInferenceProfile eu.{HAIKU} in eu-central-1, request req-GetInferenceProfile" in eu["models"][HAIKU]["evidence"]["destinations"]["source"]
    assert eu["models"][HAIKU]["store"] == "nothing" and "GetAccountDataRetention in eu-west-1" in eu["models"][HAIKU]["evidence"]["store"]["source"]
    assert eu["models"][SONNET]["destinations"] == ["eu-central-1", "eu-central-2", "eu-north-1"]
    assert "store" not in eu["models"][SONNET], "Zurich keeps what the model's terms say"


def test_the_sentence(cli):
    with bedrock(world()) as server:
        done = run(cli, server)
    assert done.stdout.splitlines()[0] == (
        '8 models in 5 deployments: 1 may run anywhere, 4 unknown, because an ARN hides where it runs, and that cannot be stated (2); under the retention '
        'mode "default" of eu-central-2 it depends on the model (1); the profile\'s destinations are no list of regions, so their retention modes cannot '
        'be read (1)')
    assert "1 model of eu-central-1 was left out: neither text nor" in done.stdout
    assert "  bedrock-eu-central-1  bedrock-runtime.eu-central-1.amazonaws.com" in done.stdout.splitlines()
    assert "Nothing was written" in done.stdout


def test_the_document_is_what_the_loader_reads(cli):
    """The same facts come out of `fleet check` over the written file, and an import again writes the same."""
    with bedrock(world()) as server:
        (cli.tmp / "policy").mkdir()
        run(cli, server, "--output", cli.tmp / "policy" / "fleet.json")
        run(cli, server, "--output", cli.tmp / "again.json")
    text = (cli.tmp / "policy" / "fleet.json").read_text()
    drop = lambda line: [word for word in line.split(", ") if not word.startswith("20")]  # noqa: E731
    assert [drop(line) for line in text.splitlines()] == [drop(line) for line in (cli.tmp / "again.json").read_text().splitlines()]
    assert all(len(line) <= 400 for line in text.splitlines())


def test_a_file_that_exists_is_left_alone(cli):
    path = cli.tmp / "fleet.json"
    path.write_text("mine")
    with bedrock(world()) as server:
        done = run(cli, server, "--output", path, code=1)
        assert f"{path} exists; nothing was asked and nothing was written" in done.stderr and path.read_text() == "mine" and not server.requests
        run(cli, server, "--output", path, "--replace")
    assert json.loads(path.read_text())["kind"] == "fleet/1"
    assert [entry.name for entry in cli.tmp.iterdir() if entry.name.startswith("fleet")] == ["fleet.json"]


@pytest.mark.parametrize("mode", ["default", "aws_review", "provider_data_share", "inherit"])
def test_every_mode_but_none_is_unknown(cli, mode):
    said = imported(cli, world(mode=mode))
    assert all("store" not in entry for deployment in said["fleet"]["deployments"] for entry in deployment["models"].values())
    assert f'under the retention mode "{mode}" of eu-central-1 it depends on the model' in said["because"]


@pytest.mark.parametrize("logging, kept", [
    (LOGGED, {"in": ["DE"]}),
    ({**LOGGED, "textDataDeliveryEnabled": False}, "nothing"),
    ({key: value for key, value in LOGGED.items() if key != "textDataDeliveryEnabled"}, {"in": ["DE"]}),
    ({**LOGGED, "textDataDeliveryEnabled": False, "imageDataDeliveryEnabled": True}, {"in": ["DE"]}),
    ({**LOGGED, "textDataDeliveryEnabled": False, "videoDataDeliveryEnabled": True}, {"in": ["DE"]}),
])
def test_the_log_of_invocations_is_storage(cli, logging, kept):
    said = imported(cli, world(logging=logging))
    assert by_id(said["fleet"])["bedrock-eu-central-1"]["models"][HAIKU]["store"] == kept
    assert ("keep text for a time that nothing says" in said["sentence"]) == (kept != "nothing")


DENIED = (403, "AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r is not authorized to perform this")


@pytest.mark.parametrize("operation", ["ListFoundationModels", "ListInferenceProfiles", "GetInferenceProfile", "ListProvisionedModelThroughputs"])
def test_a_refusal_names_the_permission(cli, operation):
    regions = world()
    regions["eu-central-1"].override[operation] = DENIED
    with bedrock(regions) as server:
        error = run(cli, server, code=1).stderr
    assert f"{operation} " in error and f"lacks the IAM permission bedrock:{operation} (403 AccessDeniedException: User:" in error


@pytest.mark.parametrize("operation", ["GetAccountDataRetention", "GetModelInvocationLoggingConfiguration"])
def test_without_these_only_a_fact_is_unknown(cli, operation):
    regions = world()
    regions["eu-central-1"].override[operation] = DENIED
    said = imported(cli, regions)
    assert all("store" not in entry for deployment in said["fleet"]["deployments"] for entry in deployment["models"].values())
    assert f"{operation} was refused in eu-central-1 (403)" in said["because"]
    assert any(f"lacks the IAM permission bedrock:{operation}" in note for note in said["notes"])


def test_a_wrong_key(cli):
    with bedrock(world()) as server:
        error = run(cli, server, code=1, AWS_ACCESS_KEY_ID="AKIDOTHER").stderr
    assert "the credential is not accepted (403 InvalidSignatureException: an access key id that is not known)" in error


def test_no_key(cli):
    with bedrock(world()) as server:
        error = run(cli, server, code=1, AWS_ACCESS_KEY_ID=None).stderr
        assert not server.requests
    assert "no credential of AWS" in error and "--credential -" in error


def test_a_key_from_a_file(cli):
    path = cli.tmp / "credential.json"
    path.write_text(json.dumps({"Version": 1, "AccessKeyId": "AKIDREADONLY", "SecretAccessKey": SECRET[0], "SessionToken": SECRET[1]}))
    with bedrock(world()) as server:
        run(cli, server, "--credential", path, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_SESSION_TOKEN=None)


def test_only_reads_are_asked(cli):
    with bedrock(world()) as server:
        run(cli, server)
    assert {method for method, _, _ in server.requests} == {"GET"}


def test_pages(cli):
    names = [model(f"anthropic.m{number}") for number in range(25)]
    many = [profile(f"eu.anthropic.m{number}", f"anthropic.m{number}", ["eu-central-1"]) for number in range(25)]
    said = imported(cli, world(models=names, profiles=many, page=4))
    assert len(by_id(said["fleet"])["bedrock-eu-central-1-eu"]["models"]) == 25


def test_throttling_is_waited_for(cli):
    regions, left = world(), [2]

    def throttled(query):
        left[0] -= 1
        return (429, "ThrottlingException", "Too many requests") if left[0] >= 0 else None

    regions["eu-central-1"].override["ListFoundationModels"] = throttled
    with bedrock(regions) as server:
        answered = server.server.RequestHandlerClass.send_response

        def hurried(self, status, message=None):
            answered(self, status, message)
            self.send_header("Retry-After", "0")

        server.server.RequestHandlerClass.send_response = hurried
        run(cli, server)
        assert sum(path.startswith("/foundation-models") for _, path, _ in server.requests) == 3


@pytest.mark.parametrize("body, said", [
    (b"", "the answer is no JSON"),
    (b"<html>", "the answer is no JSON"),
    (b"[]", "the answer is an array, not an object"),
    (b'{"modelSummaries": 7}', '"modelSummaries" is a number, not a list'),
    (b'{"modelSummaries": [7]}', '"modelSummaries" holds a number, not objects alone'),
    (b'{"modelSummaries": [{}]}', 'a model has no "modelId"'),
    (b'{"modelSummaries": [{"modelId": 7}]}', 'a model has no "modelId"'),
    (b'{"modelSummaries": [{"modelId": "a\\u0007b", "outputModalities": ["TEXT"]}]}', 'a "modelId" is none of printable ASCII'),
    (b'{"modelSummaries": [{"modelId": "' + b"a" * 300 + b'", "outputModalities": ["TEXT"]}]}', 'a "modelId" is none of printable ASCII'),
    (b'{"a": ' * 200 + b"1" + b"}" * 200, "the answer is no JSON"),
    (b'{"modelSummaries": [], "modelSummaries": []}', "is given twice"),
    (b'{"modelSummaries": ["' + b"a" * (9 << 20) + b'"]}', "8388608"),
])
def test_answers_that_are_not_documented(cli, body, said):
    regions = world()
    regions["eu-central-1"].override["ListFoundationModels"] = body
    with bedrock(regions) as server:
        error = run(cli, server, "--output", cli.tmp / "fleet.json", code=1).stderr
    assert said in error and len(error) < 2000
    assert not (cli.tmp / "fleet.json").exists()


def test_a_list_without_an_end(cli):
    regions = world()
    regions["eu-central-1"].override["ListProvisionedModelThroughputs"] = lambda query: json.dumps({"nextToken": "page/0", "provisionedModelSummaries": []}).encode()
    with bedrock(regions) as server:
        assert "the list goes on after 200 pages" in run(cli, server, code=1).stderr
        assert len(server.requests) < 250


def test_profiles_of_several_models_are_left_out(cli):
    odd = profile(f"eu.{HAIKU}", HAIKU, ["eu-central-1"])
    odd["models"].append({"modelArn": f"arn:aws:bedrock:eu-west-1::foundation-model/{SONNET}"})
    said = imported(cli, world(profiles=[odd]))
    assert "bedrock-eu-central-1-eu" not in by_id(said["fleet"])
    assert any(f"profile eu.{HAIKU} in eu-central-1 was left out" in note for note in said["notes"])


def test_destinations_that_the_facts_do_not_know_are_unknown(cli):
    said = imported(cli, world(profiles=[profile(f"eu.{HAIKU}", HAIKU, ["eu-central-1", "eu-moon-1"])]))
    entry = by_id(said["fleet"])["bedrock-eu-central-1-eu"]["models"][HAIKU]
    assert entry["destinations"] == ["eu-central-1", "eu-moon-1"] and "store" not in entry
    assert said["unknown"] == 3


def test_two_regions(cli):
    said = imported(cli, {**world(), "eu-west-1": frankfurt(application=[], provisioned=[])}, regions=("eu-central-1", "eu-west-1"))
    assert {"bedrock-eu-central-1", "bedrock-eu-west-1"} <= set(by_id(said["fleet"]))


@pytest.mark.parametrize("arguments, said", [
    (["fleet", "import"], "something is missing"),
    (["fleet", "import", "gcp"], "unknown cloud gcp"),
    (["fleet", "import", "bedrock"], "bedrock needs --region REGION"),
    (["fleet", "import", "bedrock", "--region", "eu-central-1", "--replace"], "--replace needs --output FILE"),
])
def test_misuse(cli, arguments, said):
    assert said in cli.run(*arguments, code=64).stderr


def test_an_unknown_region(cli):
    with bedrock(world()) as server:
        assert 'region "eu-centrl-1" is not in regions/' in (error := run(cli, server, code=1, regions=("eu-centrl-1",)).stderr)
    assert 'did you mean "eu-central-1"?' in error
