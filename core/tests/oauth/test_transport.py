import asyncio

import pytest

from lynkr_core import Secret, UpstreamError
from lynkr_core.oauth import Bearer, BearerTransport, Token
from lynkr_core.testing.canned import Script
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.upstream import Endpoint
from lynkr_core.upstream.http1 import Http1Transport

pytestmark = pytest.mark.anyio
REFUSED = Script(status=401, body=b'{"error":{"message":"expired"}}')
GOOD = Script(body=b'{"ok":true}')


class Stage:
    """A transport with tokens before a scripted provider; `gate` lets the next token out."""

    def __init__(self, upstream: ScriptedProvider) -> None:
        self.upstream = upstream
        self.inner = Http1Transport()
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.transport = BearerTransport(self.inner, Bearer(self.token))

    async def token(self) -> Token:
        await self.gate.wait()
        self.asked += 1
        return Token(value=Secret(f"token-{self.asked}"), lifetime=3600.0)

    def call(self, *headers: tuple[bytes, bytes]):
        return self.transport.send(Endpoint(self.upstream.url + "/chat/completions", headers), (), b"{}")

    async def status(self) -> int:
        response = await self.call().response()
        await response.read()
        return response.status

    def carried(self) -> list[str]:
        return [received.headers["authorization"] for received in self.upstream.requests]


@pytest.fixture
async def stage(anyio_backend):
    async with ScriptedProvider() as upstream:
        stage = Stage(upstream)
        yield stage
        await stage.inner.aclose()


async def test_the_first_request_waits_for_the_token_and_the_next_has_it(stage):
    assert [await stage.status(), await stage.status()] == [200, 200]
    assert (stage.carried(), stage.asked) == (["Bearer token-1"] * 2, 1)


async def test_a_refused_token_is_renewed_and_the_request_sent_once_more(stage):
    await stage.status()
    stage.upstream.then(REFUSED, GOOD)
    assert await stage.status() == 200
    assert stage.carried()[1:] == ["Bearer token-1", "Bearer token-2"]
    assert await stage.status() == 200
    assert stage.asked == 2


async def test_a_new_token_that_is_refused_too_is_the_answer(stage):
    stage.upstream.always(REFUSED)
    assert await stage.status() == 401
    assert await stage.status() == 401
    assert (len(stage.upstream.requests), stage.asked) == (3, 2)


async def test_an_endpoint_with_an_authorization_of_its_own_is_left_alone(stage):
    await (await stage.call((b"authorization", b"Custom 1")).response()).read()
    assert (stage.carried(), stage.asked) == (["Custom 1"], 0)


async def test_aborting_while_the_token_is_awaited_ends_the_call(stage):
    stage.gate.clear()
    call = stage.call()
    waiting = asyncio.ensure_future(call.response())
    await asyncio.sleep(0.01)  # it waits
    call.abort()
    with pytest.raises(UpstreamError, match="aborted"):
        await waiting
    stage.gate.set()
    assert await stage.status() == 200


async def test_a_call_aborted_before_it_began_is_never_sent(stage):
    call = stage.call()
    call.abort()
    with pytest.raises(UpstreamError, match="aborted"):
        await call.response()
    assert stage.upstream.requests == []


async def test_cancelling_the_task_is_no_upstream_error(stage):
    stage.gate.clear()
    waiting = asyncio.ensure_future(stage.call().response())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_closing_it_leaves_the_transport_inside_open(stage):
    await stage.transport.aclose()
    assert await stage.status() == 200
