"""policy plan: its first line, what it lists, exit codes, scopes, suppositions, saved plans; and the line against random edits."""

import json
import re
import sys

import pytest

from conftest import EVIDENCE, FLEET, RESIDENCY, ROOT, TENANTS, changed, write_policy

sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import test_plan as edits  # noqa: E402
from residency_reference import World  # noqa: E402

NOTHING = "No tenant's data may reach a new country, and none loses one."


class Planner:
    """A gateway with the small policy in force, and edits of it."""

    def __init__(self, ready):
        self.cli, self.tmp = ready, ready.tmp

    def edit(self, fleet=lambda f: None, residency=lambda r: None, tenants=lambda t: None):
        return write_policy(self.tmp / "edited", changed(FLEET, fleet), changed(RESIDENCY, residency), changed(TENANTS, tenants))

    def run(self, directory, *arguments, code=2):
        return self.cli.run("policy", "plan", directory, *arguments, code=code)

    def lines(self, *arguments, code=2, **edit):
        return self.run(self.edit(**edit), *arguments, code=code).stdout.splitlines()

    def json(self, *arguments, code=2, **edit):
        return json.loads(self.run(self.edit(**edit), "--json", *arguments, code=code).stdout)


@pytest.fixture
def plan(ready):
    return Planner(ready)


def allow(number, **members):
    def change(residency):
        residency["allow"][number].update(members)
    return change


def deployment(number, **members):
    def change(fleet):
        fleet["deployments"][number].update(members)
    return change


def test_nothing_changes(plan):
    lines = plan.lines(code=0)
    assert lines[0] == NOTHING and lines[-1] == "Nothing changes: these are the documents of revision 1."
    answer = plan.json(code=0)
    assert answer["changes"] is False and answer["summary"] == NOTHING and answer["base"] == 1
    assert answer["gained"] == answer["lost"] == answer["deployments_gained"] == answer["edits"] == answer["documents"] == []


def test_nothing_in_force_yet(cli):
    cli.init()
    policy = write_policy(cli.tmp / "policy")
    done = cli.run("policy", "plan", policy, code=2)
    assert done.stdout.splitlines()[0] == "nordbank/retail: personal, public may now be processed in DE SE."
    assert "  + azure-se (gpt-4.1), personal, public: new: processed in DE SE; for nordbank/retail\n" in done.stdout
    assert "\n  + allow nordbank/personal-stays-in-eu: Works council agreement 2025-07\n" in done.stdout
    assert json.loads(cli.run("policy", "plan", policy, "--json", code=2).stdout)["base"] == 0


def test_a_wider_allow(plan):
    lines = plan.lines(residency=allow(1, process={"within": ["ANYWHERE"]}))
    assert lines[0] == "nordbank/retail: personal, public may now be processed in ANYWHERE minus DE SE."
    assert "  + azure-we-global (gpt-4.1), personal, public: new: processed in ANYWHERE; for nordbank/retail" in lines
    assert "  ~ allow nordbank/personal-stays-in-eu: process: EU -> ANYWHERE" in lines


def test_gained_before_lost(plan):
    def swap(fleet):
        fleet["deployments"][2]["country"] = "FI"
        fleet["deployments"][0]["region"] = "francecentral"
    lines = plan.lines(fleet=swap)
    assert lines[0] == ("nordbank/retail: personal, public may now be processed in FI FR; "
                        "nordbank/retail: personal, public may no longer be processed in SE.")
    assert "  + azure-se (gpt-4.1), personal, public: now also processed in FR; for nordbank/retail" in lines
    assert "  - azure-se (gpt-4.1), personal, public: no longer processed in SE; for nordbank/retail" in lines
    assert "  ~ deployment azure-se/gpt-4.1: region: swedencentral -> francecentral; process: SE -> FR" in lines


def test_only_losses(plan):
    lines = plan.lines(residency=allow(1, process={"within": ["DE"]}))
    assert lines[0] == ("No tenant's data may reach a new country; "
                        "nordbank/retail: personal, public may no longer be processed in DE SE.")
    assert "  - gpu-fkb (gpt-4.1), personal, public: gone: processed in DE SE; for nordbank/retail" in lines


