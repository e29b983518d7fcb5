"""explain: what would happen to a request, and what happened to one."""

import hashlib
import json

import pytest

from conftest import FLEET, GATEHOUSE, RESIDENCY, ROOT, TENANTS, changed, write_policy

AS = ("--as", "nordbank/retail/chat", "--node", "fra-1")


def explain(cli, *arguments, code=0, **fields):
    return cli.run("explain", "--request", cli.request(**fields), *arguments, code=code)


def test_allowed(ready):
    lines = explain(ready, *AS).stdout.splitlines()
    assert lines[0] == ("Allowed by rule personal-stays-in-eu: azure-se is tried first (processed in SE, priority 1), "
                        "then 1 more by priority and price.")
    assert lines[1] == "Request: nordbank/retail/chat asks for gpt-4.1 at chat.completions, node fra-1 in DE, revision 1."
    assert lines[2] == "Classes: personal (default); policy nordbank."
    assert lines[3] == ""
    assert lines[4] == "yes  azure-se         SE        rule personal-stays-in-eu"
    assert lines[5] == "yes  gpu-fkb          SE        rule personal-stays-in-eu"
    assert lines[6] == ("no   azure-we-global  ANYWHERE  ANYWHERE minus EU: outside rule personal-stays-in-eu (process) "
                        "for class personal")
    assert len(lines) == 7


def test_allowed_with_a_key(ready):
    done = explain(ready, "--key", ready.key(), "--node", "fra-1")
    assert "Request: nordbank/retail/chat, key sdk asks for gpt-4.1 " in done.stdout


def test_denied(ready):
    lines = explain(ready, *AS, "--header", "X-Data-Class: secret", code=3).stdout.splitlines()
    assert lines[0].startswith("Denied with 403 residency_denied")
    assert "Classes: personal (default), secret (label); policy nordbank." in lines
    assert sum(line.startswith("no ") for line in lines) == 3
    assert not any(line.startswith("yes") for line in lines)


def test_two_classes_name_both_rules(ready):
    done = explain(ready, *AS, "--header", "x-data-class: public")
    assert "rules public-anywhere (public), personal-stays-in-eu (personal)" in done.stdout


@pytest.mark.parametrize("header, status", [("x-data-class: tippy-top", "403 unknown_data_class"),
                                            ("x-gatehouse-places: Atlantis", "400 invalid_places"),
                                            ("x-gatehouse-places: US", "403 residency_denied")])
def test_headers_decide(ready, header, status):
    assert explain(ready, *AS, "--header", header, code=3).stdout.startswith(f"Denied with {status}")


def test_forbidden(ready):
    write_policy(ready.tmp / "policy", fleet=changed(
        FLEET, lambda f: f["deployments"][2].update(operator_home=["CN"])))
    ready.run("policy", "apply", ready.tmp / "policy")
    assert "CN: forbidden by rule countries-of-concern" in explain(ready, *AS).stdout


def test_unknown_model(ready):
    assert explain(ready, *AS, code=3, model="gpt-99").stdout.startswith("Denied with 404 model_not_found")


def test_alias_and_stream(ready):
    done = explain(ready, *AS, model="gpt-4.1-2025-04-14", stream=True)
    assert done.stdout.startswith("Allowed by rule personal-stays-in-eu: azure-se ") and ", streamed" in done.stdout


def test_endpoint(ready):
    request = ready.tmp / "embed.json"
    request.write_text(json.dumps({"model": "gpt-4.1", "input": "x"}))
    done = ready.run("explain", "--request", request, *AS, "--endpoint", "embeddings")
    assert done.stdout.count("does not offer embeddings") == 2


def named(fleet, name):
    fleet["models"]["gpt-4.1"].setdefault("aliases", []).append(name)


