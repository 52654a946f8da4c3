"""`lynkr eval` on a small data set: `routing/sources.json` tells its licences; the rows with tiers are this project's own."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkr_core.cli import evaluating, metrics
from lynkr_core.cli.dataset import read
from lynkr_core.errors import ConfigError, LynkrError, PluginError
from lynkr_core.exchange import Score
from lynkr_core.hooks import Call, Hooks

SAMPLE = Path(__file__).with_name("routing")


sample = read(SAMPLE)


def test_the_best_ranking_beats_chance_and_its_reverse_is_as_bad():
    gained = {
        row.id: row.scores[pair[1]] - row.scores[pair[0]]
        for row in sample.rows
        if row.scores
        for pair in sample.pairs[row.source]
    }
    best = evaluating.measured(sample, {name: 50 + gain for name, gain in gained.items()}, intervals=False)
    worst = evaluating.measured(sample, {name: 50 - gain for name, gain in gained.items()}, intervals=False)
    assert best["macro"]["apgr"] > 0.75
    assert math.isclose(best["macro"]["apgr"] + worst["macro"]["apgr"], 1.0)
    assert best["macro"]["cpt80"] < 0.5 < worst["macro"]["cpt80"]


def test_equal_scores_are_chance():
    report = evaluating.measured(sample, {row.id: 30.0 for row in sample.rows}, intervals=True)
    assert math.isclose(report["macro"]["apgr"], 0.5)
    assert math.isclose(report["pooled"]["cpt80"], 0.8)
    assert report["macro"]["apgr_95"] == pytest.approx((0.5, 0.5))
    assert (report["tiers"]["right"], report["tiers"]["under"], report["tiers"]["over"]) == (0.25, 0.5, 0.25)
    assert report["robustness"]["same"] == 1.0


def test_missing_scores_are_counted_and_are_0():
    report = evaluating.measured(sample, {}, intervals=False)
    assert report["without_score"] == len(sample.rows)
    assert report["tiers"]["given"] == {"SIMPLE": 4}


def test_any_scorer_can_be_run():
    class Asynchronous:
        async def score(self, exchange):
            return Score(value=70.0)

    hooks = Hooks([Call("score", "scorer", "scorer.mine", Asynchronous().score, ("exchange", "candidates"))])
    scores, times = asyncio.run(evaluating.scored(hooks, sample.rows))
    assert set(scores.values()) == {70.0}
    assert len(times) == len(sample.rows)


def test_the_command_prints_a_table_and_json(capsys, tmp_path):
    evaluating.evaluate(SAMPLE, scorer="heuristic", config=tmp_path / "none.toml")
    table = capsys.readouterr().out
    assert all(word in table for word in ("APGR", "CPT80", "mmlu", "macro", "within", "under", "same tier", "p99"))
    evaluating.evaluate(SAMPLE / "sample.jsonl", scorer="heuristic", config=tmp_path / "none.toml", only=2, json=True)
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["sources"]["mmlu"]["n"] == 2


def test_mistakes_are_told(tmp_path):
    with pytest.raises((ConfigError, PluginError), match="not installed"):
        evaluating.scorer_of("nonsense", tmp_path / "none.toml")
    with pytest.raises(LynkrError, match="no rows"):
        read(tmp_path)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": "a", "messages": []}\n{"id": 7, "messages": []}\n')
    with pytest.raises(LynkrError, match=r"bad.jsonl:2: .*\$\.id"):
        read(bad)
    bad.write_text('{"id": "a", "messages": [], "tier": "HARD"}')
    with pytest.raises(LynkrError, match=r"\$\.tier"):
        read(bad)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(rows):
    scores, labels = [float(score) for score, _ in rows], [label for _, label in rows]
    positives = [score for score, label in zip(scores, labels, strict=True) if label]
    negatives = [score for score, label in zip(scores, labels, strict=True) if not label]
    found = metrics.auc(scores, labels)
    if not positives or not negatives:
        assert math.isnan(found)
    else:
        wins = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
        assert math.isclose(found, wins / (len(positives) * len(negatives)))
