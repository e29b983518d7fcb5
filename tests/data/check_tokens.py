#!/usr/bin/env python3
"""
Tokens that PyJWT and cryptography made, and attacks on them, through build/tests/tools/tokens: what is accepted is what the rules of identity/1 say, and
each attack is refused with its own code. The list of attacks is the one of RFC 8725 and of what went wrong in other implementations.

    tests/data/check_tokens.py [--tool build/tests/tools/tokens] [--count N] [--seed N] [--time N]
"""
import argparse
import base64
import hashlib
import hmac
import json
import pathlib
import random
import subprocess
import tempfile

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = 1795000000
ISS, AUD = "https://login.example/tenant/v2.0", "api://gatehouse"
ORDER = {"ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
         "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def make_keys():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return {"RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048), "PS256": rsa.generate_private_key(public_exponent=65537, key_size=3072),
            "ES256": ec.generate_private_key(ec.SECP256R1()), "ES384": ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate()}, weak


def jwk(key, **more):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        n = public.public_numbers()
        return {"kty": "RSA", "n": number(n.n), "e": number(n.e), **more}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        n, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        return {"kty": "EC", "crv": f"P-{public.curve.key_size}", "x": number(n.x, size), "y": number(n.y, size), **more}
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), **more}


def documents(keys, weak):
    every = list(keys)
    sets = [jwk(keys[alg], kid=f"key-{alg}", use="sig", **({"alg": alg} if alg in ("RS256", "PS256") else {})) for alg in every]
    nord = {"kind": "identity/1", "organisation": "nord", "issuers": [
        {"id": "entra", "issuer": ISS, "audiences": [AUD, "other"], "algorithms": every, "skew_seconds": 30,
         "keys": {"keys": [*sets, {"kty": "oct", "kid": "shared", "k": b64(b"s" * 32)}, jwk(weak, kid="weak")]}, "user": "sub",
         "apps": [{"when": {"azp": "chat-client"}, "app": "retail/chat"}, {"when": {"azp": "hr-client", "groups": "hr"}, "app": "hr/desk"},
                  {"when": {"/realm/roles": "chat"}, "app": "retail/chat"}],
         "classes": [{"when": {"groups": "hr"}, "classes": ["personal"]}, {"when": {"groups": "legal"}, "classes": ["secret", "legal"]}]},
        {"id": "narrow", "issuer": ISS, "audiences": ["narrow"], "algorithms": ["ES256"], "keys": {"keys": sets},
         "apps": [{"when": {}, "app": "retail/batch"}]},
        {"id": "single", "issuer": "https://single.example", "audiences": [AUD], "algorithms": ["ES256"], "keys": {"keys": [jwk(keys["ES256"])]},
         "apps": [{"when": {}, "app": "retail/single"}]},
        {"id": "double", "issuer": "https://double.example", "audiences": [AUD], "algorithms": ["ES256"],
         "keys": {"keys": [jwk(keys["ES256"]), jwk(ec.generate_private_key(ec.SECP256R1()), kid="b")]}, "apps": [{"when": {}, "app": "retail/double"}]}]}
    sud = {"kind": "identity/1", "organisation": "sud", "issuers": [
        {"id": "own", "issuer": ISS, "audiences": ["sud"], "algorithms": ["RS256"], "keys": {"keys": [jwk(keys["RS256"], kid="key-RS256")]},
         "apps": [{"when": {}, "app": "a/b"}]}]}
    return [nord, sud]


def claims(**more):
    found = {"iss": ISS, "aud": AUD, "exp": NOW + 600, "nbf": NOW - 5, "iat": NOW, "sub": "anna", "azp": "chat-client", **more}
    return {name: value for name, value in found.items() if value is not None}


def sign(keys, alg, body=None, **header):
    return jwt.encode(body or claims(), keys[alg], algorithm=alg, headers={"kid": f"key-{alg}", **header})


def raw_sign(key, alg, text):
    """The signature of any text, so that header and claims need be no JSON."""
    if alg == "RS256":
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if alg == "PS256":
        return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    if alg == "EdDSA":
        return key.sign(text)
    size = 32 if alg == "ES256" else 48
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256() if alg == "ES256" else hashes.SHA384())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def crafted(keys, alg, header, body):
    text = f"{b64(header)}.{b64(body)}"
    return f"{text}.{b64(raw_sign(keys[alg], alg, text.encode()))}"


