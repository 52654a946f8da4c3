"""Records that could not be written, kept beside the database: read back as soon as it can be written again."""

from __future__ import annotations

import logging
import sqlite3

from lynkr_core.stores import spill
from lynkr_store_sqlite.journal import count, insert
from lynkr_store_sqlite.schema import rollback

log = logging.getLogger("lynkr.store.sqlite")


class Spill(spill.Spill):
    """Core's files; this brings their records back in one transaction for each file."""

    def restore(self, connection: sqlite3.Connection) -> int:
        """Brings every record back; how many. Files that cannot be read or written back stay for the next time."""
        restored = 0
        for file in self.files():
            try:
                rows = count(spill.read(file))
                connection.execute("BEGIN IMMEDIATE")
                insert(connection, rows)
                connection.execute("COMMIT")
                file.unlink(missing_ok=True)
            except (OSError, sqlite3.Error) as error:
                rollback(connection)
                log.error("%s cannot be read back: %s", file, error)
                break
            restored += len(rows)
        if restored:
            log.warning("%d records that could not be written earlier have been read back", restored)
        return restored
