"""Where entries stand: in memory up to so many bytes, and behind it in a store that processes share and that outlives them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lynkr_cache_exact.entry import Entry, describe, pack, unpack
from lynkr_core.stores import KeyValue
from lynkr_core.stores.guarded import Watch

LOOK_SECONDS = 1.0
"""How long a purge by another process goes unnoticed."""
PAGE = 200
WRITES = 256
"""Writes under way beyond which the store is not written to."""


class Shelf:
    """`values`: the store behind the memory, if there is one; while it is down, the memory alone serves."""

    def __init__(
        self, name: str, values: KeyValue | None, most: int, deadline: float = 0.5, clock: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self.prefix = f"{name}/e/"
        self._mark = f"{name}/purged"
        self._values = values
        self._watch = Watch(name, deadline)
        self._most = most
        self._clock = clock
        self._held: OrderedDict[str, Entry] = OrderedDict()
        self._writes: set[asyncio.Task[None]] = set()
        self._look_at = 0.0
        self._purged: bytes = b""
        self.bytes = 0
        self.purged_at = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def held(self, key: str) -> Entry | None:
        """What is in memory, if that is known to be good."""
        if self._values is not None and self._clock() >= self._look_at:
            return None
        entry = self._held.get(key)
        if entry is not None and entry.until <= self._clock():
            self._drop(key)
            return None
        if entry is not None:
            self._held.move_to_end(key)
        return entry

    async def get(self, key: str) -> Entry | None:
        if self._values is None:
            return self.held(key)
        await self._notice()
        entry = self.held(key)
        if entry is None:
            value = await self._asked(self._values.get(self.prefix + key))
            entry = unpack(value) if value else None
            if entry is not None and entry.until > self._clock():
                self._hold(key, entry)
        return entry if entry is not None and entry.until > self._clock() else None

    async def under(self, beginning: str, most: int) -> dict[str, Entry]:
        """Entries in the store whose keys begin so; none without a store."""
        if self._values is None:
            return {}
        await self._notice()
        try:
            page = await self._watch.ask(scanned(self._values, self.prefix + beginning, most))
        except OSError:
            return {}
        found = {key.removeprefix(self.prefix): unpack(value) for key, value in page.items()}
        return {key: entry for key, entry in found.items() if entry is not None and entry.until > self._clock()}

    def put(self, key: str, entry: Entry) -> None:
        """At once in memory, soon in the store. What a purge has been asked for since it was begun is not kept."""
        if entry.created <= self.purged_at:
            return
        self._hold(key, entry)
        if self._values is not None and len(self._writes) < WRITES:
            task = asyncio.ensure_future(self._write(self._values, key, entry))
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def settle(self) -> None:
        """Returns when all is written."""
        if self._writes:
            await asyncio.wait(self._writes)

    async def purge(self, fits: Callable[[Entry], bool]) -> int:
        """Forgets the entries that fit, here and in the store; other processes forget what they hold within a second. Raises `OSError`."""
        self.purged_at = self._clock()
        gone = {key for key, entry in self._held.items() if fits(entry)}
        for key in gone:
            self._drop(key)
        if self._values is None:
            return len(gone)
        self._purged = repr(self.purged_at).encode()
        await self._values.set(self._mark, self._purged, 7 * 86400.0)
        await self.settle()
        return len(gone | await self._purge_stored(self._values, fits))

    async def _purge_stored(self, values: KeyValue, fits: Callable[[Entry], bool]) -> set[str]:
        gone: set[str] = set()
        after = ""
        while page := dict(await values.scan(self.prefix, PAGE, after=after)):
            for key, value in page.items():
                found = describe(value)
                if found is None or fits(found.entry):
                    await values.delete(key)
                    gone.add(key.removeprefix(self.prefix))
            after = max(page)
        return gone

    async def _notice(self) -> None:
        """Looks whether somebody has purged; then all in memory may be what has to be forgotten."""
        now = self._clock()
        if now < self._look_at or self._values is None:
            return
        self._look_at = now + LOOK_SECONDS
        mark = await self._asked(self._values.get(self._mark))
        if mark and mark != self._purged:
            self._held.clear()
            self.bytes, self._purged, self.purged_at = 0, mark, max(self.purged_at, float(mark))

    async def _asked(self, call: Coroutine[Any, Any, bytes | None]) -> bytes | None:
        try:
            return await self._watch.ask(call)
        except OSError:
            return None

    async def _write(self, values: KeyValue, key: str, entry: Entry) -> None:
        self._look_at = min(self._look_at, self._clock())
        await self._notice()
        if entry.created <= self.purged_at:
            self._drop(key)
            return
        try:
            await self._watch.ask(values.set(self.prefix + key, pack(entry), max(entry.until - self._clock(), 0.001)))
        except OSError:
            return

    def _hold(self, key: str, entry: Entry) -> None:
        self._drop(key)
        if entry.size > self._most:
            return
        self._held[key] = entry
        self.bytes += entry.size
        while self.bytes > self._most:
            self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        entry = self._held.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size


async def scanned(values: KeyValue, prefix: str, most: int) -> Mapping[str, bytes]:
    return await values.scan(prefix, most)
