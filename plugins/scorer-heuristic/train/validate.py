"""Held-out figures: each source is scored by a model that has seen neither it nor anything of its kind; so are our own prompts.

`uv run --group train python plugins/scorer-heuristic/train/validate.py FOLDER`
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from curves import bounds, scores
from data import Row, read
from fit import Texts, fit, held_out, measure
from threadpoolctl import threadpool_limits

from lynkr_core.cli.dataset import read as read_dataset
from lynkr_core.cli.evaluating import measured, told
from lynkr_core.cli.metrics import tier


def source(row: Row) -> str:
    return row.source.split(" ")[0]


def pairs(texts: Texts, found: tuple[float, float, float]) -> dict[str, float]:
    """Leave one source out, and with it every row of a family that occurs in it."""
    asked = [i for i, row in enumerate(texts.rows) if row.kind == "pair"]
    scored: dict[str, float] = {}
    for name in sorted({source(texts.rows[i]) for i in asked}):
        test = np.array([i for i in asked if source(texts.rows[i]) == name])
        families = {texts.rows[i].family for i in test}
        seen = np.array([i for i, row in enumerate(texts.rows) if row.kind != "pair" or row.family not in families])
        values = scores(found, fit(texts, seen).heads(texts, test))
        scored |= {texts.rows[i].id: float(value) for i, value in zip(test, values, strict=True)}
    return scored


def main() -> None:
    folder = Path(sys.argv[1])
    texts = measure(read(folder))
    own, heads = held_out(texts, np.arange(len(texts.rows)))
    tiers = np.array([texts.rows[i].tier for i in own])
    found = bounds(heads, tiers)
    report = measured(read_dataset(folder / "pairs.jsonl.gz"), pairs(texts, found), intervals=True)
    print("\n".join(told(report | {"milliseconds": {"p50": 0.0, "p99": 0.0}})[:-1]))  # noqa: T201
    given = np.array([tier(value) for value in scores(found, heads)])
    languages = np.array([texts.rows[i].language for i in own])
    print(f"own prompts, {len(own)}: {shares(given, tiers)}")  # noqa: T201
    for language in np.unique(languages):
        here = languages == language
        print(f"  {language}: {here.sum()}: {shares(given[here], tiers[here])}")  # noqa: T201


def shares(given: np.ndarray, right: np.ndarray) -> str:
    """One tier alone is right here, so these are stricter than figures with acceptable tiers."""
    found = {"right": given == right, "under": given < right, "over": given > right, "within one": np.abs(given - right) <= 1}
    return ", ".join(f"{name} {np.mean(share):.3f}" for name, share in found.items())


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in another order have other last digits
        main()