class Tool:
    def __init__(self, path, found, *arguments):
        self.directory = tempfile.TemporaryDirectory()
        paths = []
        for at, document in enumerate(found):
            paths.append(pathlib.Path(self.directory.name, f"{at}.json"))
            paths[-1].write_text(json.dumps(document))
        self.process = subprocess.Popen([path, *arguments, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, token, now=NOW):
        self.process.stdin.write(f"{int(now * 1000)} {token}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")


def check_good(tool, keys, rng, count):
    good = 0
    for turn in range(count):
        alg = list(keys)[turn % len(keys)]
        groups = rng.sample(["hr", "legal", "it", "Hr"], rng.randrange(4))
        azp = rng.choice(["chat-client", "hr-client", "none"])
        roles = rng.sample(["chat", "x"], rng.randrange(3))
        body = claims(azp=azp, groups=groups if rng.random() < .8 or not groups else groups[0], realm={"roles": roles}, sub=rng.choice(["anna", "Jürgen", "a" * 256]),
                      aud=rng.choice([AUD, [AUD], ["x", "other"]]), exp=rng.choice([NOW + 1, NOW + 0.9, NOW + 9999]), pad="é" * rng.randrange(500))
        held = groups if isinstance(body["groups"], list) else [body["groups"]]
        apps = {"nord/retail/chat"} if azp == "chat-client" or "chat" in roles else set()
        apps |= {"nord/hr/desk"} if azp == "hr-client" and "hr" in held else set()
        classes = ",".join((["personal"] if "hr" in held else []) + (["secret,legal"] if "legal" in held else [])) or "-"
        expected = f"ok {apps.pop()} entra {classes} {body['sub']}" if len(apps) == 1 else "token_ambiguous" if apps else "token_unmapped"
        got = tool.ask(sign(keys, alg, body))
        assert got == expected, (alg, body, got, expected)
        good += 1
    return good


def attacks(keys, weak):
    """(what, token, code)"""
    es, rs = sign(keys, "ES256"), sign(keys, "RS256")
    head, body, signature = es.split(".")
    r, s = base64.urlsafe_b64decode(signature + "==")[:32], base64.urlsafe_b64decode(signature + "==")[32:]
    plain = json.dumps(claims()).encode()

    def header(alg="ES256", **more):
        return json.dumps({"alg": alg, "kid": f"key-{alg}" if alg in keys else "key-RS256", **more}).encode()

    for alg in ("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "RS1", "RS384", "RS512", "ES256K", "ES512", "es256", "RS256 ", "dir"):
        for end in ("", signature):
            yield f"alg {alg!r}", f"{b64(header(alg))}.{body}.{end}", "token_algorithm"
    for value in (None, 1, ["ES256"], {"a": 1}, True):
        yield f"alg {value!r}", crafted(keys, "ES256", json.dumps({"alg": value, "kid": "key-ES256"}).encode(), plain), "token_algorithm"
    yield "no alg", crafted(keys, "ES256", b'{"kid":"key-ES256"}', plain), "token_algorithm"
    public = keys["RS256"].public_key()
    secrets = [public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
               public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo), b"s" * 32, b""]
    for secret in secrets:
        for kid in ("key-RS256", "shared"):
            text = f"{b64(header('HS256', kid=kid))}.{body}"
            yield "HS with a public key", f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}", "token_algorithm"

    for kid in ("", "key-es256", "key-ES256\x00", "../../dev/null", "key-ES256' OR 1=1", "/etc/passwd", "weak", "shared", "x" * 5000, "key-RS256"):
        yield f"kid {kid!r:.30}", sign(keys, "ES256", kid=kid) if kid else crafted(keys, "ES256", header(kid=""), plain), "token_key_unknown" if "\x00" not in kid else "token_malformed"
    yield "kid of another algorithm's key", crafted(keys, "RS256", header("PS256", kid="key-RS256"), plain), "token_key_unknown"
    yield "kid is a number", crafted(keys, "ES256", b'{"alg":"ES256","kid":1}', plain), "token_malformed"
    yield "a key too weak", crafted({"RS256": weak}, "RS256", header("RS256", kid="weak"), plain), "token_key_unknown"
    yield "no kid, one key alone fits", crafted(keys, "ES256", b'{"alg":"ES256"}', plain), "ok"
    other = ec.generate_private_key(ec.SECP256R1())
    for name in ("jwk", "jku", "x5u", "x5c", "x5t"):
        value = {"jwk": jwk(other, kid="key-ES256"), "x5c": [b64(b"certificate")]}.get(name, "https://attacker.example/keys")
        yield f"{name} of another key", crafted({"ES256": other}, "ES256", header(**{name: value}), plain), "token_signature"
        yield f"{name} beside the right key", crafted(keys, "ES256", header(**{name: value}), plain), "ok"
    for name, value in (("crit", ["exp"]), ("crit", []), ("b64", False), ("b64", True), ("zip", "DEF"), ("enc", "A256GCM")):
        yield f"{name} {value}", crafted(keys, "ES256", header(**{name: value}), plain), "token_unsupported"
    for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", 1, None):
        yield f"typ {typ}", crafted(keys, "ES256", header(typ=typ), plain), "token_unsupported"
    for typ in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
        yield f"typ {typ}", crafted(keys, "ES256", header(typ=typ), plain), "ok"

    yield "alg twice", crafted(keys, "ES256", b'{"alg":"ES256","kid":"key-ES256","alg":"ES256"}', plain), "token_malformed"
    yield "alg twice, once escaped", crafted(keys, "ES256", b'{"alg":"none","kid":"key-ES256","\\u0061lg":"ES256"}', plain), "token_malformed"
    yield "iss twice", crafted(keys, "ES256", header(), plain[:-1] + b',"iss":"x"}'), "token_malformed"
    yield "nested twice", crafted(keys, "ES256", header(), plain[:-1] + b',"a":{"b":1,"b":2}}'), "token_malformed"
    for what in (b"[]", b'"x"', b"1", b"null", b"", b"{", plain + b"x", b"\xef\xbb\xbf" + plain, plain.decode().encode("utf-16"), plain[:-1] + b',"x":"\xff"}',
                 plain[:-1] + b',"x":"\\ud800"}', plain[:-1] + b',"x":"\\u0000"}', plain[:-1] + b',"x":1e999}', plain[:-1] + b',"x":01}',
                 plain[:-1] + b',"x":' + b"[" * 20 + b"]" * 20 + b"}", plain[:-1] + b',"x":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}"):
        yield f"claims {what[:20]}...{what[-20:]}", crafted(keys, "ES256", header(), what), "token_malformed"
        yield f"header {what[:20]}...{what[-20:]}", crafted(keys, "ES256", what, plain), "token_algorithm" if what == plain else "token_malformed"

    der = keys["ES256"].sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    n = ORDER["ES256"]
    for what, bad in {"DER": der, "psychic": bytes(64), "r = 0": bytes(32) + s, "s = 0": r + bytes(32), "r = n": n.to_bytes(32, "big") + s,
                      "s = n": r + n.to_bytes(32, "big"), "r + n": b"\xff" * 32 + s, "longer": b"\0" + r + b"\0" + s, "shorter": (r + s)[:-1],
                      "r only": r, "one more byte": r + s + b"\0", "swapped": s + r, "of another key": raw_sign(other, "ES256", f"{head}.{body}".encode()),
                      "of other claims": raw_sign(keys["ES256"], "ES256", b"x"), "ones": b"\x01" * 64}.items():
        yield f"ES256 signature: {what}", f"{head}.{body}.{b64(bad)}", "token_signature"
    for alg, size in (("ES384", 96), ("EdDSA", 64), ("RS256", 256), ("PS256", 384)):
        h, c, _ = sign(keys, alg).split(".")
        for bad in (bytes(size), bytes(size - 1), bytes(size + 1), b"\xff" * size, b"\x01"):
            yield f"{alg} signature of {len(bad)} bytes", f"{h}.{c}.{b64(bad)}", "token_signature"
    rh, rc, _ = sign(keys, "PS256").split(".")
    yield "PKCS #1 v1.5 as PSS", f"{rh}.{rc}.{b64(keys['PS256'].sign(f'{rh}.{rc}'.encode(), padding.PKCS1v15(), hashes.SHA256()))}", "token_signature"
    for salt in (0, 20, 64):
        found = keys["PS256"].sign(f"{rh}.{rc}".encode(), padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
        yield f"PSS with a salt of {salt}", f"{rh}.{rc}.{b64(found)}", "token_signature"
    found = keys["PS256"].sign(f"{rh}.{rc}".encode(), padding.PSS(padding.MGF1(hashes.SHA1()), 32), hashes.SHA256())
    yield "PSS with MGF1 of SHA-1", f"{rh}.{rc}.{b64(found)}", "token_signature"
    found = keys["RS256"].sign(".".join(rs.split(".")[:2]).encode(), padding.PKCS1v15(), hashes.SHA1())
    yield "RS256 of SHA-1", ".".join(rs.split(".")[:2]) + "." + b64(found), "token_signature"

    last = signature[-1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "no signature", f"{head}.{body}.", "token_malformed"
    for what, bad in {"padding": es + "==", "another spelling of its last byte": es[:-1] + letters[letters.index(last) ^ 1], "standard alphabet": f"{head}.{body}.{signature[:-4]}+/AA",
                      "two parts": f"{head}.{body}", "one part": head, "four parts": es + ".x", "five parts": es + ".x.y", "dots": "..", "a space": f"{head}. {body}.{signature}",
                      "a line": f"{head}.{body[:9]}\r{body[9:]}.{signature}", "percent": es.replace(".", "%2e"), "empty": "", "empty header": f".{body}.{signature}",
                      "empty claims": f"{head}..{signature}", "too long": f"{head}.{body}.{'A' * 17000}", "JSON serialization": '{"payload":"e30","signatures":[]}'}.items():
        yield f"form: {what}", bad, "token_malformed"
    yield "16 KiB of claims", sign(keys, "ES256", claims(pad="x" * 20000)), "token_malformed"
    for at in range(1, len(es)):
        yield f"cut at {at}", es[:at], None

    for change, code in (({"iss": None}, "token_issuer"), ({"iss": ISS + "/"}, "token_issuer"), ({"iss": ISS.upper()}, "token_issuer"), ({"aud": None}, "token_audience"),
                         ({"aud": AUD + "x"}, "token_audience"), ({"aud": AUD[:-1]}, "token_audience"), ({"aud": []}, "token_audience"), ({"aud": [AUD + "2"]}, "token_audience"),
                         ({"exp": None}, "token_malformed"), ({"exp": NOW - 31}, "token_expired"), ({"exp": NOW - 30}, "token_expired"), ({"exp": NOW - 29}, "ok"),
                         ({"exp": 0}, "token_expired"), ({"exp": 2**53}, "token_malformed"), ({"nbf": NOW + 31}, "token_not_yet"),
                         ({"nbf": NOW + 30}, "ok"), ({"nbf": 0}, "ok"), ({"nbf": None}, "ok"), ({"sub": None}, "token_user"),
                         ({"sub": ""}, "token_user"), ({"sub": "a\nb"}, "token_user"), ({"sub": "a" * 257}, "token_user"), ({"azp": None}, "token_unmapped"), ({"azp": "Chat-client"}, "token_unmapped"),
                         ({"azp": "chat-client "}, "token_unmapped"), ({"azp": ["chat-client"]}, "ok"), ({"azp": {"chat-client": 1}}, "token_unmapped"),
                         ({"azp": ["chat-client", "hr-client"], "groups": "hr"}, "token_ambiguous"), ({"azp": None, "realm": {"roles": ["chat"]}}, "ok"),
                         ({"azp": None, "/realm/roles": "chat"}, "token_unmapped"), ({"azp": None, "realm": {"roles": [["chat"]]}}, "token_unmapped"),
                         ({"aud": ["narrow", AUD]}, "token_ambiguous"), ({"aud": ["sud", AUD]}, "token_ambiguous")):
        yield f"claims {change}", crafted(keys, "ES256", header(), json.dumps(claims(**change)).encode()), code
    for value in (b'"1795000600"', b"-1", b"1e12", b"1795000600.x", b"true", b"[1]", b"null", b"{}"):
        yield f"exp {value}", crafted(keys, "ES256", header(), json.dumps(claims(exp=None)).encode()[:-1] + b',"exp":' + value + b"}"), "token_malformed"
    yield "an algorithm its issuer does not sign with", sign(keys, "RS256", claims(aud="narrow")), "token_algorithm"
    yield "an algorithm its issuer signs with", sign(keys, "ES256", claims(aud="narrow")), "ok"
    yield "a key of another organisation", sign(keys, "ES256", claims(aud="sud")), "token_algorithm"
    yield "a name its issuer gave no key", sign(keys, "ES256", claims(iss="https://single.example")), "token_key_unknown"
    yield "no name, several keys that fit", crafted(keys, "ES256", b'{"alg":"ES256"}', json.dumps(claims(iss="https://double.example")).encode()), "token_key_unknown"


def check_attacks(tool, keys, weak):
    seen, refused = set(), 0
    for what, token, code in attacks(keys, weak):
        if any(c in token for c in "\n\0"):
            continue
        got = tool.ask(token)
        first = got.split(" ")[0]
        assert first == code if code else first in ("token_malformed", "token_signature", "token_algorithm"), (what, got, code, token[:200])
        seen.add(first)
        refused += first != "ok"
    assert len(seen) >= 12, seen
    return refused


def check_bits(tool, keys, rng, count):
    """A token with anything changed in it is refused."""
    for turn in range(count):
        token = sign(keys, list(keys)[turn % len(keys)])
        at = rng.randrange(len(token))
        letter = rng.choice("ABCwxyz0189-_.")
        if token[at] != letter:
            got = tool.ask(token[:at] + letter + token[at + 1:])
            assert got.startswith("token_"), (token, at, letter, got)
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default=str(ROOT / "build/tests/tools/tokens"))
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    keys, weak = make_keys()
    if options.time:
        tool = Tool(options.tool, documents(keys, weak), "--time", str(options.time))
        for alg in keys:
            print(f"{alg}: {tool.ask(sign(keys, alg)).split(' ')[-1]} us")
        return
    tool = Tool(options.tool, documents(keys, weak))
    good = check_good(tool, keys, rng, options.count)
    refused = check_attacks(tool, keys, weak)
    changed = check_bits(tool, keys, rng, options.count)
    print(f"tokens: {good} judged as the rules say, {refused} attacks refused, {changed} with one letter changed")


if __name__ == "__main__":
    main()
