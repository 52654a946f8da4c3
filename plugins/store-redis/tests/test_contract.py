from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.testing.contracts.journal import JournalContract
from lynkr_core.testing.contracts.ledger import LedgerContract
from lynkr_core.testing.contracts.store import StoreContract
from lynkr_store_redis import plugin


class OnServer:
    """Each test has keys of its own."""

    @pytest.fixture(autouse=True)
    def use_server(self, server: Any) -> None:
        self.url = server.url

    def make_table(self, directory: Path) -> Mapping[str, Any]:
        return {"url": self.url, "prefix": str(directory), "spill": str(directory / "spill"), "deadline": 30.0}


class TestContract(OnServer, StoreContract):
    plugin = plugin


class TestJournal(OnServer, JournalContract):
    plugin = plugin


class TestLedger(OnServer, LedgerContract):
    plugin = plugin
