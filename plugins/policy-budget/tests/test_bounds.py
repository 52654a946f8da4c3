"""The worst case is never less than what is billed."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lynkr_core.cards import Hours, Plan, Price, PriceTier
from lynkr_core.dialects import growth
from lynkr_core.pricing import cost, nano_dollars, worst_case
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_policy_budget.bounds import FRAME, IMAGE, SHORT, STORED, TOOLS, Amounts, sold_by_the_hour, worst

PRICE = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6, per_request=0.001)
TIERED = Price(input=1.25, output=10, tiers=(PriceTier(above=200_000, input=2.5, output=15),))


def asking(text="Hello", max_tokens=10, **more):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return factories.exchange(body | ({"max_tokens": max_tokens} if max_tokens else {}))


def bound(exchange, doubt=2.0, otherwise=1000, **of):
    return worst(exchange, factories.candidate("cloud/m", price=PRICE, **of), doubt, otherwise)


def test_integers_rounded_up():
    assert nano_dollars(0.000003) == 3000
    assert nano_dollars(0.1 + 0.2) == 300_000_000
    assert worst_case(Price(input=0.0375, output=0), 1, 0) == 38
    assert worst_case(PRICE, 1000, 100) == 3_750_000 + 1_500_000 + 1_000_000
    assert worst_case(PRICE, 1000, 100, hour=True) == 6_000_000 + 1_500_000 + 1_000_000
    assert worst_case(TIERED, 200_000, 0) == 250_000_000
    assert worst_case(TIERED, 200_001, 1) == 200_001 * 2500 + 15_000
    assert worst_case(None, 1, 1) is None


def test_a_price_for_an_hour_in_the_cache_counts_wherever_it_stands():
    dear = {"input": 1, "output": 2, "cache_write_1h": 9}
    plain = Price(input=1, output=2)
    for price in (
        Price(**dear), Price(input=1, output=2, tiers=(PriceTier(above=9, **dear),)),
        Price(input=1, output=2, services={"fast": Plan(**dear)}), Price(input=1, output=2, hours=(Hours(**dear),)),
        Price(input=1, output=2, services={"fast": Plan(input=1, output=2, tiers=(PriceTier(above=9, **dear),))}),
    ):  # fmt: skip
        assert sold_by_the_hour(factories.candidate("m", price=price))
    assert not sold_by_the_hour(factories.candidate("m", price=plain))
    assert not sold_by_the_hour(factories.candidate("m"))
    asked = asking(system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
    usual = asking(system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "5m"}}])
    assert bound(asked).usd > bound(usual).usd


counts = some.integers(0, 500_000)


@given(counts, counts, counts, counts, some.sampled_from([PRICE, TIERED]))
def test_the_bill_never_passes_the_worst_case(fresh, read, write, output, price):
    short = write // 2
    usage = Usage(
        input_tokens=fresh + read + write, output_tokens=output, cache_read=read, cache_write=write, cache_write_1h=short
    )
    billed = nano_dollars(cost(usage, price))
    assert billed <= worst_case(price, usage.input_tokens, output, hour=True) + 1


def test_short_bodies_are_taken_by_their_bytes_and_long_ones_counted():
    short = asking()
    assert bound(short).tokens == len(short.body) + FRAME + 10
    long = asking("word " * SHORT)
    assert SHORT < bound(long).tokens < len(long.body) / 2
    assert bound(asking("word " * SHORT), doubt=100.0).tokens == len(long.body) + FRAME + 10


def test_a_conversation_that_goes_on_is_bounded_as_if_it_were_new(monkeypatch):
    words = "what a naïve reader of 12 files does, and the next one\n" * 20
    picture = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}

    def talk(turns):
        said = [{"role": "user", "content": [{"type": "text", "text": f"{n} {words}"}, picture]} for n in range(turns)]
        return factories.exchange({"model": "m", "max_tokens": 10, "messages": said})

    monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
    grown = [bound(talk(turns)).tokens for turns in (10, 10, 10, 12, 12, 30)][2:]
    alone = []
    for turns in (10, 12, 12, 30):
        monkeypatch.setattr(growth, "_beginnings", growth.Beginnings())
        alone.append(bound(talk(turns)).tokens)
    assert grown == pytest.approx(alone, rel=0.01)


@pytest.mark.parametrize(
    ("asked", "most", "n", "said"), [(10, None, None, 10), (10, 5, None, 5), (None, 5, 3, 15), (None, None, None, 1000)]
)
def test_the_answer_is_bounded_by_request_model_or_settings(asked, most, n, said):
    exchange = asking(max_tokens=asked, **({"n": n} if n else {}))
    assert bound(exchange, max_output=most).tokens - len(exchange.body) - FRAME == said


@pytest.mark.parametrize(("one", "other", "said"), [(10, 200, 200), (200, 10, 200), (10, None, 10), (10, 200.0, 1000)])
def test_of_two_keys_that_bound_the_answer_the_higher_one_counts(one, other, said):
    exchange = asking(max_completion_tokens=one, max_tokens=other)
    assert bound(exchange).tokens - len(exchange.body) - FRAME == said


def test_a_short_message_with_more_than_a_text_is_looked_at():
    message = {"role": "user", "content": "Hello"}
    assert bound(factories.exchange({"model": "m", "messages": [message], "max_tokens": 1})).tokens < 200
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [message, {"role": "user", "content": [picture]}]
    assert bound(factories.exchange({"model": "m", "messages": messages, "max_tokens": 1})).tokens > IMAGE


def test_tools_images_files_and_what_is_stored_elsewhere():
    tools = asking(tools=[])
    assert bound(tools).tokens == len(tools.body) + TOOLS + 10
    image = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    assert IMAGE < bound(asking(image)).tokens < IMAGE + 200
    file = [{"type": "file", "file": {"file_id": "file-1"}}]
    assert bound(asking(file)).tokens > STORED
    assert bound(asking(file), context_window=9000).tokens == 9010
    later = factories.exchange(
        {"model": "m", "input": "go on", "previous_response_id": "resp_1", "max_output_tokens": 10}, dialect="openai.responses"
    )
    assert bound(later, context_window=9000).tokens == 9010


def test_without_a_price_nobody_knows():
    assert worst(asking(), factories.candidate("local/m"), 2.0, 10).usd is None


def test_embeddings_have_no_output():
    exchange = factories.exchange({"model": "m", "input": "Hello"}, dialect="openai.embeddings")
    assert bound(exchange).tokens == len(exchange.body) + FRAME


def test_counting_tokens_costs_nothing():
    exchange = factories.exchange({"model": "m", "messages": []}, dialect="anthropic.count_tokens")
    assert worst(exchange, factories.candidate("local/m"), 2.0, 10) == Amounts(0, 0, 1)
