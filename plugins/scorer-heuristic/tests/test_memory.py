"""Turns of tool results inherit what the ask scored, from the body where it has it, else from memory."""

from __future__ import annotations

import pytest

from lynkr_scorer_heuristic import Config, Heuristic
from lynkr_scorer_heuristic.memory import Memory

HARD = {"role": "user", "content": "Prove that every bounded monotone sequence of real numbers converges."}
CALL = {"role": "assistant", "content": "", "tool_calls": []}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "x"}


def test_the_ask_further_back_is_inherited_with_decay(score):
    hard = score([HARD]).value
    values = [score([HARD, *[CALL, RESULT] * steps]).value for steps in (1, 5, 20)]
    assert hard > values[0] > values[1] > values[2] > 40


def test_an_easy_ask_is_inherited_too(score):
    found = score([{"role": "user", "content": "What is the capital of Mongolia?"}, CALL, RESULT])
    assert found.value < 25
    assert found.gates == ("tool_results",)


def test_go_on_before_tool_results_is_work(score):
    assert score([{"role": "user", "content": "go on"}, CALL, RESULT]).value > 25


def test_memory_knows_what_the_body_no_longer_has(exchange_with):
    scorer = Heuristic(Config())
    named = {"model": "auto", "prompt_cache_key": "session-1"}
    scorer.score(exchange_with(named | {"input": HARD["content"]}))
    results = [{"type": "function_call_output", "call_id": "c", "output": "x"}]
    found = scorer.score(exchange_with(named | {"input": results}))
    other = scorer.score(exchange_with({"model": "auto", "prompt_cache_key": "session-2", "input": results}))
    assert found is not None
    assert other is not None
    assert found.value > 70
    assert other.value == 40.0


def test_memory_is_kept_apart_by_principal_and_bounded(exchange_with):
    memory = Memory(kept=2)
    exchanges = [exchange_with({"messages": [], "prompt_cache_key": str(number)}) for number in range(3)]
    for exchange in exchanges:
        memory.remember(exchange, 50.0)
    assert [memory.recall(exchange) for exchange in exchanges] == [None, 50.0, 50.0]


@pytest.mark.parametrize("header", [b"a", b"b"])
def test_a_session_header_names_the_conversation(exchange_with, header):
    memory = Memory()
    first, second = exchange_with({"messages": []}), exchange_with({"messages": [RESULT]})
    first.headers, second.headers = {b"x-lynkr-session": b"a"}, {b"x-lynkr-session": header}
    memory.remember(first, 50.0)
    assert memory.recall(second) == (50.0 if header == b"a" else None)


def test_an_ask_that_goes_out_of_sight_is_remembered(exchange_with):
    scorer = Heuristic(Config())
    steps = [CALL, RESULT]
    seen = scorer.score(exchange_with({"model": "auto", "messages": [HARD, *steps * 28]}))
    gone = scorer.score(exchange_with({"model": "auto", "messages": [HARD, *steps * 40]}))
    other = Heuristic(Config()).score(exchange_with({"model": "auto", "messages": [HARD, *steps * 40]}))
    assert seen is not None
    assert gone is not None
    assert other is not None
    assert "inherits the ask's" in gone.reason
    assert seen.value > gone.value > other.value == 40.0
