"""What every provider that speaks HTTP must keep to, run against a scripted one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.events import Failure
from lynkr_core.provider import Provider
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, TEXT, Fault, Script, faults
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.serving import AT_ONCE, ServingContract
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.scripted import Received, ScriptedProvider
from lynkr_core.testing.waiting import SOON, least
from lynkr_core.upstream.http1 import Http1Transport

FAULTS = ("401", "404", "429", "500", "529", "context", "content", "html")


class Stage(NamedTuple):
    """A provider before its scripted upstream."""

    provider: Provider
    upstream: ScriptedProvider


class ProviderContract(ServingContract):
    """`paths`: the path under the base URL for each dialect that is tested. `key_header`: which header carries the key, or None.
    `content_type`: what it says that a request's body is.

    `answers` and `errors` have scripts for dialects that `canned.py` does not know, `listing` is its own way to list models, `beside` has
    what other paths answer, such as the one that gives tokens or tells how a job gets on. A provider from which nothing leaves the
    process has a suite of its own, `offline.OfflineProviderContract`.
    """

    paths: ClassVar[Mapping[str, str]] = {}
    key_header: ClassVar[str | None] = "authorization"
    key_setting: ClassVar[str] = "api_key"
    base_path: ClassVar[str] = ""
    content_type: ClassVar[str] = "application/json"
    listing: ClassVar[Script | None] = None
    answers: ClassVar[Mapping[str, Script]] = {}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {}
    beside: ClassVar[Mapping[str, Script]] = {}

    @pytest.fixture
    async def stage(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Stage]:
        transport = Http1Transport()
        context = factories.context("contract", "provider", transport=transport)
        async with ScriptedProvider(self.beside) as upstream:
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
        wired = {**table, "base_url": url + self.base_path}
        return wired if self.key_header is None else {**wired, self.key_setting: samples.SECRET}

    def spoken(self) -> Iterable[str]:
        return self.paths

    def chats(self) -> list[str]:
        return [name for name in super().chats() if name in self._answers()]

    def _answers(self) -> Mapping[str, Script]:
        return {**CANNED, **self.answers}

    def rehearse(self, stage: Stage, dialect: str) -> None:
        stage.upstream.then(self._answers()[dialect])

    def rehearse_listing(self, stage: Stage) -> None:
        if self.listing is not None:
            stage.upstream.then(self.listing)

    def check_said(self, said: str, dialect: str) -> None:
        assert said == TEXT, dialect

    def wire(self, stage: Stage, dialect: str) -> Wire:
        return self.wire_of(stage.provider, dialect)

    @pytest.mark.anyio
    async def test_the_request_goes_to_its_path_with_the_model_and_the_key(self, stage: Stage) -> None:
        for name, path in self.paths.items():
            self.rehearse(stage, name)
            await (await self.wire(stage, name).call(samples.for_operation(name)).response()).read()
            received = stage.upstream.last
            assert received.path.partition("?")[0] == self.base_path + path, name
            assert received.headers["content-type"].startswith(self.content_type)
            assert self.model.encode() in received.body or self.model in received.path, name
            self.check_key(received.headers)

    @pytest.mark.anyio
    async def test_what_is_passed_on_goes_under_its_base_url_with_its_key(self, stage: Stage) -> None:
        stage.upstream.then(Script(body=b"theirs"))
        call = stage.provider.raw("PUT", "/its/own?a=1", ((b"content-type", b"text/plain"), (b"x-mine", b"1")), b"as it is")
        assert await (await call.response()).read() == b"theirs"
        received = stage.upstream.last
        assert (received.method, received.body) == ("PUT", b"as it is")
        assert "/its/own?a=1" in received.path
        assert (received.headers["content-type"], received.headers["x-mine"]) == ("text/plain", "1")
        self.check_key(received.headers)

    def check_key(self, headers: Mapping[str, str]) -> None:
        """The key is in its header, whole, and in no other."""
        carrying = {name: value for name, value in headers.items() if samples.SECRET in value}
        bearer = self.key_header == "authorization"
        expected = {} if self.key_header is None else {self.key_header: ("Bearer " if bearer else "") + samples.SECRET}
        assert carrying == expected

    @pytest.mark.anyio
    async def test_tools_go_through(self, stage: Stage) -> None:
        self.needs(self.tools, "tools to pass on")
        for name in self.chats():
            self.rehearse(stage, name)
            body = samples.with_tools(name)
            await (await self.wire(stage, name).answer(body)).read()
            assert self.tools_in(stage.upstream.last.json()) == body["tools"], name

    def tools_in(self, sent: dict[str, Any]) -> Any:
        """The tools of a request that came to the provider, as the caller wrote them."""
        return sent["tools"]

    @pytest.mark.anyio
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_an_error_is_called_by_its_kind(self, stage: Stage, fault: str) -> None:
        for name in self.chats():
            expected = {**faults(name), **self.errors.get(name, {})}.get(fault)
            if expected is None:
                continue
            stage.upstream.always(expected.script)  # who renews a refused token asks twice
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
        await stage.upstream.__aexit__()
        for name in self.chats():
            assert (await self.failing(self.wire(stage, name), samples.request(name, "hi"))).kind == "unavailable"

    @pytest.mark.anyio
    async def test_a_stream_that_is_cut_is_a_failure(self, stage: Stage) -> None:
        self.needs(self.streams, "streams")
        for name in self.chats():
            stage.upstream.then(self._answers()[name].but(cut_events=2))
            events = await self.wire(stage, name).events(samples.request(name, "hi", stream=True))
            assert isinstance(events[-1], Failure), f"{name}: the cut stream ended with {events[-1:]}"
            assert events[-1].error.kind == "cut", name

    @pytest.mark.anyio
    async def test_aborting_before_the_answer_closes_the_connection(self, stage: Stage) -> None:
        for name in self.chats():
            await self.check_at_once(partial(self.aborted_waiting, stage, name))

    async def aborted_waiting(self, stage: Stage, name: str) -> float:
        stage.upstream.then(self._answers()[name].but(delay=60.0))
        call, before = self.wire(stage, name).call(samples.request(name, "hi")), len(stage.upstream.requests)
        waiting = asyncio.ensure_future(call.response())
        took = await self.closed(call, await stage.upstream.arrived(before + 1))
        with pytest.raises(UpstreamError):
            await waiting
        return took

    @pytest.mark.anyio
    async def test_aborting_a_stream_closes_the_connection(self, stage: Stage) -> None:
        self.needs(self.streams, "streams")
        for name in self.chats():
            await self.check_at_once(partial(self.aborted_reading, stage, name))

    async def aborted_reading(self, stage: Stage, name: str) -> float:
        script = self._answers()[name]
        stage.upstream.then(script.but(pause=0.01, events=(*script.events[:2], *[b": wait\n\n"] * 3000)))
        response = await self.wire(stage, name).answer(samples.request(name, "hi", stream=True))
        assert await response.next()
        return await self.closed(response, stage.upstream.last)

    async def closed(self, aborted: Any, received: Received) -> float:
        """Seconds until the upstream saw it."""
        began = time.monotonic()
        aborted.abort()
        try:
            async with asyncio.timeout(SOON):
                await received.gone.wait()
        except TimeoutError:
            pytest.fail(f"the upstream's connection was still open {SOON:g} s after `abort`")
        assert received.gone_at is not None
        return received.gone_at - began

    async def check_at_once(self, aborting: Callable[[], Awaitable[float]]) -> None:
        took = await least(aborting, AT_ONCE)
        assert took <= AT_ONCE, f"the upstream's connection was closed after {took:.3f} s or more, each time"

    @pytest.mark.anyio
    async def test_the_key_is_never_shown(self, capfd: Any, caplog: Any, stage: Stage) -> None:
        caplog.set_level(0)
        for name in self.chats():
            self.rehearse(stage, name)
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
