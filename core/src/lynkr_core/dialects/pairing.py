"""Whether each tool result of a conversation has its call before it: no provider takes one that has not.

Only ids and types are decoded, 0.7 µs for each KB; the conversation is looked at only where it has results at all. While the ids are
at hand, each check tells whether any of them may carry a signature: to search the whole conversation for one costs as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.callids import signed
from lynkr_core.dialects.growth import EMPTY, Growth
from lynkr_core.errors import InvalidRequest

T = TypeVar("T")
NEAR = 4_096
"""Bytes of a conversation's end."""
PAIRED = "pairing"
"""The fact whether there are signatures, and whether there are results."""


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


def check_chat(messages: Raw, grown: Growth | None = None) -> bool:
    """OpenAI's chat messages. Raises `InvalidRequest`."""
    return _checked(_chat_signed, messages, b'"tool_call_id"', grown)


def _chat_signed(messages: Raw) -> bool:
    called: set[str | None] = set()
    conversation = _decoded(_chat, messages, "messages")
    for message in conversation:
        if (calls := message.tool_calls) is not None:
            for call in calls:
                called.add(call.id)
        elif (id := message.tool_call_id) is not None and id not in called and message.role == "tool":
            raise _orphan(f"messages[{_place(conversation, message)}].tool_call_id", id)
    return signed(called)


def check_turns(messages: Raw, grown: Growth | None = None) -> bool:
    """Anthropic's messages. Raises `InvalidRequest`."""
    return _checked(_turns_signed, messages, b'"tool_result"', grown)


def _turns_signed(messages: Raw) -> bool:
    called: set[str | None] = set()
    turns = _decoded(_turns, messages, "messages")
    for turn in turns:
        content = turn.content if isinstance(turn.content, list) else ()
        for block in content:
            kind = block.type
            if kind == "tool_result":
                if block.tool_use_id is not None and block.tool_use_id not in called:
                    place = f"messages[{_place(turns, turn)}].content[{_place(content, block)}]"
                    raise _orphan(f"{place}.tool_use_id", block.tool_use_id)
            elif kind == "compaction":
                return True
            called.add(block.id)
    return signed(called)


def check_items(items: Raw, grown: Growth | None = None) -> bool:
    """The input items of OpenAI's Responses API. Raises `InvalidRequest`."""
    return _checked(_items_signed, items, b"_call_output", grown)


def _items_signed(items: Raw) -> bool:
    called: set[str | None] = set()
    conversation = _decoded(_items, items, "input")
    for item in conversation:
        kind = item.type
        if kind in _HIDES:
            return True
        if kind is not None and kind.endswith("_call_output"):
            if item.call_id is not None and item.call_id not in called:
                raise _orphan(f"input[{_place(conversation, item)}].call_id", item.call_id)
        else:
            called.add(item.call_id)
    return signed(called)


def _checked(check: Callable[[Raw], bool], raw: Raw, mark: bytes, grown: Growth | None) -> bool:
    """What `check` says of a conversation that has the mark of results. Where its beginning was checked before, only the rest of it is.

    Signatures may be thought of that came after this beginning another time: they are looked for in vain then.
    """
    if grown is None:
        return _has(raw, mark) and check(raw)
    known = grown.before.facts.get(PAIRED) if grown.before is not None else None
    found = None if known is None else _onward(check, grown, mark, known)
    if found is None:
        found = (check(raw), True) if _has(raw, mark) else (False, False)
    grown.now.facts[PAIRED] = found
    return found[0]


def _onward(check: Callable[[Raw], bool], grown: Growth, mark: bytes, known: tuple[bool, bool]) -> tuple[bool, bool] | None:
    """None where it has to be checked as a whole: the first results, and such whose calls are not beside them."""
    rest = grown.rest
    signed, results = known
    if not results:
        return None if mark in rest else known
    try:
        return (rest != EMPTY and check(Raw(rest))) or signed, True
    except InvalidRequest:
        return None


def _has(raw: Raw, mark: bytes) -> bool:
    """Whether these bytes are in it; looked for at the end first, where they mostly are when they are there at all."""
    if len(raw) <= NEAR:
        return bytes(raw).find(mark) >= 0  # `in` first tries whether the mark is a number, and makes an exception of it
    view = memoryview(raw)
    return bytes(view[-NEAR:]).find(mark) >= 0 or bytes(view).find(mark) >= 0


def _place(items: Sequence[object], sought: object) -> int:
    """Which of them it is: equal ones are not the same."""
    return next(index for index, item in enumerate(items) if item is sought)


def _decoded(decoder: msgspec.json.Decoder[list[T]], raw: Raw, path: str) -> list[T]:
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def _orphan(path: str, id: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: a tool result without its call: no call {id[:100]!r} comes before it", param=path)
