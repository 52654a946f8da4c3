"""What providers say is left of their own limits, in the headers of their answers.

`x-ratelimit-remaining-requests` and its like are OpenAI's (API reference, "Rate limits") and of many that copied it, resets as `6m0s`;
`anthropic-ratelimit-requests-remaining` and its like Anthropic's (API reference, "Rate limits"), resets as RFC 3339 times.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lynkr_core.dialect import Headers
from lynkr_core.exchange import Attempt

FAMILIES = tuple(
    (kind, *[f"{prefix}{form}".encode().replace(b"KIND", kind.encode()) for form in forms])
    for prefix, forms, kinds in (
        ("x-ratelimit-", ("remaining-KIND", "limit-KIND", "reset-KIND"), ("requests", "tokens")),
        (
            "anthropic-ratelimit-",
            ("KIND-remaining", "KIND-limit", "KIND-reset"),
            ("requests", "tokens", "input-tokens", "output-tokens"),
        ),
    )
    for kind in kinds
)
"""Kind, and the headers of what remains, of the limit and of the reset."""
REMAINING = frozenset([remaining for _, remaining, _, _ in FAMILIES])
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST = 3600.0
"""Seconds beyond which nobody is believed; a wrong clock must not close a provider for a day."""
UNREAD = 8
PAUSE = 0.02
"""Seconds between two looks at the answers of attempts under way."""


class Room(NamedTuple):
    """What remained at `since`, refilled evenly until all of `limit` is there at `full_at`, in seconds since 1970.

    `limit` 0 is unknown: nothing comes back before `full_at`.
    """

    remaining: float
    limit: float
    since: float
    full_at: float

    @property
    def rate(self) -> float:
        """What comes back in a second; 0 when that is unknown."""
        missing, lasts = self.limit - self.remaining, self.full_at - self.since
        return missing / lasts if missing > 0 and lasts > 0 else 0.0

    def left(self, now: float) -> float:
        if now >= self.full_at:
            return self.limit or math.inf
        return self.remaining + self.rate * max(0.0, now - self.since)

    def wait(self, amount: float, now: float) -> float:
        """Seconds until there is room for so much."""
        missing, rate, longest = amount - self.left(now), self.rate, self.full_at - now
        if missing <= 0 or longest <= 0:
            return 0.0
        return min(longest, missing / rate) if rate else longest

    def spent(self, amount: float, now: float) -> Room:
        rate = self.rate
        if now >= self.full_at:
            return self
        return Room(max(0.0, self.left(now) - amount), self.limit, now, self.full_at + (amount / rate if rate else 0.0))


class Lane:
    """One credential's limits for one model. `live`: attempts under way."""

    __slots__ = ("live", "read_at", "rooms", "unread")

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.live = 0
        self.read_at = 0.0
        self.unread: deque[Attempt] = deque(maxlen=UNREAD)

    def read(self, now: float) -> None:
        """Learns from those whose answers have begun; under load not at every request."""
        if 0 <= now - self.read_at < PAUSE:
            return
        self.read_at = now
        for attempt in list(self.unread):
            if attempt.upstream is not None and self.hear(attempt, now):
                self.unread.remove(attempt)

    def over(self, attempt: Attempt, now: float) -> None:
        """The attempt has ended: what it was not asked for meanwhile is learnt now."""
        self.live -= 1
        if attempt in self.unread:
            self.unread.remove(attempt)
            self.hear(attempt, now)

    def hear(self, attempt: Attempt, now: float) -> bool:
        """False while there are no headers."""
        headers: Headers | None = getattr(attempt.upstream, "headers", None)
        if headers is None:
            return False
        if REMAINING.isdisjoint(headers):
            return True
        if attempt.first_token is not None:  # a stream that was heard of late: its head came when it began
            now -= time.monotonic() - attempt.first_token
        for kind, remaining, limit, reset in FAMILIES:
            if remaining in headers:
                self._learn(kind, headers[remaining], headers.get(limit), headers.get(reset), now)
        return True

    def _learn(self, kind: str, remaining: bytes, limit: bytes | None, reset: bytes | None, now: float) -> None:
        left, most = number(remaining), number(limit)
        wait = span(reset.decode("latin-1"), now) if reset else None
        if left is not None and wait is not None:
            self.rooms[kind] = Room(left, most or 0.0, now, now + min(wait, LONGEST))

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until this credential has room for a request of so many tokens, at most all that there ever are."""
        return max([room.wait(needed(kind, room, tokens), now) for kind, room in self.rooms.items()], default=0.0)

    def spend(self, tokens: int, now: float) -> None:
        """What was just sent is not in any header yet."""
        for kind, room in self.rooms.items():
            self.rooms[kind] = room.spent(1 if kind == "requests" else tokens, now)

    def headroom(self, now: float) -> float:
        """The smallest share that remains; 1 where nothing is known."""
        return min([room.left(now) / room.limit for room in self.rooms.values() if room.limit], default=1.0)

    def told(self, now: float) -> Mapping[str, float]:
        return {kind: round(room.left(now)) for kind, room in self.rooms.items() if room.full_at > now}


def needed(kind: str, room: Room, tokens: int) -> float:
    return 1 if kind == "requests" else min(tokens, room.limit) if room.limit else 1


def number(text: bytes | None) -> float | None:
    try:
        found = float(text) if text is not None else None
    except ValueError:
        return None
    return found if found is not None and math.isfinite(found) and found >= 0 else None


def span(text: str, now: float) -> float | None:
    """Seconds from now: of `1m6.5s`, `20ms`, a number of seconds, a time since 1970, or an RFC 3339 time."""
    plain = number(text.encode("latin-1", "replace"))
    if plain is not None:
        return plain - now if plain > now / 2 else plain
    found = SPAN.findall(text)
    if found and "".join([amount + unit for amount, unit in found]) == text:
        return sum([float(amount) * SECONDS[unit] for amount, unit in found])
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - now)
    except ValueError:
        return None
