"""A gate with so many places and a bounded line before it. No I/O, no clock; whoever waits is told by its own methods."""

from __future__ import annotations

from bisect import insort
from typing import Literal, Protocol


class Waiter(Protocol):
    """Stands in line. Higher priorities go first, and among equals who came first."""

    priority: int

    def admitted(self) -> None:
        """A place is its own now, to be given back by `Gate.release`."""
        ...

    def refused(self) -> None:
        """Its place in the line went to somebody more important."""
        ...


class Gate:
    """`active` places of `limit` are taken. At most `queue` wait; a newcomer of higher priority drives out the last in line."""

    def __init__(self, limit: int, queue: int) -> None:
        self.limit = limit
        self.queue = queue
        self.active = 0
        self._line: list[tuple[int, int, Waiter]] = []
        self._number = 0

    @property
    def waiting(self) -> int:
        return len(self._line)

    def enter(self, waiter: Waiter) -> Literal["in", "waits", "full"]:
        if self.active < self.limit and not self._line:
            self.active += 1
            return "in"
        if len(self._line) >= self.queue:
            if not self._line or -self._line[-1][0] >= waiter.priority:
                return "full"
            self._line.pop()[2].refused()
        self._number += 1
        insort(self._line, (-waiter.priority, self._number, waiter))
        return "waits"

    def leave(self, waiter: Waiter) -> None:
        """Waits no longer; nothing happens when it does not wait."""
        self._line = [entry for entry in self._line if entry[2] is not waiter]

    def release(self) -> None:
        """A place is given back, and goes to the first in line."""
        if self._line:
            self._line.pop(0)[2].admitted()
        else:
            self.active -= 1
