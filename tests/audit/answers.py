"""What a mock backend's answer said, read from the bytes it sent: status, text, usage, and whether it was whole."""
import base64
import json
import re
import struct
import zlib

INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)")
TWICE = "(twice)"                    # marks an object in which a name comes more than once


def pairs(found):
    made = dict(found)
    return {**made, TWICE: True} if len(made) != len(found) else made


def dechunked(data):
    """The content as far as it came, and whether its end did."""
    content = bytearray()
    while True:
        size, mark, rest = data.partition(b"\r\n")
        try:
            count = int(size.split(b";")[0], 16)
        except ValueError:
            return bytes(content), False
        if not mark:
            return bytes(content), False
        if count == 0:
            return bytes(content), rest.startswith(b"\r\n")
        content += rest[:count]
        if len(rest) < count + 2:
            return bytes(content), False
        data = rest[count + 2:]


def framed(data):
    """(message type, payload) of every whole message of AWS's event stream; one whose checksums are wrong ends it, an error."""
    while len(data) >= 16:
        total, headers = struct.unpack(">II", data[:8])
        message = data[:total]
        if zlib.crc32(data[:8]) != struct.unpack(">I", data[8:12])[0] or (len(message) == total and zlib.crc32(message[:-4]) != struct.unpack(">I", message[-4:])[0]):
            yield b"exception", b"{}"
            return
        if len(message) < total:
            return
        yield re.search(rb":message-type\x07..([a-z]+)", message[12:12 + headers], re.S)[1], message[12 + headers:-4]
        data = data[total:]


def unwrapped(payload):
    """The model's own event in a chunk of InvokeModelWithResponseStream; anything else as it is."""
    try:
        return base64.b64decode(json.loads(payload)["bytes"], validate=True)
    except (ValueError, KeyError, TypeError):
        return payload


def texts(choice):
    """The texts in one choice of an answer or of an event."""
    part = choice.get("message") or choice.get("delta") or {}
    found = [choice.get("text"), part.get("content"), part.get("refusal"), part.get("reasoning_content")]
    found += [(call.get("function") or {}).get("arguments") for call in part.get("tool_calls") or ()]
    return [one for one in found if isinstance(one, str)]


class Said:
    def __init__(self):
        self.text, self.usage, self.error, self.done = 0, [], False, False

    def take(self, data):
        """One JSON text: an answer's body or an event's data."""
        if data.strip() == b"[DONE]":
            self.done = True
            return
        try:
            value = json.loads(data, object_pairs_hook=pairs)
        except ValueError:
            self.part(data)
            return
        if not isinstance(value, dict):
            return
        if value.get("object") == "response" or str(value.get("type")).startswith("response.") or (value.get("type") == "error" and "error" not in value):
            self.response(value)
            return
        if isinstance(value.get("inputTextTokenCount"), int):         # Titan's vectors
            self.embedded(value["inputTextTokenCount"])
        self.error |= "error" in value or value.get("object") == "error"      # vLLM's
        if self.other(value):
            return
        if value.get("usage") is not None:
            self.usage.append(value["usage"])
        for choice in value.get("choices") or ():
            self.text += sum(len(one.encode()) for one in texts(choice))

    def response(self, value):
        """Responses: a whole one, or an event of a stream, whose last ones repeat what was said."""
        kind, inner = value.get("type"), value.get("response") or (value if value.get("object") == "response" else {})
        self.error |= kind in ("error", "response.failed")
        self.done |= kind in ("response.completed", "response.incomplete")
        counts = inner.get("usage")
        if counts:
            self.usage.append({"prompt_tokens": counts["input_tokens"], "completion_tokens": counts["output_tokens"], "total_tokens": counts["total_tokens"],
                               "prompt_tokens_details": counts.get("input_tokens_details"), "completion_tokens_details": counts.get("output_tokens_details")})
        said = [value.get("delta")]
        for one in value.get("output", ()) if kind is None else ():
            said += [one.get("arguments")] + [part.get(name) for part in [*(one.get("content") or ()), *(one.get("summary") or ())] for name in ("text", "refusal")]
        self.text += sum(len(one.encode()) for one in said if isinstance(one, str))

    def embedded(self, tokens):
        if tokens >= 0:
            self.usage.append({"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens})

    def other(self, value):
        """Anthropic's and Bedrock's shapes; their counts are told as OpenAI's, which has cached tokens among the prompt's."""
        inner = value.get("message") if isinstance(value.get("message"), dict) else {}
        counts, delta = value.get("usage") or inner.get("usage") or {}, value.get("delta") or {}
        if not isinstance(counts, dict) or not isinstance(delta, dict):
            return False
        content = value.get("content") or ((value.get("output") or {}).get("message") or {}).get("content") or ()
        if not (value.get("type") or "output" in value or "contentBlockIndex" in value or "stopReason" in value or "inputTokens" in counts):
            return False
        self.done |= value.get("type") == "message_stop" or "inputTokens" in counts
        self.counts = {**getattr(self, "counts", {}), **counts}
        if counts:
            given = [self.counts.get(a, self.counts.get(b, 0)) for a, b in (("input_tokens", "inputTokens"), ("cache_read_input_tokens", "cacheReadInputTokens"),
                     ("cache_creation_input_tokens", "cacheWriteInputTokens"), ("output_tokens", "outputTokens"))]
            prompt = given[0] + given[1] + given[2]
            self.usage.append({"prompt_tokens": prompt, "completion_tokens": given[3], "total_tokens": prompt + given[3],
                               "prompt_tokens_details": {"cached_tokens": given[1], "cache_write_tokens": given[2]}})
        said = [one.get("text") for one in content if isinstance(one, dict)] + [delta.get(one) for one in ("text", "partial_json", "thinking")]
        self.text += sum(len(one.encode()) for one in said if isinstance(one, str))
        return True

    def part(self, data):
        """Of a body that was cut: its usage, where that came whole."""
        at = data.rfind(b'"usage":')
        try:
            value = json.JSONDecoder(object_pairs_hook=pairs).raw_decode(data[at + 8:].decode().lstrip())[0] if at > 0 else None
        except ValueError:
            return
        if value is not None:
            self.usage.append(value)


def described(data):
    """
    status 0: no whole head. text: bytes of text. usage: every value that was there, in order. done: [DONE] came. whole: HTTP's end came; None where only
    the connection's end tells.
    """
    top, mark, rest = data.partition(b"\r\n\r\n")
    while mark and INTERIM.match(top):
        top, mark, rest = rest.partition(b"\r\n\r\n")
    if not mark:
        return {"status": 0, "text": 0, "usage": [], "error": False, "done": False, "whole": False}
    lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.") and lines[0].split(" ")[1].isdigit() else 0
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, whole = dechunked(rest)
    elif headers.get("content-length", "").isdigit():
        body, whole = rest[:int(headers["content-length"])], len(rest) >= int(headers["content-length"])
    else:
        body, whole = rest, None
    said = Said()
    if headers.get("content-type", "").startswith("text/event-stream"):
        for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")[:-1]:
            parts = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
            if parts:
                said.take(b"\n".join(parts))
    elif headers.get("content-type", "").startswith("application/vnd.amazon.eventstream"):
        for kind, payload in framed(body):
            said.error |= kind == b"exception"
            said.take(unwrapped(payload))
    else:
        said.take(body)
    counted = headers.get("x-amzn-bedrock-input-token-count", "")
    if counted.isdigit() and not said.usage and b'"embeddings"' in body:
        said.embedded(int(counted))           # Cohere's vectors
    return {"status": status, "text": said.text, "usage": said.usage, "error": said.error, "done": said.done, "whole": whole}
