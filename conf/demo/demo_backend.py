#!/usr/bin/env python3
"""A demo backend: it speaks the wire of a real one and has no model behind it.

It answers chat completions, completions and embeddings, plain and streamed, and says in every answer which demo backend in
which country gave it. It refuses what the real one would refuse: a wrong path, a missing credential, a model
it does not have. Python's standard library only.

    demo_backend.py --name azure-se --country SE --listen 127.0.0.1:8451 --dialect azure-v1 \
        --model gpt41-prod --credential FILE [--certificate FILE --key FILE]
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import re
import signal
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import uuid

# dialect: (path prefix, header that carries the credential, what stands before it)
DIALECTS = {
    "openai": ("/v1", "authorization", "Bearer "),
    "azure-v1": ("/openai/v1", "api-key", ""),
    "bedrock-openai": ("/openai/v1", "authorization", "Bearer "),
}

BODY_MAX = 64 * 1024 * 1024
PIECE_SECONDS = 0.05


def tokens(text):
    """A rough count, four bytes a token: there is no tokenizer here."""
    return max(1, (len(text.encode("utf-8", "surrogatepass")) + 3) // 4)


def text_of(content):
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict)
                        and isinstance(part.get("text"), str))
    return ""


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo-backend"
    sys_version = ""
    disable_nagle_algorithm = True

    # ---- one request ----

    def do_GET(self):
        if self.path == "/demo":
            self.send_json(200, {"demo": True, "backend": self.server.options.name,
                                 "country": self.server.options.country})
        else:
            self.refuse(Refused(404, "not_found", "this demo backend has no " + self.path))

    def do_POST(self):
        self.request_id = "demo-" + uuid.uuid4().hex[:12]
        try:
            body = self.read_body()
            self.check_credential()
            request = self.parse(body)
            self.answer(self.endpoint(), request)
        except Refused as refused:
            self.refuse(refused)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def read_body(self):
        """The whole body, before any answer: an unread body would be taken for the next request."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            body = b""
            while True:
                try:
                    size = int(self.rfile.readline(64).split(b";")[0], 16)
                except ValueError:
                    self.close_connection = True
                    raise Refused(400, "invalid_request", "the chunked body is malformed") from None
                if size == 0:
                    while self.rfile.readline(8192) not in (b"\r\n", b"\n", b""):
                        pass
                    return body
                body += self.rfile.read(size)
                self.rfile.readline(8)
                if len(body) > BODY_MAX:
                    self.close_connection = True
                    raise Refused(413, "request_too_large", "the body is too large for a demo")
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            raise Refused(413, "request_too_large", "the body is too large for a demo")
        return self.rfile.read(length)

    def check_credential(self):
        expected = self.server.credential
        if expected is None:
            return
        _, header, prefix = DIALECTS[self.server.options.dialect]
        given = self.headers.get(header, "")
        if not hmac.compare_digest(given.encode(), (prefix + expected).encode()):
            raise Refused(401, "401", "access denied: missing or wrong credential in " + header)

    def endpoint(self):
        prefix = DIALECTS[self.server.options.dialect][0]
        path = self.path.split("?")[0]
        for endpoint in ("/chat/completions", "/completions", "/embeddings"):
            if path == prefix + endpoint:
                return endpoint
        raise Refused(404, "not_found", "this demo backend has no " + path)

    def parse(self, body):
        try:
            request = json.loads(body)
        except ValueError:
            raise Refused(400, "invalid_json", "the body is not JSON") from None
        if not isinstance(request, dict) or not isinstance(request.get("model"), str):
            raise Refused(400, "invalid_request", "the body names no model")
        if self.server.options.model and request["model"] not in self.server.options.model:
            raise Refused(404, "model_not_found", "this demo backend has no model " + request["model"])
        return request

    # ---- answers ----

    def answer(self, endpoint, request):
        if endpoint == "/embeddings":
            self.embeddings(request)
            return
        chat = endpoint == "/chat/completions"
        prompt = self.prompt(request, chat)
        text = self.sentence(request, prompt)
        usage = {"prompt_tokens": tokens(prompt), "completion_tokens": len(text.split()),
                 "total_tokens": tokens(prompt) + len(text.split())}
        head = {"id": ("chatcmpl-" if chat else "cmpl-") + self.request_id, "created": int(time.time()),
                "model": request["model"]}
        if request.get("stream") is True:
            self.stream(head, chat, text, usage, request)
        else:
            choice = {"index": 0, "finish_reason": "stop"}
            choice.update({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
            self.send_json(200, {"object": "chat.completion" if chat else "text_completion",
                                 "choices": [choice], "usage": usage, **head})

    def prompt(self, request, chat):
        if chat:
            messages = request.get("messages")
            if not isinstance(messages, list) or not messages:
                raise Refused(400, "invalid_request", "messages is missing")
            return "\n".join(text_of(m.get("content")) for m in messages if isinstance(m, dict))
        prompt = request.get("prompt", "")
        return prompt if isinstance(prompt, str) else json.dumps(prompt)

    def sentence(self, request, prompt):
        options = self.server.options
        return (f"Demo backend {options.name} in {options.country} answers as {request['model']}: no model runs here; "
                f"your prompt had {len(prompt)} characters.")

    def stream(self, head, chat, text, usage, request):
        stream_options = request.get("stream_options") or {}
        with_usage = stream_options.get("include_usage") is True
        kind = "chat.completion.chunk" if chat else "text_completion"

        def event(choices, last_usage=None):
            chunk = {"object": kind, "choices": choices, **head}
            if with_usage:
                chunk["usage"] = last_usage
            self.chunk(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")

        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-request-id", self.request_id)
        self.end_headers()
        for number, piece in enumerate(re.findall(r"(?:\S+\s*){1,4}", text)):
            choice = {"index": 0, "finish_reason": None}
            if chat:
                choice["delta"] = {"content": piece, **({"role": "assistant"} if number == 0 else {})}
            else:
                choice["text"] = piece
            event([choice])
            time.sleep(PIECE_SECONDS)
        event([{"index": 0, "finish_reason": "stop", **({"delta": {}} if chat else {"text": ""})}])
        if with_usage:
            event([], usage)
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def embeddings(self, request):
        given = request.get("input")
        texts = given if isinstance(given, list) else [given]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise Refused(400, "invalid_request", "input is a string or a list of strings here")
        data = []
        for index, text in enumerate(texts):
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            vector = [round(byte / 127.5 - 1, 6) for byte in digest[:16]]
            if request.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack("<16f", *vector)).decode()
            data.append({"object": "embedding", "index": index, "embedding": vector})
        used = sum(tokens(text) for text in texts)
        self.send_json(200, {"object": "list", "model": request["model"], "data": data,
                             "usage": {"prompt_tokens": used, "total_tokens": used}})

    def refuse(self, refused):
        self.send_json(refused.status, {"error": {"message": "demo backend: " + refused.message,
                                                  "type": "invalid_request_error", "param": None,
                                                  "code": refused.code}})

    def send_json(self, status, value):
        body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", getattr(self, "request_id", "demo"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print(time.strftime("%H:%M:%S"), self.server.options.name, format % args, flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options):
        self.options = options
        self.credential = None
        self.tls = None
        if options.credential:
            with open(options.credential, encoding="utf-8") as file:
                self.credential = file.read().strip()
        if options.certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.certificate, options.key)
        host, _, port = options.listen.rpartition(":")
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host.strip("[]"), int(port)), Handler)

    def server_bind(self):
        """Without HTTPServer's look-up of the host's own name, which can wait for DNS."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.options.name, self.server_address[1]

    def finish_request(self, request, client_address):
        """Runs in the connection's own thread, so a slow TLS handshake holds up nobody else."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            wrapped.settimeout(None)
            super().finish_request(wrapped, client_address)

    def handle_error(self, request, client_address):
        print(time.strftime("%H:%M:%S"), self.options.name, "connection ended:", sys.exc_info()[1], flush=True)


def main():
    parser = argparse.ArgumentParser(description="a demo backend: the wire of a real one, no model behind it")
    parser.add_argument("--name", required=True)
    parser.add_argument("--country", required=True, help="where it pretends to be, e.g. SE")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="openai")
    parser.add_argument("--model", action="append", help="upstream name it has; repeat; default: any")
    parser.add_argument("--credential", metavar="FILE", help="the secret it asks for; default: none asked")
    parser.add_argument("--certificate", metavar="FILE", help="with --key: TLS")
    parser.add_argument("--key", metavar="FILE")
    options = parser.parse_args()

    try:
        server = Server(options)
    except OSError as error:
        sys.exit(f"demo backend {options.name}: {options.listen}: {error}")
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"demo backend {options.name} ({options.country}) on {options.listen}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
