"""A TCP proxy that breaks what passes through it: between a gateway and any server, whatever the two speak.

async with FaultProxy(provider.port) as proxy:
    proxy.then(Fault(after=b'"content":"', ends="reset"))  # the first connection; the next ones are sound
    ...                                                    # talk to proxy.url
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from typing import Literal, Self

from msgspec import Struct

CHUNK = 64 * 1024


class Fault(Struct, frozen=True, kw_only=True):
    """What is done to the server's bytes on one connection; the client's pass untouched until `ends` happens.

    `delay`: seconds before its first byte is passed on. `split`: at most so many bytes are written at once. `rate`: bytes a second.
    `ends` happens once `after` has passed, so many bytes or these very bytes: the connection is closed, or reset, or passes nothing
    any more and stays open (`silence`), whatever the server does.
    """

    delay: float = 0.0
    split: int = CHUNK
    rate: float | None = None
    after: int | bytes = 0
    ends: Literal["close", "reset", "silence"] | None = None


SOUND = Fault()


class FaultProxy:
    """Passes connections on to a port of this machine. Faults are for connections, not for requests: those share a kept one."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.links: list[Link] = []
        self._next: deque[Fault] = deque()
        self._always = SOUND

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def then(self, *faults: Fault) -> Self:
        """The next connections fail so, one fault each."""
        self._next.extend(faults)
        return self

    def always(self, fault: Fault) -> Self:
        """Every connection fails so, once the faults of `then` are used up."""
        self._always = fault
        return self

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0, limit=CHUNK)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for link in self.links:
            link.task.cancel()
        await asyncio.gather(*[link.task for link in self.links], return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0)

    def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self._next.popleft() if self._next else self._always, reader, writer)
        link.task = asyncio.ensure_future(link.run(self.target))
        self.links.append(link)


class Link:
    """One client's connection. `left` is when the client closed or reset it, on the monotonic clock."""

    task: asyncio.Task[None]

    def __init__(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.fault = fault
        self.left: float | None = None
        self.gone = asyncio.Event()
        self._reader, self._writer = reader, writer
        self._seen = b""
        self._passed = 0

    async def run(self, port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        except OSError:
            self._writer.transport.abort()
            return
        pumps = [asyncio.ensure_future(self._requests(writer)), asyncio.ensure_future(self._answers(reader))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise
        finally:
            self._writer.close()  # what was written still leaves
            writer.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(self, server: asyncio.StreamWriter) -> None:
        """Until the client leaves."""
        try:
            while data := await self._reader.read(CHUNK):
                server.write(data)
                await server.drain()
        except ConnectionError:
            pass  # a reset is a way to leave
        self.left = time.monotonic()
        self.gone.set()

    async def _answers(self, server: asyncio.StreamReader) -> None:
        """Until the server closes, or the fault says so."""
        if self._ends(b""):
            await self._end()
            return
        try:
            data = await server.read(CHUNK)
            await asyncio.sleep(self.fault.delay)
            while data:
                if not await self._pass(data):
                    await self._end()
                    return
                data = await server.read(CHUNK)
        except ConnectionError:
            self._writer.transport.abort()

    async def _pass(self, data: bytes) -> bool:
        """Writes what may pass. False when the connection's end has come."""
        place = self._ends(data)
        allowed = data if place is None else data[:place]
        self._passed += len(allowed)
        for start in range(0, len(allowed), self.fault.split):
            piece = allowed[start : start + self.fault.split]
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(len(piece) / self.fault.rate if self.fault.rate else 0)
        return place is None

    def _ends(self, data: bytes) -> int | None:
        """How many of these bytes pass before the end; None when all do and it has not come."""
        after = self.fault.after
        if self.fault.ends is None:
            return None
        if isinstance(after, int):
            return after - self._passed if self._passed + len(data) >= after else None
        held, self._seen = len(self._seen), self._seen + data
        place = self._seen.find(after)
        if place >= 0:
            return place + len(after) - held
        self._seen = self._seen[-len(after) :]
        return None

    async def _end(self) -> None:
        if self.fault.ends == "silence":
            await self.gone.wait()
        elif self.fault.ends == "reset":
            linger = struct.pack("ii", 1, 0)  # on, for 0 s: the kernel sends a reset
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
