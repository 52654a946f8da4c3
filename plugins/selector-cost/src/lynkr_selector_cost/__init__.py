"""Asks the cheapest model that is good enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.candidates import Tiers
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Candidate, Exchange, Outcome, Removal, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_cost.estimate import MAX_COST, Estimator, input_tokens, limit_of

__all__ = ["Config", "CostSelector", "Estimator", "affordable", "bounded", "input_tokens", "limit_of", "plugin"]

UNKNOWN = float("inf")
TOLD = 8
"""Models whose price is told."""
Usd = Annotated[float, Meta(ge=0)]
Costs = Mapping[Candidate, float | None]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.cost]`"""

    max_usd: Annotated[Usd | None, Meta(description="What one request may cost; `x-lynkr-max-cost-usd` may say less.")] = None
    output_tokens: Annotated[float, Meta(ge=0, description="Tokens of an answer, as long as a model's own are not known.")] = (
        500.0
    )
    names: Annotated[
        list[str], Meta(description="Only for requests for these names: `auto`, a tier, one in `[models]`. None: for all.")
    ] = []


class CostSelector:
    """Orders candidates by what the request will cost. Whatever a limit is on, it holds for models asked for by name too."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.only_for = tuple(dict.fromkeys(config.names))
        self.tiers = context.tiers
        self.estimator = Estimator(config.output_tokens)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """None when every candidate is over the limit: others may stand by. Raises `InvalidRequest` for a limit that is no number."""
        limit = limit_of(exchange, MAX_COST, self.config.max_usd)
        if len(candidates) < 2 or not self.asked(exchange):
            return None
        tokens = input_tokens(exchange)
        costs = {candidate: self.estimator.usd(exchange, candidate, tokens) for candidate in candidates}
        left, removed = affordable(costs, limit)
        if not left:
            return None
        tier, good = good_enough(exchange, left, self.tiers)
        order = (*by_cost(good, costs), *[candidate for candidate in left if candidate not in good])
        peers = sum(costs[candidate] == costs[order[0]] for candidate in good) if costs[order[0]] is not None else 0
        reason = "cheapest" if tier is None else f"cheapest for {tier}"
        notes = {"expected-usd": told(order, costs)}
        return Selection(order=order, reason=reason, tier=tier, removed=removed, peers=peers, notes=notes)

    def revise_selection(self, exchange: Exchange, selection: Selection) -> Selection | None:
        """The limit holds for those too whom other selectors want, and for those who stand by. Raises `InvalidRequest`."""
        limit = limit_of(exchange, MAX_COST, self.config.max_usd)
        return bounded(exchange, selection, limit, self.estimator) if self.asked(exchange) else None

    def asked(self, exchange: Exchange) -> bool:
        """Whether it has anything to do with this request."""
        return not self.only_for or exchange.asked in self.only_for

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self.estimator.note(outcome)


def told(order: Sequence[Candidate], costs: Costs) -> str:
    """The prices it decided by. The decision's own figures suppose that all find the same in their caches, and may say otherwise."""
    figures = [(candidate.id, costs[candidate]) for candidate in order[:TOLD]]
    return ", ".join([f"{id} {'unknown' if usd is None else f'{usd:.6f}'}" for id, usd in figures])


def by_cost(candidates: Sequence[Candidate], costs: Costs) -> list[Candidate]:
    """Cheapest first; those of unknown price last."""

    def key(candidate: Candidate) -> float:
        usd = costs[candidate]
        return UNKNOWN if usd is None else usd

    return sorted(candidates, key=key)


def good_enough(exchange: Exchange, candidates: Sequence[Candidate], tiers: Tiers) -> tuple[str | None, list[Candidate]]:
    """Where nobody has chosen a tier yet and there is a score: its tier, and who stands in it or in a dearer one."""
    if exchange.route != "auto" or exchange.tier is not None or exchange.score is None or not tiers:
        return None, list(candidates)
    need = tiers.of(exchange.score)
    reached = tiers.names[tiers.names.index(need) :]
    good = [candidate for candidate in candidates if any(candidate in tiers.candidates(name) for name in reached)]
    return (need, good) if good else (None, list(candidates))


def affordable(costs: Costs, limit: float | None) -> tuple[list[Candidate], tuple[Removal, ...]]:
    """Who is within the limit, and who is not, or may not be, and why."""
    if limit is None:
        return list(costs), ()
    reasons = {
        c: "price unknown" if usd is None else f"over ${limit:g}" for c, usd in costs.items() if usd is None or usd > limit
    }
    removed = tuple([Removal(candidate.id, reason) for candidate, reason in reasons.items()])
    return [candidate for candidate in costs if candidate not in reasons], removed


def bounded(exchange: Exchange, selection: Selection, limit: float | None, estimator: Estimator) -> Selection | None:
    """What was selected without whom the limit forbids. Raises `InvalidRequest` when it forbids all."""
    if limit is None or not selection.order:
        return None
    tokens = input_tokens(exchange)
    costs = {candidate: estimator.usd(exchange, candidate, tokens) for candidate in selection.order}
    left, removed = affordable(costs, limit)
    if not left:
        told = ", ".join([f"{c.id} {'at an unknown price' if usd is None else f'about ${usd:.6f}'}" for c, usd in costs.items()])
        raise InvalidRequest(f"nobody can serve this request for ${limit:g}: {told}", code="max_cost_exceeded")
    if not removed:
        return None
    first = removed[0] if left[0] is not selection.order[0] else None
    reason = f"{selection.reason}; not {first.candidate}: {first.reason}" if first else selection.reason
    return structs.replace(selection, order=tuple(left), reason=reason, removed=removed)


plugin = Plugin(api=1, config=Config, create=CostSelector, rank=7)
