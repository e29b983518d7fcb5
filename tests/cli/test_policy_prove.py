"""policy prove: claims, their verdicts and exit codes, counter-examples that run as cases, mistakes with their column."""

import json

import pytest

from conftest import EVIDENCE, FLEET, RESIDENCY, TENANTS, changed, write_policy

OUTSIDE = "never personal process outside EU"


@pytest.fixture
def policy(cli):
    return write_policy(cli.tmp / "policy")


def prove(cli, policy, *claims, code=0, **options):
    return cli.run("policy", "prove", *claims, "--policy", policy, code=code, **options)


def proved(cli, policy, *claims, code=0):
    return json.loads(prove(cli, policy, *claims, "--json", code=code).stdout)


def test_a_claim_that_holds(cli, policy):
    done = prove(cli, policy, OUTSIDE)
    assert done.stdout.startswith("holds: never personal process outside EU\n  ")
    assert "; 0 against it\n" in done.stdout and "\nexamined: 2 apps in 1 kind of caller " in done.stdout and done.stderr == ""
    answer = proved(cli, policy, OUTSIDE)
    assert answer["holds"] is True and answer["revision"] == 0
    assert answer["claims"][0]["verdict"] == "holds" and answer["claims"][0]["uses"] > 0 and answer["claims"][0]["examples"] == []
    assert answer["examined"]["apps"] == 2 and answer["examined"]["classes"] == 3 and answer["examined"]["decisions"] > 0


def test_a_claim_that_does_not_hold(cli, policy):
    done = prove(cli, policy, "never public process outside EU for nordbank/retail", "never public on gpu-fkb", code=2)
    # public only comes with personal, whose allow stays in the EU: what breaks is the second claim
    assert done.stdout.startswith("holds: never public process outside EU for nordbank/retail\n")
    assert ("BROKEN: never public on gpu-fkb\n  nordbank/retail/chat and 1 like it: public may be processed in DE SE\n"
            "      on gpu-fkb (gpt-oss) by public-anywhere personal-stays-in-eu, for gpt-4.1 at chat.completions on node fra-1, "
            "with x-data-class: public\n") in done.stdout
    answer = proved(cli, policy, "never public on gpu-fkb", code=2)
    example = answer["claims"][0]["examples"][0]
    assert (example["app"], example["alike"], example["deployment"], example["upstream_model"]) == (
        "nordbank/retail/chat", 2, "gpu-fkb", "gpt-oss")
    assert (example["class"], example["carries"], example["label"], example["rules"]) == (
        "public", "public personal", "public", "public-anywhere personal-stays-in-eu")
    assert example["reached"] == {"process": ["DE", "SE"], "store": [], "operator": ["SE"]}


def test_a_vacuous_claim_says_so(cli, policy):
    done = prove(cli, policy, "never secret process outside EU", code=3)
    assert done.stdout.startswith("VACUOUS: never secret process outside EU\n  nothing is eligible: every request is denied\n")
    assert proved(cli, policy, "never secret outside EU", code=3)["holds"] is False
    assert proved(cli, policy, "never secret outside EU", "never personal on azure-se", code=2)["claims"][0]["verdict"] == "vacuous"
    unlabelled = write_policy(cli.tmp / "unlabelled", residency=changed(RESIDENCY, lambda r: r["classify"].pop("labels")))
    assert "no request of these tenants can carry such a class" in prove(cli, unlabelled, "never secret outside EU", code=3).stdout


def features(fleet):
    fleet["deployments"][2]["features"] = {"web_search": {"process": ["US"], "store": "nothing"}}


