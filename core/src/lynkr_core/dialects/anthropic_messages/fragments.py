"""Content blocks and messages as they are written: as they came where nothing changed, else made from the model."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from lynkr_core.dialect import UNREADABLE, opens_with
from lynkr_core.dialects.anthropic_messages.blocks import NOTHING, ROLES, is_string, read_block, read_message, some
from lynkr_core.dialects.anthropic_messages.names import safe_id, safe_name
from lynkr_core.dialects.splice import splice
from lynkr_core.request import Blob, File, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse, Uri

Wire = dict[str, Any]
Content = Callable[[Sequence[Part]], Any]
"""Writes the content of a tool result."""

_TRUE = Raw(b"true")
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_object = msgspec.json.Decoder(dict[str, Any])
encode = msgspec.json.Encoder().encode


def joined(fragments: Sequence[Raw]) -> Raw:
    """A JSON array of these values."""
    return Raw(b"[" + b",".join([bytes(fragment) for fragment in fragments]) + b"]")


def wire(part: Part, content: Content) -> Wire | None:
    """The part as a block of its own making, None when this dialect has no block for it."""
    block = _wire(part, content)
    if block is not None and part.cache is not None:
        block["cache_control"] = part.cache
    return block


def _wire(part: Part, content: Content) -> Wire | None:
    match part:
        case ToolCall():
            return {"type": "tool_use", "id": safe_id(part.id), "name": safe_name(part.name), "input": tool_input(part)}
        case ToolCallResponse():
            block: Wire = {"type": "tool_result", "tool_use_id": safe_id(part.id), "content": content(part.content)}
            return block | {"is_error": True} if part.is_error else block
        case Text():
            block = {"type": "text", "text": part.text}
            return block if part.annotations is None else block | {"citations": part.annotations}
        case Reasoning():
            if part.signature is None and part.encrypted is not None:
                return {"type": "redacted_thinking", "data": part.encrypted}
            return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}
        case _:
            return _wire_media(part)


def tool_input(call: ToolCall) -> Any:
    """The arguments as a JSON object; what is not one is put into one, under `input`."""
    if call.kind == "function":
        if not call.arguments or call.arguments.isspace():
            return {}
        try:
            _object.decode(call.arguments)
            return Raw(call.arguments)
        except UNREADABLE:
            pass
    return {"input": call.arguments.encode("utf-8", "replace").decode()}


def _wire_media(part: Part) -> Wire | None:
    """Only images and documents have blocks."""
    modality = getattr(part, "modality", None)
    if modality not in ("image", "document"):
        return None
    source = _wire_source(part)
    if source is None:
        return None
    name = getattr(part, "name", None)
    return {"type": modality, "source": source} | ({"title": name} if name and modality == "document" else {})


def _wire_source(part: Part) -> Wire | None:
    match part:
        case Blob(mime_type="text/plain", modality="document"):
            try:
                return {
                    "type": "text",
                    "media_type": "text/plain",
                    "data": base64.b64decode(part.data).decode("utf-8", "replace"),
                }
            except (binascii.Error, ValueError):
                return None
        case Blob():
            return {"type": "base64", "media_type": part.mime_type, "data": part.data}
        case Uri():
            return _wire_uri(part.uri)
        case File():
            return {"type": "file", "file_id": part.file_id}
        case _:
            return None


def _wire_uri(uri: str) -> Wire:
    head, comma, data = uri.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return {"type": "url", "url": uri}
    return {"type": "base64", "media_type": head[5:].partition(";")[0], "data": data}


def changed(old: Wire, new: Wire) -> Wire:
    """The keys that differ; a key that is gone is `UNSET`."""
    gone: Wire = {key: UNSET for key in old if key not in new}
    return gone | {key: value for key, value in new.items() if key not in old or old[key] != value}


def respelt(native: Raw, old: Wire, new: Wire) -> Raw:
    """The fragment with only the changed keys replaced."""
    changes = changed(old, new)
    return splice(native, changes) if changes else native


def render(part: Part) -> Raw | None:
    """A part of something that came in this dialect, its fragment if it was not changed. None when there is no block for it."""
    native = part.native
    if native is None or is_string(native):
        block = wire(part, render_content)
        return None if block is None else Raw(encode(block))
    if not part.edited:
        return native
    if (reworded := _reworded(part, native)) is not None:
        return reworded
    new, old = wire(part, render_content), wire(read_block(native, "block"), render_content)
    return native if new is None or old is None else respelt(native, old, new)


def _reworded(part: Part, native: Raw) -> Raw | None:
    """The fragment of a text or result of which nothing but what it says was changed; None for any other.

    What it said before need not be read for that: compressors edit hundreds of long results at once.
    """
    if not isinstance(part, (Text, ToolCallResponse)):
        return None
    fields = _fields(native)
    if some(fields.get("cache_control", NOTHING)) != part.cache:
        return None
    if isinstance(part, Text):
        if some(fields.get("citations", NOTHING)) != part.annotations:
            return None
        fields["text"] = Raw(encode(part.text))
    else:
        if fields.get("tool_use_id") != Raw(encode(part.id)) or (fields.get("is_error") == _TRUE) != part.is_error:
            return None
        fields["content"] = render_content(part.content)
    return Raw(encode(fields))


def render_content(parts: Sequence[Part]) -> Any:
    """A string if it was one, or is one plain text; else an array of blocks."""
    if _is_plain(parts):
        only = parts[0]
        assert isinstance(only, Text)
        return only.native if only.native is not None and not only.edited else Raw(encode(only.text))
    return joined([block for block in map(render, parts) if block is not None])


def _is_plain(parts: Sequence[Part]) -> bool:
    return len(parts) == 1 and isinstance(parts[0], Text) and _plain(parts[0])


def _plain(text: Text) -> bool:
    if text.native is not None:
        return is_string(text.native)
    return text.cache is None and text.annotations is None


def wire_message(message: Message) -> Wire:
    role = message.role if message.role in ROLES else "user"
    return {"role": role, "content": render_content(message.parts)}


def render_message(message: Message) -> Raw:
    """The message of a request that came in this dialect."""
    if message.native is None:
        return Raw(encode(wire_message(message)))
    if not message.edited:
        return message.native
    fields, role = _fields(message.native), message.role if message.role in ROLES else "user"
    content = fields.get("content", NOTHING)
    if content and opens_with(content, b"[") and fields.get("role") == Raw(encode(role)) and not _is_plain(message.parts):
        fields["content"] = render_content(message.parts)
        return Raw(encode(fields))
    old = read_message(message.native, "message")
    return respelt(message.native, wire_message(old), wire_message(message))
