"""What can be wrong with the file before anybody opens it to write. Nothing is made here, and nothing changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from lynkr_store_sqlite.schema import MIGRATIONS, version

Finding = dict[str, str]
LOW_BYTES = 200 * 1024 * 1024
"""Room on the disk below which somebody should know."""
BUSY_SECONDS = 2.0


def findings(path: Path) -> Iterator[Finding]:
    yield of_file(path) if path.exists() else of_folder(path)
    if path.exists() and os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield {"level": "warning", "what": f"others may read or change {path}", "do": f"chmod 600 {path}"}
    if waiting := list(path.parent.glob(f"{path.name}.spill-*")):
        told = f"{len(waiting)} files beside {path} hold records that could not be written"
        yield {"level": "warning", "what": told, "do": "see why; they are read back when the gateway starts or the disk has room"}
    if path.parent.exists() and (free := shutil.disk_usage(path.parent).free) < LOW_BYTES:
        told = f"{free // 1_000_000} MB are left on the disk of {path}"
        yield {"level": "warning", "what": told, "do": "make room, or lower retention_days"}


def of_folder(path: Path) -> Finding:
    """There is no file yet."""
    folder = path.parent
    if not folder.is_dir():
        return {"level": "broken", "what": f"there is no folder {folder} for the file", "do": f"mkdir -p {folder}"}
    if not os.access(folder, os.W_OK | os.X_OK):
        return {"level": "broken", "what": f"nothing may be written in {folder}", "do": "change its owner, or set another path"}
    return {"level": "good", "what": f"{path} is not there yet; the gateway makes it when it starts"}


def of_file(path: Path) -> Finding:
    try:
        done = look(path)
    except sqlite3.OperationalError as error:
        do = "see that nothing else holds it for long, and that this user may write the file and its folder"
        return {"level": "broken", "what": f"{path} cannot be written: {error}", "do": do}
    except sqlite3.DatabaseError as error:
        return {"level": "broken", "what": f"{path}: {error}", "do": "move it away, or set another path"}
    if done > len(MIGRATIONS):
        told = f"{path} has version {done}, this lynkr-store-sqlite knows up to {len(MIGRATIONS)}"
        return {"level": "broken", "what": told, "do": "pip install --upgrade lynkr-store-sqlite"}
    older = f"; it has version {done} and is brought to {len(MIGRATIONS)} at the next start" if done < len(MIGRATIONS) else ""
    return {"level": "good", "what": f"{path} can be written, {path.stat().st_size / 1e6:.1f} MB{older}"}


def look(path: Path) -> int:
    """The file's version, once the right to write was had and given back. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        done = version(connection)
        connection.execute("ROLLBACK")
        return done
    finally:
        connection.close()
