"""What every provider must keep to. Those that speak HTTP are run against a scripted one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Failure, Grammar
from lynkr_core.provider import Provider
from lynkr_core.request import Text
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, TEXT, Fault, Script, faults
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.upstream.http1 import Http1Transport

AT_ONCE = 0.1
"""Seconds within which an aborted call's connection must be closed."""
FAULTS = ("401", "404", "429", "500", "529", "context", "content", "html")


class Stage(NamedTuple):
    """A provider before its scripted upstream."""

    provider: Provider
    upstream: ScriptedProvider


class ProviderContract(Contract):
    """`paths`: the path under the base URL for each dialect that is tested. `key_header`: which header carries the key, or None.

    `answers` and `errors` have scripts for dialects that `canned.py` does not know. `http = False`: nothing leaves the process.
    """

    kind = "provider"
    paths: ClassVar[Mapping[str, str]] = {}
    http: ClassVar[bool] = True
    key_header: ClassVar[str | None] = "authorization"
    key_setting: ClassVar[str] = "api_key"
    base_path: ClassVar[str] = ""
    model: ClassVar[str] = "contract-model"
    streams: ClassVar[bool] = True
    tools: ClassVar[bool] = True
    lists_models: ClassVar[bool] = True
    answers: ClassVar[Mapping[str, Script]] = {}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {}

    @pytest.fixture
    async def stage(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Stage]:
        transport = Http1Transport()
        context = factories.context("contract", "provider", transport=transport)
        async with ScriptedProvider() as upstream:
            table = self.wired(self.make_table(tmp_path), upstream.url)
            try:
                async with factories.running(factories.build(self.plugin, table, context)) as provider:
                    yield Stage(provider, upstream)
            finally:
                await transport.aclose()

    def settings(self, directory: Path) -> Mapping[str, Any]:
        return self.wired(self.make_table(directory), "http://127.0.0.1:1")

    def wired(self, table: Mapping[str, Any], url: str) -> dict[str, Any]:
        """The table with the address of the upstream and a key in it."""
        if not self.http:
            return dict(table)
        wired = {**table, "base_url": url + self.base_path}
        return wired if self.key_header is None else {**wired, self.key_setting: samples.SECRET}

    def chats(self) -> list[str]:
        """The dialects under test that hold conversations."""
        return [name for name in self.paths if factories.find_dialect(name).operation == "chat" and name in self._answers()]

    def _answers(self) -> Mapping[str, Script]:
        counting = ("anthropic.count_tokens",)  # an operation of its own, without streams
        return {name: script for name, script in {**CANNED, **self.answers}.items() if name not in counting}

    def wire(self, stage: Stage, dialect: str) -> Wire:
        return Wire(stage.provider, factories.find_dialect(dialect), self.model)

    def needs(self, capability: bool, what: str) -> None:
        if not capability:
            pytest.skip(f"this provider has no {what}")

    def test_it_says_which_dialects_it_speaks(self, tmp_path: Path) -> None:
        provider = self.make(tmp_path)
        assert isinstance(provider, Provider)
        assert provider.name == "contract"
        assert self.paths, "give the `paths` to be tested, by dialect"
        assert set(self.paths) <= set(provider.dialects)

    @pytest.mark.anyio
    async def test_a_whole_answer_arrives(self, stage: Stage) -> None:
        for name in self.chats():
            wire = self.wire(stage, name)
            stage.upstream.then(self._answers()[name])
            response = await wire.answer(samples.request(name, "hi"))
            decoded = wire.dialect.decode_response(await response.read())
            said = "".join(part.text for part in decoded.choices[0].parts if isinstance(part, Text))
            assert said == TEXT if self.http else said, name

    @pytest.mark.anyio
    async def test_a_stream_arrives_and_ends(self, stage: Stage) -> None:
        self.needs(self.streams, "streams")
        for name in self.chats():
            stage.upstream.then(self._answers()[name])
            events = await self.wire(stage, name).events(samples.request(name, "hi", stream=True))
            grammar = Grammar()
            said = "".join(event.value for event in map(grammar.check, events) if isinstance(event, Delta))
            assert isinstance(events[-1], End), f"{name}: the stream ended with {events[-1:]}"
            assert said == TEXT if self.http else said, name

    @pytest.mark.anyio
    async def test_the_request_goes_to_its_path_with_the_model_and_the_key(self, stage: Stage) -> None:
        self.needs(self.http, "upstream of its own")
        for name, path in self.paths.items():
            stage.upstream.then({**CANNED, **self.answers}[name])
            await (await self.wire(stage, name).call(samples.for_operation(name)).response()).read()
            received = stage.upstream.last
            assert received.path.partition("?")[0] == self.base_path + path, name
            assert received.headers["content-type"].startswith("application/json")
            assert self.model.encode() in received.body or self.model in received.path, name
            self.check_key(received.headers)

    def check_key(self, headers: Mapping[str, str]) -> None:
        """The key is in its header, whole, and in no other."""
        carrying = {name: value for name, value in headers.items() if samples.SECRET in value}
        bearer = self.key_header == "authorization"
        expected = {} if self.key_header is None else {self.key_header: ("Bearer " if bearer else "") + samples.SECRET}
        assert carrying == expected

    @pytest.mark.anyio
    async def test_tools_go_through(self, stage: Stage) -> None:
        self.needs(self.http and self.tools, "tools to pass on")
        for name in self.chats():
            stage.upstream.then(self._answers()[name])
            body = samples.with_tools(name)
            await (await self.wire(stage, name).answer(body)).read()
            sent = stage.upstream.last.json()
            assert sent["tools"] == body["tools"], name

    @pytest.mark.anyio
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_an_error_is_called_by_its_kind(self, stage: Stage, fault: str) -> None:
        self.needs(self.http, "upstream of its own")
        for name in self.chats():
            expected = {**faults(name), **self.errors.get(name, {})}.get(fault)
            if expected is None:
                continue
            stage.upstream.then(expected.script)
            error = await self.failing(self.wire(stage, name), samples.request(name, "hi"))
            assert error.kind == expected.kind, f"{name}: {error}"
            assert error.status == expected.script.status, name
            assert error.retry_after == expected.retry_after, name

    async def failing(self, wire: Wire, body: Mapping[str, Any]) -> UpstreamError:
        """The error of a call that fails. It must not have the key in it."""
        with pytest.raises(UpstreamError) as raised:
            await (await wire.answer(body)).read()
        error = raised.value
        shown = f"{error} {error!r} {vars(error)}"
        assert samples.SECRET not in shown
        return error

    @pytest.mark.anyio
    async def test_a_refused_connection_is_unavailable(self, stage: Stage) -> None:
        self.needs(self.http, "upstream of its own")
        await stage.upstream.__aexit__()
        for name in self.chats():
            assert (await self.failing(self.wire(stage, name), samples.request(name, "hi"))).kind == "unavailable"

    @pytest.mark.anyio
    async def test_a_stream_that_is_cut_is_a_failure(self, stage: Stage) -> None:
        self.needs(self.http and self.streams, "streams of an upstream")
        for name in self.chats():
            stage.upstream.then(self._answers()[name].but(cut_events=2))
            events = await self.wire(stage, name).events(samples.request(name, "hi", stream=True))
            assert isinstance(events[-1], Failure), f"{name}: the cut stream ended with {events[-1:]}"
            assert events[-1].error.kind == "cut", name

    @pytest.mark.anyio
    async def test_aborting_before_the_answer_closes_the_connection(self, stage: Stage) -> None:
        self.needs(self.http, "upstream of its own")
        for count, name in enumerate(self.chats(), 1):
            stage.upstream.then(self._answers()[name].but(delay=30.0))
            call = self.wire(stage, name).call(samples.request(name, "hi"))
            waiting = asyncio.ensure_future(call.response())
            received = await stage.upstream.arrived(count)
            await self.check_closed(call, received)
            with pytest.raises(UpstreamError):
                await waiting

    @pytest.mark.anyio
    async def test_aborting_a_stream_closes_the_connection(self, stage: Stage) -> None:
        self.needs(self.http and self.streams, "streams of an upstream")
        for name in self.chats():
            script = self._answers()[name]
            stage.upstream.then(script.but(pause=0.01, events=(*script.events[:2], *[b": wait\n\n"] * 3000)))
            response = await self.wire(stage, name).answer(samples.request(name, "hi", stream=True))
            assert await response.next()
            await self.check_closed(response, stage.upstream.last)

    async def check_closed(self, aborted: Any, received: Any) -> None:
        began = time.monotonic()
        aborted.abort()
        try:
            async with asyncio.timeout(1):
                await received.gone.wait()
        except TimeoutError:
            pytest.fail("the upstream's connection was still open a second after `abort`")
        took = received.gone_at - began
        assert took <= AT_ONCE, f"the upstream's connection was closed after {took:.3f} s"

    @pytest.mark.anyio
    async def test_the_key_is_never_shown(self, capfd: Any, caplog: Any, stage: Stage) -> None:
        caplog.set_level(0)
        for name in self.chats():
            stage.upstream.then(self._answers()[name])
            await (await self.wire(stage, name).answer(samples.request(name, "hi"))).read()
        provider = stage.provider
        held: list[Any] = [provider, *vars(provider).values()]
        held += [item for value in held if isinstance(value, dict) for item in value.values()]  # pyright: ignore[reportUnknownVariableType]
        printed = capfd.readouterr()
        shown = " ".join(text for item in held for text in (self.shown(item)))
        assert samples.SECRET not in f"{shown} {caplog.text} {printed.out} {printed.err}"

    def shown(self, item: Any) -> tuple[str, str]:
        """As a log would print it. Plain tuples and dictionaries of headers are not printed by anybody."""
        return ("", "") if isinstance(item, tuple | dict | bytes) else (str(item), repr(item))

    @pytest.mark.anyio
    async def test_models_are_listed(self, stage: Stage) -> None:
        self.needs(self.lists_models, "list of models")
        models = await stage.provider.list_models()
        assert all(isinstance(model, str) and model for model in models)

    @pytest.mark.anyio
    async def test_embeddings_arrive(self, stage: Stage) -> None:
        self.needs("openai.embeddings" in self.paths, "embeddings")
        response = await self.wire(stage, "openai.embeddings").answer(samples.for_operation("openai.embeddings"))
        assert b'"embedding"' in await response.read()
