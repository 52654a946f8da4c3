from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_sticky import plugin as entry


class TestSticky(SelectorContract):
    plugin = entry
    hook = "revise_selection"
