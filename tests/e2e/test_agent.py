"""`gatehouse agent` beside the workers: it sweeps, copies edits and counters, and nothing is lost or done twice when it dies."""
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import records
from agent import Agent, modified, until
from client import Client, ask, body_of
from gateway import COMMAND, Backend
from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, chunk, delta, role, send, wait

STREAM = body_of(stream=True)


def lines_of(gateway, kind):
    return [line for line in records.lines(gateway.audit) if line["type"] == kind]


@pytest.fixture
def plant(make_gateway, mock):
    backend = mock("127.0.0.61", name="one")
    gateway = make_gateway([Backend("one", backend)], workers=2, shutdown="20s")
    gateway.one = backend
    gateway.apply()
    return gateway.start()


@pytest.fixture
def agents():
    made = []

    def make(*arguments, **options):
        made.append(Agent(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def held(gateway, count):
    """That many streams under way, and the gate that ends them."""
    gate = threading.Event()
    clients = []
    for _ in range(count):
        gateway.one.play(Script(send(STREAM_HEAD + chunk(role()) + chunk(delta("x"))), wait(gate, 60), send(chunk(DONE) + LAST_CHUNK)))
        one = Client(gateway.port)
        one.request(body=STREAM, key=gateway.key())
        assert one.head().status == 200
        clients.append(one)
    return gate, clients


def kill_workers(gateway):
    gateway.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
    victims = gateway.worker_pids()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    return victims


def test_the_agent_sweeps_while_it_lives(plant, agents):
    """What dead workers left is named by the agent, in the dead workers' own files; edits are copied by it; workers do so again when it is gone."""
    agent = agents(plant).start()
    until(lambda: agent.lines("the agent sweeps from now on"))
    gate, clients = held(plant, 4)
    seen = {request.id for request in plant.one.requests}
    victims = kill_workers(plant)
    until(lambda: len(lines_of(plant, "lost")) >= len(seen))
    gate.set()
    for one in clients:
        one.leave()
    assert sorted(line["id"] for line in lines_of(plant, "lost")) == sorted(seen)
    for path in records.files(plant.audit):
        found = records.check_chain(path)
        if int(records.NAME.match(path.name).group("pid")) in victims:
            assert found[-1]["type"] == "seal" and found[-1]["recovered_by"] == agent.process.pid
    plant.key(name="by-agent")
    until(lambda: any("by-agent" in str(line) for line in lines_of(plant, "change")))
    agent.stop()
    assert agent.lines("the agent has ended")
    plant.key(name="by-worker")
    until(lambda: any("by-worker" in str(line) for line in lines_of(plant, "change")))
    changes = [line["number"] for line in lines_of(plant, "change")]
    assert changes == sorted(set(changes))
    until(lambda: plant.worker_pids() and ask(plant).status == 200)
    until(lambda: {line["id"] for line in lines_of(plant, "decision")} - seen <= {line["id"] for line in lines_of(plant, "outcome")})
    records.check_all(plant.audit, running=seen)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_it_runs_as_the_home_owner_who_is_no_worker(make_gateway, mock, agents):
    """Its user is not the workers': they share the group of audit/open, and may finish each other's files there."""
    backend = mock("127.0.0.61", name="one")
    gateway = make_gateway([Backend("one", backend)], init=False)
    gateway.one = backend
    gateway.command("init", "--user", "nobody", "--group", "www-data", "--ledger-size", "16m")
    gateway.apply()
    gateway.start()
    subprocess.run(["chgrp", "-R", "www-data", gateway.secrets], check=True)
    agent = agents(gateway, user="nobody")
    agent.path.touch()
    agent.start()
    until(lambda: agent.lines("the agent sweeps from now on"))
    until(lambda: lines_of(gateway, "change"))
    gate, clients = held(gateway, 2)
    seen = {request.id for request in gateway.one.requests}
    kill_workers(gateway)
    until(lambda: len(lines_of(gateway, "lost")) == len(seen))
    gate.set()
    for one in clients:
        one.leave()
    agent.kill()                                  # a worker goes on with the changes in the agent's own file
    gateway.key(name="after")
    until(lambda: any("after" in str(line) for line in lines_of(gateway, "change")))
    records.check_all(gateway.audit, running=seen)


@pytest.mark.parametrize("wrong", ["node", "audit"])
def test_an_agent_of_another_record_leaves_it_to_the_workers(plant, agents, wrong):
    """Of another node, or of other directories: it says so, and what dead workers left is finished by workers. One that is right takes it over."""
    other = plant.prefix / "other-audit"
    agent = agents(plant, node="node-2").start() if wrong == "node" else agents(plant, "--audit", str(other)).start()
    said = "the agent does not sweep, workers do: its record is not theirs"
    until(lambda: agent.lines(said))
    assert [line["code"] for line in agent.lines(said)] == ["sweep_" + wrong] and ("--node node-2" if wrong == "node" else str(other)) in agent.lines(said)[0]["error"]
    gate, clients = held(plant, 2)
    seen = {request.id for request in plant.one.requests}
    victims = kill_workers(plant)
    until(lambda: len(lines_of(plant, "lost")) >= len(seen))
    gate.set()
    for one in clients:
        one.leave()
    assert sorted(line["id"] for line in lines_of(plant, "lost")) == sorted(seen)
    for path in records.files(plant.audit):
        if int(records.NAME.match(path.name).group("pid")) in victims:
            found = records.check_chain(path)
            assert found[-1]["type"] == "seal" and found[-1]["recovered_by"] != agent.process.pid
    plant.key(name="by-worker")
    until(lambda: any("by-worker" in str(line) for line in lines_of(plant, "change")))
    assert len(agent.lines(said)) == 1 and "agent is gone" not in plant.log.read_text()

    def sweep():
        told = plant.command("agent", "status", "--json", "--check", check=False)
        return told.returncode, next(one for one in json.loads(told.stdout)["sources"] if one["kind"] == "sweep")
    until(lambda: sweep()[1]["state"] != "fine")
    assert sweep()[0] == 2 and sweep()[1]["code"] == "sweep_" + wrong
    agent.stop()
    link = plant.prefix / "link"                  # the same directory by another path is the same record
    link.symlink_to(plant.audit)
    before = len(agent.lines("the agent sweeps from now on"))
    right = agents(plant, "--audit", str(link)).start()
    until(lambda: len(right.lines("the agent sweeps from now on")) > before)
    until(lambda: sweep()[1]["state"] == "fine")
    records.check_all(plant.audit, running=seen)


def test_an_agent_that_may_not_write_the_record(make_gateway, mock, agents):
    """It says so, in its log and its status, and leaves it to the workers; when it may again it takes it over."""
    other, group = (("nobody", ["--user", "nobody", "--group", "www-data"]) if os.geteuid() == 0 else (None, []))
    gateway = make_gateway([Backend("one", mock("127.0.0.61", name="one"))], init=False)
    gateway.command("init", *group, "--ledger-size", "16m")
    gateway.apply()
    gateway.start()
    if other:
        subprocess.run(["chgrp", "-R", "www-data", gateway.secrets], check=True)
    opened = gateway.audit / "open"
    mode = opened.stat().st_mode & 0o7777
    opened.chmod(mode & ~0o200)                   # its owner is the agent, who is no worker where root runs this
    agent = agents(gateway, user=other)
    agent.path.touch()
    agent.start()
    said = "the agent does not sweep, workers do: its record is not theirs"
    until(lambda: agent.lines(said))
    assert [line["code"] for line in agent.lines(said)] == ["sweep_denied"] and str(gateway.audit) in agent.lines(said)[0]["error"]

    def sweep():
        told = gateway.command("agent", "status", "--json", "--check", check=False)
        return told.returncode, next((one for one in json.loads(told.stdout)["sources"] if one["kind"] == "sweep"), {"state": "none"})
    until(lambda: sweep()[1]["state"] not in ("none", "fine"))
    assert sweep()[0] == 2 and sweep()[1]["code"] == "sweep_denied"
    assert "the agent may not write open/ of an audit directory: the workers sweep" in gateway.command("agent", "status").stdout
    assert not agent.lines("the agent sweeps from now on")
    opened.chmod(mode)
    until(lambda: agent.lines("the agent sweeps from now on"))
    until(lambda: sweep()[1]["state"] == "fine")


def test_reading_again_keeps_it_from_nothing(plant, agents):
    """However often it is told to read everything again: it says what it does, and its counters go to the disk."""
    agent = agents(plant, "--checkpoint", "100ms").start()
    status, checkpoint = plant.home / "agent" / "status.json", plant.home / "ledger.ckpt"
    until(lambda: status.exists() and checkpoint.exists())
    for path in (status, checkpoint):
        for _ in range(2):
            was = modified(path)

            def later():
                for _ in range(200):
                    agent.process.send_signal(signal.SIGHUP)
                return modified(path) != was
            until(later)
    assert agent.process.poll() is None and len(agent.lines("everything is read again")) > 4


def test_killed_at_random_under_load(plant, agents):
    """Requests go on, workers die, the agent is killed and started: every request has one end, every edit stands once."""
    draw = random.Random(7)
    agent = agents(plant, "--checkpoint", "100ms").start()
    stop, answers = threading.Event(), []

    def load():
        while not stop.is_set():
            try:
                answers.append(ask(plant, key=plant.keys["acme/red/app"]).status)
            except OSError:
                pass
            except AssertionError:
                pass
            time.sleep(0.005)
    plant.key()
    runners = [threading.Thread(target=load) for _ in range(3)]
    for one in runners:
        one.start()
    for turn in range(6):
        time.sleep(draw.uniform(0.05, 0.5))
        if turn % 3 == 1:
            plant.expect_log(r"\[alert\].*worker process \d+ exited on signal 9")
            os.kill(draw.choice(plant.worker_pids()), signal.SIGKILL)
        agent.kill()
        plant.key(name=f"k{turn}")
        agent.start()
    until(lambda: answers.count(200) > 50)
    stop.set()
    for one in runners:
        one.join()
    until(lambda: all(any(f"k{turn}" in str(line) for line in lines_of(plant, "change")) for turn in range(6)))
    numbers = [line["number"] for line in lines_of(plant, "change")]
    assert len(numbers) == len(set(numbers)), "an edit was copied twice"

    def owed():
        lines = records.lines(plant.audit)
        ended = {line["id"] for line in lines if line["type"] in ("outcome", "lost")}
        return {line["id"] for line in lines if line["type"] == "decision" and line.get("verdict") == "allow"} - ended
    until(lambda: not owed())
    ends = [line["id"] for line in records.lines(plant.audit) if line["type"] in ("outcome", "lost")]
    assert len(ends) == len(set(ends)), "a request ended twice"
    agent.stop()
    checked = plant.command("ledger", "check", "--json", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_one_agent_and_its_checkpoints(plant, agents):
    """A second one is refused; counters are copied while it runs and at its end; `ledger checkpoint --every` leaves the work to it."""
    agent = agents(plant, "--checkpoint", "100ms").start()
    second = subprocess.run([COMMAND, "agent", "--node", "node-1"], env=plant.environment, capture_output=True, text=True, timeout=120)
    assert second.returncode == 1 and "another agent of this home is running" in second.stderr, second
    checkpoint = plant.home / "ledger.ckpt"
    until(lambda: modified(checkpoint))
    before = modified(checkpoint)
    until(lambda: modified(checkpoint) != before)
    done = plant.command("ledger", "checkpoint", "--every", "1s", check=False)
    assert done.returncode == 1 and "the agent makes checkpoints already" in done.stderr
    plant.command("ledger", "checkpoint")
    shown = json.loads(plant.command("ledger", "show", "--json").stdout)["agent"]
    assert shown["runs"] and shown["pid"] == agent.process.pid
    assert len(json.loads(plant.command("ledger", "show", "--json").stdout)["workers"]) == 2   # it is no worker: no edit waits for it
    agent.process.send_signal(signal.SIGSTOP)
    plant.apply()
    agent.process.send_signal(signal.SIGCONT)
    agent.process.send_signal(signal.SIGHUP)
    agent.told("READY=1")
    before = modified(checkpoint)
    agent.process.send_signal(signal.SIGTERM)
    agent.told("STOPPING=1")
    assert agent.process.wait(60) == 0 and modified(checkpoint) != before
    assert json.loads(plant.command("ledger", "show", "--json").stdout)["agent"] == {"runs": False}
    assert agent.lines("everything is read again") and all({"t", "level", "what"} <= set(line) for line in agent.lines())


def test_it_waits_for_what_is_not_there(make_gateway, mock, agents):
    """No ledger, then a ledger, then another one: the agent says so, goes on, and finds it."""
    gateway = make_gateway([Backend("one", mock("127.0.0.61", name="one"))])
    gateway.apply()
    ledger = gateway.home / "ledger"
    aside = ledger.with_name("ledger.aside")
    ledger.rename(aside)
    agent = agents(gateway).start()
    until(lambda: agent.lines("the ledger cannot be used: nothing is swept"))
    aside.rename(ledger)
    until(lambda: agent.lines("the agent sweeps from now on"))
    ledger.unlink()
    until(lambda: agent.lines("the ledger is another one"))
    gateway.command("init", "--user", "root" if os.geteuid() == 0 else os.environ["USER"], "--ledger-size", "16m", *(["--group", "www-data"] if os.geteuid() == 0 else []))
    until(lambda: len(agent.lines("the agent sweeps from now on")) == 2)
