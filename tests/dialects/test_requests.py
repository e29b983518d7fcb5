"""
Requests: generated conversations, which each dialect's own writer in Python and the translator must write alike; the SDKs' own types must take what
comes out. DIALECTS_COUNT=2000: so many for each pair.
"""
import json
import os

import pytest

import conversations
import driver
import losses
import sdk_types

COUNT = int(os.environ.get("DIALECTS_COUNT", "40"))
BUILT = driver.built()
MODELS = {"chat": {"converse-anthropic", "converse-nova", "converse-gpt-oss"}, "messages": {"converse-anthropic"}, "responses": {"converse-anthropic"}}
PAIRS = [(source, target) for source in BUILT for target in BUILT if driver.family(source) != driver.family(target)
         and (not (source + target).count("converse-") or target in MODELS.get(source, ()) or source in MODELS.get(target, ()))]


def worlds(source, target, count=COUNT):
    for seed in range(count):
        yield seed, conversations.Maker(f"{source} {target} {seed}", (source, target)).conversation()


@pytest.mark.parametrize("source,target", PAIRS)
def test_conversations(source, target):
    made = list(worlds(source, target))
    bodies = [json.dumps(conversations.WRITERS[source](each), ensure_ascii=seed % 2 == 0, indent=[None, 1][seed % 3 == 0]).encode() for seed, each in made]
    if source == "chat":
        bodies = [body.replace(b"/", b"\\/") if number % 5 == 0 else body for number, body in enumerate(bodies)]   # as PHP writes it
    for (seed, each), (good, text) in zip(made, driver.ask([("request", source, target, body) for body in bodies])):
        assert good, (seed, text)
        found = json.loads(text)
        assert conversations.normal(target, found) == conversations.normal(target, conversations.WRITERS[target](each)), seed
        sdk_types.check_request(target, found)


@pytest.mark.parametrize("source,target", PAIRS)
def test_there_and_back(source, target):
    """What comes back is what was sent, but for spellings."""
    made = list(worlds(source, target, COUNT // 3))
    bodies = [conversations.WRITERS[source](each) for _, each in made]
    there = driver.ask([("request", source, target, body) for body in bodies])
    back = driver.ask([("request", target, source, text) for _, text in there])
    for body, (good, text) in zip(bodies, back):
        assert good, text
        assert conversations.normal(source, json.loads(text)) == conversations.normal(source, body)


def judged(source, target, seeds):
    """All that the source can say: it arrives but for what is dropped there, or is refused by a name that the table says so of. The cells that were tried."""
    made = [conversations.Maker(f"{source} {seed}", (source,)).conversation() for seed in seeds]
    bodies = [conversations.WRITERS[source](each) for each in made]
    used = set()
    for seed, each, (good, text) in zip(seeds, made, driver.ask([("request", source, target, body) for body in bodies])):
        verdicts = {row: losses.VERDICTS[row][target] for row in losses.asked(each)}
        used |= {(row, source, target) for row in verdicts}
        refused = [row for row, verdict in verdicts.items() if verdict == "refused"]
        if refused:
            assert not good and text[0] == "not_expressible" and any(f"({row})" in text[1] for row in refused), (seed, refused, text)
            continue
        assert good, (seed, text)
        wanted = losses.less(each, [row for row, verdict in verdicts.items() if verdict == "dropped"])
        wanted["tier"] = None if target == "invoke" else wanted["tier"]        # a header says it
        assert conversations.normal(target, json.loads(text)) == conversations.normal(target, conversations.WRITERS[target](wanted)), seed
    return used


@pytest.mark.parametrize("source,target", PAIRS)
def test_all_that_the_source_can_say(source, target):
    judged(source, target, range(COUNT))


def test_every_cell_is_tried():
    """Of what a conversation is made of."""
    used = set().union(*(judged(source, target, range(100 if "-" in source + target else 150)) for source, target in PAIRS))
    rows = {row for row, _, _ in used}
    assert {(row, target) for row, _, target in used} == {(row, target) for row in rows for target in BUILT if any(
        (source, target) in PAIRS and (row, source, other) in used for source, other in PAIRS)}
    assert rows >= set(losses.MEMBERS.values()) | set(losses.KINDS.values()) | set(losses.TIERS.values()) | set(losses.EFFORTS.values()) | {"`seed`", "developer messages", losses.CITED}


@pytest.mark.skipif("SEED" not in os.environ, reason="no SEED")
@pytest.mark.parametrize("source,target", PAIRS)
def test_conversations_of_this_seed(source, target):
    judged(source, target, [f"{os.environ['SEED']} {number}" for number in range(COUNT)])
