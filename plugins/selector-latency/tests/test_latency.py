from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import lynkr_selector_latency
from lynkr_core.errors import ConfigError, UpstreamError
from lynkr_core.exchange import Attempt, Candidate, Outcome
from lynkr_core.testing import factories
from lynkr_selector_latency import Samples, plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
Speeds = Mapping[Candidate, Callable[[], float]]


class Clock:
    def __init__(self, monkeypatch: Any) -> None:
        self.now = 1000.0
        monkeypatch.setattr(lynkr_selector_latency.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def made(seed: int = 1, **table: Any) -> Any:
    instance = factories.build(plugin, table, factories.context("latency", "selector"))
    instance.chance = random.Random(seed)
    return instance


def exchange(stream: bool = False, **more: Any):
    return factories.exchange({"model": "auto", "messages": [], "stream": stream, **more}, served=ALL)


def answered(selector: Any, clock: Clock, candidate: Candidate, seconds: float, stream: bool = False, error: Any = None) -> None:
    """One attempt that took so long."""
    attempt = Attempt(candidate)
    attempt.started, clock.now = clock.now, clock.now + seconds
    attempt.ended, attempt.first_token = clock.now, None if error else clock.now
    attempt.error = UpstreamError(error, "the test's") if error else None
    selector.post_response(exchange(stream), Outcome(status="ok", http_status=200, candidate=candidate, attempts=[attempt]))


def simulate(selector: Any, clock: Clock, speeds: Speeds, count: int, pause: float = 1.0) -> tuple[Counter[Any], float]:
    """How often each led, and the seconds that were waited."""
    leads: Counter[Any] = Counter()
    waited = 0.0
    for _ in range(count):
        lead = selector.select_provider(exchange(), ALL).order[0]
        seconds = speeds[lead]()
        answered(selector, clock, lead, seconds)
        clock.now += pause
        leads[lead] += 1
        waited += seconds
    return leads, waited


def around(mean: float, chance: random.Random) -> Callable[[], float]:
    return lambda: chance.gammavariate(4.0, mean / 4.0)


def speeds(chance: random.Random, *means: float) -> Speeds:
    return dict(zip(ALL, [around(mean, chance) for mean in means], strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_fastest_and_stays_with_it(clock, seed):
    selector = made(seed)
    leads, _ = simulate(selector, clock, speeds(random.Random(seed), 0.9, 0.5, 1.5, 3.0), 1000)
    assert leads[SMALL] >= 880  # 95 % less what was needed to find out
    assert min(leads.values()) >= 5


@pytest.mark.parametrize("seed", range(5))
def test_it_notices_when_another_becomes_faster(clock, seed):
    selector, chance = made(seed), random.Random(seed)
    simulate(selector, clock, speeds(chance, 0.9, 0.3, 1.5, 3.0), 500)
    leads, _ = simulate(selector, clock, speeds(chance, 0.4, 2.5, 1.5, 3.0), 500)
    assert leads[LOCAL] >= 350


def test_what_it_costs_beside_one_who_knows(clock):
    """Regret: seconds waited beyond those of an oracle that always asks the model which is fastest at the time."""
    chance, selector, waited, least, always = random.Random(4), made(4), 0.0, 0.0, 0.0
    for means in ((0.9, 0.5, 1.5, 3.0), (0.4, 1.2, 1.5, 3.0), (2.0, 2.0, 0.7, 3.0)):
        _, seconds = simulate(selector, clock, speeds(chance, *means), 1000)
        waited, least, always = waited + seconds, least + 1000 * min(means), always + 1000 * sum(means) / 4
    assert (waited - least) / least < 0.40
    assert waited < 0.55 * always


def test_the_p95_finds_the_steady_one(clock):
    chance = random.Random(5)
    wild: Speeds = {
        LOCAL: lambda: 9.0 if chance.random() < 0.1 else 0.2,
        **{one: around(0.8, chance) for one in (SMALL, LARGE, DEEP)},
    }
    assert simulate(made(by="p50"), clock, wild, 400)[0][LOCAL] > 300
    assert simulate(made(by="p95"), clock, wild, 400)[0][LOCAL] < 100


def test_nobody_is_known_at_first_and_all_are_tried(clock):
    selector = made(explore=0)
    fixed: Speeds = {candidate: (lambda seconds=place: seconds) for place, candidate in enumerate(ALL, 1)}
    leads, _ = simulate(selector, clock, fixed, 12)
    assert set(leads.values()) == {3}
    found = selector.select_provider(exchange(), ALL)
    assert (found.order, found.reason, found.notes) == (ALL, "fastest", {"propensity": "1.000"})


def test_it_explores_as_often_as_told(clock):
    selector = made(explore=0.2)
    simulate(selector, clock, speeds(random.Random(1), 1, 2, 3, 4), 200)
    found = Counter(selector.select_provider(exchange(), ALL).reason for _ in range(5000))
    assert found["latency: exploring"] / 5000 == pytest.approx(0.2, abs=0.02)
    dry = exchange()
    dry.dry_run = True
    assert {selector.select_provider(dry, ALL).reason for _ in range(100)} == {"fastest"}


def test_failures_count_as_waiting_but_not_the_requests_own(clock):
    selector = made(explore=0)
    for candidate in ALL:
        for _ in range(3):
            answered(selector, clock, candidate, 1.0 if candidate is LOCAL else 2.0)
    for _ in range(10):
        answered(selector, clock, LOCAL, 0.01, error="invalid")
    assert selector.select_provider(exchange(), ALL).order[0] is LOCAL
    for _ in range(4):
        answered(selector, clock, LOCAL, 0.01, error="overloaded")
    assert selector.select_provider(exchange(), ALL).order[-1] is LOCAL


def test_streams_and_whole_answers_are_measured_apart(clock):
    selector = made(explore=0)
    for candidate, seconds in zip(ALL, (1, 2, 3, 4), strict=True):
        for _ in range(3):
            answered(selector, clock, candidate, seconds)
            answered(selector, clock, candidate, 5 - seconds, stream=True)
    assert selector.select_provider(exchange(), ALL).order == ALL
    assert selector.select_provider(exchange(stream=True), ALL).order == ALL[::-1]


def test_what_is_old_counts_less_and_then_nothing():
    samples = Samples(half_life=100.0)
    for second in range(10):
        samples.add(float(second), 5.0)
    for second in range(500, 504):
        samples.add(float(second), 1.0)
    assert (samples.quantile(0.5), samples.quantile(0.95)) == (1.0, 5.0)
    assert samples.tell(510.0)
    assert not samples.tell(503.0 + 1200.0)


def test_only_the_last_hundred_are_kept():
    samples = Samples(half_life=1e9)
    for _ in range(100):
        samples.add(0.0, 9.0)
    for _ in range(100):
        samples.add(1.0, 2.0)
    assert (samples.quantile(0.5), samples.quantile(0.95)) == (2.0, 2.0)


def test_a_caller_who_left_tells_only_that_it_took_longer(clock):
    selector = made()
    for _ in range(3):
        answered(selector, clock, LOCAL, 1.0)
    left = Attempt(LOCAL)
    for waited, expected in ((0.5, None), (7.0, 7.0)):
        left.started, left.ended = clock.now - waited, clock.now
        assert selector.board.seconds(left, False, clock.now) == (None if expected is None else pytest.approx(expected))


def test_only_the_names_it_is_for():
    assert made(names=["fast"]).select_provider(exchange(), ALL) is None
    assert made(names=["auto"]).select_provider(exchange(), ALL) is not None
    assert made().select_provider(exchange(), ALL[:1]) is None


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"\$\.explore: expected float <= 1"):
        made(explore=2)
