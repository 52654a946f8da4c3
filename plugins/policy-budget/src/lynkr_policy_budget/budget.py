"""What is set aside for an attempt, what is said when there is no room, and what is booked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct, structs

from lynkr_core.candidates import TIERS, Tiers
from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import Forbidden, Unavailable
from lynkr_core.exchange import Attempt, Candidate, Exchange, Key, Outcome, Reject, Reservation
from lynkr_core.lending import billed_to_caller
from lynkr_core.plugins import Context
from lynkr_core.pricing import cost, nano_dollars
from lynkr_core.routes import Route
from lynkr_core.stores import NOT_NOW, Full, GuardedValues, Hold
from lynkr_core.waiting import last_at, stopped
from lynkr_policy_budget.alerts import Alerts
from lynkr_policy_budget.balances import Standing
from lynkr_policy_budget.books import MARGIN, Books
from lynkr_policy_budget.bounds import NOTHING, Amounts, worst
from lynkr_policy_budget.commands import Commands
from lynkr_policy_budget.config import Config
from lynkr_policy_budget.desk import Desk
from lynkr_policy_budget.gauges import Gauges
from lynkr_policy_budget.learnt import higher
from lynkr_policy_budget.plans import Plans
from lynkr_policy_budget.rules import Room, refusal, rules_of
from lynkr_policy_budget.runs import Runs
from lynkr_policy_budget.standing import standings
from lynkr_policy_budget.stopped import Stopped, halted

if TYPE_CHECKING:
    from cyclopts import App

log = logging.getLogger("lynkr.budget")
LOOK_SECONDS = 2.0
LEARN_LOOKS = 30
"""In one of so many looks what was learnt of counts is read again."""
UNKNOWN_SECONDS = 300.0
"""How long an attempt without a deadline is thought to take, before its lease is extended."""
DOWNGRADED: Key[str] = Key("budget.downgraded")


class Wanted(Struct, eq=False):
    """What one attempt takes at most, and of which counters; `since` and `lease` in seconds, the one since 1970.

    `plain`: no stream is asked for.
    """

    id: str
    rooms: Sequence[Room]
    holds: Sequence[Hold]
    amounts: Amounts
    candidate: Candidate
    attempt: Attempt | None
    lease: float
    since: float
    plain: bool


class Budget:
    """Waits only where the ledger has to be asked."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time, here: bool = True) -> None:
        """`here`: what is in this process's memory need not be waited for. Raises `PluginError` for a scope that is none."""
        self.config = config
        self.clock = clock
        self.tiers = context.tiers
        self.prefix = f"policy-{context.name}/"
        sessions = [name.lower().encode("latin-1") for name in config.sessions]
        self.rules = rules_of(config, context, self.prefix, sessions)
        self.plans = Plans(self.rules)
        ledger = context.stores.ledger(config.store)
        self.books = Books(ledger, config, f"policy.{context.name}", here)
        self.alerts = Alerts(config.webhook, config.webhook_key, context.transport)
        self.gauges = Gauges(ledger, self.books.now is None, config.warn, self.alerts.say)
        seconds = config.run.seconds
        values = self._values = context.stores.key_value()
        self.doubts: Mapping[str, float] = {}
        began = GuardedValues(values, config, f"policy.{context.name}")
        self.runs = Runs(seconds, began, f"{self.prefix}began/", sessions, clock) if seconds else None
        self.counts = {"reserved": 0, "refused": 0, "downgraded": 0}
        self.stopped = Stopped(values, f"{self.prefix}stopped/", sessions)
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.gauges.seed(self.prefix)
        await self._learn()
        await self._stops()
        self._task = asyncio.ensure_future(self._look_after())
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._task)
        await self.books.close()
        await self.alerts.close()

    async def _look_after(self) -> None:
        for looks in count(1):
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._stops()
                await self.books.look(self.clock())
                await self.gauges.look()
                if looks % LEARN_LOOKS == 0:
                    await self._learn()
            except OSError as error:  # what is down was told once, by the books
                log.debug("the store of the budgets cannot be asked: %s", error)

    async def _stops(self) -> None:
        try:
            await self.stopped.look()
        except (OSError, *UNREADABLE) as error:
            log.debug("which runs are stopped cannot be read: %s", error)

    async def _learn(self) -> None:
        try:
            self.doubts = await higher(self._values, self.config.doubt)
        except (OSError, *UNREADABLE) as error:
            log.warning("what was learnt of counts cannot be read: %s", error)

    def pre_route(self, exchange: Exchange) -> Reject | None:
        """Runs that somebody has stopped go no further."""
        return self.refused(halted()) if self.stopped.runs and self.stopped.has(exchange) else None

    def wanted(self, exchange: Exchange, candidate: Candidate) -> Wanted | Reject | None:
        """What has to be set aside; None when no limit applies."""
        if exchange.instead and (downgraded := exchange.get(DOWNGRADED)) is not None:
            note(exchange, {"downgraded": downgraded})
        now = self.clock()
        rooms = self.plans.rooms(exchange, candidate, billed_to_caller(exchange, candidate), now)
        if not rooms:
            return None
        doubt = self.doubts.get(candidate.id, self.config.doubt) if self.doubts else self.config.doubt
        amounts = worst(exchange, candidate, doubt, self.config.max_output)
        holds: list[Hold] = []
        for room in rooms:
            amount = getattr(amounts, room.unit)
            if amount is None and not self._allowed(candidate):
                return self.refused(unpriced(candidate, room.subject))
            holds.append(Hold(room.counter, amount or 0, room.limit, room.until, forfeit=True))
        attempt, lease = last_at(exchange.attempts, candidate), UNKNOWN_SECONDS
        if attempt is not None and (most := attempt.until - attempt.started) < lease:
            lease = most if most > 0 else 0.0
        id, plain = f"{exchange.id}/{next(self._numbers)}", not exchange.envelope.stream
        return Wanted(id, rooms, holds, amounts, candidate, attempt, lease + MARGIN, now, plain)

    def reserve(
        self, exchange: Exchange, candidate: Candidate
    ) -> Reservation | Reject | Coroutine[Any, Any, Reservation | Reject | None] | None:
        wanted = self.wanted(exchange, candidate)
        if not isinstance(wanted, Wanted):
            return wanted
        full = self.books.try_hold(wanted.id, wanted.holds, wanted.lease)
        if full is None:
            return self.granted(exchange, wanted)
        return self._wait(exchange, wanted) if full is NOT_NOW else self._full(exchange, wanted, full)

    async def _wait(self, exchange: Exchange, wanted: Wanted) -> Reservation | Reject:
        try:
            full = await self.books.shares.hold(wanted.id, wanted.holds, wanted.lease)
        except OSError:
            return self.refused(unavailable())
        return self.granted(exchange, wanted) if full is None else self._full(exchange, wanted, full)

    def _allowed(self, candidate: Candidate) -> bool:
        return any(fnmatchcase(candidate.id, pattern) for pattern in self.config.allow_unpriced)

    def granted(self, exchange: Exchange, wanted: Wanted) -> Reservation:
        """There is room, and it is held."""
        self.counts["reserved"] += 1
        self.books.live[wanted.id] = wanted.lease, wanted.since + wanted.lease
        for gauge in self.gauges.near(wanted.rooms):
            note(exchange, gauge.told())
        if self.books.shares.watch.since is not None:
            note(exchange, {"budget-store": "down"})
        return Reservation(data=wanted)

    def _full(self, exchange: Exchange, wanted: Wanted, full: Full) -> Reject:
        """Nothing was set aside. The next candidate may fit; a limit that says so lets cheaper ones in that were not asked for."""
        room, hold = next(both for both in zip(wanted.rooms, wanted.holds, strict=True) if both[1].counter == full.counter)
        gauge = self.gauges.full(room, full.balance.used)
        note(exchange, gauge.told())
        if full.balance.used + hold.amount > hold.limit:
            self.gauges.reached(gauge, "exceeded")
        if room.rule.downgrade and exchange.get(DOWNGRADED) is None:
            instead = room.rule.instead or cheaper(wanted.candidate, self.tiers)
            if instead and instead != exchange.asked:
                exchange.instead = instead
                exchange.set(DOWNGRADED, f"the budget of {room.subject}")
                self.counts["downgraded"] += 1
        return self.refused(refusal(room, hold.amount, full.balance, self.clock()))

    def refused(self, error: Any) -> Reject:
        self.counts["refused"] += 1
        return Reject(error)

    def settle(self, reservation: Reservation, outcome: Outcome) -> None:
        wanted: Wanted = reservation.data
        used = spent(wanted, outcome)
        amounts: dict[str, int] = {}
        for room in wanted.rooms:
            amount = amounts[room.counter] = getattr(used, room.unit) or 0
            if amount:
                self.gauges.add(room, amount)
        self.books.book(wanted.id, amounts)

    def register_routes(self) -> Sequence[Route]:
        return Desk(self.books.ledger, self.prefix, self.rules, self.stopped).routes()

    def register_commands(self, cli: App) -> None:
        Commands(self.books.ledger, self._values, Standing(self.books.ledger, self.prefix, self.rules), self.stopped).add_to(cli)

    def status(self) -> Mapping[str, Any]:
        told = {**self.counts, "held": len(self.books.live)}
        highest = round(self.gauges.highest(self.clock()), 4)
        store = self.books.shares.status().told(self.config.fail) if self.books.now is None else {}
        told["stopped"] = len(self.stopped.runs)
        return {**told, "warnings": self.alerts.said, "webhooks_lost": self.alerts.lost, "highest": highest, **store}

    def budgets(self) -> Iterable[Mapping[str, Any]]:
        """What every limit stands at; see `standings`. For those who may see what others have used."""
        return standings(self.rules, self.gauges.used(), self.clock())


