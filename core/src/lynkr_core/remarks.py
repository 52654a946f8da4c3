"""What plugins say of an exchange for its record: what they saved, and how long they let it wait."""

from __future__ import annotations

from contextvars import ContextVar

from msgspec import Struct

from lynkr_core.exchange import Exchange


class Saving(Struct, frozen=True):
    """Tokens that were not sent, or not made, because of a plugin. `usd`: what they would have cost, where it knows better than the
    price of input at the model that served.
    """

    plugin: str
    tokens: int
    usd: float | None = None


CURRENT: ContextVar[str] = ContextVar("lynkr.request", default="")
"""The id of the exchange that a task serves, for its log lines."""


def save(exchange: Exchange, plugin: str, tokens: int, usd: float | None = None) -> None:
    """Adds to what was saved; told to the caller as `x-lynkr-saved-tokens`."""
    exchange.saved_tokens += tokens
    exchange.savings += (Saving(plugin, tokens, usd),)


def unsaved(exchange: Exchange) -> None:
    """Before another attempt, whose request is made from the caller's original again."""
    exchange.saved_tokens = 0
    exchange.savings = ()
