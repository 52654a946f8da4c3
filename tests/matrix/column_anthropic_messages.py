"""Providers that speak the Messages API. Answers are hand-made from Anthropic's API reference as its SDK 2.11 reads it."""

from __future__ import annotations

from typing import Any

from lynkr_core.dialects.anthropic_messages.thinking import BUDGETS
from lynkr_core.testing.canned import MODEL, Script, encoded, named

from .column import Body, Column, Different, compatible, texts, words
from .features import LONG_NAME, SAID, THOUGHT

NAME = "anthropic.messages"


# what the provider got
def last(body: Body) -> Any:
    return body["messages"][-1]["content"][0]


def turns(body: Body) -> list[tuple[str, str]]:
    return [(m["role"], texts(m["content"])) for m in body["messages"]]


def source(block: Body) -> str:
    told = block["source"]
    return told.get("url") or f"data:{told['media_type']};base64,{told['data']}"


def calls(body: Body) -> list[tuple[str, str, Any]]:
    return [(use["id"], use["name"], use["input"]) for use in body["messages"][1]["content"]]


def results(body: Body) -> list[Any]:
    """The results and the text after them, in order, and nothing between."""
    blocks = body["messages"][-1]["content"]
    return [(b["tool_use_id"], texts(b["content"])) if b["type"] == "tool_result" else b["text"] for b in blocks]


def tool(body: Body) -> Body:
    return body["tools"][0]


def prompt(body: Body) -> str:
    return words(texts(body["system"]))


SENT = {
    "system prompt": prompt,
    "system prompt in blocks": prompt,
    "turns": turns,
    "assistant's beginning": lambda b: texts(b["messages"][-1]["content"]),
    "unicode and line ends": lambda b: texts(b["messages"][-1]["content"]),
    "image": lambda b: source(last(b)),
    "image URL": lambda b: source(last(b)),
    "file": lambda b: last(b)["source"]["data"],
    "file URL": lambda b: last(b)["source"]["url"],
    "tools": lambda b: tuple(tool(b)[key] for key in ("name", "description", "input_schema")),
    "parallel calls": calls,
    "results, then text": results,
    "result in parts": lambda b: texts(last(b)["content"]),
    "result with an image": lambda b: source(last(b)["content"][-1]),
    "one call at a time": lambda b: not b["tool_choice"]["disable_parallel_tool_use"],
    "forced tool": lambda b: b["tool_choice"]["name"],
    "some tool": lambda b: {"any": "required"}[b["tool_choice"]["type"]],
    "no tool": lambda b: b["tool_choice"]["type"],
    "schema": lambda b: b["output_config"]["format"]["schema"],
    "stop": lambda b: b["stop_sequences"],
    "temperature, top_p": lambda b: (b["temperature"], b["top_p"]),
    "limit": lambda b: b["max_tokens"],
    "thinking off": lambda b: {"disabled": "off"}[b["thinking"]["type"]],
    "cache markers": lambda b: last(b)["cache_control"],
    "user": lambda b: b["metadata"]["user_id"],
    "service tier": lambda b: b["service_tier"],
}
TEXT_TOOL = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
DIFFERENTLY = {
    "system message amid the conversation": Different(
        "as a user turn, and said so in `losses`", lambda b: [text for _, text in turns(b)], ["hi be quick so?"]
    ),
    "two user turns in a row": Different("joined into one turn", lambda b: texts(b["messages"][0]["content"]), "one two"),
    "free-text tool": Different(
        "a function of one string; the caller gets the text alone", lambda b: (tool(b)["name"], tool(b)["input_schema"]),
        ("patch", TEXT_TOOL),
    ),
    "grouped tools": Different(
        "each function under `group__name`; the caller gets its own names back", lambda b: tool(b)["name"], "ns__f"
    ),
    "long tool name": Different(
        "a stand-in of at most 64 characters; the caller gets its own name back",
        lambda b: (len(tool(b)["name"]), tool(b)["name"][:20]), (64, LONG_NAME[:20]),
    ),
    "JSON object": Different(
        "a sentence in the system prompt, and said so in `losses`", lambda b: "JSON object" in prompt(b), True
    ),
    "effort": Different(
        "the thinking budget that stands for it",
        lambda b: b["thinking"]["budget_tokens"] in (BUDGETS["high"], b["max_tokens"] - 1024), True,
    ),
    "reasoning summary": Different("`display: summarized`", lambda b: b["thinking"]["display"], "summarized"),
    "earlier refusal": Different("as the assistant's text", lambda b: texts(b["messages"][1]["content"]), "I will not."),
}  # fmt: skip
LOST = {
    "image detail": "image.detail",
    "stored file": "file",
    "audio": "audio",
    "strict tool": "tools.strict",
    "built-in tool": "web_search",
    "deferred tool": "tools.defer_loading",
    "allowed tools": "tool_choice",
    "seed": "seed",
    "penalties": "frequency_penalty",
    "logit bias": "logit_bias",
    "several answers": "n: ",
    "log probabilities": "logprobs",
    "cache key": "cache_key",
    "metadata": "metadata",
    "store": "store",
    "verbosity": "verbosity",
    "named speaker": "name",
    "unknown field": "x_unheard_of",
    "unknown key in a message": "x_unheard_of",
    "unknown key in a part": "content.x_unheard_of",
    "unknown key in a tool": "tools.x_unheard_of",
    "unknown part": "hologram",
}


