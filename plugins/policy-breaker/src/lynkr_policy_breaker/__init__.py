"""Leaves candidates alone while they fail, and credentials until a limit of theirs is known to be over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from msgspec import Meta, Struct

from lynkr_core.errors import KINDS, GatewayError, PluginError, RateLimited, Unavailable, UpstreamError
from lynkr_core.exchange import Candidate, Exchange, Outcome, Reject, Reservation
from lynkr_core.lending import billed_to_caller
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import Provider
from lynkr_core.stores import KeyValue
from lynkr_core.waiting import stopped
from lynkr_policy_breaker.board import Board, Refusal
from lynkr_policy_breaker.circuit import Rules
from lynkr_policy_breaker.shared import SharedBoard

__all__ = ["Breaker", "Config", "plugin"]

log = logging.getLogger("lynkr.breaker")
MAX_REASON = 200
OF_CREDENTIAL = frozenset({"rate_limited", "quota", "auth"})
"""Kinds of errors that speak of the key that was sent."""
LOOK_SECONDS = 2.0
"""How long a local provider may take to list its models."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.breaker]`"""

    rate: Annotated[float, Meta(gt=0, le=1, description="Share of failed attempts that opens a candidate's circuit.")] = 0.5
    least: Annotated[int, Meta(gt=0, description="Attempts in the window without which a share says nothing.")] = 5
    window: Annotated[float, Meta(gt=0, description="Seconds over which attempts are counted.")] = 30.0
    pause: Annotated[float, Meta(gt=0, description="Seconds for which an open circuit lets nothing through.")] = 10.0
    limit_pause: Annotated[float, Meta(gt=0, description="Seconds to leave a rate-limited candidate alone that did not say.")] = (
        5.0
    )
    quota_pause: Annotated[
        float, Meta(gt=0, description="Seconds to leave a credential alone that is used up or refused, if it is not told.")
    ] = 60.0
    max_pause: Annotated[float, Meta(gt=0, description="The longest cool-down in seconds, whatever a provider says.")] = 3600.0
    probe_every: Annotated[
        float, Meta(ge=0, description="Seconds between two looks at each local provider that was asked before; 0: never.")
    ] = 5.0
    store: Annotated[
        str | None, Meta(description="Name of a store through which gateways tell each other; left out, each goes by itself.")
    ] = None
    share_every: Annotated[float, Meta(gt=0, description="Seconds between two looks at the store.")] = 1.0


class Probe(Struct, frozen=True):
    """What a reservation remembers. `probe`: the attempt finds out whether an open circuit may be closed."""

    candidate: Candidate
    exchange: Exchange
    probe: bool


