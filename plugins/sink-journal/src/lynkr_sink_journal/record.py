"""What is kept of one exchange: JSON values only, so that nothing keeps the exchange itself in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkr_core.decision import decision
from lynkr_core.exchange import Attempt, Exchange, Outcome
from lynkr_core.lending import billed_to_caller
from lynkr_core.request import Usage

LONGEST_ERROR = 500


def build(exchange: Exchange, outcome: Outcome, texts: bool) -> dict[str, Any]:
    """The decision, and what came of it. `provider` and `model` are those that served; times are in seconds, `cost` in USD.

    `key`: the name of the key that was shown. `billed`: whose money `cost` is; with a key of the caller's own not the operator's.
    """
    served, principal, reply = outcome.candidate, exchange.principal, exchange.reply
    record = decision(exchange, texts)
    record["class"] = principal.principal_class
    record.update(
        created=exchange.created,
        principal=principal.id,
        key=principal.key,
        user=principal.user,
        team=principal.team,
        agent=principal.agent,
        tags=list(principal.tags),
        billed="caller" if served and billed_to_caller(exchange, served) else "operator",
        session=exchange.header(b"x-lynkr-session") or None,
        stream=exchange.envelope.stream if exchange.envelope else False,
        provider=served.provider.name if served else None,
        model=served.model if served else None,
        status=outcome.status,
        http_status=outcome.http_status,
        usage=tokens(outcome.usage) if outcome.usage else None,
        cost=outcome.cost,
        losses=list(exchange.losses),
        saved_tokens=exchange.saved_tokens,
        propensity=propensity(record["notes"]),
        cache=reply.cache if reply else "off",
        error=fault(outcome, texts),
        duration=outcome.duration,
        first_token=outcome.first_token,
        attempts=[tried(attempt) for attempt in outcome.attempts],
    )
    return record


def propensity(notes: Mapping[str, str]) -> float:
    """How likely the first of `order` was to be it, so that strategies can be compared afterwards: 1 unless a selector drew lots."""
    try:
        return min(max(float(notes.get("propensity", 1)), 0.0), 1.0)
    except ValueError:
        return 1.0


def fault(outcome: Outcome, texts: bool) -> str | None:
    """What went wrong. An upstream's own words may quote the caller's, so they are kept with `texts` only."""
    last = outcome.attempts[-1].error if outcome.attempts else None
    if outcome.error is None or last is None or texts:
        return outcome.error[:LONGEST_ERROR] if outcome.error else None
    return " ".join([str(word) for word in (last.kind, last.status, last.code) if word is not None])


def tokens(usage: Usage) -> dict[str, Any]:
    """Tokens by kind."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
        "estimated": usage.estimated,
    }


def tried(attempt: Attempt) -> dict[str, Any]:
    """One attempt. `error` is the kind of its failure, `code` the upstream's own name for it."""
    error, started = attempt.error, attempt.started
    return {
        "candidate": attempt.candidate.id,
        "error": error.kind if error else None,
        "status": error.status if error else None,
        "code": error.code if error else None,
        "seconds": attempt.ended - started if attempt.ended is not None else None,
        "first_token": attempt.first_token - started if attempt.first_token is not None else None,
    }
