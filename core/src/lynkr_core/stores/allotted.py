"""What the attempts of one process hold of its shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from lynkr_core.stores.counters import Counter, Counters, Held
from lynkr_core.stores.protocols import Hold
from lynkr_core.stores.share import Share

BOUNDLESS = 2**62


class Allotted(Counters):
    """Attempts by their ids, each with what it holds until its lease is over. The counters are the shares themselves."""

    def __init__(self, shares: Mapping[str, Share], share: Callable[[Hold], Share]) -> None:
        """`share` makes the one that a hold needs, where there is none yet."""
        super().__init__(time.monotonic)
        self._shares = shares
        self._share = share

    def __contains__(self, id: str) -> bool:
        return id in self._holding

    def lacks(self, id: str, holds: Sequence[Hold], lease: float) -> Hold | None:
        """As `hold`; where not all of them fit, the first one that its share has no room for."""
        if id in self._holding:
            return None
        now, shares = time.monotonic(), self._shares
        for hold in holds:
            share = shares.get(hold.counter)
            if share is None or share.limit > hold.limit or share.ends <= now:
                return hold
            share.asked += hold.amount
            if share.used + share.held + hold.amount > share.room:
                return hold
        for hold in holds:
            shares[hold.counter].held += hold.amount
        self._holding[id] = Held(holds, ends := now + lease)
        if ends < self._sweep_at:
            self._sweep_at = ends
        return None

    def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        held = self._holding.pop(id, None)
        if held is None:
            return False
        for hold in held.holds:
            share = self._shares.get(hold.counter) or self._share(hold)
            share.refusal = None  # there may be room now
            share.used += amounts.get(hold.counter, 0)
            held.free(hold, share)
        return True

    def sweep(self) -> None:
        if (now := time.monotonic()) >= self._sweep_at:
            self._sweep(now)
            for share in self._shares.values():
                share.refusal = None

    def _limit(self, hold: Hold) -> int:
        return BOUNDLESS  # who does not ask what it `lacks` is let in

    def _counter(self, hold: Hold) -> Counter:
        return self._share(hold)
