"""For whom an answer counts, and what beside the body it depends on: the caller, the route's target, headers."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Literal

from lynkr_core.exchange import Exchange
from lynkr_core.lending import callers_key

Namespace = Literal["key", "team", "everyone"]
OURS = b"x-lynkr-"
HARMLESS = frozenset({
    b"x-lynkr-key", b"x-lynkr-tier", b"x-lynkr-cache", b"x-lynkr-cache-tag", b"x-lynkr-session", b"x-lynkr-request-id",
    b"x-lynkr-deadline-ms",
})  # fmt: skip
"""Headers to lynkr that change nothing of an answer, or that count elsewhere."""
VERSION = b"anthropic-version"
"""Says how an answer is written, not what it says."""


def caller(exchange: Exchange, namespace: Namespace) -> list[Any]:
    """With whom answers are shared. A provider's key of the caller's own never is, nor what some callers may not ask for."""
    who = exchange.principal
    brought = callers_key(exchange)
    key = blake2b(brought.encode(), digest_size=16).hexdigest() if brought else ""
    if namespace == "everyone" or (namespace == "team" and who.team):
        shared = who.team if namespace == "team" else ""
        return [namespace, shared, key, who.models, who.tiers, who.local_only, who.principal_class]
    return ["key", who.id, who.key, key]


def route(exchange: Exchange, targets: Sequence[str]) -> list[Any]:
    """What is asked for by which name, which candidates that means, and the configuration that says so."""
    return [exchange.config, exchange.instead, exchange.asked, *targets, bool(exchange.local_only)]


def headers(exchange: Exchange, more: Sequence[bytes]) -> list[str]:
    """Headers that may change an answer: those to lynkr, those that go to a provider, and `more`."""
    forwarded = exchange.dialect.forward
    return sorted([
        f"{name.decode('latin-1')}: {value.decode('latin-1')}"
        for name, value in exchange.headers.items()
        if (name.startswith(OURS) and name not in HARMLESS) or (name in forwarded and name != VERSION) or name in more
    ])  # fmt: skip
