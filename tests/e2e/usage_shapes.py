"""
Answers of backends by what they say of usage, where they say it and where they break off.

    mock.always(shaped("cached_outside"))                      each request, whole or streamed as it asks
    mock.play(shaped("plain", cut="before_usage"))             one request
    mock.always(shaped("huge", where="every", text="x" * 400))

REPORTS: the name of a "usage" value -> a function of prompt and completion tokens. None: no such member. bytes: as they stand, when JSON's own
writer would not spell it so.

where   of a stream's usage: "last" an event of its own before [DONE], "every" cumulative in each event of text, the last with the whole of it,
        "first" whole in the first event, "twice" two events with the same, "growing" two events of which the second says more,
        "in_finish" in the event with finish_reason, "after_done" behind [DONE]
cut     "accept" as soon as the connection is there, "head" after the request's head, "body" after its body, without a byte of answer;
        "in_head", "after_head", "in_text" half of the text, "in_event" in the middle of an event, "before_usage", "in_usage", "before_done",
        "before_last_chunk" all but HTTP's own end, None. An answer that is no stream is cut at the same places as far as it has them.
how     the connection ends there: "close", "reset", "stall" (silent until the other side leaves), "error" (an error event, then [DONE])
"""
import json

from mock_backend import DONE, LAST_CHUNK, STREAM_HEAD, Script, answer, chunk, close, event, hang, head, pause, provider_error, reset, send

PROMPT, COMPLETION, CACHED = 1200, 7, 1000
CUTS = ("accept", "head", "body", "in_head", "after_head", "in_text", "in_event", "before_usage", "in_usage", "before_done", "before_last_chunk")
PLACES = ("last", "every", "first", "twice", "growing", "in_finish", "after_done")


def counts(input, output, total=None, **details):
    """OpenAI's usage object. details: prompt_tokens_details and completion_tokens_details by these names, shortened to prompt and completion."""
    made = {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output if total is None else total}
    made.update({f"{name}_tokens_details": value for name, value in details.items()})
    return made