# what the provider says
USAGE = {"input_tokens": 9, "output_tokens": 3}
HEAD: Body = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}


def says(
    *blocks: Body,
    stop: str = "end_turn",
    sequence: str | None = None,
    usage: Body = USAGE,
    pieces: list[Body] | None = None,
    **more: Any,
) -> Script:
    """The blocks whole, and as a stream in which each has one delta, or these `pieces`."""
    ending = {"stop_reason": stop, "stop_sequence": sequence}
    whole = {**HEAD, "content": list(blocks), **ending, "usage": usage, **more}
    begun = {**HEAD, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Body] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(blocks):
        events += streamed(index, block, pieces)
    told = {key: value for key, value in usage.items() if "output" in key}
    events += [{"type": "message_delta", "delta": ending, "usage": told, **more}, {"type": "message_stop"}]
    return Script(body=encoded(whole), events=named(events))


def streamed(index: int, block: Body, pieces: list[Body] | None) -> list[Body]:
    opened, deltas = dict(block), list[Body]()
    match block["type"]:
        case "text":
            opened["text"] = ""
            deltas = pieces or [{"type": "text_delta", "text": block["text"]}]
            deltas += [{"type": "citations_delta", "citation": one} for one in opened.pop("citations", [])]
        case "thinking":
            opened |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            opened["input"] = {}
            deltas = [{"type": "input_json_delta", "partial_json": encoded(block["input"]).decode()}] if block["input"] else []
            deltas.insert(0, {"type": "input_json_delta", "partial_json": ""})
        case _:
            pass
    middle = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    start = {"type": "content_block_start", "index": index, "content_block": opened}
    return [start, *middle, {"type": "content_block_stop", "index": index}]


def text(said: str = "x", **more: Any) -> Body:
    return {"type": "text", "text": said, **more}


def use(id: str, name: str, given: Any) -> Body:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


THINKING = {"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"}
BOTH = [use("a", "f", {"x": [1, None]}), use("b", "g", {})]
TOKENS = {
    "input_tokens": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30, "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 5},
}  # fmt: skip
CITED = {
    "type": "web_search_result_location", "url": "https://papers.example/a.pdf", "title": "a", "encrypted_index": "x", "cited_text": "so",
}  # fmt: skip
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
SPLIT_ODDLY = [{"type": "text_delta", "text": piece} for piece in ("Grü", "", 'ße "\\\n')]
ANSWERS = {
    "text": says(text(SAID), pieces=SPLIT_ODDLY),
    "thinking": says(THINKING, text("so")),
    "thinking, text and calls in order": says(THINKING, text(SAID), *BOTH, stop="tool_use"),
    "parallel calls": says(*BOTH, stop="tool_use"),
    "call without arguments": says(use("b", "g", {}), stop="tool_use"),
    "call of a free-text tool": says(use("p", "patch", {"input": "*** Begin"}), stop="tool_use"),
    "call of a tool with a long name": says(use("l", "SENT_NAME", {"x": 1}), stop="tool_use"),
    "end": says(text()),
    "end for calls": says(*BOTH, stop="tool_use"),
    "end at the limit": says(text(), stop="max_tokens"),
    "end by a filter": says(text(), stop="refusal"),
    "end at a stop sequence": says(text(), stop="stop_sequence", sequence="END"),
    "tokens": says(text(), usage=TOKENS),
    "tokens read from a cache": says(text(), usage=TOKENS),
    "tokens written to a cache": says(text(), usage=TOKENS),
    "tokens of reasoning": says(text(), usage=TOKENS),
    "citations": says(text("so", citations=[CITED])),
    "service tier": says(text(), usage={**USAGE, "service_tier": "default"}),
    "model": says(text()),
    "unknown blocks and fields": says(SEARCH, FOUND, {"type": "hologram", "h": 1}, text("after"), x_unheard_of=1),
    "empty pieces": says(text("full"), pieces=[{"type": "text_delta", "text": ""}, {"type": "text_delta", "text": "full"}]),
}
ALONE = "the APIs' citations have nothing in common"
COLUMN = Column(
    name=NAME, title="Messages", table=compatible(NAME), sent=SENT, differently=DIFFERENTLY, lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"}, answers=ANSWERS,
    untold={
        "refusal": "it is text, and the end says `refusal`", "log probabilities": "the API has none", "several answers": "the API gives one",
        "arguments that are no JSON": "arguments are objects",
    },
    signed=lambda b: b["messages"][1]["content"][0] == THINKING,
    unheard={("citations", "openai.chat"): ALONE, ("citations", "openai.responses"): ALONE},
)  # fmt: skip
