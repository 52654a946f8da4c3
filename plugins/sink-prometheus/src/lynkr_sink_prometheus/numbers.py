"""What is counted of requests, in plain numbers: nothing here knows the format in which they are told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
FIRST = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
TOKENS = (16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0)
USD = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
QUEUE = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
OTHER = "other"


class Labels(NamedTuple):
    """What a request is counted under. All five are names of the configuration's, never words of the caller's."""

    provider: str
    model: str
    tier: str
    status: str
    principal_class: str


class Histogram:
    """How many values lie up to each bound, and between it and the one before; the last count is of those beyond all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Series:
    """The numbers of all requests with the same labels."""

    __slots__ = (
        "cache_read",
        "cache_write",
        "first",
        "input",
        "losses",
        "output",
        "reasoning",
        "resumed",
        "seconds",
        "unpriced",
        "usd",
    )

    def __init__(self) -> None:
        self.seconds = Histogram(SECONDS)
        self.first = Histogram(FIRST)
        self.input = Histogram(TOKENS)
        self.output = Histogram(TOKENS)
        self.usd = Histogram(USD)
        self.cache_read = self.cache_write = self.reasoning = self.losses = self.resumed = self.unpriced = 0


class Tries:
    """What became of the attempts at one model: by `ok` or the kind of the error."""

    __slots__ = ("fallbacks", "results", "retries")

    def __init__(self) -> None:
        self.results: dict[str, int] = {}
        self.fallbacks = self.retries = 0

    def add(self, result: str) -> None:
        self.results[result] = self.results.get(result, 0) + 1


class Numbers:
    """All of one process. Beyond `limit` combinations of labels new ones are counted as `other`. `newest`: who writes last."""

    def __init__(self) -> None:
        self.limit = 0
        self.series: dict[Labels, Series] = {}
        self.tries: dict[tuple[str, str], Tries] = {}
        self.codes: dict[int, int] = {}
        self.cached: dict[str, int] = {}
        self.saved: dict[str, list[float]] = {}
        self.queue = Histogram(QUEUE)
        self.folded = self.newest = 0

    def of(self, labels: Labels) -> Series:
        if labels not in self.series and len(self.series) >= self.limit:
            self.folded += 1
            labels = Labels(OTHER, OTHER, OTHER, labels.status, OTHER)
        return self.series.setdefault(labels, Series())

    def tried(self, provider: str, model: str) -> Tries:
        key = (provider, model)
        if key not in self.tries and len(self.tries) >= self.limit:
            self.folded += 1
            key = (OTHER, OTHER)
        return self.tries.setdefault(key, Tries())

    def save(self, plugin: str, tokens: int, usd: float) -> None:
        """Plugins are few: a configuration names each of them."""
        held = self.saved.setdefault(plugin, [0.0, 0.0])
        held[0] += tokens
        held[1] += usd
