"""The file: opened for its owner only, and brought to the newest form by numbered migrations."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from lynkr_store_sqlite.filling import fill, gather

Migration = str | Callable[[sqlite3.Connection], None]
"""SQL statements, or what does more than those can."""
MIGRATIONS: tuple[Migration, ...] = (
    """
    CREATE TABLE journal (id TEXT PRIMARY KEY, created REAL NOT NULL, record BLOB NOT NULL);
    CREATE INDEX journal_created ON journal (created);
    """,
    """
    CREATE TABLE key_value (key TEXT PRIMARY KEY, expires REAL NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE INDEX key_value_expires ON key_value (expires, size);
    """,
    """
    CREATE TABLE counter (name TEXT PRIMARY KEY, used INTEGER NOT NULL, held INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX counter_until ON counter (until);
    CREATE TABLE lease (id TEXT PRIMARY KEY, holds BLOB NOT NULL, ends REAL NOT NULL, lapsed INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX lease_ends ON lease (lapsed, ends);
    CREATE TABLE bucket (name TEXT PRIMARY KEY, full_at REAL NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE fact (
        id TEXT PRIMARY KEY, created REAL NOT NULL, model TEXT, provider TEXT, key TEXT, user TEXT, team TEXT, agent TEXT, principal TEXT,
        class TEXT, tier TEXT, session TEXT, task TEXT, status TEXT, priced INTEGER NOT NULL, requests INTEGER NOT NULL,
        errors INTEGER NOT NULL, local INTEGER NOT NULL, cheap INTEGER NOT NULL, unpriced INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        reasoning INTEGER NOT NULL, nano_usd INTEGER NOT NULL, callers_nano_usd INTEGER NOT NULL, saved_tokens INTEGER NOT NULL,
        saved_nano_usd INTEGER NOT NULL, microseconds INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX fact_created ON fact (created);
    CREATE INDEX fact_principal ON fact (principal, created);
    """,
    fill,
    """
    CREATE TABLE batch (number INTEGER PRIMARY KEY, newest REAL NOT NULL, records BLOB NOT NULL);
    CREATE INDEX batch_newest ON batch (newest);
    ALTER TABLE fact ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
    """,
    gather,
    """
    DROP TABLE journal;
    CREATE VIEW journal AS SELECT id, created, substr(records, at, size) AS record FROM fact JOIN batch ON number = batch;
    """,
    # leases say since whether they are forfeit, which older versions cannot read; those of before stay: their gateways may still run
    "SELECT 1",
)
"""Each is run once, in this order; `PRAGMA user_version` counts those that were. Never change one that was released."""

BUSY_SECONDS = 5.0


class VersionError(Exception):
    """The file was written by a newer version."""


def create(path: Path, *, anew: bool = True) -> None:
    """Makes the file, unless it has to be there already, and brings it up to date. Raises `OSError`, `sqlite3.Error` or `VersionError`."""
    os.close(
        os.open(path, os.O_RDWR | (os.O_CREAT if anew else 0), 0o600)
    )  # who called and what was asked is nobody else's business
    connection = connect(path)
    try:
        # these have to come before the first table; larger pages hold more records, smaller ones make the ledger's changes cheaper
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        use_wal(connection)
        migrate(connection)
    finally:
        connection.close()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection for one thread at a time, in autocommit, to a file that is there. Raises `sqlite3.Error`."""
    file = f"{path.absolute().as_uri()}?mode=rw"  # an empty one in the place of one that was removed would hide that it was
    connection = sqlite3.connect(file, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL a killed process loses nothing, a power cut the last moments
    connection.execute("PRAGMA temp_store = MEMORY")  # for what a statement has to undo should it fail
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def use_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for others who change the journal's mode at the same moment, so this does. Raises `sqlite3.Error`."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Runs what is missing, each in its own transaction; two processes may do so at once.

    Raises `sqlite3.Error` or `VersionError`.
    """
    while (done := version(connection)) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version(connection) == done:
                run(connection, migrations[done])
                connection.execute(f"PRAGMA user_version = {done + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    if done > len(migrations):
        raise VersionError(f"it has version {done}, this lynkr-store-sqlite knows up to {len(migrations)}")


def run(connection: sqlite3.Connection, migration: Migration) -> None:
    if not isinstance(migration, str):
        migration(connection)
        return
    for statement in migration.split(";"):
        connection.execute(statement)


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def rollback(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # there was no transaction to end
