"""What scorers answer, made into scores that can be relied on, and combined into one number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

from msgspec import structs

from lynkr_core.exchange import Exchange, Score


def note(exchange: Exchange, answers: Iterable[tuple[Any, str]]) -> None:
    """Fills in the exchange's scores and its score, from each answer and the name of its plugin."""
    for answer, plugin in answers:
        found = scores_of(answer, plugin)
        exchange.scores += found
        if not found:
            exchange.skipped += (f"{plugin} gave no number in score",)
    exchange.score = combined(exchange.scores)


def scores_of(answer: Any, plugin: str) -> tuple[Score, ...]:
    """The scores in an answer, with the plugin's name, kept to 0–100. What is no score or no number is left out. Never raises."""
    try:
        if isinstance(answer, Score):
            found: Iterable[Any] = (answer,)
        else:
            found = (Score(value=float(answer)),) if isinstance(answer, (int, float)) else cast("Iterable[Any]", answer)
        return tuple([checked(score, plugin) for score in found if isinstance(score, Score) and is_number(score)])
    except Exception:  # a plugin's own types, and what it makes only while it is read
        return ()


def is_number(score: Score) -> bool:
    return math.isfinite(score.value) and math.isfinite(score.weight)


def checked(score: Score, plugin: str) -> Score:
    value = score.value
    return structs.replace(score, value=value if 0.0 <= value <= 100.0 else min(max(value, 0.0), 100.0), plugin=plugin)


def combined(scores: Sequence[Score]) -> float | None:
    """The weighted mean of the scores that speak of the whole request; None without any."""
    whole = [score for score in scores if score.candidate is None and score.weight > 0]
    if len(whole) == 1:
        return whole[0].value
    return sum(score.value * score.weight for score in whole) / sum(score.weight for score in whole) if whole else None
