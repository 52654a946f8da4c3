"""Answers a question that was asked before in other words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from msgspec import Meta, Struct, structs

from lynkr_cache_exact import values_of
from lynkr_cache_exact.clerk import Bytes, Clerk, MiB, Terms, Ticket
from lynkr_cache_exact.entry import Entry
from lynkr_cache_exact.meaning import digest
from lynkr_cache_exact.purging import Purging
from lynkr_cache_exact.shelf import Shelf
from lynkr_cache_exact.wishes import Wishes
from lynkr_cache_semantic.embedding import Embedder as Embedder
from lynkr_cache_semantic.embedding import Remote, embedder
from lynkr_cache_semantic.guard import signature
from lynkr_cache_semantic.index import Index
from lynkr_cache_semantic.local import Vector
from lynkr_core.errors import LynkrError
from lynkr_core.exchange import Exchange, Key, Outcome, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.request import Blob, Message, Request, Text
from lynkr_core.routes import Route

if TYPE_CHECKING:
    from cyclopts import App

    from lynkr_core.kernel import Kernel

__all__ = ["Config", "Embedder", "SemanticCache", "plugin"]

log = logging.getLogger("lynkr.cache")
MOST_TASKS = 64
"""Answers that wait for their vectors; what comes then is not kept."""
REFRESH = 60.0
"""Seconds after which it is looked again what other processes have kept."""


class Config(Terms):
    """`[cache.semantic]`"""

    embedder: Annotated[
        str, Meta(description="What makes the vectors: `minilm`, `static`, another installed one, or a `provider/model`.")
    ] = "minilm"
    threshold: Annotated[
        float,
        Meta(ge=0.5, le=1, description="How alike two questions must be, 1 for the same; the literal guard decides before."),
    ] = 0.92
    longest: Annotated[int, Meta(ge=1, description="Characters of a question; of longer ones too little would be compared.")] = (
        600
    )
    entries: Annotated[int, Meta(ge=1, description="Answers that are compared for questions of one kind by one caller.")] = 200
    memory: Annotated[Bytes, Meta(description="Bytes of answers held in memory.")] = 64 * MiB
    deadline: Annotated[
        float, Meta(gt=0, le=4, description="Seconds after which a vector that has not come is done without.")
    ] = 1.0


class Asked(Struct, frozen=True):
    """A question that may be compared. `group`: of all that must agree; `key`: of the question itself, under its group."""

    text: str
    group: str
    key: str


class SemanticCache:
    """Compares the last thing that a user says. All else must be equal, and of that every literal word."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time) -> None:
        """Raises `PluginError` for an embedder or a store that is not there."""
        self.config = config
        self.clock = clock
        values = values_of(context, config.store)
        name = f"cache-{context.name}"
        self.shelf = Shelf(name, None if values is context.stores.memory else values, config.memory, clock=clock)
        self.clerk = Clerk(f"cache.{context.name}", config, clock=clock)
        self.embedder = embedder(config.embedder, context)
        self.index = Index(config.entries, 10_000)
        self.failed = 0
        self._purging = Purging(context.name, self.shelf, values, self.status)
        self._ticket: Key[tuple[Ticket, Asked]] = Key(f"{name}.ticket")
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.shelf.settle()

    def pre_route(self, exchange: Exchange) -> Any:
        """A coroutine that gives a `Reply` or None; None at once for what is not compared."""
        wished = self.clerk.wanted(exchange)
        if wished is None or (exchange.local_only and not self.embedder.is_local):
            return None
        asked = self.asked(exchange, wished)
        return None if asked is None else self._look(exchange, asked, wished)

    def asked(self, exchange: Exchange, wished: Wishes) -> Asked | None:
        around = self.clerk.surroundings(exchange)
        meant = self.clerk.meaning(exchange, wished) if around is not None else None
        if meant is None or len(meant) != 3:  # what has something inside that the model has no field for
            return None
        text = question(exchange.request, self.config.longest)
        signed = signature(text) if text else None
        if signed is None:
            return None
        options, rest, told = meant
        rest = {key: value for key, value in rest.items() if key != "input"}
        group = digest([around, options, rest, told[:-1], told[-1][2], signed, self.embedder.id])
        return Asked(text, group, f"{group}/{digest(text)}")

    async def _look(self, exchange: Exchange, asked: Asked, wished: Wishes) -> Reply | None:
        ticket = Ticket(key=asked.key, wishes=wished, body=exchange.body, instead=exchange.instead)
        if wished.look:
            reply = await self._found(exchange, asked, ticket)
            if reply is not None:
                return reply
        self.clerk.counts["misses"] += 1
        exchange.cache = "miss"
        exchange.set(self._ticket, (ticket, asked))
        self.clerk.gather(exchange, ticket)
        return None

    async def _found(self, exchange: Exchange, asked: Asked, ticket: Ticket) -> Reply | None:
        group = self.index.group(asked.group)
        if group.until <= self.clock():
            group.until = self.clock() + REFRESH
            for key, entry in (await self.shelf.under(asked.group, self.config.entries)).items():
                self.index.add(asked.group, key, np.frombuffer(entry.vector, np.float32))
        if not group.vectors:
            return None
        key, likeness = (asked.key, 1.0) if asked.key in group.vectors else ("", 0.0)
        if not key:
            vector = await self._vector(asked.text)
            best = group.nearest(vector) if vector is not None else None
            ticket.vector = vector.tobytes() if vector is not None else b""
            if best is None or best[1] < self.config.threshold:
                return None
            key, likeness = best
        return self._reply(exchange, await self.shelf.get(key), key, likeness, asked, ticket)

    def _reply(
        self, exchange: Exchange, entry: Entry | None, key: str, likeness: float, asked: Asked, ticket: Ticket
    ) -> Reply | None:  # fmt: skip
        if entry is None:
            self.index.group(asked.group).drop(key)
        young = self.clerk.fresh(entry, ticket.wishes)
        likeness_told = {b"x-lynkr-cache-score": b"%.3f" % min(likeness, 1.0)}
        return self.clerk.reply(exchange, young, "semantic", likeness_told) if young else None

    async def _vector(self, text: str) -> Vector | None:
        """None when the embedder fails or is slow: the question is asked anew."""
        try:
            async with asyncio.timeout(self.config.deadline):
                return await self.embedder.of(text)
        except (LynkrError, OSError, TimeoutError) as error:
            self.failed += 1
            if self.failed == 1:
                log.error("%s: the embedder %s failed: %s", self.clerk.name, self.embedder.id, type(error).__name__)
            return None

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        found = exchange.get(self._ticket)
        if found is None:
            return
        ticket, asked = found
        entry = self.clerk.entry(exchange, outcome, ticket)
        if entry is not None and len(self._tasks) < MOST_TASKS:
            task = asyncio.ensure_future(self._keep(asked, entry, ticket.vector))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep(self, asked: Asked, entry: Entry, known: bytes) -> None:
        """With its vector, which nobody has waited for."""
        vector = np.frombuffer(known, np.float32) if known else await self._vector(asked.text)
        if vector is None:
            return
        made = structs.replace(entry, vector=vector.tobytes())
        self.shelf.put(asked.key, made)
        self.index.add(asked.group, asked.key, vector)

    def status(self) -> Mapping[str, Any]:
        held = {"entries": len(self.shelf), "bytes": self.shelf.bytes, "vectors": len(self.index), "embedder_failed": self.failed}
        return {**self.clerk.counts, **held}

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        self.clerk.kernel = kernel
        if isinstance(self.embedder, Remote):
            self.embedder.kernel = kernel
        return self._purging.routes()

    def register_commands(self, cli: App) -> None:
        self._purging.add_to(cli)


def question(request: Request, longest: int) -> str:
    """What the user says last; empty where nothing is compared: tools, images, long texts, or somebody else's turn."""
    last = request.messages[-1]
    if request.tools or last.role != "user" or len(last.parts) != 1 or any(map(shown, request.messages)):
        return ""
    part = last.parts[0]
    return part.text if isinstance(part, Text) and len(part.text) <= longest else ""


def shown(message: Message) -> bool:
    """Whether there is something in it that is neither text nor thought."""
    return any(isinstance(part, Blob) or not hasattr(part, "text") for part in message.parts)


plugin = Plugin(api=1, config=Config, create=SemanticCache, rank=1)
