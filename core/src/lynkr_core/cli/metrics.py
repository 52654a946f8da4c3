"""How well scores route: the area under "share of the gain" over "share of strong calls", and what is read off the same curve.

APGR is RouteLLM's measure (arXiv 2406.18665): 0.5 is chance, 1 is what nobody reaches. Ties count as their mean.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import isnan, nan

from msgspec import Struct

BOUNDS = (25, 50, 75)
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")


class Gains(Struct, frozen=True):
    """`apgr`; `cpt50`, `cpt80`: the share of strong calls that recovers 50 and 80 per cent of the gain. NaN without any gain."""

    apgr: float
    cpt50: float
    cpt80: float


def tier(score: float) -> int:
    """0 to 3."""
    return sum(score > bound for bound in BOUNDS)


def gains(scores: Sequence[float], gained: Sequence[float], weights: Sequence[float] | None = None) -> Gains:
    """`gained`: strong minus weak, for each request; the highest scores go to the strong model first."""
    rows = sorted(zip(scores, gained, weights or [1.0] * len(scores), strict=True), reverse=True)
    xs, ys = [0.0], [0.0]
    for _, tied in groupby(rows, key=lambda row: row[0]):
        same = list(tied)
        xs.append(xs[-1] + sum(weight for _, _, weight in same))
        ys.append(ys[-1] + sum(weight * gain for _, gain, weight in same))
    if abs(ys[-1]) < 1e-12:
        return Gains(nan, nan, nan)
    xs, ys = [x / xs[-1] for x in xs], [y / ys[-1] for y in ys]
    area = sum((right - left) * (low + high) / 2 for left, right, low, high in zip(xs, xs[1:], ys, ys[1:], strict=False))
    return Gains(area, reached(xs, ys, 0.5), reached(xs, ys, 0.8))


def reached(xs: Sequence[float], ys: Sequence[float], share: float) -> float:
    """The first x at which the curve is as high as `share`."""
    for right in range(1, len(xs)):
        low, high = ys[right - 1], ys[right]
        if high >= share - 1e-12:
            return xs[right] if high == low else xs[right - 1] + (share - low) * (xs[right] - xs[right - 1]) / (high - low)
    return 1.0


def auc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """The chance that a positive has a higher score than a negative; NaN when one of them is missing."""
    negatives = sorted(score for score, label in zip(scores, positive, strict=True) if not label)
    positives = sorted(score for score, label in zip(scores, positive, strict=True) if label)
    if not negatives or not positives:
        return nan
    below = 0.0
    for score, same in groupby(positives):
        lower, upper = bisect_right(negatives, score - 1e-12), bisect_right(negatives, score)
        below += len(list(same)) * (lower + upper) / 2
    return below / (len(positives) * len(negatives))


def mean(values: Iterable[float]) -> float:
    """Without those that are NaN."""
    known = [value for value in values if not isnan(value)]
    return sum(known) / len(known) if known else nan
