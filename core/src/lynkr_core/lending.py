"""Callers that bring a provider's key of their own: whose key it is, and the copies of providers that send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lynkr_core.caller import LYNKR_KEY, client_key
from lynkr_core.exchange import ANONYMOUS, Candidate, Exchange
from lynkr_core.secret import Secret

if TYPE_CHECKING:
    from lynkr_core.provider import HTTPProvider, Provider

MAX_COPIES = 256
"""Of one provider; the oldest goes, and is made anew when its caller comes back."""


def callers_key(exchange: Exchange) -> str:
    """A provider's key that the caller has brought; empty when there is none.

    Beside `x-lynkr-key` that is what its client shows in the usual place. Without it what stands there is lynkr's, unless nobody took it
    for such: then lynkr asks nobody who is calling, or lets in whom it does not know.
    """
    if exchange.principal.id != ANONYMOUS.id and not exchange.headers.get(LYNKR_KEY):
        return ""
    key = client_key(exchange.headers, exchange.query)
    return key if key.isascii() and key.isprintable() and " " not in key else ""


def billed_to_caller(exchange: Exchange, candidate: Candidate) -> bool:
    """Whether this candidate is asked with a key of the caller's own, so that the caller pays its provider."""
    return candidate.provider.serving(exchange) is not candidate.provider


class Lending:
    """For one provider. A key goes to the providers whose `caller_keys` say most of how it begins, and to no other.

    `providers`: all that are enabled; complete once requests come.
    """

    def __init__(self, provider: HTTPProvider, providers: Mapping[str, Provider]) -> None:
        self._provider = provider
        self._providers = providers
        self._copies: dict[str, HTTPProvider] = {}

    def find(self, exchange: Exchange) -> HTTPProvider | None:
        """The provider with this caller's own key; None when the caller has brought none that belongs here."""
        key = callers_key(exchange)
        if not key:
            return None
        found = self._copies.get(key)
        if found is None and self.belongs(key):
            if len(self._copies) >= MAX_COPIES:
                del self._copies[next(iter(self._copies))]
            found = self._copies[key] = self._provider.with_key(Secret(key))
        return found

    def belongs(self, key: str) -> bool:
        said = matched(self._provider, key)
        return said > 0 and said == max([matched(provider, key) for provider in self._providers.values()], default=said)


def matched(provider: Provider, key: str) -> int:
    """How many characters of the key's beginning this provider names."""
    return max([len(start) for start in provider.caller_keys if key.startswith(start)], default=0)
