"""What every provider must keep to, whether it speaks HTTP or answers by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from lynkr_core.events import Delta, End, Grammar
from lynkr_core.provider import Provider
from lynkr_core.request import Text
from lynkr_core.testing import factories
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.wire import Wire

AT_ONCE = 0.1
"""Seconds within which an aborted call must have ended; the machine may be busy, so the best of several is judged."""
COUNTING = "anthropic.count_tokens"


class ServingContract(Contract):
    """The part that all providers have in common; subclass `ProviderContract` or `OfflineProviderContract`.

    A suite gives `spoken` and the fixture `stage`, whose `provider` is the one under test.
    """

    kind = "provider"
    model: ClassVar[str] = "contract-model"
    streams: ClassVar[bool] = True
    tools: ClassVar[bool] = True
    lists_models: ClassVar[bool] = True

    def spoken(self) -> Iterable[str]:
        """The dialects under test."""
        raise NotImplementedError

    def rehearse(self, stage: Any, dialect: str) -> None:
        """Called before each call that must succeed."""

    def rehearse_listing(self, stage: Any) -> None:
        """Called before the models are listed."""

    def check_said(self, said: str, dialect: str) -> None:
        """Whether the answer to `hi` is the right one."""
        assert said, dialect

    def chats(self) -> list[str]:
        """The dialects under test that hold conversations."""
        return [name for name in self.spoken() if factories.find_dialect(name).operation == "chat"]

    def wire_of(self, provider: Provider, dialect: str) -> Wire:
        return Wire(provider, factories.find_dialect(dialect), self.model)

    def needs(self, capability: bool, what: str) -> None:
        if not capability:
            pytest.skip(f"this provider has no {what}")

    def test_it_says_which_dialects_it_speaks(self, tmp_path: Path) -> None:
        provider = self.make(tmp_path)
        assert isinstance(provider, Provider)
        assert provider.name == "contract"
        assert list(self.spoken()), "say which dialects are to be tested"
        assert set(self.spoken()) <= set(provider.dialects)

    @pytest.mark.anyio
    async def test_a_whole_answer_arrives(self, stage: Any) -> None:
        for name in self.chats():
            wire = self.wire_of(stage.provider, name)
            self.rehearse(stage, name)
            response = await wire.answer(samples.request(name, "hi"))
            decoded = wire.dialect.decode_response(await response.read())
            self.check_said("".join(part.text for part in decoded.choices[0].parts if isinstance(part, Text)), name)

    @pytest.mark.anyio
    async def test_a_stream_arrives_and_ends(self, stage: Any) -> None:
        self.needs(self.streams, "streams")
        for name in self.chats():
            self.rehearse(stage, name)
            events = await self.wire_of(stage.provider, name).events(samples.request(name, "hi", stream=True))
            grammar = Grammar()
            said = "".join(event.value for event in map(grammar.check, events) if isinstance(event, Delta))
            assert isinstance(events[-1], End), f"{name}: the stream ended with {events[-1:]}"
            self.check_said(said, name)

    @pytest.mark.anyio
    async def test_models_are_listed(self, stage: Any) -> None:
        self.needs(self.lists_models, "list of models")
        self.rehearse_listing(stage)
        models = await stage.provider.list_models()
        assert models
        assert all(isinstance(model, str) and model for model in models)

    @pytest.mark.anyio
    async def test_embeddings_arrive(self, stage: Any) -> None:
        self.needs("openai.embeddings" in self.spoken(), "embeddings")
        self.rehearse(stage, "openai.embeddings")
        wire = self.wire_of(stage.provider, "openai.embeddings")
        response = await wire.answer(samples.for_operation("openai.embeddings"))
        assert b'"embedding"' in await response.read()

    @pytest.mark.anyio
    async def test_tokens_are_counted(self, stage: Any) -> None:
        self.needs(COUNTING in self.spoken(), "token counts")
        self.rehearse(stage, COUNTING)
        response = await self.wire_of(stage.provider, COUNTING).answer(samples.for_operation(COUNTING))
        assert msgspec.json.decode(await response.read())["input_tokens"] > 0
