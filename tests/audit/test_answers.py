"""What the trail says of an answer is what the mock backend sent, for every shape of usage, every place of it and every cut."""
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/audit"), str(ROOT / "tests/e2e")]

import answers                                                        # noqa: E402
import usage_shapes                                                   # noqa: E402
from mock_backend import Closed                                       # noqa: E402
from usage_shapes import CUTS, PLACES, REPORTS, error_inside, error_status, reported, shaped  # noqa: E402

TEXT = "Grüße aus Rust. " * 20
AFTER_USAGE = {"before_done", "before_last_chunk"}


class Wire:
    """Stands for a connection: what was sent, and whether it was ended."""

    def __init__(self):
        self.data, self.ended = b"", False

    def send(self, data):
        self.data += data

    def close(self):
        raise Closed

    reset = close


class Asked:
    def __init__(self, **body):
        self.json = {"messages": [{"role": "user", "content": TEXT}], **body}


@pytest.fixture
def played(monkeypatch):
    monkeypatch.setattr(usage_shapes, "hang", lambda seconds: lambda wire: wire.close())

    def play(shape, **body):
        wire = Wire()
        script = shape(Asked(**body)) if isinstance(shape, usage_shapes.Shaped) else shape
        try:
            script.run(wire)
        except Closed:
            wire.ended = True
        return wire, answers.described(wire.data)
    return play


def value_of(report, share=1):
    text = reported(report, completion=int(usage_shapes.COMPLETION * share))
    return None if text is None else json.loads(text, object_pairs_hook=answers.pairs)


@pytest.mark.parametrize("report", REPORTS)
def test_whole_and_streamed(played, report):
    said = value_of(report)
    expected = [] if said is None else [said]
    for body in ({}, {"stream": True}):
        wire, found = played(shaped(report, text=TEXT), **body)
        assert not wire.ended and found["status"] == 200 and found["whole"] and found["text"] == len(TEXT.encode())
        assert json.dumps(found["usage"]) == json.dumps(expected) and found["done"] == bool(body)


@pytest.mark.parametrize("where", PLACES)
def test_places_in_a_stream(played, where):
    found = played(shaped("cached_inside", where, text=TEXT), stream=True)[1]
    count = {"twice": 2, "growing": 2, "every": 1 + len(range(0, len(TEXT), 8))}.get(where, 1)
    assert len(found["usage"]) == count and found["usage"][-1] == value_of("cached_inside") and found["whole"] and found["text"] == len(TEXT.encode())
    if where in ("every", "growing"):
        assert found["usage"][0]["completion_tokens"] < found["usage"][-1]["completion_tokens"]


@pytest.mark.parametrize("how", ["close", "reset", "stall", "error"])
@pytest.mark.parametrize("cut", CUTS)
def test_cuts(played, cut, how):
    for stream in (False, True):
        wire, found = played(shaped("plain", cut=cut, how=how, text=TEXT), stream=stream)
        if how == "error" and stream and found["status"]:
            assert found["error"] and found["done"] and found["whole"] and not wire.ended
        else:
            assert wire.ended and not found["whole"] and not found["error"]
        assert bool(found["usage"]) == (cut in AFTER_USAGE), found
        if cut in ("accept", "head", "body", "in_head"):
            assert found["status"] == 0 and (wire.data == b"") == (cut != "in_head")
        elif cut == "after_head":
            assert found["status"] == 200 and found["text"] == 0
        elif cut in ("in_text", "in_event") and stream:
            assert 0 < found["text"] < len(TEXT.encode())
        elif stream:
            assert found["text"] == len(TEXT.encode())


def test_errors(played):
    usage = reported("plain")
    assert played(error_inside())[1] == {"status": 200, "text": 0, "usage": [], "error": True, "done": False, "whole": True}
    found = played(error_status(503, usage))[1]
    assert found["status"] == 503 and found["error"] and found["usage"] == [value_of("plain")]
    assert played(shaped("plain", status=500), stream=True)[1]["status"] == 500


def test_a_name_that_comes_twice_is_told():
    assert value_of("key_twice")[answers.TWICE] and answers.TWICE not in value_of("plain")
