"""
Random conversations, and how each dialect writes them: written from the providers' documentation, independently of the translator. What a dialect
cannot say is in CAN; a conversation for two dialects uses only what both can.
"""
import base64
import functools
import json
import random

import driver

DIALECTS = ("chat", "messages", "converse", "responses", "invoke")
ANTHROPIC = {"messages", "invoke"}
CONVERSE = {"converse", "converse-anthropic", "converse-nova", "converse-gpt-oss"}
NATIVE = ANTHROPIC | CONVERSE
CHAT = {"chat", "chat-open"}
CITING = ANTHROPIC | {"converse", "converse-anthropic"}
EVERY = set(DIALECTS) | CHAT | CONVERSE

# What not every dialect can say.
CAN = {
    "image_url": EVERY - CONVERSE - {"invoke"}, "cache": NATIVE, "signed": NATIVE | {"chat-open"}, "redacted": NATIVE | {"chat-open"},
    "failed": NATIVE, "result_image": EVERY - CHAT, "plain_document": NATIVE, "none": EVERY - CONVERSE,
    "one_call": EVERY - CONVERSE, "json_object": CHAT | {"responses"}, "stop": EVERY - {"responses"}, "effort": EVERY - {"converse"}, "effort_bounded": EVERY - {"converse", "converse-nova"}, "effort_most": EVERY - CONVERSE | {"converse-anthropic"},
    "user": EVERY - CONVERSE, "tier": EVERY - {"invoke"}, "tier_flex": EVERY - ANTHROPIC, "verbosity": CHAT | {"responses"}, "top_k": NATIVE - {"converse", "converse-gpt-oss"} | {"chat-open"},
    "schema_name": EVERY - ANTHROPIC, "hot": CHAT | {"responses"}, "document_title": EVERY, "cache_key": CHAT | {"responses"},
    "metadata": CHAT | {"responses"}, "stream": EVERY - CONVERSE - {"invoke"},      # there the path says it
    "custom": {"chat", "responses"}, "some": {"chat", "responses"}, "logprobs": CHAT | {"responses"},
    "file": CONVERSE | {"chat", "responses"}, "other_file": {"chat", "responses"},
    "n": CHAT, "seed": CHAT, "penalties": CHAT, "developer": CHAT | {"responses"}, "audio": CHAT | CONVERSE,
    "citing": CITING, "blocks": CITING, "search": CITING, "sources": CITING,
}

WORD, EXCEL = (f"application/vnd.openxmlformats-officedocument.{kind}" for kind in ("wordprocessingml.document", "spreadsheetml.sheet"))
FILES = [("txt", "text/plain"), ("csv", "text/csv"), ("html", "text/html"), ("md", "text/markdown"), ("doc", "application/msword"), ("docx", WORD),
         ("xls", "application/vnd.ms-excel"), ("xlsx", EXCEL)]
OTHER_FILES = ["application/json", "application/vnd.ms-powerpoint", "text/x-python", "application/octet-stream"]

ALPHABET = ['a', 'Z', ' ', '"', '\\', '/', '\n', '\t', '\u0001', '\u007f', 'é', 'ß', '日', '\u2028', '😀', '𝄞', '{', '}', '[', ',', ':', "'", '<', '&']


