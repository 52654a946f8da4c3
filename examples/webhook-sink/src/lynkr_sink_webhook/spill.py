"""Records that wait in a file, one a line, the oldest first. A file is one process's own, by a lock."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

SLOTS = 64
"""Processes that may share a path, each with a file of its own: `webhook.spill`, `webhook.spill.1` and so on."""
LONGEST = 1024 * 1024
"""Bytes of a batch that are read at once; a record has some hundreds."""


class Spill:
    """Room comes back when everything in the file was delivered."""

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        self.most = most
        self.file: BinaryIO | None = None
        self._begin = self._next = self._end = 0

    @property
    def pending(self) -> int:
        """Bytes that wait."""
        return self._end - self._begin

    def open(self) -> None:
        """Raises `OSError` where no file can be had."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for path in self.slots():
            file = locked(path)
            if file is not None:
                self.file = file
                self._end = whole(file)
                return
        raise OSError(f"{self.path}: {SLOTS} processes have theirs already")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def slots(self) -> list[Path]:
        return [self.path.with_name(f"{self.path.name}.{number}") if number else self.path for number in range(SLOTS)]

    def append(self, record: bytes) -> bool:
        """Whether it was kept. What was written by half is taken back."""
        line = record + b"\n"
        if self.file is None or self._end + len(line) > self.most:
            return False
        try:
            self.file.seek(self._end)
            self.file.write(line)
            self.file.flush()
        except OSError:
            with suppress(OSError):
                self.file.truncate(self._end)
            return False
        self._end += len(line)
        return True

    def batch(self, most: int) -> list[bytes]:
        """The oldest records; they stay until `done` says that they were delivered. Raises `OSError`."""
        if self.file is None or not self.pending:
            return []
        self.file.seek(self._begin)
        lines = self.file.read(min(LONGEST, self.pending)).splitlines(keepends=True)
        found = [line for line in lines if line.endswith(b"\n")][:most]
        if not found:  # a longer one than we write
            self.file.seek(self._begin)
            found = [self.file.readline()]
        self._next = self._begin + sum([len(line) for line in found])
        return [line.rstrip(b"\n") for line in found]

    def done(self) -> None:
        """The last batch was delivered."""
        self._begin = self._next
        if self.file is not None and not self.pending:
            self.file.truncate(0)
            self._begin = self._next = self._end = 0

    def adopt(self) -> None:
        """Takes over what processes that are gone have left in files of theirs, as far as there is room. Raises `OSError`."""
        for path in self.slots():
            if self.file is None or not path.exists() or path.stat().st_size == 0 or path.samefile(self.file.name):
                continue
            file = locked(path)
            if file is None:
                continue
            with file:
                end = whole(file)
                file.seek(0)
                if self._end + end <= self.most and all([self.append(line) for line in file.read(end).splitlines()]):
                    file.truncate(0)


def locked(path: Path) -> BinaryIO | None:
    """The file, open, if no other process has it."""
    file = path.open("r+b") if path.exists() else path.open("w+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def whole(file: BinaryIO) -> int:
    """Where its last whole line ends; a line that was cut off when the machine stopped is taken away."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - LONGEST)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    file.truncate(end)
    return end
