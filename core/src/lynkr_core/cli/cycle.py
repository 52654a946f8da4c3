"""One request on a connection and its answer: ASGI for the application, and a `Caller` for the kernel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from lynkr_core.caller import PAIR, HeaderItems

if TYPE_CHECKING:
    from lynkr_core.cli.protocol import Protocol

log = logging.getLogger("lynkr.server")
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
JOIN_UNDER = 16 * 1024
"""Bodies under this many bytes are copied behind their head; above, the copy costs more than a second buffer."""
OVER: MutableMapping[str, Any] = {"method": "a request", "path": "whose answer had begun"}
"""In the place of a scope that nobody needs any more: it may be long, and holds its cycle as an extension, a circle."""
EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
TICKS = 3
HIGH_WATER = 256 * 1024
"""Bytes of a request's body that may wait unread."""


class Cycle:
    """Headers that the application gives are trusted: no line ends (the kernel's are made so, Starlette's are encoded so)."""

    __slots__ = (
        "_between", "_callback", "_chunked", "_head", "_pieces", "_ping", "_promised", "_quiet", "_size", "_told", "_waiter", "_whole",
        "done", "expects_continue", "gone", "keep_alive", "protocol", "scope", "status", "task",
    )  # fmt: skip

    def __init__(self, protocol: Protocol, scope: MutableMapping[str, Any], keep_alive: bool) -> None:
        self.protocol = protocol
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects_continue = self.gone = self.done = False
        self.status: int | None = None
        self.task: asyncio.Task[None] | None = None
        self._whole = self._told = self._chunked = False
        self._pieces: list[bytes] = []
        self._size = 0
        self._head = b""
        self._waiter: asyncio.Future[None] | None = None
        self._callback: Callable[[], object] | None = None
        self._promised: Callable[[], HeaderItems] | None = None
        self._ping = b""
        self._quiet = 0
        self._between = True

    # the connection's side
    def body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > HIGH_WATER:
            self.protocol.hold(True)
        if self._waiter is not None:
            self._wake()

    def body_ends(self) -> None:
        self._whole = True
        if self._waiter is not None:
            self._wake()

    def lost(self) -> None:
        """The caller is gone."""
        self.gone = True
        self._wake()
        callback, self._callback = self._callback, None
        if callback is not None and not self.done:
            callback()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def run(self, app: Any) -> None:
        """Calls the application; whatever it leaves unfinished is finished here."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            log.exception("the application failed on %s %s", self.scope["method"], self.scope["path"])
        finally:
            task, self.task = self.task, None
            self.protocol.state.tasks.discard(cast("asyncio.Task[None]", task))
        if not self.done and not self.gone:
            if self.status is None:
                await self.whole(500, [(b"content-type", b"text/plain")], b"Internal Server Error")
            else:
                self.protocol.transport.close()
        self._promised = None
        self.scope = OVER

    # ASGI
    async def receive(self) -> dict[str, Any]:
        if self.expects_continue and not self._whole:
            self.expects_continue = False
            self.protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self._pieces or (self._whole and not self._told)):
            if self.gone or self.done:
                return {"type": "http.disconnect"}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        pieces, self._pieces = self._pieces, []
        if self._size > HIGH_WATER:
            self.protocol.hold(False)
        self._size = 0
        self._told = self._whole
        return {"type": "http.request", "body": pieces[0] if len(pieces) == 1 else b"".join(pieces), "more_body": not self._whole}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """For what is not the kernel's. Framing is by content-length when the application gives one."""
        if message["type"] == "http.response.start":
            self._start(message["status"], list(message.get("headers", ())))
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: HeaderItems) -> None:
        self.status = status
        bodyless = self.scope["method"] == "HEAD" or status in (204, 304)
        self._chunked = not bodyless and all(pair[0].lower() != b"content-length" for pair in headers)
        self._head = self._lines(status, headers, self._framing() if self._chunked else b"\r\n")

    async def _body(self, data: bytes, more: bool) -> None:
        if self.scope["method"] != "HEAD":
            await self.piece(data)
        if not more:
            await self.end()

    # Caller
    def given(self, most: int) -> bytes:
        if self._told or not self._whole or len(self._pieces) != 1 or self._size > most or self._size > HIGH_WATER:
            return b""
        self._told, self._size = True, 0
        return self._pieces.pop()

    def watch(self, callback: Callable[[], object]) -> None:
        if self.gone:
            callback()
        else:
            self._callback = callback

    def stop(self) -> None:
        self._callback = None

    async def whole(self, status: int, headers: HeaderItems, body: bytes) -> None:
        self.status = status
        if self.gone:
            return
        head = self._lines(status, headers, b"content-length: %d\r\n\r\n" % len(body))
        if len(body) < JOIN_UNDER:
            self.protocol.transport.write(head + body)
        else:
            self.protocol.transport.writelines((head, body))
        self.done = True
        self.protocol.answered(self)

    async def begin(self, status: int, headers: HeaderItems) -> None:
        """The head waits for the first piece, which follows at once."""
        self._begin(status, headers)

    def _begin(self, status: int, headers: HeaderItems) -> None:
        self.status = status
        self._promised = None  # a closure that would last as long as the stream
        self._chunked = True
        self._head = self._lines(status, headers, self._framing())
        self.scope = OVER
        self.protocol.rest(self)

    async def piece(self, data: bytes) -> None:
        full = self.put(data)
        if full is not None:
            await full

    def put(self, data: bytes) -> asyncio.Future[None] | None:
        if not data or self.gone:
            return None
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        self.protocol.transport.write(self._head + framed if self._head else framed)
        self._head = b""
        self._quiet = 0
        self._between = data.endswith(EVENT_ENDS)
        return self.protocol.full

    def promise(self, head: Callable[[], HeaderItems], ping: bytes) -> None:
        self._promised, self._ping = head, ping

    def tick(self) -> None:
        """Called `TICKS` times in the longest silence that a caller is to see: writes the ping when nothing else was written."""
        self._quiet += 1
        if self._quiet < TICKS or not self._ping or not self._between or self.done or self.gone or self.protocol.full is not None:
            return
        if self.status is None and self._promised is not None:
            self._begin(200, self._promised())
        self.put(self._ping)

    async def end(self) -> None:
        if self.gone:
            return
        last = self._head + (b"0\r\n\r\n" if self._chunked else b"")
        if last:
            self.protocol.transport.write(last)
        self.done = True
        self.protocol.answered(self)

    def _framing(self) -> bytes:
        """HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer."""
        if self.scope["http_version"] == "1.0":
            self._chunked = self.keep_alive = False
            return b"\r\n"
        return b"transfer-encoding: chunked\r\n\r\n"

    def _lines(self, status: int, headers: HeaderItems, framing: bytes) -> bytes:
        """The whole head; `framing` is its end."""
        self.expects_continue = False
        self.keep_alive &= self._whole  # what is still to come of the request is not read
        line = STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status
        end = framing if self.keep_alive else b"connection: close\r\n" + framing
        return b"\r\n".join([line, self.protocol.state.date, *map(PAIR, headers), end])
