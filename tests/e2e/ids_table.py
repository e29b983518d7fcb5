"""The tables of ids in conf/dialects.md, by the heading in front of each."""
import pathlib
import re

DIALECTS = pathlib.Path(__file__).parents[2] / "conf/dialects.md"


def rows(heading):
    """{what it names: (where it stands, what answers do, what requests do)}"""
    text = DIALECTS.read_text().split("## Ids of what a provider keeps")[1].split("\n## ")[0].split(f"\n### {heading}\n")[1].split("\n### ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: tuple(row[1:4]) for row in cells if row[0] != "id"}


def native(text):
    """Ids as providers write them, of these tests: three letters of what they name, and a number."""
    return set(re.findall(r"\b[a-z]+[_-]([A-Z]{3}[0-9A-E])\b", text))
