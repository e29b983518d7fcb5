"""The reference itself, on cases worked by hand from the text of the policy language."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from residency_reference import ANYWHERE, ISO_CODES, UNKNOWN, BadPlace, Facts, World, covers, matches_model  # noqa: E402


def artefact():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in ("../../residency/data/regions-2026-11-21.json", "../../../shared/data/regions.json"):
        full = os.path.normpath(os.path.join(here, path))
        if os.path.exists(full):
            return full
    raise FileNotFoundError("the facts artefact: residency/data/regions-2026-11-21.json")


FACTS = Facts(artefact())
PROOF = {"by": "counsel", "on": "2026-01-15", "source": "contract", "until": "2027-01-15"}
FACT_NAMES = ("process", "store", "operator_home", "training", "attest", "country", "destinations", "features")


def proven(entry, **evidence):
    """The entry with evidence for every fact it states; a keyword replaces one fact's evidence, None leaves it out."""
    stated = {fact: evidence.get(fact, PROOF) for fact in FACT_NAMES if fact in entry}
    return dict(entry, evidence={fact: each for fact, each in stated.items() if each})


def own_machine(**changes):
    deployment = {"id": "gpu", "backend": "gpu", "provider": "self", "partition": "self", "country": "DE", "dialect": "openai",
                  "endpoints": ["chat.completions"], "serves": ["bank"], "store": "nothing", "operator_home": "DE", "training": False,
                  "models": {"m": {"upstream": "m-up"}}}
    deployment.update(changes)
    return {key: value for key, value in deployment.items() if value is not None}


def azure(region, sku, **changes):
    return own_machine(**dict({"id": "az", "provider": "azure", "partition": "azure", "region": region, "sku": sku, "country": None,
                               "operator_home": "US"}, **changes))


def bedrock(region, upstream, **changes):
    return own_machine(**dict({"id": "br", "provider": "aws", "partition": "aws", "region": region, "country": None,
                               "models": {"m": {"upstream": upstream}}}, **changes))


def allow(within, store="nothing", **more):
    return dict({"id": "a", "why": "w", "classes": ["personal"], "process": {"within": within}, "store": store}, **more)


def forbid(**more):
    return dict({"id": "f", "why": "w"}, **more)


def ask(deployments, rules, forbids=(), guards=(), node_country="DE", now="2026-11-21T12:00:00Z", headers=None, features=(), classify=None,
        tenant="bank/retail/chat", model="m", node="n1", endpoint="chat.completions", tenant_more=None, app_more=None, classes=None,
        places=None, applies_to="bank/*", aliases=("m-2026",), uninspected=False, geo=None):
    if isinstance(deployments, dict):
        deployments = [proven(deployments)]
    policy = {"kind": "residency/1", "name": "bank", "applies_to": applies_to, "classes": classes or ["public", "personal", "secret"],
              "classify": classify or {"default": "personal"}, "allow": rules, "forbid": list(forbids), "places": places or {}}
    documents = [
        {"kind": "fleet/1", "nodes": [{"id": "n1", "country": node_country}], "models": {"m": {"aliases": list(aliases)}},
         "deployments": deployments},
        {"kind": "tenants/1", "organisations": [{"id": "bank", "tenants": [
            dict({"id": "retail", "models": ["*"], "apps": [dict({"id": "chat"}, **app_more or {})]}, **tenant_more or {})]}]},
        policy]
    documents += [{"kind": "residency/1", "role": "guard", "name": "g", "applies_to": "bank", "forbid": [each]} for each in guards]
    request = {"tenant": tenant, "model": model, "endpoint": endpoint, "headers": headers or {}, "features": list(features),
               "uninspected": uninspected, "inference_geo": geo}
    return World(documents, now, node, FACTS).decide(request)


def allowed(*arguments, **more):
    answer = ask(*arguments, **more)
    assert answer["code"] in ("allow", "residency_denied"), answer
    return answer["code"] == "allow"


