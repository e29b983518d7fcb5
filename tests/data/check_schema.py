#!/usr/bin/env python3
"""
The JSON Schemas of conf/schema and the gateway's loader say the same of documents:

  - what a schema refuses, the loader refuses;
  - what the loader refuses for the document's form, the schema refuses. Only what a schema cannot see may differ: SEMANTIC, below.

Over every document of tests/data/documents and conf/examples, and over random documents (tests/oracle/worlds.py) and single changes of them.

    check_schema.py [--changes N] [--seed S] [--show S/N]
"""
import argparse
import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

from residency_reference import ISO_CODES, Facts  # noqa: E402
from worlds import make_world  # noqa: E402

TOOL = ROOT / "build" / "tests" / "tools" / "findings"
COMMAND = ROOT / "build" / "gatehouse"
FACTS_FILES = sorted((ROOT / "residency" / "data").glob("regions-*.json"))
FACTS = Facts(FACTS_FILES[-1])
NOW = "2026-11-21T12:00:00Z"
FIXED_SEED = "gatehouse"

# Of names that other documents or other places of the same one have, and of limits over all documents: no schema sees these.
SEMANTIC = {
    "unknown_class", "unknown_place", "unknown_facts", "unknown_model", "conflict", "loosens", "duplicate", "place_cycle", "covers_nothing", "alias",
    "no_policy", "whose_policy", "audit_store", "evidence_dates", "limit",
    "not_policy",                                           # a document that another command reads
}


def ecma_pattern(validator, pattern, instance, schema):
    """Patterns as ECMA-262 and the schemas' users read them: $ is the end, not also the place before a last newline."""
    if validator.is_type(instance, "string") and not re.search(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern, instance):
        yield jsonschema.ValidationError("%r does not match %r" % (instance, pattern))


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": ecma_pattern})


def load_schemas():
    result = {}
    for path in sorted((ROOT / "conf" / "schema").glob("*-1.schema.json")):
        if path.name.startswith("record-"):      # of lines of the record, which nobody loads: tests/audit holds them against it
            continue
        schema = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        result[path.name.replace(".schema.json", "").replace("-", "/")] = Validator(schema)
    return result


SCHEMAS = load_schemas()


