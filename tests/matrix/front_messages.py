"""Callers of Anthropic's Messages API, as its SDK 2.11 and Claude Code 2.1 speak it."""

from __future__ import annotations

from typing import Any

import msgspec

from lynkr_core.sse import Reader

from .features import LONG_NAME, ODD_TEXT, PAPER, PDF, PNG, SCHEMA, URL, USER
from .front import Body, Front, Heard


def user(content: Any, **more: Any) -> Body:
    return {"role": "user", "content": content, **more}


def said(*messages: Body, **more: Any) -> Body:
    return {"messages": list(messages) or [user("hi")], **more}


def part(kind: str, **more: Any) -> Body:
    return said(user([{"type": kind, **more}]))


def tool(name: str = "f", **more: Any) -> Body:
    return {"name": name, "description": "does f", "input_schema": SCHEMA, **more}


def use(id: str) -> Body:
    return {"type": "tool_use", "id": id, "name": "f", "input": {"x": 1}}


def result(id: str, content: Any, **more: Any) -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


INLINE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CALLED = [user("go"), {"role": "assistant", "content": [use("a1"), use("b2")]}]
ONE_CALL = [user("go"), {"role": "assistant", "content": [use("a1")]}]
LOOP = [*CALLED, user([result("a1", "one"), result("b2", "two"), {"type": "text", "text": "and now?"}])]
TEXTS = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
MARK = {"type": "ephemeral"}
PAGE = {"type": "base64", "media_type": "application/pdf", "data": PDF}


def with_tools(**more: Any) -> Body:
    return {"tools": [tool()], **more}


ASKED: dict[str, Body] = {
    "system prompt": {"system": "be brief"},
    "system prompt in blocks": {"system": [{"type": "text", "text": "be brief"}, {"type": "text", "text": "be kind"}]},
    "system message amid the conversation": said(user("hi"), {"role": "system", "content": "be quick"}, user("so?")),
    "turns": said(user("one"), {"role": "assistant", "content": "two"}, user("three")),
    "two user turns in a row": said(user("one"), user("two")),
    "assistant's beginning": said(user("tell"), {"role": "assistant", "content": "Once upon"}),
    "unicode and line ends": said(user(ODD_TEXT)),
    "image": said(user([INLINE])),
    "image URL": part("image", source={"type": "url", "url": URL}),
    "file": part("document", source=PAGE),
    "file URL": part("document", source={"type": "url", "url": PAPER}),
    "text document": part("document", source={"type": "text", "media_type": "text/plain", "data": "plain words"}),
    "stored file": part("document", source={"type": "file", "file_id": "file-1"}),
    "tools": with_tools(),
    "strict tool": {"tools": [tool(strict=True)]},
    "built-in tool": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "long tool name": {"tools": [tool(LONG_NAME)]},
    "deferred tool": {"tools": [tool(defer_loading=True)]},
    "parallel calls": said(*LOOP, tools=[tool()]),
    "results, then text": said(*LOOP, tools=[tool()]),
    "result in parts": said(*ONE_CALL, user([result("a1", TEXTS)]), tools=[tool()]),
    "result with an image": said(*ONE_CALL, user([result("a1", [{"type": "text", "text": "see"}, INLINE])]), tools=[tool()]),
    "failed result": said(*ONE_CALL, user([result("a1", "boom", is_error=True)]), tools=[tool()]),
    "one call at a time": with_tools(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "forced tool": with_tools(tool_choice={"type": "tool", "name": "f"}),
    "some tool": with_tools(tool_choice={"type": "any"}),
    "no tool": with_tools(tool_choice={"type": "none"}),
    "schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "stop": {"stop_sequences": ["END", "FIN"]},
    "temperature, top_p": {"temperature": 0.5, "top_p": 0.75},
    "top_k": {"top_k": 40},
    "limit": {"max_tokens": 77},
    "effort": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
    "thinking budget": {"thinking": {"type": "enabled", "budget_tokens": 4000}},
    "adaptive thinking": {"thinking": {"type": "adaptive"}},
    "thinking off": {"thinking": {"type": "disabled"}},
    "reasoning summary": {"thinking": {"type": "enabled", "budget_tokens": 4000, "display": "summarized"}},
    "hidden thinking": {"thinking": {"type": "enabled", "budget_tokens": 4000, "display": "omitted"}},
    "cache markers": said(user([{"type": "text", "text": "long", "cache_control": MARK}])),
    "user": {"metadata": {"user_id": USER}},
    "service tier": {"service_tier": "auto"},
    "task budget": {"output_config": {"task_budget": {"type": "tokens", "total": 9}}},
    "citations of a document": part("document", source=PAGE, citations={"enabled": True}, context="a page"),
    "unknown field": {"x_unheard_of": {"a": [1, None]}},
    "unknown key in a message": said(user("hi", x_unheard_of=1)),
    "unknown key in a part": part("text", text="hi", x_unheard_of=1),
    "unknown key in a tool": {"tools": [tool(x_unheard_of=1)]},
    "unknown part": said(user([{"type": "text", "text": "hi"}, {"type": "hologram"}])),
}


def hear(body: bytes, stream: bool) -> Heard:
    if not stream:
        return _heard(msgspec.json.decode(body))
    events = Reader().feed(body)
    read = [msgspec.json.decode(event.data) for event in events]
    assert [event.event.decode() for event in events] == [one["type"] for one in read]
    kinds = [one["type"] for one in read if one["type"] != "ping"]
    assert (kinds[0], kinds[-1], kinds.count("message_start")) == ("message_start", "message_stop", 1)
    message = read[0]["message"]
    assert message["content"] == []
    assert message["usage"]["input_tokens"] + message["usage"]["cache_read_input_tokens"] > 0, "clients keep this count"
    for event in read[1:-1]:
        _add(message, event)
    return _heard(message)


def _add(message: Body, event: Body) -> None:
    blocks = message["content"]
    match event["type"]:
        case "content_block_start":
            assert event["index"] == len(blocks)
            assert all(block.get("done") for block in blocks), "one block at a time"
            blocks.append({**event["content_block"], "json": ""})
        case "content_block_delta":
            assert event["index"] == len(blocks) - 1
            _fill(blocks[-1], event["delta"])
        case "content_block_stop":
            assert event["index"] == len(blocks) - 1
            blocks[-1]["done"] = True
            if blocks[-1]["type"] == "tool_use":
                blocks[-1]["input"] = msgspec.json.decode(blocks[-1]["json"])
        case "message_delta":
            message.update(event["delta"])
            message["usage"].update(event["usage"])
        case _:
            assert event["type"] == "ping"


def _fill(block: Body, delta: Body) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]
        case kind:
            assert kind == "citations_delta"
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]