class Maker:
    def __init__(self, seed, dialects):
        self.random = random.Random(seed)
        self.can = {name for name, where in CAN.items() if set(dialects) <= where}
        self.can |= {"cited"} if len(dialects) == 1 else set()      # every dialect says it, and to no other
        self.calls = 0

    def chance(self, part):
        return self.random.random() < part

    def maybe(self, name, part=0.5):
        return name in self.can and self.chance(part)

    def text(self, most=12):
        return "x" + "".join(self.random.choice(ALPHABET) for _ in range(self.random.randrange(most)))

    def word(self):
        return "".join(self.random.choice("abcdefgh_") for _ in range(self.random.randrange(1, 12)))

    def data(self):
        return base64.b64encode(self.random.randbytes(self.random.randrange(1, 30))).decode()

    def value(self, depth=0):
        kind = self.random.randrange(8 if depth < 3 else 5)
        if kind == 0:
            return self.text()
        if kind == 1:
            return self.random.choice([0, 1, -5, 10**12])
        if kind == 2:
            return self.random.choice([1.5, -0.25, 1e-7])
        if kind == 3:
            return self.random.choice([True, False])
        if kind == 4:
            return None
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        return self.object(depth + 1)

    def object(self, depth=0):
        return {self.text(6): self.value(depth) for _ in range(self.random.randrange(4))}

    def cached(self, part):
        if self.maybe("cache", 0.2):
            part["cache"] = self.random.choice(["default", "1h"])
        return part

    def title(self):
        return self.word().replace("_", "-") + "x"

    def cites(self, part):
        """The answer is to cite it."""
        return {**part, "cites": True} if self.maybe("citing", 0.3) else part

    def search_result(self):
        return self.cites({"kind": "search", "source": "https://example.com/" + self.word(), "title": self.text(), "texts": [self.text() for _ in range(self.random.randrange(1, 4))]})

    def source(self):
        """What an earlier answer cites, as the provider said it: at is what its place counts."""
        start = self.random.randrange(1, 100)
        made = {"at": self.random.choice(["chars", "pages", "blocks", "result"]), "index": self.random.randrange(5), "start": start,
                "end": start + self.random.randrange(1, 9), "title": self.random.choice([None, self.text()]), "cited": self.text()}
        return {**made, "source": self.word()} if made["at"] == "result" else made

    def user_part(self):
        kind = self.random.randrange(6)
        if self.maybe("search", 0.1):
            return self.cached(self.search_result())
        if self.maybe("blocks", 0.1):
            return self.cached(self.cites({"kind": "blocks", "title": self.title(), "texts": [self.text() for _ in range(self.random.randrange(1, 4))]}))
        if self.maybe("audio", 0.1):
            return {"kind": "audio", "format": self.random.choice(["wav", "mp3"]), "data": self.data()}
        if self.maybe("file", 0.1):
            form, media = self.random.choice(FILES)
            return {"kind": "file", "format": form, "media": media, "data": self.data(), "title": self.word().replace("_", "-") + "x"}
        if self.maybe("other_file", 0.1):
            return {"kind": "other_file", "media": self.random.choice(OTHER_FILES), "data": self.data(), "title": self.word() + ".x"}
        if kind == 0:
            return {"kind": "image", "media": self.random.choice(["image/png", "image/jpeg", "image/webp", "image/gif"]), "data": self.data()}
        if kind == 1 and "image_url" in self.can:
            return {"kind": "image_url", "url": "https://example.com/" + self.word() + ".png"}
        if kind == 2:
            return self.cites({"kind": "pdf", "data": self.data(), "title": self.title()})
        if kind == 3 and "plain_document" in self.can:
            return self.cites({"kind": "plain", "text": self.text(), "title": self.title()})
        return self.cached({"kind": "text", "text": self.text()})

    def assistant(self):
        parts = []
        if self.maybe("signed", 0.3):
            parts.append({"kind": "reasoning", "text": self.text(), "signature": self.data()})
        if self.maybe("redacted", 0.1):
            parts.append({"kind": "redacted", "data": self.data()})
        if self.chance(0.7):
            parts.append({"kind": "text", "text": self.text(), **({"cited": self.word()} if self.maybe("cited", 0.2) else {}),
                          **({"sources": [self.source() for _ in range(self.random.randrange(1, 4))]} if self.maybe("sources", 0.2) else {})})
        if self.chance(0.5) or not any(part["kind"] == "text" for part in parts):
            for _ in range(self.random.choice([1, 1, 2, 3])):
                self.calls += 1
                named = {"id": f"call_{self.calls}", "name": "tool_" + self.word()}
                parts.append({"kind": "text_call", **named, "text": self.text()} if self.maybe("custom", 0.1) else {"kind": "call", **named, "input": self.object()})
        return parts

    def result(self, call):
        parts = [{"kind": "text", "text": self.text(30)}]
        if self.maybe("result_image", 0.2):
            parts.append({"kind": "image", "media": "image/png", "data": self.data()})
        if self.maybe("search", 0.2):
            parts.append(self.search_result())
        return {"kind": "result", "id": call["id"], "parts": parts, "failed": self.maybe("failed", 0.2), "to_text": call["kind"] == "text_call"}

    def tool(self, number):
        tool = {"name": "tool_" + self.word() + str(number), "description": self.text(30) if self.chance(0.8) else None}
        if self.maybe("custom", 0.15):
            return {**tool, "custom": self.random.choice([None, {"type": "text"}, {"type": "grammar", "definition": self.text(), "syntax": "lark"}])}
        return {**tool, "schema": {"type": "object", "properties": self.object(), "additionalProperties": False}}

    def conversation(self):
        made = {"system": [{"kind": "text", "text": self.text(30), "role": "developer" if self.maybe("developer", 0.3) else "system"}
                           for _ in range(self.random.choice([0, 1, 1, 2]))], "turns": []}
        made["turns"].append(("user", [self.cached({"kind": "text", "text": self.text(40)})]))
        for _ in range(self.random.randrange(4)):
            parts = self.assistant()
            made["turns"].append(("assistant", parts))
            results = [self.result(part) for part in parts if part["kind"] in ("call", "text_call")]
            more = [self.user_part() for _ in range(self.random.randrange(3))]
            if not results and not more:
                more = [{"kind": "text", "text": self.text()}]
            made["turns"].append(("user", results + more))
        if self.chance(0.6) or self.calls:
            made["tools"] = [self.tool(number) for number in range(self.random.randrange(1, 4))]
            choice = self.random.choice([None, "auto", "any", "tool", "none"])
            if choice != "none" or "none" in self.can:
                made["choice"] = choice
            if made.get("choice") in ("auto", "any") and self.maybe("some", 0.3):
                made["some"] = sorted(self.random.sample(range(len(made["tools"])), self.random.randrange(1, len(made["tools"]) + 1)))
            made["one_call"] = made.get("choice") != "none" and self.maybe("one_call", 0.3)
        made["max_tokens"] = self.random.randrange(1, 5000)
        if self.chance(0.5):
            made["temperature"] = self.random.choice([0, 0.5, 1.0] + ([1.5] if "hot" in self.can else []))
        if self.chance(0.3):
            made["top_p"] = 0.9
        if self.maybe("top_k", 0.3):
            made["top_k"] = 40
        if self.maybe("stop", 0.3):
            made["stop"] = [self.text() for _ in range(self.random.randrange(1, 5))]
        if self.chance(0.3):
            made["schema"] = {"type": "object", "properties": {"a": {"type": "string", "description": self.text()}}}
            made["schema_name"] = self.word() if "schema_name" in self.can else None
        elif self.maybe("json_object", 0.2):
            made["json_object"] = True
        if self.maybe("effort", 0.3):
            made["effort"] = self.random.choice(["low", "medium"] + (["high"] if "effort_bounded" in self.can else []) + (["xhigh", "max"] if "effort_most" in self.can else []))
        if self.maybe("user", 0.3):
            made["user"] = self.word()
        if self.maybe("verbosity", 0.3):
            made["verbosity"] = "low"
        if self.maybe("cache_key", 0.3):
            made["cache_key"] = self.word()
        if self.maybe("metadata", 0.3):
            made["metadata"] = {"a": self.text()}
        for name, values in (("n", [2, 3]), ("seed", [0, 7, -5]), ("frequency_penalty", [0.5, -2]), ("presence_penalty", [1, -0.25])):
            if self.maybe("penalties" if "penalty" in name else name, 0.06):
                made[name] = self.random.choice(values)
        if self.maybe("logprobs", 0.2):
            made["logprobs"] = self.random.randrange(6)
        made["tier"] = self.random.choice([None, None] + (["default"] if "tier" in self.can else []) + (["flex", "priority"] if "tier_flex" in self.can else []))
        made["stream"] = self.maybe("stream")
        return made


