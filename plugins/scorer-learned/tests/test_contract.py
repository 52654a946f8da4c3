from __future__ import annotations

from lynkr_core.testing.contracts.scorer import ScorerContract
from lynkr_scorer_learned import plugin


class TestContract(ScorerContract):
    plugin = plugin
