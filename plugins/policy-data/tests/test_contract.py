from __future__ import annotations

from lynkr_core.testing.contracts.policy import PolicyContract
from lynkr_policy_data import plugin as entry


class TestData(PolicyContract):
    plugin = entry
    table = {"local_only": [{"when": {"prompt_contains": ["hello"]}}, {"when": {"tags": ["private"]}}]}
