"""What happens while a store is slow or down is said by whoever uses it, for each use."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from lynkr_core.stores.counters import Counters
from lynkr_core.stores.protocols import NOT_NOW, Balance, Bucket, Full, Hold, KeyValue, Ledger, NotNow, Wait
from lynkr_core.stores.recent import Recent
from lynkr_core.stores.shares import Shares

log = logging.getLogger("lynkr.stores")
T = TypeVar("T")
RETRY_SECONDS = 1.0
MOST_KNOWN = 10_000


class OnFailure(Struct, forbid_unknown_fields=True, kw_only=True):
    """For the settings of plugins that use a ledger, which inherit them."""

    fail: Annotated[
        Literal["open", "closed", "local-share"],
        Meta(
            description="While the store is down or slow: `open` lets all through and books it later, `local-share` goes on with what "
            "this process was given, `closed` refuses with 503."
        ),
    ] = "local-share"
    grace: Annotated[float, Meta(ge=0, description="Seconds for which `open` and `local-share` hold; then it is `closed`.")] = (
        30.0
    )
    deadline: Annotated[
        float, Meta(gt=0, le=4, description="Seconds after which a store that has not answered counts as down.")
    ] = 2.0
    part: Annotated[float, Meta(ge=0, le=1, description="The part of a limit that a process may be given ahead.")] = 0.02


class Status(Struct, frozen=True):
    """`since`: when it went down, in seconds since 1970; `let_through`: attempts without the store's consent since the start."""

    is_up: bool
    since: float | None
    error: str | None
    let_through: int

    def told(self, fail: str) -> dict[str, Any]:
        """For a plugin's `status()`, which anybody may read: without the error, which may name a machine."""
        since = {} if self.since is None else {"store_down_since": int(self.since)}
        return {"store": "ok" if self.is_up else "down", "fail": fail, "let_through": self.let_through, **since}


class Watch:
    """Asks a store with a deadline. Once it has failed nobody waits for it: one call a second tries again."""

    def __init__(self, name: str, deadline: float) -> None:
        self._name = name
        self._deadline = deadline
        self._retry_at = 0.0
        self._down_at = 0.0
        self.is_last = False  # there will be no other time to try
        self.since: float | None = None
        self.error: str | None = None

    def down_for(self) -> float:
        """For how many seconds; 0 when it is up."""
        return 0.0 if self.since is None else time.monotonic() - self._down_at

    async def ask(self, call: Coroutine[Any, Any, T]) -> T:
        """Raises `OSError` when the store is down."""
        if self.since is not None:
            if time.monotonic() < self._retry_at and not self.is_last:
                call.close()
                raise OSError(f"the store of {self._name} is down: {self.error}")
            self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            async with asyncio.timeout(self._deadline):
                told = await call
        except TimeoutError:
            raise self._down(f"no answer within {self._deadline:g} s") from None
        except OSError as error:
            raise self._down(str(error)) from error
        self._up()
        return told

    def _down(self, error: str) -> OSError:
        if self.since is None:
            self.since, self._down_at = time.time(), time.monotonic()
            log.error("the store of %s is down: %s", self._name, error)
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self.error = error
        return OSError(f"the store of {self._name} is down: {error}")

    def _up(self) -> None:
        if self.since is not None:
            log.warning("the store of %s is up again, after %.0f s", self._name, self.down_for())
            self.since = self.error = None


class WatchedLedger:
    """A ledger that is asked through a watch."""

    def __init__(self, ledger: Ledger, watch: Watch) -> None:
        self._ledger = ledger
        self._watch = watch

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        return await self._watch.ask(self._ledger.hold(id, holds, lease))

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        return await self._watch.ask(self._ledger.book(id, amounts))

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        return await self._watch.ask(self._ledger.renew(id, amounts, new, holds, lease))

    async def extend(self, id: str, lease: float) -> bool:
        return await self._watch.ask(self._ledger.extend(id, lease))

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        return await self._watch.ask(self._ledger.balances(prefix, limit, after=after))

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        return await self._watch.ask(self._ledger.windows(prefix, limit, after=after))

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        return await self._watch.ask(self._ledger.take(buckets))

    async def give(self, buckets: Sequence[Bucket]) -> None:
        await self._watch.ask(self._ledger.give(buckets))


