"""A caller on a bare socket, and the real server in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
from msgspec import Struct

from lynkr_core import sse
from lynkr_core.app import Application
from lynkr_core.cli.protocol import Protocol, ServerState
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.waiting import PATIENCE

LIMIT = 16 * 1024 * 1024


class Answer(Struct, frozen=True, kw_only=True):
    """`whole`: its framing came to an end, so that the caller may believe it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    def json(self):
        return msgspec.json.decode(self.body)

    def events(self) -> list[sse.ServerSentEvent]:
        reader = sse.Reader()
        return [*reader.feed(self.body), *reader.close()]


class Caller:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def post(self, path: str, body: bytes, headers: Mapping[str, str] = {}) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}", *lines]
        self.writer.write("\r\n".join([*head, "", ""]).encode() + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        data = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        first, *lines = data.decode("latin-1").rstrip().split("\r\n")
        return int(first.split()[1]), dict(line.split(": ", 1) for line in lines)

    async def answer(self) -> Answer:
        """The next answer, however it ends."""
        async with asyncio.timeout(PATIENCE):
            status, headers = await self.head()
            if headers.get("transfer-encoding") == "chunked":
                body, whole = await self._chunks()
            else:
                body, whole = await self.reader.readexactly(int(headers["content-length"])), True
        return Answer(status=status, headers=headers, body=body, whole=whole)

    async def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(await self.reader.readline() or b"-", 16):
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        except (ValueError, asyncio.IncompleteReadError, ConnectionError):
            return body, False
        return body, True

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def call(port: int) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", port, limit=LIMIT))


async def ask(port: int, path: str, body: bytes, headers: Mapping[str, str] = {}) -> Answer:
    async with await call(port) as caller:
        caller.post(path, body, headers)
        return await caller.answer()


@asynccontextmanager
async def gateway(text: str) -> AsyncGenerator[int]:
    """Gives the port at which the gateway that `text` describes is served, by our own server in this loop."""
    kernel = Kernel.from_config(parse(text, {}), {})
    app, state, loop = Application(kernel).dispatch, ServerState(), asyncio.get_running_loop()
    async with kernel:
        server = await loop.create_server(lambda: Protocol(app, state, loop), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for connection in list(state.connections):
                connection.transport.abort()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=PATIENCE)
            await server.wait_closed()
            await asyncio.sleep(0)
