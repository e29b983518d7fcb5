"""
A backend that records exactly what arrived and answers exactly what the test says.

    backend = MockBackend("127.0.0.2")              clear text; tls=(certificate, key) for TLS
    backend.play(answer(503), answer(200, body=b"{}"))   one script for each request to come; then `backend.default`
    backend.requests[0].body, .headers, .sni, .connection, .order, .sha256

A script is a list of steps run once the request was read ("body"), once its head was read ("head") or as soon as the
connection is there ("accept"). A step is a function of an Exchange.
"""
import collections
import hashlib
import itertools
import json
import os
import pathlib
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "audit"))

import answers                      # noqa: E402
import trail                        # noqa: E402

ORDER = itertools.count(1)          # of every request at every backend of this process
LINGER_RESET = struct.pack("ii", 1, 0)


class Closed(Exception):
    """The script or the peer ended the connection."""


class Request:
    """What arrived. `raw` are the bytes as they came; `body` is the content without chunk framing."""

    def __init__(self, backend, connection, index, sni):
        self.backend, self.connection, self.index, self.sni = backend, connection, index, sni
        self.order = self.started = self.first = None   # set when its head is there; first: when its first byte came
        self.finished = None
        self.raw = b""
        self.method = self.target = self.version = ""
        self.headers = []
        self.body = b""
        self.complete = False
        self.sent = 0                # bytes of the answer handed to the kernel
        self.said = bytearray()      # the first of them, for the trail
        self.failed = None           # what broke while answering

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def sha256(self):
        return hashlib.sha256(self.body).hexdigest()

    @property
    def id(self):
        return self.header("x-request-id")


class Exchange:
    """A connection while one request is answered."""

    def __init__(self, backend, sock, request):
        self.backend, self.sock, self.request = backend, sock, request

    def send(self, data):
        try:
            if self.request and len(self.request.said) < trail.SAID_MAX:
                self.request.said += data
            self.sock.sendall(data)
            if self.request:
                self.request.sent += len(data)
        except OSError as error:
            if self.request:
                self.request.failed = str(error)
            raise Closed from error

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.sock.close()
        raise Closed

    def close(self):
        raise Closed


class Script:
    def __init__(self, *steps, at="body"):
        self.steps, self.at = steps, at

    def run(self, exchange):
        for step in self.steps:
            step(exchange)


# ---- steps ----

def send(data):
    return lambda exchange: exchange.send(data)


def pause(seconds):
    return lambda exchange: exchange.backend.stopping.wait(seconds)


def wait(event, seconds=60):
    return lambda exchange: event.wait(seconds)


def signal(event):
    return lambda exchange: event.set()


def close():
    return lambda exchange: exchange.close()


def reset():
    return lambda exchange: exchange.reset()


def pieces(data, *cuts, gap=0.003):
    """data in pieces cut at these byte offsets, with a pause between, so that each is a read of its own."""
    bounds = [0, *cuts, len(data)]

    def step(exchange):
        for number, (begin, end) in enumerate(zip(bounds, bounds[1:])):
            if number:
                time.sleep(gap)
            if end > begin:
                exchange.send(data[begin:end])
    return step


def hang(seconds=120):
    """Says nothing until the peer closes, the backend stops or the time is over."""
    def step(exchange):
        exchange.sock.settimeout(0.1)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not exchange.backend.stopping.is_set():
            try:
                if not exchange.sock.recv(65536):
                    break
            except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
                continue
            except OSError:
                break
        raise Closed
    return step


# ---- bytes of answers ----

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 408: "Request Timeout",
           429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout", 529: "Overloaded"}


def head(status, headers=()):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"] + [f"{k}: {v}" for k, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def plain(status=200, body=b"{}", headers=(), kind="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, [("Content-Type", kind), ("Content-Length", len(body)), *headers]) + body


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


def answer(status=200, body=b"{}", headers=(), kind="application/json"):
    return Script(send(plain(status, body, headers, kind)))


def provider_error(status, message="mock", headers=()):
    return answer(status, {"error": {"message": message, "type": "mock", "param": None, "code": str(status)}}, headers)


def event(value):
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


DONE = event(b"[DONE]")


def delta(text, finish=None, **more):
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                  "choices": [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}], **more})


def role():
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                  "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})


def usage(prompt=11, completion=7, cached=3):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached}}