class GuardedLedger(Shares):
    """Shares of a ledger that may be down, for one use of it. What it then may not let through raises `OSError`.

    What is let through while it is down is booked when it is up again. With `alone`, `local-share` means that this process keeps the
    limits by itself, from nothing: for rates and counts, which cost nobody anything when several processes do so. `watch.since` says
    whether it is down.
    """

    def __init__(self, ledger: Ledger, on_failure: OnFailure, name: str, alone: bool = False) -> None:
        self.watch = Watch(name, on_failure.deadline)
        is_local = on_failure.fail == "local-share" and not alone
        super().__init__(
            WatchedLedger(ledger, self.watch),
            part=on_failure.part,
            ahead=on_failure.grace if is_local else 0.2,
            lease=max(10.0, on_failure.grace) if is_local else 30.0,
        )
        self._on_failure = on_failure
        self._own = Counters() if alone and on_failure.fail == "local-share" else None
        self._let_through = 0

    async def __aexit__(self, *error: object) -> None:
        self.watch.is_last = True
        await super().__aexit__(*error)

    def status(self) -> Status:
        return Status(self.watch.since is None, self.watch.since, self.watch.error, self._let_through)

    def try_hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | NotNow | None:
        if self.watch.since is None:
            short = self._local.lacks(id, holds, lease)
            return None if short is None else self._refused(short)
        told = Shares.try_hold(self, id, holds, lease) if self._goes_on() else NOT_NOW
        return self._let(id, holds, lease) if isinstance(told, NotNow) and self._is_open() else told

    def try_book(self, id: str, amounts: Mapping[str, int]) -> bool | NotNow:
        if self._own is not None:
            self._own.book(id, amounts)
        return Shares.try_book(self, id, amounts)

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        try:
            if not self._goes_on():
                await self._ledger.balances(holds[0].counter, 1)
            return await super().hold(id, holds, lease)
        except OSError:
            if self._own is not None and self._goes_on():
                full = self._own.hold(id, holds, lease)
                return full if full is not None else self._let(id, holds, lease)
            if not self._is_open():
                raise
            return self._let(id, holds, lease)

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        try:
            return await super().take(buckets)
        except OSError:
            if not self._is_open() and (self._own is None or not self._goes_on()):
                raise
            self._let_through += 1
            return None if self._own is None else self._own.take(buckets)

    def _goes_on(self) -> bool:
        """Whether there is any answer but no."""
        return self.watch.since is None or (self._on_failure.fail != "closed" and self.watch.down_for() < self._on_failure.grace)

    def _is_open(self) -> bool:
        return self.watch.since is not None and self._on_failure.fail == "open" and self._goes_on()

    def _let(self, id: str, holds: Sequence[Hold], lease: float) -> None:
        self._let_through += 1
        self.hold_anyway(id, holds, lease)


class GuardedValues:
    """Values of a store that may be down: those that were read or set within `grace` seconds are still known, unless it is `closed`.

    There is no `open`: nobody can say what a value is that was never read.
    """

    def __init__(self, values: KeyValue, on_failure: OnFailure, name: str) -> None:
        self._values = values
        self._watch = Watch(name, on_failure.deadline)
        self._grace = 0.0 if on_failure.fail == "closed" else on_failure.grace
        self._known: Recent[str, tuple[bytes | None, float]] = Recent(MOST_KNOWN)

    def goes_on(self) -> bool:
        """Whether whoever cannot read a value may do without it."""
        return self._watch.since is None or self._watch.down_for() < self._grace

    def status(self) -> Status:
        return Status(self._watch.since is None, self._watch.since, self._watch.error, 0)

    async def get(self, key: str) -> bytes | None:
        """Raises `OSError` when the store is down and the value not known."""
        try:
            value = await self._watch.ask(self._values.get(key))
        except OSError:
            value, at = self._known.get(key) or (None, -math.inf)
            if time.monotonic() - at >= self._grace:
                raise
            return value
        self._know(key, value, math.inf)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self._watch.ask(self._values.set(key, value, ttl))
        self._know(key, value, ttl)

    async def delete(self, key: str) -> None:
        await self._watch.ask(self._values.delete(key))
        self._know(key, None, math.inf)

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        return await self._watch.ask(self._values.scan(prefix, limit, after=after, lasting=lasting))

    def _know(self, key: str, value: bytes | None, ttl: float) -> None:
        """A value that lives shorter than the grace is known for no longer than it lives."""
        self._known.set(key, (value, time.monotonic() - max(0.0, self._grace - ttl)))
