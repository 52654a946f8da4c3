"""What an attempt takes of the limits, and what is put right after it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.sums import tokens
from lynkr_core.errors import InvalidRequest, RateLimited
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome
from lynkr_core.stores import Bucket, Hold
from lynkr_policy_ratelimit.learned import Lane

LONG = 32 * 1024
"""Bytes up to which a body's length tells enough of its tokens."""
ANSWERS = frozenset({"chat", "passthrough"})
"""Operations whose answers are written by a model."""


class Taken(Struct, eq=False):
    """What one attempt takes. `tokens`: buckets to be put right once it is known how many it were; `once`: those counted by exchange."""

    id: str
    buckets: Sequence[Bucket]
    tokens: Sequence[Bucket]
    once: frozenset[str]
    holds: Sequence[Hold]
    weight: int
    lane: Lane | None
    attempt: Attempt | None


def weigh(exchange: Exchange, candidate: Candidate, output: int) -> int:
    """Tokens that a request will take, about: it is put right afterwards."""
    asked, most = exchange.envelope.max_tokens or output, candidate.max_output
    said = 0 if exchange.operation not in ANSWERS else min(asked, most) if most else asked
    inner = exchange.inner
    said += inner.added if inner is not None else 0
    if len(exchange.body) <= LONG:
        return len(exchange.body) // 4 + said
    try:
        return tokens(exchange) + said
    except (InvalidRequest, *UNREADABLE):  # bytes that go through unread
        return len(exchange.body) // 4 + said


def corrections(taken: Taken, outcome: Outcome) -> list[Bucket]:
    """What was counted too much, or, below nought, too little. Nothing where nobody told the usage of an answer."""
    usage = outcome.usage
    if not taken.tokens or (usage is None and outcome.status in ("ok", "cut")):
        return []
    used = usage.input_tokens + usage.output_tokens if usage else 0
    return [structs.replace(bucket, amount=bucket.amount - used) for bucket in taken.tokens if bucket.amount != used]


def exhausted(candidate: Candidate, wait: float) -> RateLimited:
    told = f"{candidate.provider.name} has nothing left for {candidate.model} for another {wait:.3f} s"
    return RateLimited(told, code="rate_limit_exceeded", retry_after=max(1.0, float(-(-wait // 1))))
