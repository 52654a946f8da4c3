"""Which counters an attempt takes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lynkr_core.exchange import Candidate, Exchange, Principal
from lynkr_core.stores.recent import Recent
from lynkr_policy_budget.rules import Room, Rule

MOST = 8192
"""Callers and candidates whose plans are kept."""


class Plan(Struct, frozen=True):
    """Good from `since` until one of its windows is over, in seconds since 1970."""

    rooms: Sequence[Room]
    since: float
    until: float


class Plans:
    """What depends on the caller, the candidate and the hour alone is kept for those that come again; sessions are asked each time."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self._lasting = [rule for rule in rules if not rule.scope.of_session]
        self._own = [rule for rule in rules if rule.scope.of_session]
        self._kept: Recent[tuple[Principal, Candidate, bool], Plan] = Recent(MOST)

    def rooms(self, exchange: Exchange, candidate: Candidate, theirs: bool, now: float) -> Sequence[Room]:
        """Each counter once, with its smallest limit. `theirs`: the caller pays its provider, so no limit in dollars applies."""
        key = (exchange.principal, candidate, theirs)
        plan = self._kept.get(key)
        if plan is None or not plan.since <= now < plan.until:
            plan = made(self._lasting, exchange, candidate, theirs, now)
            self._kept.set(key, plan)
        return [*plan.rooms, *made(self._own, exchange, candidate, theirs, now).rooms] if self._own else plan.rooms


def made(rules: Iterable[Rule], exchange: Exchange, candidate: Candidate, theirs: bool, now: float) -> Plan:
    rooms: dict[str, Room] = {}
    since, until = -math.inf, math.inf
    for rule in rules:
        if theirs and rule.unit == "usd":
            continue
        window = rule.windows.at(now)
        since, until = max(since, window.since), min(until, window.until)
        for room in rule.rooms(exchange, candidate, window):
            same = rooms.get(room.counter)
            if same is None or room.limit < same.limit:
                rooms[room.counter] = room
    return Plan(tuple(rooms.values()), since, until)
