"""Through a whole gateway: what is kept, for whom, for how long, and what becomes of those who ask at once."""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from lynkr_cache_exact import patience, plugin
from lynkr_cache_exact.answer import is_ambiguous
from lynkr_cache_exact.meaning import digest, meaning
from lynkr_core.secret import Secret
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, TEXT
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.cache import SharedValues
from lynkr_core.testing.contracts.cachestage import answering, cache_of, cache_stage, text_of
from lynkr_core.testing.rich import RICH
from lynkr_core.testing.waiting import until

pytestmark = pytest.mark.anyio
GOOD = CANNED["openai.chat"]
BOOM = GOOD.but(status=500, body=b'{"error": {"message": "boom"}}')


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        import time

        return time.time() + self.ahead


@asynccontextmanager
async def exact(stores: Stores | None = None, clock: Clock | None = None, **table: Any):
    from lynkr_cache_exact import ExactCache

    made: list[Any] = []

    def make(context: Any) -> Any:
        config = factories.configure(plugin, table)
        made.append(ExactCache(config, context, clock or Clock()))
        return made[0]

    async with cache_stage(make, stores) as stage:
        stage.cache = made[0]
        yield stage


def shared(values: SharedValues) -> Stores:
    stores = Stores()
    stores.add("shared", values)
    return stores


async def crowd(stage: Any, size: int, **options: Any) -> list[asyncio.Task[Any]]:
    """So many who ask the same, once all but the first wait for it."""
    before = stage.cache.flights.waited
    asking = [asyncio.ensure_future(stage.ask("all at once", **options)) for _ in range(size)]
    await until(lambda: stage.cache.flights.waited >= before + size - 1)
    return asking


async def test_a_crowd_makes_one_call():
    async with exact() as stage:
        stage.provider.always(GOOD.but(delay=0.3))
        fronts = [await crowd(stage, 20), [asyncio.ensure_future(stage.ask("all at once", stream=True)) for _ in range(5)]]
        answers = await asyncio.gather(*fronts[0], *fronts[1])
        assert stage.calls == 1
        assert sorted(map(cache_of, answers)) == ["hit"] * 24 + ["miss"]
        assert all(text_of(stage.said(answer, "openai.chat", number >= 20)) == TEXT for number, answer in enumerate(answers))
        assert len(stage.cache.flights) == 0


async def test_when_the_first_one_fails_the_others_ask_for_themselves():
    async with exact() as stage:
        stage.provider.then(BOOM.but(delay=0.3, status=400))
        answers = await asyncio.gather(*await crowd(stage, 5))
        assert [answer.status for answer in answers] == [400, 200, 200, 200, 200]
        assert len(stage.cache.flights) == 0


async def test_when_the_first_one_leaves_the_next_one_asks():
    async with exact() as stage:
        stage.provider.always(GOOD.but(delay=0.5))
        body = stage.body("all at once", "openai.chat")
        leaving = asyncio.ensure_future(stage.client.post("/v1/chat/completions", json=body, headers={"x-api-key": "ann"}))
        await until(lambda: stage.calls == 1)
        asking = [asyncio.ensure_future(stage.ask("all at once")) for _ in range(4)]
        await until(lambda: stage.cache.flights.waited >= 4)
        leaving.cancel()
        answers = await asyncio.gather(*asking)
        assert [answer.status for answer in answers] == [200] * 4
        assert stage.calls == 2
        assert sorted(map(cache_of, answers)) == ["hit", "hit", "hit", "miss"]
        assert len(stage.cache.flights) == 0


async def test_nobody_waits_longer_than_is_configured():
    async with exact(wait=0.2) as stage:
        stage.provider.then(GOOD.but(delay=60))
        first = asyncio.ensure_future(stage.ask("all at once"))
        await until(lambda: stage.calls == 1)
        answers = await asyncio.gather(*[stage.ask("all at once") for _ in range(3)])
        assert ([answer.status for answer in answers], first.done()) == ([200] * 3, False)
        first.cancel()


