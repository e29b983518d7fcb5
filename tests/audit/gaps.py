"""
What may be sent without a line: requests of apps whose audit mode is best-effort, by the documents in force, within a gap that the record has, and no more of them than its `gap` lines say.
"""
import json
import pathlib

SLACK = 0.05                         # seconds between a worker's clock, read once a turn, and a backend's
CHARGED = {"input": "input", "output": "output", "tokens": "tokens", "micro-dollars": "micro_dollars"}


def covers(pattern, path):
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern or path.startswith(pattern + "/")


def mode(documents, owner):
    """The audit mode of "org/tenant/app" by the documents alone."""
    org, tenant, app = owner.split("/")
    policies = [one for one in documents if one["kind"] == "residency/1" and one.get("role") != "guard"]
    permits = [one.get("audit", "required") for one in policies
               if any(covers(pattern, f"{org}/{tenant}") for pattern in ([one["applies_to"]] if isinstance(one["applies_to"], str) else one["applies_to"]))]
    said = []
    for organisation in (one for document in documents if document["kind"] == "tenants/1" for one in document["organisations"] if one["id"] == org):
        said += [organisation["audit"]] if "audit" in organisation else []
        for level in (one for one in organisation["tenants"] if one["id"] == tenant):
            said += [each["audit"] for each in (level, *(one for one in level.get("apps", ()) if one["id"] == app)) if "audit" in each]
    return "best-effort" if permits == ["best-effort"] and said and said[-1] == "best-effort" and "required" not in said else "required"


class Gaps:
    """The `gap` lines of a gateway's record, and what was accepted because of them."""

    def __init__(self):
        self.lines, self.known, self.accepted = [], set(), set()

    def add(self, line):
        """One that was said again for a worker that died in between is one gap."""
        same = (line["pid"], line.get("from"), line["requests"], line.get("attempts", 0))
        if "from" in line and same in self.known:
            return
        self.known.add(same)
        self.lines.append(line)

    @property
    def sent(self):
        return sum(one["requests"] + one.get("attempts", 0) for one in self.lines)

    def accept(self, arrival, documents, owner):
        """Why it may not have come without a line; None: it may."""
        if arrival in self.accepted:
            return None
        if not any("from" in one and one["from"] / 1000 - SLACK <= arrival.first for one in self.lines):
            return "in no recorded gap"
        if owner is None or not any(mode(each, owner) == "best-effort" for each in documents):
            return f"of {owner or 'nobody known'}, whose lines are required"
        if len(self.accepted) >= self.sent:
            return f"above the {self.sent} of the recorded gaps"
        self.accepted.add(arrival)
        return None

    def charged(self, dimension):
        """The most that requests without a line can have been charged: (tokens or micro-dollars, requests); None: nobody knows."""
        if any("recovered_by" in one for one in self.lines):
            return None
        if dimension == "requests":
            return sum(one["requests"] for one in self.lines)
        return sum(one.get("charged", {}).get(CHARGED.get(dimension, ""), 0) for one in self.lines)


def owner_of(access, id):
    """By the access log; None: it is not there yet."""
    if access and pathlib.Path(access).exists():
        for text in pathlib.Path(access).read_text(errors="replace").splitlines():
            words = text.split(" ")
            if len(words) > 3 and words[2] == id:
                return words[3]
    return None


def in_force(timeline, moment):
    return [[json.loads(one["text"]) for one in timeline.documents(revision.number)] for revision in timeline.at(moment, 1) or ()]
