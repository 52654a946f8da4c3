"""Asks a provider only for the embeddings that it has not given before: each item of a request is kept by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from msgspec import Meta, Raw, Struct, structs

from lynkr_cache_embeddings.items import items_of, merged, vectors_of
from lynkr_cache_exact import values_of
from lynkr_cache_exact.answer import PLAIN, is_ambiguous
from lynkr_cache_exact.clerk import Bytes, MiB, Seconds
from lynkr_cache_exact.entry import Entry
from lynkr_cache_exact.meaning import digest
from lynkr_cache_exact.purging import Purging
from lynkr_cache_exact.scope import Namespace, caller, headers, route
from lynkr_cache_exact.shelf import Shelf
from lynkr_cache_exact.wishes import Wishes, tags, wishes
from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Exchange, Key, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Choice, Generic, Response
from lynkr_core.routes import Route

if TYPE_CHECKING:
    from cyclopts import App

    from lynkr_core.kernel import Kernel

__all__ = ["Config", "EmbeddingsCache", "plugin"]

DIALECT = "openai.embeddings"
encode = msgspec.json.Encoder().encode


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[cache.embeddings]`"""

    namespace: Annotated[Namespace, Meta(description="Who shares: each key its own, a team, or everyone.")] = "key"
    ttl: Annotated[Seconds, Meta(description="Seconds for which an embedding is good.")] = 30 * 86400.0
    memory: Annotated[Bytes, Meta(description="Bytes of embeddings held in memory.")] = 128 * MiB
    max_request: Annotated[Bytes, Meta(description="Bytes of a request; larger ones are left alone.")] = 4 * MiB
    max_items: Annotated[int, Meta(ge=1, le=4096, description="Items of a request; those with more are left alone.")] = 2048
    store: Annotated[str | None, Meta(description="Name of the store behind the memory; left out, the first one.")] = None


class Plan(Struct):
    """One request: its items' keys in their order, those that were found, and the places of the others."""

    keys: list[str]
    found: dict[int, Entry]
    wanted: list[int]
    packed: bool
    wished: Wishes
    served: str


