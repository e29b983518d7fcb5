"""Saved plans, written from the description of the format alone (policy/cli/plan_file.h)."""

import hashlib
import hmac
import json


def subkey(cli):
    """HKDF-SHA-256 (RFC 5869) of store.key without salt, info "plan"."""
    extracted = hmac.digest(bytes(32), (cli.secrets / "store.key").read_bytes(), "sha256")
    return hmac.digest(extracted, b"plan\x01", "sha256")


def seal(cli, plan):
    body = {key: value for key, value in plan.items() if key != "mac"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return dict(body, mac=hmac.digest(subkey(cli), text, "sha256").hex())


def digest(documents):
    """The digest of a policy: over path, 0, SHA-256 of every document, by path."""
    return hashlib.sha256(b"".join(path.encode() + b"\0" + hashlib.sha256(text.encode()).digest()
                                   for path, text in sorted(documents.items()))).hexdigest()


def make(cli, base, documents, policy, scope="all", organisation="", **change):
    """A sealed plan. documents: {path: text}; policy: digest of all documents after it; base: a revision of `history --json`, or None."""
    plan = {
        "kind": "plan/1", "made": "2026-11-26T10:00:00Z", "by": "grace",
        "base": {"revision": base["revision"], "policy": base["policy"]} if base else {"revision": 0, "policy": ""},
        "scope": scope, "organisation": organisation,
        "documents": [{"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}
                      for path, text in sorted(documents.items())],
        "policy": policy, "facts": base["facts"] if base else change.pop("facts"), "newest_facts": "regions/2026-11-21",
        "summary": {"says": "nothing"},
    }
    return seal(cli, plan | change)
