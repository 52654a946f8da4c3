"""What the last ask of a conversation scored, for turns that no longer carry it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from msgspec import Raw

from lynkr_core.exchange import Exchange
from lynkr_core.sessions import session_of

KEPT = 4_096
"""Conversations remembered; the one not heard of for longest is forgotten first."""


class Memory:
    """The session's score behind two methods, so that whatever knows more of sessions can take its place. Bounded."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._scores: OrderedDict[tuple[str, str], float] = OrderedDict()

    def remember(self, exchange: Exchange, value: float) -> None:
        key = conversation(exchange)
        if key is not None:
            self._scores[key] = value
            self._scores.move_to_end(key)
            if len(self._scores) > self._kept:
                self._scores.popitem(last=False)

    def recall(self, exchange: Exchange) -> float | None:
        key = conversation(exchange)
        return None if key is None else self._scores.get(key)


def is_lasting(fields: Mapping[str, Raw]) -> bool:
    """Whether turns without the ask may follow: tools are at hand, or the client stores the conversation elsewhere."""
    return "tools" in fields or "prompt_cache_key" in fields or "conversation" in fields


def conversation(exchange: Exchange) -> tuple[str, str] | None:
    """What tells a conversation from the others of the same principal."""
    session = session_of(exchange)
    return None if session is None else (exchange.principal.id, session.id)
