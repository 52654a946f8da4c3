"""What every extension must keep to: it takes every request of every front, and lets nothing secret out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.errors import GatewayError
from lynkr_core.exchange import Exchange, Reject, Reply
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap, call, hooks_of
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.waiting import least

PROMPT = "planted-prompt-a81d"
LONGEST = 0.05
"""Seconds for which an extension may stop the loop, at the best of several requests."""


class ExtensionContract(Contract):
    """An extension may do anything its hooks allow; these are the things that none may do."""

    kind = "extension"

    @pytest.fixture
    async def extension(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    def test_it_has_a_hook(self, tmp_path: Path) -> None:
        assert hooks_of(self.make(tmp_path))

    @pytest.mark.anyio
    async def test_every_request_of_every_front_is_taken(self, extension: Any) -> None:
        for dialect in samples.DIALECTS:
            for name, body in samples.requests(dialect).items():
                for stream in (False, True):
                    await self.admit(extension, self.exchange(dialect, {**body, "stream": stream}), f"{dialect} {name}")

    async def admit(self, extension: Any, exchange: Exchange, name: str) -> None:
        """`pre_route` where it has one: no fault, and an exchange that can still be read."""
        if "pre_route" not in hooks_of(extension):
            return
        try:
            answer = await call(extension, "pre_route", exchange)
        except GatewayError:
            return
        assert answer is None or isinstance(answer, Reply | Reject), name
        assert exchange.dialect.peek(exchange.body, exchange.path).model == exchange.envelope.model, name
        assert exchange.request.dialect == exchange.dialect.name, name

    @pytest.mark.anyio
    async def test_nothing_secret_is_printed(self, extension: Any, capfd: Any, caplog: Any) -> None:
        caplog.set_level(0)
        for dialect in samples.DIALECTS:
            await self.admit(extension, self.exchange(dialect, samples.request(dialect, PROMPT)), dialect)
        printed = capfd.readouterr()
        shown = printed.out + printed.err + caplog.text
        assert samples.SECRET not in shown
        assert PROMPT not in shown

    @pytest.mark.anyio
    async def test_the_loop_is_not_held_up(self, extension: Any) -> None:
        dialects = cycle(samples.DIALECTS)

        async def stood_still() -> float:
            dialect = next(dialects)
            exchange = self.exchange(dialect, samples.request(dialect, samples.TEXTS["200 KB"]))
            async with Gap() as gap:
                await self.admit(extension, exchange, dialect)
            return gap.longest

        seconds = await least(stood_still, LONGEST)
        assert seconds <= LONGEST, f"the loop stood still for {seconds:.3f} s or more at each request"

    def exchange(self, dialect: str, body: dict[str, Any]) -> Exchange:
        headers = {"authorization": f"Bearer {samples.SECRET}", "x-api-key": samples.SECRET}
        return factories.exchange(body, dialect=dialect, headers=headers, served=factories.candidates())
