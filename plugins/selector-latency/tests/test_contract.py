from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_latency import plugin as entry


class TestLatency(SelectorContract):
    plugin = entry
    deterministic = False
