"""How a ledger decides, over what is held in memory: shared ones must do the same, and may do it by this."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from copy import copy

from msgspec import Struct, msgpack

from lynkr_core.stores.protocols import Balance, Bucket, Full, Hold, Wait

DAY = 86400.0
SWEEP_SECONDS = 60.0


class Held(Struct, eq=False):
    """What one attempt holds; nothing more once it has `lapsed`: its lease was over before it was settled."""

    holds: Sequence[Hold]
    ends: float
    lapsed: bool = False

    def free(self, hold: Hold, counter: Counter) -> None:
        """Takes from the counter of one of its holds what it stands at by it."""
        if not self.lapsed:
            counter.held -= hold.amount
        elif hold.forfeit:
            counter.used -= hold.amount


class Counter(Struct, eq=False):
    until: float
    used: int = 0
    held: int = 0


class Counters:
    """Every call is done before it returns: nothing waits, so nothing can come between.

    Subclasses may put other mappings in the place of the three, where `get` reads a row and setting an item notes that it was changed;
    counters are changed in what `_counter` returned.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counters: MutableMapping[str, Counter] = {}
        self._holding: MutableMapping[str, Held] = {}
        self._full_at: MutableMapping[str, float] = {}
        self._sweep_at = 0.0

    def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        if self._holding.get(id) is not None:
            return None
        for hold in holds:
            counter = self._counters.get(hold.counter)
            used, held = (counter.used, counter.held) if counter else (0, 0)
            if used + held + hold.amount > self._limit(hold):
                return Full(hold.counter, Balance(used, held))
        for hold in holds:
            self._counter(hold).held += hold.amount
        self._holding[id] = Held(holds, now + lease)
        if now + lease < self._sweep_at:
            self._sweep_at = now + lease
        return None

    def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        held = self._holding.pop(id, None)
        if held is None:
            return False
        for hold in held.holds:
            counter = self._counter(hold)
            held.free(hold, counter)
            counter.used += amounts.get(hold.counter, 0)
        return True

    def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | dict[str, Balance]:
        self._sweep(self._clock())
        old, known = self._holding.get(id) or Held((), 0.0), self._holding.get(new) is not None
        before = {hold.counter: hold for hold in old.holds}
        for hold in () if known else holds:
            at = copy(self._counters.get(hold.counter)) or Counter(hold.until)
            if (was := before.get(hold.counter)) is not None:
                old.free(was, at)
                at.used += amounts.get(hold.counter, 0)
            if at.used + at.held + hold.amount > self._limit(hold):
                return Full(hold.counter, Balance(at.used, at.held))
        self.book(id, amounts)
        self.hold(new, holds, lease)
        return {hold.counter: self._balance(hold.counter) for hold in holds}

    def extend(self, id: str, lease: float) -> bool:
        now = self._clock()
        self._sweep(now)
        held = self._holding.get(id)
        if held is None or held.lapsed:
            return False
        held.ends = now + lease
        self._holding[id] = held
        self._sweep_at = min(self._sweep_at, held.ends)
        return True

    def balances(self, prefix: str, limit: int = 1000, after: str = "") -> dict[str, Balance]:
        now = self._clock()
        self._sweep(now)
        found = [name for name, counter in self._counters.items() if name.startswith(prefix) and counter.until + DAY > now]
        return {name: self._balance(name) for name in sorted(name for name in found if name > after)[:limit]}

    def windows(self, prefix: str, limit: int = 1000, after: str = "") -> dict[str, float]:
        return {name: self._counters[name].until for name in self.balances(prefix, limit, after)}

    def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        now = self._clock()
        waits = [Wait(bucket.name, self._missing(bucket, now)) for bucket in buckets]
        longest = max(waits, key=lambda wait: wait.seconds, default=None)
        if longest is not None and longest.seconds > 0:
            return longest
        self._move(buckets, 1, now)
        return None

    def give(self, buckets: Sequence[Bucket]) -> None:
        self._move(buckets, -1, self._clock())

    def _limit(self, hold: Hold) -> int:
        return hold.limit

    def _balance(self, name: str) -> Balance:
        counter = self._counters.get(name)
        return Balance(counter.used, counter.held) if counter else Balance()

    def _counter(self, hold: Hold) -> Counter:
        counter = self._counters.get(hold.counter)
        if counter is None:
            counter = self._counters[hold.counter] = Counter(hold.until)
        return counter

    def _missing(self, bucket: Bucket, now: float) -> float:
        """Seconds until this much is in the bucket. What is stored is when it will be full again: the generic cell rate algorithm."""
        if bucket.amount > bucket.capacity:
            return math.inf
        each = bucket.period / bucket.capacity
        ahead = max(self._full_at.get(bucket.name, 0.0), now) + bucket.amount * each - now
        return max(0.0, ahead - bucket.period)

    def _move(self, buckets: Sequence[Bucket], sign: int, now: float) -> None:
        for bucket in buckets:
            each = bucket.period / bucket.capacity
            self._full_at[bucket.name] = max(self._full_at.get(bucket.name, 0.0), now) + sign * bucket.amount * each

    def _lapse(self, held: Held) -> None:
        held.lapsed = True
        for hold in held.holds:
            counter = self._counter(hold)
            counter.held -= hold.amount
            if hold.forfeit:
                counter.used += hold.amount

    def _sweep(self, now: float) -> None:
        """Ends leases that are over; forgets what was over a day ago."""
        if now < self._sweep_at:
            return
        for id, held in list(self._holding.items()):
            if held.ends <= now and not held.lapsed:
                self._lapse(held)
            if held.ends + DAY <= now:
                del self._holding[id]
        self._counters = {name: counter for name, counter in self._counters.items() if counter.until + DAY > now or counter.held}
        self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        ends = [held.ends for held in self._holding.values() if not held.lapsed]
        self._sweep_at = min([now + SWEEP_SECONDS, *ends])


def pack(held: Held) -> bytes:
    """The holds, but for their limits, for a store that keeps leases in rows."""
    return msgpack.encode([(hold.counter, hold.amount, hold.until, hold.forfeit) for hold in held.holds])


def unpack(holds: bytes, ends: float, lapsed: int) -> Held:
    """Leases of older versions do not say whether they are forfeit."""
    found = [Hold(counter, amount, 0, until, *forfeit) for counter, amount, until, *forfeit in msgpack.decode(holds)]
    return Held(found, ends, bool(lapsed))
