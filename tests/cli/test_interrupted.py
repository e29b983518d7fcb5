"""Edits that are killed, or that meet a full disk, at each of their writes: the old revision or the new one, never anything between."""

import json
import os
import pathlib
import subprocess

import pytest

from conftest import changed
from organisations import RESIDENCY, Gateway, stricter, write

pytestmark = pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="another library is preloaded")

MOST_WRITES = 60


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    """The library that makes the n-th write fail."""
    made = tmp_path_factory.mktemp("faults") / "fault_writes.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, pathlib.Path(__file__).with_name("fault_writes.c"), "-ldl"], check=True)
    return made


@pytest.fixture
def gateway(cli):
    return Gateway(cli)


def newest(gateway):
    return json.loads(gateway.cli.run("policy", "history", "--limit", "1", "--json").stdout)[0]


def edit(gateway, faults, at, kind, *arguments):
    environment = dict(gateway.cli.environment, LD_PRELOAD=str(faults), GATEHOUSE_FAULT_AT=str(at), GATEHOUSE_FAULT=kind)
    return gateway.cli.run(*arguments, code=None, env=environment)


def whole(gateway, before, edited):
    """Newest is `before`, or one more in which exactly nordbank's documents are the edited ones."""
    found = newest(gateway)
    texts = {one["path"]: one["sha256"] for one in found["documents"]}
    if found["revision"] == before["revision"]:
        assert found == before
        assert gateway.asks("nordbank") == 0
        return False
    assert found["revision"] == before["revision"] + 1 and found["base"] == before["revision"]
    assert {path for path in texts if path.startswith("nordbank/")} == {"nordbank/residency.json", "nordbank/tenants.json"}
    assert len(texts) == 6 and found["changed"] == {"gateway": False, "organisations": ["nordbank"]}
    assert found["reason"] == edited and gateway.asks("nordbank") == 3
    return True


@pytest.mark.parametrize("kind", ["kill", "full"])
def test_an_edit_interrupted_at_each_write(gateway, faults, kind):
    gateway.apply_nord("--reason", "start", residency=changed(RESIDENCY, lambda p: None))
    loose, strict = gateway.nord, write(gateway.cli.tmp / "strict", residency=stricter(), tenants=(gateway.nord / "tenants.json").read_text())
    outcomes = []
    for at in range(1, MOST_WRITES):
        before = newest(gateway)
        done = edit(gateway, faults, at, kind, "policy", "apply", strict, "--organisation", "nordbank", "--reason", "tight")
        applied = whole(gateway, before, "tight")
        outcomes.append((done.returncode, applied))
        assert done.returncode != 0 or applied, "it said that it was applied"
        if kind == "full":
            assert applied == (done.returncode == 0), "it said what was not so"
            assert applied or ("nothing was applied" in done.stderr and "do: make room" in done.stderr)
        if applied:
            gateway.apply(loose, "--organisation", "nordbank", "--reason", "again")
        if done.returncode == 0:
            break
    assert outcomes[-1][0] == 0, "there was no end to its writes"
    assert len(outcomes) >= 3 and not outcomes[0][1], "nothing was interrupted"


def test_a_rollback_killed_at_each_write(gateway, faults):
    gateway.apply_nord("--reason", "start", residency=stricter())
    gateway.apply_nord("--reason", "loose", residency=RESIDENCY)
    codes = []
    for at in range(1, MOST_WRITES):
        before = newest(gateway)
        done = edit(gateway, faults, at, "kill", "policy", "rollback", "2", "--organisation", "nordbank", "--reason", "tight")
        codes.append(done.returncode)
        if whole(gateway, before, "tight"):
            gateway.cli.run("policy", "rollback", "3", "--organisation", "nordbank", "--reason", "again")
        if done.returncode == 0:
            break
    assert codes[-1] == 0 and len(codes) >= 3
