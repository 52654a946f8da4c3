"""What every cache of conversations must keep to: nobody gets an answer to anything but what was asked, by whom it was asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import msgspec
import pytest

from lynkr_core.request import Response, ToolCall
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing.canned import CANNED, TEXT, Script
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.cachestage import ASK, HIT, CacheStage, answering, cache_of, cache_stage, text_of
from lynkr_core.testing.factories import build
from lynkr_core.testing.rich import RICH, SHORT
from lynkr_core.testing.waiting import until

CHAT = "openai.chat"
LIMITS = {"openai.responses": "max_output_tokens"}
PARAMETERS: dict[str, Any] = {
    "temperature": 0.1, "top_p": 0.5, "max_tokens": 499, "seed": 7, "stop": ["x"], "frequency_penalty": 1,
    "response_format": {"type": "json_object"}, "logit_bias": {"5": 1}, "reasoning_effort": "low", "n": 2, "unknown_key": {"a": 1},
    "tool_choice": "none", "user": "somebody else",
}  # fmt: skip
CUT = CANNED[CHAT].but(body=b"", cut_events=2)
ERRORS: dict[str, Script] = {
    "an error": Script(status=400, body=b'{"error": {"message": "no", "type": "invalid_request_error"}}'),
    "a server's error": Script(status=500, body=b'{"error": {"message": "boom"}}'),
    "an error inside a 200": Script(body=b'{"error": {"message": "boom", "type": "server_error"}}'),
    "a truncated answer": SHORT[CHAT],
    "a filtered answer": CANNED[CHAT].but(body=CANNED[CHAT].body.replace(b'"stop"', b'"content_filter"')),
    "an empty answer": answering(""),
}


class FailingValues(MemoryStore):
    """A store that is down."""

    async def get(self, key: str) -> NoReturn:
        raise OSError("the test's store is down")

    async def set(self, key: str, value: bytes, ttl: float) -> NoReturn:
        raise OSError("the test's store is down")


class SharedValues(MemoryStore):
    """A store behind a cache; being no `MemoryStore` of the kernel's it counts as one that outlives it."""


