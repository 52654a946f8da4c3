"""What an attempt has used that was broken off before the provider told: an estimate, by how much of its stream had come."""

from __future__ import annotations

from msgspec import structs

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Attempt, Exchange
from lynkr_core.request import Usage
from lynkr_core.tokens import estimate

BYTES_PER_TOKEN = 4
LEAST, MOST = 115, 400
"""Bytes of an event beside its text, at the least and at the most: shorter ones have none, and of longer ones the shortest has some."""


class Amount:
    """How much of a stream has come: reads may have many events, events may have many tokens, and nothing is decoded to count them."""

    __slots__ = ("bytes", "events", "shortest")

    def __init__(self) -> None:
        self.bytes = self.events = 0
        self.shortest = MOST

    def add(self, piece: bytes) -> None:
        size = len(piece)
        events = piece.count(b"\n\n") or piece.count(b"\r\n\r\n") or piece.count(b"\n") or 1
        self.events += events
        self.bytes += size
        if size < self.shortest * events:
            self.shortest = size // events

    @property
    def tokens(self) -> int:
        """One for each event, and more for what is longer than the shortest."""
        return self.events + max(self.bytes - self.events * max(self.shortest, LEAST), 0) // BYTES_PER_TOKEN


def consumed(exchange: Exchange, attempt: Attempt) -> Usage | None:
    """Some providers tell at a stream's beginning what was asked, and at its end what was said. None when nothing was sent."""
    if attempt.upstream is None or exchange.envelope is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    usage, stream, most = attempt.usage, attempt.stream, exchange.envelope.max_tokens
    said = stream.amount.tokens if stream else 0
    said = min(said, most) if most else said
    if usage is not None:
        whole = stream is None or stream.billed or said <= usage.output_tokens
        return usage if whole else structs.replace(usage, output_tokens=said, estimated=True)
    try:
        asked = estimate(exchange.request)
    except InvalidRequest:  # bytes that went through unread
        asked = len(exchange.body) // BYTES_PER_TOKEN
    return Usage(input_tokens=asked, output_tokens=said, estimated=True)
