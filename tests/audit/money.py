"""
What use costs and what a report of usage says, derived anew from conf/documents.md and OpenAI's "usage" object; and what limits tenants/1 gives a key.
Prices are in micro-dollars per 1,000,000 tokens; a cost is rounded up once.
"""
import dataclasses
import hashlib
import time

from answers import TWICE

MILLION = 1000000
ABSURD = 1 << 48                     # no count of tokens: a counter cannot hold it
STANDARD = (None, "auto", "default", "standard", "standard_only")
LEVELS = ("organisation", "tenant", "app", "key", "user")


@dataclasses.dataclass(frozen=True)
class Usage:
    """Tokens. Cached ones and those written to a cache are among the input's, reasoning among the output's."""
    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


UNCLEAR = "unclear"                  # two readers may differ about it


def count_of(value):
    """A count; None: there is none; UNCLEAR; ValueError: no count at all."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or value >= ABSURD:
        raise ValueError
    return value if isinstance(value, int) else UNCLEAR


def read_usage(said):
    """Usage, None when it reports nothing that can be charged, or UNCLEAR."""
    if not isinstance(said, dict):
        return None
    try:
        prompt, completion = count_of(said.get("prompt_tokens")), count_of(said.get("completion_tokens"))
        inside, after = said.get("prompt_tokens_details") or {}, said.get("completion_tokens_details") or {}
        if not isinstance(inside, dict) or not isinstance(after, dict):
            return None
        cached, written = count_of(inside.get("cached_tokens")), count_of(inside.get("cache_write_tokens"))
        reasoning = count_of(after.get("reasoning_tokens", said.get("reasoning_tokens")))
    except ValueError:
        return None
    if prompt is None and completion is None:
        return None
    if UNCLEAR in (prompt, completion, cached, written, reasoning) or TWICE in said or TWICE in inside or TWICE in after:
        return UNCLEAR
    if prompt is None or (completion is None and said.get("total_tokens") != prompt) or (reasoning or 0) > (completion or 0):
        return UNCLEAR
    cached, written, completion = cached or 0, written or 0, completion or 0
    if cached + written > prompt or (cached + written and said.get("total_tokens") == prompt + completion + cached + written):
        prompt += cached + written                          # the report counts them beside the prompt
    return Usage(prompt, completion, cached, written, reasoning or 0)


def price_of(documents, deployment, model, service_tier=None):
    """The price object of fleet/1, None when there is none."""
    for document in documents:
        if document.get("kind") != "fleet/1":
            continue
        aliases = {alias: name for name, one in document.get("models", {}).items() for alias in one.get("aliases", ())}
        name = model if model in document.get("models", {}) else aliases.get(model, model)
        for one in document["deployments"]:
            if one["id"] == deployment and name in one.get("models", {}):
                entry = one["models"][name]
                price = entry.get("price") if isinstance(entry, dict) else None
                return price if price is None or service_tier in STANDARD else price.get("service_tiers", {}).get(service_tier)
    return None


def cost(price, usage):
    """Micro-dollars."""
    for tier in price.get("tiers", ()):
        if usage.input > tier["input_above"]:
            price = tier
    rate = {"cached": price["input"], "cache_write": price["input"], "reasoning": price["output"], **price}
    total = (usage.input - usage.cached - usage.cache_write) * rate["input"] + usage.cached * rate["cached"] + usage.cache_write * rate["cache_write"] \
        + (usage.output - usage.reasoning) * rate["output"] + usage.reasoning * rate["reasoning"]
    return -(-total // MILLION)


def word(text):
    """The documents' spelling of a dimension."""
    return text.replace("_", "-")


def limits_of(documents, organisation, tenant, app, model, user=False):
    """
    [(level, dimension, per, class, model or None, amount)] that a request of this app for this model must keep. user: it is of a user, whom limits of each user are for. Of limits of each key
    and each user, which two levels can say, the smaller holds.
    """
    found = []

    def take(level, limits, below=None):
        for one in limits or ():
            if one.get("model") in (None, model):
                counter = (level, word(one["dimension"]), one.get("per", "none"), one["class"], one.get("model"))
                amounts = [one["amount"]] + [other["amount"] for other in below or () if (word(other["dimension"]), other.get("per", "none"), other["class"], other.get("model")) == counter[1:]]
                if not any(each[:-1] == counter for each in found):
                    found.append((*counter, min(amounts)))
    for document in documents:
        for org in document.get("organisations", ()) if document.get("kind") == "tenants/1" else ():
            if org["id"] != organisation:
                continue
            take("organisation", org.get("limits"))
            for one in org.get("tenants", ()):
                if one["id"] != tenant:
                    continue
                take("tenant", one.get("limits"))
                for each in one.get("apps", ()):
                    if each["id"] == app:
                        take("app", each.get("limits"))
                        for level, member in [("key", "key_limits")] + ([("user", "user_limits")] if user else []):
                            said = [limit for holder in (each, one, org) for limit in holder.get(member, ())]
                            take(level, said, said)              # the smallest that any of the three says
    return found


def window_at(per, moment):
    """The number of the window that holds a moment, seconds of Unix time."""
    when = time.gmtime(moment)
    return {"second": int(moment), "minute": int(moment) // 60, "day": int(moment) // 86400, "month": 12 * when.tm_year + when.tm_mon - 1}.get(per, 0)


def number_of(model):
    """By which the ledger knows a model: the first 64 bits of its name's SHA-256, little-endian, as 16 hexadecimal digits."""
    return hashlib.sha256(model.encode()).digest()[:8][::-1].hex()
