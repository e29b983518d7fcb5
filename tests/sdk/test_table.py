"""
conf/dialects.md shows what was tried: for each client and backend, scenario by scenario, what the tests beside this file hold. Each cell is two of them, plain and
streamed, of test_same.py or test_translated.py; a dash is none: the client's dialect has no word for it, or scenarios.py does not try the one that it has.

    build/venv/bin/python tests/sdk/test_table.py       prints the table
"""
import pathlib
import sys

if __name__ == "__main__":
    for name in ("audit", "e2e", "dialects"):
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / name))

import matrix
import scenarios
from site_of import DEPLOYMENTS

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "conf/dialects.md"
SHOWN = {"mapped": "mapped", "dropped": "*dropped*", "refused": "**refused**"}


def columns():
    """(client, backend's dialect) with the deployment that stands for it."""
    found = {}
    for client, deployment in matrix.SERVED:
        if client in matrix.DIALECTS:
            found.setdefault((client, DEPLOYMENTS[deployment].dialect), deployment)
    return found


def cell(client, target, name, deployment):
    tried = (client, deployment, name)
    if tried in matrix.same():
        return "same"
    if tried not in matrix.translated():
        return "-"
    return SHOWN[matrix.verdict(client, target, scenarios.row(name))[0]]


def table():
    lines = ["| | " + " | ".join(f"{client} to {target}" for client, target in columns()) + " |", "|---|" + "---|" * len(columns())]
    for name in scenarios.ROWS:
        lines.append(f"| {name} | " + " | ".join(cell(client, target, name, deployment) for (client, target), deployment in columns().items()) + " |")
    return "\n".join(lines) + "\n"


def test_the_document_shows_it():
    assert table() in DOCUMENT.read_text(), "put what `build/venv/bin/python tests/sdk/test_table.py` prints into conf/dialects.md"


if __name__ == "__main__":
    sys.stdout.write(table())
