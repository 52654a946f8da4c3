"""Calls of the ledger, gathered: all that wait while a transaction runs are done in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from lynkr_core.stores import Balance, Bucket, Full, Hold, Wait
from lynkr_store_postgres.books import Books, capped
from lynkr_store_postgres.database import Database, transaction

T = TypeVar("T")
BATCH = 500
LOCK = "WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock($1)) SELECT seconds() FROM locked"
BALANCES = (
    "SELECT name, used, held, until FROM counter WHERE name >= $1 AND name < $2 AND name > $3 "
    "AND until > (SELECT seconds()) - 86400 ORDER BY name LIMIT $4"
)


class Work:
    """One call: what it has to know, what it does then, and who is told."""

    __slots__ = ("act", "buckets", "future", "ids", "names", "result")

    def __init__(self, act: Callable[[Books], Any], ids: Iterable[str], names: Iterable[str], buckets: Iterable[str]) -> None:
        self.act = act
        self.ids = ids
        self.names = names
        self.buckets = buckets
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: Any = None


class TableLedger:
    """A `Ledger`. An advisory lock lets one transaction at a time decide, so that nothing can be overdrawn and nothing deadlocks; what
    is lost by that is won back by many calls in one transaction. The time is the database's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._works: list[Work] = []
        self._working: asyncio.Task[None] | None = None

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        return await self._do(lambda books: books.hold(id, holds, lease), [id], [hold.counter for hold in holds])

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        return await asyncio.shield(self._do(lambda books: books.book(id, capped(amounts)), [id]))

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        names = [hold.counter for hold in holds]
        return await asyncio.shield(self._do(lambda books: books.renew(id, capped(amounts), new, holds, lease), [id, new], names))

    async def extend(self, id: str, lease: float) -> bool:
        return await self._do(lambda books: books.extend(id, lease), [id])

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        return {name.decode(): Balance(used, held) for name, used, held, _ in await self._rows(prefix, limit, after)}

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        """Until when the counters count that `balances` would name."""
        return {name.decode(): until for name, _, _, until in await self._rows(prefix, limit, after)}

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        return await self._do(lambda books: books.take(buckets), buckets=[bucket.name for bucket in buckets])

    async def give(self, buckets: Sequence[Bucket]) -> None:
        await asyncio.shield(self._do(lambda books: books.give(buckets), buckets=[bucket.name for bucket in buckets]))

    async def _rows(self, prefix: str, limit: int, after: str) -> Sequence[Any]:
        await self._do(lambda books: None)  # gives back what leases that are over held
        low = prefix.encode()
        return await self._database.ask(lambda connection: connection.fetch(BALANCES, low, low + b"\xff", after.encode(), limit))

    def _do(
        self, act: Callable[[Books], T], ids: Iterable[str] = (), names: Iterable[str] = (), buckets: Iterable[str] = ()
    ) -> asyncio.Future[T]:
        work = Work(act, ids, names, buckets)
        self._works.append(work)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="lynkr-ledger")
        return work.future

    async def _work(self) -> None:
        await asyncio.sleep(0)  # calls that are made at once come together
        while self._works:
            works, self._works = self._works[:BATCH], self._works[BATCH:]
            works = [work for work in works if not work.future.cancelled()]
            try:
                await self._database.ask(lambda connection, works=works: self._decide(connection, works))
            except Exception as error:
                for work in works:
                    tell(work, OSError(str(error)))
            else:
                for work in works:
                    tell(work, work.result)

    async def _decide(self, connection: Any, works: Sequence[Work]) -> None:
        async with transaction(connection):
            books = Books(await connection.fetchval(LOCK, self._database.lock("ledger")))
            ids, names = {id for work in works for id in work.ids}, {name for work in works for name in work.names}
            await books.read(connection, sorted(ids), sorted(names), sorted({name for work in works for name in work.buckets}))
            for work in works:
                try:
                    work.result = work.act(books)
                except Exception as error:  # one call's mistake is not the others'
                    work.result = error
            await books.write(connection)


def tell(work: Work, result: Any) -> None:
    if work.future.done():
        return
    if isinstance(result, Exception):
        work.future.set_exception(result)
        work.future.exception()  # whoever has stopped waiting behind a shield does not ask for it
    else:
        work.future.set_result(result)


OLD = (
    "DELETE FROM lease WHERE id IN (SELECT id FROM lease WHERE lapsed AND ends <= $1 - 86400 LIMIT $2)",
    "DELETE FROM counter WHERE name IN (SELECT name FROM counter WHERE until <= $1 - 86400 AND held = 0 LIMIT $2)",
    "DELETE FROM bucket WHERE name IN (SELECT name FROM bucket WHERE full_at <= $1 LIMIT $2)",
)
"""What was over a day ago, and buckets that are full."""


async def forget(connection: Any, lock: int, limit: int) -> None:
    async with transaction(connection):
        now = await connection.fetchval(LOCK, lock)
        for statement in OLD:
            await connection.execute(statement, now, limit)
