"""What the supervisor and its workers say to each other, over a pair of sockets: each message after its length in four bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Self

import msgspec
from msgspec import Struct

from lynkr_core.process import Reloaded

LENGTH = 4


class Take(Struct, frozen=True, tag=True):
    """To a worker: build this configuration and wait. It answers with `Taken`."""

    text: str


class Settle(Struct, frozen=True, tag=True):
    """To a worker: serve with what was built, or, for these mistakes, forget it. It answers with `Taken`."""

    mistakes: Sequence[str] = ()


class Told(Struct, frozen=True, tag=True):
    """To a worker: what became of the reload it asked for."""

    reloaded: Reloaded


class Listening(Struct, frozen=True, tag=True):
    """From a worker: it serves."""

    address: str
    config: str
    providers: Sequence[str]


class Failed(Struct, frozen=True, tag=True):
    """From a worker: it cannot start."""

    mistakes: Sequence[str]


class Taken(Struct, frozen=True, tag=True):
    """From a worker: what became of a `Take` or a `Settle`."""

    reloaded: Reloaded


class Ask(Struct, frozen=True, tag=True):
    """From a worker: somebody wants all of them to take the file up again."""


Message = Take | Settle | Told | Listening | Failed | Taken | Ask
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Channel:
    """One end. `receive` gives None when the other one is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Message) -> None:
        """Written soon; lost when the other end is gone."""
        self._writer.write(framed(message))

    async def receive(self) -> Message | None:
        try:
            length = await self._reader.readexactly(LENGTH)
            return _decode(await self._reader.readexactly(int.from_bytes(length)))
        except (asyncio.IncompleteReadError, OSError):
            return None

    def close(self) -> None:
        self._writer.close()


def framed(message: Message) -> bytes:
    data = _encode(message)
    return len(data).to_bytes(LENGTH) + data


def receive(end: socket.socket) -> Message:
    """Waits for a message where there is no loop yet. Raises `EOFError` when the other end is gone."""
    return _decode(exactly(end, int.from_bytes(exactly(end, LENGTH))))


def exactly(end: socket.socket, count: int) -> bytes:
    data = end.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise EOFError("the supervisor is gone")
    return data
