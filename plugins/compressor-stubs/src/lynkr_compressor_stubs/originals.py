"""Where the whole texts are kept: under their digest and their caller's, as long as the conversation goes on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from lynkr_core.stores import KeyValue, Recent

log = logging.getLogger("lynkr.stubs")
KNOWN = 20_000
"""Texts whose keeping is remembered, so that a turn writes only what is new."""


class Originals:
    def __init__(self, values: KeyValue, prefix: str, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._values = values
        self._prefix = prefix
        self._ttl = ttl
        self._clock = clock
        self._kept: Recent[str, float] = Recent(KNOWN)

    def key(self, principal: str, id: str) -> str:
        return f"{self._prefix}{principal}/{id}"

    async def keep(self, principal: str, id: str, text: str) -> bool:
        """Whether the text is there. One that was written lately is not written again; later its time begins anew."""
        key, now = self.key(principal, id), self._clock()
        at = self._kept.get(key)
        age = math.inf if at is None else now - at
        if age < self._ttl / 4:
            return True
        try:
            await self._values.set(key, text.encode("utf-8", "surrogatepass"), self._ttl)
        except Exception as error:
            log.warning("a text cannot be kept: %s", type(error).__name__)
            return age < self._ttl
        self._kept.set(key, now)
        return True

    async def get(self, principal: str, id: str) -> str | None:
        """None when it is not there, or the store cannot be asked."""
        try:
            found = await self._values.get(self.key(principal, id))
        except Exception as error:
            log.warning("a text cannot be read: %s", type(error).__name__)
            return None
        return None if found is None else found.decode("utf-8", "surrogatepass")
