"""The standard tests of caches, and what this one adds to them."""

from __future__ import annotations

from typing import Any

import pytest

from lynkr_cache_semantic import plugin
from lynkr_core.errors import ConfigError, PluginError
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts.cache import CacheContract, SharedValues
from lynkr_core.testing.contracts.cachestage import CacheStage, cache_of, cache_stage
from lynkr_core.testing.waiting import until

STATIC = {"embedder": "static", "threshold": 0.8}
ONE, OTHER = "How do I sort a list in Python?", "In Python, how can I sort a list?"


class TestSemantic(CacheContract):
    plugin = plugin
    table = {"embedder": "static"}

    async def settled(self, stage: CacheStage) -> None:
        await settled(stage)


def staged(stores: Stores | None = None, **table: Any) -> Any:
    return cache_stage(lambda context: factories.build(plugin, {**STATIC, **table}, context), stores)


async def settled(stage: CacheStage) -> None:
    """Once the vectors are there."""
    await until(lambda: not stage.kernel.plugins[1].instance._tasks)


@pytest.mark.anyio
async def test_the_same_in_other_words_is_a_hit_and_says_how_alike_it_was():
    async with staged() as stage:
        await stage.ask(ONE)
        await settled(stage)
        hit = await stage.ask(OTHER)
        assert cache_of(hit) == "semantic"
        assert 0.8 <= float(hit.headers["x-lynkr-cache-score"]) < 1
        assert float(hit.headers["x-lynkr-cost-usd"]) == 0
        assert cache_of(await stage.ask("How do I sort a list in Ruby?")) == "miss"


@pytest.mark.anyio
async def test_tools_images_and_long_texts_are_not_compared():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    tools = [{"type": "function", "function": {"name": "f"}}]
    async with staged(longest=100) as stage:
        for more in ({"tools": tools}, {"messages": [{"role": "user", "content": [image]}]}, {"text": "why " * 50}):
            assert [cache_of(await stage.ask(**more)) for _ in range(2)] == ["off", "off"]


@pytest.mark.anyio
async def test_processes_share_a_store():
    values = SharedValues()
    stores = Stores()
    stores.add("shared", values)
    async with staged(stores) as one, staged(stores) as other:
        await one.ask(ONE)
        await settled(one)
        await one.kernel.plugins[1].instance.shelf.settle()
        assert cache_of(await other.ask(OTHER)) == "semantic"


@pytest.mark.anyio
async def test_a_provider_s_embeddings_and_what_happens_without_them():
    async with staged(embedder="up/vectors", threshold=0.9) as stage:
        await stage.ask(ONE)
        await settled(stage)
        assert cache_of(await stage.ask(OTHER)) == "semantic"  # the canned vectors are all the same
        assert stage.provider.requests[1].path == "/embeddings"
        stage.provider.always(Script(status=500, body=b"{}"))
        await stage.ask("What is a monad?")
        stage.provider.reset()
        answer = await stage.ask("In Python, how could I sort a list?")
        assert (answer.status, cache_of(answer) in ("miss", "semantic")) == (200, True)


def test_an_embedder_that_is_not_there_is_a_mistake():
    for name in ("minilmm", "nobody/m"):
        with pytest.raises((PluginError, ConfigError), match=r"\$\.embedder"):
            factories.build(plugin, {"embedder": name}, factories.context("semantic", "cache"))
