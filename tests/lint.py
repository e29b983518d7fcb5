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
    dialect         a dialect's name stands in its own files and in policy/base/dialects.h alone; what differs elsewhere is a trait or a member of its row
    fuzzed          what reads bytes of clients, backends and files stands in a fuzzer, or is reached by one that is named
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


# Which files a dialect's enumerators may stand in: its own, and those that have a reason.
DIALECT_ROW = re.compile(r"\b[DEF]\((\w+),\s*\"([\w.-]+)\"")
DIALECT_FILES = re.compile(r"ngx_module/wire/(hub/(chat|messages|converse|responses|invoke)(_\w+)?|dialect_\w+|fields(_\w+)?)\.[ch]$|policy/base/dialects\.h$")
DIALECT_REASONS = {
    "ngx_module/wire/url.c": "responses that are kept, lists of models, and in whose words it is said that a URL is unknown",
    "ngx_module/wire/intake_kept.c": "responses that are kept",
    "ngx_module/wire/intake_count.c": "a count of tokens holds the body of another endpoint",
    "ngx_module/wire/hub/count.c": "a count of tokens holds the body of another endpoint",
    "ngx_module/wire/alike_count.c": "a count of tokens holds the body of another endpoint",
    "ngx_module/ngx_http_gatehouse_access.c": "one path of two APIs lists models: a header says which",
    "ngx_module/ngx_http_gatehouse_translate.c": "models of embeddings fail in the words of InvokeModel",
    "policy/decide/bedrock_model.c": "what the models of one host's catalogue offer",
    "policy/agent/import_bedrock.c": "what the models of one host's catalogue offer",
    "policy/document/fleet_document.c": "what stands against inference_geo is said by its name",
    "policy/cli/cases_request.c": "the endpoint of a case that names none",
    "policy/cli/explain.c": "the endpoint of a request that names none",
}