class Breaker:
    """Per candidate: the circuit, and the cool-down after a rate limit. Per credential: the cool-down after quota and auth errors."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic, board: Board | None = None) -> None:
        self.config = config
        self.clock = clock
        self.board = board or Board(rules_of(config))
        self._probes: dict[str, Probe] = {}
        self._local: dict[str, Provider] = {}
        self._tasks: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        if self.config.probe_every:
            self._tasks.append(asyncio.ensure_future(self._look_after()))
        if isinstance(self.board, SharedBoard):
            self._tasks.append(asyncio.ensure_future(self.board.run()))
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(*self._tasks)

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation | Reject:
        now, id, credential = self.clock(), candidate.id, candidate.provider.name
        if candidate.provider.local:
            self._local[credential] = candidate.provider
        if id in self._probes:
            self._look_at_probe(id, now)
        for subject in (credential, id):
            refusal = self.board.refusal(subject, now)
            if refusal is not None:
                return Reject(told(subject, refusal))
        data = Probe(candidate, exchange, self.board.admit(id, now) == "probe")
        if data.probe:
            self._probes[id] = data
        return Reservation(data=data)

    def _look_at_probe(self, id: str, now: float) -> None:
        """A probe whose answer has begun has succeeded; its stream may go on for minutes."""
        held = self._probes[id]
        if any(attempt.candidate is held.candidate and attempt.first_token for attempt in held.exchange.attempts):
            del self._probes[id]
            self.board.succeeded(id, now, True)

    def attempt_failed(self, exchange: Exchange, candidate: Candidate, error: UpstreamError) -> None:
        """The table of kinds says what follows; this only remembers."""
        now, reason = self.clock(), f"{error.kind}: {error.message[:MAX_REASON]}"
        if error.kind in OF_CREDENTIAL and billed_to_caller(exchange, candidate):
            return  # it speaks of the caller's own key, and others come with theirs
        if error.kind == "rate_limited":
            self.board.cool(candidate.id, now + self._pause(error, self.config.limit_pause), reason)
        elif error.kind in ("quota", "auth"):
            pause = self._pause(error, self.config.quota_pause)
            self.board.cool(candidate.provider.name, now + pause, reason)
            log.warning("the credential of %s is left alone for %.0f s: %s", candidate.provider.name, pause, reason)
        elif KINDS[error.kind].counts:
            self.board.failed(candidate.id, now, reason, False)

    def _pause(self, error: UpstreamError, otherwise: float) -> float:
        return min(error.retry_after if error.retry_after is not None else otherwise, self.config.max_pause)

    def settle(self, reservation: Reservation, outcome: Outcome) -> None:
        """Failures were told by `attempt_failed`, but for those of a probe and those after the commit point."""
        held: Probe = reservation.data
        id, now = held.candidate.id, self.clock()
        probe = self._probes.get(id) is held
        if probe:
            del self._probes[id]
        error = failure(held)
        if outcome.status == "ok" or (probe and error and not KINDS[error.kind].counts):
            self.board.succeeded(id, now, probe)
        elif outcome.status == "cut" or (probe and error):
            self.board.failed(id, now, outcome.error or f"the probe failed: {error}", probe)
        elif probe:
            self.board.gave_up(id)

    def status(self) -> Mapping[str, Any]:
        return self.board.status(self.clock())

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self.config.probe_every)
            await asyncio.gather(*[self.look(provider) for provider in list(self._local.values())])

    async def look(self, provider: Provider) -> None:
        """Asks a local provider for its models: one that does not answer is left alone until it does."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await provider.list_models()
        except (UpstreamError, TimeoutError) as error:
            if isinstance(error, TimeoutError) or error.kind in ("unavailable", "timeout"):
                reason = f"does not answer: {error}" if str(error) else "does not answer"
                self.board.down(provider.name, self.clock() + self.config.probe_every * 3, reason)
        except Exception as error:  # a provider's fault must not end the looking after all the others
            log.warning("%s could not be looked at: %s", provider.name, type(error).__name__)
        else:
            self.board.up(provider.name)


def failure(held: Probe) -> UpstreamError | None:
    """How the latest attempt of this candidate failed."""
    return next((attempt.error for attempt in reversed(held.exchange.attempts) if attempt.candidate is held.candidate), None)


def told(subject: str, refusal: Refusal) -> GatewayError:
    """A limit that is used up is 429, everything else 503."""
    kind = RateLimited if refusal.limit else Unavailable
    return kind(f"{subject} is left alone for {refusal.wait:.1f} s: {refusal.reason}", retry_after=refusal.wait)


def rules_of(config: Config) -> Rules:
    return Rules(rate=config.rate, least=config.least, window=config.window, pause=config.pause)


def create(config: Config, context: Context) -> Breaker:
    """Raises `PluginError` for a store that is not enabled or keeps no values."""
    if config.store is None:
        return Breaker(config)
    try:
        values = context.stores.key_value(config.store)
    except KeyError:
        values = None
    if not isinstance(values, KeyValue):
        raise PluginError(f"$.store: there is no [store.{config.store}] that keeps values")
    clock, longest = time.monotonic, max(config.max_pause, config.pause)
    return Breaker(config, clock, SharedBoard(rules_of(config), values, clock, every=config.share_every, longest=longest))


plugin = Plugin(api=1, config=Config, create=create)
