from __future__ import annotations

from pathlib import Path

import pytest

import lynkr_scorer_heuristic
from lynkr_core.testing.waiting import quickest
from lynkr_scorer_heuristic import Config, Heuristic
from lynkr_scorer_heuristic.grams import cut, pairs_of, words_of
from lynkr_scorer_heuristic.model import MAX_WORDS, NONE, load
from lynkr_scorer_heuristic.reading import read
from lynkr_scorer_heuristic.scale import score as scale

WEIGHTS = Path(lynkr_scorer_heuristic.__file__).with_name("weights.msgpack")


def test_words_are_cut_into_n_grams():
    assert cut("ab") == [" ab", "ab ", " ab "]
    assert cut("2026") == cut("1999") != cut("7")
    assert cut("证明") == ["证", "明", "证明"]
    assert cut("证明它") == ["证", "明", "它", "证明", "明它", "证明它"]
    assert len(cut("x" * 10_000)) < 200


def test_pairs_tell_where_an_ask_begins_and_ends():
    assert pairs_of(("move", "us")) == {". move", "move us", "us ."}


def test_a_known_pair_of_words_moves_the_score_and_is_told():
    model = load({})
    pair = max((name for name in model.grams if " " in name[1:-1]), key=lambda name: abs(model.grams[name][0]))
    words = set(pair.split())
    assert model.explained(words, {}, {pair})[0] != model.explained(words, {})[0]
    assert f'"{pair}"' in model.explained(words, {}, {pair})[1]


def test_long_asks_are_cut_at_both_ends_only():
    reading = read("begin " + "".join(f"w{number} " for number in range(3_000)) + "end")
    words = words_of(reading)
    assert {"begin", "end"} <= words
    assert sum(map(len, words)) <= 2_000


def test_a_remembered_word_weighs_the_same():
    model = load({})
    words = {"prove", "theorem", "the"}
    assert model.of_words(words) == pytest.approx(model.of_words(words))
    first, second = model.of_word("prove")
    assert first == pytest.approx(sum(model.grams.get(gram, NONE)[0] for gram in cut("prove")))
    assert second == pytest.approx(sum(model.grams.get(gram, NONE)[1] for gram in cut("prove")))


def test_remembered_words_are_bounded():
    model = load({})
    for number in range(MAX_WORDS + 10):
        model.of_word(f"w{number}")
    assert len(model._words) <= MAX_WORDS


BOUNDS = (1.0, 2.0, 3.0)
LIFT = (1.0, 1.0, 1.0)


def test_the_bounds_are_where_tiers_meet_and_more_is_more():
    def at(odds: float) -> float:
        return scale((odds, odds, odds, 0.0), BOUNDS, LIFT)

    values = [at(step / 10) for step in range(-200, 201)]
    assert values == sorted(values)
    assert 0 < values[0] < 6
    assert values[-1] < 100
    assert [at(odds) for odds in (1.0, 1.0001)] == pytest.approx([24.6, 25.6], abs=0.1)
    assert [at(odds) for odds in (3.0, 3.0001)] == pytest.approx([74.6, 75.6], abs=0.1)


def test_a_tier_needs_every_lower_bound_passed():
    assert scale((9.0, 0.0, 9.0, 0.0), BOUNDS, LIFT) < 50
    assert scale((9.0, 9.0, 0.0, 0.0), BOUNDS, LIFT) < 75 < scale((9.0, 9.0, 9.0, 0.0), BOUNDS, LIFT)


def test_what_weak_models_fail_is_lifted():
    assert scale((1.5, 0.0, 0.0, 0.3), BOUNDS, LIFT) > scale((1.5, 0.0, 0.0, 0.0), BOUNDS, LIFT) > 25


def test_the_highest_bound_has_a_lift_of_its_own():
    sums = (9.0, 9.0, 2.5, 1.0)
    assert scale(sums, BOUNDS, (1.0, 1.0, 0.0)) < 75 < scale(sums, BOUNDS, (0.0, 1.0, 1.0))


def test_a_strong_n_gram_is_told(score):
    text = "Prove that the algorithm terminates, and that no two processes are in the critical section at once."
    found, reading = score(text, config=Config(gates=False)), read(text)
    assert found.value > 75
    assert found.points["formal"] > 5
    told = {name for name in found.points if name.startswith('"')}
    known = {f'"{gram}"' for word in words_of(reading) for gram in cut(word)}
    assert told - {f'"{pair}"' for pair in pairs_of(reading.words)} <= known
    assert told & known


def test_the_weights_are_small_and_quickly_loaded():
    assert WEIGHTS.stat().st_size < 1_000_000
    assert quickest(lambda: load({})) < 0.02
    model = load({})
    assert 15_000 < len(model.grams) <= 26_000


def test_an_ask_of_usual_length_takes_less_than_a_millisecond_when_new():
    scorer = Heuristic(Config())
    texts = [f"Please explain why service number {n} returns wrong{n} totals for order{n}, and fix it." for n in range(300)]
    fresh = iter(texts)
    assert quickest(lambda: scorer.judged(next(fresh)), times=len(texts)) < 0.001