@pytest.mark.parametrize(("said", "seconds"), [("3000", 1.5), ("900000", 30.0), ("soon", 30.0), ("9" * 30, 30.0)])
async def test_nobody_waits_longer_than_its_caller_does(said, seconds):
    made = factories.exchange(samples.bare("openai.chat"), headers={"x-lynkr-deadline-ms": said})
    assert patience(made, 30.0) == seconds


async def test_a_wait_longer_than_a_hook_may_take_is_no_fault_of_the_plugin():
    async with exact(wait=60) as stage:
        stage.kernel.hooks.pre_route.deadline = 0.1
        stage.provider.always(GOOD.but(delay=0.5))
        answers = await asyncio.gather(*await crowd(stage, 3))
        assert sorted(map(cache_of, answers)) == ["hit", "hit", "miss"]
        assert [call.errors for call in stage.kernel.hooks.pre_route.calls] == [0]


async def test_an_answer_is_good_for_so_long():
    clock = Clock()
    async with exact(clock=clock, ttl=100) as stage:
        await stage.ask()
        clock.ahead = 90
        hit = await stage.ask()
        assert (cache_of(hit), 88 <= int(hit.headers["age"]) <= 95) == ("hit", True)
        assert cache_of(await stage.ask(headers={"x-lynkr-cache": "max-age=60"})) == "miss"
        clock.ahead = 250
        assert cache_of(await stage.ask()) == "miss"


