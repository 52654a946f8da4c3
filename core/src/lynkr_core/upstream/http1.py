"""The hot path's HTTP/1.1 client: keep-alive connections by origin, no task and no timer for each request."""

from __future__ import annotations

import asyncio
import ssl
from functools import cached_property

from lynkr_core.errors import UpstreamError
from lynkr_core.upstream import FRAMING, Endpoint, HeaderList
from lynkr_core.upstream.answer import Answer
from lynkr_core.upstream.connection import Connection
from lynkr_core.upstream.origin import Origin


class Http1Call:
    """One request. Holds its bytes until the head of the answer is here: a stale connection costs one more try.

    Whoever has sent it reads its answer to the end or aborts it: until then the connection is taken.
    """

    __slots__ = (
        "_answer", "_connection", "_endpoint", "_failure", "_origin", "_scope", "_waiter", "body", "bodyless",
        "fresh", "head", "silence",
    )  # fmt: skip

    def __init__(self, origin: Origin, endpoint: Endpoint, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.bodyless = endpoint.method == "HEAD"
        self.silence = endpoint.timeouts.silence
        self.fresh = False  # True once a connection that was used before had died: only a new one will do then
        self._origin = origin
        self._endpoint = endpoint
        self._connection: Connection | None = None
        self._answer: Answer | None = None
        self._failure: UpstreamError | None = None
        self._scope: asyncio.Timeout | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def response(self) -> Answer:
        """Waits for the head. Cancelling it aborts the call. Raises `UpstreamError`: unavailable, timeout, cut or server."""
        try:
            while self._answer is None:
                if self._failure is not None:
                    raise self._failure
                if self._connection is None:
                    await self._connect()
                else:
                    self._waiter = self._connection.loop.create_future()  # to ask for the running one is a system call
                    await self._waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        return self._answer

    async def _connect(self) -> None:
        """Finds or opens a connection and begins on it, or sets the failure."""
        limit = self._endpoint.timeouts.connect
        try:
            async with asyncio.timeout(limit) as self._scope:
                await self._origin.serve(self)
        except TimeoutError:
            if self._connection is None:
                self.failed(UpstreamError("timeout", f"{self._origin.name} gave no connection within {limit:g} s"))
        except (OSError, UnicodeError) as error:
            self.failed(UpstreamError("unavailable", f"{self._origin.name} cannot be reached: {describe(error)}"))
        finally:
            self._scope = None

    def abort(self) -> None:
        """Closes the connection at once. `response()` raises `unavailable`, reads of the answer raise `cut`."""
        if self._answer is not None:
            self._answer.abort()
            return
        connection, self._connection = self._connection, None
        self.failed(UpstreamError("unavailable", "the call was aborted"))
        if connection is not None:
            connection.close()
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.reschedule(0)  # `response()` stops waiting for its connection

    # the connection's side
    def begin(self, connection: Connection) -> None:
        """Has the request written; closes the connection when the call was aborted meanwhile."""
        if self._failure is None:
            self._connection = connection
            connection.begin(self)
        else:
            connection.close()

    def answered(self, answer: Answer) -> None:
        self._answer = answer
        self._done()

    def failed(self, error: UpstreamError) -> None:
        if self._failure is None:
            self._failure = error
        self._done()

    def stale(self) -> bool:
        if self.fresh:
            return False
        self.fresh = True
        self._connection = None
        self._wake()
        return True

    def _done(self) -> None:
        self._connection = None
        self.head = self.body = b""
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)


class Http1Transport:
    """Keep-alive connections. `max_connections` counts per origin, further calls wait in order of arrival.

    `idle_timeout` in seconds: unused connections are closed after it. An endpoint's TLS context is set to offer HTTP/1.1 only.
    """

    def __init__(self, *, max_connections: int = 2000, idle_timeout: float = 30.0) -> None:
        self._max_connections = max_connections
        self._idle_timeout = idle_timeout
        self._origins: dict[tuple[tuple[str, int, bool], ssl.SSLContext | None], Origin] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading the system's certificates takes tens of milliseconds."""
        return ssl.create_default_context()

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Http1Call:
        """Writes the request in this turn of the event loop when a connection is free, else when `response()` is awaited. Must run in it.

        Raises `ValueError` for a header with a line end in it.
        """
        head = endpoint.head + render(headers) if headers else endpoint.head
        if body or endpoint.method not in ("GET", "HEAD"):
            head = b"%bcontent-length: %d\r\n\r\n" % (head, len(body))
        else:
            head += b"\r\n"
        origin = self._origins.get((endpoint.origin, endpoint.tls)) or self._origin(endpoint)
        call = Http1Call(origin, endpoint, head, body)
        if origin.idle:
            call.begin(origin.idle.pop())
        return call

    def _origin(self, endpoint: Endpoint) -> Origin:
        tls = None
        if endpoint.secure:
            tls = endpoint.tls or self._tls
            tls.set_alpn_protocols(["http/1.1"])
        origin = Origin(endpoint.host, endpoint.port, tls, self._max_connections, self._watch_idle)
        origin.closed = self._closed
        self._origins[endpoint.origin, endpoint.tls] = origin
        return origin

    def _watch_idle(self) -> None:
        """Called when a connection becomes idle: one timer watches them all."""
        if self._sweep_timer is None:
            self._sweep_timer = asyncio.get_running_loop().call_later(self._idle_timeout, self._sweep)

    def _sweep(self) -> None:
        """Closes what has been idle for too long."""
        self._sweep_timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for origin in self._origins.values():
            origin.close_idle(now - self._idle_timeout + 0.002)
        oldest = min((origin.idle[0].idle_since for origin in self._origins.values() if origin.idle), default=None)
        if oldest is not None:
            self._sweep_timer = loop.call_at(oldest + self._idle_timeout, self._sweep)

    async def aclose(self) -> None:
        """Closes every connection; calls under way fail, later ones too."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for origin in self._origins.values():
            origin.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round


def render(headers: HeaderList) -> bytes:
    """The lines of a call's own headers. Raises `ValueError` when one has a line end in it."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers if pair[0].lower() not in FRAMING])
    if lines.count(b"\r") != lines.count(b"\r\n") or lines.count(b"\n") > len(headers):
        raise ValueError("a header has a line end in it")
    return lines


def describe(error: Exception) -> str:
    """What went wrong, in the system's words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
