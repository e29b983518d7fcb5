"""Where the data of a world's tenants may get, by trying everything with the brute-force reference of single decisions.

For every app and key, every set of classes that labels and `uninspected` can give, no feature, each feature, an unlisted one and pairs of
them, every model, deployment, endpoint and node: the countries in which an eligible deployment may process, store, or be controlled from.
"""

import itertools
import json

from residency_reference import World, covers

KINDS = ("process", "store", "operator")
UNLISTED = {"name": "", "where": "an unlisted feature"}


def key_patterns(rng, world):
    """A copy of the world in which some patterns reach below the app."""
    world = json.loads(json.dumps(world))
    documents = [each["json"] for each in world["documents"]]
    names = sorted(World(documents, world["now"], world["node"], None).tenants)
    for document in documents:
        policy_names = [name for name in names if any(covers(pattern, name) for pattern in as_list(document.get("applies_to", names)))]
        holders = document.get("allow", []) + document.get("forbid", []) + document.get("classify", {}).get("assign", []) \
            + document.get("deployments", [])
        for holder in holders:
            if not policy_names or rng.random() > 0.2:
                continue
            key = "tenants" if document["kind"] == "residency/1" else "serves"
            if key == "serves" and rng.random() < 0.7 or key not in holder and "class" in holder:
                continue
            holder[key] = [rng.choice(policy_names) + rng.choice(("/batch", "/b*", "/ba*", "/nightly", "/*"))]
            if key == "serves":
                holder[key] += names[:1]
    return world


def ends(value):
    """The last days that anything in documents holds."""
    if isinstance(value, dict):
        return set().union({value["until"]} if "until" in value else (), *map(ends, value.values()))
    return set().union(*map(ends, value)) if isinstance(value, list) else set()


def as_list(value):
    return [value] if isinstance(value, str) else value


def all_patterns(documents):
    """Every pattern of tenants that anything is held against."""
    found = set()
    for document in documents:
        if document.get("role") == "guard":
            found |= set(as_list(document["applies_to"]))
        for holder in document.get("allow", []) + document.get("forbid", []) + document.get("classify", {}).get("assign", []):
            found |= set(holder.get("tenants", ()))
        for deployment in document.get("deployments", ()):
            found |= set(deployment.get("serves", ())) if deployment["models"] else set()
            for entry in deployment["models"].values():
                found |= set(entry.get("serves", ()))
    return found


def class_sets(world, policy, path):
    """Every different set of classes that a request can carry; all subsets of few, and single ones and pairs of many."""
    labels = policy["classify"].get("labels", ())
    several = [()]
    if labels:
        names = policy["classes"]
        sizes = range(len(names) + 1) if len(names) <= 4 else (0, 1)
        several = [each for size in sizes for each in itertools.combinations(names, size)]
    found = set()
    for label in several:
        headers = {labels[0].partition(":")[2].lower(): ",".join(label)} if label else {}
        for uninspected in (False, True):
            classes, denial = world.classes_of(policy, path, headers, uninspected)
            assert denial is None
            found.add(frozenset(classes))
    return found


def feature_sets(rng, deployments, model):
    holders = [each["models"][model] if "features" in each["models"][model] else each for each in deployments if model in each["models"]]
    names = sorted({name for holder in holders for name in holder.get("features", ())})
    single = [()] + [({"name": name, "where": name},) for name in names] + [(UNLISTED,)]
    pairs = [a + b for a, b in itertools.combinations(single[1:], 2)]
    return single + rng.sample(pairs, min(2, len(pairs)))


def reach(rng, documents, now, facts, paths, listed_only=False, by_feature=False):
    """
    {(path, class, deployment, upstream): {kind: countries}} of the given "org/tenant/app/key" at the day of `now`. by_feature: the key is
    (path, class, deployment, model, feature or "" or "?"), and no pairs of features are tried.
    """
    result = {}
    nodes = [each for document in documents for each in document.get("nodes", ()) if document["kind"] == "fleet/1"]
    for node in nodes:
        world = World(documents, now, node["id"], facts)
        for path in paths:
            app = path.rpartition("/")[0]
            if app not in world.tenants:
                continue
            world.tenants[path] = world.tenants[app]
            policy = next((each for each in world.policies if any(covers(p, app) for p in as_list(each["applies_to"]))), None)
            if policy is not None:
                add(rng, result, world, policy, path, listed_only, by_feature)
    return result


def add(rng, result, world, policy, path, listed_only, by_feature):
    guards = [each for each in world.guards if any(covers(pattern, path) for pattern in as_list(each["applies_to"]))]
    classes = class_sets(world, policy, path)
    narrowings = world.narrowings(policy, path, {})
    for model in world.models:
        if not world.model_permitted(path, model):
            continue
        for features in feature_sets(rng, world.deployments, model):
            if by_feature and len(features) > 1:
                continue
            for deployment in world.deployments:
                entry = deployment["models"].get(model)
                if entry is None:
                    continue
                entry = dict({"upstream": model}, **entry)
                if not world.overridden(deployment, entry, "endpoints", ()):
                    continue
                if not any(covers(pattern, path) for pattern in world.overridden(deployment, entry, "serves", ())):
                    continue
                target = world.target(deployment, entry, model, features)
                if listed_only and target.unlisted:
                    continue
                places = {"process": target.process, "store": target.store.places, "operator": target.operator_home}
                for carried in classes:
                    if not world.eligible(policy, guards, carried, narrowings, path, model, entry, target):
                        continue
                    for one in carried:
                        key = (path, one, deployment["id"], entry["upstream"])
                        if by_feature:
                            key = key[:3] + (model, (features[0]["name"] or "?") if features else "")
                        row = result.setdefault(key, {kind: set() for kind in KINDS})
                        for kind in KINDS:
                            row[kind] |= places[kind]
