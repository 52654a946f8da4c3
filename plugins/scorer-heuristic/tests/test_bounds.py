"""Large, hostile and broken input. Times are compared with each other or generous: the machine may be busy."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkr_core.dialect import read_fields
from lynkr_core.testing.waiting import quickest
from lynkr_scorer_heuristic import Config, Heuristic
from lynkr_scorer_heuristic.ask import last_ask
from lynkr_scorer_heuristic.reading import read


@pytest.mark.parametrize(
    "text",
    [
        "word and more text " * 55_000, "слово за слово " * 70_000, "证明" * 500_000, "<system-reminder>" * 60_000, '\\"<' * 300_000,
        "```" * 300_000, "a.b_c(" * 170_000, "\n" * 1_000_000, "{" * 1_000_000, "a" * 1_000_000, "</task>" * 140_000,
        "1," * 500_000, "prove" + "\n" * 1_000_000 + "prove",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_megabyte_is_scored_in_bounded_time(exchange_with, text):
    exchange = exchange_with({"messages": [{"role": "user", "content": text}]})
    scorer = Heuristic(Config())
    assert quickest(lambda: scorer.score(exchange), times=3) < 1.0


def test_time_hardly_grows_with_the_history(exchange_with):
    def cost(turns: int) -> float:
        history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x" * 200}] * turns
        fields = read_fields(msgspec.json.encode({"messages": [*history, {"role": "user", "content": "fix it"}]}))
        return quickest(lambda: [last_ask(fields) for _ in range(20)], times=10)

    assert cost(5_000) < 20 * cost(250)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_hundred_thousand_tiny_messages(score, role):
    messages = [{"role": role, "content": "hi"}] * 100_000
    assert score(messages).reason == ("small talk" if role == "user" else "no human text")


def test_binary_junk(score):
    text = os.urandom(50_000).decode("latin-1")
    assert 0 <= score(text).value <= 100
    assert 0 <= score("\x00\x01\x02\ud7ff\uffff" * 1_000).value <= 100


@given(st.text(max_size=300))
def test_any_text_is_scored(text):
    scorer = Heuristic(Config())
    found = scorer.measured(read(text))
    assert 0 <= found.value <= 100
