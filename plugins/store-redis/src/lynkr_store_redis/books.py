"""The ledger: what goes into its scripts and what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lynkr_core.stores import Balance, Bucket, Full, Hold, Wait
from lynkr_store_redis.server import Server

MOST = 2**62
"""What a counter can stand at: 4.6 billion dollars in nano-dollars. Redis adds with 64 bits."""

_encode = msgspec.msgpack.Encoder().encode


class Books:
    """A `Ledger` in counters of Redis. Times are the server's. Numbers travel as text: Lua's are exact to 2^53 only."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._full_at = [server.key("buckets")]

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        told = await self._server.run("hold", [id, repr(lease), pack(holds)])
        return full(told) if told else None

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        return await asyncio.shield(self._server.run("book", [id, spell(amounts)])) == 1

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        args = [id, spell(amounts), new, repr(lease), pack(holds)]
        fits, *told = await asyncio.shield(self._server.run("renew", args))
        return {name.decode(): balance(total, used) for name, total, used in told} if fits else full(told[0])

    async def extend(self, id: str, lease: float) -> bool:
        return await self._server.run("extend", [id, repr(lease)]) == 1

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        rows = await self._rows(prefix, limit, after)
        return {name.decode(): balance(total, used) for name, total, used, _ in rows}

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        """Until when the counters count that `balances` would name."""
        return {name.decode(): float(until) for name, _, _, until in await self._rows(prefix, limit, after)}

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        told = await self._server.run("take", [tell(buckets), 1], self._full_at)
        return Wait(told[0].decode(), float(told[1])) if told else None

    async def give(self, buckets: Sequence[Bucket]) -> None:
        await asyncio.shield(self._server.run("take", [tell(buckets), -1], self._full_at))

    async def _rows(self, prefix: str, limit: int, after: str) -> Sequence[tuple[bytes, bytes, bytes, bytes]]:
        return await self._server.run("balances", [*between(prefix, after), limit])


def between(prefix: str, after: str) -> tuple[bytes, bytes]:
    """Names that begin so and lie beyond `after`, for ZRANGEBYLEX. No byte of UTF-8 is 0xff."""
    low = f"({after}" if after >= prefix and after else f"[{prefix}"
    return low.encode(), b"(" + prefix.encode() + b"\xff"


def pack(holds: Iterable[Hold]) -> bytes:
    """Name, amount, how much there may be before it, until when, and whether it is forfeit."""
    return _encode(
        [(h.counter, str(h.amount), str(min(h.limit, MOST) - h.amount), repr(float(h.until)), h.forfeit) for h in holds]
    )


def spell(amounts: Mapping[str, int]) -> bytes:
    return _encode({name: str(max(-MOST, min(amount, MOST))) for name, amount in amounts.items()})


def tell(buckets: Iterable[Bucket]) -> bytes:
    return _encode([(bucket.name, float(bucket.amount), float(bucket.capacity), float(bucket.period)) for bucket in buckets])


def balance(total: bytes, used: bytes) -> Balance:
    return Balance(int(used), int(total) - int(used))


def full(told: Any) -> Full:
    name, total, used = told
    return Full(name.decode(), balance(total, used))
