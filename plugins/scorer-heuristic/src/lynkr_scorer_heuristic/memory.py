"""What the last ask of a conversation scored, for turns that no longer carry it."""

from __future__ import annotations

from collections import OrderedDict

from lynkr_core.exchange import Exchange
from lynkr_core.sessions import session_of

SESSION_HEADER = b"x-lynkr-session"
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


def is_lasting(exchange: Exchange) -> bool:
    """Whether a turn without the ask may follow at once, because the client may leave its history to the API."""
    fields = exchange.envelope.fields
    return "prompt_cache_key" in fields or "conversation" in fields or SESSION_HEADER in exchange.headers


def conversation(exchange: Exchange) -> tuple[str, str] | None:
    """What tells a conversation from the others of the same principal."""
    session = session_of(exchange)
    return None if session is None else (exchange.principal.id, session.id)
