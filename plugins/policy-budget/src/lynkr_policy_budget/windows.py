"""The time that a limit is for: minutes and hours, or days, weeks and months as they turn in a time zone."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple

Per = Literal["minute", "hour", "day", "week", "month", "total", "run"]
SECONDS = {"minute": 60, "hour": 3600}
DATES = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
RUN_SECONDS = 7 * 86400.0
"""How long a run is remembered from its first request on."""


class Window(NamedTuple):
    """`name` tells it apart from those before and after; times in seconds since 1970."""

    name: str
    since: float
    until: float


class Windows:
    """One after the other. Days have 23, 24 or 25 hours, as the zone has it; weeks begin on Monday."""

    def __init__(self, per: Per, zone: tzinfo, name: str = "") -> None:
        """`name`: of a zone that is not everybody's: its days are other ones than those of the same date elsewhere."""
        self.per: Per = per
        self.zone = name.replace("/", "~") if per in DATES else ""
        self._zone = zone
        self._last = Window("", 0.0, -math.inf)

    def at(self, now: float) -> Window:
        last = self._last
        if not last.since <= now < last.until:
            last = self._last = self._made(now)
        return last

    def _made(self, now: float) -> Window:
        if self.per == "total":
            return Window("total", -math.inf, math.inf)
        if self.per == "run":
            return Window("run", math.inf, now + RUN_SECONDS)  # never the same as the last one: each run has its own end
        if self.per in SECONDS:
            return self._even(now, SECONDS[self.per])
        local = datetime.fromtimestamp(now, self._zone)
        first, after = days(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0), self.per)
        name = first.strftime(DATES[self.per])
        return Window(f"{name}@{self.zone}" if self.zone else name, first.timestamp(), after.timestamp())

    def _even(self, now: float, length: int) -> Window:
        """Named in UTC: where clocks are set back an hour comes twice. Zones are not always whole hours apart."""
        ahead = (datetime.fromtimestamp(now, self._zone).utcoffset() or timedelta()).total_seconds()
        since = math.floor((now + ahead) / length) * length - ahead
        return Window(datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%MZ"), since, since + length)


def days(midnight: datetime, per: Per) -> tuple[datetime, datetime]:
    """Midnights at which it began and ends: a zone's wall clock is added to, so that no hour is lost where it jumps."""
    if per == "day":
        return midnight, midnight + timedelta(days=1)
    if per == "week":
        first = midnight - timedelta(days=midnight.weekday())
        return first, first + timedelta(days=7)
    first = midnight.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)
