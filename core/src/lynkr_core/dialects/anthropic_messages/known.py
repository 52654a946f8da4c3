"""Prompts in which every key is one that we know, as nearly all are: read at once, with no fragment cut out.

Whatever else there is, a mistake too, is left to the careful readers: they cut out every block, keep what they do not know and say
where a mistake is. The types here are those of `vocabulary`, so such a prompt has no leftovers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages.blocks import NOTHING, Source, media, some
from lynkr_core.dialects.anthropic_messages.signatures import reasoning
from lynkr_core.request import Items, Message, Part, Reasoning, Text, Tool, ToolCall, ToolCallResponse, placed


class _Known(Struct, gc=False, forbid_unknown_fields=True, tag_field="type"):
    pass


class _Text(_Known, tag="text"):
    text: str
    citations: Raw = NOTHING
    cache_control: Raw = NOTHING


class _Source(Source, gc=False, forbid_unknown_fields=True):
    content: Raw = NOTHING


class _Image(_Known, tag="image"):
    source: _Source
    cache_control: Raw = NOTHING


class _Document(_Known, tag="document"):
    source: _Source
    title: str | None = None
    cache_control: Raw = NOTHING


class _Thinking(_Known, tag="thinking"):
    thinking: str
    signature: str | None = None


class _Redacted(_Known, tag="redacted_thinking"):
    data: str


class _Call(_Known, tag="tool_use"):
    id: str
    name: str
    input: Raw = NOTHING
    cache_control: Raw = NOTHING


_Plain = _Text | _Image | _Document


class _Result(_Known, tag="tool_result"):
    tool_use_id: str
    content: str | list[_Plain] | None = None
    is_error: bool | None = None
    cache_control: Raw = NOTHING


_Block = _Plain | _Thinking | _Redacted | _Call | _Result


class _Turn(Struct, gc=False, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block] | None = None


class WireTool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    input_schema: Raw = NOTHING
    cache_control: Raw = NOTHING


class _Tool(WireTool, gc=False, forbid_unknown_fields=True):
    pass


_turns = msgspec.json.Decoder(list[_Turn])
_system = msgspec.json.Decoder(list[_Plain])
_tools = msgspec.json.Decoder(list[_Tool])


def read_known_messages(raw: Raw) -> tuple[Message, ...] | None:
    """The messages; None when there is something in them that is not known."""
    items = Items(raw)
    try:
        return tuple([_message(turn, placed(items, i)) for i, turn in enumerate(_turns.decode(raw))])
    except UNREADABLE:
        return None


def read_known_system(raw: Raw) -> tuple[Part, ...] | None:
    """The blocks of a system prompt that has no other than known ones."""
    try:
        return _parts(_system.decode(raw), Items(raw))
    except UNREADABLE:
        return None


def read_known_tools(raw: Raw) -> tuple[Tool, ...] | None:
    items = Items(raw)
    try:
        return tuple([tool_of(tool, placed(items, i)) for i, tool in enumerate(_tools.decode(raw))])
    except UNREADABLE:
        return None


def tool_of(tool: WireTool, native: Raw) -> Tool:
    """A tool without a type is a function; every other type is a built-in one and keeps its name as `kind`."""
    return Tool(
        name=tool.name,
        kind="function" if tool.type in (None, "custom") else tool.type or "",
        description=tool.description,
        parameters=some(tool.input_schema),
        strict=tool.strict,
        cache=some(tool.cache_control),
        native=native,
    )


def _message(turn: _Turn, native: Raw) -> Message:
    return Message(role=turn.role, parts=_content(turn.content, native), native=native)


def _content(content: str | list[_Block] | list[_Plain] | None, native: Raw) -> tuple[Part, ...]:
    """The parts of what is called `content` in the object `native`."""
    if isinstance(content, str):
        return (Text(text=content),)
    return _parts(content, Items(native, "content")) if content else ()


def _parts(blocks: list[_Block] | list[_Plain], items: Items) -> tuple[Part, ...]:
    if len(blocks) == 1:
        return (_part(blocks[0], placed(items, 0)),)
    return tuple([_part(block, placed(items, i)) for i, block in enumerate(blocks)])


def _part(block: _Block, native: Raw) -> Part:
    return _PARTS[type(block)](block, native)


def _text(block: _Text, native: Raw) -> Part:
    if block.citations is block.cache_control is NOTHING:
        return Text(text=block.text, native=native)
    return Text(text=block.text, annotations=some(block.citations), cache=some(block.cache_control), native=native)


def _call(block: _Call, native: Raw) -> Part:
    arguments = str(block.input, "utf-8") if block.input else "{}"
    return ToolCall(id=block.id, name=block.name, arguments=arguments, cache=some(block.cache_control), native=native)


def _result(block: _Result, native: Raw) -> Part:
    return ToolCallResponse(
        id=block.tool_use_id, content=_content(block.content, native), is_error=block.is_error is True,
        cache=some(block.cache_control), native=native,
    )  # fmt: skip


_PARTS: dict[type, Callable[[Any, Raw], Part]] = {
    _Text: _text,
    _Call: _call,
    _Result: _result,
    _Thinking: lambda block, native: reasoning(block.thinking, block.signature, native=native),
    _Redacted: lambda block, native: Reasoning(encrypted=block.data, native=native),
    _Image: lambda block, native: media("image", block.source, None, cache=some(block.cache_control), native=native),
    _Document: lambda block, native: media("document", block.source, block.title, cache=some(block.cache_control), native=native),
}
