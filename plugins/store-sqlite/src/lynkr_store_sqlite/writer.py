"""The one thread that writes."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Literal

from lynkr_store_sqlite.schema import connect, rollback
from lynkr_store_sqlite.spill import INSERT, Row, Spill
from lynkr_store_sqlite.values import EXPIRED, Change, Values

log = logging.getLogger("lynkr.store.sqlite")

BATCH_ROWS = 500
BATCH_SECONDS = 0.2
RETRY_SECONDS = 1.0
SLICE_ROWS = 5000
SWEEP_SECONDS = 3600.0
DELETE = "DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE created < ? LIMIT ?)"


Queued = Row | Change | Event | None
"""A record, a value, somebody who waits until those before are written, or the order to stop."""


class Writer:
    """Writes queued records in batches of up to 500 rows or 200 ms, values at once, and deletes what is past its time.

    `written` is told of the records of each batch that has reached the file or been given up. While the file cannot be written,
    records are tried again every second, and spilt when more than `crowd` of them wait; values fail. When there are more than
    `values_limit` bytes of values, those that would be forgotten first go.
    """

    def __init__(self, path: Path, retention: float, values_limit: int, written: Callable[[list[Row]], None], crowd: int) -> None:
        self._path = path
        self._retention = retention
        self._values = Values(values_limit)
        self._written = written
        self._queue: SimpleQueue[Queued] = SimpleQueue()
        self.put = self._queue.put
        self._thread = Thread(target=self._run, name="lynkr-store-sqlite", daemon=True)
        self._stopping = Event()
        self._hurry = Event()
        self._failing = False
        self._spilt = False
        self._spill = Spill(path)
        self._crowd = crowd
        self._sweep_at = 0.0
        self.lost = 0

    def start(self) -> None:
        """Raises `sqlite3.Error`."""
        self._connection = connect(self._path)
        self._spill.restore(self._connection)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is queued and returns when the thread has ended."""
        self._stopping.set()
        self.put(None)
        self._hurry.set()
        self._thread.join()

    def change(self, change: Change) -> None:
        """Queues a change of a value, which is not left to gather."""
        self.put(change)
        self._hurry.set()

    def wait(self) -> None:
        """Returns when all that was queued before has been written, or the thread has ended."""
        written = Event()
        self.put(written)
        self._hurry.set()
        while self._thread.is_alive() and not written.wait(RETRY_SECONDS):
            pass

    def _run(self) -> None:
        last: Queued | Literal[False] = False
        try:
            while last is not None:
                rows, last = self._gather()
                self._write_all(self._connection, rows)
                if isinstance(last, Event):
                    last.set()
                elif isinstance(last, Change):
                    self._change(self._connection, last)
                self._sweep(self._connection)
        finally:
            self._connection.close()

    def _gather(self) -> tuple[list[Row], Event | Change | Literal[False] | None]:
        """The next batch, and what ended it early: a value, somebody who waits, or the stop. Waits for the first record.

        The rest of a batch is left to gather while this thread sleeps: woken for each record, it cost more than the writing.
        """
        rows: list[Row] = []
        try:
            item = self._queue.get(timeout=max(0.0, self._sweep_at - time.monotonic()))
            while item is not None and not isinstance(item, (Event, Change)):
                rows.append(item)
                if len(rows) == 1 and self._queue.qsize() < BATCH_ROWS:
                    self._hurry.wait(BATCH_SECONDS)
                    self._hurry.clear()
                if len(rows) >= BATCH_ROWS:
                    return rows, False
                item = self._queue.get_nowait()
        except Empty:
            return rows, False
        return rows, item

    def _write_all(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        """Tries until the batch is written, or there is no time or room left for it."""
        while rows:
            if self._failing and (self._stopping.is_set() or self._queue.qsize() > self._crowd):
                self._give_up(rows)
                break
            if self._write(connection, rows):
                break
            self._stopping.wait(RETRY_SECONDS)
        self._written(rows)

    def _give_up(self, rows: list[Row]) -> None:
        self._spilt = True
        if self._spill.add(rows):
            log.error("%d records that cannot be written to %s are kept beside it", len(rows), self._path)
        else:
            self.lost += len(rows)

    def _write(self, connection: sqlite3.Connection, rows: list[Row]) -> bool:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            rollback(connection)
            if not self._failing:
                log.error("cannot write to %s: %s; trying again every %g s", self._path, error, RETRY_SECONDS)
            self._failing = True
            return False
        if self._failing:
            log.warning("writing to %s again", self._path)
        self._failing = False
        if self._spilt:
            self._spill.restore(connection)
            self._spilt = False
        return True

    def _change(self, connection: sqlite3.Connection, change: Change) -> None:
        try:
            self._values.apply(connection, change)
        except (OSError, sqlite3.Error) as error:
            log.error("a value cannot be written to %s: %s", self._path, error)
            change.fail(error)
            return
        if self._values.is_due:
            self._sweep_at = 0.0
        change.done.set_result(None)

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Deletes one slice of what is too old: after a full one the next as soon as nothing waits, else in an hour."""
        now = time.monotonic()
        if now < self._sweep_at or self._stopping.is_set():
            return
        try:
            deleted = connection.execute(DELETE, (time.time() - self._retention, SLICE_ROWS)).rowcount
            expired = connection.execute(EXPIRED, (time.time(), SLICE_ROWS)).rowcount + self._values.fit(connection)
            if deleted or expired:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
        except sqlite3.Error as error:
            log.warning("what is old cannot be deleted from %s: %s", self._path, error)
            deleted = expired = 0
        self._sweep_at = now if SLICE_ROWS in (deleted, expired) else now + SWEEP_SECONDS
