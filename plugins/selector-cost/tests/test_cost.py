from __future__ import annotations

import random
from typing import Any

import pytest

from lynkr_core.cards import Price
from lynkr_core.errors import ConfigError, InvalidRequest
from lynkr_core.exchange import Selection
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_core.testing.waiting import quickest
from lynkr_selector_cost import Estimator, input_tokens, plugin

LOCAL, SMALL, LARGE, DEEP = ALL = factories.candidates()
UNPRICED = factories.candidate("other/unpriced")
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0K" * 20_000}}


def made(tiers: Any = None, **table: Any) -> Any:
    return factories.build(plugin, table, factories.context("cost", "selector", tiers=tiers))


def exchange(text: Any = "hi", headers: Any = None, score: float | None = None, **more: Any):
    made = factories.exchange(
        {"model": "auto", "messages": [{"role": "user", "content": text}], **more}, headers=headers, served=ALL
    )
    made.score = score
    return made


def used(selector: Any, candidate: Any, usage: Usage, status: Any = "ok", times: int = 1) -> None:
    for _ in range(times):
        selector.post_response(exchange(), factories.outcome(status, chosen=candidate, usage=usage))


def test_the_cheapest_leads():
    found = made().select_provider(exchange(), (DEEP, LARGE, SMALL, LOCAL))
    assert (found.order, found.reason, found.peers) == (ALL, "cheapest", 1)


@pytest.mark.parametrize(
    ("score", "tier", "order"),
    [(10, "simple", ALL), (60, "complex", (LARGE, DEEP, LOCAL, SMALL)), (99, "reasoning", (DEEP, LOCAL, SMALL, LARGE))],
)
def test_alone_it_knows_which_tier_is_needed(score, tier, order):
    found = made(factories.tiers(ALL)).select_provider(exchange(score=score), ALL)
    assert (found.tier, found.order) == (tier, order)
    assert found.reason == f"cheapest for {tier}"


def test_the_prices_it_decided_by_are_told():
    """Not the list's: the first finds nearly all in its cache, at a hundredth of its price, and the last has none."""
    cached = factories.candidate("cloud/large", price=Price(input=3, output=15, cache_read=0.03))
    plain = factories.candidate("other/plain", price=Price(input=1, output=15))
    selector = made()
    used(selector, cached, Usage(input_tokens=10_000, output_tokens=10, cache_read=10_000), times=3)
    used(selector, plain, Usage(input_tokens=10_000, output_tokens=10), times=3)
    found = selector.select_provider(exchange("x" * 40_000), (plain, cached, UNPRICED))
    assert found.order == (cached, plain, UNPRICED)
    first, second, third = [entry.split(" ") for entry in found.notes["expected-usd"].split(", ")]
    assert (first[0], second[0], third) == ("cloud/large", "other/plain", ["other/unpriced", "unknown"])
    assert float(first[1]) < 0.01 <= float(second[1])


def test_a_dearer_tier_s_model_is_good_enough_when_it_costs_less():
    bargain = factories.candidate("sale/deep", price=Price(input=0.1, output=0.1))
    found = made(factories.tiers((LOCAL, SMALL, LARGE, bargain))).select_provider(
        exchange(score=40), (LOCAL, SMALL, LARGE, bargain)
    )
    assert found.order == (bargain, SMALL, LARGE, LOCAL)


def test_behind_another_selector_it_orders_what_it_is_given():
    asked = exchange(score=99)
    asked.tier = "simple"
    assert made(factories.tiers(ALL)).select_provider(asked, (LARGE, SMALL)).order == (SMALL, LARGE)


def test_input_and_output_weigh_as_they_are_used():
    reader, writer = (
        factories.candidate("a/r", price=Price(input=1, output=20)),
        factories.candidate("b/w", price=Price(input=3, output=5)),
    )
    selector = made(output_tokens=100)
    assert selector.select_provider(exchange("word " * 4000), (writer, reader)).order == (reader, writer)
    assert selector.select_provider(exchange("hi"), (reader, writer)).order == (writer, reader)
    assert selector.select_provider(exchange("word " * 200, max_tokens=1), (writer, reader)).order == (reader, writer)


def test_prompt_caches_make_the_dearer_list_price_the_cheaper_one():
    cached = factories.candidate("a/c", price=Price(input=3, output=10, cache_read=0.3, cache_write=3.75))
    plain = factories.candidate("b/p", price=Price(input=2, output=10))
    selector, asked = made(), exchange("word " * 2000)
    assert selector.select_provider(asked, (cached, plain)).order == (plain, cached)
    used(selector, cached, Usage(input_tokens=10_000, output_tokens=300, cache_read=9_000, cache_write=500), times=10)
    used(selector, plain, Usage(input_tokens=10_000, output_tokens=300), times=10)
    assert selector.select_provider(asked, (cached, plain)).order == (cached, plain)


