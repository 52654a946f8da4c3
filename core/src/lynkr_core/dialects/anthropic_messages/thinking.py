"""Thinking as another dialect asks for it, in the terms of the Messages API.

From Anthropic's SDK and guide to extended thinking: a budget is at least 1,024 tokens and under `max_tokens`; with thinking on
there is no temperature, no `top_k`, no forced tool and no prefill, and a tool loop must begin with signed thinking.
"""

from __future__ import annotations

from typing import Any

from lynkr_core.dialect import Fields
from lynkr_core.dialects.anthropic_messages.turns import Turn, in_tool_loop
from lynkr_core.dialects.losses import note
from lynkr_core.request import Reasoning, ReasoningOptions

DEFAULT_MAX_TOKENS = 8192
"""`max_tokens` is required here; this is sent when the caller set no limit."""
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
"""Thinking tokens for an effort."""
MIN_BUDGET = 1024
MIN_TOP_P = 0.95


def set_thinking(fields: Fields, options: ReasoningOptions | None, limited: bool, turns: list[Turn], losses: list[str]) -> None:
    """Adds `thinking`; `limited`: the caller chose `max_tokens`, so it stays."""
    wanted = _wanted(options)
    if wanted is None:
        return
    if wanted["type"] == "enabled":
        reason = _obstacle(turns) or _fit(fields, wanted, limited, losses)
        if reason is not None:
            note(losses, f"reasoning: off, because {reason}")
            wanted = {"type": "disabled"}
    fields["thinking"] = wanted
    if wanted["type"] != "disabled":
        _drop_sampling(fields, losses)


def _wanted(options: ReasoningOptions | None) -> dict[str, Any] | None:
    if options is None:
        return None
    if options.mode == "off" or options.effort == "none" or options.budget == 0:
        return {"type": "disabled"}
    shown: dict[str, Any] = {"display": "summarized"} if options.summary else {}
    shown = {"display": options.display} if options.display else shown
    if options.mode == "adaptive":
        return {"type": "adaptive"} | shown
    if options.budget is None and options.effort is None and options.mode is None:
        return None
    budget = options.budget or BUDGETS.get(options.effort or "medium", BUDGETS["medium"])
    return {"type": "enabled", "budget_tokens": max(budget, MIN_BUDGET)} | shown


def _obstacle(turns: list[Turn]) -> str | None:
    """Why this conversation does not allow a thinking budget."""
    if turns and turns[-1].role == "assistant":
        return "the last message is the assistant's"
    loop = in_tool_loop(turns)
    if loop is not None and not isinstance(loop.parts[0], Reasoning):
        return "the tool loop under way did not begin with this vendor's thinking"
    return None


def _fit(fields: Fields, wanted: dict[str, Any], limited: bool, losses: list[str]) -> str | None:
    """Makes the budget and `max_tokens` agree; the reason when they cannot."""
    budget, limit = wanted["budget_tokens"], fields["max_tokens"]
    if not limited:
        fields["max_tokens"] = limit + budget
        return None
    room = limit - MIN_BUDGET
    if budget < limit and budget <= max(room, MIN_BUDGET):
        return None
    if room < MIN_BUDGET:
        return f"max_tokens {limit} leaves no room for it"
    wanted["budget_tokens"] = room
    note(losses, f"reasoning: the budget of {budget} tokens was lowered to {room} to fit max_tokens")
    return None


def _drop_sampling(fields: Fields, losses: list[str]) -> None:
    for key, harmless in (("temperature", 1), ("top_k", None)):
        if fields.pop(key, harmless) != harmless:
            note(losses, f"{key}: not allowed with thinking")
    if fields.get("top_p", 1) < MIN_TOP_P:
        del fields["top_p"]
        note(losses, f"top_p: under {MIN_TOP_P} it is not allowed with thinking")
    choice = fields.get("tool_choice")
    if choice is not None and choice["type"] in ("any", "tool"):
        fields["tool_choice"] = {key: value for key, value in choice.items() if key != "name"} | {"type": "auto"}
        note(losses, "tool_choice: a forced tool is not allowed with thinking, the model may choose")
