#!/usr/bin/env python3
"""
The house rules that a program can check. Every complaint is "FILE:LINE: NAME: sentence"; the last line counts the checks made.

    long-file       a source file has 100-500 lines, 700 at most
    long-function   a function has 120 lines at most
    layer           lower layers include no higher one: policy/base <- residency <- policy <- ngx_module/wire <- ngx_module
    nginx           no nginx name outside ngx_module/*.c and *.h
    banned          a function the house does not use
    directive       each gatehouse_* directive of a command table has a section in conf/reference.md, and back
    unfinished      a note of work to do, or commented-out code
    machine         a mention of a machine's own path or of a package registry's host
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINES_MAX, FUNCTION_MAX = 700, 120
BANNED = ("strcpy", "strcat", "sprintf", "vsprintf", "strtok", "strtok_r", "atoi", "atol", "gets", "localtime", "system", "getaddrinfo")
ALLOWED = {("policy/agent", "getaddrinfo"), ("tests", "system")}
WORDS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
MACHINE = re.compile(r"(?<![\w.\"])/(?:root|home/\w+)/")
CODE = re.compile(r"^\s*//.*[;{}]\s*$|^\s*/\*[^*]*;\s*\*/\s*$")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')

# What each layer may include, besides what lies in itself.
LAYERS = {
    "policy/base": (), "residency": ("policy/base",), "policy": ("policy/base", "residency"),
    "ngx_module/wire": ("policy/base", "residency", "policy"), "ngx_module": ("policy/base", "residency", "policy", "ngx_module/wire"),
    "policy/cli": ("policy/base", "residency", "policy", "policy/agent", "ngx_module/wire"),
    "policy/agent": ("policy/base", "residency", "policy", "ngx_module/wire"), "tests": None,
}


def layer(path):
    """The layer of a project path such as "policy/base/str.h"; None outside of them all."""
    for name in ("policy/base", "policy/cli", "policy/agent", "ngx_module/wire", "ngx_module", "residency", "policy", "tests"):
        if path.startswith(name + "/"):
            return name
    return None


def blanked(text):
    """The source with comments, strings and character constants as spaces, line by line as it was."""
    out, at = list(text), 0
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    for match in pattern.finditer(text):
        at = match.start()
        if text.rfind("\n", 0, at) < (begin := text.rfind("#include", 0, at)) and "\n" not in text[begin:at] and text[at] == '"':
            continue
        for i in range(match.start(), match.end()):
            if out[i] != "\n":
                out[i] = " "
    return "".join(out)


class Lint:
    def __init__(self):
        self.complaints, self.checks = [], 0

    def complain(self, path, line, name, sentence):
        self.complaints.append(f"{path}:{line}: {name}: {sentence}")

    def source(self, path):
        """One C file."""
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(errors="replace")
        code = blanked(text)
        lines, bare = text.splitlines(), code.splitlines()
        self.checks += 1
        if len(lines) > LINES_MAX:
            self.complain(name, len(lines), "long-file", f"{len(lines)} lines; {LINES_MAX} at most")
        self.functions(name, bare)
        own = layer(name)
        for number, (line, stripped) in enumerate(zip(lines, bare), 1):
            found = INCLUDE.match(line)
            if found:
                self.include(name, number, own, found.group(1))
            self.words(name, number, line, own)
            for word in re.findall(r"\b(\w+)\s*\(", stripped):
                if word in BANNED and (own, word) not in ALLOWED:
                    self.complain(name, number, "banned", f"{word}()")
            if CODE.match(line) and re.search(r"\w\(.*\);|\w+ = .*;", line):
                self.complain(name, number, "unfinished", "commented-out code")
        if own in ("policy/base", "residency", "policy", "ngx_module/wire", "policy/cli", "policy/agent"):
            for number, line in enumerate(lines, 1):
                if re.search(r"ngx_(?!module/wire)", line):
                    self.complain(name, number, "nginx", "an nginx name in the core")

    def include(self, name, number, own, target):
        if own == "tests" or own is None:
            return
        other = layer(target)
        if other is None:
            if own not in ("ngx_module", "policy/cli") and not (ROOT / name).parent.joinpath(target).exists():
                self.complain(name, number, "layer", f'"{target}" is written from the project root')
            return
        if other != own and other not in LAYERS[own]:
            self.complain(name, number, "layer", f"{own} includes {target}")

    def words(self, name, number, line, own):
        found = WORDS.search(line)
        if found:
            self.complain(name, number, "unfinished", f"{found.group(1)}: do it or file it")
        if MACHINE.search(line):
            self.complain(name, number, "machine", line.strip()[:100])

    def functions(self, name, bare):
        """Bodies that open at the left margin, or on the line that names the function, and close with } at the left margin."""
        begin = None
        for number, line in enumerate(bare, 1):
            if begin is None and (line.startswith("{") or (re.match(r"^\w.*\)\s*\{\s*$", line) and not line.startswith(("typedef", "struct", "enum")))):
                begin = number
            elif begin is not None and line.startswith("}"):
                if number - begin > FUNCTION_MAX:
                    self.complain(name, begin, "long-function", f"{number - begin} lines; {FUNCTION_MAX} at most")
                begin = None

    def directives(self):
        """Command tables against the sections of conf/reference.md."""
        self.checks += 1
        table, reference = {}, {}
        for path in sorted((ROOT / "ngx_module").glob("*.c")):
            text = path.read_text()
            for found in re.finditer(r'\{\s*ngx_string\("(gatehouse\w*)"\),\s*NGX_\w*CONF', text):
                table.setdefault(found.group(1), (path.relative_to(ROOT).as_posix(), text.count("\n", 0, found.start()) + 1))
        for number, line in enumerate((ROOT / "conf/reference.md").read_text().splitlines() if (ROOT / "conf/reference.md").exists() else [], 1):
            found = re.match(r"#+\s+`?(gatehouse\w*)`?(\s|$)", line)
            if found:
                reference.setdefault(found.group(1), number)
        if not table:
            self.complain("ngx_module", 1, "directive", "no command table found")
        for word, (path, number) in sorted(table.items()):
            if word not in reference:
                self.complain(path, number, "directive", f"{word} has no section in conf/reference.md")
        for word, number in sorted(reference.items()):
            if word not in table:
                self.complain("conf/reference.md", number, "directive", f"{word} is in no command table")

    def text(self, path):
        """Scripts, Python and documents: words only."""
        name = path.relative_to(ROOT).as_posix()
        self.checks += 1
        lines = path.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            self.words(name, number, line, None)
        if path.suffix == ".py" and len(lines) > LINES_MAX:
            self.complain(name, len(lines), "long-file", f"{len(lines)} lines; {LINES_MAX} at most")


def main():
    lint = Lint()
    for folder in ("policy", "residency", "ngx_module", "tests"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            lint.source(path)
    for folder in ("tests", "conf", "docker", "ngx_module"):
        for path in sorted((ROOT / folder).rglob("*")):
            named = path.suffix in (".py", ".sh", ".md", ".conf") or path.name in ("run", "quickstart", "Dockerfile")
            if path.is_file() and named and path != pathlib.Path(__file__).resolve() and "__pycache__" not in path.parts:
                lint.text(path)
    for name in ("README.md", "Makefile", "config"):
        if (ROOT / name).exists():
            lint.text(ROOT / name)
    lint.directives()
    print("\n".join(lint.complaints))
    print(f"{lint.checks} checks")
    return 1 if lint.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