def test_a_sku_that_became_global(plan):
    lax = allow(1, process={"within": ["ANYWHERE"]})
    plan.cli.run("policy", "apply", plan.edit(residency=lax))
    plan.cli.run("policy", "apply", plan.edit(residency=lax, fleet=lambda f: f["deployments"].pop(1)))

    def change(fleet):
        fleet["deployments"].pop(1)
        fleet["deployments"][0]["sku"] = "GlobalStandard"
    lines = plan.lines(residency=lax, fleet=change)
    assert lines[0] == "nordbank/retail: personal, public may now be processed in ANYWHERE minus DE SE."
    assert "  + azure-se (gpt-4.1), personal, public: now also processed in ANYWHERE minus DE SE; for nordbank/retail" in lines
    assert "  ~ deployment azure-se/gpt-4.1: sku: Standard -> GlobalStandard; process: SE -> ANYWHERE" in lines


def test_storage_and_operators(plan):
    lines = plan.lines(fleet=deployment(0, store={"in": ["FR"], "days": 3}, operator_home=["GB"]),
                       residency=allow(1, store={"within": ["EU"], "max_days": 5}))
    assert lines[0] == "nordbank/retail: personal may now be stored in FR."
    assert "  + nordbank/retail: personal may now be under an operator of GB" in lines
    assert "  ~ allow nordbank/personal-stays-in-eu: store: nothing -> EU for at most 5 days" in lines
    moved = plan.lines(fleet=deployment(0, operator_home=["GB"]))
    assert moved[0] == NOTHING and "Operators gained:" in moved and "Deployments gained:" not in moved


def test_later_days(plan):
    plan.cli.run("policy", "apply", plan.edit(residency=allow(1, until="2090-06-30")))
    lines = plan.lines(residency=allow(1, until="2091-06-30"))
    assert lines[0] == "nordbank/retail: personal, public may be processed in DE SE from 2090-07-01T00:00:00Z on."
    assert "  ~ allow nordbank/personal-stays-in-eu: holds until: 2090-06-30 -> 2091-06-30" in lines
    answer = plan.json(residency=allow(1, until="2089-06-30"))
    assert [(each["class"], each["from"]) for each in answer["lost"]] == [
        ("personal", "2089-07-01T00:00:00Z"), ("public", "2089-07-01T00:00:00Z")]
    assert plan.json("--at", "2090-07-01", residency=allow(1, until="2091-06-30"))["gained"][0].get("from") is None


def test_evidence_that_ends_on_another_day(plan):
    def change(fleet):
        fleet["deployments"][0]["evidence"] = {**EVIDENCE, "until": "2090-06-30"}
    assert any(line.startswith("  ~ deployment azure-se/gpt-4.1: evidence ends: none -> 2090-06-30") for line in plan.lines(fleet=change))
    plan.cli.run("policy", "apply", plan.edit(fleet=change))
    lines = plan.lines(fleet=lambda fleet: fleet["deployments"][0].update(evidence={**EVIDENCE, "until": "2091-12-31"}))
    assert any(line.startswith("  ~ deployment azure-se/gpt-4.1: evidence ends: 2090-06-30 -> 2091-12-31") for line in lines)


def test_features(plan):
    listed = deployment(2, features={"web_search": {"process": ["FR"], "store": "nothing"}})
    lines = plan.lines(fleet=listed)
    assert lines[0] == "nordbank/retail: personal, public may now be processed in FR."
    assert "  + gpu-fkb (gpt-4.1) with web_search, personal, public: new: processed in DE FR SE; for nordbank/retail" in lines
    lines = plan.lines(residency=allow(1, unlisted_features="accepted"))
    assert lines[0].startswith("nordbank/retail: personal may now be processed where nobody knows and stored where nobody knows")
    assert any("with unlisted features, personal: new: processed where nobody knows" in line for line in lines)


def test_documents_that_differ_without_a_change(plan):
    lines = plan.lines(residency=allow(1, why="Works council agreement 2026-01"))
    assert lines[0] == NOTHING and "  ~ document orgs/residency.json" in lines
    assert "  ~ allow nordbank/personal-stays-in-eu: why: Works council agreement 2025-07 -> Works council agreement 2026-01" in lines


