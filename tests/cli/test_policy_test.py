"""policy test: cases against a policy, their failures in words, their mistakes with a place, and coverage."""

import copy
import json

import pytest

from conftest import FLEET, RESIDENCY, ROOT, changed, write_policy

CASES = [
    {"name": "personal stays", "because": "works council", "app": "nordbank/retail/chat", "model": "gpt-4.1",
     "expect": {"verdict": "allow", "rule": "personal-stays-in-eu", "classes": ["personal"], "first": "azure-se",
                "deployments": ["azure-se", "gpu-fkb"], "never": ["azure-we-global"],
                "process": {"within": ["eu-only"]}, "store": "nothing", "operator_home": {"within": ["US", "SE"]}}},
    {"name": "public and personal", "because": "labels only add", "tenant": "nordbank/retail", "model": "gpt-4.1",
     "labels": ["public"], "expect": {"classes": ["public", "personal"], "never": ["azure-we-global"]}},
    {"name": "secret", "because": "secrecy", "key": "nordbank/retail/mail/cron", "model": "gpt-4.1", "labels": ["secret"],
     "node": "fra-1", "expect": {"verdict": "deny", "code": "residency_denied", "rule": "secret-at-home"}},
]


def case(**members):
    return {"name": "one", "because": "a reason", "app": "nordbank/retail/chat", "model": "gpt-4.1",
            "expect": {"verdict": "allow"}, **members}


def without(member, name):
    return {key: value for key, value in member.items() if key != name}


class Bench:
    def __init__(self, cli):
        self.cli, self.tmp = cli, cli.tmp
        write_policy(self.tmp / "policy")

    def file(self, cases, name="cases.json", **members):
        path = self.tmp / name
        path.write_text(json.dumps({"kind": "cases/1", **members, "cases": cases}, indent=1))
        return path

    def run(self, cases, *arguments, code=0, **members):
        return self.cli.run("policy", "test", self.file(cases, **members), "--policy", self.tmp / "policy", *arguments, code=code)


@pytest.fixture
def testing(cli):
    return Bench(cli)


def test_all_pass(testing):
    done = testing.run(CASES)
    assert "3 cases passed, 0 failed; 4 decisions." in done.stdout      # the tenant has two apps
    assert done.stderr == ""


def test_the_example_passes(cli):
    done = cli.run("policy", "test", ROOT / "conf/examples/cases/nordbank.json", "--policy", ROOT / "conf/examples/nordbank")
    assert " 0 failed" in done.stdout and "Classes held against deployments: 28 of 28." in done.stdout


def test_revision_in_force(ready):
    testing = Bench(ready)
    done = ready.run("policy", "test", testing.file(CASES))
    assert "3 cases passed, 0 failed; 4 decisions under revision 1." in done.stdout


def test_no_policy_in_force(cli):
    cli.init()
    done = cli.run("policy", "test", Bench(cli).file(CASES), code=1)
    assert "gatehouse policy apply DIR" in done.stderr


@pytest.mark.parametrize("expect, said", [
    ({"verdict": "deny"}, "expected deny, but it is allowed by rule personal-stays-in-eu: azure-se is tried first"),
    ({"code": "no_policy"}, "expected deny, but it is allowed by rule personal-stays-in-eu"),
    ({"rule": "public-anywhere"}, "expected rule public-anywhere, but azure-se may be used by rule personal-stays-in-eu"),
    ({"first": "gpu-fkb"}, "expected gpu-fkb first, but azure-se is tried before it"),
    ({"first": "azure-we-global"}, "expected azure-we-global first, which may not be used: ANYWHERE minus EU: outside rule "
                                   "personal-stays-in-eu (process) for class personal"),
    ({"deployments": ["azure-se"]}, "did not expect gpu-fkb, which may be used: rule personal-stays-in-eu"),
    ({"deployments": ["azure-se", "gpu-fkb", "azure-we-global"]}, "expected azure-we-global, which may not be used: ANYWHERE minus EU"),
    ({"never": ["gpu-fkb"]}, "expected never gpu-fkb, which may be used: rule personal-stays-in-eu"),
    ({"classes": ["public"]}, "expected the classes public, but it carries personal (default)"),
    ({"process": {"within": ["SE"]}}, "expected processing within SE, but azure-se may be used and reaches DE (rule personal-stays-in-eu)"),
    ({"operator_home": {"within": ["SE"]}}, "expected the operator's home within SE, but azure-se may be used and reaches US"),
])
def test_failures_say_what_was_decided(testing, expect, said):
    done = testing.run([case(expect=expect)], code=1)
    assert "FAILED  " in done.stdout and f"{testing.tmp}/cases.json:4:3: one" in done.stdout
    assert "because: a reason" in done.stdout and "as nordbank/retail/chat on node fra-1 in DE:" in done.stdout
    assert said in done.stdout
    assert "0 cases passed, 1 failed" in done.stdout


