"""What is waited for: attempts, pauses that can be ended early, and tasks that are stopped."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from lynkr_core.errors import Kind, UpstreamError
from lynkr_core.request import Usage

if TYPE_CHECKING:
    from lynkr_core.consumed import Amount
    from lynkr_core.exchange import Candidate, Reservation


class Abortable(Protocol):
    """Something that can be stopped at once."""

    def abort(self) -> None: ...


class Pulse(Protocol):
    """Where a stream stands: the first event is here, content is, the model is thinking; whether anything was said since `heard` was last
    set back; whether the caller is not reading; how many pieces the caller got; how much has come; whether its whole usage was told."""

    begun: bool
    committed: bool
    thinking: bool
    heard: bool
    blocked: bool
    pieces: int
    amount: Amount
    billed: bool


class Pause:
    """A wait that ends early when it is aborted."""

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_later(seconds, self.abort)

    def abort(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def wait(self) -> None:
        try:
            await self._over
        finally:
            self._timer.cancel()


async def stopped(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancels them, and returns once they are over. What one had failed with before is told by the event loop, as of every task."""
    left = [task for task in tasks if task is not None]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


class Attempt(Struct, eq=False):
    """One upstream try. Times are seconds on the monotonic clock.

    `until`: when it has to end. `heard`: when its stream last said something, 0 before. `expired`: which time limit ended it. `lost`: another
    attempt of the exchange was faster. `answered`: the tools that lynkr answered itself, before it asked again.
    """

    candidate: Candidate
    started: float = field(default_factory=time.monotonic)
    heard: float = 0.0
    until: float = math.inf
    expired: str = ""
    lost: bool = False
    answered: tuple[str, ...] = ()
    stream: Pulse | None = None
    upstream: Abortable | None = None
    losses: Sequence[str] = ()
    first_token: float | None = None
    ended: float | None = None
    error: UpstreamError | None = None
    usage: Usage | None = None
    reservations: list[tuple[Any, Reservation]] = []

    @property
    def kind(self) -> Kind | None:
        return self.error.kind if self.error else None

    def expire(self, why: str) -> None:
        """Ends it for taking too long; whoever waits for the upstream is told."""
        self.expired = why
        self.abort()

    def abort(self) -> None:
        if self.upstream is not None:
            self.upstream.abort()

    def describe(self) -> str:
        """`local/llama3.2: 503 server after 0.12 s`."""
        took = (self.ended or time.monotonic()) - self.started
        if self.error is None:
            return f"{self.candidate.id}: ok after {took:.2f} s"
        status = f"{self.error.status} " if self.error.status else ""
        return f"{self.candidate.id}: {status}{self.error.kind} after {took:.2f} s"


def last_at(attempts: Sequence[Attempt], candidate: Candidate) -> Attempt | None:
    """The last one at this candidate: mostly the last of all, unless several are under way."""
    for made in reversed(attempts):  # half the price of `next` over a generator
        if made.candidate is candidate:
            return made
    return None
