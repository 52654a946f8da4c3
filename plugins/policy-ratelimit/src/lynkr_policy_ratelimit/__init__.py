"""Rates of callers and models: requests, tokens and requests at once; and what providers say is left of their own limits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import count
from typing import Annotated, Any, Self

from msgspec import Meta, structs

from lynkr_core.errors import PluginError, Unavailable
from lynkr_core.exchange import Candidate, Exchange, Key, Outcome, Reject, Reservation, Selection
from lynkr_core.lending import billed_to_caller
from lynkr_core.plugins import Context, Plugin
from lynkr_core.scopes import Scope
from lynkr_core.stores import NOT_NOW, Bucket, Full, GuardedLedger, Ledger, MemoryStore, NotNow, OnFailure, Wait
from lynkr_core.stores.counters import Counters
from lynkr_core.waiting import last_at, stopped
from lynkr_policy_ratelimit.learned import Lane
from lynkr_policy_ratelimit.limits import Demands, Limit, Rule, refusal
from lynkr_policy_ratelimit.taking import Taken, corrections, exhausted, weigh

__all__ = ["Config", "Limit", "RateLimit", "plugin"]

log = logging.getLogger("lynkr.ratelimit")
LEASE = 120.0
"""Seconds after which the place of a process that died is free again; extended while an attempt goes on."""
LOOK_SECONDS = 15.0
MAX_LANES = 10_000
BUSY_WAIT = 1.0
"""Seconds after which to come back when too many requests are under way."""
FREE = "count_tokens"
"""What no model reads: providers limit it apart, by requests alone."""
NONE: tuple[Bucket, ...] = ()
COUNTED: Key[frozenset[str]] = Key("ratelimit.counted")


class Config(OnFailure, forbid_unknown_fields=True, kw_only=True):
    """`[policy.ratelimit]`"""

    limit: Annotated[list[Limit], Meta(description="`[[policy.ratelimit.limit]]`, all of which must have room.")] = []
    output: Annotated[
        int, Meta(ge=0, description="Tokens of an answer that are counted at first when the request does not say.")
    ] = 1000
    learn: Annotated[bool, Meta(description="Leave models alone whose provider says that nothing is left, until there is.")] = (
        True
    )
    sessions: Annotated[
        list[str], Meta(description="Headers that name a session, before those that clients are known to use.")
    ] = []
    store: Annotated[str | None, Meta(description="The store that keeps the rates; left out, the first one.")] = None


class RateLimit:
    """Waits only where the ledger has to be asked."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time, here: bool = True) -> None:
        """`here`: what is in this process's memory need not be waited for. Raises `PluginError` for a scope that is none."""
        self.config = config
        self.clock = clock
        self.prefix = f"policy-{context.name}/"
        self.ledger: Ledger = context.stores.ledger(config.store)
        self.now: Counters | None = self.ledger.counters if here and isinstance(self.ledger, MemoryStore) else None
        self.shares = GuardedLedger(self.ledger, config, f"policy.{context.name}", alone=True)
        self.demands = Demands([rule(self.prefix, place, limit, config, context) for place, limit in enumerate(config.limit)])
        self.counts_tokens = any(limit.tokens is not None for limit in config.limit)
        self.lanes: dict[Candidate, Lane] = {}
        self.live: set[str] = set()
        self.refused = self.spared = 0
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._look_after())
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._task)
        await self.shares.__aexit__(None, None, None)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.extend()
            except OSError as error:  # what is down was told once, by the shares
                log.debug("the store of the rates cannot be asked: %s", error)

    async def extend(self) -> None:
        """Keeps the places of attempts that go on."""
        for id in list(self.live):
            await (self.shares if self.now is None else self.ledger).extend(id, LEASE)

    def reserve(
        self, exchange: Exchange, candidate: Candidate
    ) -> Reservation | Reject | Coroutine[Any, Any, Reservation | Reject]:
        taken = self.wanted(exchange, candidate)
        if not isinstance(taken, Taken):
            return taken
        if self.now is not None:
            full = self._at_once(taken, self.now)
        elif taken.holds:
            full = NOT_NOW
        else:
            full = self.shares.try_take(taken.buckets)
        if full is None:
            return self.taken(exchange, taken)
        return self._wait(exchange, taken) if isinstance(full, NotNow) else self.told(full)

    def _at_once(self, taken: Taken, now: Counters) -> Full | Wait | None:
        """What cannot be taken gives the place back."""
        full = now.hold(taken.id, taken.holds, LEASE) if taken.holds else None
        if full is not None:
            return full
        wait = now.take(taken.buckets)
        if wait is not None and taken.holds:
            self.give_back(taken.id)
        return wait

    async def _wait(self, exchange: Exchange, taken: Taken) -> Reservation | Reject:
        try:
            full = await self.shares.hold(taken.id, taken.holds, LEASE) if taken.holds else None
            if full is None:
                full = await self._take(taken)
        except OSError:
            return Reject(unavailable())
        return self.taken(exchange, taken) if full is None else self.told(full)

    async def _take(self, taken: Taken) -> Wait | None:
        """As `_at_once`. Raises `OSError`."""
        try:
            wait = await self.shares.take(taken.buckets) if taken.buckets else None
        except BaseException:
            self.give_back(taken.id)
            raise
        if wait is not None and taken.holds:
            self.give_back(taken.id)
        return wait

    def wanted(self, exchange: Exchange, candidate: Candidate) -> Taken | Reject:
        """What an attempt takes, or that its provider has nothing left."""
        theirs = billed_to_caller(exchange, candidate)
        free = exchange.operation == FREE
        lane = None
        if self.config.learn and not theirs and not free:
            lane = self.lanes.get(candidate) or self._lane(candidate)
        if lane is not None and lane.unread:
            lane.read(self.clock())
        weight = weigh(exchange, candidate, self.config.output) if self.counts_tokens or (lane and lane.rooms) else 0
        if lane is not None and lane.rooms and (wait := lane.wait(weight, self.clock())) > 0:
            self.spared += 1
            return Reject(exhausted(candidate, wait))
        demand = self.demands.of(exchange, candidate, theirs)
        buckets, once, tokens = demand.buckets, demand.once, NONE
        if counted := exchange.get(COUNTED):
            buckets, once = tuple([bucket for bucket in buckets if bucket.name not in counted]), once | counted
        if demand.tokens and not free:  # who asks for more than there ever is gets in when all of it is there
            tokens = tuple([Bucket(one.name, min(weight, one.capacity), one.capacity, one.period) for one in demand.tokens])
            buckets += tokens
        id = f"{exchange.id}/{next(self._numbers)}/rate" if demand.holds else ""
        return Taken(id, buckets, tokens, once, demand.holds, weight, lane, last_at(exchange.attempts, candidate))

    def _lane(self, candidate: Candidate) -> Lane:
        """A new one."""
        if len(self.lanes) >= MAX_LANES:
            self.lanes.clear()
        lane = self.lanes[candidate] = Lane()
        return lane

    def taken(self, exchange: Exchange, taken: Taken) -> Reservation:
        if taken.once:
            exchange.set(COUNTED, taken.once)
        if taken.holds:
            self.live.add(taken.id)
        if self.shares.watch.since is not None and exchange.selection is not None:
            notes = {**exchange.selection.notes, "ratelimit-store": "down"}
            exchange.selection = structs.replace(exchange.selection, notes=notes)
        if (lane := taken.lane) is not None:
            if lane.rooms:
                lane.spend(taken.weight, self.clock())
            if taken.attempt is not None:
                lane.live += 1
                lane.unread.append(taken.attempt)
        return Reservation(data=taken)

    def told(self, full: Full | Wait) -> Reject:
        """What is said of a limit that has no room."""
        self.refused += 1
        if isinstance(full, Full):
            return Reject(refusal(full.counter, self.prefix, BUSY_WAIT))
        return Reject(refusal(full.bucket, self.prefix, full.seconds))

    def settle(self, reservation: Reservation, outcome: Outcome) -> None:
        """Tokens are put right, the place is given back, and what the provider said is learnt."""
        taken: Taken = reservation.data
        if taken.lane is not None and taken.attempt is not None:
            taken.lane.over(taken.attempt, self.clock())
        if taken.holds:
            self.live.discard(taken.id)
            self.give_back(taken.id)
        if taken.tokens and (right := corrections(taken, outcome)):
            self.give(right)

    def give_back(self, id: str) -> None:
        """The place of an attempt."""
        if self.now is not None:
            self.now.book(id, {})
        else:
            self.shares.try_book(id, {})

    def give(self, buckets: Sequence[Bucket]) -> None:
        if self.now is not None:
            self.now.give(buckets)
        else:
            self.shares.put_back(buckets)

    def status(self) -> Mapping[str, Any]:
        now = self.clock()
        left = {candidate.id: told for candidate, lane in list(self.lanes.items())[:100] if (told := lane.told(now))}
        store = self.shares.status().told(self.config.fail) if self.now is None else {}
        return {"refused": self.refused, "spared": self.spared, "concurrent": len(self.live), "left": left, **store}


