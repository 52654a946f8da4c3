"""Budgets that cannot be overspent: the worst case of each attempt is set aside before it, its true cost is booked after it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from lynkr_core.exchange import Candidate, Exchange, Reject, Reservation
from lynkr_core.plugins import Context, Plugin
from lynkr_core.stores import NOT_NOW
from lynkr_policy_budget.budget import Budget, Wanted, unavailable
from lynkr_policy_budget.config import Config, Limit, Run

__all__ = ["Budget", "Config", "Limit", "Run", "plugin"]


class WaitingBudget(Budget):
    """With a ledger that has to be waited for, where what this process was given of it is not enough."""

    def reserve(
        self, exchange: Exchange, candidate: Candidate
    ) -> Reservation | Reject | Coroutine[Any, Any, Reservation | Reject | None] | None:
        wanted = self.wanted(exchange, candidate)
        if not isinstance(wanted, Wanted):
            return wanted
        full = self.books.try_hold(wanted.id, wanted.holds, wanted.lease)
        return self._wait(exchange, wanted) if full is NOT_NOW else self.answer(exchange, wanted, full)

    async def _wait(self, exchange: Exchange, wanted: Wanted) -> Reservation | Reject:
        try:
            full = await self.books.shares.hold(wanted.id, wanted.holds, wanted.lease)
        except OSError:
            return self.refused(unavailable())
        return self.answer(exchange, wanted, full)


class TimedBudget(WaitingBudget):
    """With a limit on how long runs take, which the store has to be asked about."""

    async def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation | Reject | None:
        assert self.runs is not None
        try:
            over = await self.runs.over(exchange)
        except OSError:
            return self.refused(unavailable())
        if over is not None:
            return self.refused(over)
        told = super().reserve(exchange, candidate)
        return await told if isinstance(told, Coroutine) else told


class QuickBudget(Budget):
    """With a ledger in this process's memory: nothing is waited for."""

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation | Reject | None:
        wanted = self.wanted(exchange, candidate)
        if not isinstance(wanted, Wanted):
            return wanted
        full = self.books.try_hold(wanted.id, wanted.holds, wanted.lease)
        assert full is not NOT_NOW
        return self.answer(exchange, wanted, full)


def create(config: Config, context: Context) -> Budget:
    if config.run.seconds:
        return TimedBudget(config, context)
    quick = QuickBudget(config, context)
    return quick if quick.books.now is not None else WaitingBudget(config, context)


plugin = Plugin(api=1, config=Config, create=create)
