"""The ledger: core's counters over rows that are read and written in one transaction, which one process at a time may begin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lynkr_core.stores import Hold
from lynkr_core.stores.counters import Counter, Counters, pack, unpack

LEASES = (
    "SELECT id, holds, ends, lapsed FROM lease WHERE id = ANY($1) UNION "
    "(SELECT id, holds, ends, lapsed FROM lease WHERE NOT lapsed AND ends <= $2 ORDER BY ends LIMIT 1000)"
)
COUNTERS = "SELECT name, used, held, until FROM counter WHERE name = ANY($1)"
BUCKETS = "SELECT name, full_at FROM bucket WHERE name = ANY($1)"
SET_COUNTERS = (
    "INSERT INTO counter (name, used, held, until) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::float8[]) "
    "ON CONFLICT (name) DO UPDATE SET used = excluded.used, held = excluded.held"
)
SET_LEASES = (
    "INSERT INTO lease (id, holds, ends, lapsed) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::float8[], $4::boolean[]) "
    "ON CONFLICT (id) DO UPDATE SET ends = excluded.ends, lapsed = excluded.lapsed"
)
UNSET_LEASES = "DELETE FROM lease WHERE id = ANY($1)"
SET_BUCKETS = (
    "INSERT INTO bucket (name, full_at) SELECT * FROM unnest($1::bytea[], $2::float8[]) "
    "ON CONFLICT (name) DO UPDATE SET full_at = excluded.full_at"
)
MOST = 2**62
"""What a counter can stand at: 4.6 billion dollars in nano-dollars. PostgreSQL's numbers have 64 bits."""


class Books(Counters):
    """What a transaction at the moment `now` needs to know: `read` it, let calls decide, `write` what they changed."""

    def __init__(self, now: float) -> None:
        super().__init__(lambda: now)
        self._leases_before: dict[str, tuple[float, bool]] = {}
        self._counters_before: dict[str, tuple[int, int]] = {}
        self._buckets_before: dict[str, float] = {}
        self._now = now

    async def read(self, connection: Any, ids: Sequence[str], names: Sequence[str], buckets: Sequence[str]) -> None:
        """Leases with these ids and those that are over, counters with these names and those of the leases, and buckets."""
        wanted = set(names)
        for id, holds, ends, lapsed in await connection.fetch(LEASES, packed(ids), self._now):
            held = self._holding[id.decode()] = unpack(holds, ends, lapsed)
            self._leases_before[id.decode()] = (ends, lapsed)
            wanted.update(hold.counter for hold in held.holds)
        for name, used, held, until in await connection.fetch(COUNTERS, packed(wanted)) if wanted else ():
            counter = self._counters[name.decode()] = Counter(until)
            counter.used, counter.held = self._counters_before[name.decode()] = (used, held)
        for name, full_at in await connection.fetch(BUCKETS, packed(buckets)) if buckets else ():
            self._full_at[name.decode()] = self._buckets_before[name.decode()] = full_at
        self._sweep(self._now)

    async def write(self, connection: Any) -> None:
        counters = [(name, c) for name, c in self._counters.items() if self._counters_before.get(name) != (c.used, c.held)]
        if counters:
            used, held = [min(c.used, MOST) for _, c in counters], [c.held for _, c in counters]
            await connection.execute(SET_COUNTERS, packed(n for n, _ in counters), used, held, [c.until for _, c in counters])
        leases = [(id, held) for id, held in self._holding.items() if self._leases_before.get(id) != (held.ends, held.lapsed)]
        if leases:
            holds = [pack(held) for _, held in leases]
            ends, lapsed = [held.ends for _, held in leases], [held.lapsed for _, held in leases]
            await connection.execute(SET_LEASES, packed(id for id, _ in leases), holds, ends, lapsed)
        if gone := self._leases_before.keys() - self._holding.keys():
            await connection.execute(UNSET_LEASES, packed(gone))
        buckets = [(name, at) for name, at in self._full_at.items() if self._buckets_before.get(name) != at]
        if buckets:
            await connection.execute(SET_BUCKETS, packed(name for name, _ in buckets), [at for _, at in buckets])

    def _limit(self, hold: Hold) -> int:
        return min(hold.limit, MOST)

    def _sweep(self, now: float) -> None:
        """Ends leases that are over; what is old is deleted elsewhere."""
        if now < self._sweep_at:
            return
        for held in self._holding.values():
            if held.ends <= now and not held.lapsed:
                self._lapse(held)
        self._sweep_at = min((held.ends for held in self._holding.values() if not held.lapsed), default=math.inf)


def packed(names: Any) -> list[bytes]:
    return [name.encode() for name in names]


def capped(amounts: Mapping[str, int]) -> dict[str, int]:
    return {name: max(-MOST, min(amount, MOST)) for name, amount in amounts.items()}
