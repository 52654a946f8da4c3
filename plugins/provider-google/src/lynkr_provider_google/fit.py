"""What depends on the model: call ids, signatures of calls that Gemini did not make, and how thinking is asked for.

A request that came in Gemini's own dialect is left as it came: its caller knows the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from lynkr_core.dialect import Fields
from lynkr_provider_google.dialect.options import CONFIG
from lynkr_provider_google.dialect.signatures import SKIP
from lynkr_provider_google.dialect.wire import Wire, note

OLDER = ("gemini-1", "gemini-2")
"""Beginnings of the names of models that refuse ids of calls, and think by budgets instead of levels."""
BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
"""Thinking tokens for a level, for models that only know budgets."""
MAX_BUDGET = 24576


def fit(fields: Fields, model: str, older: Sequence[str], losses: list[str]) -> bool:
    """Fits a translated request to its model, in place. True when something was changed."""
    is_older = model.rpartition("/")[2].startswith(tuple(older))
    contents = fields.get("contents")
    changed = False
    if isinstance(contents, list):
        for content in cast("list[Any]", contents):
            if isinstance(content, dict):
                parts = cast("Wire", content)["parts"]
                changed |= _without_ids(parts) if is_older else _signed(parts)
    config = fields.get(CONFIG)
    if isinstance(config, dict) and "thinkingConfig" in config:
        thinking = cast("Wire", config)["thinkingConfig"]
        if isinstance(thinking, dict):
            changed |= _fit_thinking(cast("Wire", thinking), is_older, losses)
    return changed


def _without_ids(parts: list[Any]) -> bool:
    changed = False
    for part in parts:
        for key in ("functionCall", "functionResponse"):
            if isinstance(part, dict) and key in part:
                changed |= cast("Wire", part)[key].pop("id", None) is not None
    return changed


def _signed(parts: list[Any]) -> bool:
    """The first call of a turn must be signed; one of another vendor, or whose signature was lost, gets Google's stand-in."""
    call = next((cast("Wire", part) for part in parts if isinstance(part, dict) and "functionCall" in part), None)
    if call is None or "thoughtSignature" in call:
        return False
    call["thoughtSignature"] = SKIP
    return True


def _fit_thinking(thinking: Wire, is_older: bool, losses: list[str]) -> bool:
    budget = thinking.get("thinkingBudget", 0)
    if budget > MAX_BUDGET:
        note(losses, f"reasoning: the budget of {budget} tokens was lowered to {MAX_BUDGET}, the most that every model takes")
        thinking["thinkingBudget"] = MAX_BUDGET
        return True
    if is_older and "thinkingLevel" in thinking:
        thinking["thinkingBudget"] = BUDGETS[thinking.pop("thinkingLevel")]
        return True
    if not is_older and thinking.get("thinkingBudget") == 0:
        del thinking["thinkingBudget"]
        thinking["thinkingLevel"] = "minimal"
        note(losses, "reasoning: it cannot be switched off for this model, the least there is was asked for")
        return True
    return False
