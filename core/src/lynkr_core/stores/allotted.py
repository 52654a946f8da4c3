"""What the attempts of one process hold and have used of its shares."""

from __future__ import annotations

from collections.abc import Mapping

from lynkr_core.stores.counters import Counters
from lynkr_core.stores.protocols import Balance, Hold
from lynkr_core.stores.share import Share

BOUNDLESS = 2**62


class Allotted(Counters):
    """What attempts of this process hold and have used, within what its shares were given."""

    def __init__(self, shares: Mapping[str, Share]) -> None:
        super().__init__()
        self._shares = shares
        self.is_boundless = False
        self.held_by = self._holding.get

    def _limit(self, hold: Hold) -> int:
        if self.is_boundless:
            return BOUNDLESS
        share = self._shares.get(hold.counter)
        return share.room if share is not None and share.limit <= hold.limit else -1

    def knows(self, id: str) -> bool:
        return id in self._holding

    def booked(self, name: str, amount: int) -> None:
        """So much of what was used is in the ledger now."""
        counter = self._counters.get(name)
        if counter is not None:
            counter.used -= amount
            if not counter.used and not counter.held:
                del self._counters[name]

    def standing(self, name: str) -> Balance:
        return self._balance(name)

    def sweep(self) -> None:
        self._sweep(self._clock())

    def _sweep(self, now: float) -> None:
        if now >= self._sweep_at:
            super()._sweep(now)
            for share in self._shares.values():
                share.refusal = None
