"""The same rich answer in each dialect: thinking, text, two tool calls, usage with a cache read. Hand-made from providers.md §2.

`RICH` has them as scripts, whole and as a stream; `SHORT` has an answer that stopped at the token limit.
"""

from __future__ import annotations

from typing import Any

from lynkr_core import sse
from lynkr_core.testing.canned import CANNED, MODEL, Script, encoded, named

THOUGHT = ("Hm 🤔", " so.")
SAID = ("Grü", 'ße "\\\n')
CALLS = (("call_a", "f", '{"x": [1, null]}'), ("call_b", "g", "{}"))
INPUT, CACHED, OUTPUT, REASONING = 100, 60, 20, 5
"""Tokens; the input includes the cached ones, the output the reasoning."""


def _chat() -> Script:
    usage = {
        "prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED}, "completion_tokens_details": {"reasoning_tokens": REASONING},
    }  # fmt: skip
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": text}} for id, name, text in CALLS]
    message = {"role": "assistant", "content": "".join(SAID), "reasoning_content": "".join(THOUGHT), "tool_calls": calls}
    head = {"id": "chatcmpl-1", "created": 1_763_700_000, "model": MODEL}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body: dict[str, Any] = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": text} for text in THOUGHT] + [{"content": text} for text in SAID]
    for index, call in enumerate(calls):
        text = CALLS[index][2]
        deltas.append({"tool_calls": [{**call, "index": index, "function": {"name": CALLS[index][1], "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": half}}]} for half in (text[:5], text[5:]) if half]
    chunk = {**head, "object": "chat.completion.chunk"}
    chunks: list[dict[str, Any]] = [{**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({**chunk, "choices": [], "usage": usage})
    return Script(body=encoded(body), events=(*[sse.event(encoded(event)) for event in chunks], sse.event(b"[DONE]")))


def _messages() -> Script:
    usage = {"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0}
    done = {"output_tokens": OUTPUT, "output_tokens_details": {"thinking_tokens": REASONING}}
    head: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
    ending = {"stop_reason": "tool_use", "stop_sequence": None}
    thinking = {"type": "thinking", "thinking": "".join(THOUGHT), "signature": "c2ln"}
    inputs: tuple[dict[str, Any], ...] = ({"x": [1, None]}, {})
    uses = [
        {"type": "tool_use", "id": id, "name": name, "input": given} for (id, name, _), given in zip(CALLS, inputs, strict=True)
    ]
    content = [thinking, {"type": "text", "text": "".join(SAID)}, *uses]
    body = {**head, "content": content, **ending, "usage": {**usage, **done}}
    begun: dict[str, Any] = {
        **head,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    signed = {"type": "signature_delta", "signature": "c2ln"}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    thoughts = [{"type": "thinking_delta", "thinking": text} for text in THOUGHT]
    events += _block(0, {"type": "thinking", "thinking": "", "signature": ""}, *thoughts, signed)
    events += _block(1, {"type": "text", "text": ""}, *[{"type": "text_delta", "text": text} for text in SAID])
    for index, (use, (_, _, text)) in enumerate(zip(uses, CALLS, strict=True), 2):
        halves = [{"type": "input_json_delta", "partial_json": half} for half in (text[:5], text[5:]) if text != "{}"]
        events += _block(index, {**use, "input": {}}, *halves)
    events += [{"type": "message_delta", "delta": ending, "usage": done}, {"type": "message_stop"}]
    return Script(body=encoded(body), events=named(events))


def _block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    middle = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    start = {"type": "content_block_start", "index": index, "content_block": opened}
    return [start, *middle, {"type": "content_block_stop", "index": index}]


def _responses() -> Script:
    part: dict[str, Any] = {"type": "output_text", "text": "".join(SAID), "annotations": []}
    summed = {"type": "summary_text", "text": "".join(THOUGHT)}
    thought: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": [summed], "encrypted_content": "gAAAA"}
    said: dict[str, Any] = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    call: dict[str, Any] = {"type": "function_call", "status": "completed"}
    calls = [{**call, "id": f"fc_{id}", "call_id": id, "name": name, "arguments": text} for id, name, text in CALLS]
    usage = {
        "input_tokens": INPUT, "input_tokens_details": {"cached_tokens": CACHED}, "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": REASONING}, "total_tokens": INPUT + OUTPUT,
    }  # fmt: skip
    whole: dict[str, Any] = {
        "id": "resp_1", "object": "response", "created_at": 1_763_700_000, "model": MODEL, "status": "completed",
        "output": [thought, said, *calls], "usage": usage, "error": None, "incomplete_details": None,
    }  # fmt: skip
    begun: dict[str, Any] = {**whole, "status": "in_progress", "output": [], "usage": None}
    where = {"summary_index": 0}
    events = [_step("created", response=begun), _step("in_progress", response=begun)]
    events += _item(
        0, thought, {"summary": []}, ("reasoning_summary_part.added", {**where, "part": {**summed, "text": ""}}),
        *[("reasoning_summary_text.delta", {**where, "delta": text}) for text in THOUGHT],
        ("reasoning_summary_text.done", {**where, "text": summed["text"]}), ("reasoning_summary_part.done", {**where, "part": summed}),
    )  # fmt: skip
    place = {"content_index": 0}
    events += _item(
        1, said, {"content": [], "status": "in_progress"}, ("content_part.added", {**place, "part": {**part, "text": ""}}),
        *[("output_text.delta", {**place, "delta": text}) for text in SAID],
        ("output_text.done", {**place, "text": part["text"]}), ("content_part.done", {**place, "part": part}),
    )  # fmt: skip
    for index, called in enumerate(calls, 2):
        text = called["arguments"]
        halves = [("function_call_arguments.delta", {"delta": half}) for half in (text[:5], text[5:]) if half]
        done = ("function_call_arguments.done", {"arguments": text})
        events += _item(index, called, {"arguments": "", "status": "in_progress"}, *halves, done)
    events.append(_step("completed", response=whole))
    return Script(body=encoded(whole), events=named([{**event, "sequence_number": n} for n, event in enumerate(events)]))


def _step(name: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{name}", **more}


def _item(
    index: int, whole: dict[str, Any], opened: dict[str, Any], *between: tuple[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    place = {"output_index": index}
    steps = [_step(name, **place, item_id=whole["id"], **more) for name, more in between]
    added = _step("output_item.added", **place, item={**whole, **opened})
    return [added, *steps, _step("output_item.done", **place, item=whole)]


RICH: dict[str, Script] = {"openai.chat": _chat(), "anthropic.messages": _messages(), "openai.responses": _responses()}


def _short(name: str, *changes: tuple[bytes, bytes]) -> Script:
    def cut(data: bytes) -> bytes:
        for old, new in changes:
            data = data.replace(old, new)
        return data

    script = CANNED[name]
    *events, last = script.events  # of the Responses API only the last event tells of the end
    before = [event if name == "openai.responses" else cut(event) for event in events]
    return script.but(body=cut(script.body), events=(*before, cut(last)))


SHORT: dict[str, Script] = {
    "openai.chat": _short("openai.chat", (b'"finish_reason":"stop"', b'"finish_reason":"length"')),
    "anthropic.messages": _short("anthropic.messages", (b'"end_turn"', b'"max_tokens"')),
    "openai.responses": _short(
        "openai.responses",
        (b"response.completed", b"response.incomplete"),
        (b'"model":"%b","status":"completed"' % MODEL.encode(), b'"model":"%b","status":"incomplete"' % MODEL.encode()),
        (b'"incomplete_details":null', b'"incomplete_details":{"reason":"max_output_tokens"}'),
    ),
}
