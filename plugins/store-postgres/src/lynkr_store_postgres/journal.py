"""Records, in one partition for each month of UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from lynkr_core.stores.spill import Row
from lynkr_store_postgres.database import Database, transaction

FIND = "SELECT record FROM journal WHERE id = $1 ORDER BY created DESC LIMIT 1"
PAGE = (
    "SELECT id, created, record FROM journal WHERE created >= $1 AND created <= $2 AND (created, id) < ($3, $4) "
    "ORDER BY created DESC, id DESC LIMIT $5"
)
REPLACE = (
    "INSERT INTO journal (id, created, record) SELECT id, created, record::json FROM unnest($1::text[], $2::float8[], $3::text[]) "
    "AS rows (id, created, record) ON CONFLICT (id, created) DO UPDATE SET record = excluded.record"
)
MOVED = (
    "DELETE FROM journal USING unnest($1::text[], $2::float8[]) AS rows (id, created) "
    "WHERE journal.id = rows.id AND journal.created <> rows.created"
)
"""What is written again with another time: the key has both, because partitions need it."""
PARTITIONS = (
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
    "WHERE inhparent = to_regclass('journal') ORDER BY relname"
)


class Table:
    """Writes with COPY. A batch with a record that is there already is written again, each in the place of the older one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._months: set[str] = set()

    async def find(self, id: str) -> str | None:
        if "\0" in id:
            return None
        return await self._database.ask(lambda connection: connection.fetchval(FIND, id))

    async def page(self, since: float, until: float, before: tuple[float, str], limit: int) -> list[Row]:
        end = min(until, before[0])
        if "\0" in before[1]:
            before = (before[0], before[1].partition("\0")[0])
        rows = await self._database.ask(lambda connection: connection.fetch(PAGE, since, end, *before, limit))
        return [(id, created, record.encode()) for id, created, record in rows]

    async def write(self, rows: Sequence[Row]) -> None:
        """Raises `OSError` when the database cannot be asked, `ValueError` for a row that it cannot take."""
        months = {month_of(row) for row in rows}
        if any("\0" in id for id, _, _ in rows):
            raise ValueError("an id has a character that no text in PostgreSQL may have")
        texts = [(id, created, record.decode()) for id, created, record in rows]
        await self._database.ask(lambda connection: self._copy(connection, texts, months))

    async def drop_before(self, connection: Any, moment: float) -> list[str]:
        """Drops the partitions of months that were over at that moment; their names."""
        async with transaction(connection):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", self._database.lock("journal"))
            names: list[str] = [row[0] for row in await connection.fetch(PARTITIONS)]
            old = [name for name in names if span(name)[1] <= moment]
            for name in old:
                await connection.execute(f'DROP TABLE "{name}"')
        self._months.difference_update(old)
        return old

    async def _copy(self, connection: Any, rows: Sequence[tuple[str, float, str]], months: set[str]) -> None:
        if not months <= self._months:
            await self._make(connection, months)
        try:
            async with transaction(connection):
                await connection.copy_records_to_table("journal", records=rows, columns=("id", "created", "record"))
                await connection.execute(MOVED, *columns_of(rows)[:2])
        except asyncpg.UniqueViolationError:
            await self._replace(connection, rows)
        except asyncpg.CheckViolationError:  # another process has dropped a partition
            self._months.clear()
            await self._make(connection, months)
            await self._replace(connection, rows)

    async def _replace(self, connection: Any, rows: Sequence[tuple[str, float, str]]) -> None:
        columns = columns_of(rows)
        async with transaction(connection):
            await connection.execute(REPLACE, *columns)
            await connection.execute(MOVED, *columns[:2])

    async def _make(self, connection: Any, months: set[str]) -> None:
        async with transaction(connection):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", self._database.lock("journal"))
            for name in months:
                begins, ends = span(name)
                await connection.execute(
                    f'CREATE TABLE IF NOT EXISTS "{name}" PARTITION OF journal FOR VALUES FROM ({begins!r}) TO ({ends!r})'
                )
        self._months |= months


def columns_of(rows: Sequence[tuple[str, float, str]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def month_of(row: Row) -> str:
    """The name of the partition. Raises `ValueError` for a time that is in no year from 1970 to 9998."""
    try:
        moment = datetime.fromtimestamp(row[1], UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from None
    if not 1970 <= moment.year < 9999:
        raise ValueError(f"the year {moment.year}")
    return f"journal_{moment.year:04}_{moment.month:02}"


def span(name: str) -> tuple[float, float]:
    """From when until when, in seconds since 1970."""
    _, year, month = name.split("_")
    begins = datetime(int(year), int(month), 1, tzinfo=UTC)
    ends = datetime(begins.year + begins.month // 12, begins.month % 12 + 1, 1, tzinfo=UTC)
    return begins.timestamp(), ends.timestamp()
