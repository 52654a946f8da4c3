"""Content blocks and messages as they come over the wire."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages.signatures import reasoning
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, File, Generic, Message, Part, Reasoning, Role, Text, ToolCall, ToolCallResponse, Uri

Content = str | list[Raw] | None
"""A string, an array of blocks, or nothing; read with what holds it, as each level that is read for itself costs a pass over the bytes."""
NOTHING = Raw(b"")
_NULL = Raw(b"null")
_QUOTE = 34
ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class Block(Struct):
    """Any content block: the keys of every known type."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None
    title: str | None = None
    input: Raw = NOTHING
    content: Content = None
    source: Raw = NOTHING
    citations: Raw = NOTHING
    cache_control: Raw = NOTHING


class _Typed(Struct):
    type: str
    cache_control: Raw = NOTHING


class Source(Struct):
    """Where an image or a document comes from."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


class _Message(Struct):
    role: str
    content: Content = None


_block = msgspec.json.Decoder(Block)
_typed = msgspec.json.Decoder(_Typed)
_source = msgspec.json.Decoder(Source)
_message = msgspec.json.Decoder(_Message)
_content: msgspec.json.Decoder[Content] = msgspec.json.Decoder(Content)
_list = msgspec.json.Decoder(list[Raw])


def is_string(raw: Raw) -> bool:
    """Whether a fragment is a JSON string."""
    return memoryview(raw)[0] == _QUOTE


def some(raw: Raw) -> Raw | None:
    """The value, or None when it is missing or null."""
    return raw if raw and raw != _NULL else None


def read_list(raw: Raw, path: str) -> list[Raw]:
    """The items of a JSON array, undecoded. Raises `InvalidRequest`."""
    try:
        return _list.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def read_message(raw: Raw, path: str) -> Message:
    try:
        message = _message.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None
    role = ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(f"{path}.role: expected user, assistant or system, got {message.role!r}", param=f"{path}.role")
    return Message(role=role, parts=parts_of(message.content, f"{path}.content"), native=raw)


def read_content(raw: Raw, path: str) -> tuple[Part, ...]:
    """The parts of a value that is content. Raises `InvalidRequest`."""
    if not raw:
        return ()
    try:
        return parts_of(_content.decode(raw), path)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def parts_of(content: Content, path: str) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple([read_block(block, f"{path}[{i}]") for i, block in enumerate(content)])


def read_block(raw: Raw, path: str) -> Part:
    """One block; a type we do not know becomes a `Generic` part. Raises `InvalidRequest`."""
    try:
        block = _block.decode(raw)
    except UNREADABLE as error:
        return _generic(raw, path, error)
    reader = _READERS.get(block.type)
    if reader is None:
        return Generic(type=block.type, native=raw, cache=some(block.cache_control))
    return reader(block, raw, path)


def _generic(raw: Raw, path: str, error: Exception) -> Part:
    """An unknown type may use our keys for something else; only for the known ones is that a mistake."""
    try:
        typed = _typed.decode(raw)
    except UNREADABLE:
        raise InvalidRequest(f"{path}: {error}", param=path) from None
    if typed.type in _READERS:
        raise InvalidRequest(f"{path}: {error}", param=path)
    return Generic(type=typed.type, native=raw, cache=some(typed.cache_control))


def _need(value: str | None, path: str, key: str) -> str:
    if value is None:
        raise InvalidRequest(f"{path}.{key}: required", param=f"{path}.{key}")
    return value


def _read_text(block: Block, raw: Raw, path: str) -> Part:
    text = _need(block.text, path, "text")
    return Text(text=text, annotations=some(block.citations), cache=some(block.cache_control), native=raw)


def _read_thinking(block: Block, raw: Raw, path: str) -> Part:
    return reasoning(_need(block.thinking, path, "thinking"), block.signature, native=raw)


def _read_redacted(block: Block, raw: Raw, path: str) -> Part:
    return Reasoning(encrypted=_need(block.data, path, "data"), native=raw)


def _read_call(block: Block, raw: Raw, path: str) -> Part:
    id, name = _need(block.id, path, "id"), _need(block.name, path, "name")
    try:
        arguments = bytes(block.input).decode() if block.input else "{}"
    except UnicodeDecodeError as error:  # passed over unread until now
        raise InvalidRequest(f"{path}.input: {error}", param=f"{path}.input") from None
    return ToolCall(id=id, name=name, arguments=arguments, cache=some(block.cache_control), native=raw)


def _read_result(block: Block, raw: Raw, path: str) -> Part:
    content = parts_of(block.content, f"{path}.content")
    id, cache = _need(block.tool_use_id, path, "tool_use_id"), some(block.cache_control)
    return ToolCallResponse(id=id, content=content, is_error=bool(block.is_error), cache=cache, native=raw)


def _read_media(block: Block, raw: Raw, path: str) -> Part:
    """A source that is not what it should be stays as it came."""
    try:
        source = _source.decode(block.source) if block.source else Source()
    except UNREADABLE:
        source = Source()  # a document made of content blocks, for one
    return media(
        "image" if block.type == "image" else "document", source, block.title, cache=some(block.cache_control), native=raw
    )


def media(modality: Literal["image", "document"], source: Source, name: str | None, **part: Any) -> Part:
    """An image or a document, by its source; a kind of source that we do not know stays as it came."""
    match source.type:
        case "base64":
            return Blob(modality=modality, mime_type=source.media_type, data=source.data, name=name, **part)
        case "text":
            data = base64.b64encode(source.data.encode()).decode()
            return Blob(modality=modality, mime_type="text/plain", data=data, name=name, **part)
        case "url":
            return Uri(modality=modality, uri=source.url, name=name, **part)
        case "file":
            return File(modality=modality, file_id=source.file_id, **part)
        case _:
            return Generic(type=modality, **part)


_READERS: dict[str, Callable[[Block, Raw, str], Part]] = {
    "text": _read_text,
    "thinking": _read_thinking,
    "redacted_thinking": _read_redacted,
    "tool_use": _read_call,
    "tool_result": _read_result,
    "image": _read_media,
    "document": _read_media,
}
