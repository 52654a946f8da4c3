"""An ASGI client in the same process that streams for real: the app's `send` waits until the test takes the piece.

async with Client(app) as client:
    answer = await client.post("/v1/messages", json={...})
    async with client.stream("/v1/messages", json={...}) as streamed:
        async for piece in streamed: ...
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

import anyio
import msgspec
from msgspec import Struct

from lynkr_core import sse
from lynkr_core.testing.lifespan import lifespan
from lynkr_core.testing.waiting import PATIENCE

Message = MutableMapping[str, Any]
App = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Answer(Struct, frozen=True):
    """A whole answer. Header names in lower case; a header that came twice is joined by `, `."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def events(self) -> list[sse.ServerSentEvent]:
        """The server-sent events of the body."""
        reader = sse.Reader()
        return [*reader.feed(self.body), *reader.close()]


class Streamed:
    """An answer under way: iterate over its pieces, or `disconnect` as a client that hangs up."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, app: App, scope: Message, body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._body: bytes | None = body
        self._pieces, self._taken = anyio.create_memory_object_stream[Message](0)
        self._gone = anyio.Event()
        self._done = anyio.Event()
        self._whole = False
        self._error: Exception | None = None

    async def run(self) -> None:
        """The app's side."""
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # told to the test where it waits
            self._error = error
        finally:
            self._done.set()
            self._pieces.close()

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        try:
            await self._pieces.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # nobody is there; servers say nothing about it
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._whole = True
            self._gone.set()
            self._pieces.close()

    async def head(self) -> None:
        message = await self._next()
        if message is None or message["type"] != "http.response.start":
            raise AssertionError(f"the app began its answer with {message and message['type']}")
        joined: dict[str, str] = {}
        for name, value in message.get("headers", ()):
            key, text = name.decode("latin-1"), value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        self.status, self.headers = message["status"], joined

    async def _next(self) -> Message | None:
        try:
            with anyio.fail_after(PATIENCE):
                return await self._taken.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._check()
            if not self._whole and not self._gone.is_set():
                raise AssertionError("the app returned without ending its answer") from None
            return None

    def _check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self._next()) is not None:
            if piece := message.get("body", b""):
                yield piece

    async def read(self) -> Answer:
        """The rest of the answer."""
        body = b"".join([piece async for piece in self])
        return Answer(self.status, self.headers, body)

    def disconnect(self) -> None:
        """Hangs up: the app's `receive` gives `http.disconnect`, what it still sends goes nowhere."""
        self._gone.set()
        self._taken.close()
        self._pieces.close()

    async def finished(self) -> None:
        """Returns when the app has returned. Raises what it raised, or `TimeoutError`."""
        with anyio.fail_after(PATIENCE):
            await self._done.wait()
        self._check()


class Client:
    """Talks to one app. `headers` go with every request; `lifespan=False` for an app that has none.

    Errors that the app raises are raised where the test waits for it.
    """

    def __init__(self, app: App, *, headers: Mapping[str, str] | None = None, lifespan: bool = True) -> None:
        self.app = app
        self.headers = dict(headers or {})
        self.state: dict[str, Any] = {}
        self._lifespan = lifespan
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._lifespan:
                await stack.enter_async_context(lifespan(self.app, self.state))
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()  # without the error: a task group would wrap it

    @asynccontextmanager
    async def stream(
        self, path: str, *, method: str = "POST", json: Any = None, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Streamed]:
        """Gives the answer once its head is there. Leaving early hangs up, and waits for the app to end."""
        streamed = Streamed(self.app, *self._request(method, path, json, content, headers or {}))
        self._tasks.start_soon(streamed.run)
        try:
            await streamed.head()
            yield streamed
        finally:
            streamed.disconnect()
        await streamed.finished()

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        """`options` as of `stream`."""
        async with self.stream(path, method=method, **options) as streamed:
            return await streamed.read()

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.request("POST", path, **options)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    def _request(self, method: str, path: str, json: Any, content: bytes, headers: Mapping[str, str]) -> tuple[Message, bytes]:
        body = content if json is None else msgspec.json.encode(json)
        sent = {"host": "lynkr.test", "content-length": str(len(body))}
        if json is not None:
            sent["content-type"] = "application/json"
        sent |= {name.lower(): value for name, value in {**self.headers, **headers}.items()}
        target, _, query = path.partition("?")
        scope: Message = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": target, "raw_path": target.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000), "server": ("lynkr.test", 80), "state": dict(self.state), "extensions": {},
        }  # fmt: skip
        return scope, body
