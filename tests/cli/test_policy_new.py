"""policy new: every template is valid, passes its own cases and covers its rules; nothing is overwritten."""

import json

import pytest

from conftest import ROOT

TEMPLATES = ("eu-only", "us-hipaa", "global-saas", "public-sector-de")
FILES = ("policy/residency.json", "policy/fleet.json", "policy/tenants.json", "cases.json", "README.md")


def new(cli, template, *arguments, code=0):
    return cli.run("policy", "new", "--template", template, *arguments, code=code, cwd=cli.tmp)


def test_the_folders_are_the_templates():
    assert sorted(path.name for path in (ROOT / "conf/templates").iterdir()) == sorted(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_stands_by_itself(cli, template):
    done = new(cli, template, "--organisation", "ministry-7")
    assert done.stdout.splitlines()[:5] == [f"ministry-7/{name}" for name in FILES]
    out = cli.tmp / "ministry-7"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == sorted(FILES)
    for name in FILES:
        assert "ORGANISATION" not in (out / name).read_text()
    assert cli.run("policy", "validate", out / "policy").stdout == "valid: 3 documents, 0 errors, 0 warnings\n"
    done = cli.run("policy", "test", out / "cases.json", "--policy", out / "policy", "--min-coverage", "100")
    assert " 0 failed; " in done.stdout and done.stderr == ""
    assert cli.run("fleet", "check", out / "policy", "--strict").stdout.startswith("Nothing is unknown")
    assert 'RESIDENCY POLICY "ministry-7"' in cli.run("policy", "show", out / "policy", "--words").stdout


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_cases_notice_a_changed_rule(cli, template):
    """Without any one rule, or with any allow open to the whole world, a case fails."""
    new(cli, template)
    path = cli.tmp / "acme/policy/residency.json"
    policy = json.loads(path.read_text())
    for kind in ("allow", "forbid"):
        for number, rule in enumerate(policy[kind]):
            mutants = [{**policy, kind: policy[kind][:number] + policy[kind][number + 1:]}]
            if kind == "allow" and rule["process"] != {"within": ["ANYWHERE"]}:
                mutants.append({**policy, kind: [dict(each, process={"within": ["ANYWHERE"]}, store={"within": ["ANYWHERE"]})
                                                 if each is rule else each for each in policy[kind]]})
            for mutant in mutants:
                path.write_text(json.dumps(mutant))
                done = cli.run("policy", "test", cli.tmp / "acme/cases.json", "--policy", cli.tmp / "acme/policy", code=None)
                # what no-training takes away no allow lets in: it stands for the day when one accepts training
                assert done.returncode != 0 or rule["id"] == "no-training", (rule["id"], mutant is mutants[0])


def test_names_and_places(cli):
    new(cli, "eu-only", "--out", cli.tmp / "here")
    assert '"name": "acme"' in (cli.tmp / "here/policy/residency.json").read_text()
    answer = json.loads(new(cli, "us-hipaa", "--organisation", "clinic", "--json").stdout)
    assert answer == {"template": "us-hipaa", "organisation": "clinic", "written": [f"clinic/{name}" for name in FILES]}


def test_beside_other_files(cli):
    (cli.tmp / "acme").mkdir()
    (cli.tmp / "acme/notes.txt").write_text("mine")
    new(cli, "eu-only")
    assert (cli.tmp / "acme/notes.txt").read_text() == "mine" and (cli.tmp / "acme/cases.json").exists()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten(cli, name):
    path = cli.tmp / "acme" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    done = new(cli, "eu-only", code=1)
    assert f"acme/{name} exists; nothing was written" in done.stderr and "--out" in done.stderr
    assert path.read_text() == "mine"
    assert [each for each in (cli.tmp / "acme").rglob("*") if each.is_file()] == [path]


def test_all_or_nothing(cli):
    (cli.tmp / "acme").mkdir()
    (cli.tmp / "acme/policy").write_text("a file where a directory must be")
    done = new(cli, "eu-only", code=1)
    assert "cannot make the directory acme/policy: a file of that name exists" in done.stderr or "exists" in done.stderr
    assert sorted(each.name for each in (cli.tmp / "acme").iterdir()) == ["policy"]


def test_a_directory_that_cannot_be_made(cli):
    done = new(cli, "eu-only", "--out", cli.tmp / "no/such", code=1)
    assert f"cannot make the directory {cli.tmp}/no/such: No such file or directory" in done.stderr


def test_usage(cli):
    done = new(cli, "eu-onl", code=64)
    assert "there is no template eu-onl; did you mean eu-only?" in done.stderr
    assert all(f"  --template {name}" in done.stderr for name in TEMPLATES)
    assert "--template is missing" in cli.run("policy", "new", code=64).stderr
    assert "--organisation Acme is not a name" in new(cli, "eu-only", "--organisation", "Acme", code=64).stderr
