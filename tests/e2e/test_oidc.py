"""Identity providers that others wrote, with node: their metadata, their keys and their tokens, while they rotate. Skipped with a word where node or npm is missing."""
import collections
import fcntl
import functools
import json
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import pytest

import records
from agent import Agent, until
from client import Client, ask, body_of, expect_error
from documents import allow, deployment, fleet, residency, tenants
from gateway import Backend

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "build/node-oidc"
PINS = ["oidc-provider@9.13.3", "oauth2-mock-server@8.2.3"]


@functools.cache
def why():
    """None, or why they cannot be had; installs them at first, once for all processes of tests."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node or npm is not installed"
    found = re.match(r"v(\d+)\.", subprocess.run(["node", "--version"], capture_output=True, text=True).stdout)
    if not found or int(found.group(1)) < 20:
        return "node is older than 20"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "stamp"
        if not stamp.exists() or stamp.read_text() != " ".join(PINS):
            try:
                done = subprocess.run(["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--silent", *PINS], capture_output=True, text=True, timeout=100)
            except subprocess.TimeoutExpired:
                return "npm could not install them in time"
            if done.returncode != 0:
                return "npm could not install them: " + (done.stderr.strip() or done.stdout.strip())[-200:]
            stamp.write_text(" ".join(PINS))
    return None


class Provider:
    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(["node", pathlib.Path(__file__).with_name("oidc.mjs"), FOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)

    def say(self, **asked):
        self.process.stdin.write(json.dumps({"provider": self.name, **asked}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                assert "error" not in answer, answer["error"]
                return answer
        raise AssertionError("node has ended")

    def token(self):
        return self.say(token=True)["token"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(params=["oidc-provider", "oauth2-mock-server"])
def login(request, make_gateway, mock):
    """A gateway whose tokens are those of a real provider: .provider, which signs with key a, and .agent, not started."""
    if why():
        pytest.skip(why())
    gateway = make_gateway([Backend("b1", mock("127.0.0.62", name="b1"))])
    gateway.provider, gateway.agent = Provider(request.param), Agent(gateway)
    try:
        issuer = gateway.provider.say(kids=["a"], signs="a")["issuer"]
        gateway.apply(fleet(deployment("b1")), residency(allow("all", classes=["public"]), classes=("public", "secret")), tenants(),
                      {"kind": "identity/1", "organisation": "acme", "issuers": [
                          {"id": "login", "issuer": issuer, "discovery": f"{issuer}/.well-known/openid-configuration", "audiences": ["api://gatehouse"],
                           "algorithms": ["ES256"], "user": "sub", "apps": [{"when": {"client_id": "red-client"}, "app": "red/app"}]}]})
        yield gateway.start()
    finally:
        gateway.agent.close()
        gateway.provider.close()


def fetched(agent, times):
    """Has it fetched other keys so many times?"""
    return len(agent.lines("keys of an issuer were fetched")) >= times


def test_a_real_provider_rotates(login):
    provider, agent = login.provider, login.agent
    first = provider.token()
    expect_error(ask(login, key=first), 503, "identity_unavailable")
    agent.start()
    until(lambda: ask(login, key=first).status == 200)
    # the next key is published, then signs, then the first is taken away
    provider.say(kids=["a", "b"], signs="a")
    agent.process.send_signal(signal.SIGHUP)
    until(lambda: fetched(agent, 2))
    assert ask(login, key=provider.token()).status == 200
    provider.say(kids=["a", "b"], signs="b")
    second = provider.token()
    until(lambda: ask(login, key=second).status == 200)
    assert ask(login, key=first).status == 200
    provider.say(kids=["b"], signs="b")
    agent.process.send_signal(signal.SIGHUP)
    until(lambda: ask(login, key=first).status == 401)
    assert ask(login, key=second).status == 200 and ask(login, key=provider.token()).status == 200


class Load:
    """
    Clients that ask all the time, each on one connection after another, with tokens of every key there has been. A key is good from its first accepted token until its withdrawal
    begins, and over from its first refused token on. An answer is judged by whether its key is good when it has come, and was over before its request began: that holds in whatever order
    things happen.
    """
    EACH, PAUSE = 8, 0.02                        # requests on a connection; seconds after each, which leave the machine something for the rest

    def __init__(self, gateway, clients=4):
        self.gateway, self.lock, self.stopped, self.wrong = gateway, threading.Lock(), threading.Event(), []
        self.tokens, self.turns, self.good, self.over = {}, list(range(clients)), set(), set()
        self.counts = collections.Counter()      # by client, key and status
        self.threads = [threading.Thread(target=self.client, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def add(self, kid, tokens):
        with self.lock:
            self.tokens[kid] = list(tokens)
            self.good.add(kid)

    def withdraw(self, kid):
        with self.lock:
            self.good.remove(kid)

    def next(self, number):
        """A key, a token of it and whether it was over: the keys by turns, and of each its tokens by turns, so that some were seen before and some were not."""
        with self.lock:
            self.turns[number] += 1
            round_, at = divmod(self.turns[number], len(self.tokens))
            kid = sorted(self.tokens)[at]
            return kid, self.tokens[kid][round_ % len(self.tokens[kid])], kid in self.over

    def judge(self, number, kid, was_over, answer):
        with self.lock:
            code = answer.error["code"] if answer.status == 401 else None
            if answer.status not in (200, 401) or code not in (None, "invalid_token") or (kid in self.good and answer.status != 200) or (was_over and answer.status != 401):
                self.wrong.append((kid, was_over, answer))
            if answer.status == 401:
                self.over.add(kid)
            self.counts[number, kid, answer.status] += 1

    def client(self, number):
        try:
            while not self.stopped.is_set():
                with Client(self.gateway.port) as client:
                    for _ in range(self.EACH):
                        kid, token, was_over = self.next(number)
                        answer = client.request(body=body_of(), key=token).answer()
                        self.judge(number, kid, was_over, answer)
                        self.stopped.wait(self.PAUSE)
                        if answer.status != 200:
                            break                # what a refusal leaves of the connection is not asked here
        except Exception as problem:             # of a thread: the test says it
            self.wrong.append((number, repr(problem)))

    def until(self, kid, status, more=4):
        """Waits until each client had so many more answers of that kind."""
        with self.lock:
            begun = dict(self.counts)

        def done():
            assert not self.wrong, self.wrong[:3]
            with self.lock:
                return all(self.counts[number, kid, status] >= begun.get((number, kid, status), 0) + more for number in range(len(self.threads)))
        until(done)


def test_a_real_provider_rotates_under_load(login):
    """Two rotations, while clients ask with tokens of the old key and of the new one: none of a good key is refused, and none counts once its key is over."""
    provider, agent, kids = login.provider, login.agent, ["a", "b", "c"]
    file = login.home / "agent/keys/acme.login.json"

    def publish(*kids, signs):
        """The agent is asked until it has these: it may be fetching what was before, or while the provider starts again."""
        provider.say(kids=kids, signs=signs)

        def has():
            agent.process.send_signal(signal.SIGHUP)
            return file.exists() and {one["kid"] for one in json.loads(file.read_text())["keys"]["keys"]} == set(kids)
        until(has, every=0.2)

    def accepted_tokens():
        tokens = [provider.token() for _ in range(8)]
        until(lambda: ask(login, key=tokens[0]).status == 200)
        return tokens

    agent.start()
    publish("a", signs="a")
    load = Load(login)
    load.add("a", accepted_tokens())
    with load:
        load.until("a", 200)
        for old, new in zip(kids, kids[1:]):
            publish(old, new, signs=old)
            publish(old, new, signs=new)
            load.add(new, accepted_tokens())
            load.until(old, 200)
            load.until(new, 200)
            load.withdraw(old)
            publish(new, signs=new)
            load.until(old, 401)
            load.until(new, 200)
    assert not load.wrong, load.wrong[:3]
    assert load.over == {"a", "b"} and all(load.counts[number, kid, status] for number in range(4) for kid in "ab" for status in (200, 401))
    lines = [line for line in records.lines(login.audit) if line["type"] == "decision"]
    accepted = sum(count for (_, _, status), count in load.counts.items() if status == 200)
    assert sum(line["key"] == "@login" for line in lines) >= accepted