@pytest.mark.parametrize("url, body, names", [
    ("/v1/chat/completions", {"model": "gpt-4.1", "messages": []}, ("chat.completions", False)),
    ("/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", {"messages": []}, ("chat.completions", False)),
    ("/openai/deployments/gpt%2d4.1/embeddings?api-version=2024-10-21", {"input": "x", "model": "other"}, ("embeddings", False)),
    ("/model/eu.anthropic.claude-v1%3A0/converse-stream", {"messages": []}, ("converse", True)),
    ("/model/eu.anthropic.claude-v1%3A0/converse", {"messages": []}, ("converse", False)),
    ("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Acustom%2Fx/invoke", {"max_tokens": 1, "messages": [], "anthropic_version": "x"}, ("invoke", False)),
])
def test_url(ready, url, body, names):
    """What the client's SDK asks for says the endpoint, whether it streams and, where its API has it there, the model."""
    def change(fleet):
        named(fleet, "eu.anthropic.claude-v1:0"), named(fleet, "arn:aws:bedrock:eu-west-1:1:custom/x")
    policy, request = write_policy(ready.tmp / "named", fleet=changed(FLEET, change)), ready.tmp / "asked.json"
    request.write_text(json.dumps(body))
    done = ready.run("explain", "--request", request, *AS, "--policy", policy, "--url", url, "--json", code=None)
    found = json.loads(done.stdout)
    assert (found["intake"]["endpoint"], found["intake"]["stream"]) == names and found["decision"]["model"] == "gpt-4.1", found


@pytest.mark.parametrize("arguments, code, said", [
    (["--url", "/v1/nothing"], 1, "--url /v1/nothing: the gateway answers unknown_endpoint"),
    (["--url", "/v1/models"], 1, "the gateway answers method_not_allowed"),
    (["--url", "/model/%2e%2e/converse"], 1, "unknown_endpoint"), (["--url", "/model/a%2F%2Fb/converse"], 1, "unknown_endpoint"),
    (["--url", "/model/a%2F..%2Fb/converse"], 1, "unknown_endpoint"), (["--url", "/v1/%63ompletions"], 1, "unknown_endpoint"),
    (["--url", "/model/%zz/converse"], 1, "invalid_request"),
    (["--url", "v1/chat/completions"], 64, 'does not begin with "/"'),
    (["--url", "/v1/chat/completions", "--endpoint", "embeddings"], 64, "give --url or --endpoint, not both"),
])
def test_url_that_is_none(ready, arguments, code, said):
    assert said in explain(ready, *AS, *arguments, code=code).stderr


def speaks(fleet, *numbers):
    """These deployments speak Anthropic's Messages alone."""
    for number in numbers:
        fleet["deployments"][number].update(dialect="anthropic", endpoints=["messages"])


def test_translation(ready):
    """Which deployments are asked in other words, and which cannot be asked at all, with the field that says why."""
    some = write_policy(ready.tmp / "some", fleet=changed(FLEET, lambda f: speaks(f, 0)))
    lines = explain(ready, *AS, "--policy", some).stdout.splitlines()
    assert "yes  azure-se         SE        rule personal-stays-in-eu; translated to messages" in lines
    assert "yes  gpu-fkb          SE        rule personal-stays-in-eu" in lines
    lines = explain(ready, *AS, "--policy", some, seed=1).stdout.splitlines()
    assert lines[0].startswith("Allowed by rule personal-stays-in-eu: gpu-fkb is tried first")
    assert any(line.startswith("no   azure-se") and "cannot be asked seed: it does not offer chat.completions" in line for line in lines)
    every = write_policy(ready.tmp / "every", fleet=changed(FLEET, lambda f: speaks(f, *range(len(f["deployments"])))))
    lines = explain(ready, *AS, "--policy", every, code=3, seed=1).stdout.splitlines()
    assert lines[0].startswith("Denied with 400 not_expressible") and "at seed cannot be translated" in lines[0]
    found = json.loads(explain(ready, *AS, "--policy", every, "--json", code=3, seed=1).stdout)
    assert found["status"] == 400 and {"not_expressible"} == {one["why"] for one in found["decision"]["no"] if one.get("feature") == "seed"}
    found = explain(ready, *AS, "--policy", every, "--header", "x-data-class: secret", code=3, seed=1)      # residency is judged first
    assert found.stdout.startswith("Denied with 403 residency_denied")


