"""What usage of several APIs has in common: how a call was served, and what it cost."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct

ORDINARY = frozenset({"", "default", "standard", "auto", "on_demand", "unspecified", "standard_only", "global", "not_available"})
"""Words of providers for what costs what the price list says."""
TICKS = 10_000_000_000
"""Of xAI's, in a dollar (https://docs.x.ai/developers/cost-tracking)."""


class CostDetails(Struct, gc=False):
    upstream_inference_cost: Any = None


def service(*words: str | None) -> str:
    """What is not as usual of how a call was served, as `Usage.service` has it."""
    for word in words:
        if word is not None and word not in ORDINARY:
            break
    else:
        return ""  # nearly always: a set takes five times as long
    special = {word.lower() for word in words if word is not None} - ORDINARY
    return "+".join(sorted(special)) if special else ""


def billed(cost: Any) -> float | None:
    """USD, from a number or from an object that has it as `total_cost`."""
    told = cast("dict[str, Any]", cost).get("total_cost") if isinstance(cost, dict) else cost
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) and told >= 0 else None


def bill(cost: Any, ticks: Any = None, byok: Any = None, details: CostDetails | None = None) -> float | None:
    """USD that the provider says it takes. OpenRouter's `cost` is only its fee where the key is the caller's own."""
    if cost is None:
        paid = billed(ticks)
        return None if paid is None else paid / TICKS
    paid = billed(cost)
    if byok is True and paid is not None:
        upstream = billed(details.upstream_inference_cost) if details else None
        return None if upstream is None else paid + upstream
    return paid
