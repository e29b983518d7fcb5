"""
Every request that the openai and anthropic packages' own types, and botocore's service model, allow: a value for each field, each word and each variant,
at whatever depth.
"""
import collections.abc
import os
import types
import typing

import anthropic.types.beta.message_count_tokens_params as beta_count_tokens
import anthropic.types.beta.message_create_params as beta_messages
import anthropic.types.message_create_params as messages
import botocore.session
import openai.types.chat.completion_create_params as chat
import openai.types.completion_create_params as completions
import openai.types.embedding_create_params as embeddings
import openai.types.responses.response_create_params as responses
import pydantic
import typing_extensions

REQUESTS = {
    "chat.completions": (chat.CompletionCreateParamsNonStreaming, chat.CompletionCreateParamsStreaming),
    "completions": (completions.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsStreaming),
    "embeddings": (embeddings.EmbeddingCreateParams,),
    "responses": (responses.ResponseCreateParamsNonStreaming, responses.ResponseCreateParamsStreaming),
    "messages": (messages.MessageCreateParamsNonStreaming, beta_messages.MessageCreateParamsStreaming),
    "messages.count_tokens": (beta_count_tokens.MessageCountTokensParams,),
}
PLAIN = {str: "x", int: 1, float: 0.5, bool: True, type(None): None, bytes: "x", object: "x", typing.IO[bytes]: "AAAA", os.PathLike: "AAAA"}
IN_HEADERS = ("betas", "user_profile_id", "workspace_id")     # arguments that the SDK sends as headers


REQUIRED = (typing.Required, typing_extensions.Required)
WRAPPERS = REQUIRED + (typing.NotRequired, typing_extensions.NotRequired, typing.Annotated)


class Free(dict):
    """An object whose keys are the client's own."""


def bare(kind):
    """Without Required, Annotated and the like."""
    while typing.get_origin(kind) in WRAPPERS:
        kind = typing.get_args(kind)[0]
    return kind


def samples(kind, within=""):
    """Values of a type, the simplest first; an object once for each value of each of its fields. within: the field that has this type."""
    kind = bare(kind)
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        return                                                               # an answer's object in place of the dictionary
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        yield from arguments
    elif origin in (typing.Union, types.UnionType):
        for one in arguments:
            yield from samples(one, within)
    elif typing_extensions.is_typeddict(kind):
        yield from objects(kind)
    elif origin in (list, tuple, set, collections.abc.Iterable, collections.abc.Sequence):
        for one in samples(arguments[0], within):
            yield [one]
    elif within == "tools" and kind == typing.Dict[str, object]:
        yield {"type": "function", "function": {"name": "x"}}               # of allowed_tools: told apart by its name alone
    elif origin in (dict, collections.abc.Mapping):
        yield Free(key="x") if arguments[1] in (object, typing.Any) else Free(key=next(samples(arguments[1])))
    elif kind is object:
        yield Free(key="x")
    else:
        yield PLAIN[kind]


def hints(kind):
    return {name: each for name, each in typing_extensions.get_type_hints(kind, include_extras=True).items() if name not in IN_HEADERS}


def objects(kind):
    fields = hints(kind)
    least = {name: next(samples(each, name)) for name, each in fields.items() if typing.get_origin(each) in REQUIRED}
    yield dict(least)
    for name, each in fields.items():
        for value in samples(each, name):
            yield {**least, name: value}


def shape_samples(shape):
    """The same of a shape of botocore's service model. What it leaves open is free."""
    if getattr(shape, "is_document_type", False):
        yield Free(key="x")
    elif shape.type_name == "structure":
        least = {name: next(shape_samples(shape.members[name])) for name in shape.required_members}
        if not getattr(shape, "is_tagged_union", False):
            yield dict(least)
        for name, each in shape.members.items():
            for value in shape_samples(each):
                yield {**least, name: value}
    elif shape.type_name == "list":
        for value in shape_samples(shape.member):
            yield [value]
    elif shape.type_name == "map":
        for value in shape_samples(shape.value):
            yield Free(key=value)
    elif shape.type_name == "string" and shape.enum:
        yield from shape.enum
    else:
        yield {"string": "x", "blob": "AAAA", "integer": 1, "long": 1, "float": 0.5, "double": 0.5, "boolean": True}[shape.type_name]


def converse():
    """Members of Converse's body, by name."""
    shape = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    return {name: each for name, each in shape.members.items() if each.serialization.get("location") != "uri"}


def fields_of(endpoint):
    """Names of the fields at the top."""
    if endpoint == "converse":
        return sorted(converse())
    return sorted({name for kind in REQUESTS[endpoint] for name in hints(kind)})


def bodies(endpoint):
    """Every sample of a request. A stored prompt may name the model to Responses; the gateway has to know it."""
    if endpoint == "converse":
        least = {"messages": [{"role": "user", "content": [{"text": "x"}]}]}
        for name, each in converse().items():
            for value in shape_samples(each):
                yield {**least, name: value}
        return
    for kind in REQUESTS[endpoint]:
        for body in objects(kind):
            yield {"model": "m", **body}


def places(value, path=()):
    """Every object inside a value with its path, but for what is free, JSON schemas among it."""
    if isinstance(value, dict) and not isinstance(value, Free) and path[-1:] not in (("input_schema",), ("schema",)):
        yield path, value
        for name, each in value.items():
            yield from places(each, path + (name,))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places(each, path + (number,))


def spelled(path):
    """As the gateway names a place: messages[0].content, and without numbers: messages[].content."""
    return "".join(f"[{step}]" if isinstance(step, int) else ("." if number else "") + step for number, step in enumerate(path))
