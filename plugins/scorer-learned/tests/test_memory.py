from __future__ import annotations

import time

import numpy as np
import pytest

from lynkr_scorer_learned.embedding import Hashed
from lynkr_scorer_learned.memory import Memory, Row, owner_of

EMBED = Hashed()
PROOFS = [f"prove that the {name} lemma holds for graphs" for name in "abcdefgh"]
SMALL = [f"rename the file {name}.txt please" for name in "abcdefgh"]


def row(text: str, *, tier: int = 0, good: bool = True, weight: float = 1.0, owner: int = 1) -> Row:
    return Row(id=text, owner=owner, vector=EMBED.of(text), tier=tier, good=good, weight=weight)


@pytest.fixture
def memory() -> Memory:
    made = Memory(EMBED.size, 64, 64)
    for proof, small in zip(PROOFS, SMALL, strict=True):
        made.add(row(proof, tier=1, good=False))
        made.add(row(small, tier=0, good=True))
    return made


def value(memory: Memory, text: str, owner: int | None = None) -> float:
    found = memory.estimate(EMBED.of(text), owner)
    assert found is not None
    return found.value


def test_what_failed_is_hard_and_what_worked_is_easy(memory):
    assert value(memory, "prove that the zorn lemma holds for graphs") > 50
    assert value(memory, "rename the file z.txt please") < 35


def test_a_failure_in_the_second_tier_asks_for_the_third_and_no_more():
    made = Memory(EMBED.size, 64, 64)
    for text in PROOFS:
        made.add(row(text, tier=1, good=False))
        made.add(row(text + " now", tier=2, good=True))
    assert 50 < value(made, PROOFS[0]) < 75


def test_the_sample_is_large_where_much_is_alike(memory):
    near, far = memory.estimate(EMBED.of(PROOFS[0])), memory.estimate(EMBED.of("bonjour"))
    assert near is not None
    assert far is not None
    assert near.sample > 10 * far.sample


def test_it_is_bounded_and_the_oldest_goes(memory):
    for number in range(200):
        memory.add(row(f"another {number}"))
    assert len(memory) == 64 == len(memory.ids)
    assert memory.owner(PROOFS[0]) is None
    assert memory.owner("another 199") == 1


def test_an_owner_takes_no_more_than_his_part():
    made = Memory(EMBED.size, 64, 16)
    made.add(row("mine", owner=2))
    for number in range(100):
        made.add(row(f"another {number}"))
    assert len(made) == 17
    assert made.owner("mine") == 2


def test_owners_are_apart(memory):
    assert memory.estimate(EMBED.of(PROOFS[0]), owner=2) is None
    memory.add(row(PROOFS[0] + "!", tier=0, good=True, owner=2))
    assert value(memory, PROOFS[0], owner=2) < value(memory, PROOFS[0], owner=1)


def test_the_same_id_takes_the_place_of_the_older_row(memory):
    memory.add(row(PROOFS[0], tier=3, good=True))
    assert len(memory) == 16


def test_owner_numbers_are_the_same_everywhere():
    assert owner_of("ann") == owner_of("ann") != owner_of("bob")
    assert -(2**63) <= owner_of("\ud800") < 2**63


@pytest.mark.parametrize("text", ["", "?!", "слово", "证明", "\ud800 x", "word " * 50_000])
def test_every_text_has_a_vector(text):
    vector = EMBED.of(text)
    assert vector.shape == (EMBED.size,)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5) or not any(map(str.isalnum, text))


def test_the_same_words_at_another_length_are_less_alike():
    short, again, long = [EMBED.of(text) for text in ("add these up", "add up these", "add these up " * 300)]
    assert short @ again > 0.99
    assert 0.0 < short @ long < 0.8


def test_a_full_memory_answers_quickly_and_with_one_thread():
    """Of processor time, as wall time is other processes' too. BLAS's helpers would take as much again, and wait for each other."""
    made = Memory(EMBED.size, 5_000, 5_000)
    vectors = [EMBED.of(f"the {number}th request, of word{number % 71} and word{number % 13}") for number in range(500)]
    for number in range(5_000):
        made.add(Row(id=str(number), owner=1, vector=vectors[number % 500], tier=number % 4, good=bool(number % 3), weight=0.5))
    whole, own = time.process_time(), time.thread_time()
    for vector in vectors[:100]:
        assert made.estimate(vector, 1)
    own, whole = time.thread_time() - own, time.process_time() - whole
    assert own / 100 < 0.02
    assert whole < own * 1.2