def test_a_node_that_is_not_listed(ready):
    done = explain(ready, "--as", "nordbank/retail/chat", "--node", "osl-1", code=3)
    assert done.stdout.startswith("Denied with 503 policy_unavailable")


def test_deployments_without_the_model_are_named(ready):
    """One line per deployment that offers the model; the others in one more, so that none is missing without a word."""
    def change(fleet):
        fleet["models"]["small"] = {"context": 1000, "max_output": 100}
        fleet["deployments"][0]["models"] = {"small": fleet["deployments"][0]["models"]["gpt-4.1"]}
    lines = explain(ready, *AS, "--policy", write_policy(ready.tmp / "more", fleet=changed(FLEET, change))).stdout.splitlines()
    assert not any(line.startswith(("yes  azure-se", "no   azure-se")) for line in lines)
    assert lines[-1] == "Do not offer this model: azure-se."


def test_a_forbid_for_an_unknown_place_says_so(ready):
    forbid = {"id": "no-cn", "why": "x", "process": {"touches": ["CN"]}}
    edited = write_policy(ready.tmp / "more", residency=changed(RESIDENCY, lambda r: r.update(forbid=[forbid])))
    line = explain(ready, *AS, "--policy", edited, code=3, frobnicate=1).stdout.splitlines()[0]
    assert "touches a place that is unknown, for the unlisted feature frobnicate" in line


def test_unlisted_feature_is_named(ready):
    done = explain(ready, *AS, code=3, web_search_options={})
    assert "web_search" in done.stdout


def test_what_a_client_writes_does_not_reach_the_terminal(ready):
    done = explain(ready, *AS, "--header", "x-data-class: \x1b[31m", code=3, **{"\x1b[2J": 1})
    assert "\x1b" not in done.stdout + done.stderr
    done = explain(ready, *AS, code=1, model="\x1b[31m")
    assert "the gateway answers 400 invalid_request: model " in done.stderr and "\x1b" not in done.stderr


def test_an_app_that_is_not_listed(ready):
    done = explain(ready, "--as", "nordbank/retail/chatt", "--node", "fra-1", code=1)
    assert "--as: tenants/1 of revision 1 does not list nordbank/retail/chatt; did you mean nordbank/retail/chat?" in done.stderr


@pytest.mark.parametrize("body, code", [("", "invalid_json"), ("{", "invalid_json"), ("[]", "invalid_request"),
                                        ("{}", "invalid_request"), ('{"model":"a","model":"b"}', "duplicate_key"),
                                        ('{"model":7,"messages":[]}', "invalid_request")])
def test_malformed_requests(ready, body, code):
    path = ready.tmp / "bad.json"
    path.write_text(body)
    done = ready.run("explain", "--request", path, *AS, code=1)
    assert f"{path}: the gateway answers 400 {code}: " in done.stderr


def test_request_from_standard_input(ready):
    done = ready.run("explain", "--request", "-", *AS, input=ready.request().read_text())
    assert done.stdout.startswith("Allowed")


def test_header_without_a_colon(ready):
    done = explain(ready, *AS, "--header", "x-data-class", code=64)
    assert "--header x-data-class is not of the form 'Name: value'" in done.stderr


