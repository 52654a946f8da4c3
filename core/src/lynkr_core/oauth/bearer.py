"""The token at hand, and its renewal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from lynkr_core.secret import Secret

Header = tuple[bytes, bytes]
EARLY = 300.0
"""Seconds before its end at which a token is renewed; of a short life the last fifth."""
PAUSE = 15.0
"""Seconds between attempts to renew a token that is still good."""


class Token(Struct, frozen=True, kw_only=True):
    """`lifetime` in seconds from now."""

    value: Secret
    lifetime: float


Fetch = Callable[[], Awaitable[Token]]
"""Asks for a new token. Raises `UpstreamError`."""


class Bearer:
    """One token for any number of requests, which wait for it only when there is none: renewal goes on beside them."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._header: Header = (b"authorization", b"")
        self._due = self._end = 0.0
        self._task: asyncio.Task[Header] | None = None

    def ready(self) -> Header | None:
        """The header at hand, or None. Begins a renewal when the token nears its end."""
        now = self._clock()
        if now >= self._end:
            return None
        if now >= self._due:
            self._due = now + PAUSE
            self._begin()
        return self._header

    def fetched(self) -> asyncio.Future[Header]:
        """The header of a new token; all who wait at the same time wait for the same one. Raises what `fetch` does."""
        return asyncio.shield(self._begin())

    def forget(self, header: Header) -> None:
        """The provider has refused this one."""
        if header is self._header:
            self._end = 0.0

    def _begin(self) -> asyncio.Task[Header]:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._renew())
            self._task.add_done_callback(_seen)
        return self._task

    async def _renew(self) -> Header:
        token = await self._fetch()
        now = self._clock()
        self._header = (b"authorization", b"Bearer " + token.value.reveal().encode())
        self._end = now + token.lifetime
        self._due = self._end - min(EARLY, token.lifetime / 5)
        return self._header


def _seen(task: asyncio.Task[Header]) -> None:
    """A renewal that failed while the old token was good is tried again, and nobody waits for its error."""
    if not task.cancelled():
        task.exception()
