"""Input items, both ways. One item is one message; a message of another dialect becomes as many items as it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.callids import bare
from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_responses.content import Content, Typed, read_content, write_content
from lynkr_core.dialects.openai_responses.sealing import FOREIGN_REASONING, is_foreign, reasoning, seal
from lynkr_core.dialects.openai_responses.tools import qualified
from lynkr_core.dialects.openai_responses.wire import (
    NOTHING,
    Wire,
    changes,
    fields,
    fragments,
    is_object,
    is_string,
    lose,
    read,
    some,
    string,
)  # fmt: skip
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Generic, Message, Part, Reasoning, Role, Text, ToolCall, ToolCallResponse

MAX_CALL_ID = 64
ADDITIONAL_TOOLS = "additional_tools"
"""An item that brings tools and is no part of the conversation: Codex CLI sends its tools so for the models it knows."""
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}


class _Item(Struct):
    """The keys of every known type."""

    type: str | None = None
    role: str | None = None
    content: Content = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Raw = NOTHING
    input: Raw = NOTHING
    output: Content = None
    summary: Content = None
    encrypted_content: str | None = None


class _Summary(Struct):
    text: str = ""


_item = msgspec.json.Decoder(_Item)
_typed = msgspec.json.Decoder(Typed)
_ADDITIONAL = re.compile(rb'"type"\s*:\s*"additional_tools"')
_summary_decoder = msgspec.json.Decoder(_Summary)


def read_input(raw: Raw | None) -> tuple[Message, ...]:
    """A string, or an array of items. Raises `InvalidRequest`."""
    raw = some(raw)
    if raw is None:
        return ()
    if is_string(raw):
        return (Message(role="user", parts=(Text(text=read(string, raw, "input")),), native=raw),)
    messages = [read_item(item, f"input[{i}]") for i, item in enumerate(read(fragments, raw, "input"))]
    return tuple([message for message in messages if not _brings_tools(message)])


def _brings_tools(message: Message) -> bool:
    part = message.parts[0] if len(message.parts) == 1 else None
    return isinstance(part, Generic) and part.type == ADDITIONAL_TOOLS


class ToolItem(Struct):
    """An `additional_tools` item: its place in `input`, its fragment, and that of its tools."""

    index: int
    native: Raw
    tools: Raw


def tool_items(raw: Raw | None) -> list[ToolItem]:
    """Nothing is decoded when there are none."""
    raw = some(raw)
    if raw is None or is_string(raw) or _ADDITIONAL.search(raw) is None:
        return []
    items = enumerate(read(fragments, raw, "input"))
    return [
        ToolItem(i, item, fields.decode(item).get("tools", NOTHING)) for i, item in items if _type_of(item) == ADDITIONAL_TOOLS
    ]


def _type_of(item: Raw) -> str | None:
    return read(_typed, item, "input").type


def read_item(raw: Raw, path: str = "input") -> Message:
    """One item; a type we do not know becomes a `Generic` part. Raises `InvalidRequest`."""
    try:
        item = _item.decode(raw)
    except UNREADABLE as error:
        type_ = read(_typed, raw, path).type  # an unknown type may use our keys for something else
        if type_ is None or type_ in _READERS or type_ == "message":
            raise InvalidRequest(f"{path}: {error}", param=path) from None
        return Message(role="assistant", parts=(Generic(type=type_, native=raw),), native=raw)
    if item.type == "message" or (item.type is None and item.role is not None):
        return _read_message(item, raw, path)
    part = _READERS.get(item.type or "", _read_generic)(item, raw, path)
    role: Role = "tool" if isinstance(part, ToolCallResponse) else "assistant"
    return Message(role=role, parts=(part,), id=item.id, native=raw)


def _read_message(item: _Item, raw: Raw, path: str) -> Message:
    role = _ROLES.get(item.role or "")
    if role is None:
        message = f"{path}.role: expected user, assistant, system or developer, got {item.role!r}"
        raise InvalidRequest(message, param=f"{path}.role")
    return Message(role=role, parts=read_content(item.content, f"{path}.content"), id=item.id, native=raw)


def _need(value: str | None, path: str, key: str) -> str:
    if not value:
        raise InvalidRequest(f"{path}.{key}: required", param=f"{path}.{key}")
    return value


def _text(raw: Raw, path: str, default: str) -> str:
    """A string; another JSON value as its text."""
    if some(raw) is None:
        return default
    try:
        return read(string, raw, path) if is_string(raw) else bytes(raw).decode()
    except UnicodeDecodeError as error:  # passed over unread until now
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def _read_call(item: _Item, raw: Raw, path: str) -> Part:
    name = qualified(item.namespace, _need(item.name, path, "name"))
    arguments = _text(item.arguments, f"{path}.arguments", "{}")
    return ToolCall(id=_need(item.call_id, path, "call_id"), name=name, arguments=arguments, native=raw)


def _read_custom_call(item: _Item, raw: Raw, path: str) -> Part:
    name = qualified(item.namespace, _need(item.name, path, "name"))
    text = _text(item.input, f"{path}.input", "")
    return ToolCall(id=_need(item.call_id, path, "call_id"), name=name, arguments=text, kind="custom", native=raw)


def _read_output(item: _Item, raw: Raw, path: str) -> Part:
    content = read_content(item.output, f"{path}.output")
    return ToolCallResponse(id=_need(item.call_id, path, "call_id"), content=content, name=item.name, native=raw)


def _read_custom_output(item: _Item, raw: Raw, path: str) -> Part:
    content = read_content(item.output, f"{path}.output")
    return ToolCallResponse(id=_need(item.call_id, path, "call_id"), content=content, name=item.name, kind="custom", native=raw)


def _read_reasoning(item: _Item, raw: Raw, path: str) -> Part:
    texts = [text for one in (item.summary, item.content) for text in _summary(one, path)]
    return reasoning(texts, item.id, item.encrypted_content, raw)


def _summary(content: Content, path: str) -> list[str]:
    return [read(_summary_decoder, one, path).text for one in content] if isinstance(content, list) else []


def _read_generic(item: _Item, raw: Raw, path: str) -> Part:
    return Generic(type=item.type or "item_reference", native=raw)


_READERS: dict[str, Callable[[_Item, Raw, str], Part]] = {
    "function_call": _read_call,
    "function_call_output": _read_output,
    "custom_tool_call": _read_custom_call,
    "custom_tool_call_output": _read_custom_output,
    "reasoning": _read_reasoning,
}

_ITEMS = (ToolCall, ToolCallResponse, Reasoning)  # parts that are items by themselves


def write_items(messages: Sequence[Message], own: bool, losses: list[str]) -> list[Any]:
    """The items of these messages. `own`: their fragments are of this dialect."""
    return [item for message in messages for item in write_message(message, own, losses)]


def write_message(message: Message, own: bool, losses: list[str]) -> list[Any]:
    """As it came when nothing changed; otherwise results first, then the rest in its order."""
    native = message.native if own and is_object(message.native) else None
    if native is not None and not message.edited:
        return [native] if _own_vendor(native, losses) else []
    if message.name:
        lose(losses, "messages.name: the Responses API has no names of speakers")
    items: list[Any] = []
    group: list[Part] = []
    for part in sorted(message.parts, key=_comes_later) if ToolCallResponse in map(type, message.parts) else message.parts:
        if isinstance(part, _ITEMS) or (native is not None and part.native is native):
            if group:
                items += _write_group(message, group, native, own, losses)
                group = []
            items += _write_item(part, own, losses)
        else:
            group.append(part)
    return [*items, *_write_group(message, group, native, own, losses)] if group else items


def _comes_later(part: Part) -> bool:
    return not isinstance(part, ToolCallResponse)


def _own_vendor(native: Raw, losses: list[str]) -> bool:
    if is_foreign(native):
        lose(losses, FOREIGN_REASONING)
        return False
    return True


def _write_group(message: Message, parts: list[Part], native: Raw | None, own: bool, losses: list[str]) -> list[Any]:
    """Text, images and files as one `message` item. An assistant's empty text says nothing."""
    assistant = message.role == "assistant"
    content: Any = write_content(parts, assistant, own, losses)
    if not content and (assistant or not isinstance(content, str)):
        return []
    wire: Wire = {"type": "message", "role": "user" if message.role == "tool" else message.role, "content": content}
    if native is None:
        return [wire]
    before = read_item(native)
    if any(part.native is native for part in before.parts):
        return [wire]  # text added to a message that was a call, a result or reasoning
    old = {"type": "message", "role": before.role, "content": write_content(before.parts, assistant, own, losses)}
    return [splice(native, changes(wire, old))]