def test_rules_added_and_removed(plan):
    def change(residency):
        residency["forbid"][0]["id"] = "renamed"
        residency["classify"]["default"] = "secret"
    answer = plan.json(residency=change)
    edited = {(each["change"], each["what"], each["id"]) for each in answer["edits"]}
    assert edited == {("added", "forbid", "renamed"), ("removed", "forbid", "countries-of-concern"), ("changed", "policy", "nordbank")}
    assert {each["class"] for each in answer["lost"]} == {"personal", "public"}


def test_apps_that_come_go_and_are_limited_otherwise(plan):
    def change(tenants):
        tenants["organisations"][0]["tenants"][0].update(places=["DE", "SE"], models=["gpt-4.1"], apps=[{"id": "chat", "classes": ["secret"]}, {"id": "new"}])
    lines = plan.lines(tenants=change)
    assert lines[0] == ("nordbank/retail/new: personal, public may now be processed in DE SE; "
                        "nordbank/retail/chat, nordbank/retail/mail: personal, public may no longer be processed in DE SE.")
    assert "  - app nordbank/retail/mail" in lines and "  + app nordbank/retail/new" in lines
    assert "  ~ app nordbank/retail/chat: classes: none -> secret; places: none -> DE SE; models: gpt-* -> gpt-4.1" in lines

    def many(tenants):
        tenants["organisations"][0]["tenants"] += [{"id": f"t{number}", "apps": [{"id": "a"}]} for number in range(30)]
    lines = plan.lines(tenants=many)
    assert "  + app nordbank/t0/a" in lines and "  + apps 10 more" in lines
    assert lines[0] == ("nordbank/t0, nordbank/t1, nordbank/t10, nordbank/t11 and 26 more: "
                        "personal, public may now be processed in DE SE.")


def test_long_lists_of_countries_by_their_difference(plan):
    codes = ("AD AR AU BR CA CL CO CR EC EG FJ GE GH GT HN ID IN IS JM JO").split()

    def with_codes(*list_):
        return allow(0, process={"within": list(list_)}, operator_home={"within": ["SE", "US"]})
    plan.cli.run("policy", "apply", plan.edit(residency=with_codes(*codes)))
    assert "  ~ allow nordbank/public-anywhere: process: as it was -> with ZA, without JO" in plan.lines(
        residency=with_codes(*codes[:-1], "ZA"))
    assert "  ~ allow nordbank/public-anywhere: process: as it was -> without JO" in plan.lines(residency=with_codes(*codes[:-1]))


def test_new_warnings_only(plan):
    plan.cli.run("policy", "apply", plan.edit(fleet=lambda f: f["deployments"][0].pop("operator_home")))

    def change(fleet):
        fleet["deployments"][0].pop("operator_home")
        fleet["deployments"][2].pop("operator_home")
    warnings = [each for each in plan.json(fleet=change)["warnings"] if each["code"] == "unknown_fact"]
    assert len(warnings) == 1 and "gpu-fkb" in warnings[0]["text"]
    assert "Warnings that are new:" in plan.lines(fleet=change)


def test_tenants_named_as_exactly_as_needed(plan):
    def more(tenants):
        tenants["organisations"][0]["tenants"] += [{"id": f"t{number}", "apps": [{"id": "a"}]} for number in range(5)]
    plan.cli.run("policy", "apply", plan.edit(tenants=more))
    wide = {"id": "wide", "why": "x", "classes": ["personal"], "process": {"within": ["ANYWHERE"]}, "store": "nothing"}

    def extra(**members):
        return lambda residency: residency["allow"].append({**wide, **members})
    start = "personal, public may now be processed in ANYWHERE minus DE SE."
    assert plan.lines(tenants=more, residency=extra())[0] == "all 6 tenants of nordbank: " + start
    assert plan.lines(tenants=more, residency=extra(tenants=["nordbank/t*"]))[0] == (
        "nordbank/t0, nordbank/t1, nordbank/t2, nordbank/t3 and 1 more: " + start)
    assert plan.lines(tenants=more, residency=extra(tenants=["nordbank/retail/chat"]))[0] == "nordbank/retail/chat: " + start
    keyed = extra(tenants=["nordbank/retail/chat/batch*", "nordbank/t0"])
    assert plan.lines(tenants=more, residency=keyed)[0] == "nordbank/retail/chat (key batch*), nordbank/t0: " + start
    assert plan.json(tenants=more, residency=keyed)["gained"][0]["tenants"] == ["nordbank/retail/chat/batch*", "nordbank/t0"]
    assert plan.json(tenants=more, residency=extra())["gained"][0]["tenants"] == ["nordbank"]