# ---- OpenAI chat completions ----

def file_data(part):
    return f"data:{part.get('media', 'application/pdf')};base64,{part['data']}"


def chat_part(part):
    if part["kind"] == "text":
        return {"type": "text", "text": part["text"]}
    if part["kind"] == "image":
        return {"type": "image_url", "image_url": {"url": f"data:{part['media']};base64,{part['data']}"}}
    if part["kind"] == "image_url":
        return {"type": "image_url", "image_url": {"url": part["url"]}}
    if part["kind"] == "audio":
        return {"type": "input_audio", "input_audio": {"data": part["data"], "format": part["format"]}}
    return {"type": "file", "file": {"filename": part["title"], "file_data": file_data(part)}}


MODES = {"auto": "auto", "any": "required"}


def chat_call(part):
    if part["kind"] == "text_call":
        return {"id": part["id"], "type": "custom", "custom": {"name": part["name"], "input": part["text"]}}
    return {"id": part["id"], "type": "function", "function": {"name": part["name"], "arguments": json.dumps(part["input"])}}


def chat_name(tool):
    kind = "custom" if "custom" in tool else "function"
    return {"type": kind, kind: {"name": tool["name"]}}


def chat_tool(tool):
    if "custom" not in tool:
        return {"type": "function", "function": without({"name": tool["name"], "description": tool["description"], "parameters": tool["schema"]})}
    form = tool["custom"]
    if form and form["type"] == "grammar":
        form = {"type": "grammar", "grammar": {"definition": form["definition"], "syntax": form["syntax"]}}
    return {"type": "custom", "custom": without({"name": tool["name"], "description": tool["description"], "format": form})}


