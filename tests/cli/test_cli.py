"""The command line's manners: help, spelling, exit codes, init, owners and modes, what happens without a store or room."""

import grp
import json
import os
import pwd
import re
import resource
import stat
import subprocess

import pytest

from conftest import FLEET, GATEHOUSE, Cli, changed, owner_arguments, write_policy

COMMANDS = ["init", "backup", "restore", "policy apply", "policy validate", "policy schema", "policy history", "policy diff",
            "policy rollback", "policy export", "policy wait", "key create", "key list", "key revoke", "backend status", "ledger checkpoint", "agent",
            "explain"]

SENTENCES = """\
  1. An allow fits when everything it states is inside.
  2. A forbid fires when anything it states is touched.
  3. Unknown is never inside and always touches.
  4. A request is held to the rules of every class it carries; more classes never permit more.
  5. Every document that applies must agree; a document only takes away.
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- help and spelling ----


def test_help_lists_every_command(cli):
    text = cli.run("help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert cli.run("--help").stdout == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli, name):
    text = cli.run(*name.split(), "--help").stdout
    assert text.startswith(f"usage: gatehouse {name} ")
    assert text == cli.run("help", *name.split()).stdout
    assert "exit codes: 0 done" in text


def test_policy_help_starts_with_the_language(cli):
    text = cli.run("policy", "--help").stdout
    assert text.index(SENTENCES) < 100
    assert text == cli.run("help", "policy").stdout


def test_every_option_is_in_the_manual(cli):
    manual = (os.path.dirname(__file__) + "/../../conf/man/gatehouse.1")
    with open(manual) as file:
        manual = file.read().replace("\\-", "-")
    for name in COMMANDS:
        assert f"gatehouse {name}" in manual
        for option in re.findall(r"^  (--[a-z]+)", cli.run(*name.split(), "--help").stdout, re.M):
            assert option in manual, f"{name} {option}"


def test_manual_has_no_warnings():
    manual = os.path.dirname(__file__) + "/../../conf/man/gatehouse.1"
    try:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", manual], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("groff is not installed")
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("arguments, sentence", [
    (["polcy"], "gatehouse: unknown command polcy; did you mean policy?"),
    (["policy", "aply", "x"], "gatehouse: unknown command policy aply; did you mean policy apply?"),
    (["frobnicate"], "gatehouse: unknown command frobnicate"),
    (["policy"], "gatehouse: policy needs one more word; `gatehouse help policy` lists them"),
    ([], "gatehouse: a command is missing"),
    (["init", "--hoem", "x"], "gatehouse init: unknown option --hoem; did you mean --home?"),
    (["init", "--quux"], "gatehouse init: unknown option --quux"),
    (["init", "-x"], "gatehouse init: unknown option -x; options have two dashes"),
    (["init", "--home"], "gatehouse init: --home needs a value: --home DIR"),
    (["init", "--home="], "gatehouse init: --home was given an empty value"),
    (["init", "--home", "a", "--home", "b"], "gatehouse init: --home was given twice"),
    (["init", "extra"], "gatehouse init: unexpected argument extra"),
    (["policy", "apply"], "gatehouse policy apply: something is missing: gatehouse policy apply DIR|PLAN [options]"),
    (["key", "list", "--json=yes"], "gatehouse key list: --json takes no value"),
    (["key", "create", "a/b", "n"], "gatehouse key create: a/b has too few parts: org/tenant/app is expected"),
    (["key", "create", "a/b/c/d", "n"], "gatehouse key create: a/b/c/d has too many parts: org/tenant/app is expected"),
    (["key", "create", "a/B/c", "n"], 'gatehouse key create: "B" in a/B/c is not a name: a-z, 0-9 and "-", at most 63, '
                                      'not beginning with "-"; org/tenant/app is expected'),
    (["key", "create", "a/b/c", "n", "--expires", "soon"],
     "gatehouse key create: --expires soon is neither a day such as 2027-01-31 nor a number of days such as 90d"),
    (["key", "create", "a/b/c", "n", "--expires", "2027-02-29"],
     "gatehouse key create: --expires 2027-02-29 is neither a day such as 2027-01-31 nor a number of days such as 90d"),
    (["key", "create", "a/b/c", "n", "--expires", "2020-01-01"],
     "gatehouse key create: --expires 2020-01-01 is over already"),
    (["key", "create", "a/b/c", "n", "--expires", "0d"], "gatehouse key create: --expires 0d: from 1d to 36500d"),
    (["explain"], "gatehouse explain: give a request id, or --request FILE with --key and --node"),
    (["explain", "x", "--request", "y"], "gatehouse explain: give a request id or --request FILE, not both"),
    (["explain", "--request", "y"], "gatehouse explain: who asks? give --key KEY, or --as ORG/TENANT/APP for a what-if"),
    (["explain", "not-an-id"], "gatehouse explain: not-an-id is not a request id: the x-request-id of an answer, such as "
                               "01932f5e-7c3a-7abc-8def-0123456789ab"),
    (["explain", "--request", "y", "--as", "a/b/c", "--node", "n", "--now", "noon"],
     "gatehouse explain: --now noon is not a time such as 2026-11-21T09:30:00Z"),
    (["explain", "--request", "y", "--as", "a/b/c", "--node", "n", "--endpoint", "chat.completion"],
     "gatehouse explain: --endpoint chat.completion is not one of chat.completions, completions, embeddings, responses, messages, "
     "messages.count_tokens, converse, invoke, bedrock.count_tokens; did you mean chat.completions?"),
])
def test_wrong_command_lines(cli, arguments, sentence):
    done = cli.run(*arguments, code=64)
    assert done.stderr.splitlines()[0] == sentence
    assert done.stderr.splitlines()[1].startswith("  do: gatehouse ")
    assert done.stdout == ""
    assert not cli.home.exists()


def test_double_dash_ends_options(cli):
    done = cli.run("policy", "apply", "--", "--json", code=1)
    assert "does not exist" in done.stderr


def test_version(cli):
    assert re.fullmatch(r"gatehouse \d+\.\d+\.\d+\n", cli.run("version").stdout)


def test_control_bytes_of_names_do_not_reach_the_terminal(cli):
    done = cli.run("policy", "apply\x1b[2J", code=64)
    assert "\x1b" not in done.stderr and "\\x1b" in done.stderr


# ---- init ----


def test_init_makes_everything_once(cli):
    done = cli.init()
    assert f"{cli.home}: store made" in done.stdout
    assert f"next: gatehouse policy apply DIR --home {cli.home} --secrets {cli.secrets}" in done.stdout

    assert mode(cli.home) == 0o750
    assert mode(cli.home / "store") == 0o2750
    assert mode(cli.home / "store" / "data.mdb") == 0o640
    assert mode(cli.home / "store" / "lock.mdb") == 0o660
    assert mode(cli.home / "audit") == 0o750
    assert mode(cli.home / "audit" / "open") == 0o2770
    assert mode(cli.home / "audit" / "sealed") == 0o750
    assert mode(cli.home / "cred") == 0o2750
    assert mode(cli.home / "agent") == mode(cli.home / "agent" / "keys") == 0o2750
    assert mode(cli.secrets) == 0o750
    assert mode(cli.secrets / "store.key") == 0o640
    assert len((cli.secrets / "store.key").read_bytes()) == 32
    assert sorted(p.name for p in cli.secrets.iterdir()) == ["store.key"]

    key = (cli.secrets / "store.key").read_bytes()
    inode = (cli.home / "store" / "data.mdb").stat().st_ino
    done = cli.init()
    assert "store kept" in done.stdout and "store.key: kept" in done.stdout and "next:" not in done.stdout
    assert (cli.secrets / "store.key").read_bytes() == key
    assert (cli.home / "store" / "data.mdb").stat().st_ino == inode


def test_init_as_json(cli):
    cli.init()
    found = json.loads(cli.init("--json").stdout)
    assert found["home"] == str(cli.home) and found["key"] == f"{cli.secrets}/store.key" and found["ledger"].endswith("ledger")
    assert (found["store_made"], found["key_made"], found["ledger_made"]) == (False, False, False)


def test_two_inits_make_two_keys(tmp_path):
    keys = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        other = Cli(tmp_path / name)
        other.init()
        keys.add((other.secrets / "store.key").read_bytes())
    assert len(keys) == 2


def test_init_repairs_modes_and_keeps_the_store(ready):
    cli = ready
    key = cli.key()
    (cli.home / "cred" / "azure-se").write_text("secret\n")
    for path, bits in (("store", 0o700), ("store/data.mdb", 0o600), ("store/lock.mdb", 0o600), ("audit/open", 0o777),
                       ("cred/azure-se", 0o666)):
        (cli.home / path).chmod(bits)
    cli.init()
    assert mode(cli.home / "store" / "lock.mdb") == 0o660
    assert mode(cli.home / "audit" / "open") == 0o2770
    assert mode(cli.home / "cred" / "azure-se") == 0o640
    cli.run("explain", "--request", cli.request(), "--key", key, "--node", "fra-1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_init_as_root_gives_the_home_away(cli):
    import pwd
    cli.init()
    nobody = pwd.getpwnam("nobody")
    for path in ("", "store", "store/data.mdb", "store/lock.mdb", "audit/open", "cred"):
        info = (cli.home / path).stat()
        assert (info.st_uid, info.st_gid) == (nobody.pw_uid, nobody.pw_gid), path
    info = (cli.secrets / "store.key").stat()
    assert (info.st_uid, info.st_gid) == (0, nobody.pw_gid)


def test_init_missing_user_says_how_to_make_it(cli):
    done = cli.run("init", "--user", "no-such-user", code=1)
    assert done.stderr.splitlines()[:2] == [
        'gatehouse init: there is no user "no-such-user"',
        "  do: useradd --system --user-group --no-create-home --shell /usr/sbin/nologin no-such-user"]
    assert not cli.home.exists()


def test_init_missing_group(cli):
    done = cli.run("init", *owner_arguments()[:2], "--group", "no-such-group", code=1)
    assert done.stderr.startswith('gatehouse init: there is no group "no-such-group"\n  do: ')
    assert not cli.home.exists()


def test_init_missing_parent(cli):
    done = cli.init("--home", cli.tmp / "no" / "where", code=1)
    assert done.stderr.splitlines() == [
        f"gatehouse init: cannot make {cli.tmp}/no/where: the directory it is to stand in does not exist",
        f"  do: make the directory above {cli.tmp}/no/where first, or name another place"]


def test_init_does_not_take_over_other_directories(cli):
    cli.home.mkdir()
    (cli.home / "passwd").write_text("x")
    before = cli.home.stat()
    done = cli.init(code=1)
    assert done.stderr.splitlines()[0] == (f"gatehouse init: {cli.home} holds other things already (passwd), so its owner "
                                           "and mode are not changed")
    assert (cli.home.stat().st_mode, cli.home.stat().st_uid) == (before.st_mode, before.st_uid)


def test_init_never_makes_a_new_key_for_an_old_store(cli):
    cli.init()
    (cli.secrets / "store.key").unlink()
    done = cli.init(code=1)
    assert "store.key is missing, but" in done.stderr and "bring the key back from a copy" in done.stderr
    assert not (cli.secrets / "store.key").exists()


def test_a_lost_store_is_not_made_anew(ready):
    (ready.home / "store" / "data.mdb").unlink()
    done = ready.init(code=1)
    assert "data.mdb is gone: a policy store was there" in done.stderr and "do: gatehouse restore FILE" in done.stderr
    assert not (ready.home / "store" / "data.mdb").exists()
    assert "do: gatehouse restore FILE" in ready.run("policy", "show", code=1).stderr


def test_advice_names_the_owner_of_the_home(ready):
    (ready.home / "ledger").unlink()
    advice = ready.run("policy", "wait", code=1).stderr
    entry = ready.home.stat()
    words = [f" --user {pwd.getpwuid(entry.st_uid).pw_name}", f" --group {grp.getgrgid(entry.st_gid).gr_name}"]
    for word, default in zip(words, (" --user gatehouse", " --group www-data")):
        assert (word in advice) == (os.geteuid() == 0 and word != default)


def test_init_refuses_links_inside_the_home(cli):
    cli.home.mkdir()
    (cli.tmp / "elsewhere").mkdir()
    (cli.home / "store").symlink_to(cli.tmp / "elsewhere")
    before = (cli.tmp / "elsewhere").stat().st_mode
    done = cli.init(code=1)
    assert f"cannot open {cli.home}/store: it is there, but not a directory" in done.stderr
    assert (cli.tmp / "elsewhere").stat().st_mode == before


def test_init_home_that_is_a_file(cli):
    cli.home.write_text("x")
    assert f"cannot open {cli.home}: it is there, but not a directory" in cli.init(code=1).stderr


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_wrong_length_is_named(cli, size):
    cli.init()
    (cli.secrets / "store.key").write_bytes(b"x" * size)
    for arguments in (["key", "list"], ["init", *owner_arguments()]):
        assert "store.key" in cli.run(*arguments, code=1).stderr


# ---- without a store ----


EVERY_STORE_COMMAND = [
    ["policy", "apply", "policy"], ["key", "create", "nordbank/retail/chat", "sdk"], ["key", "list"],
    ["key", "revoke", "nordbank/retail/chat/sdk"], ["explain", "--request", "request.json", "--as", "nordbank/retail/chat",
                                                   "--node", "fra-1"]]


@pytest.mark.parametrize("arguments", EVERY_STORE_COMMAND)
def test_without_a_store_every_command_names_init(cli, arguments):
    write_policy(cli.tmp / "policy")
    cli.request()
    done = cli.run(*arguments, code=1, cwd=cli.tmp)
    assert done.stderr.splitlines() == [
        f"gatehouse {' '.join(arguments[:2] if arguments[0] != 'explain' else arguments[:1])}: "
        f"the policy store {cli.home}/store/data.mdb does not exist",
        f"  do: gatehouse init --home {cli.home} --secrets {cli.secrets}"]
    assert not cli.home.exists() and not cli.secrets.exists()


def test_default_places_are_not_repeated(cli):
    done = cli.run("key", "list", code=1, env={"PATH": os.environ["PATH"], "GATEHOUSE_HOME": str(cli.home),
                                              "GATEHOUSE_SECRETS": "/etc/gatehouse"})
    assert done.stderr.splitlines()[1] == f"  do: gatehouse init --home {cli.home}"


def test_options_go_before_the_environment(cli):
    done = cli.run("key", "list", "--home", "/nonexistent-home", code=1)
    assert "/nonexistent-home/store/data.mdb" in done.stderr


@pytest.mark.parametrize("arguments", [["key", "create", "nordbank/retail/chat", "sdk"],
                                       ["explain", "--request", "request.json", "--as", "nordbank/retail/chat",
                                        "--node", "fra-1"]])
def test_an_empty_store_names_apply(cli, arguments):
    cli.init()
    cli.request()
    done = cli.run(*arguments, code=1, cwd=cli.tmp)
    assert f"  do: gatehouse policy apply DIR --home {cli.home} --secrets {cli.secrets}" in done.stderr


def test_the_wrong_key_is_a_damaged_store(ready):
    (ready.secrets / "store.key").write_bytes(bytes(32))
    done = ready.run("explain", "--request", ready.request(), "--as", "nordbank/retail/chat", "--node", "fra-1", code=1)
    assert "store.key" in done.stderr and "do: " in done.stderr


@pytest.mark.parametrize("cut", [0, 100, 4096, 8192])
def test_a_cut_store_is_an_error_and_no_crash(ready, cut):
    with open(ready.home / "store" / "data.mdb", "r+b") as file:
        file.truncate(cut)
    for arguments in (["key", "list"], ["policy", "apply", ready.tmp / "policy"]):
        done = ready.run(*arguments, code=1)
        assert str(ready.home) in done.stderr


# ---- no room, no rights, no output ----


def as_nobody():
    os.setgid(65534)
    os.setuid(65534)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_another_user_is_told_what_to_do(ready):
    for directory in [ready.tmp, *ready.tmp.parents]:
        if str(directory).startswith("/tmp/"):
            directory.chmod(directory.stat().st_mode | 0o055)
    ready.run("init", "--user", "root", "--group", "root")
    done = ready.run("key", "list", code=1, preexec_fn=as_nobody)
    assert done.stderr.startswith(f"gatehouse key list: the policy store {ready.home}/store/data.mdb may not be read by "
                                  "this user\n  do: run this as root")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory(cli):
    cli.tmp.chmod(0o555)
    try:
        done = cli.init(code=1)
    finally:
        cli.tmp.chmod(0o755)
    assert f"cannot make {cli.home}: Permission denied" in done.stderr
    assert "name places that you may write with --home and --secrets" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
def test_read_only_directory_as_another_user(cli):
    for directory in [cli.tmp, *cli.tmp.parents]:
        if str(directory).startswith("/tmp/"):
            directory.chmod(directory.stat().st_mode | 0o055)
    done = cli.run("init", code=1, preexec_fn=as_nobody)
    assert f"cannot make {cli.home}: Permission denied" in done.stderr
    assert "name places that you may write with --home and --secrets" in done.stderr


def test_a_file_size_limit_leaves_the_old_revision(ready):
    """Stands in for a full disk where nothing can be mounted."""
    limit = (ready.home / "store" / "data.mdb").stat().st_size
    write_policy(ready.tmp / "policy", fleet=changed(FLEET, lambda f: f["deployments"].extend(
        dict(f["deployments"][0], id=f"azure-{n}") for n in range(400))))
    done = ready.run("policy", "apply", ready.tmp / "policy", code=1,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "nothing was applied" in done.stderr
    assert "revision 2" in ready.run("policy", "apply", ready.tmp / "policy").stdout


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 328 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1220k", "none", place],
                                           capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_full_disk(small_disk):
    cli = Cli(small_disk)
    cli.init("--ledger-size", "1m")
    policy = write_policy(small_disk.parent / "policy")
    cli.run("policy", "apply", policy)
    try:
        with open(small_disk / "ballast", "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
    done = cli.run("policy", "apply", write_policy(policy, fleet=changed(FLEET, lambda f: f["deployments"].extend(
        dict(f["deployments"][0], id=f"azure-{n}") for n in range(400)))), code=1)
    assert "nothing was applied" in done.stderr
    assert "do: make room" in done.stderr
    cli.run("explain", "--request", Cli(small_disk.parent).request(), "--as", "nordbank/retail/chat", "--node", "fra-1")
    (small_disk / "ballast").unlink()
    assert "revision 2\n" in cli.run("policy", "apply", write_policy(policy)).stdout


def test_init_on_a_full_disk_can_be_repeated(small_disk):
    cli = Cli(small_disk)
    ballast = small_disk / "ballast"
    try:
        with open(ballast, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
    done = cli.init("--ledger-size", "1m", code=1)
    assert "No space left on device" in done.stderr
    ballast.unlink()
    cli.init("--ledger-size", "1m")
    cli.run("policy", "apply", write_policy(small_disk.parent / "policy"))


def test_output_that_cannot_be_written_is_an_error(ready):
    with open("/dev/full", "w") as full:
        done = subprocess.run([GATEHOUSE, "key", "create", "nordbank/retail/chat", "lost"], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=ready.environment)
    assert done.returncode == 1
    assert "cannot write to standard output: No space left on device" in done.stderr
    assert "gatehouse key revoke nordbank/retail/chat/lost" in done.stderr


def test_closed_output_does_not_write_the_key_into_the_store(ready):
    done = subprocess.run(["sh", "-c", f"{GATEHOUSE} key create nordbank/retail/chat closed >&-"], capture_output=True,
                          text=True, env=ready.environment)
    assert done.returncode == 1
    assert b"gh_" not in (ready.home / "store" / "data.mdb").read_bytes()
    ready.run("key", "list")


def test_help_is_quick(cli):
    def used():
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime
    begun = used()
    cli.run("help")
    assert used() - begun < 1
