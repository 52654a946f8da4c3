"""Callers of OpenAI's Responses API, as the SDK openai 3.52 and Codex CLI 0.169 speak it."""

from __future__ import annotations

from typing import Any

import msgspec

from lynkr_core.sse import Reader

from .features import DATA, LONG_NAME, ODD_TEXT, PAPER, PDF_DATA, SCHEMA, URL, USER
from .front import Body, Front, Heard


def user(content: Any, **more: Any) -> Body:
    return {"type": "message", "role": "user", "content": content, **more}


def said(*items: Body, **more: Any) -> Body:
    return {"input": list(items) or "hi", **more}


def part(kind: str, **more: Any) -> Body:
    return said(user([{"type": kind, **more}]))


def function(name: str = "f", **more: Any) -> Body:
    return {"type": "function", "name": name, "description": "does f", "parameters": SCHEMA, "strict": False, **more}


def called(id: str) -> Body:
    return {"type": "function_call", "call_id": id, "name": "f", "arguments": '{"x":1}'}


def output(id: str, value: Any) -> Body:
    return {"type": "function_call_output", "call_id": id, "output": value}


TOOL = function()
LOOP = [user("go"), called("a1"), called("b2"), output("a1", "one"), output("b2", "two"), user("and now?")]
CUSTOM = {"type": "custom", "name": "patch", "description": "patches"}
FORMAT = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
TEXTS = [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}]
REFUSED = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
ONLY_F = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
GROUP = {"type": "namespace", "name": "ns", "description": "a group", "tools": [function()]}


def with_tools(**more: Any) -> Body:
    return {"tools": [TOOL], **more}


ASKED: dict[str, Body] = {
    "system prompt": {"instructions": "be brief"},
    "system prompt in blocks": said(
        {"type": "message", "role": "developer", "content": [
            {"type": "input_text", "text": "be brief"}, {"type": "input_text", "text": "be kind"},
        ]}, user("hi"),
    ),
    "system message amid the conversation": said(user("hi"), {"role": "developer", "content": "be quick"}, user("so?")),
    "turns": said(user("one"), {"role": "assistant", "content": "two"}, user("three")),
    "two user turns in a row": said(user("one"), user("two")),
    "assistant's beginning": said(user("tell"), {"role": "assistant", "content": "Once upon"}),
    "unicode and line ends": said(user(ODD_TEXT)),
    "image": part("input_image", image_url=DATA),
    "image URL": part("input_image", image_url=URL),
    "image detail": part("input_image", image_url=URL, detail="low"),
    "file": part("input_file", filename="a.pdf", file_data=PDF_DATA),
    "file URL": part("input_file", file_url=PAPER),
    "stored file": part("input_file", file_id="file-1"),
    "tools": with_tools(),
    "strict tool": {"tools": [{**TOOL, "strict": True}]},
    "free-text tool": {"tools": [CUSTOM]},
    "built-in tool": {"tools": [{"type": "web_search"}]},
    "grouped tools": {"tools": [GROUP]},
    "long tool name": {"tools": [function(LONG_NAME)]},
    "deferred tool": {"tools": [function(defer_loading=True)]},
    "parallel calls": said(*LOOP, tools=[TOOL]),
    "results, then text": said(*LOOP, tools=[TOOL]),
    "result in parts": said(user("go"), called("a1"), output("a1", TEXTS), tools=[TOOL]),
    "result with an image": said(
        user("go"), called("a1"), output("a1", [{"type": "input_image", "image_url": DATA}]), tools=[TOOL]
    ),
    "one call at a time": with_tools(parallel_tool_calls=False),
    "forced tool": with_tools(tool_choice={"type": "function", "name": "f"}),
    "some tool": with_tools(tool_choice="required"),
    "no tool": with_tools(tool_choice="none"),
    "allowed tools": with_tools(tool_choice=ONLY_F),
    "schema": {"text": {"format": FORMAT}},
    "JSON object": {"text": {"format": {"type": "json_object"}}},
    "temperature, top_p": {"temperature": 0.5, "top_p": 0.75},
    "limit": {"max_output_tokens": 77},
    "log probabilities": {"top_logprobs": 3, "include": ["message.output_text.logprobs"]},
    "effort": {"reasoning": {"effort": "high"}},
    "thinking off": {"reasoning": {"effort": "none"}},
    "reasoning summary": {"reasoning": {"effort": "high", "summary": "auto"}},
    "cache key": {"prompt_cache_key": "k-1"},
    "metadata": {"metadata": {"a": "b"}},
    "user": {"user": USER},
    "service tier": {"service_tier": "auto"},
    "store": {"store": True},
    "verbosity": {"text": {"verbosity": "low"}},
    "earlier refusal": said(user("do"), REFUSED, user("why?")),
    "unknown field": {"x_unheard_of": {"a": [1, None]}},
    "unknown key in a message": said(user("hi", x_unheard_of=1)),
    "unknown key in a part": part("input_text", text="hi", x_unheard_of=1),
    "unknown key in a tool": {"tools": [function(x_unheard_of=1)]},
    "unknown part": said(user([{"type": "input_text", "text": "hi"}, {"type": "hologram"}])),
    "conversation kept at the provider": {"previous_response_id": "resp_0"},
}  # fmt: skip