def test_many_changes_are_said_by_tenant_in_the_first_line(plan):
    """As long as that can be read: every tenant with exactly the countries that are new to it, the farthest first; else a count."""
    def countries(*codes):
        def tenants(document):
            document["organisations"][0]["tenants"] += [{"id": f"t{number}", "apps": [{"id": "a"}]} for number in range(len(codes))]

        def residency(document):
            for number, code in enumerate(codes):
                document["allow"].append({"id": f"x{number}", "why": "x", "classes": ["personal"], "tenants": [f"nordbank/t{number}"],
                                          "process": {"within": ["EU", code]}, "store": "nothing"})

        def fleet(document):
            document["deployments"] += [{**FLEET["deployments"][2], "id": f"d{number}", "country": code, "serves": [f"nordbank/t{number}"]}
                                        for number, code in enumerate(codes)]
        return dict(tenants=tenants, residency=residency, fleet=fleet)
    five, seven = countries("FR", "ES", "IT", "PT", "BR"), countries("FR", "ES", "IT", "PT", "FI", "DK", "BR")
    plan.cli.run("policy", "apply", plan.edit(tenants=seven["tenants"]))
    lines = plan.lines(tenants=seven["tenants"], residency=five["residency"], fleet=five["fleet"])
    assert lines[0] == ("Data of nordbank/t0 may now get to FR, of nordbank/t1 to ES, of nordbank/t2 to IT, of nordbank/t3 to PT, "
                        "of nordbank/t4 to BR, in the classes told below.")
    assert "Countries gained:" in lines and "  + nordbank/t4: personal, public may now be processed in BR" in lines
    lines = plan.lines(**seven)
    assert re.match(r"Data of 7 tenants may now get to .+, as told below\.$", lines[0])

    plan.cli.run("policy", "apply", plan.edit(tenants=seven["tenants"], residency=five["residency"], fleet=five["fleet"]))
    lost = plan.lines(tenants=seven["tenants"])[0]
    assert lost == ("No tenant's data may reach a new country; data of nordbank/t0 may no longer get to FR, of nordbank/t1 to ES, "
                    "of nordbank/t2 to IT, of nordbank/t3 to PT, of nordbank/t4 to BR, in the classes told below.")


def test_sets_of_countries_as_the_documents_name_them(plan):
    """Another set of the facts has the same members as these two together; its name stands in no document."""
    def fleet(document):
        document["deployments"][0].update(region="westeurope", sku="GlobalStandard", store={"in": ["EU_DATA_BOUNDARY", "GB"], "days": 30})

    def anywhere(residency):
        residency["allow"].append({"id": "wide", "why": "x", "classes": ["personal"], "process": {"within": ["ANYWHERE"]},
                                   "store": {"within": ["EU_DATA_BOUNDARY", "GB"], "max_days": 30}})
    directory = plan.edit(fleet=fleet, residency=anywhere)
    listing = [plan.cli.run("policy", "plan", directory, code=2).stdout, plan.cli.run("fleet", "check", directory).stdout,
               plan.cli.run("policy", "show", directory, "--words").stdout]
    assert not any("OPENROUTER_EUROPE" in text for text in listing)
    assert "stored in EU_DATA_BOUNDARY plus GB" in listing[0] and "stores in EU_DATA_BOUNDARY plus GB for 30 days" in listing[1]
    assert "content is stored nowhere, or only in EU_DATA_BOUNDARY, United Kingdom (GB)" in " ".join(listing[2].split())


