"""State that outlives a request, as three small protocols, and the built-in store in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Record = Mapping[str, Any]
"""A journal row: `id` (text, unique) and `created` (seconds since 1970), the rest JSON values."""


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


class MemoryStore:
    """Keeps the newest `limit` records in memory; gone with the process."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
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


class Stores:
    """The enabled stores by instance name; `journal()` without a name gives the first one, or the one in memory."""

    def __init__(self) -> None:
        self._stores: dict[str, Any] = {}
        self._memory = MemoryStore()

    def add(self, name: str, store: Any) -> None:
        self._stores[name] = store

    def journal(self, name: str | None = None) -> Journal:
        """Raises `KeyError` for a name that is no enabled store."""
        if name is not None:
            return self._stores[name]
        return next((store for store in self._stores.values() if isinstance(store, Journal)), self._memory)