def test_places():
    assert len(ISO_CODES) == 249 and "?" not in ANYWHERE and "?" in UNKNOWN
    assert len(FACTS.places(["EU"])) == 27
    assert FACTS.places(["near"], {"near": ["home", "CH"], "home": ["DE"]}) == {"DE", "CH"}
    for name in ("eu", "XX", "?", ""):
        with pytest.raises(BadPlace):
            FACTS.places([name])


def test_patterns():
    assert covers("bank/retail", "bank/retail") and covers("bank/retail", "bank/retail/app1")
    assert not covers("bank/retail", "bank/retail-eu/app1")
    assert covers("bank/ret*", "bank/retail-eu/app1") and covers("bank/*", "bank/x/y") and not covers("bank/*", "bank2/x/y")
    assert not covers("Bank", "bank/x/y")
    assert matches_model("gpt-*", "gpt-4.1") and not matches_model("gpt-4", "gpt-4.1") and not matches_model("meta", "meta/llama") and matches_model("meta/*", "meta/llama")


@pytest.mark.parametrize("region, country", [
    ("northeurope", "IE"), ("westeurope", "NL"), ("eastasia", "HK"), ("southeastasia", "SG"), ("uksouth", "GB")])
def test_azure_regions(region, country):
    assert allowed(azure(region, "Standard"), [allow([country, "DE"])])
    assert not allowed(azure(region, "Standard"), [allow(sorted(ISO_CODES - {country}))])


def test_uksouth_is_not_eu():
    assert not allowed(azure("uksouth", "Standard"), [allow(["EU"])])
    assert not allowed(bedrock("eu-west-2", "anthropic.claude"), [allow(["EU"])])
    assert not allowed(bedrock("eu-central-2", "anthropic.claude"), [allow(["EEA"])])


def test_global_sku_is_anywhere_whatever_it_states():
    assert not allowed(azure("westeurope", "GlobalStandard", process=["DE"]), [allow(["EU"])])
    assert allowed(azure("westeurope", "GlobalStandard", process=["DE"]), [allow(["ANYWHERE"])])


def test_data_zone_is_not_eu_only():
    assert not allowed(azure("swedencentral", "DataZoneStandard"), [allow(["EU"])])
    assert not allowed(azure("swedencentral", "DataZoneStandard"), [allow(["EEA"])])
    assert allowed(azure("swedencentral", "DataZoneStandard"), [allow(["EU_DATA_BOUNDARY"])])
    assert not allowed(azure("swedencentral", "Standard"), [allow(["NO"])])
    assert not allowed(azure("japaneast", "DataZoneStandard"), [allow(["ANYWHERE"])])
    assert allowed(azure("japaneast", "DataZoneStandard", process=["JP", "KR"]), [allow(["JP", "KR", "DE"])])


@pytest.mark.parametrize("deployment", [
    azure("westeurope2", "Standard"), azure("westeurope", "Turbo"), azure("westeurope", None), azure("usgoviowa", "Standard"),
    own_machine(country=None), own_machine(country=None, process=[]), own_machine(process=[]),
    azure("westeurope", "Standard", process=[]), bedrock("eu-central-1", "eu.anthropic.claude"),
    bedrock("eu-central-1", "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x", process=["DE"]),
    bedrock("eu-central-1", "nobody.model"), bedrock("eu-mars-1", "anthropic.claude"),
    own_machine(store=None), own_machine(training=None)])
def test_unknown_is_not_even_anywhere(deployment):
    assert not allowed(deployment, [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})])


def test_bedrock_profiles():
    eu = bedrock("eu-central-1", "eu.anthropic.claude", destinations=["eu-central-1", "eu-west-2"])
    assert not allowed(eu, [allow(["EU"])]) and allowed(eu, [allow(["EU", "GB"])])
    assert allowed(bedrock("eu-central-1", "global.anthropic.claude"), [allow(["ANYWHERE"])])
    assert not allowed(bedrock("eu-central-1", "global.anthropic.claude", destinations=["eu-central-1"]), [allow(["EU"])])
    source = bedrock("ap-southeast-6", "au.anthropic.claude", destinations=["ap-southeast-2"])
    assert not allowed(source, [allow(["AU", "DE"])]) and allowed(source, [allow(["AU", "NZ", "DE"])])