async def test_a_hit_tells_what_it_saved_and_bills_nothing():
    async with exact() as stage:
        await stage.ask()
        hit = await stage.ask()
        usage = hit.json()["usage"]
        assert [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [0, 0, 0]
        told = {name: hit.headers[name] for name in ("x-lynkr-cached-usage", "x-lynkr-saved-tokens", "x-lynkr-attempts")}
        assert told == {"x-lynkr-cached-usage": "input=12; output=7", "x-lynkr-saved-tokens": "19", "x-lynkr-attempts": "0"}
        assert float(hit.headers["x-lynkr-cost-usd"]) == 0
    async with exact(usage="original") as stage:
        await stage.ask("hi", "anthropic.messages")
        usage = (await stage.ask("hi", "anthropic.messages")).json()["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (12, 7)


async def test_one_meaning_has_one_answer_in_all_dialects():
    async with exact() as stage:
        told = {
            "openai.chat": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
            "anthropic.messages": {"system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]},
            "openai.responses": {"instructions": "Be brief.", "input": [{"role": "user", "content": "hi"}]},
        }
        for dialect, body in told.items():
            for streamed in (False, True):
                answer = await stage.ask("", dialect, stream=streamed, **body)
                assert text_of(stage.said(answer, dialect, streamed)) == TEXT
        assert stage.calls == 1


async def test_calls_of_tools_are_kept_where_that_is_allowed():
    async with exact(tool_calls=True) as stage:
        stage.provider.always(RICH["openai.chat"])
        tools = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
        for streamed in (False, True, False):
            await stage.ask("calls", tools=tools, stream=streamed)
        assert stage.calls == 1
    async with exact() as stage:
        stage.provider.always(RICH["openai.chat"])
        assert [cache_of(await stage.ask("calls", tools=tools)) for _ in range(2)] == ["miss", "miss"]


async def test_warm_requests_are_left_alone_unless_they_insist():
    async with exact() as stage:
        assert [cache_of(await stage.ask(temperature=0.9)) for _ in range(2)] == ["off", "off"]
        on = {"x-lynkr-cache": "on"}
        assert [cache_of(await stage.ask(temperature=0.9, headers=on)) for _ in range(2)] == ["miss", "hit"]
        assert [cache_of(await stage.ask(temperature=0.2)) for _ in range(2)] == ["miss", "hit"]


async def test_no_cache_asks_anew_and_keeps_that():
    async with exact() as stage:
        await stage.ask()
        stage.provider.then(answering("newer"))
        assert cache_of(await stage.ask(headers={"x-lynkr-cache": "no-cache"})) == "miss"
        assert text_of(stage.said(await stage.ask(), "openai.chat", False)) == "newer"


async def test_a_team_shares_and_nobody_else():
    async with exact(namespace="team") as stage:
        await stage.ask(who="ann")
        assert [cache_of(await stage.ask(who=who)) for who in ("cat", "bob", "")] == ["hit", "miss", "miss"]
        with_own_key = {"x-lynkr-key": "cat", "authorization": "Bearer sk-her-own"}
        assert cache_of(await stage.ask(who="cat", headers=with_own_key)) == "miss"


async def test_who_may_use_other_models_does_not_share():
    from lynkr_core.exchange import Principal
    from lynkr_core.testing.contracts import cachestage

    cachestage.CALLERS["dan"] = Principal(id="key_d", key="dan", team="red", models=("up/*",))
    try:
        async with exact(namespace="everyone") as stage:
            await stage.ask(who="ann")
            assert [cache_of(await stage.ask(who=who)) for who in ("bob", "dan")] == ["hit", "miss"]
    finally:
        del cachestage.CALLERS["dan"]


async def test_a_body_that_says_something_twice_poisons_nothing():
    """lynkr reads the last of two equal keys; a provider may read the first."""
    twice = b'{"model":"up/m","max_tokens":500,"messages":[{"role":"user","content":"evil","content":"good"}]}'
    async with exact(namespace="everyone") as stage:
        await stage.send(twice, "openai.chat", who="bob")
        assert cache_of(await stage.ask("good", who="ann")) == "miss"
    assert is_ambiguous(twice)
    assert not is_ambiguous(msgspec.json.encode(samples.with_tools("openai.chat")))


async def test_what_another_candidate_said_in_an_emergency_is_not_kept():
    async with exact() as stage:
        stage.provider.then(BOOM)
        assert (await stage.ask(model="either")).status == 200
        assert cache_of(await stage.ask(model="either")) == "miss"


@pytest.mark.parametrize(
    "more",
    [
        {"web_search_options": {}},
        {"web_search_options": {"a": 1}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}]},
    ],
)
async def test_what_depends_on_other_places_is_left_alone(more):
    async with exact() as stage:
        expected = "miss" if more == {"web_search_options": {}} else "off"
        assert cache_of(await stage.ask(**more)) == expected


@pytest.mark.parametrize("more", [{"previous_response_id": "resp_1"}, {"tools": [{"type": "web_search"}]}, {"background": True}])
async def test_state_that_a_provider_keeps_is_left_alone(more):
    async with exact() as stage:
        assert cache_of(await stage.ask("hi", "openai.responses", **more)) == "off"


async def test_purging_by_key_model_and_tag(tmp_path):
    for stores in (None, shared(SharedValues())):
        async with exact(stores) as stage:
            stage.kernel.config.server.admin_key = Secret("admin")
            path, admin = "/v1/admin/cache/contract/purge", {"x-api-key": "admin"}
            chosen = [{"key": "key_a"}, {"key": "ann"}, {"model": "up/m"}, {"model": "m"}, {"tag": "weekly"}, {"all": True}]
            for each in chosen:
                await stage.ask(headers={"x-lynkr-cache-tag": "weekly, x"})
                await stage.cache.shelf.settle()
                kept = await stage.client.post(path, json={"tag": "daily"}, headers=admin)
                assert (kept.json(), cache_of(await stage.ask())) == ({"purged": 0}, "hit")
                purged = await stage.client.post(path, json=each, headers=admin)
                assert (purged.json(), cache_of(await stage.ask(headers={"x-lynkr-cache": "no-store"}))) == ({"purged": 1}, "off")
                assert len(stage.cache.shelf) == 0
            assert (await stage.client.post(path, json={}, headers=admin)).status == 400
            assert (await stage.client.post(path, json={"all": True}, headers={"x-api-key": "ann"})).status == 401


async def test_processes_share_a_store_and_notice_each_others_purges():
    values, clock = SharedValues(), Clock()
    async with exact(shared(values), clock) as one, exact(shared(values), clock) as other:
        await one.ask()
        await one.cache.shelf.settle()
        assert cache_of(await other.ask()) == "hit"
        assert await one.cache.shelf.purge(lambda entry: True) == 1
        clock.ahead = 2
        assert cache_of(await other.ask()) == "miss"


async def test_what_was_asked_before_a_purge_is_not_kept_after_it():
    async with exact() as stage:
        stage.provider.then(GOOD.but(delay=0.3))
        asking = asyncio.ensure_future(stage.ask())
        await until(lambda: stage.calls == 1)
        await stage.cache.shelf.purge(lambda entry: True)
        await asking
        assert cache_of(await stage.ask()) == "miss"


async def test_memory_is_bounded_and_large_things_are_left_alone():
    async with exact(memory=5000, max_request=2000, max_answer=900) as stage:
        for number in range(30):
            await stage.ask(f"number {number}")
        assert stage.cache.shelf.bytes <= 5000
        assert 0 < len(stage.cache.shelf) < 30
        assert cache_of(await stage.ask("x" * 3000)) == "off"
        stage.provider.always(answering("y" * 2000))
        assert [cache_of(await stage.ask("a long answer")) for _ in range(2)] == ["miss", "miss"]


async def test_timing_tells_nothing_of_others():
    """What somebody else has asked, or is asking just now, is not even waited for."""
    async with exact() as stage:
        stage.provider.then(GOOD.but(delay=60))
        slow = asyncio.ensure_future(stage.ask("a secret question", who="ann"))
        await until(lambda: stage.calls == 1)
        answer = await stage.ask("a secret question", who="bob")
        assert (cache_of(answer), slow.done(), stage.calls, stage.cache.flights.waited) == ("miss", False, 2, 0)
        slow.cancel()


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SOURCE = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
THOUGHT = {"type": "thinking", "thinking": "h", "signature": "c2ln"}
LEAVES: dict[str, Any] = {
    "openai.chat": {
        "messages": [
            {"role": "system", "content": "s", "name": "n"},
            {"role": "user", "content": [{"type": "text", "text": "t", "odd": 1}, IMAGE]},
            {"role": "assistant", "content": "a", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            {"role": "user", "content": "u", "strange": {"deep": [1]}},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}}],
    },
    "anthropic.messages": {
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "image", "source": SOURCE}]},
            {"role": "assistant", "content": [THOUGHT, {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r", "is_error": True}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "top_k": 5, "stop_sequences": ["x"],
    },
    "openai.responses": {
        "instructions": "s",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "t"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "r"},
        ],
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False}],
        "reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"},
    },
}  # fmt: skip


