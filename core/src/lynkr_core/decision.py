"""What was decided about a request and why, as JSON values: the answer of a dry run and the heart of a journal record."""

from __future__ import annotations

from typing import Any

from lynkr_core.exchange import Candidate, Exchange, Score
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.sessions import session_of

LONGEST_ASK = 4_000
"""Characters of a scored text that are told."""
BYTES_PER_TOKEN, OUTPUT_TOKENS = 4, 500
"""For the price of what was not sent: tokens of the body, and of an answer."""


def decision(exchange: Exchange, texts: bool = False, usage: Usage | None = None) -> dict[str, Any]:
    """Tier, score, the chosen order and everything it came from. The scored text only with `texts`.

    `considered` has each candidate's price for this request: for `usage`, where a model has answered, as if every one had found the
    same in its prompt cache; else for what the body's size lets expect.
    """
    selection, session = exchange.selection, session_of(exchange)
    order = [candidate.id for candidate in selection.order] if selection else []
    first = selection.order[0] if selection and selection.order else None
    usage = usage or expected(exchange)
    scores, one = exchange.scores, exchange.scores[0] if len(exchange.scores) == 1 else None
    asks = [score.ask[:LONGEST_ASK] for score in scores if score.ask] if texts else []
    return {
        "id": exchange.id,
        "dialect": exchange.dialect.name,
        "operation": exchange.dialect.operation,
        "model_asked": exchange.envelope.model if exchange.envelope else None,
        "route": exchange.route,
        "tier": exchange.tier,
        "score": exchange.score,
        "provider": first.provider.name if first else None,
        "model": first.model if first else None,
        "reason": selection.reason if selection else (exchange.reply.reason if exchange.reply else ""),
        "selected_by": exchange.selected_by,
        "notes": dict(selection.notes) if selection else {},
        "session": session.id if session else None,
        "session_from": session.source if session else None,
        **({"ask": asks[0] if asks else None} if texts else {}),
        "order": order,
        "candidates": order if selection and selection.order == exchange.candidates else [c.id for c in exchange.candidates],
        "considered": considered(exchange, usage),
        "priced": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "estimated": usage.estimated},
        "removed": [{"candidate": r.candidate, "plugin": r.plugin, "reason": r.reason} for r in exchange.removed],
        "skipped": list(exchange.skipped),
        "gates": [gate for score in scores for gate in score.gates],
        "signals": dict(one.signals) if one else {name: value for score in scores for name, value in score.signals.items()},
        "points": dict(one.points) if one else {name: value for score in scores for name, value in score.points.items()},
        "scores": [said(score, texts) for score in scores],
    }


def said(score: Score, texts: bool) -> dict[str, Any]:
    ask = {"ask": score.ask[:LONGEST_ASK] if score.ask else None} if texts else {}
    value, weight, reason = score.value, score.weight, score.reason
    return {"plugin": score.plugin, "value": value, "weight": weight, "reason": reason, "candidate": score.candidate, **ask}


def expected(exchange: Exchange) -> Usage:
    """What the request is going to use, as far as its size tells."""
    limit = exchange.envelope.max_tokens if exchange.envelope else None
    output = min(limit or OUTPUT_TOKENS, OUTPUT_TOKENS)
    return Usage(input_tokens=len(exchange.body) // BYTES_PER_TOKEN + 1, output_tokens=output, estimated=True)


def considered(exchange: Exchange, usage: Usage) -> list[dict[str, Any]]:
    """Every candidate: its place in the order, or none; why, by whom, and what the request costs with it in USD, null when unknown."""
    selection = exchange.selection
    order = selection.order if selection else ()
    by, kept = exchange.selected_by, (selection.reason if selection else "") or "kept"
    found = [row(c.id, c, n, by, kept if n == 1 else f"stands by, {n - 1} before it", usage) for n, c in enumerate(order, 1)]
    if order == exchange.candidates and not exchange.removed:
        return found  # all of them
    known = {candidate.id: candidate for candidate in exchange.candidates}
    told = {*[candidate.id for candidate in order], *[removal.candidate for removal in exchange.removed]}
    found += [row(r.candidate, known.get(r.candidate), None, r.plugin, r.reason, usage) for r in exchange.removed]
    left = [candidate for id, candidate in known.items() if id not in told] if selection else []
    return found + [row(c.id, c, None, by, "left out of the order", usage) for c in left]


def row(id: str, candidate: Candidate | None, place: int | None, plugin: str, reason: str, usage: Usage) -> dict[str, Any]:
    usd = cost(usage, candidate.price) if candidate else None
    return {"candidate": id, "place": place, "plugin": plugin, "reason": reason, "usd": usd}
