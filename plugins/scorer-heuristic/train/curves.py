"""The cuts that make 25, 50 and 75 mean the rubric, found on rows the sums have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lynkr_scorer_heuristic.scale import lift_for, score

UNDER = (1.4, 2.5, 0.6)
"""How much dearer one row below a bound is than one above it. Of the top tier it is cheaper: the one below is nearly as good."""
LIFT = 7.0, 40.0, 2.0, 80.0
"""Log odds for one unit of "a weak model fails this": to pass the two lower bounds, within a tier, to pass the highest, and to pass
any where there are answers to choose from."""


def bounds(heads: np.ndarray, tiers: np.ndarray) -> tuple[float, float, float]:
    """The least log odds of medium, complex and reasoning, by prompts without answers to choose from."""
    lifted = heads[:, :3] + heads[:, 3:] * [LIFT[0], LIFT[0], LIFT[2]]
    first, second, third = (cut(lifted[:, least - 1], tiers >= least, UNDER[least - 1]) for least in (1, 2, 3))
    return first, second, third


def cut(values: np.ndarray, above: np.ndarray, under: float) -> float:
    """The middle of the cuts that are nearly as good as the best one."""
    candidates = np.linspace(-3.0, 3.0, 241)
    lost = np.array([under * np.sum(values[above] <= c) + np.sum(values[~above] > c) for c in candidates])
    return round(float(np.median(candidates[lost <= lost.min() + len(values) / 400])), 3)


def scores(found: Sequence[float], heads: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """`choice`: which have answers to choose from."""
    lifts = [lift_for(LIFT, bool(each)) for each in choice]
    cuts = found[0], found[1], found[2]
    return np.array([score([float(x) for x in row], cuts, lift) for row, lift in zip(heads, lifts, strict=True)])
