"""Values by key: those with a time expire by themselves, and all are listed in sets ordered by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lynkr_core.stores.overlay import Overlay
from lynkr_store_redis.books import between
from lynkr_store_redis.server import Server


class Values:
    """A `KeyValue`. Only values with a time to live may be evicted; the sets that list them are made of names that are kept for good."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._overlay = Overlay()
        self._all, self._lasting, self._expiry = server.key("keys"), server.key("lasting"), server.key("expiry")

    async def get(self, key: str) -> bytes | None:
        if self._overlay.has(key):
            return self._overlay.get(key)
        return await self._server.ask(self._server.client.get(self._place(key)))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0:
            await self.delete(key)
            return
        milliseconds = 0 if ttl == math.inf else max(1, round(ttl * 1000))
        async with self._overlay.writing(key, value, ttl):
            await self._server.run("set", [key, value, milliseconds], [self._place(key), self._all, self._lasting, self._expiry])

    async def delete(self, key: str) -> None:
        async with self._overlay.writing(key, None):
            await self._server.ask(self._delete(key))

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        wanted = limit + self._overlay.changing
        listing = self._lasting if lasting else self._all
        found: dict[str, bytes] = {}
        last = after
        while len(found) < wanted:
            keys = await self._names(listing, prefix, last, wanted - len(found))
            if not keys:
                break
            values = await self._server.ask(self._server.client.mget([self._place(key) for key in keys]))
            found |= {key: value for key, value in zip(keys, values, strict=True) if value is not None}
            last = keys[-1]
        return self._overlay.lay(found, prefix, limit, after, lasting)

    async def _names(self, listing: str, prefix: str, after: str, count: int) -> list[str]:
        names = await self._server.ask(self._server.client.zrangebylex(listing, *between(prefix, after), start=0, num=count))
        return [name.decode() for name in names]

    async def _delete(self, key: str) -> None:
        async with self._server.client.pipeline(transaction=True) as steps:
            steps.delete(self._place(key))
            for listing in (self._all, self._lasting, self._expiry):
                steps.zrem(listing, key)
            await steps.execute()

    def _place(self, key: str) -> str:
        return self._server.key("value:" + key)