def sent(made):
    """Where the others cannot be named and forbidden, those that may be called are all."""
    return [made["tools"][i] for i in made["some"]] if made.get("some") else made["tools"]


def texts(parts):
    return [part["text"] for part in parts if part["kind"] == "text"]


def chat_reasoning(parts):
    """Of open servers, and what others that pass them on say of signatures."""
    details = [{"type": "reasoning.text", "text": part["text"], "signature": part["signature"]} if part["kind"] == "reasoning" else
               {"type": "reasoning.encrypted", "data": part["data"]} for part in parts if part["kind"] in ("reasoning", "redacted")]
    details = [{**one, "index": number} for number, one in enumerate(details)]
    text = "".join(part["text"] for part in parts if part["kind"] == "reasoning")
    return {**({"reasoning_content": text} if text else {}), **({"reasoning_details": details} if details else {})}


def chat_citations(parts):
    """Of its text, which is one."""
    cited = [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "https://example.com/" + part["cited"], "title": part["cited"]}}
             for part in parts if "cited" in part]
    return {"annotations": cited} if cited else {}


def chat(made, is_open=False):
    messages = [{"role": part.get("role", "system"), "content": part["text"]} for part in made["system"]]
    for role, parts in made["turns"]:
        if role == "assistant":
            message = {"role": "assistant", "content": texts(parts)[0] if texts(parts) else None}
            calls = [chat_call(part) for part in parts if part["kind"] in ("call", "text_call")]
            messages.append({**message, **({"tool_calls": calls} if calls else {}), **(chat_reasoning(parts) if is_open else {}), **chat_citations(parts)})
            continue
        for part in parts:
            if part["kind"] == "result":
                messages.append({"role": "tool", "tool_call_id": part["id"], "content": texts(part["parts"])[0]})
        moved = [inner for part in parts if part["kind"] == "result" for inner in part["parts"] if inner["kind"] != "text"]
        rest = [chat_part(part) for part in moved + [part for part in parts if part["kind"] != "result"]]
        if rest:
            messages.append({"role": "user", "content": rest})
    body = {"model": "upstream", "messages": messages, "max_tokens" if is_open else "max_completion_tokens": made["max_tokens"]}
    if "tools" in made:
        body["tools"] = [chat_tool(tool) for tool in (sent(made) if is_open else made["tools"])]
        if made.get("some") and not is_open:
            body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {"mode": MODES[made["choice"]], "tools": [chat_name(made["tools"][i]) for i in made["some"]]}}
        elif made.get("choice"):
            body["tool_choice"] = {"auto": "auto", "any": "required", "none": "none", "tool": chat_name(made["tools"][0])}[made["choice"]]
        if made.get("one_call"):
            body["parallel_tool_calls"] = False
    for name, field in (("temperature", "temperature"), ("top_p", "top_p"), ("stop", "stop"), ("effort", "reasoning_effort"), ("user", "user"),
                        ("verbosity", "verbosity"), ("tier", "service_tier"), ("cache_key", "prompt_cache_key"), ("metadata", "metadata"), ("top_k", "top_k"),
                        ("n", "n"), ("seed", "seed"), ("frequency_penalty", "frequency_penalty"), ("presence_penalty", "presence_penalty")):
        if made.get(name) is not None:
            body[field] = made[name]
    if made.get("schema"):
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": made["schema_name"] or "answer", "schema": made["schema"]}}
    elif made.get("json_object"):
        body["response_format"] = {"type": "json_object"}
    if made.get("logprobs") is not None:
        body.update(logprobs=True, **({"top_logprobs": made["logprobs"]} if made["logprobs"] else {}))
    if made["stream"]:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