def findings(sets):
    """One list of findings a set of documents [(path, text)]."""
    lines = [json.dumps({"documents": [{"path": path, "bytes": text} for path, text in documents], "now": now}) for documents, now in sets]
    done = subprocess.run([TOOL], input="\n".join(lines) + "\n", capture_output=True, text=True, cwd=ROOT, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(sets), (len(results), len(sets), done.stderr[-500:])
    return results


def schema_errors(document, kind):
    """What the schema of a kind says against a document, without what follows from it; None when it is not asked."""
    own = document.get("kind") if isinstance(document, dict) else None
    validator = SCHEMAS.get(own if isinstance(own, str) else None) or SCHEMAS.get(kind)
    return None if validator is None else [error for error in validator.iter_errors(document)]


def judge(document, kind, errors):
    """What disagrees about one document, or None. errors: what the loader says of it."""
    refused = schema_errors(document, kind)
    codes = {error["code"] for error in errors}
    if refused is None:
        return None
    if refused and not errors:
        return "the schema refuses it and the loader does not: %s at %s" % (refused[0].message[:200], list(refused[0].absolute_path))
    if not refused and codes - SEMANTIC:
        return "the loader refuses it and the schema does not: %s" % [error for error in errors if error["code"] not in SEMANTIC][:3]
    return None


# The corpus.

def corpus():
    """(name, [(path, text)]): each folder of tests/data/documents over base/, each of conf/examples, each template."""
    base = {path.name: path for path in (ROOT / "tests/data/documents/base").glob("*.json")}
    for folder in sorted((ROOT / "tests/data/documents").iterdir()):
        files = dict(base, **{path.name: path for path in folder.glob("*.json")})
        yield folder.name, [(name, files[name].read_text("utf-8", "surrogateescape")) for name in sorted(files)]
    for folder in sorted((ROOT / "conf").glob("examples/*")) + sorted((ROOT / "conf").glob("templates/*")):
        files = sorted(folder.glob("*.json")) if folder.is_dir() else [folder]
        if files:
            yield str(folder.relative_to(ROOT)), [(path.name, path.read_text()) for path in files]


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def check_corpus(report):
    sets = list(corpus())
    for (name, documents), found in zip(sets, findings([(documents, NOW) for _, documents in sets])):
        for path, text in documents:
            errors = [each for each in found if each["file"] == path and each["severity"] == "error"]
            document = parsed(text)
            if document is None or any(each["code"].startswith("json") for each in errors):
                continue
            kind = path.split("-")[0].split(".")[0] + "/1"
            report.add("%s/%s" % (name, path), judge(document, kind, errors), errors)


# Changes.

JUNK = [None, True, False, 0, 5, -1, 1.5, 10 ** 19, "", " ", "x", "-x", "X y", "x" * 64, "a*", "*", "a/b*", "a/*/b", "a//b", "DE", "de", "EU", "XX", "home",
        "nothing", "accepted", "header:x", "2026-02-30", "2028-02-29", "2027-02-29", "1969-12-31", "2026-1-1", "eu.", "e.u.", "\u00e4", "tab\there",
        [], {}, ["x"], ["DE"], ["DE", "DE"], [[]], [5], {"x": 1}, {"within": ["DE"]}, {"touches": ["DE"]}, {"within": []}, {"in": ["DE"]}]


def spots(value, path=()):
    """Every place of a document: (holder, key)."""
    for key, child in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from spots(child, path + (key,))


def typing_error(rng, word):
    at = rng.randrange(len(word) + 1)
    return rng.choice((word[:at] + word[at + 1:], word[:at] + rng.choice("abz-_*. X") + word[at:], word.upper(), word.lower(), word + "s", word + "*"))


def change(rng, document, others):
    """One change of a document, in place: what it was."""
    holder, key = rng.choice(list(spots(document)))
    value, kind = holder[key], rng.choice(("drop", "rename", "junk", "junk", "word", "word", "empty", "extra", "twice", "other", "number"))
    if kind == "drop":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        items = [(typing_error(rng, name) if name == key else name, child) for name, child in holder.items()]
        holder.clear()
        holder.update(items)
    elif kind == "word" and isinstance(value, str):
        holder[key] = typing_error(rng, value)
    elif kind == "empty":
        holder[key] = {dict: {}, list: [], str: ""}.get(type(value))
    elif kind == "extra" and isinstance(value, dict):
        name, child = rng.choice(others)
        value.setdefault(name, copy.deepcopy(child))
    elif kind == "twice" and isinstance(value, list) and value:
        value.append(copy.deepcopy(rng.choice(value)))
    elif kind == "other":
        holder[key] = copy.deepcopy(rng.choice(others)[1])
    elif kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        holder[key] = rng.choice((-1, value + 1, 10 ** 6 + 1, 10 ** 9 + 1, 10 ** 15 + 1, 36501, 0.5, str(value)))
    else:
        holder[key] = copy.deepcopy(rng.choice(JUNK))
    return kind


def members(documents):
    """Every (member, value) of some documents, to be put elsewhere, and members that are known and not supported yet."""
    found = [("approvals", []), ("networks", {}), ("until", "2027-01-01"), ("attest", ["c5"]), ("nodes", []), ("comment", "x"), ("role", "guard")]
    for document in documents:
        found += [(key, holder[key]) for holder, key in spots(document) if isinstance(key, str)]
    return found


LIMITS = [{"dimension": "tokens", "per": "day", "amount": 5, "class": "budget"}, {"dimension": "requests", "per": "second", "amount": 5, "class": "rate"},
          {"dimension": "micro-dollars", "amount": 5, "class": "budget"}, {"dimension": "streams", "amount": 5, "class": "shadow"}]


def more_members(rng, document):
    """Members that random worlds do not use, for a share of them."""
    for holder, key in list(spots(document)):
        value = holder[key]
        if not isinstance(value, dict) or rng.random() > 0.3:
            continue
        if "upstream" in value:
            tier = {"input_above": 1000, "input": 4, "output": 5, "reasoning": 6}
            price = {"input": 1, "output": 2, "cached": 3, "tiers": [tier], "service_tiers": {"flex": {"input": 1, "output": 1, "tiers": [tier]}}}
            value.update(price=copy.deepcopy(price), source="list", as_of="2026-02-28", priority=3)
        elif value.get("dialect") == "openai" and "id" in value and rng.random() < 0.3:
            value.update(dialect="azure-classic", api_version="2024-10-21")
        elif "apps" in value:
            value.update(objective=rng.choice(["cost", "latency", {"cost": 0.7, "latency": 0.3}, {"cost": 0, "latency": 1}]), audit="required",
                         max_output=9, limits=rng.sample(LIMITS, 2))
        elif "id" in value and "why" in value:
            value["law"] = "GDPR Art. 44"


def changed_sets(seed, count):
    """count worlds' documents, most with one change in one of them: (name, documents, index of the changed, now)."""
    for number in range(count):
        rng = random.Random("%s/%s" % (seed, number))
        world = make_world("%s/schema" % seed, rng.randrange(count // 4 + 1), FACTS)
        documents = [each["json"] for each in world["documents"]]
        if sum(len(each.get("deployments", ())) for each in documents) > 8:
            continue
        index = rng.randrange(len(documents))
        more_members(rng, documents[index])
        if rng.random() < 0.9:
            change(rng, documents[index], members(documents))
        yield "%s/%d" % (seed, number), [(each["path"], json.dumps(each["json"])) for each in world["documents"]], index, world["now"]


def check_changes(report, seed, count):
    sets = list(changed_sets(seed, count))
    for (name, documents, index, _), found in zip(sets, findings([(documents, now) for _, documents, _, now in sets])):
        path, text = documents[index]
        errors = [each for each in found if each["file"] == path and each["severity"] == "error"]
        kind = re.sub(r"^\d+-|\.json$", "", path) + "/1"
        report.add(name, judge(json.loads(text), kind, errors), errors)


# cases/1, which `gatehouse policy test` reads.

# Besides: names of the documents under test, what the fleet's features are called, and times in every spelling of RFC 3339.
SEMANTIC_CASES = SEMANTIC | {"unknown_word", "unknown_name", "bad_request", "bad_date"}


def changed_cases(seed, count):
    """Documents of a few cases of the example, most with one change."""
    example = json.loads((ROOT / "conf/examples/cases/nordbank.json").read_text())
    for number in range(count):
        rng = random.Random("%s/cases/%s" % (seed, number))
        document = dict(copy.deepcopy(example), cases=rng.sample(copy.deepcopy(example["cases"]), 2))
        if rng.random() < 0.9:
            change(rng, document, members([example]) + [("key_classes", ["secret"]), ("uninspected", True), ("request", {"model": "gpt-4.1"})])
        yield "%s/cases/%d" % (seed, number), document


def only_defaults(error):
    """A default that every case says itself is not looked at by the loader."""
    return error.absolute_path and error.absolute_path[0] == "defaults" and len(error.absolute_path) > 1


def check_cases(report, seed, count, folder):
    path = Path(folder) / "cases.json"
    for name, document in changed_cases(seed, count):
        path.write_text(json.dumps(document))
        done = subprocess.run([COMMAND, "policy", "test", path, "--policy", "conf/examples/nordbank", "--json"], capture_output=True, text=True, cwd=ROOT)
        errors = [each for each in json.loads(done.stdout)["report"] if each["severity"] == "error"]
        refused = [error for error in SCHEMAS["cases/1"].iter_errors(document) if errors or not only_defaults(error)]
        codes, said = {error["code"] for error in errors}, None
        if refused and not errors:
            said = "the schema refuses it and the loader does not: %s at %s" % (refused[0].message[:200], list(refused[0].absolute_path))
        elif not refused and codes - SEMANTIC_CASES:
            said = "the loader refuses it and the schema does not: %s" % [error for error in errors if error["code"] not in SEMANTIC_CASES][:3]
        report.add(name, said, errors)


class Report:
    def __init__(self):
        self.documents = self.refused = 0
        self.codes, self.wrong = {}, []

    def add(self, name, said, errors):
        self.documents += 1
        self.refused += bool(errors)
        for code in {each["code"] for each in errors}:
            self.codes[code] = self.codes.get(code, 0) + 1
        if said:
            self.wrong.append("%s: %s" % (name, said))


def check_words():
    """The words that are fixed are those of the facts: names of sets and partitions, of where a provider runs what asks for it, and the ISO codes."""
    sets, partitions, geos = {"ANYWHERE"}, {"self", "openai", "anthropic", "other"}, {"global"}
    for path in FACTS_FILES:
        artefact = json.loads(path.read_text())
        sets |= set(artefact["sets"])
        partitions |= set(artefact["partition_operators"])
        geos |= {rule["inference_geo"] for rule in artefact["process_rules"]["anthropic"] if rule.get("inference_geo", "*") != "*"}
    wrong = []
    for kind, validator in SCHEMAS.items():
        defs = validator.schema.get("$defs", {})
        for name, words in (("country", ISO_CODES), ("partition", partitions)):
            if name in defs and set(defs[name]["enum"]) != words:
                wrong.append("%s: %s is not that of the facts" % (kind, name))
        for name in ("place", "fixed_place"):
            if name in defs and set(defs[name]["anyOf"][0]["enum"]) != sets:
                wrong.append("%s: the sets of %s are not those of the facts" % (kind, name))
        for name in ("entry", "deployment"):
            said = defs.get(name, {}).get("properties", {}).get("inference_geo")
            if said and set(said["enum"]) != geos:
                wrong.append("%s: inference_geo of %s is not that of the facts" % (kind, name))
    return wrong


def undescribed(schema, where=""):
    """Members without a description."""
    for name, child in schema.get("properties", {}).items():
        if schema.get("type") == "object" and "description" not in child and "$ref" not in child:
            yield "%s.%s" % (where, name)
    for key, child in schema.items():
        if key == "if":
            continue
        for each in child if isinstance(child, list) else child.values() if key in ("properties", "$defs") else [child]:
            if isinstance(each, dict):
                yield from undescribed(each, where + "/" + key)


def show(name):
    seed, number = name.rsplit("/", 1)
    for each, documents, index, now in changed_sets(seed, int(number) + 1):
        if each == name:
            print(documents[index][1])
            print(json.dumps(findings([(documents, now)])[0], indent=1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=1500)
    parser.add_argument("--seed")
    parser.add_argument("--show")
    options = parser.parse_args()
    if options.show:
        return show(options.show)
    report, seed = Report(), options.seed or os.environ.get("SEED") or str(int(time.time()))
    check_corpus(report)
    corpus_count = report.documents
    if not options.seed:
        check_changes(report, FIXED_SEED, options.changes)
    check_changes(report, seed, options.changes)
    with tempfile.TemporaryDirectory() as folder:
        check_cases(report, seed, options.changes // 5, folder)
    report.wrong += check_words()
    for kind, validator in SCHEMAS.items():
        report.wrong += ["%s has no description for %s" % (kind, name) for name in undescribed(validator.schema)]
    if not report.codes or corpus_count < 400 or report.refused < 1000:
        report.wrong.append("too little was tried: %d documents, %d refused" % (report.documents, report.refused))
    print("\n".join(report.wrong[:20]))
    if report.wrong:
        print("codes met: %s" % report.codes)
    print("schemas: %d documents of the corpus and %d random ones (seed %s), %d refused; %d disagreements" % (
        corpus_count, report.documents - corpus_count, seed, report.refused, len(report.wrong)))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