def test_audit_mode(ready):
    """Of documents, and of what is in force, a caller that is sent without its record."""
    permits = changed(RESIDENCY, lambda document: document.update(audit="best-effort"))
    asks = changed(TENANTS, lambda document: document["organisations"][0]["tenants"][0].update(audit="best-effort"))
    directory = write_policy(ready.tmp / "best-effort", residency=permits, tenants=asks)
    assert "best-effort" not in explain(ready, *AS).stdout
    told = explain(ready, *AS, "--policy", directory).stdout
    assert "Its audit mode is best-effort" in told
    assert json.loads(explain(ready, *AS, "--policy", directory, "--json").stdout)["identity"]["audit"] == "best-effort"
    ready.run("policy", "apply", directory, "--reason", "tests")
    assert "Its audit mode is best-effort" in explain(ready, *AS).stdout


@pytest.mark.parametrize("arguments, code", [((), 0), (("--header", "x-data-class: secret"), 3)])
def test_json(ready, arguments, code):
    answer = json.loads(explain(ready, *AS, "--json", *arguments, code=code).stdout)
    assert answer["intake"]["model"] == "gpt-4.1" and answer["intake"]["endpoint"] == "chat.completions"
    assert answer["identity"] == {"audit": "required", "org": "nordbank", "tenant": "retail", "app": "chat"}
    assert answer["node_country"] == "DE"
    decision = answer["decision"]
    assert decision["verdict"] == ("deny" if code else "allow") and decision["revision"] == 1
    assert [entry["deployment"] for entry in decision["route"]] == ([] if code else ["azure-se", "gpu-fkb"])
    assert {entry["deployment"] for entry in decision["no"]} >= {"azure-we-global"}


def test_a_directory_instead_of_the_store(cli):
    policy = write_policy(cli.tmp / "policy")
    done = explain(cli, *AS, "--policy", policy)
    assert done.stdout.startswith("Allowed by rule personal-stays-in-eu: azure-se ") and "documents that are not applied" in done.stdout
    assert not cli.home.exists()

    write_policy(policy, residency=changed(RESIDENCY, lambda r: r["allow"].pop(1)))
    done = explain(cli, *AS, "--policy", policy, code=3)
    assert "no rule allows class personal here" in done.stdout

    (policy / "fleet.json").write_text("{")
    assert f"{policy}/fleet.json:1:" in explain(cli, *AS, "--policy", policy, code=1).stderr


def test_the_end_of_evidence_is_told(ready):
    write_policy(ready.tmp / "policy", fleet=changed(FLEET, lambda f: [
        d.update(evidence=dict(d["evidence"], until="2099-06-30")) for d in f["deployments"]]))
    ready.run("policy", "apply", ready.tmp / "policy")
    assert "may change this at 2099-07-01T00:00:00Z." in explain(ready, *AS).stdout
    assert explain(ready, *AS, "--now", "2099-07-01", code=3).stdout.startswith("Denied with 403 residency_denied")


def test_no_line_dumps_the_world(ready):
    for header in ("public", "personal", "secret"):
        done = ready.run("explain", "--request", ready.request(), *AS, "--header", f"x-data-class: {header}",
                         code=3 if header == "secret" else 0)
        assert max(map(len, done.stdout.splitlines())) < 200


# ---- explain ID ----


ID = "01932f5e-7c3a-7abc-8def-0123456789ab"
TIME = 0x01932F5E7C3A

DECISION = {"prev": "0" * 64, "n": 1, "v": 1, "type": "decision", "t": TIME, "id": ID, "org": "nordbank", "tenant": "retail",
            "app": "chat", "key": "sdk", "endpoint": "chat.completions", "dialect": "openai", "model": "gpt-4.1",
            "stream": True, "bytes": 1234, "classes": [{"name": "personal", "from": "default"}], "features": [],
            "revision": 7, "policy": "0" * 64, "facts": "0" * 64, "node_country": "DE", "verdict": "allow",
            "residency": "nordbank",
            "route": [{"deployment": "azure-se", "backend": "azure-se", "upstream_model": "gpt41-prod", "process": ["SE"],
                       "store": "nothing", "rules": ["personal-stays-in-eu"]},
                      {"deployment": "gpu-fkb", "backend": "gpu-fkb", "upstream_model": "gpt-oss", "process": ["SE"],
                       "store": "nothing", "rules": ["personal-stays-in-eu"]}],
            "no": {"personal-stays-in-eu": "02"},
            "verdicts": [{"deployment": "azure-we-global", "verdict": "no_allow", "rule": "personal-stays-in-eu",
                          "class": "personal", "misses": ["process"], "places": ["AD", "AE"], "places_more": 220}],
            "node": "fra-1", "clock": TIME}
