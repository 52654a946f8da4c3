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


def held(budget, id):
    exchange = factories.exchange({"model": "m", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 1})
    return budget.wanted(exchange, factories.candidate(id, price=Price(input=1, output=1))).amounts.tokens


async def test_only_upwards_and_only_with_enough_samples(context):
    await learn(context, "cloud/more", 3.0)
    await learn(context, "cloud/less", 0.5)
    await learn(context, "cloud/new", 3.0, samples=19)
    config = msgspec.convert({"limit": [{"scope": "everyone", "per": "day", "usd": 100}]}, Config)
    async with plugin.create(config, context) as budget:
        usual = held(budget, "cloud/other")
        assert (held(budget, "cloud/less"), held(budget, "cloud/new")) == (usual, usual)
        assert 1.5 < held(budget, "cloud/more") / usual < 2
