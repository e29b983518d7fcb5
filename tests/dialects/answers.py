"""
Random answers, how each provider says them, plain and streamed, and what each client reads: written from the providers' documentation, independently of
the translator, and without their SDKs, which are too slow for so many (test_answers.py has them). An answer is

    {"parts": [...], "finish", "stop", "usage", "tier"}

    parts    text (text, tokens, cited: [(start, end, url, title)], sources: as conversations.Maker.source has them), refusal (text), reasoning (text, signature), redacted (data), call (id, name, input),
             text_call (id, name, text)
    finish   stop, tools, length, refused
    stop     the stop sequence that ended it, or None
    usage    input (of which cached, written), output (of which reasoning), audio tokens in and out
"""
import base64
import json

from conversations import Maker, converse_source, messages_source

OPENAI = ("chat", "responses")
ANTHROPIC = ("messages", "invoke")
TIERS = {"chat": ("default", "priority", "flex", "scale", "fast"), "responses": ("default", "priority", "flex", "scale", "fast"),
         "messages": ("default", "priority"), "invoke": ("default", "priority"), "converse": ("default", "priority", "flex", "reserved")}
STANDARD = {"default": "standard", "priority": "priority"}


class AnswerMaker(Maker):
    """What the backend's dialect can say."""

    def __init__(self, seed, backend):
        super().__init__(seed, (backend,))
        self.backend = backend

    def words(self):
        """Sometimes with a half of a surrogate pair that never becomes a whole."""
        made = self.text(20)
        return made + self.random.choice(["\ud83d", "\ude00", "\ud83dx"]) + self.text(3) if self.chance(0.05) else made

    def tokens(self, text):
        made = []
        for one in text.split(" "):
            likely = {"token": one, "logprob": -round(self.random.random(), 3), "bytes": list(one.encode(errors="replace"))}
            made.append({**likely, "top_logprobs": [likely] if self.chance(0.5) else []})
        return made

    def told_text(self):
        part = {"kind": "text", "text": self.words(), "tokens": [], "cited": [], "sources": []}
        if self.backend not in OPENAI:
            return self.cited_text(part)
        if self.backend in OPENAI and self.chance(0.3):
            part["tokens"] = self.tokens(part["text"])
        if self.backend in OPENAI and self.chance(0.3):
            part["cited"] = [(0, self.random.randrange(1, len(part["text"]) + 1), "https://example.com/" + self.word(), self.text(5)) for _ in range(1 + self.chance(0.3))]
        return part

    def cited_text(self, part):
        """Where all of a text cites what it cites."""
        if self.chance(0.3):
            part["sources"] = [{**self.source(), "cited": self.words()} for _ in range(1 + self.chance(0.3))]
        if self.chance(0.15):
            part["cited"] = [(0, len(part["text"]), "https://example.com/" + self.word(), self.words())]
        return part

    def call(self):
        self.calls += 1
        name = f"toolu_{self.calls}-A" if self.chance(0.9) else self.random.choice([f"call:{self.calls}/\u00e9", "c" * 65 + str(self.calls)])
        if self.backend in OPENAI and self.chance(0.1):
            return {"kind": "text_call", "id": name, "name": "tool_" + self.word(), "text": self.words()}
        return {"kind": "call", "id": name, "name": "tool_" + self.word(), "input": self.object()}

    def reasoning(self):
        signed = self.backend != "chat" or self.signing
        return {"kind": "reasoning", "text": self.words(), "signature": self.data() if signed and self.chance(0.7) else ""}

    def parts(self):
        self.signing = self.chance(0.5)                   # of chat: reasoning_details, or reasoning_content alone
        thought = [self.reasoning() for _ in range(self.random.choice([0, 0, 1, 2] if self.backend != "chat" or self.signing else [0, 1]))]
        if self.chance(0.15) and (self.backend != "chat" or self.signing):
            thought.append({"kind": "redacted", "data": self.data()})
        said = [self.told_text()] if self.chance(0.8) else []
        if self.backend in OPENAI and self.chance(0.1):
            said.append({"kind": "refusal", "text": self.words()})
        called = [self.call() for _ in range(self.random.choice([0, 0, 1, 2, 3]))]
        if self.backend == "chat" or self.chance(0.6):
            return thought + said + called
        more = thought + said + called + [self.told_text() for _ in range(self.random.randrange(2))]
        self.random.shuffle(more)
        return more

    def answer(self):
        made = {"parts": self.parts(), "stop": None}
        kinds = {part["kind"] for part in made["parts"]}
        made["finish"] = self.random.choice(["length", "refused"]) if self.chance(0.2) else "stop"
        if made["finish"] == "stop":
            made["finish"] = "tools" if kinds & {"call", "text_call"} else "refused" if "refusal" in kinds else "stop"
        if made["finish"] == "stop" and self.backend in ("chat",) + ANTHROPIC and self.chance(0.3):
            made["stop"] = self.text(4)
        count = self.random.randrange
        cached, written = (count(100), count(100) if self.backend != "chat" or self.chance(0.5) else 0) if self.chance(0.5) else (0, 0)
        output = count(1, 500)
        made["usage"] = {"input": cached + written + count(500), "output": output, "cached": cached, "written": written,
                         "reasoning": count(output) if self.backend != "converse" and self.chance(0.5) else 0,
                         "heard": 0, "spoken": 0}
        if self.backend == "chat" and self.chance(0.2):
            made["usage"].update(heard=count(made["usage"]["input"] + 1), spoken=count(output + 1))
        made["tier"] = self.random.choice((None,) + TIERS[self.backend])
        if self.backend == "responses" and self.chance(0.4):
            made["filters"] = self.random.choice([None, "safe", "blocked"] if made["finish"] == "refused" and "refusal" not in kinds else [None, "safe"])
        return made

    # ---- pieces of a stream ----

    def pieces(self, text):
        """Split between UTF-16 units, as servers do that count in them."""
        units = [text.encode("utf-16-le", "surrogatepass")[i:i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, 2 * self.units(text), 2)]
        made, at = [], 0
        while at < len(units):
            size = self.random.randrange(1, 9)
            made.append("".join(units[at:at + size]))
            at += size
        return made

    @staticmethod
    def units(text):
        return len(text.encode("utf-16-le", "surrogatepass")) // 2


