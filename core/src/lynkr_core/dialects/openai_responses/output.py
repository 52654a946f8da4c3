"""Output items and the response object around them, as they are written for the caller."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.openai_responses.content import citations
from lynkr_core.dialects.openai_responses.items import tool_items
from lynkr_core.dialects.openai_responses.sealing import seal
from lynkr_core.dialects.openai_responses.tools import namespaces
from lynkr_core.dialects.openai_responses.wire import Wire, some
from lynkr_core.request import Blob, FinishReason, Generic, Part, Reasoning, Text, ToolCall

_ECHOED: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {}, "parallel_tool_calls": True,
    "previous_response_id": None, "prompt_cache_key": None, "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None, "service_tier": "auto", "store": False, "temperature": 1.0, "text": {"format": {"type": "text"}},
    "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip
"""Keys of the request that a response repeats, and what stands there when the caller said nothing."""
_INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class _Logprob(Struct):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[_Logprob] | None = None


class _Content(Struct):
    content: list[_Logprob] | None = None


_logprobs = msgspec.json.Decoder(list[_Logprob] | _Content)


class Ids:
    """Ids for one response and its items, in OpenAI's form: the caller sends them back, and a provider refuses any other."""

    __slots__ = ("_base",)

    def __init__(self) -> None:
        self._base = os.urandom(21).hex()

    def response(self, upstream: str) -> str:
        return upstream if upstream.startswith("resp_") else self.item("resp", 0)

    def item(self, prefix: str, index: int) -> str:
        return f"{prefix}_{self._base}{index:06x}"


class Callers:
    """What the caller calls its tools: namespaced functions by both names, and what `calls` knows. `own`: the upstream speaks this API."""

    __slots__ = ("calls", "names", "own")

    def __init__(self, fields: Mapping[str, Raw], calls: Calls, own: bool = False) -> None:
        self.calls = calls
        self.own = own
        lists = [fields.get("tools"), *[item.tools for item in tool_items(fields.get("input"))]]
        groups = [group for raw in lists for group in namespaces(raw)]
        self.names = {full: (group.name, name) for group in groups for full, name in group.names.items()}

    def kind(self, call: ToolCall) -> str:
        return self.calls.opened(call).kind

    def call(self, call: ToolCall, id: str, status: str = "completed") -> Wire:
        """The output item of a call, by the caller's names."""
        call = self.calls.whole(call)
        namespace, name = self.names.get(call.name, (None, call.name))
        item: Wire = {"id": id, "type": "function_call", "status": status, "call_id": call.id, "name": name}
        if namespace is not None:
            item["namespace"] = namespace
        if call.kind == "custom":
            return item | {"type": "custom_tool_call", "input": call.arguments}
        return item | {"arguments": call.arguments}


def write_part(part: Part, ids: Ids, index: int, callers: Callers, logprobs: list[Any] | None = None) -> Raw | Wire | None:
    """A part as an output item of its own; None when this API has no such item."""
    match part:
        case Text():
            return message(ids.item("msg", index), "completed", [content(part, logprobs)])
        case ToolCall():
            call = part if part.arguments.strip() or part.kind == "custom" else _without_arguments(part)
            return callers.call(call, ids.item(prefix(callers.kind(part)), index))
        case Reasoning():
            return reasoning(part, part.id or ids.item("rs", index))
        case Blob(modality="image"):
            return {"id": ids.item("ig", index), "type": "image_generation_call", "status": "completed", "result": part.data}
        case Generic() if callers.own:
            return part.native
        case _:
            return None


def _without_arguments(call: ToolCall) -> ToolCall:
    return ToolCall(id=call.id, name=call.name, arguments="{}", kind=call.kind)


def prefix(kind: str) -> str:
    return "ctc" if kind == "custom" else "fc"


def message(id: str, status: str, parts: list[Wire]) -> Wire:
    return {"id": id, "type": "message", "status": status, "role": "assistant", "content": parts}


def content(part: Text, logprobs: list[Any] | None = None) -> Wire:
    if part.refusal:
        return {"type": "refusal", "refusal": part.text}
    return {"type": "output_text", "text": part.text, "annotations": citations(part.annotations), "logprobs": logprobs or []}


def reasoning(part: Reasoning, id: str) -> Wire:
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"id": id, "type": "reasoning", "summary": summary, "encrypted_content": seal(part)}


def skeleton(fields: Mapping[str, Raw]) -> Wire:
    """The parts of a response object that repeat the request."""
    return {key: some(fields.get(key)) or default for key, default in _ECHOED.items()}


def response(base: Wire, id: str, model: str, created: int | None, status: str, **more: Any) -> Wire:
    """The whole object. `more`: output, usage, error, incomplete_details and what else is known by now."""
    created = created or int(time.time())
    empty: Wire = {"error": None, "incomplete_details": None, "output": [], "usage": None, "background": False}
    return {"id": id, "object": "response", "created_at": created, "status": status, "model": model, **base, **empty, **more}


def ending(reason: FinishReason) -> tuple[str, Wire]:
    """Status and what explains it."""
    if reason == "error":
        return "failed", {"error": {"code": "server_error", "message": "the model stopped with an error"}}
    if reason in _INCOMPLETE:
        return "incomplete", {"incomplete_details": {"reason": _INCOMPLETE[reason]}}
    return "completed", {"completed_at": int(time.time())}


def logprobs(raw: Raw | None) -> list[Wire]:
    """Log probabilities as this API writes them: a bare list, while the chat API's has it under `content`."""
    if raw is None:
        return []
    try:
        found = _logprobs.decode(raw)
    except UNREADABLE:
        return []
    tokens = found.content if isinstance(found, _Content) else found
    return [_logprob(token) for token in tokens or []]


def _logprob(token: _Logprob) -> Wire:
    """With `bytes` and `top_logprobs`, which are required here and may be null there."""
    data = token.bytes if token.bytes is not None else list(token.token.encode())
    top = [_logprob(other) for other in token.top_logprobs or []]
    return {"token": token.token, "bytes": data, "logprob": token.logprob, "top_logprobs": top}
