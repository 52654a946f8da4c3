"""Ceilings: on what one request may ask for, on how far an agent may go, and on which version of a model answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from lynkr_core.capabilities import length
from lynkr_core.errors import Forbidden, GatewayError, InvalidRequest, PluginError, TooLarge, Unavailable
from lynkr_core.exchange import Exchange, Reject
from lynkr_core.plugins import Context, Plugin
from lynkr_core.scopes import Scope, label, session_of
from lynkr_core.stores import GuardedLedger, Hold, Ledger, MemoryStore, OnFailure
from lynkr_policy_caps.ceiling import KEYS, beyond, lowered
from lynkr_policy_caps.drift import Drift
from lynkr_policy_caps.loops import turns

__all__ = ["Cap", "Caps", "Config", "plugin"]

RUN_SECONDS = 7 * 86400.0
"""How long a session's steps are remembered from its first one on."""
LEASE = 60.0
PASSED_ON = "passthrough"
"""The operation of requests to a provider's own API."""
Count = Annotated[int, Meta(gt=0)]


class Cap(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[[policy.caps.limit]]`"""

    scope: Annotated[str, Meta(description="Which callers it is about: `everyone`, `team:research`, `class:T4 + agent:*`.")] = (
        "everyone"
    )
    max_tokens: Annotated[Count | None, Meta(description="Tokens that an answer may have.")] = None
    over: Annotated[
        Literal["clamp", "refuse"], Meta(description="What becomes of a request for more: less is asked for, or 400.")
    ] = "clamp"
    messages: Annotated[Count | None, Meta(description="Messages of a conversation.")] = None
    tool_turns: Annotated[Count | None, Meta(description="Rounds of tool calls since a user last said something.")] = None
    repeats: Annotated[Count | None, Meta(description="The same call with the same arguments since then.")] = None
    steps: Annotated[Count | None, Meta(description="Requests of one session.")] = None


class Config(OnFailure, forbid_unknown_fields=True, kw_only=True):
    """`[policy.caps]`"""

    limit: Annotated[list[Cap], Meta(description="`[[policy.caps.limit]]`, all of which apply.")] = []
    pin: Annotated[dict[str, str], Meta(description="A name that callers ask for, and the `provider/model` that it means.")] = {}
    drift: Annotated[
        Literal["pinned", "all", "off"],
        Meta(description="Whose answers' versions are looked at; `all` warns when a model's changes."),
    ] = "pinned"
    sessions: Annotated[
        list[str], Meta(description="Headers that name a session, before those that clients are known to use.")
    ] = []
    store: Annotated[str | None, Meta(description="The store that counts the steps; left out, the first one.")] = None


class Caps:
    """Every cap whose scope applies is looked at, in their order."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time) -> None:
        """Raises `PluginError` for a scope that is none of callers."""
        self.config = config
        self.clock = clock
        self.prefix = f"policy-{context.name}/"
        self.drift = Drift()
        self.counts: Counter[str] = Counter()
        self._sessions = [name.lower().encode("latin-1") for name in config.sessions]
        ledger = context.stores.ledger(config.store)
        self._ledger: Ledger | GuardedLedger = (
            ledger if isinstance(ledger, MemoryStore) else GuardedLedger(ledger, config, f"policy.{context.name}", alone=True)
        )
        self._numbers = count()
        self._caps = [(self._scope(place, cap.scope, context), cap) for place, cap in enumerate(config.limit)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if isinstance(self._ledger, GuardedLedger):
            await self._ledger.__aexit__(None, None, None)

    def _scope(self, place: int, text: str, context: Context) -> Scope:
        try:
            scope = Scope(text, context.tiers, self._sessions)
        except ValueError as error:
            raise PluginError(f"$.limit[{place}].scope: {error}") from None
        if not scope.of_caller:
            raise PluginError(f"$.limit[{place}].scope: {text!r} is not about callers, and nobody else is known yet")
        return scope

    async def pre_route(self, exchange: Exchange) -> Reject | None:
        try:
            for scope, cap in self._caps:
                if scope.subjects(exchange, None):
                    self.check(exchange, cap)
                    if cap.steps is not None and not exchange.dry_run:
                        await self.step(exchange, cap.steps)
        except GatewayError as error:
            self.counts[error.code or "refused"] += 1
            return Reject(error)
        self.pin(exchange)
        return None

    def check(self, exchange: Exchange, cap: Cap) -> None:
        """Lowers what may be lowered. Raises `GatewayError` for what may not."""
        key = exchange.dialect.conversation
        if cap.messages is not None and (found := length(exchange.envelope.fields.get(key))) > cap.messages:
            raise TooLarge(f"{key} has {found} entries, over {cap.messages}", code="too_many_messages", param=key)
        if cap.max_tokens is not None:
            self.lower(exchange, cap.max_tokens, cap.over == "refuse")
        if cap.tool_turns is not None or cap.repeats is not None:
            check_loops(exchange, cap)

    def lower(self, exchange: Exchange, most: int, strict: bool) -> None:
        if exchange.operation == PASSED_ON:
            keep_below(exchange, most)
        if exchange.dialect.name not in KEYS:
            return
        try:
            changed = lowered(exchange.dialect.name, exchange.envelope.fields, most)
        except msgspec.MsgspecError:
            return  # whoever reads the whole request says what is wrong with it
        if changed is None:
            return
        fields, why = changed
        if strict and "lowered" in why:
            param = why.partition(":")[0]
            raise InvalidRequest(f"{param} may be at most {most}", code="max_tokens_exceeded", param=param)
        exchange.rewrite(fields)
        exchange.changes += (why,)
        self.counts["lowered"] += 1

    async def step(self, exchange: Exchange, most: int) -> None:
        """Counts a step of the session, if it has one. Raises `Forbidden` when it was the last one before, `Unavailable` when nobody can
        count it."""
        session = session_of(exchange, self._sessions)
        if session is None:
            return
        counter = f"{self.prefix}{label('session', session)}/steps"
        id = f"{exchange.id}/{next(self._numbers)}/step"
        until = self.clock() + RUN_SECONDS
        try:
            full = await self._ledger.hold(id, [Hold(counter, 1, most, until, forfeit=True)], LEASE)
        except OSError:
            told = "steps cannot be counted now: their store does not answer"
            raise Unavailable(told, code="caps_unavailable", retry_after=2.0) from None
        if full is not None:
            raise Forbidden(f"this session has made {most} requests, which is the most allowed", code="loop_guard")
        await self._ledger.book(id, {counter: 1})

    def pin(self, exchange: Exchange) -> None:
        pinned = self.config.pin.get(exchange.asked)
        if pinned is not None and not exchange.instead:
            exchange.instead = pinned
        if self.config.drift == "all" or (pinned is not None and self.config.drift == "pinned"):
            self.drift.watch(exchange, pinned is not None)

    def status(self) -> Mapping[str, Any]:
        store = self._ledger.status().told(self.config.fail) if isinstance(self._ledger, GuardedLedger) else {}
        return {**self.counts, "drifts": dict(list(self.drift.drifts.items())[:100]), **store}


def keep_below(exchange: Exchange, most: int) -> None:
    """Of what is passed on nothing is changed. Raises `InvalidRequest` for a request of more."""
    try:
        param = beyond(exchange.body, most)
    except msgspec.MsgspecError:
        return
    if param is not None:
        raise InvalidRequest(f"{param} may be at most {most}", code="max_tokens_exceeded", param=param)


def check_loops(exchange: Exchange, cap: Cap) -> None:
    """Raises `Forbidden`, which no client tries again."""
    if "tools" not in exchange.envelope.fields:
        return
    found = turns(exchange.request)
    if cap.tool_turns is not None and found.rounds > cap.tool_turns:
        told = f"{found.rounds} rounds of tool calls since a user last said something, over {cap.tool_turns}"
        raise Forbidden(told, code="loop_guard")
    if cap.repeats is not None and found.repeats > cap.repeats:
        raise Forbidden(
            f"{found.call!r} was called {found.repeats} times with the same arguments, over {cap.repeats}", code="loop_guard"
        )


plugin = Plugin(api=1, config=Config, create=Caps)
