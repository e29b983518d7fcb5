"""Clients of two organisations: plain, streamed, large and slow requests, some with a label, some that leave."""
import collections
import json
import random
import threading
import time

from client import Client, body_of, events

KINDS = (("plain", 50), ("stream", 20), ("large", 12), ("slow", 6), ("leaves", 12))
LARGE = (1 << 18, 6 << 20)          # bytes of text


class Load:
    """`keys`: organisation -> the keys that may be used now; those that were revoked a moment ago among them."""

    def __init__(self, port, keys, seed, threads=6):
        self.port, self.keys, self.seed, self.stopping = port, keys, seed, threading.Event()
        self.counts, self.wrong, self.lock = collections.Counter(), [], threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(organisation, number), daemon=True)
                        for organisation in keys for number in range(threads)]

    def start(self):
        for one in self.threads:
            one.start()

    def stop(self):
        self.stopping.set()
        for one in self.threads:
            one.join(120)

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def _run(self, organisation, number):
        dice = random.Random(f"{self.seed}/{organisation}/{number}")
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            kind = dice.choices([name for name, _ in KINDS], [weight for _, weight in KINDS])[0]
            nonce = f"{organisation}-{number}-{turn}-{dice.randrange(10 ** 9)}"
            self.count("requests")
            try:
                self._ask(dice, kind, nonce, dice.choice(self.keys[organisation]))
            except OSError:
                self.count("connections that ended")        # a worker was killed, or cut what it was sending
                self.stopping.wait(0.02)

    def _ask(self, dice, kind, nonce, key):
        filler = dice.randrange(*LARGE) if kind == "large" else dice.randrange(200000) if kind == "slow" else 0
        body = body_of(text=nonce + " " + "x" * filler, **({"stream": True} if kind == "stream" else {}))
        headers = [("x-data-class", "secret")] if dice.random() < 0.3 else []
        with Client(self.port, timeout=60) as client:
            if kind == "slow":
                client.request(body=body[:1000], key=key, headers=headers, length=len(body))
                for begin in range(1000, len(body), 40000):
                    self.stopping.wait(dice.random() * 0.3)
                    client.send(body[begin:begin + 40000])
            else:
                client.request(body=body, key=key, headers=headers)
            if kind == "leaves":
                time.sleep(dice.random() * 0.3)
                client.leave(reset=dice.random() < 0.5)
                self.count("left")
                return
            found = client.answer()
        self.count(f"status {found.status}" if found.status else "connections that ended")
        if found.status == 200 and found.whole:
            self._check(kind, nonce, found)

    def _check(self, kind, nonce, found):
        """The answer belongs to the request."""
        if kind == "stream":
            parts = [json.loads(one) for one in events(found.body) if one != "[DONE]"]
            if any("error" in one for one in parts):
                self.count("streams that ended in an error")
                return
            text = "".join(choice["delta"].get("content") or "" for one in parts for choice in one["choices"])
        else:
            text = found.json["choices"][0]["message"]["content"]
        if not text.startswith(nonce):
            self.wrong.append((nonce, text[:80]))
