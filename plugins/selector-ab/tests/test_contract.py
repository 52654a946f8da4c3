from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_ab import plugin as entry


class TestAb(SelectorContract):
    plugin = entry
    deterministic = False  # nobody is calling in the suite's requests, so each is split for itself
    table = {
        "variant": [
            {"name": "a", "share": 1, "to": "cloud"},
            {"name": "b", "share": 1, "to": "complex"},
            {"name": "c", "share": 1},
        ]
    }
