"""Streams decoded whole and in pieces, and what they say in a form that can be compared.

Gathers by itself, apart from `events.fold`, so that one may find the other's mistakes.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import Dialect
from lynkr_core.events import Delta, Event, Failure, Finish, Grammar, Logprobs, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Generic

UNSEEN = ("native", "edited")
"""Fields that say how a node was read, not what it says."""


def decoded(dialect: Dialect, pieces: Iterable[bytes]) -> list[Event]:
    """The events of one stream, their order checked."""
    decoder = dialect.decoder()
    grammar = Grammar()
    found: list[Event] = []
    for piece in pieces:
        found += [grammar.check(event) for event in decoder.feed(piece)]
        if any(isinstance(event, Failure) for event in found):
            return found  # the kernel reads no further
    return [*found, *(grammar.check(event) for event in decoder.close())]


def splits(stream: bytes, seed: int = 7) -> Iterator[list[bytes]]:
    """The stream byte by byte, in pieces of fixed odd sizes and in random ones."""
    for size in (1, 2, 3, 7, 61):
        yield [stream[at : at + size] for at in range(0, len(stream), size)]
    chance = random.Random(seed)
    for _ in range(10):
        cuts = sorted(chance.sample(range(len(stream) + 1), min(8, len(stream))))
        yield [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def comparable(value: Any) -> Any:
    """A node, event or value as plain data: fragments parsed, errors as kind and message, without how it was read."""
    if isinstance(value, Raw):
        return msgspec.json.decode(value)
    if isinstance(value, Failure):
        return ("Failure", value.error.kind, value.error.message)
    if isinstance(value, Struct):
        named = {name: comparable(item) for name, item in structs.asdict(value).items() if name not in UNSEEN}
        if isinstance(value, Generic):  # its fragment is all that it says
            named["native"] = comparable(value.native)
        return {"is": type(value).__name__, **named}
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in cast("Sequence[Any]", value)]
    return value


def gathered(events: Iterable[Event]) -> dict[str, Any]:
    """What a stream says, whatever pieces it came in."""
    parts: dict[tuple[int, int], dict[str, Any]] = {}
    found: dict[str, Any] = {"id": None, "model": None, "usage": None, "finish": {}, "logprobs": {}, "parts": parts}
    for event in events:
        match event:
            case Start():
                found["id"], found["model"] = event.id, event.model
                found["usage"] = comparable(event.usage)
            case PartStart():
                parts[event.choice, event.index] = {**comparable(event.part)}
            case Delta():
                part = parts[event.choice, event.index]
                part[event.field] = (part.get(event.field) or "") + event.value
            case Finish():
                found["finish"][event.choice] = (event.reason, event.stop_sequence)
            case UsageEvent():
                found["usage"] = comparable(event.usage)
            case Logprobs():
                found["logprobs"].setdefault(event.choice, []).append(comparable(event.value))
            case Failure():
                found["failure"] = (event.error.kind, event.error.message)
            case _:
                pass
    return found


def spoken(events: Iterable[Event]) -> list[Any]:
    """Every event but pings, comparable."""
    return [comparable(event) for event in events if not isinstance(event, Ping)]