def test_suppositions(plan):
    wide = allow(1, process={"within": ["eu-only", "GDPR_ADEQUATE_DPF"]})

    def fleet(fleet):
        fleet["deployments"][0]["region"] = "eastus2"
    plan.cli.run("policy", "apply", plan.edit(residency=wide, fleet=fleet))
    done = plan.cli.run("policy", "plan", "--if", "GDPR_ADEQUATE_DPF = {}", code=2)
    lines = done.stdout.splitlines()
    assert lines[0] == NOTHING
    assert ("If GDPR_ADEQUATE_DPF = {}: No tenant's data may reach a new country; "
            "nordbank/retail: personal, public may no longer be processed in US.") in lines
    assert "  - azure-se (gpt-4.1), personal, public: gone: processed in DE US; for nordbank/retail" in lines
    answer = plan.json("--if", "eu-only={SE, DE}", "--if", "GDPR_ADEQUATE_DPF={US CA}", code=0, residency=wide, fleet=fleet)
    assert answer["if"]["lost"] == [] and answer["if"]["supposed"] == "eu-only={SE, DE} and GDPR_ADEQUATE_DPF={US CA}"
    answer = plan.json("--if", "eu-only={FR}", residency=wide, fleet=fleet)
    assert {each["deployment"] for each in answer["if"]["deployments_lost"]} == {"azure-se", "gpu-fkb"} and answer["lost"] == []


@pytest.mark.parametrize("supposition, sentence", [
    ("GDPR_ADEQUAT = {}", "did you mean GDPR_ADEQUATE?"),
    ("eu-olny = {DE}", "did you mean eu-only?"),
    ("EU = DE", 'is not of the form "SET = {DE FR}"'),
    ("EU", 'is not of the form "SET = {DE FR}"'),
    ("EU = {DE XX}", '"XX" is not a country code or a set of the facts'),
    ("EU = {EEAA}", "did you mean EEA?"),
    ("ANYWHERE = {}", "ANYWHERE is not a set that could be another one"),
    ("DE = {FR}", "DE is not a set that could be another one"),
])
def test_suppositions_that_cannot_be(plan, supposition, sentence):
    assert sentence in plan.run(plan.edit(), "--if", supposition, code=64).stderr


def test_a_supposed_set_in_facts_of_deployments(plan):
    def fleet(fleet):
        fleet["deployments"][0]["store"] = {"in": ["GCC"], "days": 1}
    lax = allow(1, store={"within": ["ANYWHERE"]})
    answer = plan.json("--if", "GCC = {}", residency=lax, fleet=fleet)
    assert {each["deployment"] for each in answer["if"]["deployments_lost"]} == {"azure-se"}     # an empty fact is unknown


def test_usage(plan):
    assert "the directory of the documents is missing" in plan.cli.run("policy", "plan", code=64).stderr
    assert "--at noon" in plan.run(plan.edit(), "--at", "noon", code=64).stderr
    assert "--if or --at supposes" in plan.run(plan.edit(), "--if", "EU = {}", "--out", plan.tmp / "p", code=64).stderr
    assert "cannot open" in plan.run(plan.tmp / "none", code=1).stderr
    assert ": error: " in plan.run(plan.edit(residency=allow(1, process={"within": ["EUU"]})), code=1).stderr
    plan.cli.run("policy", "apply", plan.edit(residency=allow(1, why="again")))
    assert plan.run(plan.edit(), "--base", "1", code=1).stderr


def test_a_plan_is_saved_and_applied(plan):
    file = plan.tmp / "edit.plan"
    done = plan.run(plan.edit(residency=allow(1, process={"within": ["ANYWHERE"]})), "--out", file)
    assert f"saved: gatehouse policy apply {file}" in done.stderr
    saved = json.loads(file.read_text())
    assert saved["base"]["revision"] == 1 and saved["summary"]["summary"] == done.stdout.splitlines()[0].strip()
    assert plan.cli.run("policy", "apply", file, code=None).stdout.startswith("revision 2\n")
    assert plan.run(plan.tmp / "edited", code=0).stdout.startswith(NOTHING)


def test_one_organisation(plan):
    fjord = plan.tmp / "fjord"
    fjord.mkdir()
    document = {**RESIDENCY, "name": "fjord", "applies_to": "fjord/*"}
    (fjord / "residency.json").write_text(json.dumps(document))
    (fjord / "tenants.json").write_text(json.dumps(changed(TENANTS, lambda t: t["organisations"][0].update(id="fjord"))))
    plan.cli.run("policy", "apply", plan.edit(fleet=deployment(2, serves=["nordbank", "fjord"])))
    done = plan.run(fjord, "--organisation", "fjord")
    assert done.stdout.splitlines()[0] == "fjord/retail: personal, public may now be processed in DE SE."
    assert "  + document fjord/residency.json" in done.stdout.splitlines()


