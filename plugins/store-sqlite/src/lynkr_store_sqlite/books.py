"""The ledger: core's counters over rows that were read, and are written, in the writer's transactions."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Generic, TypeVar

from lynkr_core.stores import Balance, Hold
from lynkr_core.stores.counters import DAY, Counter, Counters, Held, pack, unpack

COUNTER = "SELECT used, held, until FROM counter WHERE name = ?"
LEASE = "SELECT holds, ends, lapsed FROM lease WHERE id = ?"
BUCKET = "SELECT full_at FROM bucket WHERE name = ?"
SET_COUNTER = "INSERT OR REPLACE INTO counter (name, used, held, until) VALUES (?, ?, ?, ?)"
SET_LEASE = "INSERT OR REPLACE INTO lease (id, holds, ends, lapsed) VALUES (?, ?, ?, ?)"
SET_BUCKET = "INSERT OR REPLACE INTO bucket (name, full_at) VALUES (?, ?)"
UNSET_LEASE = "DELETE FROM lease WHERE id = ?"
OVER = "SELECT id, holds, ends, lapsed FROM lease WHERE lapsed = 0 AND ends <= ? LIMIT ?"
NEXT_END = "SELECT min(ends) FROM lease WHERE lapsed = 0"
BALANCES = "SELECT name, used, held FROM counter WHERE name >= ? AND name < CAST(? AS TEXT) AND name > ? AND until > ? ORDER BY name LIMIT ?"
OLD = (
    "DELETE FROM lease WHERE id IN (SELECT id FROM lease WHERE lapsed = 1 AND ends <= ? LIMIT ?)",
    "DELETE FROM counter WHERE name IN (SELECT name FROM counter WHERE until <= ? AND held = 0 LIMIT ?)",
    "DELETE FROM bucket WHERE name IN (SELECT name FROM bucket WHERE full_at <= ? LIMIT ?)",
)
LAPSE_ROWS = 1000
CACHED_ROWS = 20_000
MOST = 2**62
"""What a counter can stand at: 4.6 billion dollars in nano-dollars. SQLite's numbers have 64 bits."""

V = TypeVar("V")


class Rows(MutableMapping[str, V], Generic[V]):
    """Rows of a table that were read in this transaction, or before and nobody else wrote since. None is a row that is not there."""

    def __init__(self, read: Callable[[str], V | None]) -> None:
        self._read = read
        self._known: dict[str, V | None] = {}
        self._changed: set[str] = set()

    def __getitem__(self, key: str) -> V:
        if key not in self._known:
            self._known[key] = self._read(key)
        row = self._known[key]
        if row is None:
            raise KeyError(key)
        return row

    def __setitem__(self, key: str, value: V) -> None:
        self._known[key] = value
        self._changed.add(key)

    def __delitem__(self, key: str) -> None:
        self._known[key] = None
        self._changed.add(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key, row in self._known.items() if row is not None)

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Reads everything again from here on; changes that were not taken are lost."""
        self._known.clear()
        self._changed.clear()

    def take_changes(self) -> list[tuple[str, V | None]]:
        """What has to be written."""
        changes = [(key, self._known[key]) for key in self._changed]
        self._changed.clear()
        return changes


class Books(Counters):
    """`begin` and `save` stand at the beginning and the end of a transaction; in between each call decides at once.

    What was read stays known as long as no other process has written to the file, so that a lone process reads next to nothing.
    Only the writer's thread may use it.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._connection = connection
        self._counters = self._counter_rows = Rows(self._read_counter)
        self._holding = self._lease_rows = Rows(self._read_lease)
        self._full_at = self._bucket_rows = Rows(self._read_bucket)
        self._version = -1

    def begin(self) -> None:
        """Raises `sqlite3.Error`."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version or len(self._holding) + len(self._counters) + len(self._full_at) > CACHED_ROWS:
            self.forget()
            self._version = version

    def save(self) -> None:
        """Writes what was changed. Raises `sqlite3.Error`."""
        many = self._connection.executemany
        counters = [(name, min(c.used, MOST), c.held, c.until) for name, c in self._counter_rows.take_changes() if c]
        leases = self._lease_rows.take_changes()
        if counters:
            many(SET_COUNTER, counters)
        if gone := [(id,) for id, held in leases if held is None]:
            many(UNSET_LEASE, gone)
        if kept := [(id, pack(held), held.ends, held.lapsed) for id, held in leases if held]:
            many(SET_LEASE, kept)
        if buckets := [(name, at) for name, at in self._bucket_rows.take_changes() if at is not None]:
            many(SET_BUCKET, buckets)

    def forget(self) -> None:
        """After a rollback: what is known is not so."""
        for rows in (self._counter_rows, self._lease_rows, self._bucket_rows):
            rows.forget()
        self._sweep_at = 0.0

    def balances(self, prefix: str, limit: int = 1000, after: str = "") -> dict[str, Balance]:
        now = self._clock()
        self._sweep(now)
        self.save()
        end = prefix.encode() + b"\xff"
        rows = self._connection.execute(BALANCES, (prefix, end, after, now - DAY, limit)).fetchall()
        return {name: Balance(used, held) for name, used, held in rows}

    def delete_old(self, limit: int) -> int:
        """Deletes up to `limit` rows of each table that were over a day ago; the highest count. Raises `sqlite3.Error`."""
        now = self._clock()
        before = (now - DAY, now - DAY, now)
        counts = [self._connection.execute(sql, (end, limit)).rowcount for sql, end in zip(OLD, before, strict=True)]
        if any(counts):
            self.forget()
        return max(counts)

    def _limit(self, hold: Hold) -> int:
        return min(hold.limit, MOST)

    def _counter(self, hold: Hold) -> Counter:
        counter = self._counters.get(hold.counter) or Counter(hold.until)
        self._counters[hold.counter] = counter
        return counter

    def _sweep(self, now: float) -> None:
        """Ends some of the leases that are over."""
        if now < self._sweep_at:
            return
        self.save()
        rows = self._connection.execute(OVER, (now, LAPSE_ROWS)).fetchall()
        for id, *row in rows:
            held = self._holding[id] = self._holding.get(id) or unpack(*row)
            self._lapse(held)
        self.save()
        (ends,) = self._connection.execute(NEXT_END).fetchone()
        self._sweep_at = math.inf if ends is None else ends

    def _read_counter(self, name: str) -> Counter | None:
        row = self._connection.execute(COUNTER, (name,)).fetchone()
        if row is None:
            return None
        counter = Counter(row[2])
        counter.used, counter.held = row[:2]
        return counter

    def _read_lease(self, id: str) -> Held | None:
        row = self._connection.execute(LEASE, (id,)).fetchone()
        return unpack(*row) if row else None

    def _read_bucket(self, name: str) -> float | None:
        row = self._connection.execute(BUCKET, (name,)).fetchone()
        return row[0] if row else None
