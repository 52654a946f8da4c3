from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_tiers import plugin as entry


class TestTiers(SelectorContract):
    plugin = entry
