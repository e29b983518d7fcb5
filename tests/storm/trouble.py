"""What goes on while the load runs: policy edits, keys that come and go, backends that fail, workers that are killed, stopped and reloaded."""
import collections
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import trail
from documents import allow, azure, deployment, fleet, forbid, residency, tenants
from gateway import COMMAND
from mock_backend import Script, answer, close, echo, hang, pause, provider_error, reset, send

ORGANISATIONS = ("acme", "umbra")
EU, CHEAP, DEAR = ["EU"], {"input": 1, "output": 1}, {"input": 900, "output": 900}


def price(of):
    return {"m": {"upstream": "m", "price": of, "source": "made for tests", "as_of": "2026-01-01"}}


def fleet_of(dice=None):
    """The US ones are cheap, so they come first wherever they may. With dice: a region, a SKU or a country is another, or one is gone."""
    change = dice.choice(("nothing", "global", "global", "moved", "gone", "kept")) if dice else "nothing"
    ours = {"serves": list(ORGANISATIONS)}
    made = [
        deployment("us", models=price(CHEAP), country="US", **ours),
        deployment("us-slow", models=price(CHEAP), country="US", **ours),
        azure("azure", sku="GlobalStandard" if change == "global" else "Standard", models=price(CHEAP), **ours),
        deployment("eu", models=price(DEAR), priority=2, country="DE", **ours),
        deployment("eu-slow", models=price(DEAR), priority=2, country="US" if change == "moved" else "SE", **ours),
    ]
    if change == "kept":
        made[2]["store"] = {"in": ["US"], "days": 30}
    return fleet(*(one for one in made if change != "gone" or one["id"] != "eu-slow"))


def policy_of(organisation, dice=None):
    what = dice.choice(("wide", "wide", "wide", "eu", "eu", "no-us", "secret-eu", "off")) if dice else "wide"
    rules, forbids = [allow("wide", ("public", "secret"))], []
    if what == "eu":
        rules = [allow("eu", ("public", "secret"), process=EU, store=EU)]
    elif what == "no-us":
        forbids = [forbid("no-us", process=["US"])]
    elif what == "secret-eu":
        rules = [allow("wide", ("public",)), allow("secret-eu", ("secret",), process=EU, store="nothing")]
    elif what == "off":
        forbids = [forbid("off")]
    return residency(*rules, forbids=forbids, name=organisation, classes=("public", "secret"), classify={"labels": ["header:x-data-class"]})


def tenants_of(organisation):
    return tenants("red", organisation=organisation)


