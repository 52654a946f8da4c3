"""What a call costs, from typed usage and a price row; and what it may cost at most, before it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from lynkr_core.cards import Price, Rates
from lynkr_core.request import Usage

MILLION = 1_000_000
NANO = 1_000_000_000


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """USD: what the provider bills, if it says so; None when usage or price is unknown, never a guess."""
    if usage is not None and usage.billed is not None:
        return usage.billed
    if usage is None or price is None:
        return None
    rates = rates_of(price, usage.input_tokens) if price.tiers else price
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write is None else rates.cache_write
    hour = write if rates.cache_write_1h is None else rates.cache_write_1h
    short = usage.cache_write - usage.cache_write_1h
    fresh = usage.input_tokens - usage.cache_read - usage.cache_write
    cached = usage.cache_read * read + short * write + usage.cache_write_1h * hour
    return (fresh * rates.input + cached + usage.output_tokens * rates.output) / MILLION + price.per_request


def nano_dollars(usd: float) -> int:
    """Whole nano-dollars, rounded up; a thousandth of one is taken for what floats leave over."""
    return math.ceil(round(usd * NANO, 3))


def worst_case(price: Price | None, input_tokens: int, output_tokens: int, *, hour: bool = False) -> int | None:
    """Nano-dollars that a request with at most so many tokens can cost; None when the price is unknown.

    Every token of the input may be written to the provider's cache, with `hour` to the one that is kept for an hour, and any
    price tier that so many tokens reach may apply.
    """
    if price is None:
        return None
    above = max([tier.above for tier in price.tiers if input_tokens > tier.above], default=-1) if price.tiers else -1
    asked, said, fee = dearest(price, above, hour)
    return -(-(input_tokens * asked + output_tokens * said) // MILLION) + fee


@lru_cache(maxsize=4096)
def dearest(price: Price, above: int, hour: bool) -> tuple[int, int, int]:
    """Nano-dollars for a million tokens in and out, and for a request, the dearest of those up to the tier that begins so far above."""
    reached = [price, *[tier for tier in price.tiers if tier.above <= above]]
    asked = max([max(rates.input, rates.cache_write or 0.0, (hour and rates.cache_write_1h) or 0.0) for rates in reached])
    return nano_dollars(asked), nano_dollars(max([rates.output for rates in reached])), nano_dollars(price.per_request)


def rates_of(price: Price, tokens: int) -> Rates:
    """What every token of a request with so many input tokens costs."""
    reached = [tier for tier in price.tiers if tokens > tier.above]
    return max(reached, key=lambda tier: tier.above) if reached else price


def price_of(prices: Mapping[str, Price], provider: str, model: str) -> Price | None:
    """`provider/model` first, then the bare model; exact names only."""
    return prices.get(f"{provider}/{model}") or prices.get(model)
