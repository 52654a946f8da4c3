"""The ASGI client streams, disconnects and runs lifespans like a server does."""

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from lynkr_core.testing.client import Client
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class Slow:
    """Sends three pieces, notes each; stops when the client hangs up."""

    def __init__(self):
        self.sent, self.gone = [], False

    async def __call__(self, scope, receive, send):
        self.scope = scope
        self.request = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
        for piece in (b"one", b"two", b"three"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self.sent.append(piece)
        message = await receive()
        self.gone = message["type"] == "http.disconnect"
        await send({"type": "http.response.body"})


async def test_each_piece_arrives_before_the_next_is_sent():
    app = Slow()
    async with Client(app, lifespan=False) as client, client.stream("/v1/x?beta=true", json={"a": 1}) as streamed:
        assert (streamed.status, streamed.headers["x-a"], app.sent) == (200, "1, 2", [])
        pieces = aiter(streamed)
        assert await anext(pieces) == b"one"
        await anyio.wait_all_tasks_blocked()
        assert app.sent == [b"one"]
    assert app.request["body"] == b'{"a":1}'
    assert (app.scope["path"], app.scope["query_string"]) == ("/v1/x", b"beta=true")


async def test_leaving_early_is_a_disconnect_the_app_sees():
    app = Slow()
    async with Client(app, lifespan=False) as client:
        async with client.stream("/"):
            pass
        assert app.gone
        assert app.sent == [b"one", b"two", b"three"]


async def test_a_disconnect_in_the_middle_wakes_a_waiting_receive():
    woken = anyio.Event()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"
        woken.set()

    async with Client(app, lifespan=False) as client, client.stream("/") as streamed:
        streamed.disconnect()
        with anyio.fail_after(PATIENCE):
            await woken.wait()


async def test_a_whole_answer_of_a_starlette_app():
    async def numbers():
        for number in range(3):
            yield f"data: {number}\n\n"

    routes = [Route("/", lambda request: PlainTextResponse("hi")), Route("/sse", lambda request: StreamingResponse(numbers()))]
    async with Client(Starlette(routes=routes)) as client:
        assert (await client.get("/")).text == "hi"
        assert [event.data for event in (await client.get("/sse")).events()] == [b"0", b"1", b"2"]
        assert (await client.post("/")).status == 405


async def test_errors_of_the_app_reach_the_test():
    async def app(scope, receive, send):
        raise ValueError("broken")

    async with Client(app, lifespan=False) as client:
        with pytest.raises(ValueError, match="broken"):
            await client.get("/")


async def test_an_answer_that_stops_in_the_middle_is_an_error_of_the_app():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with Client(app, lifespan=False) as client:
        with pytest.raises(AssertionError, match="without ending its answer"):
            await client.get("/")


class Living:
    def __init__(self, fail=False):
        self.events, self.fail = [], fail

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "lifespan"
        self.events.append((await receive())["type"])
        scope["state"]["pool"] = "open"
        end = {"type": "lifespan.startup.failed", "message": "no disk"} if self.fail else {"type": "lifespan.startup.complete"}
        await send(end)
        self.events.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def test_lifespan_runs_around_the_block_and_shares_its_state():
    app = Living()
    async with Client(app) as client:
        assert (app.events, client.state) == (["lifespan.startup"], {"pool": "open"})
    assert app.events == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_failed_start_is_raised():
    with pytest.raises(RuntimeError, match="no disk"):
        async with Client(Living(fail=True)):
            pytest.fail("the block must not run")


async def test_an_error_in_the_block_comes_out_bare():
    with pytest.raises(KeyError):
        async with Client(Living()):
            raise KeyError("mine")
