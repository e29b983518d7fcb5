"""fleet check: unknowns first, evidence that ends, who may use what and why, what nobody may use."""

import json

import pytest

from conftest import EVIDENCE, FLEET, RESIDENCY, TENANTS, changed, write_policy


def check(cli, *arguments, fleet=FLEET, residency=RESIDENCY, tenants=TENANTS, code=0):
    directory = write_policy(cli.tmp / "policy", fleet=fleet, residency=residency, tenants=tenants)
    return cli.run("fleet", "check", directory, *arguments, code=code)


def deployment(index, **members):
    """A fleet with one deployment changed; a member that is None is taken away."""
    def change(fleet):
        for name, value in members.items():
            if value is None:
                del fleet["deployments"][index][name]
            else:
                fleet["deployments"][index][name] = value
    return changed(FLEET, change)


def test_a_known_fleet(cli):
    lines = check(cli).stdout.splitlines()
    assert lines[0] == "Nothing is unknown of 3 deployments."
    at = lines.index("azure-se: azure swedencentral Standard")
    assert lines[at + 1:at + 5] == [
        "  gpt-4.1 as gpt41-prod: processes in SE; stores nothing; operator from US; partition azure; no training",
        "    nordbank, personal: yes, by rule personal-stays-in-eu",
        "    nordbank, public and personal: yes, by rules public-anywhere (public), personal-stays-in-eu (personal)",
        "    nordbank, personal and secret: no: SE: outside rule secret-at-home (process, partition) for class secret"]
    at = lines.index("azure-we-global: azure westeurope GlobalStandard")
    assert "ANYWHERE minus EU: outside rule personal-stays-in-eu (process) for class personal" in lines[at + 2]
    assert lines[-1].startswith("The country of the node is part of every way (1 node); ")
    assert lines[-1].endswith("decisions for 2 apps; facts regions/2026-11-21.")


def test_the_same_for_every_class_is_one_line(cli):
    done = check(cli)
    assert "    nordbank, whatever is carried: no: ANYWHERE minus EU: outside rule personal-stays-in-eu (process) for class personal" \
        in done.stdout.splitlines()


def test_what_nobody_may_use(cli):
    lines = check(cli).stdout.splitlines()
    at = lines.index("Nobody may use:")
    assert lines[at + 1].startswith("  azure-we-global, gpt-4.1: ANYWHERE minus EU: outside rule personal-stays-in-eu")
    assert lines[at + 2] == ""


def test_nobody_because_of_what_stands_in_the_way_of_every_request(cli):
    """Not of what only some class of data would meet as well."""
    def narrowed(tenants):
        for tenant in tenants["organisations"][0]["tenants"]:
            tenant["places"] = ["DE"]
    lines = cli.run("fleet", "check", write_policy(cli.tmp / "narrowed", tenants=changed(TENANTS, narrowed))).stdout.splitlines()
    assert "  azure-se, gpt-4.1: SE: outside the places the tenant or caller allowed" in lines


@pytest.mark.parametrize("members, said", [
    (dict(serves=None), "it serves nobody: state \"serves\""),
    (dict(endpoints=None), "it offers no endpoint: state \"endpoints\""),
])
def test_nobody_because(cli, members, said):
    assert f"  azure-se, gpt-4.1: {said}" in check(cli, fleet=deployment(0, **members)).stdout.splitlines()


def test_nobody_because_no_app_may_use_the_model(cli):
    tenants = changed(TENANTS, lambda t: t["organisations"][0]["tenants"][0].update(models=["gpt-9*"]))
    assert "  azure-se, gpt-4.1: no app that it serves may use the model" in check(cli, tenants=tenants).stdout


