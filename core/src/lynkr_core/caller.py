"""The caller's side of an exchange: reading its body, writing its answer, noticing that it has left. Plain ASGI.

A server may bring its own `Caller` in the scope (`extensions["lynkr.caller"]`): ours does, which saves a waiting task and half of the
writes to the socket.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from lynkr_core.dialect import Headers
from lynkr_core.errors import ClientGone, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HeaderItems = list[tuple[bytes, bytes] | tuple[bytes]]
"""Names with their values. What stands alone are lines that are written out already, because many answers have them in common."""
PAIR = b": ".join
"""A header as its line: half the time of formatting it. Of lines that are written out it gives those."""

EXTENSION = "lynkr.caller"
LYNKR_KEY = b"x-lynkr-key"
"""Where a caller puts its key of lynkr when its client puts a provider's in the usual place."""
KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where clients put a key that is no bearer token, by vendor of the API they were made for."""
CREDENTIALS = frozenset((b"authorization", *KEY_HEADERS))
_in_query = re.compile(rb"(?:^|&)key=([^&]+)")


class Caller(Protocol):
    """Who gets the answer. `status` is None until its head has been sent. Header names are in lower case."""

    status: int | None

    def given(self, most: int) -> bytes:
        """The whole body, where it is here already and has at most so many bytes; else nothing of it, and it has to be read."""
        ...

    def watch(self, callback: Callable[[], None]) -> None:
        """Calls back once if the caller leaves before its answer is complete."""

    def stop(self) -> None:
        """The exchange is over; nothing is called back any more."""

    async def whole(self, status: int, headers: HeaderItems, body: bytes) -> None:
        """A complete answer; content-length is added."""

    async def begin(self, status: int, headers: HeaderItems) -> None:
        """The head of a streamed answer."""

    async def piece(self, data: bytes) -> None:
        """A piece of it; waits while the caller reads too slowly."""

    def put(self, data: bytes) -> Awaitable[object] | None:
        """As `piece`, without waiting: what it returns has to be awaited before more is written. Nothing is written for no data."""

    async def end(self) -> None: ...

    def promise(self, head: Callable[[], HeaderItems], ping: bytes) -> None:
        """A stream will come. When nothing has been written for a while, its head and `ping` may be, then `ping` again and again."""


class AsgiCaller:
    """A caller behind any ASGI server: one task waits for its leaving."""

    __slots__ = ("_receive", "_send", "_task", "status")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._task: asyncio.Task[None] | None = None
        self.status: int | None = None

    def given(self, most: int) -> bytes:
        return b""

    def watch(self, callback: Callable[[], None]) -> None:
        self._task = asyncio.ensure_future(self._wait(callback))

    async def _wait(self, callback: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        callback()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def whole(self, status: int, headers: HeaderItems, body: bytes) -> None:
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: HeaderItems) -> None:
        self.status = status
        lines = b"\r\n".join(map(PAIR, headers)).split(b"\r\n") if headers else ()
        pairs = [(name, value) for name, _, value in [line.partition(b": ") for line in lines]]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def piece(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def put(self, data: bytes) -> Awaitable[object] | None:
        return self.piece(data) if data else None

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    def promise(self, head: Callable[[], HeaderItems], ping: bytes) -> None:
        """Whoever else serves has no way to write in between."""


def caller_of(scope: Scope, receive: Receive, send: Send) -> Caller:
    """The server's own caller where it brings one."""
    extensions = scope.get("extensions")
    return (extensions and extensions.get(EXTENSION)) or AsgiCaller(receive, send)


def presented_key(headers: Headers, query: bytes = b"") -> str:
    """The key that a caller shows to lynkr: `x-lynkr-key`, else wherever its client puts it; empty when there is none."""
    own = headers.get(LYNKR_KEY)
    return own.strip().decode("latin-1") if own else client_key(headers, query)


def client_key(headers: Headers, query: bytes = b"") -> str:
    """What the caller's client shows as its key: lynkr's, or a provider's beside `x-lynkr-key`."""
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and (value := value.strip()):
        return value.decode("latin-1")
    shown = next((headers[name].strip() for name in KEY_HEADERS if headers.get(name)), b"")
    if not shown and b"key=" in query and (found := _in_query.search(query)):
        shown = unquote_to_bytes(found.group(1))
    return shown.decode("latin-1")


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` beyond `limit` bytes and `ClientGone` when the caller leaves in the middle."""
    message = await receive()
    pieces: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        size += len(body)
        if size > limit:
            raise TooLarge(f"the body is over {limit} bytes; [server] max_body raises the limit")
        if not message.get("more_body", False):
            return b"".join((*pieces, body)) if pieces else body
        pieces.append(body)
        message = await receive()
    raise ClientGone
