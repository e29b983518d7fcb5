"""
The SDKs, unchanged but for their base URL and key. Each has the dialect that it speaks and takes bodies as that dialect writes them:

    .plain(body)     the SDK's final object as a dictionary
    .events(body)    what its stream gave, as dictionaries
    .told(body)      what both say in words that all dialects share, see sdk_read; an error is {"error": class, "status", "said"}

What a server's SDK must not see differently through the gateway is in those dictionaries, whole.
"""
import base64
import contextlib
import inspect
import json
import os

import anthropic
import boto3
import httpx2
import urllib3
import botocore.config
import botocore.exceptions
import openai

import sdk_read
import sdk_types


def split(call, body):
    """Arguments that the SDK's method has by name, and all others as its extra_body."""
    known = inspect.signature(call).parameters
    named = {name: value for name, value in body.items() if name in known}
    more = {name: value for name, value in body.items() if name not in known}
    return {**named, **({"extra_body": more} if more else {})}


def dictionary(found):
    return found.to_dict(mode="json")


class Python:
    """SDKs of OpenAI and Anthropic, which are made alike."""
    library = openai
    FAILURES = (openai.APIError, anthropic.APIError, httpx2.HTTPError)

    def call(self, body):
        raise NotImplementedError

    def plain(self, body):
        return dictionary(self.call(body))

    def stream(self, body):
        """Events as they come."""
        with self.call({**body, "stream": True}) as stream:
            for event in stream:
                yield dictionary(event)

    def events(self, body):
        return list(self.stream(body))

    @classmethod
    def caught(cls, function, body):
        try:
            return function(body)
        except cls.library.APIStatusError as error:
            return {"error": type(error).__name__, "status": error.status_code, "said": str(error.message), "body": error.body}
        except cls.library.APIError as error:
            return {"error": type(error).__name__, "status": None, "said": str(error.message), "body": error.body}


class Chat(Python):
    dialect = "chat"

    def __init__(self, base, key, retries=0):
        self.sdk = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=retries, timeout=60)

    def call(self, body):
        method = self.sdk.chat.completions.create
        return method(**split(method, body))

    def told(self, body, stream=False):
        if stream:
            return self.caught(lambda body: sdk_read.chat_chunks(self.call({**body, "stream": True, "stream_options": {"include_usage": True}})), body)
        return self.caught(lambda body: sdk_read.chat_completion(self.call(body)), body)


    @staticmethod
    def text_of(events):
        return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


class Azure(Chat):
    """The class for Azure OpenAI: api-key, its paths."""
    def __init__(self, base, key, retries=0):
        self.sdk = openai.AzureOpenAI(azure_endpoint=base, api_key=key, api_version="2024-10-21", max_retries=retries, timeout=60)


class AzureV1(Chat):
    """The plain class at the form of URLs that has no version."""
    def __init__(self, base, key, retries=0):
        self.sdk = openai.OpenAI(base_url=base + "/openai/v1", api_key=key, max_retries=retries, timeout=60)


class Responses(Chat):
    dialect = "responses"

    def call(self, body):
        method = self.sdk.responses.create
        return method(**split(method, body))

    def told(self, body, stream=False):
        if stream:
            return self.caught(lambda body: sdk_read.responses_events(self.call({**body, "stream": True})), body)
        return self.caught(lambda body: sdk_read.responses_told(self.call(body)), body)

    @staticmethod
    def text_of(events):
        return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


class Messages(Python):
    dialect, library = "messages", anthropic

    def __init__(self, base, key, retries=0):
        self.sdk = anthropic.Anthropic(base_url=base, api_key=key, max_retries=retries, timeout=60)

    def call(self, body):
        method = self.sdk.messages.create
        return method(**split(method, body))

    def told(self, body, stream=False):
        if stream:
            return self.caught(lambda body: sdk_read.messages_events(self.sdk.messages.stream(**split(self.sdk.messages.stream, body))), body)
        return self.caught(lambda body: sdk_read.messages_told(self.call(body)), body)

    @staticmethod
    def text_of(events):
        return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