ATTEMPT = {"prev": "1" * 64, "n": 2, "v": 1, "type": "attempt", "t": TIME + 90, "id": ID, "number": 2, "deployment": "gpu-fkb",
           "upstream_model": "gpt-oss", "revision": 7, "process": ["SE"], "store": "nothing",
           "rules": ["personal-stays-in-eu"]}
OUTCOME = {"prev": "2" * 64, "n": 3, "v": 1, "type": "outcome", "t": TIME + 1500, "id": ID, "status": 200, "end": "complete",
           "attempts": [{"deployment": "azure-se", "upstream_model": "gpt41-prod", "revision": 7, "status": 503,
                         "cached": False, "sent": 1300, "received": 80, "total_us": 80500},
                        {"deployment": "gpu-fkb", "upstream_model": "gpt-oss", "revision": 7, "status": 200, "cached": True,
                         "sent": 1290, "received": 9000, "total_us": 1400000, "request_id": "abc"}],
           "usage": {"input": 12, "cached": 0, "cache_write": 0, "output": 40, "reasoning": 0, "source": "reported"},
           "bytes_out": 8800}


@pytest.fixture
def record(cli):
    """Lines as text in a segment whose writer began a minute before the request."""
    def write(*lines, name=f"fra-1-{TIME - 60000}-99-0.jsonl", place="open"):
        directory = cli.tmp / "audit" / place
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / name, "w") as file:
            for line in lines:
                file.write((line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))) + "\n")
        return directory / name
    return write


def story(cli, *arguments, code=0):
    return cli.run("explain", ID, "--audit", cli.tmp / "audit", *arguments, code=code)


def test_story(cli, record):
    file = record(dict(OUTCOME, id=ID.replace("0", "1")), OUTCOME, DECISION, ATTEMPT)
    assert story(cli).stdout.splitlines() == [
        "2024-11-15T10:29:01.626Z  Allowed under revision 7 of policy nordbank, on node fra-1 in DE.",
        "  nordbank/retail/chat, key sdk, asked for gpt-4.1 at chat.completions, streamed, 1234 bytes.",
        "  Classes: personal (default).",
        "  1.  azure-se as gpt41-prod, processed in SE, by rule personal-stays-in-eu",
        "  2.  gpu-fkb as gpt-oss, processed in SE, by rule personal-stays-in-eu",
        "  no  azure-we-global  AD, AE and 220 more: outside rule personal-stays-in-eu (process) for class personal",
        "2024-11-15T10:29:01.716Z  Attempt 2: gpu-fkb as gpt-oss, processed in SE, by rule personal-stays-in-eu, revision 7",
        "2024-11-15T10:29:03.126Z  Answered 200 completely, 1.5 s after the decision.",
        "  1. azure-se: answered 503, 1300 bytes sent, 80 received, 80.5 ms",
        "  2. gpu-fkb: answered 200, 1290 bytes sent, 9000 received, 1400.0 ms, the backend calls it abc",
        "  Tokens: 12 in, 40 out (reported); 8800 bytes to the client.",
        f"Record: {file}",
    ]


def test_story_json(cli, record):
    record(DECISION, ATTEMPT, OUTCOME)
    assert json.loads(story(cli, "--json").stdout) == [DECISION, ATTEMPT, OUTCOME]
    assert json.loads(cli.run("explain", ID.upper(), "--audit", cli.tmp / "audit" / "open", "--json").stdout)[0] == DECISION