def test_evidence():
    def with_proof(until, fact="country"):
        return [proven(own_machine(), **{fact: until and dict(PROOF, until=until)})]
    for fact in ("country", "store", "training"):
        assert allowed(with_proof("2026-11-21", fact), [allow(["DE"])])
        assert not allowed(with_proof("2026-11-20", fact), [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})])
        assert not allowed(with_proof(None, fact), [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})])
    assert allowed(with_proof(None, "operator_home"), [allow(["DE"])])
    assert not allowed(with_proof(None, "operator_home"), [allow(["DE"], operator_home={"within": ["ANYWHERE"]})])
    assert not allowed(with_proof(None, "operator_home"), [allow(["DE"])], [forbid(operator_home={"touches": ["CN"]})])


def test_store():
    days0 = own_machine(store={"in": ["DE"], "days": 0})
    assert not allowed(days0, [allow(["DE"])])
    assert allowed(days0, [allow(["DE"], {"within": ["DE"], "max_days": 0})])
    assert allowed(own_machine(), [allow(["DE"], {"within": ["SE"], "max_days": 0})])
    days30 = own_machine(store={"in": ["EU"], "days": 30})
    assert allowed(days30, [allow(["DE"], {"within": ["EU"], "max_days": 30})])
    assert not allowed(days30, [allow(["DE"], {"within": ["EU"], "max_days": 29})])
    assert not allowed(days30, [allow(["DE"], {"within": ["DE"], "max_days": 30})])
    no_days = own_machine(store={"in": ["DE"]})
    assert not allowed(no_days, [allow(["DE"], {"within": ["DE"], "max_days": 9999})])


def test_node_country_is_added():
    assert allowed(own_machine(), [allow(["DE"])])
    assert not allowed(own_machine(), [allow(["DE"])], node_country="FR")
    assert not allowed(own_machine(), [allow(["EU"])], [forbid(process={"touches": ["FR"]})], node_country="FR")
    assert ask(own_machine(), [allow(["DE"])], node="n2")["code"] == "policy_unavailable"


def test_stated_adds_and_model_overrides():
    assert not allowed(azure("westeurope", "Standard", process=["US"]), [allow(["US", "DE"])])
    assert allowed(azure("westeurope", "Standard", process=["US"]), [allow(["US", "DE", "NL"])])
    entry = proven({"upstream": "m-up", "store": {"in": ["US"], "days": 30}})
    assert not allowed([proven(own_machine(models={"m": entry}))], [allow(["DE"])])


def test_rule_conditions():
    assert allowed(own_machine(attest=["c5", "hipaa-baa"]), [allow(["DE"], attest=["c5"])])
    assert not allowed(own_machine(attest=["c5"]), [allow(["DE"], attest=["c5", "hipaa-baa"])])
    assert not allowed(own_machine(), [allow(["DE"], attest=["c5"])])
    assert allowed(own_machine(training=True), [allow(["DE"], training="accepted")])
    assert not allowed(own_machine(training=True), [allow(["DE"])])
    assert not allowed(own_machine(), [allow(["DE"], partitions=["aws-eusc"])])
    assert allowed(own_machine(), [allow(["DE"], partitions=["aws-eusc", "self"])])
    assert allowed(own_machine(), [allow(["DE"], until="2026-11-21")], now="2026-11-21T23:59:59Z")
    assert not allowed(own_machine(), [allow(["DE"], until="2026-11-21")], now="2026-11-22T00:00:00Z")
    assert not allowed(own_machine(), [allow(["DE"], tenants=["bank/other"])])
    assert allowed(own_machine(), [allow(["DE"], models=["m-u*"])]) and not allowed(own_machine(), [allow(["DE"], models=["m-u"])])


