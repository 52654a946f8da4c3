"""A scorer with four tiers, and exchanges that came to an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Principal
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_scorer_learned import Learned, plugin

SERVED = factories.candidates()


def exchange_of(text: str, principal: str = "ann") -> Exchange:
    made = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": text}]}, served=SERVED)
    made.principal = Principal(id=principal)
    return made


def failed(candidate: Candidate, kind: Any) -> Attempt:
    made = Attempt(candidate)
    made.error = UpstreamError(kind, "no good")
    return made


@pytest.fixture
def learned() -> Callable[..., Learned]:
    def make(stores: Stores | None = None, **table: Any) -> Learned:
        return factories.build(
            plugin, table, factories.context("learned", "scorer", tiers=factories.tiers(SERVED), stores=stores)
        )

    return make


@pytest.fixture
def happen() -> Callable[..., Exchange]:
    """Lets an ask be scored and answered by the candidate of a tier; `refused`: how many cheaper ones were refused by a check."""

    def run(
        scorer: Learned, text: str, tier: int = 0, *, refused: tuple[int, ...] = (), kind: Any = "rejected", **who: Any
    ) -> Exchange:
        exchange = exchange_of(text, **who)
        scorer.score(exchange)
        outcome: Outcome = factories.outcome(chosen=SERVED[tier])
        tried = tuple([failed(SERVED[place], kind) for place in refused])
        scorer.post_response(exchange, structs.replace(outcome, attempts=(*tried, *outcome.attempts)))
        return exchange

    return run


@pytest.fixture
def ask_of() -> Callable[..., Exchange]:
    return exchange_of
