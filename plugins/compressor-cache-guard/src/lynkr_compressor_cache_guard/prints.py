"""What a request is known by from turn to turn: numbers for its prompt and each message, in which marks do not count.

They hold within this process only, and nothing can be read from them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from msgspec import Raw, Struct

from lynkr_core.dialect import Envelope
from lynkr_core.request import Blob, File, Generic, Message, Part, Reasoning, Request, Text, Tool, ToolCall, ToolCallResponse, Uri

HEADS = ("tools", "system", "instructions")
MOST_HEADS = 512


class Head(Struct, frozen=True, gc=False):
    """What stands before the messages: each tool, and the prompt."""

    tools: tuple[int, ...]
    system: int


class Prints(Struct, frozen=True, gc=False):
    """One request's."""

    head: Head
    messages: array[int]


class Heads:
    """Tools are read once, not with each turn."""

    def __init__(self) -> None:
        self._known: dict[int, Head] = {}

    def of(self, envelope: Envelope, request: Request) -> Head:
        """`request` must be the one that was read from the envelope."""
        raw = [envelope.fields[name] for name in HEADS if name in envelope.fields]
        key = hash(tuple([bytes(field) for field in raw]))
        head = self._known.get(key)
        if head is None:
            if len(self._known) >= MOST_HEADS:
                self._known.clear()
            head = self._known[key] = head_of(request)
        return head


def head_of(request: Request) -> Head:
    return Head(tuple(map(of_tool, request.tools)), hash(tuple(map(of_part, request.system))))


def of_tool(tool: Tool) -> int:
    schema = b"" if tool.parameters is None else bytes(tool.parameters)
    own = b"" if tool.parameters is not None or tool.native is None else bytes(tool.native)
    return hash((tool.name, tool.kind, tool.description, schema, own, tool.strict))


def of_messages(messages: Iterable[Message]) -> array[int]:
    return array("q", [of_message(message) for message in messages])


def of_message(message: Message) -> int:
    return hash((message.role, message.name, *map(of_part, message.parts)))


def of_part(part: Part) -> int:
    match part:
        case Text():
            return hash(part.text)
        case ToolCall():
            return hash((part.id, part.name, part.arguments))
        case ToolCallResponse():
            return hash((part.id, part.is_error, *map(of_part, part.content)))
        case Reasoning():
            return hash((part.text, part.signature, part.encrypted, part.id))
        case Blob():
            return hash((part.mime_type, part.data, part.detail))
        case Uri():
            return hash((part.uri, part.detail))
        case File():
            return hash(part.file_id)
        case Generic(native=Raw() as native):
            return hash((part.type, bytes(native)))
        case _:
            return 0


def after(request: Request, original: Request, known: Prints) -> Prints:
    """Of what plugins have made of the original, whose prints are `known`: only what they have changed is looked at."""
    if request is original:
        return known
    head = known.head
    if request.tools is not original.tools or request.system is not original.system:
        head = head_of(request)
    if request.messages is original.messages:
        return Prints(head, known.messages)
    old = {id(message): place for place, message in enumerate(original.messages)}
    numbers = [known.messages[old[id(m)]] if id(m) in old else of_message(m) for m in request.messages]
    return Prints(head, array("q", numbers))


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many stand at the beginning of both."""
    least = min(len(one), len(other))
    if one[:least] == other[:least]:
        return least
    return next(place for place in range(least) if one[place] != other[place])
