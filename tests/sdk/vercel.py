"""Vercel's ai in a process of node that answers one question after the other. Where it cannot be had, Vercel.why() says so and nothing fails."""
import atexit
import fcntl
import functools
import json
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/node-sdk"
PINS = ["ai@7.0.173", "@ai-sdk/openai@4.0.118", "@ai-sdk/anthropic@4.0.105", "@ai-sdk/azure@4.0.85", "@ai-sdk/amazon-bedrock@5.0.101"]
OLDEST_NODE = 20


@functools.cache
def why():
    """None, or why it cannot be asked; installs it at first, once for all processes of tests."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node or npm is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    found = re.match(r"v(\d+)\.", version)
    if not found or int(found.group(1)) < OLDEST_NODE:
        return f"node {version} is older than {OLDEST_NODE}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "stamp"
        if not stamp.exists() or stamp.read_text() != " ".join(PINS):
            try:
                done = subprocess.run(["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--silent", *PINS], capture_output=True, text=True,
                                      timeout=180)
            except subprocess.TimeoutExpired:
                return "npm could not install it within 3 minutes"
            if done.returncode != 0:
                return "npm could not install it: " + (done.stderr.strip() or done.stdout.strip())[-200:]
            stamp.write_text(" ".join(PINS))
    return None


class Vercel:
    def __init__(self):
        self.process = subprocess.Popen(["node", pathlib.Path(__file__).with_name("vercel.mjs"), FOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()

    def ask(self, provider, base, key, model, stream=False, **call):
        self.process.stdin.write(json.dumps({"provider": provider, "base": base, "key": key, "model": model, "stream": stream, "call": call}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "node has ended"
        return json.loads(line)