# ---- Anthropic Messages ----

PLACES = {"chars": ("char_location", "start_char_index", "end_char_index"), "pages": ("page_location", "start_page_number", "end_page_number"),
          "blocks": ("content_block_location", "start_block_index", "end_block_index"), "result": ("search_result_location", "start_block_index", "end_block_index")}


def messages_source(one):
    kind, start, end = PLACES[one["at"]]
    place = {"type": kind, "cited_text": one["cited"], start: one["start"], end: one["end"]}
    if one["at"] == "result":
        return {**place, "search_result_index": one["index"], "title": one["title"], "source": one["source"]}
    return {**place, "document_index": one["index"], "document_title": one["title"]}


def messages_texts(part):
    return [{"type": "text", "text": words} for words in part["texts"]]


def messages_citations(part):
    page = [{"type": "web_search_result_location", "cited_text": "", "url": "https://example.com/", "title": part["cited"], "encrypted_index": "e"}] if "cited" in part else []
    return [messages_source(one) for one in part.get("sources", [])] + page


def messages_part(part):
    kind = part["kind"]
    if kind == "text":
        block = {"type": "text", "text": part["text"], **({"citations": messages_citations(part)} if messages_citations(part) else {})}
    elif kind == "search":
        block = {"type": "search_result", "source": part["source"], "title": part["title"], "content": messages_texts(part)}
    elif kind == "blocks":
        block = {"type": "document", "source": {"type": "content", "content": messages_texts(part)}, "title": part["title"]}
    elif kind == "image":
        block = {"type": "image", "source": {"type": "base64", "media_type": part["media"], "data": part["data"]}}
    elif kind == "image_url":
        block = {"type": "image", "source": {"type": "url", "url": part["url"]}}
    elif kind == "pdf":
        block = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": part["data"]}, "title": part["title"]}
    elif kind == "plain":
        block = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": part["text"]}, "title": part["title"]}
    elif kind == "reasoning":
        block = {"type": "thinking", "thinking": part["text"], "signature": part["signature"]}
    elif kind == "redacted":
        block = {"type": "redacted_thinking", "data": part["data"]}
    elif kind == "call":
        block = {"type": "tool_use", "id": part["id"], "name": part["name"], "input": part["input"]}
    else:
        block = {"type": "tool_result", "tool_use_id": part["id"], "content": [messages_part(inner) for inner in part["parts"]]}
        if part["failed"]:
            block["is_error"] = True
    if "cites" in part:
        block["citations"] = {"enabled": True}
    if "cache" in part:
        block["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if part["cache"] == "1h" else {})}
    return block


def messages(made):
    body = {"model": "upstream", "max_tokens": made["max_tokens"],
            "messages": [{"role": role, "content": [messages_part(part) for part in parts]} for role, parts in made["turns"]]}
    if made["system"]:
        body["system"] = [messages_part(part) for part in made["system"]]
    if "tools" in made:
        body["tools"] = [without({"name": tool["name"], "description": tool["description"], "input_schema": tool["schema"]}) for tool in sent(made)]
        choice = made.get("choice") or ("auto" if made.get("one_call") else None)
        if choice:
            body["tool_choice"] = {"type": choice, **({"name": made["tools"][0]["name"]} if choice == "tool" else {})}
            if made.get("one_call") and choice != "none":
                body["tool_choice"]["disable_parallel_tool_use"] = True
    for name, field in (("temperature", "temperature"), ("top_p", "top_p"), ("top_k", "top_k"), ("stop", "stop_sequences")):
        if made.get(name) is not None:
            body[field] = made[name]
    if made.get("effort"):
        body.setdefault("output_config", {})["effort"] = made["effort"]
    if made.get("schema"):
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": made["schema"]}
    if made.get("user"):
        body["metadata"] = {"user_id": made["user"]}
    if made["tier"]:
        body["service_tier"] = {"default": "standard_only"}[made["tier"]]
    if made["stream"]:
        body["stream"] = True
    return body


# ---- Bedrock Converse ----

def cache_point(part):
    return [{"cachePoint": {"type": "default", **({"ttl": "1h"} if part["cache"] == "1h" else {})}}] if "cache" in part else []


def converse_source(one):
    member = {"chars": "documentChar", "pages": "documentPage", "blocks": "documentChunk", "result": "searchResultLocation"}[one["at"]]
    place = {"searchResultIndex" if one["at"] == "result" else "documentIndex": one["index"], "start": one["start"], "end": one["end"]}
    return without({"title": one["title"], "source": one.get("source"), "sourceContent": [{"text": one["cited"]}], "location": {member: place}})


def converse_citations(part):
    page = [{"title": part["cited"], "location": {"web": {"url": "https://example.com/", "domain": "example.com"}}}] if "cited" in part else []
    return [converse_source(one) for one in part.get("sources", [])] + page


def converse_texts(part):
    return [{"text": words} for words in part["texts"]]


def converse_parts(parts):
    made = []
    for part in parts:
        kind = part["kind"]
        citing = {"citations": {"enabled": True}} if "cites" in part else {}
        if kind == "text" and converse_citations(part):
            block = {"citationsContent": {"content": [{"text": part["text"]}], "citations": converse_citations(part)}}
        elif kind == "search":
            block = {"searchResult": {"source": part["source"], "title": part["title"], "content": converse_texts(part), **citing}}
        elif kind == "blocks":
            block = {"document": {"format": "txt", "name": part["title"], "source": {"content": converse_texts(part)}, **citing}}
        elif kind == "text":
            block = {"text": part["text"]}
        elif kind == "audio":
            block = {"audio": {"format": part["format"], "source": {"bytes": part["data"]}}}
        elif kind == "image":
            block = {"image": {"format": part["media"].split("/")[1], "source": {"bytes": part["data"]}}}
        elif kind in ("pdf", "file"):
            block = {"document": {"format": part.get("format", "pdf"), "name": part["title"], "source": {"bytes": part["data"]}, **citing}}
        elif kind == "plain":
            block = {"document": {"format": "txt", "name": part["title"], "source": {"text": part["text"]}, **citing}}
        elif kind == "reasoning":
            block = {"reasoningContent": {"reasoningText": {"text": part["text"], "signature": part["signature"]}}}
        elif kind == "redacted":
            block = {"reasoningContent": {"redactedContent": part["data"]}}
        elif kind == "call":
            block = {"toolUse": {"toolUseId": part["id"], "name": part["name"], "input": part["input"]}}
        else:
            block = {"toolResult": {"toolUseId": part["id"], "content": converse_parts(part["parts"]), **({"status": "error"} if part["failed"] else {})}}
        made += [block] + cache_point(part)
    return made


def converse_model(made, of):
    """What each provider's models take beside what all do."""
    found = {}
    if made.get("top_k") and of == "nova":
        found["inferenceConfig"] = {"topK": made["top_k"]}
    elif made.get("top_k"):
        found["top_k"] = made["top_k"]
    if made.get("effort") and of == "nova":
        found["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": made["effort"]}
    elif made.get("effort") and of == "gpt-oss":
        found["reasoning_effort"] = made["effort"]
    return found


def converse(made, of=None):
    body = {"messages": [{"role": role, "content": converse_parts(parts)} for role, parts in made["turns"]],
            "inferenceConfig": without({"maxTokens": made["max_tokens"], "temperature": made.get("temperature"), "topP": made.get("top_p"),
                                        "stopSequences": made.get("stop")})}
    if made["system"]:
        body["system"] = converse_parts(made["system"])
    if "tools" in made:
        tools = [{"toolSpec": without({"name": tool["name"], "description": tool["description"], "inputSchema": {"json": tool["schema"]}})}
                 for tool in sent(made)]
        body["toolConfig"] = {"tools": tools}
        if made.get("choice"):
            body["toolConfig"]["toolChoice"] = {made["choice"]: {"name": made["tools"][0]["name"]} if made["choice"] == "tool" else {}}
    if converse_model(made, of):
        body["additionalModelRequestFields"] = converse_model(made, of)
    if made.get("effort") and of == "anthropic":
        body["outputConfig"] = {"effort": made["effort"]}
    if made.get("schema"):
        body.setdefault("outputConfig", {})["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": without(
            {"schema": json.dumps(made["schema"]), "name": made["schema_name"]})}}
    if made["tier"]:
        body["serviceTier"] = {"type": made["tier"]}
    return body


