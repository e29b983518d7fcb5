"""
What stands behind the gateway. PROVIDERS: the mocks. DEPLOYMENTS: each alone has the model "to-" and its name, and can be asked in one dialect only, so that
a model's name says what must be translated into what.
"""
import collections
import functools
import json

import clients
import documents
import provider_openai
from provider_anthropic import Anthropic
from provider_bedrock import Bedrock

# credential: the gateway's; key: that of a client which goes there directly; direct: its SDK where that is another one than through the gateway.
Way = collections.namedtuple("Way", "provider credential key lines direct", defaults=((), {}))
Deployment = collections.namedtuple("Deployment", "provider dialect upstream make")

PROVIDERS = {
    "openai": Way(provider_openai.OpenAI, provider_openai.OpenAI.key, provider_openai.OpenAI.key, direct={"chat": clients.Chat}),
    "azure": Way(provider_openai.Azure, provider_openai.Azure.key, provider_openai.Azure.key, direct={"chat": clients.AzureV1}),
    "classic": Way(provider_openai.AzureClassic, provider_openai.AzureClassic.key, provider_openai.AzureClassic.key, direct={"chat": clients.Azure}),
    "anthropic": Way(Anthropic, Anthropic.key, Anthropic.key),
    "bedrock": Way(Bedrock, json.dumps({"Version": 1, "AccessKeyId": Bedrock.access, "SecretAccessKey": Bedrock.secret, "SessionToken": Bedrock.token}),
                   (Bedrock.access, Bedrock.secret, Bedrock.token), ("aws_signature bedrock;",)),
}
aws = functools.partial(documents.deployment, dialect="bedrock", provider="aws", partition="aws", region=Bedrock.region, country=None, operator_home="US")
CLAUDE = "anthropic.claude-x-v1:0"
DEPLOYMENTS = {
    "chat": Deployment("openai", "chat", "gpt-x", documents.deployment),
    "azure": Deployment("azure", "chat", "gpt-x", documents.azure),
    "classic": Deployment("classic", "chat", "gpt-x", lambda *a, **more: documents.azure(*a, dialect="azure-classic", api_version="2024-10-21", **more)),
    "messages": Deployment("anthropic", "messages", "claude-x", functools.partial(documents.deployment, dialect="anthropic")),
    "converse": Deployment("bedrock", "converse", CLAUDE, aws),
    "invoke": Deployment("bedrock", "invoke", CLAUDE, aws),
    "responses": Deployment("openai", "responses", "gpt-x", documents.deployment),
}
ENDPOINTS = {"chat": ["chat.completions", "completions", "embeddings"], "responses": ["responses"], "messages": ["messages", "messages.count_tokens"],
             "converse": ["converse", "bedrock.count_tokens"], "invoke": ["invoke", "bedrock.count_tokens"]}


def fleet(turn, route=()):
    """
    turn: what was learned of a deployment, and remembered, is not known of one that has another number. route: the deployments, in this order, that have the
    model "any".
    """
    made = []
    for name, one in DEPLOYMENTS.items():
        models = {"to-" + name: one.upstream, **({"any": one.upstream} if name in route else {})}
        made.append(one.make(f"{name}-{turn}", one.provider, models=models, endpoints=ENDPOINTS[one.dialect],
                             priority=route.index(name) + 1 if name in route else 9))
    return documents.fleet(*made)
