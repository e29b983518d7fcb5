"""`gatehouse ledger`: making it, growing it, looking at it."""
import json

import pytest

from conftest import Cli


@pytest.fixture
def made(tmp_path):
    cli = Cli(tmp_path)
    cli.init("--ledger-size", "1m")
    return cli


def test_init_makes_the_size_asked_for_and_keeps_it(made):
    ledger = made.home / "ledger"
    assert ledger.stat().st_size == 1 << 20
    assert ledger.stat().st_blocks * 512 >= 1 << 20
    again = made.init("--ledger-size", "2m")
    assert "kept, 1m" in again.stdout and "gatehouse ledger grow 2m --home" in again.stderr
    assert json.loads(made.init("--json").stdout)["ledger_size"] == 1 << 20


@pytest.mark.parametrize("size, words", [("1023k", "from 1m to 16g"), ("17g", "from 1m to 16g"), ("4x", "is no size"), ("-1", "is no size"),
                                         ("99999999999999999999", "is no size"), ("64mb", "is no size")])
def test_a_wrong_size_is_a_usage_error(tmp_path, size, words):
    cli = Cli(tmp_path)
    assert words in cli.init(f"--ledger-size={size}", code=64).stderr
    assert not cli.home.exists()


def test_grow(made):
    assert "2m, was 1m" in made.run("ledger", "grow", "2m").stdout
    assert json.loads(made.run("ledger", "grow", "3000000", "--json").stdout)["size"] == 3002368        # whole pages
    assert (made.home / "ledger").stat().st_size == 3002368
    assert "already" in made.run("ledger", "grow", "2m", code=1).stderr
    assert "is no size" in made.run("ledger", "grow", "much", code=64).stderr
    made.run("ledger", "grow", code=64)
    assert json.loads(made.run("ledger", "show", "--json").stdout) == {
        "ledger": str(made.home / "ledger"), "size": 3002368, "agent": {"runs": False}, "workers": [], "counters": [], "reservations": []}


def test_another_layout_is_refused_by_name_and_made_anew(made):
    with open(made.home / "ledger", "r+b") as file:
        file.seek(8)
        file.write((1).to_bytes(4, "little"))
    for command in (["ledger", "show"], ["ledger", "grow", "2m"], ["ledger", "check"], ["policy", "wait"]):
        done = made.run(*command, code=1)
        assert "has layout 1, this program knows layout 2" in done.stderr and "do: gatehouse init" in done.stderr
    assert ": made, 2m" in made.init().stdout
    made.run("ledger", "show")


def test_without_a_ledger_the_command_to_run_is_named(tmp_path):
    cli = Cli(tmp_path)
    for command in ("show", "check"):
        done = cli.run("ledger", command, code=1)
        assert "do: gatehouse init --home" in done.stderr
