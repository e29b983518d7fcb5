"""What Anthropic's API and Bedrock's native one answer, for mock backends."""
import json
import struct
import zlib

from mock_backend import LAST_CHUNK, Script, answer, chunk, head, pause, send


def usage(input=11, output=7, cached=3, written=2):
    return {"input_tokens": input, "cache_creation_input_tokens": written, "cache_read_input_tokens": cached, "output_tokens": output}


def message(*content, stop="end_turn", **numbers):
    return {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": stop, "stop_sequence": None,
            "content": list(content) or [{"type": "text", "text": "hello"}], "usage": usage(**numbers)}


def message_error(status, kind, text="mock", headers=()):
    return answer(status, {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}, headers)


def sse(kind, **members):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def start(**numbers):
    return sse("message_start", message={**message(**numbers), "content": [], "stop_reason": None})


def block(index=0, **content):
    return sse("content_block_start", index=index, content_block=content or {"type": "text", "text": ""})


def text(words, index=0):
    return sse("content_block_delta", index=index, delta={"type": "text_delta", "text": words})


def arguments(part, index=0):
    return sse("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": part})


def stop(index=0):
    return sse("content_block_stop", index=index)


def end(reason="end_turn", output=7):
    return sse("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": output}) + sse("message_stop")


PING = sse("ping")


def told(*words):
    """A whole good stream."""
    return [start(), PING, block(), *(text(one) for one in words), stop(), end()]


def failed(kind="overloaded_error", words="Overloaded"):
    return sse("error", error={"type": kind, "message": words})


# ---- Converse ----

def converse(text="hello", **more):
    return {"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn", "metrics": {"latencyMs": 5},
            "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 2}, **more}


def frame(kind, payload, message="event"):
    """One message of AWS's event stream, made here from its description."""
    headers = b""
    for name, value in ((":exception-type" if message == "exception" else ":event-type", kind), (":content-type", "application/json"), (":message-type", message)):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return prelude + headers + body + struct.pack(">I", zlib.crc32(prelude + headers + body))


def exception(kind, text="mock"):
    return frame(kind, {"message": text}, "exception")


def spoken(*words, metadata=True):
    """A whole stream of Converse, but for its `metadata` when that is not wanted."""
    found = [frame("messageStart", {"role": "assistant"})]
    found += [frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": one}}) for one in words]
    found += [frame("contentBlockStop", {"contentBlockIndex": 0}), frame("messageStop", {"stopReason": "end_turn"})]
    return found + ([frame("metadata", {"usage": converse()["usage"], "metrics": {"latencyMs": 5}})] if metadata else [])


def aws_stream(*frames, gap=0, end=True):
    steps = [send(head(200, [("Transfer-Encoding", "chunked"), ("Content-Type", "application/vnd.amazon.eventstream"), ("x-amzn-RequestId", "aws-1")]))]
    for one in frames:
        steps.append(send(chunk(one)))
        if gap:
            steps.append(pause(gap))
    return Script(*steps, *([send(LAST_CHUNK)] if end else []))
