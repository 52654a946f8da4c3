"""Every text of a request, in its order, and the request with some of them changed."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from msgspec import Raw, structs
from msgspec.json import Decoder, Encoder

from lynkr_core.request import (
    Blob,
    Generic,
    Message,
    Part,
    Reasoning,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    Uri,
)

Where = Literal["requests", "tools"]
Form = Literal["text", "json"]
Change = Callable[[str, Where, Form], str]
"""Gets a text, whether a tool has said it, and whether it is JSON; gives what stands in its place, the very same where nothing does."""
READ = frozenset((
    "role", "content", "name", "type", "id", "tool_calls", "tool_call_id", "tool_use_id", "call_id", "text", "refusal", "source", "image_url",
    "input", "input_audio", "file", "file_data", "arguments", "function", "custom", "output", "summary", "thinking", "signature", "data",
    "cache_control", "encrypted_content", "reasoning", "reasoning_content", "reasoning_details", "reasoning_signature", "audio",
))  # fmt: skip
"""Fields of messages and parts that are looked through as what they mean, or that nobody may change."""
FIELDS = Decoder(dict[str, Raw])
ENCODER = Encoder()
T = TypeVar("T")
N = TypeVar("N", Part, Message, Tool)


def changed(request: Request, change: Change) -> Request:
    """The request with what `change` makes of its texts; the very same when that leaves all as they are."""
    edits: dict[str, object] = {}
    _put(edits, "tools", request.tools, _each(request.tools, lambda tool: _tool(tool, change)))
    _put(edits, "system", request.system, _each(request.system, lambda part: _part(part, change, "requests")))
    _put(edits, "messages", request.messages, _each(request.messages, lambda message: _message(message, change)))
    _put(edits, "extra", request.extra, _extra(request, change))
    _put(edits, "stop", request.stop, _each(request.stop, lambda text: change(text, "requests", "text")))
    if request.response_format is not None:
        _put(edits, "response_format", request.response_format, _form(request.response_format, change))
    for key in ("user", "cache_key"):
        value: str | None = getattr(request, key)
        if value:
            _put(edits, key, value, change(value, "requests", "text"))
    if request.metadata is not None:
        _put(edits, "metadata", request.metadata, _raw(request.metadata, change))
    return request.edit(**edits) if edits else request


def _put(edits: dict[str, object], key: str, before: T, after: T) -> None:
    if after is not before:
        edits[key] = after


def _each(values: tuple[T, ...], change: Callable[[T], T]) -> tuple[T, ...]:
    after = [change(value) for value in values]
    return tuple(after) if any(new is not old for new, old in zip(after, values, strict=True)) else values


def _extra(request: Request, change: Change) -> object:
    after = {key: _raw(raw, change) for key, raw in request.extra.items()}
    return after if any(after[key] is not raw for key, raw in request.extra.items()) else request.extra


def _form(wanted: ResponseFormat, change: Change) -> ResponseFormat:
    edits = _described(wanted.description, "schema", wanted.schema, change)
    return structs.replace(wanted, **edits) if edits else wanted


def _described(description: str | None, key: str, schema: Raw | None, change: Change) -> dict[str, object]:
    """What becomes of a description, and of the schema that stands under `key`."""
    edits: dict[str, object] = {}
    if description:
        _put(edits, "description", description, change(description, "requests", "text"))
    if schema is not None:
        _put(edits, key, schema, _raw(schema, change))
    return edits


def _raw(raw: Raw, change: Change, where: Where = "requests") -> Raw:
    text = bytes(raw).decode("utf-8", "surrogatepass")
    after = change(text, where, "json")
    return raw if after is text else Raw(after.encode("utf-8", "surrogatepass"))


def _message(message: Message, change: Change) -> Message:
    where: Where = "tools" if message.role == "tool" else "requests"
    edits: dict[str, object] = {}
    _put(edits, "parts", message.parts, _each(message.parts, lambda part: _part(part, change, where)))
    if message.name:
        _put(edits, "name", message.name, change(message.name, "requests", "text"))
    return _beside(message.edit(**edits) if edits else message, change, where)


def _beside(node: N, change: Change, where: Where) -> N:
    """With what stands in fields that the model has none for, and that go on as they came."""
    native = node.native if not node.known else None
    if native is None or not bytes(native).startswith(b"{"):
        return node
    fields = FIELDS.decode(native)
    after = {key: raw if key in READ else _raw(raw, change, where) for key, raw in fields.items()}
    if all(after[key] is raw for key, raw in fields.items()):
        return node
    return structs.replace(node, native=Raw(ENCODER.encode(after)))


def _tool(tool: Tool, change: Change) -> Tool:
    edits = _described(tool.description, "parameters", tool.parameters, change)
    return tool.edit(**edits) if edits else tool


def _part(part: Part, change: Change, where: Where) -> Part:
    after = _said(part, change, where)
    return after if isinstance(after, Generic | Reasoning) else _beside(after, change, where)


def _said(part: Part, change: Change, where: Where) -> Part:
    """Reasoning with a signature goes back as the provider wrote it, which has seen nothing but masks."""
    match part:
        case Text(text=text):
            return _edited(part, "text", text, change(text, where, "text"))
        case Reasoning(text=text, signature=None, encrypted=None):
            return _edited(part, "text", text, change(text, where, "text"))
        case ToolCall(arguments=arguments, kind=kind):
            return _edited(part, "arguments", arguments, change(arguments, "requests", "json" if kind == "function" else "text"))
        case ToolCallResponse(content=content):
            return _edited(part, "content", content, _each(content, lambda inner: _part(inner, change, "tools")))
        case Uri(uri=uri):
            return _edited(part, "uri", uri, change(uri, where, "text"))
        case Blob(mime_type=mime, data=data) if mime.startswith("text/") or mime == "application/json":
            return _edited(part, "data", data, _decoded(data, change, where))
        case Generic(native=native) if native is not None:
            after = _raw(native, change)
            return part if after is native else structs.replace(part, native=after)
        case _:
            return part


def _edited(part: Part, key: str, before: object, after: object) -> Part:
    return part if after is before else part.edit(**{key: after})


def _decoded(data: str, change: Change, where: Where) -> str:
    """A text file, as it comes: in base64."""
    try:
        text = b64decode(data, validate=True).decode()
    except ValueError:
        return data
    after = change(text, where, "text")
    return data if after is text else b64encode(after.encode()).decode()


def texts_of(parts: Iterable[Part]) -> list[str]:
    """What can be read of an answer."""
    return [
        part.arguments if isinstance(part, ToolCall) else part.text
        for part in parts
        if isinstance(part, Text | ToolCall | Reasoning)
    ]
