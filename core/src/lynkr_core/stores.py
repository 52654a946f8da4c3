"""State that outlives a request, as three small protocols, and the built-in store in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Record = Mapping[str, Any]
"""A journal row: `id` (text, unique) and `created` (seconds since 1970), the rest JSON values."""

VALUE_COST = 200
"""Bytes that a value in memory costs beside its content and key."""


@runtime_checkable
class Journal(Protocol):
    """Records of what happened, newest found first."""

    def append(self, record: Record) -> None:
        """Takes a record without waiting; it is written soon. Never raises for a full disk: that is counted and logged."""
        ...

    async def find(self, id: str) -> Record | None:
        """The record with this id; appended ones are found at once."""
        ...

    async def query(self, *, since: float = 0.0, limit: int = 100) -> Sequence[Record]:
        """Records created at or after `since`, newest first."""
        ...

    async def flush(self) -> None:
        """Returns when all that was appended is written."""
        ...


@runtime_checkable
class KeyValue(Protocol):
    """Values by key, each with its time to live. Who shares a store takes keys that begin with the plugin's own name.

    Every store has its bound: the values used or written longest ago may go before their time.
    """

    async def get(self, key: str) -> bytes | None:
        """The value; None when there is none, or its time is over."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keeps a value for `ttl` seconds, in the place of an older one. This process reads it from now on, those that share
        the store once this returns. Raises `OSError` when it cannot be kept.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forgets a value. Raises `OSError` when it cannot be forgotten."""
        ...


class MemoryStore:
    """Keeps the newest `limit` records in memory, and up to `limit_bytes` of values, the last used ones; gone with the process."""

    def __init__(
        self, limit: int = 1000, limit_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._clock = clock
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._records: OrderedDict[str, Record] = OrderedDict()

    def append(self, record: Record) -> None:
        self._records[record["id"]] = record
        if len(self._records) > self.limit:
            self._records.popitem(last=False)

    async def find(self, id: str) -> Record | None:
        return self._records.get(id)

    async def query(self, *, since: float = 0.0, limit: int = 100) -> Sequence[Record]:
        newest = [record for record in reversed(self._records.values()) if record["created"] >= since]
        return newest[:limit]

    async def flush(self) -> None:
        pass

    async def get(self, key: str) -> bytes | None:
        value, until = self._values.get(key, (None, 0.0))
        if self._clock() >= until:
            await self.delete(key)
            return None
        self._values.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self.delete(key)
        size = len(key) + len(value) + VALUE_COST
        if size > self.limit_bytes:
            raise OSError(f"a value of {len(value)} bytes does not fit into {self.limit_bytes}")
        self._values[key] = (value, self._clock() + ttl)
        self.held_bytes += size
        while self.held_bytes > self.limit_bytes:
            await self.delete(next(iter(self._values)))

    async def delete(self, key: str) -> None:
        if key in self._values:
            self.held_bytes -= len(key) + len(self._values.pop(key)[0]) + VALUE_COST


class Stores:
    """The enabled stores by instance name; without a name the first one of the kind that is asked for, or the one in memory."""

    def __init__(self, memory: MemoryStore | None = None) -> None:
        self._stores: dict[str, Any] = {}
        self.memory = memory or MemoryStore()

    def add(self, name: str, store: Any) -> None:
        self._stores[name] = store

    def journal(self, name: str | None = None) -> Journal:
        """Raises `KeyError` for a name that is no enabled store."""
        if name is not None:
            return self._stores[name]
        return next((store for store in self._stores.values() if isinstance(store, Journal)), self.memory)

    def key_value(self, name: str | None = None) -> KeyValue:
        """Raises `KeyError` for a name that is no enabled store."""
        if name is not None:
            return self._stores[name]
        return next((store for store in self._stores.values() if isinstance(store, KeyValue)), self.memory)
