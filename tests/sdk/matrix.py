"""Which SDK is tried at which deployment: what the tests run and what conf/dialects.md shows is made from this and scenarios.py."""
import clients
import conversations
import scenarios
from site_of import DEPLOYMENTS

# The SDK that stands for a dialect in the tables.
CLIENTS = {"chat": clients.Chat, "responses": clients.Responses, "messages": clients.Messages, "converse": clients.Converse, "invoke": clients.InvokeBoto}
DIALECTS = tuple(CLIENTS)
CLIENTS["AnthropicBedrock"] = clients.Invoke
CLIENTS["AzureOpenAI"] = clients.Azure              # further ones, of a dialect that has one
FOLDERS = {"invoke": "messages"}                    # InvokeModel has Messages in it
WRITERS = {**conversations.WRITERS, "converse": conversations.WRITERS["converse-anthropic"]}       # whose model is deployed

# Pairs of clients and deployments that can be served.
SERVED = sorted({(client, deployment) for client, deployments in {
    "chat": ("chat", "azure", "classic", "messages", "converse", "invoke", "responses"), "AzureOpenAI": ("classic",),
    "messages": ("messages", "azure", "converse", "invoke", "responses"), "invoke": ("invoke", "messages", "azure", "converse", "responses"),
    "AnthropicBedrock": ("invoke",), "converse": ("converse", "messages", "azure", "invoke", "responses"),
    "responses": ("responses", "azure", "messages", "converse", "invoke"),
}.items() for deployment in deployments})


def source(client):
    return CLIENTS[client].dialect


def bare(dialect, body):
    """What a dialect says of a request outside of its body."""
    if dialect in ("invoke", "converse"):
        body = {name: value for name, value in body.items() if name not in ("model", "stream")}
    return {"anthropic_version": "bedrock-2023-05-31", **body} if dialect == "invoke" else body


def written(client, row):
    """The body with which this dialect's client asks it; None: it cannot say that, or is not tried."""
    dialect = source(client)
    folder = FOLDERS.get(dialect, dialect)
    return {**bare(dialect, WRITERS[folder](row["asks"])), **row["said"].get(folder, {})} if folder in row["only"] and dialect not in row["never"] else None


def may_be_silent(client):
    """Need it not say how long the answer may be?"""
    return source(client) not in ("messages", "invoke")


def without_maximum(client, body):
    if source(client) == "converse":
        return {**body, "inferenceConfig": {}}
    return {name: value for name, value in body.items() if name not in ("max_completion_tokens", "max_output_tokens")}


def arrives(dialect, row, streamed):
    """What a backend must be sent, but for its model's name."""
    folder = FOLDERS.get(dialect, dialect)
    asks = {**row["asks"], "stream": streamed, **({"tier": None} if dialect == "invoke" else {})}       # InvokeModel has its tier in a header
    body = bare(dialect, WRITERS[folder](asks) | row["said"].get(folder, {}))
    body.pop("model", None)
    return body


def verdict(client, target, row):
    """("mapped", None), ("dropped", None) or ("refused", JSON path)."""
    folder, dialect = FOLDERS.get(target, target), FOLDERS.get(source(client), source(client))
    found = row["lost"].get(target, row["lost"].get(folder, "mapped") if folder != dialect else "mapped")
    if isinstance(found, dict):
        found = found[dialect]
    return (found, None) if found in ("mapped", "dropped") else ("refused", found)


def pairs(same):
    """(SDK's name, deployment, scenario) of one dialect, or of two."""
    return [(client, deployment, name) for client, deployment in SERVED if (source(client) == DEPLOYMENTS[deployment].dialect) == same
            for name in scenarios.ROWS if written(client, scenarios.row(name)) is not None]


def same():
    return pairs(True)


def translated():
    return pairs(False)
