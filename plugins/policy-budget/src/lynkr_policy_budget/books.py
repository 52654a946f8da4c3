"""Where budgets are held and booked: the ledger, with what it was not told yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, cast

from lynkr_core.stores import Full, Hold, Ledger, MemoryStore
from lynkr_core.stores.counters import Counters

log = logging.getLogger("lynkr.budget")
MARGIN = 60.0
"""Seconds that a lease goes on after its attempt has to be over."""
PATIENCE = 86400.0
"""Seconds for which a ledger knows leases that are over, and so for which it is worth telling it."""
MAX_OWED = 100_000


class Live:
    """A lease: how long it is, and when it ends."""

    __slots__ = ("ends", "lease")

    def __init__(self, lease: float, ends: float) -> None:
        self.lease = lease
        self.ends = ends


class Books:
    """`now` has the ledger's calls without waiting, where it is in this process's memory."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self.ledger = ledger
        self.now: Counters | None = ledger.counters if isinstance(ledger, MemoryStore) else None
        self.live: dict[str, Live] = {}
        self.owed: dict[str, tuple[Mapping[str, int], float]] = {}
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def hold_now(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        full = cast("Counters", self.now).hold(id, holds, lease)
        if full is None:
            self.live[id] = Live(lease, self._clock() + lease)
        return full

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        """Raises `OSError` when the ledger cannot be asked."""
        if self.now is not None:
            return self.hold_now(id, holds, lease)
        try:
            full = await self.ledger.hold(id, holds, lease)
        except BaseException:  # cancelled or too late: whether it was held nobody knows, so it is given back
            self._owe(id, {})
            raise
        if full is None:
            self.live[id] = Live(lease, self._clock() + lease)
        return full

    def book(self, id: str, amounts: Mapping[str, int]) -> None:
        """Soon, and again until the ledger has it; it books each id once."""
        self.live.pop(id, None)
        if self.now is not None:
            self.now.book(id, amounts)
        else:
            self._spawn(self._book(id, amounts))

    async def _book(self, id: str, amounts: Mapping[str, int]) -> None:
        try:
            await self.ledger.book(id, amounts)
        except OSError as error:
            log.warning("a budget could not be booked, and will be: %s", error)
            self._owe(id, amounts)

    def _owe(self, id: str, amounts: Mapping[str, int]) -> None:
        if len(self.owed) < MAX_OWED:
            self.owed[id] = (amounts, self._clock() + PATIENCE)
        else:
            log.error("too much waits to be booked; the lease of %s will give its budget back", id)

    async def look(self) -> None:
        """Books what is owed, and extends the leases of attempts that take long."""
        for id, (amounts, until) in list(self.owed.items()):
            try:
                booked = await self.ledger.book(id, amounts)
            except OSError:
                break
            if booked or amounts or self._clock() >= until - PATIENCE + MARGIN:
                self.owed.pop(id, None)  # what may not be held yet is given back a few times more
        now = self._clock()
        for id, live in list(self.live.items()):
            if live.ends - now < live.lease / 2 and id in self.live:
                await self._extend(id, live)

    async def _extend(self, id: str, live: Live) -> None:
        try:
            await self.ledger.extend(id, live.lease)
        except OSError as error:
            log.warning("a lease could not be extended: %s", error)
        else:
            live.ends = self._clock() + live.lease

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, patience: float = 5.0) -> None:
        """Waits for what is being booked, and tries once more what is owed."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        if self.owed:
            await self.look()