# ---- OpenAI Responses ----

def responses_part(part):
    if part["kind"] == "text":
        return {"type": "input_text", "text": part["text"]}
    if part["kind"] == "image":
        return {"type": "input_image", "detail": "auto", "image_url": f"data:{part['media']};base64,{part['data']}"}
    if part["kind"] == "image_url":
        return {"type": "input_image", "detail": "auto", "image_url": part["url"]}
    return {"type": "input_file", "filename": part["title"], "file_data": file_data(part)}


def responses_name(tool):
    return {"type": "custom" if "custom" in tool else "function", "name": tool["name"]}


def responses_tool(tool):
    named = without({**responses_name(tool), "description": tool["description"]})
    return without({**named, "format": tool["custom"]}) if "custom" in tool else {**named, "parameters": tool["schema"], "strict": False}


def responses(made):
    items = [{"type": "message", "role": part.get("role", "system"), "content": [responses_part(part)]} for part in made["system"]]
    for role, parts in made["turns"]:
        rest = []
        for part in parts:
            if part["kind"] == "call":
                items.append({"type": "function_call", "call_id": part["id"], "name": part["name"], "arguments": json.dumps(part["input"])})
            elif part["kind"] == "text_call":
                items.append({"type": "custom_tool_call", "call_id": part["id"], "name": part["name"], "input": part["text"]})
            elif part["kind"] == "result":
                items.append({"type": "custom_tool_call_output" if part.get("to_text") else "function_call_output", "call_id": part["id"], "output": [responses_part(inner) for inner in part["parts"]]})
            elif part["kind"] in ("reasoning", "redacted"):
                continue                                    # of others: it takes its own alone
            elif role == "assistant" and "cited" in part:
                cited = {"type": "url_citation", "start_index": 0, "end_index": 1, "url": "https://example.com/" + part["cited"], "title": part["cited"]}
                items.append({"type": "message", "id": f"msg_{len(items)}", "status": "completed", "role": "assistant",
                              "content": [{"type": "output_text", "text": part["text"], "annotations": [cited]}]})
            elif role == "assistant":
                items.append({"type": "message", "role": "assistant", "content": part["text"]})
            else:
                rest.append(responses_part(part))
        if rest:
            items.append({"type": "message", "role": "user", "content": rest})
    body = {"model": "upstream", "input": items, "max_output_tokens": made["max_tokens"], "store": False}
    if "tools" in made:
        body["tools"] = [responses_tool(tool) for tool in made["tools"]]
        if made.get("some"):
            body["tool_choice"] = {"type": "allowed_tools", "mode": MODES[made["choice"]], "tools": [responses_name(made["tools"][i]) for i in made["some"]]}
        elif made.get("choice"):
            body["tool_choice"] = {"auto": "auto", "any": "required", "none": "none", "tool": responses_name(made["tools"][0])}[made["choice"]]
        if made.get("one_call"):
            body["parallel_tool_calls"] = False
    for name, field in (("temperature", "temperature"), ("top_p", "top_p"), ("user", "user"), ("tier", "service_tier"),
                        ("cache_key", "prompt_cache_key"), ("metadata", "metadata")):
        if made.get(name) is not None:
            body[field] = made[name]
    if made.get("effort"):
        body["reasoning"] = {"effort": made["effort"]}
    if made.get("logprobs") is not None:
        body.update(include=["message.output_text.logprobs"], **({"top_logprobs": made["logprobs"]} if made["logprobs"] else {}))
    text = {}
    if made.get("verbosity"):
        text["verbosity"] = made["verbosity"]
    if made.get("schema"):
        text["format"] = {"type": "json_schema", "name": made["schema_name"] or "answer", "schema": made["schema"]}
    elif made.get("json_object"):
        text["format"] = {"type": "json_object"}
    if text:
        body["text"] = text
    if made["stream"]:
        body["stream"] = True
    return body


