"""
Random organisations, tenants, apps, keys and users, with random narrowing at every level: what is left to a caller (models, classes, places, limits), and what may be sent where, by the program
(hierarchy_worlds.c: documents applied to a store, keys made in it, callers identified by it) and by a model written from the rules alone (hierarchy_reference.py) has to be the same. Beside
that: no caller is ever left more than its app, and no minted key more than its minter, also after edits of both.

    test_hierarchy.py [--worlds N] [--seed S] [--tool T]      SEED=S of the environment for the test
"""
import argparse
import base64
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parent))
from hierarchy_reference import Hierarchy, Refused, counted  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TOOL = str(ROOT / os.environ.get("GATEHOUSE_BUILD", "build") / "tests" / "oracle" / "hierarchy_worlds")
NOW, EXPIRES = "2026-11-21T12:00:00Z", 1795262400 + 3600
COUNTRIES, MODELS, CLASSES = ["SE", "DE", "FR", "NO", "US"], ["gpt-a", "gpt-b", "lla", "lla/x", "lla/y"], ["public", "personal", "secret"]
NAMES = COUNTRIES + ["EU", "near"]
PATTERNS = MODELS + ["gpt-*", "lla/*", "*"]
EVIDENCE = {"by": "counsel", "on": "2026-01-15", "source": "contract 17"}
KINDS = [{"dimension": "requests", "per": "day", "class": "rate"}, {"dimension": "requests", "per": "minute", "class": "budget"}, {"dimension": "tokens", "per": "day", "class": "budget"},
         {"dimension": "tokens", "per": "day", "class": "shadow"}, {"dimension": "in-flight", "class": "rate"}, {"dimension": "tokens", "per": "day", "class": "rate", "model": "gpt-a"}]
CHUNK = 500


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@lru_cache(maxsize=1)
def signer():
    return ec.derive_private_key(0x1234567890abcdef, ec.SECP256R1())


@lru_cache(maxsize=1)
def jwk():
    numbers = signer().public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x.to_bytes(32, "big")), "y": encoded(numbers.y.to_bytes(32, "big"))}


@lru_cache(maxsize=100000)
def token(claims):
    text = encoded(b'{"alg":"ES256","typ":"JWT"}') + "." + encoded(claims.encode())
    r, s = decode_dss_signature(signer().sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@lru_cache(maxsize=1)
def certificates():
    """{name: (DER in hexadecimal, SHA-256)} of certificates that are their own authorities."""
    made = {}
    for name in ("c0", "c1", "c2"):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(signer().public_key()).serial_number(7)
                       .not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2099, 1, 1))
                       .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]), critical=False).sign(signer(), hashes.SHA256()))
        made[name] = (certificate.public_bytes(serialization.Encoding.DER).hex(), certificate.fingerprint(hashes.SHA256()).hex())
    return made


