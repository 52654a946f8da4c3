"""What comes at once, and what takes too long; everything else is asked through whole gateways in `tests/test_mcp_routes.py`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from lynkr_core.errors import ConfigError, Unavailable
from lynkr_core.process import ADMIN
from lynkr_core.routes import RouteRequest
from lynkr_core.testing import factories
from lynkr_core.testing.waiting import PATIENCE, until
from lynkr_extension_mcp import LOOPBACK, plugin
from lynkr_extension_mcp.serving import MOST, Desk

pytestmark = pytest.mark.anyio
HEADERS = {b"host": b"localhost", b"content-type": b"application/json", b"accept": b"application/json, text/event-stream"}


class Nothing(Struct):
    """Takes nothing."""


class Slow:
    """Two tools: one is answered when it is told so, one says too much."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = 0

    def of(self, principal: Any) -> Any:
        return {"slow": (Nothing, self.slow), "long": (Nothing, self.long)}

    async def slow(self, asked: Nothing, asking: Any) -> Any:
        self.running += 1
        await self.go.wait()
        self.running -= 1
        return {"done": True}

    async def long(self, asked: Nothing, asking: Any) -> Any:
        return {"x": "x" * MOST}


@asynccontextmanager
async def desk(seconds: float = PATIENCE, at_once: int = 2) -> Any:
    made, slow = Desk(LOOPBACK, (), 100_000, seconds, at_once), Slow()
    made.use(slow)  # pyright: ignore[reportArgumentType]
    await made.open()
    yield made, slow
    await made.close()


def asked(tool: str = "slow") -> RouteRequest:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    return RouteRequest(params={}, headers=HEADERS, body=msgspec.json.encode(message), principal=ADMIN)


async def test_so_many_are_answered_at_once_and_so_many_wait():
    async with desk() as (made, slow):
        calling = [asyncio.ensure_future(made.answer("/mcp", asked())) for _ in range(8)]
        await until(lambda: slow.running == 2)
        with pytest.raises(Unavailable, match="too many"):
            await made.answer("/mcp", asked())
        slow.go.set()
        assert [b'"isError":true' in reply.body for reply in await asyncio.gather(*calling)] == [False] * 8


async def test_what_takes_too_long_is_ended():
    async with desk(seconds=0.1) as (made, slow):
        with pytest.raises(Unavailable, match="no answer within"):
            await made.answer("/mcp", asked())
        slow.go.set()
        await until(lambda: made._waiting == 0)


async def test_an_answer_has_its_bounds():
    async with desk() as (made, _):
        reply = await made.answer("/mcp", asked("long"))
        assert b"ask for less" in reply.body
        assert len(reply.body) < 1000


@pytest.mark.parametrize("path", ["mcp", "/", "/a b", "/{x}", "/mcp/"])
def test_a_path_is_a_path(path):
    with pytest.raises(ConfigError, match="path"):
        factories.configure(plugin, {"path": path})
