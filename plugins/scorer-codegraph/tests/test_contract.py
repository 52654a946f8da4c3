from __future__ import annotations

from lynkr_core.testing.contracts.scorer import ScorerContract
from lynkr_scorer_codegraph import plugin as entry


class TestCodegraph(ScorerContract):
    plugin = entry

    def make_table(self, directory):
        (directory / "refactor.py").write_text("import this\n")
        return {"workspace": str(directory), "wait": 60}
