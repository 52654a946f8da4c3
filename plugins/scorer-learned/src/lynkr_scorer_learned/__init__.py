"""Learns from the gateway's own outcomes: a request that is like some that a cheap model failed at is worth a dearer one."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Exchange, Key, Outcome, Score
from lynkr_core.plugins import Context, Plugin
from lynkr_core.routes import Route
from lynkr_core.waiting import stopped
from lynkr_scorer_heuristic.ask import last_ask
from lynkr_scorer_learned.embedding import Vector, embedder
from lynkr_scorer_learned.feedback import Feedback
from lynkr_scorer_learned.keeping import Keeper
from lynkr_scorer_learned.memory import Memory, Row, owner_of
from lynkr_scorer_learned.outcomes import AGAIN, THUMB, said

__all__ = ["Config", "Learned", "Memory", "plugin"]

VECTOR: Key[Vector] = Key("scorer-learned.vector")
LEAST = 0.05
"""Outcomes like this one below which nothing is said."""
SOON, MAX_RECENT = 120.0, 2_000
"""Seconds in which the same ask once more means that the answer was no good; asks remembered for it."""
ASK_KEPT = 500


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[scorer.learned]`"""

    weight: Annotated[float, Meta(gt=0, description="How much it counts beside other scorers' at most, with many outcomes.")] = (
        3.0
    )
    half: Annotated[float, Meta(gt=0, description="Outcomes like this request with which it counts half as much.")] = 4.0
    rows: Annotated[int, Meta(ge=64, le=20_000, description="Outcomes remembered; the oldest go first.")] = 5_000
    each: Annotated[int, Meta(ge=16, description="Outcomes remembered of one principal.")] = 2_000
    scope: Annotated[
        Literal["principal", "gateway"], Meta(description="Whose outcomes count: the caller's own, or those of all callers.")
    ] = "principal"
    embedder: Annotated[
        Literal["hashed", "static"], Meta(description="How texts are compared: by words, or by meaning too (extra `static`).")
    ] = "hashed"
    store: Annotated[str | None, Meta(description="Name of the store to keep them in; the first one when left out.")] = None
    save_seconds: Annotated[float, Meta(gt=0, description="Seconds after which what is new is stored.")] = 60.0


class Learned:
    """A nearest-neighbour memory of outcomes. Says nothing where nothing is known, and the more the more is."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store that is not enabled, or an embedder that is not installed."""
        self.config = config
        self.tiers = context.tiers
        self.embedder = embedder(config.embedder)
        self.memory = Memory(self.embedder.size, config.rows, config.each)
        try:
            values: Any = context.stores.key_value(config.store)
            self._keeper = Keeper(values, f"scorer-{context.name}-{self.embedder.name}-")
        except KeyError:
            raise PluginError(f"$.store: there is no [store.{config.store}]") from None
        self._recent: OrderedDict[tuple[int, int], tuple[str, float]] = OrderedDict()
        self._saving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._keeper.load(self.memory)
        self._saving = asyncio.create_task(self._save())
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._saving)
        await self._keeper.save(self.memory)

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(self.config.save_seconds)
            await self._keeper.save(self.memory)

    def score(self, exchange: Exchange) -> Score | None:
        """What became of the requests that were most like this one. None as long as there are too few."""
        if exchange.operation == "embeddings":
            return None
        ask = last_ask(exchange.envelope.fields)
        if not ask.text or ask.steps:
            return None
        vector = self.embedder.of(ask.text)
        exchange.set(VECTOR, vector)
        owner = owner_of(exchange.principal.id) if self.config.scope == "principal" else None
        found = self.memory.estimate(vector, owner)
        if found is None or found.sample < LEAST:
            return None
        return Score(
            value=found.value,
            reason=f"outcomes of like requests, worth {found.sample:.1f}",
            signals={"like_outcomes": round(found.sample, 3)},
            ask=ask.text[:ASK_KEPT],
            weight=self.config.weight * found.sample / (found.sample + self.config.half),
        )

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        """Keeps what came of it, if it says anything of the task and not of the provider."""
        vector = exchange.get(VECTOR)
        found = said(outcome, self.tiers) if vector is not None and not exchange.dry_run else None
        if vector is None or found is None:
            return
        owner = owner_of(exchange.principal.id)
        self._asked_again(owner, hash(vector.tobytes()), exchange.id)
        self.memory.add(Row(id=exchange.id, owner=owner, vector=vector, tier=found.tier, good=found.good, weight=found.weight))

    def _asked_again(self, owner: int, ask: int, id: str) -> None:
        """The same ask by the same caller soon after: the answer before was no good, unless a thumb has said how it was."""
        now = time.monotonic()
        before, until = self._recent.pop((owner, ask), ("", 0.0))
        if now < until and before in self.memory.slots and self.memory.weights[self.memory.slots[before]] < THUMB:
            self.memory.judge(before, False, AGAIN)
        self._recent[owner, ask] = (id, now + SOON)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)

    async def judge(self, id: str, principal: str, good: bool) -> bool:
        """A thumb for one of the principal's own requests. False when it is not remembered."""
        if self.memory.owner(id) != owner_of(principal):
            return False
        self.memory.judge(id, good, THUMB)
        return True

    def register_routes(self) -> Sequence[Route]:
        return [Feedback(self.judge).route()]


class Sharing(Learned):
    """Over a store that other processes may share: a thumb may come to another one than the one that answered."""

    async def post_response(self, exchange: Exchange, outcome: Outcome) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().post_response(exchange, outcome)
        await self._keeper.show(self.memory, exchange.id)

    async def judge(self, id: str, principal: str, good: bool) -> bool:
        if id not in self.memory.slots:
            row = await self._keeper.shown(id)
            if row is not None and row.owner == owner_of(principal):
                self.memory.add(row)
        return await super().judge(id, principal, good)


def create(config: Config, context: Context) -> Learned:
    """Raises `PluginError` as `Learned` does."""
    made = Learned if config.store is None and context.stores.key_value() is context.stores.memory else Sharing
    return made(config, context)


plugin = Plugin(api=1, config=Config, create=create)
