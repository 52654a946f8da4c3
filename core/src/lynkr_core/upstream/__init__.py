"""How bytes reach a provider: one narrow interface, `Transport`, and what stands behind it.

`http1.py` is the hot path's own keep-alive pool; `httpx.py` does HTTP/2, proxies and unusual TLS through httpx2.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from lynkr_core.dialect import Headers

HeaderList = tuple[tuple[bytes, bytes], ...]

FRAMING = frozenset((
    b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade",
))  # fmt: skip
"""Headers that are the transport's own business; given ones are left out."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds: to connect, and of silence while an answer is awaited or read."""

    connect: float = 10.0
    silence: float = 120.0


class Endpoint:
    """Where requests of one kind go: method, URL and the headers that are always the same. Headers may hold secrets.

    Raises `ValueError` for a URL that is not http or https, or a header with a line end in it.
    """

    def __init__(
        self, url: str, headers: HeaderList = (), *, method: str = "POST", timeouts: Timeouts = Timeouts(),
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        if any(b"\r" in x or b"\n" in x for pair in headers for x in pair):
            raise ValueError("a header has a line end in it")
        self.url = url
        self.method = method
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.authority = parts.netloc.rpartition("@")[2]
        self.headers = headers
        self.timeouts = timeouts
        self.tls = tls
        self.origin = (self.host, self.port, self.secure)

    @cached_property
    def head(self) -> bytes:
        """The request's first lines, without content-length and the empty line."""
        lines = [f"{self.method} {self.target} HTTP/1.1\r\nhost: {self.authority}\r\n".encode("ascii")]
        lines += [b"%b: %b\r\n" % pair for pair in self.headers if pair[0].lower() not in FRAMING]
        return b"".join(lines)

    def __repr__(self) -> str:
        return f"Endpoint({self.method} {'https' if self.secure else 'http'}://{self.authority}{urlsplit(self.target).path})"


Take = Callable[[bytes], Awaitable[object] | None]
"""Takes a piece of a body. Must not wait; what it returns is awaited before the next piece is given."""


class UpstreamResponse(Protocol):
    """An answer whose head has arrived."""

    status: int
    headers: Headers

    async def read(self, limit: int = ...) -> bytes:
        """The whole body. Raises `UpstreamError`: `cut` when it ends early, `invalid` when over `limit` bytes."""
        ...

    async def next(self) -> bytes:
        """The next piece of the body, empty at its end. Raises `UpstreamError` when it is cut or silent for too long."""
        ...

    async def pump(self, take: Take) -> None:
        """Gives every piece to `take` until the end. Raises as `next`, and what `take` raises."""
        while piece := await self.next():
            full = take(piece)
            if full is not None:
                await full

    def abort(self) -> None:
        """Closes the connection at once. Pending and later reads raise `UpstreamError`."""
        ...


class Call(Protocol):
    """A request under way."""

    async def response(self) -> UpstreamResponse: ...

    def abort(self) -> None: ...


class Transport(Protocol):
    """Sends requests. One instance for each kernel."""

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Call:
        """Begins a request; `response()` of the result waits for the head. Raises `UpstreamError` there, never here."""
        ...

    async def aclose(self) -> None:
        """Closes every connection."""
        ...
