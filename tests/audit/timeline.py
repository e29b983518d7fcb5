"""
What editors did to one gateway's policy, and which revisions may be in force at a moment.

An edit is in force somewhere between the start and the end of its command; from its end on no older revision is. One that ended
without being acknowledged (exit 3), or that was killed, may be in force from its start on and never ends, until a later command acknowledges.
"""
import json
import re

NEVER = float("inf")
NUMBER = re.compile(r'revision"?:? (\d+)')
IN_FORCE = 3                        # exit code: in force, not acknowledged


class Revision:
    """given: the documents of the edit, or the number of the revision that has them; scope: which ones of the revision before they replace."""

    def __init__(self, number, given, scope, begin, end, cuts):
        self.number, self.given, self.scope, self.begin, self.end, self.cuts, self.documents = number, given, scope, begin, end, cuts, None


def organisation_of(document):
    """Whose a document is: an organisation's name, or None for the gateway's owner."""
    kind = document["kind"]
    if kind == "residency/1" and document.get("role") != "guard":
        return document["applies_to"].rstrip("*").split("/")[0]
    if kind == "identity/1":
        return document["organisation"]
    if kind == "tenants/1" and len(document["organisations"]) == 1:
        return document["organisations"][0]["id"]
    return None


EVERYTHING, GATEWAY = "everything", "the gateway's"


def replaced(owner, scope):
    """Does an edit of this scope replace an owner's documents? The scope is one of the two above, or an organisation."""
    return scope == EVERYTHING or owner == (None if scope == GATEWAY else scope)


def option(argv, name):
    """The value of --name VALUE or --name=VALUE."""
    for at, word in enumerate(argv):
        if word == name and at + 1 < len(argv):
            return argv[at + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1:]
    return None


class Timeline:
    def __init__(self):
        self.revisions, self.revoked, self.backups, self.edits = {}, {}, {}, 0

    # ---- edits ----

    def add(self, event):
        self.edits += 1
        command, done = event["command"], event["exit"]
        if command == "key create" and done == 0:
            self.revoked.pop(tuple(event["argv"][2:4]), None)
        elif command == "key revoke" and done == 0:
            owner, _, name = event["argv"][2].rpartition("/")
            self.revoked[owner, name] = event["end"]
        elif command == "backup" and done == 0 and NUMBER.search(event["out"]):
            self.backups[event["argv"][1]] = int(NUMBER.search(event["out"]).group(1))
        elif command == "policy wait" and done == 0 and self.revisions:
            newest = self.revisions[max(self.revisions)]
            newest.end = min(newest.end, event["end"])
        elif command in ("policy apply", "policy rollback", "restore"):
            self._edit(event)

    def _edit(self, event):
        found = NUMBER.search(event["out"])
        if event["exit"] is not None and event["exit"] > 0 and event["exit"] != IN_FORCE:
            return                                          # it said that nothing changed
        if event["exit"] in (0, IN_FORCE) and found:
            number, end = int(found.group(1)), event["end"] if event["exit"] == 0 else NEVER
        else:                                               # killed: it may have committed
            number, end = max(self.revisions, default=0) + 1, NEVER
        if number in self.revisions and self.revisions[number].end < NEVER:
            return                                          # what was given is in force already
        given, scope = self._given(event)
        self.revisions[number] = Revision(number, given, scope, event["begin"], end, "--let-finish" not in event["argv"])

    def _given(self, event):
        argv = event["argv"]
        scope = option(argv, "--organisation") or (GATEWAY if "--gateway" in argv else event.get("scope") or EVERYTHING)
        if event["command"] == "policy apply":
            return event["documents"] or [], scope
        if event["command"] == "policy rollback":
            return next((int(word) for word in argv[2:] if word.isdigit()), 0), scope
        return self.backups.get(argv[1], 0), EVERYTHING     # restore FILE

    def documents(self, number):
        """Those of a revision, once those before it are known."""
        revision = self.revisions.get(number)
        if revision is None:
            return []
        if revision.documents is None:
            given = self.documents(revision.given) if isinstance(revision.given, int) else revision.given
            kept = [] if revision.scope == EVERYTHING else self.documents(number - 1)
            of_scope = lambda one: replaced(organisation_of(json.loads(one["text"])), revision.scope)
            revision.documents = [one for one in kept if not of_scope(one)] + [one for one in given if of_scope(one)]
        return revision.documents

    def finish_from(self, number):
        """The revision from which on what has begun may finish although this one forbids it."""
        while number in self.revisions and not self.revisions[number].cuts:
            number -= 1
        return number

    # ---- what may be in force ----

    def oldest_at(self, moment):
        """The newest revision that was acknowledged by then; 0: none was."""
        return max((number for number, revision in self.revisions.items() if revision.end <= moment), default=0)

    def at(self, moment, slack=0):
        """Revisions that may be in force then, the oldest first; slack: how many seconds the moment may be late."""
        least = self.oldest_at(moment - slack)
        return [self.revisions[number] for number in sorted(self.revisions) if number >= max(least, 1) and self.revisions[number].begin <= moment]

    def revoked_before(self, owner, key, moment):
        return self.revoked.get((owner, key), NEVER) <= moment