class Maker:
    """One world: two steps, the second of which says other things of the same apps."""

    def __init__(self, rng):
        self.rng = rng
        self.tenants = {f"t{i}": [f"a{k}" for k in range(rng.randint(1, 2))] for i in range(rng.randint(1, 2))}
        self.apps = [f"o/{tenant}/{app}" for tenant, apps in self.tenants.items() for app in apps]

    def maybe(self, probability):
        return self.rng.random() < probability

    def some(self, items, least=1):
        return self.rng.sample(items, self.rng.randint(least, len(items)))

    # What a level says is, most often, some of what one above says, so that not everything is refused.

    def places(self, above):
        return self.some(above) if above and self.maybe(0.96) else list(dict.fromkeys(["SE"] + self.some(self.names)))

    def models(self, above):
        chosen = self.some(above) if above and self.maybe(0.96) else self.some(PATTERNS)
        return ["gpt-a" if one == "gpt-*" and self.maybe(0.3) else one for one in chosen] if len(set(chosen)) == len(chosen) and "gpt-a" not in chosen else chosen

    def limits(self, least):
        """least: {counter: amount} that no level above is below."""
        limits = []
        for kind in self.some(KINDS)[:self.rng.randint(1, 2)]:
            most = least.get(counted(kind), 50)
            limits.append({**kind, "amount": self.rng.randint(0, most if self.maybe(0.98) else 60)})
        for limit in limits:
            if limit["class"] != "shadow":
                least[counted(limit)] = min(limit["amount"], least.get(counted(limit), 99))
        return limits

    def level(self, name, above, least):
        """above: the names that the levels above leave, changed by this one."""
        said = {"id": name}
        if self.maybe(0.3):
            said["places"] = above["places"] = self.places(above["places"])
        if self.maybe(0.3):
            said["models"] = above["models"] = self.models(above["models"])
        if self.maybe(0.2):
            said["classes"] = self.some(CLASSES)[:1]
        if self.maybe(0.2):
            said["max_output"] = self.rng.randint(1, above.get("max_output", 1000) if self.maybe(0.9) else 1000)
            above["max_output"] = min(said["max_output"], above.get("max_output", 1000))
        if self.maybe(0.2):
            less = above.get("audit") != "required" if self.maybe(0.95) else True
            said["audit"] = above["audit"] = self.rng.choice(["best-effort", "best-effort", "required"]) if less and self.maybe(0.97 if self.less else 0.05) else "required"
        if self.maybe(0.35):
            said["limits"] = self.limits(least)
        for member in ("key_limits", "user_limits"):
            if self.maybe(0.25):
                said[member] = self.limits(dict(least))
        return said

    def documents(self):
        self.near = self.maybe(0.7)                      # else what names it in keys is nowhere
        self.names = NAMES if self.near else NAMES[:-1]
        self.less = self.maybe(0.6)                      # the policy permits less than every line
        above, least = {"places": None, "models": None}, {}
        organisation = {**self.level("o", above, least), "tenants": []}
        for name, apps in self.tenants.items():
            of_tenant, of_least = dict(above), dict(least)
            tenant = {**self.level(name, of_tenant, of_least), "apps": []}
            organisation["tenants"].append(tenant)
            for app in apps:
                tenant["apps"].append(self.level(app, dict(of_tenant), dict(of_least)))
        policy = {"kind": "residency/1", "name": "o", "applies_to": "o/*", "facts": "regions/2026-11-21", "places": {"near": ["SE", *self.some(["DE", "NO"])]}, "classes": CLASSES,
                  "classify": {"default": self.rng.choice(CLASSES[:2]), "labels": ["header:x-data-class"], "unknown_label": "deny"},
                  "allow": [{"id": f"r{number}", "why": "w", "classes": [one], "process": {"within": ["SE"] + self.some(COUNTRIES)}, "store": "nothing"}
                            for number, one in enumerate(CLASSES)]}
        if not self.near:
            policy["places"] = {"other": ["SE"]}
        if self.less or self.maybe(0.3):
            policy["audit"] = "best-effort" if self.less else "required"
        fleet = {"kind": "fleet/1", "nodes": [{"id": "n1", "country": "SE"}], "models": {model: {} for model in MODELS}, "deployments": [
            {"id": f"d-{country.lower()}", "backend": "b", "serves": ["o"], "provider": "self", "partition": "self", "country": country, "dialect": "openai",
             "endpoints": ["chat.completions"], "store": "nothing", "operator_home": country, "training": False, "evidence": EVIDENCE,
             "models": {model: {"upstream": model} for model in self.some(MODELS, 2)}} for country in COUNTRIES]}
        return [{"path": name, "json": document} for name, document in (("fleet.json", fleet), ("identity.json", self.identity()), ("residency.json", policy), (
            "tenants.json", {"kind": "tenants/1", "organisations": [organisation]}))]

    def rules(self, when):
        rules = []
        for _ in range(self.rng.randint(0, 2)):
            rule = {"when": when()}
            if self.maybe(0.6):
                rule["places"] = list(dict.fromkeys(["SE"] + self.some(self.names)))
            if self.maybe(0.3):
                rule["audit"] = "required"
            if self.maybe(0.5) or len(rule) == 1:
                rule["models"] = self.some(PATTERNS)
            if self.maybe(0.3):
                rule["limits"] = [{**kind, "amount": self.rng.randint(0, 40)} for kind in self.some(KINDS)[:2]]
            rules.append(rule)
        return rules

    def identity(self):
        def claims():
            return self.rng.choice([{}, {"groups": "g"}, {"groups": "h"}, {"sub": "anna"}])

        def names():
            return self.rng.choice([{}, {"dns": "c0.example"}, {"dns": "c1.example"}])
        apps = [path.split("/", 1)[1] for path in self.apps]
        issuer = {"id": "login", "issuer": "https://i", "audiences": ["api"], "algorithms": ["ES256"], "keys": {"keys": [jwk()]}, "user": "sub",
                  "apps": [{"when": {"azp": app}, "app": app} for app in apps], "classes": [{"when": claims(), "classes": self.some(CLASSES)[:1]}]}
        mesh = {"id": "mesh", "authorities": [digest for _, digest in certificates().values()], "user": "dns",
                "apps": [{"when": {"dns": f"c{number}.example"}, "app": app} for number, app in enumerate(apps[:2])], "classes": [{"when": names(), "classes": self.some(CLASSES)[:1]}]}
        for source, when in ((issuer, claims), (mesh, names)):
            rules = self.rules(when)
            if rules:
                source["narrow"] = rules
        if self.maybe(0.4):
            issuer["places"] = [{"claim": "residency", "values": {"eu": ["EU"], "near": [self.names[-1], "SE"]}, "optional": self.maybe(0.5)}]
        return {"kind": "identity/1", "organisation": "o", "issuers": [issuer], "certificates": [mesh]}

    def keys(self):
        made = []
        for number in range(self.rng.randint(1, 4)):
            key = {"app": self.rng.choice(self.apps), "name": f"k{number}"}
            if made and self.maybe(0.4):
                minter = self.rng.choice(made)
                key.update(minter=f"{minter['app']}/{minter['name']}", app=minter["app"] if self.maybe(0.4) else key["app"])
            if self.maybe(0.9):
                key["mints"] = self.rng.choice([["o"], ["o"], [key["app"].rpartition("/")[0]], [self.rng.choice(self.apps)], ["o/t0", key["app"]]])
            if self.maybe(0.3):
                key["classes"] = self.some(CLASSES)[:1]
            if self.maybe(0.5):
                key["places"] = [" ".join(dict.fromkeys(["SE"] * self.maybe(0.9) + self.some(NAMES + ["gone"] * self.maybe(0.03)))) for _ in range(self.rng.randint(1, 2))]
            if self.maybe(0.4):
                key["models"] = [" ".join(self.some(PATTERNS + ["gone"] * self.maybe(0.05)))]
            if self.maybe(0.4):
                key["limits"] = [{**kind, "amount": self.rng.randint(0, 30)} for kind in self.some(KINDS)[:2]]
            if self.maybe(0.15):
                key["required"] = True
            for member in ("places", "models"):
                if member in key:
                    key[member] = list(dict.fromkeys(key[member]))
            made.append(key)
        return made

    def edits(self, keys):
        """Of keys that were made, or were to be: each is revoked, or something of it is said otherwise."""
        edits = []
        for _ in range(self.rng.randint(0, 3)):
            key, said = self.rng.choice(keys), {}
            for member, likely in (("places", 0.5), ("models", 0.3), ("classes", 0.2), ("limits", 0.3), ("mints", 0.2)):
                if self.maybe(likely):
                    said[member] = next((other[member] for other in self.keys() if member in other), []) if self.maybe(0.8) else []
            if self.maybe(0.2):
                said["required"] = self.maybe(0.5)
            edits.append({"key": f"{key['app']}/{key['name']}", **({"says": said} if said and self.maybe(0.85) else {})})
        return edits

    def claims(self):
        claims = {"iss": "https://i", "aud": "api", "exp": EXPIRES, "azp": self.rng.choice(self.apps).split("/", 1)[1], "sub": self.rng.choice(["anna", "bert"])}
        if self.maybe(0.5):
            claims["groups"] = self.rng.choice(["g", "h", ["g", "h"]])
        if self.maybe(0.6):
            claims["residency"] = self.rng.choice(["eu", "near", ["eu", "near"], "mars", [], 7])
        return json.dumps(claims)

    def world(self):
        keys = self.keys()
        shown = [{"key": f"{key['app']}/{key['name']}"} for key in keys] + [{"token": self.claims()} for _ in range(2)] + [{"certificate": "c0"}]
        shown += [{**one, "certificate": self.rng.choice(["c0", "c1", "c2"])} for one in self.rng.sample(shown[:-1], 2)]

        def requests():
            made = []
            for number in range(len(shown)):
                request = {"caller": number, "model": self.rng.choice(MODELS)}
                if self.maybe(0.2):
                    request["label"] = self.rng.choice(CLASSES)
                if self.maybe(0.2):
                    request["places"] = ",".join(["SE"] + self.some(NAMES[:6]))
                made.append(request)
            return made
        edits = self.edits(keys)
        return [{"documents": self.documents(), "keys": keys if number == 0 else [], "edits": edits if number == 0 else [], "callers": shown, "requests": requests()} for number in range(2)]


