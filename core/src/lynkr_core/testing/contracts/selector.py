"""What every selector must keep to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lynkr_core.exchange import Candidate, Exchange, Score, Selection
from lynkr_core.plugins import Context
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call, hooks_of
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.scorer import snapshot

VALUES = (None, 0.0, 25.0, 26.0, 60.0, 100.0)


class SelectorContract(Contract):
    """`deterministic = False` for one that shares load by chance or in turn; `hook = "revise_selection"` for one that only revises."""

    kind = "selector"
    hook = "select_provider"
    dialect: ClassVar[str] = "openai.chat"
    deterministic: ClassVar[bool] = True

    def candidates(self) -> tuple[Candidate, ...]:
        """Those to choose from; for selectors that look for certain names."""
        if not hasattr(self, "_candidates"):
            self._candidates = factories.candidates()
        return self._candidates

    def make_context(self) -> Context:
        return factories.context("contract", self.kind, tiers=factories.tiers(self.candidates()))

    @pytest.fixture
    async def selector(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    def exchange(self, body: dict[str, Any], value: float | None, candidates: tuple[Candidate, ...]) -> Exchange:
        """As it stands after scoring: `auto` was asked for, `value` is the score."""
        made = factories.exchange(body, dialect=self.dialect, served=candidates)
        made.score = value
        made.scores = () if value is None else (Score(value=value, plugin="scorer.contract"),)
        return made

    def exchanges(self) -> Iterable[tuple[str, Exchange]]:
        for name, body in samples.requests(self.dialect).items():
            for value in VALUES:
                yield f"{name} with score {value}", self.exchange(body, value, self.candidates())

    @pytest.mark.anyio
    async def test_a_selection_orders_what_it_was_given(self, selector: Any) -> None:
        for name, exchange in self.exchanges():
            check_selection(name, await select(selector, exchange), exchange.candidates)

    @pytest.mark.anyio
    async def test_explicit_routes_are_left_alone_or_ordered(self, selector: Any) -> None:
        for route in ("exact", "alias", "tier"):
            exchange = self.exchange(samples.request(self.dialect, "hi"), 10.0, self.candidates()[-1:])
            exchange.route = route
            exchange.tier = "reasoning" if route == "tier" else None
            selection = await select(selector, exchange)
            check_selection(route, selection, exchange.candidates)
            assert selection is None or selection.order == exchange.candidates, f"{route}: what the caller named was left out"

    @pytest.mark.anyio
    async def test_no_candidates_are_no_reason_to_fail(self, selector: Any) -> None:
        exchange = self.exchange(samples.request(self.dialect, "hi"), 10.0, ())
        selection = await select(selector, exchange)
        assert selection is None or selection.order == ()

    @pytest.mark.anyio
    async def test_a_single_candidate_is_kept_or_removed_with_a_reason(self, selector: Any) -> None:
        for candidate in self.candidates():
            exchange = self.exchange(samples.request(self.dialect, "hi"), 10.0, (candidate,))
            check_selection(candidate.id, await select(selector, exchange), (candidate,))

    @pytest.mark.anyio
    async def test_equal_input_gives_an_equal_selection(self, selector: Any) -> None:
        if not self.deterministic:
            pytest.skip("this selector shares load by chance or in turn")
        for (name, first), (_, second) in zip(self.exchanges(), self.exchanges(), strict=True):
            assert await select(selector, first) == await select(selector, second), name

    @pytest.mark.anyio
    async def test_the_exchange_stays_as_it_was(self, selector: Any) -> None:
        for name, exchange in self.exchanges():
            before = snapshot(exchange)
            await select(selector, exchange)
            after = snapshot(exchange)
            assert {key for key in before if before[key] != after[key]} == set(), f"{name}: the selector changed these"


async def select(selector: Any, exchange: Exchange) -> Selection | None:
    if "select_provider" in hooks_of(selector):
        answer = await call(selector, "select_provider", exchange, exchange.candidates, exchange.scores)
    else:
        answer = await call(selector, "revise_selection", exchange, Selection(order=exchange.candidates, reason="as configured"))
    assert answer is None or isinstance(answer, Selection), f"{answer!r} is no Selection"
    return answer


def check_selection(name: str, selection: Selection | None, given: tuple[Candidate, ...]) -> None:
    """The order has given candidates only, each once, and what is left out has a reason."""
    if selection is None:
        return
    order = [candidate.id for candidate in selection.order]
    assert all(any(candidate is known for known in given) for candidate in selection.order), f"{name}: {order} has others"
    assert len(set(order)) == len(order), f"{name}: {order} has one twice"
    assert all(removal.reason.strip() for removal in selection.removed), f"{name}: something was removed without a reason"
    removed = {removal.candidate for removal in selection.removed}
    assert removed.isdisjoint(order), f"{name}: {removed & set(order)} both removed and ordered"
    ids = {candidate.id for candidate in given}
    assert removed <= ids, f"{name}: {removed - ids} removed, but never given"
    assert ids == removed | set(order), f"{name}: {ids - removed - set(order)} left out without a reason in `removed`"
