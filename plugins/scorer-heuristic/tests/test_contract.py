from __future__ import annotations

from lynkr_core.testing.contracts.scorer import ScorerContract
from lynkr_scorer_heuristic import plugin as entry


class TestHeuristic(ScorerContract):
    plugin = entry
