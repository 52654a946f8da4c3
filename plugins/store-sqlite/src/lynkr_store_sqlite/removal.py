"""A file that is taken away while it is open: it is noticed, and put back from what the open connection still holds."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import time
from pathlib import Path

log = logging.getLogger("lynkr.store.sqlite")
STALE_SECONDS = 60.0
Identity = tuple[int, int]


def identity(path: Path) -> Identity | None:
    """Which file has this name; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def put_back(path: Path, connection: sqlite3.Connection) -> bool:
    """Writes all that the connection reads to where its file was. False when another process has put a file there.

    The log of the file that went is removed: nobody must play it into another one. Raises `OSError` or `sqlite3.Error`.
    """
    if identity(path) is not None:
        return False
    if path.exists():  # to go on would make a file of nothing as soon as that is away
        raise FileExistsError(f"{path} is no file now")
    part = path.with_name(f".{path.name}.part")
    claim(part)
    try:
        copy = sqlite3.connect(part, isolation_level=None)
        try:
            connection.backup(copy)
        finally:
            copy.close()
        if identity(path) is not None:
            return False
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        os.link(part, path)
        log.error("%s was removed while it was in use, and is put back", path)
        return True
    finally:
        for name in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + name).unlink(missing_ok=True)


def claim(part: Path) -> None:
    """Makes the file. Raises `FileExistsError` while another process is at it."""
    try:
        if time.time() - part.stat().st_mtime > STALE_SECONDS:
            part.unlink()
    except FileNotFoundError:
        pass
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
