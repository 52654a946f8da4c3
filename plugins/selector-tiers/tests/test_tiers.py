from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from lynkr_core.candidates import Tiers
from lynkr_core.dialect import Dialect
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context
from lynkr_core.provider import Provider
from lynkr_selector_tiers import Config, TierSelector, plugin


def candidate(name: str) -> Candidate:
    return Candidate(provider=cast("Provider", SimpleNamespace(name=name)), model="m")


LOCAL, CHEAP, SMART, DEEP = ALL = tuple(map(candidate, ("local", "cheap", "smart", "deep")))
TABLES = {"simple": (LOCAL,), "medium": (CHEAP, LOCAL), "complex": (SMART,), "reasoning": (DEEP,)}


def select(
    score: float | None, tables: Any = TABLES, candidates: Any = ALL, route: Any = "auto", default: Any = "medium", tier: Any = None,
    before: str = "",
):  # fmt: skip
    tiers = Tiers()
    selector = TierSelector(Config(default=default), cast("Context", SimpleNamespace(tiers=tiers)))
    tiers.fill(tables)
    exchange = Exchange(cast("Dialect", None), "/", {}, b"")
    exchange.route, exchange.score, exchange.tier, exchange.selected_by = route, score, tier, before
    return selector.select_provider(exchange, candidates)


@pytest.mark.parametrize(
    ("score", "tier", "order"),
    [
        (0, "simple", (LOCAL, CHEAP, SMART, DEEP)),
        (25, "simple", (LOCAL, CHEAP, SMART, DEEP)),
        (26, "medium", (CHEAP, LOCAL, SMART, DEEP)),
        (41.4, "medium", (CHEAP, LOCAL, SMART, DEEP)),
        (51, "complex", (SMART, DEEP, CHEAP, LOCAL)),
        (100, "reasoning", (DEEP, SMART, CHEAP, LOCAL)),
    ],
)
def test_tier_then_dearer_then_cheaper(score, tier, order):
    found = select(score)
    assert (found.tier, found.order, found.reason) == (tier, order, f"score {score:.0f}: {tier}")
    assert found.removed == ()


def test_without_a_score_the_default_tier_leads():
    found = select(None, default="complex")
    assert (found.tier, found.order[0], found.reason) == ("complex", SMART, "no score: complex")


def test_a_missing_tier_inherits():
    assert select(90, tables={"simple": (LOCAL,), "medium": (CHEAP,)}).order == (CHEAP, LOCAL)


def test_only_the_given_candidates_are_ordered():
    assert select(60, candidates=(CHEAP, DEEP)).order == (DEEP, CHEAP)


def test_candidates_of_no_tier_are_left_out_and_told():
    stranger = candidate("stranger")
    found = select(10, candidates=(stranger, *ALL))
    assert stranger not in found.order
    assert [(removal.candidate, removal.reason) for removal in found.removed] == [("stranger/m", "in no tier")]


@pytest.mark.parametrize("route", ["exact", "alias", "tier"])
def test_names_asked_for_are_left_alone(route):
    assert select(60, route=route) is None


def test_a_tier_that_somebody_has_chosen_stands():
    assert select(10, tier="complex") is None


def test_what_somebody_has_picked_is_only_ordered():
    found = select(60, candidates=(stranger := candidate("stranger"), CHEAP, SMART), before="selector.rules")
    assert (found.order, found.removed, found.peers) == ((SMART, CHEAP, stranger), (), 1)


def test_the_tier_s_own_candidates_are_peers():
    assert select(30).peers == 2
    assert select(30, candidates=(LOCAL, DEEP)).peers == 1


def test_nothing_to_say_without_tiers_or_candidates():
    assert select(60, tables={}) is None
    assert select(60, candidates=()) is None


def test_an_unknown_default_is_a_mistake():
    with pytest.raises(msgspec.ValidationError, match=r"'huge'.*\$\.default"):
        msgspec.convert({"default": "huge"}, plugin.config)
