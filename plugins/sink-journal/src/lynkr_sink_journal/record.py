"""What is kept of one exchange: JSON values only, so that nothing keeps the exchange itself in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkr_core.candidates import TIERS, Tiers
from lynkr_core.decision import decision
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome
from lynkr_core.lending import billed_to_caller
from lynkr_core.pricing import computed, cost, rates_of
from lynkr_core.remarks import QUEUED, SAVINGS, cache_of
from lynkr_core.request import Usage
from lynkr_sink_journal.redaction import redact

LONGEST_ERROR = 500
LONGEST_TASK = 64


def build(exchange: Exchange, outcome: Outcome, texts: bool, tiers: Tiers | None = None) -> dict[str, Any]:
    """The decision, and what came of it. `provider` and `model` are those that served; times are in seconds, `cost` in USD.

    `key`: the name of the key that was shown. `billed`: whose money `cost` is; with a key of the caller's own not the operator's.
    `spent` is what all attempts cost, as far as that is known. `provider_cost` is what the provider says it takes, `computed_cost` what the
    price row comes to, `price` where that row is from: to be compared. `queue`: seconds in queues of lynkr's. `untouched`: USD that it would
    have cost without what plugins have saved.
    """
    record = decision(exchange, texts, outcome.usage)
    ask(record, exchange)
    answer(record, exchange, outcome, tiers)
    count(record, exchange, outcome)
    record["error"] = fault(outcome, texts) if outcome.error else None
    if texts:
        redact(record)
    return record


# keys are set one by one: Python puts a long literal together from several, which takes twice as long with the merge after it


def ask(record: dict[str, Any], exchange: Exchange) -> None:
    """Who asked, and about what."""
    who, notes = exchange.principal, record["notes"]
    record["principal"] = who.id
    record["key"] = who.key
    record["user"] = who.user
    record["team"] = who.team
    record["agent"] = who.agent
    record["class"] = who.principal_class
    record["tags"] = list(who.tags)
    record["created"] = exchange.created
    record["stream"] = exchange.envelope.stream if exchange.envelope else False
    record["propensity"] = propensity(notes) if notes else 1.0
    record["task"] = task(exchange, notes)


def answer(record: dict[str, Any], exchange: Exchange, outcome: Outcome, tiers: Tiers | None) -> None:
    """Who served, and what came of it."""
    served = outcome.candidate
    record["billed"] = "caller" if served and billed_to_caller(exchange, served) else "operator"
    record["provider"] = served.provider.name if served else None
    record["model"] = served.model if served else None
    record["grade"] = grade(served, tiers) if served else None
    record["status"] = outcome.status
    record["http_status"] = outcome.http_status
    record["losses"] = list(exchange.losses)
    record["cache"] = cache_of(exchange)
    record["queue"] = exchange.get(QUEUED) or 0.0
    record["duration"] = outcome.duration
    record["first_token"] = outcome.first_token


def count(record: dict[str, Any], exchange: Exchange, outcome: Outcome) -> None:
    """What was used, what it cost, and what was saved."""
    usage, cost, served = outcome.usage, outcome.cost, outcome.candidate
    used, billed = (tokens(usage), usage.billed) if usage else (None, None)
    price, began = served.price if served else None, exchange.started
    attempts = [tried(attempt, began, used if attempt.usage is usage else None) for attempt in outcome.attempts]
    savings, saved = saved_by(exchange, outcome)
    record["usage"] = used
    record["cost"] = cost
    record["attempts"] = attempts
    record["spent"] = sum([attempt["cost"] for attempt in attempts if attempt["cost"] is not None])
    record["provider_cost"] = billed
    record["computed_cost"] = cost if billed is None else computed(usage, price)
    record["price"] = price.source if price else None
    record["savings"] = savings
    record["saved_tokens"] = exchange.saved_tokens
    record["saved_usd"] = saved
    record["untouched"] = None if cost is None or served is None else cost + (saved or 0.0)


def task(exchange: Exchange, notes: Mapping[str, str]) -> str | None:
    """What it is about, as a plugin has found or the caller says."""
    said = notes.get("task") or (exchange.header(b"x-lynkr-task") if b"x-lynkr-task" in exchange.headers else "")
    return said[:LONGEST_TASK] or None


def saved_by(exchange: Exchange, outcome: Outcome) -> tuple[list[dict[str, Any]], float | None]:
    """What each plugin has saved, and USD as far as they are known."""
    said = exchange.get(SAVINGS)
    if not said:
        return [], None
    savings = [saving(s.plugin, s.tokens, s.usd, outcome) for s in said]
    known = [each["usd"] for each in savings if each["usd"] is not None]
    return savings, sum(known) if known else None


def saving(plugin: str, tokens: int, usd: float | None, outcome: Outcome) -> dict[str, Any]:
    """Tokens are worth what the served model's input costs, where the plugin does not say."""
    price = outcome.candidate.price if outcome.candidate else None
    if usd is None and price is not None:
        sent = outcome.usage.input_tokens if outcome.usage else 0
        usd = tokens * rates_of(price, Usage(input_tokens=sent + tokens)).input / 1e6
    return {"plugin": plugin, "tokens": tokens, "usd": usd}


def grade(served: Candidate, tiers: Tiers | None) -> str | None:
    """`local` on a machine of the operator's own, `cheap` in the cheapest tier where there is a dearer one, else None."""
    if served.provider.is_local(served.model):
        return "local"
    cheapest = tiers.candidates(TIERS[0]) if tiers else ()
    is_cheap = served in cheapest and tiers is not None and tiers.candidates(TIERS[-1]) != cheapest
    return "cheap" if is_cheap else None


def propensity(notes: Mapping[str, str]) -> float:
    """How likely the first of `order` was to be it, so that strategies can be compared afterwards: 1 unless a selector drew lots."""
    if "propensity" not in notes:
        return 1.0
    try:
        return min(max(float(notes["propensity"]), 0.0), 1.0)
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
        "cache_write_1h": usage.cache_write_1h,
        "reasoning": usage.reasoning,
        "audio_input": usage.audio_input,
        "audio_output": usage.audio_output,
        "image_output": usage.image_output,
        "fees": dict(usage.fees),
        "service": usage.service,
        "estimated": usage.estimated,
    }


def tried(attempt: Attempt, began: float, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    """One attempt, whose `usage` may be known already. `at`: seconds after the request's arrival. `error` is the kind of its failure,
    `code` the upstream's own name for it. What failed may have cost something too.
    """
    error, started = attempt.error, attempt.started
    return {
        "candidate": attempt.candidate.id,
        "error": error.kind if error else None,
        "status": error.status if error else None,
        "code": error.code if error else None,
        "answered": list(attempt.answered),
        "at": started - began,
        "seconds": attempt.ended - started if attempt.ended is not None else None,
        "first_token": attempt.first_token - started if attempt.first_token is not None else None,
        "usage": usage or (tokens(attempt.usage) if attempt.usage else None),
        "cost": cost(attempt.usage, attempt.candidate.price),
    }
