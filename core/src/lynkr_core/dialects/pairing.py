"""Whether each tool result of a conversation has its call before it: no provider takes one that has not.

Only ids and types are decoded, 0.7 µs for each KB; the conversation is looked at only where it has results at all. While the ids are
at hand, each check tells whether any of them may carry a signature: to search the whole conversation for one costs as much again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.callids import signed
from lynkr_core.errors import InvalidRequest

T = TypeVar("T")


class _Call(Struct, gc=False):
    id: str | None = None


class _ChatMessage(Struct, gc=False):
    role: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[_Call] | None = None


class _Block(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    tool_use_id: str | None = None


class _Turn(Struct, gc=False):
    content: str | list[_Block] | None = None


class _Item(Struct, gc=False):
    type: str | None = None
    call_id: str | None = None


_chat = msgspec.json.Decoder(list[_ChatMessage])
_turns = msgspec.json.Decoder(list[_Turn])
_items = msgspec.json.Decoder(list[_Item])
_HIDES = ("compaction", "compaction_summary", "item_reference")
"""Items that may stand for calls which cannot be seen."""


def check_chat(messages: Raw) -> bool:
    """OpenAI's chat messages. Raises `InvalidRequest`."""
    if b'"tool_call_id"' not in bytes(messages):
        return False
    called: set[str | None] = set()
    for index, message in enumerate(_decoded(_chat, messages, "messages")):
        if (calls := message.tool_calls) is not None:
            called.update([call.id for call in calls])
        elif (id := message.tool_call_id) is not None and id not in called and message.role == "tool":
            raise _orphan(f"messages[{index}].tool_call_id", id)
    return signed(called)


def check_turns(messages: Raw) -> bool:
    """Anthropic's messages. Raises `InvalidRequest`."""
    if b'"tool_result"' not in bytes(messages):
        return False
    called: set[str | None] = set()
    for index, turn in enumerate(_decoded(_turns, messages, "messages")):
        for place, block in enumerate(turn.content if isinstance(turn.content, list) else ()):
            if block.type == "compaction":
                return True
            if block.type == "tool_result" and block.tool_use_id is not None and block.tool_use_id not in called:
                raise _orphan(f"messages[{index}].content[{place}].tool_use_id", block.tool_use_id)
            called.add(block.id)
    return signed(called)


def check_items(items: Raw) -> bool:
    """The input items of OpenAI's Responses API. Raises `InvalidRequest`."""
    if b"_call_output" not in bytes(items):
        return False
    called: set[str | None] = set()
    for index, item in enumerate(_decoded(_items, items, "input")):
        if item.type in _HIDES:
            return True
        if item.type is not None and item.type.endswith("_call_output"):
            if item.call_id is not None and item.call_id not in called:
                raise _orphan(f"input[{index}].call_id", item.call_id)
        else:
            called.add(item.call_id)
    return signed(called)


def _decoded(decoder: msgspec.json.Decoder[list[T]], raw: Raw, path: str) -> list[T]:
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def _orphan(path: str, id: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: a tool result without its call: no call {id[:100]!r} comes before it", param=path)
