"""Time in tests that run on slow, busy, shared machines: wait long for what must come, judge a time by the best of several tries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

SOON = 5.0
"""Seconds in which what needs no waiting has happened on any machine. What could happen instead of it must take far longer."""
PATIENCE = 30.0
"""Seconds after which what has not come will not come."""
TRIES = 10


async def until(holds: Callable[[], object], within: float = PATIENCE) -> None:
    """Returns when it holds. Raises `AssertionError` when it does not within so many seconds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"it did not come true within {within:g} s"
        await asyncio.sleep(0.005)


async def least(measure: Callable[[], Awaitable[float]], enough: float, tries: int = TRIES) -> float:
    """The least that is measured, at most `tries` times and no more often than needed to have `enough`.

    What else a machine does only ever adds to a time: one good measurement shows what the code can do, and code that is too slow has none.
    """
    found = await measure()
    for _ in range(tries - 1):
        if found <= enough:
            break
        await asyncio.sleep(0.05)  # whatever was in the way may be over
        found = min(found, await measure())
    return found


def quickest(work: Callable[[], object], times: int = 10, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds that the quickest of several runs takes; of the processor, not of the wall's clock, unless `clock` says so."""
    best = float("inf")
    for _ in range(times):
        began = clock()
        work()
        best = min(best, clock() - began)
    return best
