"""What is remembered of each conversation: what was sent of it, when, and what plugins saved. Numbers only, no texts."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lynkr_compressor_cache_guard.prints import Prints
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.sessions import digest, session_of
from lynkr_core.stores import Recent

KEPT = 4_000
"""Conversations remembered, some kilobytes each; the one not heard of for longest is forgotten first."""
MOST_MESSAGES = 10_000
"""Of a conversation that is remembered."""
SHORT, LONG = 300.0, 3600.0
"""Seconds for which providers keep what is marked for the usual time, and for longer."""
EXPECTED, WEIGHT = 1, 40
"""Of so many pauses between an agent's requests one is longer than `SHORT`, as long as the conversation has not shown."""


class Conversation(Struct, kw_only=True):
    """`known`: the prints of what the caller sent last; `sent`: of what became of it. `without`: plugins that are left out of it.

    `at`: seconds since 1970 of its last request, which had `size` bytes, `grown` more than the one before.
    Of `pauses`, `long` were longer than providers keep a prompt
    for the usual time, but not than they do for longer. `tokens`: of its last request, as the provider counts them. `saved`: tokens by
    plugin, then.
    """

    key: str
    known: Prints | None = None
    sent: Prints | None = None
    without: frozenset[str] = frozenset()
    at: float = 0.0
    size: int = 0
    grown: int = 1
    pauses: int = 0
    long: int = 0
    tokens: int = 0
    saved: Mapping[str, int] = {}

    def heard(self, at: float, size: int) -> int:
        """Notes a request, another attempt of which is none. Gives the bytes by which it is larger than the last."""
        if at != self.at:
            if self.at:
                self.pauses += 1
                self.long += SHORT < at - self.at <= LONG
            self.grown = max(size - self.size, 1)
            self.at, self.size = at, size
        return self.grown

    @property
    def risk(self) -> float:
        """How likely the next pause is one that only the longer time outlasts."""
        return (self.long + EXPECTED) / (self.pauses + WEIGHT)


class Memory:
    """By caller, conversation and candidate; bounded."""

    def __init__(self, kept: int = KEPT) -> None:
        self._known: Recent[str, Conversation] = Recent(kept)

    def __len__(self) -> int:
        return len(self._known)

    def of(self, exchange: Exchange, candidate: Candidate, without: frozenset[str]) -> Conversation | None:
        """The conversation, begun if need be; then it goes `without` these plugins. None for what belongs to none."""
        session = session_of(exchange)
        if session is None:
            return None
        key = digest("\0".join((exchange.principal.id, session.id, session.thread, candidate.id)))
        found = self._known.get(key)
        if found is None:
            found = Conversation(key=key, without=without)
            self._known.set(key, found)
        return found