@pytest.mark.parametrize("index, members, fact, why, do", [
    (0, dict(store=None), "store", "it is not stated", 'state "store": "nothing", or {"in": [...], "days": N}'),
    (0, dict(operator_home=None), "operator_home", "it is not stated", 'state "operator_home": [...]'),
    (0, dict(training=None), "training", "it is not stated", 'state "training": false'),
    (0, dict(partition="azure", store={"in": ["SE"]}), "store days", "they are not stated", 'state "days" of "store"'),
    (2, dict(country=None), "process", "", 'state "country": "SE"'),
    (0, dict(region="swedencentra"), "process", "swedencentra", 'state "process": [...]'),
    (0, dict(evidence=None), "store", "it is stated without evidence", 'with "evidence": {"by", "on", "source", "until"} beside it'),
    (0, dict(evidence=dict(EVIDENCE, until="2026-10-31")), "training", "its evidence ended on 2026-10-31",
     'look whether it still holds, then renew "on", "source" and "until"'),
])
def test_unknown_facts_come_first(cli, index, members, fact, why, do):
    lines = check(cli, fleet=deployment(index, **members)).stdout.splitlines()
    name = FLEET["deployments"][index]["id"]
    assert lines[0] == "Unknown, so never inside and always touched:"
    found = [i for i, line in enumerate(lines) if line.startswith(f"  {name}, {fact}: ") and f"{cli.tmp}/policy/fleet.json:" in line]
    assert len(found) == 1, lines
    assert why in lines[found[0]] and lines[found[0] + 1].startswith(f"    do: ") and do in lines[found[0] + 1]
    check(cli, "--strict", fleet=deployment(index, **members), code=1)


def test_what_is_unknown_is_denied_with_the_reason(cli):
    lines = check(cli, fleet=deployment(0, operator_home=None)).stdout.splitlines()
    at = lines.index("azure-se: azure swedencentral Standard")
    assert "operator from unknown" in lines[at + 1]
    assert "unknown: forbidden by rule countries-of-concern" in lines[at + 2]
    assert any(line.startswith("  azure-se, gpt-4.1: unknown: forbidden by rule") for line in lines)


def test_only_the_models_concerned_are_named(cli):
    def change(fleet):
        fleet["models"]["gpt-4o"] = {"context": 1, "max_output": 1}
        fleet["deployments"][2]["models"]["gpt-4o"] = {"upstream": "x", "store": "nothing"}
    lines = check(cli, fleet=changed(FLEET, change)).stdout.splitlines()
    assert any(line.startswith("  gpu-fkb for gpt-4o, store: it is stated without evidence") for line in lines)
    assert not any(line.startswith("  gpu-fkb, store") for line in lines)


def test_features(cli):
    fleet = deployment(2, features={"web_search": {"process": ["US"], "store": "nothing"}, "store": {"process": "nothing"}})
    lines = check(cli, fleet=fleet).stdout.splitlines()
    assert any(line.startswith("  gpu-fkb for gpt-4.1, feature store: it does not state both") for line in lines)
    assert not any("feature web_search" in line for line in lines)


def test_evidence_that_ends_soon(cli):
    fleet = deployment(0, evidence={fact: dict(EVIDENCE, **({"until": "2030-02-28"} if fact == "store" else {}))
                                    for fact in ("store", "operator_home", "training")})
    assert "Evidence that ends" not in check(cli, fleet=fleet).stdout
    assert "Evidence that ends" not in check(cli, "--now", "2030-01-29", fleet=fleet).stdout
    lines = check(cli, "--now", "2030-01-30", fleet=fleet).stdout.splitlines()
    at = lines.index("Evidence that ends within 30 days; after it the fact is unknown:")
    assert lines[at + 1].startswith("  azure-se, store: its evidence ends on 2030-02-28 (") and lines[at + 3] == ""
    assert "ends on 2030-02-28" in check(cli, "--now", "2030-01-01", "--days", "60", fleet=fleet).stdout
    lines = check(cli, "--now", "2030-03-01", fleet=fleet).stdout.splitlines()
    assert lines[1].startswith("  azure-se, store: its evidence ended on 2030-02-28 (")
    assert "unknown storage" in "\n".join(lines)