def line_of(steps):
    """As the program gets it: tokens are signed."""
    sent = [{**step, "callers": [{**one, "token": token(one["token"])} if "token" in one else one for one in step["callers"]]} for step in steps]
    return json.dumps({"now": NOW, "node": "n1", "certificates": {name: der for name, (der, _) in certificates().items()}, "steps": sent})


def named(limits):
    return {(limit["level"], (limit["dimension"], limit["per"], limit["class"], limit["model"])): limit["amount"] for limit in limits}


def expected(steps):
    """What the model answers, in the program's form, as far as it is compared."""
    keys, answers, claims = {}, [], {one["token"]: json.loads(one["token"]) for one in steps[0]["callers"] if "token" in one}
    for step in steps:
        hierarchy, answer = Hierarchy(step), {"keys": [], "edits": [], "callers": [], "answers": []}
        if hierarchy.refused():
            answers.append({"errors": ["loosens"]})
            if not answers[:-1]:
                break                                                    # nothing is in force
            continue
        for key in step["keys"]:
            path = f"{key['app']}/{key['name']}"
            try:
                keys[path] = hierarchy.make_key(key, keys)
                answer["keys"].append("ok")
            except Refused as refused:
                answer["keys"].append(str(refused))
        for edit in step["edits"]:
            try:
                hierarchy.edit_key(edit, keys)
                answer["edits"].append("ok")
            except Refused as refused:
                answer["edits"].append(str(refused))
        found = [hierarchy.caller(shown, keys, claims) for shown in step["callers"]]
        for caller in found:
            if caller["code"] != "ok":
                answer["callers"].append({"code": caller["code"]})
                continue
            limits, most = hierarchy.held_to(caller)
            answer["callers"].append({"code": "ok", "app": caller["app"], "limits": limits, "max_output": most, "counts_user": caller["user"],
                                      "audit": hierarchy.mode_of(caller)})
        for request in step["requests"]:
            caller = found[request["caller"]]
            if caller["code"] != "ok":
                answer["answers"].append({"code": caller["code"]})
                continue
            code, eligible, classes = hierarchy.decide(caller, request)
            answer["answers"].append({"code": code, "eligible": sorted(eligible), "classes": sorted(classes)})
        answers.append(answer)
    return answers


