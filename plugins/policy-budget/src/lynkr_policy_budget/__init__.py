"""Budgets that cannot be overspent: the worst case of each attempt is set aside before it, its true cost is booked after it."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from lynkr_core.exchange import Candidate, Exchange, Reject, Reservation
from lynkr_core.plugins import Context, Plugin
from lynkr_core.stores import Hold, NotNow
from lynkr_policy_budget.budget import Budget, Wanted, unavailable
from lynkr_policy_budget.config import Config, Limit, Run
from lynkr_policy_budget.runs import Runs

__all__ = ["Budget", "Config", "Limit", "Run", "plugin"]


class WaitingBudget(Budget):
    """With a ledger that has to be waited for, where what this process was given of it is not enough."""

    def reserve(
        self, exchange: Exchange, candidate: Candidate
    ) -> Reservation | Reject | Coroutine[Any, Any, Reservation | Reject | None] | None:
        if self.runs is not None:
            return self._of_run(exchange, candidate, self.runs)
        return self._try(exchange, candidate)

    def _try(
        self, exchange: Exchange, candidate: Candidate
    ) -> Reservation | Reject | Coroutine[Any, Any, Reservation | Reject | None] | None:
        wanted = self.wanted(exchange, candidate)
        if not isinstance(wanted, Wanted):
            return wanted
        holds = [room.hold for room in wanted.rooms.values()]
        full = self.books.try_hold(wanted.id, holds, wanted.lease)
        return self._wait(exchange, wanted, holds) if isinstance(full, NotNow) else self.answer(exchange, wanted, full)

    async def _wait(self, exchange: Exchange, wanted: Wanted, holds: Sequence[Hold]) -> Reservation | Reject:
        try:
            full = await self.books.hold(wanted.id, holds, wanted.lease)
        except OSError:
            return self.refused(unavailable())
        return self.answer(exchange, wanted, full)

    async def _of_run(self, exchange: Exchange, candidate: Candidate, runs: Runs) -> Reservation | Reject | None:
        try:
            over = await runs.over(exchange)
        except OSError:
            return self.refused(unavailable())
        if over is not None:
            return self.refused(over)
        told = self._try(exchange, candidate)
        return await told if isinstance(told, Coroutine) else told


class QuickBudget(Budget):
    """With a ledger in this process's memory: nothing is waited for."""

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation | Reject | None:
        wanted = self.wanted(exchange, candidate)
        if not isinstance(wanted, Wanted):
            return wanted
        full = self.books.try_hold(wanted.id, [room.hold for room in wanted.rooms.values()], wanted.lease)
        assert not isinstance(full, NotNow)
        return self.answer(exchange, wanted, full)


def create(config: Config, context: Context) -> Budget:
    quick = QuickBudget(config, context)
    return quick if quick.books.now is not None and quick.runs is None else WaitingBudget(config, context)


plugin = Plugin(api=1, config=Config, create=create)
