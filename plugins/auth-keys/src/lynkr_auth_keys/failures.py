"""How often keys that are not valid have come from one source, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address

from lynkr_core.errors import GatewayError, RateLimited, Unauthenticated

WINDOW = 60.0
"""Seconds."""
MAX_SOURCES = 4096
WHAT_TO_DO = (
    "this key is not valid here; send a key of this gateway (lk_…) as a bearer token or x-api-key; "
    "whoever runs it makes one with `lynkr keys create`"
)


class Failures:
    """A key that is valid is never refused for what others behind the same address do."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._sources: dict[str, tuple[float, int]] = {}
        self.count = 0

    def refusal(self, client: tuple[str, int] | None) -> GatewayError:
        """Counts one more. The same words for a key that is unknown, revoked or expired."""
        self.count += 1
        now, source = self._clock(), source_of(client)
        began, count = self._sources.pop(source, (now, 0))
        if now - began >= WINDOW:
            began, count = now, 0
        if len(self._sources) >= MAX_SOURCES:
            del self._sources[next(iter(self._sources))]
        self._sources[source] = (began, count + 1)
        if count >= self._limit:
            wait = began + WINDOW - now
            return RateLimited(f"too many keys from {source} that are not valid", code="too_many_failures", retry_after=wait)
        return Unauthenticated(WHAT_TO_DO, code="invalid_api_key")


def source_of(client: tuple[str, int] | None) -> str:
    """The address; of IPv6 the network of 64 bits, which one household has."""
    if client is None:
        return "the local socket"
    try:
        address = ip_address(client[0].partition("%")[0])
    except ValueError:
        return client[0]
    return str(address) if address.version == 4 else f"{ip_address(int(address) >> 64 << 64)}/64"
