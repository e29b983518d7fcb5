"""
Answers and streams as each provider's SDK reads them, told in one way for all dialects:

    {"text", "reasoning", "signature", "redacted", "calls": [(id, name, input)], "cited", "finish", "usage": {input, output, cached, written, reasoning}}

finish: stop, tools, length, refused. cited: [("page", url, title)] of web pages, [(what a place counts, index, start, end, title, source, text)] of documents and search
results. usage counts all that belongs to input and output. A stream that ends in an error is {"error": sentence}.
"""
import base64
import binascii
import json
import struct

import anthropic
import botocore.eventstream
import botocore.exceptions
import botocore.parsers
import botocore.session
import httpx2
import openai

MESSAGES_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools", "max_tokens": "length", "refusal": "refused", "pause_turn": "stop",
                   "model_context_window_exceeded": "length"}
CHAT_FINISH = {"stop": "stop", "tool_calls": "tools", "length": "length", "content_filter": "refused"}


def transport(body, kind, status=200):
    return httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(status, headers={"content-type": kind}, content=body)))


def openai_client(body, kind, status=200):
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", max_retries=0, http_client=transport(body, kind, status))


def anthropic_client(body, kind, status=200):
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", max_retries=0, http_client=transport(body, kind, status))


def told(text="", reasoning="", signature="", redacted=(), calls=(), finish=None, usage=None, cited=()):
    calls = [(one, name, json.loads(arguments or "{}") if isinstance(arguments, str) else arguments) for one, name, arguments in calls]
    return {"text": text, "reasoning": reasoning, "signature": signature, "redacted": list(redacted), "calls": calls, "cited": list(cited), "finish": finish,
            "usage": usage}


# ---- chat ----

def chat_usage(usage):
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return {"input": usage.prompt_tokens, "output": usage.completion_tokens, "cached": prompt and prompt.cached_tokens or 0,
            "written": prompt and prompt.cache_write_tokens or 0, "reasoning": completion and completion.reasoning_tokens or 0}


def pages(annotations):
    """The openai package has those of a stream's chunks as the server wrote them."""
    found = [one if isinstance(one, dict) else one.model_dump() for one in annotations or []]
    return [("page", page["url"], page["title"]) for page in (one.get("url_citation", one) for one in found if one["type"] == "url_citation")]


def chat_told(text, refusal, reasoning, details, calls, finish, usage, annotations=()):
    finish = CHAT_FINISH[finish]
    if finish == "stop":
        finish = "tools" if calls else "refused" if refusal else "stop"
    return told(text + refusal, reasoning or "".join(one.get("text", "") for one in details), "".join(one.get("signature", "") for one in details),
                [one["data"] for one in details if one["type"] == "reasoning.encrypted"], calls, finish, chat_usage(usage), pages(annotations))


def chat_answer(body):
    return chat_completion(openai_client(body, "application/json").chat.completions.create(model="m", messages=[]))


def chat_completion(answer):
    message = answer.choices[0].message
    assert answer.object == "chat.completion" and message.role == "assistant" and answer.id and answer.model
    return chat_told(message.content or "", message.refusal or "", getattr(message, "reasoning_content", None) or "",
                     getattr(message, "reasoning_details", None) or [],
                     [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []],
                     answer.choices[0].finish_reason, answer.usage, message.annotations)


def chat_stream(body):
    try:
        found = chat_chunks(openai_client(body, "text/event-stream").chat.completions.create(model="m", messages=[], stream=True))
    except openai.APIError as error:
        return {"error": str(error)}
    return found if body.rstrip().endswith(b"[DONE]") else {"error": "cut"}


