"""A ledger before a ledger: it takes room for many attempts at once and gives that out in memory."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Self

from lynkr_core.stores.allotted import BOUNDLESS, Allotted
from lynkr_core.stores.direct import Direct
from lynkr_core.stores.protocols import NOT_NOW, Balance, Bucket, Full, Hold, Ledger, NotNow, Wait
from lynkr_core.stores.share import Refusal, Share
from lynkr_core.stores.stocks import Stocks
from lynkr_core.waiting import stopped

log = logging.getLogger("lynkr.stores")

PATIENCE = 3
"""How many ticks somebody waits for room that other processes may be about to return."""


class Shares:
    """As a `Ledger`, but for `renew`; its `try_hold`, `try_book` and `try_take` need no store most of the time, and say `NOT_NOW` when the
    one that waits has to be asked.

    Counters that are wanted less than five times a tick are held in the ledger by each attempt, and booked at the next tick. Of the others
    this takes shares. A share is one hold in the ledger, with a lease, on one counter. It is taken for what attempts want in `ahead`
    seconds, but for no more than `part` of the limit and an eighth of what is left, so that near the limit every attempt asks the ledger.
    `every` so many seconds what was used is booked, and what nobody wanted since goes back: somebody who is refused while others hold
    room waits for that three times. A share is not given out of after its `lease`: a process that was cut off cannot spend what has gone
    back. One that is killed keeps its shares for so long from the others; then they are used, where they are `forfeit`, as nobody knows
    how far they were, and else given back.
    """

    def __init__(
        self, ledger: Ledger, *, part: float = 0.02, ahead: float = 0.2, every: float = 0.1, lease: float = 30.0
    ) -> None:
        self._ledger = ledger
        self._part = part
        self._every = every
        self._ahead = max(1, round(ahead / every))
        self._lease = lease
        self._shares: dict[str, Share] = {}
        self._local = Allotted(self._shares, self._share)
        self._direct = Direct(ledger)
        self._stocks = Stocks(ledger, part, every)
        self._ticking: asyncio.Task[None] | None = None
        self._failing = False
        self.try_take = self._stocks.try_take

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._ticking)
        self._ticking = None
        for given in (*self._shares.values(), *self._stocks):
            given.asked = given.demand = 0
        await self.flush()

    def try_hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | NotNow | None:
        """As `hold`, at once; `NOT_NOW` when the ledger has to be asked."""
        short = self._local.lacks(id, holds, lease)
        return None if short is None else self._refused(short)

    def hold_anyway(self, id: str, holds: Sequence[Hold], lease: float) -> None:
        """Lets an attempt through though nobody has the room: what it uses is booked as soon as the ledger can be asked."""
        self._local.hold(id, holds, lease)

    def try_book(self, id: str, amounts: Mapping[str, int]) -> bool | NotNow:
        """As `book`, at once; `NOT_NOW` for what was held without this object."""
        if not self._local.book(id, amounts):
            return False if id in self._direct else NOT_NOW
        if self._ticking is None:
            self._tick()
        if self._direct.held:
            for hold in self._direct.holds_of(id):
                self._share(hold).refusal = None
            self._direct.book(id, amounts)
        return True

    async def hold(self, id: str, holds: Sequence[Hold], lease: float) -> Full | None:
        if id in self._local:
            return None
        if id in self._direct:  # held, and booked since the last tick
            await self._direct.flush()
        waited = 0
        told: Full | NotNow | None = NOT_NOW
        try:
            while isinstance(told, NotNow):
                self._local.sweep()
                told = Shares.try_hold(self, id, [hold for hold in holds if not self._direct.has(id, hold)], lease)
                short = None if not isinstance(told, NotNow) else await self._bring(id, holds, lease)
                if short is not None and waited < PATIENCE and self._is_hopeful(*short):
                    waited += bool(not self._direct)
                    await (self._direct.flush() if self._direct else asyncio.sleep(self._every))
                elif short is not None:
                    told = self._refuse(*short)
            return told
        finally:
            if told is not None:  # refused, cancelled or an error: nobody books what was held for it by now
                self._direct.book(id, {})

    async def book(self, id: str, amounts: Mapping[str, int]) -> bool:
        told = self.try_book(id, amounts)
        return await self._ledger.book(id, amounts) if isinstance(told, NotNow) else told

    async def extend(self, id: str, lease: float) -> bool:
        if id in self._direct or id not in self._local:
            return await self._ledger.extend(id, lease) and (self._local.extend(id, lease) or id not in self._local)
        return self._local.extend(id, lease)

    async def balances(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, Balance]:
        """What attempts hold and have used; of other processes, what their shares are and what they have booked."""
        if self._direct:
            await self._direct.flush()
        found = dict(await self._ledger.balances(prefix, limit, after=after))
        self._local.sweep()
        for name, balance in found.items():
            if (share := self._shares.get(name)) is not None:
                found[name] = Balance(balance.used + share.used, balance.held - share.allotted + share.held)
        return found

    async def windows(self, prefix: str, limit: int = 1000, *, after: str = "") -> Mapping[str, float]:
        return await self._ledger.windows(prefix, limit, after=after)

    async def take(self, buckets: Sequence[Bucket]) -> Wait | None:
        self._tick()
        return await self._stocks.take(buckets)

    async def give(self, buckets: Sequence[Bucket]) -> None:
        self.put_back(buckets)

    def put_back(self, buckets: Sequence[Bucket]) -> None:
        """As `give`, at once."""
        self._tick()
        self._stocks.give(buckets)

    async def flush(self) -> None:
        """Books what was used and returns what nobody wants; raises nothing: what cannot be done now is done later."""
        self._local.sweep()
        self._direct.forget(self._local.__contains__)
        work = [self._round(share) for share in list(self._shares.values()) if not self._is_over(share)]
        told = await asyncio.gather(*work, self._direct.flush(), self._stocks.flush(), return_exceptions=True)
        errors = [error for error in told if isinstance(error, BaseException)]
        if errors and not self._failing:
            log.error("what shares have used cannot be booked now, and is later: %s", errors[0])
        self._failing = bool(errors)

    def _share(self, hold: Hold) -> Share:
        self._tick()
        share = self._shares.get(hold.counter)
        if share is None:
            share = Share(hold.until, name=hold.counter, forfeit=hold.forfeit, part=self._part, ticks=self._ahead)
            self._shares[hold.counter] = share
        return share

    def _is_over(self, share: Share) -> bool:
        """Whether there is nothing in the ledger and nothing to be booked; then it is forgotten unless somebody wanted it."""
        if share.is_used or share.used or share.held:
            return False
        if not share.count:
            del self._shares[share.name]
        share.look_back()
        return True

    def _is_hopeful(self, hold: Hold, full: Full) -> bool:
        """Whether room may come back from others, or from what waits to be booked."""
        is_spent = full.balance.used + hold.amount > hold.limit
        return not is_spent and bool(full.balance.held or self._direct)

    def _refuse(self, hold: Hold, full: Full) -> Full:
        seconds = 10 * self._every if full.balance.used + hold.amount > hold.limit else self._every
        share = self._share(hold)
        others = Balance(full.balance.used - share.used, full.balance.held)
        share.refusal = Refusal(others, hold.amount, hold.limit, time.monotonic() + seconds)
        return self._told(share, others)

    def _refused(self, hold: Hold) -> Full | NotNow:
        share = self._shares.get(hold.counter)
        others = share.refused(hold, time.monotonic()) if share is not None else None
        return NOT_NOW if share is None or others is None else self._told(share, others)

    def _told(self, share: Share, others: Balance) -> Full:
        held = others.held + share.held + self._direct.held.get(share.name, 0)
        return Full(share.name, Balance(others.used + share.used, held))

    async def _bring(self, id: str, holds: Sequence[Hold], lease: float) -> tuple[Hold, Full] | None:
        """Has more room given to each share that lacks it, and the rest held. Or the hold for which the ledger has no room, and what it
        said, without this process's part in what is held.
        """
        left = [hold for hold in holds if not self._direct.has(id, hold)]
        lacking = [hold for hold in left if not self._share(hold).has(hold)]
        cold = [hold for hold in lacking if self._share(hold).want() and id not in self._direct]
        warm = [hold for hold in lacking if hold not in cold]
        told = [await self._more(warm[0])] if len(warm) == 1 else await asyncio.gather(*[self._more(hold) for hold in warm])
        short = next(((hold, full) for hold, full in zip(warm, told, strict=True) if full is not None), None)
        if short is None and cold and (full := await self._direct.hold(id, cold, lease)) is not None:
            hold = next(hold for hold in cold if hold.counter == full.counter)
            short = hold, Full(full.counter, Balance(full.balance.used + self._share(hold).used, full.balance.held))
        if short is None:
            return None
        hold, full = short
        return hold, Full(full.counter, Balance(full.balance.used, full.balance.held - self._direct.held.get(hold.counter, 0)))

    async def _more(self, hold: Hold) -> Full | None:
        share = self._share(hold)
        share.wanted += hold.amount
        try:
            async with share.lock:
                if share.has(hold):
                    return None  # who waited before has brought enough
                return await self._grow(share, hold)
        finally:
            share.wanted -= hold.amount

    async def _grow(self, share: Share, hold: Hold) -> Full | None:
        await self._finish(share)
        ahead = share.ahead(hold.limit)
        left = 0
        for more in (ahead, 0) if ahead else (0,):
            full = await self._change(share, share.used, share.held + share.wanted + more, hold.limit)
            if full is None or share.has(hold):
                return None
            left = hold.limit - full.balance.used - full.balance.held
            if left < share.held + hold.amount:
                return full
        return await self._change(share, share.used, left, hold.limit)

    async def _round(self, share: Share) -> None:
        """Books, gives back, and renews the lease, where there is anything to do."""
        async with share.lock:
            await self._finish(share)
            used, is_idle = share.used, share.look_back()
            aim = share.held + (0 if is_idle else share.ahead(share.limit))
            if not aim and not share.wanted:
                await self._close(share, used)
            elif used or aim < share.allotted or share.ends - time.monotonic() < self._lease / 2:
                aim = min(aim, max(share.allotted - used, share.held))
                if await self._change(share, used, aim, share.limit) is not None:  # others have used more than they held
                    await self._close(share, used)

    async def _change(self, share: Share, used: int, amount: int, limit: int) -> Full | None:
        """Books `used` and has `amount` in the place of what there was; a share without anything in the ledger begins."""
        share.begin_change(used, amount, limit, time.monotonic() + self._lease, uuid.uuid4().hex)
        return await self._finish(share)

    async def _finish(self, share: Share) -> Full | None:
        """Repeats what was begun until the ledger answers. Raises `OSError`; then, or when cancelled, it is still to be finished."""
        if share.closing is not None:
            await self._ledger.book(share.id, {share.name: share.closing})
            share.used -= share.closing
            share.closed()
        change = share.change
        if change is None:
            return None
        holds = [Hold(share.name, change.amount, change.limit, share.until, share.forfeit)]
        told = await self._ledger.renew(share.id, {share.name: change.used}, change.id, holds, self._lease)
        if isinstance(told, Full):
            share.undo_change()
            return told
        if share.id:
            share.used -= change.used
        share.end_change(told[share.name])
        return None

    async def _close(self, share: Share, used: int) -> None:
        """Books and gives all back. What was used by attempts that came back after the share went is booked by a hold of nothing."""
        if used and not share.id:
            await self._change(share, 0, 0, BOUNDLESS)
        if share.id:
            share.close(used)
            await self._finish(share)
        if not (share.used or share.held or share.wanted) and self._shares.get(share.name) is share:
            del self._shares[share.name]

    def _tick(self) -> None:
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().create_task(self._run(), name="lynkr-shares")

    async def _run(self) -> None:
        try:
            while self._shares or self._stocks or self._direct:
                await asyncio.sleep(self._every)
                await self.flush()
        finally:
            self._ticking = None
