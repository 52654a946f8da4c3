from __future__ import annotations

from lynkr_core.testing.contracts.selector import SelectorContract
from lynkr_selector_rules import plugin as entry


class TestRules(SelectorContract):
    plugin = entry
    table = {
        "rule": [
            {"when": {"prompt_contains": ["refactor"], "anywhere": True}, "to": ["local", "cloud/large"], "only": True},
            {"when": {"prompt_matches": ["h.*i"], "min_tokens": 1}, "to": "complex", "priority": 2},
            {"when": {"tools": True}, "to": "other"},
        ]
    }
