"""What an exchange that is over says of how demanding it was."""

from __future__ import annotations

from typing import NamedTuple

from lynkr_core.candidates import Tiers
from lynkr_core.exchange import Candidate, Outcome

REFUSED = "rejected"
"""The kind of an attempt whose answer a check found to be no good. Every other failure speaks of the provider, not of the task."""
SILENT, CHECKED, AGAIN, THUMB = 0.3, 0.8, 0.5, 1.0
"""How much is believed: an answer nobody complained of; what a check said; the same ask once more soon after; a thumb."""


class Said(NamedTuple):
    """An answer by a model of this tier was good enough or not, to be believed so far (0 to 1)."""

    tier: int
    good: bool
    weight: float


def said(outcome: Outcome, tiers: Tiers) -> Said | None:
    """The one thing most worth keeping: that a tier was not enough, else that the one that answered was. None: nothing is known."""
    refused = [tier_of(attempt.candidate, tiers) for attempt in outcome.attempts if str(attempt.kind) == REFUSED]
    known = [tier for tier in refused if tier is not None]
    if known:
        return Said(max(known), False, CHECKED)
    tier = tier_of(outcome.candidate, tiers) if outcome.candidate is not None else None
    return Said(tier, True, SILENT) if tier is not None and outcome.status == "ok" else None


def tier_of(candidate: Candidate, tiers: Tiers) -> int | None:
    """The cheapest tier that has it: what it can do is at least that."""
    return next((place for place, name in enumerate(tiers.names) if candidate in tiers.candidates(name)), None)
