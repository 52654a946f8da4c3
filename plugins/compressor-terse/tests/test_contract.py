from __future__ import annotations

from typing import Any, ClassVar

import pytest
from msgspec import structs

from lynkr_compressor_terse import plugin as entry
from lynkr_compressor_terse.notes import NOTES, PROMPTS, without
from lynkr_core.request import Request
from lynkr_core.testing.contracts.compressor import CompressorContract


class TestTerse(CompressorContract):
    """It changes the prompt, which stands in messages in some dialects, and nothing else."""

    plugin = entry
    table: ClassVar[dict[str, Any]] = {"level": "full"}
    changes = frozenset({"system", "words"})
    always = True

    def expand(self, request: Request) -> Request:
        return without(request, NOTES["full"])

    def tokens(self, request: Request) -> int:
        """Without the prompt, which it says that it changes."""
        return super().tokens(structs.replace(request, messages=tuple([m for m in request.messages if m.role not in PROMPTS])))


class TestOff(TestTerse):
    """Every aspect is left alone, and nothing is added."""

    table: ClassVar[dict[str, Any]] = {"level": "off"}
    changes = frozenset()
    always = False

    @pytest.mark.anyio
    async def test_not_a_byte_is_changed(self, compressor: Any) -> None:
        for name, dialect, bodies in self.conversations():
            for body in bodies:
                sent = await self.sent(compressor, body, dialect)
                assert sent.request is sent.original, name
