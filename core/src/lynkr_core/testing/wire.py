"""A server that says exactly the bytes it is told to, and notes what its clients did.

async with ScriptedServer([answer(b"hello")], [b"HTTP/1.1 200 OK\\r\\n", Pause(1), RESET]) as server:
    ...  # the first request gets the first script, the second and all later ones the second
assert server.requests[0].body == b"ping"
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, Self, cast

from msgspec import Struct

CLOSE: Literal["close"] = "close"
"""Closes the connection after what was sent has gone out."""
RESET: Literal["reset"] = "reset"
"""Resets the connection: the client gets an error instead of an end."""
HALF_CLOSE: Literal["half-close"] = "half-close"
"""Ends our side and still reads."""


class Pause(Struct, frozen=True):
    """Waits some seconds."""

    seconds: float


Step = bytes | Pause | Literal["close", "reset", "half-close"]
Script = Iterable[Step]


class Request(Struct, frozen=True):
    """A request as it came. Header names are in lower case; `peer` is the connection it came on."""

    method: str
    target: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    peer: Peer

    def header(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name]


class Peer(asyncio.Protocol):
    """One client's connection. `gone` is set when the client has closed or reset it, `left` is when, on the monotonic clock."""

    def __init__(self, server: ScriptedServer) -> None:
        self.gone = asyncio.Event()
        self.left: float | None = None
        self.sent = 0
        self._server = server
        self._data = b""
        self._scripts: list[Script] = []
        self._player: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport = cast("asyncio.Transport", None)

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.peers.append(self)
        self._add(self._server.greeting)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (request := self._take()) is not None:
            self._server.requests.append(request)
            self._add(self._server.script(len(self._server.requests) - 1))

    def eof_received(self) -> None:
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._writable.set()
        self.stop()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # reading
    def _take(self) -> Request | None:
        """The next whole request of what has come."""
        head, end, rest = self._data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
        length = int(dict(pairs).get(b"content-length", b"0"))
        if not end or len(rest) < length:
            return None
        self._data = rest[length:]
        method, target, _ = lines[0].decode("latin-1").split(" ")
        return Request(method, target, pairs, rest[:length], self)

    def _leave(self) -> None:
        if self.left is None:
            self.left = time.monotonic()
        self.gone.set()

    # playing
    def _add(self, script: Script) -> None:
        self._scripts.append(script)
        if self._player is None or self._player.done():
            self._player = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        while self._scripts:
            for step in self._scripts.pop(0):
                await self._step(step)

    async def _step(self, step: Step) -> None:
        if isinstance(step, bytes):
            self._transport.write(step)
            self.sent += len(step)
            await self._writable.wait()
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif step == CLOSE:
            self._transport.close()
        elif step == HALF_CLOSE:
            self._transport.write_eof()
        else:
            linger = struct.pack("ii", 1, 0)  # on, for 0 s: the kernel sends a reset
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    def stop(self) -> None:
        """Ends the script and closes."""
        if self._player is not None:
            self._player.cancel()
        self._transport.abort()


class ScriptedServer:
    """The n-th request, on whatever connection, gets the n-th script; the last script serves all that follow.

    `greeting` is played when a connection opens, `tls` makes it an https server. `requests` and `peers` have all so far,
    in order. A script that is a generator serves once.
    """

    def __init__(self, *scripts: Script, greeting: Script = (), tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.peers: list[Peer] = []
        self.greeting = greeting
        self.port = 0
        self._scripts = scripts
        self._tls = tls

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def script(self, number: int) -> Script:
        """The script for a request, counted from 0."""
        return self._scripts[min(number, len(self._scripts) - 1)] if self._scripts else ()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for peer in self.peers:
            peer.stop()
        await asyncio.sleep(0)
        await self._server.wait_closed()


def answer(body: bytes = b"", *headers: bytes, status: int = 200) -> bytes:
    """A whole answer with a content-length; `headers` are lines without their ends."""
    lines = [b"HTTP/1.1 %d X" % status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def chunked(*pieces: bytes) -> bytes:
    """A whole answer in chunks."""
    chunks = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
    return b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def split(data: bytes, *at: int, pause: float = 0.005) -> list[Step]:
    """The data cut at these offsets, with a pause of some seconds after each piece so that each is read by itself."""
    edges = [0, *sorted(at), len(data)]
    steps: list[Step] = []
    for start, end in pairwise(edges):
        steps += [data[start:end], Pause(pause)]
    return steps
