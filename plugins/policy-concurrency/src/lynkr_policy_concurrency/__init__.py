"""Lets so many requests in at once and so many more wait; the rest is told at once when to come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from lynkr_core.errors import ClientGone, GatewayError, Unavailable
from lynkr_core.exchange import Candidate, Exchange, Key, Outcome, Principal, Reject, Reservation
from lynkr_core.plugins import Plugin
from lynkr_policy_concurrency import memory
from lynkr_policy_concurrency.gate import Gate

__all__ = ["Concurrency", "Config", "Place", "plugin"]

MiB = 1024 * 1024
LOOK_EVERY = 0.25
"""Seconds between two looks at the memory."""
RECENT = 0.1
"""How much the newest exchange counts in the mean of how long one takes."""
Word = Literal["in", "refused", "late", "gone"]


class Lane(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`[policy.concurrency.providers.NAME]`"""

    concurrent: Annotated[int, Meta(gt=0, description="Attempts at once.")]
    queue: Annotated[int, Meta(ge=0, description="How many may wait when there is no other candidate.")] = 0


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.concurrency]`"""

    concurrent: Annotated[int, Meta(gt=0, description="Requests at once, streams until their end.")] = 2000
    queue: Annotated[int, Meta(ge=0, description="How many more may wait.")] = 500
    wait: Annotated[float, Meta(gt=0, le=4.5, description="Seconds after which a waiting request is refused.")] = 2.0
    providers: Annotated[dict[str, Lane], Meta(description="`{ concurrent = 4, queue = 8 }` by provider.")] = {}
    priorities: Annotated[
        dict[str, int],
        Meta(description="By tag, class, team, agent, user, key or id of the caller; higher goes first, others have 0."),
    ] = {}
    memory: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(description="MiB of memory beyond which all is refused; default: 90 % of the container's limit."),
    ] = None


class Place:
    """A request in line: `word` comes when it is known what becomes of it."""

    __slots__ = ("admission", "priority", "word")

    def __init__(self, priority: int) -> None:
        self.priority = priority
        self.admission = False
        self.word: asyncio.Future[Word] = asyncio.get_running_loop().create_future()

    def say(self, word: Word) -> None:
        if not self.word.done():
            self.word.set_result(word)

    def admitted(self) -> None:
        self.admission = True
        self.say("in")

    def refused(self) -> None:
        self.say("refused")

    def abort(self) -> None:
        """The caller has left."""
        self.say("gone")


class Concurrency:
    """One gate for the process, one for each provider that has a limit."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.gate = Gate(config.concurrent, config.queue)
        self.lanes = {name: Gate(lane.concurrent, lane.queue) for name, lane in config.providers.items()}
        self.refused = 0
        self._memory = config.memory * MiB if config.memory else memory.allowed()
        self._looked = 0.0
        self._full = False
        self._mean = 1.0
        self._entered: Key[float] = Key("concurrency.entered")

    async def pre_route(self, exchange: Exchange) -> Reject | None:
        if exchange.dry_run:
            return None
        if self._memory is not None and self._short_of_memory(self._memory):
            return self._refuse(Unavailable("lynkr is short of memory", retry_after=2.0))
        word = await self._pass(self.gate, exchange)
        if word != "in":
            return self._refuse(busy("lynkr", word, self._come_back(self.gate)))
        exchange.set(self._entered, time.monotonic())
        return None

    def post_response(self, exchange: Exchange) -> None:
        entered = exchange.get(self._entered)
        if entered is not None:
            self._mean += RECENT * (time.monotonic() - entered - self._mean)
            self.gate.release()

    async def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation | Reject | None:
        """Waits for a place only when there is nobody else to ask."""
        lane = self.lanes.get(candidate.provider.name)
        if lane is None:
            return None
        last = exchange.selection is None or exchange.selection.order[-1] is candidate
        word = await self._pass(lane, exchange, patient=last)
        if word != "in":
            return self._refuse(busy(candidate.provider.name, word, self._come_back(lane)))
        return Reservation(data=lane)

    def settle(self, reservation: Reservation, outcome: Outcome) -> None:
        reservation.data.release()

    async def _pass(self, gate: Gate, exchange: Exchange, patient: bool = True) -> Word:
        """What became of it. Raises `ClientGone` when the caller left meanwhile."""
        if not patient and (gate.active >= gate.limit or gate.waiting):
            return "refused"
        place = Place(self.priority(exchange.principal))
        entered = gate.enter(place)
        if entered != "waits":
            return "in" if entered == "in" else "refused"
        timer = asyncio.get_running_loop().call_later(self.config.wait, place.say, "late")
        exchange.waiting = place
        began = time.monotonic()
        word: Word = "gone"
        try:
            word = await place.word
        finally:
            timer.cancel()
            exchange.waiting = None
            exchange.queued += time.monotonic() - began
            gate.leave(place)
            if word != "in" and place.admission:
                gate.release()  # it gave up in the moment of its admission
        if word == "gone":
            raise ClientGone
        return word

    def priority(self, principal: Principal) -> int:
        """The highest of the caller's names."""
        if not self.config.priorities:
            return 0
        who = principal
        names = (*who.tags, who.principal_class, who.team, who.agent, who.user, who.key, who.id)
        return max([self.config.priorities[name] for name in names if name in self.config.priorities], default=0)

    def _come_back(self, gate: Gate) -> float:
        """Seconds until this line will be worked off."""
        return max(1.0, self._mean * (gate.waiting + 1) / gate.limit)

    def _short_of_memory(self, limit: int) -> bool:
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._full = memory.used() > limit
        return self._full

    def _refuse(self, error: GatewayError) -> Reject:
        self.refused += 1
        return Reject(error)

    def status(self) -> Mapping[str, Any]:
        lanes = {name: {"active": lane.active, "waiting": lane.waiting} for name, lane in self.lanes.items()}
        return {"active": self.gate.active, "waiting": self.gate.waiting, "refused": self.refused, "providers": lanes}


def busy(who: str, word: Word, retry_after: float) -> GatewayError:
    why = "the line is full" if word == "refused" else "the wait was too long"
    return Unavailable(f"{who} is busy: {why}", code="overloaded", retry_after=retry_after)


plugin = Plugin(api=1, config=Config, create=Concurrency)
