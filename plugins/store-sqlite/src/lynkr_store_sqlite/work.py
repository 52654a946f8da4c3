"""What is to be done in the writer's thread, and how the event loop hears of it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger("lynkr.store.sqlite")


class Work:
    """One call that reads and writes within a transaction; `future` is told what it returned or raised."""

    __slots__ = ("act", "future", "result")

    def __init__(self, act: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.act = act
        self.future = future
        self.result: Any = None

    def run(self) -> None:
        """Raises `sqlite3.Error`, which is the transaction's; every other error is its own. What nobody waits for is left undone."""
        if self.future.cancelled():
            return
        try:
            self.result = self.act()
        except sqlite3.Error:
            raise
        except Exception as error:
            self.result = error


def settle(works: Sequence[Work]) -> None:
    """Tells the event loop once for all of them. Called in the writer's thread."""
    try:
        works[0].future.get_loop().call_soon_threadsafe(tell, works)
    except RuntimeError:
        log.warning("an event loop ended before %d calls of the store did", len(works))


def fail(works: Sequence[Work], error: sqlite3.Error) -> None:
    """Every call gets an error of its own: exceptions carry where they were raised."""
    for work in works:
        work.result = OSError(f"a change cannot be kept: {error}")
    settle(works)


def tell(works: Sequence[Work]) -> None:
    for work in works:
        if work.future.done():
            continue
        if isinstance(work.result, Exception):
            work.future.set_exception(work.result)
        else:
            work.future.set_result(work.result)
