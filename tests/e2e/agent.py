"""One `gatehouse agent` beside a gateway: its process, what it logs, and what it tells systemd."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from gateway import COMMAND, SLOW


class Agent:
    def __init__(self, gateway, *options, user=None, environment=None, node=None):
        self.gateway, self.options, self.user, self.node = gateway, options, user, node or gateway.node
        self.path, self.process = gateway.prefix / "agent.log", None
        self.environment = {**gateway.environment, **(environment or {})}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("\0" + f"{gateway.prefix}/notify"[1:] + str(id(self)))
        self.notify.settimeout(60 * SLOW)

    def start(self, ready=True):
        self.environment["NOTIFY_SOCKET"] = "@" + self.notify.getsockname()[1:].decode()
        more = {"user": self.user, "group": "www-data", "extra_groups": []} if self.user else {}
        with open(self.path, "ab") as log:
            self.process = subprocess.Popen([COMMAND, "agent", "--node", self.node, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment, cwd=self.gateway.prefix, **more)
        if ready:
            self.told("READY=1")
        return self

    def told(self, word):
        """Waits until systemd is told that."""
        while word not in self.notify.recv(4096).decode().splitlines():
            assert self.process.poll() is None or word == "STOPPING=1", self.path.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60 * SLOW) == 0, self.path.read_text()

    def close(self):
        self.stop()
        self.notify.close()

    def lines(self, what=None):
        """What it logged, and nothing that is no JSON object."""
        found = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        return [line for line in found if what is None or line["what"] == what]


def until(condition, seconds=60, every=0.02):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(every)


def modified(path):
    return pathlib.Path(path).stat().st_mtime_ns if pathlib.Path(path).exists() else 0


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