def chat_chunks(chunks):
    text = refusal = reasoning = ""
    details, calls, finish, usage, annotations = [], {}, None, None, []
    for chunk in chunks:
        usage = chunk.usage or usage
        if not chunk.choices:
            continue
        assert finish is None, "a choice behind its end"
        delta, finish = chunk.choices[0].delta, chunk.choices[0].finish_reason or finish
        text, refusal = text + (delta.content or ""), refusal + (delta.refusal or "")
        reasoning += getattr(delta, "reasoning_content", None) or ""
        details += getattr(delta, "reasoning_details", None) or []
        annotations += getattr(delta, "annotations", None) or []
        for call in delta.tool_calls or []:
            if call.id:
                assert call.index == len(calls)
                calls[call.index] = [call.id, call.function.name, ""]
            calls[call.index][2] += call.function.arguments or ""
    if finish is None:
        return {"error": "cut"}
    return chat_told(text, refusal, reasoning, details, list(calls.values()), finish, usage, annotations)


# ---- messages ----

def messages_cited(one):
    """One of a text's citations, by the types of Anthropic's SDK."""
    if one.type == "web_search_result_location":
        return ("page", one.url, one.title)
    if one.type == "char_location":
        return ("chars", one.document_index, one.start_char_index, one.end_char_index, one.document_title, None, one.cited_text)
    if one.type == "page_location":
        return ("pages", one.document_index, one.start_page_number, one.end_page_number, one.document_title, None, one.cited_text)
    if one.type == "content_block_location":
        return ("blocks", one.document_index, one.start_block_index, one.end_block_index, one.document_title, None, one.cited_text)
    return ("result", one.search_result_index, one.start_block_index, one.end_block_index, one.title, one.source, one.cited_text)


