"""backend status, and what explain says of an order that rests on it."""

import json
import subprocess

import pytest

from conftest import FLEET, ROOT, TENANTS, changed, write_policy

AS = ("--as", "nordbank/retail/chat", "--node", "fra-1")
SAME_PRIORITY = changed(FLEET, lambda f: [deployment.update(priority=1) for deployment in f["deployments"]])


def tell(cli, deployment, upstream, *results):
    subprocess.run([ROOT / "build/tests/tools/tell_backend", cli.home / "ledger", deployment, upstream, *results], check=True)


@pytest.fixture
def told(cli):
    """Two deployments of one priority, of which the dearer one is faster, for a tenant with the given objective."""
    def make(objective=None):
        write_policy(cli.tmp / "policy", fleet=SAME_PRIORITY, tenants=changed(TENANTS, lambda t: objective is None or t[
            "organisations"][0]["tenants"][0].update(objective=objective)))
        cli.init()
        cli.run("policy", "apply", cli.tmp / "policy")
        tell(cli, "gpu-fkb", "gpt-oss", *["answered:900"] * 5)
        tell(cli, "azure-se", "gpt41-prod", *["answered:300", "streamed:1980:100"] * 5)
        return cli
    return make


def route(cli, *arguments):
    answer = json.loads(cli.run("explain", "--request", cli.request(), *AS, "--json", *arguments).stdout)
    return [step["deployment"] for step in answer["decision"]["route"]], answer["order"]


def test_status_of_a_new_ledger(ready):
    status = json.loads(ready.run("backend", "status", "--json").stdout)
    assert status["used"] == 0 and status["room"] >= 32
    assert [(row["deployment"], row["upstream_model"], row["breaker"]) for row in status["backends"]] == [
        ("azure-se", "gpt41-prod", "closed"), ("azure-we-global", "gpt41-global", "closed"), ("gpu-fkb", "gpt-oss", "closed")]
    assert all(row["samples"] == 0 and "first_byte_us" not in row and "retry_at" not in row for row in status["backends"])
    lines = ready.run("backend", "status").stdout.splitlines()
    assert len(lines) == 4 and lines[1].split() == ["azure-se", "gpt41-prod", "closed", "-", "-", "0", "0.0%", "0"]


def test_status_of_what_was_told(told):
    cli = told()
    tell(cli, "azure-we-global", "gpt41-global", *["unreached"] * 5)
    tell(cli, "gpu-fkb", "gpt-oss", "retry:90000")
    rows = {row["deployment"]: row for row in json.loads(cli.run("backend", "status", "--json").stdout)["backends"]}
    assert (rows["azure-se"]["first_byte_us"], rows["azure-se"]["token_us"], rows["azure-se"]["samples"]) == (300000, 20000, 5)
    assert (rows["gpu-fkb"]["first_byte_us"], rows["gpu-fkb"]["asked"]) == (900000, 6) and "token_us" not in rows["gpu-fkb"]
    assert 80000 < rows["gpu-fkb"]["wait_ms"] <= 90000 and rows["gpu-fkb"]["retry_at"].startswith("20")
    assert rows["azure-we-global"]["breaker"] in ("open", "half_open") and rows["azure-we-global"]["errors_per_1000"] == 1000
    line = cli.run("backend", "status", "gpu-fkb").stdout.splitlines()[1]
    assert line.split()[:5] == ["gpu-fkb", "gpt-oss", "closed", "900.0", "ms"] and line.endswith("as it said")


def test_status_of_a_deployment_that_is_not_there(ready):
    assert "fleet/1 has no deployment gpu-fkp; did you mean gpu-fkb?" in ready.run("backend", "status", "gpu-fkp", code=1).stderr


def test_status_without_a_ledger(ready):
    done = ready.run("backend", "status", "--ledger", ready.tmp / "none", code=1)
    assert "none" in done.stderr and "do: gatehouse init" in done.stderr


def test_the_objective_decides(told):
    assert route(told())[0] == ["gpu-fkb", "azure-se"]


def test_latency_decides(told):
    cli = told("latency")
    order, terms = route(cli)
    assert order == ["azure-se", "gpu-fkb"] and terms["state"] and terms["order_by"] == {"cost": 0, "latency": 1000}
    assert terms["terms"][0] == {"deployment": "azure-se", "price": 10000000, "first_byte_us": 300000, "token_us": 20000, "samples": 5,
                                 "asked": 5}
    text = cli.run("explain", "--request", cli.request(), *AS).stdout
    assert "then 1 more by priority and latency." in text
    assert "Tried by priority and latency (cost weighs 0 of 1000, latency 1000), from what the workers know now:" in text
    assert "  1.  azure-se  priority 1, 10.00 dollars, 300.0 ms to the first byte and 20.0 ms a token (5 samples), score 0.500" in text
    # it is slower now, and moves
    tell(cli, "azure-se", "gpt41-prod", *["answered:9000"] * 5)
    assert route(cli)[0] == ["gpu-fkb", "azure-se"]
    # without its ledger, or of another time, nothing is known: price
    order, terms = route(cli, "--revision", "1")
    assert order == ["gpu-fkb", "azure-se"] and not terms["state"] and "samples" not in terms["terms"][0]


def test_weights_decide(told):
    cli = told({"cost": 0.2, "latency": 0.8})
    assert route(cli)[0] == ["azure-se", "gpu-fkb"]
    cli = told({"cost": 0.8, "latency": 0.2})
    assert route(cli)[0] == ["gpu-fkb", "azure-se"]


def test_an_open_breaker_is_tried_last(told):
    cli = told("latency")
    tell(cli, "azure-se", "gpt41-prod", *["failed@7", "failed@8"] * 3)
    order, terms = route(cli)
    if terms["terms"][-1].get("breaker") == "open":          # it is half open after two seconds
        assert order == ["gpu-fkb", "azure-se"]
    assert {term["deployment"]: term.get("breaker") for term in terms["terms"]}["azure-se"] in ("open", "half_open")


def test_a_ledger_that_was_named_must_be_there(ready):
    done = ready.run("explain", "--request", ready.request(), *AS, "--ledger", ready.tmp / "none", code=1)
    assert "none" in done.stderr
    assert "--ledger goes with --request" in ready.run("explain", "01932f5e-7c3a-7abc-8def-0123456789ab", "--ledger", "x", code=64).stderr
