"""Where records go that a store could not take: files, read back as soon as it takes them again."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Raw

log = logging.getLogger("lynkr.stores")

Row = tuple[str, float, bytes]
"""Id, time and the record as JSON: made where the record is still at hand, so that a waiting one is no tree of objects."""

_encoder = msgspec.json.Encoder()
_decode = msgspec.json.Decoder(tuple[str, float, Raw]).decode
DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)


class Spill:
    """Files `PATH.spill-TIME-PID`, one for each batch, a record a line, for their owner only.

    A file has its name only once it is whole, and writing its records twice changes nothing: several processes need not agree on
    anything.
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

    def files(self) -> list[Path]:
        """Those that wait to be read back, the oldest first; with what killed processes have left."""
        if any(self._path.parent.glob(f"{self._path.name}.ahead-*")):
            from lynkr_core.stores.ahead import adopt  # it needs what not every system has

            adopt(self._path)
        return sorted(self._path.parent.glob(f"{self._path.name}.spill-*"))


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
