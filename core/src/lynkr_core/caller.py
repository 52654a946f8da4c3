"""The caller's side of an exchange: reading its body, writing its answer, noticing that it has left. Plain ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from lynkr_core.errors import ClientGone, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HeaderItems = Iterable[tuple[bytes, bytes]]

CLOSED = "lynkr.closed"
"""ASGI extension of our server: `watch(callback)` calls back when the client leaves, without a task."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` beyond `limit` bytes and `ClientGone` when the caller leaves in the middle."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return checked(body, limit)
    pieces = [body]
    size = len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            break
    return checked(b"".join(pieces), limit)


def checked(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLarge(f"the body is over {limit} bytes; [server] max_body raises the limit")
    return body


class Watch:
    """Calls back once when the client leaves: by the server's own callback where it offers one, else by one waiting task."""

    __slots__ = ("_task",)

    def __init__(self, scope: Scope, receive: Receive, callback: Callable[[], None]) -> None:
        self._task: asyncio.Task[None] | None = None
        watch = scope.get("extensions", {}).get(CLOSED)
        if watch is not None:
            watch(callback)
        else:
            self._task = asyncio.ensure_future(self._wait(receive, callback))

    async def _wait(self, receive: Receive, callback: Callable[[], None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        callback()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Caller:
    """Writes the answer. `status` is None until its head has been sent."""

    __slots__ = ("_send", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """A complete answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self.begin(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: HeaderItems) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})
