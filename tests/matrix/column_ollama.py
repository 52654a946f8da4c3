"""Providers that speak Ollama's native API. Answers are hand-made from Ollama's API reference as ollama 0.6.3 reads it."""

from __future__ import annotations

from typing import Any

from lynkr_core.testing.canned import MODEL, Script, encoded

from . import column_openai_chat as chat
from .column import Body, Column, Different, texts, words
from .features import PNG, SAID, THOUGHT

NAME = "ollama"


def table(url: str) -> str:
    return f'use = "ollama"\nbase_url = "{url}"\nlayers = []\nmodels = ["m"]\n'


# what the provider got
def option(name: str) -> Any:
    return lambda b: b["options"][name]


def calls(body: Body) -> list[tuple[str, str, Any]]:
    return [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in body["messages"][1]["tool_calls"]]


SENT = {key: chat.SENT[key] for key in (
    "system prompt", "system prompt in blocks", "system message amid the conversation", "turns", "two user turns in a row",
    "assistant's beginning", "unicode and line ends", "text document", "tools", "results, then text",
)} | {
    "parallel calls": calls,
    "long tool name": lambda b: b["tools"][0]["function"]["name"],
    "result in parts": lambda b: words(texts(b["messages"][-1]["content"])),
    "schema": lambda b: b["format"],
    "stop": option("stop"),
    "seed": option("seed"),
    "temperature, top_p": lambda b: (b["options"]["temperature"], b["options"]["top_p"]),
    "top_k": option("top_k"),
    "penalties": lambda b: (b["options"]["frequency_penalty"], b["options"]["presence_penalty"]),
    "limit": option("num_predict"),
    "log probabilities": lambda b: b["logprobs"] and b["top_logprobs"],
    "effort": lambda b: b["think"],
}  # fmt: skip
DIFFERENTLY = {
    "image": Different("beside the text", lambda b: b["messages"][-1]["images"], [PNG]),
    "result with an image": Different(
        "in a user message after the results", lambda b: (b["messages"][-1]["role"], b["messages"][-1]["images"]), ("user", [PNG])
    ),
    "grouped tools": chat.DIFFERENTLY["grouped tools"],
    "no tool": Different("the tools are left out", lambda b: "tools" in b, False),
    "JSON object": Different("`format: json`", lambda b: b["format"], "json"),
    "thinking budget": Different("thinking is switched on", lambda b: b["think"], True),
    "adaptive thinking": Different("thinking is switched on", lambda b: b["think"], True),
    "reasoning summary": Different("thinking is switched on", lambda b: b["think"] in (True, "high"), True),
    "hidden thinking": Different("thinking is switched on", lambda b: b["think"], True),
    "thinking off": Different("`think: false`", lambda b: b["think"], False),
    "earlier refusal": Different("as the assistant's text", lambda b: b["messages"][1]["content"], "I will not."),
}
LOST = chat.LOST | {
    "image URL": "URL",
    "image detail": "URL",
    "file": "document",
    "file URL": "URL",
    "stored file": "document",
    ("stored file", "anthropic.messages"): "document",
    "audio": "audio",
    "strict tool": "strict",
    "free-text tool": "patch",
    "failed result": "is_error",
    "one call at a time": "parallel_tool_calls",
    "forced tool": "tool_choice",
    "some tool": "tool_choice",
    "allowed tools": "tool_choice",
    "logit bias": "logit_bias",
    "several answers": "n: ",
    "cache key": "cache_key",
    "metadata": "metadata",
    "user": "user",
    "service tier": "service_tier",
    "store": "store",
    "verbosity": "verbosity",
    "named speaker": "name",
}
for feature in ("top_k", "adaptive thinking", "reasoning summary", "hidden thinking"):
    del LOST[feature]


# what the provider says
def says(message: Body, reason: str = "stop", pieces: list[Body] | None = None, **more: Any) -> Script:
    """The message whole, and as lines in which each key is a piece, or these `pieces`."""
    head = {"model": MODEL, "created_at": "2026-11-21T07:00:00.123456Z"}
    done = {"done": True, "done_reason": reason, "prompt_eval_count": 100, "eval_count": 20, **more}
    whole = {**head, "message": {"role": "assistant", "content": "", **message}, **done}
    parts = pieces or [{key: value} for key, value in message.items()]
    lines = [{**head, "message": {"role": "assistant", "content": "", **part}, "done": False} for part in parts]
    last = {**head, "message": {"role": "assistant", "content": ""}, **done}
    events = tuple([encoded(line) + b"\n" for line in [*lines, last]])
    return Script(body=encoded(whole), events=events)


def call(name: str, arguments: Any) -> Body:
    return {"function": {"name": name, "arguments": arguments}}


BOTH = [call("f", {"x": [1, None]}), call("g", {})]
ANSWERS = {
    "text": says({"content": SAID}, pieces=[{"content": "Grü"}, {"content": ""}, {"content": 'ße "\\\n'}]),
    "thinking": says({"thinking": THOUGHT, "content": "so"}),
    "thinking, text and calls in order": says({"thinking": THOUGHT, "content": SAID, "tool_calls": BOTH}),
    "parallel calls": says({"tool_calls": BOTH}),
    "call without arguments": says({"tool_calls": [call("g", {})]}),
    "call of a tool with a long name": says({"tool_calls": [call("SENT_NAME", {"x": 1})]}),
    "end": says({"content": "x"}),
    "end for calls": says({"tool_calls": BOTH}),
    "end at the limit": says({"content": "x"}, "length"),
    "tokens": says({"content": "x"}),
    "log probabilities": says({"content": "Hi"}, logprobs=[{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}]),
    "model": says({"content": "x"}),
    "unknown blocks and fields": says({"content": "after", "x_unheard_of": 1}, x_more=1),
    "empty pieces": says({"content": "full"}, pieces=[{}, {"content": ""}, {"content": "full"}]),
}
NEVER = "the API does not say it"
COLUMN = Column(
    name=NAME, title="Ollama", table=table, sent=SENT, differently=DIFFERENTLY, lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"}, answers=ANSWERS,
    untold=dict.fromkeys(
        ("call of a free-text tool", "arguments that are no JSON", "refusal", "end by a filter", "end at a stop sequence",
         "tokens read from a cache", "tokens written to a cache", "tokens of reasoning", "citations", "service tier", "several answers"),
        NEVER,
    ),
)  # fmt: skip
