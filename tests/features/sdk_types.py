"""Every request that the openai package's own types allow: a value for each field, each word and each variant, at whatever depth."""
import collections.abc
import types
import typing

import openai.types.chat.completion_create_params as chat
import openai.types.completion_create_params as completions
import openai.types.embedding_create_params as embeddings
import typing_extensions

REQUESTS = {
    "chat.completions": (chat.CompletionCreateParamsNonStreaming, chat.CompletionCreateParamsStreaming),
    "completions": (completions.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsStreaming),
    "embeddings": (embeddings.EmbeddingCreateParams,),
}
PLAIN = {str: "x", int: 1, float: 0.5, bool: True, type(None): None, bytes: "x"}


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
    else:
        yield PLAIN[kind]


def hints(kind):
    return typing_extensions.get_type_hints(kind, include_extras=True)


def objects(kind):
    fields = hints(kind)
    least = {name: next(samples(each, name)) for name, each in fields.items() if typing.get_origin(each) in REQUIRED}
    yield dict(least)
    for name, each in fields.items():
        for value in samples(each, name):
            yield {**least, name: value}


def fields_of(endpoint):
    """Names of the fields at the top."""
    return sorted({name for kind in REQUESTS[endpoint] for name in hints(kind)})


def bodies(endpoint):
    """Every sample of a request."""
    for kind in REQUESTS[endpoint]:
        yield from objects(kind)


def places(value, path=()):
    """Every object inside a value with its path, but for what is free."""
    if isinstance(value, dict) and not isinstance(value, Free):
        yield path, value
        for name, each in value.items():
            yield from places(each, path + (name,))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places(each, path + (number,))


def spelled(path):
    """As the gateway names a place: messages[0].content, and without numbers: messages[].content."""
    return "".join(f"[{step}]" if isinstance(step, int) else ("." if number else "") + step for number, step in enumerate(path))
