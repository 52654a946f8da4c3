"""How long runs have taken: from the first request that named one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from lynkr_core.errors import RateLimited
from lynkr_core.exchange import Exchange
from lynkr_core.scopes import label, session_of
from lynkr_core.stores import GuardedValues
from lynkr_policy_budget.windows import RUN_SECONDS

MAX_RUNS = 10_000


class Runs:
    """`seconds` from the first request of a run to the last one that is let through."""

    def __init__(
        self, seconds: float, store: GuardedValues, prefix: str, sessions: Sequence[bytes], clock: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._store = store
        self._prefix = prefix
        self._sessions = sessions
        self._clock = clock
        self._began: OrderedDict[str, float] = OrderedDict()

    async def over(self, exchange: Exchange) -> RateLimited | None:
        """Why this run may not go on. Raises `OSError` when the store cannot say when it began."""
        session = session_of(exchange, self._sessions)
        if session is None:
            return None
        took = self._clock() - await self._start(label("session", session))
        if took <= self._seconds:
            return None
        told = f"this run began {took:.0f} s ago and may take {self._seconds:.0f} s"
        return RateLimited(told, code="run_limit_exceeded")

    async def _start(self, run: str) -> float:
        began = self._began.get(run)
        if began is None:
            began = await self._kept(run)
            self._began[run] = began
            if len(self._began) > MAX_RUNS:
                self._began.popitem(last=False)
        return began

    async def _kept(self, run: str) -> float:
        """As the store has it. While it is down and need not be asked a run that this process does not know begins here."""
        now = self._clock()
        try:
            kept = await self._store.get(self._prefix + run)
            if not kept:
                await self._store.set(self._prefix + run, b"%f" % now, RUN_SECONDS)
        except OSError:
            if not self._store.goes_on():
                raise
            return now
        return float(kept) if kept else now
