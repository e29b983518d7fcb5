"""Results as a table on the terminal, as JSON, and as the measured part of conf/numbers.md."""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "conf" / "numbers.md"
BEGIN, END = "<!-- measured: {} -->", "<!-- end: {} -->"


def cell(figure, width=0):
    if figure is None:
        return " " * width
    size = abs(figure.median)
    return figure.text(0 if size >= 1000 else 1 if size >= 10 else 2).ljust(width)


def named(row, at):
    """A column's figure, with its name where it is not the column's."""
    value, name = (row.plain, row.gateway)[at], row.names[at]
    return "" if value is None else cell(value) + ("" if name == ("nginx", "gateway")[at] else f" [{name}]")


def verdict(row):
    return "" if row.met is None else "met" if row.met else "NOT met"


def say(row):
    """One line while it is measured."""
    figures = "  ".join(f"{name} {cell(value)}{' ' + row.unit if row.unit else ''}" for name, value in zip(row.names, (row.plain, row.gateway)) if value)
    ratio = f"  ratio {row.ratio.text()}" if row.ratio else ""
    target = f"  [{row.target()}: {verdict(row)}]" if row.met is not None else ""
    print(f"{row.part:10} {row.what}: {figures}{ratio}{target}{'  ' + row.note if row.note else ''}", flush=True)


def table(rows):
    """The end: what is asked first, in columns."""
    lines = [f"{'':10} {'':46} {'nginx':32} {'gateway':32} {'ratio':18} target"]
    for row in rows:
        columns = "".join(f"{named(row, at):33}" for at in (0, 1))
        lines.append(f"{row.part:10} {(row.what + (', ' + row.unit if row.unit else '')):46} {columns}"
                     f"{row.ratio.text() if row.ratio else '':18} {row.target()} {verdict(row)}".rstrip())
    return "\n".join(lines)


def write_json(path, machine, rows, skipped, more):
    path.write_text(json.dumps({"machine": machine, **more, "rows": [row.json() for row in rows],
                                "skipped": [{"part": part, "why": why} for part, why in skipped]}, indent=1) + "\n")


def machine_words(machine):
    return (f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB; {machine['system']}, Linux {machine['kernel']}; "
            f"{machine['nginx']}; {machine['compiler']}; {machine['revision']}; {machine['date']} UTC, load average before it {machine['load_before']}")


def markdown(machine, rows, skipped, note):
    lines = [f"Taken on: {machine_words(machine)}. {note}", "", "| | nginx | gateway | ratio | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.part}: {row.what}{', ' + row.unit if row.unit else ''}{note} | {named(row, 0)} | {named(row, 1)} | "
                     f"{row.ratio.text() if row.ratio else ''} | {row.target()} | {verdict(row)} |")
    if skipped:
        lines += ["", "Skipped: " + "; ".join(f"{part}: {why}" for part, why in skipped) + "."]
    return "\n".join(lines)


def put(name, text):
    """Between the page's marks of that name."""
    page = PAGE.read_text()
    begin, end = BEGIN.format(name), END.format(name)
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), page, re.S)
    if not found:
        raise SystemExit(f"{PAGE}: no '{begin}' ... '{end}'")
    PAGE.write_text(page[:found.start()] + f"{begin}\n{text}\n{end}" + page[found.end():])