# ---- InvokeModel, Anthropic's models ----

def invoke(made):
    """The same without what the path says. The tier is said by a header, and Bedrock's default is what it is without one."""
    body = messages(made)
    for name in ("model", "stream"):
        body.pop(name, None)
    return {"anthropic_version": "bedrock-2023-05-31", **body}


WRITERS = {"chat": chat, "chat-open": functools.partial(chat, is_open=True), "messages": messages, "converse": converse, "responses": responses, "invoke": invoke,
           **{f"converse-{of}": functools.partial(converse, of=of) for of in ("anthropic", "nova", "gpt-oss")}}


def without(made):
    return {name: value for name, value in made.items() if value is not None}


# ---- one spelling of what can be spelled in several ways ----

def normal(dialect, body):
    body = json.loads(json.dumps(body))
    return {"chat": normal_chat, "messages": normal_messages, "converse": normal_converse, "responses": normal_responses,
            "invoke": normal_messages}[driver.family(dialect)](body)


def listed(content, kind):
    return [{"type": kind, "text": content}] if isinstance(content, str) else content


def normal_chat(body):
    made = []
    for message in body["messages"]:
        if message["role"] in ("system", "developer"):
            made += [{"role": message["role"], "content": [part]} for part in listed(message["content"], "text")]
            continue
        if message.get("content") is None:
            message.pop("content", None)
        else:
            message["content"] = listed(message["content"], "text")
        for call in message.get("tool_calls", []):
            if "function" in call:
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        if made and made[-1]["role"] == message["role"] == "user":
            made[-1]["content"] += message["content"]        # one turn
            continue
        made.append(message)
    if body.get("tool_choice") == "auto":
        del body["tool_choice"]       # as it is without one
    return {**body, "messages": made}