def test_what_it_expects_comes_to_what_is_billed():
    chance, estimator = random.Random(2), Estimator()
    guessed = billed = 0.0
    for _ in range(400):
        usage = Usage(
            input_tokens=(size := chance.randint(900, 1100)), output_tokens=chance.randint(100, 300), cache_read=size * 3 // 4
        )
        guessed += estimator.usd(exchange(), LARGE, size) or 0
        billed += cost(usage, LARGE.price) or 0
        estimator.note(factories.outcome("ok", chosen=LARGE, usage=usage))
    assert guessed == pytest.approx(billed, rel=0.05)


def test_what_failed_teaches_nothing():
    selector = made()
    used(selector, LARGE, Usage(input_tokens=100, output_tokens=1), "cut")
    used(selector, LARGE, Usage(input_tokens=100, output_tokens=1), "cancelled")
    assert selector.estimator.usd(exchange(), LARGE, 100) == Estimator().usd(exchange(), LARGE, 100)


def test_unknown_prices_come_last_and_local_ones_are_free():
    assert made().select_provider(exchange(), (UNPRICED, LARGE)).order == (LARGE, UNPRICED)
    own = factories.candidate("house/m")
    own.provider.local = True
    assert made().select_provider(exchange(), (SMALL, own)).order == (own, SMALL)


def test_equals_are_left_to_the_selectors_after_it():
    twin = factories.candidate("twin/small", price=SMALL.price)
    assert made().select_provider(exchange(), (LARGE, SMALL, twin)).peers == 2


@pytest.mark.parametrize(("limit", "header"), [(0.004, None), (None, "0.004"), (0.004, "9"), (9, "0.004")])
def test_who_is_over_the_limit_is_taken_out(limit, header):
    table = {} if limit is None else {"max_usd": limit}
    found = made(**table).select_provider(exchange(headers={"x-lynkr-max-cost-usd": header} if header else {}), (*ALL, UNPRICED))
    assert found.order == (LOCAL, SMALL)
    told = [(removal.candidate, removal.reason) for removal in found.removed]
    assert told == [("cloud/large", "over $0.004"), ("other/deep", "over $0.004"), ("other/unpriced", "price unknown")]


@pytest.mark.parametrize(("order", "reason"), [((LARGE, DEEP, SMALL), "; not cloud/large: over $0.004"), ((SMALL, DEEP), "")])
def test_the_limit_holds_for_whom_other_selectors_want_and_for_who_stands_by(order, reason):
    selection = Selection(order=order, reason="score 60: complex", tier="complex")
    found = made(max_usd=0.004).revise_selection(exchange(), selection)
    assert (found.order, found.reason, found.tier) == ((SMALL,), f"score 60: complex{reason}", "complex")
    assert [removal.candidate for removal in found.removed] == [one.id for one in order if one is not SMALL]
    assert made(max_usd=0.004, names=["fast"]).revise_selection(exchange(), selection) is None
    assert made().revise_selection(exchange(), selection) is None
    assert made(max_usd=9).revise_selection(exchange(), selection) is None


def test_when_all_peers_are_over_the_limit_others_may_stand_by():
    assert made(max_usd=0.004).select_provider(exchange(), (LARGE, DEEP)) is None


def test_nobody_within_the_limit_is_a_refusal_that_says_why():
    asked = exchange(headers={"x-lynkr-max-cost-usd": "0.0001"})
    with pytest.raises(InvalidRequest, match=r"for \$0.0001: cloud/large about \$0.0075") as caught:
        made().revise_selection(asked, Selection(order=(LARGE, UNPRICED)))
    assert caught.value.code == "max_cost_exceeded"
    with pytest.raises(InvalidRequest, match="unpriced at an unknown price"):
        made().revise_selection(asked, Selection(order=(UNPRICED,)))


@pytest.mark.parametrize("said", ["much", "-1", "nan", "inf", ""])
def test_a_limit_that_is_no_amount_is_a_mistake(said):
    with pytest.raises(InvalidRequest, match="x-lynkr-max-cost-usd must be a number"):
        made().select_provider(exchange(headers={"x-lynkr-max-cost-usd": said}), ALL)
    with pytest.raises(InvalidRequest, match="x-lynkr-max-cost-usd must be a number"):
        made().revise_selection(exchange(headers={"x-lynkr-max-cost-usd": said}), Selection(order=(LARGE,)))


def test_images_are_counted_not_measured():
    assert input_tokens(exchange([{"type": "text", "text": "?"}, PIXEL])) < 2000
    assert input_tokens(exchange("x" * 40_000)) == pytest.approx(10_000, rel=0.01)


def test_it_is_cheap():
    selector, asked = made(factories.tiers(ALL)), exchange("word " * 500, score=30)
    seconds = quickest(lambda: [selector.select_provider(asked, ALL) for _ in range(100)], 20)
    assert seconds / 100 < 200e-6  # 20 µs where this was written


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"\$\.max_usd"):
        made(max_usd=-1)
