"""A ledger before a ledger does the same as the ledger, and asks it far less often."""

from __future__ import annotations

from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.stores import MemoryStore, Shares
from lynkr_core.testing.contracts.ledger import LedgerContract


class Shared(Shares):
    def __init__(self, config, context):
        super().__init__(MemoryStore())


class TestShares(LedgerContract):
    plugin = Plugin(api=1, config=NoConfig, create=Shared)
    shared = False
    linear = False
