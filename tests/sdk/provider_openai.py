"""OpenAI and Azure OpenAI: chat completions, Responses, embeddings, completions. Azure by either of its forms, with its annotations in streams."""
import json
import re

import provider
from provider import Provider, Refused, asked, sample

RATE = [("x-ratelimit-limit-requests", "10000"), ("x-ratelimit-remaining-requests", "9999"), ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-tokens", "1999000")]
OPENAI_HEADERS = [("x-request-id", "req_0011"), ("openai-processing-ms", "321"), ("openai-organization", "org-x"), ("openai-version", "2020-10-01"), *RATE,
                  ("x-ratelimit-reset-requests", "6ms"), ("x-ratelimit-reset-tokens", "28ms")]
AZURE_HEADERS = [("apim-request-id", "b0a1"), ("x-request-id", "c0a2"), ("x-ms-region", "Sweden Central"), ("x-ms-deployment-name", "gpt-x"),
                 ("x-ms-rai-invoked", "true"), ("azureml-model-session", "d1"), *RATE, ("x-ratelimit-reset-requests", "0"), ("x-ratelimit-reset-tokens", "1")]
CLASSIC = re.compile(r"/openai/deployments/([^/?]+)/(chat/completions|completions|embeddings)\?api-version=(\d{4}-\d\d-\d\d(?:-preview)?)")
CLASSIC_RESPONSES = re.compile(r"/openai/(responses)\?api-version=\d{4}-\d\d-\d\d(?:-preview)?")


class OpenAI(Provider):
    key, headers, base = "sk-of-openai", OPENAI_HEADERS, "/v1/"

    def admit(self, request):
        if request.header("authorization") != "Bearer " + self.key:
            raise Refused(401, "no such API key")

    def refuse(self, status, sentence):
        kind = {401: "authentication_error"}.get(status, "invalid_request_error")
        code = {401: "invalid_api_key"}.get(status)
        return provider.plain({"error": {"message": sentence, "type": kind, "param": None, "code": code}}, self.headers, status)

    def endpoint(self, request):
        if not request.target.startswith(self.base):
            raise Refused(404, "no such path: " + request.target)
        return request.target[len(self.base):]

    def answer(self, request):
        endpoint, body = self.endpoint(request), asked(request)
        if endpoint == "chat/completions":
            return self.chat(body)
        if endpoint == "responses":
            return self.responses(body)
        if endpoint in ("embeddings", "completions"):
            return provider.plain(sample(endpoint, self.stem, "json"), self.headers)
        raise Refused(404, "no such path: " + request.target)

    def chat(self, body):
        if "messages" not in body:
            raise Refused(400, "messages is missing")
        if not body.get("stream"):
            return provider.plain(sample("chat", self.stem, "json"), self.headers)
        events = provider.blocks(sample("chat", self.stem, "sse"))
        if not (body.get("stream_options") or {}).get("include_usage"):
            events = [event for event in events if not counts(event)]       # only who asks is told
        return provider.stream(events, self.headers)

    def responses(self, body):
        if "input" not in body:
            raise Refused(400, "input is missing")
        if not body.get("stream"):
            return provider.plain(sample("responses", self.stem, "json"), self.headers)
        return provider.stream(provider.blocks(sample("responses", self.stem, "sse")), self.headers)


class Azure(OpenAI):
    key, headers, base = "key-of-azure", AZURE_HEADERS, "/openai/v1/"

    def admit(self, request):
        if request.header("api-key") != self.key and request.header("authorization") != "Bearer " + self.key:
            raise Refused(401, "no such API key")


class AzureClassic(Azure):
    key = "key-of-azure-classic"

    def endpoint(self, request):
        found = CLASSIC.fullmatch(request.target)
        if found:
            return found.group(2)
        found = CLASSIC_RESPONSES.fullmatch(request.target)
        if not found:
            raise Refused(404, "no such path: " + request.target)
        return found.group(1)


def counts(event):
    """Is it the chunk of usage, without choices?"""
    data = event.split(b"data:", 1)[-1].strip()
    if not data.startswith(b"{"):
        return False
    found = json.loads(data)
    return isinstance(found, dict) and found.get("choices") == [] and found.get("usage") is not None
