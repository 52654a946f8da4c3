"""Keeps records in one SQLite file, without ever waiting for the disk on the event loop."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import anyio
import msgspec
from anyio import CapacityLimiter, to_thread
from msgspec import Meta, Struct

from lynkr_core.errors import ConfigError
from lynkr_core.plugins import Context, Plugin
from lynkr_core.stores import Balance, Bucket, Full, Hold, Record, Totals, Wait
from lynkr_core.stores.protocols import NOTHING
from lynkr_core.stores.totals import Written, check, row_of_json
from lynkr_store_sqlite import journal
from lynkr_store_sqlite.books import Books
from lynkr_store_sqlite.doctor import findings
from lynkr_store_sqlite.journal import Span
from lynkr_store_sqlite.removal import Identity, identity
from lynkr_store_sqlite.schema import VersionError, connect, create
from lynkr_store_sqlite.values import GET, Change, scan
from lynkr_store_sqlite.work import Work
from lynkr_store_sqlite.writer import Writer

log = logging.getLogger("lynkr.store.sqlite")
T = TypeVar("T")

DAY = 86400.0
GATHERED = 32
GATHER_SECONDS = 0.02
"""How many records, and for how long, are not made yet."""
MAX_CHANGING = 64 * 1024 * 1024
"""Bytes of values that may wait to be written."""

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, Any])


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    path: Annotated[str, Meta(min_length=1, description="The file; made when there is none.")] = "lynkr.db"
    retention_days: Annotated[float, Meta(gt=0, description="Days after which a record is deleted.")] = 90.0
    pending: Annotated[int, Meta(gt=0, description="Records that may wait to be written; more are dropped and counted.")] = (
        100_000
    )
    values_bytes: Annotated[
        int, Meta(gt=0, description="Bytes of values kept for other plugins; the ones that expire first go.")
    ] = 1024 * 1024 * 1024


class SQLiteStore:
    """A `Journal`, a `KeyValue` and a `Ledger`. `dropped` counts records that found no room, `lost` those that could not be written."""

    def __init__(self, config: Config, context: Context) -> None:
        self._where = f"[{context.kind}.{context.name}] $.path"
        self._path = Path(config.path).expanduser().absolute()
        self._limit = config.pending
        self._pending: dict[str, Written] = {}
        self._changes: dict[str, Change] = {}
        self._changing = 0  # bytes of the values among them
        self._writer = Writer(self._path, config.retention_days * DAY, config.values_bytes, self._forget, self._limit // 2)
        self._reader: sqlite3.Connection | None = None
        self._read_file: Identity | None = None
        self._reading: CapacityLimiter | None = None
        self._full = False
        self._unmade: list[Callable[[], Written]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0

    @property
    def lost(self) -> int:
        return self._writer.lost

    async def __aenter__(self) -> Self:
        """Raises `ConfigError` when the file cannot be opened."""
        try:
            self._reader = await to_thread.run_sync(self._open)
        except (OSError, sqlite3.Error, VersionError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise ConfigError([f"{self._where}: cannot open {str(self._path)!r}: {reason}"]) from None
        self._reading = CapacityLimiter(1)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._make()
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._writer.stop)
            await self._read(sqlite3.Connection.close)
        self._reader = None

    def doctor(self, live: bool) -> Sequence[Mapping[str, str]]:
        """What is wrong with the file; asked of a store that was not started. It makes no file."""
        return list(findings(self._path))

    def append(self, record: Record) -> None:
        self.append_later(lambda: row_from(record), at_once=True)

    def append_later(self, make: Callable[[], Written], at_once: bool = False) -> None:
        """As `append`. Several are made one right after the other, which takes half the time: at the latest after `GATHER_SECONDS`, and
        whenever somebody asks for records.
        """
        self._unmade.append(make)
        if at_once or self._reader is None or len(self._unmade) >= GATHERED:
            self._make()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._make)

    def _make(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        makes, self._unmade = self._unmade, []
        rows: list[Written] = []
        for make in makes:
            if len(self._pending) >= self._limit:
                self._drop()
                continue
            try:
                row = make()
            except Exception as error:
                self._lose(error)
            else:
                self._pending[row[0]] = row
                rows.append(row)
        if rows:
            self._writer.put(rows)

    def _lose(self, error: Exception) -> None:
        """Whatever is wrong with one record must not harm whoever appends."""
        self._writer.lost += 1
        log.warning("a record cannot be written as JSON: %s", type(error).__name__)

    async def find(self, id: str) -> Record | None:
        self._make()
        row = self._pending.get(id)
        if row is not None:
            return _decoder.decode(row[2])
        record = await self._read(lambda reader: journal.one(reader, id))
        return None if record is None else _decoder.decode(record)

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
        self._make()
        waiting, span = list(self._pending.values()), Span(since, until, where)
        return await self._read(lambda reader: journal.query(reader, waiting, span, limit, before))

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
        self._make()
        waiting, span = list(self._pending.values()), Span(since, until, where)
        return await self._read(lambda reader: journal.usage(reader, waiting, by, span, limit))

    async def flush(self) -> None:
        self._make()
        await to_thread.run_sync(self._writer.wait, abandon_on_cancel=True)

    async def get(self, key: str) -> bytes | None:
        change = self._changes.get(key)
        if change is not None:
            return change.value if change.expires > time.time() else None
        rows = await self._read(lambda reader: reader.execute(GET, (key, time.time())).fetchall())
        return rows[0][0] if rows else None

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self._change(Change(key, value, time.time() + ttl))

    async def delete(self, key: str) -> None:
        await self._change(Change(key, None, 0.0))

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        changes = {key: change for key, change in self._changes.items() if key.startswith(prefix) and key > after}
        now = math.nextafter(math.inf, 0) if lasting else time.time()
        written = await self._read(lambda reader: scan(reader, prefix, limit + len(changes), after, now))
        for key, change in changes.items():
            written.pop(key, None)
            if change.value is not None and change.expires > now:
                written[key] = change.value
        return {key: written[key] for key in sorted(written)[:limit]}

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        return await self._do(lambda books: books.hold(id, holds, lease))

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        return await asyncio.shield(self._do(lambda books: books.book(id, amounts)))

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        return await asyncio.shield(self._do(lambda books: books.renew(id, amounts, new, holds, lease)))

    async def extend(self, id: str, lease: float) -> bool:
        return await self._do(lambda books: books.extend(id, lease))

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        return await self._do(lambda books: books.balances(prefix, limit, after))

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        return await self._do(lambda books: books.windows(prefix, limit, after))

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        return await self._do(lambda books: books.take(buckets))

    async def give(self, buckets: Sequence[Bucket]) -> None:
        await asyncio.shield(self._do(lambda books: books.give(buckets)))

    def _do(self, act: Callable[[Books], T]) -> asyncio.Future[T]:
        """Has it done in the writer's next transaction."""
        if self._reader is None:
            raise OSError(f"{self._path} is not open")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        writer = self._writer
        writer.do(Work(lambda: act(writer.books), future))
        return future

    async def _change(self, change: Change) -> None:
        """Read from here on by this process, and by others once it is written."""
        size = len(change.value or b"")
        if self._changing + size > MAX_CHANGING:
            raise OSError(f"{self._changing} bytes of values wait to be written to {self._path}")
        self._changing += size
        self._changes[change.key] = change
        try:
            await asyncio.shield(self._do(lambda _: self._writer.values.apply(change)))
        finally:
            self._changing -= size
            if self._changes.get(change.key) is change:
                del self._changes[change.key]

    def _open(self) -> sqlite3.Connection:
        create(self._path)
        reader = connect(self._path, read_only=True)
        self._read_file = identity(self._path)
        self._writer.start()
        return reader

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in a thread, one at a time."""
        if self._reader is None:
            raise RuntimeError("the store is not open")
        return await to_thread.run_sync(lambda: work(self._find_file()), limiter=self._reading)

    def _find_file(self) -> sqlite3.Connection:
        """The reader, of the file that has the name now; while there is none, of the one that had it."""
        assert self._reader is not None
        file = identity(self._path)
        if file not in (None, self._read_file):
            before, self._reader, self._read_file = self._reader, connect(self._path, read_only=True), file
            before.close()
        return self._reader

    def _forget(self, rows: list[Written]) -> None:
        """Called by the writer's thread: these can be found in the file now."""
        for row in rows:
            if self._pending.get(row[0]) is row:
                del self._pending[row[0]]
        self._full = False

    def _drop(self) -> None:
        self.dropped += 1
        if not self._full:
            self._full = True
            log.error("%d records wait to be written to %s: new ones are dropped", self._limit, self._path)


def row_from(record: Record) -> Written:
    """Made where the record is still at hand, so that a waiting one is no tree of objects."""
    json = _encode(record)
    return str(record["id"]), float(record["created"]), json, row_of_json(json)


plugin = Plugin(api=1, config=Config, create=SQLiteStore)
