"""Two organisations on one gateway: nordbank of conftest and sudbank, each with its own directory, and the gateway's own."""

import json

import conftest
from conftest import FLEET, TENANTS, changed

RESIDENCY = changed(conftest.RESIDENCY, lambda policy: policy["allow"][2]["process"].update(within=["DE", "SE"]))


def of_sudbank(document):
    return json.loads(json.dumps(document).replace("nordbank", "sudbank"))


SUD_RESIDENCY, SUD_TENANTS = of_sudbank(RESIDENCY), of_sudbank(TENANTS)
BOTH_FLEET = changed(FLEET, lambda fleet: [one.update(serves=["nordbank", "sudbank"]) for one in fleet["deployments"]])
GUARD = {"kind": "residency/1", "role": "guard", "name": "group", "applies_to": ["nordbank", "sudbank"], "facts": "regions/2026-11-21",
         "forbid": [{"id": "nowhere-sanctioned", "why": "Group rule", "process": {"touches": ["DOJ_COUNTRIES_OF_CONCERN"]}}]}


def write(directory, **documents):
    """Documents as NAME.json; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document, indent=2)
        (directory / f"{name}.json").write_text(text)
    return directory


class Gateway:
    """A home with both organisations in revision 1, and a directory for each owner."""

    def __init__(self, cli):
        self.cli = cli
        cli.init()
        self.nord = write(cli.tmp / "git-nord", residency=RESIDENCY, tenants=TENANTS)
        self.sud = write(cli.tmp / "git-sud", residency=SUD_RESIDENCY, tenants=SUD_TENANTS)
        self.own = write(cli.tmp / "git-gateway", fleet=BOTH_FLEET, guard=GUARD)
        self.whole = write(cli.tmp / "whole", fleet=BOTH_FLEET, guard=GUARD)
        write(self.whole / "orgs" / "nordbank", residency=RESIDENCY, tenants=TENANTS)
        write(self.whole / "orgs" / "sudbank", residency=SUD_RESIDENCY, tenants=SUD_TENANTS)
        cli.run("policy", "apply", self.whole)

    def apply(self, directory, *arguments, code=0):
        return self.cli.run("policy", "apply", directory, *arguments, code=code)

    def apply_nord(self, *arguments, code=0, **change):
        write(self.nord, **change)
        return self.apply(self.nord, "--organisation", "nordbank", *arguments, code=code)

    def apply_sud(self, *arguments, code=0, **change):
        write(self.sud, **change)
        return self.apply(self.sud, "--organisation", "sudbank", *arguments, code=code)

    def asks(self, organisation, label=None):
        """What explain says to a request of an organisation's chat app: the exit code (0 allowed, 3 denied)."""
        arguments = ["--header", f"x-data-class: {label}"] if label else []
        return self.cli.run("explain", "--request", self.cli.request(), "--as", f"{organisation}/retail/chat", "--node", "fra-1",
                            *arguments, code=None).returncode


def stricter(residency=RESIDENCY):
    """Nothing personal is allowed any more."""
    return changed(residency, lambda policy: policy["allow"][1]["process"].update(within=["IS"]))
