"""From names (a model, a provider, a tier, one in `[models]`, or several of them) to a selection."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from lynkr_core.candidates import Tiers, matching
from lynkr_core.exchange import Candidate, Removal, Selection

REMEMBERED = 1024
Names = tuple[str, ...]


class Choices:
    """Selections by name. There are few different ones, so they are remembered."""

    def __init__(self, tiers: Tiers) -> None:
        self.tiers = tiers
        self.of = lru_cache(REMEMBERED)(self._of)

    def _of(self, names: Names, candidates: tuple[Candidate, ...], reason: str, only: bool = False) -> Selection | None:
        """What is named, in its order, then everybody else unless `only`; None when nobody named is among the candidates.

        What the first name that is found stands for are peers, but for a list in `[models]`, whose order is meant.
        """
        groups = [(name, found) for name in names if (found := matching(name, candidates, self.tiers))]
        if not groups:
            return None
        lead = tuple(dict.fromkeys(candidate for _, found in groups for candidate in found))
        name, peers = groups[0]
        rest = [candidate for candidate in self.after(lead[0], candidates) if candidate not in lead]
        tier, equal = name if name in self.tiers.names else None, self.tiers.equal(name, len(peers))
        if only:
            removed = tuple([Removal(candidate.id, reason) for candidate in rest])
            return Selection(order=lead, reason=reason, tier=tier, removed=removed, peers=equal)
        return Selection(order=(*lead, *rest), reason=reason, tier=tier, peers=equal)

    def after(self, first: Candidate, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """In which order others stand by for this one: its tier's, dearer ones, cheaper ones."""
        tier = next((name for name in self.tiers.names if first in self.tiers.candidates(name)), "")
        return tuple(sorted(candidates, key=[*self.tiers.fallbacks(tier), *candidates].index))