def said(answers):
    """The program's answers in the same form."""
    found = []
    for answer in answers:
        if "errors" in answer:
            found.append({"errors": sorted(set(answer["errors"]))})
            if len(found) == 1:
                break
            continue
        callers = [{"code": one["code"]} if one["code"] != "ok" else {"code": "ok", "app": one["app"], "limits": named(one["limits"]), "max_output": one["max_output"],
                                                                      "counts_user": one["counts_user"], "audit": one["audit"]} for one in answer["callers"]]
        decided = [{"code": one["code"]} if "eligible" not in one else {"code": one["code"], "eligible": sorted(one["eligible"]), "classes": sorted(one["classes"])}
                   for one in answer["answers"]]
        found.append({"keys": answer["keys"], "edits": answer["edits"], "callers": callers, "answers": decided})
    return found


def difference(program, model):
    """The first thing that is not the same, in words; None: nothing."""
    if len(program) != len(model):
        return f"steps: {program} {model}"
    for number, (one, other) in enumerate(zip(program, model)):
        for member in sorted({*one, *other}):
            left, right = one.get(member), other.get(member)
            if left != right and isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
                at = next(at for at in range(len(left)) if left[at] != right[at])
                return f"step {number}, {member}[{at}]: {left[at]}, by the model {right[at]}"
            if left != right:
                return f"step {number}, {member}: {left}, by the model {right}"
    return None


def answers_of(tool, lines):
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        done = subprocess.run([tool], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False, timeout=1200, env={**os.environ, "TMPDIR": directory})
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(tool, worlds, seed, met):
    wrong = []
    for begin in range(0, worlds, CHUNK):
        made = [Maker(random.Random(f"{seed}/{number}")).world() for number in range(begin, min(begin + CHUNK, worlds))]
        for number, (steps, program) in enumerate(zip(made, answers_of(tool, [line_of(steps) for steps in made])), begin):
            model = expected(steps)
            for answer in model:
                met["refused"] = met.get("refused", 0) + ("errors" in answer)
                for one in answer.get("keys", ()):
                    met[f"key {one}"] = met.get(f"key {one}", 0) + 1
                for one in answer.get("edits", ()):
                    met[f"edit {one}"] = met.get(f"edit {one}", 0) + 1
                for one in answer.get("callers", ()) + answer.get("answers", ()) if "keys" in answer else ():
                    met[one["code"]] = met.get(one["code"], 0) + 1
                    if "audit" in one:
                        met[f"audit {one['audit']}"] = met.get(f"audit {one['audit']}", 0) + 1
            found = difference(said(program), model)
            if found is not None:
                wrong.append(f"world {seed}/{number}: {found}")
    return wrong


def test_hierarchy():
    met = {}
    wrong = compare(TOOL, 600, os.environ.get("SEED", "gatehouse"), met)
    assert not wrong, "\n".join(wrong[:3])
    if "SEED" not in os.environ:
        for code in ("refused", "ok", "allow", "residency_denied", "model_not_allowed", "token_places", "certificate_conflict", "audit required", "audit best-effort", "key ok", "key loosens", "key place_unknown", "key mint_elsewhere", "key mint_wider",
                     "edit ok", "edit loosens", "edit key_unknown", "edit key_revoked", "key_revoked"):
            assert met.get(code, 0) >= 5, (code, met)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--tool", default=TOOL)
    options = parser.parse_args()
    met = {}
    wrong = compare(options.tool, options.worlds, options.seed, met)
    for one in wrong[:5]:
        print(one)
    print(dict(sorted(met.items(), key=lambda item: -item[1])))
    print(f"hierarchy: {options.worlds} worlds (seed {options.seed}), {len(wrong)} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
