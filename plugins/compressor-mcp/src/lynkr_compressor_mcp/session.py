"""A connection to one MCP server, for one conversation of one caller. It lives in a task of its own, which alone enters and leaves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from lynkr_compressor_mcp.bounds import CLOSE, Bounded, client_of

WHO = types.Implementation(name="lynkr", version="0.1.0")
OPEN = 10.0
"""Seconds at most until a server has said who it is; less where a call has less."""
PAGES = 20
"""Pages of a list of tools that are read."""


class Unreachable(Exception):
    """The server cannot be asked."""


class Session:
    """To be made inside a running loop. `calls`: how many wait for an answer. Every method may raise `Unreachable` and `MCPError`."""

    def __init__(
        self, url: str, headers: Mapping[str, str], pool: httpx2.AsyncBaseTransport, limit: int, seconds: float
    ) -> None:  # fmt: skip
        self.calls = 0
        self.used = time.monotonic()
        self._transport = Bounded(pool, limit)
        self._http = client_of(self._transport, headers, seconds)
        self._limit = limit
        self._patience = min(OPEN, seconds * 0.75)
        self._closing = asyncio.Event()
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(url))

    @property
    def exceeded(self) -> bool:
        """Whether the server has said more than it may."""
        return self._transport.exceeded

    @property
    def over(self) -> bool:
        return self._closing.is_set()

    async def _live(self, url: str) -> None:
        try:
            transport = streamable_http_client(url, http_client=self._http, max_sse_event_size=self._limit)
            async with self._http, Client(transport, cache=None, client_info=WHO) as client:
                self._client.set_result(client)
                await self._closing.wait()
        except Exception as error:
            if not self._client.done():
                self._client.set_exception(Unreachable(type(error).__name__))
                self._client.exception()  # it may be that nobody waits for it any more
        finally:
            self._closing.set()
            self._client.cancel()

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """What the tool gives. It is not held against the server's own schema: checking one costs as much time as the schema likes."""
        asked = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments))
        return await self._ask(asked, types.CallToolResult)

    async def tools(self, most: int) -> list[types.Tool]:
        """So many at most, and no page after the 20th."""
        found: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(PAGES):
            asked = types.ListToolsRequest(params=types.PaginatedRequestParams(cursor=cursor))
            page = await self._ask(asked, types.ListToolsResult)
            found += page.tools
            cursor = page.next_cursor
            if not cursor or len(found) >= most:
                break
        return found[:most]

    async def _ask(self, request: Any, answer: type[Any]) -> Any:
        self.calls += 1
        try:
            client = await self._opened()
            asking = asyncio.ensure_future(client.session.send_request(request, answer))
            try:
                await asyncio.wait((asking, self._task), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not asking.done():
                    asking.cancel()
            return await asking
        except asyncio.CancelledError:
            if self._task.done():
                raise Unreachable("the connection has ended") from None
            raise
        finally:
            self.calls -= 1
            self.used = time.monotonic()

    async def _opened(self) -> Client:
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(self._client)
        except TimeoutError:
            raise Unreachable("no connection came to stand") from None

    async def close(self) -> None:
        """Says goodbye, and waits no longer than that may take."""
        self._closing.set()
        if not self._client.done():
            self._task.cancel()
        await asyncio.wait((self._task,), timeout=CLOSE)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
