"""Shares load between models that are as good as each other."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.candidates import matching
from lynkr_core.exchange import Candidate, Exchange, Outcome, Reservation, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_weighted.meter import Meter

__all__ = ["Config", "Meter", "Share", "Weighted", "create", "plugin"]

BYTES_PER_TOKEN = 4
MAX_MODELS = 10_000
"""Models remembered; callers can name any."""
Positive = Annotated[int, Meta(gt=0)]


class Share(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[selector.weighted.share]]`"""

    to: Annotated[
        str,
        Meta(description="`provider/model`, or a provider, a tier or a name in `[models]` for each of its models.", min_length=1),
    ]
    weight: Annotated[float, Meta(ge=0, description="Its part of the load; 0: only when the others fail.")] = 1.0
    rpm: Annotated[Positive | None, Meta(description="Requests it may be sent in a minute.")] = None
    tpm: Annotated[Positive | None, Meta(description="Tokens, in and out, that it may be sent in a minute.")] = None


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.weighted]`"""

    strategy: Annotated[
        Literal["weights", "shuffle", "least_busy"],
        Meta(description="By weight, all alike, or to whom the fewest requests are under way at, measured by weight."),
    ] = "weights"
    share: Annotated[list[Share], Meta(description="Weights and limits; who has none has weight 1 and no limit.")] = []
    names: Annotated[
        list[str], Meta(description="Only for requests for these names: `auto`, a tier, one in `[models]`. None: for all.")
    ] = []


class Weighted:
    """Orders candidates by lot. Those over a limit come last."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.tiers = context.tiers
        self.only_for = tuple(dict.fromkeys(config.names))
        self.targets = tuple([share.to for share in config.share])
        self.chance = random.Random()  # noqa: S311
        self.shares: dict[str, Share] = {}
        self.meters: dict[str, Meter] = {}
        self.busy: Counter[str] = Counter()

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        if len(candidates) < 2 or (self.only_for and exchange.asked not in self.only_for):
            return None
        now = time.monotonic()
        weights = {candidate.id: self.weight(candidate) for candidate in candidates}
        places = {id: self.place(id, weight) for id, weight in weights.items()}
        full = {candidate.id for candidate in candidates if self.meters and self.is_full(candidate, exchange, now)}
        ranks = {id: (id in full, weights[id] == 0, places[id][0]) for id in weights}
        order = tuple(sorted(candidates, key=lambda candidate: (ranks[candidate.id], places[candidate.id])))
        equal = [id for id, rank in ranks.items() if rank == ranks[order[0].id]]
        notes = {"propensity": f"{propensity(order[0].id, equal, weights):.3f}"}
        told = f", full: {', '.join(sorted(full))}" if full else ""
        return Selection(order=order, reason=self.config.strategy + told, notes=notes)

    def weight(self, candidate: Candidate) -> float:
        return 1.0 if self.config.strategy == "shuffle" else self.share(candidate).weight

    def share(self, candidate: Candidate) -> Share:
        """What is said of this model; the exact name before all others."""
        found = self.shares.get(candidate.id)
        if found is None:
            named = [share for share in self.config.share if matching(share.to, (candidate,), self.tiers)]
            found = next((share for share in named if share.to == candidate.id), named[0] if named else Share(to=candidate.id))
            if len(self.shares) >= MAX_MODELS:
                self.shares.clear()
            self.shares[candidate.id] = found
        return found

    def place(self, id: str, weight: float) -> tuple[float, float]:
        """Where it stands by lot: the smallest of exponential times with these rates is each one's as often as its weight says."""
        lot = self.chance.expovariate(weight) if weight else self.chance.random()
        return (self.busy[id] / weight if weight else 0.0, lot) if self.config.strategy == "least_busy" else (0.0, lot)

    def is_full(self, candidate: Candidate, exchange: Exchange, now: float) -> bool:
        share, meter = self.share(candidate), self.meters.get(candidate.id)
        if meter is None:
            return False
        meter.expire(now)
        if share.rpm is not None and meter.requests >= share.rpm:
            return True
        return share.tpm is not None and meter.tokens + len(exchange.body) // BYTES_PER_TOKEN > share.tpm


class Counting(Weighted):
    """With the hooks that count: for limits, and for what is under way."""

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reservation:
        share, tokens = self.share(candidate), len(exchange.body) // BYTES_PER_TOKEN
        if (share.rpm or share.tpm) and (candidate.id in self.meters or len(self.meters) < MAX_MODELS):
            self.meters.setdefault(candidate.id, Meter()).add(time.monotonic(), 1, tokens)
        self.busy[candidate.id] += 1
        return Reservation(data=(candidate.id, tokens))

    def settle(self, reservation: Reservation, outcome: Outcome) -> None:
        """The provider's own count takes the place of the guess."""
        id, tokens = reservation.data
        self.busy[id] -= 1
        if not self.busy[id]:
            del self.busy[id]
        if outcome.usage is not None and id in self.meters:
            self.meters[id].add(time.monotonic(), 0, outcome.usage.input_tokens + outcome.usage.output_tokens - tokens)


def propensity(first: str, equal: Sequence[str], weights: Mapping[str, float]) -> float:
    """How likely it was that the lot fell on the first: without it nobody can compare strategies afterwards."""
    whole = sum([weights[id] for id in equal])
    return weights[first] / whole if whole else 1 / len(equal)


def create(config: Config, context: Context) -> Weighted:
    """Counts only where there is something to count for."""
    counts = config.strategy == "least_busy" or any(share.rpm or share.tpm for share in config.share)
    return (Counting if counts else Weighted)(config, context)


plugin = Plugin(api=1, config=Config, create=create, rank=9)