def test_story_of_a_denial(cli, record):
    denial = dict(DECISION, verdict="deny", code="residency_denied", rule="personal-stays-in-eu", route=[],
                  detail="No deployment keeps personal inside the EU.")
    record(denial)
    done = story(cli, code=3)
    assert done.stdout.startswith("2024-11-15T10:29:01.626Z  Denied with residency_denied by rule personal-stays-in-eu under "
                                  "revision 7")
    assert "no outcome" not in done.stdout
    story(cli, "--json", code=3)


def test_story_without_outcome_or_decision(cli, record):
    record(DECISION)
    assert "There is no outcome: the request is still running, or its worker died and no other one has finished its record yet." in story(cli).stdout
    record(OUTCOME)
    assert "The decision itself is not in this record" in story(cli).stdout


def test_story_in_a_file_that_does_not_look_likely(cli, record):
    record(DECISION, OUTCOME, name=f"fra-1-{TIME + 10**9}-99-0.jsonl", place="sealed")
    assert "Allowed" in story(cli).stdout


def test_story_not_found(cli, record):
    record(dict(DECISION, id=ID[:-1] + "c"))
    done = story(cli, code=1)
    assert f"no record of {ID} in {cli.tmp}/audit (1 file read)" in done.stderr


def test_damaged_and_unfinished_lines(cli, record):
    file = record('{"prev":"' + ID + '", broken', json.dumps(DECISION)[:200])
    with open(file, "a") as handle:
        handle.write(json.dumps(DECISION))
    done = story(cli, code=1)
    assert "2 damaged lines there name this id" in done.stderr


def test_no_audit_directory(cli):
    done = story(cli, code=1)
    assert f"there is no directory {cli.tmp}/audit" in done.stderr


def test_terminal_bytes_of_a_client_stay_in_the_record(cli, record):
    record(dict(DECISION, model="\x1b[31mred"))
    assert "\x1b" not in story(cli).stdout


def test_fields_that_are_missing_or_strange(cli, record):
    record({"id": ID}, {"id": ID, "type": "decision", "t": "soon", "route": 7, "classes": {}, "no": [], "verdicts": "x"},
           {"id": ID, "type": "outcome", "attempts": [1, None], "usage": 3}, {"id": ID, "type": "attempt", "process": [1]})
    story(cli)


# ---- who asks ----


SECRETS_OF_OTHERS = ("azure", "gpu-fkb", "gpt41", "SE", "DE", "EU", "nordbank", "swedencentral", "works", "--")


def nothing_of_ours(text):
    return not [word for word in SECRETS_OF_OTHERS if word in text]


def test_a_tenant_sees_rules_only(ready):
    tenant = ("--role", "tenant")
    done = explain(ready, *AS, *tenant)
    assert done.stdout == "Allowed by rule personal-stays-in-eu.\n" and done.stderr == ""
    done = explain(ready, *AS, *tenant, "--header", "x-data-class: public")
    assert done.stdout == "Allowed by rules public-anywhere, personal-stays-in-eu.\n"
    done = explain(ready, *AS, *tenant, "--header", "x-data-class: secret", code=3)
    assert done.stdout == "Denied with 403 residency_denied by rule secret-at-home.\n"
    done = explain(ready, *AS, *tenant, "--header", "x-gatehouse-places: CH", code=3)
    assert done.stdout == "Denied with 403 residency_denied.\n"
    answer = json.loads(explain(ready, *AS, *tenant, "--json", "--header", "x-data-class: secret", code=3).stdout)
    assert answer == {"verdict": "deny", "status": 403, "code": "residency_denied", "rules": ["secret-at-home"]}
    assert json.loads(explain(ready, *AS, *tenant, "--json").stdout) == {"verdict": "allow", "rules": ["personal-stays-in-eu"]}


