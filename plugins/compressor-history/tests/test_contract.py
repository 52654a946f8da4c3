from __future__ import annotations

from typing import Any, ClassVar

import pytest

from lynkr_compressor_history import plugin as entry
from lynkr_compressor_history.turns import weight
from lynkr_core.request import Request
from lynkr_core.testing.contracts.compressor import CompressorContract, Sent


def summaries(sent: Sent) -> list[bytes]:
    return [message for message in sent.messages if b"was left out to save room" in message]


class TestAsItIsShipped(CompressorContract):
    """None of the suite's conversations is long enough."""

    plugin = entry
    lossless = False


class TestEpochs(CompressorContract):
    """With bounds so small that every conversation of some turns is summarised."""

    plugin = entry
    table: ClassVar[dict[str, Any]] = {"dear_tokens": 300, "keep_turns": 2, "summary_tokens": 200, "least": 0.2}
    changes = frozenset({"calls", "results", "reasoning", "media", "words", "marks"})
    lossless = False
    remembers = True

    def tokens(self, request: Request) -> int:
        """Arguments of calls, thoughts and pictures are left out, too."""
        return weight(self.context.tokens, request.messages)

    def check_appended(self, sent: Sent, again: Sent) -> None:
        """Unless an epoch begins, and with it another summary."""
        if summaries(again) == summaries(sent):
            super().check_appended(sent, again)

    @pytest.mark.xfail(reason="each epoch changes once what was sent before: that is what it is for", strict=True)
    @pytest.mark.anyio
    async def test_what_was_sent_stays_as_it_was_sent(self, compressor: Any) -> None:
        await super().test_what_was_sent_stays_as_it_was_sent(compressor)

    @pytest.mark.xfail(reason="sent again, the turns just before an epoch are shortened too", strict=True)
    @pytest.mark.anyio
    async def test_the_same_request_gives_the_same_bytes(self, compressor: Any, tmp_path: Any) -> None:
        await super().test_the_same_request_gives_the_same_bytes(compressor, tmp_path)