def test_failed_denial_names_the_detail(testing):
    done = testing.run([case(labels=["secret"])], code=1)
    assert "expected allow, but it is denied with 403 residency_denied by rule secret-at-home: class \"secret\": nearest" in done.stdout


def store_fleet(days):
    return changed(FLEET, lambda f: f["deployments"][0].update(store={"in": ["SE", "DE"], **({"days": days} if days else {})}))


def store_policy(f):
    f["allow"][1].update(store={"within": ["EU"]})


@pytest.mark.parametrize("store, days, said", [
    ("nothing", 30, "expected that nothing is stored, but azure-se may be used and stores in DE SE"),
    ({"within": ["SE"]}, 30, "expected storage within SE, but azure-se may be used and reaches DE"),
    ({"within": ["EU"], "max_days": 10}, 30, "expected storage for at most 10 days, but azure-se may be used and stores for 30"),
    ({"within": ["EU"], "max_days": 10}, None, "stores for an unknown time"),
    ({"within": ["EU"], "max_days": 30}, 30, None),
])
def test_storage(testing, store, days, said):
    write_policy(testing.tmp / "policy", fleet=store_fleet(days), residency=changed(RESIDENCY, store_policy))
    done = testing.run([case(expect={"store": store})], code=1 if said else 0)
    assert said is None or said in done.stdout


def test_every_node_when_none_is_named(testing):
    fleet = changed(FLEET, lambda f: f["nodes"].append({"id": "nyc-1", "country": "US"}))
    write_policy(testing.tmp / "policy", fleet=fleet)
    done = testing.run([case(expect={"verdict": "allow"})], code=1)
    assert "as nordbank/retail/chat on node nyc-1 in US:" in done.stdout and "US: outside rule" not in done.stdout
    testing.run([case(node="fra-1")])
    done = testing.run([without(case(tenant="nordbank/retail"), "app")], code=1)
    assert ", and 1 more of 4:" in done.stdout


def test_time(testing):
    residency = changed(RESIDENCY, lambda r: r["allow"][1].update(until="2030-06-30"))
    write_policy(testing.tmp / "policy", residency=residency)
    testing.run([case(at="2030-06-30T23:59:59Z"), case(name="two", at="2030-07-01", expect={"verdict": "deny"})])
    testing.run([case(name="the past", at="2020-01-01")])
    testing.run([case(expect={"verdict": "deny"})], "--now", "2031-01-01")


def test_features_fields_and_bodies(testing):
    denied = {"verdict": "deny", "rule": "personal-stays-in-eu"}
    testing.run([case(features=["web_search"], expect=denied), case(name="field", unknown_fields=["frobnicate"], expect=denied),
                 case(name="header", headers={"openai-beta": "x"}, expect=denied),
                 case(name="places", headers={"X-Gatehouse-Places": ["EU", "SE"]}, expect={"verdict": "deny"}),
                 without(case(name="body", request={"model": "gpt-4.1", "messages": [], "frob": 1.50}, expect=denied), "model")])


