from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_hybrid import plugin as entry


class TestHybrid(SelectorContract):
    plugin = entry


class TestWithBounds(SelectorContract):
    plugin = entry
    table = {
        "max_usd": 100,
        "max_latency_ms": 1000,
        "model": [{"to": "cloud", "quality": 70, "tasks": {"code": 90}}, {"to": "simple", "quality": 10}],
    }