# What reads bytes of others, by its name and what it is given; and by way of what fuzzers reach those that they do not call.
READERS = re.compile(r"\b(gh_\w+_(?:read|parse|feed|look|decode|verify|header|answer|opened|judge))\s*\(([^;{]*?)\)\s*;", re.S)
READ_IN = ("ngx_module/wire", "policy/identity", "policy/audit", "policy/agent", "policy/store/image.h", "policy/base", "policy/document/model.h")
REACHED = {
    "gh_chunk_read": "gh_commit_look, gh_stream_feed", "gh_sse_read": "gh_commit_look, gh_stream_feed", "gh_hub_usage_read": "gh_hub_answer_read, gh_hub_stream_feed",
    "gh_hub_counts_read": "gh_hub_answer_read, gh_ids_feed", "gh_dialect_response_header": "no reader: a list of names", "gh_hub_decode": "gh_hub_request_read",
    "gh_fetch_header": "no reader: what curl has read", "gh_credential_why_read": "written by the agent itself", "gh_status_read": "written by the agent itself",
    "gh_secret_read": "no reader: a value that goes along as it is", "gh_voids_look": "gh_line_read", "gh_ed25519_verify": "libcrypto",
    "gh_intake_parse": "gh_intake_parse_url", "gh_intake_opened": "gh_intake_open", "gh_authority_read": "gh_documents_load", "gh_rules_read": "gh_documents_load", "gh_key_sets_look": "gh_key_file_read",
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

    def dialects(self):
        """The rows of the one table, and where else their enumerators stand."""
        table = (ROOT / "policy/base/dialects.h").read_text()
        names = {kind: [name for name, _ in DIALECT_ROW.findall(table.split(f"#define {kind}")[1].split("\n\n")[0])]
                 for kind in ("GH_DIALECT_ROWS", "GH_ENDPOINT_ROWS", "GH_HUB_ROWS")}
        word = re.compile(r"\b(GH_DIALECT|GH_ENDPOINT|GH_HUB)_(" + "|".join(sorted({one for all_ in names.values() for one in all_}, key=len, reverse=True)) + r")\b")
        reasons = dict.fromkeys(DIALECT_REASONS, False)
        for folder in ("policy", "residency", "ngx_module"):
            for path in sorted((ROOT / folder).rglob("*.[ch]")):
                name = path.relative_to(ROOT).as_posix()
                self.checks += 1
                for number, line in enumerate(blanked(path.read_text(errors="replace")).splitlines(), 1):
                    found = word.search(line)
                    if not found or DIALECT_FILES.match(name) or found.group(2) not in names[found.group(1) + "_ROWS"]:
                        continue
                    if name in reasons:
                        reasons[name] = True
                    else:
                        self.complain(name, number, "dialect", f"{found.group(0)}: a trait of policy/base/dialects.h, or a member of its row, says what differs")
        for name, used in reasons.items():
            if not used:
                self.complain("tests/lint.py", 1, "dialect", f"{name} needs no exception any more")
        for _, form in DIALECT_ROW.findall(table.split("#define GH_HUB_ROWS")[1]):
            if "-" not in form and not list((ROOT / "tests/data/dialects" / form).glob("*")):    # whose answers are those of the form before it
                self.complain("tests/data/dialects", 1, "dialect", f"{form} has no folder of answers and streams")
        for kind, names_of in (("GH_DIALECT_ROWS", ("fleet-1",)), ("GH_ENDPOINT_ROWS", ("fleet-1", "cases-1"))):
            words = ", ".join(f'"{one}"' for _, one in DIALECT_ROW.findall(table.split(f"#define {kind}")[1].split("\n\n")[0]))
            for schema in names_of:
                if f"[{words}]" not in (ROOT / f"conf/schema/{schema}.schema.json").read_text():
                    self.complain(f"conf/schema/{schema}.schema.json", 1, "dialect", f"no list of [{words}]")
        if min(len(all_) for all_ in names.values()) < 6:
            self.complain("policy/base/dialects.h", 1, "dialect", "the rows of the table are not found")

    def readers(self):
        """Of each reader of foreign bytes that headers offer, the fuzzer."""
        fuzzers = "".join(path.read_text() for path in (ROOT / "tests/fuzz").glob("*.[ch]"))
        seen = set()
        for path in sorted(ROOT.glob("ngx_module/wire/**/*.h")) + sorted(ROOT.glob("policy/**/*.h")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(READ_IN):
                continue
            self.checks += 1
            for found in READERS.finditer(blanked(path.read_text())):
                reader, given = found.groups()
                if not re.search(r"gh_str_t (?!\*)|const (void|char|uint8_t) \*", given):
                    continue
                seen.add(reader)
                if (reader in REACHED) == bool(re.search(rf"\b{reader}\b", fuzzers)):
                    self.complain(name, 1, "fuzzed", f"{reader} is in no fuzzer of tests/fuzz, or in one and needs no reason in tests/lint.py")
        for reader in sorted(set(REACHED) - seen):
            self.complain("tests/lint.py", 1, "fuzzed", f"{reader} is gone")
        if len(seen) < 30:
            self.complain("tests/lint.py", 1, "fuzzed", "the readers are not found")

    def mutants(self):
        """A seeded fault whose place is gone is none."""
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(ROOT / "tests/mutants"))
        from mutants import MUTANTS
        self.checks += len(MUTANTS)
        for one in MUTANTS:
            for path, old, _ in one.edits:
                found = (ROOT / path).read_text().count(old) if (ROOT / path).exists() else 0
                if found != 1:
                    self.complain(path, 1, "mutant", f"what {one.name} of tests/mutants changes stands here {found} times, not once: {old.splitlines()[0][:60]!r}")

    def text(self, path):
        """Scripts, Python and documents: words only."""
        name = path.relative_to(ROOT).as_posix()
        self.checks += 1
        lines = path.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            self.words(name, number, line, None)
        if path.suffix == ".py" and len(lines) > LINES_MAX:
            self.complain(name, len(lines), "long-file", f"{len(lines)} lines; {LINES_MAX} at most")


    def containers(self):
        """What the containers run is there, may be run, and is copied into the image; whoever has the store open beside the gateway sees its processes."""
        compose, image = ((ROOT / "docker" / name).read_text() for name in ("compose.yaml", "Dockerfile"))
        commands = re.findall(r'command: \["/usr/local/share/gatehouse/([^"]+)"', compose) + re.findall(r'CMD \["/usr/local/share/gatehouse/([^"]+)"', image)
        if not commands:
            self.complain("docker/compose.yaml", 1, "container", "no command of a container was found")
        for command in sorted(set(commands)):
            self.checks += 1
            path = ROOT / ("conf" if command.startswith("demo/") else "docker") / command
            copied = "conf/demo" if command.startswith("demo/") else f"docker/{command}"
            if not path.is_file() or not path.stat().st_mode & 0o100 or not re.search(rf"^COPY (.* )?{re.escape(copied)} ", image, re.MULTILINE):
                self.complain("docker/compose.yaml", 1, "container", f"{command} is not there, may not be run, or is not copied into the image")
        agent = re.search(r"^  agent:\n((?:    .*\n|\n)*)", compose, re.MULTILINE)
        if not agent or 'pid: "service:gateway"' not in agent[1] or "NODE:" not in agent[1]:
            self.complain("docker/compose.yaml", 1, "container", "the agent has a NODE, and the gateway's PID namespace")


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
    lint.dialects()
    lint.readers()
    lint.mutants()
    lint.containers()
    print("\n".join(lint.complaints))
    print(f"{lint.checks} checks")
    return 1 if lint.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
