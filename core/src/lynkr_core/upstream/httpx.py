"""The transport for what the hot path's client does not do: HTTP/2, proxies and unusual TLS, through httpx2.

httpx2 is imported when the transport is made. Below its client, at the level of its transports: no redirects, no cookies, no
environment variables, no default headers.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from lynkr_core.errors import UpstreamError
from lynkr_core.upstream import FRAMING, Endpoint, HeaderList, UpstreamResponse
from lynkr_core.upstream.answer import READ_LIMIT

if TYPE_CHECKING:
    import httpx2


class HttpxResponse(UpstreamResponse):
    """An `UpstreamResponse`. It reads from the socket when it is asked to, so a slow reader slows the upstream."""

    def __init__(self, transport: HttpxTransport, name: str, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = join(response.headers.raw)
        self._transport = transport
        self._name = name
        self._response = response
        self._pieces: AsyncIterator[bytes] = response.aiter_raw()
        self._scope: asyncio.Timeout | None = None
        self._failure: UpstreamError | None = None

    async def next(self) -> bytes:
        """The next piece, empty at the end. Raises `UpstreamError`: cut, timeout or server."""
        if self._failure is not None:
            raise UpstreamError(self._failure.kind, self._failure.message, status=self.status)
        try:
            async with asyncio.timeout(None) as self._scope:
                return await anext(self._pieces, b"")
        except Exception as error:
            self._failure = self._failure or translate(error, self._name, self.status)
            raise self._failure from None
        finally:
            self._scope = None

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """The rest of the body. Raises `UpstreamError`: as `next`, or `invalid` (and aborts) when it is over `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.abort()
                raise UpstreamError("invalid", f"the upstream's answer is over {limit} bytes", status=self.status)
        return b"".join(pieces)

    def abort(self) -> None:
        """Closes the connection, or resets the stream under HTTP/2, in the loop's next round. Every read raises `cut`."""
        if self._failure is None:
            self._failure = UpstreamError("cut", "the call was aborted")
            scope, self._scope = self._scope, None
            if scope is not None:
                scope.reschedule(0)
            else:
                self._transport.close_soon(self._response)


class HttpxCall:
    """One request, begun when `response()` is awaited."""

    def __init__(self, transport: HttpxTransport, endpoint: Endpoint, headers: HeaderList, body: bytes) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._headers = headers
        self._body = body
        self._connected = False
        self._scope: asyncio.Timeout | None = None
        self._response: HttpxResponse | None = None
        self._aborted = False

    async def response(self) -> HttpxResponse:
        """Waits for the head; cancelling it aborts the call. Raises `UpstreamError`: unavailable, timeout or server."""
        if self._response is None:
            error = await self._try()
            if error is not None and error.kind == "unavailable" and not self._connected and not self._aborted:
                error = await self._try()  # a connection that was used before had died
            if error is not None:
                raise error
        assert self._response is not None
        return self._response

    async def _try(self) -> UpstreamError | None:
        name = f"{self._endpoint.host}:{self._endpoint.port}"
        try:
            if not self._aborted:
                async with asyncio.timeout(None) as self._scope:
                    answer = await self._transport.request(self._endpoint, self._headers, self._body, self._trace)
                    self._response = HttpxResponse(self._transport, name, answer)
        except Exception as error:
            return UpstreamError("unavailable", "the call was aborted") if self._aborted else translate(error, name, None)
        finally:
            self._scope = None
        return UpstreamError("unavailable", "the call was aborted") if self._response is None else None

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        """httpcore2 tells what it does; a try that opened no connection ran on one that was used before."""
        if event == "connection.connect_tcp.started":
            self._connected = True

    def abort(self) -> None:
        """Closes the connection in the loop's next round. `response()` raises `unavailable`, reads of the answer `cut`."""
        self._aborted = True
        scope, self._scope = self._scope, None
        if self._response is not None:
            self._response.abort()
        elif scope is not None:
            scope.reschedule(0)


class HttpxTransport:
    """Keep-alive connections by httpx2. `http2` is offered where h2 is installed, unless False.

    `proxy` is the URL of an HTTP proxy, or of a SOCKS proxy where socksio is installed. `max_connections` counts per TLS context.
    """

    def __init__(
        self, *, proxy: str | None = None, http2: bool = True, max_connections: int = 2000, idle_timeout: float = 30.0
    ) -> None:
        import httpx2

        self._httpx = httpx2
        self._proxy = proxy
        self._http2 = http2 and importlib.util.find_spec("h2") is not None
        self._limits = httpx2.Limits(max_connections=max_connections, keepalive_expiry=idle_timeout)
        self._pools: dict[ssl.SSLContext | None, httpx2.AsyncHTTPTransport] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> HttpxCall:
        """The request is sent when `response()` is awaited. Raises `ValueError` for a header with a line end in it."""
        if any(b"\r" in x or b"\n" in x for pair in headers for x in pair):
            raise ValueError("a header has a line end in it")
        return HttpxCall(self, endpoint, headers, body)

    async def request(self, endpoint: Endpoint, headers: HeaderList, body: bytes, trace: object) -> httpx2.Response:
        """One try. Raises httpx2's errors."""
        if self._closed:
            raise self._httpx.ConnectError("the transport is closed")
        wait, silence = endpoint.timeouts.connect, endpoint.timeouts.silence
        request = self._httpx.Request(
            endpoint.method,
            endpoint.url,
            headers=[pair for pair in (*endpoint.headers, *headers) if pair[0].lower() not in FRAMING],
            content=body if body or endpoint.method not in ("GET", "HEAD") else None,
            extensions={"timeout": {"connect": wait, "pool": wait, "read": silence, "write": silence}, "trace": trace},
        )
        return await self._pool(endpoint.tls).handle_async_request(request)

    def _pool(self, tls: ssl.SSLContext | None) -> httpx2.AsyncHTTPTransport:
        pool = self._pools.get(tls)
        if pool is None:
            pool = self._pools[tls] = self._httpx.AsyncHTTPTransport(
                verify=tls or True, trust_env=False, http2=self._http2, limits=self._limits, proxy=self._proxy
            )
        return pool

    def close_soon(self, response: httpx2.Response) -> None:
        """Closes a response that nobody is reading."""
        task = asyncio.get_running_loop().create_task(response.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Closes every connection."""
        self._closed = True
        for pool in self._pools.values():
            await pool.aclose()


def translate(error: Exception, name: str, status: int | None) -> UpstreamError:
    """An error of httpx2 as ours; `status` is None before the head. Told by type, and by text where one type says two things."""
    import httpx2

    kind = "unavailable" if status is None else "cut"
    if isinstance(error, (httpx2.TimeoutException, TimeoutError)):
        kind = "timeout"
    elif isinstance(error, httpx2.ProtocolError) and not any(word in str(error) for word in ("disconnected", "closed")):
        kind = "server"
    return UpstreamError(kind, f"{name}: {str(error) or type(error).__name__}", status=status)


def join(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Header lines as a mapping: names in lower case, repeated values joined, cookies left out."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        name = name.lower()
        if name != b"set-cookie":
            headers[name] = value if name not in headers else b"%b, %b" % (headers[name], value)
    return headers
