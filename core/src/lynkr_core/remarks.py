"""What plugins say of an exchange for its record: what they saved, and how long they let it wait."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from msgspec import Struct

from lynkr_core.exchange import Candidate, Exchange, Key
from lynkr_core.upstream import HeaderList


class Saving(Struct, frozen=True):
    """Tokens that were not sent, or not made, because of a plugin. `usd`: what they would have cost, where it knows better than the
    price of input at the model that served.
    """

    plugin: str
    tokens: int
    usd: float | None = None


SAVINGS: Key[tuple[Saving, ...]] = Key("kernel.savings")
QUEUED: Key[float] = Key("kernel.queued")
"""Seconds in queues."""
MISSED: Key[bool] = Key("kernel.missed")
CURRENT: ContextVar[str] = ContextVar("lynkr.request", default="")
"""The id of the exchange that a task serves, for its log lines."""
ONWARD: Key[Mapping[Candidate, HeaderList]] = Key("kernel.onward")
"""Headers that a plugin adds, in its `reserve`, to what a candidate is sent: which trace the call belongs to."""


def save(exchange: Exchange, plugin: str, tokens: int, usd: float | None = None) -> None:
    """Adds to what was saved; told to the caller as `x-lynkr-saved-tokens`."""
    exchange.saved_tokens += tokens
    exchange.set(SAVINGS, (*(exchange.get(SAVINGS) or ()), Saving(plugin, tokens, usd)))


def unsaved(exchange: Exchange) -> None:
    """Before another attempt, whose request is made from the caller's original again."""
    exchange.saved_tokens = 0
    exchange.set(SAVINGS, ())


def missed(exchange: Exchange) -> None:
    """A cache has looked for an answer and found none; told to the caller as `x-lynkr-cache: miss`."""
    exchange.set(MISSED, True)


def cache_of(exchange: Exchange) -> str:
    """What caches have done: hit, semantic, miss or off."""
    return exchange.reply.cache if exchange.reply else "miss" if exchange.get(MISSED) else "off"


def queue(exchange: Exchange, seconds: float) -> None:
    """Adds to what it waited in queues of lynkr's."""
    exchange.set(QUEUED, (exchange.get(QUEUED) or 0.0) + seconds)


def onward(exchange: Exchange, candidate: Candidate) -> HeaderList:
    """What plugins add to the headers of a call."""
    found = exchange.get(ONWARD)
    return found.get(candidate, ()) if found else ()
