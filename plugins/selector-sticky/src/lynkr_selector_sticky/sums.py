"""What it costs to stay and to switch, over the turns that are still to be expected."""

from __future__ import annotations

from msgspec import Struct

from lynkr_core.exchange import Candidate
from lynkr_core.pricing import cost
from lynkr_core.request import Usage

SMALLEST = 1024
"""Tokens below which no provider keeps a prompt."""


class Ahead(Struct, frozen=True, kw_only=True):
    """What the conversation is expected to be: `tokens` of input now, `growth` more with each of `turns`, `output` of each answer."""

    tokens: int
    growth: int
    output: int
    turns: int


class Sums(Struct, frozen=True):
    """USD for the turns ahead: staying, switching, and what of the latter is only for what the old model has in its cache."""

    stay: float
    move: float
    lost: float
    turns: int

    def __str__(self) -> str:
        cache = f", {self.lost:.4f} of it for the lost cache" if self.lost > 0 else ""
        return f"{self.turns} turns ahead cost ${self.stay:.4f} staying, ${self.move:.4f} switching{cache}"


def sums(stay: Candidate, move: Candidate, ahead: Ahead, warm: int, warm_there: int) -> Sums | None:
    """`warm`: tokens that the old model's cache has, `warm_there` those of the new one's. None when a price is unknown."""
    staying, moving = total(stay, ahead, warm), total(move, ahead, warm_there)
    at_best = total(move, ahead, warm)
    if staying is None or moving is None or at_best is None:
        return None
    return Sums(staying, moving, moving - at_best, ahead.turns)


def total(candidate: Candidate, ahead: Ahead, warm: int) -> float | None:
    """USD of all turns: the first finds `warm` tokens in the cache, each later one what the one before has sent."""
    spent, tokens = 0.0, ahead.tokens
    for _ in range(ahead.turns):
        usd = turn(candidate, tokens, warm, ahead.output)
        if usd is None:
            return None
        spent, warm, tokens = spent + usd, tokens, tokens + ahead.growth
    return spent


def turn(candidate: Candidate, tokens: int, warm: int, output: int) -> float | None:
    """USD of one call. A local model without a price costs nothing."""
    price = candidate.price
    if price is None:
        return 0.0 if candidate.provider.is_local(candidate.model) else None
    keeps = price.cache_read is not None and tokens >= SMALLEST
    read = min(warm, tokens) if keeps else 0
    written = tokens - read if keeps and price.cache_write is not None else 0
    return cost(Usage(input_tokens=tokens, output_tokens=output, cache_read=read, cache_write=written), price)
