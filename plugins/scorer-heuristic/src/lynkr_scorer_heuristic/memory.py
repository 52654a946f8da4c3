"""What the last ask of a conversation scored, for turns that no longer carry it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping

from msgspec import Raw

from lynkr_core.exchange import Exchange

KEPT = 4_096
"""Conversations remembered; the one not heard of for longest is forgotten first."""
OPENING = 4_096
"""Bytes by which a conversation without a name is known: its beginning stays as it was while it grows."""
HEADER = b"x-lynkr-session"
NAMES = ("conversation", "prompt_cache_key", "previous_response_id", "metadata")
"""Top-level keys with which clients name a conversation."""


class Memory:
    """The session's score behind two methods, so that whatever knows more of sessions can take its place. Bounded."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._scores: OrderedDict[Hashable, float] = OrderedDict()

    def remember(self, exchange: Exchange, value: float) -> None:
        key = conversation(exchange)
        self._scores[key] = value
        self._scores.move_to_end(key)
        if len(self._scores) > self._kept:
            self._scores.popitem(last=False)

    def recall(self, exchange: Exchange) -> float | None:
        return self._scores.get(conversation(exchange))


def is_lasting(fields: Mapping[str, Raw]) -> bool:
    """Whether turns without the ask may follow: tools are at hand, or the client stores the conversation elsewhere."""
    return "tools" in fields or "prompt_cache_key" in fields or "conversation" in fields


def conversation(exchange: Exchange) -> Hashable:
    """What tells a conversation from the others of the same principal."""
    return exchange.principal.id, exchange.headers.get(HEADER) or named(exchange.envelope.fields)


def named(fields: Mapping[str, Raw]) -> int:
    for name in NAMES:
        if raw := fields.get(name):
            return hash(bytes(memoryview(raw)[:OPENING]))
    raw = fields.get("messages") or fields.get("input") or b""
    return hash(bytes(memoryview(raw)[:OPENING]))
