"""What was decided about a request and why, in the form of its JSON: the answer of a dry run and the heart of a journal record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from lynkr_core.exchange import Candidate, Exchange, Outcome, Removal, Score
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.sessions import session_of

LONGEST_ASK = 4_000
"""Characters of a scored text that are told."""
BYTES_PER_TOKEN, OUTPUT_TOKENS = 4, 500
"""For the price of what was not sent: tokens of the body, and of an answer."""
NOTHING: Mapping[str, str] = {}
NO_SCORE = Score(value=0.0)
# structs whose fields are given in their order are made in a tenth of a dict's time, and written in half


class Considered(Struct, gc=False):
    """A candidate: its place in the order, or none; why, by whom, and what the request costs with it in USD, null when unknown."""

    candidate: str
    place: int | None
    plugin: str
    reason: str
    usd: float | None


class Said(Struct, gc=False):
    """A score without what is told of all scores together."""

    plugin: str
    value: float
    weight: float
    reason: str
    candidate: str | None
    ask: str | UnsetType | None = UNSET


class Priced(Struct, gc=False):
    """The tokens that `considered` was priced for."""

    input_tokens: int
    output_tokens: int
    estimated: bool


class Decision(Struct, gc=False):
    """Tier, score, the chosen order and everything it came from.

    `provider` and `model` are the first of the order; of an exchange that has ended, those that served. `considered` has each candidate's
    price for this request: for its usage, where a model has answered, as if every one had found the same in its prompt cache; else for
    what the body's size lets expect.
    """

    id: str
    dialect: str
    operation: str
    model_asked: str | None
    route: str
    tier: str | None
    score: float | None
    provider: str | None
    model: str | None
    reason: str
    selected_by: str
    notes: Mapping[str, str]
    session: str | None
    session_from: str | None
    order: Sequence[str]
    candidates: Sequence[str]
    considered: Sequence[Considered]
    priced: Priced
    removed: Sequence[Removal]
    skipped: Sequence[str]
    gates: Sequence[str]
    signals: Mapping[str, float]
    points: Mapping[str, float]
    scores: Sequence[Said]
    ask: str | UnsetType | None = UNSET


def decision(exchange: Exchange, texts: bool = False, outcome: Outcome | None = None) -> Decision:
    """The scored text only with `texts`; `outcome` of an exchange that has ended."""
    selection, session, envelope, scores = exchange.selection, session_of(exchange), exchange.envelope, exchange.scores
    chosen = selection.order if selection else ()
    first = outcome.candidate if outcome else chosen[0] if chosen else None
    usage = (outcome.usage if outcome else None) or expected(exchange)
    order = [candidate.id for candidate in chosen]
    reason = selection.reason if selection else exchange.reply.reason if exchange.reply else ""
    one = scores[0] if len(scores) == 1 else together(scores) if scores else NO_SCORE
    return Decision(
        exchange.id, exchange.dialect.name, exchange.dialect.operation, envelope.model if envelope else None, exchange.route,
        exchange.tier, exchange.score, first.provider.name if first else None, first.model if first else None, reason,
        exchange.selected_by, dict(selection.notes) if selection and selection.notes else NOTHING, session.id if session else None,
        session.source if session else None, order,
        order if chosen == exchange.candidates else [candidate.id for candidate in exchange.candidates],
        considered(exchange, chosen, usage, outcome), Priced(usage.input_tokens, usage.output_tokens, usage.estimated), exchange.removed,
        exchange.skipped, one.gates, one.signals, one.points, [said(score, texts) for score in scores] if scores else (),
        next((score.ask[:LONGEST_ASK] for score in scores if score.ask), None) if texts else UNSET,
    )  # fmt: skip


def together(scores: Sequence[Score]) -> Score:
    """The gates, signals and points of several."""
    gates = tuple([gate for score in scores for gate in score.gates])
    signals = {name: value for score in scores for name, value in score.signals.items()}
    points = {name: value for score in scores for name, value in score.points.items()}
    return Score(value=0.0, gates=gates, signals=signals, points=points)


def said(score: Score, texts: bool) -> Said:
    ask = (score.ask[:LONGEST_ASK] if score.ask else None) if texts else UNSET
    return Said(score.plugin, score.value, score.weight, score.reason, score.candidate, ask)


def expected(exchange: Exchange) -> Usage:
    """What the request is going to use, as far as its size tells."""
    limit = exchange.envelope.max_tokens if exchange.envelope else None
    output = min(limit or OUTPUT_TOKENS, OUTPUT_TOKENS)
    return Usage(input_tokens=len(exchange.body) // BYTES_PER_TOKEN + 1, output_tokens=output, estimated=True)


def considered(exchange: Exchange, order: Sequence[Candidate], usage: Usage, outcome: Outcome | None) -> list[Considered]:
    selection, by = exchange.selection, exchange.selected_by
    # what the one that served costs is known, and forgotten by `cost`: others have ended meanwhile
    last = outcome.attempts[-1] if outcome and outcome.attempts else None
    paid = last.candidate if last and last.usage is usage else None
    why = (selection.reason if selection else "") or "kept"
    found: list[Considered] = []
    for place, candidate in enumerate(order, 1):
        reason = why if place == 1 else f"stands by, {place - 1} before it"
        usd = outcome.cost if outcome and candidate is paid else cost(usage, candidate.price)
        found.append(Considered(candidate.id, place, by, reason, usd))
    if order == exchange.candidates and not exchange.removed:
        return found  # all of them
    known = {candidate.id: candidate for candidate in exchange.candidates}
    told = {*[candidate.id for candidate in order], *[removal.candidate for removal in exchange.removed]}
    for removal in exchange.removed:
        usd = cost(usage, known[removal.candidate].price) if removal.candidate in known else None
        found.append(Considered(removal.candidate, None, removal.plugin, removal.reason, usd))
    left = [candidate for id, candidate in known.items() if id not in told] if selection else []
    return found + [Considered(c.id, None, by, "left out of the order", cost(usage, c.price)) for c in left]
