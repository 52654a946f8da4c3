from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

import lynkr_selector_weighted
from lynkr_core.errors import ConfigError
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_selector_weighted import Meter, plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()


class Clock:
    def __init__(self, monkeypatch: Any) -> None:
        self.now = 1000.0
        monkeypatch.setattr(lynkr_selector_weighted.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def made(**table: Any) -> Any:
    instance = factories.build(plugin, table, factories.context("weighted", "selector", tiers=factories.tiers(ALL)))
    instance.chance = random.Random(7)
    return instance


def exchange(text: str = "hi", headers: Any = None, model: str = "auto"):
    return factories.exchange({"model": model, "messages": [{"role": "user", "content": text}]}, headers=headers, served=ALL)


def leads(selector: Any, count: int = 20_000, candidates: Any = ALL) -> dict[str, float]:
    asked = exchange()
    found = Counter(selector.select_provider(asked, candidates).order[0].id for _ in range(count))
    return {id: number / count for id, number in found.items()}


def test_each_leads_as_often_as_its_weight_says():
    found = leads(
        made(share=[{"to": "cloud/small", "weight": 5}, {"to": "cloud/large", "weight": 3}, {"to": "local", "weight": 1}])
    )
    expected = {SMALL: 0.5, LARGE: 0.3, LOCAL: 0.1, DEEP: 0.1}
    assert found == pytest.approx({candidate.id: share for candidate, share in expected.items()}, abs=0.012)


def test_the_second_place_goes_by_weight_too():
    selector, asked = made(share=[{"to": "cloud/small", "weight": 8}, {"to": "cloud/large", "weight": 2}]), exchange()
    orders = [selector.select_provider(asked, (SMALL, LARGE, DEEP)).order for _ in range(20_000)]
    seconds = Counter(order[1].id for order in orders if order[0] is SMALL)
    assert seconds[LARGE.id] / sum(seconds.values()) == pytest.approx(2 / 3, abs=0.02)


def test_a_shuffle_is_even_whatever_the_weights():
    found = leads(made(strategy="shuffle", share=[{"to": "local", "weight": 50}]))
    assert found == pytest.approx({candidate.id: 0.25 for candidate in ALL}, abs=0.012)


def test_a_weight_of_zero_is_a_fallback_only():
    found = leads(made(share=[{"to": "cloud", "weight": 0}, {"to": "local", "weight": 0}]), 500)
    assert found == {DEEP.id: 1.0}


def test_a_model_s_own_weight_wins_over_its_provider_s():
    found = leads(made(share=[{"to": "cloud", "weight": 0}, {"to": "cloud/large", "weight": 1}]), 2000, (SMALL, LARGE))
    assert found == {LARGE.id: 1.0}


def test_the_least_busy_leads():
    selector = made(strategy="least_busy", share=[{"to": "cloud/large", "weight": 4}])
    held = [selector.reserve(exchange(), candidate) for candidate in (LOCAL, SMALL, LARGE, LARGE, LARGE, DEEP, DEEP)]
    assert selector.select_provider(exchange(), ALL).order[0] is LARGE  # three quarters of a request for each of its weight
    selector.settle(held[0], factories.outcome())
    assert selector.select_provider(exchange(), ALL).order[0] is LOCAL
    for reservation in held[1:]:
        selector.settle(reservation, factories.outcome("cancelled"))
    assert not selector.busy


def test_with_as_many_under_way_as_weights_say_load_stays_level():
    selector, chance, under_way = made(strategy="least_busy"), random.Random(3), []
    for _ in range(4000):
        lead = selector.select_provider(exchange(), ALL).order[0]
        under_way.append(selector.reserve(exchange(), lead))
        if len(under_way) > 40:
            selector.settle(under_way.pop(chance.randrange(len(under_way))), factories.outcome())
    assert max(selector.busy.values()) - min(selector.busy.values()) <= 3


def test_requests_per_minute(clock):
    selector = made(share=[{"to": "cloud/small", "weight": 1e9, "rpm": 3}])
    for _ in range(3):
        assert selector.select_provider(exchange(), ALL).order[0] is SMALL
        selector.reserve(exchange(), SMALL)
    found = selector.select_provider(exchange(), ALL)
    assert (found.order[-1], found.reason, len(found.order)) == (SMALL, "weights, full: cloud/small", 4)
    clock.now += 61
    assert selector.select_provider(exchange(), ALL).order[0] is SMALL


def test_tokens_per_minute_are_guessed_and_then_known(clock):
    selector = made(share=[{"to": "cloud/small", "weight": 1e9, "tpm": 1000}])
    reservation = selector.reserve(exchange("x" * 3600), SMALL)
    assert selector.select_provider(exchange("x" * 800), ALL).order[-1] is SMALL
    selector.settle(reservation, factories.outcome("ok", chosen=SMALL, usage=Usage(input_tokens=100, output_tokens=50)))
    assert selector.select_provider(exchange("x" * 800), ALL).order[0] is SMALL


def test_a_meter_forgets_after_a_minute():
    meter = Meter()
    for second in range(300):
        meter.add(float(second), 2, 10)
    assert (meter.requests, meter.tokens) == (120, 600)
    meter.expire(1000.0)
    assert (meter.requests, meter.tokens) == (0, 0)


def test_only_the_names_it_is_for():
    selector = made(names=["fast", "complex"])
    assert selector.select_provider(exchange(), ALL) is None
    assert selector.select_provider(exchange(model="fast"), ALL) is not None
    assert selector.select_provider(exchange(headers={"x-lynkr-tier": "complex"}), ALL) is not None


def test_nothing_is_counted_where_nothing_is_asked_for():
    assert not hasattr(made(), "reserve")
    assert hasattr(made(share=[{"to": "a", "rpm": 1}]), "reserve")


@pytest.mark.parametrize(
    "table", [{"strategy": "best"}, *({"share": [{"to": "a", **wrong}]} for wrong in ({"weight": -1}, {"rpm": 0}))]
)
def test_mistakes_are_named(table):
    with pytest.raises(ConfigError, match=r"lynkr.toml: \[test\] \$\."):
        made(**table)


def test_it_says_how_likely_its_choice_was():
    selector = made(share=[{"to": "cloud/small", "weight": 6}, {"to": "cloud/large", "weight": 3}, {"to": "local", "weight": 0}])
    told = {
        selection.order[0]: selection.notes["propensity"]
        for selection in (selector.select_provider(exchange(), ALL) for _ in range(200))
    }
    assert told == {SMALL: "0.600", LARGE: "0.300", DEEP: "0.100"}


def test_with_unequal_loads_nothing_is_left_to_chance():
    selector = made(strategy="least_busy")
    for candidate in (LOCAL, SMALL, DEEP):
        selector.reserve(exchange(), candidate)
    assert selector.select_provider(exchange(), ALL).notes == {"propensity": "1.000"}
