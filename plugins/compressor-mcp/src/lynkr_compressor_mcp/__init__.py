"""Tools of MCP servers that the operator named, offered to models. lynkr calls them itself; callers see the answer only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from msgspec import Struct

from lynkr_compressor_mcp.config import Config, Remote, headers_of, scopes_of
from lynkr_compressor_mcp.server import Server, Whose
from lynkr_compressor_mcp.telling import Offer
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.inner import offer
from lynkr_core.plugins import Context, Plugin
from lynkr_core.request import Request
from lynkr_core.scopes import Scope
from lynkr_core.sessions import session_of
from lynkr_core.stores import Recent

__all__ = ["Config", "McpTools", "Remote", "plugin"]
REMEMBERED = 10_000
"""Conversations whose tools are remembered."""
GRACE = 5.0
"""Seconds over a call's own limit before the core gives it up."""
for talkative in ("mcp.client", "mcp.shared", "httpx2"):  # they would log addresses, and what servers say
    logging.getLogger(talkative).setLevel(logging.CRITICAL)


class Granted(Struct, frozen=True, eq=False):
    """A server, and whom it serves."""

    server: Server
    scopes: Sequence[Scope]

    def serves(self, exchange: Exchange) -> bool:
        if exchange.local_only and not self.server.remote.local:
            return False
        return any(scope.subjects(exchange, None) for scope in self.scopes)


Listed = tuple[tuple[Granted, tuple[Offer, ...]], ...]


class McpTools:
    """A conversation keeps the tools of its first turn, as they were then, so that what providers have cached stays valid."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a server's table that is wrong."""
        self._start = config.start
        self._granted = tuple([
            Granted(Server(name, remote, headers_of(name, remote, context.environ)), scopes_of(name, remote, context.tiers))
            for name, remote in config.servers.items()
        ])  # fmt: skip
        self._plans: Recent[Whose, Listed] = Recent(REMEMBERED)

    async def __aenter__(self) -> Self:
        """Waits for the lists, but not for long: a server that is slow or down is left out until it answers."""
        servers = [granted.server for granted in self._granted]
        for server in servers:
            server.open()
        waiting = [asyncio.ensure_future(server.listed.wait()) for server in servers]
        if waiting:
            await asyncio.wait(waiting, timeout=self._start)
        for wait in waiting:
            wait.cancel()
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*[granted.server.close() for granted in self._granted])

    def status(self) -> Mapping[str, Any]:
        return {
            granted.server.name: {"state": granted.server.state, "tools": len(granted.server.offers)}
            for granted in self._granted
        }  # fmt: skip

    def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        """The tools stand before the caller's own, so that a mark of what is cached on its last tool stays the end of the list."""
        if exchange.operation != "chat" or not able(request, candidate):
            return None
        whose = whose_of(exchange)
        tools = [
            one.tool
            for granted, offers in self._listed(whose)
            if granted.serves(exchange)
            for one in offers
            if offer(exchange, one.tool.name, partial(granted.server.answer, one, whose), granted.server.remote.timeout + GRACE)
        ]
        return request.edit(tools=(*tools, *request.tools)) if tools else None

    def _listed(self, whose: Whose) -> Listed:
        now = tuple([(granted, granted.server.offers) for granted in self._granted])
        if whose is None:
            return now
        known = self._plans.get(whose)
        if known is None:
            self._plans.set(whose, now)
        return now if known is None else known


def able(request: Request, candidate: Candidate) -> bool:
    """Whether the model takes tools, and none is forced on it: which one would be another's choice then."""
    choice = request.tool_choice
    return not (candidate.card and candidate.card.tools is False) and (choice is None or choice.mode in ("auto", "none"))


def whose_of(exchange: Exchange) -> Whose:
    session = session_of(exchange)
    return (exchange.principal.id, session.id, session.thread) if session else None


plugin = Plugin(api=1, config=Config, create=McpTools, rank=-1)
