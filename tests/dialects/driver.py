"""Questions to the translator, many in one process."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / os.environ.get("GATEHOUSE_BUILD", "build") / "tests/tools/dialects"


def encoded(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def ask(questions):
    """[(what, source, target, body) or with a number behind]: [(True, bytes) or (False, (code, sentence))]."""
    asked = b""
    for what, source, target, body, *number in questions:
        text = encoded(body)
        asked += b"%s %s %s %d %d\n%s" % (what.encode(), source.encode(), target.encode(), number[0] if number else 0, len(text), text)
    done = subprocess.run([TOOL, "batch"], input=asked, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    answers, rest = [], done.stdout
    while rest:
        line, rest = rest.split(b"\n", 1)
        word, length = line.split()
        text, rest = rest[:int(length)], rest[int(length):]
        answers.append((True, text) if word == b"ok" else (False, tuple(text.decode().split(" ", 1))))
    assert len(answers) == len(questions)
    return answers


def one(what, source, target, body, number=0):
    """The answer to one question, which must be a yes."""
    good, text = ask([(what, source, target, body, number)])[0]
    assert good, text
    return text


def built():
    """The dialects there are."""
    return ["chat", "chat-open", "messages", "converse", "responses", "invoke", "converse-anthropic", "converse-nova", "converse-gpt-oss"]


def family(dialect):
    """Those whose bodies pass as they are between each other: of one endpoint."""
    return dialect.split("-")[0]


def table(name="table"):
    return subprocess.run([TOOL, name], capture_output=True, check=True, text=True).stdout