def mutations(value: Any, path: str = "$"):
    """Copies of a JSON value, each with one leaf changed or one entry left out, and where."""
    if isinstance(value, dict):
        for key in value:
            yield f"{path}.{key} left out", {other: inner for other, inner in value.items() if other != key}
            for where, changed in mutations(value[key], f"{path}.{key}"):
                yield where, {**value, key: changed}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            for where, changed in mutations(inner, f"{path}[{place}]"):
                yield where, [*value[:place], changed, *value[place + 1 :]]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int):
        yield path, value + 1
    elif isinstance(value, str):
        yield path, value + "x"


def key_of(body: Any, dialect: str) -> str | None:
    from lynkr_core.errors import InvalidRequest

    try:
        return digest(meaning(factories.exchange({"model": "m", **body}, dialect=dialect)))
    except InvalidRequest:
        return None


HARMLESS = (".type left out", ".is_error left out", ".strict left out", ".arguments left out")


@pytest.mark.parametrize("dialect", samples.DIALECTS)
async def test_everything_in_a_request_counts(dialect):
    """Each leaf changed and each key left out must make another key, unless the request is no longer a valid one."""
    whole = LEAVES[dialect]
    same = key_of(whole, dialect)
    assert same == key_of(copy.deepcopy(whole), dialect)
    alike = [where for where, body in mutations(whole) if key_of(body, dialect) == same]
    assert [where for where in alike if not where.endswith(HARMLESS)] == []
