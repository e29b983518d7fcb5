"""
Generated answers and streams through every pair of dialects: what the client reads is what the backend said, but for what the table in conf/dialects.md says is lost.
The seeds are fixed, and SEED adds as many that differ; by hand

    build/venv/bin/python tests/dialects/test_rounds.py --count 100000 --seed 1
"""
import argparse
import collections
import os

import pytest

import answers
import answers_read
import driver

COUNT = 60
PAIRS = [(backend, client) for backend in answers_read.CLIENTS for client in answers_read.CLIENTS if backend != client]


def late(backend, made):
    """Does the backend's stream say its tier when the client's has begun? That of Messages does with the first part, or where there is none at its end."""
    return backend == "converse" or (backend == "responses" and made["parts"] != [])


def judged(backend, client, seeds):
    """Fails at the first answer that is not told as it has to be; the cells that were tried."""
    asked, wanted = [], []
    for seed in seeds:
        maker = answers.AnswerMaker(f"{backend} {seed}", backend)
        made = maker.answer()
        for what, write, read in (("answer", answers.PLAIN, answers_read.PLAIN), ("stream", answers.STREAMED, answers_read.STREAMED)):
            asked.append((what, backend, client, write[backend](made, maker)))
            passes = what == "stream" and {backend, client} == {"messages", "invoke"}
            wanted.append((seed, made, read[client], answers_read.Expected(made, client, what == "stream" and late(backend, made), passes)))
    used = set()
    for question, (good, text), (seed, made, read, expected) in zip(asked, driver.ask(asked), wanted):
        what = (question[0], backend, client, seed)
        if expected.fails():
            assert b"takes text" in text if question[0] == "stream" else not good and "takes text" in text[1], (what, text)
        else:
            assert good, (what, text)
            wants = expected.answer()
            try:
                found = answers_read.same_ids(read(text), wants)
                found = answers_read.mended_parts(found) if expected.passes else found
            except Exception as error:
                raise AssertionError((what, made, text)) from error
            assert found == wants, f"{what}\nfound {found}\nwants {wants}\n{question[3]}"
        used |= expected.used
    return used


@pytest.mark.parametrize("backend,client", PAIRS)
def test_answers(backend, client):
    judged(backend, client, range(COUNT))


def test_every_cell_is_tried():
    used = set()
    for backend, client in PAIRS:
        used |= judged(backend, client, range(COUNT))
    cells = {(row, client) for row, told in answers_read.LOSSES.items() for client in told}
    # no other dialect says it than the client's own
    cells -= {("the tier: reserved", "converse")}
    assert used == cells, used ^ cells


@pytest.mark.skipif("SEED" not in os.environ, reason="no SEED")
@pytest.mark.parametrize("backend,client", PAIRS)
def test_answers_of_this_seed(backend, client):
    judged(backend, client, [f"{os.environ['SEED']} {number}" for number in range(COUNT)])


def main():
    parser = argparse.ArgumentParser(description="generated answers and streams through every pair of dialects")
    parser.add_argument("--count", type=int, default=1000, help="answers and streams, together")
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    each, failed = max(options.count // (2 * len(PAIRS)), 1), collections.Counter()
    for backend, client in PAIRS:
        for begin in range(0, each, 200):
            seeds = [f"{options.seed} {number}" for number in range(begin, min(begin + 200, each))]
            try:
                judged(backend, client, seeds)
            except AssertionError as error:
                failed[backend, client] += 1
                print(backend, client, str(error)[:3000], flush=True)
                break
    print(f"{2 * each * len(PAIRS)} answers and streams, {sum(failed.values())} pairs of dialects failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
