"""Rates shared out: a process takes from a bucket for many requests at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from lynkr_core.stores.protocols import NOT_NOW, Bucket, Ledger, NotNow, Wait

MANY = 20
"""Requests of one tick from which on some of them would wait otherwise."""
PATIENCE = 3
"""How often somebody waits for what others bring before asking the ledger too."""


class Stock:
    """`free` was taken from the bucket and nobody has used it, `back` is to be given back. `asked` and `demand` as a share's, `count`: by
    how many.

    `coming`: somebody is taking more than for one request.
    """

    __slots__ = ("asked", "back", "coming", "count", "demand", "empty", "empty_until", "free", "like")

    def __init__(self, like: Bucket) -> None:
        self.like = like
        self.free = self.back = self.asked = self.demand = self.count = 0
        self.coming: asyncio.Event | None = None
        self.empty: tuple[int, float] = (0, 0.0)  # for so much there is nothing before then
        self.empty_until = 0.0  # and nobody needs to ask again before then


class Stocks:
    """Takes up to `part` of a bucket's capacity ahead, and gives back what nobody wanted for a tick."""

    def __init__(self, ledger: Ledger, part: float, every: float) -> None:
        self._ledger = ledger
        self._part = part
        self._every = every
        self._stocks: dict[str, Stock] = {}

    def __bool__(self) -> bool:
        return bool(self._stocks)

    def __iter__(self) -> Iterator[Stock]:
        return iter(self._stocks.values())

    def try_take(self, buckets: Sequence[Bucket]) -> Wait | NotNow | None:
        """As `take`, at once; `NOT_NOW` when the ledger has to be asked."""
        for bucket in buckets:
            stock = self._stocks.get(bucket.name)
            if stock is None or stock.free < bucket.amount:
                return NOT_NOW if stock is None else self._known_empty(stock, bucket) or NOT_NOW
        for bucket in buckets:
            stock = self._stocks[bucket.name]
            stock.free -= bucket.amount
            stock.asked += bucket.amount
            stock.count += 1
        return None

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        told, waits = self.try_take(buckets), 0
        while isinstance(told, NotNow) and waits < PATIENCE and (coming := self._coming(buckets)):
            await coming.wait()
            told, waits = self.try_take(buckets), waits + 1
        if not isinstance(told, NotNow):
            return told
        stocks = [self._stock(bucket) for bucket in buckets]
        for stock, bucket in zip(stocks, buckets, strict=True):
            stock.asked += bucket.amount
            stock.count += 1
            await self._return(stock)
        used = [min(stock.free, bucket.amount) for stock, bucket in zip(stocks, buckets, strict=True)]
        self._add(stocks, [-count for count in used])
        try:
            wait = await self._draw(stocks, buckets, used)
        except BaseException:
            self._add(stocks, used)
            raise
        if wait is not None:
            self._add(stocks, used)
        return wait

    def give(self, buckets: Sequence[Bucket]) -> None:
        for bucket in buckets:
            self._stock(bucket).back += bucket.amount

    async def flush(self) -> None:
        """Gives back what nobody wanted, and brings what many are about to want before they have to wait for it. Raises `OSError`."""
        for name, stock in list(self._stocks.items()):
            ahead = self._ahead(stock) if stock.asked else 0
            keep = min(ahead, stock.free)
            stock.back, stock.free = stock.back + stock.free - keep, keep
            await self._return(stock)
            missing = ahead - stock.free
            if stock.count >= MANY and missing > 0 and await self._ledger.take([_of(stock.like, missing)]) is None:
                stock.free += missing
            stock.demand = max(stock.asked, stock.demand // 2)
            if not stock.asked and not stock.free and time.monotonic() >= stock.empty_until:
                del self._stocks[name]
            stock.asked = stock.count = 0

    async def _return(self, stock: Stock) -> None:
        back, stock.back = stock.back, 0
        if back:
            stock.empty_until = 0.0
            try:
                await self._ledger.give([_of(stock.like, back)])
            except BaseException:
                stock.back += back
                raise

    async def _draw(self, stocks: list[Stock], buckets: Sequence[Bucket], used: list[int]) -> Wait | None:
        """Takes what is missing and something more, or only what is missing."""
        lacking = [bucket.amount - count for bucket, count in zip(buckets, used, strict=True)]
        aheads = [self._ahead(stock) for stock in stocks]
        coming = asyncio.Event() if any(aheads) else None
        for stock, ahead in zip(stocks, aheads, strict=True):
            stock.coming = coming if ahead else stock.coming
        try:
            return await self._drawn(stocks, buckets, lacking, aheads)
        finally:
            for stock in stocks:
                stock.coming = None if stock.coming is coming else stock.coming
            if coming is not None:
                coming.set()

    async def _drawn(
        self, stocks: list[Stock], buckets: Sequence[Bucket], lacking: Sequence[int], aheads: Sequence[int]
    ) -> Wait | None:
        wait: Wait | None = None
        for more in (aheads, [0] * len(aheads)) if any(aheads) else (aheads,):
            wait = await self._ledger.take(
                [_of(bucket, missing + ahead) for bucket, missing, ahead in zip(buckets, lacking, more, strict=True)]
            )
            if wait is None:
                self._add(stocks, more)
                return None
        for stock, bucket, missing in zip(stocks, buckets, lacking, strict=True):
            if wait is not None and bucket.name == wait.bucket and missing == bucket.amount:
                stock.empty = (bucket.amount, time.monotonic() + wait.seconds)
                stock.empty_until = time.monotonic() + min(wait.seconds, self._every)
        return wait

    def _coming(self, buckets: Sequence[Bucket]) -> asyncio.Event | None:
        """What to wait for: somebody who is bringing what these lack."""
        for bucket in buckets:
            stock = self._stocks.get(bucket.name)
            if stock is not None and stock.free < bucket.amount and stock.coming is not None:
                return stock.coming
        return None

    def _known_empty(self, stock: Stock, bucket: Bucket) -> Wait | None:
        now, (amount, until) = time.monotonic(), stock.empty
        return Wait(bucket.name, until - now) if now < stock.empty_until and bucket.amount >= amount else None

    def _ahead(self, stock: Stock) -> int:
        return min(2 * max(stock.asked, stock.demand), int(stock.like.capacity * self._part))

    def _add(self, stocks: list[Stock], counts: Sequence[int]) -> None:
        for stock, count in zip(stocks, counts, strict=True):
            stock.free += count

    def _stock(self, bucket: Bucket) -> Stock:
        if bucket.name not in self._stocks:
            self._stocks[bucket.name] = Stock(bucket)
        return self._stocks[bucket.name]


def _of(bucket: Bucket, amount: int) -> Bucket:
    return Bucket(bucket.name, amount, bucket.capacity, bucket.period)