def rule(prefix: str, place: int, limit: Limit, config: Config, context: Context) -> Rule:
    """Raises `PluginError`."""
    sessions = [name.lower().encode("latin-1") for name in config.sessions]
    try:
        return Rule(limit, Scope(limit.scope, context.tiers, sessions), prefix)
    except ValueError as error:
        raise PluginError(f"$.limit[{place}].scope: {error}") from None


def unavailable() -> Unavailable:
    told = "rates cannot be checked now: their store does not answer"
    return Unavailable(told, code="ratelimit_unavailable", retry_after=2.0)


class SpreadRateLimit(RateLimit):
    """With several providers, among which may be several credentials for one model."""

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """One model behind several credentials: who has most left is asked first, in the places that they have in the order."""
        if len(candidates) < 2 or not self.config.learn:
            return None
        models = [candidate.model for candidate in candidates]
        if len(set(models)) == len(models):
            return None
        now, left = self.clock(), list(candidates)
        order: list[Candidate] = []
        for model in models:
            best = min([one for one in left if one.model == model], key=lambda one: self._use(one, now))
            left.remove(best)
            order.append(best)
        if all(one is other for one, other in zip(order, candidates, strict=True)):
            return None
        return Selection(order=tuple(order), reason=f"{order[0].provider.name} has most left")

    def _use(self, candidate: Candidate, now: float) -> tuple[bool, float, int]:
        lane = self.lanes.get(candidate)
        if lane is None:
            return False, -1.0, 0
        lane.read(now)
        return lane.wait(1, now) > 0, -round(lane.headroom(now), 1), lane.live


def create(config: Config, context: Context) -> RateLimit:
    return (RateLimit if len(context.providers) == 1 else SpreadRateLimit)(config, context)


plugin = Plugin(api=1, config=Config, create=create, rank=35)
"""After the selectors: what they leave open is spread over credentials."""
