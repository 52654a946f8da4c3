"""What is under way and what has just ended, in bounded memory; whoever waits for news is woken."""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from lynkr_core.errors import InvalidRequest, RateLimited
from lynkr_core.exchange import Exchange, Outcome
from lynkr_extension_dashboard.row import WHOSE, Row, row
from lynkr_extension_dashboard.totals import Totals

MOST_OPEN = 20_000
"""Exchanges under way that are known; more are served, but not shown."""
MOST_SHOWN = 100
MOST_WAITING = 64
PACE = 0.3
"""Seconds for which news is gathered before those who wait are told."""


class Place(NamedTuple):
    """Where a reader stands: in which feed, how much of what it may see had ended, and what was under way."""

    feed: str
    finished: int
    open: str

    def __str__(self) -> str:
        return ".".join(map(str, self))


def place(text: str) -> Place | None:
    """Raises `InvalidRequest` for what no feed has given."""
    if not text:
        return None
    feed, _, rest = text.partition(".")
    finished, _, open = rest.partition(".")
    if not finished.isdecimal() or len(text) > 100:
        raise InvalidRequest("after: give back the cursor of the answer before", param="after")
    return Place(feed, int(finished), open)


class News(NamedTuple):
    """What a reader did not know. `anew`: it knew nothing; `missed`: what ended in between and is not remembered any more."""

    at: Place
    anew: bool
    missed: int
    rows: Sequence[Row]
    open: Sequence[Exchange]


class Feed:
    """`principal` is whose exchanges are looked at; None for everybody's."""

    def __init__(self, keep: int) -> None:
        self.started = time.time()
        self.totals = Totals()
        self._name = os.urandom(4).hex()
        self._open: dict[str, Exchange] = {}
        self._rows: deque[Row] = deque(maxlen=keep)
        self._waiting: set[asyncio.Future[None]] = set()

    def begin(self, exchange: Exchange) -> None:
        if not exchange.dry_run and len(self._open) < MOST_OPEN:
            self._open[exchange.id] = exchange
            if self._waiting:
                self._wake()

    def end(self, exchange: Exchange, outcome: Outcome) -> None:
        self._open.pop(exchange.id, None)
        ended = row(exchange, outcome)
        self._rows.append(ended)
        self.totals.add(ended)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def look(self, principal: str | None, after: Place | None, limit: int) -> News:
        """What is new since `after`."""
        finished = self.totals.finished(principal)
        new = finished - after.finished if after and after.feed == self._name else -1
        anew = new < 0
        rows = self._latest(principal, limit if anew else min(new, limit)) if new else []
        open = [exchange for exchange in self._open.values() if principal in (None, exchange.principal.id)]
        return News(Place(self._name, finished, sign(open)), anew, 0 if anew else new - len(rows), rows, open)

    def _latest(self, principal: str | None, count: int) -> list[Row]:
        """The last so many, oldest first."""
        found: list[Row] = []
        for one in reversed(self._rows):
            if len(found) == count:
                break
            if principal in (None, one.principal.id):
                found.append(one)
        return found[::-1]

    async def news(self, principal: str | None, after: Place | None, wait: float, limit: int) -> News:
        """As `look`, as soon as there is anything, or after `wait` seconds. Raises `RateLimited` when too many wait."""
        until = time.monotonic() + wait
        found = self.look(principal, after, limit)
        while found.at == after and (left := until - time.monotonic()) > 0:
            if len(self._waiting) >= MOST_WAITING:
                raise RateLimited("too many wait for news already", retry_after=5.0)
            await self._changed(left)
            await asyncio.sleep(min(PACE, max(until - time.monotonic(), 0.0)))
            found = self.look(principal, after, limit)
        return found

    async def _changed(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting], timeout=seconds)
        finally:
            self._waiting.discard(waiting)


def stage(exchange: Exchange) -> str:
    """Where it stands."""
    if not exchange.attempts:
        return "deciding"
    return "waiting" if exchange.attempts[-1].first_token is None else "answering"


def sign(open: Iterable[Exchange]) -> str:
    """Differs when other exchanges are under way, or one of them stands elsewhere."""
    text = ",".join([f"{exchange.id}{stage(exchange)[0]}{len(exchange.attempts)}" for exchange in open])
    return f"{zlib.crc32(text.encode()):x}"


def shown(open: Sequence[Exchange], now: float) -> dict[str, Any]:
    """Those under way, the oldest first."""
    return {"total": len(open), "rows": [under_way(exchange, now) for exchange in open[:MOST_SHOWN]]}


def under_way(exchange: Exchange, now: float) -> dict[str, Any]:
    who, envelope = exchange.principal, exchange.envelope
    last = exchange.attempts[-1] if exchange.attempts else None
    return {
        "id": exchange.id,
        "created": exchange.created,
        "seconds": max(now - exchange.created, 0.0),
        "principal": who.id,
        **{name: getattr(who, name) for name in WHOSE},
        "dialect": exchange.dialect.name,
        "operation": exchange.operation,
        "stream": envelope.stream,
        "model_asked": envelope.model,
        "tier": exchange.tier,
        "score": exchange.score,
        "stage": stage(exchange),
        "provider": last.candidate.provider.name if last else None,
        "model": last.candidate.model if last else None,
        "attempts": len(exchange.attempts),
        "pieces": last.stream.pieces if last and last.stream else 0,
    }
