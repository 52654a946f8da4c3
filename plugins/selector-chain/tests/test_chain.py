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
from lynkr_selector_chain import ChainSelector, Config, plugin


def candidate(name: str, model: str) -> Candidate:
    return Candidate(provider=cast("Provider", SimpleNamespace(name=name)), model=model)


SMALL, BIG, CHEAP, SMART = ALL = (
    candidate("local", "small"), candidate("local", "big"), candidate("cloud", "mini"), candidate("cloud", "org/smart"),
)  # fmt: skip
STEPS = {"step": [{"to": "local", "max_score": 40}, {"to": "cloud/mini", "max_score": 70}, {"to": "cloud/org/smart"}]}


def select(table: Any, score: float | None, candidates: Any = ALL, route: Any = "auto"):
    exchange = Exchange(cast("Dialect", None), "/", {}, b"")
    exchange.route, exchange.score = route, score
    context = cast("Context", SimpleNamespace(tiers=Tiers()))
    return ChainSelector(msgspec.convert(table, Config), context).select_provider(exchange, candidates)


@pytest.mark.parametrize(
    ("score", "order"),
    [(40, (SMALL, BIG, CHEAP, SMART)), (41, (CHEAP, SMART)), (70.4, (CHEAP, SMART)), (71, (SMART,)), (100, (SMART,))],
)
def test_the_first_step_that_admits_the_score_leads(score, order):
    assert select(STEPS, score).order == order


def test_steps_passed_by_are_told():
    found = select(STEPS, 60)
    assert found.reason == "score 60: cloud/mini"
    assert [(removal.candidate, removal.reason) for removal in found.removed] == [
        ("local/small", "score 60 over 40"),
        ("local/big", "score 60 over 40"),
    ]


def test_a_plain_order_has_no_limits():
    found = select({"order": ["cloud/mini", "local"]}, 99)
    assert found.order == (CHEAP, SMALL, BIG)
    assert [(removal.candidate, removal.reason) for removal in found.removed] == [("cloud/org/smart", "not in the chain")]


def test_steps_that_are_no_candidates_are_skipped_and_told():
    found = select(STEPS, 10, candidates=(CHEAP, SMART))
    assert found.order == (CHEAP, SMART)
    assert found.reason == "score 10: cloud/mini (no candidates: local)"
    assert found.removed == ()


def test_without_a_score_the_first_step_leads():
    found = select(STEPS, None)
    assert (found.order[0], found.reason) == (SMALL, "chain: local")


def test_when_no_step_admits_the_score_the_last_one_leads():
    assert select({"step": [{"to": "local", "max_score": 40}, {"to": "cloud/mini", "max_score": 70}]}, 90).order == (CHEAP,)


def test_a_model_of_a_provider_named_before_is_tried_once():
    assert select({"order": ["local/big", "local", "cloud/mini"]}, 0).order == (BIG, SMALL, CHEAP)


def test_a_model_in_a_step_passed_by_may_stand_in_a_later_one():
    assert select({"step": [{"to": "local", "max_score": 40}, {"to": "local/big"}]}, 90).order == (BIG,)


def test_nothing_to_say_for_other_routes_and_strangers():
    assert select(STEPS, 10, route="exact") is None
    assert select({"order": ["elsewhere"]}, 10) is None


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({}, "either `order` or"),
        ({"order": ["a"], "step": [{"to": "b"}]}, "either `order` or"),
        ({"order": ["a", "b", "a"]}, "named twice: a"),
        ({"order": ["a b"]}, r"\$\.order\[0\]"),
        ({"step": [{"to": "a", "max_score": 101}]}, r"\$\.step\[0\]\.max_score"),
        ({"step": [{"max_score": 10}]}, r"`to`.*\$\.step\[0\]"),
        ({"step": [{"to": "a", "max": 10}]}, r"`max`.*\$\.step\[0\]"),
    ],
)
def test_mistakes_in_the_table_are_named(table, mistake):
    with pytest.raises(msgspec.ValidationError, match=mistake):
        msgspec.convert(table, plugin.config)
