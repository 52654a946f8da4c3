"""A second candidate for a first one that stays silent: whoever answers first is heard, the other is ended and settled."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

from lynkr_core.cards import Price
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Attempt, Candidate, Exchange

if TYPE_CHECKING:
    from lynkr_core.attempts import Answer

REMEMBERED = 128
"""Answers of one candidate whose times are remembered."""
ENOUGH = 20
"""Answers without which a percentile says nothing."""
MAX_CANDIDATES = 1000


class Hedges:
    """When to ask a second candidate, and whether there may be one more: at most `share` of the requests have one.

    One that costs twice as much as the first counts twice, so that the share holds for what is spent, too.
    """

    def __init__(self, after: Literal["p95"] | float, share: float) -> None:
        self._after = after
        self._share = share
        self._times: dict[Candidate, deque[float]] = {}
        self.requests = self.extra = 0
        self._spent = 0.0

    def note(self, candidate: Candidate, seconds: float) -> None:
        """An answer began after so many seconds."""
        if isinstance(self._after, str):
            if len(self._times) >= MAX_CANDIDATES:
                self._times.clear()
            self._times.setdefault(candidate, deque(maxlen=REMEMBERED)).append(seconds)

    def after(self, candidate: Candidate) -> float | None:
        """Seconds of silence after which a second one is asked; None while that is not known."""
        self.requests += 1
        if not isinstance(self._after, str):
            return self._after
        times = sorted(self._times.get(candidate, ()))
        return times[len(times) * 95 // 100] if len(times) >= ENOUGH else None

    def take(self, first: Candidate, second: Candidate) -> bool:
        """Whether a second candidate may be asked now; it then counts."""
        weight = dearer(first.price, second.price)
        if self._spent + weight > self._share * self.requests:
            return False
        self.extra += 1
        self._spent += weight
        return True


def dearer(first: Price | None, second: Price | None) -> float:
    """How many times as much the second costs, where both prices are known and the first is not free; at least 1."""
    usual = first.input + first.output if first else 0.0
    return max((second.input + second.output) / usual, 1.0) if second and usual else 1.0


class Race:
    """Attempts that run at once. `run` makes one attempt and gives back what it reserved when it fails or is cancelled."""

    def __init__(self, exchange: Exchange, run: Callable[[Attempt], Coroutine[Any, Any, Answer]]) -> None:
        self._exchange = exchange
        self._run = run
        self.running: dict[Attempt, asyncio.Future[Answer]] = {}

    def enter(self, candidate: Candidate) -> None:
        attempt = Attempt(candidate)
        self.running[attempt] = asyncio.ensure_future(self._run(attempt))

    async def answer(self, hedges: Hedges, candidate: Candidate, fresh: list[Candidate]) -> Answer:
        """Of the candidate, or of the next fresh one when it is faster. Raises the error of the last that failed."""
        after = hedges.after(candidate)
        self.enter(candidate)
        await asyncio.wait(self.running.values(), timeout=after)
        first = next(iter(self.running.values()))
        if not first.done() and fresh and not self._exchange.gone and hedges.take(candidate, fresh[0]):
            self.enter(fresh.pop(0))
        answer = await self._fastest()
        hedges.note(answer.attempt.candidate, time.monotonic() - answer.attempt.started)
        return answer

    async def _fastest(self) -> Answer:
        """The first good answer; when none is good, the last error, and a refusal only when there is no error."""
        pending: set[asyncio.Future[Answer]] = set(self.running.values())
        errors: list[BaseException] = []
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                if (error := future.exception()) is None:
                    return future.result()
                errors.append(error)
        raise max(errors, key=lambda error: isinstance(error, UpstreamError))

    async def end(self) -> list[Answer]:
        """Stops whoever still runs. Gives what was answered."""
        left = [(attempt, future) for attempt, future in self.running.items() if not future.done()]
        for attempt, future in left:
            attempt.lost = True
            future.cancel()
        if left:
            await asyncio.wait([future for _, future in left])
        over = [future for future in self.running.values() if not future.cancelled()]
        return [future.result() for future in over if future.exception() is None]
