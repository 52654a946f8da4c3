"""What a call costs, from typed usage and a price row."""

from __future__ import annotations

from collections.abc import Mapping

from lynkr_core.exchange import Price
from lynkr_core.request import Usage

MILLION = 1_000_000


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """USD: what the provider bills, if it says so; None when usage or price is unknown, never a guess."""
    if usage is not None and usage.billed is not None:
        return usage.billed
    if usage is None or price is None:
        return None
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    fresh = usage.input_tokens - usage.cache_read - usage.cache_write
    total = fresh * price.input + usage.cache_read * read + usage.cache_write * write + usage.output_tokens * price.output
    return total / MILLION


def price_of(prices: Mapping[str, Price], provider: str, model: str) -> Price | None:
    """`provider/model` first, then the bare model; exact names only."""
    return prices.get(f"{provider}/{model}") or prices.get(model)
