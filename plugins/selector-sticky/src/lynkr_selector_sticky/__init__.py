"""Keeps a conversation with its model while that pays, and says what switching would cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.errors import InvalidRequest, PluginError
from lynkr_core.exchange import Candidate, Exchange, Key, Outcome, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_core.request import Message
from lynkr_core.sessions import SETTLED
from lynkr_core.stores import KeyValue
from lynkr_selector_sticky.deciding import Case, Choice, Rules, decide
from lynkr_selector_sticky.pins import FRESH, Pin, Pins, Warm, decode, encode, key_of
from lynkr_selector_sticky.sums import SMALLEST, Ahead, Sums, sums
from lynkr_selector_sticky.turns import is_mid_tools, worst_failures

__all__ = ["Config", "StickySelector", "plugin"]

log = logging.getLogger("lynkr.sticky")
SIDE = frozenset({"side_request", "probe"})
"""Gates of scorers for what a tool asks for itself: titles, topics, quota probes."""
PROBE = 16
"""Answer tokens with which nothing but a probe, a label or a title can be meant."""
MAX_WARM = 4
BYTES_PER_TOKEN = 4
GROWTH = 1000
"""Tokens that a turn adds, as long as the conversation has not shown."""


class Pending(Struct, frozen=True):
    """What becomes of a pin when the answer is there."""

    key: str
    pin: Pin


PENDING: Key[Pending] = Key("selector-sticky.pending")


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.sticky]`"""

    hysteresis: Annotated[
        float, Meta(ge=0, description="Points by which a score must be over or under a tier's bound to count at once.")
    ] = 15.0
    patience: Annotated[
        int, Meta(ge=1, description="Asks in a row, just over or under the bound, after which the conversation follows.")
    ] = 2
    stall: Annotated[int, Meta(ge=1, description="Times the same call of a tool has failed after which it climbs.")] = 3
    horizon: Annotated[
        int, Meta(ge=1, le=200, description="Turns ahead that are priced at most; as many are expected as there were.")
    ] = 20
    output_tokens: Annotated[int, Meta(ge=0, description="Tokens of an answer, as long as the conversation has not shown.")] = 500
    cache_seconds: Annotated[float, Meta(ge=0, description="How long providers keep a prompt that nobody reads.")] = 300.0
    keep: Annotated[float, Meta(gt=0, description="Seconds after its last answer until a conversation is forgotten.")] = 3600.0
    store: Annotated[
        str | None,
        Meta(description="Name of a store for values in which several processes share what they know; none: each its own."),
    ] = None


