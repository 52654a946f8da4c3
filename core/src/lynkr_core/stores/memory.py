"""The built-in store: all three protocols in the memory of one process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from lynkr_core.stores.counters import Counters
from lynkr_core.stores.protocols import NOTHING, Balance, Bucket, Full, Hold, Record, Wait
from lynkr_core.stores.totals import Row, Totals, check, matches, row_of, sum_up, totals

VALUE_COST = 200
"""Bytes that a value in memory costs beside its content and key."""


class MemoryStore:
    """Keeps the newest `limit` records in memory, and up to `limit_bytes` of values, the last used ones; gone with the process."""

    def __init__(
        self, limit: int = 1000, limit_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.counters = Counters()
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._clock = clock
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lasting: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lasting_bytes = 0
        self._records: OrderedDict[str, Record] = OrderedDict()

    def append(self, record: Record) -> None:
        self._records[record["id"]] = record
        if len(self._records) > self.limit:
            self._records.popitem(last=False)

    async def find(self, id: str) -> Record | None:
        return self._records.get(id)

    async def query(
        self,
        *,
        since: float = 0.0,
        until: float = math.inf,
        where: Mapping[str, Any] = NOTHING,
        limit: int = 100,
        before: tuple[float, str] | None = None,
    ) -> Sequence[Record]:
        check((), where)
        found = [record for record, _ in self._select(since, until, where)]
        found.sort(key=itemgetter("created", "id"), reverse=True)
        return [r for r in found if before is None or (r["created"], r["id"]) < before][:limit]

    async def usage(
        self,
        by: Sequence[str] = (),
        *,
        since: float = 0.0,
        until: float = math.inf,
        where: Mapping[str, Any] = NOTHING,
        limit: int = 1000,
    ) -> Sequence[Totals]:
        check(by, where)
        rows = [(record["created"], row) for record, row in self._select(since, until, where)]
        return totals(sum_up(rows, by), by, limit)

    def _select(self, since: float, until: float, where: Mapping[str, Any]) -> list[tuple[Record, Row]]:
        fits = matches(where)
        rows = [(record, row_of(record)) for record in self._records.values() if since <= record["created"] <= until]
        return [(record, row) for record, row in rows if fits(row)]

    async def flush(self) -> None:
        pass

    async def get(self, key: str) -> bytes | None:
        held = self._lasting if key in self._lasting else self._values
        value, until = held.get(key, (None, 0.0))
        if self._clock() >= until:
            await self.delete(key)
            return None
        held.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Raises `OSError` for a value that does not fit beside those that are kept for good."""
        await self.delete(key)
        lasting, size = ttl == math.inf, cost(key, value)
        if size + self._lasting_bytes > self.limit_bytes:
            raise OSError(f"a value of {len(value)} bytes does not fit into {self.limit_bytes}")
        held = self._lasting if lasting else self._values
        held[key] = (value, self._clock() + ttl)
        self.held_bytes += size
        self._lasting_bytes += size if lasting else 0
        while self.held_bytes > self.limit_bytes:
            await self.delete(next(iter(self._values)))

    async def delete(self, key: str) -> None:
        for held in (self._values, self._lasting):
            if key in held:
                size = cost(key, held.pop(key)[0])
                self.held_bytes -= size
                self._lasting_bytes -= size if held is self._lasting else 0

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        now = self._clock()
        kept = self._lasting if lasting else {**self._values, **self._lasting}
        found = sorted(key for key, (_, until) in kept.items() if key.startswith(prefix) and now < until and key > after)
        return {key: kept[key][0] for key in found[:limit]}

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        return self.counters.hold(id, holds, lease)

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        return self.counters.book(id, amounts)

    async def extend(self, id: str, lease: float) -> bool:
        return self.counters.extend(id, lease)

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        return self.counters.renew(id, amounts, new, holds, lease)

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        return self.counters.balances(prefix, limit, after)

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        return self.counters.windows(prefix, limit, after)

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        return self.counters.take(buckets)

    async def give(self, buckets: Sequence[Bucket]) -> None:
        self.counters.give(buckets)


def cost(key: str, value: bytes) -> int:
    """Bytes that a value takes."""
    return len(key) + len(value) + VALUE_COST
