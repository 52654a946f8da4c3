"""Providers that speak Cohere's v2 chat. Answers are hand-made from Cohere's API reference as cohere 7.3 reads it."""

from __future__ import annotations

from typing import Any

from lynkr_core.testing.canned import Script, encoded, named

from . import column_openai_chat as chat
from .column import Body, Column, Different, texts, words
from .features import SAID, THOUGHT

NAME = "cohere"


def table(url: str) -> str:
    return f'use = "cohere"\nbase_url = "{url}"\napi_key = "k"\nmodels = ["m"]\n'


SENT = {key: chat.SENT[key] for key in (
    "system prompt", "system prompt in blocks", "system message amid the conversation", "turns", "two user turns in a row",
    "assistant's beginning", "unicode and line ends", "image", "image URL", "image detail", "text document", "tools", "parallel calls",
    "results, then text", "seed",
) if key in chat.SENT} | {
    "result in parts": lambda b: words(texts(b["messages"][-1]["content"])),
    "strict tool": lambda b: b["strict_tools"],
    "some tool": lambda b: b["tool_choice"].lower(),
    "no tool": lambda b: b["tool_choice"].lower(),
    "schema": lambda b: b["response_format"]["json_schema"],
    "JSON object": lambda b: b["response_format"]["type"],
    "stop": lambda b: b["stop_sequences"],
    "seed": lambda b: b["seed"],
    "temperature, top_p": lambda b: (b["temperature"], b["p"]),
    "top_k": lambda b: b["k"],
    "penalties": lambda b: (b["frequency_penalty"], b["presence_penalty"]),
    "limit": lambda b: b["max_tokens"],
    "thinking budget": lambda b: b["thinking"]["token_budget"],
}  # fmt: skip
DIFFERENTLY = {
    "grouped tools": chat.DIFFERENTLY["grouped tools"],
    "long tool name": chat.DIFFERENTLY["long tool name"],
    "result with an image": chat.DIFFERENTLY["result with an image"],
    "forced tool": Different(
        "as the only tool, which is required; said so in `losses`", lambda b: (len(b["tools"]), b["tool_choice"]), (1, "REQUIRED")
    ),
    "effort": Different("thinking without a limit, said so in `losses`", lambda b: b["thinking"], {"type": "enabled"}),
    "thinking off": Different("`thinking: disabled`", lambda b: b["thinking"], {"type": "disabled"}),
    "earlier refusal": Different("as the assistant's text", lambda b: texts(b["messages"][1]["content"]), "I will not."),
}
LOST = chat.LOST | {
    ("effort", "anthropic.messages"): "reasoning: ",
    "file": "file",
    "file URL": "document",
    "stored file": "file",
    "audio": "audio",
    "free-text tool": "patch",
    "failed result": "is_error",
    "one call at a time": "parallel_tool_calls",
    "allowed tools": "tool_choice",
    "logit bias": "logit_bias",
    "several answers": "n: ",
    "log probabilities": "top_logprobs",
    "hidden thinking": "display",
    "reasoning summary": "reasoning.",
    "cache key": "prompt_cache_key",
    "metadata": "metadata",
    "user": "user",
    "service tier": "service_tier",
    "store": "store",
    "verbosity": "verbosity",
    "named speaker": "name",
}
del LOST["top_k"]


# what the provider says
USAGE: Body = {
    "billed_units": {"input_tokens": 100, "output_tokens": 20}, "tokens": {"input_tokens": 170, "output_tokens": 25}, "cached_tokens": 60,
}  # fmt: skip


def says(
    *content: Body, calls: tuple[Body, ...] = (), reason: str = "COMPLETE", pieces: list[str] | None = None, **more: Any
) -> Script:
    """The answer whole, and as events with one delta for each part, or these `pieces` of text."""
    message = {
        "role": "assistant",
        **({"content": list(content)} if content else {}),
        **({"tool_calls": list(calls)} if calls else {}),
    }
    whole = {"id": "c1", "finish_reason": reason, "message": message, "usage": USAGE, **more}
    events: list[Body] = [
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": [], "tool_calls": []}}}
    ]
    for index, part in enumerate(content):
        key = "thinking" if part["type"] == "thinking" else "text"
        events.append({"type": "content-start", "index": index, "delta": {"message": {"content": {**part, key: ""}}}})
        said = pieces if pieces and key == "text" else [part[key]]
        events += [{"type": "content-delta", "index": index, "delta": {"message": {"content": {key: piece}}}} for piece in said]
        events.append({"type": "content-end", "index": index})
    for index, call in enumerate(calls):
        opened = {**call, "function": {**call["function"], "arguments": ""}}
        events.append({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": opened}}})
        told = {"function": {"arguments": call["function"]["arguments"]}}
        events.append({"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": told}}})
        events.append({"type": "tool-call-end", "index": index})
    events.append({"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE}})
    return Script(body=encoded(whole), events=named(events))


def text(said: str = "x") -> Body:
    return {"type": "text", "text": said}


THINKING = {"type": "thinking", "thinking": THOUGHT}
BOTH = tuple(chat.BOTH)
ANSWERS = {
    "text": says(text(SAID), pieces=["Grü", "", 'ße "\\\n']),
    "thinking": says(THINKING, text("so")),
    "thinking, text and calls in order": says(THINKING, text(SAID), calls=BOTH, reason="TOOL_CALL"),
    "parallel calls": says(calls=BOTH, reason="TOOL_CALL"),
    "call without arguments": says(calls=(chat.call("b", "g", ""),), reason="TOOL_CALL"),
    "call of a tool with a long name": says(calls=(chat.call("l", "SENT_NAME", '{"x":1}'),), reason="TOOL_CALL"),
    "arguments that are no JSON": says(calls=(chat.call("j", "f", "{broken"),), reason="TOOL_CALL"),
    "end": says(text()),
    "end for calls": says(calls=BOTH, reason="TOOL_CALL"),
    "end at the limit": says(text(), reason="MAX_TOKENS"),
    "tokens": says(text()),
    "tokens read from a cache": says(text()),
    "unknown blocks and fields": says(text("after"), x_unheard_of=1),
    "empty pieces": says(text("full"), pieces=["", "full"]),
}
NEVER = "the API does not say it"
COLUMN = Column(
    name=NAME, title="Cohere", table=table, sent=SENT, differently=DIFFERENTLY, lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"}, answers=ANSWERS,
    untold=dict.fromkeys(
        ("call of a free-text tool", "refusal", "end by a filter", "end at a stop sequence", "tokens written to a cache",
         "tokens of reasoning", "citations", "service tier", "several answers", "model", "log probabilities"),
        NEVER,
    ),
)  # fmt: skip
