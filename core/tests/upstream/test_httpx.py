"""What only the transport over httpx2 does."""

import pytest

from lynkr_core.testing.wire import ScriptedServer, answer
from lynkr_core.upstream import Endpoint
from lynkr_core.upstream.httpx import HttpxTransport

pytestmark = pytest.mark.anyio


async def test_a_proxy_is_asked_for_the_whole_url():
    async with ScriptedServer([answer(b"a")]) as proxy:
        transport = HttpxTransport(proxy=proxy.url)
        response = await transport.send(Endpoint("http://far.invalid/v1"), (), b"ping").response()
        assert await response.read() == b"a"
        await transport.aclose()
    request = proxy.requests[0]
    assert (request.target, request.header(b"host"), request.body) == ("http://far.invalid/v1", [b"far.invalid"], b"ping")


async def test_the_environment_names_no_proxy(monkeypatch, transport, endpoint):
    monkeypatch.setenv("HTTP_PROXY", "http://localhost:1")
    async with ScriptedServer([answer(b"a")]) as server:
        assert await (await transport.send(endpoint(server), (), b"").response()).read() == b"a"
