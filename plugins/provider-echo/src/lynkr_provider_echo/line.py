"""A connection in memory."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from anyio.lowlevel import checkpoint

from lynkr_core.dialect import Headers
from lynkr_core.errors import UpstreamError
from lynkr_core.upstream import UpstreamResponse

BODY_LIMIT = 64 * 1024 * 1024


class Line(UpstreamResponse):
    """A call and its answer in one: `pieces` follow each other after `every` seconds, the head comes after `delay`.

    With `cut` the connection breaks after the last piece.
    """

    def __init__(
        self, pieces: Iterable[bytes], *, status: int = 200, headers: Headers, delay: float = 0.0, every: float = 0.0,
        cut: bool = False,
    ) -> None:  # fmt: skip
        self.status = status
        self.headers = headers
        self._pieces = iter(pieces)
        self._delay, self._every, self._cut = delay, every, cut
        self._aborted = False
        self._waiting: anyio.Event | None = None

    async def response(self) -> Line:
        await self._pause(self._delay)
        return self

    async def read(self, limit: int = BODY_LIMIT) -> bytes:
        """The rest of the body. Raises `UpstreamError`."""
        body = b""
        while piece := await self.next():
            body += piece
            if len(body) > limit:
                self.abort()
                raise UpstreamError("invalid", f"the answer is over {limit} bytes")
        return body

    async def next(self) -> bytes:
        """The next piece, empty at the end. Raises `UpstreamError`."""
        await self._pause(self._every)
        piece = next(self._pieces, b"")
        if not piece and self._cut:
            raise UpstreamError("cut", "the echo was told to break the connection")
        return piece

    def abort(self) -> None:
        self._aborted = True
        if self._waiting is not None:
            self._waiting.set()

    async def _pause(self, seconds: float) -> None:
        """Raises `UpstreamError` as soon as the call is aborted."""
        if seconds and not self._aborted:
            self._waiting = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._waiting.wait()
        else:
            await checkpoint()  # an endless stream must leave room for others
        if self._aborted:
            raise UpstreamError("cut", "the call was aborted")
