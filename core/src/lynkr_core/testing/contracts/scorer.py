"""What every scorer must keep to."""

from __future__ import annotations

import copy
import math
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Candidate, Exchange, Score
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call, no_io
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract

OWN = ("_slots", "parsed")
"""What a scorer may change: its typed slots, and the request that is built when first read."""


class ScorerContract(Contract):
    """`dialects`: the fronts whose requests are scored; those that are not installed make the tests fail."""

    kind = "scorer"
    hook = "score"
    dialects: ClassVar[tuple[str, ...]] = samples.DIALECTS

    @pytest.fixture
    async def scorer(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    def exchanges(self) -> Iterable[tuple[str, Exchange]]:
        """A spread of requests on every front, each newly made."""
        for dialect in self.dialects:
            for name, body in samples.requests(dialect).items():
                yield f"{name} in {dialect}", factories.exchange(body, dialect=dialect, served=factories.candidates())

    @pytest.mark.anyio
    async def test_every_score_is_a_number_from_0_to_100(self, scorer: Any) -> None:
        for name, exchange in self.exchanges():
            for score in as_scores(await call(scorer, "score", exchange, exchange.candidates)):
                check_score(name, score, exchange.candidates)

    @pytest.mark.anyio
    async def test_the_same_request_has_the_same_score(self, scorer: Any, tmp_path: Path) -> None:
        async with factories.running(self.make(tmp_path)) as other:
            for (name, first), (_, second) in zip(self.exchanges(), self.exchanges(), strict=True):
                found = as_scores(await call(scorer, "score", first, first.candidates))
                assert found == as_scores(await call(scorer, "score", first, first.candidates)), f"{name}, asked twice"
                assert found == as_scores(await call(other, "score", second, second.candidates)), f"{name}, another instance"

    @pytest.mark.anyio
    async def test_scoring_does_no_io(self, scorer: Any) -> None:
        exchanges = list(self.exchanges())
        with no_io():
            for _, exchange in exchanges:
                await call(scorer, "score", exchange, exchange.candidates)

    @pytest.mark.anyio
    async def test_the_exchange_stays_as_it_was(self, scorer: Any) -> None:
        for name, exchange in self.exchanges():
            before = snapshot(exchange)
            await call(scorer, "score", exchange, exchange.candidates)
            after = snapshot(exchange)
            assert {key for key in before if before[key] != after[key]} == set(), f"{name}: the scorer changed these"

    @pytest.mark.anyio
    async def test_no_candidates_are_no_reason_to_fail(self, scorer: Any) -> None:
        exchange = factories.exchange(samples.request(self.dialects[0], "hi"), dialect=self.dialects[0])
        as_scores(await call(scorer, "score", exchange, ()))

    @pytest.mark.anyio
    async def test_a_bad_request_raises_nothing_but_invalid_request(self, scorer: Any) -> None:
        for dialect in self.dialects:
            body = samples.bare(dialect) | {"messages": 7, "input": 7}
            try:
                exchange = factories.exchange(body, dialect=dialect, served=factories.candidates())
                await call(scorer, "score", exchange, exchange.candidates)
            except InvalidRequest:
                continue


def as_scores(answer: Any) -> list[Score]:
    """What a scorer may answer, as a list. Fails for anything else."""
    if answer is None:
        return []
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return [Score(value=answer)]
    if isinstance(answer, Score):
        return [answer]
    assert isinstance(answer, Iterable), f"{answer!r} is neither a number nor a Score"
    found = list(cast("Iterable[Any]", answer))
    assert all(isinstance(score, Score) for score in found), f"{found!r} has something else than Scores in it"
    return found


def check_score(name: str, score: Score, candidates: tuple[Candidate, ...]) -> None:
    assert math.isfinite(score.value), f"{name}: {score.value} is no number"
    assert 0 <= score.value <= 100, f"{name}: {score.value} is not from 0 to 100"
    assert math.isfinite(score.weight), f"{name}: the weight is {score.weight}"
    assert score.weight >= 0, f"{name}: the weight is {score.weight}"
    assert all(math.isfinite(value) for value in score.signals.values()), f"{name}: {score.signals}"
    assert score.candidate is None or score.candidate in {candidate.id for candidate in candidates}, name


def snapshot(exchange: Exchange) -> dict[str, Any]:
    """Everything an exchange holds but what plugins may change; lists and dictionaries as copies."""
    names = set(Exchange.__struct_fields__) - set(OWN)
    return {name: copied(getattr(exchange, name)) for name in names}


def copied(value: Any) -> Any:
    return copy.copy(value) if type(value) in (list, dict) else value
