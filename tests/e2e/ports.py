"""Ports for tests and measurements."""
import os
import pathlib
import random
import re
import socket

PROCESS = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % 16
GIVEN = set()


def free_port(host="127.0.0.1"):
    """A port that nothing has, below those that the kernel gives to connections; given once, and to one of the tests' processes only."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first // 3, first) // 16 * 16 + PROCESS
        if len(GIVEN) > 500:
            GIVEN.clear()
        if port in GIVEN:
            continue
        GIVEN.add(port)
        try:
            with socket.create_server((host, port)):
                return port
        except OSError:
            pass
