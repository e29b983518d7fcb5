"""
What clouds answer to whoever asks for a credential, as they publish it: Entra ID's token endpoint, Azure's instance metadata and App Service's
identity endpoint, AWS's instance metadata (version 2), container credentials and STS. Each refuses what the real one would; gatehouse and the clouds' own SDKs
are pointed at the same ones.
"""
import base64
import datetime
import hashlib
import json
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from signature import verify  # noqa: E402

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
SECRET, FEDERATED, WEB_TOKEN = "canary~secret", "canary.federated.token", "canary.web.token"
ROLE, SECOND_ROLE = "arn:aws:iam::123456789012:role/gateway", "arn:aws:iam::210987654321:role/bedrock"
KEYS = {"AKIDSTATIC": ("canary/static+key", None)}
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"


def short_term_key(seconds):
    """As AWS's own generators of Bedrock's keys make it: a URL that botocore presigns, without its scheme, and "&Version=1"."""
    request = botocore.awsrequest.AWSRequest("POST", "https://bedrock.amazonaws.com/", headers={"host": "bedrock.amazonaws.com"}, params={"Action": "CallWithBearerToken"})
    botocore.auth.SigV4QueryAuth(botocore.credentials.Credentials("AKIDSTATIC", "canary/static+key", "token"), "bedrock", "eu-central-1", seconds).add_auth(request)
    return "bedrock-api-key-" + base64.b64encode((request.url.removeprefix("https://") + "&Version=1").encode()).decode()


