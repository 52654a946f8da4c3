from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_chain import plugin as entry


class TestChain(SelectorContract):
    plugin = entry
    table = {"order": ["local", "cloud/small", "cloud", "other/deep"]}


class TestChainWithLimits(SelectorContract):
    plugin = entry
    table = {"step": [{"to": "local", "max_score": 25}, {"to": "cloud", "max_score": 60}, {"to": "other"}]}
