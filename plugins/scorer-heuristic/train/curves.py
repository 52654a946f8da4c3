"""The curves that make 25, 50 and 75 mean the rubric: cuts between tiers, found on rows the sums have not seen."""

from __future__ import annotations

import numpy as np

Curve = list[tuple[float, float]]
UNDER = 1.2
"""How much dearer one row too low is than one too high."""
RARE = 0.7
"""The same for the highest tier: nothing harmless may get there."""
GAP = 1.0
"""The least log odds between points of the second curve."""


def curves(sums: np.ndarray, tiers: np.ndarray) -> tuple[Curve, Curve]:
    """For `size` up to 75 and `reason` up to 100."""
    size, reason = sums[:, 0], sums[:, 1]
    below = tiers < 3
    first = cut(size[below & (tiers < 2)], tiers[below & (tiers < 2)] >= 1)
    second = cut(size[below & (tiers > 0)], tiers[below & (tiers > 0)] >= 2)
    low, high = np.quantile(size[tiers == 0], 0.05), np.quantile(size[tiers == 2], 0.95)
    top = cut(reason, tiers == 3, RARE)
    best, rest = np.quantile(reason[tiers == 3], 0.9), np.quantile(reason[below], 0.8)
    half = min(cut(reason[size < second], tiers[size < second] == 3), top - GAP / 2)
    return (
        plain([(min(low, first - 5), 3.0), (first, 25.5), (second, 50.5), (max(high, second + 5), 75.0)]),
        plain([(min(rest, half - GAP), 3.0), (half, 50.5), (top, 75.5), (max(best, top + GAP), 95.0)]),
    )


def plain(curve: Curve) -> Curve:
    return [(round(float(x), 3), y) for x, y in curve]


def cut(values: np.ndarray, above: np.ndarray, under: float = UNDER) -> float:
    """The middle of the cuts that are nearly as good as the best one."""
    candidates = np.quantile(values, np.linspace(0.02, 0.98, 193))
    lost = np.array([under * np.sum(values[above] <= c) + np.sum(values[~above] > c) for c in candidates])
    return float(np.median(candidates[lost <= lost.min() + len(values) / 200]))


def scores(found: tuple[Curve, Curve], sums: np.ndarray) -> np.ndarray:
    size, reason = (np.array(curve) for curve in found)
    return np.maximum(np.interp(sums[:, 0], size[:, 0], size[:, 1]), np.interp(sums[:, 1], reason[:, 0], reason[:, 1]))