def later(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Clouds:
    """One server, all of them by their paths. `life`: seconds of what it issues. `fail`: what to answer instead, by "entra", "imds", "sts", ..."""

    def __init__(self, authority=None, certificate=None):
        self.life, self.fail, self.asked, self.ends, self.lock = 3600, {}, [], {}, threading.Lock()
        self.accepts = set()          # keys and bearers that the lists of models are given for, and access keys
        self.certificate, self.seen_ids, self.tokens, self.keys, self.count = certificate, set(), set(), dict(KEYS), 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                with outer.lock:
                    status, kind, text = outer.answer(self.command, self.path, self.headers, body)
                text = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.scheme = "http"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.issue("127.0.0.1"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method, target, headers, body):
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)))
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)) if headers.get("content-type", "").startswith("application/x-www-form") else {}
        routes = [("entra", f"/{TENANT}/oauth2/v2.0/token", self.entra), ("imds", "/metadata/identity/oauth2/token", self.azure_imds),
                  ("service", "/msi/token", self.app_service), ("models", "/openai/v1/models", self.models),
                  ("bedrock", "/foundation-models", self.foundation_models), ("instance", "/latest/", self.instance), ("container", "/v2/credentials", self.container)]
        name, act = next(((name, act) for name, path, act in routes if url.path.startswith(path)), ("sts", self.sts) if url.path == "/" else ("other", self.other))
        self.asked.append((name, method, target, {**query, **form}))
        if name in self.fail:
            return self.fail[name]
        return act(method, url.path, query, form, headers, body)

    @staticmethod
    def json(status, value):
        return status, "application/json; charset=utf-8", json.dumps(value)

    # ---- Entra ID ----

    def other(self, method, path, *rest):
        """What MSAL looks at before it asks for a token."""
        if path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{TENANT}"
            return self.json(200, {"token_endpoint": f"{base}/oauth2/v2.0/token", "authorization_endpoint": f"{base}/oauth2/v2.0/authorize", "issuer": f"{base}/v2.0"})
        return self.json(404, {"error": "not_found"})

    def refuse(self, error, number, text):
        return self.json(401, {"error": error, "error_description": f"AADSTS{number}: {text} Trace ID: {CLIENT}", "error_codes": [number], "timestamp": iso(later(0)),
                               "trace_id": CLIENT, "correlation_id": CLIENT})

    def token(self):
        self.count += 1
        token = f"canary-token-{self.count}"
        self.tokens.add(token)
        self.ends[token] = time.time() + self.life
        return token

    def assertion_wrong(self, text):
        """RFC 7523 with Microsoft's header, in both of its forms; the certificate is one that was registered."""
        certificate = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes())
        header, der = jwt.get_unverified_header(text), certificate.public_bytes(Encoding.DER)
        member, digest = {"PS256": ("x5t#S256", hashlib.sha256), "RS256": ("x5t", hashlib.sha1)}[header["alg"]]
        thumbprint = base64.urlsafe_b64encode(digest(der).digest()).decode().rstrip("=")
        if header["typ"] != "JWT" or header[member].rstrip("=") != thumbprint or base64.b64decode(header.get("x5c", [base64.b64encode(der)])[0]) != der:
            return "header"
        claims = jwt.decode(text, certificate.public_key(), algorithms=[header["alg"]], audience=f"{self.url}/{TENANT}/oauth2/v2.0/token", issuer=CLIENT,
                            options={"require": ["exp", "jti", "sub"]})
        if claims["sub"] != CLIENT or claims["jti"] in self.seen_ids or claims["exp"] - time.time() > 900:
            return "claims"
        self.seen_ids.add(claims["jti"])
        return None

    def entra(self, method, path, query, form, headers, body):
        if method != "POST" or form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            return self.json(400, {"error": "invalid_request", "error_description": "AADSTS900144: The request body must contain ...", "error_codes": [900144]})
        if form.get("client_id") != CLIENT:
            return self.refuse("unauthorized_client", 700016, f"Application with identifier '{form.get('client_id')}' was not found.")
        if "client_assertion" in form:
            if form.get("client_assertion_type") != JWT_BEARER or "client_secret" in form:
                return self.refuse("invalid_request", 900561, "assertion type")
            if form["client_assertion"] != FEDERATED:
                try:
                    wrong = self.assertion_wrong(form["client_assertion"])
                except (jwt.PyJWTError, KeyError, TypeError) as error:
                    wrong = repr(error)
                if wrong:
                    return self.refuse("invalid_client", 700027, f"The certificate with identifier used to sign the client assertion: {wrong}")
        elif form.get("client_secret") != SECRET:
            return self.refuse("invalid_client", 7000215, f"Invalid client secret provided: {form.get('client_secret')}")
        return self.json(200, {"token_type": "Bearer", "expires_in": self.life, "ext_expires_in": self.life, "access_token": self.token()})

    # ---- Azure's managed identities ----

    def azure_imds(self, method, path, query, form, headers, body):
        if method != "GET" or headers.get("metadata") != "true" or headers.get("x-forwarded-for"):
            return self.json(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
        if query.get("api-version") != "2018-02-01" or not query.get("resource"):
            return self.json(400, {"error": "invalid_request"})
        if query.get("client_id", CLIENT) != CLIENT:
            return self.json(400, {"error": "invalid_request", "error_description": "Identity not found"})
        now = int(time.time())
        return self.json(200, {"access_token": self.token(), "client_id": CLIENT, "expires_in": str(self.life), "expires_on": str(now + self.life), "ext_expires_in": str(self.life),
                               "not_before": str(now), "resource": query["resource"], "token_type": "Bearer"})

    def app_service(self, method, path, query, form, headers, body):
        if headers.get("x-identity-header") != "canary-header" or query.get("api-version") != "2019-08-01":
            return self.json(400, {"statusCode": 400, "message": "Bad request"})
        return self.json(200, {"access_token": self.token(), "expires_on": str(int(time.time()) + self.life), "resource": query["resource"], "token_type": "Bearer",
                               "client_id": CLIENT})

    # ---- AWS ----

    def issued(self):
        self.count += 1
        access, secret, token = f"ASIAISSUED{self.count}", f"canary+issued/{self.count}", f"canary/token+{self.count}=="
        self.keys[access] = (secret, token)
        return access, secret, token, iso(later(self.life))

    def instance(self, method, path, query, form, headers, body):
        if path == "/latest/api/token":
            if method != "PUT" or not 1 <= int(headers.get("x-aws-ec2-metadata-token-ttl-seconds", 0)) <= 21600:
                return 400, "text/html", "bad"
            return 200, "text/plain", "canary-imds-token"
        if headers.get("x-aws-ec2-metadata-token") != "canary-imds-token":
            return 401, "text/html", "Unauthorized"
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, "text/plain", "gateway-role"
        if path != "/latest/meta-data/iam/security-credentials/gateway-role":
            return 404, "text/html", "Not Found"
        access, secret, token, ends = self.issued()
        return 200, "text/plain", json.dumps({"Code": "Success", "LastUpdated": iso(later(-60)), "Type": "AWS-HMAC", "AccessKeyId": access, "SecretAccessKey": secret,
                                              "Token": token, "Expiration": ends}, indent=2)

    def container(self, method, path, query, form, headers, body):
        if headers.get("authorization") != "canary-container":
            return self.json(401, {"code": "Unauthorized", "message": "no"})
        access, secret, token, ends = self.issued()
        return self.json(200, {"AccessKeyId": access, "SecretAccessKey": secret, "Token": token, "Expiration": ends, "RoleArn": ROLE})

    def models(self, method, path, query, form, headers, body):
        """Of Azure's v1 API and of who serves the same one: a key in its header, or a bearer."""
        bearer = headers.get("authorization") or ""
        given = headers.get("api-key") or headers.get("x-api-key") and headers.get("anthropic-version") and headers["x-api-key"] or bearer.removeprefix("Bearer ")
        if method != "GET" or body or given not in self.accepts:
            return self.json(401, {"error": {"code": "401", "message": f"Access denied due to invalid subscription key {given}."}})
        return self.json(200, {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]})

    def foundation_models(self, method, path, query, form, headers, body):
        wrong = verify(method, path, list(headers.items()), body, self.keys, ("eu-central-1", "bedrock"), datetime.datetime.now(datetime.timezone.utc))
        if wrong or not any(key in headers["authorization"] for key in self.accepts):
            return self.json(403, {"__type": "com.amazon.coral.service#UnrecognizedClientException", "message": wrong or "The security token included in the request is invalid."})
        return self.json(200, {"modelSummaries": []})

    def sts_refuse(self, status, code, text):
        return status, "text/xml", (f'<ErrorResponse xmlns="{XMLNS}">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    <Message>{text}</Message>\n  </Error>\n'
                                    f"  <RequestId>{CLIENT}</RequestId>\n</ErrorResponse>\n")

    def sts(self, method, path, query, form, headers, body):
        action = form.get("Action")
        if query == {"Action": "GetCallerIdentity", "Version": "2011-06-15"}:
            wrong = verify(method, f"{path}?Action=GetCallerIdentity&Version=2011-06-15", list(headers.items()), body, self.keys, ("eu-central-1", "sts"),
                           datetime.datetime.now(datetime.timezone.utc))
            return self.sts_refuse(403, "InvalidClientTokenId", wrong) if wrong else (200, "text/xml", f'<GetCallerIdentityResponse xmlns="{XMLNS}"/>')
        if method != "POST" or form.get("Version") != "2011-06-15" or not form.get("RoleSessionName") or not form.get("RoleArn", "").startswith("arn:aws:iam::"):
            return self.sts_refuse(400, "ValidationError", "1 validation error detected")
        if action == "AssumeRole":
            wrong = verify("POST", path, list(headers.items()), body, self.keys, ("eu-central-1", "sts"), datetime.datetime.now(datetime.timezone.utc))
            if wrong:
                return self.sts_refuse(403, "SignatureDoesNotMatch", wrong)
            if form.get("ExternalId", "ours") != "ours":
                return self.sts_refuse(403, "AccessDenied", "external id")
        elif action == "AssumeRoleWithWebIdentity":
            if form.get("WebIdentityToken") != WEB_TOKEN or headers.get("authorization"):
                return self.sts_refuse(400, "InvalidIdentityToken", f"The token {form.get('WebIdentityToken')} is not valid &amp; so on")
        else:
            return self.sts_refuse(400, "InvalidAction", "Could not find operation")
        access, secret, token, ends = self.issued()
        name = form["RoleArn"].rsplit("/", 1)[1]
        return 200, "text/xml", (
            f'<{action}Response xmlns="{XMLNS}">\n  <{action}Result>\n    <AssumedRoleUser>\n      <AssumedRoleId>AROAEXAMPLE:{form["RoleSessionName"]}</AssumedRoleId>\n'
            f"      <Arn>arn:aws:sts::123456789012:assumed-role/{name}/{form['RoleSessionName']}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n"
            f"      <AccessKeyId>{access}</AccessKeyId>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n      <SessionToken>{token}</SessionToken>\n"
            f"      <Expiration>{ends}</Expiration>\n    </Credentials>\n  </{action}Result>\n  <ResponseMetadata>\n    <RequestId>{CLIENT}</RequestId>\n"
            f"  </ResponseMetadata>\n</{action}Response>\n")
