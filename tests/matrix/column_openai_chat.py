"""Providers that speak Chat Completions. Answers are hand-made from OpenAI's API reference as openai 3.52 reads it."""

from __future__ import annotations

import json
from typing import Any

from lynkr_core import sse
from lynkr_core.testing.canned import MODEL, Script, encoded

from .column import Body, Column, Different, compatible, texts, words
from .features import DATA, LONG_NAME, SAID, THOUGHT

NAME = "openai.chat"


# what the provider got
def last(body: Body) -> Any:
    """The first part of the last message."""
    return body["messages"][-1]["content"][0]


def turns(body: Body) -> list[tuple[str, str]]:
    return [(m["role"], texts(m["content"])) for m in body["messages"] if m["role"] in ("user", "assistant") and m.get("content")]


def calls(body: Body) -> list[tuple[str, str, Any]]:
    made = body["messages"][1]["tool_calls"]
    return [(one["id"], one["function"]["name"], json.loads(one["function"]["arguments"])) for one in made]


def results(body: Body) -> list[Any]:
    return [
        (m["tool_call_id"], texts(m["content"])) if m["role"] == "tool" else texts(m["content"]) for m in body["messages"][2:]
    ]


def prompt(body: Body) -> str:
    return words(" ".join(texts(m["content"]) for m in body["messages"] if m["role"] in ("system", "developer")))


def function(body: Body) -> Body:
    return body["tools"][0]["function"]


SENT = {
    "system prompt": prompt,
    "system prompt in blocks": prompt,
    "system message amid the conversation": lambda b: (
        texts(b["messages"][1]["content"]) if b["messages"][1]["role"] == "system" else None
    ),
    "turns": turns,
    "two user turns in a row": lambda b: [text for _, text in turns(b)],
    "assistant's beginning": lambda b: turns(b)[-1][1],
    "unicode and line ends": lambda b: texts(b["messages"][-1]["content"]),
    "image": lambda b: last(b)["image_url"]["url"],
    "image URL": lambda b: last(b)["image_url"]["url"],
    "image detail": lambda b: last(b)["image_url"]["detail"],
    "file": lambda b: last(b)["file"]["file_data"].removeprefix("data:application/pdf;base64,"),
    "text document": lambda b: texts(b["messages"][-1]["content"]),
    ("stored file", "openai.responses"): lambda b: last(b)["file"]["file_id"],
    "tools": lambda b: tuple(function(b)[key] for key in ("name", "description", "parameters")),
    "strict tool": lambda b: function(b)["strict"],
    "free-text tool": lambda b: b["tools"][0]["custom"]["name"],
    "parallel calls": calls,
    "results, then text": results,
    "result in parts": lambda b: words(texts(b["messages"][-1]["content"])),
    "one call at a time": lambda b: b["parallel_tool_calls"],
    "forced tool": lambda b: b["tool_choice"]["function"]["name"],
    "some tool": lambda b: b["tool_choice"],
    "no tool": lambda b: b["tool_choice"],
    "schema": lambda b: b["response_format"]["json_schema"]["schema"],
    "JSON object": lambda b: b["response_format"]["type"],
    "stop": lambda b: b["stop"],
    "temperature, top_p": lambda b: (b["temperature"], b["top_p"]),
    "limit": lambda b: b.get("max_completion_tokens", b.get("max_tokens")),
    "log probabilities": lambda b: b["logprobs"] and b["top_logprobs"],
    "effort": lambda b: b["reasoning_effort"],
    "cache key": lambda b: b["prompt_cache_key"],
    "metadata": lambda b: b["metadata"],
    "user": lambda b: b["user"],
    "service tier": lambda b: b["service_tier"],
    "store": lambda b: b["store"],
    "verbosity": lambda b: b["verbosity"],
    "earlier refusal": lambda b: b["messages"][1]["refusal"],
}
DIFFERENTLY = {
    "grouped tools": Different(
        "each function under `group__name`; the caller gets its own names back", lambda b: function(b)["name"], "ns__f"
    ),
    "long tool name": Different(
        "a stand-in of at most 64 characters; the caller gets its own name back",
        lambda b: (len(function(b)["name"]), function(b)["name"][:20]), (64, LONG_NAME[:20]),
    ),
    "result with an image": Different(
        "in a user message after the results", lambda b: (b["messages"][-1]["role"], last(b)["image_url"]["url"]), ("user", DATA)
    ),
    "thinking budget": Different("the nearest effort", lambda b: b["reasoning_effort"], "medium"),
    "thinking off": Different("`reasoning_effort: none`", lambda b: b["reasoning_effort"], "none"),
}  # fmt: skip
LOST = {
    ("stored file", "anthropic.messages"): "file-1",
    "file URL": "document",
    "built-in tool": "web_search",
    "deferred tool": "tools.defer_loading",
    "failed result": "is_error",
    "allowed tools": "tool_choice.type",
    "top_k": "top_k",
    "adaptive thinking": "reasoning: ",
    "reasoning summary": "reasoning.",
    "hidden thinking": "reasoning.display",
    "cache markers": "cache_control",
    "task budget": "task_budget",
    "citations of a document": "messages.content.citations",
    "unknown field": "x_unheard_of",
    "unknown key in a message": "x_unheard_of",
    "unknown key in a part": "content.x_unheard_of",
    "unknown key in a tool": "tools.x_unheard_of",
    "unknown part": "hologram",
}


