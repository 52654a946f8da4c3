from __future__ import annotations

import time

import pytest

from lynkr_core.exchange import Exchange
from lynkr_core.scores import combined, scores_of
from lynkr_core.stores import Stores
from lynkr_scorer_learned import Learned

HARD = "reconcile the ledger of branch {} with the bank"
EASY = "what are the opening hours of branch {}"


def taught(scorer: Learned, happen, count: int = 8, **who: str) -> Learned:
    for number in range(count):
        happen(scorer, HARD.format(number), 2, refused=(0,), **who)
        happen(scorer, EASY.format(number), 0, **who)
    return scorer


def value(scorer: Learned, exchange: Exchange) -> float | None:
    found = scorer.score(exchange)
    return None if found is None else found.value


def test_it_says_nothing_before_it_knows_anything(learned, ask_of):
    assert learned().score(ask_of(HARD)) is None


def test_escalations_teach(learned, happen, ask_of):
    scorer = taught(learned(), happen)
    hard, easy = value(scorer, ask_of(HARD.format("x"))), value(scorer, ask_of(EASY.format("x")))
    assert hard is not None
    assert easy is not None
    assert hard > 25 > easy


def test_it_counts_more_the_more_it_knows(learned, happen, ask_of):
    weights = []
    for count in (4, 12, 36):
        score = taught(learned(), happen, count).score(ask_of(HARD.format("x")))
        assert score is not None
        weights.append(score.weight)
    assert weights == sorted(weights)
    assert 0 < weights[0] < weights[-1] < 3.0


def test_it_is_blended_with_other_scorers(learned, happen, ask_of):
    score = taught(learned(), happen, 30).score(ask_of(HARD.format("x")))
    assert score is not None
    blend = combined([*scores_of(score, "learned"), *scores_of(0.0, "other")])
    assert blend is not None
    assert 0 < blend < score.value


def test_faults_of_a_provider_teach_nothing_of_the_task(learned, happen):
    scorer = learned()
    exchange = happen(scorer, HARD, 2, refused=(0, 1), kind="timeout")
    slot = scorer.memory.slots[exchange.id]
    assert (bool(scorer.memory.good[slot]), int(scorer.memory.tiers[slot])) == (True, 2)


def test_the_same_ask_soon_after_says_that_the_answer_was_no_good(learned, happen):
    scorer = learned()
    first = happen(scorer, HARD)
    happen(scorer, HARD, principal="bob")
    assert scorer.memory.good[scorer.memory.slots[first.id]]
    happen(scorer, HARD)
    assert not scorer.memory.good[scorer.memory.slots[first.id]]


def test_callers_learn_apart_unless_told_otherwise(learned, happen, ask_of):
    apart, together = taught(learned(), happen), taught(learned(scope="gateway"), happen)
    assert value(apart, ask_of(HARD.format("x"), principal="bob")) is None
    assert value(together, ask_of(HARD.format("x"), principal="bob")) is not None


@pytest.mark.anyio
async def test_what_was_learned_is_there_after_a_restart(learned, happen, ask_of):
    stores = Stores()
    async with learned(stores) as scorer:
        taught(scorer, happen, 200)
        before = value(scorer, ask_of(HARD.format("x")))
    async with learned(stores) as again:
        assert len(again.memory) == 400
        assert value(again, ask_of(HARD.format("x"))) == pytest.approx(before, abs=1.0)
        assert not again.memory.dirty


@pytest.mark.anyio
async def test_a_piece_that_cannot_be_read_is_left_out(learned, happen):
    stores = Stores()
    async with learned(stores) as scorer:
        taught(scorer, happen, 200)
    (first, *_) = [key for key in stores.memory._values if key.startswith("scorer-learned-")]
    await stores.memory.set(first, b"junk", 60)
    async with learned(stores) as again:
        assert len(again.memory) == 144


@pytest.mark.anyio
async def test_what_cannot_be_stored_is_tried_again(learned, happen, monkeypatch):
    stores = Stores()
    async with learned(stores) as scorer:
        taught(scorer, happen)

        async def full(*args: object) -> None:
            raise OSError("full")

        with monkeypatch.context() as patch:
            patch.setattr(stores.memory, "set", full)
            await scorer._keeper.save(scorer.memory)
        assert scorer.memory.dirty
        await scorer._keeper.save(scorer.memory)
        assert not scorer.memory.dirty


def test_five_thousand_outcomes_are_asked_in_well_under_twenty_milliseconds(learned, happen, ask_of):
    scorer = learned(each=5_000)
    for number in range(5_000):
        happen(scorer, f"ask number {number} of topic {number % 97}")
    asks: list[Exchange] = [ask_of(f"a new ask {number} of topic 5 " + "and more words " * 100) for number in range(200)]
    times = []
    for exchange in asks:
        start = time.process_time()
        scorer.score(exchange)
        times.append(time.process_time() - start)
    assert sorted(times)[100] < 0.02
