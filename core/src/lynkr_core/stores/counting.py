"""Values, pages and sums for journals that can only list records by their time."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from lynkr_core.stores.protocols import NOTHING, Record
from lynkr_core.stores.totals import Totals, add, check, matches, row_of, sum_up, totals

PAGE_ROWS = 500


class Counting:
    """A base for stores: the subclass has `page`. Everything of a span is read for a sum, a page in memory at a time."""

    async def page(self, since: float, until: float, limit: int) -> Sequence[Record]:
        """Records created from `since` to `until`, both included, the last first, by time and then id."""
        raise NotImplementedError

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
        if not where and before is None:
            return await self.page(since, until, limit)
        fits, found = matches(where), list[Record]()
        async with aclosing(self._records(since, min(until, before[0]) if before else until)) as records:
            async for record in records:
                if (before is None or (record["created"], record["id"]) < before) and fits(row_of(record)):
                    found.append(record)
                    if len(found) >= limit:
                        break
        return found

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
        fits, sums = matches(where), dict[tuple[Any, ...], list[int]]()
        async for record in self._records(since, until):
            row = row_of(record)
            if fits(row):
                for group, numbers in sum_up([(record["created"], row)], by).items():
                    add(sums, group, numbers)
        return totals(sums, by, limit)

    async def _records(self, since: float, until: float) -> AsyncGenerator[Record]:
        size, seen = PAGE_ROWS, set[str]()
        while page := await self.page(since, until, size):
            for record in page:
                if record["id"] not in seen:
                    yield record
            if len(page) < size:
                return
            last = page[-1]["created"]
            size = PAGE_ROWS if last < until else size * 2  # more than a page at one moment
            until, seen = last, {record["id"] for record in page if record["created"] == last}