def test_forbids():
    fits = [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})]
    assert not allowed(own_machine(), fits, [forbid()])
    assert not allowed(own_machine(), fits, [forbid(tenants=["bank"])])
    assert allowed(own_machine(), fits, [forbid(classes=["secret"])])
    assert not allowed(own_machine(), fits, [forbid(process={"touches": ["CN"]}, operator_home={"touches": ["DE"]})])
    assert not allowed(own_machine(), fits, [forbid(partitions=["self"])])
    assert not allowed(own_machine(training=True), [dict(fits[0], training="accepted")], [forbid(training=True)])
    assert allowed(own_machine(), fits, [forbid(store={"touches": ["ANYWHERE"]})])
    assert not allowed(own_machine(), fits, guards=[forbid(process={"touches": ["EU"]})])


def test_classes():
    personal, secret = allow(["DE"]), allow(["DE"], id="s", classes=["secret"])
    labels = {"default": "personal", "labels": ["header:x-data-class"], "unknown_label": "deny"}
    header = {"x-data-class": "secret"}
    assert not allowed(own_machine(), [personal], classify=labels, headers=header)
    assert ask(own_machine(), [personal, secret], classify=labels, headers=header)["classes"] == ["personal", "secret"]
    assert ask(own_machine(), [personal], classify=labels, headers={"x-data-class": "Secret"})["code"] == "unknown_data_class"
    highest = dict(labels, unknown_label="highest")
    assert ask(own_machine(), [personal, secret], classify=highest, headers={"x-data-class": "zzz"})["classes"] == ["personal", "secret"]
    lowered = {"default": "personal", "assign": [{"tenants": ["bank/retail"], "class": "public"}]}
    assert ask(own_machine(), [dict(personal, classes=["public"])], classify=lowered)["classes"] == ["public"]
    assert not allowed(own_machine(), [personal], app_more={"classes": ["secret"]})
    assert not allowed(own_machine(), [personal], tenant_more={"classes": ["secret"]})
    assert allowed(own_machine(), [personal], headers=header)


def test_narrowing():
    fits = [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})]
    assert allowed(own_machine(), fits, headers={"x-gatehouse-places": "EU"})
    assert not allowed(own_machine(), fits, headers={"x-gatehouse-places": "SE FR"})
    assert not allowed(own_machine(store={"in": ["US"], "days": 1}), fits, headers={"x-gatehouse-places": "EU"})
    assert ask(own_machine(), fits, headers={"x-gatehouse-places": "EU XX"})["code"] == "invalid_places"
    assert allowed(own_machine(), fits, headers={"x-gatehouse-places": "home"}, places={"home": ["DE"]})
    assert not allowed(own_machine(), [allow(["EU"])], headers={"x-gatehouse-places": "ANYWHERE"}, node_country="CH")
    assert not allowed(own_machine(), fits, tenant_more={"places": ["FR"]}) and not allowed(own_machine(), fits, app_more={"places": ["FR"]})


def test_inference_geo():
    """What a deployment's requests say decides where they run; what a client's body says narrows, and no more."""
    claude = dict(provider="anthropic", partition="anthropic", country=None, dialect="anthropic", endpoints=["messages"], operator_home="US")
    american, anywhere = [allow(["US"])], [allow(["ANYWHERE"])]
    assert allowed(own_machine(**claude, inference_geo="us"), american, node_country="US")
    assert not allowed(own_machine(**claude), american, node_country="US") and not allowed(own_machine(**claude, inference_geo="global"), american, node_country="US")
    assert not allowed(own_machine(**claude, inference_geo="us"), american, node_country="DE")
    assert not allowed(own_machine(**claude, inference_geo="us", process=["JP"]), american, node_country="US")
    override = {"m": {"upstream": "m-up", "inference_geo": "us"}}
    assert allowed(own_machine(**claude, inference_geo="global", models=override), american, node_country="US")
    assert allowed(own_machine(**claude, inference_geo="us"), anywhere, node_country="US", geo="us") and not allowed(own_machine(**claude), anywhere, geo="us")
    assert allowed(own_machine(**claude), anywhere, geo="global") and allowed(own_machine(), [allow(["EU"])], geo="EU") and not allowed(own_machine(), [allow(["EU"])], geo="us")
    assert ask(own_machine(), [allow(["EU"])], geo="nowhere")["code"] == "invalid_places"
    assert not allowed(own_machine(), [allow(["EU"])], headers={"x-gatehouse-places": "FR"}, geo="DE")
    assert not allowed(own_machine(), [allow(["EU"])], headers={"x-gatehouse-places": ["DE", "FR"]}) and allowed(own_machine(), [allow(["EU"])], headers={"x-gatehouse-places": ["DE", "EU"]})