def test_a_tenant_learns_no_names_from_a_slip(ready):
    for policy in ((), ("--policy", ready.tmp / "policy")):
        done = explain(ready, "--as", "nordbank/retail/chatt", "--node", "fra-1", "--role", "tenant", *policy, code=1)
        assert done.stderr == "gatehouse explain: --as: there is no such app\n"


def test_story_for_a_tenant(cli, record):
    record(DECISION, ATTEMPT, OUTCOME)
    mine = ("--role", "tenant", "--tenant", "nordbank/retail")
    assert story(cli, *mine).stdout == f"Request {ID}: allowed by rule personal-stays-in-eu.\n"
    record(dict(DECISION, verdict="deny", code="residency_denied", rule="secret-at-home", route=[], detail="azure-se reaches SE"))
    done = story(cli, *mine, code=3)
    assert done.stdout == f"Request {ID}: denied with residency_denied by rule secret-at-home.\n"
    assert json.loads(story(cli, *mine, "--json", code=3).stdout) == {
        "request_id": ID, "verdict": "deny", "code": "residency_denied", "rules": ["secret-at-home"]}
    assert nothing_of_ours(done.stdout.replace(ID, "")) and done.stderr == ""


@pytest.mark.parametrize("tenant", ["nordbank/retai", "nordbank/retail2", "nordbank", "acme/retail", "nordbank/", "/retail"])
def test_a_tenant_sees_its_own_requests_only(cli, record, tenant):
    record(DECISION, OUTCOME)
    done = story(cli, "--role", "tenant", "--tenant", tenant, code=1)
    assert done.stdout == "" and done.stderr == f"gatehouse explain: no record of {ID} for {tenant}\n"


@pytest.mark.parametrize("arguments, said", [
    (("--role", "admin"), "--role admin is neither security nor tenant"),
    (("--role", "tenant"), "--role tenant needs --tenant ORG/TENANT"),
    (("--tenant", "a/b"), "--tenant goes with --role tenant"),
    (("--role", "tenant", "--tenant", "a/b", "--again"), "--again shows deployments"),
])
def test_roles_are_checked(cli, arguments, said):
    assert said in story(cli, *arguments, code=64).stderr


# ---- once more ----


def policy_digest(directory):
    """SHA-256 over path, 0, sha256 of every document in path order."""
    files = sorted((p.relative_to(directory).as_posix().encode(), p.read_bytes()) for p in directory.rglob("*.json"))
    return hashlib.sha256(b"".join(name + b"\0" + hashlib.sha256(data).digest() for name, data in files)).hexdigest()


@pytest.fixture
def old_revision(ready, record):
    """A record of revision 1, which is not in force any more: then the second deployment was open to personal data."""
    facts = hashlib.sha256((ROOT / "residency/data/regions-2026-11-21.json").read_bytes()).hexdigest()
    line = dict(DECISION, revision=1, policy=policy_digest(ready.tmp / "policy"), facts=facts)
    write_policy(ready.tmp / "policy", residency=changed(RESIDENCY, lambda r: r["allow"][1].update(process={"within": ["FR"]})))
    ready.run("policy", "apply", ready.tmp / "policy")
    return line


def test_again_by_an_older_revision(ready, record, old_revision):
    record(old_revision)
    lines = story(ready, "--again").stdout.splitlines()
    assert lines[0] == ("Decided again by the documents of revision 1, as of 2024-11-15T10:29:01.626Z: allowed by rule "
                        "personal-stays-in-eu: azure-se is tried first.")
    assert lines[2:5] == ["yes  azure-se         SE        rule personal-stays-in-eu", "yes  gpu-fkb          SE        rule personal-stays-in-eu",
                          "no   azure-we-global  ANYWHERE  ANYWHERE minus EU: outside rule personal-stays-in-eu (process) for class personal"]
    assert lines[-1] == "It comes out as recorded."
    assert json.loads(story(ready, "--again", "--json").stdout)["decision"]["revision"] == 1


