"""The last thing a human asked, as selectors read it."""

from __future__ import annotations

from lynkr_core.exchange import Exchange, Key
from lynkr_scorer_heuristic.ask import last_ask
from lynkr_scorer_heuristic.clean import shortened

KEPT = 16_000
"""Characters read at the beginning, and at the end."""
ASK: Key[str] = Key("selector-tasks.ask")


def ask_of(exchange: Exchange) -> str:
    """What a scorer has found, else what the default one would find: without what tools put around it; may be empty."""
    for score in exchange.scores:
        if score.ask:
            return score.ask
    found = exchange.get(ASK)
    if found is None:
        found = shortened(last_ask(exchange.envelope.fields).text, KEPT, KEPT) if exchange.operation == "chat" else ""
        exchange.set(ASK, found)
    return found
