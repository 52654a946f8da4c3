"""The server's side of a connection: HTTP/1.1 requests parsed, answered one after the other, idle connections closed.

uvicorn's protocol does the same and costs half as much again for each request as everything that lynkr does with it: an event, a
timer and a dozen wrappers, two writes to the socket. This one keeps to what the gateway needs, and bounds what uvicorn leaves
unbounded: the head, and requests waiting behind each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import httptools

from lynkr_core.caller import EXTENSION
from lynkr_core.cli.cycle import Cycle

log = logging.getLogger("lynkr.server")
MAX_HEAD = 64 * 1024
MALFORMED = (b"400 Bad Request", b"the request is not HTTP/1.1\n")
TOO_LARGE = (b"431 Request Header Fields Too Large", b"the head of the request is over %d bytes\n" % MAX_HEAD)
LINGER_SECONDS = 0.5
"""How long a refused connection stays: closed at once, it would be reset under what is still coming, and the refusal be lost."""
DRAIN_SECONDS = 2.0
"""How long a body may go on coming after its answer."""
MAX_WAITING = 16
"""Pipelined requests that may wait before reading pauses."""
NOTHING: list[tuple[bytes, bytes]] = []
SPECIAL = frozenset((b"connection", b"proxy-connection", b"expect"))
SCOPE: dict[str, Any] = {
    "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "", "server": None, "client": None, "scheme": "",
    "root_path": "", "method": "", "path": "", "raw_path": b"", "query_string": b"", "headers": [], "extensions": {},
}  # fmt: skip
"""To be copied: to make a dictionary of as many keys takes twice as long."""
IDLE_SECONDS = 75.0
"""How long a caller may say nothing when it is its turn: longer than most clients keep idle connections, so that they close first."""


class ServerState:
    """What the connections of a server share. `date` is a header's line, for every answer, and has to be told the time now and then."""

    def __init__(self) -> None:
        self.connections: set[Protocol] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = dated()


