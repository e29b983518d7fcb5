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
    def __init__(self, number, documents, begin, end, finish_from):
        self.number, self.documents, self.begin, self.end, self.finish_from = number, documents, begin, end, finish_from

    @property
    def parsed(self):
        return [json.loads(one["text"]) for one in self.documents]


def organisation_of(document):
    """Whose a document is: an organisation's name, or None for the gateway's owner."""
    kind = document["kind"]
    if kind == "residency/1" and document.get("role") != "guard":
        return document["applies_to"].rstrip("*").split("/")[0]
    if kind == "tenants/1" and len(document["organisations"]) == 1:
        return document["organisations"][0]["id"]
    return None


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
        self.revisions, self.revoked, self.backups, self.edits, self.unfinished = {}, {}, {}, 0, []

    # ---- edits ----

    def add(self, event):
        self.edits += 1
        command, done = event["command"], event["exit"]
        if command == "key create" and done == 0:
            self.revoked.pop(tuple(event["argv"][2:4]), None)
        elif command == "key revoke" and done == 0:
            owner, _, name = event["argv"][2].rpartition("/")
            self.revoked[owner, name] = event["end"]
        elif command == "backup" and done == 0 and self.revisions:
            self.backups[next((word for word in event["argv"][1:] if not word.startswith("-")), "")] = self.newest().documents
        elif command == "policy wait" and done == 0 and self.revisions:
            self._acknowledged(self.newest(), event["end"])
        elif command in ("policy apply", "policy rollback", "restore"):
            self._edit(event)

    def _acknowledged(self, revision, end):
        revision.end = min(revision.end, end)

    def _edit(self, event):
        found = NUMBER.search(event["out"])
        known = max(self.revisions, default=0)
        if event["exit"] not in (0, IN_FORCE) and event["exit"] is not None and event["exit"] >= 0:
            return                                          # it said that nothing changed
        documents = self._documents(event)
        if event["exit"] in (0, IN_FORCE) and found:
            number = int(found.group(1))
            end = event["end"] if event["exit"] == 0 else NEVER
            if number in self.revisions and self.revisions[number].documents is not None:
                self._acknowledged(self.revisions[number], end)
                return
            keeps = "--let-finish" in event["argv"]
            before = self.revisions.get(number - 1)
            self.revisions[number] = Revision(number, documents, event["begin"], end, before.finish_from if keeps and before else 0 if keeps else number)
        else:                                               # killed: it may have committed
            self.revisions[known + 1] = Revision(known + 1, documents, event["begin"], NEVER, known + 1)

    def _documents(self, event):
        argv, organisation = event["argv"], option(event["argv"], "--organisation")
        if event["command"] == "policy rollback":
            wanted = next((int(word) for word in argv[2:] if word.isdigit()), None)
            made = self.revisions[wanted].documents if wanted in self.revisions else []
        elif event["command"] == "restore":
            made = next((self.backups[word] for word in argv[1:] if word in self.backups), [])
        else:
            made = event["documents"] or []
        if organisation is None or not self.revisions:
            return made
        kept = [one for one in self.newest().documents if organisation_of(json.loads(one["text"])) != organisation]
        return sorted(kept + [one for one in made if organisation_of(json.loads(one["text"])) == organisation], key=lambda one: one["path"])

    def newest(self):
        return self.revisions[max(self.revisions)]

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
