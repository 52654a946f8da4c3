"""Token usage: what Cohere bills, not what its template adds to the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkr_core.request import Usage
from lynkr_provider_cohere.wire import Billed, WireUsage


def usage_of(wire: WireUsage | None) -> Usage | None:
    """The billed units; where there are none, the model's own count."""
    if wire is None:
        return None
    told = wire.billed_units if wire.billed_units and wire.billed_units.input_tokens is not None else wire.tokens
    if told is None:
        return None
    entered = whole(told.input_tokens)
    return Usage(
        input_tokens=entered, output_tokens=whole(told.output_tokens), cache_read=min(whole(wire.cached_tokens), entered),
        fees=fees_of(wire.billed_units),
    )  # fmt: skip


def fees_of(told: Billed | None) -> Mapping[str, int]:
    units = {"search_unit": whole(told.search_units), "classification": whole(told.classifications)} if told else {}
    return {name: number for name, number in units.items() if number}


def whole(number: float | None) -> int:
    """Cohere counts in floating point."""
    return int(number or 0)


def write_usage(usage: Usage) -> dict[str, Any]:
    counted = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    told: dict[str, Any] = {"billed_units": counted, "tokens": counted}
    return {**told, "cached_tokens": usage.cache_read} if usage.cache_read else told
