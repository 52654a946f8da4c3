from __future__ import annotations

import pytest

from lynkr_compressor_cache_guard.memory import Memory
from lynkr_core.cards import Price
from lynkr_core.pricing import asked, rates_of
from lynkr_core.request import Usage

PAID = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6)
NEAR, FAR = 7.0, 1000.0
FACT = "A fact of some length, number {}. "


def usd(bills):
    return sum(asked(usage, rates_of(PAID, usage)) for usage in bills) / 1e6


def untouched(bills):
    return usd([Usage(input_tokens=usage.input_tokens) for usage in bills])


@pytest.mark.anyio
async def test_each_turn_reads_what_the_last_has_written(talk):
    made = talk()
    for turn in range(12):
        await made.turn(FACT.format(turn) * 40)
    for before, usage in zip(made.bills, made.bills[1:], strict=False):
        assert usage.cache_read == before.cache_read + before.cache_write == before.input_tokens
    assert usd(made.bills) < 0.4 * untouched(made.bills)


@pytest.mark.anyio
async def test_a_turn_of_many_blocks_still_finds_what_was_written(talk):
    made = talk()
    await made.turn(FACT.format(0) * 100)
    made.messages[-1] = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": f"t{n}", "name": "get", "input": {}} for n in range(30)],
    }
    usage = await made.turn([{"type": "tool_result", "tool_use_id": f"t{n}", "content": str(n)} for n in range(30)])
    assert usage.cache_read == made.bills[0].input_tokens


@pytest.mark.anyio
async def test_a_conversation_with_long_pauses_is_kept_for_an_hour(talk, make):
    guard = make()
    slow, quick = talk(name="slow", guard=guard), talk(name="quick", guard=guard)
    for turn in range(12):
        await slow.turn(FACT.format(turn) * 40, FAR if turn % 3 == 0 else NEAR)
        await quick.turn(FACT.format(turn) * 40)
    assert slow.bills[0].cache_write_1h == 0
    assert slow.bills[-1].cache_write_1h == slow.bills[-1].cache_write > 0
    assert [usage.cache_write_1h for usage in quick.bills] == [0] * 12
    short = talk(name="slow", guard=make(ttl="5m"))
    for turn in range(12):
        await short.turn(FACT.format(turn) * 40, FAR if turn % 3 == 0 else NEAR)
    assert usd(slow.bills) < usd(short.bills)


@pytest.mark.anyio
async def test_pauses_beyond_the_hour_are_no_reason_for_it(talk):
    made = talk()
    for turn in range(8):
        await made.turn(FACT.format(turn) * 40, 2 * 3600)
    assert [usage.cache_write_1h for usage in made.bills] == [0] * 8


@pytest.mark.anyio
@pytest.mark.parametrize(("ttl", "hours"), [("5m", 0), ("1h", 1)])
async def test_the_time_can_be_told(talk, make, ttl, hours):
    made = talk(guard=make(ttl=ttl))
    usage = await made.turn(FACT.format(1) * 200)
    assert usage.cache_write_1h == hours * usage.cache_write


@pytest.mark.anyio
async def test_tools_in_another_order_are_put_in_the_one_that_was_sent(talk):
    tools = [
        {"name": name, "description": f"{name}s. " * 20, "input_schema": {"type": "object"}} for name in ("get", "put", "run")
    ]
    made = talk()
    await made.turn("one " * 400, tools=tools)
    usage = await made.turn("two", tools=tools[::-1])
    assert [tool["name"] for tool in made.sent[1]["tools"]] == ["get", "put", "run"]
    assert usage.cache_read == made.bills[0].input_tokens
    await made.turn("three", tools=tools[:2])
    assert [tool["name"] for tool in made.sent[2]["tools"]] == ["get", "put"]


@pytest.mark.anyio
async def test_memory_is_bounded_and_nothing_is_shared_between_callers(talk, make):
    guard = make()
    guard.memory = Memory(kept=5)
    for number in range(9):
        await talk(name=f"s{number}", guard=guard).turn("word " * 3000)
    assert len(guard.memory) == 5
    one, other = talk(name="s", guard=guard, principal="a"), talk(name="s", guard=guard, principal="b")
    await one.turn("word " * 3000)
    await other.turn("word " * 3000)
    assert len(guard.memory) == 5
