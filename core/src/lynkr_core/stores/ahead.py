"""Records that wait to be written, on disk as well: whoever is killed meanwhile leaves them to whoever starts next. Not on Windows."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Raw

from lynkr_core.stores.spill import Row

log = logging.getLogger("lynkr.stores")

FILE_ROWS = 500
"""Rows after which another file is begun, so that those that are written can be deleted."""

_encode = msgspec.json.Encoder().encode


class Part:
    """One file, locked for as long as its writer lives. `left`: rows in it that are not written yet."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`."""
        self.path = path.with_name(f"{path.name}.ahead-{time.time_ns()}-{os.getpid()}")
        made = self.path.with_name(f".{self.path.name}.part")
        self.rows = self.left = 0
        self._torn = False
        self._file = os.open(made, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            made.rename(self.path)  # nobody has found it without its lock
        except OSError:
            os.close(self._file)
            made.unlink(missing_ok=True)
            raise

    def add(self, line: bytes) -> None:
        """Raises `OSError`; of a line that was cut so, the next one is kept apart."""
        line = b"\n" + line if self._torn else line
        self._torn = True
        if os.write(self._file, line) != len(line):
            raise OSError("the disk is full")
        self._torn = False
        self.rows += 1

    def empty(self) -> None:
        os.truncate(self._file, 0)
        self.rows = 0

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._file)


class Ahead:
    """Files beside those of `Spill`: a line is in one before `add` returns, and goes once its row is written. Rows are written in the
    order in which they came.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: deque[Part] = deque()
        self._bare = 0  # rows that came when there was no file yet
        self._failing = False

    def add(self, row: Row, is_new: bool) -> None:
        """`is_new`: no row of this id waits. Raises nothing: without a file the row is no worse off than in memory."""
        try:
            self._begin()
        except OSError as error:
            self._bare += is_new
            self._fail(error)
            return
        part = self._parts[-1]
        part.left += is_new
        try:
            part.add(_encode((row[0], row[1], Raw(row[2]))) + b"\n")
        except OSError as error:
            self._fail(error)
        else:
            self._failing = False

    def written(self, count: int) -> None:
        """So many of the rows that have waited longest are in the store."""
        bare = min(count, self._bare)
        self._bare -= bare
        count -= bare
        while count and self._parts:
            part = self._parts[0]
            done = min(count, part.left)
            part.left -= done
            count -= done
            if part.left:
                return
            if len(self._parts) > 1:
                self._parts.popleft().close()
            else:
                part.empty()
                return

    def close(self) -> None:
        """When nothing waits any more."""
        while self._parts:
            self._parts.popleft().close()

    def _begin(self) -> None:
        """Another file when there is none, or where the last one has enough. Raises `OSError` when there is none."""
        if not self._parts:
            self._parts.append(Part(self._path))
        elif self._parts[-1].rows >= FILE_ROWS:
            with suppress(OSError):
                self._parts.append(Part(self._path))

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            log.error(
                "records that wait are in memory only: %s.ahead-… cannot be written: %s", self._path, error.strerror or error
            )
        self._failing = True


def adopt(path: Path) -> None:
    """Makes files that nobody holds any more into those that `Spill` reads back."""
    own, spilt = f"{path.name}.ahead-", f"{path.name}.spill-"
    for file in path.parent.glob(f"{own}*"):
        try:
            opened = os.open(file, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(opened).st_size:
                file.rename(file.with_name(spilt + file.name.removeprefix(own)))
            else:
                file.unlink()
        except OSError:  # its writer lives, or somebody else was faster
            continue
        finally:
            os.close(opened)
