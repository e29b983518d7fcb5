"""The policy of a measurement: many tenants, each with an app, an API key and six limits; and the home of it, made once and kept.

Ten residency rules, four deployments with prices, one hundred organisations, whatever the number of tenants. Tenant 0 may ask once a day: the one whose
requests are refused by limits. The others have limits of each kind that are never reached.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "scale"))

import documents  # noqa: E402
import home  # noqa: E402

ORGANISATIONS = 100
FAR = 10 ** 13
LIMITS = [{"dimension": "requests", "per": "minute", "amount": FAR, "class": "rate"},
          {"dimension": "tokens", "per": "day", "amount": FAR, "class": "budget"},
          {"dimension": "micro-dollars", "per": "month", "amount": FAR, "class": "budget"}]
APP_LIMITS = [{"dimension": "tokens", "per": "minute", "amount": FAR, "class": "rate"}]
KEY_LIMITS = [{"dimension": "requests", "per": "day", "amount": FAR, "class": "budget"},
              {"dimension": "in-flight", "amount": 4096, "class": "rate"}]
PRICE = {"price": {"input": 2000000, "cached": 500000, "output": 8000000}, "source": "made for measuring", "as_of": "2026-11-01"}


def fleet(organisations, deployments):
    """Those of documents.py, and more of the same until there are so many."""
    made = documents.fleet(organisations)
    first = made["deployments"]
    for number in range(len(first), deployments):
        made["deployments"].append({**json.loads(json.dumps(first[number % 3])), "id": f"more-{number}", "priority": number})
    made["models"] = {name: {"context": 128000, "max_output": 16384} for name in made["models"]}
    for deployment in made["deployments"]:
        for model in deployment["models"].values():
            model.update(PRICE)
    return made


def tenant(number, limits):
    made = {"id": f"t{number}", "apps": [{"id": "app"}]}
    if limits:
        made["limits"] = LIMITS
        made["apps"][0].update(limits=APP_LIMITS, key_limits=KEY_LIMITS)
    if number == 0:
        made["limits"] = [{"dimension": "requests", "per": "day", "amount": 1, "class": "budget"}]
        if limits:                          # a key's own requests a day would have to be fewer
            made["apps"][0]["key_limits"] = KEY_LIMITS[1:]
    return made


def write_documents(directory, tenants, limits, rules, deployments):
    directory.mkdir(parents=True)
    organisations = [f"org{number}" for number in range(min(ORGANISATIONS, tenants))]
    documents.write(directory / "fleet.json", fleet(organisations, deployments))
    for place, name in enumerate(organisations):
        documents.write(directory / f"residency-{name}.json", documents.residency(name, rules, max(1, tenants // len(organisations))))
        first, last = (tenants * at // len(organisations) for at in (place, place + 1))
        documents.write(directory / f"tenants-{name}.json", {"kind": "tenants/1", "organisations": [
            {"id": name, "tenants": [tenant(number, limits) for number in range(first, last)]}]})
    return len(organisations)


class Home(home.Home):
    """One with its policy and keys, below `cache`, made once."""

    def __init__(self, build, cache, tenants, limits=True, rules=10, deployments=4):
        recipe = [tenants, limits, rules, deployments, LIMITS, APP_LIMITS, KEY_LIMITS, pathlib.Path(__file__).read_text(),
                  pathlib.Path(documents.__file__).read_text(), self.formats()]
        name = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
        super().__init__(build, cache / f"home-{tenants}-{name}")
        self.tenants, self.limits, self.rules, self.deployments = tenants, limits, rules, deployments

    @staticmethod
    def formats():
        """What decides how policy and keys lie in the store: a home made by other code is not used."""
        found = []
        for folder in ("policy/store", "policy/compile", "policy/document", "policy/identity", "policy/quota"):
            found += [path.read_text() for path in sorted((ROOT / folder).glob("*.h"))]
        return hashlib.sha256("".join(found).encode()).hexdigest()

    @property
    def ready(self):
        return (self.directory / "ready").exists()

    def make(self):
        """Documents, apply, keys: seconds for a thousand tenants, minutes for a million."""
        if self.ready:
            return self
        shutil.rmtree(self.directory, ignore_errors=True)
        self.home.mkdir(parents=True)
        organisations = write_documents(self.directory / "documents", self.tenants, self.limits, self.rules, self.deployments)
        scrap = self.directory / "ledger"
        self.init(scrap, "16m")
        self.run("policy", "apply", self.directory / "documents", "--author", "bench")
        subprocess.run([str(self.build / "tests/bench/scale/scale"), "keys", str(self.home), str(self.directory / "secrets/store.key"),
                        str(self.tenants), str(organisations)], check=True)
        scrap.unlink()
        shutil.rmtree(self.directory / "documents")
        (self.directory / "ready").touch()
        return self


class Homes:
    """Of a thousand tenants and of a million, below one directory; each is made when it is asked to be."""

    def __init__(self, build, cache):
        cache.mkdir(parents=True, exist_ok=True)
        self.cache, self.thousand, self.million = cache, Home(build, cache, 1000), Home(build, cache, 1000000)
