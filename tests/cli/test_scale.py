"""Many tenants: an edit of one reads and writes little, and says and does what reading everything would."""

import json
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "bench", "scale"))
import documents  # noqa: E402

TENANTS, ORGANISATIONS = 20000, 20


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Documents of 20 organisations with 1000 tenants each, in two files an organisation."""
    directory = tmp_path_factory.mktemp("large")
    documents.make(str(directory), TENANTS, ORGANISATIONS, 2 * ORGANISATIONS, 50)
    return directory


@pytest.fixture
def many(cli, large):
    cli.init()
    cli.large = large
    answer = applied(cli, large)
    assert (answer["tenants"], answer["apps"], answer["unread"]) == (TENANTS, TENANTS, 0)
    return cli


def applied(cli, directory, *arguments, code=0):
    done = cli.run("policy", "apply", str(directory), "--json", *arguments, code=code)
    return json.loads(done.stdout)


class Changed:
    """One tenants/1 document of the large set, changed while the block lasts."""

    def __init__(self, directory, name, change):
        self.path, self.change = directory / name, change

    def __enter__(self):
        self.text = self.path.read_text()
        document = json.loads(self.text)
        self.change(document["organisations"][0])
        self.path.write_text(json.dumps(document))

    def __exit__(self, *problem):
        self.path.write_text(self.text)


def asked(cli, app, code=0):
    request = cli.tmp / "request.json"
    request.write_text('{"model":"model-1","messages":[]}')
    done = cli.run("explain", "--request", str(request), "--as", app, "--node", "n1", "--json", code=code)
    return json.loads(done.stdout)["decision"] if code != 1 else done.stderr


def test_one_tenant(many):
    def change(organisation):
        organisation["tenants"][5]["apps"] = [{"id": "app"}, {"id": "hr", "classes": ["secret"]}]
        del organisation["tenants"][6]
    assert asked(many, "org3/t3005/app")["verdict"] == "allow"
    with Changed(many.large, "tenants-org3-000.json", change):
        answer = applied(many, many.large)
    assert (answer["revision"], answer["tenants"], answer["apps"], answer["unread"]) == (2, TENANTS - 1, TENANTS, 39)
    assert answer["changed"] == {"gateway": False, "organisations": ["org3"]}
    assert [each["name"] for each in asked(many, "org3/t3005/hr", code=3)["classes"]] == ["internal", "secret"]
    assert asked(many, "org3/t3005/app")["verdict"] == "allow"
    assert "does not list org3/t3006/app" in asked(many, "org3/t3006/app", code=1)
    assert asked(many, "org19/t19999/app")["verdict"] == "allow"
    answer = applied(many, many.large)
    assert (answer["revision"], answer["tenants"], answer["apps"], answer["unread"]) == (3, TENANTS, TENANTS, 39)
    assert asked(many, "org3/t3006/app")["verdict"] == "allow"
    assert "does not list org3/t3005/hr" in asked(many, "org3/t3005/hr", code=1)


def test_one_organisation(many, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in ("residency-org4.json", "tenants-org4-000.json", "tenants-org4-001.json"):
        (own / name).write_bytes((many.large / name).read_bytes())
    applied(many, own, "--organisation", "org4")         # the documents are called otherwise from now on
    with Changed(own, "tenants-org4-001.json", lambda organisation: organisation.update(tenants=organisation["tenants"][:100])):
        answer = applied(many, own, "--organisation", "org4")
    assert (answer["tenants"], answer["apps"]) == (TENANTS - 400, TENANTS - 400)
    assert answer["unread"] == 39 and answer["changed"] == {"gateway": False, "organisations": ["org4"]}
    assert "does not list" in asked(many, "org4/t4999/app", code=1)
    assert asked(many, "org4/t4000/app")["verdict"] == "allow"


def test_given_by_another_document(many):
    with Changed(many.large, "tenants-org3-000.json", lambda organisation: organisation["tenants"].append({"id": "t3700"})):
        done = many.run("policy", "apply", str(many.large), code=1)
    assert 'tenant "org3/t3700" is already given at' in done.stderr and "tenants-org3-000.json:1:" in done.stderr
    assert "tenants-org3-001.json:1:" in done.stderr


def test_organisation_given_differently(many):
    with Changed(many.large, "tenants-org3-000.json", lambda organisation: organisation.update(max_output=100000)):
        answer = applied(many, many.large)
        assert answer["unread"] == 0                    # it says something of the tenants of another document
        with Changed(many.large, "tenants-org3-001.json", lambda organisation: organisation.update(max_output=90000)):
            done = many.run("policy", "apply", str(many.large), code=1)
    assert 'tenants-org3-001.json' in done.stderr and '"max_output" of organisation "org3" is given differently at' in done.stderr


def test_last_one_of_a_forbid(many):
    path = many.large / "residency-org5.json"
    text = path.read_text()
    document = json.loads(text)
    document["forbid"].append({"id": "one", "why": "w", "tenants": ["org5/t5001"], "process": {"touches": ["FR"]}})
    try:
        path.write_text(json.dumps(document))
        assert applied(many, many.large)["unread"] == 0  # it is not of tenants/1
        with Changed(many.large, "tenants-org5-000.json", lambda organisation: organisation["tenants"].pop(1)):
            done = many.run("policy", "apply", str(many.large), code=1)
        assert 'forbid "one": pattern "org5/t5001" covers no tenant of its policy' in done.stderr
    finally:
        path.write_text(text)