dumped = json.dumps


# ---- chat completions ----

def chat_details(parts):
    made = []
    for index, part in enumerate(part for part in parts if part["kind"] in ("reasoning", "redacted")):
        if part["kind"] == "redacted":
            made.append({"type": "reasoning.encrypted", "data": part["data"], "index": index})
        else:
            made.append({"type": "reasoning.text", "text": part["text"], "index": index, **({"signature": part["signature"]} if part["signature"] else {})})
    return made


def annotation(cited):
    start, end, url, title = cited
    return {"start_index": start, "end_index": end, "url": url, "title": title}


def chat_usage(usage):
    return {"prompt_tokens": usage["input"], "completion_tokens": usage["output"], "total_tokens": usage["input"] + usage["output"],
            "prompt_tokens_details": {"cached_tokens": usage["cached"], "cache_write_tokens": usage["written"], "audio_tokens": usage["heard"]},
            "completion_tokens_details": {"reasoning_tokens": usage["reasoning"], "audio_tokens": usage["spoken"]}}


def chat_finish(made):
    kinds = {part["kind"] for part in made["parts"]}
    if made["finish"] == "refused":
        return "stop" if "refusal" in kinds and not kinds & {"call", "text_call"} else "content_filter"
    return {"stop": "stop", "tools": "tool_calls", "length": "length"}[made["finish"]]


def chat_call(part):
    if part["kind"] == "call":
        return {"id": part["id"], "type": "function", "function": {"name": part["name"], "arguments": dumped(part["input"])}}
    return {"id": part["id"], "type": "custom", "custom": {"name": part["name"], "input": part["text"]}}


