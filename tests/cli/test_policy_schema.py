"""policy schema: the schemas of conf/schema, as files of an editor's folder and as a whole."""

import json

import jsonschema
import pytest
from referencing import Registry, Resource

from conftest import FLEET, RESIDENCY, ROOT, TENANTS, changed

FOLDER = ROOT / "conf" / "schema"
KINDS = {"residency/1": "residency-1.schema.json", "fleet/1": "fleet-1.schema.json", "tenants/1": "tenants-1.schema.json",
         "identity/1": "identity-1.schema.json", "cases/1": "cases-1.schema.json", "credentials/1": "credentials-1.schema.json", "documents": "documents.schema.json"}


def test_the_list(cli):
    assert [line.split()[0] for line in cli.run("policy", "schema").stdout.splitlines()] == list(KINDS)
    assert json.loads(cli.run("policy", "schema", "--json").stdout) == {
        "schemas": [{"kind": kind, "file": name} for kind, name in KINDS.items()]}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_the_file_and_a_schema(cli, kind):
    text = cli.run("policy", "schema", kind).stdout
    assert text == (FOLDER / KINDS[kind]).read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_unknown_kinds(cli):
    assert 'no schema of kind "residenci/1"; did you mean "residency/1"?' in cli.run("policy", "schema", "residenci/1", code=64).stderr
    assert "leave out fleet/1" in cli.run("policy", "schema", "fleet/1", "--out", cli.tmp, code=64).stderr


def test_out_makes_a_folder_that_an_editor_can_use(cli):
    folder = cli.tmp / "schemas"
    assert "cannot make the directory" in cli.run("policy", "schema", "--out", folder / "deeper", code=1).stderr
    cli.run("policy", "schema", "--out", folder)
    cli.run("policy", "schema", "--out", folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(KINDS.values())
    schemas = {name: json.loads((folder / name).read_text()) for name in KINDS.values()}
    registry = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in schemas.items())
    any_kind = jsonschema.Draft202012Validator(schemas["documents.schema.json"], registry=registry)
    cases = json.loads((ROOT / "conf/examples/cases/nordbank.json").read_text())
    for document in (FLEET, RESIDENCY, TENANTS, cases):
        assert not list(any_kind.iter_errors(document))
        assert list(any_kind.iter_errors(changed(document, lambda d: d.update(comment="x"))))
        assert list(any_kind.iter_errors(changed(document, lambda d: d.update(kind="residency/2"))))


def test_the_documented_problem_matcher_reads_what_validate_says(cli):
    """The regular expression of conf/documents.md, on real findings."""
    import re

    text = (ROOT / "conf" / "documents.md").read_text()
    pattern = json.loads('"' + re.search(r'"regexp": "(.*?)",\n', text).group(1) + '"')
    (cli.tmp / "fleet.json").write_text('{ "kind": "fleet/1",\n  "deploiments": [] }\n')
    (cli.tmp / "empty.json").write_text('{ "kind": "tenants/1", "organisations": [] }\n')
    lines = cli.run("policy", "validate", cli.tmp, code=1).stderr.splitlines()
    found = [re.match(pattern, line) for line in lines]
    assert len(lines) == 2 and all(found)
    assert found[1].groups() == (f"{cli.tmp}/fleet.json", "2", "3", "error", 'a fleet document has no member "deploiments"; did you mean "deployments"?',
                                 "unknown_member")
