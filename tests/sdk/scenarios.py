"""
What is tried with every SDK at every provider, as data. A scenario is a row of the tables in conf/dialects.md:

    asks     a conversation as conversations.py has it: what each dialect's client sends is WRITERS[dialect](asks), and what a backend must be sent, too
    said     {dialect: members beyond that}: what `asks` has no word for; whoever is not named cannot say it, or is not tried
    only     the dialects whose clients ask it here; all, where nothing is said
    answer   what the provider answers (tests/data/dialects/*/ANSWER.json, .sse, .events: written from the formats)
    never    the dialects whose clients do not ask it here, although Messages does of which they are
    lost     {backend's dialect: "dropped"}, or the JSON path of what is refused, or {client's dialect: path}; what is not named is mapped

ANSWERS say what every SDK must have of an answer, whichever dialect it is written in and whichever it is read in; DIFFERENT what some cannot say.
"""
import copy

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjEKJSVFT0YK"
WEATHER = {"name": "weather", "description": "Says what the weather is.",
           "schema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}
CLOCK = {"name": "clock", "description": None, "schema": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": False}


def text(words, **more):
    return {"kind": "text", "text": words, **more}


def text_part(words):
    return {"type": "text", "text": words}


def call(number, name="weather", **arguments):
    return {"kind": "call", "id": f"call_{number}", "name": name, "input": arguments}


def result(number, *parts, failed=False):
    return {"kind": "result", "id": f"call_{number}", "parts": list(parts), "failed": failed}


def talk(*turns, system=(), **more):
    """turns: user's and assistant's by turns, each a list of parts or one text."""
    parts = [[text(turn)] if isinstance(turn, str) else turn for turn in turns or ["Hello?"]]
    return {"system": [text(one) for one in system], "turns": [(("user", "assistant")[i % 2], turn) for i, turn in enumerate(parts)],
            "max_tokens": 200, "tier": None, "stream": False, "schema_name": None, **more}


FOUND = {"kind": "search", "source": "https://example.com/sky", "title": "Sky \"today\"", "texts": ["one", "two", "three"], "cites": True}
EARLIER = [{"at": "pages", "index": 0, "start": 1, "end": 2, "title": "paper", "cited": "Because."},
           {"at": "result", "index": 0, "start": 1, "end": 3, "title": None, "cited": "Grüße", "source": "https://example.com/sky"}]
ROWS = {
    "text": dict(asks=talk(), answer="hello"),
    "system messages": dict(asks=talk(system=["Be brief.", "Be kind."])),
    "developer messages": dict(asks=talk(system=["Be brief."]), only=("chat", "responses"), said={
        "chat": {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hello?"}]}]},
        "responses": {"input": [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
                                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}]}}),
    "a system message behind others": dict(asks=talk(), said={
        "chat": {"messages": [{"role": "user", "content": [text_part("Hello?")]}, {"role": "system", "content": [text_part("Be brief.")]}]},
        "messages": {"messages": [{"role": "user", "content": [text_part("Hello?")]}, {"role": "system", "content": [text_part("Be brief.")]}]},
        "converse": {"messages": [{"role": "user", "content": [{"text": "Hello?"}]}, {"role": "system", "content": [{"text": "Be brief."}]}]},
        "responses": {"input": [{"type": "message", "role": role, "content": [{"type": "input_text", "text": words}]}
                                for role, words in (("user", "Hello?"), ("system", "Be brief."))]}}),
    "several turns": dict(asks=talk("Hello?", "Yes?", "Who is it?")),
    "a tool, and its call": dict(asks=talk(tools=[WEATHER]), answer="call"),
    "tool calls beside each other": dict(asks=talk(tools=[WEATHER, CLOCK]), answer="calls"),
    "results of tools": dict(asks=talk("And?", [text("I look."), call(1, city="Malmö"), call(2, "clock")],
                                       [result(1, text("rain, \"heavy\"")), result(2, text("12:00"))], tools=[WEATHER, CLOCK]), answer="hello"),
    "a result that says it failed": dict(asks=talk("And?", [call(1, city="Malmö")], [result(1, text("no such city"), failed=True)], tools=[WEATHER]),
                                         only=("messages", "converse"), lost={"chat": "dropped", "responses": "dropped"}),
    "an image in a result": dict(asks=talk("And?", [call(1, city="Malmö")], [result(1, text("a map"), {"kind": "image", "media": "image/png", "data": PIXEL})],
                                           tools=[WEATHER]), only=("messages", "converse", "responses"), said={"chat": {"messages": [
        {"role": "user", "content": [text_part("And?")]}, {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Malmö"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": [text_part("a map")]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}]}]}}),
    "tool_choice: auto": dict(asks=talk(tools=[WEATHER], choice="auto"), answer="call"),
    "tool_choice: any": dict(asks=talk(tools=[WEATHER], choice="any"), answer="call"),
    "tool_choice: one tool": dict(asks=talk(tools=[WEATHER], choice="tool"), answer="call"),
    "tool_choice: none": dict(asks=talk(tools=[WEATHER], choice="none"), only=("chat", "messages", "responses"), lost={"converse": "tool_choice"}),
    "one call at a time": dict(asks=talk(tools=[WEATHER], one_call=True), only=("chat", "messages", "responses"), answer="call",
                               lost={"converse": {"chat": "parallel_tool_calls", "responses": "parallel_tool_calls", "messages": "tool_choice"}}),
    "an image as data": dict(asks=talk([text("What is this?"), {"kind": "image", "media": "image/png", "data": PIXEL}])),
    "an image by URL": dict(asks=talk([text("What is this?"), {"kind": "image_url", "url": "https://example.com/a.png"}]),
                            only=("chat", "messages", "responses"), lost=dict.fromkeys(("invoke", "converse"), {
                                "chat": "messages[0].content[1]", "messages": "messages[0].content[1]", "responses": "input[0].content[1]"})),
    "a PDF as data": dict(asks=talk([text("Read this."), {"kind": "pdf", "data": PDF, "title": "paper"}])),
    "a document of plain text": dict(asks=talk([text("Read this."), {"kind": "plain", "text": "words", "title": "paper"}]), only=("messages", "converse"),
                                     lost={"chat": "messages[0].content[1]", "responses": "messages[0].content[1]"}),
    "citations of a document": dict(asks=talk([text("Why?"), {"kind": "pdf", "data": PDF, "title": "paper", "cites": True}]), answer="cited", only=("messages", "converse"),
                                    lost=dict.fromkeys(("chat", "responses"), {"messages": "messages[0].content[1].citations.enabled",
                                                                               "converse": "messages[0].content[1].document.citations.enabled"})),
    "a document made of blocks": dict(asks=talk([text("Why?"), {"kind": "blocks", "texts": ["one", "two"], "title": "paper", "cites": True}]), answer="cited",
                                      only=("messages", "converse"), lost={"chat": "messages[0].content[1]", "responses": "messages[0].content[1]"}),
    "search results": dict(asks=talk([text("Why?"), FOUND]), answer="cited", only=("messages", "converse"),
                           lost={"chat": "messages[0].content[1]", "responses": "messages[0].content[1]"}),
    "search results of a tool": dict(asks=talk("And?", [call(1, city="Malmö")], [result(1, text("two"), FOUND)], tools=[WEATHER]), answer="cited",
                                     only=("messages", "converse"), lost=dict.fromkeys(("chat", "responses"), {
                                         "messages": "messages[2].content[0].content[1]", "converse": "messages[2].content[0].toolResult.content[1]"})),
    "what an earlier answer cited": dict(asks=talk([text("Why?"), {"kind": "pdf", "data": PDF, "title": "paper"}], [text("So.", sources=EARLIER)], "More?"),
                                         answer="hello", only=("messages", "converse"), lost={"chat": "dropped", "responses": "dropped"}),
    "reasoning, with its signature": dict(asks=talk("2+2?"), answer="thought"),
    "earlier reasoning sent back": dict(asks=talk("2+2?", [{"kind": "reasoning", "text": "First.", "signature": "c2lnbmVk"}, text("4"), call(1, city="M")],
                                                  [result(1, text("rain"))], tools=[WEATHER]), only=("messages", "converse"),
                                        lost={"chat": "dropped", "responses": "dropped"}),
    "reasoning that only its provider reads": dict(asks=talk("2+2?", [{"kind": "redacted", "data": "ZGF0YQ=="}, text("4")], "And 3+3?"),
                                                   only=("messages", "converse"), lost={"chat": "dropped", "responses": "dropped"}),
    "reasoning effort": dict(asks=talk(effort="high")),
    "an answer by a JSON schema": dict(asks=talk(schema=SCHEMA, schema_name="answer"), answer="hello"),
    "an answer in JSON": dict(asks=talk("JSON?", json_object=True), only=("chat", "responses"), lost=dict.fromkeys(
        ("messages", "converse"), {"chat": "response_format.type", "responses": "text.format.type"})),
    "stop sequences": dict(asks=talk(stop=["END", "\n\n"]), only=("chat", "messages", "converse"), answer="stopped", lost={
        "responses": {"chat": "stop", "messages": "stop_sequences", "converse": "inferenceConfig.stopSequences"}}),
    "temperature and top_p": dict(asks=talk(temperature=0.25, top_p=0.9)),
    "top_k": dict(asks=talk(top_k=40), only=("messages", "converse"), lost=dict.fromkeys(
        ("chat", "responses"), {"messages": "top_k", "converse": "additionalModelRequestFields.top_k"})),
    "seed": dict(asks=talk(), said={"chat": {"seed": 7}}, only=("chat",), lost=dict.fromkeys(("messages", "converse", "responses"), "seed")),
    "several choices (n)": dict(asks=talk(), said={"chat": {"n": 2}}, only=("chat",), answer="own/twice", lost=dict.fromkeys(
        ("messages", "converse", "responses"), "n")),
    "log probabilities": dict(asks=talk(), said={"chat": {"logprobs": True, "top_logprobs": 2}, "responses": {
        "include": ["message.output_text.logprobs"], "top_logprobs": 2}}, only=("chat", "responses"), answer="likely", lost=dict.fromkeys(
            ("messages", "converse"), {"chat": "logprobs", "responses": "include[0]"})),
    "a tool that takes text": dict(asks=talk(), said={"chat": {"tools": [{"type": "custom", "custom": {"name": "shell", "format": {
        "type": "grammar", "grammar": {"definition": "start: WORD", "syntax": "lark"}}}}]}, "responses": {"tools": [{"type": "custom", "name": "shell", "format": {
            "type": "grammar", "definition": "start: WORD", "syntax": "lark"}}]}}, only=("chat", "responses"), answer="hello", lost=dict.fromkeys(
                ("messages", "converse"), {"chat": "tools[0].custom", "responses": "tools[0].type"})),
    "penalties": dict(asks=talk(), said={"chat": {"frequency_penalty": 0.5}}, only=("chat",), lost=dict.fromkeys(
        ("messages", "converse", "responses"), "frequency_penalty")),
    "cache points": dict(asks=talk([text("long", cache="default"), text("short")]), only=("messages", "converse"), answer="counted",
                         lost={"chat": "dropped", "responses": "dropped"}),
    "prompt_cache_key": dict(asks=talk(cache_key="k1"), only=("chat", "responses"), lost={"messages": "dropped", "converse": "dropped"}),
    "service tier: default": dict(asks=talk(tier="default"), never=("invoke",)),
    "service tier: flex": dict(asks=talk(tier="flex"), only=("chat", "responses", "converse"), lost={
        "invoke": "mapped", "messages": {"chat": "service_tier", "responses": "service_tier", "converse": "serviceTier.type"}}),
    "the end user's name": dict(asks=talk(user="u-17"), only=("chat", "messages", "responses"), lost={"converse": "dropped"}),
    "labels (metadata)": dict(asks=talk(metadata={"job": "7"}), only=("chat", "responses"), lost={"messages": "dropped", "converse": "dropped"}),
    "verbosity": dict(asks=talk(verbosity="low"), only=("chat", "responses"), lost=dict.fromkeys(
        ("messages", "converse"), {"chat": "verbosity", "responses": "text.verbosity"})),
    "ended by its length": dict(asks=talk(max_tokens=5), answer="short"),
    "a refusal": dict(asks=talk(), answer="refused"),
    "a content filter": dict(asks=talk(), answer="filtered"),
    "usage: cached, written to the cache, reasoning": dict(asks=talk(), answer="counted"),
}