class StickySelector:
    """Revises what the selectors say, for requests of `auto` and of tiers. Nothing is remembered before an answer is there."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.tiers = context.tiers
        self.clock = clock
        self.pins = Pins(config.keep, clock=clock)
        self.rules = Rules(hysteresis=config.hysteresis, patience=config.patience, stall=config.stall)

    def revise_selection(self, exchange: Exchange, selection: Selection) -> Selection | None:
        key = self.key(exchange, selection)
        return None if key is None else self.revised(exchange, selection, key, self.pins.get(key))

    def key(self, exchange: Exchange, selection: Selection) -> str | None:
        """None for what is no part of a conversation, or is not to be changed."""
        if exchange.route not in ("auto", "tier") or not selection.order or is_side(exchange):
            return None
        return key_of(exchange)

    def revised(self, exchange: Exchange, selection: Selection, key: str, pin: Pin | None) -> Selection | None:
        messages = messages_of(exchange)
        fresh = Pin(candidate="", since=len(messages)) if pin is None else pin
        pinned = self.found(exchange, selection, pin)
        if pin is None or pinned is None:
            exchange.set(PENDING, Pending(key, structs.replace(fresh, drift=0)))
            left = next((removal.reason for removal in exchange.removed if pin and removal.candidate == pin.candidate), "")
            reason = f"{selection.reason}; leaves {pin.candidate}: {left or 'no candidate of this request'}" if pin else ""
            return structs.replace(selection, reason=reason) if pin else None
        exchange.set(SETTLED, True)
        case = self.case(exchange, selection, pin, pinned, messages)
        choice = decide(case, self.rules, self.tiers)
        exchange.set(PENDING, Pending(key, structs.replace(pin, drift=choice.drift)))
        return self.told(selection, case, choice)

    def found(self, exchange: Exchange, selection: Selection, pin: Pin | None) -> Candidate | None:
        """The conversation's model, if it may be asked. Of a tier that was asked for by name only its own."""
        if pin is None:
            return None
        among = selection.order
        if exchange.route == "tier" and exchange.tier:
            own = self.tiers.candidates(exchange.tier)
            among = tuple([candidate for candidate in among if candidate in own])
        return next((candidate for candidate in among if candidate.id == pin.candidate), None)

    def case(
        self, exchange: Exchange, selection: Selection, pin: Pin, pinned: Candidate, messages: tuple[Message, ...]
    ) -> Case:  # fmt: skip
        fresh, by_name = selection.order[0], exchange.route == "tier"
        pin = structs.replace(pin, tier=exchange.tier) if by_name else pin
        failures, tool = worst_failures(messages[pin.since :])
        return Case(
            pin=pin, pinned=pinned, fresh=fresh, tier=exchange.tier, score=exchange.score, failures=failures, tool=tool,
            reachable=() if by_name else selection.order, mid_tools=is_mid_tools(messages),
            gates=frozenset(gate for score in exchange.scores for gate in score.gates),
            sums=None if fresh is pinned else self.priced(exchange, pin, pinned, fresh),
        )  # fmt: skip

    def priced(self, exchange: Exchange, pin: Pin, pinned: Candidate, fresh: Candidate) -> Sums | None:
        """As many turns are expected as there were: conversations that have lasted go on."""
        grown = max(len(exchange.body) - pin.size, 0) // BYTES_PER_TOKEN
        ahead = Ahead(
            tokens=pin.tokens + grown,
            growth=round(pin.growth or GROWTH),
            output=round(pin.output or self.config.output_tokens),
            turns=min(max(pin.turns, 1), self.config.horizon),
        )
        return sums(pinned, fresh, ahead, self.warm(pin, pinned.id), self.warm(pin, fresh.id))

    def warm(self, pin: Pin, id: str) -> int:
        """Tokens of the conversation that this candidate has in its cache, as far as is known."""
        warm = pin.warm.get(id)
        return warm.tokens if warm is not None and self.clock() - warm.at <= self.config.cache_seconds else 0

    def told(self, selection: Selection, case: Case, choice: Choice) -> Selection:
        reason = f"{selection.reason}; {choice.reason}" if selection.reason else choice.reason
        notes = {**selection.notes, "sticky": f"{choice.reason}; {case.sums}" if case.sums else choice.reason}
        if choice.to is selection.order[0]:
            return structs.replace(selection, reason=reason, notes=notes)
        notes.pop("propensity", None)  # no lot has chosen this one
        rest = tuple([candidate for candidate in selection.order if candidate is not choice.to])
        tier = case.pin.tier if choice.to is case.pinned else self.tier_of(choice.to, None)
        return structs.replace(selection, order=(choice.to, *rest), reason=reason, notes=notes, tier=tier, removed=())

    def tier_of(self, candidate: Candidate, asked: str | None) -> str | None:
        """The tier for which it was chosen, if it is one of its own; else the cheapest it is in."""
        names = [name for name in self.tiers.names if candidate in self.tiers.candidates(name)]
        return asked if asked in names else next(iter(names), None)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        pending = exchange.get(PENDING)
        if pending is not None and outcome.candidate is not None and outcome.status in ("ok", "cancelled"):
            self.pins.set(pending.key, self.noted(exchange, pending.pin, outcome, outcome.candidate))

    def noted(self, exchange: Exchange, pin: Pin, outcome: Outcome, candidate: Candidate) -> Pin:
        """The pin after one more turn."""
        usage = outcome.usage
        tokens = usage.input_tokens if usage and usage.input_tokens else len(exchange.body) // BYTES_PER_TOKEN
        said = usage.output_tokens if usage else 0
        cold = pin.turns and usage and tokens > 2 * SMALLEST and not (usage.cache_read or usage.cache_write or usage.estimated)
        warm = {id: each for id, each in pin.warm.items() if id != candidate.id}
        warm = dict(list(warm.items())[-MAX_WARM + 1 :]) | {candidate.id: Warm(0 if cold else tokens + said, self.clock())}
        moved = candidate.id != pin.candidate
        part = FRESH if pin.turns > 1 else 1.0
        return structs.replace(
            pin, candidate=candidate.id, turns=pin.turns + 1, size=len(exchange.body), tokens=tokens, warm=warm,
            tier=self.tier_of(candidate, exchange.tier) if moved else pin.tier,
            since=len(messages_of(exchange)) if moved else pin.since,
            growth=pin.growth + part * (max(tokens - pin.tokens, 0) - pin.growth) if pin.turns else 0.0,
            output=pin.output + part * (said - pin.output) if said else pin.output,
        )  # fmt: skip


class SharedSelector(StickySelector):
    """Several processes know of each other's conversations. A store that fails leaves each with what it knows itself."""

    def __init__(self, config: Config, context: Context, store: KeyValue, clock: Callable[[], float] = time.time) -> None:
        super().__init__(config, context, clock)
        self.store = store

    async def revise_selection(self, exchange: Exchange, selection: Selection) -> Selection | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        key = self.key(exchange, selection)
        if key is None:
            return None
        try:
            data = await self.store.get(f"sticky/{key}")
        except OSError as error:
            log.warning("the store of conversations cannot be read: %s", error)
            data = None
        return self.revised(exchange, selection, key, (decode(data) if data else None) or self.pins.get(key))

    async def post_response(self, exchange: Exchange, outcome: Outcome) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().post_response(exchange, outcome)
        pending = exchange.get(PENDING)
        pin = self.pins.get(pending.key) if pending else None
        if pending is not None and pin is not None:
            await self.store.set(f"sticky/{pending.key}", encode(pin), self.config.keep)


def is_side(exchange: Exchange) -> bool:
    """Whether a tool asks for itself: that says nothing of the conversation, and leaves no trace in it."""
    limit = exchange.envelope.max_tokens
    return (limit is not None and limit <= PROBE) or any(not SIDE.isdisjoint(score.gates) for score in exchange.scores)


def messages_of(exchange: Exchange) -> tuple[Message, ...]:
    try:
        return exchange.request.messages
    except InvalidRequest:
        return ()  # whoever has to read it will say what is wrong


def create(config: Config, context: Context) -> StickySelector:
    """Raises `PluginError` for a store that is not enabled."""
    if config.store is None:
        return StickySelector(config, context)
    try:
        return SharedSelector(config, context, context.stores.key_value(config.store))
    except KeyError:
        raise PluginError(f"$.store: there is no [store.{config.store}]") from None


plugin = Plugin(api=1, config=Config, create=create, rank=9)
