"""An identity provider of the tests: a JWKS and its metadata over HTTP, with an ETag, and whatever trouble a test wants."""
import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()


class Issuer:
    """make(kid) gives it a key that it signs with; `published` is what its JWKS has."""

    def __init__(self, audience="api://gatehouse"):
        self.audience, self.keys, self.published, self.asked, self.status = audience, {}, [], [], 200
        self.age, self.metadata, self.body = None, {}, None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((time.monotonic(), self.path))
                body = json.dumps(outer.metadata).encode() if "well-known" in self.path else outer.body or json.dumps(outer.jwks()).encode()
                tag = '"%x"' % (hash(body) & 0xffffffff)
                status = outer.status
                if status == 200 and self.headers.get("If-None-Match") == tag:
                    status = 304
                self.send_response(status)
                self.send_header("ETag", tag)
                if outer.age is not None:
                    self.send_header("Cache-Control", f"max-age={outer.age}")
                self.send_header("Content-Length", "0" if status == 304 else str(len(body)))
                self.end_headers()
                if status != 304:
                    self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.metadata = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def make(self, kid, publish=True):
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())
        if publish:
            self.published.append(kid)
        return kid

    def jwks(self):
        found = []
        for kid in self.published:
            public = self.keys[kid].public_key().public_numbers()
            found.append({"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": number(public.x), "y": number(public.y)})
        return {"keys": found}

    def token(self, kid, seconds=600, **more):
        claims = {"iss": self.url, "aud": self.audience, "sub": "anna", "azp": "red-client", "exp": time.time() + seconds, **more}
        return jwt.encode(claims, self.keys[kid], algorithm="ES256", headers={"kid": kid})

    def document(self, **place):
        return {"kind": "identity/1", "organisation": "acme", "issuers": [
            {"id": "login", "issuer": self.url, "audiences": [self.audience], "algorithms": ["ES256"], **place,
             "user": "sub", "apps": [{"when": {"azp": "red-client"}, "app": "red/app"}]}]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
