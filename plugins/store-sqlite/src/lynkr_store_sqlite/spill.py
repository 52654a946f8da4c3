"""Where records go that could not be written: files beside the database, read back as soon as it can be written again."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Raw

from lynkr_store_sqlite.journal import Row, insert
from lynkr_store_sqlite.schema import rollback

log = logging.getLogger("lynkr.store.sqlite")

_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(tuple[str, float, Raw]).decode
DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)


class Spill:
    """Files `PATH.spill-TIME-PID`, one for each batch, a record a line.

    A file has its name only once it is whole, and restoring twice changes nothing: several processes need not agree on anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, rows: Sequence[Row]) -> bool:
        """False when the file cannot be written either."""
        target = self._path.with_name(f"{self._path.name}.spill-{time.time_ns()}-{os.getpid()}")
        part = target.with_name(f".{target.name}.part")
        lines = _encoder.encode_lines([(id, created, Raw(record)) for id, created, record in rows])
        try:
            part.touch(0o600, exist_ok=False)
            part.write_bytes(lines)
            part.rename(target)
        except OSError as error:
            log.error("records cannot be kept in %s: %s", target, error)
            part.unlink(missing_ok=True)
            return False
        return True

    def restore(self, connection: sqlite3.Connection) -> int:
        """Brings every record back; how many. Files that cannot be read or written back stay for the next time."""
        count = 0
        for file in sorted(self._path.parent.glob(f"{self._path.name}.spill-*")):
            try:
                rows = read(file)
                connection.execute("BEGIN IMMEDIATE")
                insert(connection, rows)
                connection.execute("COMMIT")
                file.unlink(missing_ok=True)
            except (OSError, sqlite3.Error) as error:
                rollback(connection)
                log.error("%s cannot be read back: %s", file, error)
                break
            count += len(rows)
        if count:
            log.warning("%d records that could not be written earlier have been read back", count)
        return count


def read(file: Path) -> list[Row]:
    """The records of a file, without lines that are damaged. Raises `OSError`."""
    rows: list[Row] = []
    for line in file.read_bytes().splitlines():
        try:
            id, created, record = _decode(line)
        except DAMAGED:
            log.error("a line of %s is damaged and left out", file)
        else:
            rows.append((id, created, bytes(record)))
    return rows
