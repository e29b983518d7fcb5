"""facts show and facts diff: words looked up, two dates compared, signatures."""

import hashlib
import json

import pytest

from conftest import ROOT

NAME = "regions/2026-11-21"
ARTEFACT = ROOT / "residency/data/regions-2026-11-21.json"


@pytest.fixture
def newer(cli):
    """Another date in a file: changes applied to the project's artefact."""
    def make(change=lambda artefact: None, name="regions/2027-02-01"):
        artefact = json.loads(ARTEFACT.read_text())
        artefact["name"] = name
        change(artefact)
        path = cli.tmp / "newer.json"
        path.write_text(json.dumps(artefact))
        return path
    return make


def diff(cli, path, *arguments, code=2):
    return cli.run("facts", "diff", NAME, path, *arguments, code=code)


def test_overview(cli):
    lines = cli.run("facts", "show").stdout.splitlines()
    assert lines[0] == f"{NAME}, signed by the project"
    assert lines[1] == "SHA-256 " + hashlib.sha256(ARTEFACT.read_bytes()).hexdigest()
    assert "  EU                          27 countries" in lines and lines[-1] == f"This program has: {NAME}."
    answer = json.loads(cli.run("facts", "show", "--json").stdout)
    assert answer["name"] == NAME and len(answer["sets"]["EEA"]) == 30


def test_words(cli):
    lines = cli.run("facts", "show", "GCC").stdout.splitlines()
    assert lines[0] == f"GCC, a set of 6 countries as of {NAME}:" and "Kuwait (KW)" in lines[1] and lines[-1] == "convenience set"
    for word in ("CH", "Switzerland", "switzerland"):
        assert cli.run("facts", "show", word).stdout == \
            f"Switzerland (CH) as of {NAME} is in: EU_DATA_BOUNDARY, OPENAI_EUROPE, OPENROUTER_EUROPE, GDPR_ADEQUATE.\n"
    assert cli.run("facts", "show", "AQ").stdout == f"Antarctica (AQ) as of {NAME} is in: no set.\n"
    assert cli.run("facts", "show", "northeurope").stdout.startswith(f"northeurope of azure, {NAME}: Ireland (IE), partition azure, ga")
    assert json.loads(cli.run("facts", "show", "FIVE", "--json").stdout)["countries"] == ["AU", "CA", "GB", "NZ", "US"]
    assert json.loads(cli.run("facts", "show", "eu-west-2", "--json").stdout)["rows"][0]["country"] == "GB"


@pytest.mark.parametrize("word, near", [("GDPR_ADEQUAT", "GDPR_ADEQUATE"), ("swedencentra", "swedencentral"), ("Germani", "Germany")])
def test_an_unknown_word(cli, word, near):
    assert f'has no set, country or region "{word}"; did you mean {near}?' in cli.run("facts", "show", word, code=1).stderr


def test_the_same(cli, newer):
    assert "Nothing that decides is different." in diff(cli, newer(), code=0).stdout
    assert diff(cli, NAME, code=0).stdout.startswith(f"{NAME} (signed by the project) -> {NAME} (signed by the project)\n")


def test_one_date_only(cli):
    done = cli.run("facts", "diff", code=1)
    assert f"this program has one date only, {NAME}" in done.stderr and "do: name another artefact" in done.stderr


def test_sets(cli, newer):
    def change(artefact):
        artefact["sets"]["EEA"]["members"].append("CH")
        artefact["sets"]["EEA"]["members"].remove("NO")
        artefact["sets"]["EEA"]["note"] = "treaty of 2027"
        del artefact["sets"]["FIVE"]
        artefact["sets"]["NORDIC"] = {"members": ["SE", "FI"], "note": "new"}
        artefact["partition_operators"]["aws-eusc"]["home"] = ["DE"]
    lines = diff(cli, newer(change)).stdout.splitlines()
    assert lines[:6] == [f"{NAME} (signed by the project) -> regions/2027-02-01 (not signed)", "", "Sets of countries:",
                         "  gained  EEA: Switzerland (CH) (treaty of 2027)", "  lost    EEA: Norway (NO) (treaty of 2027)",
                         "  removed FIVE: Australia (AU), Canada (CA), United Kingdom (GB), New Zealand (NZ), United States (US) (convenience set)"]
    assert "  added   NORDIC: Finland (FI), Sweden (SE) (new)" in lines
    assert "Homes of operators:" in lines and any(line.startswith("  lost    aws-eusc: United States (US) (") for line in lines)
    assert lines[-1] == "5 changes."


def test_regions(cli, newer):
    def change(artefact):
        rows = {row["id"]: row for row in artefact["regions"]}
        rows["westeurope"].update(country="BE", source="moved")
        artefact["regions"].remove(rows["uksouth"])
        artefact["regions"].append(dict(rows["northeurope"], id="irelandwest", verified=False))
    lines = diff(cli, newer(change)).stdout.splitlines()
    assert "  changed azure westeurope: NL, partition azure, ga -> BE, partition azure, ga (moved)" in lines
    assert any(line.startswith("  removed azure uksouth: GB, partition azure, ga (") for line in lines)
    assert any(line.startswith("  added   azure irelandwest: IE, partition azure, ga, not verified (") for line in lines)
    assert lines[-1] == "3 changes."


def test_rules_of_processing(cli, newer):
    def change(artefact):
        azure, aws = artefact["process_rules"]["azure"], artefact["process_rules"]["aws-bedrock"]
        azure[0]["process"] = {"any": True}
        azure[0]["source"] = "page of 2027"
        aws.append({"profile": "nord.", "process": {"countries": ["CA"]}, "source": "docs"})
        artefact["process_rules"]["newcloud"] = [{"process": {"state": True}}]
        del artefact["process_rules"]["self"]
    lines = diff(cli, newer(change)).stdout.splitlines()
    assert '  changed sku=["Standard","ProvisionedManaged"]: the region\'s country -> any country (page of 2027)' in lines
    assert '  added   profile="nord.": CA (docs)' in lines and "Processing at aws-bedrock:" in lines
    assert "Processing at newcloud:" in lines and "  added   always: must be stated" in lines
    assert "Processing at self:" in lines and "  removed always: must be stated" in lines
    answer = json.loads(diff(cli, newer(change), "--json").stdout)
    assert answer["from"] == NAME and len(answer["changes"]) == 4 and answer["changes"][0]["what"] == "processing"


def test_signatures_of_files(cli, newer):
    copy = cli.tmp / "copy.json"
    copy.write_bytes(ARTEFACT.read_bytes())
    (cli.tmp / "copy.json.sig").write_bytes((ROOT / "residency/data/regions-2026-11-21.json.sig").read_bytes())
    assert "-> regions/2026-11-21 (signed by the project)" in diff(cli, copy, code=0).stdout
    copy.write_bytes(ARTEFACT.read_bytes() + b"\n")
    assert "(not what was signed)" in diff(cli, copy, code=0).stdout
    assert cli.run("facts", "show", "--facts", copy).stdout.startswith(f"{NAME}, not what was signed\n")


@pytest.mark.parametrize("text, said", [("{", "newer.json:1:"), ("{}", "is no facts artefact"), ('{"format":"regions/3","name":"x"}', "is no facts")])
def test_no_artefact(cli, newer, text, said):
    path = newer()
    path.write_text(text)
    assert said in diff(cli, path, code=1).stderr


def test_unknown_names(cli):
    done = cli.run("facts", "diff", "regions/2026-11-12", code=1)
    assert f"regions/2026-11-12 is neither a file nor facts of this program, which has {NAME}; did you mean {NAME}?" in done.stderr
