"""What was decided about a request and why, as JSON values: the answer of a dry run and the heart of a journal record."""

from __future__ import annotations

from typing import Any

from lynkr_core.exchange import Exchange


def decision(exchange: Exchange, texts: bool = False) -> dict[str, Any]:
    """Tier, score, the chosen order and everything it came from. The scored text only with `texts`."""
    selection = exchange.selection
    order = [candidate.id for candidate in selection.order] if selection else []
    first = selection.order[0] if selection and selection.order else None
    return {
        "id": exchange.id,
        "dialect": exchange.dialect.name,
        "operation": exchange.operation,
        "model_asked": exchange.envelope.model if exchange.envelope else None,
        "route": exchange.route,
        "tier": exchange.tier,
        "score": exchange.score,
        "provider": first.provider.name if first else None,
        "model": first.model if first else None,
        "reason": selection.reason if selection else (exchange.reply.reason if exchange.reply else ""),
        "selected_by": exchange.selected_by,
        "notes": dict(selection.notes) if selection else {},
        "order": order,
        "candidates": [candidate.id for candidate in exchange.candidates],
        "removed": [{"candidate": r.candidate, "plugin": r.plugin, "reason": r.reason} for r in exchange.removed],
        "gates": [gate for score in exchange.scores for gate in score.gates],
        "signals": {name: value for score in exchange.scores for name, value in score.signals.items()},
        "points": {name: value for score in exchange.scores for name, value in score.points.items()},
        "scores": [
            {
                "plugin": score.plugin, "value": score.value, "weight": score.weight, "reason": score.reason,
                "candidate": score.candidate, **({"ask": score.ask} if texts else {}),
            }
            for score in exchange.scores
        ],
    }  # fmt: skip
