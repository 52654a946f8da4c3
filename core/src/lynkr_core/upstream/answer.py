"""The receiving end of one HTTP/1.1 answer: pieces come in from a connection and wait, bounded, for whoever reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from lynkr_core.dialect import Headers
from lynkr_core.errors import UpstreamError
from lynkr_core.upstream import Take, UpstreamResponse

HIGH = 256 * 1024
LOW = 64 * 1024
READ_LIMIT = 64 * 1024 * 1024
PIECE_COST = 64
"""Bytes that a waiting piece costs beside its content, so that a million tiny pieces are bounded too."""


class Source(Protocol):
    """Where an answer's pieces come from."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...


class Answer(UpstreamResponse):
    """Over 256 KiB unread pause the source, under 64 KiB resume it. For one reader at a time.

    A reader that pumps and has to wait pauses it at once: a thousand callers that do not read would be a thousand times 256 KiB.
    """

    __slots__ = (
        "_ended", "_failure", "_fault", "_full", "_pieces", "_source", "_take", "_unread", "_waiter", "headers", "paused", "status",
    )  # fmt: skip

    def __init__(self, source: Source, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self.paused = False
        self._source: Source | None = source
        self._pieces: list[bytes] = []
        self._unread = 0
        self._ended = False
        self._failure: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._full: Awaitable[object] | None = None
        self._fault: Exception | None = None

    # the source's side
    def feed(self, piece: bytes) -> None:
        """Takes a piece that came."""
        if self._take is not None:
            self._hand_over(self._take, piece)
            return
        self._pieces.append(piece)
        self._unread += len(piece) + PIECE_COST
        if self._unread > HIGH:
            self._pause()
        self._wake()

    def _pause(self) -> None:
        if not self.paused and self._source is not None:
            self.paused = True
            self._source.pause()

    def _resume(self) -> None:
        if self.paused and self._unread < LOW and self._source is not None:
            self.paused = False
            self._source.resume()

    def _hand_over(self, take: Take, piece: bytes) -> None:
        """Straight to whoever pumps; it is woken only when it has to wait."""
        try:
            self._full = take(piece)
        except Exception as fault:
            self._fault = fault
        if self._full is not None or self._fault is not None:
            self._take = None
            self._pause()
            self._wake()

    def finish(self) -> None:
        """The body is complete; the source is free for another answer."""
        self._ended = True
        self._detach()

    def fail(self, error: UpstreamError) -> None:
        """No more will come. What came already can still be read, then the error is raised."""
        if not self._ended and self._failure is None:
            self._failure = error
        self._detach()

    def _detach(self) -> None:
        self._source = None
        self.paused = False
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # the reader's side
    async def next(self) -> bytes:
        """The next piece as it came from the socket, empty at the end. Raises `UpstreamError`: cut, timeout or server."""
        while not self._pieces:
            if self._failure is not None:
                raise copy(self._failure)
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.pop(0)
        self._unread -= len(piece) + PIECE_COST
        self._resume()
        return piece

    async def pump(self, take: Take) -> None:
        """Gives every piece to `take` as it comes from the socket: a piece wakes no task. Raises as `next`, and what `take` raises."""
        try:
            while True:
                while self._pieces:
                    full = take(await self.next())
                    if full is not None:
                        await full
                if self._failure is not None:
                    raise copy(self._failure)
                if self._ended:
                    return
                self._resume()
                self._take = take  # until the end, or until it makes us wait or raises
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
                if self._fault is not None:
                    raise self._fault
                full, self._full = self._full, None
                if full is not None:
                    await full
        finally:
            self._take = None

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """The rest of the body. Raises `UpstreamError`: as `next`, or `invalid` (and aborts) when it is over `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        while True:
            piece = await self.next()
            size += len(piece)
            if size > limit:
                self.abort()
                raise UpstreamError("invalid", f"the upstream's answer is over {limit} bytes", status=self.status)
            if self._ended and not self._pieces and not pieces:
                return piece
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)

    def abort(self) -> None:
        """Closes the connection at once, unless the body is complete. Unread pieces are dropped, every read raises `cut`."""
        source = self._source
        self._pieces.clear()
        self._unread = 0
        self._failure = UpstreamError("cut", "the call was aborted")
        self._detach()
        if source is not None:
            source.close()


def copy(error: UpstreamError) -> UpstreamError:
    """The same error to raise anew: one that is raised twice grows its traceback each time."""
    return UpstreamError(error.kind, error.message, status=error.status)
