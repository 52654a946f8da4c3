"""Input of the usual form in which every key is one that we know: read at once, with no fragment cut out.

Whatever else there is, a mistake too, is left to the careful readers: they cut out every item, keep what they do not know and say
where a mistake is. The types here are within those of `vocabulary`, so such an input has no leftovers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_responses.content import image
from lynkr_core.dialects.openai_responses.sealing import reasoning
from lynkr_core.dialects.openai_responses.tools import qualified
from lynkr_core.dialects.openai_responses.wire import NOTHING, some
from lynkr_core.request import Items, Message, Part, Role, Text, Tool, ToolCall, ToolCallResponse, placed

_Name = Annotated[str, Meta(min_length=1)]


class _Known(Struct, gc=False, forbid_unknown_fields=True, tag_field="type"):
    pass


class _Input(_Known, tag="input_text"):
    text: str


class _Output(_Known, tag="output_text"):
    text: str
    annotations: Raw = NOTHING
    logprobs: Raw = NOTHING


class _Image(_Known, tag="input_image"):
    image_url: str
    detail: str | None = None
    file_id: None = None


_Piece = _Input | _Output | _Image


class _Item(_Known):
    id: str | None = None
    status: str | None = None


class _Message(_Item, tag="message", kw_only=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[_Piece] | None = None


class _Call(_Item, tag="function_call", kw_only=True):
    call_id: _Name
    name: _Name
    namespace: str | None = None
    arguments: str | None = None


class _CustomCall(_Item, tag="custom_tool_call", kw_only=True):
    call_id: _Name
    name: _Name
    namespace: str | None = None
    input: str | None = None


class _Result(_Item, tag="function_call_output", kw_only=True):
    call_id: _Name
    name: str | None = None
    output: str | list[_Piece] | None = None


class _CustomResult(_Result, tag="custom_tool_call_output"):
    pass


class _Summary(_Known, tag="summary_text"):
    text: str


class _Reasoning(_Item, tag="reasoning"):
    summary: list[_Summary] | None = None
    content: None = None
    encrypted_content: str | None = None


class _Function(_Known, tag="function"):
    name: _Name
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None


class _Custom(_Known, tag="custom"):
    name: _Name
    description: str | None = None
    format: Raw = NOTHING


_items = msgspec.json.Decoder(list[_Message | _Call | _CustomCall | _Result | _CustomResult | _Reasoning])
_tools = msgspec.json.Decoder(list[_Function | _Custom])


def read_known_input(raw: Raw) -> tuple[Message, ...] | None:
    """The messages of a list of items; None when there is something in them that is not known."""
    items = Items(raw)
    try:
        return tuple([_message(item, placed(items, i)) for i, item in enumerate(_items.decode(raw))])
    except UNREADABLE:
        return None


def read_known_tools(raw: Raw) -> tuple[Tool, ...] | None:
    items = Items(raw)
    try:
        return tuple([_tool(tool, placed(items, i)) for i, tool in enumerate(_tools.decode(raw))])
    except UNREADABLE:
        return None


def _tool(tool: _Function | _Custom, native: Raw) -> Tool:
    if isinstance(tool, _Custom):
        return Tool(name=tool.name, kind="custom", description=tool.description, native=native)
    return Tool(name=tool.name, description=tool.description, parameters=some(tool.parameters), strict=tool.strict, native=native)


def _message(item: _Message | _Call | _CustomCall | _Result | _Reasoning, native: Raw) -> Message:
    if isinstance(item, _Message):
        return Message(role=item.role, parts=_content(item.content, native, "content"), id=item.id, native=native)
    role: Role = "tool" if isinstance(item, _Result) else "assistant"
    part = _PARTS[type(item)](item, native)  # of an item that is a part by itself; both have the same fragment
    return Message(role=role, parts=(part,), id=item.id, native=native)


def _call(item: _Call, native: Raw) -> Part:
    arguments = "{}" if item.arguments is None else item.arguments
    return ToolCall(id=item.call_id, name=qualified(item.namespace, item.name), arguments=arguments, native=native)


def _custom_call(item: _CustomCall, native: Raw) -> Part:
    name = qualified(item.namespace, item.name)
    return ToolCall(id=item.call_id, name=name, arguments=item.input or "", kind="custom", native=native)


def _result(item: _Result, native: Raw) -> Part:
    return ToolCallResponse(id=item.call_id, content=_content(item.output, native, "output"), name=item.name, native=native)


def _custom_result(item: _CustomResult, native: Raw) -> Part:
    content = _content(item.output, native, "output")
    return ToolCallResponse(id=item.call_id, content=content, name=item.name, kind="custom", native=native)


def _reasoning(item: _Reasoning, native: Raw) -> Part:
    return reasoning([one.text for one in item.summary or ()], item.id, item.encrypted_content, native)


_PARTS: dict[type, Callable[[Any, Raw], Part]] = {
    _Call: _call,
    _CustomCall: _custom_call,
    _Result: _result,
    _CustomResult: _custom_result,
    _Reasoning: _reasoning,
}


def _content(content: str | list[_Piece] | None, native: Raw, key: str) -> tuple[Part, ...]:
    """The parts of what stands under `key` in the object `native`."""
    if isinstance(content, str):
        return (Text(text=content),)
    if not content:
        return ()
    items = Items(native, key)
    return tuple([_piece(piece, placed(items, i)) for i, piece in enumerate(content)])


def _piece(piece: _Piece, native: Raw) -> Part:
    match piece:
        case _Input():
            return Text(text=piece.text, native=native)
        case _Output():
            return Text(text=piece.text, annotations=some(piece.annotations), native=native)
        case _Image():
            return image(piece.image_url, piece.detail, native)
