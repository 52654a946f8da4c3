"""Strategies beside an oracle, over two thousand requests of four kinds whose answers are drawn from known qualities.

A request's worth is the answer's quality, less a cent's worth for each cent and a second's for each second. The oracle knows every
mean and takes the best model for each request; regret is what a strategy stays behind it, as a part of what the oracle gets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import lynkr_selector_hybrid
import lynkr_selector_latency
from lynkr_core.exchange import Attempt, Candidate, Outcome
from lynkr_core.plugins import Plugin
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_selector_ab import plugin as experiment
from lynkr_selector_chain import plugin as chain
from lynkr_selector_cost import plugin as by_cost
from lynkr_selector_hybrid import plugin as hybrid
from lynkr_selector_latency import plugin as by_latency
from lynkr_selector_rules import plugin as by_rule
from lynkr_selector_tasks import plugin as by_task
from lynkr_selector_tiers import plugin as by_tier
from lynkr_selector_weighted import plugin as weighted

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
TEXTS = {
    "code": "Fix the bug in utils.py",
    "translation": "Translate this to German: good morning",
    "content": "Write a poem",
    "queries": "Who wrote Hamlet?",
}
SCORES = {"code": 60.0, "translation": 40.0, "content": 45.0, "queries": 10.0}
QUALITY: Mapping[Candidate, Mapping[str, float]] = {
    LOCAL: {"code": 20, "translation": 45, "content": 40, "queries": 80},
    SMALL: {"code": 45, "translation": 85, "content": 60, "queries": 88},
    LARGE: {"code": 92, "translation": 88, "content": 85, "queries": 92},
    DEEP: {"code": 95, "translation": 89, "content": 80, "queries": 93},
}
SECONDS = {LOCAL: 0.4, SMALL: 0.7, LARGE: 1.6, DEEP: 6.0}
OUTPUT = {"code": 900, "translation": 120, "content": 500, "queries": 60}
PER_USD, PER_SECOND = 1000.0, 2.0
MODELS = [{"to": one.id, "quality": sum(of.values()) / 4, "tasks": of} for one, of in QUALITY.items()]


class World:
    """Answers requests, and keeps what they were worth."""

    def __init__(self, monkeypatch: Any, seed: int) -> None:
        self.chance, self.now = random.Random(seed), 0.0
        for module in (lynkr_selector_latency, lynkr_selector_hybrid):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def usd(self, candidate: Candidate, task: str) -> float:
        assert candidate.price
        return (200 * candidate.price.input + OUTPUT[task] * candidate.price.output) / 1e6

    def mean(self, candidate: Candidate, task: str) -> float:
        return QUALITY[candidate][task] - PER_USD * self.usd(candidate, task) - PER_SECOND * SECONDS[candidate]

    def serve(self, selector: Any, candidate: Candidate, task: str, exchange: Any) -> float:
        seconds = SECONDS[candidate] * self.chance.uniform(0.5, 1.5)
        attempt = Attempt(candidate)
        attempt.started, self.now = self.now, self.now + seconds
        attempt.first_token = attempt.ended = self.now
        usage = Usage(input_tokens=200, output_tokens=round(OUTPUT[task] * self.chance.uniform(0.5, 1.5)))
        outcome = Outcome(status="ok", http_status=200, candidate=candidate, usage=usage, attempts=[attempt])
        if hasattr(selector, "post_response"):
            selector.post_response(exchange, outcome)
        quality = min(100.0, max(0.0, self.chance.gauss(QUALITY[candidate][task], 10)))
        return quality - PER_USD * self.usd(candidate, task) - PER_SECOND * seconds

    def regret(self, plugin: Plugin, count: int = 2000, **table: Any) -> float:
        selector = factories.build(plugin, table, factories.context("s", "selector", tiers=factories.tiers(ALL)))
        if hasattr(selector, "chance"):
            selector.chance = random.Random(self.chance.random())
        got = best = 0.0
        for _ in range(count):
            task = self.chance.choice(list(TEXTS))
            exchange = factories.exchange({"model": "auto", "messages": [{"role": "user", "content": TEXTS[task]}]}, served=ALL)
            exchange.score = SCORES[task]
            lead = selector.select_provider(exchange, ALL).order[0]
            got += self.serve(selector, lead, task, exchange)
            best += max(self.mean(candidate, task) for candidate in ALL)
        return (best - got) / best


RULES = [
    {"when": {"prompt_contains": ["bug", "poem"]}, "to": LARGE.id},
    {"when": {"prompt_contains": ["translate"]}, "to": SMALL.id},
    {"to": LOCAL.id},
]
REGRETS: list[tuple[str, Plugin, dict[str, Any], float]] = [
    ("hybrid", hybrid, {"max_usd": 0.02, "max_latency_ms": 3000, "model": MODELS}, 0.05),
    ("tasks", by_task, {"code": LARGE.id, "translation": SMALL.id, "content": LARGE.id, "queries": LOCAL.id}, 0.05),
    ("tiers", by_tier, {}, 0.12),
    ("cost", by_cost, {}, 0.12),
    ("chain", chain, {"step": [{"to": LOCAL.id, "max_score": 30}, {"to": SMALL.id, "max_score": 50}, {"to": LARGE.id}]}, 0.12),
    ("rules", by_rule, {"rule": RULES}, 0.05),
    (
        "weights",
        weighted,
        {"share": [{"to": LARGE.id, "weight": 2}, {"to": SMALL.id, "weight": 2}, {"to": DEEP.id, "weight": 0}]},
        0.25,
    ),
    ("ab", experiment, {"variant": [{"name": "a", "share": 1, "to": LARGE.id}, {"name": "b", "share": 1, "to": SMALL.id}]}, 0.15),
    ("latency", by_latency, {}, 0.45),
    ("shuffle", weighted, {"strategy": "shuffle"}, 0.40),
]
README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("seed", range(3))
def test_what_each_strategy_stays_behind(monkeypatch, seed):
    found = {name: World(monkeypatch, seed).regret(plugin, **table) for name, plugin, table, _ in REGRETS}
    assert {name: regret for name, _, _, most in REGRETS if (regret := found[name]) > most} == {}
    assert found["hybrid"] < found["tiers"] < found["shuffle"]


def test_the_readme_tells_what_was_found(monkeypatch):
    told = dict(re.findall(r"^\| `(\w+)` .*\| ([\d.]+) % \|$", README.read_text(), re.MULTILINE))
    found = {
        name: 100 * sum(World(monkeypatch, n).regret(plugin, **table) for n in range(3)) / 3 for name, plugin, table, _ in REGRETS
    }
    assert {name: float(percent) for name, percent in told.items()} == pytest.approx(found, abs=1.0)  # ids are drawn anew


def test_an_oracle_has_no_regret(monkeypatch):
    world = World(monkeypatch, 0)
    best = {task: max(ALL, key=lambda candidate: world.mean(candidate, task)).id for task in TEXTS}
    assert abs(world.regret(by_task, **best)) < 0.01
