"""Fixtures for the command line: the built binary, private homes, and a small policy that loads with one warning, NEVER_FITS: nothing is in Germany."""

import copy
import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "e2e"))

from timely import not_around_midnight  # noqa: E402

GATEHOUSE = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build" / "gatehouse"))

EVIDENCE = {"by": "platform@nordbank.example", "on": "2026-10-01", "source": "contract 4711"}

FLEET = {
    "kind": "fleet/1",
    "nodes": [{"id": "fra-1", "country": "DE"}],
    "models": {"gpt-4.1": {"context": 1047576, "max_output": 32768, "aliases": ["gpt-4.1-2025-04-14"]}},
    "deployments": [
        {"id": "azure-se", "backend": "azure-se", "serves": ["nordbank"], "priority": 1, "provider": "azure",
         "partition": "azure", "region": "swedencentral", "sku": "Standard", "dialect": "azure-v1",
         "endpoints": ["chat.completions", "embeddings"], "store": "nothing", "operator_home": ["US"],
         "training": False, "evidence": EVIDENCE,
         "models": {"gpt-4.1": {"upstream": "gpt41-prod", "price": {"input": 2000000, "output": 8000000},
                                "source": "contract", "as_of": "2026-11-01"}}},
        {"id": "azure-we-global", "backend": "azure-we", "serves": ["nordbank"], "priority": 1, "provider": "azure",
         "partition": "azure", "region": "westeurope", "sku": "GlobalStandard", "dialect": "azure-v1",
         "endpoints": ["chat.completions"], "store": "nothing", "operator_home": ["US"], "training": False,
         "evidence": EVIDENCE,
         "models": {"gpt-4.1": {"upstream": "gpt41-global", "price": {"input": 1000000, "output": 4000000},
                                "source": "contract", "as_of": "2026-11-01"}}},
        {"id": "gpu-fkb", "backend": "gpu-fkb", "serves": ["nordbank"], "priority": 2, "provider": "self",
         "partition": "self", "country": "SE", "dialect": "openai", "endpoints": ["chat.completions"],
         "store": "nothing", "operator_home": ["SE"], "training": False, "evidence": EVIDENCE,
         "models": {"gpt-4.1": {"upstream": "gpt-oss", "price": {"input": 1, "output": 1}, "source": "own",
                                "as_of": "2026-11-01"}}},
    ],
}

RESIDENCY = {
    "kind": "residency/1", "name": "nordbank", "applies_to": "nordbank/*", "facts": "regions/2026-11-21",
    "places": {"eu-only": ["EU"]},
    "classes": ["public", "personal", "secret"],
    "classify": {"default": "personal", "labels": ["header:x-data-class"], "unknown_label": "deny"},
    "allow": [
        {"id": "public-anywhere", "why": "Marketing text", "classes": ["public"],
         "process": {"within": ["ANYWHERE"]}, "store": "nothing"},
        {"id": "personal-stays-in-eu", "why": "Works council agreement 2025-07", "classes": ["personal"],
         "process": {"within": ["eu-only"]}, "store": "nothing"},
        {"id": "secret-at-home", "why": "Secrecy rule", "classes": ["secret"], "process": {"within": ["DE"]},
         "store": "nothing", "partitions": ["self"]},
    ],
    "forbid": [
        {"id": "countries-of-concern", "why": "28 CFR 202", "operator_home": {"touches": ["DOJ_COUNTRIES_OF_CONCERN"]}},
    ],
}

NEVER_FITS = ('allow "secret-at-home" never fits: "gpu-fkb" with model "gpt-4.1" comes nearest, and misses "process" (SE)')

TENANTS = {
    "kind": "tenants/1",
    "organisations": [{"id": "nordbank", "tenants": [
        {"id": "retail", "models": ["gpt-*"], "audit": "required", "apps": [{"id": "chat"}, {"id": "mail"}]},
    ]}],
}


def write_policy(directory, fleet=None, residency=None, tenants=None):
    """The documents as files below a directory; one stands in a folder of its own."""
    (directory / "orgs").mkdir(parents=True, exist_ok=True)
    (directory / "fleet.json").write_text(json.dumps(fleet or FLEET, indent=2))
    (directory / "orgs" / "residency.json").write_text(json.dumps(residency or RESIDENCY, indent=2))
    (directory / "orgs" / "tenants.json").write_text(json.dumps(tenants or TENANTS, indent=2))
    return directory


def changed(document, change):
    """A deep copy with change(copy) applied."""
    document = copy.deepcopy(document)
    change(document)
    return document


class Cli:
    """Runs the command against one home."""

    def __init__(self, tmp):
        self.tmp = tmp
        self.home = tmp / "home"
        self.secrets = tmp / "secrets"
        self.environment = {"PATH": os.environ["PATH"], "GATEHOUSE_HOME": str(self.home),
                            "GATEHOUSE_SECRETS": str(self.secrets), "USER": "tester",
                            **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LD_"))}}

    def run(self, *arguments, code=0, **options):
        options.setdefault("env", self.environment)
        done = subprocess.run([GATEHOUSE, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)
        assert code is None or done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def init(self, *arguments, **options):
        size = () if any(str(word).startswith("--ledger") for word in arguments) else ("--ledger-size", "2m")
        return self.run("init", *owner_arguments(), *size, *arguments, **options)

    def ready(self):
        self.init()
        write_policy(self.tmp / "policy")
        self.run("policy", "apply", self.tmp / "policy")
        return self

    def key(self, name="sdk", app="nordbank/retail/chat", *arguments):
        return self.run("key", "create", app, name, *arguments).stdout.splitlines()[0]

    def request(self, **fields):
        """A request's body in a file."""
        body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Guten Tag"}], **fields}
        path = self.tmp / "request.json"
        path.write_text(json.dumps(body))
        return path


def owner_arguments():
    """Root gives the home to somebody else; a user keeps it."""
    if os.geteuid() != 0:
        return []
    return ["--user", "nobody", "--group", grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name]


@pytest.fixture(autouse=True)
def in_one_day():
    not_around_midnight()


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


@pytest.fixture
def ready(cli):
    return cli.ready()
