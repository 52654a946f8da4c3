"""What every sink must keep to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest

from lynkr_core.exchange import Exchange, Outcome, Status
from lynkr_core.plugins import Context
from lynkr_core.request import Usage
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap, call
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.waiting import least

PROMPT = "planted-prompt-55c1"
LONGEST = 0.05
"""Seconds for which a sink may stop the loop, at the best of several calls."""


class SinkContract(Contract):
    """`records_text = True` for a sink whose purpose is to keep prompts and answers. `written` gives what it has let out."""

    kind = "sink"
    hook = "post_response"
    dialect: ClassVar[str] = "openai.chat"
    records_text: ClassVar[bool] = False

    def make_context(self) -> Context:
        self.journal = MemoryStore()
        stores = Stores()
        stores.add("contract", self.journal)
        return factories.context("contract", self.kind, stores=stores)

    @pytest.fixture
    async def sink(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    async def written(self, sink: Any, directory: Path) -> str:
        """All that this sink has let out: by default every file under `directory` and all of the journal."""
        return "\n".join([files(directory), *(str(record) for record in await self.journal.query(limit=10_000))])

    def outcomes(self) -> Iterable[tuple[Exchange, Outcome]]:
        """Every status, with and without a candidate, usage and price."""
        usage = Usage(input_tokens=1200, output_tokens=300, cache_read=1000)
        free, *_, unpriced = [*factories.candidates(), factories.candidate("local/unpriced")]
        for status in get_args(Status):
            yield self.exchange(), factories.outcome(status)
            for chosen in (free, unpriced):
                yield self.exchange(), factories.outcome(status, chosen=chosen)
                yield self.exchange(), factories.outcome(status, chosen=chosen, usage=usage)

    def exchange(self) -> Exchange:
        headers = {"authorization": f"Bearer {samples.SECRET}", "x-api-key": samples.SECRET, "x-lynkr-session": "s-1"}
        body = samples.request(self.dialect, PROMPT)
        return factories.exchange(body, dialect=self.dialect, headers=headers, served=factories.candidates())

    @pytest.mark.anyio
    async def test_every_outcome_is_taken(self, sink: Any) -> None:
        for exchange, outcome in self.outcomes():
            assert await call(sink, "post_response", exchange, outcome) is None

    @pytest.mark.anyio
    async def test_an_exchange_refused_before_it_was_peeked_at_is_taken(self, sink: Any) -> None:
        peeked = self.exchange()
        exchange = Exchange(peeked.dialect, peeked.path, {}, b"{")
        await call(sink, "post_response", exchange, factories.outcome("refused"))

    @pytest.mark.anyio
    async def test_nothing_secret_comes_out(self, tmp_path: Path, capfd: Any, caplog: Any) -> None:
        caplog.set_level(0)
        instance = self.make(tmp_path)
        async with factories.running(instance) as sink:
            for exchange, outcome in self.outcomes():
                await call(sink, "post_response", exchange, outcome)
            seen = await self.written(sink, tmp_path)
        printed = capfd.readouterr()
        seen += await self.written(instance, tmp_path) + printed.out + printed.err + caplog.text
        assert samples.SECRET not in seen
        assert self.records_text or PROMPT not in seen

    @pytest.mark.anyio
    async def test_the_loop_is_not_held_up(self, sink: Any) -> None:
        outcomes = cycle(self.outcomes())

        async def stood_still() -> float:
            async with Gap() as gap:
                await call(sink, "post_response", *next(outcomes))
            return gap.longest

        seconds = await least(stood_still, LONGEST)
        assert seconds <= LONGEST, f"the loop stood still for {seconds:.3f} s or more at each call"


def files(directory: Path) -> str:
    """The content of every file under a directory."""
    return "\n".join(path.read_bytes().decode(errors="replace") for path in sorted(directory.rglob("*")) if path.is_file())