def of(made, *kinds):
    return [part for part in made["parts"] if part["kind"] in kinds]


def chat_plain(made, maker):
    texts, calls = of(made, "text"), of(made, "call", "text_call")
    message = {"role": "assistant", "content": texts[0]["text"] if texts else None,
               "refusal": "".join(part["text"] for part in of(made, "refusal")) or None}
    if calls:
        message["tool_calls"] = [chat_call(part) for part in calls]
    if maker.signing and of(made, "reasoning", "redacted"):
        message["reasoning_details"] = chat_details(made["parts"])
    elif of(made, "reasoning"):
        message["reasoning_content"] = "".join(part["text"] for part in of(made, "reasoning"))
    if texts and texts[0]["cited"]:
        message["annotations"] = [{"type": "url_citation", "url_citation": annotation(one)} for one in texts[0]["cited"]]
    choice = {"index": 0, "message": message, "finish_reason": chat_finish(made),
              "logprobs": {"content": texts[0]["tokens"], "refusal": None} if texts and texts[0]["tokens"] else None}
    if made["stop"] is not None:
        choice["stop_reason"] = made["stop"]
    return dumped({"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000001, "model": "up", "choices": [choice], "usage": chat_usage(made["usage"]),
                   **({"service_tier": made["tier"]} if made["tier"] else {})}).encode()


def chat_stream(made, maker):
    deltas = [({"role": "assistant", "content": ""}, {})]
    detail = call = 0
    for part in made["parts"]:
        kind = part["kind"]
        if kind == "reasoning" and not maker.signing:
            deltas += [({"reasoning_content": piece}, {}) for piece in maker.pieces(part["text"])]
        elif kind == "reasoning":
            deltas += [({"reasoning_details": [{"type": "reasoning.text", "text": piece, "index": detail}]}, {}) for piece in maker.pieces(part["text"])]
            if part["signature"]:
                deltas.append(({"reasoning_details": [{"type": "reasoning.text", "signature": part["signature"], "index": detail}]}, {}))
            detail += 1
        elif kind == "redacted":
            deltas.append(({"reasoning_details": [{"type": "reasoning.encrypted", "data": part["data"], "index": detail}]}, {}))
            detail += 1
        elif kind == "text":
            pieces = maker.pieces(part["text"])
            for number, piece in enumerate(pieces):
                tokens = part["tokens"][number:number + 1] if number + 1 < len(pieces) else part["tokens"][number:]
                deltas.append(({"content": piece}, {"logprobs": {"content": tokens, "refusal": None} if tokens else None}))
            if part["cited"]:
                deltas.append(({"annotations": [{"type": "url_citation", "url_citation": annotation(one)} for one in part["cited"]]}, {}))
        elif kind == "refusal":
            deltas += [({"refusal": piece}, {}) for piece in maker.pieces(part["text"])]
        else:
            key, field, text = ("function", "arguments", dumped(part["input"])) if kind == "call" else ("custom", "input", part["text"])
            deltas.append(({"tool_calls": [{"index": call, "id": part["id"], "type": key, key: {"name": part["name"], field: ""}}]}, {}))
            deltas += [({"tool_calls": [{"index": call, key: {field: piece}}]}, {}) for piece in maker.pieces(text)]
            call += 1
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000001, "model": "up", **({"service_tier": made["tier"]} if made["tier"] else {})}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}]} for delta, more in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": chat_finish(made), **({"stop_reason": made["stop"]} if made["stop"] is not None else {})}
    chunks += [{**head, "choices": [last]}, {**head, "choices": [], "usage": chat_usage(made["usage"])}]
    return "".join(f"data: {dumped(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"


# ---- Messages ----

MESSAGES_FINISH = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens", "refused": "refusal"}


def messages_usage(made):
    usage = made["usage"]
    return {"input_tokens": usage["input"] - usage["cached"] - usage["written"], "cache_read_input_tokens": usage["cached"],
            "cache_creation_input_tokens": usage["written"], "output_tokens": usage["output"],
            **({"output_tokens_details": {"thinking_tokens": usage["reasoning"]}} if usage["reasoning"] else {}),
            **({"service_tier": STANDARD[made["tier"]]} if made["tier"] else {})}


def messages_citations(part):
    return [messages_source(one) for one in part["sources"]] + [
        {"type": "web_search_result_location", "cited_text": "c", "url": url, "title": title, "encrypted_index": "ZQ=="} for _, _, url, title in part["cited"]]


def messages_block(part):
    kind = part["kind"]
    if kind == "text":
        return {"type": "text", "text": part["text"], "citations": messages_citations(part) or None}
    if kind == "reasoning":
        return {"type": "thinking", "thinking": part["text"], "signature": part["signature"]}
    if kind == "redacted":
        return {"type": "redacted_thinking", "data": part["data"]}
    return {"type": "tool_use", "id": part["id"], "name": part["name"], "input": part["input"]}


def ended(made):
    return {"stop_reason": "stop_sequence" if made["stop"] is not None else MESSAGES_FINISH[made["finish"]], "stop_sequence": made["stop"]}


def messages_plain(made, maker):
    return dumped({"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [messages_block(part) for part in made["parts"]], **ended(made),
                   "usage": messages_usage(made)}).encode()


def messages_events(made, maker):
    yield {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [], "stop_reason": None,
                                                "stop_sequence": None, "usage": {**messages_usage(made), "output_tokens": 1}}}
    for index, part in enumerate(made["parts"]):
        kind = part["kind"]
        start = {**messages_block(part), **({"text": "", "citations": []} if kind == "text" else {"thinking": "", "signature": ""} if kind == "reasoning" else {"input": {}} if kind == "call" else {})}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if maker.chance(0.1):
            yield {"type": "ping"}
        if kind == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in maker.pieces(part["text"])]
            deltas += [{"type": "citations_delta", "citation": one} for one in messages_citations(part)]
        elif kind == "reasoning":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in maker.pieces(part["text"])]
            deltas += [{"type": "signature_delta", "signature": part["signature"]}] if part["signature"] else []
        else:
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in maker.pieces(dumped(part["input"]))] if kind == "call" else []
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = messages_usage(made)
    usage.pop("service_tier", None)
    yield {"type": "message_delta", "delta": ended(made), "usage": usage}
    yield {"type": "message_stop"}