def test_features():
    search = [{"name": "web_search", "where": "tools[0]"}]
    nobody = [{"name": "", "where": "frobnicate"}]
    wide = [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})]
    accepted = [allow(["DE"], unlisted_features="accepted")]
    listing = own_machine(features={"web_search": {"process": ["US"], "store": {"in": ["US"], "days": 7}}})
    for features in (search, nobody):
        assert not allowed(own_machine(), wide, features=features)
        assert allowed(own_machine(), accepted, features=features)
        assert not allowed(own_machine(), accepted, [forbid(process={"touches": ["CN"]})], features=features)
    assert allowed(listing, [allow(["DE", "US"], {"within": ["US"], "max_days": 7})], features=search)
    assert not allowed(listing, [allow(["DE", "US"], {"within": ["US"], "max_days": 6})], features=search)
    assert not allowed(listing, accepted, features=search)
    assert allowed(listing, [allow(["DE"])])


def test_gates():
    fits = [allow(["DE"])]
    assert ask(own_machine(), fits, model="other")["code"] == "model_not_found"
    assert ask(own_machine(), fits, model="m-2026")["eligible"] == ["gpu/m-up"]
    assert ask(own_machine(), fits, tenant_more={"models": ["gpt-*"]})["code"] == "model_not_allowed"
    assert ask(own_machine(), fits, applies_to="fjord/*")["code"] == "no_policy"
    assert ask(own_machine(), fits, endpoint="embeddings")["code"] == "model_not_found"
    assert ask(own_machine(serves=["bank/other"]), fits)["code"] == "model_not_found"
    assert ask(own_machine(serves=None), fits)["code"] == "model_not_found"


def test_uninspected():
    both = [allow(["DE"]), allow(["SE"], id="s", classes=["secret"])]
    reading = {"default": "personal", "uninspected": ["secret"]}
    assert allowed(own_machine(), both, classify=reading)
    assert not allowed(own_machine(), both, classify=reading, uninspected=True)
    assert allowed(own_machine(), both, uninspected=True)
    wide = [allow(["DE"], classes=["personal", "secret"])]
    assert ask(own_machine(), wide, classify=reading, uninspected=True)["classes"] == ["personal", "secret"]
    lowered = dict(reading, assign=[{"tenants": ["bank/retail"], "class": "public"}])
    every = [allow(["DE"], classes=["public", "personal", "secret"])]
    assert ask(own_machine(), every, classify=lowered, uninspected=True)["classes"] == ["public", "secret"]


def test_claude_by_alias():
    machine = azure("swedencentral", "Standard", models={"m": {"upstream": "writer-prod"}})
    for alias in ("claude-opus", "our-Claude"):
        assert not allowed(machine, [allow(["ANYWHERE"])], aliases=[alias])
        assert allowed(dict(machine, process=["US"]), [allow(["DE", "SE", "US"])], aliases=["m-2026", alias])
    assert allowed(machine, [allow(["DE", "SE"])], aliases=["clawed-opus"])
    assert allowed(own_machine(), [allow(["DE"])], aliases=["claude-opus"])


def test_narrowed_is_what_decides():
    fits, header = [allow(["ANYWHERE"])], {"x-gatehouse-places": "FR"}
    assert ask(own_machine(), fits, headers=header)["narrowed"] and ask(own_machine(), fits, tenant_more={"places": ["FR"]})["narrowed"]
    assert not ask(own_machine(), fits)["narrowed"] and not ask(own_machine(), [allow(["SE"])], headers=header)["narrowed"]
    assert not ask(own_machine(), fits, [forbid()], headers=header)["narrowed"]
    two = [proven(own_machine()), proven(own_machine(id="us", country="US"))]
    assert ask(two, fits, [forbid(process={"touches": ["US"]})], headers=header)["narrowed"]


