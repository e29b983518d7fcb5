#!/usr/bin/env python3
"""
Random requests signed by build/tests/tools/aws_request and by botocore: Authorization, date and canonical request are the same, byte for byte; a verifier
that is made of botocore takes ours, and nothing that was changed on the way. What cannot be signed is refused, without a secret in the sentence. A clock that
is wrong is learned from refusals; errors and credentials are read in all their forms.

    tests/data/check_sigv4.py [--tool build/tests/tools/aws_request] [--count N] [--seed N]
"""
import argparse
import datetime
import email.utils
import gzip
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import urllib.parse

import botocore
import botocore.auth
import botocore.awsrequest
import botocore.credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from signature import verify  # noqa: E402

UTC = datetime.timezone.utc
MODELS = ["anthropic.claude-sonnet-4-20250514-v1:0", "eu.amazon.nova-pro-v1:0", "openai.gpt-oss-120b-1:0",
          "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"]


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question, ensure_ascii=False).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the tool has died")
        return json.loads(line)


def word(rng, alphabet, least, most):
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(least, most)))


def path(rng):
    def segment():
        return rng.choice([urllib.parse.quote(rng.choice(MODELS), safe=""), urllib.parse.quote(word(rng, "ab /:%é漢~.", 1, 6), safe="~"),
                           word(rng, "aZ9-._~!$&'()*+,;=:@", 1, 8), "", ".", "..", "...", "%2e%2E"])
    if rng.random() < 0.4:
        operation = rng.choice(["converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"])
        return "/model/" + urllib.parse.quote(rng.choice(MODELS), safe="") + "/" + operation
    return "/" + "/".join(segment() for _ in range(rng.randrange(5)))


def query(rng):
    """As AWS spells it, since botocore takes a query as it stands."""
    quote = lambda text: urllib.parse.quote(text, safe="-_.~")
    names = [quote(word(rng, "aAb-_.~ é/+%=&", 1, 4)) for _ in range(rng.randrange(4))]
    return "&".join(name + "=" + quote(word(rng, "aB1 +/=&é~", 0, 5)) for name in names + names[:rng.randrange(2)])


def value(rng):
    return word(rng, ["a", "B", " ", "  ", "\t", ",", "\"", "é", ";=", "{}"], 0, 9)


def request(rng):
    s3 = rng.random() < 0.1
    names = ["content-type", "Content-Type", "x-amzn-bedrock-accept", "X-Amzn-Trace", "accept", "My-Header", "my-header2", "!#$%'*+-.^_`|~x"]
    headers = [(name, value(rng)) for name in rng.sample(names, rng.randrange(5))]
    headers += [(rng.choice([str.upper, str.lower])(name), value(rng)) for name, _ in headers[:rng.randrange(3)]]
    rng.shuffle(headers)
    return {
        "access": word(rng, "AKIZ29_", 16, 22), "secret": word(rng, "".join(chr(c) for c in range(33, 127)), 1, 60),
        "token": rng.choice(["", word(rng, "aB0+/=-_.", 1, 400)]), "region": rng.choice(["eu-central-1", "us-east-1", "eusc-de-east-1", "x"]),
        "service": "s3" if s3 else rng.choice(["bedrock", "bedrock-mantle", "service"]), "method": rng.choice(["POST", "POST", "GET", "DELETE"]),
        "host": rng.choice(["bedrock-runtime.eu-central-1.amazonaws.com", "127.0.0.1:8443", "x"]), "path": path(rng), "query": query(rng),
        "headers": headers, "content_sha256": s3 or rng.random() < 0.5, "now_ms": rng.randrange(0, 253402300799000), "skew_ms": 0,
    }, rng.randbytes(rng.choice([0, 1, 50, 3000]))


def theirs(asked, body):
    """botocore's Authorization and canonical request."""
    url = "https://" + asked["host"] + asked["path"] + ("?" + asked["query"] if asked["query"] else "")
    sent = botocore.awsrequest.AWSRequest(method=asked["method"], url=url, data=body)
    sent.headers["Host"] = asked["host"]
    for name, text in asked["headers"]:
        sent.headers.add_header(name, text)
    if asked["content_sha256"]:
        sent.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    now = datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(milliseconds=asked["now_ms"] + asked["skew_ms"])
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now.replace(microsecond=0)
    kind = botocore.auth.S3SigV4Auth if asked["service"] == "s3" else botocore.auth.SigV4Auth
    signer = kind(botocore.credentials.Credentials(asked["access"], asked["secret"], asked["token"] or None), asked["service"], asked["region"])
    signer.add_auth(sent)
    authorization = sent.headers["Authorization"]
    del sent.headers["Authorization"]
    return authorization, sent.headers["X-Amz-Date"], signer.canonical_request(sent)