def messages_stream(made, maker):
    return "".join(f"event: {event['type']}\ndata: {dumped(event)}\n\n" for event in messages_events(made, maker)).encode()


# ---- InvokeModel ----

def framed(events):
    """As the driver has messages of the framing: lines "TYPE LENGTH", then so many bytes and LF."""
    return b"".join(kind.encode() + b" %d\n" % len(body) + body + b"\n" for kind, body in ((kind, dumped(event).encode()) for kind, event in events))


def invoke_stream(made, maker):
    return framed(("chunk", {"bytes": base64.b64encode(dumped(event).encode()).decode()}) for event in messages_events(made, maker))


# ---- Converse ----

CONVERSE_FINISH = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens", "refused": "content_filtered"}


def converse_usage(made):
    usage = made["usage"]
    return {"usage": {"inputTokens": usage["input"] - usage["cached"] - usage["written"], "outputTokens": usage["output"], "totalTokens": usage["input"] + usage["output"],
                      "cacheReadInputTokens": usage["cached"], "cacheWriteInputTokens": usage["written"]}, "metrics": {"latencyMs": 3},
            **({"serviceTier": {"type": made["tier"]}} if made["tier"] else {})}


def converse_citations(part, maker):
    """The text of a source is sometimes in two pieces."""
    made = [converse_source(one) for one in part["sources"]]
    for one in made:
        words = one["sourceContent"][0]["text"]
        at = maker.random.randrange(len(words) + 1) if maker.chance(0.3) else 0
        one["sourceContent"] = [{"text": words[:at]}, {"text": words[at:]}] if at else [{"text": words}]
    return made + [{"title": title, "location": {"web": {"url": url, "domain": "example.com"}}} for _, _, url, title in part["cited"]]


