"""A conversation's messages: where it may be cut, what a part of it weighs, and whether it is still the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from lynkr_core.request import Generic, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse
from lynkr_core.tokens import MEDIA, Tokens

PROMPTS = ("system", "developer")


def begin(messages: Sequence[Message]) -> int:
    """Where the prompt at the front ends and the conversation begins."""
    return next((place for place, message in enumerate(messages) if message.role not in PROMPTS), len(messages))


def cuts(messages: Sequence[Message]) -> Iterator[int]:
    """Places where an answer of the model begins after something was said to it, and no call of a tool still waits for its result.

    What stands before can be left out: neither a call and its result nor the thoughts and calls of one answer are torn apart.
    """
    waiting: set[str] = set()
    before = ""
    for place, message in enumerate(messages):
        if message.role == "assistant" and before != "assistant" and not waiting and place:
            yield place
        for part in message.parts:
            if isinstance(part, ToolCall):
                waiting.add(part.id)
            elif isinstance(part, ToolCallResponse):
                waiting.discard(part.id)
        before = message.role


def cut(messages: Sequence[Message], keep: int) -> int | None:
    """The last place with `keep` answers of the model, or more, after it; None when there is none behind the prompt and the first word."""
    places = list(cuts(messages))
    first = begin(messages) + 1
    found = places[-keep] if len(places) >= keep else None
    return found if found is not None and found > first else None


def texts(parts: Sequence[Part]) -> Iterator[str]:
    """All that a provider reads as text."""
    for part in parts:
        match part:
            case Text() | Reasoning():
                yield part.text
            case ToolCall():
                yield part.name
                yield part.arguments
            case ToolCallResponse():
                yield from texts(part.content)
            case Generic(native=native) if native is not None:
                yield bytes(native).decode("utf-8", "replace")
            case _:
                pass


def weight(tokens: Tokens, messages: Sequence[Message]) -> int:
    """Tokens of these messages; old ones are remembered."""
    said = [text for message in messages for text in texts(message.parts)]
    return tokens.count(*said) + MEDIA * sum(media(message.parts) for message in messages)


def media(parts: Sequence[Part]) -> int:
    count = 0
    for part in parts:
        if isinstance(part, ToolCallResponse):
            count += media(part.content)
        elif not isinstance(part, Text | Reasoning | ToolCall | Generic):
            count += 1
    return count


def digest(messages: Sequence[Message]) -> bytes:
    """Of what they say; markers of what is cached may move."""
    made = blake2b(digest_size=16)
    for message in messages:
        made.update(f"\1{message.role}".encode())
        for part in message.parts:
            name = part.id if isinstance(part, ToolCall | ToolCallResponse) else ""
            made.update(f"\2{type(part).__name__}\3{name}".encode("utf-8", "surrogatepass"))
            for text in texts((part,)):
                made.update(text.encode("utf-8", "surrogatepass"))
    return made.digest()
