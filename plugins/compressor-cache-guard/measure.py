"""What caching alone saves for clients that do not cache: replays recorded conversations through the plugin and a model of a prompt cache.

    python measure.py DIRECTORY/*.jsonl.gz

Each line of a file is a conversation: `format` (anthropic or openai), `system`, `tools_ref`, `messages`; tools are in `tools/` beside.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from lynkr_compressor_cache_guard import CacheGuard, plugin
from lynkr_core.cards import Price
from lynkr_core.pricing import asked, rates_of
from lynkr_core.request import Request, Usage
from lynkr_core.testing import factories
from lynkr_core.testing.promptcache import PromptCache
from lynkr_tokens import count

PRICE = Price(input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6)
PAUSE = 7.0
FRONTS = {"anthropic": "anthropic.messages", "openai": "openai.chat"}


class ClaudeOnly(factories.NamedProvider):
    dialects = ("anthropic.messages",)


def bodies(talk: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """What the client sends before each answer, without any mark."""
    tools = [tool for ref in talk["tools_ref"] for tool in tools_of(folder / "tools", ref)]
    system = talk.get("system")
    for place, message in enumerate(talk["messages"]):
        if message["role"] != "assistant" or not place:
            continue
        said = talk["messages"][:place]
        if talk["format"] == "anthropic":
            yield (
                {"model": "m", "max_tokens": 4096, "messages": said}
                | ({"system": system} if system else {})
                | ({"tools": tools} if tools else {})
            )
        else:
            before = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
            yield {"model": "m", "messages": [*before, *said]} | ({"tools": tools} if tools else {})


@cache
def tools_of(folder: Path, ref: str) -> list[dict[str, Any]]:
    name, _, prefix = ref.partition("@")
    found = json.loads((folder / f"{name}.json").read_text())
    found = found["tools"] if isinstance(found, dict) else found
    return [{**tool, "name": prefix + tool["name"]} if "name" in tool else tool for tool in found]


async def replay(
    talk: dict[str, Any], folder: Path, guard: CacheGuard, count: Any
) -> tuple[int, float, float, float, list[float]]:
    """Turns, millionths of USD for the input without and with the plugin, tokens sent again that were kept, milliseconds."""
    kept, now, turns, plain, paid, missed, spent = PromptCache(count), 0.0, 0, 0.0, 0.0, 0.0, list[float]()
    candidate = factories.Candidate(provider=ClaudeOnly("anthropic"), model="claude-x", price=PRICE)
    dialect, before = factories.find_dialect("anthropic.messages"), 0
    for body in bodies(talk, folder):
        exchange = factories.exchange(
            body, dialect=FRONTS[talk["format"]], headers={"x-lynkr-session": talk["id"]}, served=(candidate,)
        )
        exchange.created, now = now + 1, now + PAUSE
        request: Request = exchange.request
        began = time.perf_counter()
        made = await guard.transform_request(exchange, request, candidate) or request
        spent.append((time.perf_counter() - began) * 1000)
        wire = msgspec.json.decode(msgspec.json.encode(dialect.encode_request(made, [])))
        usage = kept.bill(wire, now)
        turns, paid = turns + 1, paid + asked(usage, rates_of(PRICE, usage))
        plain += asked(Usage(input_tokens=usage.input_tokens), rates_of(PRICE, usage))
        missed, before = missed + max(before - usage.cache_read, 0), usage.cache_read + usage.cache_write
    return turns, plain, paid, missed, spent


def lines(name: str) -> list[bytes]:
    return gzip.decompress(Path(name).read_bytes()).splitlines()


async def main() -> None:
    counted: dict[str, int] = {}

    def remembered(text: str) -> int:
        if text not in counted:
            counted[text] = count([text])[0]
        return counted[text]

    for name in sys.argv[1:]:
        path, guard = Path(name), factories.build(plugin, {}, factories.context("cache-guard", "compressor"))
        turns, plain, paid, missed, spent, talks = 0, 0.0, 0.0, 0.0, list[float](), 0
        for line in lines(name):
            told = await replay(json.loads(line), path.parent, guard, remembered)
            turns, plain, paid, missed = turns + told[0], plain + told[1], paid + told[2], missed + told[3]
            spent += told[4]
            talks += 1
        spent.sort()
        sys.stdout.write(
            f"{path.name}: {talks} conversations, {turns} turns: ${plain / 1e6:.2f} -> ${paid / 1e6:.2f} ({paid / plain - 1:+.1%}), "
            f"{missed:.0f} kept tokens not found again, p50 {spent[len(spent) // 2]:.2f} ms, p95 {spent[len(spent) * 95 // 100]:.2f} ms\n"
        )


asyncio.run(main())
