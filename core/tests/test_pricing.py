import pytest

from lynkr_core.cards import Price, PriceTier
from lynkr_core.pricing import cost
from lynkr_core.request import Usage

PLAIN = Price(input=2, output=10)
CACHED = Price(input=2, output=10, cache_read=0.2, cache_write=2.5, cache_write_1h=4)
LONG = Price(
    input=4,
    output=20,
    cache_read=0.4,
    tiers=(PriceTier(above=500_000, input=16, output=40), PriceTier(above=200_000, input=8, output=30, cache_read=0.8)),
)


def usage(total: int, output: int = 0, **parts: int) -> Usage:
    return Usage(input_tokens=total, output_tokens=output, **parts)


@pytest.mark.parametrize(
    ("price", "used", "usd"),
    [
        (PLAIN, usage(1_000_000, 100_000), 3.0),
        (PLAIN, usage(1_000_000, cache_read=500_000, cache_write=500_000), 2.0),
        (CACHED, usage(1_000_000, cache_read=1_000_000), 0.2),
        (CACHED, usage(1_000_000, cache_write=1_000_000), 2.5),
        (CACHED, usage(1_000_000, cache_write=1_000_000, cache_write_1h=400_000), 0.6 * 2.5 + 0.4 * 4),
        (Price(input=2, output=10, cache_write=3), usage(1_000_000, cache_write=1_000_000, cache_write_1h=1_000_000), 3.0),
        (Price(input=1, output=1, per_request=0.005), usage(1_000_000), 1.005),
    ],
)
def test_every_kind_of_token_has_its_price(price, used, usd):
    assert cost(used, price) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("tokens", "usd"), [(200_000, 0.8 + 0.2), (200_001, 1.600008 + 0.3), (500_000, 4 + 0.3), (500_001, 8.000016 + 0.4)]
)
def test_above_a_tier_the_whole_request_is_priced_so(tokens, usd):
    assert cost(usage(tokens, 10_000), LONG) == pytest.approx(usd)


def test_the_cache_of_a_tier_is_its_own_or_its_input_price():
    assert cost(usage(300_000, cache_read=300_000), LONG) == pytest.approx(0.24)
    assert cost(usage(600_000, cache_read=600_000), LONG) == pytest.approx(9.6)


@pytest.mark.parametrize(("used", "price"), [(None, PLAIN), (usage(5), None), (None, None)])
def test_what_is_not_known_costs_nobody_knows_what(used, price):
    assert cost(used, price) is None
