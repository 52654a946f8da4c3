"""Asks the model that has been answering fastest, and keeps trying the others."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.exchange import Candidate, Exchange, Outcome, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_latency.samples import Board, Samples

__all__ = ["Board", "Config", "LatencySelector", "Samples", "plugin"]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.latency]`"""

    by: Annotated[Literal["p50", "p95"], Meta(description="Which quantile of a model's last hundred answers is compared.")] = (
        "p50"
    )
    until: Annotated[
        Literal["first_token", "end"], Meta(description="What is measured; a whole answer's first token is its end.")
    ] = "first_token"
    explore: Annotated[float, Meta(ge=0, le=1, description="Part of the requests that go to another model than the fastest.")] = (
        0.05
    )
    half_life: Annotated[float, Meta(gt=0, description="Seconds in which a sample comes to count half.")] = 300.0
    penalty: Annotated[float, Meta(gt=0, description="Seconds that a failed attempt counts at least.")] = 30.0
    names: Annotated[
        list[str], Meta(description="Only for requests for these names: `auto`, a tier, one in `[models]`. None: for all.")
    ] = []


class LatencySelector:
    """Orders candidates by what they have taken lately. Who is not known well enough comes first, by lot."""

    def __init__(self, config: Config, context: Context) -> None:
        self.which = 0.5 if config.by == "p50" else 0.95
        self.explore = config.explore
        self.only_for = tuple(dict.fromkeys(config.names))
        self.board = Board(config.half_life, config.until, config.penalty)
        self.chance = random.Random()  # noqa: S311

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """A dry run is not used to find out."""
        if len(candidates) < 2 or (self.only_for and exchange.asked not in self.only_for):
            return None
        now, stream = time.monotonic(), exchange.envelope.stream
        times = {candidate: self.expected(candidate, stream, now) for candidate in candidates}
        unknown = [candidate for candidate, seconds in times.items() if seconds is None]
        ranked = sorted([candidate for candidate in candidates if times[candidate] is not None], key=lambda c: times[c] or 0.0)
        if exchange.dry_run:
            return Selection(order=(*ranked, *unknown), reason="fastest")
        if unknown:
            self.chance.shuffle(unknown)
            return Selection(order=(*unknown, *ranked), reason="latency: not known yet", notes=told(1 / len(unknown)))
        if self.chance.random() < self.explore:
            tried = ranked.pop(self.chance.randrange(1, len(ranked)))
            return Selection(order=(tried, *ranked), reason="latency: exploring", notes=told(self.explore / len(ranked)))
        return Selection(order=tuple(ranked), reason="fastest", notes=told(1 - self.explore))

    def expected(self, candidate: Candidate, stream: bool, now: float) -> float | None:
        """Seconds; None while there are too few samples, or only old ones."""
        samples = self.board.of(candidate, stream)
        return samples.quantile(self.which) if samples is not None and samples.tell(now) else None

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        if exchange.envelope is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self.board.note(outcome, exchange.envelope.stream, time.monotonic())


def told(propensity: float) -> dict[str, str]:
    """How likely this choice was: without it nobody can compare strategies afterwards."""
    return {"propensity": f"{propensity:.3f}"}


plugin = Plugin(api=1, config=Config, create=LatencySelector, rank=8)