REPORTS = {
    "plain": lambda p, c: counts(p, c),
    "none": lambda p, c: None,
    "null": lambda p, c: b"null",
    "zero": lambda p, c: counts(0, 0),
    "zero_output": lambda p, c: counts(p, 0),
    "cached_inside": lambda p, c: counts(p, c, prompt={"cached_tokens": min(CACHED, p)}),
    "cached_outside": lambda p, c: counts(p - min(CACHED, p - 1), c, p + c, prompt={"cached_tokens": min(CACHED, p - 1)}),
    "cached_all": lambda p, c: counts(p, c, prompt={"cached_tokens": p}),
    "cache_write": lambda p, c: counts(p, c, prompt={"cached_tokens": p // 4, "cache_write_tokens": p // 2}),
    "reasoning": lambda p, c: counts(p, c, completion={"reasoning_tokens": c // 2}),
    "reasoning_beside": lambda p, c: {**counts(p, c), "reasoning_tokens": c // 2},
    "reasoning_above_output": lambda p, c: counts(p, c, completion={"reasoning_tokens": c + 1}),
    "null_details": lambda p, c: {**counts(p, c), "prompt_tokens_details": None, "completion_tokens_details": None},
    "no_output": lambda p, c: {"prompt_tokens": p, "total_tokens": p},
    "no_input": lambda p, c: {"completion_tokens": c, "total_tokens": c},
    "empty": lambda p, c: {},
    "huge": lambda p, c: counts(10 ** 9, 10 ** 9),
    "absurd": lambda p, c: counts(2 ** 60, c),
    "beyond_64_bits": lambda p, c: counts(2 ** 64 + 5, c),
    "exponent": lambda p, c: b'{"prompt_tokens":1e400,"completion_tokens":%d}' % c,
    "negative": lambda p, c: counts(-p, -c),
    "negative_output": lambda p, c: counts(p, -1),
    "negative_cached": lambda p, c: counts(p, c, prompt={"cached_tokens": -5}),
    "strings": lambda p, c: {"prompt_tokens": str(p), "completion_tokens": str(c)},
    "fractions": lambda p, c: counts(p + 0.5, c + 0.5, 0),
    "floats": lambda p, c: b'{"prompt_tokens":%d.0,"completion_tokens":%d.0}' % (p, c),
    "bools": lambda p, c: {"prompt_tokens": True, "completion_tokens": False},
    "array": lambda p, c: [p, c],
    "text": lambda p, c: f"{p} in, {c} out",
    "key_twice": lambda p, c: b'{"prompt_tokens":%d,"prompt_tokens":1,"completion_tokens":%d}' % (p, c),
    "other_names": lambda p, c: {"input_tokens": p, "output_tokens": c},
}


def reported(report, prompt=PROMPT, completion=COMPLETION):
    """The bytes of a "usage" value; None: there is none."""
    value = REPORTS[report](prompt, completion)
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


def with_usage(made, usage):
    """An object as bytes, with this as its last member."""
    text = json.dumps(made).encode()
    return text if usage is None else text[:-1] + b',"usage":' + usage + b"}"


def frame(choices):
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def said(text=None, finish=None):
    return frame([{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}])


def end_of(how):
    return {"close": close(), "reset": reset(), "stall": hang(60)}[how]


# ---- whole answers ----

def whole(text, usage, status=200, cut=None, how="close"):
    body = with_usage({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                       "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}, usage)
    top = head(status, [("Content-Type", "application/json"), ("Content-Length", len(body))])
    begin, last = body.find(text.encode()), body.rfind(b'"usage"')
    last = last if last > 0 else len(body) - 1
    places = {"in_head": len(top) // 2 - len(top), "after_head": 0, "in_text": begin + len(text.encode()) // 2, "in_event": begin + len(text.encode()),
              "before_usage": last, "in_usage": (last + len(body)) // 2, "before_done": len(body) - 1, "before_last_chunk": len(body) - 1}
    if cut is None:
        return Script(send(top + body))
    return Script(send((top + body)[:len(top) + places[cut]]), end_of("close" if how == "error" else how))


# ---- streams ----

def events_of(text, usage, where, piece=8):
    """[(kind, bytes)] of a stream: kinds text, finish, usage, done. usage: a function of how much of the text was said, 0..1."""
    parts = [text[at:at + piece] for at in range(0, len(text), piece)] or [""]
    made = [("role", event(json.dumps(frame([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])).encode()))]
    for number, part in enumerate(parts, 1):
        share = number / len(parts)
        shown = usage(share) if where == "every" else usage(1) if where == "first" and number == 1 else None
        made.append(("text", event(with_usage(said(part), shown))))
    made.append(("finish", event(with_usage(said(None, "stop"), usage(1) if where == "in_finish" else None))))
    alone = [("usage", event(with_usage(frame([]), usage(share)))) for share in {"last": [1], "twice": [1, 1], "growing": [0.5, 1], "every": [1]}.get(where, [])
             if usage(share) is not None]
    made += alone + [("done", DONE)]
    if where == "after_done" and usage(1) is not None:
        made.append(("usage", event(with_usage(frame([]), usage(1)))))
    return made


def streamed(text, usage, where="last", cut=None, how="close", gap=0, piece=8):
    made = events_of(text, usage, where, piece)
    ending = [send(chunk(event({"error": {"message": "mock", "type": "server_error", "param": None, "code": None}}))), send(chunk(DONE)), send(LAST_CHUNK)] \
        if how == "error" else [end_of(how)]
    if cut == "in_head":
        return Script(send(STREAM_HEAD[:len(STREAM_HEAD) // 2]), end_of("close" if how == "error" else how))
    texts = [number for number, (kind, _) in enumerate(made) if kind == "text"]
    stop = {"after_head": 0, "in_text": texts[len(texts) // 2], "in_event": texts[len(texts) // 2],
            "before_usage": next((number for number, (kind, _) in enumerate(made) if kind in ("usage", "done")), 0),
            "in_usage": next((number for number, (kind, _) in enumerate(made) if kind in ("usage", "done")), 0),
            "before_done": next(number for number, (kind, _) in enumerate(made) if kind == "done")}.get(cut, len(made))
    steps = [send(STREAM_HEAD)]
    for _, one in made[:stop]:
        steps += [send(chunk(one))] + ([pause(gap)] if gap else [])
    if cut is None:
        return Script(*steps, send(LAST_CHUNK))
    if cut in ("in_event", "in_usage") and how != "error":
        part = chunk(made[stop][1])
        steps.append(send(part[:len(part) // 2]))
    return Script(*steps, *ending)


# ---- both ----

class Shaped:
    """Answers each request in one shape. It is also a script, for those that are cut before there is a request."""

    def __init__(self, report, where, cut, how, text, prompt, completion, gap, piece, status):
        self.report, self.where, self.cut, self.how, self.text = report, where, cut, how, text
        self.prompt, self.completion, self.gap, self.piece, self.status = prompt, completion, gap, piece, status

    def usage(self, share=1):
        return reported(self.report, self.prompt, int(self.completion * share))

    def __call__(self, request):
        asked = request.json
        text = self.text
        if text is None:
            last = asked["messages"][-1]["content"] if asked.get("messages") else asked.get("prompt", "")
            text = last[:400] if isinstance(last, str) else "mock"
        if self.cut == "body":
            return Script(end_of("close" if self.how == "error" else self.how))
        if asked.get("stream") and self.status == 200:
            return streamed(text, self.usage, self.where, self.cut, self.how, self.gap, self.piece)
        return whole(text, self.usage(), self.status, self.cut, self.how)


def shaped(report="plain", where="last", cut=None, how="close", text=None, prompt=PROMPT, completion=COMPLETION, gap=0, piece=8, status=200):
    """For MockBackend.play and .always. `text` None: the request's last message. `status`: an error's may have usage too."""
    assert cut is None or cut in CUTS, cut
    assert where in PLACES, where
    if cut in ("accept", "head"):
        return Script(end_of("close" if how == "error" else how), at=cut)
    return Shaped(report, where, cut, how, text, prompt, completion, gap, piece, status)


def error_inside(message="mock", usage=None):
    """A 200 whose body is an error."""
    return answer(200, with_usage({"error": {"message": message, "type": "server_error", "param": None, "code": "server_error"}}, usage))


def error_status(status=500, usage=None, headers=()):
    """An error's status, with usage in its body when asked for: nothing is charged for it."""
    if usage is None:
        return provider_error(status, headers=headers)
    return answer(status, with_usage({"error": {"message": "mock", "type": "server_error", "param": None, "code": str(status)}}, usage), headers)
