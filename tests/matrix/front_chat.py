"""Callers of OpenAI's Chat Completions, as the SDK openai 3.52 speaks it."""

from __future__ import annotations

from typing import Any

import msgspec

from lynkr_core.sse import Reader

from .features import DATA, LONG_NAME, ODD_TEXT, PDF_DATA, SCHEMA, URL, USER
from .front import Body, Front, Heard


def user(content: Any, **more: Any) -> Body:
    return {"role": "user", "content": content, **more}


def said(*messages: Body, **more: Any) -> Body:
    return {"messages": list(messages) or [user("hi")], **more}


def part(kind: str, **more: Any) -> Body:
    return said(user([{"type": kind, **more}]))


def function(name: str = "f", **more: Any) -> Body:
    return {"type": "function", "function": {"name": name, "description": "does f", "parameters": SCHEMA, **more}}


def call(id: str) -> Body:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}


def result(id: str, content: Any) -> Body:
    return {"role": "tool", "tool_call_id": id, "content": content}


FUNCTION = function()
CALLED = {"role": "assistant", "content": None, "tool_calls": [call("a1"), call("b2")]}
LOOP = [user("go"), CALLED, result("a1", "one"), result("b2", "two"), user("and now?")]
CUSTOM = {"type": "custom", "custom": {"name": "patch", "description": "patches"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
ONLY_F = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}
NAMED = {"type": "function", "function": {"name": "f"}}
MARK = {"type": "ephemeral"}


def with_tools(**more: Any) -> Body:
    return {"tools": [FUNCTION], **more}


ASKED: dict[str, Body] = {
    "system prompt": said({"role": "system", "content": "be brief"}, user("hi")),
    "system prompt in blocks": said(
        {"role": "system", "content": [{"type": "text", "text": "be brief"}, {"type": "text", "text": "be kind"}]}, user("hi")
    ),
    "system message amid the conversation": said(user("hi"), {"role": "developer", "content": "be quick"}, user("so?")),
    "turns": said(user("one"), {"role": "assistant", "content": "two"}, user("three")),
    "two user turns in a row": said(user("one"), user("two")),
    "assistant's beginning": said(user("tell"), {"role": "assistant", "content": "Once upon"}),
    "unicode and line ends": said(user(ODD_TEXT)),
    "image": part("image_url", image_url={"url": DATA}),
    "image URL": part("image_url", image_url={"url": URL}),
    "image detail": part("image_url", image_url={"url": URL, "detail": "low"}),
    "file": part("file", file={"filename": "a.pdf", "file_data": PDF_DATA}),
    "stored file": part("file", file={"file_id": "file-1"}),
    "audio": part("input_audio", input_audio={"data": "UklGRg==", "format": "wav"}),
    "tools": with_tools(),
    "strict tool": {"tools": [function(strict=True)]},
    "free-text tool": {"tools": [CUSTOM]},
    "long tool name": {"tools": [function(LONG_NAME)]},
    "parallel calls": said(*LOOP, tools=[FUNCTION]),
    "results, then text": said(*LOOP, tools=[FUNCTION]),
    "result in parts": said(
        user("go"), {**CALLED, "tool_calls": [call("a1")]},
        result("a1", [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]), tools=[FUNCTION],
    ),
    "one call at a time": with_tools(parallel_tool_calls=False),
    "forced tool": with_tools(tool_choice=NAMED),
    "some tool": with_tools(tool_choice="required"),
    "no tool": with_tools(tool_choice="none"),
    "allowed tools": with_tools(tool_choice=ONLY_F),
    "schema": {"response_format": FORMAT},
    "JSON object": {"response_format": {"type": "json_object"}},
    "stop": {"stop": ["END", "FIN"]},
    "seed": {"seed": 7},
    "temperature, top_p": {"temperature": 0.5, "top_p": 0.75},
    "penalties": {"frequency_penalty": 0.5, "presence_penalty": 0.25},
    "logit bias": {"logit_bias": {"5": 1}},
    "limit": {"max_tokens": 77},
    "several answers": {"n": 2},
    "log probabilities": {"logprobs": True, "top_logprobs": 3},
    "effort": {"reasoning_effort": "high"},
    "thinking off": {"reasoning_effort": "none"},
    "cache markers": said(user([{"type": "text", "text": "long", "cache_control": MARK}])),
    "cache key": {"prompt_cache_key": "k-1"},
    "metadata": {"metadata": {"a": "b"}},
    "user": {"user": USER},
    "service tier": {"service_tier": "auto"},
    "store": {"store": True},
    "verbosity": {"verbosity": "low"},
    "named speaker": said(user("hi", name="kim")),
    "earlier refusal": said(user("do"), {"role": "assistant", "content": None, "refusal": "I will not."}, user("why?")),
    "unknown field": {"x_unheard_of": {"a": [1, None]}},
    "unknown key in a message": said(user("hi", x_unheard_of=1)),
    "unknown key in a part": part("text", text="hi", x_unheard_of=1),
    "unknown key in a tool": {"tools": [{**FUNCTION, "x_unheard_of": 1}]},
    "unknown part": said(user([{"type": "text", "text": "hi"}, {"type": "hologram"}])),
}  # fmt: skip


def hear(body: bytes, stream: bool) -> Heard:
    if not stream:
        answer = msgspec.json.decode(body)
        return _heard(answer, [choice["message"] for choice in answer["choices"]])
    data = [event.data for event in Reader().feed(body)]
    assert data.pop() == b"[DONE]"
    chunks = [msgspec.json.decode(one) for one in data]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all("finish_reason" in choice for chunk in chunks for choice in chunk["choices"])
    assert [chunk["choices"] for chunk in chunks if chunk.get("usage")] == [[]], "usage comes once, in a chunk of its own"
    last = chunks[-1]
    numbers = sorted({choice["index"] for chunk in chunks for choice in chunk["choices"]})
    joined = [_joined([c for chunk in chunks for c in chunk["choices"] if c["index"] == number]) for number in numbers]
    whole = {**last, "choices": [choice for choice, _ in joined], "service_tier": chunks[0].get("service_tier")}
    return _heard(whole, [message for _, message in joined])


def _joined(pieces: list[Body]) -> tuple[Body, Body]:
    """The choice and the message that the pieces add up to."""
    assert pieces[0]["delta"]["role"] == "assistant"
    assert [piece["finish_reason"] is not None for piece in pieces].count(True) == 1
    message: Body = {"content": "", "order": []}
    calls: list[Body] = []
    logprobs: list[Any] = []
    for piece in pieces:
        delta = piece["delta"]
        for key in ("content", "refusal", "reasoning_content"):
            if delta.get(key):
                message[key] = (message.get(key) or "") + delta[key]
        message["annotations"] = [*message.get("annotations", []), *delta.get("annotations", [])]
        for one in delta.get("tool_calls", []):
            _add_call(calls, one)
        logprobs += (piece.get("logprobs") or {}).get("content") or []
    reason = next(piece["finish_reason"] for piece in pieces if piece["finish_reason"])
    return {"finish_reason": reason, "logprobs": {"content": logprobs}}, message | {"tool_calls": calls}


def _add_call(calls: list[Body], piece: Body) -> None:
    if piece["index"] == len(calls):
        calls.append({"id": piece["id"], "type": piece["type"], piece["type"]: dict(piece[piece["type"]])})
        return
    known = calls[piece["index"]]
    assert piece["index"] == len(calls) - 1, "calls come one after the other"
    kind = known["type"]
    value = "input" if kind == "custom" else "arguments"
    known[kind][value] += piece[kind][value]


def _heard(answer: Body, messages: list[Body]) -> Heard:
    message, choice = messages[0], answer["choices"][0]
    usage = answer.get("usage") or {}
    logprobs = (choice.get("logprobs") or {}).get("content") or []
    calls = [_call(one) for one in message.get("tool_calls") or []]
    notes = message.get("annotations") or []
    return {
        "text": message["content"], "thinking": message.get("reasoning_content"), "calls": calls, "refusal": message.get("refusal"),
        "raw arguments": [one["function"]["arguments"] for one in message.get("tool_calls") or [] if "function" in one],
        "order": [
            *(["thinking"] if message.get("reasoning_content") else []), *(["text"] if message["content"] else []),
            *["call" for _ in calls],
        ],
        "end": choice["finish_reason"], "model": answer["model"], "tier": answer.get("service_tier"),
        "tokens": (usage.get("prompt_tokens"), usage.get("completion_tokens")),
        "cached": usage.get("prompt_tokens_details", {}).get("cached_tokens"),
        "written": usage.get("prompt_tokens_details", {}).get("cache_write_tokens"),
        "reasoning": usage.get("completion_tokens_details", {}).get("reasoning_tokens"),
        "logprobs": [(one["token"], one["logprob"]) for one in logprobs],
        "citations": [note["url_citation"]["url"] for note in notes if note["type"] == "url_citation"],
        "answers": [one["content"] for one in messages],
    }  # fmt: skip


def _call(one: Body) -> tuple[str, Any]:
    if one["type"] == "custom":
        return one["custom"]["name"], one["custom"]["input"]
    name, arguments = one["function"]["name"], one["function"]["arguments"]
    try:
        return name, msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return name, arguments


def replay(answer: Body) -> Body:
    message = answer["choices"][0]["message"]
    return said(user("go"), message, *[result(call["id"], "r") for call in message["tool_calls"]], tools=[FUNCTION])


FRONT = Front(
    name="openai.chat", title="Chat Completions", path="/v1/chat/completions", base=said(), asked=ASKED, hear=hear,
    tools=lambda name: function(name), custom=CUSTOM,
    expects={"end at a stop sequence": "stop"},
    differs={
        "end at a stop sequence": "`stop`, without the sequence", "unknown blocks and fields": "they are left out, the rest arrives",
    },
    unheard={}, replay=replay, keeps=False,
)  # fmt: skip