def messages_told(message):
    blocks, usage = message.content, message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return told("".join(block.text for block in blocks if block.type == "text"), "".join(block.thinking for block in blocks if block.type == "thinking"),
                "".join(block.signature for block in blocks if block.type == "thinking"),
                [block.data for block in blocks if block.type == "redacted_thinking"],
                [(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"], MESSAGES_FINISH[message.stop_reason],
                {"input": usage.input_tokens + cached + written, "output": usage.output_tokens, "cached": cached, "written": written,
                 "reasoning": usage.output_tokens_details and usage.output_tokens_details.thinking_tokens or 0},
                [messages_cited(one) for block in blocks if block.type == "text" for one in block.citations or []])


def messages_answer(body):
    message = anthropic_client(body, "application/json").messages.create(model="m", max_tokens=1, messages=[])
    assert message.type == "message" and message.role == "assistant" and message.id and message.model
    return messages_told(message)


def messages_stream(body):
    try:
        return messages_events(anthropic_client(body, "text/event-stream").messages.stream(model="m", max_tokens=1, messages=[]))
    except anthropic.APIError as error:
        return {"error": str(error)}


def messages_events(manager):
    ended = False
    with manager as stream:
        for event in stream:
            ended |= event.type == "message_stop"
        return messages_told(stream.get_final_message()) if ended else {"error": "cut"}


def message(body):
    """Anthropic's object of an answer that another SDK read."""
    return anthropic.types.Message.model_validate(body)


def messages_pieces(events):
    """Events that another SDK unwrapped, put together by Anthropic's."""
    data = b"".join(b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return messages_events(anthropic_client(data, "text/event-stream").messages.stream(model="m", max_tokens=1, messages=[]))


# ---- invoke: as Anthropic's SDK for Bedrock has it ----

def bedrock_client(body, kind):
    return anthropic.AnthropicBedrock(api_key="k", aws_region="eu-central-1", base_url="http://gateway", max_retries=0, http_client=transport(body, kind))


def invoke_answer(body):
    return messages_told(bedrock_client(body, "application/json").messages.create(model="m", max_tokens=1, messages=[]))


def invoke_stream(body):
    try:
        client = bedrock_client(framed(body), "application/vnd.amazon.eventstream")
        return messages_events(client.messages.stream(model="m", max_tokens=1, messages=[]))
    except anthropic.APIError as error:
        return {"error": str(error)}


# ---- converse ----

CONVERSE_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools", "max_tokens": "length", "content_filtered": "refused",
                   "guardrail_intervened": "refused", "model_context_window_exceeded": "length"}


def operation(name):
    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model(name)


def converse_usage(usage):
    cached, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    assert usage["totalTokens"] == usage["inputTokens"] + cached + written + usage["outputTokens"]
    return {"input": usage["inputTokens"] + cached + written, "output": usage["outputTokens"], "cached": cached, "written": written, "reasoning": 0}


def converse_answer(body):
    parser = botocore.parsers.create_parser("rest-json")
    return converse_told(parser.parse({"body": body, "headers": {}, "status_code": 200}, operation("Converse").output_shape))


PLACES = {"documentChar": ("chars", "documentIndex"), "documentPage": ("pages", "documentIndex"), "documentChunk": ("blocks", "documentIndex"),
          "searchResultLocation": ("result", "searchResultIndex")}


def converse_cited(citations):
    """What does not say its place is told to nobody."""
    return [converse_place(one) for one in citations if "location" in one]


def converse_place(one):
    ((member, place),) = one["location"].items()
    if member == "web":
        return ("page", place["url"], one.get("title"))
    at, index = PLACES[member]
    return (at, place[index], place["start"], place["end"], one.get("title"), one.get("source"), "".join(piece["text"] for piece in one["sourceContent"]))


def converse_words(block):
    return block.get("text", "") + "".join(one["text"] for one in block.get("citationsContent", {}).get("content", []))


def converse_told(answer):
    blocks = answer["output"]["message"]["content"]
    assert answer["output"]["message"]["role"] == "assistant" and answer["metrics"]["latencyMs"] >= 0
    reasoning = [block["reasoningContent"] for block in blocks if "reasoningContent" in block]
    return told("".join(converse_words(block) for block in blocks), "".join(one["reasoningText"]["text"] for one in reasoning if "reasoningText" in one),
                "".join(one["reasoningText"].get("signature", "") for one in reasoning if "reasoningText" in one),
                [base64.b64encode(one["redactedContent"]).decode() for one in reasoning if "redactedContent" in one],
                [(block["toolUse"]["toolUseId"], block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block],
                CONVERSE_FINISH[answer["stopReason"]], converse_usage(answer["usage"]),
                [one for block in blocks for one in converse_cited(block.get("citationsContent", {}).get("citations", []))])


def framed(events):
    """The messages of a sample's or a translated stream as AWS frames them."""
    made, rest = b"", events
    while rest:
        line, rest = rest.split(b"\n", 1)
        kind, length = line.split()
        payload, rest = rest[:int(length)], rest[int(length) + 1:]
        exception = kind.startswith(b"!")
        headers = b""
        for name, value in ((b":message-type", b"exception" if exception else b"event"),
                            (b":exception-type" if exception else b":event-type", kind.lstrip(b"!")), (b":content-type", b"application/json")):
            headers += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
        message = head + struct.pack(">I", binascii.crc32(head)) + headers + payload
        made += message + struct.pack(">I", binascii.crc32(message))
    return made


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self):
        yield self.body

    def close(self):
        pass


def converse_stream(body):
    shape = operation("ConverseStream").output_shape.members["stream"]
    parser = botocore.parsers.create_parser("rest-json")
    try:
        return converse_events(botocore.eventstream.EventStream(Raw(framed(body)), shape, parser._event_stream_parser, "ConverseStream"))
    except botocore.exceptions.EventStreamError as error:
        return {"error": str(error)}


def converse_events(stream):
    text, reasoning, signature, redacted, calls, cited, finish, usage, open_block = "", "", "", [], {}, [], None, None, None
    for event in stream:
        if "contentBlockStart" in event:
            assert open_block is None
            start, open_block = event["contentBlockStart"]["start"], event["contentBlockStart"]["contentBlockIndex"]
            calls[open_block] = [start["toolUse"]["toolUseId"], start["toolUse"]["name"], ""]
        elif "contentBlockDelta" in event:
            delta, index = event["contentBlockDelta"]["delta"], event["contentBlockDelta"]["contentBlockIndex"]
            text += delta.get("text", "")
            cited += converse_cited([delta["citation"]]) if "citation" in delta else []
            if "toolUse" in delta:
                calls[index][2] += delta["toolUse"]["input"]
            inner = delta.get("reasoningContent", {})
            reasoning, signature = reasoning + inner.get("text", ""), signature + inner.get("signature", "")
            redacted += [base64.b64encode(inner["redactedContent"]).decode()] if "redactedContent" in inner else []
        elif "contentBlockStop" in event:
            open_block = None
        elif "messageStop" in event:
            finish = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = converse_usage(event["metadata"]["usage"])
    if usage is None:
        return {"error": "cut"}
    return told(text, reasoning, signature, redacted, list(calls.values()), CONVERSE_FINISH[finish], usage, cited)


# ---- responses ----

def responses_told(answer):
    text, reasoning, signature, redacted, calls, cited, refused = "", "", "", [], [], [], False
    for item in answer.output:
        if item.type == "message":
            assert item.role == "assistant" and item.status == "completed"
            for content in item.content:
                text += content.text if content.type == "output_text" else content.refusal
                cited += pages(content.annotations) if content.type == "output_text" else []
                refused |= content.type == "refusal"
        elif item.type == "function_call":
            calls.append((item.call_id, item.name, item.arguments))
        elif item.id.startswith("rr_gh_"):
            redacted.append(item.encrypted_content)
        else:
            reasoning += "".join(content.text for content in item.content or item.summary)
            signature += item.encrypted_content or "" if item.id.startswith("rs_gh_") else ""
    if any(found["blocked"] for found in getattr(answer, "content_filters", None) or []):      # of Azure
        finish = "refused"
    elif answer.status == "incomplete":
        finish = {"max_output_tokens": "length", "content_filter": "refused"}[answer.incomplete_details.reason]
    else:
        assert answer.status == "completed"
        finish = "tools" if calls else "refused" if refused else "stop"
    usage = answer.usage
    return told(text, reasoning, signature, redacted, calls, finish,
                usage and {"input": usage.input_tokens, "output": usage.output_tokens, "cached": usage.input_tokens_details.cached_tokens,
                           "written": usage.input_tokens_details.cache_write_tokens, "reasoning": usage.output_tokens_details.reasoning_tokens}, cited)


def responses_answer(body):
    return responses_told(openai_client(body, "application/json").responses.create(model="m", input="x"))


def responses_stream(body):
    try:
        return responses_events(openai_client(body, "text/event-stream").responses.create(model="m", input="x", stream=True))
    except openai.APIError as error:
        return {"error": str(error)}


def responses_events(events):
    """The deltas say what the last event repeats, and numbers go up by one."""
    answer, sums, number = None, {}, -1
    for event in events:
        assert event.sequence_number == number + 1, "a number is missing"
        number = event.sequence_number
        if event.type == "error":
            return {"error": event.message}
        if event.type.endswith(".delta"):
            sums[event.item_id] = sums.get(event.item_id, "") + event.delta
        elif event.type in ("response.output_text.done", "response.reasoning_text.done"):
            assert sums.get(event.item_id, "") == event.text
        elif event.type == "response.function_call_arguments.done":
            assert sums.get(event.item_id, "") == event.arguments
        elif event.type in ("response.completed", "response.incomplete"):
            answer = event.response
        elif event.type == "response.failed" and any(found["blocked"] for found in getattr(event.response, "content_filters", None) or []):
            return responses_told(event.response)
        elif event.type == "response.failed" and event.response.error is not None:
            return {"error": event.response.error.message}
    return responses_told(answer) if answer else {"error": "cut"}


ANSWERS = {"chat": chat_answer, "messages": messages_answer, "converse": converse_answer, "responses": responses_answer,
           "invoke": invoke_answer}
STREAMS = {"chat": chat_stream, "messages": messages_stream, "converse": converse_stream, "responses": responses_stream,
           "invoke": invoke_stream}
