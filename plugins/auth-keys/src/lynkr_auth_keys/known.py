"""The keys that were looked up lately, in memory."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from lynkr_auth_keys.book import Book
from lynkr_auth_keys.key import id_of
from lynkr_auth_keys.used import EVERY
from lynkr_core.errors import Unavailable
from lynkr_core.exchange import Principal
from lynkr_core.waiting import stopped

log = logging.getLogger("lynkr.auth.keys")
RETRY_SECONDS = 1.0
"""For how long the store is left alone after it failed."""


class Entry(NamedTuple):
    """What the store said of a key; `principal` is None for one that is not good. Times on the monotonic clock.

    `due`: from when on it is asked again, beside the requests; `until`: from when on they wait for that, never before `due`. `ends`: when
    the key expires.
    """

    id: str
    principal: Principal | None
    due: float
    until: float
    ends: float


class Known:
    """At most `size` keys, by a hash that only this process can make. What the store says is believed for `recheck` seconds, and for
    `grace` more when it cannot be asked; a look-up that takes longer than `deadline` has failed.
    """

    def __init__(
        self,
        book: Book,
        size: int,
        recheck: float,
        grace: float,
        deadline: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._deadline = deadline
        self._size = size
        self._recheck = recheck
        self._grace = grace
        self._clock = clock
        self._secret = os.urandom(32)
        self._asking: dict[bytes, asyncio.Task[Entry]] = {}
        self._version = 0
        self._down_until = -math.inf
        self.entries: dict[bytes, Entry] = {}
        self.down = False

    def digest(self, key: str) -> bytes:
        return blake2b(self._secret + key.encode("latin-1"), digest_size=16).digest()  # its own keyed mode costs twice as much

    async def ask(self, key: str, digest: bytes) -> Entry:
        """What the store says, or said before it failed. Raises `Unavailable` when that is too old or was nothing."""
        if self._clock() >= self._down_until:
            try:
                return await asyncio.shield(self._begin(key, digest))
            except Exception as error:
                self._failed(error)
        entry = self.entries.get(digest)
        if entry is None or entry.principal is None or self._clock() >= min(entry.until + self._grace, entry.ends):
            raise Unavailable("keys cannot be checked now: their store does not answer", code="auth_unavailable", retry_after=2.0)
        return entry

    def refresh(self, key: str, digest: bytes) -> None:
        """Asks beside the requests, which go on."""
        if digest not in self._asking and self._clock() >= self._down_until:
            self._begin(key, digest).add_done_callback(self._refreshed)

    def _refreshed(self, task: asyncio.Task[Entry]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _begin(self, key: str, digest: bytes) -> asyncio.Task[Entry]:
        """All who wait for one key at the same time wait for one look-up."""
        if digest not in self._asking:
            task = self._asking[digest] = asyncio.ensure_future(self._look_up(key, digest))
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        return self._asking[digest]

    async def _look_up(self, key: str, digest: bytes) -> Entry:
        version = -1
        entry = Entry("", None, 0.0, 0.0, 0.0)
        async with asyncio.timeout(self._deadline):
            while version != self._version:  # what was read before a key of this process was revoked is read again
                version = self._version
                entry = await self._read(key)
        if self.down:
            log.warning("the store of the keys answers again")
        self.down = False
        self.entries.pop(digest, None)
        if len(self.entries) >= self._size:
            del self.entries[next(iter(self.entries))]
        self.entries[digest] = entry
        return entry

    async def _read(self, key: str) -> Entry:
        began, id = self._clock(), id_of(key) or ""
        record, pepper, now = await self._book.find(id), await self._book.pepper(), time.time()
        until = record.good_until(pepper.hash(key), now) if record and pepper else 0.0
        if record is None or not until:
            return Entry(id, None, began + self._recheck, began + self._recheck, math.inf)
        ends = self._clock() + until - now
        due = min(began + min(self._recheck / 2, EVERY), ends)
        return Entry(id, record.principal(), due, min(began + self._recheck, ends), ends)

    def _failed(self, error: BaseException) -> None:
        """What went wrong is told without its words: they may quote what was looked for."""
        self._down_until = self._clock() + RETRY_SECONDS
        if not self.down:
            log.error("keys cannot be looked up: %s; known ones go on for %g s", type(error).__name__, self._grace)
        self.down = True

    def forget(self, id: str) -> None:
        """The key was changed here: what is known of it is not true any more."""
        self._version += 1
        for digest in [digest for digest, entry in self.entries.items() if entry.id == id]:
            del self.entries[digest]

    async def close(self) -> None:
        await stopped(*self._asking.values())
