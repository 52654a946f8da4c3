"""What attempts hold in the ledger themselves, on counters that are not wanted often enough for a share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from lynkr_core.stores.protocols import Full, Hold, Ledger

LOOK_SECONDS = 3600.0


class Direct:
    """Holds one by one; books at the next `flush`. `held`: how much of each counter, as far as it was not booked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._holds: dict[str, Sequence[Hold]] = {}
        self._booking: dict[str, Mapping[str, int]] = {}
        self._unknown: set[str] = set()
        self._look_at = 0.0
        self.held: dict[str, int] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._holds

    def holds_of(self, id: str) -> Sequence[Hold]:
        return self._holds.get(id, ())

    def has(self, id: str, hold: Hold) -> bool:
        return hold in self._holds.get(id, ())

    def __bool__(self) -> bool:
        """Whether anything waits to be booked."""
        return bool(self._booking)

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        """Raises `OSError`. What may or may not be held then is given back as soon as the ledger can be asked."""
        self._add(id, holds)
        try:
            full = await self._ledger.hold(id, holds, lease)
        except BaseException:
            self._booking[id] = {}
            raise
        if full is not None:
            self._remove(id)
        return full

    def book(self, id: str, amounts: Mapping[str, int]) -> None:
        """What is given back already stays so: whoever was let through all the same is booked elsewhere."""
        if id in self._holds:
            self._booking.setdefault(id, amounts)

    async def flush(self) -> None:
        """Raises `OSError`; what could not be booked is booked the next time."""
        booking = list(self._booking.items())
        told = await asyncio.gather(*[self._ledger.book(id, amounts) for id, amounts in booking], return_exceptions=True)
        errors: list[BaseException] = []
        for (id, _), answer in zip(booking, told, strict=True):
            if isinstance(answer, BaseException):
                errors.append(answer)
            elif id in self._booking:
                del self._booking[id]
                self._remove(id)
        if errors:
            raise errors[0]

    def forget(self, is_known: Callable[[str], bool]) -> None:
        """Drops what was never booked and is too old for it: what nobody knew at the last look an hour ago either."""
        if time.monotonic() < self._look_at:
            return
        unknown = {id for id in self._holds if id not in self._booking and not is_known(id)}
        for id in unknown & self._unknown:
            self._remove(id)
        self._unknown, self._look_at = unknown, time.monotonic() + LOOK_SECONDS

    def _add(self, id: str, holds: Sequence[Hold]) -> None:
        self._holds[id] = holds
        for hold in holds:
            self.held[hold.counter] = self.held.get(hold.counter, 0) + hold.amount

    def _remove(self, id: str) -> None:
        for hold in self._holds.pop(id, ()):
            left = self.held[hold.counter] - hold.amount
            if left:
                self.held[hold.counter] = left
            else:
                del self.held[hold.counter]