def converse_text(part, maker):
    """A text that cites is sometimes in two pieces, too."""
    if not part["sources"] and not part["cited"]:
        return {"text": part["text"]}
    at = maker.random.randrange(len(part["text"])) if maker.chance(0.3) else 0
    return {"citationsContent": {"content": [{"text": words} for words in (part["text"][:at], part["text"][at:]) if words], "citations": converse_citations(part, maker)}}


def converse_block(part, maker):
    kind = part["kind"]
    if kind == "text":
        return converse_text(part, maker)
    if kind == "reasoning":
        return {"reasoningContent": {"reasoningText": {"text": part["text"], **({"signature": part["signature"]} if part["signature"] else {})}}}
    if kind == "redacted":
        return {"reasoningContent": {"redactedContent": part["data"]}}
    return {"toolUse": {"toolUseId": part["id"], "name": part["name"], "input": part["input"]}}


def converse_plain(made, maker):
    return dumped({"output": {"message": {"role": "assistant", "content": [converse_block(part, maker) for part in made["parts"]]}},
                   "stopReason": CONVERSE_FINISH[made["finish"]], **converse_usage(made)}).encode()


def converse_stream(made, maker):
    events = [("messageStart", {"role": "assistant"})]
    for index, part in enumerate(made["parts"]):
        kind = part["kind"]
        if kind == "call":
            events.append(("contentBlockStart", {"start": {"toolUse": {"toolUseId": part["id"], "name": part["name"]}}, "contentBlockIndex": index}))
            deltas = [{"toolUse": {"input": piece}} for piece in maker.pieces(dumped(part["input"]))]
        elif kind == "text":
            deltas = [{"text": piece} for piece in maker.pieces(part["text"])] + [{"citation": one} for one in converse_citations(part, maker)]
        elif kind == "redacted":
            deltas = [{"reasoningContent": {"redactedContent": part["data"]}}]
        else:
            deltas = [{"reasoningContent": {"text": piece}} for piece in maker.pieces(part["text"])]
            deltas += [{"reasoningContent": {"signature": part["signature"]}}] if part["signature"] else []
        events += [("contentBlockDelta", {"delta": delta, "contentBlockIndex": index, "p": "abc"}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    return framed(events + [("messageStop", {"stopReason": CONVERSE_FINISH[made["finish"]]}), ("metadata", converse_usage(made))])


# ---- Responses ----

def responses_item(part, index, whole=True):
    kind = part["kind"]
    if kind in ("text", "refusal"):
        content = [responses_content(part)] if whole else []
        return {"type": "message", "id": f"msg_{index}", "status": "completed" if whole else "in_progress", "role": "assistant", "content": content}
    if kind == "reasoning":
        item = {"type": "reasoning", "id": f"rs_gh_{index}" if part["signature"] else f"rs_{index}", "summary": []}
        return {**item, "content": [{"type": "reasoning_text", "text": part["text"]}] if whole else [],
                **({"encrypted_content": part["signature"]} if whole and part["signature"] else {})}
    if kind == "redacted":
        return {"type": "reasoning", "id": f"rr_gh_{index}", "summary": [], **({"encrypted_content": part["data"]} if whole else {})}
    if kind == "call":
        return {"type": "function_call", "id": f"fc_{index}", "call_id": part["id"], "name": part["name"], "arguments": dumped(part["input"]) if whole else "",
                "status": "completed"}
    return {"type": "custom_tool_call", "id": f"ctc_{index}", "call_id": part["id"], "name": part["name"], "input": part["text"] if whole else ""}


def responses_content(part):
    if part["kind"] == "refusal":
        return {"type": "refusal", "refusal": part["text"]}
    return {"type": "output_text", "text": part["text"], "annotations": [{"type": "url_citation", **annotation(one)} for one in part["cited"]], "logprobs": part["tokens"]}


def content_filter(source, blocked):
    """Of Azure: what its filters found in the prompt, or in the answer."""
    return {"blocked": blocked, "source_type": source, "content_filter_raw": [],
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}, "violence": {"filtered": blocked, "severity": "high" if blocked else "safe"},
                                       "jailbreak": {"detected": False, "filtered": False}},
            "content_filter_offsets": {"start_offset": 0, "end_offset": 73, "check_offset": 0}}