class Invoke(Messages):
    """Anthropic's class for Bedrock: InvokeModel. key: of the gateway, or (access key id, secret, session token) to sign with."""
    dialect = "invoke"

    def __init__(self, base, key, retries=0):
        named = {"api_key": key} if isinstance(key, str) else dict(zip(("aws_access_key", "aws_secret_key", "aws_session_token"), key))
        self.sdk = anthropic.AnthropicBedrock(base_url=base, aws_region="eu-central-1", max_retries=retries, timeout=60, **named)


class Boto:
    """boto3's bedrock-runtime. key: of the gateway, as a Bedrock API key, or (access key id, secret, session token) to sign with."""
    def __init__(self, base, key, retries=0, authority=None):
        config = botocore.config.Config(retries={"total_max_attempts": retries + 1}, read_timeout=60, connect_timeout=60)
        named = {"endpoint_url": base, "region_name": "eu-central-1", "config": config, "verify": authority}
        self.key = key
        with self.credential():
            self.sdk = (boto3.Session() if isinstance(key, str) else boto3.Session(*key)).client("bedrock-runtime", **named)

    @contextlib.contextmanager
    def credential(self):
        """boto3 looks for an API key in the environment, whenever it asks."""
        if isinstance(self.key, str):
            os.environ["AWS_BEARER_TOKEN_BEDROCK"] = self.key
        try:
            yield
        finally:
            os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)

    def ask(self, operation, **arguments):
        with self.credential():
            return getattr(self.sdk, operation)(**arguments)

    FAILURES = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, urllib3.exceptions.HTTPError)

    def events(self, body):
        return list(self.stream(body))

    @staticmethod
    def caught(function, body):
        try:
            return function(body)
        except botocore.exceptions.EventStreamError as error:
            return {"error": error.response["Error"]["Code"], "status": None, "said": error.response["Error"]["Message"], "body": None}
        except botocore.exceptions.ClientError as error:
            return {"error": error.response["Error"]["Code"], "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
                    "said": error.response["Error"]["Message"], "body": None}


def readable(value):
    """Bytes as base64, so that objects can be compared and shown."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: readable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(each) for each in value]
    return value


class Converse(Boto):
    dialect = "converse"

    def arguments(self, body):
        body = {name: value for name, value in body.items() if name != "stream"}
        model = body.pop("model")
        return {"modelId": model, **sdk_types.blobs(body, sdk_types.converse_shape(False))}

    def plain(self, body):
        found = self.ask("converse", **self.arguments(body))
        del found["ResponseMetadata"]
        return readable(found)

    def stream(self, body):
        for event in self.ask("converse_stream", **self.arguments(body))["stream"]:
            yield readable(event)

    @staticmethod
    def text_of(events):
        return "".join(event["contentBlockDelta"]["delta"].get("text", "") for event in events if "contentBlockDelta" in event)

    def told(self, body, stream=False):
        if stream:
            return self.caught(lambda body: sdk_read.converse_events(self.ask("converse_stream", **self.arguments(body))["stream"]), body)
        return self.caught(lambda body: sdk_read.converse_told(self.ask("converse", **self.arguments(body))), body)


class InvokeBoto(Boto):
    """InvokeModel as boto3 has it: bodies are the model's own."""
    dialect = "invoke"

    def arguments(self, body):
        body = {name: value for name, value in body.items() if name != "stream"}
        return {"modelId": body.pop("model"), "body": json.dumps({"anthropic_version": "bedrock-2023-05-31", **body})}

    def plain(self, body):
        return json.loads(self.ask("invoke_model", **self.arguments(body))["body"].read())

    def stream(self, body):
        for event in self.ask("invoke_model_with_response_stream", **self.arguments(body))["body"]:
            yield json.loads(event["chunk"]["bytes"])

    def told(self, body, stream=False):
        if stream:
            return self.caught(lambda body: sdk_read.messages_pieces(self.stream(body)), body)
        return self.caught(lambda body: sdk_read.messages_told(sdk_read.message(self.plain(body))), body)

    text_of = staticmethod(Messages.text_of)
