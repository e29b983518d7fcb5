"""Clients on raw sockets: what is sent and what came back, byte by byte. HTTP/2 through the h2 state machine."""
import json
import re
import socket
import ssl
import struct
import time
import uuid

import h2.config
import h2.connection
import h2.events


class Answer:
    def __init__(self, status=0, headers=(), body=b"", whole=False):
        self.status, self.headers, self.body, self.whole = status, list(headers), body, whole

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.header("x-request-id")

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}{'' if self.whole else ' (cut)'}"


def expect_error(answer, status, *codes):
    """OpenAI's shape: all four keys, nothing else beside; x-request-id a UUIDv7."""
    assert answer.status == status, answer
    assert re.match(r"application/json", answer.header("content-type") or ""), answer
    assert set(answer.json) == {"error"} and set(answer.error) == {"message", "type", "param", "code"}, answer
    assert isinstance(answer.error["message"], str) and answer.error["message"], answer
    assert isinstance(answer.error["type"], str), answer
    assert not codes or answer.error["code"] in codes, answer
    expect_id(answer)
    return answer


def expect_id(answer):
    assert len(answer.all("x-request-id")) == 1, answer
    assert uuid.UUID(answer.id).version == 7, answer
    return answer.id


def body_of(model="m", text="hello", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


def until(true, seconds=60):
    """Looks again and again; fails when it does not become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Client:
    """One HTTP/1.1 connection; `tls`: an SSLContext."""

    def __init__(self, port, tls=None, timeout=60, name="gateway.test", receive_buffer=None, source=None):
        self.sock = socket.socket()
        if source:
            self.sock.bind((source, 0))
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def leave(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, path="/v1/chat/completions", body=None, key=None, headers=(), method="POST", length=None, kind="application/json"):
        """Sends a head, and the body when there is one."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway.test"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        if body is not None and kind:
            lines.append(f"Content-Type: {kind}")
        if body is not None and not any(k.lower() == "transfer-encoding" for k, _ in headers):
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        lines += [f"{k}: {v}" for k, v in headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self

    def _more(self):
        data = self.sock.recv(1 << 18)
        self.buffer += data
        return bool(data)

    def head(self):
        """Status and headers of the next answer but 1xx; None when the connection ended instead."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if not self._more():
                    return None
            top, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            first, *lines = top.decode("latin-1").split("\r\n")
            status = int(first.split(" ")[1])
            if status >= 200 or status == 101:
                return Answer(status, [tuple(line.split(": ", 1)) for line in lines])
            self.interim = status

    def parts(self, answer):
        """The body as it comes; answer.whole is set when it ended as HTTP says."""
        if answer.status in (204, 304):
            answer.whole = True
            return
        if (answer.header("transfer-encoding") or "") == "chunked":
            while True:
                while b"\r\n" not in self.buffer:
                    if not self._more():
                        return
                size, self.buffer = self.buffer.split(b"\r\n", 1)
                size = int(size, 16)
                while len(self.buffer) < size + 2:
                    if not self._more():
                        return
                data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
                if not size:
                    answer.whole = True
                    return
                yield data
        length = answer.header("content-length")
        left = int(length) if length is not None else None
        while left is None or left > 0:
            if not self.buffer and not self._more():
                answer.whole = left is None
                return
            data, self.buffer = (self.buffer, b"") if left is None else (self.buffer[:left], self.buffer[left:])
            left = None if left is None else left - len(data)
            yield data
        answer.whole = True

    def answer(self):
        found = self.head()
        if found is None:
            return Answer()
        collected = []
        try:
            for data in self.parts(found):
                collected.append(data)
        except ConnectionResetError:
            pass
        found.body = b"".join(collected)
        return found


def ask(gateway, body=None, key=None, path="/v1/chat/completions", headers=(), port=None, **more):
    """One request on a connection of its own."""
    with Client(port or gateway.port) as client:
        return client.request(path, body_of() if body is None else body, key or gateway.key(), headers, **more).answer()


def get(gateway, path, key=None, method="GET", headers=()):
    with Client(gateway.port) as client:
        return client.request(path, None, key, headers, method).answer()


def events(body):
    """The data of every event of a stream; the last one may be [DONE]."""
    found = []
    for block in body.decode().split("\n\n"):
        data = [line[5:].lstrip(" ") for line in block.split("\n") if line.startswith("data:")]
        if data:
            found.append("\n".join(data))
    return found


class Http2:
    """One HTTP/2 connection over TLS; single-threaded, as many streams as asked for."""

    def __init__(self, port, tls, name="gateway.test", timeout=60):
        tls.set_alpn_protocols(["h2"])
        self.sock = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout), server_hostname=name)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.state.initiate_connection()
        self.flush()
        self.answers, self.resets, self.closed = {}, {}, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.state.data_to_send())

    def request(self, body=None, key=None, path="/v1/chat/completions", method="POST", headers=(), end=True, length=True):
        """Sends a request; the body as flow control lets it. Returns the stream's number."""
        stream = self.state.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "gateway.test")]
        if key:
            fields.append(("authorization", f"Bearer {key}"))
        if body is not None:
            fields.append(("content-type", "application/json"))
            if length:
                fields.append(("content-length", str(len(body))))
        self.state.send_headers(stream, fields + list(headers), end_stream=body is None and end)
        self.answers[stream] = Answer()
        self.flush()
        if body is not None:
            self.data(stream, body, end)
        return stream

    def data(self, stream, body, end=True):
        while body and stream not in self.resets and not self.answers[stream].whole:
            room = min(self.state.local_flow_control_window(stream), self.state.max_outbound_frame_size, len(body))
            if room <= 0:
                self.receive()
                continue
            self.state.send_data(stream, body[:room])
            body = body[room:]
            self.flush()
        if end and stream not in self.resets and not self.answers[stream].whole:
            self.state.end_stream(stream)
        self.flush()

    def receive(self):
        if self.closed:
            raise ConnectionError("the gateway ended the HTTP/2 connection")
        data = self.sock.recv(1 << 18)
        if not data:
            self.closed = True
            return
        for one in self.state.receive_data(data):
            found = self.answers.get(getattr(one, "stream_id", None))
            if isinstance(one, h2.events.ResponseReceived):
                found.headers = [(k, v) for k, v in one.headers if not k.startswith(":")]
                found.status = int(dict(one.headers)[":status"])
            elif isinstance(one, h2.events.DataReceived):
                found.body += one.data
                self.state.acknowledge_received_data(one.flow_controlled_length, one.stream_id)
            elif isinstance(one, h2.events.StreamEnded):
                found.whole = True
            elif isinstance(one, h2.events.StreamReset):
                self.resets[one.stream_id] = one.error_code
            elif isinstance(one, h2.events.ConnectionTerminated):
                self.closed = True
        self.flush()

    def answer(self, stream, seconds=60):
        end = time.monotonic() + seconds
        while not self.answers[stream].whole and stream not in self.resets and not self.closed and time.monotonic() < end:
            self.receive()
        return self.answers[stream]

    def cancel(self, stream):
        self.state.reset_stream(stream, error_code=8)
        self.flush()


def tls_context(authority):
    return ssl.create_default_context(cafile=str(authority.certificate))
