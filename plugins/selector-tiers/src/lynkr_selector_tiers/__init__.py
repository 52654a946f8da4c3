"""Picks the tier of the score; dearer tiers, then cheaper ones, are its fallbacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.exchange import Candidate, Exchange, Removal, Selection
from lynkr_core.plugins import Context, Plugin

__all__ = ["Config", "TierSelector", "plugin"]


REMEMBERED = 1024


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.tiers]`"""

    default: Annotated[
        Literal["simple", "medium", "complex", "reasoning"], Meta(description="The tier of a request that nobody scored.")
    ] = "medium"


class TierSelector:
    """Orders `auto` requests that nobody has a tier for yet. Leaves tiers, aliases and models that were asked for by name alone."""

    def __init__(self, config: Config, context: Context) -> None:
        self.default = config.default
        self.tiers = context.tiers
        self._chosen = lru_cache(REMEMBERED)(self.chosen)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """The tier's candidates, then dearer tiers', then cheaper ones', as far as they are among `candidates`; None when none is."""
        if exchange.route != "auto" or exchange.tier is not None:
            return None
        score = None if exchange.score is None else round(exchange.score)
        return self._chosen(score, tuple(candidates), bool(exchange.selected_by))

    def chosen(self, score: int | None, candidates: tuple[Candidate, ...], picked: bool) -> Selection | None:
        """There are a hundred scores and few sets of candidates: what is chosen is looked up nearly always.

        `picked`: a selector before this one wants these candidates, so that those of no tier come last instead of being left out.
        """
        tier = self.default if score is None else self.tiers.of(score)
        reason = f"no score: {tier}" if score is None else f"score {score}: {tier}"
        whole = self.tiers.fallbacks(tier)
        if len(whole) == len(candidates) and set(whole).issuperset(candidates):
            return Selection(order=whole, reason=reason, tier=tier, peers=len(self.tiers.candidates(tier)))
        order = tuple([candidate for candidate in whole if candidate in candidates])
        if not order:
            return None
        strangers = [candidate for candidate in candidates if candidate not in whole]
        removed = () if picked else tuple([Removal(candidate.id, "in no tier") for candidate in strangers])
        order = (*order, *strangers) if picked else order
        peers = sum(candidate in order for candidate in self.tiers.candidates(tier))
        return Selection(order=order, reason=reason, tier=tier, removed=removed, peers=peers)


plugin = Plugin(api=1, config=Config, create=TierSelector, rank=5)
