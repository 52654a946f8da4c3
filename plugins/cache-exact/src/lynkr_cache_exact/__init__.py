"""Answers a request that was answered before, and only that one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from msgspec import Meta

from lynkr_cache_exact.clerk import Bytes, Clerk, MiB, Terms, Ticket
from lynkr_cache_exact.entry import Entry
from lynkr_cache_exact.flights import Flights
from lynkr_cache_exact.meaning import digest
from lynkr_cache_exact.purging import Purging
from lynkr_cache_exact.shelf import Shelf
from lynkr_cache_exact.wishes import MAX_DIGITS, Wishes
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Exchange, Key, Outcome, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.routes import Route
from lynkr_core.stores import KeyValue

if TYPE_CHECKING:
    from cyclopts import App

    from lynkr_core.kernel import Kernel

DEADLINE = b"x-lynkr-deadline-ms"
__all__ = ["Config", "ExactCache", "plugin"]


class Config(Terms):
    """`[cache.exact]`"""

    memory: Annotated[Bytes, Meta(description="Bytes of answers held in memory; 0 for none, where there is a store.")] = 64 * MiB
    tool_calls: Annotated[bool, Meta(description="Whether answers that call tools are kept too.")] = False
    wait: Annotated[
        float,
        Meta(
            ge=0, le=300, description="Seconds for which a request waits for the answer to the same one; 0: each asks for itself."
        ),
    ] = 30.0


def values_of(context: Context, store: str | None) -> KeyValue:
    """Raises `PluginError` for a store that is not enabled or keeps no values."""
    try:
        values: Any = context.stores.key_value(store)
        assert callable(values.get)
    except (KeyError, AttributeError):
        raise PluginError(f"$.store: there is no [store.{store}] that keeps values") from None
    return values


def patience(exchange: Exchange, most: float) -> float:
    """Seconds that this request may wait: what is configured, and no longer than half the time that its caller gives it."""
    asked = exchange.headers.get(DEADLINE, b"")
    return min(most, int(asked) / 2000) if asked.isdigit() and len(asked) <= MAX_DIGITS else most


class ExactCache:
    """The same request by the same caller is answered once; whoever asks meanwhile waits for that answer."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        values = values_of(context, config.store)
        name = f"cache-{context.name}"
        self.shelf = Shelf(name, None if values is context.stores.memory else values, config.memory, clock=clock)
        self.clerk = Clerk(f"cache.{context.name}", config, config.tool_calls, clock)
        self.flights = Flights()
        self.patience = config.wait
        self._purging = Purging(context.name, self.shelf, values, self.status)
        self._ticket: Key[Ticket] = Key(f"{name}.ticket")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.shelf.settle()

    def pre_route(self, exchange: Exchange) -> Any:
        """A `Reply` from memory at once; else a coroutine that gives one, or None."""
        wished = self.clerk.wanted(exchange)
        key = self.key(exchange, wished) if wished else None
        if wished is None or key is None:
            return None
        entry = self.clerk.fresh(self.shelf.held(key), wished) if wished.look else None
        reply = self.clerk.reply(exchange, entry) if entry else None
        return reply or self._look(exchange, key, wished)

    def key(self, exchange: Exchange, wished: Wishes) -> str | None:
        """Of everything that the answer depends on; None for a request that is left alone."""
        around = self.clerk.surroundings(exchange)
        asked = self.clerk.meaning(exchange, wished) if around is not None else None
        return None if asked is None else digest([around, asked])

    async def _look(self, exchange: Exchange, key: str, wished: Wishes) -> Reply | None:
        ticket = Ticket(key=key, wishes=wished, body=exchange.body, instead=exchange.instead)
        exchange.set(self._ticket, ticket)
        reply = await self._found(exchange, ticket)
        if reply is None and self.config.wait > 0 and wished.look and wished.keep:
            reply = await self._share(exchange, ticket)
        return reply or self._miss(exchange, ticket)

    async def _share(self, exchange: Exchange, ticket: Ticket) -> Reply | None:
        """None for who leads, and for who has waited in vain: those ask a provider. Raises `ClientGone`."""
        if self.flights.lead(ticket.key):
            ticket.leads = True
            return self._reply(exchange, self.shelf.held(ticket.key), ticket)  # it may have come while the store was asked
        exchange.waiting = waiter = self.flights.join(ticket.key)
        try:
            word = await self.flights.wait(ticket.key, waiter, patience(exchange, self.config.wait))
        finally:
            exchange.waiting = None
        ticket.leads = word == "lead"
        exchange.check()
        return None if ticket.leads else await self._found(exchange, ticket)

    async def _found(self, exchange: Exchange, ticket: Ticket) -> Reply | None:
        return self._reply(exchange, await self.shelf.get(ticket.key), ticket) if ticket.wishes.look else None

    def _reply(self, exchange: Exchange, entry: Entry | None, ticket: Ticket) -> Reply | None:
        young = self.clerk.fresh(entry, ticket.wishes)
        return self.clerk.reply(exchange, young) if young else None

    def _miss(self, exchange: Exchange, ticket: Ticket) -> None:
        self.clerk.counts["misses"] += 1
        exchange.cache = "miss"
        self.clerk.gather(exchange, ticket)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        """Whoever waits is told, whatever happened."""
        ticket = exchange.get(self._ticket)
        if ticket is None:
            return
        try:
            entry = self.clerk.entry(exchange, outcome, ticket)
            if entry is not None:
                self.shelf.put(ticket.key, entry)
        finally:
            if ticket.leads and outcome.status == "cancelled":
                self.flights.leave(ticket.key)
            elif ticket.leads:
                self.flights.land(ticket.key)

    def status(self) -> Mapping[str, Any]:
        held = {"entries": len(self.shelf), "bytes": self.shelf.bytes, "waited": self.flights.waited, "asking": len(self.flights)}
        return {**self.clerk.counts, **held}

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        self.clerk.kernel = kernel
        return self._purging.routes()

    def register_commands(self, cli: App) -> None:
        self._purging.add_to(cli)


plugin = Plugin(api=1, config=Config, create=ExactCache)
