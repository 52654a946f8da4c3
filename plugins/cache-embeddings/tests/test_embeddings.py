"""Through a whole gateway: only what was not given before is asked for, and everything comes back in its order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_cache_embeddings import plugin
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.cachestage import cache_of, cache_stage

EMBEDDINGS = "openai.embeddings"


class CacheContract(Contract):
    """Conversations are none of this cache's business: of the suite for caches only what holds for every plugin applies."""

    kind = "cache"
    hook = "pre_route"


class TestEmbeddings(CacheContract):
    plugin = plugin


class Stage:
    def __init__(self, stage: Any) -> None:
        self.stage = stage

    async def ask(self, given: Any, who: str = "ann", headers: Any = None, **more: Any) -> Any:
        """The provider answers each item with a vector that tells which one it was: its place in the alphabet."""
        items = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
        wanted = self.wanted(items)
        data = [{"object": "embedding", "index": n, "embedding": [value(item)]} for n, item in enumerate(wanted)]
        body = {
            "object": "list",
            "model": "m",
            "data": data[::-1],
            "usage": {"prompt_tokens": len(data), "total_tokens": len(data)},
        }
        self.stage.provider.reset().then(Script(body=msgspec.json.encode(body)))
        return await self.stage.ask(dialect=EMBEDDINGS, model="up/m", input=given, who=who, headers=headers, **more)

    def wanted(self, items: list[Any]) -> list[Any]:
        return [item for item in items if item not in self.known]

    known: tuple[Any, ...] = ()

    def asked(self) -> Any:
        return self.stage.provider.last.json()["input"] if self.stage.provider.requests else None


def value(item: Any) -> float:
    return float(ord(item[0]) if isinstance(item, str) else item[0] if isinstance(item, list) else item)


def told(answer: Any) -> list[float]:
    data = sorted(answer.json()["data"], key=lambda item: item["index"])
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["embedding"][0] for item in data]


@pytest.fixture
async def stage(anyio_backend: str):
    async with cache_stage(lambda context: factories.build(plugin, {}, context)) as made:
        yield Stage(made)


pytestmark = pytest.mark.anyio


async def test_only_what_is_missing_is_asked_for_and_all_comes_in_order(stage):
    assert told(await stage.ask(["a", "b"])) == [97, 98]
    stage.known = ("a", "b")
    partial = await stage.ask(["c", "a", "d", "b", "c"])
    assert (told(partial), stage.asked(), cache_of(partial)) == ([99, 97, 100, 98, 99], ["c", "d", "c"], "miss")
    assert partial.json()["usage"]["prompt_tokens"] == 3
    whole = await stage.ask(["d", "c", "b", "a"])
    assert (told(whole), stage.asked(), cache_of(whole)) == ([100, 99, 98, 97], None, "hit")
    assert whole.json()["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


async def test_a_text_alone_and_in_a_list_is_one_item_and_tokens_are_one_too(stage):
    await stage.ask("a")
    assert cache_of(await stage.ask(["a"])) == "hit"
    await stage.ask([7, 8])
    assert stage.asked() == [7, 8]
    assert cache_of(await stage.ask([[7, 8]])) == "hit"
    assert cache_of(await stage.ask([[7, 9]])) == "miss"


async def test_nothing_is_shared_across_callers_models_dimensions_and_formats(stage):
    await stage.ask("a")
    assert cache_of(await stage.ask("a")) == "hit"
    others = [{"who": "bob"}, {"who": "cat"}, {"who": ""}, {"dimensions": 2}, {"encoding_format": "float"}, {"user": "u"}]
    for other in others:
        assert cache_of(await stage.ask("a", **other)) == "miss", other
    assert cache_of(await stage.stage.ask(dialect=EMBEDDINGS, model="other/m", input="a")) == "miss"
    assert cache_of(await stage.stage.ask(dialect=EMBEDDINGS, model="either", input="a")) == "off"


async def test_vectors_as_base64_are_kept_as_such(stage):
    assert cache_of(await stage.ask("a", encoding_format="base64")) == "miss"
    hit = await stage.ask("a", encoding_format="base64")
    assert (cache_of(hit), hit.json()["data"][0]["embedding"]) == ("hit", "AADCQg==")


async def test_errors_and_answers_with_too_few_vectors_are_not_kept(stage):
    stage.stage.provider.reset().then(Script(status=400, body=b'{"error": {"message": "no"}}'))
    assert (await stage.stage.ask(dialect=EMBEDDINGS, model="up/m", input="a")).status == 400
    assert cache_of(await stage.ask("a")) == "miss"
    stage.known = ("b",)  # so the provider will leave it out
    await stage.ask(["b", "x"])
    stage.known = ()
    assert cache_of(await stage.ask(["b", "x"])) == "miss"


async def test_who_wants_nothing_stored_is_left_alone(stage):
    assert cache_of(await stage.ask("a", headers={"x-lynkr-cache": "no-store"})) == "off"
    assert cache_of(await stage.ask("a")) == "miss"


async def test_what_is_no_request_is_left_to_whoever_says_so(stage):
    for given in (["a", None], [{"a": 1}], [[]], []):
        answer = await stage.stage.ask(dialect=EMBEDDINGS, model="up/m", input=given)
        assert answer.status in (200, 400)
