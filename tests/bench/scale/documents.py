"""Documents of any size, for measuring: many tenants, many rules.

    python3 tests/bench/scale/documents.py DIRECTORY [--tenants N] [--organisations N] [--files N] [--rules N] [--limits]

Each organisation has a residency/1 of its own, each tenant one app. The rules are those of the first organisation; half of them are about
single tenants, some about models and classes, and one forbid of a country stands among them. With --limits each tenant has a budget of its
own, and so have its keys. The same arguments give the same bytes.
"""

import argparse
import json
import os

EVIDENCE = {"by": "counsel", "on": "2026-01-15", "source": "contract 17"}
CLASSES = ["public", "internal", "personal", "secret"]
COUNTRIES = ["SE", "DE", "FR", "US"]


def fleet(organisations):
    deployments = []
    for number, country in enumerate(COUNTRIES):
        deployments.append({
            "id": "gpu-%s" % country.lower(), "backend": "gpu", "serves": organisations, "priority": number, "provider": "self",
            "partition": "self", "country": country, "dialect": "openai", "endpoints": ["chat.completions", "embeddings"],
            "store": "nothing" if country != "US" else {"in": ["US"], "days": 30}, "operator_home": country, "training": False,
            "evidence": EVIDENCE, "models": {"model-%d" % n: {"upstream": "m%d-%s" % (n, country.lower())} for n in range(8)}})
    return {"kind": "fleet/1", "nodes": [{"id": "n1", "country": "SE"}], "models": {"model-%d" % n: {} for n in range(8)},
            "deployments": deployments}


def rule(number, organisation, tenants):
    """One allow of many: for a tenant, a model, or everybody."""
    made = {"id": "rule-%d" % number, "why": "Case %d" % number, "classes": [CLASSES[number % 4]],
            "process": {"within": [COUNTRIES[number % 3], "SE"]}, "store": "nothing"}
    if number % 2:
        made["tenants"] = ["%s/t%d" % (organisation, number * 7 % tenants)]
    elif number % 4 == 2:
        made["models"] = ["model-%d" % (number % 8)]
    return made


def residency(organisation, rules, tenants):
    allow = [{"id": "eu", "why": "All that stays in the EU", "classes": CLASSES[:3], "process": {"within": ["EU"]}, "store": "nothing"}]
    allow += [rule(number, organisation, tenants) for number in range(rules - 2)]
    return {"kind": "residency/1", "name": organisation, "applies_to": organisation, "facts": "regions/2026-11-21", "classes": CLASSES,
            "classify": {"default": "internal", "labels": ["header:x-data-class"], "unknown_label": "deny"}, "allow": allow,
            "forbid": [{"id": "no-us", "why": "None of it may reach the US", "process": {"touches": ["US"]}}]}


def tenant(number, limits=False):
    made = {"id": "t%d" % number, "apps": [{"id": "app"}]}
    if limits:
        made["limits"] = [{"dimension": "tokens", "per": "month", "amount": 1000000 + number, "class": "budget"},
                          {"dimension": "requests", "per": "minute", "amount": 100 + number % 7, "class": "rate"}]
        made["apps"][0]["key_limits"] = [{"dimension": "in-flight", "amount": 8, "class": "rate"}]
    if number % 10 == 3:
        made["classes"] = ["personal"]
    if number % 50 == 7:
        made["models"] = ["model-%d" % (number % 4 * 2), "model-1"]
    return made


def write(path, document):
    with open(path, "w", encoding="ascii") as out:
        json.dump(document, out, separators=(",", ":"))


def tenants_files(directory, organisations, count, files, limits):
    """The tenants in about so many files, each of one organisation."""
    each = max(1, files // len(organisations))
    for place, organisation in enumerate(organisations):
        first, last = count * place // len(organisations), count * (place + 1) // len(organisations)
        for part in range(each):
            begin, end = (first + (last - first) * cut // each for cut in (part, part + 1))
            if begin < end:
                write(os.path.join(directory, "tenants-%s-%03d.json" % (organisation, part)),
                      {"kind": "tenants/1", "organisations": [{"id": organisation, "tenants": [tenant(n, limits) for n in range(begin, end)]}]})


def make(directory, tenants=1000, organisations=1, files=1, rules=10, limits=False):
    os.makedirs(directory, exist_ok=True)
    names = ["org%d" % number for number in range(organisations)]
    write(os.path.join(directory, "fleet.json"), fleet(names))
    for place, name in enumerate(names):
        own = max(1, tenants // organisations)
        write(os.path.join(directory, "residency-%s.json" % name), residency(name, rules if place == 0 else 3, own))
    tenants_files(directory, names, tenants, files, limits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory")
    for name, default in (("tenants", 1000), ("organisations", 1), ("files", 1), ("rules", 10)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--limits", action="store_true")
    arguments = parser.parse_args()
    make(arguments.directory, arguments.tenants, arguments.organisations, arguments.files, arguments.rules, arguments.limits)


if __name__ == "__main__":
    main()
