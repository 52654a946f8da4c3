"""The limits of the settings, as buckets and holds of the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from lynkr_core.errors import RateLimited
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.scopes import Scope
from lynkr_core.stores import Bucket, Hold

PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
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

    def wants(self, exchange: Exchange, candidate: Candidate, tokens: int) -> Iterator[Want]:
        limit, per = self.limit, self.limit.per
        for subject in self.scope.subjects(exchange, candidate):
            name = f"{self._prefix}{subject}/{per}/"
            if limit.requests is not None:
                most = limit.burst or limit.requests
                bucket = Bucket(f"{name}requests/{most}", 1, most, self._period * most / limit.requests)
                yield Want(bucket, None, False, self.scope.of_caller)
            if limit.tokens is not None:  # one that asks for more than there ever is gets in when all of it is there
                bucket = Bucket(f"{name}tokens/{limit.tokens}", min(tokens, limit.tokens), limit.tokens, self._period)
                yield Want(bucket, None, True, False)
            if limit.concurrent is not None:
                yield Want(None, Hold(f"{name}concurrent/{limit.concurrent}", 1, limit.concurrent, math.inf), False, False)


def refusal(name: str, prefix: str, wait: float) -> RateLimited:
    """`name` of the bucket or counter that is full, and the seconds until it is not."""
    subject, per, kind, most = name.removeprefix(prefix).rsplit("/", 3)
    what = f"{most} concurrent requests" if kind == "concurrent" else f"{most} {kind} per {per}"
    told = f"{subject} has reached its limit of {what}; try again in {wait:.3f} s"
    return RateLimited(told, code="rate_limit_exceeded", retry_after=float(math.ceil(wait)))
