"""What every counter of tokens must keep to."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from lynkr_core.plugins import Context
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.outputs import ODD
from lynkr_core.testing.contracts.samples import TEXTS

PIECES = ("a", " ", "\n", "🤷🏽‍♀️", "<|endoftext|>", "ab", "\x00", "1", "é", "\u202e", "=-")
SLOW = 1.0
"""Seconds of the processor up to which nobody asks why."""


class TokensContract(Contract):
    """While the plugin is entered, `context.tokens` counts with it."""

    kind = "tokens"

    def make_context(self) -> Context:
        self.context = factories.context("contract", self.kind)
        return self.context

    @pytest.fixture
    async def counting(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    @pytest.mark.anyio
    async def test_every_text_has_a_count_and_the_empty_one_none(self, counting: Any) -> None:
        for name, text in {**TEXTS, **ODD, "lone surrogate": "a\ud800b"}.items():
            found = self.context.tokens.count(text)
            assert 0 < found <= 4 * len(text) if text else found == 0, f"{name}: {found} tokens"

    @pytest.mark.anyio
    async def test_texts_are_counted_each_by_itself(self, counting: Any) -> None:
        texts = [*TEXTS.values(), *ODD.values()]
        assert self.context.tokens.count(*texts) == sum([self.context.tokens.count(text) for text in texts])

    @pytest.mark.anyio
    async def test_no_text_makes_it_slow(self, counting: Any) -> None:
        for piece in PIECES:
            self.seconds(piece * 1_000)
            small, large = self.seconds(piece * 40_000), self.seconds(piece * 400_000)
            assert large < max(60 * small, SLOW), f"{piece!r}: {small:.4f} s, and {large:.4f} s for ten times as much"

    def seconds(self, text: str) -> float:
        began = time.process_time()
        self.context.tokens.count(text)
        return time.process_time() - began
