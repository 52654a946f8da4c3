"""What is done about what is found: by direction, group and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from lynkr_core.config import suggestion
from lynkr_core.errors import GatewayError, InvalidRequest, PluginError
from lynkr_policy_guardrails.rules import Ready

Action = Literal["off", "warn", "mask", "local", "block"]
Direction = Literal["requests", "tools", "answers"]
PLACES: Mapping[str, str] = {"requests": "the request", "tools": "a tool's result", "answers": "the answer"}
CODE = "guardrail_blocked"


def actions_of(direction: str, table: Mapping[str, Action], rules: Mapping[str, str]) -> dict[str, Action]:
    """By rule, those that do something; `rules` names their groups. A rule's own entry counts before its group's.

    Raises `PluginError` for a name that is neither, and for an answer that is to stay local.
    """
    known = {*rules, *rules.values()}
    for name, action in table.items():
        if name not in known:
            raise PluginError(f"$.{direction}: there is no rule or group {name!r}{suggestion(name, known)}")
        if direction == "answers" and action == "local":
            raise PluginError(f"$.answers.{name}: an answer has come from where it comes from; use off, warn, mask or block")
    found: dict[str, Action] = {rule: table.get(rule, table.get(group, "off")) for rule, group in rules.items()}
    return {rule: action for rule, action in found.items() if action != "off"}


def of_rules(ready: Sequence[Ready], actions: Mapping[str, Action]) -> list[Ready]:
    """The rules that have something to do."""
    return [one for one in ready if one.name in actions]


def blocked(rule: str, direction: str) -> GatewayError:
    """Says what was found and where, never the value."""
    what = rule.replace("_", " ")
    return InvalidRequest(f"refused: {PLACES[direction]} holds what looks like a value of the kind {what!r}", code=CODE)
