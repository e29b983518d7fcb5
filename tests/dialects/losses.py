"""
What becomes of a made conversation (conversations.py) at a dialect: what it asks, by the rows of the table in conf/dialects.md, what of that is refused there, and the
conversation without what is dropped there.
"""
import copy

import driver

COLUMNS = ("chat", "chat-open", "messages", "converse", "responses", "invoke")
MODELS = ("converse-anthropic", "converse-nova", "converse-gpt-oss", "converse")
WORDS = {"mapped": "mapped", "dropped": "dropped", "**refused**": "refused"}


def table():
    """{what is asked for: {dialect: mapped, dropped or refused}}"""
    found = {}
    for columns, text in zip((COLUMNS, MODELS), (driver.ROOT / "conf/dialects.md").read_text().split("| asked for |")[1:]):
        for line in text.split("\n\n", 1)[0].splitlines()[2:]:
            what, *cells = [cell.strip() for cell in line.split("|")[1:]]
            row = found.setdefault(what, {})
            row |= {column: WORDS[cell] for column, cell in zip(columns, cells) if cell != "by model"}
    return {what: row | {model: row[model] if model in row else row["converse"] for model in MODELS} for what, row in found.items()}


VERDICTS = table()

# What stands in a conversation by its own name: its row.
MEMBERS = {"top_k": "`top_k`", "stop": "stop sequences", "schema": "an answer by a JSON schema", "json_object": "an answer in JSON without a schema",
           "user": "`user`, `safety_identifier`, `metadata.user_id`",
           "verbosity": "`verbosity`", "cache_key": "`prompt_cache_key`", "metadata": "`metadata` of OpenAI", "top_p": "`top_p`",
           "n": "`n` above 1", "frequency_penalty": "`frequency_penalty`, `presence_penalty` but 0", "presence_penalty": "`frequency_penalty`, `presence_penalty` but 0",
           "max_tokens": "the most tokens of an answer", "one_call": "no tool calls beside each other", "some": "`tool_choice`: some of the tools"}
KINDS = {"image": "images as data", "image_url": "images by URL", "pdf": "PDF documents as data", "plain": "documents of plain text",
         "file": "text, CSV, HTML, Markdown, Word and Excel files as data", "other_file": "files of other types as data",
         "reasoning": "earlier reasoning with a signature", "redacted": "earlier reasoning that only its provider reads",
         "text_call": "tools that take text, and their calls", "audio": "audio as data", "blocks": "documents made of blocks", "search": "search results"}
EFFORTS = {**dict.fromkeys(("low", "medium", "high"), "`reasoning_effort`, `output_config.effort`: low, medium, high"),
           **dict.fromkeys(("xhigh", "max"), "the same: xhigh, max")}
CITED = "web pages and all else cited in an earlier answer"
SOURCES = "documents and search results cited in an earlier answer"
CITING = "citations of documents and search results"
TIERS = {"default": "service tier: default, standard_only", "flex": "service tier: flex", "priority": "service tier: priority"}


def parts_of(made):
    return [part for _, parts in made["turns"] for part in parts] + made["system"]


def asked(made):
    """The rows that it asks."""
    rows = {row for name, row in MEMBERS.items() if made.get(name)}
    rows |= {"`temperature`" if made["temperature"] <= 1 else "`temperature` above 1"} if made.get("temperature") is not None else set()
    rows |= {TIERS[made["tier"]]} if made["tier"] else set()
    rows |= {EFFORTS[made["effort"]]} if made.get("effort") else set()
    if made.get("effort") == "high" and (made.get("max_tokens") or made.get("temperature") is not None or made.get("top_p")):
        rows.add("an effort of `high` beside a maximum, `temperature` or `top_p`")
    rows |= {"log probabilities"} if made.get("logprobs") is not None else set()
    rows |= {"`seed`"} if made.get("seed") is not None else set()
    rows |= {"developer messages"} if any(part.get("role") == "developer" for part in made["system"]) else set()
    for tool in made.get("tools", []):
        rows.add("tools that take text, and their calls" if "custom" in tool else "tools with a JSON schema")
    if made.get("choice") and not made.get("some"):
        rows.add("`tool_choice`: none" if made["choice"] == "none" else "`tool_choice`: auto, any, one tool")
    for part in parts_of(made):
        rows |= {KINDS[part["kind"]]} if part["kind"] in KINDS else set()
        rows |= {"cache points"} if "cache" in part else set()
        rows |= {CITED} if "cited" in part else set()
        rows |= {SOURCES} if "sources" in part else set()
        rows |= {CITING} if "cites" in part else set()
        if part["kind"] == "result":
            rows |= {row for inner in part["parts"] if inner["kind"] == "search" for row in (KINDS["search"], *([CITING] if "cites" in inner else []))}
            rows |= {"`is_error` of a tool's result"} if part["failed"] else set()
            rows |= {"images and documents in a tool's result", "images as data"} if any(inner["kind"] == "image" for inner in part["parts"]) else set()
    return rows


def less(made, rows):
    """It without what these rows are about."""
    made = copy.deepcopy(made)
    for name, row in MEMBERS.items():
        if row in rows:
            made.pop(name, None)
    made["turns"] = [(role, [part for part in parts if KINDS.get(part["kind"]) not in rows]) for role, parts in made["turns"]]
    for part in parts_of(made):
        if "cache points" in rows:
            part.pop("cache", None)
        if CITED in rows:
            part.pop("cited", None)
        if SOURCES in rows:
            part.pop("sources", None)
        if part["kind"] == "result" and "`is_error` of a tool's result" in rows:
            part["failed"] = False
    return made
