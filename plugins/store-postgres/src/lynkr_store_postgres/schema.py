"""The tables: brought to the newest form by numbered files, one process at a time."""

from __future__ import annotations

import zlib
from importlib.resources import files
from typing import Any

DONE = "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, done timestamptz NOT NULL DEFAULT now())"
LAST = "SELECT coalesce(max(number), 0) FROM migration"
RECORD = "INSERT INTO migration (number) VALUES ($1)"


class VersionError(Exception):
    """The tables were written by a newer version."""


def migrations() -> list[str]:
    """The texts of `migrations/NNNN_name.sql`, in order. Never change one that was released."""
    folder = files(__package__ or "") / "migrations"
    return [
        file.read_text("utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name) if file.name.endswith(".sql")
    ]


async def migrate(connection: Any, schema: str, steps: list[str] | None = None) -> None:
    """Runs what is missing, each in a transaction, while others who want to wait. Raises `VersionError` or asyncpg's errors."""
    steps = migrations() if steps is None else steps
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_of(schema, "migrate"))
        if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", f'"{schema}"'):
            await connection.execute(f'CREATE SCHEMA "{schema}"')
        await connection.execute(DONE)
        last = await connection.fetchval(LAST)
        for number, step in enumerate(steps[last:], last + 1):
            await connection.execute(step)
            await connection.execute(RECORD, number)
    if last > len(steps):
        raise VersionError(f"schema {schema} has version {last}, this lynkr-store-postgres knows up to {len(steps)}")


def lock_of(schema: str, what: str) -> int:
    """The number of an advisory lock: other programs that use the same database must not meet it by chance."""
    return (0x6C796E6B << 32 | zlib.crc32(f"{schema}/{what}".encode())) & 0x7FFFFFFFFFFFFFFF
