"""From log odds to 0..100, so that 25, 50 and 75 are the rubric's bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

SOFT = 3.0
"""Log odds at which the open ends, below medium and above reasoning, are half used."""
BAND, MARGIN = 24.0, 0.6
"""Points of a tier, and what keeps its ends from the next one's when somebody rounds."""


STEEPEST = 4.0


def lift_for(lift: tuple[float, float, float, float], is_choice: bool) -> tuple[float, float, float]:
    """The lift that `score` takes, of the stored four: an exam's question, with answers to choose from, asks for little that the rubric
    knows of, so what weak models fail counts for more there.
    """
    usual, within, highest, chosen = lift
    return (chosen, within, chosen) if is_choice else (usual, within, highest)


def score(heads: Sequence[float], bounds: tuple[float, float, float], lift: tuple[float, float, float]) -> float:
    """`heads`: log odds of at least medium, complex and reasoning, and how much more often than usual weak models fail (-1 to 1).

    The tier is the highest whose bound, and every lower one, is passed. Within it the distances from the two bounds decide, and what
    weak models fail. `lift`: log odds for a unit of that, to pass the two lower bounds, within a tier, and to pass the highest.
    """
    lifted = lift[0] * heads[3]
    steep = -lift[1] * heads[3]
    within = exp(-STEEPEST if steep < -STEEPEST else STEEPEST if steep > STEEPEST else steep)
    low = heads[0] + lifted - bounds[0]
    if low <= 0:
        return MARGIN + BAND * SOFT / (SOFT - low * within)
    middle = min(low, heads[1] + lifted - bounds[1])
    if middle <= 0:
        return 25 + MARGIN + BAND * low / (low - middle * within)
    high = min(middle, heads[2] + lift[2] * heads[3] - bounds[2])
    if high <= 0:
        return 50 + MARGIN + BAND * middle / (middle - high * within)
    return 75 + MARGIN + BAND * high / (high + SOFT * within)
