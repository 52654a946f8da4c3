"""In which order plugins act: by rank of their kind, then their own, then by instance name. Never by install order.

`[order]` in `lynkr.toml` overrides.
"""

from __future__ import annotations

KINDS: dict[str, int] = {
    "store": 0,  # started first, because the others keep their state there
    "dialect": 1,
    "provider": 2,
    "catalog": 3,
    "tokens": 4,
    "auth": 10,
    "policy": 20,
    "cache": 30,
    "scorer": 40,
    "selector": 50,
    "compressor": 60,
    "extension": 70,
    "sink": 90,
}
FAIL_CLOSED = frozenset({"auth", "policy"})
"""Kinds whose errors refuse the request; every other plugin's error is skipped."""


def group(kind: str) -> str:
    """The entry-point group of a kind."""
    return f"lynkr.{kind}"
