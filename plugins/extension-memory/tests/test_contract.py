from __future__ import annotations

import time
from typing import Any, ClassVar

import pytest

from lynkr_core.exchange import ANONYMOUS
from lynkr_core.plugins import Context
from lynkr_core.request import Request
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.compressor import CompressorContract, by_message
from lynkr_core.testing.contracts.extension import ExtensionContract
from lynkr_extension_memory import plugin as entry
from lynkr_extension_memory.owners import owner_of
from lynkr_extension_memory.placing import HEAD
from lynkr_extension_memory.rows import Row, packed
from lynkr_extension_memory.words import words

KNOWN = ("The total was off by one in March, too", "My moon photos are about tides", "I prefer pictures without frames")
"""What fits the words of the suite's conversations."""


def stored() -> Stores:
    """A store in which the callers whom nobody knows have memories."""
    memory = MemoryStore()
    owner, at = owner_of(ANONYMOUS, True), time.time()
    for place, text in enumerate(KNOWN):
        row = Row(
            id=f"mem_{place}",
            who="anonymous",
            session="earlier",
            kind="fact",
            text=text,
            weight=0.6,
            at=at,
            origin=b"elsewhere",
            words=words(text),
        )
        key = f"extension.contract/{owner}/f/all/{row.id}"
        memory._values[key] = (packed(row), memory._clock() + 86_400)
    return Stores(memory)


class TestExtension(ExtensionContract):
    plugin = entry


class TestForAnybody(ExtensionContract):
    plugin = entry
    table: ClassVar[dict[str, Any]] = {"scope": "user", "anonymous": True}


class TestIdle(CompressorContract):
    """Nobody is known: nothing is changed."""

    kind = "extension"
    plugin = entry
    lossless = False


class TestRecalling(CompressorContract):
    """Each conversation has something that is recalled."""

    kind = "extension"
    plugin = entry
    table: ClassVar[dict[str, Any]] = {"scope": "user", "anonymous": True}
    changes = frozenset({"words"})
    remembers = True

    def make_context(self) -> Context:
        self.context = factories.context("contract", "extension", stores=stored())
        return self.context

    def expand(self, request: Request) -> Request:
        messages = [
            message.edit(parts=tuple([part for part in message.parts if not getattr(part, "text", "").startswith(HEAD)]))
            for message in request.messages
        ]
        return request.edit(messages=tuple(messages))

    @pytest.mark.anyio
    async def test_something_is_recalled(self, compressor: Any) -> None:
        """Or the suite would show nothing."""
        for name, dialect, bodies in self.conversations():
            turns = [await self.sent(compressor, body, dialect) for body in bodies]
            told = [HEAD in "\n".join(by_message(sent.wire)) for sent in turns]
            first = told.index(True)
            assert all(told[first:]), f"{name}: {told}"

    @pytest.mark.xfail(reason="a memory is added to the request: that is what it is for", strict=True)
    @pytest.mark.anyio
    async def test_nothing_gets_larger(self, compressor: Any) -> None:
        await super().test_nothing_gets_larger(compressor)

    @pytest.mark.anyio
    async def test_what_is_added_is_told(self, compressor: Any) -> None:
        for name, dialect, bodies in self.conversations():
            for body in bodies:
                sent = await self.sent(compressor, body, dialect)
                assert sent.exchange.saved_tokens == self.tokens(sent.original) - self.tokens(sent.wire), name
