"""What the attempts of one process hold of its shares."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

from lynkr_core.stores.counters import DAY, Held
from lynkr_core.stores.protocols import Hold
from lynkr_core.stores.share import Share

BOUNDLESS = 2**62


class Allotted:
    """Attempts by their ids, each with what it holds until its lease is over. Nothing here waits, so nothing can come between."""

    def __init__(self, shares: Mapping[str, Share], share: Callable[[Hold], Share]) -> None:
        """`share` makes the one that a hold needs, where there is none yet."""
        self._shares = shares
        self._share = share
        self._holding: dict[str, Held] = {}
        self._sweep_at = math.inf

    def __contains__(self, id: str) -> bool:
        return id in self._holding

    def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Hold | None:
        """All of them, or none and the first one that its share has no room for."""
        if id in self._holding:
            return None
        now, shares = time.monotonic(), self._shares
        for place, hold in enumerate(holds):
            share, amount = shares.get(hold.counter), hold.amount
            if share is not None and share.limit <= hold.limit and share.ends > now:
                share.asked += amount
                share.held = held = share.held + amount
                if share.used + held <= share.room:
                    continue
                share.held -= amount
            for other in holds[:place]:
                shares[other.counter].held -= other.amount
            return hold
        self._keep(id, holds, now + lease)
        return None

    def let(self, id: str, holds: Sequence[Hold], lease: float) -> None:
        """As `hold`, though no share has the room."""
        for hold in holds:
            self._share(hold).held += hold.amount
        self._keep(id, holds, time.monotonic() + lease)

    def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        """False when nothing is held under this id, or it was booked before."""
        held = self._holding.pop(id, None)
        if held is None:
            return False
        for hold in held.holds:
            share = self._shares.get(hold.counter) or self._share(hold)
            share.refusal = None  # there may be room now
            share.used += amounts.get(hold.counter, 0)
            if not held.lapsed:
                share.held -= hold.amount
        return True

    def extend(self, id: str, lease: float) -> bool:
        held = self._holding.get(id)
        if held is None or held.lapsed:
            return False
        self._keep(id, held.holds, time.monotonic() + lease)
        return True

    def sweep(self) -> None:
        """Gives back what leases that are over held; what is booked within a day of that counts all the same."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        for id, held in list(self._holding.items()):
            if held.ends <= now and not held.lapsed:
                held.lapsed = True
                for hold in held.holds:
                    self._share(hold).held -= hold.amount
            if held.ends + DAY <= now:
                del self._holding[id]
        self._sweep_at = min([held.ends + held.lapsed * DAY for held in self._holding.values()], default=math.inf)
        for share in self._shares.values():
            share.refusal = None

    def _keep(self, id: str, holds: Sequence[Hold], ends: float) -> None:
        self._holding[id] = Held(holds, ends)
        if ends < self._sweep_at:
            self._sweep_at = ends
