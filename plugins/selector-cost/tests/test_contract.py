from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_cost import plugin as entry


class TestCost(SelectorContract):
    plugin = entry


class TestWithLimit(SelectorContract):
    plugin = entry
    table = {"max_usd": 100, "output_tokens": 10}
