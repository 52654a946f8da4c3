"""What a provider must keep to that answers by itself: nothing leaves the process.

The tests of `ProviderContract` that need an upstream have their likes here; what goes wrong is provoked by what the caller says.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn, get_args

import pytest

from lynkr_core.errors import Kind, UpstreamError
from lynkr_core.events import Failure
from lynkr_core.provider import Provider
from lynkr_core.request import ToolCall
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.serving import AT_ONCE, ServingContract
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.waiting import SOON, least

DEEDS = ("slow", "long", "broken", "tool")
"""An answer that takes over a second to begin; a stream that lasts as long; a stream that breaks; a call of `get_weather`."""
LONGEST = 0.05
"""Seconds for which an answer may stop the loop, at the best of several calls."""


class OfflineStage(NamedTuple):
    provider: Provider


class OfflineProviderContract(ServingContract):
    """`dialects`: those under test. `provoked`: the words of a user that lead to each of `DEEDS` and to each kind of error.

    `None` for what never happens with this provider: every deed and kind must be named, so that nothing is left out by mistake.
    """

    dialects: ClassVar[tuple[str, ...]] = ()
    provoked: ClassVar[Mapping[str, str | None]] = {}

    @pytest.fixture
    async def stage(self, anyio_backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[OfflineStage]:
        """The transport refuses, and so does every socket."""

        def refuse(*args: object, **options: object) -> NoReturn:
            raise AssertionError("this provider was to stay offline")

        async with factories.running(self.make(tmp_path)) as provider:
            monkeypatch.setattr(socket.socket, "connect", refuse)
            monkeypatch.setattr(socket, "getaddrinfo", refuse)
            yield OfflineStage(provider)

    def spoken(self) -> Iterable[str]:
        return self.dialects

    def cases(self, deed: str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
        """The request that provokes a deed, in each dialect; none when the provider says that it cannot happen."""
        words = self.provoked[deed]
        return [] if words is None else [(name, samples.with_tools(name, **more) | told(name, words)) for name in self.chats()]

    def test_it_says_how_each_deed_is_provoked(self) -> None:
        assert {*self.provoked} == {*DEEDS, *get_args(Kind)}

    @pytest.mark.anyio
    async def test_the_answer_is_of_the_model_that_was_asked(self, stage: OfflineStage) -> None:
        for name in self.chats():
            wire = self.wire_of(stage.provider, name)
            response = await wire.answer(samples.request(name, "hi"))
            assert wire.dialect.decode_response(await response.read()).model == self.model, name

    @pytest.mark.anyio
    async def test_a_tool_is_called(self, stage: OfflineStage) -> None:
        for name, body in self.cases("tool"):
            wire = self.wire_of(stage.provider, name)
            choice = wire.dialect.decode_response(await (await wire.answer(body)).read()).choices[0]
            assert [part.name for part in choice.parts if isinstance(part, ToolCall)] == ["get_weather"], name
            assert choice.finish_reason == "tool_calls", name

    @pytest.mark.anyio
    @pytest.mark.parametrize("kind", get_args(Kind))
    @pytest.mark.parametrize("stream", [False, True])
    async def test_an_error_is_called_by_its_kind(self, stage: OfflineStage, kind: str, stream: bool) -> None:
        for name, body in self.cases(kind, stream=stream):
            with pytest.raises(UpstreamError) as raised:
                await (await self.wire_of(stage.provider, name).answer(body)).read()
            assert raised.value.kind == kind, f"{name}: {raised.value.status} {raised.value}"

    @pytest.mark.anyio
    async def test_a_stream_that_is_cut_is_a_failure(self, stage: OfflineStage) -> None:
        for name, body in self.cases("broken", stream=True):
            events = await self.wire_of(stage.provider, name).events(body)
            assert isinstance(events[-1], Failure), f"{name}: the cut stream ended with {events[-1:]}"
            assert events[-1].error.kind == "cut", name

    @pytest.mark.anyio
    async def test_aborting_before_the_answer_ends_the_call(self, stage: OfflineStage) -> None:
        for name, body in self.cases("slow"):

            async def aborted(wire: Wire = self.wire_of(stage.provider, name), body: Any = body) -> float:
                call = wire.call(body)
                return await self.ended(call, asyncio.ensure_future(call.response()))

            assert await least(aborted, AT_ONCE) <= AT_ONCE

    @pytest.mark.anyio
    async def test_aborting_a_stream_ends_it(self, stage: OfflineStage) -> None:
        for name, body in self.cases("long", stream=True):

            async def aborted(wire: Wire = self.wire_of(stage.provider, name), body: Any = body) -> float:
                response = await wire.answer(body)
                assert await response.next()
                return await self.ended(response, asyncio.ensure_future(response.read()))

            assert await least(aborted, AT_ONCE) <= AT_ONCE

    async def ended(self, aborted: Any, waiting: asyncio.Future[Any]) -> float:
        """Seconds until it ended with an error."""
        for _ in range(10):  # turns of the loop, not a time: on a busy machine the answer itself might come in it
            await asyncio.sleep(0)
        assert not waiting.done(), "the answer came at once: there was nothing to abort"
        began = time.monotonic()
        aborted.abort()
        with pytest.raises(UpstreamError):
            await asyncio.wait_for(waiting, SOON)
        return time.monotonic() - began

    @pytest.mark.anyio
    async def test_the_loop_is_not_held_up(self, stage: OfflineStage) -> None:
        for name in self.chats():

            async def stood_still(wire: Wire = self.wire_of(stage.provider, name), name: str = name) -> float:
                async with Gap() as gap:
                    await (await wire.answer(samples.request(name, samples.CODE))).read()
                return gap.longest

            seconds = await least(stood_still, LONGEST)
            assert seconds <= LONGEST, f"{name}: the loop stood still for {seconds:.3f} s or more at each call"

    @pytest.mark.anyio
    async def test_what_was_said_is_not_logged(self, capfd: Any, caplog: Any, stage: OfflineStage) -> None:
        caplog.set_level(0)
        for name in self.chats():
            await (await self.wire_of(stage.provider, name).answer(samples.request(name, samples.SECRET))).read()
        printed = capfd.readouterr()
        assert samples.SECRET not in caplog.text + printed.out + printed.err


def told(dialect: str, words: str) -> dict[str, Any]:
    """The part of a request that holds the conversation."""
    key = "input" if dialect == "openai.responses" else "messages"
    return {key: samples.request(dialect, words)[key]}
