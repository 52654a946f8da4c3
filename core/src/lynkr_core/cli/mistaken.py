"""The rows of a data set that scores route worst, for whoever writes a scorer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr_core.cli import metrics
from lynkr_core.cli.dataset import Dataset, Row
from lynkr_core.cli.metrics import BOUNDS, TIERS, tier
from lynkr_core.cli.scoring import Scored

MIDDLE = BOUNDS[1]
STEP = 25.0
"""Points that a tier is wide."""
CLEAR = 0.5
"""What a strong model must be better by for a request to be clearly one for it."""
SHOWN = 100


def mistaken(data: Dataset, found: Scored, count: int) -> list[dict[str, Any]]:
    """The `count` worst, the worst first: below or above all that is right, by how many tiers."""
    rows = {row.id: row for row in data.rows}
    ranked = sorted(faults(data, found), key=lambda fault: (-fault[0], fault[1]))[:count]
    return [
        {
            "id": id, "score": found.together.get(id, 0.0), "wrong": wrong, "why": why, "reason": found.reasons.get(id, "no score"),
            "text": rows[id].text[:SHOWN],
        }
        for _, id, wrong, why in ranked
    ]  # fmt: skip


def faults(data: Dataset, found: Scored) -> Iterator[tuple[float, str, str, str]]:
    """By how many tiers, which row, `under` or `over`, and why that is wrong."""
    for row in data.rows:
        score = found.together.get(row.id, 0.0)
        if row.right:
            yield from by_tier(row, score)
        elif row.scores:
            yield from by_outcome(row, score, data.pairs.get(row.source, ()))


def by_tier(row: Row, score: float) -> Iterator[tuple[float, str, str, str]]:
    given, right = tier(score), row.right
    off = min(right) - given if given < min(right) else max(right) - given if given > max(right) else 0
    if off:
        names = " or ".join(TIERS[index] for index in sorted(right))
        yield abs(off), row.id, "under" if off > 0 else "over", f"right is {names}"


def by_outcome(row: Row, score: float, pairs: Any) -> Iterator[tuple[float, str, str, str]]:
    gained = [row.scores[strong] - row.scores[weak] for weak, strong in pairs if weak in row.scores and strong in row.scores]
    gain = metrics.mean(gained) if gained else 0.0
    if gain >= CLEAR and score <= MIDDLE:
        yield (MIDDLE - score) / STEP, row.id, "under", f"the stronger models gain {gain:.2f}"
    elif gained and gain <= 0 and score > MIDDLE:
        yield (score - MIDDLE) / STEP, row.id, "over", "the stronger models gain nothing"
