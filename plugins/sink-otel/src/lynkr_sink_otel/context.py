"""Whose trace an exchange belongs to: W3C Trace Context (https://www.w3.org/TR/trace-context/), as it came and as it goes on."""

from __future__ import annotations

import re
from random import getrandbits

from lynkr_core.exchange import Attempt, Exchange, Key
from lynkr_core.upstream import HeaderList

TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.{0,100})?")
LONGEST_STATE = 512
"""Bytes of `tracestate` that are passed on; W3C asks for so many at least."""


class Trace:
    """`parent`: the caller's span, empty without one. `spans`: those of the attempts that have been announced upstream."""

    __slots__ = ("id", "parent", "sampled", "spans", "state")

    def __init__(self, id: bytes, parent: bytes, sampled: bool, state: bytes) -> None:
        self.id = id
        self.parent = parent
        self.sampled = sampled
        self.state = state
        self.spans: dict[Attempt, bytes] = {}

    def span(self, attempt: Attempt) -> bytes:
        """The attempt's own id."""
        found = self.spans.get(attempt)
        if found is None:
            found = self.spans[attempt] = new_span()
        return found

    def headers(self, span: bytes) -> HeaderList:
        """What tells an upstream that its work belongs to this span."""
        told = b"00-%b-%b-%b" % (self.id.hex().encode(), span.hex().encode(), b"01" if self.sampled else b"00")
        return ((b"traceparent", told), (b"tracestate", self.state)) if self.state else ((b"traceparent", told),)


TRACE: Key[Trace] = Key("sink-otel.trace")


def trace_of(exchange: Exchange, share: float) -> Trace:
    """The caller's, with its decision whether it is kept; else a new one, of which `share` are."""
    found = exchange.get(TRACE)
    if found is None:
        found = begun(exchange.headers.get(b"traceparent"), exchange.headers.get(b"tracestate", b""), share)
        exchange.set(TRACE, found)
    return found


def begun(parent: bytes | None, state: bytes, share: float) -> Trace:
    match = TRACEPARENT.fullmatch(parent.strip()) if parent and len(parent) < 200 else None
    if match is None:
        return Trace(getrandbits(128).to_bytes(16, "big"), b"", share >= 1 or getrandbits(32) < share * 2**32, b"")
    whole = state if len(state) <= LONGEST_STATE and state.isascii() and b"\n" not in state and b"\r" not in state else b""
    sampled = bool(int(match[3], 16) & 1)
    return Trace(bytes.fromhex(match[1].decode()), bytes.fromhex(match[2].decode()), sampled, whole)


def new_span() -> bytes:
    return (getrandbits(64) or 1).to_bytes(8, "big")
