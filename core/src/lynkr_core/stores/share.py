"""What one process was given of one counter."""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct, field

from lynkr_core.stores.counters import Counter
from lynkr_core.stores.protocols import Balance, Hold

OFTEN = 5
"""How often room must be lacking in a tick before a share costs less than to ask each time: it is about three."""


class Refusal(Struct, frozen=True):
    """What the counter stood at without this process's part, to whom that was said, and until when nobody needs to ask again."""

    others: Balance
    amount: int
    limit: int
    until: float


class Change(Struct, frozen=True):
    """A renewal that was asked for and not answered yet: `used` is booked, `amount` held from then on, under `id`."""

    id: str
    used: int
    amount: int
    limit: int
    ends: float


class Share(Counter, eq=False, kw_only=True):
    """`allotted` is held for it in the ledger under `id`; attempts may hold and use up to `room`, which is less while it is made smaller.
    `held` is what they hold now, `used` what they have used and is not booked in the ledger yet.

    `ends` (of the monotonic clock) is when the lease is over, `left` what nobody had taken when the ledger last answered, `asked` what
    attempts wanted since the last tick and `demand` in those before, `wanted` what those want who wait; `count`
    and `counted`: how many lacked room, likewise.
    """

    name: str
    forfeit: bool
    part: float
    ticks: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    id: str = ""
    allotted: int = 0
    room: int = 0
    limit: int = 0
    left: int = 0
    asked: int = 0
    demand: int = 0
    wanted: int = 0
    count: int = 0
    counted: int = 0
    ends: float = 0.0
    change: Change | None = None
    closing: int | None = None
    refusal: Refusal | None = None

    def has(self, hold: Hold) -> bool:
        return self.limit <= hold.limit and self.ends > time.monotonic() and self.used + self.held + hold.amount <= self.room

    def refused(self, hold: Hold, now: float) -> Balance | None:
        """What the ledger said a moment ago to somebody who wanted no more than this."""
        told = self.refusal
        if told is None or now >= told.until or hold.amount < told.amount or hold.limit > told.limit:
            return None
        return told.others

    def ahead(self, limit: int) -> int:
        """How much more than is held now would serve the attempts of the next ticks."""
        return max(0, min(self.ticks * max(self.demand, self.asked), int(limit * self.part), self.left // 8))

    @property
    def is_used(self) -> bool:
        """Whether anything of it is in the ledger, or may be."""
        return bool(self.id or self.change or self.closing is not None or self.wanted)

    def want(self) -> bool:
        """Counts somebody who lacks room; whether there are so few that each may ask for himself."""
        self.count += 1
        return not self.is_used and max(self.count, self.counted) < OFTEN

    def look_back(self) -> bool:
        """At each tick: whether nobody wanted anything since the last one."""
        self.counted, self.count = self.count, 0
        is_idle = not self.asked
        self.demand = max(self.asked, self.demand // 2)
        self.asked = 0
        return is_idle

    def begin_change(self, used: int, amount: int, limit: int, ends: float, id: str) -> None:
        self.change = Change(id, used, amount, limit, ends)
        self.room = min(self.room, amount + used)

    def undo_change(self) -> None:
        self.change = None
        self.room = self.allotted

    def end_change(self, stands: Balance) -> None:
        change = self.change
        assert change is not None
        self.id, self.allotted, self.room = change.id, change.amount, change.amount
        self.limit, self.ends = change.limit, change.ends
        self.left = change.limit - stands.used - stands.held
        self.change = self.refusal = None

    def close(self, used: int) -> None:
        """Gives nothing more; `used` is to be booked."""
        self.room, self.closing = 0, used

    def closed(self) -> None:
        self.id, self.allotted, self.closing = "", 0, None
