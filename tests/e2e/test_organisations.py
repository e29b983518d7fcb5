"""Two organisations on one gateway, each editing its own policy while both send requests: nobody feels the other's edits."""
import json
import threading

import pytest

import records
from client import ask, body_of, expect_error
from documents import allow, deployment, fleet, forbid, residency, tenants
from gateway import Backend

ROUNDS = 6
FORBIDDEN = "stays-home"


def guard(**more):
    return {"kind": "residency/1", "role": "guard", "name": "group", "applies_to": "*", "facts": "regions/2026-11-21",
            "forbid": [forbid("never-cn", process=["CN"])], **more}


@pytest.fixture
def plant(make_gateway, mock):
    """Backends far (US, the first choice) and near (SE); both organisations may use both."""
    mocks = [mock(f"127.0.0.{71 + i}", name=name) for i, name in enumerate(("far", "near"))]
    gateway = make_gateway([Backend(m.name, m) for m in mocks], workers=2)
    gateway.far, gateway.near = mocks
    both = ["acme", "bank"]
    gateway.apply(fleet(deployment("far", country="US", serves=both), deployment("near", priority=2, serves=both)), guard(),
                  *(residency(allow("anywhere"), name=name) for name in both), *(tenants("red", organisation=name) for name in both))
    gateway.start()
    yield gateway
    records.check_all(gateway.audit)


class Organisation:
    """One that edits: `number` files so far, each edit in a directory of its own with files of the same names as the other's."""

    def __init__(self, gateway, name):
        self.gateway, self.name, self.number = gateway, name, 0
        self.key = gateway.key(f"{name}/red/app")

    def edit(self, policy, *arguments, check=True):
        self.number += 1
        directory = self.gateway.prefix / f"{self.name}-{self.number}"
        directory.mkdir()
        (directory / "residency.json").write_text(json.dumps(policy))
        (directory / "tenants.json").write_text(json.dumps(tenants("red", organisation=self.name)))
        return self.gateway.command("policy", "apply", directory, "--organisation", self.name, "--author", self.name, *arguments, check=check)

    def loose(self):
        return residency(allow("anywhere"), name=self.name)

    def strict(self):
        return residency(allow("anywhere"), forbids=[forbid(FORBIDDEN, process=["US"])], name=self.name)

    def off(self):
        return residency(allow("anywhere"), forbids=[forbid("off")], name=self.name)

    def asks(self):
        return ask(self.gateway, body=body_of(), key=self.key)

    def served_by(self):
        found = self.asks()
        assert found.status == 200, found
        return self.gateway.outcome(found.id)["attempts"][-1]["deployment"]


def in_threads(*functions):
    """Runs them at the same time; the first failure of any is raised."""
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as failure:    # an assertion of a thread is the test's
            failures.append(failure)
    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failures:
        raise failures[0]


def test_each_sees_its_own_edits_only(plant):
    acme, bank = Organisation(plant, "acme"), Organisation(plant, "bank")

    def edits(organisation, steps):
        for step in steps * ROUNDS:
            if step == "strict":
                organisation.edit(organisation.strict())
                assert organisation.served_by() == "near"
            elif step == "off":
                organisation.edit(organisation.off())
                expect_error(organisation.asks(), 403, "residency_denied")
            else:
                organisation.edit(organisation.loose())
                assert organisation.served_by() == "far"
    in_threads(lambda: edits(acme, ["strict", "loose"]), lambda: edits(bank, ["off", "strict", "loose"]))

    history = json.loads(plant.command("policy", "history", "--json").stdout)
    assert len(history) == 1 + 5 * ROUNDS and [one["revision"] for one in history] == list(range(1 + 5 * ROUNDS, 0, -1))
    assert all(one["changed"] == {"gateway": False, "organisations": [one["author"]]} for one in history[:-1])
    assert {one["base"] + 1 == one["revision"] for one in history} == {True}


def test_an_edit_takes_nothing_from_the_other(plant):
    """Requests of one organisation go on without a failure while the other edits all the time."""
    acme, bank = Organisation(plant, "acme"), Organisation(plant, "bank")
    over = threading.Event()
    statuses = []

    def asks():
        while not over.is_set():
            statuses.append(acme.asks().status)

    def edits():
        try:
            for number in range(4 * ROUNDS):
                bank.edit(bank.off() if number % 2 else bank.strict())
        finally:
            over.set()
    in_threads(asks, edits)
    assert set(statuses) == {200}
    expect_error(bank.asks(), 403, "residency_denied")


def test_base_and_rollback_are_of_one_organisation(plant):
    acme, bank = Organisation(plant, "acme"), Organisation(plant, "bank")
    acme.edit(acme.strict())
    bank.edit(bank.off(), "--base", "1")
    refused = acme.edit(acme.loose(), "--base", "1", check=False)
    assert refused.returncode == 1 and 'revision 2 by acme changed the documents of organisation "acme"' in refused.stderr
    assert acme.served_by() == "near"

    plant.command("policy", "rollback", "1", "--organisation", "acme", "--reason", "no longer needed")
    assert acme.served_by() == "far"
    expect_error(bank.asks(), 403, "residency_denied")

    plant.command("key", "revoke", "bank/red/app/main")
    plant.command("policy", "rollback", "1", "--organisation", "bank", "--reason", "open again")
    assert bank.asks().status == 401
    bank.key = plant.key("bank/red/app", "second")
    assert bank.served_by() == "far"


def test_a_guard_holds_for_both(plant):
    acme, bank = Organisation(plant, "acme"), Organisation(plant, "bank")
    directory = plant.prefix / "gateway-1"
    directory.mkdir()
    both = ["acme", "bank"]
    fleets = fleet(deployment("far", country="US", serves=both), deployment("near", priority=2, serves=both))
    for name, document in (("fleet", fleets), ("guard", guard(forbid=[forbid("never-us", process=["US"])]))):
        (directory / f"{name}.json").write_text(json.dumps(document))
    plant.command("policy", "apply", directory, "--gateway")
    assert acme.served_by() == bank.served_by() == "near"
    acme.edit(acme.loose())
    assert acme.served_by() == "near"
