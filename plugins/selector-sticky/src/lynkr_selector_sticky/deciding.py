"""Stay or switch: the rules, in their order. Pure: everything they look at is in the case."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from lynkr_core.candidates import Tiers
from lynkr_core.exchange import Candidate
from lynkr_selector_sticky.pins import Pin
from lynkr_selector_sticky.sums import Sums

RISKS = frozenset({"incident", "deep_thought"})
"""Gates of scorers that say that much depends on this request."""
CHATTER = frozenset({"small_talk"})
"""Gates of what is no ask: a thank-you is no sign that the next ask will be easy."""


class Rules(Struct, frozen=True, kw_only=True):
    """See `Config`."""

    hysteresis: float
    patience: int
    stall: int


class Case(Struct, frozen=True, kw_only=True):
    """One request of a conversation that has a model. `fresh` is whom the selectors would ask, for `tier`; `reachable` all that may be asked.

    `failures`: how often the same call of `tool` has failed since the model was chosen. `sums`: of switching to `fresh`.
    """

    pin: Pin
    pinned: Candidate
    fresh: Candidate
    tier: str | None
    reachable: tuple[Candidate, ...]
    score: float | None
    gates: frozenset[str]
    mid_tools: bool
    failures: int
    tool: str
    sums: Sums | None


class Choice(NamedTuple):
    """`to`: who is asked. `reason`: a few words. `drift`: as in the pin, from now on."""

    to: Candidate
    reason: str
    drift: int = 0


def decide(case: Case, rules: Rules, tiers: Tiers) -> Choice:
    """The first rule that has something to say."""
    if case.failures >= rules.stall and (higher := climbed(case, tiers)):
        return Choice(higher, f"{case.tool} failed {case.failures} times: climbs")
    if case.mid_tools:
        return Choice(case.pinned, "stays in the middle of a tool exchange", case.pin.drift)
    if case.fresh is case.pinned:
        return Choice(case.pinned, "stays")
    if case.gates & CHATTER:
        return Choice(case.pinned, "stays: no ask", case.pin.drift)
    own, wanted = level(case.pin.tier, tiers), level(case.tier, tiers)
    if own == wanted or own < 0 or wanted < 0:
        return sideways(case)
    return upwards(case, rules, tiers) if wanted > own else downwards(case, rules, tiers)


def by_score(case: Case, tiers: Tiers) -> bool:
    """Whether it is the score that chose the tier. What somebody wants for another reason needs no second sign."""
    return case.score is not None and tiers.of(case.score) == case.tier


def level(tier: str | None, tiers: Tiers) -> int:
    return tiers.names.index(tier) if tier in tiers.names else -1


def climbed(case: Case, tiers: Tiers) -> Candidate | None:
    """The first candidate of the next dearer tier that has one."""
    own = level(case.pin.tier, tiers)
    for name in tiers.names[own + 1 :] if own >= 0 else ():
        for candidate in tiers.candidates(name):
            if candidate is not case.pinned and candidate in case.reachable:
                return candidate
    return None


def upwards(case: Case, rules: Rules, tiers: Tiers) -> Choice:
    """A dearer tier: at once when much depends on it or the score is well above, else when it was so several times in a row."""
    if risks := sorted(case.gates & RISKS):
        return Choice(case.fresh, f"climbs: {risks[0]}")
    if case.score is None or not by_score(case, tiers):
        return Choice(case.fresh, f"climbs: {case.tier} is wanted")
    bound, drift = tiers.bounds[level(case.pin.tier, tiers)], max(case.pin.drift, 0) + 1
    if case.score > bound + rules.hysteresis:
        return Choice(case.fresh, f"climbs: score well over {bound:.0f}")
    if drift >= rules.patience:
        return Choice(case.fresh, f"climbs: over {bound:.0f} for {drift} asks")
    return Choice(case.pinned, f"stays: score near {bound:.0f}", drift)


def downwards(case: Case, rules: Rules, tiers: Tiers) -> Choice:
    """A cheaper tier: when it pays, and the score is well below, or was below several times in a row.

    The less of what is saved goes for the lost cache, the less below it has to be: to and fro is dear there only.
    """
    bound, drift = tiers.bounds[level(case.pin.tier, tiers) - 1], min(case.pin.drift, 0) - 1
    if case.sums is None or case.sums.move >= case.sums.stay:
        why = "a price is unknown" if case.sums is None else "switching would not pay"
        return Choice(case.pinned, f"stays: {case.tier} would do, but {why}", drift)
    margin = rules.hysteresis * min(case.sums.lost / (case.sums.stay - case.sums.move), 1.0)
    if case.score is not None and by_score(case, tiers) and -drift < rules.patience and case.score > bound - margin:
        return Choice(case.pinned, f"stays: score near {bound:.0f}", drift)
    return Choice(case.fresh, f"descends: {case.tier} will do, and it pays")


def sideways(case: Case) -> Choice:
    """Another model for the same tier: only when it pays."""
    if case.sums is not None and case.sums.move < case.sums.stay:
        return Choice(case.fresh, "switches: it pays")
    return Choice(case.pinned, "stays: switching would not pay")
