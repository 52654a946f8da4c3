"""Calls a plugin's hook as the kernel would, and watches what it does meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from lynkr_core.hooks import HOOKS, adapted
from lynkr_core.plugins import parameters

WATCHED = ("socket.", "subprocess.", "os.system", "os.posix_spawn", "os.fork", "sqlite3.", "urllib.")


async def call(instance: Any, hook: str, *args: Any) -> Any:
    """The answer of one hook, sync or async, with as many of the arguments as it takes."""
    answer = adapted(getattr(instance, hook), parameters(hook))(*args)
    return await answer if inspect.isawaitable(answer) else answer


def hooks_of(instance: Any) -> list[str]:
    """The hooks an instance has."""
    return [name for name in HOOKS if inspect.isroutine(inspect.getattr_static(instance, name, None))]


class Watch:
    """Refuses sockets, processes and databases while it is on, in every thread, and remembers what was tried."""

    def __init__(self) -> None:
        self.on = False
        self.tried: list[str] = []
        sys.addaudithook(self._event)

    def _event(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event.startswith(WATCHED):
            self.tried.append(event)
            raise PermissionError(f"{event}: no I/O is allowed here")


_watches: list[Watch] = []


@contextmanager
def no_io() -> Generator[None]:
    """Raises `AssertionError` at the end when something in the block went for a socket, a process or a database."""
    if not _watches:  # an audit hook cannot be taken away: one for the process
        _watches.append(Watch())
    watch = _watches[0]
    watch.tried.clear()
    watch.on = True
    try:
        yield
    finally:
        watch.on = False
    assert not watch.tried, f"no I/O is allowed here, but there was: {', '.join(watch.tried)}"


class Gap:
    """The longest time in seconds for which the event loop could not turn: `async with Gap() as gap: …; gap.longest`."""

    def __init__(self, every: float = 0.001) -> None:
        self.every = every
        self.longest = 0.0

    async def __aenter__(self) -> Gap:
        self._ticking = asyncio.ensure_future(self._tick())
        await asyncio.sleep(self.every)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(self.every)
        self._ticking.cancel()

    async def _tick(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(self.every)
            self.longest = max(self.longest, time.monotonic() - began)
