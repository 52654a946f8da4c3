"""Values by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkr_core.stores.overlay import Overlay
from lynkr_store_postgres.database import Database

GET = "SELECT value FROM key_value WHERE key = $1 AND expires > seconds()"
SET = (
    "INSERT INTO key_value (key, expires, value) VALUES ($1, seconds() + $2::float8, $3) "
    "ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, value = excluded.value"
)
UNSET = "DELETE FROM key_value WHERE key = $1"
SCAN = (
    "SELECT key, value FROM key_value WHERE key >= $1 AND key < $2 AND key > $3 "
    "AND (expires = 'infinity' OR (NOT $4 AND expires > seconds())) ORDER BY key LIMIT $5"
)
EXPIRED = "DELETE FROM key_value WHERE key IN (SELECT key FROM key_value WHERE expires < (SELECT seconds()) LIMIT $1)"
HELD = "SELECT coalesce(sum(pg_column_size(value)), 0)::bigint FROM key_value"
SOONEST = (
    "DELETE FROM key_value WHERE key IN (SELECT key FROM (SELECT key, expires, sum(pg_column_size(value)) OVER (ORDER BY expires DESC, key) "
    "AS size FROM key_value) AS ranked WHERE size > $1 AND expires < 'infinity')"
)


class Values:
    """A `KeyValue`. Times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._overlay = Overlay()

    async def get(self, key: str) -> bytes | None:
        if self._overlay.has(key):
            return self._overlay.get(key)
        return await self._database.ask(lambda connection: connection.fetchval(GET, key.encode()))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        async with self._overlay.writing(key, value, ttl):
            await self._database.ask(lambda connection: connection.execute(SET, key.encode(), ttl, value))

    async def delete(self, key: str) -> None:
        async with self._overlay.writing(key, None):
            await self._database.ask(lambda connection: connection.execute(UNSET, key.encode()))

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        low, wanted = prefix.encode(), limit + self._overlay.changing
        rows = await self._database.ask(
            lambda connection: connection.fetch(SCAN, low, low + b"\xff", after.encode(), lasting, wanted)
        )
        return self._overlay.lay({key.decode(): value for key, value in rows}, prefix, limit, after, lasting)


async def fit(connection: Any, limit_bytes: int, rows: int) -> None:
    """Deletes values whose time is over, and of the others those that go first until the rest fits. Lasting ones stay."""
    await connection.execute(EXPIRED, rows)
    if await connection.fetchval(HELD) > limit_bytes:
        await connection.execute(SOONEST, limit_bytes)
