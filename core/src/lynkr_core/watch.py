"""The time limits of attempts. One timer looks at all of them: neither a request nor a piece of a stream costs one of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lynkr_core.exchange import Attempt
from lynkr_core.settings import Limits

PAUSE = 0.1
"""Seconds between two looks, and so how late a limit may be."""


class Watch:
    """Attempts on the clock, each with its limits. An attempt over one of them is ended, and told why."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: dict[Attempt, Limits] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, attempt: Attempt, limits: Limits) -> None:
        self._watched[attempt] = limits
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._look)

    def discard(self, attempt: Attempt) -> None:
        self._watched.pop(attempt, None)

    def __len__(self) -> int:
        return len(self._watched)

    def close(self) -> None:
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PAUSE, self._look) if self._watched else None
        now = self._clock()
        for attempt, limits in list(self._watched.items()):
            why = overdue(attempt, limits, now)
            if why:
                self.discard(attempt)
                attempt.expire(why)


def overdue(attempt: Attempt, limits: Limits, now: float) -> str:
    """Which limit is passed; empty when none is. Silence for which the caller is to blame, because it does not read, is none."""
    stream = attempt.stream
    if now >= attempt.until:
        return "the time for this request is over"
    if stream is None or not stream.begun:
        return f"gave no answer within {limits.attempt:g} s" if now - attempt.started >= limits.attempt else ""
    if stream.heard or stream.blocked:
        stream.heard = False
        attempt.heard = now
        return ""
    limit = limits.gap if stream.committed and not stream.thinking else limits.reasoning
    return f"said nothing for {limit:g} s" if now - max(attempt.heard, attempt.started) >= limit else ""
