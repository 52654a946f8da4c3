from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.errors import ConfigError, InvalidRequest
from lynkr_core.exchange import Attempt, Outcome, Selection
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_selector_hybrid import plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
CODE = "Fix the bug in utils.py"


def made(**table: Any) -> Any:
    return factories.build(plugin, table, factories.context("hybrid", "selector", tiers=factories.tiers(ALL)))


def exchange(text: str = "hi", headers: Any = None, model: str = "auto"):
    return factories.exchange({"model": model, "messages": [{"role": "user", "content": text}]}, headers=headers, served=ALL)


def took(selector: Any, candidate: Any, seconds: float, times: int = 3) -> None:
    for _ in range(times):
        attempt = Attempt(candidate)
        attempt.first_token = attempt.ended = attempt.started + seconds
        selector.post_response(exchange(), Outcome(status="ok", http_status=200, candidate=candidate, attempts=[attempt]))


def order(selector: Any, **headers: str) -> Any:
    return selector.select_provider(
        exchange(headers={name.replace("_", "-"): value for name, value in headers.items()}), ALL
    ).order


def test_without_bounds_the_best_leads():
    assert order(made()) == (DEEP, LARGE, SMALL, LOCAL)  # as good as their tiers
    assert order(made(model=[{"to": "cloud/small", "quality": 101 - 1}, {"to": "other", "quality": 60}])) == (
        SMALL,
        LARGE,
        DEEP,
        LOCAL,
    )


def test_of_equals_the_cheapest_then_the_quickest():
    same = [{"to": name, "quality": 50} for name in ("local", "cloud", "other")]
    assert order(made(model=same)) == ALL
    twins = (factories.candidate("a/m", price=SMALL.price), factories.candidate("b/m", price=SMALL.price))
    selector = made()
    took(selector, twins[0], 2.0)
    took(selector, twins[1], 1.0)
    assert selector.select_provider(exchange(), twins).order == twins[::-1]


def test_the_best_is_another_one_for_another_task():
    selector = made(model=[{"to": "cloud/large", "quality": 60, "tasks": {"code": 95}}, {"to": "other", "quality": 90}])
    assert selector.select_provider(exchange("Write a poem"), ALL).order[0] is DEEP
    found = selector.select_provider(exchange(CODE), ALL)
    assert (found.order[0], found.reason) == (LARGE, "best for code within bounds")
    assert selector.select_provider(exchange(headers={"x-lynkr-task": "code"}), ALL).order[0] is LARGE


def test_cost_is_a_bound_that_nobody_passes():
    assert order(made(max_usd=0.01)) == (LARGE, SMALL, LOCAL)
    assert order(made(max_usd=0.01), x_lynkr_max_cost_usd="0.001") == (SMALL, LOCAL)
    with pytest.raises(InvalidRequest, match=r"for \$1e-09"):
        made().revise_selection(exchange(headers={"x-lynkr-max-cost-usd": "0.000000001"}), Selection(order=(SMALL, DEEP)))
    assert made(max_usd=0.01).revise_selection(exchange(), Selection(order=(DEEP, LARGE))).order == (LARGE,)
    assert made(max_usd=0.01, names=["fast"]).revise_selection(exchange(), Selection(order=(DEEP, LARGE))) is None


def test_latency_is_a_bound_for_those_who_are_known():
    selector = made(max_latency_ms=1500)
    took(selector, DEEP, 4.0)
    took(selector, LARGE, 1.0)
    assert order(selector) == (LARGE, SMALL, LOCAL, DEEP)
    assert order(selector, x_lynkr_max_latency_ms="500") == (SMALL, LOCAL, LARGE, DEEP)
    assert order(selector, x_lynkr_max_latency_ms="9999") == (LARGE, SMALL, LOCAL, DEEP)


def test_when_everybody_is_slow_the_quickest_leads():
    selector = made()
    for candidate, seconds in zip(ALL, (3.0, 2.0, 4.0, 5.0), strict=True):
        took(selector, candidate, seconds)
    found = selector.select_provider(exchange(headers={"x-lynkr-max-latency-ms": "100"}), ALL)
    assert (found.order, found.reason) == ((SMALL, LOCAL, LARGE, DEEP), "all too slow: the quickest")


def test_it_learns_what_answers_cost():
    selector = made(max_usd=0.01)
    usage = Usage(input_tokens=10, output_tokens=9000)
    for _ in range(5):
        selector.post_response(exchange(), factories.outcome("ok", chosen=LARGE, usage=usage))
    assert order(selector) == (SMALL, LOCAL)


@pytest.mark.parametrize("header", ["x-lynkr-max-cost-usd", "x-lynkr-max-latency-ms"])
def test_a_bound_that_is_no_number_is_a_mistake(header):
    with pytest.raises(InvalidRequest, match=f"{header} must be a number"):
        made().select_provider(exchange(headers={header: "soon"}), ALL)


def test_only_the_names_it_is_for():
    assert made(names=["fast"]).select_provider(exchange(), ALL) is None
    assert made(names=["fast"]).select_provider(exchange(model="fast"), ALL) is not None


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"\$\.model\[0\]\.quality: expected float <= 100"):
        made(model=[{"to": "a", "quality": 101}])
    with pytest.raises(ConfigError, match="no task: coding; known: translation, code"):
        made(model=[{"to": "a", "quality": 1, "tasks": {"coding": 3}}])
