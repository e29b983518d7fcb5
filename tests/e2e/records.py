"""Reads the record and checks its chain, sharing no code with the gateway."""
import hashlib
import json
import pathlib
import re

NAME = re.compile(r"^(?P<node>[a-z0-9-]+)-(?P<epoch>\d+)-(?P<pid>\d+)-(?P<sequence>\d+)\.jsonl$")


def order(path):
    """Files of one writer in the order in which it wrote them."""
    parts = NAME.match(path.name)
    return (parts["node"], int(parts["epoch"]), int(parts["pid"]), int(parts["sequence"])) if parts else (path.name, 0, 0, 0)


def files(audit):
    return sorted(pathlib.Path(audit, "open").glob("*.jsonl"), key=order)


def meant(text, bases):
    """
    A line as its reader has to take it: {number: members} is kept in `bases`, and in decisions "basis":[K,VALUE,...] is replaced by the members, by their
    bytes, with the values in the place of their nulls.
    """
    line = json.loads(text)
    if line["type"] == "basis":
        assert line["basis"] not in bases, text
        members = text[text.index(b'"members":{') + 11:-2]
        bases[line["basis"]] = re.split(rb'("(?:\\.|[^"\\])*"|null)', members)
    if line["type"] != "decision":
        return line

    def put_back(found):
        number, *values = found[1].split(b",")
        whole = [values.pop(0) if piece == b"null" else piece for piece in bases[int(number)]]
        assert not values, text
        return b"".join(whole)

    return json.loads(re.sub(rb'"basis":\[([0-9,]+)\]', put_back, text))


def lines(audit):
    """Every whole line but those that others refer to; the last one of a file may still be in the making."""
    found = []
    for path in files(audit):
        bases = {}
        for text in path.read_bytes().split(b"\n")[:-1]:
            line = meant(text, bases)
            if line["type"] != "basis":
                found.append({**line, "_file": path.name})
    return found


def check_chain(path):
    """Every line continues the one before. Returns the lines."""
    data = pathlib.Path(path).read_bytes()
    assert data.endswith(b"\n"), f"{path}: torn last line"
    assert NAME.match(pathlib.Path(path).name), path
    previous, found, bases = None, [], {}
    for number, text in enumerate(data[:-1].split(b"\n")):
        assert len(text) <= 32768, f"{path}:{number + 1}: {len(text)} bytes"
        line = meant(text, bases)
        assert text.startswith(b'{"prev":"' + line["prev"].encode() + b'","n":%d,' % number), f"{path}:{number + 1}: {text[:120]}"
        if previous is not None:
            assert line["prev"] == previous, f"{path}:{number + 1}: does not continue line {number}"
        if line["type"] != "basis":
            assert b"null" not in re.sub(rb'"(\\.|[^"\\])*"', b"", text), f"{path}:{number + 1}: null"
        previous = hashlib.sha256(text).hexdigest()
        found.append(line)
    assert found[0]["type"] == "segment", found[0]
    assert found[0]["prev"] == "0" * 64 or found[0].get("previous_file"), found[0]
    return found


def check_attempts(request, decision, lines, outcome):
    """
    The first dispatch belongs to the decision when it is as that says: to the route's first, under that revision. Every other one has a
    line of its own. What was passed over has none, in the outcome alone: it has an error and took no time. The outcome's revision is the
    one under which an attempt's last bytes left, so never older than its line's.
    """
    dispatched = [one for one in outcome.get("attempts", []) if "total_us" in one or one.get("error") in ("no_peer", "no_address")]
    promised = (decision["route"][0]["deployment"], decision["revision"])
    begin = lines[0]["number"] if lines else 2
    assert begin in (1, 2) and [line["number"] for line in lines] == list(range(begin, len(dispatched) + 1)), (request, lines, outcome)
    if begin == 1:
        assert (lines[0]["deployment"], lines[0]["revision"]) != promised, (request, lines)
    elif dispatched:
        assert dispatched[0]["deployment"] == promised[0] and dispatched[0]["revision"] >= promised[1], (request, outcome)
    for line in lines:
        one = dispatched[line["number"] - 1]
        assert all(line[name] == one[name] for name in ("deployment", "upstream_model")) and one["revision"] >= line["revision"], (request, line, one)
        assert line["rules"] and line["process"], (request, line)


def check_all(audit, running=()):
    """
    The promises of every finished request: one decision, an attempt before each further dispatch, one outcome, chains whole.
    `running`: ids that may be without an outcome.
    """
    everything = [line for path in files(audit) for line in check_chain(path)]
    requests = {}
    for line in everything:
        if "id" in line:
            requests.setdefault(line["id"], []).append(line)
    for request, found in requests.items():
        kinds = [line["type"] for line in found]
        assert kinds[0] == "decision" and kinds.count("decision") == 1, (request, kinds)
        if found[0]["verdict"] == "deny":
            assert kinds == ["decision"], (request, kinds)
            continue
        if request in running:
            assert kinds.count("outcome") + kinds.count("lost") <= 1, (request, kinds)
            continue
        assert kinds[-1] == "outcome" and kinds.count("outcome") == 1, (request, kinds)
        check_attempts(request, found[0], [line for line in found if line["type"] == "attempt"], found[-1])
    return requests
