"""
Is an AWS request signed as it has to be? botocore computes again what was received, from the request's own words and the secret of its access key; nothing
of this comes from the gateway.
"""
import datetime
import hashlib
import hmac
import json
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials

AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, SignedHeaders=([^, ]+), Signature=([0-9a-f]{64})")
SIGNED_ALWAYS = {"host", "x-amz-date"}
WINDOW = datetime.timedelta(minutes=5)


def verify(method, target, headers, body, secrets, scope=None, now=None):
    """
    None, or a sentence of what is wrong. target: path and query as on the wire; headers: [(name, value)] in their order; secrets: {access key id:
    (secret, session token or None)}; scope: (region, service) that must be signed for; now: the backend's time, None: any.
    """
    values = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value)
    for name in ("authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"):
        if len(values.get(name, [])) > 1:
            return f"{name} stands twice"
    found = AUTHORIZATION.fullmatch(values.get("authorization", [""])[0])
    if not found:
        return "no Authorization of AWS4-HMAC-SHA256"
    access, day, region, service, signed, signature = found.groups()
    signed = signed.split(";")
    if access not in secrets:
        return "an access key id that is not known"
    secret, token = secrets[access]
    if scope and scope != (region, service):
        return f"signed for {region}/{service}, not {scope[0]}/{scope[1]}"
    stamp = values.get("x-amz-date", [""])[0]
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or stamp[:8] != day:
        return "x-amz-date is no time, or not of the day signed for"
    at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if now and abs(now - at) > WINDOW:
        return "the time is not the backend's"
    if (token or None) != (values.get("x-amz-security-token") or [None])[0]:
        return "x-amz-security-token is not the one of the access key"
    needed = SIGNED_ALWAYS | {name for name in values if name.startswith("x-amz-")} | ({"content-type"} & set(values))
    if not needed <= set(signed) or sorted(set(signed)) != signed:
        return "not all headers are signed that have to be, or not in order"
    if any(name not in values for name in signed):
        return "a header is signed that was not sent"
    digest = hashlib.sha256(body).hexdigest()
    if values.get("x-amz-content-sha256", [digest])[0] != digest:
        return "x-amz-content-sha256 is not the body's"

    request = botocore.awsrequest.AWSRequest(method=method, url="https://" + values["host"][0] + target, data=body)
    for name, value in headers:
        if name.lower() in signed:
            request.headers.add_header(name, value)
    request.context["timestamp"] = stamp
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer = kind(botocore.credentials.Credentials(access, secret, token), service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, signature):
        return "the signature is not that of the request:\n" + signer.canonical_request(request)
    return None


class Callers:
    """
    Who may ask a mock backend: whoever signs with an access key that the gateway was given for it, or shows the bearer that it was given. A mock judges every request
    that comes to Bedrock's paths, or that is signed, retries and repeats included.
    """

    def __init__(self, lines=()):
        found = re.search(r"aws_signature ([a-z-]+);", " ".join(lines))
        self.service, self.secrets, self.bearers, self.timely = found and found.group(1), {}, set(), False

    def learn(self, credential):
        """Another one that the gateway was given; those before stay known, since requests may be under way with them."""
        if not self.service:
            self.bearers.add("Bearer " + credential)
            return self
        try:
            said = json.loads(credential)
            self.secrets[said["AccessKeyId"]] = said["SecretAccessKey"], said.get("SessionToken") or said.get("Token")
        except (ValueError, KeyError, TypeError):
            pass                # nothing can be signed with it
        return self

    def judges(self, request):
        return request.target.startswith("/model/") or (request.header("authorization") or "").startswith("AWS4-")

    def wrong(self, request):
        """None, or what is wrong with how the request proves whose it is."""
        shown = request.all("authorization")
        if not self.service:
            return None if len(shown) == 1 and shown[0] in self.bearers else "not the bearer of this backend"
        region = AUTHORIZATION.fullmatch(shown[0]).group(3) if len(shown) == 1 and AUTHORIZATION.fullmatch(shown[0]) else ""
        now = datetime.datetime.now(datetime.timezone.utc) if self.timely else None
        return verify(request.method, request.target, request.headers, request.body, self.secrets, (region, self.service), now)
