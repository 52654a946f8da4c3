"""HTTP to a server that may be slow or may lie: no more bytes than agreed, nothing packed, no cookies, no other address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import cast

import httpx2

CONNECT, CLOSE = 5.0, 2.0
"""Seconds until a connection stands, and for saying goodbye."""


class TooMuch(httpx2.ReadError):
    """The server says more than it may."""


class Counted(httpx2.AsyncByteStream):
    """A body of so many bytes at most. Raises `TooMuch`."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int, over: Bounded) -> None:
        self._stream = stream
        self._left = limit
        self._over = over

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                self._over.exceeded = True
                raise TooMuch("the answer is too long")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class Bounded(httpx2.AsyncBaseTransport):
    """`inner` is shared by all sessions with one server, and stays open. `exceeded`: whether an answer was too long."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int) -> None:
        self._inner = inner
        self._limit = limit
        self.exceeded = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answers that are packed are refused: a small one may become any size."""
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            self.exceeded = True
            raise TooMuch("the answer is packed")
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"set-cookie"]
        body = Counted(cast("httpx2.AsyncByteStream", response.stream), self._limit, self)
        return httpx2.Response(response.status_code, headers=headers, stream=body, extensions=response.extensions)


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: read once, which takes a while."""
    return httpx2.create_ssl_context()


def pool(most: int) -> httpx2.AsyncHTTPTransport:
    """Connections to one server, so many at most."""
    return httpx2.AsyncHTTPTransport(verify=trusted(), limits=httpx2.Limits(max_connections=most, max_keepalive_connections=8))


def client_of(transport: Bounded, headers: Mapping[str, str], seconds: float) -> httpx2.AsyncClient:
    """For one session. Neither proxies nor passwords of the machine's own settings are used."""
    timeout = httpx2.Timeout(seconds, connect=min(CONNECT, seconds))
    return httpx2.AsyncClient(transport=transport, headers=dict(headers), timeout=timeout, trust_env=False)