def test_url(testing):
    """A URL says endpoint and model, and a whole body what it can be translated to."""
    write_policy(testing.tmp / "policy", fleet=changed(FLEET, lambda f: f["deployments"][0].update(dialect="anthropic", endpoints=["messages"])))
    url, body = "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", {"messages": [{"role": "user", "content": "x"}]}
    seed = {"verdict": "allow", "deployments": ["gpu-fkb"]}
    testing.run([without(case(url=url), "model"), without(case(name="body", url=url, request=body), "model"),
                 without(case(name="seed", url=url, request={**body, "seed": 1}, expect=seed), "model"),
                 case(name="own url", url="/v1/embeddings", expect={"verdict": "deny", "code": "model_not_found"})],
                defaults={"endpoint": "responses"})
    testing.run([without(case(), "model")], defaults={"url": url})
    converse = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
    testing.run([without(case(url="/model/gpt-4.1/converse", request=converse, expect={"deployments": ["gpu-fkb", "azure-se"]}), "model")])


def test_key_classes(testing):
    testing.run([case(key_classes=["secret"], expect={"classes": ["personal", "secret"]})])
    done = testing.run([case(key_classes=["secrit"])], code=1)
    assert 'policy "nordbank" has no class "secrit"; did you mean "secret"?' in done.stderr


def test_defaults(testing):
    member = {"name": "one", "because": "a reason", "expect": {"verdict": "allow"}}
    testing.run([member], defaults={"app": "nordbank/retail/chat", "model": "gpt-4.1", "node": "fra-1"})


@pytest.mark.parametrize("change, said", [
    (dict(expact={}), ':12:4: error: a case has no member "expact"; did you mean "expect"?'),
    (dict(because=None), 'a case must say "because"'),
    (dict(name=None), 'a case must say "name"'),
    (dict(because=""), '"because" must have 1 to 1024 bytes, not 0'),
    (dict(app=None), 'a case must say who asks: "tenant", "app" or "key"'),
    (dict(tenant="nordbank/retail"), '"app" stands beside "tenant": give one of them'),
    (dict(app="nordbank/retail"), '"app" must be organisation/tenant/app, not "nordbank/retail"'),
    (dict(app="nordbank/retail/chatt"), 'tenants/1 does not list "nordbank/retail/chatt"; did you mean "nordbank/retail/chat"?'),
    (dict(model="gpt-41"), 'fleet/1 has no model "gpt-41"; did you mean "gpt-4.1"?'),
    (dict(model=None), 'a case must say "model", or "request"'),
    (dict(node="fra-2"), 'fleet/1 lists no node "fra-2"; did you mean "fra-1"?'),
    (dict(url="/v1/chat/complete"), 'the gateway answers unknown_endpoint to POST /v1/chat/complete'),
    (dict(url="/v1/embeddings", endpoint="embeddings"), '"endpoint" stands beside "url"'),
    (dict(url="/model/gpt-4.1/converse"), '"model" stands beside a "url" that names it: "gpt-4.1"'),
    (dict(url="/model/gpt-4.0/converse", model=None), 'fleet/1 has no model "gpt-4.0"'),
    (dict(url="/v1/responses/resp_1", model=None), 'sealed in its id, by the key of one store: a case asks a model'),
    (dict(url="/v1/responses/resp_1/cancel", model=None), '"gatehouse explain --url" judges this'),
    (dict(url="/v1/models", model=None), 'the gateway answers method_not_allowed to POST /v1/models'),
    (dict(endpoint="chat"), 'unknown endpoint "chat"'),
    (dict(at="soon"), '"soon" is not a time such as'),
    (dict(features=["web_serch"]), 'no request turns on a feature "web_serch"; did you mean "web_search"?'),
    (dict(features=[]), '"features" must not be empty'),
    (dict(request={"model": "gpt-4.1"}), '"model" is what "request" says itself'),
    (dict(expect={}), '"expect" expects nothing'),
    (dict(expect={"verdict": "alow"}), 'unknown verdict "alow"; did you mean "allow"?'),
    (dict(expect={"code": "residency_deny"}), 'unknown code "residency_deny"; did you mean "residency_denied"?'),
    (dict(expect={"verdict": "allow", "code": "no_policy"}), '"code" is of a denial'),
    (dict(expect={"verdict": "deny", "first": "gpu-fkb"}), '"first" would never be looked at'),
    (dict(expect={"rule": "secret-at-hom"}), 'unknown rule "secret-at-hom"; did you mean "secret-at-home"?'),
    (dict(expect={"never": ["gpu-fbk"]}), 'unknown deployment "gpu-fbk"; did you mean "gpu-fkb"?'),
    (dict(expect={"classes": ["personel"]}), 'policy "nordbank" has no class "personel"; did you mean "personal"?'),
    (dict(expect={"process": {"within": ["EUU"]}}), 'unknown place "EUU"'),
    (dict(expect={"process": {"inside": ["EU"]}}), '"process" has no member "inside"'),
    (dict(expect={"process": {"within": []}}), '"within" must not be empty'),
    (dict(expect={"store": "none"}), '"store" must be "nothing" or'),
])
def test_mistakes_have_a_place_and_the_nearest_spelling(testing, change, said):
    wrong = {k: v for k, v in {**case(), **change}.items() if v is not None}
    done = testing.run([wrong], code=1)
    assert said in done.stderr, done.stderr
    assert all(line.startswith(f"{testing.tmp}/cases.json:") for line in done.stderr.splitlines() if ": error: " in line)
    assert done.stdout == ""