def content_filters(made):
    if "filters" not in made:
        return {}
    return {"content_filters": [content_filter("prompt", False), content_filter("completion", made["filters"] == "blocked")] if made["filters"] else None}


def responses_whole(made):
    usage = made["usage"]
    kinds = {part["kind"] for part in made["parts"]}
    why = {"length": "max_output_tokens", "refused": "content_filter"}.get(made["finish"])
    if made["finish"] == "refused" and "refusal" in kinds and not kinds & {"call", "text_call"}:
        why = None
    if made.get("filters") == "blocked":
        why = None                                            # beside the status, which says nothing of it
    return {"id": "resp_1", "object": "response", **content_filters(made), "created_at": 1700000001, "model": "up", "status": "incomplete" if why else "completed",
            "incomplete_details": {"reason": why} if why else None, "output": [responses_item(part, index) for index, part in enumerate(made["parts"])],
            **({"service_tier": made["tier"]} if made["tier"] else {}),
            "usage": {"input_tokens": usage["input"], "input_tokens_details": {"cached_tokens": usage["cached"], "cache_write_tokens": usage["written"]},
                      "output_tokens": usage["output"], "output_tokens_details": {"reasoning_tokens": usage["reasoning"]},
                      "total_tokens": usage["input"] + usage["output"]}}


def responses_plain(made, maker):
    return dumped(responses_whole(made)).encode()


DELTAS = {"text": "output_text", "refusal": "refusal", "reasoning": "reasoning_text", "call": "function_call_arguments", "text_call": "custom_tool_call_input"}


def responses_stream(made, maker):
    events = [{"type": "response.created", "response": {**responses_whole(made), "status": "in_progress", "output": [], "usage": None, **({"content_filters": None} if "filters" in made else {}),
                                                        **({"service_tier": "auto"} if made["tier"] else {})}}]
    for index, part in enumerate(made["parts"]):
        kind, where = part["kind"], {"output_index": index, "item_id": f"i_{index}"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": responses_item(part, index, False)})
        if kind != "redacted":
            text = dumped(part["input"]) if kind == "call" else part["text"]
            pieces = maker.pieces(text)
            for number, piece in enumerate(pieces):
                tokens = part.get("tokens", [])
                tokens = tokens[number:number + 1] if number + 1 < len(pieces) else tokens[number:]
                events.append({"type": f"response.{DELTAS[kind]}.delta", **where, "content_index": 0, "delta": piece, **({"logprobs": tokens} if kind == "text" else {})})
            for number, one in enumerate(part.get("cited", [])):
                events.append({"type": "response.output_text.annotation.added", **where, "content_index": 0, "annotation_index": number,
                               "annotation": {"type": "url_citation", **annotation(one)}})
        events.append({"type": "response.output_item.done", "output_index": index, "item": responses_item(part, index)})
    whole = responses_whole(made)
    events.append({"type": "response." + whole["status"], "response": whole})
    return "".join(f"event: {event['type']}\ndata: {dumped({**event, 'sequence_number': number})}\n\n" for number, event in enumerate(events)).encode()


PLAIN = {"chat": chat_plain, "messages": messages_plain, "invoke": messages_plain, "converse": converse_plain, "responses": responses_plain}
STREAMED = {"chat": chat_stream, "messages": messages_stream, "invoke": invoke_stream, "converse": converse_stream, "responses": responses_stream}
