"""Models that count more than lynkr does have more set aside."""

import math

import msgspec
import pytest

from lynkr_core.cards import Price
from lynkr_core.testing import factories
from lynkr_policy_budget import plugin
from lynkr_policy_budget.config import Config

pytestmark = pytest.mark.anyio
TEXT = "word " * 2000


async def learn(context, id, factor, samples=20):
    told = msgspec.json.encode({"log": math.log(factor), "samples": samples})
    await context.stores.key_value().set(f"factors/{id}", told, math.inf)


@pytest.fixture
def exchange():
    """One for all candidates: a conversation that is met again is counted message by message, which gives a token more or less."""
    return factories.exchange({"model": "m", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 1})


def held(budget, exchange, id):
    return budget.wanted(exchange, factories.candidate(id, price=Price(input=1, output=1))).amounts.tokens


async def test_only_upwards_and_only_with_enough_samples(context, exchange):
    await learn(context, "cloud/more", 3.0)
    await learn(context, "cloud/less", 0.5)
    await learn(context, "cloud/new", 3.0, samples=19)
    config = msgspec.convert({"limit": [{"scope": "everyone", "per": "day", "usd": 100}]}, Config)
    async with plugin.create(config, context) as budget:
        usual = held(budget, exchange, "cloud/other")
        assert (held(budget, exchange, "cloud/less"), held(budget, exchange, "cloud/new")) == (usual, usual)
        assert 1.5 < held(budget, exchange, "cloud/more") / usual < 2