def test_codes_excuse_the_name_they_are_about(testing):
    testing.run([case(model="gpt-99", expect={"code": "model_not_found"}),
                 case(name="two", app="nordbank/retail/none", expect={"code": "no_policy"}),
                 case(name="three", node="osl-9", expect={"code": "policy_unavailable"})])


def test_names_are_given_once_over_all_files(testing):
    other = testing.file([case()], "other.json")
    done = testing.run([case()], other, code=1)
    assert f'case "one" is already given at {testing.tmp}/cases.json:5:12' in done.stderr


def test_other_kinds_are_refused(testing):
    done = testing.cli.run("policy", "test", testing.tmp / "policy/fleet.json", "--policy", testing.tmp / "policy", code=1)
    assert ':2:11: error: a file of cases must say "kind": "cases/1"' in done.stderr


def test_cases_are_no_part_of_a_policy(testing):
    (testing.tmp / "policy" / "cases.json").write_text(testing.file(CASES).read_text())
    done = testing.cli.run("policy", "validate", testing.tmp / "policy", code=1)
    assert "policy/cases.json:2:10: error: cases are no part of a policy" in done.stderr and "gatehouse policy test" in done.stderr


def test_coverage(testing):
    done = testing.run(CASES[:1])
    assert "Rules: 1 of 4 decided in some case." in done.stdout
    assert "  never  allow nordbank/public-anywhere: it fits in no case (" in done.stdout
    assert "  never  forbid nordbank/countries-of-concern: it fires in no case (" in done.stdout
    assert "personal-stays-in-eu" not in done.stdout
    assert "Classes held against deployments: 3 of 9." in done.stdout
    assert "  public    0 of 3; not with azure-se, azure-we-global, gpu-fkb" in done.stdout
    assert "  personal  " not in done.stdout
    full = testing.run(CASES[:1], "--coverage").stdout
    assert "allow nordbank/personal-stays-in-eu" in full and "  personal  3 of 3" in full


def test_least_coverage(testing):
    testing.run(CASES[:1], "--min-coverage", "25")
    done = testing.run(CASES[:1], "--min-coverage", "26", code=1)
    assert "Coverage is below the 26% that --min-coverage asks for." in done.stdout
    assert "not a percentage" in testing.run(CASES, "--min-coverage", "101", code=64).stderr