# The first line of random edits, held against the enumeration that tries everything.

def places_of(words, facts):
    """The countries of a text such as "EEA plus US minus LI"; None when it only counts some of them."""
    if "more" in words:
        return None
    if "nobody knows" in words:
        return {"?"}
    result, minus = set(), False
    for word in words.split():
        if word in ("plus", "minus"):
            minus = word == "minus"
        else:
            result = result - facts.places([word]) if minus else result | facts.places([word])
    return result


STATEMENT = re.compile(r"^(?P<who>[^:]+): (?P<classes>.+?) may (?P<what>now be|be|no longer be) (?P<places>.+?)(?: from (?P<day>\S+) on)?$")


def told(line, gained, now):
    """{(instant, path or prefix, class, kind): countries} of one direction of the first line."""
    found = {}
    for part in line.rstrip(".").split("; "):
        match = STATEMENT.match(part)
        if match is None or (match["what"] == "no longer be") == gained:
            continue
        instant = edits.milliseconds(match["day"]) if match["day"] else now
        together = match["places"].replace("processed and stored in ", "processed in ", 1)
        for phrase in together.split(" and stored ") if "processed and stored" not in match["places"] else [together]:
            kinds = ["process", "store"] if "processed and stored" in match["places"] else \
                ["process"] if phrase.startswith("processed") else ["store"]
            words = re.sub(r"^(processed |stored )?(in )?", "", phrase)
            for who in match["who"].split(", "):
                for one in match["classes"].split(", "):
                    for kind in kinds:
                        found.setdefault((instant, who, one, kind), []).append(places_of(words, edits.FACTS))
    return found


def covers(who, path):
    if who.startswith("all "):
        return who.endswith("tenants") or path.startswith(who.rpartition(" ")[2] + "/")
    return path == who or path.startswith(who + "/")


GROUP = re.compile(r"(?:[Dd]ata )?of (?P<who>.+?)(?: may (?:now|no longer) get)? to (?P<now>.+?)(?: and later to (?P<later>.+?))?(?P<only> \(later\))?$")


def said_by_tenant(part):
    """{tenant: (countries now, countries later)} of "Data of a/b, a/c may now get to DE, of d/e to FR and later to US, in the classes told below"."""
    found = {}
    for group in re.split(r", (?=of )", part.removesuffix(", in the classes told below")):
        match = GROUP.match(group)
        first, later = places_of(match["now"], edits.FACTS), places_of(match["later"] or "", edits.FACTS)
        for who in match["who"].split(", "):
            found[who] = (set(), set(first)) if match["only"] else (set(first), set(later))
    return found


def new_to_tenants(mine, now):
    found = {}
    for (instant, path, _, _), countries in mine.items():
        found.setdefault("/".join(path.split("/")[:2]), (set(), set()))[instant > now].update(countries)
    for tenant, sides in found.items():
        first, later = ({"?"} if "?" in side else side for side in sides)
        found[tenant] = (first, set() if "?" in first else later if "?" in later else later - first)
    return found


