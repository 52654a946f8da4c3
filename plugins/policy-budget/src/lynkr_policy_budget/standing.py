"""What every limit stands at, for those who look at it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lynkr_core.pricing import NANO
from lynkr_policy_budget.rules import Rule


def standings(rules: Iterable[Rule], used: Mapping[str, int], now: float) -> Iterator[dict[str, Any]]:
    """`used` by counter. Limits on each of many (`key:*`) only for those that used something; of runs nothing is told."""
    lasting = [rule for rule in rules if rule.windows.per != "run"]
    current: dict[tuple[str, str, str], str] = {
        (rule.windows.per, rule.windows.at(now).name, rule.unit): rule.prefix for rule in lasting
    }
    known: dict[tuple[str, str, str], dict[str, int]] = {key: {} for key in current}
    for counter, amount in used.items():
        subject, per, name, unit = counter.rsplit("/", 3)
        if (per, name, unit) in known:
            known[per, name, unit][subject.removeprefix(current[per, name, unit])] = amount
    for rule in lasting:
        window = rule.windows.at(now)
        found = known[rule.windows.per, window.name, rule.unit]
        own: dict[str, int] = {} if rule.own is None else {rule.own: 0}
        for subject, amount in {**own, **found}.items():
            if rule.is_about(subject):
                yield told(rule, subject, amount, window.until)


def told(rule: Rule, subject: str, amount: int, until: float) -> dict[str, Any]:
    """`used` and `limit` in USD, tokens or requests; `until`: when it begins anew, in seconds since 1970, None for never."""
    scale = NANO if rule.unit == "usd" else 1
    ends = None if until == math.inf else until
    return {
        "subject": subject, "per": rule.windows.per, "unit": rule.unit, "used": amount / scale, "limit": rule.limit / scale,
        "until": ends,
    }  # fmt: skip
