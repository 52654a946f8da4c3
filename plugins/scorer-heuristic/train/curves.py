"""The cuts that make 25, 50 and 75 mean the rubric, found on rows the sums have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lynkr_scorer_heuristic.scale import score

UNDER = (1.0, 2.2, 1.2)
"""How much dearer one row below a bound is than one above it."""
LIFT = 7.0, 16.0
"""Log odds for one unit of "a weak model fails this": to pass a bound, and within a tier."""


def bounds(heads: np.ndarray, tiers: np.ndarray) -> tuple[float, float, float]:
    """The least log odds of medium, complex and reasoning."""
    lifted = heads[:, :3] + LIFT[0] * heads[:, 3:]
    first, second, third = (cut(lifted[:, least - 1], tiers >= least, UNDER[least - 1]) for least in (1, 2, 3))
    return first, second, third


def cut(values: np.ndarray, above: np.ndarray, under: float) -> float:
    """The middle of the cuts that are nearly as good as the best one."""
    candidates = np.linspace(-3.0, 3.0, 241)
    lost = np.array([under * np.sum(values[above] <= c) + np.sum(values[~above] > c) for c in candidates])
    return round(float(np.median(candidates[lost <= lost.min() + len(values) / 400])), 3)


def scores(found: Sequence[float], heads: np.ndarray) -> np.ndarray:
    return np.array([score([float(x) for x in row], (found[0], found[1], found[2]), LIFT) for row in heads])