def sign(tool, asked, body):
    return tool.ask(op="sign", body_sha256=hashlib.sha256(body).hexdigest(), **asked)


def sent_headers(asked, answer):
    out = [("Host", asked["host"]), ("X-Amz-Date", answer["date"]), ("Authorization", answer["authorization"])]
    out += [("X-Amz-Security-Token", asked["token"])] if asked["token"] else []
    out += [("X-Amz-Content-Sha256", answer["content_sha256"])] if asked["content_sha256"] else []
    return out + [(name, text) for name, text in asked["headers"]]


def check_signed(tool, rng, count):
    changed = 0
    for number in range(count):
        asked, body = request(rng)
        answer = sign(tool, asked, body)
        assert "error" not in answer, (asked, answer)
        authorization, date, canonical = theirs(asked, body)
        assert answer["canonical"] == canonical and answer["date"] == date and answer["authorization"] == authorization, (asked, answer, canonical)
        if number % 4 == 0:
            changed += check_verified(rng, asked, answer, body)
    return changed


def check_verified(rng, asked, answer, body):
    headers, secrets = sent_headers(asked, answer), {asked["access"]: (asked["secret"], asked["token"])}
    target = asked["path"] + ("?" + asked["query"] if asked["query"] else "")
    at = datetime.datetime.strptime(answer["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    told = dict(method=asked["method"], target=target, headers=headers, body=body, secrets=secrets, scope=(asked["region"], asked["service"]), now=at)
    assert verify(**told) is None, (asked, verify(**told))
    wrong = [
        told | {"body": body + b"x"}, told | {"method": "PUT"}, told | {"target": target.replace(asked["path"], asked["path"] + "y", 1)}, told | {"scope": ("us-west-1", "bedrock")},
        told | {"now": at + datetime.timedelta(minutes=6)}, told | {"secrets": {asked["access"]: (asked["secret"] + "x", asked["token"])}},
        told | {"headers": [(n, v + "x" if n == "Host" else v) for n, v in headers]}, told | {"headers": headers[:2] + headers[3:]},
        told | {"headers": headers + [("x-amz-other", "1")]}, told | {"secrets": {}},
    ]
    for one in wrong:
        assert verify(**one) is not None, one
    return len(wrong)


def check_clients(tool, rng, count):
    """What botocore signs for Bedrock is accepted with the secret that it was signed with; whatever is changed then is not."""
    changed = 0
    for number in range(count):
        asked, body = request(rng)
        asked |= {"service": rng.choice(["bedrock", "bedrock-mantle"]), "token": "", "content_sha256": rng.random() < 0.5, "region": rng.choice(["eu-central-1", "x"])}
        authorization, date, _ = theirs(asked, body)
        if rng.random() < 0.3:
            authorization = authorization.replace(", ", rng.choice([",", " ,  "]))
        headers = sent_headers(asked, {"date": date, "authorization": authorization, "content_sha256": hashlib.sha256(body).hexdigest()})
        at = int(datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() * 1000)
        told = dict(op="verify", secret=asked["secret"], method=asked["method"], target=asked["path"] + ("?" + asked["query"] if asked["query"] else ""),
                    headers=headers, body_sha256=hashlib.sha256(body).hexdigest(), now_ms=at + rng.randrange(-300000, 300001))
        if told["now_ms"] < 0:
            continue
        found = tool.ask(**told)
        assert found == {"access": asked["access"]}, (told, found)
        letter = rng.randrange(len(headers))
        altered = [told | {"secret": told["secret"] + "x"}, told | {"method": "PUT"}, told | {"target": "/x" + told["target"]}, told | {"body_sha256": "0" * 64},
                   told | {"now_ms": at + 301000}, told | {"headers": headers[:letter] + headers[letter + 1:]},
                   told | {"headers": [(name, text + "x" if at_ == letter else text) for at_, (name, text) in enumerate(headers)]},
                   told | {"headers": headers + [headers[letter]]}, told | {"headers": headers + [("x-amz-security-token", "t")]}]
        place = rng.randrange(len(authorization))
        other = authorization[:place] + rng.choice("aZ0/;,= ") + authorization[place + 1:]
        if [part.strip() for part in other.split(",")] != [part.strip() for part in authorization.split(",")]:
            altered.append(told | {"headers": [(name, other if name == "Authorization" else text) for name, text in headers]})
        alone = tool.ask(**told | {"body_sha256": ""})                # the head alone
        assert alone == ({"access": asked["access"]} if asked["content_sha256"] else alone) and ("access" in alone) == asked["content_sha256"], (told, alone)
        altered += [one | {"body_sha256": ""} for one in altered if one["body_sha256"] == told["body_sha256"]]
        for one in altered:
            found = tool.ask(**one)
            assert found.get("error") in ("invalid_signature", "incomplete_signature", "invalid_access_key") or found == {"access": other_id(one)}, (one, found)
            assert one["secret"] not in found.get("sentence", "") or len(one["secret"]) < 6, found
            changed += 1
    return changed


def other_id(told):
    """The id is no part of what is signed: whose secret it is that was looked up decides."""
    text = dict(told["headers"]).get("Authorization", "")
    same = "Credential=" in text and len(text) > 150
    return text.split("Credential=")[1].split("/")[0] if same else None


def check_query(tool):
    """Other spellings of one query are signed as AWS reads them (its guide: names and values are encoded, then sorted)."""
    base = {"access": "A", "secret": "s", "token": "", "region": "r", "service": "bedrock", "method": "GET", "host": "h", "path": "/", "headers": [],
            "content_sha256": False, "now_ms": 0, "skew_ms": 0}
    cases = {"a": "a=", "b=1&a=2": "a=2&b=1", "a:b=c/d": "a%3Ab=c%2Fd", "a=%7e%2d": "a=~-", "a=%c3%a9": "a=%C3%A9", "a=1=2": "a=1%3D2", "a=x+y": "a=x%2By",
             "a=2&a=1": "a=1&a=2", "a-b=1&a=2": "a=2&a-b=1", "B=1&a=2&A=3": "A=3&B=1&a=2"}
    for asked, canonical in cases.items():
        answer = sign(tool, base | {"query": asked}, b"")
        assert answer["canonical"].split("\n")[2] == canonical, (asked, answer)
    return base, len(cases)


def check_refused(tool, base):
    base = base | {"query": "", "secret": "canary/secret+key", "token": "canary-token"}
    long = [("h%d" % i, "") for i in range(33)]
    cases = [{"path": ""}, {"path": "x"}, {"path": "/a b"}, {"path": "/%"}, {"path": "/%4"}, {"path": "/%zz"}, {"path": "/é"}, {"path": "/a?b"}, {"path": "/a#b"},
             {"path": "/a\nb"}, {"path": "/<"}, {"path": "/a\\b"}, {"query": "a=%"}, {"query": "a b"}, {"query": "a=b#"}, {"query": "=a"}, {"query": "a=1&"},
             {"query": "&a=1"}, {"query": "a=1&&b=2"}, {"query": "&".join("a%d" % i for i in range(65))}, {"method": ""}, {"method": "post"}, {"method": "GET "},
             {"host": ""}, {"host": "a\r\nb"}, {"headers": [("a\nb", "")]}, {"headers": [("", "x")]}, {"headers": [("a b", "x")]}, {"headers": [("a", "b\nc: d")]},
             {"headers": [("a", "\x7f")]}, {"headers": [("é", "x")]}, {"headers": [("Authorization", "x")]}, {"headers": [("HOST", "x")]},
             {"headers": [("X-Amz-Date", "x")]}, {"headers": [("x-amz-security-token", "x")]}, {"headers": [("x-amz-content-sha256", "x")]}, {"headers": long},
             {"access": ""}, {"access": "a/b"}, {"access": "a b"}, {"access": "a,b"}, {"access": "A" * 129}, {"secret": ""}, {"secret": "canary " + "x"},
             {"secret": "canary" * 50}, {"token": "canary\ntoken"}, {"token": "canary" * 2000}, {"region": ""}, {"region": "a/b"}, {"region": "é"}, {"service": ""},
             {"service": "a b"}, {"now_ms": 253402300800000}, {"now_ms": 9223372036854775807}, {"skew_ms": -1}, {"now_ms": 5, "skew_ms": -(1 << 62)}]
    assert "error" not in sign(tool, base, b"")
    for change in cases:
        answer = sign(tool, base | change, b"")
        assert answer.get("error") == "bad_signature_input", (change, answer)
        assert "canary" not in answer["sentence"], answer
    return len(cases)


def check_keys(tool, rng):
    """A key is derived once a secret, region, service and day; 32 stay."""
    base = request(rng)[0] | {"path": "/", "query": "", "headers": [], "service": "bedrock", "region": "eu-central-1"}
    count = lambda **change: sign(tool, base | change, b"")["derived"]
    day = 86400000
    first = count(secret="one", now_ms=day * 9)
    same = [dict(secret="one", now_ms=day * 9 + 86399999), dict(secret="one", now_ms=day * 9, token="t"), dict(secret="one", now_ms=day * 10, skew_ms=-1)]
    assert [count(**change) - first for change in same] == [0, 0, 0]
    other = [dict(secret="two", now_ms=day * 9), dict(secret="one", now_ms=day * 9, region="eu-west-1"), dict(secret="one", now_ms=day * 9, service="s3"),
             dict(secret="one", now_ms=day * 10), dict(secret="one", now_ms=day * 9)]
    assert [count(**change) - first for change in other] == [1, 2, 3, 4, 5]
    begun = count(secret="one", now_ms=day * 9)
    for number in range(31):
        count(secret="many%d" % number, now_ms=day * 9)
    assert count(secret="one", now_ms=day * 9) == begun + 31       # the 33rd takes the place of one unused for longer
    for number in range(32):
        count(secret="more%d" % number, now_ms=day * 9)
    assert count(secret="one", now_ms=day * 9) == begun + 31 + 32 + 1


def check_skew(tool):
    now = 1_795_762_800_000     # a whole second
    date = lambda offset: email.utils.formatdate((now + offset) // 1000, usegmt=True)
    stamp = lambda offset: datetime.datetime.fromtimestamp((now + offset) // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    expired = lambda offset: json.dumps({"message": f"Signature expired: {stamp(0)} is now earlier than {stamp(offset - 300000)} ({stamp(offset)} - 5 min.)"})
    early = lambda offset: json.dumps({"message": f"Signature not yet current: {stamp(0)} is still later than {stamp(offset + 300000)} ({stamp(offset)} + 5 min.)"})
    cases = [   # status, type header, body, date, skew before, skew after; None: not learned
        (403, "InvalidSignatureException", expired(900000), date(900000), 0, 900000), (403, "InvalidSignatureException", expired(900000), "", 0, 900000),
        (403, "InvalidSignatureException", early(-7200000), "", 0, -7200000), (403, "InvalidSignatureException:", "{}", date(-600000), 0, -600000),
        (400, "", '{"__type":"com.amazon.coral.service#InvalidSignatureException"}', date(600000), 0, 600000),
        (403, "", '{"code":"RequestTimeTooSkewed"}', date(600000), 0, 600000), (403, "RequestExpired", "", date(600000), 0, 600000),
        (403, "SignatureDoesNotMatch", "", date(86400000), 0, 86400000), (403, "InvalidSignatureException", "", date(0), 600000, 0),
        (403, "InvalidSignatureException", "", date(600000), 599000, None), (403, "InvalidSignatureException", "", date(59000), 0, None),
        (403, "InvalidSignatureException", "", date(60000), 0, 60000), (403, "InvalidSignatureException", "", date(86401000), 0, None),
        (403, "InvalidSignatureException", "", date(-86401000), 0, None), (403, "AccessDeniedException", expired(900000), date(900000), 0, None),
        (200, "InvalidSignatureException", "", date(900000), 0, None), (500, "InvalidSignatureException", "", date(900000), 0, None),
        (403, "", "", date(900000), 0, None), (403, "InvalidSignatureException", '{"message":"(20269999T999999Z)"}', "garbage", 0, None),
        (403, "InvalidSignatureException", '{"message":"("}', "", 0, None), (403, "InvalidSignatureException", "not json", "", 0, None),
    ]
    for status, header, body, text, before, after in cases:
        answer = tool.ask(op="skew", status=status, type_header=header, body=body, date=text, now_ms=now, skew_ms=before)
        assert answer["learned"] == (after is not None) and answer["skew_ms"] == (before if after is None else after), ((status, header, body, text), answer)
    return len(cases)


def check_errors(tool):
    """Every modelled error of bedrock-runtime has the status of AWS's own model; names in all their forms."""
    model = json.loads(gzip.decompress(next(pathlib.Path(botocore.__file__).parent.glob("data/bedrock-runtime/*/service-2.json.gz")).read_bytes()))
    names = {name: shape["error"]["httpStatusCode"] for name, shape in model["shapes"].items() if shape.get("exception")}
    in_streams = [name for shape in model["shapes"].values() if shape.get("eventstream") for name, member in shape["members"].items() if member["shape"] in names]
    assert len(names) > 10 and len(in_streams) > 10
    read = lambda header, body: tool.ask(op="skew", status=0, type_header=header, body=body, date="", now_ms=0, skew_ms=0)
    for name, status in names.items():
        assert read(name, "")["status"] == status, (name, status)
    for name in in_streams:
        assert read(name, "")["status"] == names[name[0].upper() + name[1:]], name
    for header in ["FooError", "FooError:http://internal.amazon.com/coral/x/", "aws.protocoltests.restjson#FooError", "a#FooError:b#c", " FooError "]:
        assert read(header, '{"__type":"Other"}')["type"] == "FooError", header
        assert read("", json.dumps({"x": [1], "__type": header, "Message": "é\n"})) | {"type": "FooError", "message": "é\n"} == read("", json.dumps({"x": [1], "__type": header, "Message": "é\n"}))
    assert read("", '{"code":"FooError","message":null}')["message"] == "" and read("", '{"code":["x"],"message":{"a":1}}')["type"] == ""
    for body in ["", "x", "[]", '{"code":"A"', '{"code":"A"}x', '{"code":"A","message":"\\ud800"}']:
        assert read("", body)["type"] == "" and read("B", body)["message"] == "", body
    assert read("Nothing", "")["status"] == 0 and read("hrottlingException", "")["status"] == 0
    return len(names) + len(in_streams)


def check_credentials(tool):
    good = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "canary\"é", "SessionToken": "t", "Expiration": "2026-11-27T08:00:00Z"}
    read = lambda text: tool.ask(op="credential", text=text if isinstance(text, str) else json.dumps(text))
    at = 1795766400000
    assert read(good) == {"access": "AKIA", "secret": "canary\"é", "token": "t", "expires_ms": at}
    imds = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "A", "SecretAccessKey": "B", "Token": "C", "LastUpdated": "x", "Expiration": "2026-11-27T08:00:00.123+00:00"}
    assert read(imds) == {"access": "A", "secret": "B", "token": "C", "expires_ms": at}
    assert read({"AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": None}) == {"access": "A", "secret": "B", "token": "", "expires_ms": 0}
    wrong = [("", "JSON object"), ("AKIA canary", "JSON object"), ("[]", "JSON object"), (json.dumps(good)[:-1], "JSON object"), (json.dumps(good) + "x", "JSON object"),
             ({"AccessKeyId": "A"}, "SecretAccessKey"), ({"SecretAccessKey": "canary"}, "AccessKeyId"), (good | {"AccessKeyId": ""}, "AccessKeyId"),
             (good | {"SecretAccessKey": 5}, "SecretAccessKey"), (good | {"Token": "canary"}, "Token"), (good | {"SessionToken": ["canary"]}, "SessionToken")]
    wrong += [(good | {"Expiration": text}, "Expiration") for text in
              ["canary", "2026-11-27", "2026-11-27T08:00:00", "2026-13-27T08:00:00Z", "2026-11-27T08:00:00+01:00", "2026-11-27 08:00:00Z", "2026-11-27T08:00:00Zx"]]
    for text, member in wrong:
        answer = read(text)
        assert answer["error"] == "aws_credential" and member in answer["sentence"] and "canary" not in answer["sentence"], (text, answer)
    return len(wrong) + 3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default=ROOT / "build/tests/tools/aws_request")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    rng, tool = random.Random(options.seed), Tool(options.tool)

    changed = check_signed(tool, rng, options.count)
    clients = check_clients(tool, rng, options.count // 3)
    base, queries = check_query(tool)
    refused = check_refused(tool, base)
    check_keys(tool, rng)
    print(f"{options.count} requests as botocore signs them, {changed} changed ones noticed, {clients} of clients, {queries} spellings of a query, {refused} refused, "
          f"{check_skew(tool)} answers about the clock, {check_errors(tool)} errors, {check_credentials(tool)} credentials")


if __name__ == "__main__":
    main()
