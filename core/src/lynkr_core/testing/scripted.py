"""A provider made of scripts: a real HTTP server on a free port that answers as told and remembers what it was asked."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from lynkr_core.testing.canned import CANNED, MODELS, NOT_FOUND, PATHS, SSE, Script
from lynkr_core.testing.waiting import PATIENCE

REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    429: b"Too Many Requests",
    500: b"Server Error",
}


class Received:
    """One request as it came. Header names in lower case; `gone_at` is when its client hung up before the answer's end."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ", 2)
        pairs = [line.partition(":") for line in lines]
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.body = b""
        self.arrived = time.monotonic()
        self.gone_at: float | None = None
        self.gone = asyncio.Event()

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def streams(self) -> bool:
        """Whether the body asks for a stream, or the path's last word does."""
        if "stream" in self.path.partition("?")[0].rpartition("/")[2].lower():
            return True
        try:
            body = self.json()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return isinstance(body, dict) and body.get("stream") is True  # pyright: ignore[reportUnknownMemberType]


class ScriptedProvider:
    """`async with ScriptedProvider() as provider:` serves at `provider.url` until the block ends.

    Each request gets the next script given with `then`, else the one given with `always`, else a good answer of the dialect that its path
    belongs to, streamed when the request asks for it. `requests` has all that came, but not what came to a path of `beside`: that gets its
    script whatever else was told, as from a server of tokens.
    """

    def __init__(self, beside: Mapping[str, Script] = {}) -> None:
        self.beside = beside
        self.requests: list[Received] = []
        self._next: deque[Script] = deque()
        self._always: Script | None = None
        self._connections: set[Connection] = set()
        self._arrival = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cut()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    def then(self, *scripts: Script) -> Self:
        """The next requests are answered so, one script each."""
        self._next.extend(scripts)
        return self

    def always(self, script: Script) -> Self:
        """Every request is answered so, once the scripts of `then` are used up."""
        self._always = script
        return self

    def reset(self) -> Self:
        """As if nothing had been told or asked yet; connections stay."""
        self.requests.clear()
        self._next.clear()
        self._always = None
        return self

    @property
    def last(self) -> Received:
        return self.requests[-1]

    async def arrived(self, count: int = 1, patience: float = PATIENCE) -> Received:
        """The newest request, once there are `count`. Raises `TimeoutError` after `patience` seconds."""
        async with asyncio.timeout(patience):
            while len(self.requests) < count:
                self._arrival.clear()
                await self._arrival.wait()
        return self.last

    def note(self, received: Received) -> Script:
        """Remembers a request and gives the script for it."""
        if received.path in self.beside:
            return self.beside[received.path]
        self.requests.append(received)
        self._arrival.set()
        if self._next:
            return self._next.popleft()
        return self._always or self._good(received)

    def _good(self, received: Received) -> Script:
        path = received.path.partition("?")[0]
        if received.method == "GET":
            return MODELS if path.endswith("/models") else NOT_FOUND
        ending = next((ending for ending in PATHS if path.endswith(ending)), None)
        return NOT_FOUND if ending is None else CANNED[PATHS[ending]]

    def join(self, connection: Connection) -> None:
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)


class Connection(asyncio.Protocol):
    """One client's connection, kept alive: reads requests with a content-length, answers each by its script."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider
        self._data = b""
        self._current: Received | None = None
        self._answer: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._provider.join(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end or self._current is not None:
            return
        received = Received(head)
        length = int(received.headers.get("content-length", "0"))
        if len(rest) < length:
            return
        received.body, self._data = rest[:length], rest[length:]
        self._current = received
        self._answer = asyncio.ensure_future(self._run(self._provider.note(received), received))

    def connection_lost(self, exc: Exception | None) -> None:
        self._provider.leave(self)
        if self._current is not None:
            self._current.gone_at = time.monotonic()
            self._current.gone.set()
        if self._answer is not None:
            self._answer.cancel()

    def cut(self) -> None:
        """Ends the connection without a word."""
        self._transport.abort()

    async def _run(self, script: Script, received: Received) -> None:
        if script.delay:
            await asyncio.sleep(script.delay)
        streamed = script.events and (received.streams or not script.body)
        if not (await self._stream(script) if streamed else self._plain(script)):
            self._transport.close()  # what was written still leaves, then the connection ends in the middle
            return
        self._current = None
        self.data_received(b"")

    def _plain(self, script: Script) -> bool:
        self._head(script, script.content_type, b"content-length: %d" % len(script.body))
        if script.cut_bytes is not None:
            self._transport.write(script.body[: script.cut_bytes])
            return False
        self._transport.write(script.body)
        return True

    async def _stream(self, script: Script) -> bool:
        """Gives whether the answer came to its end."""
        self._head(
            script, SSE if script.content_type == "application/json" else script.content_type, b"transfer-encoding: chunked"
        )
        left = script.cut_bytes
        for event in script.events[: script.cut_events]:
            await asyncio.sleep(script.pause + (script.hold if event is script.events[-1] else 0.0))
            piece = event if left is None else event[:left]
            if piece:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if left is not None and (left := left - len(piece)) <= 0:
                break
        if script.cut_events is None and left is None:
            self._transport.write(b"0\r\n\r\n")
            return True
        return False

    def _head(self, script: Script, content_type: str, framing: bytes) -> None:
        reason = REASONS.get(script.status, b"Scripted")
        headers = [b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in script.headers.items()]
        first = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\n%b\r\n" % (script.status, reason, content_type.encode(), framing)
        self._transport.write(first + b"".join(headers) + b"\r\n")
