"""Brings the records of older files to the newest form."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from lynkr_core.stores.spill import Row
from lynkr_core.stores.totals import row_of_json
from lynkr_store_sqlite.journal import QUOTED, count, insert

ROWS = 1000
COUNT = f"INSERT OR REPLACE INTO fact (id, created, {', '.join(QUOTED)}) VALUES (?, ?{', ?' * len(QUOTED)})"  # noqa: S608


def fill(connection: sqlite3.Connection) -> None:
    """Counts the records of a file from before there was anything to count with. Raises `sqlite3.Error`."""
    for rows in records(connection):
        connection.executemany(COUNT, [(id, created, *row_of_json(record)) for id, created, record in rows])


def gather(connection: sqlite3.Connection) -> None:
    """Puts the records of a file from before there were batches into such. Raises `sqlite3.Error`."""
    for rows in records(connection):
        insert(connection, count(rows))


def records(connection: sqlite3.Connection) -> Iterator[list[Row]]:
    """Of the table that had them one by one."""
    cursor = connection.execute("SELECT id, created, record FROM journal ORDER BY created")
    while rows := cursor.fetchmany(ROWS):
        yield [(id, created, bytes(record)) for id, created, record in rows]
