from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lynkr_core.testing.contracts.journal import JournalContract
from lynkr_core.testing.contracts.ledger import LedgerContract
from lynkr_core.testing.contracts.store import StoreContract
from lynkr_store_sqlite import plugin


class TestContract(StoreContract):
    plugin = plugin

    def make_table(self, directory: Path) -> Mapping[str, str]:
        return {"path": str(directory / "lynkr.db")}


class TestLedger(LedgerContract):
    plugin = plugin

    def make_table(self, directory: Path) -> Mapping[str, str]:
        return {"path": str(directory / "lynkr.db")}


class TestJournal(JournalContract):
    plugin = plugin

    def make_table(self, directory: Path) -> Mapping[str, str]:
        return {"path": str(directory / "lynkr.db")}
