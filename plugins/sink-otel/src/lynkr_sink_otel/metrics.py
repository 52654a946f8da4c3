"""The metrics that the conventions name for GenAI clients, and two of lynkr's own. Cumulative: what is lost on the way is made up for."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from lynkr_core.exchange import Candidate, Exchange, Outcome
from lynkr_core.hooks import Call
from lynkr_sink_otel.spans import ATTRIBUTE, Targets
from lynkr_sink_otel.wire import double, doubles, fixed, fixeds, message, number, pair

SECONDS = tuple([0.01 * 2**power for power in range(14)])
TOKENS = tuple([float(4**power) for power in range(14)])
"""Bounds that the conventions give."""
DURATION, FIRST, USED = (
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.token.usage",
)
REQUESTS, SPENT = "lynkr.requests", "lynkr.cost"
HEALTH = "lynkr.plugin.health"
UNITS = {
    DURATION: "s", FIRST: "s", USED: "{token}", REQUESTS: "{request}", SPENT: "{USD}", "lynkr.plugin.calls": "{call}",
    "lynkr.plugin.errors": "{error}", "lynkr.plugin.seconds": "s", HEALTH: "1",
}  # fmt: skip
POINT_NUMBER = 7
"""The number of the field `attributes` in a NumberDataPoint."""
CUMULATIVE = 2
MAX_POINTS = 1000
"""Combinations of attributes of one metric; callers may name models. Further ones are counted together, without attributes."""
NANO = 1_000_000_000


class Points:
    """One metric: of each combination of attributes, already encoded, the counts by bound and the sum; or, without bounds, the sum."""

    def __init__(self, bounds: Sequence[float] = ()) -> None:
        self.bounds = bounds
        self.values: dict[bytes, tuple[list[int], list[float]]] = {}

    def add(self, attributes: bytes, value: float) -> None:
        held = self.values.get(attributes)
        if held is None:
            if len(self.values) >= MAX_POINTS:
                attributes = b""
            held = self.values.setdefault(attributes, ([0] * (len(self.bounds) + 1), [0.0]))
        held[0][bisect_left(self.bounds, value)] += 1
        held[1][0] += value


class Metrics:
    """All of one process since `began`."""

    def __init__(self) -> None:
        self.began = time.time()
        self._targets = Targets(named=False)
        self._sums = {name: Points() for name in (REQUESTS, SPENT)}
        self._histograms = {DURATION: Points(SECONDS), FIRST: Points(SECONDS), USED: Points(TOKENS)}
        self._errors: dict[str, bytes] = {}

    def note(self, exchange: Exchange, outcome: Outcome) -> None:
        ended = exchange.started + outcome.duration
        for attempt in outcome.attempts:
            target = self._targets.of(attempt.candidate, exchange.operation)
            failed = self._failed(attempt.kind) if attempt.kind else b""
            self._histograms[DURATION].add(target + failed, (attempt.ended or ended) - attempt.started)
            if attempt.first_token is not None and not failed:
                self._histograms[FIRST].add(target, attempt.first_token - attempt.started)
            if attempt.usage is not None:
                self._histograms[USED].add(target + INPUT, attempt.usage.input_tokens)
                self._histograms[USED].add(target + OUTPUT, attempt.usage.output_tokens)
        self._sums[REQUESTS].add(summed(outcome.status, exchange.tier, None), 1.0)
        if outcome.cost:
            self._sums[SPENT].add(summed(outcome.status, exchange.tier, outcome.candidate), outcome.cost)

    def _failed(self, kind: str) -> bytes:
        """Kinds of errors are few."""
        found = self._errors.get(kind)
        if found is None:
            found = self._errors[kind] = pair(ATTRIBUTE, "error.type", kind)
        return found

    def encoded(self, now: float) -> Iterator[bytes]:
        """Each metric as a protobuf message."""
        times = fixed(2, int(self.began * NANO)) + fixed(3, int(now * NANO))
        for name, points in self._histograms.items():
            told = [message(1, bucketed(attributes, held, times, points.bounds)) for attributes, held in points.values.items()]
            if told:
                yield described(name) + message(9, b"".join(told) + number(2, CUMULATIVE))
        for name, points in self._sums.items():
            told = [message(1, attributes + times + double(4, held[1][0])) for attributes, held in points.values.items()]
            if told:
                yield described(name) + message(7, b"".join(told) + number(2, CUMULATIVE) + number(3, 1))


def of_plugins(calls: Sequence[Call], began: float, now: float) -> Iterator[bytes]:
    """What the kernel has counted of each hook of each plugin since `began`, and as a gauge of 1 the state that it is in."""
    times = fixed(2, int(began * NANO)) + fixed(3, int(now * NANO))
    told = [(one, pair(POINT_NUMBER, "lynkr.plugin", one.plugin) + pair(POINT_NUMBER, "lynkr.hook", one.hook)) for one in calls]
    for name in ("calls", "errors", "seconds"):
        points = b"".join([message(1, who + times + double(4, getattr(one, name))) for one, who in told])
        yield described(f"lynkr.plugin.{name}") + message(7, points + number(2, CUMULATIVE) + number(3, 1))
    states = [who + pair(POINT_NUMBER, "lynkr.state", one.told()["state"]) for one, who in told]
    yield described(HEALTH) + message(
        5, b"".join([message(1, state + fixed(3, int(now * NANO)) + double(4, 1)) for state in states])
    )


INPUT, OUTPUT = (pair(ATTRIBUTE, "gen_ai.token.type", kind) for kind in ("input", "output"))


def described(name: str) -> bytes:
    return message(1, name.encode()) + message(3, UNITS[name].encode())


def bucketed(attributes: bytes, held: tuple[list[int], list[float]], times: bytes, bounds: Sequence[float]) -> bytes:
    counts, total = held
    return attributes + times + fixed(4, sum(counts)) + double(5, total[0]) + fixeds(6, counts) + doubles(7, bounds)


def summed(status: str, tier: str | None, served: Candidate | None) -> bytes:
    """What sums are told apart by: not many values, so looking it up costs next to nothing."""
    key = (status, tier, served.id if served else None)
    found = KNOWN.get(key)
    if found is None:
        if len(KNOWN) >= MAX_POINTS:
            KNOWN.clear()
        pairs = [("lynkr.status", status), ("lynkr.tier", tier or "none")]
        pairs += [("lynkr.provider", served.provider.name), ("gen_ai.request.model", served.model[:200])] if served else []
        found = KNOWN[key] = b"".join([pair(POINT_NUMBER, name, value) for name, value in pairs])
    return found


KNOWN: dict[tuple[str, str | None, str | None], bytes] = {}