def usage(input, output, cached=0, written=0, reasoning=0):
    return {"input": input, "output": output, "cached": cached, "written": written, "reasoning": reasoning}


def said(words="", calls=(), finish="stop", reasoning="", signature="", **numbers):
    return {"text": words, "reasoning": reasoning, "signature": signature, "redacted": [], "calls": list(calls), "cited": [], "finish": finish, "usage": usage(**numbers)}


LOOK = ("call_01", "weather", {"city": "Malmö \"S\"", "days": 2})
ANSWERS = {
    "hello": said("Grüße, 😀 \"you\"\nbye", input=25, output=9),
    "call": said("Let me look.", [LOOK], "tools", input=60, output=21),
    "calls": said("", [LOOK, ("call_02", "clock", {})], "tools", input=61, output=30),
    "thought": {**said("So: 4.", reasoning="First, this.", signature="c2lnbmVk", input=30, output=40), "usage": usage(30, 40, 0, 0, 22)},
    "short": said("It goes on and", finish="length", input=20, output=5),
    "stopped": said("one two", input=22, output=4),
    "refused": said("I cannot help with that.", finish="refused", input=24, output=8),
    "filtered": said("The first of", finish="refused", input=26, output=6),
    "likely": said("hé", input=20, output=1),
    "cited": {**said("The sky is blue, \"mostly\" 😀.", input=140, output=17), "cited": [
        ("chars", 0, 0, 17, "Sky", None, "The sky is blue. "), ("pages", 1, 1, 2, None, None, "Blau, größtenteils."), ("blocks", 2, 0, 1, "Blocks", None, "Blue it is."),
        ("result", 0, 1, 3, "Sky \"today\"", "https://example.com/sky", "Why is it blue?")]},
    "pages": {**said("Blue, 😀 they say.", input=25, output=9), "cited": [("page", "https://example.com/sky?a=1", "Sky \"today\"")]},
    "counted": {**said("ok", input=120, output=30), "usage": usage(120, 30, 64, 16, 12)},
}

# Backends of the others have no log probabilities to say, no such place, no page but with a search of their own.
ONLY_OF = {"likely": ("chat", "chat-open", "responses"), "pages": ("chat", "chat-open", "responses"), "cited": ("messages", "converse", "invoke")}
OPENAI = ("chat", "AzureOpenAI", "responses")


def expected(stem, client, backend):
    """What the client's SDK must say of the backend's answer."""
    found = copy.deepcopy(ANSWERS[stem])
    if "converse" in (client, backend):
        found["usage"]["reasoning"] = 0                 # it has no such count
    if client in OPENAI:
        found["cited"] = [one for one in found["cited"] if one[0] == "page"]
    if stem == "thought" and backend == "responses":
        found["signature"] = ""                         # summaries are not signed
    return found


def row(name):
    return {"answer": "hello", "said": {}, "only": ("chat", "messages", "converse", "responses"), "lost": {}, "never": (), **ROWS[name]}
