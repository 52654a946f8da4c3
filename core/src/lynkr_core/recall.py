"""What was said in rounds that the caller has not seen, put back into the conversation when it comes again.

The caller's history has the joined answer only. The model gets its own words, calls and results as they were: what it has looked up stays
known, thinking stays beside the call that it was for, and what the provider has cached stays the beginning of the next request. What was
asked of inner tools beside the caller's own ones is answered there, too. When nothing is remembered any more, the joined answer stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Exchange, Key
from lynkr_core.inner import Inner, Said, texts
from lynkr_core.request import Message, Part, Reasoning, Request, Role, Text, ToolCall, ToolCallResponse
from lynkr_core.sessions import session_of
from lynkr_core.stores import KeyValue

log = logging.getLogger("lynkr.inner")
KEPT = 86_400.0
"""Seconds without a turn after which a conversation's rounds are forgotten."""
MOST = 1024 * 1024
"""Bytes that are remembered of one conversation. The first stay: what was sent once must not change."""
FIELDS: dict[type[Part], tuple[str, ...]] = {
    Text: ("text",), Reasoning: ("text", "signature", "encrypted", "id"), ToolCall: ("id", "name", "arguments", "kind", "signature"),
    ToolCallResponse: ("id", "name"),
}  # fmt: skip
KINDS = {kind.__name__: kind for kind in FIELDS}


class PackedPart(Struct, omit_defaults=True):
    kind: str
    fields: dict[str, Any]
    text: str = ""


class Packed(Struct):
    role: Role
    parts: list[PackedPart]


class Turn(Struct):
    """`anchor`: by what the joined answer is known. `messages` stand in its place; `results` come with the caller's own."""

    anchor: str
    messages: list[Packed]
    results: list[PackedPart]


class Turns(Struct):
    at: float
    turns: list[Turn]


TURNS: Key[list[Turn]] = Key("kernel.rounds")
BEFORE: Key[Message | None] = Key("kernel.before-rounds")
"""The last thing that the model was told before it answered."""
_turns = msgspec.json.Decoder(Turns)
_encode = msgspec.json.Encoder().encode


def key_of(exchange: Exchange) -> str | None:
    session = session_of(exchange)
    if session is None:
        return None
    named = f"{exchange.principal.id}\0{session.id}\0{session.thread}"
    return f"rounds/{blake2b(named.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


async def recalled(values: KeyValue, exchange: Exchange, request: Request) -> Request:
    """The request with every round in its place. As it is where nothing was, or the store cannot be asked."""
    turns = exchange.get(TURNS)
    if turns is None:
        turns = await _read(values, exchange)
        exchange.set(TURNS, turns)
    exchange.set(BEFORE, request.messages[-1] if request.messages else None)
    if not turns:
        return request
    return request.edit(messages=tuple(_with_rounds(request.messages, {turn.anchor: turn for turn in turns})))


async def _read(values: KeyValue, exchange: Exchange) -> list[Turn]:
    key, now = key_of(exchange), time.time()
    if key is None:
        return []
    try:
        raw = await values.get(key)
        if raw is None:
            return []
        found = _turns.decode(raw)
        if now - found.at > KEPT / 4:
            await values.set(key, _encode(Turns(now, found.turns)), KEPT)
    except (OSError, *UNREADABLE) as error:
        log.warning("earlier rounds cannot be read: %s", type(error).__name__)
        return []
    return found.turns


async def remember(values: KeyValue, exchange: Exchange, inner: Inner, said: Said) -> None:
    """Keeps the rounds of an answer that the caller now has. Never raises."""
    anchor, key = anchor_of((*inner.parts, *said.shown), exchange.get(BEFORE)), key_of(exchange)
    if not (inner.rounds or said.asked) or not anchor or key is None or said.finish not in ("stop", "tool_calls"):
        return
    last = Message(role="assistant", parts=tuple(said.parts))
    try:
        messages = [packed(message) for message in (*inner.history, last)]
        turn = Turn(anchor, messages, [pack(part) for part in await inner.results(said)])
        data = _encode(Turns(time.time(), [*(exchange.get(TURNS) or ()), turn]))
        if len(data) <= MOST:
            await values.set(key, data, KEPT)
    except (OSError, KeyError) as error:  # a part that is of no kind that can be kept
        log.info("rounds are not kept: %s", type(error).__name__)


def anchor_of(parts: Sequence[Part], before: Message | None) -> str:
    """By its first call's id; an answer without calls by its words, and those that it answers."""
    for part in parts:
        if isinstance(part, ToolCall):
            return part.id.partition("__lynkr-")[0]
    said = "".join("".join([part.text for part in parts if isinstance(part, Text)]).split())
    asked = "" if before is None else "\0".join([text for part in before.parts for text in texts(part)])
    return blake2b(f"{said}\0{asked}".encode("utf-8", "replace"), digest_size=12).hexdigest() if said else ""


def _with_rounds(messages: Sequence[Message], turns: dict[str, Turn]) -> Iterator[Message]:
    waiting: Turn | None = None
    before: Message | None = None
    for mine, group in groupby(messages, key=lambda message: message.role == "assistant"):
        told = list(group)
        if mine:
            waiting = turns.get(anchor_of([part for message in told for part in message.parts], before))
            told = told if waiting is None else [unpacked(message) for message in waiting.messages]
        else:
            before = told[-1]
        if not mine and waiting is not None and waiting.results:
            told[:1] = _with_results(told[0], tuple([unpack(part) for part in waiting.results]))
        yield from told


def _with_results(first: Message, results: tuple[Part, ...]) -> list[Message]:
    """Results stand before the caller's own: in one message with them where its dialect has them so."""
    if first.role == "user":
        return [first.edit(parts=(*results, *first.parts))]
    return [Message(role="tool", parts=results), first]


def pack(part: Part) -> PackedPart:
    """Raises `KeyError` for a kind of part that is not kept."""
    fields = {name: value for name in FIELDS[type(part)] if (value := getattr(part, name)) is not None}
    content = part.content if isinstance(part, ToolCallResponse) else ()
    return PackedPart(type(part).__name__, fields, "".join([inner.text for inner in content if isinstance(inner, Text)]))


def unpack(kept: PackedPart) -> Part:
    part = KINDS[kept.kind](**kept.fields)
    return structs.replace(part, content=(Text(text=kept.text),)) if isinstance(part, ToolCallResponse) else part


def packed(message: Message) -> Packed:
    return Packed(message.role, [pack(part) for part in message.parts])


def unpacked(kept: Packed) -> Message:
    return Message(role=kept.role, parts=tuple([unpack(part) for part in kept.parts]))