def _heard(message: Body) -> Heard:
    blocks, usage = message["content"], message["usage"]
    assert all(block["signature"] for block in blocks if block["type"] == "thinking")
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    kinds = {"thinking": "thinking", "text": "text", "tool_use": "call"}
    return {
        "text": "".join(texts), "thinking": "".join([b["thinking"] for b in blocks if b["type"] == "thinking"]), "calls": calls,
        "raw arguments": [given.get("input") for _, given in calls],
        "refusal": "".join(texts), "order": [kinds.get(block["type"], block["type"]) for block in blocks],
        "end": message["stop_reason"], "sequence": message["stop_sequence"], "model": message["model"],
        "tier": usage.get("service_tier"),
        "tokens": (usage["input_tokens"] + read + written, usage["output_tokens"]), "cached": read, "written": written,
        "reasoning": usage.get("output_tokens_details", {}).get("thinking_tokens"),
        "citations": [note["url"] for block in blocks for note in block.get("citations") or [] if "url" in note],
        "answers": ["".join(texts)],
    }  # fmt: skip


def replay(answer: Body) -> Body:
    results = [result(block["id"], "r") for block in answer["content"] if block["type"] == "tool_use"]
    return said(user("go"), {"role": "assistant", "content": answer["content"]}, user(results), tools=[tool()])


FRONT = Front(
    name="anthropic.messages", title="Messages", path="/v1/messages", base=said(max_tokens=6000), asked=ASKED, hear=hear,
    tools=lambda name: tool(name), custom=None,
    expects={
        "call of a free-text tool": [("patch", {"input": "*** Begin"})],
        "end": "end_turn",
        "end for calls": "tool_use",
        "end at the limit": "max_tokens",
        "end by a filter": "refusal",
    },
    differs={
        "refusal": "as text",
        "call of a free-text tool": "the text in an object, under `input`",
        "arguments that are no JSON": "in an object, under `input`",
        "unknown blocks and fields": "they are left out, the rest arrives",
    },
    unheard={
        "log probabilities": "the API has none", "several answers": "the API gives one: the first",
    },
    replay=replay, keeps=True,
)  # fmt: skip
