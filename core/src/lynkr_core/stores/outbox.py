"""Records on their way to a store that is asked over the network: gathered, written in batches, spilt while it is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from lynkr_core.stores.protocols import Record
from lynkr_core.stores.spill import Row, Spill, read

if TYPE_CHECKING:
    from lynkr_core.stores.ahead import Ahead

log = logging.getLogger("lynkr.stores")

BATCH_ROWS = 500
BATCH_SECONDS = 0.2
RETRY_SECONDS = 1.0

_encode = msgspec.json.Encoder().encode


class Outbox:
    """Gives `write` batches of up to 500 rows or 200 ms, one at a time. It raises `OSError` while the store is down, and every other
    error for a row that the store will never take. To write a row twice must change nothing.

    While it raises `OSError` rows wait in memory, are tried again every second, and are spilt when half of `limit` wait or at the end.
    `dropped` counts records that found no room, `lost` those that could neither be written nor spilt. With `durable` what waits is in
    files, too: whoever starts next with the same `path` finds what a killed process has not written.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[Row]], Awaitable[None]], limit: int, path: Path, durable: bool = False
    ) -> None:
        self._name = name
        self._write = write
        self._limit = limit
        self._spill = Spill(path)
        self._ahead = ahead_of(path) if durable else None
        self._some = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progress = asyncio.Event()
        self._failing = self._full = self._stopping = False
        self._spilt = True  # perhaps, by those who were here before
        self._task: asyncio.Task[None] | None = None
        self.waiting: dict[str, Row] = {}
        self.dropped = self.lost = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"lynkr-{self._name}")
        return self

    async def __aexit__(self, *error: object) -> None:
        """Writes what waits, or spills it."""
        self._stopping = True
        self._some.set()
        self._hurry.set()
        if self._task is not None:
            await self._task
        if self._ahead is not None:
            self._ahead.close()

    def append(self, record: Record) -> None:
        self.take(lambda: (str(record["id"]), float(record["created"]), _encode(record)))

    def take(self, make: Callable[[], Row]) -> None:
        """Raises nothing: what finds no room or is no JSON is counted and logged."""
        if len(self.waiting) >= self._limit:
            self._drop()
            return
        try:
            row = make()
        except Exception as error:  # whatever is wrong with one record must not harm whoever appends
            self._lose(1, f"no JSON: {type(error).__name__}")
            return
        if self._ahead is not None:
            self._ahead.add(row, row[0] not in self.waiting)
        self.waiting[row[0]] = row
        self._some.set()
        if len(self.waiting) >= BATCH_ROWS and not self._failing:
            self._hurry.set()

    async def flush(self) -> None:
        """Returns when what waits now is written or spilt."""
        rows = list(self.waiting.values())
        while any(self.waiting.get(row[0]) is row for row in rows):
            self._hurry.set()
            await self._progress.wait()

    async def _run(self) -> None:
        await self._restore()
        while not self._stopping or self.waiting:
            await self._some.wait()
            await self._pause(BATCH_SECONDS)
            await self._write_next()
            if not self.waiting and not self._stopping:
                self._some.clear()

    async def _pause(self, seconds: float) -> None:
        """Lets records gather, unless somebody is in a hurry."""
        if not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()
            self._hurry.clear()

    async def _write_next(self) -> None:
        rows = list(islice(self.waiting.values(), BATCH_ROWS))
        if not await self._try(rows):
            if self._stopping or len(self.waiting) > self._limit // 2:
                await self._give_up()
            else:
                await self._pause(RETRY_SECONDS)
            return
        self._forget(rows)
        if self._spilt:
            await self._restore()

    async def _try(self, rows: Sequence[Row]) -> bool:
        """False when the store is down."""
        try:
            if rows:
                await self._write(rows)
        except OSError as error:
            if not self._failing:
                log.error("store.%s takes no records: %s; trying again every %g s", self._name, error, RETRY_SECONDS)
            self._failing = True
            return False
        except Exception as error:
            if len(rows) > 1:
                return all([await self._try([row]) for row in rows])
            self._lose(1, str(error))
        if self._failing and rows:
            log.warning("store.%s takes records again", self._name)
            self._failing = False
        return True

    async def _give_up(self) -> None:
        rows = list(self.waiting.values())
        if rows and await asyncio.to_thread(self._spill.add, rows):
            self._spilt = True
            log.error("%d records that store.%s does not take are kept in a file", len(rows), self._name)
        elif rows:
            self._lose(len(rows), "neither written nor kept in a file")
        self._forget(rows)

    async def _restore(self) -> None:
        """Writes what is in files. Those that cannot be read or written stay for the next time."""
        count, left = 0, False
        for file in await asyncio.to_thread(self._spill.files):
            written = await self._bring_back(file)
            if written is None:
                left = True
                break
            count += written
        self._spilt = left
        if count:
            log.warning("%d records that store.%s did not take earlier have been read back", count, self._name)

    async def _bring_back(self, file: Path) -> int | None:
        try:
            rows = await asyncio.to_thread(read, file)
        except FileNotFoundError:
            return 0  # another process was faster
        except OSError as error:
            log.error("%s cannot be read back: %s", file, error)
            return 0
        for start in range(0, len(rows), BATCH_ROWS):
            if not await self._try(rows[start : start + BATCH_ROWS]):
                return None
        await asyncio.to_thread(file.unlink, missing_ok=True)
        return len(rows)

    def _forget(self, rows: Sequence[Row]) -> None:
        before = len(self.waiting)
        for row in rows:
            if self.waiting.get(row[0]) is row:
                del self.waiting[row[0]]
        if self._ahead is not None:
            self._ahead.written(before - len(self.waiting))
        self._full = False
        self._progress.set()
        self._progress = asyncio.Event()

    def _drop(self) -> None:
        self.dropped += 1
        if not self._full:
            self._full = True
            log.error("%d records wait for store.%s: new ones are dropped", self._limit, self._name)

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        log.error("%d records for store.%s are lost: %s", count, self._name, why)


def ahead_of(path: Path) -> Ahead:
    from lynkr_core.stores.ahead import Ahead  # it needs what not every system has

    return Ahead(path)
