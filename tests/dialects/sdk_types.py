"""The SDKs' own idea of a request: their typed dictionaries, read strictly, and botocore's service model."""
import base64
import binascii
import collections.abc
import functools
import importlib
import pkgutil
import sys

import anthropic
import anthropic.types
import botocore.session
import botocore.validate
import openai.types.chat.completion_create_params
import openai.types.responses.response_create_params
import pydantic
import typing_extensions


# The API takes them for models that have them; the SDK's types of today are those of the newest models, which have not.
SAMPLING = ("temperature", "top_p", "top_k")


def strict(package):
    """Every typed dictionary of the package refuses what it does not have."""
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".beta" in found.name:
            continue
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if isinstance(kind, type) and typing_extensions.is_typeddict(kind) and "__pydantic_config__" not in vars(kind):
                kind.__pydantic_config__ = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@functools.cache
def adapter(dialect, stream):
    strict(openai.types if dialect != "messages" else anthropic.types)
    if dialect == "messages":
        params = anthropic.types.message_create_params
        kind = params.MessageCreateParamsStreaming if stream else params.MessageCreateParamsNonStreaming
    elif dialect == "chat":
        params = openai.types.chat.completion_create_params
        kind = params.CompletionCreateParamsStreaming if stream else params.CompletionCreateParamsNonStreaming
    else:
        params = openai.types.responses.response_create_params
        kind = params.ResponseCreateParamsStreaming if stream else params.ResponseCreateParamsNonStreaming
    return pydantic.TypeAdapter(kind)


def walk(value):
    """Pydantic reads an Iterable when somebody does."""
    if isinstance(value, dict):
        for each in value.values():
            walk(each)
    elif isinstance(value, collections.abc.Iterable) and not isinstance(value, (str, bytes)):
        for each in value:
            walk(each)


@functools.cache
def converse_shape(stream):
    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("ConverseStream" if stream else "Converse").input_shape


def blobs(value, shape):
    """Base64 as the bytes it stands for, where the service model has bytes."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {name: blobs(each, shape.members[name]) if name in shape.members else each for name, each in value.items()}
    if shape.type_name == "list":
        return [blobs(each, shape.member) for each in value]
    return value


def check_request(dialect, body):
    if dialect.startswith("converse"):
        shape = converse_shape(False)
        report = botocore.validate.ParamValidator().validate({"modelId": "m", **blobs(body, shape)}, shape)
        assert not report.has_errors(), report.generate_report()
        return
    if dialect == "invoke":
        assert body.get("anthropic_version") == "bedrock-2023-05-31" and "model" not in body and "stream" not in body
        body = {**{name: value for name, value in body.items() if name not in ("anthropic_version", "anthropic_beta")}, "model": "m"}
        dialect = "messages"
    if dialect == "chat-open":
        body = {name: value for name, value in body.items() if name not in SAMPLING}
        body["messages"] = [{name: value for name, value in message.items() if not name.startswith("reasoning_")} for message in body["messages"]]
        dialect = "chat"
    if dialect == "messages":
        body = {name: value for name, value in body.items() if name not in SAMPLING}
    try:
        walk(adapter(dialect, body.get("stream", False)).validate_python(body))
    except pydantic.ValidationError as error:
        raise AssertionError(f"{error}\n{body}") from None
