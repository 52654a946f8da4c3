"""What 1,500 outcomes teach: `python plugins/scorer-learned/demo.py FOLDER [hashed|static]`, FOLDER with `pairs.jsonl.gz`.

A memory learns from 1,500 MMLU questions whether a weak model failed where a strong one did not, and ranks the others. APGR is the area
under "share of the strong model's gain" over "share of requests it gets"; chance is 0.5.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np

from lynkr_core.cli.metrics import mean
from lynkr_scorer_learned.embedding import embedder
from lynkr_scorer_learned.memory import Memory, Row

WEAK, STRONG = "mixtral-8x7b-instruct", "gpt-4-1106-preview"
LABELS, SPLITS = 1_500, 5


def read(folder: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    with gzip.open(folder / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        items = [item for item in map(json.loads, lines) if item["source"] == "mmlu"]
    weak, strong = (np.array([item["scores"][name] for item in items]) for name in (WEAK, STRONG))
    return [item["messages"][-1]["content"] for item in items], weak, strong


def apgr(scores: np.ndarray, gain: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    recovered = np.concatenate(([0.0], np.cumsum(gain[order]) / gain.sum()))
    return float(np.mean((recovered[1:] + recovered[:-1]) / 2))


def main() -> None:
    texts, weak, strong = read(Path(sys.argv[1]))
    name = sys.argv[2] if len(sys.argv) > 2 else "hashed"
    made = embedder(name)
    vectors = [made.of(text) for text in texts]
    found: list[float] = []
    for seed in range(SPLITS):
        order = np.random.RandomState(seed).permutation(len(texts))
        memory = Memory(made.size, LABELS, LABELS)
        for at in order[:LABELS]:
            good = bool(weak[at] >= strong[at])
            memory.add(Row(id=str(at), owner=0, vector=vectors[at], tier=0, good=good, weight=1.0))
        memory.renew()
        rest = order[LABELS:]
        values = [memory.estimate(vectors[at]) for at in rest]
        found.append(apgr(np.array([each.value if each else 0.0 for each in values]), (strong - weak)[rest]))
    print(f"{name}: APGR {mean(found):.3f} over {SPLITS} splits, {min(found):.3f} to {max(found):.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
