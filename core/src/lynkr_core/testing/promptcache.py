"""A provider's prompt cache, as Anthropic documents it: what it would bill for a body as it comes over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from lynkr_core.request import Usage

LOOKED_BACK = 20
SECONDS = {"5m": 300.0, "1h": 3600.0}


class PromptCache:
    """`count` gives the tokens of a text. `bill` tells what a body costs at `now` seconds, and keeps what it marks."""

    def __init__(self, count: Callable[[str], int], smallest: int = 1024) -> None:
        self._count = count
        self._smallest = smallest
        self._kept: dict[bytes, tuple[float, float]] = {}  # until when, and for how long each time

    def bill(self, body: dict[str, Any], now: float = 0.0) -> Usage:
        so_far, total = blake2b(digest_size=16), 0
        ends: list[tuple[bytes, int]] = []
        marks: list[tuple[int, str]] = []
        for place, (block, mark) in enumerate(blocks(body)):
            text = msgspec.json.encode(block)
            so_far.update(len(text).to_bytes(4, "big") + text)
            total += self._count(text.decode())
            ends.append((so_far.digest(), total))
            if mark is not None:
                marks.append((place, mark.get("ttl", "5m")))
        assert len(marks) <= 4, "a provider refuses more than four marks"
        lengths = [ttl for _, ttl in marks]
        assert lengths == sorted(lengths), "an hour must stand before five minutes"
        hit = self._read(ends, marks, now)
        usable = [(place, ttl) for place, ttl in marks if ends[place][1] >= self._smallest]
        last = ends[usable[-1][0]][1] if usable else hit
        hours = [ends[place][1] for place, ttl in usable if ttl == "1h"]
        for place, ttl in usable:
            self._kept[ends[place][0]] = (now + SECONDS[ttl], SECONDS[ttl])
        written = max(last - hit, 0)
        return Usage(
            input_tokens=total, cache_read=hit, cache_write=written,
            cache_write_1h=min(max(max(hours, default=0) - hit, 0), written),
        )  # fmt: skip

    def _read(self, ends: list[tuple[bytes, int]], marks: list[tuple[int, str]], now: float) -> int:
        """Tokens of the longest prefix that is kept, and near enough before a mark."""
        for place, _ in reversed(marks):
            for back in range(place, max(place - LOOKED_BACK, -1), -1):
                until, seconds = self._kept.get(ends[back][0], (0.0, 0.0))
                if now < until:
                    self._kept[ends[back][0]] = (now + seconds, seconds)
                    return ends[back][1]
        return 0


def blocks(body: dict[str, Any]) -> Iterator[tuple[Any, dict[str, str] | None]]:
    """Everything that is read, in its order, without its marks, and those."""
    for tool in body.get("tools") or ():
        yield unmarked(tool)
    system = body.get("system") or ()
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        yield unmarked(block)
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            bare, mark = unmarked(block)
            yield [message["role"], bare], mark


def unmarked(block: dict[str, Any]) -> tuple[Any, dict[str, str] | None]:
    return {key: value for key, value in block.items() if key != "cache_control"}, block.get("cache_control")
