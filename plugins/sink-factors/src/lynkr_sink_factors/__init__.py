"""Learns how many tokens each model counts where lynkr counts one."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Exchange, Outcome
from lynkr_core.plugins import Context, Plugin
from lynkr_core.tokens import estimate
from lynkr_core.waiting import stopped

log = logging.getLogger(__name__)
PREFIX = "factors/"
"""Of the keys under which the store has them: then comes `provider/model`. `policy-budget` reads them there."""
MAX_MODELS = 1000
"""Models that are learnt of; callers can name any."""
MAX_BODY = 64 * 1024
MIN_TOKENS = 50
"""Below so many a count is mostly what frames the messages."""
FEW = 20
"""Samples before a factor is told."""
FRESH = 0.05
"""How much the newest sample counts against all before it."""
STEP = math.log(1.5)
"""How far one sample can be from the average, for it; once there are a few."""
SAVE_SECONDS = 60.0
ELSEWHERE = frozenset({"previous_response_id", "conversation", "prompt", "cachedContent"})
"""Top-level keys by which input comes that is not in the body."""
_encode = msgspec.json.Encoder().encode


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    every: Annotated[int, Meta(ge=1, description="One in so many answers is looked at.")] = 50


class Factor(Struct):
    """`log`: the average of the logarithms of provider's tokens by ours."""

    log: float = 0.0
    samples: int = 0

    def note(self, ratio: float) -> None:
        off = math.log(ratio) - self.log
        if self.samples >= FEW:
            off = max(-STEP, min(STEP, off))
        self.samples += 1
        self.log += max(FRESH, 1 / self.samples) * off

    @property
    def value(self) -> float:
        return math.exp(self.log)


_factor = msgspec.json.Decoder(Factor)


class Factors:
    """One sample in `every` answers, taken when the answer has gone out."""

    def __init__(self, config: Config, context: Context) -> None:
        self._every = config.every
        self._values = context.stores.key_value()
        self._known: dict[str, Factor] = {}
        self._changed: set[str] = set()
        self._answers = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            found = await self._values.scan(PREFIX, MAX_MODELS)
            self._known = {key.removeprefix(PREFIX): _factor.decode(value) for key, value in found.items()}
        except (OSError, *UNREADABLE) as error:
            log.warning("what was learnt of counts cannot be read, so it begins anew: %s", error)
        self._task = asyncio.ensure_future(self._keep_saving())
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._task)
        await self.save()

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self._answers += 1
        if self._answers % self._every == 0:
            self.sample(exchange, outcome)

    def sample(self, exchange: Exchange, outcome: Outcome) -> None:
        usage, served = outcome.usage, outcome.candidate
        if served is None or usage is None or usage.estimated or usage.audio_input or not is_countable(exchange):
            return
        if served.id not in self._known and len(self._known) >= MAX_MODELS:
            return
        try:
            counted = estimate(exchange.request)
        except (InvalidRequest, *UNREADABLE):  # bytes that went through unread
            return
        if counted >= MIN_TOKENS and usage.input_tokens:
            self._known.setdefault(served.id, Factor()).note(usage.input_tokens / counted)
            self._changed.add(served.id)

    def status(self) -> Mapping[str, Any]:
        """The factor and the number of samples of each model that has enough."""
        told = {id: factor for id, factor in self._known.items() if factor.samples >= FEW}
        return {id: {"factor": round(factor.value, 3), "samples": factor.samples} for id, factor in told.items()}

    async def save(self) -> None:
        while self._changed:
            id = self._changed.pop()
            try:
                await self._values.set(PREFIX + id, _encode(self._known[id]), math.inf)
            except OSError as error:
                self._changed.add(id)
                log.warning("what was learnt of counts cannot be kept: %s", error)
                return

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await self.save()


def is_countable(exchange: Exchange) -> bool:
    """Whether the body is small and has all of the input, as text."""
    body = exchange.body
    if exchange.envelope is None or len(body) > MAX_BODY:  # pyright: ignore[reportUnnecessaryComparison]
        return False
    media = any(mark in body for marks in exchange.dialect.media.values() for mark in marks)
    return not media and ELSEWHERE.isdisjoint(exchange.envelope.fields)


plugin = Plugin(api=1, config=Config, create=Factors)
