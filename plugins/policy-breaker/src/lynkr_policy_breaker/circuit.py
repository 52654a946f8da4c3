"""One circuit: closed while things go well, open after too many failures, half open while one probe finds out.

    closed --too many failures--> open --`pause` seconds--> half open --probe succeeds--> closed
                                    ^------------------------probe fails---'

No I/O and no clock of its own: each method is told the time, in seconds on any clock that only goes forward.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["closed", "open", "half open"]
BUCKETS = 10
"""Pieces of a window: what is too old leaves it a piece at a time."""


class Rules(Struct, frozen=True, kw_only=True):
    """`rate` of failures among at least `least` attempts in `window` seconds opens a circuit for `pause` seconds."""

    rate: float = 0.5
    least: int = 5
    window: float = 30.0
    pause: float = 10.0


class Window:
    """Successes and failures of the last seconds."""

    __slots__ = ("_buckets", "_width")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / BUCKETS
        self._buckets: dict[int, list[int]] = {}

    def add(self, failed: bool, now: float) -> None:
        place = int(now / self._width)
        if place not in self._buckets:
            self._buckets = {at: counts for at, counts in self._buckets.items() if at > place - BUCKETS}
            self._buckets[place] = [0, 0]
        self._buckets[place][failed] += 1

    def counts(self, now: float) -> tuple[int, int]:
        """Successes and failures."""
        oldest = int(now / self._width) - BUCKETS
        kept = [counts for at, counts in self._buckets.items() if at > oldest]
        return sum(good for good, _ in kept), sum(bad for _, bad in kept)

    def clear(self) -> None:
        self._buckets.clear()


class Circuit:
    """`failed` and `succeeded` tell it of attempts; `admit` says whether there may be one, and whether that is the probe."""

    __slots__ = ("_rules", "_until", "_window", "probing", "reason")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._window = Window(rules.window)
        self._until = 0.0
        self.probing = False
        self.reason = ""

    def state(self, now: float) -> State:
        if not self._until:
            return "closed"
        return "open" if now < self._until else "half open"

    def wait(self, now: float) -> float:
        """Seconds until a probe may be made; 0 when one may be made now."""
        return max(self._until - now, 0.0)

    def admit(self, now: float) -> Literal["yes", "probe", "no"]:
        """After `probe` the outcome of that attempt has to be told by `failed`, `succeeded` or `gave_up`."""
        state = self.state(now)
        if state == "closed":
            return "yes"
        if state == "open" or self.probing:
            return "no"
        self.probing = True
        return "probe"

    def failed(self, now: float, reason: str, probe: bool = False) -> bool:
        """An attempt failed. One that was under way when the circuit opened tells nothing new. True when it opens now."""
        if probe:
            self.probing = False
            self.open(now + self._rules.pause, reason)
            return True
        if not self._until:
            self._window.add(True, now)
            good, bad = self._window.counts(now)
            if good + bad >= self._rules.least and bad >= self._rules.rate * (good + bad):
                self.open(now + self._rules.pause, f"{bad} of {good + bad} attempts failed, the last one: {reason}")
                return True
        return False

    def succeeded(self, now: float, probe: bool = False) -> None:
        if probe:
            self.close()
        elif not self._until:
            self._window.add(False, now)

    def gave_up(self) -> None:
        """The probe ended without telling anything: another one may be made."""
        self.probing = False

    def open(self, until: float, reason: str) -> None:
        """At least until then."""
        self._until = max(until, self._until)
        self.reason = reason

    def close(self) -> None:
        self._until = 0.0
        self.probing = False
        self.reason = ""
        self._window.clear()