def usage_event(**numbers):
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
                  "usage": usage(**numbers)})


STREAM_HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])


def stream(*events, gap=0):
    """A whole event stream, one HTTP chunk an event."""
    steps = [send(STREAM_HEAD)]
    for one in events:
        steps.append(send(chunk(one)))
        if gap:
            steps.append(pause(gap))
    return Script(*steps, send(LAST_CHUNK))


def completion(text="hello", **numbers):
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": usage(**numbers)}


def echo(request):
    """The default: repeats the last message, in the shape that was asked for."""
    try:
        asked = request.json
    except ValueError:
        return provider_error(400, "no JSON")
    if request.target.split("?")[0].endswith("/embeddings"):
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        return answer(200, {"object": "list", "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5},
                            "data": [{"object": "embedding", "index": i, "embedding": [0.5, -0.25, float(len(text))]}
                                     for i, text in enumerate(inputs)]})
    if "messages" not in asked:
        text = asked.get("prompt", "")
        return answer(200, {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "usage": usage(),
                            "choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}]})
    text = asked["messages"][-1]["content"] if asked["messages"] else ""
    text = text if isinstance(text, str) else json.dumps(text)
    if not asked.get("stream"):
        return answer(200, completion(text[:2000]))
    events = [role()] + [delta(text[i:i + 8]) for i in range(0, min(len(text), 400), 8)] + [delta("", "stop")]
    if (asked.get("stream_options") or {}).get("include_usage"):
        events.append(usage_event())
    return stream(*events, DONE)


def sizes(directories):
    """Of every file of the record: what was written before this moment."""
    found = {}
    for directory in list(directories):
        try:
            found.update((entry.name, entry.stat().st_size) for entry in os.scandir(directory))
        except OSError:
            pass                    # gone, or not made yet
    return found


class MockBackend:
    directory = None                # of the auditor's trail; None: nothing is written down
    unproven = []                   # sentences about requests whose caller did not prove who it is
    proven = 0                      # requests that did
    records = set()                 # directories of the record, whose sizes are noted when a request comes

    def __init__(self, host="127.0.0.1", port=0, tls=None, name=""):
        self.name = name
        self.host, self.tls = host, None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
            self.tls.sni_callback = self._note_sni
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._snis = {}
        self.default = echo
        self.callers = None          # signature.Callers; None: anybody may ask
        self.piece, self.pace = 1 << 18, 0      # bytes of one read, and seconds before each
        self.delay = lambda: 0                  # seconds before a connection is looked at, TLS included
        self.requests, self.scripts = [], collections.deque()
        self.connections = 0         # accepted
        self.bytes = 0               # of requests, after decryption
        self.open = set()
        self.listener = socket.create_server((host, port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.trail = trail.Writer(self.directory, "backend") if self.directory else trail.Silent()
        self.trail.write("backend", name=name, address=self.address)
        self.running = True
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def play(self, *scripts):
        """One script for each request to come, before the default."""
        with self.lock:
            self.scripts.extend(scripts)
        return self

    def always(self, script):
        self.default = script if callable(script) and not isinstance(script, Script) else lambda request: script
        return self

    def clear(self):
        with self.lock:
            self.requests.clear()
            self.scripts.clear()
            self.default = echo
            self.bytes = 0
        return self

    def wait_requests(self, count, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and len([r for r in self.requests if r.complete]) < count:
            time.sleep(0.005)
        assert len(self.requests) >= count, f"{self.name}: {len(self.requests)} of {count} requests came"
        return self.requests

    def refuse(self):
        """Nothing listens any more: connections are refused, and those that stood idle are ended."""
        if self.running:
            self.running = False
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.drop_connections()
            time.sleep(0.05)

    def listen(self):
        if not self.running:
            self.listener = socket.create_server((self.host, self.port), backlog=512)
            self.running = True
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def drop_connections(self):
        with self.lock:
            for sock in list(self.open):
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)      # a TLS socket's own would have the reader go on in clear text
                except OSError:
                    pass

    def stop(self):
        self.stopping.set()
        self.refuse()
        self.drop_connections()
        self.trail.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- the connection's thread ----

    def _note_sni(self, sock, name, _context):
        self._snis[id(sock)] = name

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
                self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _next(self, at):
        """The script to run at this point, if the first one waiting is meant for it."""
        with self.lock:
            if self.scripts and not callable(self.scripts[0]) and self.scripts[0].at == at:
                return self.scripts.popleft()
            if at == "body" and self.scripts:
                return self.scripts.popleft()
        return None

    def _serve(self, raw, number):
        sock = plain = raw
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(240)
            self.stopping.wait(self.delay())
            if not self.tls:
                sock = trail.Watched(raw, self.trail, number)
            script = self._next("accept")
            if script:
                script.run(Exchange(self, sock, None))
            sni = None
            if self.tls:
                plain = self.tls.wrap_socket(raw, server_side=True)
                with self.lock:
                    self.open.discard(raw)
                    self.open.add(plain)
                sni = self._snis.pop(id(plain), None)
                sock = trail.Watched(plain, self.trail, number)
            buffered = b""
            for index in itertools.count(1):
                buffered, again = self._one(sock, Request(self, number, index, sni), buffered)
                if not again:
                    return
        except (Closed, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open -= {raw, plain}
            try:
                sock.close()
            except OSError:
                pass

    def _receive(self, sock, request):
        if self.pace:
            self.stopping.wait(self.pace)
        data = sock.recv(self.piece)
        with self.lock:
            self.bytes += len(data)
        if not data:
            raise Closed
        request.raw += data
        return data

    def _one(self, sock, request, buffered):
        """Reads one request and answers it. Returns bytes that belong to the next one, and whether to go on."""
        request.raw = buffered
        sock.next_request(request.index, len(buffered))
        while b"\r\n\r\n" not in request.raw:
            self._receive(sock, request)
        request.started, request.order, request.first = time.time(), next(ORDER), sock.first
        top, rest = request.raw.split(b"\r\n\r\n", 1)
        first, *lines = top.decode("latin-1").split("\r\n")
        request.method, request.target, request.version = first.split(" ", 2)
        request.headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines]
        self._note_head(sock, request)
        with self.lock:
            self.requests.append(request)
        exchange = Exchange(self, sock, request)
        try:
            return self._answered(sock, request, exchange, rest)
        finally:
            self._note_answer(request)

    def _answered(self, sock, request, exchange, rest):
        script = self._next("head")
        if script:
            script.run(exchange)
            return b"", True
        rest = self._body(sock, request, rest)
        request.raw = request.raw[:len(request.raw) - len(rest)] if rest else request.raw
        request.finished = time.time()
        request.complete = True
        self._judge(request)
        self.trail.write("body", c=request.connection, r=request.index, t=sock.stamp, **trail.described(request.body, request.header("x-amzn-bedrock-service-tier")))
        script = self._next("body") or self.default
        script = script(request) if callable(script) and not isinstance(script, Script) else script
        script.run(exchange)
        return rest, (request.header("connection") or "").lower() != "close"

    def _judge(self, request):
        if self.callers and self.callers.judges(request):
            wrong = self.callers.wrong(request)
            with self.lock:
                if wrong:
                    MockBackend.unproven.append(f"{self.name or self.address}: {request.method} {request.target}: {wrong}")
                else:
                    MockBackend.proven += 1

    def _note_head(self, sock, request):
        if self.directory:
            self.trail.write("head", c=request.connection, r=request.index, t=sock.stamp, id=request.id, method=request.method, target=request.target,
                             host=request.header("host"), sni=request.sni, agent=request.header("user-agent"),
                             length=request.header("content-length"), sizes=sizes(self.records))

    def _note_answer(self, request):
        if self.directory:
            self.trail.write("answered", c=request.connection, r=request.index, t=time.time(), id=request.id, sent=request.sent, failed=request.failed,
                             cut=len(request.said) >= trail.SAID_MAX, **answers.described(bytes(request.said)))

    def _body(self, sock, request, rest):
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            parts = []
            while True:
                while b"\r\n" not in rest:
                    rest += self._receive(sock, request)
                size, rest = rest.split(b"\r\n", 1)
                size = int(size.split(b";")[0], 16)
                while len(rest) < size + 2:
                    rest += self._receive(sock, request)
                parts.append(rest[:size])
                rest = rest[size + 2:]
                if not size:
                    request.body = b"".join(parts)
                    return rest
        length = int(request.header("content-length") or 0)
        parts, have = [rest], len(rest)
        while have < length:
            parts.append(self._receive(sock, request))
            have += len(parts[-1])
        whole = b"".join(parts)
        request.body = whole[:length]
        return whole[length:]
