"""No branch and no memory access depends on the bytes of an API key: valgrind's memcheck follows them as undefined from where they are presented to their hash."""
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build/tests/tools/secret_key"
FOUND = 9


@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
@pytest.mark.parametrize("what, status", [("own", 0), ("foreign", 0), ("control", FOUND)])
def test_nothing_depends_on_a_secret(what, status):
    done = subprocess.run(["valgrind", "-q", f"--error-exitcode={FOUND}", "--track-origins=no", TOOL, what], capture_output=True, text=True, timeout=900)
    assert done.returncode == status, done.stdout + done.stderr[-3000:]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider"]))
