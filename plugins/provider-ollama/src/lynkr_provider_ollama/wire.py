"""The shapes of Ollama's native API, as its Python client 0.6.3 declares them; everything may be missing or null.

`id` and `tool_call_id` are newer than that client: servers that know them pair calls with results by them, the others pass them over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, opens_with
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.openai_chat.wire import NOTHING, NULL, given, lists, objects, read, texts
from lynkr_core.errors import InvalidRequest, UpstreamError

__all__ = ["NOTHING", "NULL", "given", "lists", "objects", "read", "texts"]

encode = msgspec.json.Encoder().encode
Fragment = dict[str, Any]


class Called(Struct):
    name: str = ""
    arguments: Raw = NOTHING


class Call(Struct):
    """A tool call; `arguments` is an object."""

    function: Called
    id: str | None = None


class WireMessage(Struct):
    """A message of a request, and what a line of an answer has of one."""

    role: str = ""
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[Raw] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class Line(Struct):
    """A whole answer, or one line of a stream. `response` and `thinking` are what `/api/generate` has instead of a message."""

    model: str | None = None
    created_at: str | None = None
    message: WireMessage | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: Raw = NOTHING
    error: Raw = NOTHING


lines = msgspec.json.Decoder(Line)
calls = msgspec.json.Decoder(Call)
messages = msgspec.json.Decoder(WireMessage)


def read_line(data: bytes) -> Line:
    """A line that tells of the answer. Raises `UpstreamError` for an error, and for what is no line of this API."""
    try:
        line = lines.decode(data)
    except UNREADABLE as error:
        if isinstance(error, msgspec.ValidationError):
            raise UpstreamError("server", f"the answer is not one of Ollama's: {error}") from None
        raise UpstreamError("server", f"the answer is not JSON: {excerpt(data) or 'it is empty'}") from None
    if given(line.error) is not None:
        raise failure(None, {}, data)
    if line.message is None:
        if line.response is None and not line.done:
            raise UpstreamError("server", "the answer is not one of Ollama's: it has no message")
        line.message = WireMessage(content=line.response, thinking=line.thinking)
    return line


class Told(Struct):
    error: str = ""


_told = msgspec.json.Decoder(Told)


def failure(status: int | None, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamError:
    """`{"error": "words"}`; the words may be the JSON of another server's error, which a model runner or the cloud gave."""
    try:
        inner = _told.decode(body).error
    except UNREADABLE:
        inner = ""
    return upstream_error(status, headers, inner.encode() if inner.startswith("{") else body)


def read_object(raw: Raw, path: str) -> dict[str, Raw]:
    """The keys of an object that may be missing. Raises `InvalidRequest`."""
    found = given(raw)
    if found is None:
        return {}
    if not opens_with(found, b"{"):
        raise InvalidRequest(f"{path}: expected an object", param=path)
    return read(objects, found, path)


def as_object(arguments: str) -> Any:
    """A call's arguments as the object that this API wants. Free text, and JSON that was never finished, goes under `input`."""
    try:
        objects.decode(arguments or "{}")
    except UNREADABLE:
        return {"input": arguments}
    return Raw((arguments or "{}").encode())
