"""Which candidate is tried next, and when: the rules of retry and fallback, without any I/O.

Every candidate is tried once, in the order of the selection and without a pause; a short `retry-after` is waited for before the next one
is. Only then are those tried again that may be, whoever is ready soonest, at most `retries` times in all and never beyond the deadline.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from msgspec import Struct

from lynkr_core.errors import Consequence, Kind, UpstreamError, consequence
from lynkr_core.exchange import Candidate, Verdict

SHORT_WAIT = 0.2
"""Seconds of a `retry-after` up to which waiting is cheaper than another candidate, who has nothing in its prompt cache."""
MAX_WAIT = 15.0
"""Seconds beyond which waiting for a `retry-after` is not worth it."""
MAX_TRIES = 50
"""Of one exchange, for plugins that never give up."""


class Step(Struct, frozen=True, gc=False):
    """Try this candidate after so many seconds."""

    candidate: Candidate
    delay: float = 0.0


class Course(Struct, eq=False, gc=False):
    """The way of one exchange. `fresh`: who was not tried yet, in order. `until` on the clock whose time every method is told; `fallback`
    overrules the table of kinds.
    """

    fresh: list[Candidate]
    retries: int
    until: float
    fallback: Mapping[Kind, bool] = {}
    jitter: Callable[[float, float], float] = random.uniform
    _total: int = 0
    _tries: dict[Candidate, int] = {}
    _ready: dict[Candidate, float] = {}

    def next(self, now: float) -> Step | None:
        """The first candidate that was not tried yet, else the one that may be tried again soonest."""
        if self.fresh and now < self.until:
            return Step(self.fresh.pop(0))
        if not self._ready or self.retries <= 0:
            return None
        candidate = min(self._ready, key=lambda candidate: self._ready[candidate])
        delay = max(self._ready.pop(candidate) - now, 0.0)
        return self._again(candidate, delay, now)

    def again(self, candidate: Candidate, now: float) -> Step | None:
        """The same one at once, as long as there may be retries."""
        return self._again(candidate, 0.0, now) if self.retries > 0 else None

    def _again(self, candidate: Candidate, delay: float, now: float) -> Step | None:
        if now + delay >= self.until:
            return None
        self.retries -= 1
        return Step(candidate, delay)

    def failed(self, candidate: Candidate, error: UpstreamError, now: float) -> Step | None:
        """What follows from this error; None when nothing does."""
        falls_back = self.fallback.get(error.kind, consequence(error).fallback)
        wait = self.noted(candidate, error, now)
        if wait is None or self.retries <= 0:
            return self.next(now) if falls_back else None
        if falls_back and (error.retry_after is None or wait > SHORT_WAIT):
            return self.next(now)
        self._ready.pop(candidate)
        return self._again(candidate, wait, now)

    def noted(self, candidate: Candidate, error: UpstreamError, now: float) -> float | None:
        """Remembers who may be tried again, and when. Gives the seconds until then; None when the candidate may not."""
        if consequence(error).larger:
            self._keep_larger_than(candidate)
        wait = self._wait(candidate, error)
        if wait is not None:
            self._ready[candidate] = now + wait
        return wait

    def told(self, candidate: Candidate, verdict: Verdict, now: float) -> Step | None:
        """As `failed`, where a plugin decides."""
        self._total += 1
        if verdict.action == "next":
            return self.next(now)
        if verdict.action == "fail" or self._total > MAX_TRIES:
            return None
        return self._again(candidate, verdict.delay, now)

    def _wait(self, candidate: Candidate, error: UpstreamError) -> float | None:
        """Seconds before this candidate may be tried again; None when it may not."""
        tries = self._tries[candidate] = self._tries.get(candidate, 0) + 1
        found = consequence(error)
        if tries > found.retries:
            return None
        if error.retry_after is not None:
            wait = error.retry_after * self.jitter(1.0, 1.1)
            return wait if error.retry_after <= MAX_WAIT else None
        return backoff(found, tries) * self.jitter(0.75, 1.0)

    def _keep_larger_than(self, candidate: Candidate) -> None:
        """A window that is unknown may be larger."""
        window = candidate.context_window or 0

        def larger(other: Candidate) -> bool:
            return not (window and other.context_window) or other.context_window > window

        self.fresh = [other for other in self.fresh if larger(other)]
        self._ready = {other: at for other, at in self._ready.items() if larger(other)}


def backoff(found: Consequence, tries: int) -> float:
    """Seconds before the try after so many."""
    return min(found.pause * 2 ** (tries - 1), MAX_WAIT)
