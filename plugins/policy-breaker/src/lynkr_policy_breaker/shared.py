"""A board that tells other gateways of its openings and cool-downs through a store, and hears of theirs.

The store is only asked in the background: a request is decided by what was heard last. Times go through it as seconds since 1970, so the
clocks of machines that share have to agree to a second or so. What is down from here (`down`) may be up from elsewhere and is not told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.stores import KeyValue
from lynkr_policy_breaker.board import MAX_SUBJECTS, Board
from lynkr_policy_breaker.circuit import Rules

log = logging.getLogger("lynkr.breaker")
PREFIX = "policy-breaker/"
STORE_SECONDS = 5.0
"""How long one look at the store may take."""


class Note(Struct, frozen=True):
    """What is told of one subject: until when (seconds since 1970) and why. `limit`: a cool-down, else an open circuit."""

    by: str
    until: float
    reason: str
    limit: bool


_note = msgspec.json.Decoder(Note)


class SharedBoard(Board):
    """`every`: seconds between two looks at the store; `longest`: seconds beyond which nobody's word is believed."""

    def __init__(
        self, rules: Rules, values: KeyValue, clock: Callable[[], float], *, every: float, longest: float,
        wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(rules)
        self._values = values
        self._clock = clock
        self._wall = wall
        self._every = every
        self._longest = longest
        self._own = os.urandom(6).hex()
        self._untold: dict[str, Note | None] = {}
        self._heard: dict[str, float] = {}
        self._news = asyncio.Event()
        self.reachable = True

    # what is told; nothing waits
    def failed(self, subject: str, now: float, reason: str, probe: bool) -> None:
        opened = self.opened
        super().failed(subject, now, reason, probe)
        if self.opened > opened:
            circuit = self._circuit(subject)
            self._tell(subject, Note(self._own, self._wall() + circuit.wait(now), circuit.reason, False))

    def succeeded(self, subject: str, now: float, probe: bool) -> None:
        super().succeeded(subject, now, probe)
        if probe:
            self._tell(subject, None)

    def cool(self, subject: str, until: float, reason: str) -> None:
        super().cool(subject, until, reason)
        self._tell(subject, Note(self._own, self._wall() + until - self._clock(), reason, True))

    def _tell(self, subject: str, note: Note | None) -> None:
        if len(self._untold) < MAX_SUBJECTS:
            self._untold[subject] = note
            self._heard.pop(subject, None)
            self._news.set()

    # the background
    async def run(self) -> None:
        """Looks at the store for ever, at once when there is something to tell. A store that fails changes nothing here."""
        while True:
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    await self.exchange()
            except Exception as error:  # whatever is wrong with a store must not end the looking
                if self.reachable:
                    log.warning("the store cannot be asked, this process goes by what it knows itself: %s", type(error).__name__)
                self.reachable = False
                await asyncio.sleep(self._every)
            else:
                if not self.reachable:
                    log.info("the store can be asked again")
                self.reachable = True
                await self._until_news()

    async def _until_news(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._news.wait()
        except TimeoutError:
            return

    async def exchange(self) -> None:
        """Tells what is untold, then hears what there is. Raises what the store raises."""
        self._news.clear()
        for subject, note in list(self._untold.items()):
            seconds = note.until - self._wall() if note else 0.0
            if note is None or seconds <= 0:
                await self._values.delete(PREFIX + subject)
            else:
                await self._values.set(PREFIX + subject, msgspec.json.encode(note), seconds)
            if self._untold.get(subject) is note:
                del self._untold[subject]
        self._hear(await self._values.scan(PREFIX))

    def _hear(self, rows: Mapping[str, bytes]) -> None:
        now, wall = self._clock(), self._wall()
        heard: dict[str, float] = {}
        for key, value in rows.items():
            subject = key.removeprefix(PREFIX)
            try:
                note = _note.decode(value)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # written by another version
            until = now + min(note.until - wall, self._longest)
            if note.by != self._own and until > now and subject not in self._untold:
                heard[subject] = until
                self._believe(subject, until, note)
        for subject, until in self._heard.items():
            if subject not in heard and until - now > self._every:
                super().up(subject)  # somebody's probe was answered: the row went before its time
        self._heard = heard

    def _believe(self, subject: str, until: float, note: Note) -> None:
        if abs(self._heard.get(subject, 0.0) - until) < 1.0:
            return  # known from the last look
        if note.limit:
            super().cool(subject, until, note.reason)
        else:
            self.down(subject, until, note.reason)

    def status(self, now: float) -> dict[str, Any]:
        return {**super().status(now), "store": "ok" if self.reachable else "cannot be asked"}
