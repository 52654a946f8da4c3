"""Exact token counts for every plugin that counts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, Struct

from lynkr_core.plugins import Context, Plugin

__all__ = ["Config", "ExactTokens", "count", "plugin"]

log = logging.getLogger("lynkr.tokens")
Encoding = Literal["o200k_base", "cl100k_base", "o200k_harmony", "qwen3.5"]
WARM = "The quick brown fox, 42 times."


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[tokens.default]`"""

    encoding: Annotated[Encoding, Meta(description="The vocabulary. What models count beyond it is learnt by whoever bills.")] = (
        "o200k_base"
    )


def count(texts: Sequence[str], encoding: Encoding = "o200k_base") -> Sequence[int]:
    """Tokens of each text, in time linear in its length. What looks like a control token counts as the text that it is.

    A lone surrogate, which no tokenizer takes, counts as a question mark.
    """
    from toktok import batch_count  # pyright: ignore[reportMissingTypeStubs]  # loads 66 MB, which nobody should pay who has not enabled this

    try:
        return batch_count(texts, encoding, threads=1)
    except UnicodeEncodeError:
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        return batch_count(clean, encoding, threads=1)


class ExactTokens:
    """Loads its vocabulary in a thread while the gateway starts, and then counts in the place of the estimate.

    The gateway serves only when it is there: a count that changes in the middle of a conversation would change what compressors
    send of it. Where it cannot be loaded, the estimate stays, and the log says so.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self._encoding: Encoding = config.encoding
        self._tokens = context.tokens
        self._seconds: float | None = None

    async def __aenter__(self) -> Self:
        began = time.perf_counter()
        try:
            await asyncio.to_thread(count, [WARM], self._encoding)
        except Exception as error:
            log.warning("tokens are estimated: %s cannot be loaded: %s: %s", self._encoding, type(error).__name__, error)
        else:
            self._seconds = time.perf_counter() - began
            self._tokens.use(self.count)
        return self

    async def __aexit__(self, *error: object) -> None:
        """What has been counted stays as it is: whoever still counts counts the same."""

    def count(self, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text."""
        return count(texts, self._encoding)

    def status(self) -> dict[str, Any]:
        """How tokens are counted."""
        return {"encoding": self._encoding, "exact": self._seconds is not None, "load_seconds": self._seconds}


plugin = Plugin(api=1, config=Config, create=ExactTokens)
