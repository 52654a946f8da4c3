"""What the hook is told of an exchange: who, what, how it ended and what it took. Never what was said."""

from typing import Any

import msgspec

from lynkr_core import Exchange, Outcome

LONGEST = 200
"""Characters of a name: callers may send any."""


def record_of(exchange: Exchange, outcome: Outcome) -> bytes:
    """As JSON. A request that was refused before it was looked at asks for no model."""
    who, usage = exchange.principal, outcome.usage
    envelope: Any = exchange.envelope
    return msgspec.json.encode({
        "id": exchange.id, "created": exchange.created, "status": outcome.status, "http_status": outcome.http_status,
        "principal": short(who.id), "user": short(who.user), "team": short(who.team),
        "asked": short(envelope.model) if envelope is not None else None,
        "served": short(outcome.candidate.id) if outcome.candidate else None, "attempts": len(outcome.attempts),
        "input_tokens": usage.input_tokens if usage else None, "output_tokens": usage.output_tokens if usage else None,
        "cost_usd": outcome.cost, "seconds": round(outcome.duration, 6),
    })  # fmt: skip


def short(name: str | None) -> str | None:
    return name and name[:LONGEST]
