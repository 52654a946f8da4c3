"""Asks the cheapest model that is good enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.candidates import Tiers
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Candidate, Exchange, Outcome, Removal, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_cost.estimate import MAX_COST, Estimator, input_tokens, limit_of

__all__ = ["Config", "CostSelector", "Estimator", "input_tokens", "limit_of", "plugin", "within"]

UNKNOWN = float("inf")
Usd = Annotated[float, Meta(ge=0)]
Costs = Mapping[Candidate, float | None]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.cost]`"""

    max_usd: Annotated[Usd | None, Meta(description="What one request may cost; `x-lynkr-max-cost-usd` may say less.")] = None
    output_tokens: Annotated[float, Meta(ge=0, description="Tokens of an answer, as long as a model's own are not known.")] = (
        500.0
    )
    names: Annotated[
        list[str], Meta(description="Only for requests for these names: `auto`, a tier, an alias. None: for all.")
    ] = []


class CostSelector:
    """Orders candidates by what the request will cost. Whatever a limit is on, it holds for models asked for by name too."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.names = frozenset(config.names)
        self.tiers = context.tiers
        self.estimator = Estimator(config.output_tokens)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """Raises `InvalidRequest` when every candidate is over the limit, or the limit is no number."""
        limit = limit_of(exchange, MAX_COST, self.config.max_usd)
        if not candidates or (self.names and exchange.asked not in self.names) or (len(candidates) < 2 and limit is None):
            return None
        tokens = input_tokens(exchange)
        costs = {candidate: self.estimator.usd(exchange, candidate, tokens) for candidate in candidates}
        removed = () if limit is None else within(costs, limit)
        over = {removal.candidate for removal in removed}
        left = [candidate for candidate in candidates if candidate.id not in over]
        tier, good = good_enough(exchange, left, self.tiers)
        order = (*by_cost(good, costs), *[candidate for candidate in left if candidate not in good])
        peers = sum(costs[candidate] == costs[order[0]] for candidate in good) if costs[order[0]] is not None else 0
        reason = "cheapest" if tier is None else f"cheapest for {tier}"
        return Selection(order=order, reason=reason, tier=tier, removed=removed, peers=peers)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self.estimator.note(outcome)


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


def within(costs: Costs, limit: float) -> tuple[Removal, ...]:
    """Who is over the limit, or may be. Raises `InvalidRequest` when all are."""
    over = [(c, usd) for c, usd in costs.items() if usd is None or usd > limit]
    if len(over) == len(costs):
        told = ", ".join([f"{c.id} {'at an unknown price' if usd is None else f'about ${usd:.6f}'}" for c, usd in over])
        raise InvalidRequest(f"nobody can serve this request for ${limit:g}: {told}", code="max_cost_exceeded")
    reasons = ["price unknown" if usd is None else f"over ${limit:g}" for _, usd in over]
    return tuple([Removal(c.id, reason) for (c, _), reason in zip(over, reasons, strict=True)])


plugin = Plugin(api=1, config=Config, create=CostSelector, rank=7)
