"""Budgets that cannot be overspent: the worst case of each attempt is set aside before it, its true cost is booked after it."""

from __future__ import annotations

from collections.abc import Coroutine

from lynkr_core.exchange import Candidate, Exchange, Reject, Reservation
from lynkr_core.plugins import Context, Plugin
from lynkr_policy_budget.budget import Budget, unavailable
from lynkr_policy_budget.config import Config, Limit, Run

__all__ = ["Budget", "Config", "Limit", "Run", "plugin"]


class TimedBudget(Budget):
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


def create(config: Config, context: Context) -> Budget:
    return (TimedBudget if config.run.seconds else Budget)(config, context)


plugin = Plugin(api=1, config=Config, create=create)
