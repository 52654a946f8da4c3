"""What a call costs, from typed usage and a price row; and what it may cost at most, before it is made."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import lru_cache

from lynkr_core.cards import Hours, Plan, Price, Rates
from lynkr_core.request import Usage

MILLION = 1_000_000
NANO = 1_000_000_000
DAY, MONDAY = 24 * 60, 3
"""Minutes of a day, and the first of January 1970 was a Thursday."""

_last: list[tuple[Usage | None, Price | None, float | None]] = [(None, None, None)]
"""What was computed last: at the end of an exchange several want to know the same."""


def cost(usage: Usage | None, price: Price | None, at: float | None = None) -> float | None:
    """USD: what the provider bills, if it says so, else what is computed; None when usage or price is unknown, never a guess."""
    if usage is not None and usage.billed is not None:
        return usage.billed
    if at is not None or price is None or price.hours:
        return computed(usage, price, at)
    if (found := _last[0])[0] is not usage or found[1] is not price:
        found = _last[0] = (usage, price, computed(usage, price))
    return found[2]


def computed(usage: Usage | None, price: Price | None, at: float | None = None) -> float | None:
    """USD by the price row, whatever the provider says. `at`: seconds since 1970, for prices that change with the hour; now if left out.

    None too when a tool was used that has no price, or the call was served in a way that has none.
    """
    if usage is None or price is None or (usage.service and usage.service not in price.services):
        return None
    fees = price.per_request
    for name, uses in usage.fees.items():
        if name not in price.fees:
            return None
        fees += price.fees[name] * uses
    rates = rates_of(price, usage, at)
    return (asked(usage, rates) + said(usage, rates)) / MILLION + fees


def asked(usage: Usage, rates: Rates) -> float:
    """Millionths of a USD for the input."""
    if not (usage.cache_read or usage.cache_write or usage.cache_write_1h or usage.audio_input) and usage.input_tokens > 0:
        return usage.input_tokens * rates.input
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write is None else rates.cache_write
    hour = write if rates.cache_write_1h is None else rates.cache_write_1h
    short = max(usage.cache_write - usage.cache_write_1h, 0)
    fresh = max(usage.input_tokens - usage.cache_read - usage.cache_write - usage.audio_input, 0)
    sound = usage.audio_input * (rates.input if rates.audio_input is None else rates.audio_input)
    return fresh * rates.input + sound + usage.cache_read * read + short * write + usage.cache_write_1h * hour


def said(usage: Usage, rates: Rates) -> float:
    """Millionths of a USD for the output."""
    if not (usage.reasoning or usage.audio_output or usage.image_output) and usage.output_tokens > 0:
        return usage.output_tokens * rates.output
    total, left = 0.0, usage.output_tokens
    special = (
        (usage.reasoning, rates.reasoning), (usage.audio_output, rates.audio_output), (usage.image_output, rates.image_output),
    )  # fmt: skip
    for tokens, rate in special:
        if tokens and rate is not None:
            total += tokens * rate
            left -= tokens
    return total + max(left, 0) * rates.output


def nano_dollars(usd: float) -> int:
    """Whole nano-dollars, rounded up; a thousandth of one is taken for what floats leave over."""
    return math.ceil(usd * NANO - 0.0005)


def worst_case(price: Price | None, asked: int, said: int, *, hour: bool = False, special: bool = False) -> int | None:
    """Nano-dollars that a request with at most so many tokens in and out can cost; None when the price is unknown.

    Every token of the input may be written to the provider's cache, with `hour` to the one that is kept for an hour, and any
    price tier that so many tokens reach may apply. `special`: it may be served in another way than the usual one.
    """
    if price is None:
        return None
    tiers = price.tiers if not special else [tier for plan in (price, *price.services.values()) for tier in plan.tiers]
    above = max([tier.above for tier in tiers if asked > tier.above], default=-1) if tiers else -1
    return total(dearest(price, above, hour, special), asked, said)


def total(rates: tuple[int, int, int], asked: int, said: int) -> int:
    """Nano-dollars for so many tokens in and out at such rates, as `dearest` has them."""
    return -(-(asked * rates[0] + said * rates[1]) // MILLION) + rates[2]


@lru_cache(maxsize=4096)
def dearest(price: Price, above: int, hour: bool, special: bool) -> tuple[int, int, int]:
    """Nano-dollars for a million tokens in and out, and for a request, the dearest of those up to the tier that begins so far above."""
    plans: list[Plan] = [price, *(price.services.values() if special else ())]
    tiers = [tier for plan in plans for tier in plan.tiers if tier.above <= above]
    reached: list[Rates] = [*plans, *tiers, *price.hours]
    asked = max([max(rates.input, rates.cache_write or 0.0, (hour and rates.cache_write_1h) or 0.0) for rates in reached])
    said = max([max(rates.output, rates.reasoning or 0, rates.audio_output or 0, rates.image_output or 0) for rates in reached])
    return nano_dollars(asked), nano_dollars(said), nano_dollars(price.per_request)


def rates_of(price: Price, usage: Usage, at: float | None = None) -> Rates:
    """What every token of such a call costs."""
    if price.hours and not usage.service:
        minutes = int((time.time() if at is None else at) // 60)
        found = next((hours for hours in price.hours if holds(hours, minutes)), None)
        if found is not None:
            return found
    plan = price.services[usage.service] if usage.service else price
    if not plan.tiers:
        return plan
    reached = [tier for tier in plan.tiers if usage.input_tokens > tier.above]
    return max(reached, key=lambda tier: tier.above) if reached else plan


def holds(hours: Hours, minutes: int) -> bool:
    """Whether these are the hours, so many minutes after the beginning of 1970."""
    day, minute = divmod(minutes, DAY)
    return (day + MONDAY) % 7 + 1 in hours.days and hours.begin <= minute < hours.end


def price_of(prices: Mapping[str, Price], provider: str, model: str) -> Price | None:
    """`provider/model` first, then the bare model; exact names only."""
    return prices.get(f"{provider}/{model}") or prices.get(model)