class CacheContract(Contract):
    """`fronts`: the dialects whose requests are cached. `table` must let answers be kept for each key by itself, as should be the default."""

    kind = "cache"
    hook = "pre_route"
    fronts: ClassVar[tuple[str, ...]] = samples.DIALECTS

    def stores(self) -> Stores:
        """What the cache is given to keep things in."""
        return Stores()

    @pytest.fixture
    async def stage(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[CacheStage]:
        async with cache_stage(lambda context: build(self.plugin, self.settings(tmp_path), context), self.stores()) as made:
            made.after = self.settled
            yield made

    async def settled(self, stage: CacheStage) -> None:
        """Called after each exchange: waits for what is kept later than that."""

    async def warm(self, stage: CacheStage, **options: Any) -> None:
        """Asks once, and sees that it is found again."""
        first = await stage.ask(**options)
        assert (first.status, cache_of(first)) == (200, "miss"), first.text
        again = await stage.ask(**options)
        assert cache_of(again) in HIT, "the same request was not found again"

    async def never(self, stage: CacheStage, why: str, **options: Any) -> None:
        """Asks for something that only looks alike: the provider must be asked, and its own answer come."""
        before = stage.calls
        stage.provider.then(answering("its own answer"))
        answer = await stage.ask(**options)
        assert cache_of(answer) not in HIT, f"{why}: answered from the cache"
        assert stage.calls == before + 1, f"{why}: the provider was not asked"

    @pytest.mark.anyio
    async def test_the_same_request_is_answered_once(self, stage: CacheStage) -> None:
        for front in self.fronts:
            for streamed in (False, True):
                text = f"the same in {front} {streamed}"
                first = await stage.ask(text, front, stream=streamed)
                again = await stage.ask(text, front, stream=streamed)
                assert (cache_of(first), again.status) == ("miss", 200)
                assert cache_of(again) in HIT
                assert text_of(stage.said(again, front, streamed)) == TEXT
        assert stage.calls == 2 * len(self.fronts)

    @pytest.mark.anyio
    async def test_an_answer_comes_in_the_manner_that_is_asked(self, stage: CacheStage) -> None:
        for kept_as in (False, True):
            for front in self.fronts:
                text = f"another manner in {front} {kept_as}"
                await stage.ask(text, front, stream=kept_as)
                again = await stage.ask(text, front, stream=not kept_as)
                assert cache_of(again) in HIT
                assert text_of(stage.said(again, front, not kept_as)) == TEXT

    @pytest.mark.anyio
    async def test_an_answer_comes_in_the_dialect_that_is_asked(self, stage: CacheStage) -> None:
        for first in self.fronts:
            text = f"asked in {first} before"
            await stage.ask(text, first)
            for front in self.fronts:
                for streamed in (False, True):
                    again = await stage.ask(text, front, stream=streamed)
                    if cache_of(again) in HIT:  # a cache may keep dialects apart, but not give an answer in the wrong one
                        assert text_of(stage.said(again, front, streamed)) == TEXT
                    assert again.status == 200

    @pytest.mark.anyio
    async def test_nothing_is_billed_for_an_answer_that_was_kept(self, stage: CacheStage) -> None:
        await self.warm(stage)
        assert stage.door.outcomes[-1].usage is None
        assert not stage.door.outcomes[-1].cost
        assert stage.door.outcomes[-1].attempts == []

    @pytest.mark.anyio
    async def test_other_callers_get_nothing(self, stage: CacheStage) -> None:
        await self.warm(stage)
        await self.never(stage, "of another team", who="bob")
        await self.never(stage, "of the same team", who="cat")
        await self.never(stage, "nobody", who="")
        await self.never(stage, "nobody with a key", who="sk-somebody-s-own")

    @pytest.mark.anyio
    async def test_another_prompt_gets_nothing(self, stage: CacheStage) -> None:
        await self.warm(stage, system="Be brief.", dialect="anthropic.messages")
        await self.never(stage, "no system prompt", dialect="anthropic.messages")
        await self.never(stage, "another system prompt", dialect="anthropic.messages", system="Be brief!")
        await self.never(stage, "the prompt as a user's", dialect="anthropic.messages", messages=self.turns("user", "Be brief."))

    @pytest.mark.anyio
    async def test_another_model_gets_nothing(self, stage: CacheStage) -> None:
        await self.warm(stage)
        await self.never(stage, "another model", model="up/n")
        await self.never(stage, "another provider", model="other/m")
        await self.never(stage, "another route", model="either")
        await self.never(stage, "another name for it", headers={"x-lynkr-tier": "same"})

    def turns(self, *said: str) -> list[dict[str, Any]]:
        """Roles and texts by turns, before the usual question."""
        pairs = zip(said[::2], said[1::2], strict=True)
        return [*({"role": role, "content": text} for role, text in pairs), {"role": "user", "content": ASK}]

    @pytest.mark.anyio
    async def test_another_history_gets_nothing(self, stage: CacheStage) -> None:
        told = ("user", "My name is Ann.", "assistant", "Hello Ann.")
        await self.warm(stage, messages=self.turns(*told))
        await self.never(stage, "no history")
        await self.never(stage, "another name", messages=self.turns("user", "My name is Bob.", *told[2:]))
        await self.never(stage, "another answer", messages=self.turns(*told[:3], "Hello."))
        await self.never(stage, "other roles", messages=self.turns("assistant", told[1], "user", told[3]))
        await self.never(stage, "one text in two", messages=self.turns("user", "My name", "user", " is Ann.", *told[2:]))

    @pytest.mark.anyio
    async def test_other_tools_get_nothing(self, stage: CacheStage) -> None:
        tools: list[dict[str, Any]] = samples.with_tools(CHAT)["tools"]
        other = msgspec.json.decode(msgspec.json.encode(tools).replace(b"of a city", b"of a town"))
        await stage.ask(tools=tools)
        await self.never(stage, "without tools")
        await self.never(stage, "another description", tools=other)
        await self.never(stage, "two tools", tools=[*tools, *other])

    @pytest.mark.anyio
    async def test_other_parameters_get_nothing(self, stage: CacheStage) -> None:
        await self.warm(stage)
        for name, value in PARAMETERS.items():
            await self.never(stage, name, **{name: value})

    @pytest.mark.anyio
    async def test_another_question_gets_nothing(self, stage: CacheStage) -> None:
        await self.warm(stage)
        for other in ("What is the capital of Spain, and since when?", "What is not the capital of France, and since when?", "?"):
            await self.never(stage, other, text=other)

    @pytest.mark.anyio
    async def test_answers_that_are_not_good_are_not_kept(self, stage: CacheStage) -> None:
        for name, script in ERRORS.items():
            stage.provider.reset().always(script)
            await stage.ask(f"gets {name}")
            stage.provider.reset()
            assert cache_of(await stage.ask(f"gets {name}")) == "miss", name

    @pytest.mark.anyio
    async def test_streams_that_are_cut_are_not_kept(self, stage: CacheStage) -> None:
        for number, script in enumerate((CUT, SHORT[CHAT].but(body=b""))):
            stage.provider.reset().always(script)
            await stage.ask(f"is cut {number}", stream=True)
            stage.provider.reset()
            assert cache_of(await stage.ask(f"is cut {number}", stream=True)) == "miss"

    @pytest.mark.anyio
    async def test_an_answer_whose_caller_has_left_is_not_kept(self, stage: CacheStage) -> None:
        stage.provider.then(CANNED[CHAT].but(body=b"", pause=0.2))
        body = {**stage.body("leaves early", CHAT), "stream": True}
        async with stage.client.stream("/v1/chat/completions", json=body, headers={"x-api-key": "ann"}) as streamed:
            assert streamed.status == 200
        await until(lambda: len(stage.door.outcomes) == 1)
        assert cache_of(await stage.ask("leaves early", stream=True)) == "miss"

    @pytest.mark.anyio
    async def test_who_wants_nothing_stored_leaves_nothing_and_gets_nothing(self, stage: CacheStage) -> None:
        for name in ("x-lynkr-cache", "cache-control"):
            await stage.ask(f"secret {name}", headers={name: "no-store"})
            assert cache_of(await stage.ask(f"secret {name}")) == "miss", "a request with no-store was kept"
            before = stage.calls
            answer = await stage.ask(f"secret {name}", headers={name: "no-store"})
            assert (cache_of(answer), stage.calls) == ("off", before + 1)

    @pytest.mark.anyio
    async def test_headers_cannot_ask_for_others_answers(self, stage: CacheStage) -> None:
        tricks: Mapping[str, str] = {
            "x-lynkr-cache": "hit, on", "x-lynkr-principal": "key_a", "x-lynkr-team": "red", "x-lynkr-user": "ann",
        }  # fmt: skip
        for name, value in tricks.items():
            await self.warm(stage, text=f"Who may read {name}?")
            await self.never(stage, name, text=f"Who may read {name}?", who="bob", headers={name: value})

    @pytest.mark.anyio
    async def test_calls_of_tools_are_whole_or_not_kept(self, stage: CacheStage) -> None:
        tools: list[dict[str, Any]] = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
        stage.provider.always(RICH[CHAT])
        for streamed in (False, True):
            first = stage.said(await stage.ask("calls", tools=tools, stream=streamed), CHAT, streamed)
            again = await stage.ask("calls", tools=tools, stream=streamed)
            found = stage.said(again, CHAT, streamed)
            assert cache_of(again) != "semantic"
            assert calls_of(first) == calls_of(found)

    @pytest.mark.anyio
    async def test_a_dry_run_leaves_no_trace(self, stage: CacheStage) -> None:
        door = {"x-api-key": "ann"}
        body = stage.body("only a rehearsal", CHAT)
        for _ in range(2):
            await stage.client.post("/v1/route", json=body, headers=door)
        assert stage.calls == 0
        assert cache_of(await stage.ask("only a rehearsal")) == "miss"

    @pytest.mark.anyio
    async def test_a_store_that_is_down_stops_nobody(self, anyio_backend: str, tmp_path: Path) -> None:
        stores = Stores()
        stores.add("down", FailingValues())
        settings = {**self.settings(tmp_path)}
        async with cache_stage(lambda context: build(self.plugin, settings, context), stores) as stage:
            for _ in range(7):
                assert (await stage.ask()).status == 200

    @pytest.mark.anyio
    async def test_its_status_tells_nobody_s_words(self, stage: CacheStage) -> None:
        await stage.ask(samples.SECRET)
        assert samples.SECRET.encode() not in msgspec.json.encode(stage.kernel.statuses())


def calls_of(response: Response) -> list[tuple[str, str, str]]:
    return [(part.id, part.name, part.arguments) for part in response.choices[0].parts if isinstance(part, ToolCall)]
