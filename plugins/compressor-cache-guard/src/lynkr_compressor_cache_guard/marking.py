"""Marks of what a provider is to keep: at the end of the tools, of the prompt, and of the last two turns of the caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from msgspec import Raw, structs

from lynkr_core.request import Blob, File, Message, Part, Request, Text, ToolCall, ToolCallResponse, Uri

SHORT, HOUR = Raw(b'{"type":"ephemeral"}'), Raw(b'{"type":"ephemeral","ttl":"1h"}')
TURNS = 2
T = TypeVar("T")


def is_marked(request: Request) -> bool:
    """Whether the caller says itself what to keep."""
    if any(tool.cache is not None for tool in request.tools) or any(part.cache is not None for part in request.system):
        return True
    return any(part.cache is not None for message in request.messages for part in inside(message.parts))


def inside(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, ToolCallResponse):
            yield from part.content


def marked(request: Request, most: int, hour: bool) -> Request:
    """The request with so many marks at most, the ones that cover most of it first. Nothing else is changed."""
    mark = HOUR if hour else SHORT
    messages = list(request.messages)
    ends = turns(messages)
    for place in ends[: min(TURNS, most)]:
        messages[place] = in_message(messages[place], mark)
    left = most - min(len(ends), TURNS, most)
    system, tools = request.system, request.tools
    if left and system:
        system = in_parts(system, mark)
        left -= system is not request.system
    elif left and (place := prompt(messages)) is not None:
        messages[place] = in_message(messages[place], mark)
        left -= 1
    if left and tools:
        tools = (*tools[:-1], tools[-1].edit(cache=mark))
    return request.edit(messages=tuple(messages), system=system, tools=tools)


def turns(messages: Sequence[Message]) -> list[int]:
    """Where the caller's turns end that can be marked, the last one first. Messages in a row, as of several tools, are one turn."""
    ends: list[int] = []
    inside_turn = False
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role not in ("user", "tool"):
            inside_turn = False
        elif not inside_turn and any(map(markable, messages[place].parts)):
            inside_turn = True
            ends.append(place)
            if len(ends) == TURNS:
                break
    return ends


def prompt(messages: Sequence[Message]) -> int | None:
    """The last message of the prompt, where that stands among the messages."""
    count = 0
    for message in messages:
        if message.role not in ("system", "developer"):
            break
        count += 1
    return count - 1 if count and any(map(markable, messages[count - 1].parts)) else None


def in_message(message: Message, mark: Raw) -> Message:
    return message.edit(parts=in_parts(message.parts, mark))


def in_parts(parts: tuple[Part, ...], mark: Raw) -> tuple[Part, ...]:
    """With the mark at the last part that can have one."""
    for place in range(len(parts) - 1, -1, -1):
        if markable(parts[place]):
            return (*parts[:place], with_mark(parts[place], mark), *parts[place + 1 :])
    return parts


def markable(part: Part) -> bool:
    """Thinking cannot be marked, nor what is empty."""
    return bool(part.text.strip()) if isinstance(part, Text) else isinstance(part, (ToolCallResponse, ToolCall, Blob, Uri, File))


def with_mark(part: Part, mark: Raw) -> Part:
    if isinstance(part, Text) and part.native is not None and memoryview(part.native)[0] == ord('"'):
        return structs.replace(part, cache=mark, native=None)  # a bare string has no place for it
    return part.edit(cache=mark)