def _write_item(part: Part, own: bool, losses: list[str]) -> list[Any]:
    """A part that is an item by itself."""
    native = part.native if own else None
    if native is not None and not _own_vendor(native, losses):
        return []
    if native is not None and not part.edited:
        return [native]
    wire = _wire(part, own, losses)
    if native is None or wire is None:
        return [] if wire is None else [wire]
    before = _wire(read_item(native).parts[0], own, losses) or {}
    return [splice(native, changes(wire, before))]


def _wire(part: Part, own: bool, losses: list[str]) -> Wire | None:
    match part:
        case ToolCall():
            return _wire_call(part, call_id(part.id, own), named(part, own))
        case ToolCallResponse():
            if part.is_error:
                lose(losses, "tool_result.is_error: the Responses API has no mark for a failed call")
            kind = "custom_tool_call_output" if part.kind == "custom" else "function_call_output"
            output = write_content(part.content, False, own, losses) or ""
            return {"type": kind, "call_id": call_id(part.id, own), "output": output}
        case Reasoning():
            return _wire_reasoning(part, losses)
        case _:
            return None


def _wire_call(call: ToolCall, id: str, name: str) -> Wire:
    if call.kind == "custom":
        return {"type": "custom_tool_call", "call_id": id, "name": name, "input": call.arguments}
    return {"type": "function_call", "call_id": id, "name": name, "arguments": call.arguments if call.arguments.strip() else "{}"}


def _wire_reasoning(part: Reasoning, losses: list[str]) -> Wire | None:
    """Only OpenAI's own, known by its item id and encrypted content, is taken back."""
    if part.encrypted is None or part.id is None:
        lose(losses, FOREIGN_REASONING)
        return None
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"type": "reasoning", "id": part.id, "summary": summary, "encrypted_content": seal(part)}


def named(call: ToolCall, own: bool) -> str:
    return call.name if own else safe_name(call.name)


def call_id(id: str, own: bool) -> str:
    """A call's id, the same for call and result; OpenAI takes 1 to 64 characters."""
    if own:
        return id
    id = bare(id) or "call_0"
    return id if len(id) <= MAX_CALL_ID else f"call_{sha256(id.encode()).hexdigest()[:40]}"