def test_json(testing):
    done = json.loads(testing.run([CASES[0], case(expect={"verdict": "deny"})], "--json", code=1).stdout)
    assert done["passed"] is False and done["cases"] == 2 and done["failed"] == 1
    assert [r["passed"] for r in done["results"]] == [True, False]
    assert done["results"][1]["reasons"] == ["expected deny, but it is allowed by rule personal-stays-in-eu: azure-se is tried first"]
    assert done["coverage"]["rules"] == 4 and done["coverage"]["cells"] == 9
    wrong = json.loads(testing.run([case(app="x")], "--json", code=1).stdout)
    assert wrong["passed"] is False and wrong["report"][0]["code"] == "bad_name"


def witnesses():
    """A fleet in which every fact of every rule decides about some deployment."""
    def deployment(base, name, **members):
        return {**copy.deepcopy(FLEET["deployments"][base]), "id": name, "backend": name, **members}
    return changed(FLEET, lambda f: f["deployments"].extend([
        deployment(2, "gpu-de", country="DE"), deployment(2, "gpu-owned-in-china", operator_home=["CN"]),
        deployment(2, "gpu-at-home-owned-in-china", country="DE", operator_home=["CN"]),
        deployment(2, "gpu-logs", country="DE", store={"in": ["DE"], "days": 1}), deployment(0, "azure-de", region="germanywestcentral")]))


def mutants(policy):
    """Every policy that differs in one rule: it is gone, wider, narrower, at an end, or about more."""
    changes = {
        "allow": {"anywhere": lambda r: r["process"].update(within=["ANYWHERE"]), "in Andorra": lambda r: r["process"].update(within=["AD"]),
                  "ended": lambda r: r.update(until="2026-01-01"), "stores": lambda r: r.update(store={"within": ["EU"]}),
                  "in any partition": lambda r: r.pop("partitions", None), "attested": lambda r: r.update(attest=["c5"]),
                  "for one app": lambda r: r.update(tenants=["nordbank/retail/" + ("chat" if "public" in r["classes"] else "mail")]), "other models": lambda r: r.update(models=["gpt41-*"]),
                  "at home": lambda r: r.update(operator_home={"within": ["DE"]})},
        "forbid": {"all": lambda r: r.pop("operator_home"), "another country": lambda r: r.update(operator_home={"touches": ["VE"]}),
                   "more": lambda r: r.update(process={"touches": ["SE"]}), "another class": lambda r: r.update(classes=["public"])},
    }
    for kind in changes:
        for i, rule in enumerate(policy[kind]):
            yield f"without {rule['id']}", changed(policy, lambda p: p.pop(kind) if len(p[kind]) == 1 else p[kind].pop(i))
            for name, change in changes[kind].items():
                mutant = changed(policy, lambda p: change(p[kind][i]))
                if mutant != policy:
                    yield f"{rule['id']}: {name}", mutant


def test_mutants_fail(testing):
    """Whatever is changed in one rule, a case fails."""
    policy = changed(RESIDENCY, lambda r: r["classify"].update(assign=[
        {"tenants": ["nordbank/retail/mail"], "class": "public"}, {"tenants": ["nordbank/retail/chat/vault"], "class": "secret"}]))
    exact = [
        case(name="public", app="nordbank/retail/mail", expect={"deployments": ["azure-se", "azure-we-global", "gpu-fkb", "gpu-de", "azure-de"]}),
        case(name="personal", expect={"deployments": ["azure-se", "gpu-fkb", "gpu-de", "azure-de"]}),
        case(name="secret", labels=["secret"], expect={"deployments": ["gpu-de"]}),
        without(case(name="vault", key="nordbank/retail/chat/vault", expect={"deployments": ["gpu-de"]}), "app")]
    write_policy(testing.tmp / "policy", fleet=witnesses(), residency=policy)
    assert "Rules: 4 of 4 decided" in testing.run(exact).stdout
    survived, count = [], 0
    for name, mutant in mutants(policy):
        write_policy(testing.tmp / "policy", fleet=witnesses(), residency=mutant)
        done = testing.run(exact, code=None)
        count += 1
        survived += [name] if done.returncode == 0 else []
        assert done.returncode == 0 or "FAILED  " in done.stdout or " error: " in done.stderr
    assert survived == [] and count >= 30, (survived, count)
