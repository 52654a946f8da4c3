"""Asks the best model for the task among those within a cost and a latency."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.candidates import matching
from lynkr_core.exchange import Candidate, Exchange, Outcome, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_cost import Estimator, affordable, bounded, input_tokens, limit_of
from lynkr_selector_cost.estimate import MAX_COST
from lynkr_selector_latency import Board
from lynkr_selector_tasks import TASKS, task_of

__all__ = ["Config", "HybridSelector", "Model", "plugin"]

MAX_LATENCY = b"x-lynkr-max-latency-ms"
HALF_LIFE = 300.0
REMEMBERED = 1024
Amount = Annotated[float, Meta(ge=0)]
Quality = Annotated[float, Meta(ge=0, le=100)]


class Model(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[selector.hybrid.model]]`"""

    to: Annotated[str, Meta(description="`provider/model`, a provider, a tier or a name in `[models]`.", min_length=1)]
    quality: Annotated[Quality, Meta(description="How good it is, 0 to 100.")]
    tasks: Annotated[dict[str, Quality], Meta(description="How good it is at some tasks, as in `code = 92`.")] = {}

    def __post_init__(self) -> None:
        if unknown := sorted(self.tasks.keys() - set(TASKS)):
            raise ValueError(f"no task: {', '.join(unknown)}; known: {', '.join(TASKS)}")


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.hybrid]`"""

    max_usd: Annotated[Amount | None, Meta(description="What one request may cost; `x-lynkr-max-cost-usd` may say less.")] = None
    max_latency_ms: Annotated[
        Amount | None, Meta(description="Milliseconds to the first token, at p50; `x-lynkr-max-latency-ms` may say less.")
    ] = None
    model: Annotated[
        list[Model], Meta(description="How good models are. Others are as good as their tier: 25, 50, 75 or 100.")
    ] = []
    output_tokens: Annotated[Amount, Meta(description="Tokens of an answer, as long as a model's own are not known.")] = 500.0
    penalty: Annotated[float, Meta(gt=0, description="Seconds that a failed attempt counts at least.")] = 30.0
    names: Annotated[
        list[str], Meta(description="Only for requests for these names: `auto`, a tier, one in `[models]`. None: for all.")
    ] = []


class HybridSelector:
    """Cost is a bound that nobody passes; latency one that is passed when everybody is slow."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.only_for = tuple(dict.fromkeys(config.names))
        self.tiers = context.tiers
        self.targets = tuple([model.to for model in config.model])
        self.estimator = Estimator(config.output_tokens)
        self.board = Board(HALF_LIFE, penalty=config.penalty)
        self.quality = lru_cache(REMEMBERED)(self._quality)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """None when every candidate is over the cost: others may stand by. Raises `InvalidRequest` for a bound that is no number."""
        max_usd = limit_of(exchange, MAX_COST, self.config.max_usd)
        max_ms = limit_of(exchange, MAX_LATENCY, self.config.max_latency_ms)
        if len(candidates) < 2 or not self.asked(exchange):
            return None
        tokens = input_tokens(exchange)
        costs = {candidate: self.estimator.usd(exchange, candidate, tokens) for candidate in candidates}
        left, removed = affordable(costs, max_usd)
        if not left:
            return None
        waits = self.waits(exchange, left)
        quick = left if max_ms is None else [candidate for candidate in left if waits[candidate] * 1000 <= max_ms]
        slow = sorted([candidate for candidate in left if candidate not in quick], key=waits.__getitem__)
        task = task_of(exchange) if self.by_task else None
        order = (*sorted(quick, key=lambda candidate: self.rank(candidate, task, costs, waits)), *slow)
        return Selection(order=order, reason=reason_of(task, bool(quick)), removed=removed)

    def revise_selection(self, exchange: Exchange, selection: Selection) -> Selection | None:
        """Nobody passes the cost, whoever wants him and whoever stands by. Raises `InvalidRequest`."""
        max_usd = limit_of(exchange, MAX_COST, self.config.max_usd)
        return bounded(exchange, selection, max_usd, self.estimator) if self.asked(exchange) else None

    def asked(self, exchange: Exchange) -> bool:
        """Whether it has anything to do with this request."""
        return not self.only_for or exchange.asked in self.only_for

    @property
    def by_task(self) -> bool:
        return any(model.tasks for model in self.config.model)

    def waits(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Mapping[Candidate, float]:
        """Seconds to the first token; 0 for who is not known yet, so that it gets known."""
        now, stream = time.monotonic(), exchange.envelope.stream
        found: dict[Candidate, float] = {}
        for candidate in candidates:
            samples = self.board.of(candidate, stream)
            found[candidate] = (samples.quantile(0.5) or 0.0) if samples is not None and samples.tell(now) else 0.0
        return found

    def rank(
        self, candidate: Candidate, task: str | None, costs: Mapping[Candidate, float | None], waits: Mapping[Candidate, float]
    ) -> tuple[float, float, float]:
        """Best first; of equals the cheapest, then the quickest."""
        usd = costs[candidate]
        return (-self.quality(candidate, task), float("inf") if usd is None else usd, waits[candidate])

    def _quality(self, candidate: Candidate, task: str | None) -> float:
        """By the most exact name: a model's before all others."""
        named = [model for model in self.config.model if matching(model.to, (candidate,), self.tiers)]
        model = next((model for model in named if model.to == candidate.id), named[0] if named else None)
        if model is not None:
            return model.tasks.get(task or "", model.quality)
        places = [place for place, name in enumerate(self.tiers.names, 1) if candidate in self.tiers.candidates(name)]
        return 25.0 * max(places) if places else 50.0

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self.estimator.note(outcome)
        if exchange.envelope is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self.board.note(outcome, exchange.envelope.stream, time.monotonic())


def reason_of(task: str | None, quick: bool) -> str:
    told = f"best for {task}" if task else "best"
    return f"{told} within bounds" if quick else "all too slow: the quickest"


plugin = Plugin(api=1, config=Config, create=HybridSelector, rank=6)
