"""The units of conf/systemd, held against what they name: systemd's directives, the command's own words, the paths that `make install` and `gatehouse init` make, and each other."""
import re
import shutil
import subprocess

import pytest

from conftest import GATEHOUSE, ROOT

UNITS = sorted((ROOT / "conf" / "systemd").glob("*.service"))
OTHERS = {"nginx.service", "network-online.target", "multi-user.target"}     # of nginx, and of systemd

# systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.resource-control(5), systemd.kill(5), as far as units here may use them; "*": may stand more than once.
KNOWN = {
    "Unit": "Description* Documentation* Requires* Wants* After* Before* Conflicts* RequiresMountsFor* ConditionPathExists* StartLimitIntervalSec StartLimitBurst",
    "Service": "Type NotifyAccess ExecStart ExecStartPre* ExecReload ExecStop WatchdogSec Restart RestartSec TimeoutStartSec TimeoutStopSec RestartPreventExitStatus RemainAfterExit User Group SupplementaryGroups "
               "UMask Environment* EnvironmentFile* LoadCredential* WorkingDirectory RuntimeDirectory CapabilityBoundingSet AmbientCapabilities NoNewPrivileges ProtectSystem "
               "ReadWritePaths* ReadOnlyPaths* ProtectHome PrivateTmp PrivateDevices PrivateMounts ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups "
               "ProtectClock ProtectHostname ProtectProc ProcSubset RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality "
               "MemoryDenyWriteExecute RemoveIPC KeyringMode SystemCallArchitectures SystemCallFilter* SystemCallErrorNumber LimitCORE LimitNOFILE",
    "Install": "WantedBy* RequiredBy* Alias*",
}
# What the agent's sandbox is; nothing of it may get lost.
SANDBOX = {"User": "gatehouse", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
           "PrivateDevices": "yes", "ProtectKernelTunables": "yes", "ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "ProtectControlGroups": "yes", "ProtectClock": "yes",
           "ProtectHostname": "yes", "ProtectProc": "invisible", "PrivateMounts": "yes", "RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "LockPersonality": "yes",
           "MemoryDenyWriteExecute": "yes", "KeyringMode": "private", "SystemCallArchitectures": "native", "LimitCORE": "0", "UMask": "0027",
           "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK"}

ASKED = {"NODE"}     # what whoever installs a unit has to say: it has no default


def read(path):
    """[(section, name, value)], of a file in which nothing else stands."""
    found, section = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            assert equals and section and re.fullmatch(r"[A-Za-z]+", name) and not line.endswith("\\"), f"{path.name}:{number}: {line}"
            found.append((section, name, value))
    return found


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def unit(request):
    return request.param


def test_directives(unit):
    seen = set()
    for section, name, _ in read(unit):
        words = KNOWN[section].split()
        assert name in words or name + "*" in words, f"{unit.name}: [{section}] {name}"
        assert name + "*" in words or (section, name) not in seen, f"{unit.name}: [{section}] {name} stands twice"
        seen.add((section, name))


def test_names_of_each_other(unit):
    there = {path.name for path in UNITS} | OTHERS
    for _, name, value in read(unit):
        if name in ("Requires", "Wants", "After", "Before", "Conflicts", "WantedBy", "RequiredBy"):
            assert set(value.split()) <= there, f"{unit.name}: {name}={value}"


def test_commands(unit):
    """The file that `make install` puts there, and words that the command itself knows."""
    directory = re.search(r"^PREFIX *[?:]?= *(\S+)$", (ROOT / "Makefile").read_text(), re.M).group(1) + "/sbin"
    for _, name, value in read(unit):
        if not name.startswith("Exec") or value.startswith("/bin/kill "):
            continue
        program, *words = value.split()
        assert program == f"{directory}/gatehouse" and f"{directory}" in (ROOT / "README.md").read_text()
        command = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
        told = subprocess.run([GATEHOUSE, *command, "--help"], capture_output=True, text=True)
        assert told.returncode == 0 and f"gatehouse {' '.join(command)}" in told.stdout, told
        for option in (word for word in words if word.startswith("--")):
            assert re.search(rf"^ +{option}\b", told.stdout, re.M), f"{unit.name}: {option}"
        for variable in re.findall(r"\$\{?(\w+)", value):
            assert variable in ASKED or any(set_ == "Environment" and text.startswith(variable + "=") for _, set_, text in read(unit)), f"{unit.name}: ${variable}"


def test_paths(unit, cli):
    """The defaults of the command, which init makes."""
    told = cli.run("init", "--help").stdout + (ROOT / "conf" / "reference.md").read_text()
    for _, name, value in read(unit):
        if name in ("ReadWritePaths", "RequiresMountsFor"):
            for path in value.split():
                assert path in ("/var/lib/gatehouse", "/etc/gatehouse", "/run/gatehouse") and path in told, f"{unit.name}: {path}"


def test_they_are_what_is_installed():
    """README and comments copy files that there are."""
    text = (ROOT / "README.md").read_text() + "".join(path.read_text() for path in UNITS)
    named = set(re.findall(r"conf/systemd/([\w-]+\.service)", text))
    assert named == {path.name for path in UNITS}


def test_the_agents_sandbox():
    agent = read(ROOT / "conf" / "systemd" / "gatehouse-agent.service")
    found = {name: value for section, name, value in agent if section == "Service"}
    assert {name: found.get(name) for name in SANDBOX} == SANDBOX
    assert found["Type"] == "notify" and found["NotifyAccess"] == "main" and found["ExecReload"] == "/bin/kill -HUP $MAINPID" and found["Restart"] == "always"
    assert [value for _, name, value in agent if name == "SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    assert int(found["WatchdogSec"]) >= 10 and set(found["ReadWritePaths"].split()) == {"/var/lib/gatehouse", "/run/gatehouse"}


def test_a_node_that_nobody_named():
    """An agent of a made-up node would finish nobody's record: systemd puts "" for what is not set, and the start fails for good."""
    agent = read(ROOT / "conf" / "systemd" / "gatehouse-agent.service")
    found = {name: value for section, name, value in agent if section == "Service"}
    assert not any(name == "Environment" and "NODE" in value for _, name, value in agent) and found["ExecStart"].endswith("--node ${NODE}")
    done = subprocess.run([GATEHOUSE, "agent", "--node", ""], capture_output=True, text=True)
    assert done.returncode == 64 == int(found["RestartPreventExitStatus"]) and "--node was given an empty value" in done.stderr, done


def test_systemds_own_word(tmp_path):
    """Where systemd is installed it has to read them too, and to find the agent little exposed."""
    analyze = shutil.which("systemd-analyze")
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/local/sbin/gatehouse", GATEHOUSE))
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run([analyze, "verify", "--man=no", *(tmp_path / path.name for path in UNITS)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done
    done = subprocess.run([analyze, "security", "--offline=true", "--no-pager", "--threshold=20", tmp_path / "gatehouse-agent.service"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr
