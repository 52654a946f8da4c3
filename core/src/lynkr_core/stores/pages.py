"""A journal that is read in pages over the network: what is asked of it is chosen and summed up here."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from lynkr_core.stores.outbox import Outbox
from lynkr_core.stores.protocols import NOTHING, Record
from lynkr_core.stores.spill import Row
from lynkr_core.stores.totals import Totals, Written, add, check, matches, row_of_json, sum_up, totals

PAGE_ROWS = 500

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class PagedJournal:
    """A `Journal` over an outbox, for a store that has `_find` and `_page`."""

    outbox: Outbox

    async def _find(self, id: str) -> bytes | str | None:
        """A written record as JSON."""
        raise NotImplementedError

    async def _page(self, since: float, until: float, before: tuple[float, str], limit: int) -> Sequence[Row]:
        """Written records by time and id, the last first, below `before`."""
        raise NotImplementedError

    def append(self, record: Record) -> None:
        self.outbox.append(record)

    def append_later(self, make: Callable[[], Written], at_once: bool = False) -> None:
        self.outbox.take(lambda: make()[:3])

    async def flush(self) -> None:
        await self.outbox.flush()

    async def find(self, id: str) -> Record | None:
        row = self.outbox.waiting.get(id)
        found = row[2] if row else await self._find(id)
        return _decode(found) if found else None

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
        fits, end = matches(where), before or (math.inf, "")
        waiting = list(self.outbox.waiting.values())
        found = [row for row in waiting if since <= row[1] <= until and (row[1], row[0]) < end]
        found = [row for row in found if not where or fits(row_of_json(row[2]))]
        wanted = limit
        async for rows in self._pages(since, until, end, {row[0] for row in waiting}, limit):
            chosen = [row for row in rows if not where or fits(row_of_json(row[2]))]
            found += chosen
            wanted -= len(chosen)
            if wanted <= 0:
                break
        found.sort(key=itemgetter(1, 0), reverse=True)
        return [_decode(row[2]) for row in found[:limit]]

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
        waiting = list(self.outbox.waiting.values())
        pages = [[row for row in waiting if since <= row[1] <= until]]
        known = {row[0] for row in waiting}
        async for rows in self._pages(since, until, (math.inf, ""), known, PAGE_ROWS):
            pages.append(rows)
            self._sum(pages, by, fits, sums)
        self._sum(pages, by, fits, sums)
        return totals(sums, by, limit)

    def _sum(self, pages: list[list[Row]], by: Sequence[str], fits: Any, sums: dict[tuple[Any, ...], list[int]]) -> None:
        counted = [(row[1], row_of_json(row[2])) for rows in pages for row in rows]
        pages.clear()
        for group, numbers in sum_up([row for row in counted if fits(row[1])], by).items():
            add(sums, group, numbers)

    async def _pages(
        self, since: float, until: float, before: tuple[float, str], without: set[str], size: int
    ) -> AsyncGenerator[list[Row]]:
        size = min(max(size, 1), PAGE_ROWS)
        while rows := await self._page(since, until, before, size):
            yield [row for row in rows if row[0] not in without]
            before = (rows[-1][1], rows[-1][0])
