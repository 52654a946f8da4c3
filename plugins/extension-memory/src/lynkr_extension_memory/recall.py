"""Which memories a question is about: words in common, weighed as BM25 does, then by their worth and age. Exact and without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log

from lynkr_extension_memory.rows import Row
from lynkr_extension_memory.words import asked

K, B = 1.2, 0.75
HALF_LIFE = 30 * 86_400.0
"""Seconds after which a memory's age counts half."""
STANDING = 0.9
"""Weight from which on a memory is told at the first turn of every conversation, whatever that is about."""
NEAR = 0.3
"""Share of the best score that the others must have."""
WORTH, AGE = 0.5, 0.3
"""How much of a score a memory's worth and its age can take away."""


def weight(row: Row) -> float:
    """What was said again counts more."""
    return min(row.weight + 0.05 * (row.said - 1), 1.0)


def rank(query: str, rows: Sequence[Row], now: float, most: int, standing: bool) -> list[Row]:
    """The best first, at most so many. With `standing` those come before that always count."""
    found = scores(asked(query), rows, now)
    first = [row for row in rows if row.weight >= STANDING and row.kind in ("name", "preference")] if standing else []
    first.sort(key=lambda row: (-weight(row), -row.at, row.id))
    least = NEAR * max(found.values(), default=0.0)
    best = [row for row in rows if found.get(row.id, 0.0) > least and row not in first]
    best.sort(key=lambda row: (-found[row.id], row.id))
    return (first[: most // 2] + best)[:most]


def scores(query: set[str], rows: Sequence[Row], now: float) -> dict[str, float]:
    """By id, of those that have a word in common with the query."""
    common = {row.id: query.intersection(row.words) for row in rows}
    spread = Counter(word for shared in common.values() for word in shared)
    if not spread:
        return {}
    mean = sum([len(row.words) for row in rows]) / len(rows)
    rarity = {word: log(1 + (len(rows) - count + 0.5) / (count + 0.5)) for word, count in spread.items()}
    found: dict[str, float] = {}
    for row in rows:
        if common[row.id]:
            length = K * (1 - B + B * len(row.words) / mean)
            counts = [(rarity[word], row.words.count(word)) for word in sorted(common[row.id])]
            score = sum([rare * count * (K + 1) / (count + length) for rare, count in counts])
            fresh = 0.5 ** (max(now - row.at, 0.0) / HALF_LIFE)
            found[row.id] = score * (1 - WORTH + WORTH * weight(row)) * (1 - AGE + AGE * fresh)
    return found