def test_differences_between_apps_and_nodes(cli):
    fleet = changed(FLEET, lambda f: f["nodes"].append({"id": "nyc-1", "country": "US"}))
    lines = check(cli, fleet=fleet).stdout.splitlines()
    assert "    nordbank, personal: for some, by rule personal-stays-in-eu; else no: US: outside rule personal-stays-in-eu (process) " \
        "for class personal" in lines
    residency = changed(RESIDENCY, lambda r: r["classify"].update(assign=[{"tenants": ["nordbank/retail/mail"], "class": "public"}]))
    assert "    nordbank, public: yes, by rule public-anywhere" in check(cli, residency=residency).stdout.splitlines()


def test_apps_without_a_policy(cli):
    tenants = changed(TENANTS, lambda t: t["organisations"].append({"id": "acme", "tenants": [{"id": "x", "apps": [{"id": "y"}]}]}))
    assert "1 app has no policy, and may use nothing." in check(cli, tenants=tenants).stdout


def test_revision_in_force(ready):
    done = ready.run("fleet", "check")
    assert done.stdout.startswith("Nothing is unknown of 3 deployments.")


def test_json(cli):
    answer = json.loads(check(cli, "--json", fleet=deployment(0, store=None)).stdout)
    assert [(g["deployment"], g["fact"]) for g in answer["unknown"]] == [("azure-se", "store")]
    assert answer["unknown"][0]["file"] == "fleet.json" and answer["facts"] == "regions/2026-11-21"
    targets = {t["deployment"]: t for t in answer["targets"]}
    assert targets["azure-se"]["store"] == ["?"] and not targets["azure-se"]["used"]
    assert targets["azure-we-global"]["process"] == ["ANYWHERE"] and targets["gpu-fkb"]["store"] == "nothing"
    uses = {u["carries"]: u for u in targets["gpu-fkb"]["uses"]}
    assert uses["personal"]["rules"] == "rule personal-stays-in-eu" and uses["personal"]["no"] == 0 and uses["personal"]["yes"] > 0


@pytest.mark.parametrize("arguments", [("--days", "x"), ("--days", "-1"), ("--now", "later")])
def test_usage(cli, arguments):
    check(cli, *arguments, code=64)


def test_documents_with_errors(cli):
    done = check(cli, fleet=deployment(0, providr="azure"), code=1)
    assert 'did you mean "provider"?' in done.stderr and done.stdout == ""


CLAUDE = {"provider": "anthropic", "partition": "anthropic", "region": None, "sku": None, "dialect": "anthropic", "endpoints": ["messages"], "inference_geo": "us"}


def test_inference_geo(cli):
    """It decides where requests are run, is told with the deployment, and stands where it means something."""
    lines = check(cli, fleet=deployment(0, **CLAUDE), code=None).stdout.splitlines()
    at = lines.index("azure-se: anthropic inference_geo us")
    assert "processes in US" in lines[at + 1]
    for change, said in (
            ({"inference_geo": "uss"}, '"uss" is neither "global" nor in regions/2026-11-21; did you mean "us"?'),
            ({"provider": "openai", "partition": "openai", "dialect": "openai", "endpoints": ["chat.completions"]}, '"inference_geo" is for provider "anthropic" only'),
            ({"dialect": "openai", "endpoints": ["chat.completions"]}, '"inference_geo" is for dialect "anthropic" only'),
            ({"endpoints": ["messages", "messages.count_tokens"]}, 'leave "messages.count_tokens" out of its "endpoints"')):
        assert said in check(cli, fleet=deployment(0, **{**CLAUDE, **change}), code=1).stderr
    counted = {**CLAUDE, "inference_geo": "global", "endpoints": ["messages", "messages.count_tokens"]}
    assert "processes in ANYWHERE" in check(cli, fleet=deployment(0, **counted), code=None).stdout
