"""The limits of the settings, as buckets and holds of the ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from lynkr_core.errors import RateLimited
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.scopes import Scope
from lynkr_core.stores import Bucket, Hold

PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
MAX_KEPT = 8192
"""Subjects of one limit whose wants are kept."""
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


class Want(NamedTuple):
    """What one attempt takes of one limit. `once`: by all attempts of an exchange together."""

    bucket: Bucket | None
    hold: Hold | None
    tokens: bool
    once: bool


class Rule:
    """One limit. Its names in the store begin with `prefix`."""

    def __init__(self, limit: Limit, scope: Scope, prefix: str) -> None:
        self.limit = limit
        self.scope = scope
        self._prefix = prefix
        self._period = PERIODS[limit.per]
        self._same: dict[str, tuple[Want, ...]] = {}

    def wants(self, exchange: Exchange, candidate: Candidate, tokens: int) -> Sequence[Want]:
        limit, subjects = self.limit, self.scope.subjects(exchange, candidate)
        if limit.tokens is None and len(subjects) == 1:
            return self._same.get(subjects[0]) or self._made(subjects[0])
        wants: list[Want] = []
        for subject in subjects:
            wants += self._same.get(subject) or self._made(subject)
            if limit.tokens is not None:  # one that asks for more than there ever is gets in when all of it is there
                name = f"{self._prefix}{subject}/{limit.per}/tokens/{limit.tokens}"
                wants.append(Want(Bucket(name, min(tokens, limit.tokens), limit.tokens, self._period), None, True, False))
        return wants

    def _made(self, subject: str) -> tuple[Want, ...]:
        """What every attempt of this subject takes alike; kept for those that come after it."""
        limit, name = self.limit, f"{self._prefix}{subject}/{self.limit.per}/"
        wants: list[Want] = []
        if limit.requests is not None:
            most = limit.burst or limit.requests
            bucket = Bucket(f"{name}requests/{most}", 1, most, self._period * most / limit.requests)
            wants.append(Want(bucket, None, False, self.scope.of_caller))
        if limit.concurrent is not None:
            wants.append(Want(None, Hold(f"{name}concurrent/{limit.concurrent}", 1, limit.concurrent, math.inf), False, False))
        if len(self._same) >= MAX_KEPT:
            self._same.clear()
        self._same[subject] = made = tuple(wants)
        return made


def refusal(name: str, prefix: str, wait: float) -> RateLimited:
    """`name` of the bucket or counter that is full, and the seconds until it is not."""
    subject, per, kind, most = name.removeprefix(prefix).rsplit("/", 3)
    what = f"{most} concurrent requests" if kind == "concurrent" else f"{most} {kind} per {per}"
    told = f"{subject} has reached its limit of {what}; try again in {wait:.3f} s"
    return RateLimited(told, code="rate_limit_exceeded", retry_after=float(math.ceil(wait)))
