"""Asks models for shorter answers, by a constant note at the end of the system prompt, and measures what that did."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any

from msgspec import Meta, Struct

from lynkr_compressor_terse.notes import NOTES, Level, noted
from lynkr_core.exchange import Exchange, Key, Outcome
from lynkr_core.plugins import Plugin
from lynkr_core.request import Request
from lynkr_core.sessions import session_of

__all__ = ["Config", "Terse", "plugin"]

NOTED: Key[bool] = Key("compressor-terse.noted")
PARTS = 10_000


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.terse]`"""

    level: Annotated[Level, Meta(description="How short: `lite`, `full`, `ultra`; `off` adds nothing.")] = "lite"
    holdout: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of the conversations that go without the note, to be compared with the others."),
    ] = 0.0


class Sums:
    """Answers and their tokens."""

    __slots__ = ("answers", "tokens")

    def __init__(self) -> None:
        self.answers = self.tokens = 0

    def told(self) -> dict[str, Any]:
        return {"answers": self.answers, "output_tokens": round(self.tokens / self.answers, 1) if self.answers else None}


class Terse:
    """A conversation has the note from its first turn to its last, or never: what decides is its name, not a drawing of lots."""

    def __init__(self, config: Config) -> None:
        self.note = NOTES.get(config.level, "")
        self.level = config.level
        self.holdout = round(config.holdout * PARTS)
        self.sums = {True: Sums(), False: Sums()}

    def transform_request(self, exchange: Exchange, request: Request) -> Request | None:
        if not self.note or exchange.operation != "chat":
            return None
        says = not (self.holdout and self.is_held_out(exchange))
        exchange.set(NOTED, says)
        return noted(request, self.note) if says else None

    def is_held_out(self, exchange: Exchange) -> bool:
        """By the conversation and its principal, so that it is the same in every process and at every turn."""
        session = session_of(exchange)
        if session is None:
            return False
        name = f"{exchange.principal.id}\0{session.id}\0{session.thread}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") % PARTS < self.holdout

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        says = exchange.get(NOTED)
        if says is None or outcome.status != "ok" or outcome.usage is None:
            return
        sums = self.sums[says]
        sums.answers += 1
        sums.tokens += outcome.usage.output_tokens

    def status(self) -> dict[str, Any]:
        """The mean length of answers with the note and without it."""
        return {"level": self.level, "with": self.sums[True].told(), "without": self.sums[False].told()}


plugin = Plugin(api=1, config=Config, create=Terse)
