"""The kernel: one request's journey, top to bottom. A pure function of its configuration, and an ASGI app for the API's routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, Self

from msgspec import structs

from lynkr_core import capabilities, remarks
from lynkr_core.attempts import Answer
from lynkr_core.caller import Caller, Receive, Scope, Send, caller_of, read_body
from lynkr_core.candidates import MAX_DYNAMIC, Catalog, Target
from lynkr_core.config import Config
from lynkr_core.consumed import consumed
from lynkr_core.delivery import respond
from lynkr_core.dialect import Dialect
from lynkr_core.errors import AllFailed, ClientGone, GatewayError, Unauthenticated, Unavailable, UnknownModel
from lynkr_core.exchange import ANONYMOUS, Attempt, Candidate, Exchange, Outcome, Principal, Reject, Reply, Status
from lynkr_core.failover import attempt, local
from lynkr_core.headers import failure_headers, reply_headers, response_headers
from lynkr_core.hedging import Hedges
from lynkr_core.hooks import Background, Hooks
from lynkr_core.inner import whole
from lynkr_core.plugins import Loaded
from lynkr_core.pricing import cost
from lynkr_core.provider import Provider
from lynkr_core.routes import Fronts
from lynkr_core.scores import note
from lynkr_core.selecting import as_configured, revise, select
from lynkr_core.settings import Limits
from lynkr_core.stores import Stores
from lynkr_core.unsupported import Unsupported
from lynkr_core.upstream import Transport
from lynkr_core.watch import Watch

log = logging.getLogger("lynkr.kernel")
UNKNOWN_CALLER = "a key of this gateway is needed: send one as a bearer token or x-api-key; whoever runs it can give you one"
Ended = tuple[Status, str | None]
"""How an exchange ended, and the error if there was one."""
Serve = Callable[[Exchange, Caller], Awaitable[Answer | Ended]]


class Kernel:
    """Serves while it is entered as an async context manager."""

    @classmethod
    def from_config(cls, config: Config, environ: Mapping[str, str], before: Kernel | None = None) -> Kernel:
        """`before` is the kernel whose place it takes. Raises `ConfigError` with every mistake at once."""
        from lynkr_core.assembly import assemble  # it makes kernels, so it imports this module

        return assemble(config, environ, before=before)

    def __init__(
        self, config: Config, *, plugins: list[Loaded], hooks: Hooks, dialects: Mapping[str, Dialect], catalog: Catalog,
        stores: Stores, transport: Transport,
    ) -> None:  # fmt: skip
        self.config = config
        self.plugins = plugins
        self.hooks = hooks
        self.dialects = dialects
        self.catalog = catalog
        self.stores = stores
        self.transport = transport
        self.services: list[Any] = []  # async context managers that live as long as the kernel serves, beside the plugins
        self.fronts = Fronts(dialects.values())
        self.metered = bool(hooks.post_response.calls or hooks.settle.calls)
        self._settlers = {call.plugin: call for call in hooks.settle.calls}
        self._known = lru_cache(MAX_DYNAMIC)(self._told)
        self.background = Background()
        routing = config.routing
        self.hedges = Hedges(routing.hedge_after, routing.hedge_share) if routing.hedge_after else None
        self.unsupported = Unsupported()
        self.watch = Watch()
        self.limits = lru_cache(MAX_DYNAMIC)(self._limited)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for entered in (*[plugin.instance for plugin in self.plugins], *self.services):
                if hasattr(entered, "__aenter__"):
                    await stack.enter_async_context(entered)
            self._stack = stack.pop_all()  # from here on they are left by `__aexit__`; before, by whoever failed to start
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.background.settle()
        await self._stack.aclose()
        self.watch.close()
        await self.transport.aclose()

    def take(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one POST to a front route of this dialect."""
        return self.journey(self.exchange(dialect, scope), self.serve, caller_of(scope, receive, send), receive)

    def exchange(self, dialect: Dialect, scope: Scope) -> Exchange:
        """What a request begins as."""
        query, client = scope.get("query_string", b""), scope.get("client")
        return Exchange(dialect, scope["path"], dict(scope["headers"]), query=query, client=client, config=self.config.hash)

    async def serve(self, exchange: Exchange, caller: Caller) -> Answer | Ended:
        """Stages 2 to 7: an answer that is still to be given, or how it ended."""
        await self.decide(exchange)
        if exchange.reply is None:
            if exchange.envelope.stream:
                caller.promise(lambda: response_headers(exchange, exchange.dialect.content_type, None), exchange.dialect.ping)
            try:
                return await attempt(self, exchange)
            except AllFailed as failed:
                exchange.reply = local(exchange, failed)
        return await self.reply(exchange, caller)

    async def reply(self, exchange: Exchange, caller: Caller) -> Ended:
        """The caller gets an answer that needs no provider."""
        assert exchange.reply is not None
        await caller.whole(exchange.reply.status, reply_headers(exchange), exchange.reply.body)
        return "ok", None

    async def journey(self, exchange: Exchange, serve: Serve, caller: Caller, receive: Receive) -> None:
        """One exchange from its body to its settling; `serve` does what lies between, and whatever it raises is told."""
        remarks.CURRENT.set(exchange.id)
        status: Status = "ok"
        error: str | None = None
        try:
            exchange.body = caller.given(self.config.server.max_body) or await read_body(receive, self.config.server.max_body)
            caller.watch(exchange.abort)
            answer = await serve(exchange, caller)
            status, error = await respond(self, exchange, caller, answer) if isinstance(answer, Answer) else answer
        except ClientGone:
            status = "cancelled"
        except GatewayError as refusal:
            if exchange.local_only:
                refusal.message = f"{refusal.message} (local models only: {exchange.local_only})"
            status, error = "error" if isinstance(refusal, AllFailed) else "refused", refusal.message
            await self.refuse(exchange, caller, refusal)
        except asyncio.CancelledError:  # the server stops and waits no longer; this was the task's last act, so nobody misses it
            status, error = "cut", "lynkr was stopped"
            await self.refuse(exchange, caller, Unavailable(error))
        except Exception as fault:
            log.exception("request %s: %s", exchange.id, type(fault).__name__)
            status, error = "error", f"internal error: {type(fault).__name__}"
            await self.refuse(exchange, caller, GatewayError(f"lynkr failed on this request; its log has {exchange.id}"))
        finally:
            caller.stop()
            self.finish(exchange, "cancelled" if exchange.gone and status != "ok" else status, caller.status or 499, error)

    async def decide(self, exchange: Exchange) -> None:
        """Stages 2 to 6: everything before a provider is called. A dry run is this and nothing more."""
        exchange.envelope = exchange.dialect.peek(exchange.body, exchange.target)
        if self.hooks.authenticate.calls or self.hooks.pre_route.calls:
            await self.admit(exchange)
        if exchange.reply is None:
            capabilities.check(exchange, self.config.server.max_messages)
            self.find_candidates(exchange)
        if exchange.reply is None:
            if self.hooks.score.calls:
                await self.score(exchange)
            if self.hooks.select_provider.calls:
                await select(self.hooks.select_provider, exchange, self.catalog.tiers)
            else:
                exchange.selection = as_configured(exchange)
            if self.hooks.revise_selection.calls:
                await revise(self.hooks.revise_selection, exchange)

    async def admit(self, exchange: Exchange) -> None:
        """Stage 3: who is calling, and may this go on?"""
        if self.hooks.authenticate.calls:
            answer, _ = told if isinstance(told := self.hooks.authenticate.first_now(exchange), tuple) else await told
            exchange.principal = self.known(answer)
            exchange.local_only = "whoever is calling" if exchange.principal.local_only else ""
        if self.hooks.pre_route.calls:
            answer, _ = told if isinstance(told := self.hooks.pre_route.first_now(exchange), tuple) else await told
            if isinstance(answer, Reject):
                raise answer.error
            if answer is not None:
                exchange.reply, exchange.cache = answer, answer.cache

    def known(self, answer: Any) -> Principal:
        """Who is calling, by what `authenticate` says. Raises `GatewayError` for who may not, or where plugins ask and none knows him."""
        if isinstance(answer, Principal):
            return answer
        if isinstance(answer, Reject):
            raise answer.error
        if answer is not None or (self.hooks.authenticate.calls and not self.config.server.allow_anonymous):
            raise Unauthenticated(UNKNOWN_CALLER, code="invalid_api_key")
        return ANONYMOUS

    def find_candidates(self, exchange: Exchange) -> None:
        """Stage 4: who could serve the requested model?"""
        asked = exchange.instead or exchange.asked
        if (target := self.catalog.resolve(asked)) is None:
            raise UnknownModel(
                f"the model {asked!r} is not served here; ask for auto, provider/model, or a name of GET /v1/models",
                code="model_not_found", param="model",
            )  # fmt: skip
        exchange.route, exchange.tier, exchange.candidates = target.route, target.tier, target.candidates
        same, carded = self._known(exchange.dialect, target)
        if not same:
            self.without_unable(exchange)
        if exchange.reply is None:
            routing, who = self.config.routing, exchange.principal
            if who.models or who.tiers:
                capabilities.permit(exchange, self.catalog.tiers)
            if exchange.local_only:
                capabilities.confine(exchange)
            if carded:
                capabilities.narrow(exchange, routing.unsupported == "refuse", routing.ended == "refuse")

    def without_unable(self, exchange: Exchange) -> None:
        """Leaves out candidates whose provider does not have the operation; answers without one where the dialect can."""
        able = [c for c in exchange.candidates if self.upstream_dialect(exchange.dialect, c)]
        body = None if able else exchange.dialect.local(exchange.request)
        if body is not None:
            exchange.reply = Reply(body=body, reason="answered by lynkr itself")
            return
        capabilities.keep(exchange, able, f"has no {exchange.operation}")
        reason = exchange.dialect.untranslatable(exchange.envelope)
        if reason:
            capabilities.keep(
                exchange, [c for c in able if self.upstream_dialect(exchange.dialect, c) is exchange.dialect], reason
            )

    async def score(self, exchange: Exchange) -> None:
        """Stage 5: how demanding is it?"""
        hook, args = self.hooks.score, (exchange, exchange.candidates)
        note(exchange, hook.collect_now(*args) if hook.is_sync else await hook.collect(*args))

    def upstream_dialect(self, front: Dialect, candidate: Candidate) -> Dialect | None:
        """In which dialect this model is asked: the caller's own, else its first one for the operation, if it has one."""
        spoken = candidate.provider.dialects_of(candidate.model)
        if front.name in spoken:
            return front
        return next((d for name in spoken if (d := self.dialects.get(name)) and d.operation == front.operation), None)

    def _told(self, front: Dialect, target: Target) -> tuple[bool, bool]:
        """Whether all its candidates speak this dialect, and whether any of them has a card."""
        spoken = {self.upstream_dialect(front, candidate) for candidate in target.candidates}
        return spoken == {front}, any(candidate.card for candidate in target.candidates)

    def statuses(self) -> dict[str, Any]:
        """What plugins tell of themselves: those that have a method `status()`, whose answer is JSON that anybody may read."""
        return {plugin.id: plugin.instance.status() for plugin in self.plugins if hasattr(plugin.instance, "status")}

    def status(self) -> dict[str, Any]:
        """What the kernel tells of itself: its configuration, calls of providers under way, models that go without a parameter."""
        hedged = {"hedged": self.hedges.extra, "hedgeable": self.hedges.requests} if self.hedges else {}
        return {"config": self.config.hash, "attempts": len(self.watch), "unsupported": len(self.unsupported.known), **hedged}

    def _limited(self, provider: Provider, stream: bool) -> Limits:
        """The time limits of this provider's attempts."""
        found = structs.replace(self.config.routing.limits, **provider.limits)
        return structs.replace(found, attempt=min(found.attempt, found.first_event)) if stream else found

    async def refuse(self, exchange: Exchange, caller: Caller, error: GatewayError) -> None:
        """Tells the caller of an error, in its dialect, wherever the answer stands."""
        if exchange.gone:
            return
        if caller.status is None:
            body = exchange.dialect.encode_error(error, exchange.id)
            await caller.whole(error.http_status, failure_headers(exchange, error), body)
        elif told := exchange.dialect.encode_stream_error(error, exchange.id):
            await caller.piece(told)
            await caller.end()  # where nothing can be told, the server breaks the connection off

    def finish(self, exchange: Exchange, status: Status, http_status: int, error: str | None) -> None:
        """Stage 9: everything reserved is settled and every sink told, exactly once, whatever happened."""
        last = exchange.attempts[-1] if exchange.attempts else None
        if not (self.hooks.post_response.calls or (last and last.reservations)):
            return
        if last and last.usage is None and status in ("cancelled", "cut"):
            last.usage = consumed(exchange, last)
        outcome = Outcome(
            status=status, http_status=http_status, candidate=exchange.chosen, error=error, duration=time.monotonic() - exchange.started,
            usage=last.usage if last else None, cost=cost(last.usage, last.candidate.price) if last else None,
            first_token=last.first_token - exchange.started if last and last.first_token else None, attempts=exchange.attempts,
            resumed=exchange.resumed,
        )  # fmt: skip
        if last and last.reservations:
            self.settle(last, outcome)
        inner = exchange.inner
        if inner is not None and inner.rounds:
            outcome = whole(outcome, inner)
        for call in self.hooks.post_response.calls:
            self.background.call(call, (exchange, outcome))

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Gives every reservation of an attempt back to the plugin that made it."""
        reservations, attempt.reservations = attempt.reservations, []
        for plugin, reservation in reversed(reservations):
            if plugin in self._settlers:
                self.background.call(self._settlers[plugin], (reservation, outcome))
