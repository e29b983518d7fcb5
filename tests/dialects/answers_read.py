"""
Answers as their clients read them, without an SDK, and what of a made answer (answers.py) a client has to have: the losses are those of the table in conf/dialects.md.
"""
import base64
import json
import re

import driver

CLIENTS = ("chat", "messages", "converse", "responses", "invoke")
NATIVE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
TIER_ROWS = {"default": "the tier: default, priority", "priority": "the tier: default, priority", "flex": "the tier: flex", "scale": "the tier: scale, fast",
             "fast": "the tier: scale, fast", "reserved": "the tier: reserved"}


def table():
    """{what an answer says: {client: told, lost, ...}}"""
    lines = (driver.ROOT / "conf/dialects.md").read_text().split("| an answer says |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(CLIENTS, row[1:])) for row in cells}


LOSSES = table()


# ---- what has to be there ----

def mended(text):
    """A half of a surrogate pair alone is none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def native(client, call, passes):
    return call if passes or client in ("chat", "responses") or NATIVE_ID.match(call) else "call_gh_"


class Expected:
    """passes: the events are those of the backend, which nothing is written anew of."""
    def __init__(self, made, client, told_late, passes=False):
        self.made, self.client, self.used, self.told_late, self.passes = made, client, set(), told_late, passes

    def says(self, row):
        """How the client is told of it."""
        self.used.add((row, self.client))
        return LOSSES[row][self.client]

    def told(self, row, value, nothing):
        return value if value and self.says(row) == "told" else nothing

    def part(self, part):
        kind = part["kind"]
        if kind == "text":
            return ("text", mended(part["text"]), self.told("log probabilities of a text", clean(part["tokens"]), []),
                    self.told("web pages that a text cites", self.pages(part), []),
                    self.told("documents and search results that a text cites", [source(one) for one in part["sources"]], []))
        if kind == "refusal":
            as_text = self.says("a refusal") == "as text"
            return ("text", mended(part["text"]), [], [], []) if as_text else ("refusal", mended(part["text"]))
        if kind == "reasoning":
            return ("reasoning", mended(part["text"]), part["signature"])
        if kind == "redacted":
            return ("redacted", part["data"])
        return (kind, native(self.client, part["id"], self.passes), part["name"], part["input"] if kind == "call" else mended(part["text"]))

    def pages(self, part):
        placed = part["cited"] and self.says("which of a text's characters cite a page") == "told"
        return [(start if placed else None, end if placed else None, url, mended(title)) for start, end, url, title in part["cited"]]

    def answer(self):
        made = self.made
        self.says("text, reasoning with its signature, reasoning that only its provider reads, calls")
        self.says("tokens: input, cached, written to the cache, output")
        parts = [self.part(part) for part in made["parts"]]
        if self.says("in which order") == "lost":
            parts = grouped(parts)
        usage = {name: made["usage"][name] for name in ("input", "output", "cached", "written")}
        usage["reasoning"] = self.told("tokens: reasoning", made["usage"]["reasoning"], 0)
        tier = made["tier"] and self.told(TIER_ROWS[made["tier"]], made["tier"], None)
        return {"parts": parts, "finish": made["finish"], "stop": self.told("which stop sequence ended it", made["stop"], None), "usage": usage,
                "tier": None if self.told_late and self.client in ("messages", "invoke") else tier}

    def fails(self):
        kinds = {part["kind"] for part in self.made["parts"]}
        return "text_call" in kinds and self.says("calls of tools that take text") == "an error"


def source(one):
    """What a text cites, as the reader has it."""
    return (one["at"], one["index"], one["start"], one["end"], one["title"], mended(one["cited"]), one.get("source"))


def clean(tokens):
    return json.loads(json.dumps(tokens), object_hook=lambda one: {name: mended(value) if isinstance(value, str) else value for name, value in one.items()})


def grouped(parts):
    """Reasoning, then one text, then one refusal, then calls: what chat completions have."""
    def of(*kinds):
        return [part for part in parts if part[0] in kinds]
    thought = of("reasoning")
    made = {"reasoning": "".join(part[1] for part in thought), "signatures": [part[2] for part in thought if part[2]],
            "redacted": [part[1] for part in of("redacted")], "text": "".join(part[1] for part in of("text")), "tokens": [], "cited": [], "sources": [],
            "refusal": "".join(part[1] for part in of("refusal")), "calls": of("call", "text_call")}
    before = 0
    for _, text, tokens, cited, sources in of("text"):
        made["tokens"] += tokens
        made["cited"] += [(start + before, end + before, url, title) for start, end, url, title in cited]
        made["sources"] += sources
        before += len(text)
    return made


# ---- what is there ----

def mended_parts(found):
    """Events that pass have halves of pairs as the backend wrote them."""
    found["parts"] = [(part[0], mended(part[1]), *part[2:3], *(whole(cited) for cited in part[3:])) if part[0] in ("text", "reasoning") else part for part in found["parts"]]
    return found


def whole(cited):
    return [tuple(mended(value) if isinstance(value, str) else value for value in one) for one in cited]


def same_ids(found, wanted):
    """Ids made in place of those that a dialect refuses are only known by how they begin."""
    calls = wanted["parts"]["calls"] if isinstance(wanted["parts"], dict) else wanted["parts"]
    made = found["parts"]["calls"] if isinstance(found["parts"], dict) else found["parts"]
    for number, (one, other) in enumerate(zip(calls, made)):
        if one[0] == "call" and one[1] == "call_gh_" and other[0] == "call":
            assert other[1].startswith("call_gh_") and NATIVE_ID.match(other[1])
            made[number] = ("call", "call_gh_", *other[2:])
    return found


def sse(body):
    """[(event, data)], each whole."""
    assert body.endswith(b"\n\n")
    made = []
    for event in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.split("\n") if not line.startswith(":"))
        if fields:
            made.append((fields.get("event"), fields["data"]))
    return made


def messages_of_framing(body):
    made = []
    while body:
        line, body = body.split(b"\n", 1)
        kind, length = line.split()
        made.append((kind.decode(), json.loads(body[:int(length)])))
        body = body[int(length) + 1:]
    return made


def page(one):
    return (one["start_index"], one["end_index"], one["url"], one["title"])


CHAT_FINISH = {"stop": "stop", "tool_calls": "tools", "length": "length", "content_filter": "refused"}


def chat_message(message, tokens, finish, body):
    details = message.get("reasoning_details", [])
    usage = body["usage"]
    said = message.get("reasoning_content", "")
    assert not details or said == "".join(one.get("text", "") for one in details)
    calls = [("call", call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) if call["type"] == "function" else
             ("text_call", call["id"], call["custom"]["name"], call["custom"]["input"]) for call in message.get("tool_calls", [])]
    parts = {"reasoning": said, "signatures": [one["signature"] for one in details if one.get("signature")],
             "redacted": [one["data"] for one in details if one["type"] == "reasoning.encrypted"], "text": message.get("content") or "", "tokens": tokens or [],
             "cited": [page(one["url_citation"]) for one in message.get("annotations", [])], "sources": [], "refusal": message.get("refusal") or "", "calls": calls}
    return {"parts": parts, "finish": CHAT_FINISH[finish], "stop": None, "tier": body.get("service_tier"),
            "usage": {"input": usage["prompt_tokens"], "output": usage["completion_tokens"], "cached": usage["prompt_tokens_details"]["cached_tokens"],
                      "written": usage["prompt_tokens_details"]["cache_write_tokens"], "reasoning": usage["completion_tokens_details"]["reasoning_tokens"]}}


def chat_plain(body):
    body = json.loads(body)
    choice = body["choices"][0]
    return chat_message(choice["message"], (choice["logprobs"] or {}).get("content"), choice["finish_reason"], body)


def chat_stream(body):
    *events, end = sse(body)
    assert end == (None, "[DONE]")
    message, tokens, finish, last = {"tool_calls": [], "reasoning_details": [], "annotations": []}, [], None, None
    for _, data in events:
        last = json.loads(data)
        for choice in last["choices"]:
            assert finish is None
            delta, finish = choice["delta"], choice["finish_reason"]
            for name in ("content", "refusal", "reasoning_content"):
                message[name] = message.get(name, "") + (delta.get(name) or "")
            tokens += (choice.get("logprobs") or {}).get("content") or []
            message["annotations"] += delta.get("annotations", [])
            message["reasoning_details"] += delta.get("reasoning_details", [])
            for call in delta.get("tool_calls", []):
                key, field = ("custom", "input") if "custom" in call else ("function", "arguments")
                if call["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append(call)
                else:
                    message["tool_calls"][call["index"]][key][field] += call[key][field]
    return chat_message(message, tokens, finish, last)


MESSAGES_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools", "max_tokens": "length", "refusal": "refused"}
STANDARD = {"standard": "default", "priority": "priority", None: None}


def messages_usage(usage):
    cached, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return {"input": usage["input_tokens"] + cached + written, "output": usage["output_tokens"], "cached": cached, "written": written,
            "reasoning": usage.get("output_tokens_details", {}).get("thinking_tokens", 0)}


MESSAGES_PLACES = {"char_location": ("chars", "document_index", "start_char_index", "end_char_index", "document_title"),
                   "page_location": ("pages", "document_index", "start_page_number", "end_page_number", "document_title"),
                   "content_block_location": ("blocks", "document_index", "start_block_index", "end_block_index", "document_title"),
                   "search_result_location": ("result", "search_result_index", "start_block_index", "end_block_index", "title")}


def messages_cited(block):
    """(pages, sources)"""
    pages, sources = [], []
    for one in block.get("citations") or []:
        if one["type"] == "web_search_result_location":
            assert isinstance(one["cited_text"], str) and isinstance(one["encrypted_index"], str)
            pages.append((None, None, one["url"], one["title"]))
        else:
            at, *names = MESSAGES_PLACES[one["type"]]
            sources.append((at, *(one[name] for name in names), one["cited_text"], one["source"] if at == "result" else None))
    return pages, sources


def messages_part(block):
    kind = block["type"]
    if kind == "text":
        return ("text", block["text"], [], *messages_cited(block))
    if kind == "thinking":
        return ("reasoning", block["thinking"], block["signature"])
    if kind == "redacted_thinking":
        return ("redacted", block["data"])
    return ("call", block["id"], block["name"], block["input"])


def messages_plain(body):
    body = json.loads(body)
    assert (body["stop_sequence"] is not None) == (body["stop_reason"] == "stop_sequence")
    return {"parts": [messages_part(block) for block in body["content"]], "finish": MESSAGES_FINISH[body["stop_reason"]], "stop": body["stop_sequence"],
            "tier": STANDARD[body["usage"].get("service_tier")], "usage": messages_usage(body["usage"])}


def messages_events(events):
    assert events[0]["type"] == "message_start" and events[-1]["type"] == "message_stop", events[-1]
    message, blocks, open_block = events[0]["message"], [], None
    for event in events[1:-1]:
        kind = event["type"]
        if kind == "content_block_start":
            assert open_block is None and event["index"] == len(blocks)
            open_block = event["index"]
            blocks.append({**event["content_block"], **({"input": ""} if event["content_block"]["type"] == "tool_use" else {})})
        elif kind == "content_block_delta":
            assert event["index"] == open_block
            if event["delta"]["type"] == "citations_delta":
                blocks[open_block]["citations"] = (blocks[open_block].get("citations") or []) + [event["delta"]["citation"]]
                continue
            field = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}[event["delta"]["type"]]
            blocks[open_block]["input" if field == "partial_json" else field] += event["delta"][field]
        elif kind == "content_block_stop":
            if blocks[open_block]["type"] == "tool_use":
                blocks[open_block]["input"] = json.loads(blocks[open_block]["input"])
            open_block = None
        elif kind == "message_delta":
            message = {**message, **event["delta"], "usage": {**message["usage"], **event["usage"]}}
        else:
            assert kind == "ping"
    return messages_plain(json.dumps({**message, "content": blocks}))


def messages_stream(body):
    events = [json.loads(data) for _, data in sse(body)]
    assert [event["type"] for event in events] == [kind for kind, _ in sse(body)]
    return messages_events(events)


def invoke_stream(body):
    events = []
    for kind, payload in messages_of_framing(body):
        assert kind == "chunk", (kind, payload)
        events.append(json.loads(base64.b64decode(payload["bytes"])))
    return messages_events(events)


CONVERSE_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools", "max_tokens": "length", "content_filtered": "refused"}


CONVERSE_PLACES = {"documentChar": ("chars", "documentIndex"), "documentPage": ("pages", "documentIndex"), "documentChunk": ("blocks", "documentIndex"),
                   "searchResultLocation": ("result", "searchResultIndex")}


def converse_cited(citations):
    """(pages, sources)"""
    pages, sources = [], []
    for one in citations:
        ((member, place),) = one["location"].items()
        if member == "web":
            pages.append((None, None, place["url"], one["title"]))
        else:
            at, index = CONVERSE_PLACES[member]
            sources.append((at, place[index], place["start"], place["end"], one.get("title"), "".join(piece["text"] for piece in one["sourceContent"]), one.get("source")))
    return pages, sources


def converse_told(blocks, reason, rest):
    parts = []
    for block in blocks:
        if "citationsContent" in block:
            cited = block["citationsContent"]
            assert cited["citations"]
            parts.append(("text", "".join(one["text"] for one in cited["content"]), [], *converse_cited(cited["citations"])))
        elif "text" in block:
            parts.append(("text", block["text"], [], *converse_cited(block.get("citations", []))))
        elif "toolUse" in block:
            parts.append(("call", block["toolUse"]["toolUseId"], block["toolUse"]["name"], block["toolUse"]["input"]))
        elif "redactedContent" in block["reasoningContent"]:
            parts.append(("redacted", block["reasoningContent"]["redactedContent"]))
        else:
            parts.append(("reasoning", block["reasoningContent"]["reasoningText"]["text"], block["reasoningContent"]["reasoningText"].get("signature", "")))
    usage = rest["usage"]
    cached, written = usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]
    assert usage["totalTokens"] == usage["inputTokens"] + cached + written + usage["outputTokens"]
    return {"parts": parts, "finish": CONVERSE_FINISH[reason], "stop": None, "tier": rest.get("serviceTier", {}).get("type"),
            "usage": {"input": usage["inputTokens"] + cached + written, "output": usage["outputTokens"], "cached": cached, "written": written, "reasoning": 0}}


def converse_plain(body):
    body = json.loads(body)
    return converse_told(body["output"]["message"]["content"], body["stopReason"], body)


def converse_stream(body):
    events = messages_of_framing(body)
    assert events[0][0] == "messageStart" and events[-2][0] == "messageStop" and events[-1][0] == "metadata", events[-1]
    blocks, ended = [], 0
    for kind, event in events[1:-2]:
        index = event["contentBlockIndex"]
        if kind == "contentBlockStart":
            assert index == len(blocks) == ended
            blocks.append({"toolUse": {**event["start"]["toolUse"], "input": ""}})
        elif kind == "contentBlockStop":
            assert index == ended < len(blocks)
            if "toolUse" in blocks[index]:
                blocks[index]["toolUse"]["input"] = json.loads(blocks[index]["toolUse"]["input"])
            ended += 1
        else:
            delta = event["delta"]
            inner = delta.get("reasoningContent", {})
            if index == len(blocks):
                blocks.append({"text": "", "citations": []} if "text" in delta or "citation" in delta else {"reasoningContent": inner} if "redactedContent" in inner else
                              {"reasoningContent": {"reasoningText": {"text": ""}}})
            if "text" in delta:
                blocks[index]["text"] += delta["text"]
            elif "citation" in delta:
                blocks[index]["citations"].append(delta["citation"])
            elif "toolUse" in delta:
                blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
            elif "redactedContent" not in inner:
                thought = blocks[index]["reasoningContent"]["reasoningText"]
                for name in inner:
                    thought[name] = thought.get(name, "") + inner[name]
    assert ended == len(blocks)
    return converse_told(blocks, events[-2][1]["stopReason"], events[-1][1])


def responses_part(item):
    kind = item["type"]
    if kind == "message":
        (content,) = item["content"]
        if content["type"] == "refusal":
            return ("refusal", content["refusal"])
        return ("text", content["text"], content["logprobs"], [page(one) for one in content["annotations"]], [])
    if kind == "reasoning" and item["id"].startswith("rr_gh_"):
        return ("redacted", item["encrypted_content"])
    if kind == "reasoning":
        return ("reasoning", "".join(content["text"] for content in item["content"]), item.get("encrypted_content", ""))
    if kind == "function_call":
        return ("call", item["call_id"], item["name"], json.loads(item["arguments"]))
    return ("text_call", item["call_id"], item["name"], item["input"])


def responses_plain(body):
    body = json.loads(body)
    kinds = {item["type"] for item in body["output"]}
    if body["status"] == "incomplete":
        finish = {"max_output_tokens": "length", "content_filter": "refused"}[body["incomplete_details"]["reason"]]
    else:
        finish = "tools" if kinds & {"function_call", "custom_tool_call"} else "stop"
    usage = body["usage"]
    return {"parts": [responses_part(item) for item in body["output"]], "finish": finish, "stop": None, "tier": body.get("service_tier"),
            "usage": {"input": usage["input_tokens"], "output": usage["output_tokens"], "cached": usage["input_tokens_details"]["cached_tokens"],
                      "written": usage["input_tokens_details"]["cache_write_tokens"], "reasoning": usage["output_tokens_details"]["reasoning_tokens"]}}


def responses_stream(body):
    events = [json.loads(data) for _, data in sse(body)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    sums, tokens, cited, items = {}, {}, {}, []
    for event in events:
        kind, index = event["type"], event.get("output_index")
        if kind == "response.output_text.annotation.added":
            assert event["annotation_index"] == len(cited.setdefault(index, []))
            cited[index].append(event["annotation"])
        elif kind.endswith(".delta"):
            sums[index] = sums.get(index, "") + event["delta"]
            tokens[index] = tokens.get(index, []) + event.get("logprobs", [])
        elif kind == "response.output_item.done":
            item = event["item"]
            items.append(item)
            part = responses_part(item)
            said = {"text": part[1], "refusal": part[1], "reasoning": part[1], "redacted": "", "call": item.get("arguments"), "text_call": part[-1]}[part[0]]
            assert sums.get(index, "") == said
            if part[0] == "text":
                assert tokens.get(index, []) == part[2] and [page(one) for one in cited.get(index, [])] == part[3]
    assert events[-1]["type"] in ("response.completed", "response.incomplete"), events[-1]
    whole = events[-1]["response"]
    assert whole["output"] == items and events[-1]["type"] == "response." + whole["status"]
    return responses_plain(json.dumps(whole))


PLAIN = {"chat": chat_plain, "messages": messages_plain, "converse": converse_plain, "responses": responses_plain, "invoke": messages_plain}
STREAMED = {"chat": chat_stream, "messages": messages_stream, "converse": converse_stream, "responses": responses_stream, "invoke": invoke_stream}
