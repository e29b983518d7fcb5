"""Bytes of a request leave while the worker's slot says so, and at no other time: what an editor waits for is what happens."""
import os
import pathlib
import socket
import subprocess
import tempfile

import pytest

from client import Client, ask, body_of
from documents import deployment, fleet, residency, tenants
from gateway import PRELOAD, ROOT, Backend
from mock_backend import MockBackend, Script, send


@pytest.fixture
def probed(make_gateway, tmp_path):
    """A gateway in which every write to its one backend is noted with what the slot said: (gateway, notes)."""
    if PRELOAD:
        pytest.skip("something else is loaded into nginx already")
    probe, log = tmp_path / "window_probe.so", tmp_path / "windows"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-I", ROOT, "-o", probe, ROOT / "tests/e2e/window_probe.c", "-ldl"], check=True)
    log.touch()
    log.chmod(0o666)
    for path in (tmp_path, *tmp_path.parents):
        if path == pathlib.Path(tempfile.gettempdir()):
            break
        path.chmod(path.stat().st_mode | 0o055)
    mock = MockBackend("127.0.5.9", name="one")
    mock.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    gateway = make_gateway([Backend("one", mock, keepalive=4)], body_limit="16m")
    gateway.environment.update(LD_PRELOAD=str(probe), PROBE_LOG=str(log), PROBE_PORT=str(mock.port), PROBE_LEDGER=str(gateway.home / "ledger"))
    gateway.apply(fleet(deployment("one")), residency(), tenants())
    gateway.start()
    yield gateway, mock, log
    mock.stop()


def test_every_write_is_inside_a_window(probed):
    """Small requests over kept connections, a retry, and an upload that takes many writes, from memory and from a file."""
    gateway, mock, log = probed
    key = gateway.key()
    for _ in range(3):
        assert ask(gateway, body_of(), key=key).status == 200
    small = log.read_text()
    assert set(small) == {"o"} and len(small) >= 3
    mock.play(Script(send(b"HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}")))
    ask(gateway, body_of(), key=key)
    with Client(gateway.port) as client:
        client.request(body=body_of(text="x" * 8000000), key=key)
        assert client.answer().status == 200
    notes = log.read_text()
    assert set(notes) == {"o"} and len(notes) > len(small) + 5
