"""The beginnings of conversations that are remembered, and which of them a body has.

The latest are kept as they are: to compare them takes a sixth of the time of any digest that is safe. Of older ones a digest is kept,
Python's own: SipHash, 64 bits under a key that each process draws. Faster ones will not do, however they are seeded: who can make two bodies
of one digest has the one read as the other was, past every rule about models and limits (ADR 15). All are shared by all callers; what is
known follows from the bytes alone.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from lynkr_core.request import Message
from lynkr_core.stores.recent import Recent

MOST = 2_048
"""Beginnings that are remembered, times `SIMILAR` where they differ in their last chunk only."""
SIMILAR = 4
LOOKS = 2 * SIMILAR
"""With how many beginnings a body is compared at most: who wants to could make many that it nearly has."""
TEXTS = 64 * 1024 * 1024
"""Bytes of beginnings that are kept as they are, with what was read of them."""
CHUNK = 8_192
"""Bytes of which the last `SAMPLE` are looked at to see that a body may begin as another did."""
SAMPLE = 256
BYTE, NODE = 3, 300
"""What messages that were read take at most: bytes for each byte of their text, and for each opening brace in it."""
SPACE = b" \t\r\n"
AFTER = b",]" + SPACE
"""What may follow a message."""

Head = tuple[tuple[str, int, int], ...]


class Beginning:
    """The first `size` bytes of bodies, up to the end of a message. The conversation begins at `start`; `head` has each key before it
    with the place of its value. `facts` is for whoever finds something out about the messages so far; `messages` are they, as long as the
    text is kept.
    """

    __slots__ = ("_digest", "_text", "_weight", "facts", "head", "messages", "size", "start")

    def __init__(self, size: int, start: int, head: Head) -> None:
        self.size = size
        self.start = start
        self.head = head
        self.facts: dict[str | bytes, Any] = {}
        self.messages: tuple[Message, ...] = ()
        self._text = b""
        self._digest = self._weight = 0

    def keep(self, body: bytes) -> None:
        self._text = body[: self.size]

    def hold(self, messages: tuple[Message, ...], weight: int) -> int:
        """By how many bytes that makes it heavier."""
        if not self._text:
            return 0
        self.messages, more, self._weight = messages, weight - self._weight, weight
        return more

    def fold(self) -> int:
        """Its digest in the place of its text. By how many bytes that makes it lighter."""
        freed = self.size - self.hold((), 0)
        self._digest, self._text = hash(self._text), b""
        return freed

    def opens(self, body: bytes) -> bool:
        if len(body) <= self.size or body[self.size] not in AFTER:
            return False
        return body.startswith(self._text) if self._text else hash(memoryview(body)[: self.size]) == self._digest


class Beginnings:
    """The most recent ones, by the digest of their samples."""

    def __init__(self, most: int = MOST, texts: int = TEXTS) -> None:
        self._known: Recent[int, tuple[Beginning, ...]] = Recent(most)
        self._seen: Recent[int, bool] = Recent(most)
        self._kept: deque[Beginning] = deque()
        self._room = texts

    def again(self, samples: list[int]) -> bool:
        """Whether there was a body before that may have begun as this one does, by a look at two places of both."""
        # powers of two: the next body is looked at in these places, or one of them
        half = 1 << ((len(samples) - 1).bit_length() - 1)
        found = False
        for place in {half, half // 2 or half}:
            if self._seen.get(samples[place]):
                found = True
            else:
                self._seen.set(samples[place], True)
        return found

    def find(self, body: bytes, samples: list[int]) -> Beginning | None:
        """One that has most of this body's samples, if it is among the first few."""
        near = (one for place in samples[:0:-1] for one in self._known.get(place) or ())
        return next((one for one in islice(near, LOOKS) if one.opens(body)), None)

    def keep(self, body: bytes, samples: list[int], beginning: Beginning) -> None:
        place = samples[beginning.size // CHUNK]
        self._known.set(place, (beginning, *(self._known.get(place) or ())[: SIMILAR - 1]))
        beginning.keep(body)
        self._kept.append(beginning)
        self._take(beginning.size)

    def hold(self, messages: tuple[Message, ...], braces: int, now: Beginning, before: Beginning | None) -> None:
        """Keeps them beside the text of `now`, and no longer beside that of `before`."""
        freed = before.hold((), 0) if before else 0
        self._take(freed + now.hold(messages, now.size * BYTE + braces * NODE))

    def _take(self, room: int) -> None:
        self._room -= room
        while self._room < 0:
            self._room += self._kept.popleft().fold()


def sampled(body: bytes, dialect: str) -> list[int]:
    """The digest of no sample, of the first one, of the first two…"""
    digests = [hash(dialect)]
    for end in range(CHUNK, len(body) + 1, CHUNK):
        digests.append(hash((digests[-1], body[end - SAMPLE : end])))
    return digests
