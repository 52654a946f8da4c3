"""`GET /v1/admin/series`: what the journal sums up, in equal spans of time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from lynkr_core.errors import InvalidRequest
from lynkr_core.stores import Journal, Totals
from lynkr_core.stores.report import moment

BY = ("model", "provider", "agent", "tier", "key", "user", "team", "status")
SPANS = (60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 86_400.0, 7 * 86_400.0)
"""Seconds of a span: the shortest of them that divides the time into no more than `MOST_POINTS`."""
MOST_POINTS = 60
MOST_GROUPS = 50
LONGEST = MOST_POINTS * SPANS[-1]
MOST_REMEMBERED = 4_000
SETTLED = 120.0
"""Seconds after its end from which on a span is thought to be complete, unless a request takes longer than that."""
SUMMED = ("requests", "errors", "unpriced", "input_tokens", "output_tokens", "cache_read", "saved_tokens")
NAMES = (*SUMMED, "usd", "saved_usd", "seconds")
NANO = 1e9
Point = dict[str | None, dict[str, Any]]


class Series:
    """Remembers what old spans came to. Raises `InvalidRequest` for what cannot be asked."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._known: dict[tuple[Any, ...], Point] = {}

    async def told(self, since: str, by: str, principal: str | None) -> dict[str, Any]:
        """The points of each group, those that cost most first; `usd` is null where nothing is known of it."""
        if by and by not in BY:
            raise InvalidRequest(f"by: say one of {', '.join(BY)}", param="by")
        now = self._clock()
        first, span, count = spans(begin(since, now), now)
        points = [await self._sums(first + n * span, span, by, principal, now) for n in range(count)]
        names = list(dict.fromkeys([name for point in points for name in point]))
        names.sort(key=lambda name: (-total(points, name, "usd"), -total(points, name, "requests")))
        groups = [{"group": name, "points": [point.get(name, NONE) for point in points]} for name in names]
        told = {"by": by or None, "since": first, "until": first + count * span, "span": span}
        return {**told, "groups": groups[:MOST_GROUPS], "more_groups": max(len(groups) - MOST_GROUPS, 0)}

    async def _sums(self, at: float, span: float, by: str, principal: str | None, now: float) -> Point:
        key = (at, span, by, principal)
        if key in self._known:
            return self._known[key]
        where = {} if principal is None else {"principal": principal}
        until = math.nextafter(at + span, -math.inf)
        found = await self._journal.usage([by] if by else [], since=at, until=until, where=where, limit=MOST_GROUPS)
        sums = {row.group.get(by): figures(row) for row in found}
        if at + span + SETTLED < now:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = sums
        return sums


def begin(since: str, now: float) -> float:
    """Raises `InvalidRequest`."""
    try:
        at = moment(since or "24h", now)
    except ValueError as error:
        raise InvalidRequest(f"since: {error}", param="since") from None
    if not now - LONGEST <= at < now:
        raise InvalidRequest("since: say a time of the past, at most 60 weeks ago", param="since")
    return at


def spans(since: float, now: float) -> tuple[float, float, int]:
    """When the first begins, how long each is, and how many there are: the first holds `since`, the last one `now`."""
    span = next(span for span in SPANS if (now - since) / span <= MOST_POINTS)
    first = math.floor(since / span)
    return first * span, span, math.floor(now / span) - first + 1


def figures(row: Totals) -> dict[str, Any]:
    usd = None if row.unpriced and row.unpriced == row.requests else row.nano_usd / NANO
    counted = {name: getattr(row, name) for name in SUMMED}
    return {**counted, "usd": usd, "saved_usd": row.saved_nano_usd / NANO, "seconds": row.microseconds / 1e6}


def total(points: Sequence[Point], group: str | None, what: str) -> float:
    return sum([point[group][what] or 0.0 for point in points if group in point])


NONE: dict[str, Any] = dict.fromkeys(NAMES, 0)