def test_features_listed_and_unlisted(cli):
    policy = write_policy(cli.tmp / "features", fleet=changed(FLEET, features))
    assert proved(cli, policy, OUTSIDE)["examined"]["features"] == 3
    lenient = write_policy(cli.tmp / "lenient", fleet=changed(FLEET, features), residency=changed(
        RESIDENCY, lambda r: r["allow"][1].update(unlisted_features="accepted")))
    answer = proved(cli, lenient, OUTSIDE, code=2)
    assert all(each["unlisted_feature"] and each["against"]["process"] == ["?"] for each in answer["claims"][0]["examples"])
    assert "nobody knows where" in prove(cli, lenient, OUTSIDE, code=2).stdout
    answer = proved(cli, lenient, OUTSIDE + " except unlisted features")
    assert answer["claims"][0]["verdict"] == "holds" and answer["claims"][0]["left_out"] > 0

    def wide(residency):
        residency["allow"][1]["process"]["within"].append("US")
    wide_policy = write_policy(cli.tmp / "wide", fleet=changed(FLEET, features), residency=changed(RESIDENCY, wide))
    example = proved(cli, wide_policy, OUTSIDE, code=2)["claims"][0]["examples"][0]
    assert (example["feature"], example["unlisted_feature"], example["against"]["process"]) == ("web_search", False, ["US"])


def test_later_instants_are_examined(cli):
    until = {**EVIDENCE, "until": "2035-06-30"}

    def ends(fleet):
        fleet["deployments"][0]["evidence"] = {name: until if name == "operator_home" else EVIDENCE
                                               for name in ("store", "operator_home", "training")}
    policy = write_policy(cli.tmp / "ends", fleet=changed(FLEET, ends), residency=changed(RESIDENCY, lambda r: r.pop("forbid")))
    claim = "never personal operator outside US SE"
    answer = proved(cli, policy, claim, code=2)
    assert answer["examined"]["later_instants"] == 1
    example = answer["claims"][0]["examples"][0]
    assert example["later"] is True and example["at"] == "2035-07-01T00:00:00Z" and example["against"]["operator"] == ["?"]
    assert ", from 2035-07-01T00:00:00Z on" in prove(cli, policy, claim, code=2).stdout
    assert proved(cli, policy, claim, "--at", "2035-07-01", code=2)["claims"][0]["examples"][0]["later"] is False


def test_keys_that_patterns_name(cli):
    def keyed(residency):
        residency["allow"].append({"id": "batch-abroad", "why": "the night run", "classes": ["personal"], "tenants": ["nordbank/retail/chat/batch*"],
                                   "process": {"within": ["ANYWHERE"]}, "store": "nothing"})
    policy = write_policy(cli.tmp / "keyed", residency=changed(RESIDENCY, keyed))
    answer = proved(cli, policy, OUTSIDE, code=2)
    example = answer["claims"][0]["examples"][0]
    assert example["app"] == "nordbank/retail/chat" and example["key"].startswith("batch")
    cases = cli.tmp / "cases.json"
    prove(cli, policy, OUTSIDE, "--case", cases, code=2)
    assert json.loads(cases.read_text())["cases"][0]["key"] == "nordbank/retail/chat/" + example["key"]
    assert proved(cli, policy, OUTSIDE + " for nordbank/retail/mail")["claims"][0]["verdict"] == "holds"


def test_counter_examples_run_as_cases(cli, policy):
    def lax(residency):
        residency["allow"][1]["process"]["within"] = ["ANYWHERE"]
        residency["allow"][1]["unlisted_features"] = "accepted"
    broken = write_policy(cli.tmp / "broken", fleet=changed(FLEET, features), residency=changed(RESIDENCY, lax))
    cases = cli.tmp / "cases.json"
    done = prove(cli, broken, OUTSIDE, "never personal operator in US", "--case", cases, code=2)
    written = json.loads(cases.read_text())
    assert written["kind"] == "cases/1" and f"{len(written['cases'])} counter-examples in {cases}" in done.stderr
    failed = json.loads(cli.run("policy", "test", cases, "--policy", broken, "--json", code=1).stdout)
    assert failed["failed"] == len(written["cases"]) > 3
    # the policy that keeps the claims passes those of them that it keeps
    passed = json.loads(cli.run("policy", "test", cases, "--policy", policy, "--json", code=1).stdout)
    names = {each["name"] for each in written["cases"] if each["because"] == OUTSIDE}
    assert all(each["passed"] for each in passed["results"] if each["name"] in names) and names

    cases.unlink()
    assert "no counter-example" in prove(cli, policy, OUTSIDE, "--case", cases).stderr and not cases.exists()


