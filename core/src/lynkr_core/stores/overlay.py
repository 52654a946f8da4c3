"""Values that are on their way to a store: the process that writes them reads them already."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager


class Overlay:
    """Lies over the values of a store that is asked over the network. Writes of one key are done in their order."""

    def __init__(self) -> None:
        self._writing: dict[str, tuple[bytes | None, float, asyncio.Event]] = {}

    @asynccontextmanager
    async def writing(self, key: str, value: bytes | None, ttl: float = 0.0) -> AsyncGenerator[None]:
        """While it lasts this is the key's value, or none."""
        before, done = self._writing.get(key), asyncio.Event()
        self._writing[key] = change = (value, time.time() + ttl, done)
        try:
            if before is not None:
                await before[2].wait()
            yield
        finally:
            done.set()
            if self._writing.get(key) is change:
                del self._writing[key]

    def has(self, key: str) -> bool:
        return key in self._writing

    def get(self, key: str) -> bytes | None:
        value, expires, _ = self._writing[key]
        return value if expires > time.time() else None

    def lay(self, page: Mapping[str, bytes], prefix: str, limit: int, after: str, lasting: bool) -> dict[str, bytes]:
        """A page of up to `limit` values and as many more as `changing` says, as it will read."""
        found = dict(page)
        now = math.nextafter(math.inf, 0) if lasting else time.time()
        for key, (value, expires, _) in self._writing.items():
            if key.startswith(prefix) and key > after:
                found.pop(key, None)
                if value is not None and expires > now:
                    found[key] = value
        return {key: found[key] for key in sorted(found)[:limit]}

    @property
    def changing(self) -> int:
        return len(self._writing)
