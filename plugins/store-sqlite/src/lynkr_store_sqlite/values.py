"""Values by key: how they are written, listed and kept within their bound."""

from __future__ import annotations

import math
import sqlite3
import time
from typing import NamedTuple

GET = "SELECT value FROM key_value WHERE key = ? AND expires > ?"
SET = "INSERT OR REPLACE INTO key_value (key, expires, size, value) VALUES (?, ?, ?, ?)"
UNSET = "DELETE FROM key_value WHERE key = ?"
SCAN = (
    "SELECT key, value FROM key_value WHERE key >= ? AND key < CAST(? AS TEXT) AND key > ? AND expires > ? ORDER BY key LIMIT ?"
)
EXPIRED = "DELETE FROM key_value WHERE rowid IN (SELECT rowid FROM key_value WHERE expires < ? LIMIT ?)"
HELD = "SELECT coalesce(sum(size), 0) FROM key_value"
LASTING = "SELECT coalesce(sum(size), 0) FROM key_value WHERE expires = 9e999"  # how SQL spells infinity
SOONEST = "DELETE FROM key_value WHERE rowid IN (SELECT rowid FROM key_value WHERE expires < 9e999 ORDER BY expires LIMIT ?)"
SOONEST_ROWS = 10
LOOK_SECONDS = 1.0


class Change(NamedTuple):
    """A value to set, or to delete when it is None."""

    key: str
    value: bytes | None
    expires: float


class Values:
    """Keeps what is written within `limit` bytes. Only the writer's thread may use it."""

    def __init__(self, connection: sqlite3.Connection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._unchecked = 0  # bytes of values written since the limit was looked at
        self._lasting = 0  # bytes kept for good, as far as known
        self._look_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether so much was written that `fit` should look."""
        return self._unchecked > self._limit // 16

    def apply(self, change: Change) -> None:
        """Raises `OSError` when a value has no room beside those that are kept for good, `sqlite3.Error` when it cannot be written."""
        if change.value is None:
            self._connection.execute(UNSET, (change.key,))
            return
        size = len(change.value)
        self._check(size)
        self._connection.execute(SET, (change.key, change.expires, size, change.value))
        self._unchecked += size
        if change.expires == math.inf:
            self._lasting += size

    def fit(self) -> int:
        """Deletes values until the others fit into the limit; how many. Those that are kept for good stay."""
        deleted = self._unchecked = 0
        while self._connection.execute(HELD).fetchone()[0] > self._limit:
            gone = self._connection.execute(SOONEST, (SOONEST_ROWS,)).rowcount
            if not gone:
                break
            deleted += gone
        return deleted

    def _check(self, size: int) -> None:
        """Summing up takes a while where there are many, so it is done once a second, or where it is tight."""
        if time.monotonic() >= self._look_at or self._lasting + size > self._limit:
            self._lasting = self._connection.execute(LASTING).fetchone()[0]
            self._look_at = time.monotonic() + LOOK_SECONDS
        if self._lasting + size > self._limit:
            raise OSError(f"{size} bytes do not fit into {self._limit} beside {self._lasting} that are kept for good")


def scan(reader: sqlite3.Connection, prefix: str, limit: int, after: str, now: float) -> dict[str, bytes]:
    """Values whose keys begin so. No character of a key is 0xff in UTF-8, so all of them stand before the prefix with that byte."""
    return dict(reader.execute(SCAN, (prefix, prefix.encode() + b"\xff", after, now, limit)).fetchall())
