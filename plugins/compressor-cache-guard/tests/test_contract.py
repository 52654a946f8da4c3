from __future__ import annotations

from lynkr_compressor_cache_guard import plugin as entry
from lynkr_core.cards import Price
from lynkr_core.exchange import Candidate
from lynkr_core.request import Request
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.compressor import CompressorContract

PAID = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6)


class TestCacheGuard(CompressorContract):
    plugin = entry
    table = {"ttl": "5m"}  # what it chooses by itself depends on the pauses before
    changes = frozenset({"marks"})

    def candidate(self) -> Candidate:
        return factories.candidate("anthropic/claude-sonnet-4-5", price=PAID)

    def expand(self, request: Request) -> Request:
        return request