def spent(wanted: Wanted, outcome: Outcome) -> Amounts:
    """What an attempt took. An answer whose usage nobody told took all that was set aside, and so did one that was waited for in vain
    once the provider had the request, or whose caller did not wait for it; one that was refused, or failed with an error, took nothing.
    """
    usage, attempt, worst = outcome.usage, wanted.attempt, wanted.amounts
    if outcome.status == "refused":
        return NOTHING
    if usage is None:
        error = attempt.error if attempt else None
        sent = attempt is None or attempt.upstream is not None
        vain = outcome.status in ("ok", "cut") or (error is not None and error.kind in ("timeout", "cut") and sent)
        return worst if vain else NOTHING
    if wanted.plain and outcome.status == "cancelled" and usage.estimated and not (attempt and attempt.lost):
        return worst
    usd = cost(usage, wanted.candidate.price) if outcome.cost is None else outcome.cost
    usd = worst.usd if usd is None else nano_dollars(usd)  # the price may be known, but not of everything that was used
    answered = outcome.status in ("ok", "cut", "cancelled") and not (attempt and attempt.lost)
    tokens = usage.input_tokens + usage.output_tokens
    return Amounts(usd, tokens, 1 if answered else 0)


def unpriced(candidate: Candidate, subject: str) -> Forbidden:
    told = f"the price of {candidate.id} is unknown, and {subject} has a budget in dollars"
    return Forbidden(f"{told}; [prices] or allow_unpriced of [policy.budget] lets it serve", code="price_unknown", param="model")


def cheaper(candidate: Candidate, tiers: Tiers) -> str:
    """The next tier below the one that lists this candidate; for one that none lists, the dearest whose first is cheaper."""
    own = [index for index, name in enumerate(TIERS) if candidate in tiers.candidates(name)]
    below = TIERS[: own[0]] if own else TIERS
    for name in reversed(below):
        first = next(iter(tiers.candidates(name)), None)
        if first is not None and first is not candidate and (own or less(first, candidate)):
            return name
    return ""


def less(first: Candidate, second: Candidate) -> bool:
    """Whether the first is known to cost less."""
    return first.price is not None and second.price is not None and first.price.output < second.price.output


def unavailable() -> Unavailable:
    told = "budgets cannot be checked now: their store does not answer"
    return Unavailable(told, code="budget_unavailable", retry_after=2.0)


def note(exchange: Exchange, notes: Mapping[str, str]) -> None:
    """Adds response headers."""
    if exchange.selection is not None:
        exchange.selection = structs.replace(exchange.selection, notes={**exchange.selection.notes, **notes})