def test_of_the_revision_in_force(ready):
    assert json.loads(ready.run("policy", "prove", OUTSIDE, "--json").stdout)["revision"] == 1


@pytest.mark.parametrize("claim, column, sentence", [
    ("nevr personal outside EU", 1, '"nevr" is not "never" or "always"; did you mean "never"?'),
    ("never personl outside EU", 7, 'did you mean "personal"?'),
    ("never personal proces outside EU", 16, 'did you mean "process"?'),
    ("never personal process outsid EU", 24, 'did you mean "outside"?'),
    ("never personal outside eu", 24, 'did you mean "EU"?'),
    ("never personal outside EUU", 24, 'did you mean "EU"?'),
    ("never personal outside eu-olny", 24, 'did you mean "eu-only"?'),
    ("never personal outside EU minus", 32, "it ends where a place is expected"),
    ("never personal outside", 23, "it ends where a place is expected"),
    ("never personal on azure-sw", 19, 'did you mean "azure-se"?'),
    ("never personal process on azure-se", 24, '"on" is not "outside" or "in"'),
    ("always personal outside EU", 17, '"outside" is not "within"'),
    ("never personal outside EU for nordbank/retial", 31, 'did you mean "nordbank/retail"?'),
    ("never personal outside EU except features", 34, '"features" is not "unlisted features"'),
    ("never personal outside EU except unlisted features please", 52, "the end"),
])
def test_mistakes_have_a_column(cli, policy, claim, column, sentence):
    lines = prove(cli, policy, claim, code=1).stderr.splitlines()
    assert lines[0].startswith(f"gatehouse policy prove: column {column} of the claim: ") and sentence in lines[0]
    assert lines[1] == "  " + claim and lines[2] == "  " + " " * (column - 1) + "^"


def test_other_mistakes(cli, policy):
    assert f"--policy {policy}" in prove(cli, policy, policy, code=64).stderr
    assert "--at yesterday" in prove(cli, policy, OUTSIDE, "--at", "yesterday", code=64).stderr
    cli.run("policy", "prove", "--policy", policy, code=64)


def test_words_of_claims(cli, policy):
    assert proved(cli, policy, "always personal process within EEA minus LI IS NO", "never personal or secret store outside EU",
                  "never anything store in ANYWHERE", "never personal, secret process in US, CA and CN")["holds"] is True
    assert proved(cli, policy, "never anything on azure-we-global", code=0)["holds"] is True
    assert proved(cli, policy, "always personal process within EU minus SE", code=2)["claims"][0]["verdict"] == "broken"


def test_places_of_two_policies(cli):
    policy = write_policy(cli.tmp / "two")
    (policy / "fjord.json").write_text(json.dumps({**RESIDENCY, "name": "fjord", "applies_to": "fjord/*", "places": {"home": ["NO"]},
                                                   "allow": RESIDENCY["allow"][:1], "forbid": RESIDENCY["forbid"], "classes": ["public"],
                                                   "classify": {"default": "public"}}))
    (policy / "fjord-tenants.json").write_text(json.dumps(changed(TENANTS, lambda t: t["organisations"][0].update(id="fjord"))))
    assert 'say for which tenants it is' in prove(cli, policy, "never public outside home", code=1).stderr
    assert prove(cli, policy, "never public outside home for fjord", code=3).stdout.startswith("VACUOUS")


def test_a_file_that_is_there_is_kept(cli):
    policy = write_policy(cli.tmp / "abroad", residency=changed(RESIDENCY, lambda residency: residency["allow"][1]["process"].update(within=["ANYWHERE"])))
    cases = cli.tmp / "kept.json"
    cases.write_text("mine")
    done = prove(cli, policy, OUTSIDE, "--case", cases, code=1)
    assert f"cannot write {cases}: File exists" in done.stderr and cases.read_text() == "mine"
