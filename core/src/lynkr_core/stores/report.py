"""What was used, by whom and for how much: the same for the command line and for `GET /v1/usage`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from msgspec import structs

from lynkr_core.cards import Price
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.stores.protocols import NOTHING, Journal
from lynkr_core.stores.totals import Totals

GROUPS = ("model", "provider", "key", "user", "team", "agent", "class", "tier", "session", "task", "status", "day")
"""What may be grouped by; one or several, with commas between them."""
SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)([smhdw])", re.ASCII)
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
NANO = 1_000_000_000


def moment(text: str, now: float | None = None) -> float:
    """Seconds since 1970 of `7d` (so long ago; also w, h, m, s), `2026-11-21`, or a time as in ISO 8601; UTC where it names no zone.

    Raises `ValueError`.
    """
    span = SPAN.fullmatch(text)
    if span is not None:
        return (time.time() if now is None else now) - float(span[1]) * SECONDS[span[2]]
    try:
        named = (
            datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), datetime.min.time())
        )
        return (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:50]!r} is no time: say 7d, 24h, 2026-11-21 or 2026-11-21T08:00:00Z") from None


def end(text: str) -> float:
    """As `moment`; infinite for nothing."""
    return moment(text) if text else math.inf


def named(text: str) -> str:
    """The name of a model with its provider, or nothing. Raises `ValueError`."""
    if text and not text.partition("/")[2]:
        raise ValueError(f"{text[:100]!r} names no model: say provider/model")
    return text


def groups(text: str) -> list[str]:
    """The names in `model,day`. Raises `ValueError`."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in GROUPS:
            raise ValueError(f"cannot tell usage by {name[:50]!r}: only by {', '.join(GROUPS)}")
    return names


async def report(
    journal: Journal,
    by: Sequence[str] = (),
    *,
    since: float = 0.0,
    until: float = math.inf,
    where: Mapping[str, Any] = NOTHING,
    baseline: tuple[str, Price | None] | None = None,
    limit: int = 1000,
) -> dict[str, Any]:
    """JSON values: `rows`, each with its `group`, the dearest first, and the `total` of all, also of those beyond the limit.

    Money is in USD, and null where nothing is known, never 0. `baseline`: the name of a model and what it costs; then each row tells
    what its priced requests would have cost there, with as much in the prompt cache, and what was saved against that. `until` is left out.
    """
    before, priced = math.nextafter(until, -math.inf), {**where, "priced": True}
    rows = await journal.usage(by, since=since, until=before, where=where, limit=limit)
    known = await journal.usage(by, since=since, until=before, where=priced, limit=limit)
    total = await journal.usage(since=since, until=before, where=where) if by else rows
    known_total = await journal.usage(since=since, until=before, where=priced) if by else known
    of = {tuple(row.group.values()): row for row in known}
    price = baseline[1] if baseline else None
    return {
        "by": list(by),
        "since": iso(since),
        "until": iso(until),
        "baseline": {"model": baseline[0], "priced": price is not None} if baseline else None,
        "rows": [{"group": dict(row.group), **figures(row, of.get(tuple(row.group.values())), price)} for row in rows],
        "total": figures(total[0] if total else Totals(), known_total[0] if known_total else None, price),
    }


def figures(all: Totals, priced: Totals | None, price: Price | None) -> dict[str, Any]:
    """One row's numbers; `priced` are those of its requests whose cost is known."""
    spent = all.nano_usd / NANO if priced is not None or all.nano_usd else None
    there = what_if(priced, price)
    return {
        "requests": all.requests,
        "errors": all.errors,
        "unpriced": all.unpriced,
        "usd": spent,
        "callers_usd": all.callers_nano_usd / NANO,
        "input_tokens": all.input_tokens,
        "output_tokens": all.output_tokens,
        "cache_read": all.cache_read,
        "cache_write": all.cache_write,
        "reasoning": all.reasoning,
        "local_share": all.local / all.requests if all.requests else None,
        "cheap_share": all.cheap / all.requests if all.requests else None,
        "saved_tokens": all.saved_tokens,
        "saved_usd": all.saved_nano_usd / NANO,
        "baseline_usd": there,
        "less_than_baseline_usd": there - spent if there is not None and spent is not None else None,
        "seconds": all.microseconds / 1e6,
    }


def what_if(totals: Totals | None, price: Price | None) -> float | None:
    """USD that the same tokens cost at this price; by its usual rates, not those of long requests or some hours."""
    if totals is None or price is None:
        return None
    usage = Usage(
        input_tokens=totals.input_tokens, output_tokens=totals.output_tokens,
        cache_read=totals.cache_read, cache_write=totals.cache_write,
    )  # fmt: skip
    usd = cost(usage, structs.replace(price, tiers=(), hours=(), per_request=0.0))
    return None if usd is None else usd + totals.requests * price.per_request


def iso(at: float) -> str | None:
    """A time as in ISO 8601, in UTC; None for what has no bound."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if 0 < at < 2**37 else None
