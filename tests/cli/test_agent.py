"""`gatehouse agent`: its command line, and what it says when it cannot begin. What it does is tested in tests/e2e/test_agent.py."""
import pytest


@pytest.mark.parametrize("arguments, said", [
    ([], "--node NAME is missing"),
    (["--node", "Fra 1"], "is no node's name"),
    (["--node", "fra-1", "--log", "loud"], '"loud" is none of error, warning, notice, info, debug'),
    (["--node", "fra-1", "--log", "warnin"], 'did you mean "warning"?'),
    (["--node", "fra-1", "--checkpoint", "2h"], "2h is no time from 100ms to 1h"),
    (["--node", "fra-1", "--audit", "a", "--audit", "b", "--audit", "c"], "2 audit directories at most"),
    (["--node", "fra-1", "extra"], "extra"),
])
def test_wrong_command_lines(cli, arguments, said):
    done = cli.run("agent", *arguments, code=None)
    assert done.returncode == 64 and said in done.stderr and done.stdout == "", done


def test_without_a_home_it_says_what_makes_one(cli):
    done = cli.run("agent", "--node", "fra-1", code=None)
    assert done.returncode == 1 and "gatehouse init" in done.stderr, done