def hear(body: bytes, stream: bool) -> Heard:
    if not stream:
        return _heard(msgspec.json.decode(body))
    events = Reader().feed(body)
    read = [msgspec.json.decode(event.data) for event in events]
    assert [event.event.decode() for event in events] == [one["type"] for one in read]
    assert [one["sequence_number"] for one in read] == list(range(len(read)))
    assert [one["type"] for one in read[:2]] == ["response.created", "response.in_progress"]
    whole = read[-1]["response"]
    assert read[-1]["type"] == f"response.{whole['status']}"
    assert [one["item"] for one in read if one["type"] == "response.output_item.done"] == whole["output"]
    _one_after_the_other(read)
    for index, item in enumerate(whole["output"]):
        _deltas_add_up(item, [one for one in read if one.get("output_index") == index])
    return _heard(whole)


def _one_after_the_other(read: list[Body]) -> None:
    places = [one["output_index"] for one in read if "output_index" in one]
    assert places == sorted(places), "an item is done before the next one is added"


def _deltas_add_up(item: Body, events: list[Body]) -> None:
    deltas = "".join([one["delta"] for one in events if one["type"].endswith(".delta")])
    match item["type"]:
        case "message":
            assert deltas == "".join([content.get("text", content.get("refusal")) for content in item["content"]])
        case "function_call":
            assert deltas == item["arguments"]
        case "custom_tool_call":
            assert deltas == item["input"]
        case "reasoning":
            assert deltas == "".join([one["text"] for one in item["summary"]])
            assert all("summary_index" in one for one in events if "summary" in one["type"])
        case _:
            pass


def _heard(answer: Body) -> Heard:
    items, usage = answer["output"], answer["usage"]
    contents = [content for item in items if item["type"] == "message" for content in item["content"]]
    summaries = [one["text"] for item in items if item["type"] == "reasoning" for one in item["summary"]]
    kinds = {"reasoning": "thinking", "message": "text", "function_call": "call", "custom_tool_call": "call"}
    details = answer["incomplete_details"] or {}
    return {
        "text": "".join([content["text"] for content in contents if "text" in content]), "thinking": "".join(summaries),
        "refusal": "".join([content["refusal"] for content in contents if "refusal" in content]),
        "calls": [_call(item) for item in items if item["type"].endswith("_call") and "call_id" in item],
        "raw arguments": [item["arguments"] for item in items if item["type"] == "function_call"],
        "order": [kinds.get(item["type"], item["type"]) for item in items],
        "end": details.get("reason") or answer["status"], "model": answer["model"], "tier": answer["service_tier"],
        "tokens": (usage["input_tokens"], usage["output_tokens"]),
        "cached": usage["input_tokens_details"]["cached_tokens"], "written": usage["input_tokens_details"].get("cache_write_tokens"),
        "reasoning": usage["output_tokens_details"]["reasoning_tokens"],
        "logprobs": [(one["token"], one["logprob"]) for content in contents for one in content.get("logprobs") or []],
        "citations": [note["url"] for content in contents for note in content.get("annotations", []) if "url" in note],
        "answers": ["".join([content.get("text", "") for content in contents])],
    }  # fmt: skip


def _call(item: Body) -> tuple[str, Any]:
    if item["type"] == "custom_tool_call":
        return item["name"], item["input"]
    try:
        return item["name"], msgspec.json.decode(item["arguments"])
    except msgspec.DecodeError:
        return item["name"], item["arguments"]


def replay(answer: Body) -> Body:
    calls = [item["call_id"] for item in answer["output"] if item["type"] == "function_call"]
    return said(user("go"), *answer["output"], *[output(id, "r") for id in calls], tools=[TOOL])


FRONT = Front(
    name="openai.responses", title="Responses", path="/v1/responses", base=said(), asked=ASKED, hear=hear,
    tools=lambda name: function(name), custom=CUSTOM,
    expects={
        "end": "completed", "end for calls": "completed", "end at the limit": "max_output_tokens", "end by a filter": "content_filter",
        "end at a stop sequence": "completed",
    },
    differs={
        "end at a stop sequence": "`completed`, without the sequence", "unknown blocks and fields": "they are left out, the rest arrives",
    },
    unheard={"several answers": "the API gives one: the first"}, replay=replay, keeps=True,
)  # fmt: skip
