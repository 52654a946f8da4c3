"""State that outlives a request, as three small protocols: `KeyValue`, `Ledger`, `Journal`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from msgspec import Struct

if TYPE_CHECKING:
    from lynkr_core.stores.totals import Totals, Written

Record = Mapping[str, Any]
"""A journal row: `id` (text, unique) and `created` (seconds since 1970), the rest JSON values."""
NOTHING: Mapping[str, Any] = {}


@runtime_checkable
class Journal(Protocol):
    """Records of what happened, newest found first. A span of time is from `since` to `until`, both included.

    `where`: values that records must have in some of `totals.COLUMNS`, None for what is null or left out; and `priced`, True or False.
    Names that are none of these raise `ValueError`.
    """

    def append(self, record: Record) -> None:
        """Takes a record without waiting; it is written soon. Never raises for a full disk: that is counted and logged."""
        ...

    async def find(self, id: str) -> Record | None:
        """The record with this id; appended ones are found at once."""
        ...

    async def query(
        self,
        *,
        since: float = 0.0,
        until: float = math.inf,
        where: Mapping[str, Any] = NOTHING,
        limit: int = 100,
        before: tuple[float, str] | None = None,
    ) -> Sequence[Record]:
        """Records by their time and then their id, the last first; with `before` only those that come after the one with this time and id,
        which is the last of the page before.
        """
        ...

    async def usage(
        self,
        by: Sequence[str] = (),
        *,
        since: float = 0.0,
        until: float = math.inf,
        where: Mapping[str, Any] = NOTHING,
        limit: int = 1000,
    ) -> Sequence[Totals]:
        """Sums over records as `totals.row_of` counts each, grouped by some of `totals.COLUMNS` or the `day` in UTC; what was appended
        counts at once. The groups that cost most first, then by their values, null before any text; without `by` one, or none where
        there is no record.
        """
        ...

    async def flush(self) -> None:
        """Returns when all that was appended is written."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A journal that has several records made at once, which costs half, and takes them as they are written."""

    def append_later(self, make: Callable[[], Written], at_once: bool = False) -> None:
        """As `append`, with what `make` gives. It is called soon on the event loop, or whenever a record is asked for, unless `at_once`."""
        ...


@runtime_checkable
class KeyValue(Protocol):
    """Values by key, each with its time to live. Who shares a store takes keys that begin with the plugin's own name.

    Every store has its bound: the values used or written longest ago may go before their time. Those that are kept for good never do.
    """

    async def get(self, key: str) -> bytes | None:
        """The value; None when there is none, or its time is over."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keeps a value for `ttl` seconds, or for good when that is infinite, in the place of an older one. This process reads it from
        now on, those that share the store once this returns. Raises `OSError` when it cannot be kept.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forgets a value. Raises `OSError` when it cannot be forgotten."""
        ...

    async def scan(self, prefix: str, limit: int = 1000, *, after: str = "", lasting: bool = False) -> Mapping[str, bytes]:
        """Values whose keys begin so, in the order of their keys (by code point); those beyond the key `after`, which is the last one
        of the page before. With `lasting` only those that are kept for good.
        """
        ...


class Hold(Struct, frozen=True):
    """Room that one attempt needs on one counter.

    `counter` names it together with its window, as in `policy-budget/team:research/day/2026-11-21/usd`. `amount` and `limit` are whole
    numbers: nano-dollars, tokens or requests. `until`: when the window is over, in seconds since 1970; infinite for one without an end.

    `forfeit`: a lease that ends before anything was booked has used it all, as far as anybody knows: whoever held it may have been killed
    after the provider was asked. Without it such a lease has used nothing.
    """

    counter: str
    amount: int
    limit: int
    until: float
    forfeit: bool = False


class Balance(Struct, frozen=True):
    """What a counter stands at: `used` is booked, `held` is set aside by those that have not ended yet."""

    used: int = 0
    held: int = 0


class Full(Struct, frozen=True):
    """The counter that has no room, and what it stood at."""

    counter: str
    balance: Balance


class Bucket(Struct, frozen=True):
    """A rate: `capacity` units at once at most, refilled evenly over `period` seconds; `amount` of them are wanted."""

    name: str
    amount: int
    capacity: int
    period: float


class Wait(Struct, frozen=True):
    """The bucket that is too empty, and in how many seconds it will not be; infinite when more is wanted than it can ever hold."""

    bucket: str
    seconds: float


class NotNow(Enum):
    """What a call says that does not wait, when the one that waits has to be asked."""

    NOT_NOW = "not now"


NOT_NOW: Final = NotNow.NOT_NOW


@runtime_checkable
class Ledger(Protocol):
    """Counters that nobody can overdraw, whoever shares the store. Each call happens whole or not at all, and raises `OSError` when the
    store cannot be asked.
    """

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        """Sets every amount aside, or none of them and names a counter where used + held + amount would pass the limit.

        `id` names what is held; to hold again under the same one changes nothing. Each counter is named once. What nobody books within
        `lease` seconds is given back by itself, or, where it is `forfeit`, counts as used. Who is cancelled or gets an error does not
        know whether it is held: book nothing then.
        """
        ...

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        """Gives back what was set aside, or was forfeit since, and books `amounts`, by counter; a counter that is left out books nothing.

        Exactly once: False when it was booked before, or nothing was held under this id. A lease that is over does not matter for
        a day. What was really used is booked though it passes the limit.
        """
        ...

    async def renew(
        self, id: str, amounts: Mapping[str, int], new: str, holds: Sequence[Hold], lease: float
    ) -> Full | Mapping[str, Balance]:
        """Does `book(id, amounts)` and `hold(new, holds, lease)` with nobody in between, and tells what the held counters stand at then.

        Or does neither, and names a counter that has no room, with what it would stand at when only that had been booked. Without
        anything held under `id` nothing is booked, and to hold again under `new` changes nothing: so it can be repeated until it is
        answered.
        """
        ...

    async def extend(self, id: str, lease: float) -> bool:
        """Lets the lease end in so many seconds from now. False when it was given back or booked."""
        ...

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        """The counters whose names begin so, in the order of their names (by code point), beyond `after`; and not those whose window was
        over a day ago.
        """
        ...

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        """Until when the counters count that `balances` would name."""
        ...

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        """Takes every amount, or none of them and says which bucket is too empty the longest."""
        ...

    async def give(self, buckets: Sequence[Bucket]) -> None:
        """Puts amounts back that were not needed after all; negative ones are taken, even from a bucket that is empty then."""
        ...