class Trouble:
    """Each kind on a thread of its own until `stop`."""

    def __init__(self, gateway, mocks, keys, seed, long=False):
        self.gateway, self.mocks, self.keys, self.seed = gateway, mocks, keys, seed
        self.counts, self.stopping, self.failed, self.lock = collections.Counter(), threading.Event(), [], threading.Lock()
        help_text = gateway.command("policy", "apply", "--help").stdout
        self.can_cut = "--cut" in help_text
        self.can_roll_back = "policy rollback" in gateway.command("policy", "--help").stdout
        kinds = (self.edit, self.edit, *([self.killed_edit] if self.can_cut and self.can_roll_back else []), self.revoke, self.fail, self.kill, self.pause, self.reload)
        self.threads = [threading.Thread(target=self._forever, args=(kind, number), daemon=True) for number, kind in enumerate(kinds)]
        self.directories, self.long = 0, long               # long: workers also stand still for longer than an editor waits

    def start(self):
        for one in self.threads:
            one.start()

    def stop(self):
        self.stopping.set()
        for one in self.threads:
            one.join(120)
        for mock in self.mocks.values():
            mock.default = echo
            mock.listen()

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def _forever(self, kind, number):
        dice = random.Random(f"{self.seed}/{kind.__name__}/{number}")
        try:
            while not self.stopping.is_set():
                kind(dice)
        except Exception as problem:                        # told at the end
            self.failed.append(f"{kind.__name__}: {problem!r}")

    # ---- policy ----

    def documents(self, *texts):
        with self.lock:
            self.directories += 1
            directory = self.gateway.prefix / f"storm-{self.directories}"
        directory.mkdir()
        for number, text in enumerate(texts):
            (directory / f"{number}.json").write_text(json.dumps(text, indent=1))
        return directory

    def edit(self, dice):
        """One organisation's policy, the fleet, all of it, or back to an older revision."""
        self.stopping.wait(dice.random() * 0.9)
        what = dice.random()
        organisation = dice.choice(ORGANISATIONS)
        if what < 0.6:
            arguments = ["policy", "apply", self.documents(policy_of(organisation, dice), tenants_of(organisation)), "--organisation", organisation]
        elif what < 0.85 or not self.can_roll_back:
            arguments = ["policy", "apply", self.documents(fleet_of(dice)), "--gateway"]
        else:
            arguments = ["policy", "rollback", str(max(1, self.gateway.revision - dice.randrange(1, 4)))]
        if self.can_cut and dice.random() < 0.9:
            arguments.append(dice.choice(("--cut", "--cut", "--let-finish")))
        done = self.gateway.command(*arguments, "--author", "storm", "--reason", "storm", check=False)
        found = re.search(r'revision"?:? (\d+)', done.stdout)
        if found:
            self.gateway.revision = max(self.gateway.revision, int(found.group(1)))
        self.count({0: "edits acknowledged", 1: "edits refused", 3: "edits not acknowledged"}.get(done.returncode, f"edits that ended with {done.returncode}"))
        if done.returncode not in (0, 1, 3):
            self.failed.append(f"{arguments}: {done.returncode} {done.stderr}")
        if done.returncode == 3:                            # a worker stands still for longer than the editor waits
            done = self.gateway.command("policy", "wait", check=False)
            self.count("edits confirmed later" if done.returncode == 0 else "edits never confirmed")

    def killed_edit(self, dice):
        """
        An editor that is killed somewhere between its first look and its last word. The history says whether it committed; nobody acknowledged it. LMDB's
        readers learn of a commit whose writer was killed while it wrote the last page from the next writer only, so there is one before history is asked.
        """
        self.stopping.wait(3 + dice.random() * 4)
        organisation = dice.choice(ORGANISATIONS)
        directory = self.documents(policy_of(organisation, dice), tenants_of(organisation))
        words = ["policy", "apply", str(directory), "--organisation", organisation, "--cut", "--author", "storm", "--reason", f"killed in {directory.name}"]
        begin = time.time()
        process = subprocess.Popen([COMMAND, *words], env=self.gateway.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.random() ** 2 * 0.1)
        process.kill()
        process.wait()
        self.gateway.command("key", "create", f"{organisation}/red/app", f"behind-{directory.name}", check=False)
        history = json.loads(self.gateway.command("policy", "history", "--json").stdout)
        number = next((one["revision"] for one in history if one["reason"] == words[-1]), None)
        self.gateway.trail.write("edit", command="policy apply", argv=words, begin=begin, end=time.time(), exit=3 if number else 1, out=f"revision {number}",
                                 documents=trail.documents_in(directory), scope=None)
        self.count("editors killed after their commit" if number else "editors killed before their commit")

    def revoke(self, dice):
        """A key that is used for a while, and on after it was revoked."""
        organisation = dice.choice(ORGANISATIONS)
        with self.lock:
            self.directories += 1
            name = f"key-{self.directories}"
        owner = f"{organisation}/red/app"
        made = self.gateway.command("key", "create", owner, name, check=False)
        if made.returncode == 1 and "another edit came in between" in made.stderr:
            self.count("keys not made for another edit")
            return
        if made.returncode not in (0, 3):                   # 3: a worker stands still for longer than the editor waits
            self.failed.append(f"key create {owner} {name}: {made.returncode} {made.stderr}")
            return
        key = made.stdout.splitlines()[0].strip()
        self.keys[organisation].append(key)
        self.stopping.wait(1 + dice.random() * 3)
        done = self.gateway.command("key", "revoke", f"{owner}/{name}", check=False)
        self.count("keys revoked" if done.returncode == 0 else f"revocations that ended with {done.returncode}")
        self.stopping.wait(0.5)
        self.keys[organisation].remove(key)

    # ---- backends ----

    def fail(self, dice):
        """The EU ones fail, each in one way for a while."""
        for name in ("eu", "eu-slow", "azure"):
            mock, how = self.mocks[name], dice.choice(("well", "well", "503", "hang", "reset", "close", "refuse", "slowly", "429"))
            scripts = {"503": provider_error(503), "hang": Script(hang(1.5)), "reset": Script(reset()), "close": Script(close()),
                       "slowly": None, "429": provider_error(429, "wait", [("Retry-After", "1")])}
            mock.listen()
            if how == "refuse":
                mock.refuse()
            elif how == "slowly":
                mock.default = lambda request: Script(pause(0.4), *echo(request).steps)
            else:
                mock.default = echo if scripts.get(how) is None else lambda request, script=scripts[how]: script
            self.count(f"backends {how}")
        self.stopping.wait(0.5 + dice.random())

    # ---- processes ----

    def worker(self, dice):
        return dice.choice(self.gateway.worker_pids() or [0])

    def kill(self, dice):
        self.stopping.wait(4 + dice.random() * 4)
        pid = self.worker(dice)
        if pid and not self.stopping.is_set():
            try:
                os.kill(pid, signal.SIGKILL)
                self.count("workers killed")
            except ProcessLookupError:                      # it ended meanwhile
                pass

    def pause(self, dice):
        """One worker stands still for a while: an edit waits for it, or says that it did not hear of it."""
        self.stopping.wait(2 + dice.random() * 3)
        pid = self.worker(dice)
        if pid and not self.stopping.is_set():
            try:
                os.kill(pid, signal.SIGSTOP)
                self.count("workers stopped for a while")
                self.stopping.wait(12 if self.long and dice.random() < 0.1 else 0.2 + dice.random() * 1.8)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def reload(self, dice):
        self.stopping.wait(5 + dice.random() * 5)
        if not self.stopping.is_set():
            self.gateway.reload(wait=False)
            self.count("reloads")