def normal_messages(body):
    if "system" in body:
        body["system"] = listed(body["system"], "text")
    for message in body["messages"]:
        message["content"] = listed(message["content"], "text")
        for block in message["content"]:
            if block["type"] == "tool_result":
                block["content"] = listed(block["content"], "text")
    if body.get("thinking") == {"type": "adaptive"}:
        del body["thinking"]          # it comes with an effort, where nothing stands against it
    return body


def normal_converse(body):
    form = body.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema")
    if form:
        form["schema"] = json.loads(form["schema"])
    if body.get("additionalModelRequestFields", {}).get("thinking") == {"type": "adaptive"}:
        del body["additionalModelRequestFields"]["thinking"]          # as in Messages
        if not body["additionalModelRequestFields"]:
            del body["additionalModelRequestFields"]
    return body


def normal_responses(body):
    items = []
    for item in body["input"]:
        if item["type"] == "message":
            item["content"] = listed(item["content"], "input_text")
        system = item.get("role") in ("system", "developer")
        items += [{**item, "content": [part]} for part in item["content"]] if system else [item]
    body["input"] = items
    if body.get("tool_choice") == "auto":
        del body["tool_choice"]
    for item in items:
        if item["type"] == "function_call":
            item["arguments"] = json.loads(item["arguments"])
        elif item["type"] in ("function_call_output", "custom_tool_call_output"):
            item["output"] = listed(item["output"], "input_text")
    return body
