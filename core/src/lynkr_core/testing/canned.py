"""Answers of providers, hand-made from providers.md §2 (framing), §4.1 (errors), §4.4 and §4.5 (what tells context and content)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from lynkr_core import sse
from lynkr_core.errors import Kind

JSON = "application/json"
SSE = "text/event-stream"
MODEL = "scripted-model"
TEXT = "Grüße from upstream 👋"
ARGUMENTS = '{"city": "Zürich"}'


class Script(Struct, frozen=True, kw_only=True):
    """One answer and its faults. Times in seconds.

    `events` are sent one at a time when the request asks for a stream, or when there is no `body`. `delay` is waited before the head, `pause`
    before each event, `hold` before the last one too. The connection is cut after `cut_events` events or `cut_bytes` bytes of the body.
    """

    body: bytes = b""
    events: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = {}
    content_type: str = JSON
    delay: float = 0.0
    pause: float = 0.0
    hold: float = 0.0
    cut_events: int | None = None
    cut_bytes: int | None = None

    def but(self, **changes: Any) -> Script:
        """The same with these fields changed."""
        return structs.replace(self, **changes)


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _chat() -> Script:
    usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    head: dict[str, Any] = {"id": "chatcmpl-1", "created": 1_763_700_000, "model": MODEL}
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    body = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    deltas: list[tuple[Any, Any]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": TEXT[:9]}, None), ({"content": TEXT[9:]}, None), ({}, "stop")]
    chunk = {**head, "object": "chat.completion.chunk"}
    events = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    events.append({**chunk, "choices": [], "usage": usage})
    return Script(body=encoded(body), events=(*[sse.event(encoded(event)) for event in events], sse.event(b"[DONE]")))


def _responses() -> Script:
    part: dict[str, Any] = {"type": "output_text", "text": TEXT, "annotations": []}
    item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 12, "output_tokens": 7, "total_tokens": 19,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    whole: dict[str, Any] = {
        "id": "resp_1", "object": "response", "created_at": 1_763_700_000, "model": MODEL, "status": "completed",
        "output": [item], "usage": usage, "error": None, "incomplete_details": None,
    }  # fmt: skip
    begun: dict[str, Any] = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    opened: dict[str, Any] = {**item, "status": "in_progress", "content": []}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("created", {"response": begun}),
        ("in_progress", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": opened}),
        ("content_part.added", {**place, "part": {**part, "text": ""}}),
        ("output_text.delta", {**place, "delta": TEXT[:9]}),
        ("output_text.delta", {**place, "delta": TEXT[9:]}),
        ("output_text.done", {**place, "text": TEXT}),
        ("content_part.done", {**place, "part": part}),
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": whole}),
    ]
    events = [{"type": f"response.{name}", "sequence_number": number, **rest} for number, (name, rest) in enumerate(steps)]
    return Script(body=encoded(whole), events=named(events))


def _messages() -> Script:
    usage = {"input_tokens": 12, "output_tokens": 7}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    body = {**head, "content": [{"type": "text", "text": TEXT}], **ending, "usage": usage}
    begun: dict[str, Any] = {
        **head,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[:9]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT[9:]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": usage},
        {"type": "message_stop"},
    ]
    return Script(body=encoded(body), events=named(events))


def named(events: list[dict[str, Any]]) -> tuple[bytes, ...]:
    """Server-sent events whose name is their `type`."""
    return tuple(sse.event(encoded(event), event["type"].encode()) for event in events)


def _embeddings() -> Script:
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1.0]}]
    body = {"object": "list", "model": MODEL, "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    return Script(body=encoded(body))


CANNED: dict[str, Script] = {
    "openai.chat": _chat(),
    "openai.responses": _responses(),
    "openai.embeddings": _embeddings(),
    "anthropic.messages": _messages(),
    "anthropic.count_tokens": Script(body=b'{"input_tokens":12}'),
}
"""A good answer for each dialect, whole and as a stream."""

PATHS: dict[str, str] = {
    "/chat/completions": "openai.chat",
    "/responses": "openai.responses",
    "/embeddings": "openai.embeddings",
    "/messages": "anthropic.messages",
    "/messages/count_tokens": "anthropic.count_tokens",
}
"""Which of them a path gets, by how it ends."""

MODELS = Script(body=encoded({"object": "list", "data": [{"id": MODEL, "object": "model"}], "has_more": False}))
NOT_FOUND = Script(status=404, body=b'{"error":{"message":"no such path","type":"not_found_error","param":null,"code":null}}')


class Fault(Struct, frozen=True):
    """An error answer and the kind it must be called. `retry_after` in seconds, as sent."""

    kind: Kind
    script: Script
    retry_after: float | None = None


def _openai(status: int, type: str, code: str | None, message: str, retry_after: int | None = None) -> Script:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    error = {"message": message, "type": type, "param": None, "code": code}
    return Script(status=status, headers=headers, body=encoded({"error": error}))


def _anthropic(status: int, type: str, message: str, retry_after: int | None = None) -> Script:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    error = {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}
    return Script(status=status, headers=headers, body=encoded(error))


OPENAI_FAULTS: dict[str, Fault] = {
    "401": Fault("auth", _openai(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.")),
    "404": Fault("not_found", _openai(404, "invalid_request_error", "model_not_found", "The model `x` does not exist.")),
    "429": Fault("rate_limited", _openai(429, "requests", "rate_limit_exceeded", "Rate limit reached.", 7), 7.0),
    "quota": Fault("quota", _openai(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.")),
    "500": Fault("server", _openai(500, "server_error", None, "The server had an error.")),
    "529": Fault("overloaded", _openai(529, "overloaded_error", None, "Overloaded")),
    "context": Fault(
        "context",
        _openai(400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    ),
    "content": Fault("content", _openai(400, "invalid_request_error", "content_policy_violation", "Your prompt was flagged.")),
    "html": Fault("server", Script(status=502, content_type="text/html", body=b"<html><h1>502 Bad Gateway</h1></html>")),
}
ANTHROPIC_FAULTS: dict[str, Fault] = {
    "401": Fault("auth", _anthropic(401, "authentication_error", "invalid x-api-key")),
    "404": Fault("not_found", _anthropic(404, "not_found_error", "model: x")),
    "429": Fault("rate_limited", _anthropic(429, "rate_limit_error", "Number of requests has exceeded your limit", 7), 7.0),
    "500": Fault("server", _anthropic(500, "api_error", "Internal server error")),
    "529": Fault("overloaded", _anthropic(529, "overloaded_error", "Overloaded")),
    "context": Fault("context", _anthropic(400, "invalid_request_error", "prompt is too long: 9000 tokens > 8000 maximum")),
    "content": Fault("content", _anthropic(400, "invalid_request_error", "Output blocked by content filtering policy")),
    "html": OPENAI_FAULTS["html"],
}


def faults(dialect: str) -> dict[str, Fault]:
    """The error answers of a dialect's providers; none for a dialect that is not known here."""
    families = {"openai": OPENAI_FAULTS, "anthropic": ANTHROPIC_FAULTS}
    return families.get(dialect.partition(".")[0], {})


IN_200 = Script(
    body=encoded({"error": {"message": "The engine is overloaded.", "type": "server_error", "param": None, "code": None}})
)
"""An error with status 200."""
GARBAGE = Script(body=b"\x00\xff\xfe not json {", events=(b"\x00\xff\xfe", b"data: {not json\n\n"))
"""Bytes that no dialect knows."""
HTML = Script(body=b"<!doctype html><title>Sign in</title>", content_type="text/html")
"""A page of a proxy in between, with status 200."""
