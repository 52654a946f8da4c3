"""Prompts of the usual form in which every key is one that we know: read at once, with no fragment cut out.

Whatever else there is, a mistake too, is left to the careful readers: they cut out every piece, keep what they do not know and say
where a mistake is. The types here are within those of `vocabulary`, so such a prompt has no leftovers.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_chat.content import pointed
from lynkr_core.dialects.openai_chat.message import annotated, legacy_id
from lynkr_core.dialects.openai_chat.tool import tool_of
from lynkr_core.dialects.openai_chat.wire import NOTHING, Extra, Pointer, ToolBody, given
from lynkr_core.request import Items, Message, Part, Reasoning, Text, Tool, ToolCall, ToolCallResponse, placed


class _Known(Struct, gc=False, forbid_unknown_fields=True):
    pass


class _Text(_Known, tag_field="type", tag="text"):
    text: str
    cache_control: Raw = NOTHING


class _Pointer(Pointer, gc=False, forbid_unknown_fields=True):
    pass


class _Image(_Known, tag_field="type", tag="image_url"):
    image_url: str | _Pointer
    cache_control: Raw = NOTHING


class _Function(_Known):
    name: Annotated[str, Meta(min_length=1)]
    arguments: str | None = None


class _Call(_Known):
    function: _Function
    id: str | None = None
    type: Literal["function"] | None = None
    index: int | None = None
    extra_content: Extra | None = None


class _Message(_Known):
    """What SDKs write as null when they send an answer back is here too."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Text | _Image] | None = None
    name: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    annotations: Raw = NOTHING
    audio: None = None
    function_call: None = None


class _Body(ToolBody, gc=False, forbid_unknown_fields=True):
    pass


class _Tool(_Known):
    function: _Body
    type: Literal["function"] = "function"
    cache_control: Raw = NOTHING


_messages = msgspec.json.Decoder(list[_Message])
_tools = msgspec.json.Decoder(list[_Tool])


def read_known_messages(raw: Raw) -> tuple[Message, ...] | None:
    """The messages; None when there is something in them that is not known."""
    items = Items(raw)
    try:
        return tuple([_message(message, placed(items, i)) for i, message in enumerate(_messages.decode(raw))])
    except UNREADABLE:
        return None


def read_known_tools(raw: Raw) -> tuple[Tool, ...] | None:
    items = Items(raw)
    try:
        tools = _tools.decode(raw)
    except UNREADABLE:
        return None
    return tuple([tool_of("function", tool.function, tool.cache_control, placed(items, i)) for i, tool in enumerate(tools)])


def _message(message: _Message, native: Raw) -> Message:
    content = _content(message.content, native)
    if message.role == "tool":
        id = message.tool_call_id or legacy_id(message.name)
        return Message(role="tool", parts=(ToolCallResponse(id=id, content=content, name=message.name),), native=native)
    parts = _answer(message, content, native) if message.role == "assistant" else content
    return Message(role=message.role, parts=parts, name=message.name, native=native)


def _content(content: str | list[_Text | _Image] | None, native: Raw) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(text=content),)
    if not content:
        return ()
    items = Items(native, "content")
    return tuple([_piece(piece, placed(items, i)) for i, piece in enumerate(content)])


def _piece(piece: _Text | _Image, native: Raw) -> Part:
    if isinstance(piece, _Text):
        return Text(text=piece.text, cache=given(piece.cache_control), native=native)
    return pointed("image", piece.image_url, native, given(piece.cache_control))


def _answer(message: _Message, content: tuple[Part, ...], native: Raw) -> tuple[Part, ...]:
    """In the order of `message.read_parts`."""
    parts: list[Part] = [Reasoning(text=message.reasoning_content)] if message.reasoning_content else []
    parts += content if message.annotations is NOTHING else annotated(content, given(message.annotations))
    if message.refusal:
        parts.append(Text(text=message.refusal, refusal=True))
    if message.tool_calls:
        items = Items(native, "tool_calls")
        parts += [_call(call, placed(items, i)) for i, call in enumerate(message.tool_calls)]
    return tuple(parts)


def _call(call: _Call, native: Raw) -> ToolCall:
    google = call.extra_content.google if call.extra_content else None
    return ToolCall(
        id=call.id or "", name=call.function.name, arguments=call.function.arguments or "{}", native=native,
        signature=google.thought_signature if google else None,
    )  # fmt: skip
