"""Anthropic: Messages, their count of tokens, its list of models."""
import re

import provider
from provider import Provider, Refused, asked, sample

HEADERS = [("request-id", "req_011C"), ("anthropic-organization-id", "o-1"), ("anthropic-ratelimit-requests-limit", "4000"),
           ("anthropic-ratelimit-requests-remaining", "3999"), ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
           ("anthropic-ratelimit-input-tokens-limit", "400000"), ("anthropic-ratelimit-input-tokens-remaining", "399000"),
           ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:00Z")]
COUNTED = {"messages", "model", "cache_control", "output_config", "system", "thinking", "tool_choice", "tools"}
COUNTED_IN_BETAS = {"context_management", "compaction", "mcp_servers", "speed"}          # the SDK's beta type has them
TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}


class Anthropic(Provider):
    key = "sk-ant-of-anthropic"

    def admit(self, request):
        if [request.all("x-api-key"), request.all("authorization")] not in ([[self.key], []], [[], ["Bearer " + self.key]]):
            raise Refused(401, "invalid x-api-key")
        if len(request.all("anthropic-version")) != 1 or not re.fullmatch(r"20\d\d-\d\d-\d\d", request.header("anthropic-version")):
            raise Refused(400, "anthropic-version: header is required")

    def refuse(self, status, sentence):
        return provider.plain({"type": "error", "error": {"type": TYPES[status], "message": sentence}, "request_id": "req_011C"}, HEADERS, status)

    def answer(self, request):
        path = request.target.split("?")[0]
        if path == "/v1/messages":
            return self.messages(asked(request))
        if path == "/v1/messages/count_tokens":
            if not (COUNTED | (COUNTED_IN_BETAS if request.header("anthropic-beta") else set())).issuperset(asked(request)):
                raise Refused(400, "extra inputs are not permitted")
            return provider.plain({"input_tokens": 2095}, HEADERS)
        raise Refused(404, "no such path: " + request.target)

    def messages(self, body):
        for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
            if not isinstance(body.get(name), kind):
                raise Refused(400, f"{name}: field required")
        if not body.get("stream"):
            return provider.plain(sample("messages", self.stem, "json"), HEADERS)
        return provider.stream(provider.blocks(sample("messages", self.stem, "sse")), HEADERS)
