"""One limit in one unit, and what is said when it is reached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from lynkr_core.errors import PluginError, RateLimited
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context
from lynkr_core.pricing import NANO, nano_dollars
from lynkr_core.scopes import Scope, label
from lynkr_core.stores import Balance
from lynkr_policy_budget.bounds import Unit
from lynkr_policy_budget.config import Config, zone
from lynkr_policy_budget.windows import Window, Windows

SIGNS = frozenset("*?[")
"""In a pattern; no name of a counter has them otherwise."""
SOON = 1.0
"""Seconds after which to come back when only attempts under way are in the way."""


class Room(Struct, frozen=True, eq=False):
    """One counter of a rule, and when its window is over, in seconds since 1970."""

    counter: str
    limit: int
    until: float
    unit: Unit
    subject: str
    rule: Rule


class Rule:
    """`limit` in whole nano-dollars, tokens or requests."""

    __slots__ = ("downgrade", "instead", "limit", "parts", "prefix", "scope", "unit", "windows")

    def __init__(self, prefix: str, scope: Scope, windows: Windows, unit: Unit, limit: int) -> None:
        self.prefix = prefix
        self.scope = scope
        self.parts = [named(part) for part in scope.text.split(" + ")]
        self.windows = windows
        self.unit: Unit = unit
        self.limit = limit
        self.downgrade = False
        self.instead = ""

    def rooms(self, exchange: Exchange, candidate: Candidate, window: Window) -> list[Room]:
        """For each subject that the rule is about here."""
        end = f"/{self.windows.per}/{window.name}/{self.unit}"
        return [
            Room(f"{self.prefix}{subject}{end}", self.limit, window.until, self.unit, subject, self)
            for subject in self.scope.subjects(exchange, candidate)
        ]

    @property
    def own(self) -> str | None:
        """The one subject it has, as its counter names it; None for one that each of many has."""
        return None if any(part.endswith(":*") for part in self.parts) else " + ".join(self.parts)

    def is_about(self, subject: str) -> bool:
        """Whether one of its counters is named so: `team:*` has each team's, a pattern one of its own name."""
        parts = subject.split(" + ")
        return len(parts) == len(self.parts) and all(
            each == own or (own.endswith(":*") and each.startswith(own[:-1]) and SIGNS.isdisjoint(each))
            for own, each in zip(self.parts, parts, strict=True)
        )

    @property
    def code(self) -> str:
        return "run_limit_exceeded" if self.windows.per == "run" else "budget_exceeded"


def named(part: str) -> str:
    """As counters name it: a pattern as it was written, anything else as `label` has it."""
    kind, _, value = part.partition(":")
    return label(kind, value) if value and SIGNS.isdisjoint(value) else part


def rules_of(config: Config, context: Context, prefix: str, sessions: Sequence[bytes]) -> list[Rule]:
    """Raises `PluginError`."""
    made: list[Rule] = []
    for place, limit in enumerate(config.limit):
        apart = limit.timezone is not None and limit.timezone != config.timezone
        windows = Windows(limit.per, zone(limit.timezone or config.timezone), limit.timezone if apart and limit.timezone else "")
        try:
            scope = Scope(limit.scope, context.tiers, sessions)
        except ValueError as error:
            raise PluginError(f"$.limit[{place}].scope: {error}") from None
        for rule in by_unit(prefix, scope, windows, (("usd", limit.usd), ("tokens", limit.tokens), ("requests", limit.requests))):
            rule.downgrade, rule.instead = limit.on_limit == "downgrade", limit.downgrade_to or ""
            made.append(rule)
    run = config.run
    each, windows = Scope("session:*", context.tiers, sessions), Windows("run", zone(config.timezone))
    return [*made, *by_unit(prefix, each, windows, (("usd", run.usd), ("tokens", run.tokens), ("requests", run.calls)))]


def by_unit(prefix: str, scope: Scope, windows: Windows, limits: Iterable[tuple[Unit, float | None]]) -> list[Rule]:
    made: list[Rule] = []
    for unit, limit in limits:
        if limit is not None:
            made.append(Rule(prefix, scope, windows, unit, nano_dollars(limit) if unit == "usd" else int(limit)))
    return made


def shown(amount: int, unit: Unit) -> str:
    """`$1.50`, `1200 tokens`; small sums to the last digit that is not nought."""
    if unit != "usd":
        return f"{amount} {unit}"
    text = f"{amount / NANO:.9f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:<02}".replace(" ", "0")


def moment(until: float) -> str:
    """`2026-11-22T00:00:00Z`, or `never`."""
    return "never" if until == math.inf else datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(room: Room, amount: int, balance: Balance, now: float) -> RateLimited:
    """The answer to the caller: which limit, what is used of it, and when there is room again for so much."""
    rule = room.rule
    per = "in all" if rule.windows.per == "total" else f"per {rule.windows.per}"
    limit, used = shown(room.limit, rule.unit), shown(balance.used, rule.unit)
    told = f"the budget of {room.subject}, {limit} {per}, has {used} used"
    if balance.held:
        told += f" and {shown(balance.held, rule.unit)} held by requests under way"
    fits = balance.used + amount <= room.limit
    wait = None if room.until == math.inf or rule.windows.per == "run" else float(math.ceil(room.until - now))
    told += f"; this request may take {shown(amount, rule.unit)}"
    told += "" if fits else f"; it begins anew: {moment(room.until)}"
    return RateLimited(told, code=rule.code, retry_after=SOON if fits else wait)
