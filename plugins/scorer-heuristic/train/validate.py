"""Held-out figures: each source is scored by a model that has seen neither it nor anything of its kind; our own prompts by one that
has seen none of their author's.

`uv run --group train python plugins/scorer-heuristic/train/validate.py FOLDER`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from curves import scores
from data import USUAL, Row, read
from fit import Texts, fit, held_out, measure
from threadpoolctl import threadpool_limits
from train import bounds_of

from lynkr_core.cli.dataset import read as read_dataset
from lynkr_core.cli.evaluating import measured, told
from lynkr_core.cli.metrics import tier

PLAIN = ("plain", "short")
"""Kinds of our own prompts that use no jargon."""
GROUPS = {"batch": "author", "language": "language", "sub": "kind"}
LEAST = 20
"""Prompts of a language or kind from which its figures are told."""


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
        values = scores(found, fit(texts, seen).heads(texts, test), texts.choice(test))
        scored |= {texts.rows[i].id: float(value) for i, value in zip(test, values, strict=True)}
    return scored


def main() -> None:
    folder = Path(sys.argv[1])
    texts = measure(read(folder))
    own, heads = held_out(texts, np.arange(len(texts.rows)))
    found = bounds_of(texts, own, heads)
    report = measured(read_dataset(folder / "pairs.jsonl.gz"), pairs(texts, found), intervals=True)
    print("\n".join(told(report | {"milliseconds": {"p50": 0.0, "p99": 0.0}})[:-1]))  # noqa: T201
    given = np.array([tier(value) for value in scores(found, heads, texts.choice(own))])
    rows = [texts.rows[i] for i in own]
    print(f"own prompts, {len(own)}: {shares(given, rows)}; {hard_ones(given, rows)}")  # noqa: T201
    usual = np.array([row.batch in USUAL for row in rows])
    these = [row for row in rows if row.batch in USUAL]
    print(f"  usual ones, {len(these)}: {shares(given[usual], these)}; {hard_ones(given[usual], these)}")  # noqa: T201
    for name in GROUPS:
        groups = [getattr(row, name) or "first" for row in rows]
        for group in sorted(set(groups)):
            here = [at for at, each in enumerate(groups) if each == group]
            if len(here) >= LEAST:
                these = [rows[at] for at in here]
                print(f"  {GROUPS[name]} {group}: {len(here)}: {shares(given[here], these)}; {hard_ones(given[here], these)}")  # noqa: T201


def hard_ones(given: np.ndarray, rows: Sequence[Row]) -> str:
    hard = np.array([row.tier >= 2 for row in rows])
    foreign = np.array([row.language != "en" or row.sub in PLAIN for row in rows])
    told = [("hard ones", hard), ("those without jargon in English", hard & foreign)]
    return ", ".join([f"of {words} below complex {np.mean(given[which] < 2):.3f}" for words, which in told if which.any()])


def shares(given: np.ndarray, rows: Sequence[Row]) -> str:
    right = [row.right or (row.tier,) for row in rows]
    fine = np.array([tier in tiers for tier, tiers in zip(given, right, strict=True)])
    found = {
        "acceptable": fine,
        "the best": given == np.array([tiers[0] for tiers in right]),
        "under": given < np.array([min(tiers) for tiers in right]),
        "over": given > np.array([max(tiers) for tiers in right]),
    }
    return ", ".join(f"{name} {np.mean(share):.3f}" for name, share in found.items()) + interval(fine)


def interval(fine: np.ndarray) -> str:
    """95 per cent of the acceptable share, by resampling."""
    dice = np.random.RandomState(1)
    drawn = sorted(float(np.mean(dice.choice(fine, len(fine)))) for _ in range(1000))
    return f" (acceptable within {drawn[25]:.3f} and {drawn[974]:.3f})"


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in another order have other last digits
        main()
