"""The one thread that writes."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from lynkr_core.stores.totals import Written
from lynkr_store_sqlite.books import Books
from lynkr_store_sqlite.journal import delete_old, insert
from lynkr_store_sqlite.removal import identity, put_back
from lynkr_store_sqlite.schema import VersionError, connect, create, rollback
from lynkr_store_sqlite.spill import Spill
from lynkr_store_sqlite.values import EXPIRED, Values
from lynkr_store_sqlite.work import Work, fail, settle

log = logging.getLogger("lynkr.store.sqlite")

BATCH_ROWS = 500
BATCH_SECONDS = 0.2
BATCH_WORKS = 500
RETRY_SECONDS = 1.0
SLICE_ROWS = 5000
SWEEP_SECONDS = 3600.0

Queued = list[Written] | Work | Event | None
"""Records, a call, somebody who waits until the records before are written, or the order to stop."""


class Writer:
    """Writes queued records in batches of up to 500 rows or 200 ms, and does calls at once: all that wait in one transaction.

    `written` is told of the records of each batch that has reached the file or been given up. While the file cannot be written,
    records are tried again every second, and spilt when more than `crowd` of them wait; calls fail. When there are more than
    `values_limit` bytes of values, those that would be forgotten first go.
    """

    def __init__(
        self, path: Path, retention: float, values_limit: int, written: Callable[[list[Written]], None], crowd: int
    ) -> None:
        self._path = path
        self._retention = retention
        self._values_limit = values_limit
        self._written = written
        self._crowd = crowd
        self._queue: SimpleQueue[Queued] = SimpleQueue()
        self.put = self._queue.put
        self._thread = Thread(target=self._run, name="lynkr-store-sqlite", daemon=True)
        self._hurry = Event()
        self._stopping = False
        self._rows: list[Written] = []
        self._rows_at = 0.0
        self._waiting: list[Event] = []
        self._failing = False
        self._spilt = False
        self._spill = Spill(path)
        self._sweep_at = 0.0
        self._kept = False
        self.lost = 0

    def start(self) -> None:
        """Raises `sqlite3.Error`."""
        self._use(connect(self._path))
        self._spill.restore(self._connection)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is queued and returns when the thread has ended."""
        self._queue_now(None)
        self._thread.join()

    def do(self, work: Work) -> None:
        """Queues a call, which is not left to gather."""
        self._queue_now(work)

    def wait(self) -> None:
        """Returns when all that was queued before has been written, or the thread has ended."""
        written = Event()
        self._queue_now(written)
        while self._thread.is_alive() and not written.wait(RETRY_SECONDS):
            pass

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._file = identity(self._path)
        self.values = Values(connection, self._values_limit)
        self.books = Books(connection)

    def _find_file(self) -> sqlite3.Connection:
        """The connection to the file that has the name now; one that was removed is put back. Raises `sqlite3.Error`."""
        if identity(self._path) != self._file or self._file is None:
            try:
                self._kept = put_back(self._path, self._connection)
                create(self._path, anew=False)
            except (OSError, VersionError) as error:
                raise sqlite3.OperationalError(f"{self._path} was removed: {error}") from error
            before = self._connection
            self._use(connect(self._path))
            before.close()
        return self._connection

    def _is_kept(self, connection: sqlite3.Connection) -> bool:
        """Whether what was just written is in the file that has the name now. Raises `sqlite3.Error`."""
        return self._find_file() is connection or self._kept

    def _queue_now(self, item: Work | Event | None) -> None:
        self.put(item)
        self._hurry.set()

    def _run(self) -> None:
        try:
            while not self._stopping or self._rows or not self._queue.empty():
                works = self._gather()
                if works:
                    self._do(works)
                self._write_due()
                self._sweep()
        finally:
            self._connection.close()

    def _gather(self) -> list[Work]:
        """The calls that wait, after waiting for one, or until records are due.

        Records are left to gather while this thread sleeps: woken for each of them, it cost more than the writing.
        """
        works: list[Work] = []
        now = time.monotonic()
        if self._rows or self._waiting:
            if self._queue.empty() and not self._stopping:
                self._hurry.wait(max(0.0, self._rows_at - now))
            self._hurry.clear()
        else:
            self._receive(works, max(0.0, self._sweep_at - now))
        while len(works) < BATCH_WORKS and len(self._rows) < BATCH_ROWS + self._crowd and self._receive(works, None):
            pass
        return works

    def _receive(self, works: list[Work], timeout: float | None) -> bool:
        """Puts the next item where it belongs. False when there is none."""
        try:
            item = self._queue.get(timeout=timeout) if timeout is not None else self._queue.get_nowait()
        except Empty:
            return False
        if isinstance(item, Work):
            works.append(item)
        elif isinstance(item, Event):
            self._waiting.append(item)
        elif item is None:
            self._stopping = True
        else:
            if not self._rows:
                self._rows_at = time.monotonic() + BATCH_SECONDS
            self._rows += item
        return True

    def _do(self, works: list[Work]) -> None:
        """Does all calls, or none; when one of several cannot be done, each by itself."""
        try:
            connection = self._find_file()
            connection.execute("BEGIN IMMEDIATE")
            self.books.begin()
            for work in works:
                work.run()
            self.books.save()
            connection.execute("COMMIT")
            if not self._is_kept(connection):
                self._do(works)
                return
        except sqlite3.Error as error:
            rollback(self._connection)
            self.books.forget()
            self._retry_each(works, error)
        else:
            settle(works)
        if self.values.is_due:
            self._sweep_at = 0.0

    def _retry_each(self, works: list[Work], error: sqlite3.Error) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN)  # only what SQLite itself said has one
        busy = code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
        if len(works) == 1 or busy:
            log.error("%d changes cannot be written to %s: %s", len(works), self._path, error)
            fail(works, error)
        else:
            for work in works:
                self._do([work])

    def _write_due(self) -> None:
        """Writes a batch of records when it is time, and tells who waits when none is left."""
        if self._failing and (self._stopping or len(self._rows) > self._crowd):
            self._give_up(self._rows)
            self._drop(len(self._rows))
        elif self._rows and self._is_due() and self._write(self._rows[:BATCH_ROWS]):
            self._drop(BATCH_ROWS)
        if not self._rows:
            for event in self._waiting:
                event.set()
            self._waiting.clear()

    def _is_due(self) -> bool:
        hurried = bool(self._waiting) or self._stopping or len(self._rows) >= BATCH_ROWS
        return (hurried and not self._failing) or time.monotonic() >= self._rows_at

    def _drop(self, count: int) -> None:
        self._written(self._rows[:count])
        del self._rows[:count]

    def _give_up(self, rows: list[Written]) -> None:
        if not rows:
            return
        self._spilt = True
        if self._spill.add([row[:3] for row in rows]):
            log.error("%d records that cannot be written to %s are kept beside it", len(rows), self._path)
        else:
            self.lost += len(rows)

    def _write(self, rows: list[Written]) -> bool:
        try:
            connection = self._find_file()
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, rows)
            connection.execute("COMMIT")
            if not self._is_kept(connection):
                return self._write(rows)
            connection = self._connection
        except sqlite3.Error as error:
            rollback(self._connection)
            if not self._failing:
                log.error("cannot write to %s: %s; trying again every %g s", self._path, error, RETRY_SECONDS)
            self._failing = True
            self._rows_at = time.monotonic() + RETRY_SECONDS
            return False
        if self._failing:
            log.warning("writing to %s again", self._path)
        self._failing = False
        if self._spilt:
            self._spill.restore(connection)
            self._spilt = False
        return True

    def _sweep(self) -> None:
        """Deletes one slice of what is too old: after a full one the next as soon as nothing waits, else in an hour."""
        now = time.monotonic()
        if now < self._sweep_at or self._stopping:
            return
        connection = self._connection
        try:
            deleted = delete_old(connection, time.time() - self._retention, SLICE_ROWS)
            expired = connection.execute(EXPIRED, (time.time(), SLICE_ROWS)).rowcount + self.values.fit()
            counted = self.books.delete_old(SLICE_ROWS)
            if deleted or expired or counted:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        except sqlite3.Error as error:
            log.warning("what is old cannot be deleted from %s: %s", self._path, error)
            deleted = expired = counted = 0
        self._sweep_at = now if SLICE_ROWS in (deleted, expired, counted) else now + SWEEP_SECONDS
