"""How full budgets are, as far as this process knows: for warnings only, never for refusing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from lynkr_core.stores import Full, Hold, Ledger
from lynkr_policy_budget.rules import Room, moment, shown

log = logging.getLogger("lynkr.budget")
Level = Literal["warned", "exceeded"]
MAX_GAUGES = 10_000
AT_ONCE = 50
"""Counters that are looked up in a shared store at each look."""
CLAIM_LEASE = 60.0


class Gauge:
    """One counter, what is booked on it, from where on that is worth a warning, and of which levels it was said that they are reached."""

    __slots__ = ("counter", "levels", "limit", "near", "room", "until", "used")

    def __init__(self, room: Room, used: int, near: float) -> None:
        self.room = room
        self.counter = room.counter
        self.limit = room.limit
        self.until = room.until
        self.used = used
        self.near = near
        self.levels: set[Level] = set()

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit else 1.0

    def told(self) -> Mapping[str, str]:
        """Response headers, without their `x-lynkr-`."""
        unit = self.room.unit
        return {
            "budget-scope": f"{self.room.subject} per {self.room.rule.windows.per}",
            "budget-used": shown(self.used, unit),
            "budget-limit": shown(self.limit, unit),
            "budget-reset": moment(self.until),
        }


class Gauges:
    """`say` is called once for each counter and level, whoever shares the ledger."""

    def __init__(self, ledger: Ledger, shared: bool, warn: float, say: Callable[[Gauge, Level], None]) -> None:
        self._ledger = ledger
        self._shared = shared
        self._warn = warn
        self._say = say
        self._gauges: dict[str, Gauge] = {}
        self._seeds: dict[str, int] = {}
        self._touched: set[str] = set()
        self._unsaid: list[tuple[Gauge, Level]] = []

    async def seed(self, prefix: str) -> None:
        """Where counters stood before this process began."""
        try:
            self._seeds = {name: balance.used for name, balance in (await self._ledger.balances(prefix, MAX_GAUGES)).items()}
        except OSError as error:
            log.warning("nobody knows yet how full the budgets are: %s", error)

    def full(self, room: Room, used: int) -> Gauge:
        gauge = self._gauge(room)
        gauge.used = used
        return gauge

    def near(self, rooms: Iterable[Room]) -> list[Gauge]:
        """Those of which a warning is due."""
        due: list[Gauge] = []
        for room in rooms:
            gauge = self._gauges.get(room.counter) or self._gauge(room)
            if gauge.used >= gauge.near:
                due.append(gauge)
        return due

    def add(self, room: Room, amount: int) -> None:
        gauge = self._gauges.get(room.counter) or self._gauge(room)
        gauge.used = used = gauge.used + amount
        if self._shared:
            self._touched.add(gauge.counter)
        if used >= gauge.near:
            self.reached(gauge, "warned")

    def reached(self, gauge: Gauge, level: Level) -> None:
        if level in gauge.levels:
            return
        gauge.levels.add(level)
        if self._shared:
            self._unsaid.append((gauge, level))
        else:
            self._say(gauge, level)

    def highest(self, now: float) -> float:
        return max([gauge.share for gauge in self._gauges.values() if gauge.until > now], default=0.0)

    def used(self) -> dict[str, int]:
        """What is booked on each counter, as far as it is known here."""
        return self._seeds | {gauge.counter: gauge.used for gauge in self._gauges.values()}

    def _gauge(self, room: Room) -> Gauge:
        gauge = self._gauges.get(room.counter)
        if gauge is None:
            if len(self._gauges) >= MAX_GAUGES:
                self._gauges = dict(list(self._gauges.items())[MAX_GAUGES // 2 :])
            gauge = self._gauges[room.counter] = Gauge(room, self._seeds.pop(room.counter, 0), self._warn * room.limit)
        return gauge

    async def look(self) -> None:
        """Looks some counters up that others may have used too, and says what nobody said yet. Raises `OSError`."""
        for _ in range(min(AT_ONCE, len(self._touched))):
            gauge = self._gauges.get(self._touched.pop())
            if gauge is not None:
                found = await self._ledger.balances(gauge.counter, 1)
                gauge.used = found[gauge.counter].used if gauge.counter in found else gauge.used
        while self._unsaid:
            gauge, level = self._unsaid[0]
            if await self._first(gauge, level):
                self._say(gauge, level)
            self._unsaid.pop(0)

    async def _first(self, gauge: Gauge, level: Level) -> bool:
        """Whether nobody else has said it: a counter with room for one, of which only the first gets it."""
        counter = f"{gauge.counter}/{level}"
        id = f"{counter}/{id_of(gauge)}"
        if isinstance(await self._ledger.hold(id, [Hold(counter, 1, 1, gauge.until)], CLAIM_LEASE), Full):
            return False
        return await self._ledger.book(id, {counter: 1})


def id_of(gauge: Gauge) -> str:
    return f"{id(gauge):x}"