# what the provider says
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
HEAD: Body = {"id": "chatcmpl-1", "created": 1_763_700_000, "model": MODEL}


def says(message: Body, finish: str = "stop", usage: Body = USAGE, pieces: list[Body] | None = None, **more: Any) -> Script:
    """The message whole, and as a stream in which each key is a piece, or in these `pieces`."""
    choice = {key: more.pop(key) for key in ("logprobs",) if key in more}
    whole = {
        **HEAD, **more, "object": "chat.completion", "usage": usage,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish, **choice}],
    }  # fmt: skip
    deltas: list[Body] = [{"role": "assistant", "content": ""}]
    for key, value in message.items():
        listed = [{key: [{"index": n, **one}]} for n, one in enumerate(value)] if key == "tool_calls" else [{key: value}]
        deltas += listed
    chunks = [chunk({"index": 0, "delta": delta, "finish_reason": None}, **more) for delta in pieces or deltas]
    if choice:
        chunks.append(chunk({"index": 0, "delta": {}, "finish_reason": None, **choice}, **more))
    chunks.append(chunk({"index": 0, "delta": {}, "finish_reason": finish}, **more))
    return script(whole, [*chunks, chunk(usage=usage, **more)])


def chunk(*choices: Body, **more: Any) -> Body:
    return {**HEAD, "object": "chat.completion.chunk", "choices": list(choices), **more}


def script(whole: Body, chunks: list[Body]) -> Script:
    return Script(body=encoded(whole), events=(*[sse.event(encoded(one)) for one in chunks], b": ping\n\n", sse.event(b"[DONE]")))


def call(id: str, name: str, arguments: str) -> Body:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def several() -> Script:
    texts = ("one", "two")
    choices = [{"index": n, "message": {"role": "assistant", "content": t}, "finish_reason": "stop"} for n, t in enumerate(texts)]
    pieces = [
        chunk({"index": n, "delta": {"role": "assistant", "content": t}, "finish_reason": None}) for n, t in enumerate(texts)
    ]
    ends = [chunk({"index": n, "delta": {}, "finish_reason": "stop"}) for n in (0, 1)]
    whole = {**HEAD, "object": "chat.completion", "choices": choices, "usage": USAGE}
    return script(whole, [*pieces, *ends, chunk(usage=USAGE)])


BOTH = [call("a", "f", '{"x": [1, null]}'), call("b", "g", "{}")]
RICH = {"reasoning_content": THOUGHT, "content": SAID, "tool_calls": BOTH}
TOKENS = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://papers.example/a.pdf", "title": "a", "start_index": 0, "end_index": 2},
}
LOGPROBS = {"content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}], "refusal": None}
SPLIT_ODDLY = [
    {"role": "assistant", "content": "Grü"},
    {},
    {"content": None},
    {"content": ""},
    {"content": 'ße "\\\n'},
    {"tool_calls": []},
]
ANSWERS = {
    "text": says({"content": SAID}, pieces=SPLIT_ODDLY),
    "thinking": says({"reasoning_content": THOUGHT, "content": "so"}),
    "thinking, text and calls in order": says(RICH, "tool_calls"),
    "parallel calls": says({"tool_calls": BOTH}, "tool_calls"),
    "call without arguments": says({"tool_calls": [call("b", "g", "")]}, "tool_calls"),
    "call of a free-text tool": says(
        {"tool_calls": [{"id": "p", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}]}, "tool_calls"
    ),
    "call of a tool with a long name": says({"tool_calls": [call("l", "SENT_NAME", '{"x":1}')]}, "tool_calls"),
    "arguments that are no JSON": says({"tool_calls": [call("j", "f", "{broken")]}, "tool_calls"),
    "refusal": says({"refusal": "I will not."}),
    "end": says({"content": "x"}),
    "end for calls": says({"tool_calls": BOTH}, "tool_calls"),
    "end at the limit": says({"content": "x"}, "length"),
    "end by a filter": says({"content": "x"}, "content_filter"),
    "tokens": says({"content": "x"}, usage=TOKENS),
    "tokens read from a cache": says({"content": "x"}, usage=TOKENS),
    "tokens written to a cache": says({"content": "x"}, usage=TOKENS),
    "tokens of reasoning": says({"content": "x"}, usage=TOKENS),
    "log probabilities": says({"content": "Hi"}, logprobs=LOGPROBS),
    "citations": says({"content": "so", "annotations": [CITED]}),
    "service tier": says({"content": "x"}, service_tier="default"),
    "model": says({"content": "x"}),
    "several answers": several(),
    "unknown blocks and fields": says({"content": "after", "x_unheard_of": {"a": 1}}, x_more=[1]),
    "empty pieces": says({"content": "full"}, pieces=[{"role": "assistant"}, {"content": ""}, {}, {"content": "full"}]),
}
COLUMN = Column(
    name=NAME, title="Chat Completions", table=compatible(NAME), sent=SENT, differently=DIFFERENTLY, lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"}, answers=ANSWERS,
    untold={"end at a stop sequence": "the API only says `stop`"},
    unheard={("citations", "anthropic.messages"): "the APIs' citations have nothing in common"},
)  # fmt: skip
