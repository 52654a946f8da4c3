from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_weighted import plugin as entry


class TestWeights(SelectorContract):
    plugin = entry
    deterministic = False
    table = {"share": [{"to": "cloud", "weight": 3}, {"to": "local", "weight": 0}]}


class TestLeastBusy(SelectorContract):
    plugin = entry
    deterministic = False
    table = {"strategy": "least_busy", "share": [{"to": "cloud/small", "rpm": 10, "tpm": 1000}]}
