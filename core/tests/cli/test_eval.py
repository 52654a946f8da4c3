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
from lynkr_core.cli.scoring import scored, scorers_of
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
    found = asyncio.run(scored(hooks, sample.rows))
    assert set(found.together.values()) == {70.0}
    assert found.each == {"scorer.mine": found.together}
    assert len(found.milliseconds) == len(sample.rows)


def test_the_command_prints_a_table_and_json(capsys, tmp_path):
    evaluating.evaluate(SAMPLE, scorer="heuristic", config=tmp_path / "none.toml")
    table = capsys.readouterr().out
    assert all(word in table for word in ("APGR", "CPT80", "mmlu", "macro", "within", "under", "same tier", "p99"))
    evaluating.evaluate(SAMPLE / "sample.jsonl", scorer="heuristic", config=tmp_path / "none.toml", only=2, json=True)
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["sources"]["mmlu"]["n"] == 2


def test_mistakes_are_told(tmp_path):
    with pytest.raises((ConfigError, PluginError), match="not installed"):
        scorers_of(["nonsense"], tmp_path / "none.toml")
    with pytest.raises(LynkrError, match="no rows"):
        read(tmp_path)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": "a", "messages": []}\n{"id": 7, "messages": []}\n')
    with pytest.raises(LynkrError, match=r"bad.jsonl:2: .*\$\.id"):
        read(bad)
    bad.write_text('{"id": "a"}')
    with pytest.raises(LynkrError, match=r"bad\.jsonl:1: it needs messages, or a prompt"):
        read(bad)
    bad.write_text('{"id": "a", "messages": [], "tier": "HARD"}')
    with pytest.raises(LynkrError, match=r"\$\.tier"):
        read(bad)


def told(capsys, *names, **options):
    evaluating.evaluate(*names, **options)
    return capsys.readouterr().out


ROWS = """
{"prompt": "hi", "tier": "SIMPLE"}
{"id": "proof", "prompt": "Prove that the halting problem is undecidable, step by step.", "best": "REASONING", "ok": ["COMPLEX"]}
{"id": "unjust", "prompt": "hello", "tier": "REASONING"}
{"prompt": "thanks", "source": "s", "scores": {"weak": 0, "strong": 1}}
{"messages": [{"role": "user", "content": "Prove that there are infinitely many primes."}], "source": "s", "scores": {"weak": 1, "strong": 1}}
"""


def test_a_file_of_ones_own_needs_no_more_than_prompts_and_tiers(capsys, tmp_path):
    (tmp_path / "mine.jsonl").write_text(ROWS)
    (tmp_path / "sources.json").write_text('{"s": {"pairs": [["weak", "strong"]]}}')
    none = tmp_path / "none.toml"
    report = msgspec.json.decode(told(capsys, tmp_path / "mine.jsonl", config=none, worst=5, json=True))
    assert report["tiers"]["n"] == 3
    assert [(row["id"], row["wrong"]) for row in report["worst"]] == [
        ("unjust", "under"), ("mine.jsonl:5", "under"), ("mine.jsonl:6", "over"),
    ]  # fmt: skip
    table = told(capsys, tmp_path / "mine.jsonl", config=none, worst=1)
    assert "under     3  unjust: right is REASONING; " in table
    assert "thanks" not in table


def test_several_scorers_are_measured_each_and_together(capsys, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/shop.py").write_text("if x:\n    pass\n" * 400)
    (tmp_path / "lynkr.toml").write_text(
        f'[provider.echo]\n[scorer.graph]\nuse = "codegraph"\nworkspace = "{tmp_path}/work"\nwait = 60\n'
    )
    (tmp_path / "mine.jsonl").write_text('{"prompt": "fix shop.py", "tier": "COMPLEX"}\n{"prompt": "hi", "tier": "SIMPLE"}\n')
    options = {"scorer": "heuristic, graph", "config": tmp_path / "lynkr.toml"}
    report = msgspec.json.decode(told(capsys, tmp_path / "mine.jsonl", **options, json=True))
    assert report["without_score"] == 0
    assert {name: alone["without_score"] for name, alone in report["scorers"].items()} == {"heuristic": 0, "graph": 1}
    assert "graph                           1" in told(capsys, tmp_path / "mine.jsonl", **options)


def test_without_a_data_set_the_shared_one_is_taken(capsys, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(LynkrError, match="say which data set"):
        evaluating.evaluate()
    (tmp_path / "shared/routing").mkdir(parents=True)
    (tmp_path / "shared/routing/a.jsonl").write_text('{"prompt": "hi", "tier": "SIMPLE"}')
    assert "1 rows, 0 without a score" in told(capsys)


REAL = Path(__file__).parents[4] / "shared/routing"


@pytest.mark.skipif(not REAL.is_dir(), reason="the data that it needs is not beside the checkout")
def test_the_shared_data_can_be_read(capsys, tmp_path):
    report = msgspec.json.decode(told(capsys, REAL, only=100, intervals=False, config=tmp_path / "none.toml", json=True))
    assert report["macro"]["apgr"] > 0.5
    assert {"tiers", "robustness", "pooled"} <= set(report)


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