class EmbeddingsCache:
    """Requests for one model alone: vectors of several cannot be mixed."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time) -> None:
        """Raises `PluginError` for a store that is not enabled."""
        self.config = config
        self.clock = clock
        values = values_of(context, config.store)
        self.name = f"cache-{context.name}"
        self.shelf = Shelf(self.name, None if values is context.stores.memory else values, config.memory, clock=clock)
        self.counts = dict.fromkeys(("hits", "misses", "kept"), 0)
        self.kernel: Any = None
        self._purging = Purging(context.name, self.shelf, values, self.status)
        self._plan: Key[Plan] = Key(f"{self.name}.plan")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.shelf.settle()

    def pre_route(self, exchange: Exchange) -> Any:
        """A coroutine that gives a `Reply` or None; None at once for what is no such request."""
        if exchange.dialect.name != DIALECT or exchange.dry_run or len(exchange.body) > self.config.max_request:
            return None
        wished = wishes(exchange)
        plan = self.plan(exchange, wished) if wished.look or wished.keep else None
        return None if plan is None else self._look(exchange, plan)

    def plan(self, exchange: Exchange, wished: Wishes) -> Plan | None:
        """None where several models could answer, or the request cannot be read."""
        target = self.kernel.catalog.resolve(exchange.instead or exchange.asked) if self.kernel is not None else None
        if target is None or len(target.candidates) != 1:
            return None
        fields = exchange.envelope.fields
        try:
            items = items_of(fields["input"])
            rest = {key: msgspec.json.decode(fields[key]) for key in sorted(fields) if key not in ("input", "model")}
            if not items or len(items) > self.config.max_items:
                return None
            served = target.candidates[0].id
            around = [caller(exchange, self.config.namespace), route(exchange, [served]), headers(exchange, ()), rest]
            before = digest(around)
            keys = [digest([before, msgspec.json.decode(item)]) for item in items]
        except UNREADABLE:
            return None
        return Plan(keys, {}, list(range(len(keys))), rest.get("encoding_format") == "base64", wished, served)

    async def _look(self, exchange: Exchange, plan: Plan) -> Reply | None:
        if plan.wished.look:
            found = await asyncio.gather(*[self.shelf.get(key) for key in plan.keys])
            plan.found = {
                place: entry for place, entry in enumerate(found) if entry is not None and self._fresh(entry, plan.wished)
            }
            plan.wanted = [place for place in plan.wanted if place not in plan.found]
        self.counts["hits"] += len(plan.found)
        self.counts["misses"] += len(plan.wanted)
        saved = sum([entry.input_tokens for entry in plan.found.values()])
        if not plan.wanted:
            save(exchange, self.name, saved, sum([entry.cost or 0.0 for entry in plan.found.values()]))
            return self._reply(exchange, plan)
        exchange.cache = "miss"
        exchange.set(self._plan, plan)
        if plan.found:
            items = items_of(exchange.envelope.fields["input"])
            exchange.rewrite({**exchange.envelope.fields, "input": [items[place] for place in plan.wanted]})
        return None

    def _fresh(self, entry: Entry, wished: Wishes) -> bool:
        return wished.max_age is None or self.clock() - entry.created <= wished.max_age

    def _reply(self, exchange: Exchange, plan: Plan) -> Reply:
        data = merged([Raw(plan.found[place].body) for place in range(len(plan.keys))])
        model = plan.served.partition("/")[2]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        oldest = min([entry.created for entry in plan.found.values()])
        told = (
            (b"content-type", PLAIN),
            (b"age", b"%d" % max(0, int(self.clock() - oldest))),
            (b"x-lynkr-cost-usd", b"%.9f" % 0),
        )
        body = encode({"object": "list", "data": data, "model": model, "usage": usage})
        return Reply(body=body, headers=told, reason=f"what {plan.served} said before", cache="hit")

    def transform_response(self, exchange: Exchange, response: Response) -> Response | None:
        """Keeps what has come, and puts it between what was there. None for other answers, and for one that has not what was asked for."""
        plan = exchange.get(self._plan)
        if plan is None:
            return None
        vectors = vectors_of(response, plan.packed)
        if len(vectors) != len(plan.wanted):
            if plan.found:
                raise ValueError("the provider gave another number of embeddings than it was asked for")
            return None
        if plan.wished.keep and not exchange.skipped and (self.config.namespace == "key" or not is_ambiguous(exchange.body)):
            self._keep(exchange, response, plan, vectors)
        if not plan.found:
            return None
        save(exchange, self.name, sum([entry.input_tokens for entry in plan.found.values()]))
        whole = {place: Raw(entry.body) for place, entry in plan.found.items()} | dict(zip(plan.wanted, vectors, strict=True))
        data = merged([whole[place] for place in range(len(plan.keys))])
        choice = Choice(parts=(Generic(type="embeddings", native=Raw(encode(data))),))
        return structs.replace(response, dialect=DIALECT, native=None, choices=(choice,))

    def _keep(self, exchange: Exchange, response: Response, plan: Plan, vectors: Sequence[Raw]) -> None:
        candidate = exchange.attempts[-1].candidate if exchange.attempts else None
        if candidate is not None and candidate.id != plan.served:
            return
        tokens = (response.usage.input_tokens if response.usage else 0) // len(vectors)
        who, now = exchange.principal, self.clock()
        for place, vector in zip(plan.wanted, vectors, strict=True):
            entry = Entry(
                dialect=DIALECT, body=bytes(vector), created=exchange.created, until=now + self.config.ttl, principal=who.id,
                key=who.key, asked=exchange.asked, served=plan.served, tags=tags(exchange), input_tokens=tokens,
            )  # fmt: skip
            self.shelf.put(plan.keys[place], entry)
        self.counts["kept"] += len(vectors)

    def status(self) -> Mapping[str, Any]:
        return {**self.counts, "entries": len(self.shelf), "bytes": self.shelf.bytes}

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        self.kernel = kernel
        return self._purging.routes()

    def register_commands(self, cli: App) -> None:
        self._purging.add_to(cli)


plugin = Plugin(api=1, config=Config, create=EmbeddingsCache, rank=2)
