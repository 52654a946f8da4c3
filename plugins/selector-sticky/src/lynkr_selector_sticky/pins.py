"""What is remembered of each conversation: its model, how warm that is, and what speaks for another one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from lynkr_core.exchange import Exchange
from lynkr_core.sessions import digest, session_of

KEPT = 10_000
"""Conversations remembered, about half a kilobyte each; the one not heard of for longest is forgotten first."""
FRESH = 0.3
"""How much the newest turn counts against those before it."""


class Warm(Struct, frozen=True, gc=False):
    """A model's prompt cache has so many tokens of the conversation, and was last read or written at `at` (seconds since 1970)."""

    tokens: int
    at: float


class Pin(Struct, frozen=True, kw_only=True):
    """One conversation. `tier` is the candidate's when it was chosen. `turns` were answered; each adds `growth` tokens, and says `output`.

    `size` in bytes and `tokens` are those of the last request. `drift`: so many asks in a row wanted a dearer tier, below 0 a cheaper one.
    `since`: how many messages there were when the model was chosen. `warm`: by candidate.
    """

    candidate: str
    tier: str | None = None
    turns: int = 0
    size: int = 0
    tokens: int = 0
    growth: float = 0.0
    output: float = 0.0
    drift: int = 0
    since: int = 0
    warm: dict[str, Warm] = {}

    @property
    def at(self) -> float:
        return self.warm[self.candidate].at if self.candidate in self.warm else 0.0


encode = msgspec.msgpack.Encoder().encode
_pin = msgspec.msgpack.Decoder(Pin)


def decode(data: bytes) -> Pin | None:
    """None for what another version has written."""
    try:
        return _pin.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def key_of(exchange: Exchange) -> str | None:
    """What the conversation is remembered by: never by its name alone, because callers choose names."""
    session = session_of(exchange)
    if session is None:
        return None
    return digest("\0".join((exchange.principal.id, session.id, session.thread)))


class Pins:
    """By key, in memory; bounded, and forgotten `keep` seconds after the last answer."""

    def __init__(self, keep: float, kept: int = KEPT, clock: Callable[[], float] = time.time) -> None:
        self._keep = keep
        self._kept = kept
        self._clock = clock
        self._pins: OrderedDict[str, Pin] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    def get(self, key: str) -> Pin | None:
        pin = self._pins.get(key)
        if pin is not None and self._clock() - pin.at > self._keep:
            del self._pins[key]
            return None
        return pin

    def set(self, key: str, pin: Pin) -> None:
        self._pins[key] = pin
        self._pins.move_to_end(key)
        if len(self._pins) > self._kept:
            self._pins.popitem(last=False)
