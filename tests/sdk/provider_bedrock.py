"""
Bedrock's runtime: Converse, ConverseStream, InvokeModel of Anthropic's models (with a stream), of Titan's and Cohere's embeddings, CountTokens. Every
request, whatever attempt of whatever it is, is verified by botocore's own signer for this region and service, and for this minute.
"""
import base64
import datetime
import email.utils
import json
import re
import urllib.parse

import provider
import sdk_read
from provider import Provider, Refused, asked, sample
from signature import verify

PATH = re.compile(r"/model/([^/?]+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)")
HEADERS = [("x-amzn-requestid", "8f7d-1"), ("x-amzn-bedrock-input-token-count", "11")]
TYPES = {400: "ValidationException", 403: "InvalidSignatureException", 404: "ResourceNotFoundException"}
EVENTS = "application/vnd.amazon.eventstream"


class Bedrock(Provider):
    api_key = "bedrock-api-key-x"                   # for clients that come directly; the gateway has to sign
    access, secret, token, region = "AKIDBEDROCK", "secret/of+bedrock", "session/token==", "eu-central-1"

    def admit(self, request):
        if request.header("authorization") == "Bearer " + self.api_key and not request.header("user-agent").startswith("gatehouse"):
            return
        wrong = verify(request.method, request.target, request.headers, request.body, {self.access: (self.secret, self.token)}, (self.region, "bedrock"),
                       datetime.datetime.now(datetime.timezone.utc))
        if wrong:
            raise Refused(403, wrong)

    def refuse(self, status, sentence):
        now = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc), usegmt=True)
        return provider.plain({"message": sentence}, [("x-amzn-ErrorType", TYPES[status]), ("Date", now), *HEADERS], status)

    def answer(self, request):
        found = PATH.fullmatch(request.target)
        if not found:
            raise Refused(404, "no such path: " + request.target)
        model, operation, body = urllib.parse.unquote(found.group(1)), found.group(2), asked(request)
        if operation == "count-tokens":
            self.counted(body)
            return provider.plain({"inputTokens": 42}, HEADERS)
        if operation.startswith("converse"):
            if "model" in body or "stream" in body:
                raise Refused(400, "extraneous key is not permitted")
            if operation == "converse":
                return provider.plain(sample("converse", self.stem, "json"), HEADERS)
            return provider.stream(frames(sdk_read.framed(sample("converse", self.stem, "events"))), HEADERS, EVENTS)
        return self.invoke(model, body, operation != "invoke")

    @staticmethod
    def counted(body):
        """A union of two, which hold what the operation itself would get."""
        if set(body) != {"input"} or len(body["input"]) != 1:
            raise Refused(400, "input: exactly one member must be set")
        [(kind, inner)] = body["input"].items()
        if kind == "invokeModel":
            whole = json.loads(base64.b64decode(inner["body"], validate=True))
            if set(inner) != {"body"} or whole.get("anthropic_version") != "bedrock-2023-05-31" or not isinstance(whole.get("max_tokens"), int):
                raise Refused(400, "invokeModel.body: no request of Messages")
        elif kind != "converse" or not set(inner) <= {"messages", "system", "toolConfig", "additionalModelRequestFields"}:
            raise Refused(400, "extraneous key is not permitted")

    def invoke(self, model, body, streamed):
        if "embed" in model:
            family = "cohere" if model.startswith("cohere") else "titan"
            if streamed or ("texts" if family == "cohere" else "inputText") not in body:
                raise Refused(400, "required key not found")
            return provider.plain(sample(family, self.stem, "json"), HEADERS)
        if body.get("anthropic_version") != "bedrock-2023-05-31" or "model" in body or "stream" in body:
            raise Refused(400, "anthropic_version: field required, model and stream are not permitted")
        if not streamed:
            return provider.plain(sample("messages", self.stem, "json"), HEADERS)
        return provider.stream([chunk(event) for event in provider.blocks(sample("messages", self.stem, "sse"))], HEADERS, EVENTS)


def chunk(event):
    """An event of Messages as InvokeModelWithResponseStream has it, padded."""
    data = next(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    payload = json.dumps({"bytes": base64.b64encode(data).decode(), "p": "abcdefgh"}).encode()
    return sdk_read.framed(b"chunk %d\n" % len(payload) + payload + b"\n")


def frames(data):
    """Message by message."""
    made = []
    while data:
        length = int.from_bytes(data[:4], "big")
        made.append(data[:length])
        data = data[length:]
    return made
