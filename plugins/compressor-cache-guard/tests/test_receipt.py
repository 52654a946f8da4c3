from __future__ import annotations

import pytest

from lynkr_compressor_cache_guard.governor import FEWEST, Governor
from lynkr_compressor_cache_guard.receipt import Factors, by_caching, lost, priced, unit
from lynkr_core.cards import Price
from lynkr_core.remarks import Saving, save
from lynkr_core.request import Message, Request, Text, Usage
from lynkr_core.tokens import Tokens

PAID = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6)
FACT = "A fact of some length, number {}. "


def test_tokens_left_out_before_are_worth_a_read_and_new_ones_a_write():
    usage = Usage(input_tokens=10_000, cache_read=8_000, cache_write=2_000)
    [told] = priced([Saving("a", 1_000)], {"a": 600}, usage, PAID, 1.5)
    assert told == Saving("a", 1_000, pytest.approx(1.5 * (600 * 0.3 + 400 * 3.75) / 1e6))


def test_a_request_that_found_no_cache_saved_everything_anew():
    usage = Usage(input_tokens=10_000, cache_write=10_000)
    assert priced([Saving("a", 1_000)], {"a": 600}, usage, PAID, 1.0)[0].usd == pytest.approx(1_000 * 3.75 / 1e6)
    assert priced([Saving("a", 1_000)], {}, Usage(input_tokens=9), PAID, 1.0)[0].usd == pytest.approx(1_000 * 3 / 1e6)


def test_what_a_plugin_says_itself_stands_and_what_it_adds_is_a_loss():
    usage = Usage(input_tokens=10_000, cache_read=9_000, cache_write=1_000)
    told = priced([Saving("a", 5, 0.25), Saving("b", -100)], {}, usage, PAID, 1.0)
    assert told[0].usd == 0.25
    assert told[1].usd == pytest.approx(-100 * 3.75 / 1e6)


def test_caching_loses_on_the_first_request_and_earns_on_the_next():
    first, next_ = Usage(input_tokens=1_000, cache_write=1_000), Usage(input_tokens=1_100, cache_read=1_000, cache_write=100)
    assert by_caching(first, PAID) == pytest.approx(-0.75 * 1_000 / 1e6)
    assert by_caching(next_, PAID) == pytest.approx((2.7 * 1_000 - 0.75 * 100) / 1e6)
    assert lost(1_000, Usage(input_tokens=1_000, cache_write=1_000), PAID) == pytest.approx(3.45 * 1_000 / 1e6)
    assert unit(Usage(cache_write=10, cache_write_1h=10), PAID) == (0.3, 6)


def test_the_factor_between_tokens_counted_and_billed_is_learnt():
    factors, counted = Factors(Tokens()), Tokens().count("word " * 500)
    request = Request(dialect="x", model="m", messages=(Message(role="user", parts=(Text(text="word " * 500),)),))
    assert factors.of("a/b") == 1.0
    for _ in range(20):
        factors.learn("a/b", request, Usage(input_tokens=int(counted * 1.5)))
    assert factors.of("a/b") == pytest.approx(1.5, rel=0.01)
    assert factors.told() == {"a/b": pytest.approx(1.5, rel=0.01)}


def test_who_loses_over_its_window_is_off_for_a_while(caplog):
    now = [0.0]
    governor = Governor(50, 0.01, 3600, clock=lambda: now[0])
    for _ in range(FEWEST - 1):
        governor.book("a", -0.001)
    assert governor.off() == frozenset()
    governor.book("a", -0.001)
    assert governor.off() == {"a"}
    assert "a lost $0.0200 over its last 20 requests" in caplog.text
    assert "lost $0.0200" in governor.why()["a"]
    now[0] = 3601
    assert governor.off() == frozenset()


def test_a_loss_that_was_earned_before_is_none():
    governor = Governor(50, 0.01, 3600)
    for _ in range(30):
        governor.book("a", 0.002)
        governor.book("a", -0.001)
    assert governor.off() == frozenset()


class Loser:
    """Makes every request larger."""

    def transform_request(self, exchange, request):
        save(exchange, "compressor.loser", -500)
        return request.edit(messages=tuple([m.edit(parts=(*m.parts, Text(text="padding " * 200))) for m in request.messages]))


@pytest.mark.anyio
async def test_new_conversations_go_on_without_a_plugin_that_lost(make, talk):
    guard = make(Loser(), window=FEWEST, loss=0.001)
    running = talk(name="running", guard=guard)
    for turn in range(FEWEST):
        await running.turn(FACT.format(turn) * 20)
    assert list(guard.status()["off"]) == ["compressor.loser"]
    later = talk(name="later", guard=guard)
    await later.turn(FACT.format(1) * 20)
    await running.turn("go on")
    assert "padding" not in str(later.sent[0])
    assert "padding" in str(running.sent[-1]), "its cache depends on that"
    assert all(saving.plugin != "compressor.loser" for saving in later.exchange.savings)


class Saver:
    """Leaves out a little more with each turn."""

    def transform_request(self, exchange, request):
        save(exchange, "compressor.saver", 100 * len(request.messages))
        return request.edit(temperature=0.5)


@pytest.mark.anyio
async def test_what_was_left_out_would_have_been_cached_too(make, talk):
    made = talk(guard=make(Saver()))
    for turn in range(4):
        await made.turn(FACT.format(turn) * 60)
    usage, factor = made.bills[-1], made.guard.factors.of(made.candidate.id)
    told = {saving.plugin: saving.usd for saving in made.exchange.savings}
    billed = usage.cache_read * 0.3 + usage.cache_write * 3.75
    assert told["compressor.saver"] == pytest.approx(factor * (500 * 0.3 + 200 * 3.75) / 1e6)
    assert sum(told.values()) == pytest.approx(((usage.input_tokens + factor * 700) * 3 - billed) / 1e6)


@pytest.mark.anyio
async def test_the_savings_of_a_conversation_add_up_to_what_it_would_have_cost(talk):
    made = talk()
    earned = 0.0
    for turn in range(6):
        await made.turn(FACT.format(turn) * 60)
        earned += sum(saving.usd for saving in made.exchange.savings)
    billed = sum(
        (u.input_tokens - u.cache_read - u.cache_write) * 3 + u.cache_read * 0.3 + u.cache_write * 3.75 for u in made.bills
    )
    untouched = sum(usage.input_tokens * 3 for usage in made.bills)
    assert earned == pytest.approx((untouched - billed) / 1e6)