class Protocol(asyncio.Protocol):
    """One connection. `full` is a future while the peer reads too slowly."""

    __slots__ = (
        "_app", "_begun", "_broken", "_client", "_connection", "_expects", "_head_size", "_headers", "_idle_since", "_loop",
        "_parser", "_partial", "_reading", "_scheme", "_server", "_size", "_url", "_waiting", "current", "full", "state", "transport",
    )  # fmt: skip

    def __init__(self, app: Any, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self.state = state
        self.transport = cast("asyncio.Transport", None)
        self.full: asyncio.Future[None] | None = None
        self.current: Cycle | None = None
        self._reading: Cycle | None = None
        self._waiting: list[Cycle] = []
        self._parser: httptools.HttpRequestParser | None = None
        self._headers: list[tuple[bytes, bytes]] = NOTHING
        self._url = b""
        self._begun = self._broken = self._expects = self._connection = False
        self._head_size = self._partial = self._size = 0
        self._idle_since = 0.0

    def rest(self, cycle: Cycle) -> None:
        """A stream begins, which may last: what was needed to read its request is made again for the next one."""
        if cycle.keep_alive and not self._begun and self._reading is None:
            self._parser, self._headers = None, NOTHING

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.state.connections.add(self)
        self._server = own_address(transport.get_extra_info("sockname"))
        self._client = address(transport.get_extra_info("peername"))
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"

    def data_received(self, data: bytes) -> None:
        if self._broken:
            return
        self._size = len(data)
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._reading is not None:
                self._reading.keep_alive = False  # answered as a plain request; what follows is not HTTP
        except httptools.HttpParserError:
            self._refuse(*(TOO_LARGE if self._head_size > MAX_HEAD else MALFORMED))
        if self._begun:
            self._partial += self._size
            if self._partial > MAX_HEAD:
                self._refuse(*TOO_LARGE)

    def _refuse(self, status: bytes, why: bytes) -> None:
        """Nothing more is read. What has come whole is answered, then the connection closes."""
        if self._broken:
            return
        self._broken = True
        half, self._reading = self._reading, None  # its body will never be whole
        if half is not None and half in self._waiting:
            self._waiting.remove(half)
        last = self._waiting[-1] if self._waiting else self.current
        if last is not None and (last is not half or last.status is not None):
            last.keep_alive = False
            return
        if last is not None:
            last.lost()
        head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(why))
        self.transport.write(head + why)
        self._loop.call_later(LINGER_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self.resume_writing()
        for cycle in (self.current, *self._waiting):
            if cycle is not None:
                cycle.lost()
        self._parser = None  # it holds our bound methods: a cycle

    def pause_writing(self) -> None:
        self.full = self.full or self._loop.create_future()

    def resume_writing(self) -> None:
        full, self.full = self.full, None
        if full is not None and not full.done():
            full.set_result(None)

    # httptools' callbacks
    def on_message_begin(self) -> None:
        self._begun, self._head_size, self._partial, self._idle_since = True, 0, 0, 0.0
        self._headers, self._url, self._expects, self._connection = [], b"", False, False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._begun:  # a trailer, which nobody reads
            self._head_size += len(name) + len(value)
            if self._head_size > MAX_HEAD:
                raise ValueError("the trailers are too large")
            return
        name = name.lower()
        if name in SPECIAL:
            self._connection |= name != b"expect"
            self._expects |= name == b"expect" and value.lower() == b"100-continue"
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._begun = False
        parser, headers = self._parser, self._headers
        assert parser is not None, "it is the parser that calls"
        if self._partial + self._size > MAX_HEAD:  # what came may be a small head and a large body
            self._head_size = len(self._url) + sum([len(name) + len(value) for name, value in headers])
            if self._head_size > MAX_HEAD:
                raise ValueError("the head is too large")
        keep = parser.should_keep_alive()  # without a word about it only HTTP/1.1 does; to ask the parser is dear
        version = "1.1" if keep and not self._connection else parser.get_http_version()
        scope = self._scope(parser.get_method().decode("ascii"), version)
        cycle = Cycle(self, scope, keep and version == "1.1")
        cycle.expects_continue = self._expects
        scope["extensions"] = {EXTENSION: cycle}
        self._reading = cycle
        if self.current is None:
            self._start(cycle)
        else:
            self._waiting.append(cycle)
            if len(self._waiting) >= MAX_WAITING:
                self.hold(True)

    def on_body(self, body: bytes) -> None:
        self._idle_since = 0.0
        if self._reading is not None and not self._reading.done:
            self._reading.body(body)

    def on_message_complete(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.body_ends()
            if reading.done:
                self.transport.close()

    def _scope(self, method: str, version: str) -> MutableMapping[str, Any]:
        scope = SCOPE.copy()
        scope["http_version"], scope["server"], scope["client"] = version, self._server, self._client
        scope["scheme"], scope["method"], scope["headers"] = self._scheme, method, self._headers
        scope["path"], scope["raw_path"], scope["query_string"] = located(self._url)
        return scope

    # one answer after the other
    def _start(self, cycle: Cycle) -> None:
        """The task leaves the set by itself: a callback for that would be a turn of the loop for each request.

        With a name for all: one of its own takes a sixth of the time of making it, and is kept.
        """
        self.current = cycle
        cycle.task = asyncio.Task(cycle.run(self._app), loop=self._loop, name="request")
        self.state.tasks.add(cycle.task)

    def answered(self, cycle: Cycle) -> None:
        """The answer is written: the next request, or rest."""
        self.current = None
        if self._reading is cycle:
            self._drain()
        elif not cycle.keep_alive:
            self.transport.close()
        elif self._waiting:
            self.hold(False)
            self._start(self._waiting.pop(0))
        else:
            self._idle_since = 0.0

    def _drain(self) -> None:
        """A body that nobody wanted is still coming: closing at once would reset the connection before the answer was read."""
        self.hold(False)
        self._loop.call_later(DRAIN_SECONDS, self.transport.close)

    def hold(self, on: bool) -> None:
        """Stops or goes on reading."""
        if self.transport.is_closing():
            return
        if on:
            self.transport.pause_reading()
        elif not self.transport.is_reading():
            self.transport.resume_reading()

    # rest
    def look(self, now: float) -> None:
        """Called by the server once a second: closes a connection whose caller has said nothing for too long, between requests or in the
        middle of one. A timer each would cost half a KB.

        Silent since the first look at which it is: to look at the clock is not a request's work.
        """
        if self._owes() and not self.transport.is_closing():
            self._idle_since = self._idle_since or now
            if now - self._idle_since >= IDLE_SECONDS:
                self.transport.close()

    def _owes(self) -> bool:
        """Whether it is the caller's turn: for a request, or for more of a body that is wanted."""
        current = self.current
        return current is None or (current is self._reading and current.status is None and self.transport.is_reading())

    def shutdown(self) -> None:
        """Called by the server when it stops: what is being answered is finished, nothing more is begun."""
        if self.current is None:
            self.transport.close()
        else:
            self.current.keep_alive = False


def dated() -> bytes:
    return b"date: %b" % formatdate(usegmt=True).encode()


@lru_cache(maxsize=64)
def located(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the same as it came, and query of a request's target: the same few for all requests."""
    query = b""
    if not url.startswith(b"/") or b"?" in url or b"#" in url:
        parsed = httptools.parse_url(url)
        url, query = parsed.path or b"/", parsed.query or b""
    path = url.decode("latin-1")
    return unquote(path) if "%" in path else path, url, query


@lru_cache(maxsize=64)
def own_address(info: Any) -> tuple[str, int] | None:
    """As `address`; the same few for all connections."""
    return address(info)


def address(info: Any) -> tuple[str, int] | None:
    """Host and port of a socket; a Unix socket has none."""
    return cast("tuple[str, int]", info[:2]) if isinstance(info, tuple) else None