def test_azure_states_add_to_region_and_sku():
    wide = [allow(["ANYWHERE"])]
    for name in ("claude-sonnet", "our-Claude-prod"):
        claude = {"m": {"upstream": name}}
        assert not allowed(azure("swedencentral", "Standard", models=claude), wide)
        assert allowed(azure("swedencentral", "Standard", models=claude, process=["US"]), [allow(["DE", "SE", "US"])])
        assert not allowed(azure("swedencentral", "GlobalStandard", models=claude, process=["DE"]), [allow(["DE", "SE"])])
        assert not allowed(azure("swedencentral", "Turbo", models=claude, process=["DE"]), wide)
    assert not allowed(azure("japaneast", "DataZoneStandard", process=["KR"]), [allow(["DE", "KR"])])


def test_partition_follows_the_region():
    assert allowed(bedrock("eusc-de-east-1", "anthropic.claude", partition=None), [allow(["DE"], partitions=["aws-eusc"])])
    assert not allowed(own_machine(partition=None), [allow(["DE"], partitions=["self"])])
    assert not allowed(own_machine(partition=None), [allow(["DE"])], [forbid(partitions=["aws-cn"])])


def test_evidence_stands_for_its_fact():
    anywhere = [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})]
    assert allowed([dict(own_machine(), evidence=PROOF)], [allow(["DE"])])
    kept = {"store": PROOF, "training": PROOF}
    assert allowed([dict(own_machine(), evidence=dict(kept, country=PROOF))], [allow(["DE"])])
    old = dict(PROOF, until="2026-11-20")
    assert not allowed([dict(own_machine(), evidence=dict(kept, process=PROOF, country=old))], anywhere)
    assert not allowed([dict(own_machine(), evidence=dict(kept, process=PROOF))], anywhere)      # taking it away gives nothing back
    eu = bedrock("eu-central-1", "eu.anthropic.claude", destinations=["eu-central-1"])
    assert not allowed([dict(eu, evidence=dict(kept, process=PROOF))], anywhere)
    assert allowed([dict(eu, evidence=dict(kept, destinations=PROOF))], [allow(["DE"])])
    entry = {"upstream": "m-up", "store": "nothing"}
    assert not allowed([proven(own_machine(models={"m": entry}))], [allow(["DE"])])


def test_a_feature_states_what_it_adds():
    mcp = [{"name": "mcp", "where": "tools[0]"}]
    for adds in ({}, {"process": ["DE"]}, {"store": "nothing"}):
        assert not allowed(own_machine(features={"mcp": adds}), [allow(["ANYWHERE"], {"within": ["ANYWHERE"]})], features=mcp)
    listed = own_machine(features={"mcp": {"process": ["DE"], "store": "nothing"}})
    assert allowed(listed, [allow(["DE"])], features=mcp)
    assert not allowed([proven(listed, features=None)], [allow(["DE"], unlisted_features="accepted")], features=mcp)
    accepted = [allow(["ANYWHERE"], {"within": ["ANYWHERE"]}, unlisted_features="accepted")]
    assert not allowed(own_machine(), accepted, features=mcp, headers={"x-gatehouse-places": "ANYWHERE"})


def test_headers_with_several_words():
    every = [allow(["DE"], classes=["public", "personal", "secret"])]
    labels = {"default": "personal", "labels": ["header:X-Data-Class"], "unknown_label": "deny"}
    assert ask(own_machine(), every, classify=labels, headers={"x-data-class": "secret, public"})["classes"] == ["personal", "public", "secret"]
    for value in ("", "secret,nonsense", "secret public"):
        assert ask(own_machine(), every, classify=labels, headers={"x-data-class": value})["code"] == "unknown_data_class"
    assert allowed(own_machine(), every, headers={"x-gatehouse-places": "SE, DE"})
    assert ask(own_machine(), every, headers={"x-gatehouse-places": " "})["code"] == "invalid_places"
    both = [{"tenants": ["bank/retail"], "class": "public"}, {"tenants": ["bank/*"], "class": "secret"}]
    assert ask(own_machine(), every, classify={"default": "personal", "assign": both})["classes"] == ["public", "secret"]
