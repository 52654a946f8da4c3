"""What a run of the load generator is asked for, and what it answers."""

from __future__ import annotations

import math

import msgspec


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `body` is a file; `rate` in requests a second makes it an open loop; `hold` keeps streams open until told."""

    port: int
    path: str
    body: str
    headers: dict[str, str] = {}
    connections: int = 1
    seconds: float = 1.0
    rate: float | None = None
    variants: int = 0
    hold: bool = False
    count: int | None = None


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds."""

    mean: float = 0.0
    p50: float = 0.0
    p99: float = 0.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. `chunks`: marks read; `chunk_delay`: from the mock's write to here; `busy`: cores used here."""

    done: int
    failed: int
    seconds: float
    chunks: int
    busy: float
    latency: Spread
    first: Spread
    chunk_delay: Spread
    trouble: str = ""


def spread(seconds: list[float]) -> Spread:
    if not seconds:
        return Spread()
    seconds.sort()
    p50, p99 = (seconds[math.ceil(q * len(seconds)) - 1] * 1e3 for q in (0.5, 0.99))
    return Spread(mean=sum(seconds) / len(seconds) * 1e3, p50=p50, p99=p99)


def failed(why: str) -> Sample:
    none = Spread()
    return Sample(done=0, failed=1, seconds=1.0, chunks=0, busy=0.0, latency=none, first=none, chunk_delay=none, trouble=why)
