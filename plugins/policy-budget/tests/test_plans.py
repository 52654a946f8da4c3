"""Which counters an attempt takes from, by an injected clock."""

from datetime import UTC

import pytest

from lynkr_core.exchange import Principal
from lynkr_core.scopes import Scope
from lynkr_core.testing import factories
from lynkr_policy_budget import plans
from lynkr_policy_budget.plans import Plans
from lynkr_policy_budget.rules import Rule
from lynkr_policy_budget.windows import Windows

MODEL = factories.candidate("cloud/large")
DAY = 86400.0
NOON = 20_000 * DAY + DAY / 2


def rule(scope, per="day", limit=10, unit="usd"):
    return Rule("p/", Scope(scope, factories.tiers()), Windows(per, UTC), unit, limit)


def exchange(session="", **principal):
    made = factories.exchange(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]}, headers={"x-lynkr-session": session} if session else None
    )
    made.principal = Principal(**principal)
    return made


def counters(made, asked, now=NOON, theirs=False):
    return [room.counter for room in made.rooms(asked, MODEL, theirs, now)]


def test_they_are_the_same_until_a_window_is_over():
    made = Plans([rule("team:*"), rule("everyone", "month")])
    first = made.rooms(exchange(team="a"), MODEL, False, NOON)
    assert made.rooms(exchange(team="a"), MODEL, False, NOON + DAY / 2 - 1) is first
    assert [room.counter for room in first] == ["p/team:a/day/2024-10-04/usd", "p/everyone/month/2024-10/usd"]
    assert counters(made, exchange(team="a"), NOON + DAY / 2)[0] == "p/team:a/day/2024-10-05/usd"
    assert counters(made, exchange(team="a"), NOON)[0] == "p/team:a/day/2024-10-04/usd"  # somebody has set the clock back


def test_whoever_is_another_has_others():
    made = Plans([rule("team:*"), rule("class:*"), rule("tag:*", unit="tokens")])
    one = counters(made, exchange(id="k", team="a", principal_class="T1"))
    other = counters(made, exchange(id="k", team="a", principal_class="T2", tags=("x", "y")))
    assert one == ["p/team:a/day/2024-10-04/usd", "p/class:T1/day/2024-10-04/usd"]
    assert other[1:] == [
        f"p/{name}/day/2024-10-04/{unit}" for name, unit in [("class:T2", "usd"), ("tag:x", "tokens"), ("tag:y", "tokens")]
    ]


def test_sessions_are_asked_each_time():
    made = Plans([rule("session:*", "run"), rule("everyone"), rule("team:a + session:*")])
    assert counters(made, exchange(team="a")) == ["p/everyone/day/2024-10-04/usd"]
    for name in ("one", "two"):
        found = counters(made, exchange(name, id="k", team="a"))
        assert found[1:] == [f"p/session:k/{name}/run/run/usd", f"p/team:a + session:k/{name}/day/2024-10-04/usd"]


def test_a_counter_has_its_smallest_limit():
    made = Plans([rule("everyone", limit=9), rule("everyone", limit=3), rule("everyone", limit=5)])
    assert [room.limit for room in made.rooms(exchange(), MODEL, False, NOON)] == [3]


def test_who_pays_the_provider_has_no_limit_in_dollars():
    made = Plans([rule("everyone"), rule("everyone", unit="requests")])
    assert counters(made, exchange(), theirs=True) == ["p/everyone/day/2024-10-04/requests"]
    assert len(counters(made, exchange())) == 2


def test_callers_who_come_once_are_forgotten(monkeypatch):
    monkeypatch.setattr(plans, "MOST", 10)
    made = Plans([rule("key:*")])
    for number in range(25):
        assert counters(made, exchange(key=f"k{number}")) == [f"p/key:k{number}/day/2024-10-04/usd"]
    assert len(made._kept) <= 10


@pytest.mark.parametrize("per", ["total", "minute"])
def test_any_window_will_do(per):
    made = Plans([rule("everyone", per)])
    assert counters(made, exchange(), 0.0) == counters(made, exchange(), 59.0)
    assert (counters(made, exchange(), 60.0) == counters(made, exchange(), 0.0)) is (per == "total")
