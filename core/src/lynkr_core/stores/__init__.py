"""State that outlives a request: three protocols, the built-in store in memory, and the stores that are enabled."""

from __future__ import annotations

from typing import Any

from lynkr_core.stores.guarded import GuardedLedger as GuardedLedger
from lynkr_core.stores.guarded import GuardedValues as GuardedValues
from lynkr_core.stores.guarded import OnFailure as OnFailure
from lynkr_core.stores.memory import MemoryStore as MemoryStore
from lynkr_core.stores.protocols import NOT_NOW as NOT_NOW
from lynkr_core.stores.protocols import Balance as Balance
from lynkr_core.stores.protocols import Bucket as Bucket
from lynkr_core.stores.protocols import Full as Full
from lynkr_core.stores.protocols import Gathering as Gathering
from lynkr_core.stores.protocols import Hold as Hold
from lynkr_core.stores.protocols import Journal as Journal
from lynkr_core.stores.protocols import KeyValue as KeyValue
from lynkr_core.stores.protocols import Ledger as Ledger
from lynkr_core.stores.protocols import NotNow as NotNow
from lynkr_core.stores.protocols import Record as Record
from lynkr_core.stores.protocols import Wait as Wait
from lynkr_core.stores.recent import Recent as Recent
from lynkr_core.stores.shares import Shares as Shares
from lynkr_core.stores.totals import Totals as Totals
from lynkr_core.stores.totals import Written as Written


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

    def ledger(self, name: str | None = None) -> Ledger:
        """Raises `KeyError` for a name that is no enabled store."""
        if name is not None:
            return self._stores[name]
        return next((store for store in self._stores.values() if isinstance(store, Ledger)), self.memory)
