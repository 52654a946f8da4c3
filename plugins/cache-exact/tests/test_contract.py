"""The standard tests of caches, on what this one is by default and with a store behind it."""

from lynkr_cache_exact import plugin
from lynkr_core.stores import Stores
from lynkr_core.testing.contracts.cache import CacheContract, SharedValues


class TestExact(CacheContract):
    plugin = plugin


class TestExactWithToolCalls(CacheContract):
    plugin = plugin
    table = {"tool_calls": True, "memory": 0}

    def stores(self) -> Stores:
        stores = Stores()
        stores.add("shared", SharedValues())
        return stores
