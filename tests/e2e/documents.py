"""The documents a test applies: an organisation "acme" with tenants red and blue, one deployment a backend."""

EVIDENCE = {"by": "tests", "on": "2025-01-01", "source": "made for tests", "until": "2099-12-31"}
FACTS = "regions/2026-11-21"
ENDPOINTS = ["chat.completions", "completions", "embeddings"]


def deployment(name, backend=None, priority=1, models=None, **more):
    """On machines of our own in Sweden that keep nothing, unless `more` says otherwise; None removes a member."""
    made = {"id": name, "backend": backend or name, "serves": ["acme"], "priority": priority, "provider": "self",
            "partition": "self", "country": "SE", "dialect": "openai", "endpoints": ENDPOINTS, "store": "nothing",
            "operator_home": "SE", "training": False, "attest": ["c5"], "evidence": EVIDENCE,
            "models": {key: ({"upstream": value} if isinstance(value, str) else value)
                       for key, value in (models or {"m": "m"}).items()}}
    made.update(more)
    return {key: value for key, value in made.items() if value is not None}


def azure(name, backend=None, region="swedencentral", sku="Standard", **more):
    return deployment(name, backend, provider="azure", partition="azure", region=region, sku=sku, country=None,
                      **{"dialect": "azure-v1", "operator_home": "US", **more})


def fleet(*deployments, nodes=None, models=None):
    names = models or sorted({name for one in deployments for name in one["models"]})
    return {"kind": "fleet/1", "nodes": nodes or [{"id": "node-1", "country": "DE"}],
            "models": {name: {"context": 128000, "max_output": 4096} for name in names}, "deployments": list(deployments)}


def tenants(*names, organisation="acme", models=("*",), **more):
    return {"kind": "tenants/1", "organisations": [{"id": organisation, "tenants": [
        {"id": name, "models": list(models), "audit": "required", "apps": [{"id": "app"}], **more.get(name, {})}
        for name in names or ("red", "blue")]}]}


def allow(rule, classes=("public",), process=("ANYWHERE",), store=("ANYWHERE",), **more):
    kept = store if isinstance(store, str) else {"within": list(store)}
    return {"id": rule, "why": "made for tests", "classes": list(classes), "process": {"within": list(process)}, "store": kept, **more}


def forbid(rule, **states):
    """process=("SE",) and the like become {"touches": [...]}."""
    made = {"id": rule, "why": "made for tests"}
    for key, value in states.items():
        made[key] = {"touches": list(value)} if key in ("process", "store", "operator_home") else value
    return made


def residency(*rules, forbids=(), name="acme", classes=("public",), default=None, classify=None, **more):
    made = {"kind": "residency/1", "name": name, "applies_to": f"{name}/*", "facts": FACTS, "classes": list(classes),
            "classify": {"default": default or classes[0], **(classify or {})}, "allow": list(rules) or [allow("all")], **more}
    if forbids:
        made["forbid"] = list(forbids)
    return made