def test_again_with_labels_narrowing_and_features(ready, record, old_revision):
    denied = dict(old_revision, verdict="deny", code="residency_denied", route=[])
    record(dict(denied, rule="secret-at-home", labels=[{"header": "x-data-class", "value": "secret"}]))
    assert "It comes out as recorded." in story(ready, "--again", code=3).stdout
    record(dict(denied, narrowing=["DE"]))
    assert "It comes out as recorded." in story(ready, "--again", code=3).stdout
    record(dict(denied, rule="personal-stays-in-eu", features=[{"name": "web_search", "where": "tools[0].type"}]))
    assert "the request uses web_search" in story(ready, "--again", code=3).stdout


@pytest.mark.parametrize("change, said", [
    (dict(route=[]), "the record says the route none, and deciding again gives azure-se, gpu-fkb"),
    (dict(verdict="deny", code="residency_denied", rule="secret-at-home"), "the record says the code residency_denied, and deciding again gives none"),
    (dict(policy="0" * 64), "the record says the policy 0000"),
    (dict(labels=[{"header": "x-data-class", "value": "secret"}]), "deciding again gives residency_denied"),
])
def test_again_shows_a_record_that_does_not_follow(ready, record, old_revision, change, said):
    record(dict(old_revision, **change))
    done = story(ready, "--again", code=1)
    assert said in done.stderr and "It does not come out as recorded." in done.stdout


def test_story_of_an_order(cli, record):
    record(dict(DECISION, order_by={"cost": 0, "latency": 1000}, terms=[
        {"deployment": "azure-se", "price": 2, "first_byte_us": 300000, "token_us": 20000}, {"deployment": "gpu-fkb", "breaker": "open", "retry_at": TIME}]))
    assert ("  Tried by priority and latency (cost weighs 0 of 1000, latency 1000); azure-se, 300.0 ms to the first byte, 20.0 ms a token; "
            "gpu-fkb, time not known, to be left alone until 2024-11-15T10:29:01.626Z, its breaker open.") in story(cli).stdout
    record(dict(DECISION, order_by={"cost": 1000, "latency": 0}, terms=[{"deployment": "azure-se", "samples": 3, "first_byte_us": 5}]))
    assert "Tried by" not in story(cli).stdout


def test_again_by_what_was_known_of_the_backends(ready, record, old_revision):
    """The order follows from the terms in the line: an open breaker comes last, whatever its priority."""
    known = dict(old_revision, order_by={"cost": 1000, "latency": 0},
                 terms=[{"deployment": "gpu-fkb", "price": 2}, {"deployment": "azure-se", "price": 10000000, "breaker": "open"}])
    record(known)
    assert "the record says the route azure-se, gpu-fkb, and deciding again gives gpu-fkb, azure-se" in story(ready, "--again", code=1).stderr
    record(dict(known, route=known["route"][::-1]))
    done = story(ready, "--again").stdout
    assert "It comes out as recorded." in done and "azure-se  priority 1, 10.00 dollars; its breaker is open" in done
    record(dict(known, route=known["route"][::-1], order_by={"cost": 300, "latency": 700}))
    assert "the weights of cost and latency 300 700, and deciding again gives 1000 0" in story(ready, "--again", code=1).stderr


def test_again_without_that_revision(ready, record, old_revision):
    record(dict(old_revision, revision=9))
    assert "revision 9" in story(ready, "--again", code=1).stderr


def test_what_if_under_an_older_revision(ready, old_revision):
    assert explain(ready, *AS, code=3).stdout.startswith("Denied")
    done = explain(ready, *AS, "--revision", "1")
    assert done.stdout.startswith("Allowed by rule personal-stays-in-eu") and "revision 1." in done.stdout
    assert "not the number of a revision" in explain(ready, *AS, "--revision", "x", code=64).stderr
