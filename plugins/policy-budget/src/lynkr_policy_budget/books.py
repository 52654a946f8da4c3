"""Where budgets are held and booked: a ledger in this process's memory, or shares of one that has to be waited for and may be down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lynkr_core.stores import NOT_NOW, Full, GuardedLedger, Hold, Ledger, MemoryStore, NotNow, OnFailure

log = logging.getLogger("lynkr.budget")
MARGIN = 60.0
"""Seconds that a lease goes on after its attempt has to be over."""


class Books:
    """What is booked in shares is in memory at once, and in the ledger soon; that is tried until it is done.

    `now`: the counters, where they are in this process's memory and `here` allows that. What `try_hold` says `NOT_NOW` to has to be held
    by `shares`. `live`: how long the lease of each attempt under way is, and when it ends.
    """

    def __init__(self, ledger: Ledger, on_failure: OnFailure, name: str, here: bool) -> None:
        self.ledger = ledger
        self.now = ledger.counters if here and isinstance(ledger, MemoryStore) else None
        self.shares = GuardedLedger(ledger, on_failure, name)
        self.live: dict[str, tuple[float, float]] = {}

    def try_hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | NotNow | None:
        return self.shares.try_hold(id, holds, lease) if self.now is None else self.now.hold(id, holds, lease)

    def book(self, id: str, amounts: Mapping[str, int]) -> None:
        self.live.pop(id, None)
        if self.now is not None:
            self.now.book(id, amounts)
        elif self.shares.try_book(id, amounts) is NOT_NOW:
            log.error("%s was settled after its lease had been over for a day", id)

    async def look(self, now: float) -> None:
        """Extends the leases of attempts that take long. Raises `OSError`."""
        for id, (lease, ends) in list(self.live.items()):
            if ends - now < lease / 2:
                await (self.ledger if self.now is not None else self.shares).extend(id, lease)
                if id in self.live:
                    self.live[id] = lease, now + lease

    async def close(self) -> None:
        """Books what is not in the ledger yet, as far as it can be asked."""
        await self.shares.__aexit__(None, None, None)
