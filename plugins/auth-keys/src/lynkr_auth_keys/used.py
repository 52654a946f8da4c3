"""When each key was used last: noted in passing, written now and then."""

from __future__ import annotations

import asyncio
import logging
import time

from lynkr_auth_keys.book import Book

log = logging.getLogger("lynkr.auth.keys")
EVERY = 300.0
"""Seconds for which a key's use is not noted again."""
MAX_NOTED = 100_000
CLOSE_SECONDS = 5.0


class Used:
    """`due` has, for each key used lately, when its next use is worth noting, on the monotonic clock."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._waiting: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self.due: dict[str, float] = {}

    def note(self, id: str, now: float) -> None:
        """Unless one was noted a moment ago."""
        if now < self.due.get(id, now):
            return
        if len(self.due) >= MAX_NOTED:
            self.due.clear()
        self.due[id] = now + EVERY
        self._waiting[id] = time.time()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        while self._waiting:
            id, at = self._waiting.popitem()
            try:
                await self._book.used(id, at)
            except Exception as error:  # a time that is missing harms nobody
                log.debug("the last use of a key was not written: %s", type(error).__name__)

    async def close(self) -> None:
        """Returns when what was noted is written, or takes too long."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
