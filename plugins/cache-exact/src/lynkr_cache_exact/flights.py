"""One call for many who ask the same at once: the first one leads, the others wait for its answer."""

from __future__ import annotations

import asyncio
from typing import Literal

Word = Literal["landed", "lead", "late", "gone"]
"""It is over; you are the one to ask now; you have waited long enough; you have left."""


class Waiter:
    """Somebody who waits. `abort`: its caller has left."""

    __slots__ = ("word",)

    def __init__(self) -> None:
        self.word: asyncio.Future[Word] = asyncio.get_running_loop().create_future()

    def say(self, word: Word) -> bool:
        """False when something else was said before."""
        if self.word.done():
            return False
        self.word.set_result(word)
        return True

    def abort(self) -> None:
        self.say("gone")


class Flights:
    """By key, those who wait for whoever leads. Nothing waits here without a limit, and nothing is kept once it has landed."""

    def __init__(self) -> None:
        self._open: dict[str, list[Waiter]] = {}
        self.waited = 0

    def __len__(self) -> int:
        return len(self._open)

    def lead(self, key: str) -> bool:
        """True for who leads, and must `land` or `leave` whatever happens; the others may `wait`."""
        if key in self._open:
            return False
        self._open[key] = []
        return True

    def join(self, key: str) -> Waiter:
        waiter = Waiter()
        self._open[key].append(waiter)
        self.waited += 1
        return waiter

    async def wait(self, key: str, waiter: Waiter, seconds: float) -> Word:
        timer = asyncio.get_running_loop().call_later(seconds, waiter.say, "late")
        try:
            return await waiter.word
        except asyncio.CancelledError:
            if waiter.word.done() and not waiter.word.cancelled() and waiter.word.result() == "lead":
                self.leave(key)
            raise
        finally:
            timer.cancel()
            if waiter in self._open.get(key, ()):
                self._open[key].remove(waiter)

    def land(self, key: str) -> None:
        """There is an answer, or it is known that this leader will have none that can be shared."""
        for waiter in self._open.pop(key, ()):
            waiter.say("landed")

    def leave(self, key: str) -> None:
        """The leader has gone without an answer: the next one leads."""
        waiting = self._open.get(key, [])
        while waiting:
            if waiting.pop(0).say("lead"):
                return
        self._open.pop(key, None)
