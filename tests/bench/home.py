"""A home, and the command on it: what a gateway of servers.py takes."""

import os
import subprocess


class Home:
    """directory/home and directory/secrets, by the command of a build; the ledger is made anew where init() is told, as at a boot."""

    def __init__(self, build, directory):
        self.build, self.directory, self.home = build, directory, directory / "home"
        self.environment = {**os.environ, "GATEHOUSE_HOME": str(self.home), "GATEHOUSE_SECRETS": str(directory / "secrets")}

    def run(self, *arguments):
        done = subprocess.run([str(self.build / "gatehouse"), *map(str, arguments)], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"gatehouse {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def init(self, ledger, size):
        self.environment["GATEHOUSE_LEDGER"] = str(ledger)
        owner = ("--user", "root", "--group", "www-data") if os.geteuid() == 0 else ()
        self.run("init", "--ledger-size", size, "--no-checkpoint", *owner)
