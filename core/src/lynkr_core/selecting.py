"""Stage 6: in which order are the candidates tried?

The first selector that answers decides. If it says that several at the front of its order are as good as each other (`peers`), the
selectors after it may order those among themselves, and so on. Nobody can add a candidate.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs

from lynkr_core.candidates import Tiers
from lynkr_core.exchange import Candidate, Exchange, Removal, Route, Selection
from lynkr_core.hooks import Hook, run

REASONS: dict[Route, str] = {"exact": "as asked", "alias": "as configured", "tier": "as configured", "auto": "as configured"}
"""Why the order is what it is when no selector says anything."""


async def select(hook: Hook, exchange: Exchange, tiers: Tiers) -> None:
    """Fills in the exchange's selection, tier and removals. Of a tier asked for by name its own candidates are peers."""
    found: Selection | None = None
    equal: Sequence[Candidate] = exchange.candidates
    if hook.calls and exchange.route == "tier" and exchange.tier:
        own = tiers.candidates(exchange.tier)
        equal = tuple([candidate for candidate in equal if candidate in own]) or equal
    while hook.calls:
        answer, plugin = told if isinstance(told := hook.first_now(exchange, equal, exchange.scores), tuple) else await told
        if answer is None:
            break
        answer = checked(exchange, answer, equal, plugin)
        found = answer if found is None and equal is exchange.candidates else joined(exchange, found, answer, equal)
        equal = answer.order[: answer.peers]
        if len(equal) < 2:
            break
        hook = hook.after(plugin)
    exchange.selection = found or as_configured(exchange)


def as_configured(exchange: Exchange) -> Selection:
    """What is selected when no selector says anything."""
    return Selection(order=exchange.candidates, reason=REASONS[exchange.route])


async def revise(hook: Hook, exchange: Exchange) -> None:
    """Lets plugins change the selection that selectors have come to; who changes it is named beside them."""
    until = time.monotonic() + hook.deadline
    for call in hook.calls:
        assert exchange.selection is not None, "stage 6 has one by now"
        answer = await run(call, (exchange, exchange.selection), until)
        if answer is not None:
            exchange.selection = checked(exchange, answer, exchange.selection.order, call.plugin)


def checked(exchange: Exchange, selection: Selection, given: Sequence[Candidate], plugin: str) -> Selection:
    """Notes who has answered, the tier, and what was removed; a candidate that the plugin was not given is left out."""
    exchange.selected_by = f"{exchange.selected_by}, {plugin}" if exchange.selected_by else plugin
    exchange.tier = selection.tier or exchange.tier
    if selection.removed:
        exchange.removed += tuple([Removal(r.candidate, r.reason, r.plugin or plugin) for r in selection.removed])
    invented = [candidate for candidate in selection.order if candidate not in given]
    if invented:
        exchange.removed += tuple([Removal(c.id, "no candidate of this request", plugin) for c in invented])
        return structs.replace(selection, order=tuple([c for c in selection.order if c in given]))
    return selection


def joined(exchange: Exchange, before: Selection | None, answer: Selection, given: Sequence[Candidate]) -> Selection:
    """The selection so far, with the candidates that were `given` in the order of the answer."""
    reasons = [said.reason for said in (before, answer) if said is not None and said.reason]
    rest = [candidate for candidate in (before.order if before else exchange.candidates) if candidate not in given]
    kept = before.notes if before is not None else dict[str, str]()
    notes = {**kept, **answer.notes}
    with suppress(KeyError, ValueError):  # where both have drawn lots
        notes["propensity"] = f"{float(kept['propensity']) * float(answer.notes['propensity']):.3g}"
    return structs.replace(answer, order=(*answer.order, *rest), reason="; ".join(reasons), notes=notes)
