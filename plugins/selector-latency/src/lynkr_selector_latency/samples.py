"""How long each model has taken lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lynkr_core.errors import Kind
from lynkr_core.exchange import Attempt, Candidate, Outcome

KEPT = 100
ENOUGH = 3
STALE = 12
"""Half-lives after the newest sample; then a model has to be tried again."""
MAX_MODELS = 2_000
"""Models remembered; callers can name any."""
SLOW: frozenset[Kind] = frozenset({"unavailable", "timeout", "server", "overloaded", "rate_limited", "quota", "cut", "warming"})
"""Errors after which waiting was in vain; the others are the request's own."""
QUANTILES = (0.5, 0.95)


class Samples:
    """The last hundred of one model. Each counts half as much for each `half_life` seconds that it is older."""

    __slots__ = ("_quantiles", "_samples", "half_life")

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        self._samples: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._quantiles: Sequence[float] = ()

    def add(self, now: float, seconds: float) -> None:
        self._samples.append((now, seconds))
        self._quantiles = ()

    def tell(self, now: float) -> bool:
        """Whether there are enough, and the newest is fresh enough, to rely on them."""
        return len(self._samples) >= ENOUGH and now - self._samples[-1][0] < STALE * self.half_life

    def quantile(self, which: float) -> float | None:
        """In seconds; `which` is one of `QUANTILES`. None without samples.

        All weights fade together, so quantiles only change when a sample comes.
        """
        if not self._samples:
            return None
        if not self._quantiles:
            self._quantiles = self._measured()
        return self._quantiles[QUANTILES.index(which)]

    def _measured(self) -> list[float]:
        newest = self._samples[-1][0]
        weighed = sorted([(seconds, 0.5 ** ((newest - when) / self.half_life)) for when, seconds in self._samples])
        total = sum(weight for _, weight in weighed)
        found: list[float] = []
        reached = 0.0
        for seconds, weight in weighed:
            reached += weight
            while len(found) < len(QUANTILES) and reached >= QUANTILES[len(found)] * total:
                found.append(seconds)
        return found + [weighed[-1][0]] * (len(QUANTILES) - len(found))


class Board:
    """The samples of all models; streams and whole answers apart, for one begins long before the other is whole.

    `until`: what is measured, to the first token or to the end. `penalty`: seconds that a failed attempt counts at least.
    """

    def __init__(self, half_life: float, until: str = "first_token", penalty: float = 30.0) -> None:
        self.half_life, self.until, self.penalty = half_life, until, penalty
        self._samples: dict[tuple[str, bool], Samples] = {}

    def of(self, candidate: Candidate, stream: bool) -> Samples | None:
        return self._samples.get((candidate.id, stream))

    def note(self, outcome: Outcome, stream: bool, now: float) -> None:
        """Every attempt of an exchange that is over."""
        for attempt in outcome.attempts:
            seconds = self.seconds(attempt, stream, now)
            if seconds is not None:
                self.add(attempt.candidate, stream, now, seconds)

    def add(self, candidate: Candidate, stream: bool, now: float, seconds: float) -> None:
        key = (candidate.id, stream)
        if key not in self._samples:
            if len(self._samples) >= MAX_MODELS:
                self._samples.clear()
            self._samples[key] = Samples(self.half_life)
        self._samples[key].add(now, seconds)

    def seconds(self, attempt: Attempt, stream: bool, now: float) -> float | None:
        """None for what tells nothing of the model's speed."""
        ended = attempt.ended or now
        if attempt.error is not None:
            return max(self.penalty, ended - attempt.started) if attempt.error.kind in SLOW else None
        if attempt.first_token is not None:
            return (attempt.first_token if self.until == "first_token" else ended) - attempt.started
        known = self.of(attempt.candidate, stream)
        usual = known.quantile(0.5) if known else None
        waited = ended - attempt.started  # nobody waited any longer: a lower bound, which tells something when it is high
        return waited if usual is not None and waited > usual else None
