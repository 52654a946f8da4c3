"""The limits of the settings, as buckets and holds of the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.errors import RateLimited
from lynkr_core.exchange import Candidate, Exchange, Principal
from lynkr_core.scopes import Scope
from lynkr_core.stores import Bucket, Hold
from lynkr_core.stores.recent import Recent

PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
MAX_KEPT = 8192
"""Callers and candidates whose demands are kept."""
Count = Annotated[int, Meta(gt=0)]


class Limit(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[[policy.ratelimit.limit]]`"""

    scope: Annotated[str, Meta(description="Whom it is about: `everyone`, `key:*`, `team:research + model:vendor/*`.")] = (
        "everyone"
    )
    per: Annotated[Literal["second", "minute", "hour", "day"], Meta(description="The time that the limits refill in.")] = "minute"
    requests: Annotated[Count | None, Meta(description="Requests.")] = None
    burst: Annotated[Count | None, Meta(description="Requests at once, when not all of them.")] = None
    tokens: Annotated[Count | None, Meta(description="Tokens, in and out.")] = None
    concurrent: Annotated[Count | None, Meta(description="Requests at once, streams until their end.")] = None

    def __post_init__(self) -> None:
        if self.requests is None and self.tokens is None and self.concurrent is None:
            raise ValueError("a limit needs requests, tokens or concurrent")
        if self.burst is not None and (self.requests is None or self.burst > self.requests):
            raise ValueError("burst is a part of requests")


class Rule(Struct, frozen=True):
    """One limit. Its names in the store begin with `prefix`."""

    limit: Limit
    scope: Scope
    prefix: str


class Demand(Struct, frozen=True):
    """What one attempt takes, each name once. `tokens`: buckets of tokens, as if all of each were wanted; `once`: names of those of the
    other `buckets` that all attempts of an exchange take from together.
    """

    buckets: tuple[Bucket, ...]
    tokens: tuple[Bucket, ...]
    holds: tuple[Hold, ...]
    once: frozenset[str]


class Demands:
    """What depends on the caller and the candidate alone is kept for those that come again; sessions are asked each time."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self._lasting = [rule for rule in rules if not rule.scope.of_session]
        self._own = [rule for rule in rules if rule.scope.of_session]
        self._kept: Recent[tuple[Principal, Candidate, bool], Demand] = Recent(MAX_KEPT)

    def of(self, exchange: Exchange, candidate: Candidate, theirs: bool) -> Demand:
        """`theirs`: the caller pays its provider, so no limit of a model or provider applies: those are of the operator's credentials."""
        key = (exchange.principal, candidate, theirs)
        kept = self._kept.get(key)
        if kept is None:
            kept = made(self._lasting, exchange, candidate, theirs)
            self._kept.set(key, kept)
        if not self._own:
            return kept
        own = made(self._own, exchange, candidate, theirs)
        return Demand(kept.buckets + own.buckets, kept.tokens + own.tokens, kept.holds + own.holds, kept.once | own.once)


def made(rules: Iterable[Rule], exchange: Exchange, candidate: Candidate, theirs: bool) -> Demand:
    buckets: dict[str, Bucket] = {}
    tokens: dict[str, Bucket] = {}
    holds: dict[str, Hold] = {}
    once: set[str] = set()
    for rule in rules:
        limit, period = rule.limit, PERIODS[rule.limit.per]
        for subject in rule.scope.subjects(exchange, candidate) if rule.scope.of_caller or not theirs else ():
            start = f"{rule.prefix}{subject}/{limit.per}/"
            if limit.requests is not None:
                most = limit.burst or limit.requests
                name = f"{start}requests/{most}"
                buckets[name] = Bucket(name, 1, most, period * most / limit.requests)
                once |= {name} if rule.scope.of_caller else set()
            if limit.tokens is not None:
                name = f"{start}tokens/{limit.tokens}"
                tokens[name] = Bucket(name, limit.tokens, limit.tokens, period)
            if limit.concurrent is not None:
                name = f"{start}concurrent/{limit.concurrent}"
                holds[name] = Hold(name, 1, limit.concurrent, math.inf)
    return Demand(tuple(buckets.values()), tuple(tokens.values()), tuple(holds.values()), frozenset(once))


def refusal(name: str, prefix: str, wait: float) -> RateLimited:
    """`name` of the bucket or counter that is full, and the seconds until it is not."""
    subject, per, kind, most = name.removeprefix(prefix).rsplit("/", 3)
    what = f"{most} concurrent requests" if kind == "concurrent" else f"{most} {kind} per {per}"
    told = f"{subject} has reached its limit of {what}; try again in {wait:.3f} s"
    return RateLimited(told, code="rate_limit_exceeded", retry_after=float(math.ceil(wait)))