def test_the_first_line_of_random_edits(cli):
    cli.init()
    checked = 0
    for number in range(30):
        world = edits.make_edit("line", number, keyed=False)
        paths = sorted(set(World(edits.documents_of(world), world["now"], "n1", None).tenants)
                       | set(World(edits.documents_of(world, "after"), world["now"], "n1", None).tenants))
        directories = []
        for member in ("documents", "after"):
            directory = cli.tmp / f"{number}-{member}"
            directory.mkdir()
            for each in world[member]:
                (directory / each["path"]).write_text(json.dumps(each["json"]))
            directories.append(directory)
        if cli.run("policy", "apply", directories[0], code=None).returncode not in (0, 3):
            continue
        done = cli.run("policy", "plan", directories[1], "--at", world["now"], code=None)
        if done.returncode == 1:
            continue
        line, now = done.stdout.splitlines()[0], edits.milliseconds(world["now"])
        expected = {}
        for key, countries in edits.expected_changes(world, [path + "/x" for path in paths]).items():
            if key[4] == "" and key[-1] != "operator":
                expected[key] = countries
        for gained in (True, False):
            mine = {(key[0], key[2].rpartition("/")[0], key[3], key[-1]): countries for key, countries in expected.items() if key[1] == gained}
            if not mine:
                assert (line.startswith("No tenant's data may reach a new country") if gained else "no longer" not in line), line
                continue
            counted = re.search(r"[Dd]ata of (\d+) tenants? may " + ("now" if gained else "no longer"), line)
            if counted:
                assert int(counted[1]) == len({"/".join(path.split("/")[:2]) for _, path, _, _ in mine}), (line, mine)
                continue
            if " and 1 more" in line or " more:" in line:
                continue
            grouped = [part for part in line.rstrip(".").split("; ") if part.endswith(", in the classes told below")
                       and (" may now get to " in part) == gained]
            if grouped:
                assert said_by_tenant(grouped[0]) == new_to_tenants(mine, now), (line, mine)
                checked += 1
                continue
            found = told(line, gained, now)
            for (instant, who, one, kind), several in found.items():
                for path in paths:
                    if covers(who, path):
                        assert (instant, path, one, kind) in mine, (line, who, one, kind)
            for (instant, path, one, kind), countries in mine.items():
                several = [each for (at, who, name, what), list_ in found.items() if (at, name, what) == (instant, one, kind) and covers(who, path)
                           for each in list_]
                assert len(several) == 1, (line, path, one, kind, several)
                if several[0] is not None:
                    assert several[0] == countries or (several[0] == {"?"} and "?" in countries), (line, path, one, kind, countries)
                checked += 1
    assert checked > 20


def test_what_identity_says_of_callers(plan):
    """Issuers and authorities that are new, gone and other, and every rule of theirs in the words of `policy show --words`."""
    def directory(**issuer):
        made = plan.edit()
        key = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
        login = {"id": "login", "issuer": "https://login.example", "audiences": ["api"], "algorithms": ["ES256"], "keys": {"keys": [key]}, "user": "sub",
                 "apps": [{"when": {"azp": "web"}, "app": "retail/chat"}], "narrow": [{"when": {"groups": "interns"}, "models": ["gpt-4.1"], "places": ["SE"]}], **issuer}
        (made / "identity.json").write_text(json.dumps({"kind": "identity/1", "organisation": "nordbank", "issuers": [login]}))
        return made

    def told(made):
        lines = plan.run(made).stdout.splitlines()
        begin = lines.index("Tokens and certificates:") + 1
        return lines[begin:lines.index("", begin)]
    assert told(directory()) == ["  + issuer nordbank/login", '  + issuer nordbank/login: tokens with azp "web": count as "retail/chat"',
                                 '  + issuer nordbank/login: tokens with groups "interns": within "SE" together', '  + issuer nordbank/login: tokens with groups "interns": no other models than "gpt-4.1"']
    plan.cli.run("policy", "apply", directory())
    assert "Tokens and certificates:" not in plan.run(directory(), code=0).stdout
    limit = {"dimension": "requests", "per": "day", "amount": 9, "class": "rate"}
    edited = directory(audiences=["other"], apps=[{"when": {"azp": "web"}, "app": "retail/mail"}], narrow=[{"when": {"groups": "interns"}, "models": ["gpt-4.1"], "limits": [limit]}])
    assert told(edited) == ["  ~ issuer nordbank/login: another audiences", '  - issuer nordbank/login: tokens with azp "web": count as "retail/chat"',
                            '  - issuer nordbank/login: tokens with groups "interns": within "SE" together', '  + issuer nordbank/login: tokens with azp "web": count as "retail/mail"',
                            '  + issuer nordbank/login: each user of tokens with groups "interns": at most 9 requests per day, as a rate']
    listed = json.loads(plan.run(edited, "--json").stdout)["edits"]
    assert {"change": "changed", "what": "issuer", "of": "nordbank", "id": "login", "details": "another audiences"} in listed
    (edited / "identity.json").unlink()
    assert told(plan.edit()) == ["  - issuer nordbank/login"]
