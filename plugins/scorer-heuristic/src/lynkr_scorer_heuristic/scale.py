"""From log odds to 0..100, so that 25, 50 and 75 are the rubric's bounds."""

from __future__ import annotations

from collections.abc import Sequence

SOFT = 3.0
"""Log odds at which the open ends, below medium and above reasoning, are half used."""
BAND, MARGIN = 24.0, 0.6
"""Points of a tier, and what keeps its ends from the next one's when somebody rounds."""


def score(heads: Sequence[float], bounds: tuple[float, float, float], lift: float) -> float:
    """`heads`: log odds of at least medium, complex and reasoning, and how much more often than usual weak models fail (-1 to 1).

    The tier is the highest whose bound, and every lower one, is passed. Within it the distances from the two bounds decide.
    """
    lifted = lift * heads[3]
    low = heads[0] + lifted - bounds[0]
    middle = min(low, heads[1] + lifted - bounds[1])
    high = min(middle, heads[2] + lifted - bounds[2])
    if low <= 0:
        return MARGIN + BAND * SOFT / (SOFT - low)
    if middle <= 0:
        return 25 + MARGIN + BAND * low / (low - middle)
    if high <= 0:
        return 50 + MARGIN + BAND * middle / (middle - high)
    return 75 + MARGIN + BAND * high / (high + SOFT)
