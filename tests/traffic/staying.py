"""What recorded conversations would cost: staying with one model, switching with every score, or as `selector-sticky` says.

python -m tests.traffic.staying [FOLDER]      prints the table
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec

from lynkr_core.config import parse
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome
from lynkr_core.kernel import Kernel
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_selector_sticky.turns import is_mid_tools
from tests.traffic.conversations import FOLDERS, body_of

TOML = """
[provider.cheap]
use = "echo"
[provider.good]
use = "echo"
[provider.dear]
use = "echo"
[tiers]
simple = ["cheap/m"]
medium = ["good/m"]
complex = ["dear/m"]
[prices]
"cheap/m" = { CHEAP }
"good/m" = { GOOD }
"dear/m" = { DEAR }
[scorer.heuristic]
[selector.tiers]
[selector.sticky]
"""
PRICES = {
    "writes cost": (
        "input = 1, output = 5, cache_read = 0.1, cache_write = 1.25",
        "input = 3, output = 15, cache_read = 0.3, cache_write = 3.75",
        "input = 15, output = 75, cache_read = 1.5, cache_write = 18.75",
    ),
    "writes are free": (
        "input = 0.25, output = 2, cache_read = 0.025",
        "input = 1.25, output = 10, cache_read = 0.125",
        "input = 5, output = 30, cache_read = 0.5",
    ),
    "no cache": ("input = 0.25, output = 2", "input = 1.25, output = 10", "input = 5, output = 30"),
    "one is local": (
        "input = 0, output = 0",
        "input = 3, output = 15, cache_read = 0.3, cache_write = 3.75",
        "input = 5, output = 25, cache_read = 0.5, cache_write = 6.25",
    ),
}
"""USD per million tokens, of the kinds that providers have."""
STEP, PAUSE, KEPT = 7.0, 90.0, 300.0
"""Seconds between two steps of an agent, before a human's turn, and until a provider forgets a prompt."""
BYTES_PER_TOKEN = 4
POLICIES = ("sticky", "stay", "switch", "first")
"""None changes the model in the middle of a tool exchange. `stay` climbs with the score and never comes down, `switch` follows it both ways.

`first` keeps the first model whatever comes: what it would cost without a thought of quality. `sticky` serves an ask that is near a
bound by less than its score wants, the others but `first` do not.
"""


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


class Account:
    """What one policy has spent on one conversation, with each model's prompt cache as providers keep it."""

    def __init__(self) -> None:
        self.usd = 0.0
        self.switches = 0
        self.model: Candidate | None = None
        self.warm: dict[str, tuple[int, float]] = {}

    def serve(self, candidate: Candidate, tokens: int, said: int, now: float) -> Usage:
        warm, at = self.warm.get(candidate.id, (0, 0.0))
        read = min(warm, tokens) if now - at <= KEPT else 0
        usage = Usage(input_tokens=tokens, output_tokens=said, cache_read=read, cache_write=tokens - read)
        self.usd += cost(usage, candidate.price) or 0.0
        self.switches += self.model is not None and self.model is not candidate
        self.model, self.warm[candidate.id] = candidate, (tokens, now)
        return usage


def records(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl*")):
        if not file.name.startswith("tool_results"):
            with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as lines:
                yield from map(json.loads, lines)


class Rerun:
    """Leads conversations through a whole kernel, up to the provider."""

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        self.kernel = kernel
        self.folder = folder
        self.clock = Clock()
        for plugin in kernel.plugins:
            if plugin.id == "selector.sticky":
                plugin.instance.clock = plugin.instance.pins._clock = self.clock

    async def run(self, record: dict[str, Any]) -> dict[str, Account]:
        accounts = {policy: Account() for policy in POLICIES}
        front = {"openai": "openai.chat", "anthropic": "anthropic.messages"}[record["format"]]
        tools = [tool for name in record["tools_ref"] for tool in self.tools(name)]
        for place, message in enumerate(record["messages"]):
            if message["role"] == "assistant" and place:
                body = body_of(front, record["system"], record["messages"][:place], tools) | {"model": "auto"}
                said = max(len(json.dumps(message)) // BYTES_PER_TOKEN, 1)
                await self.turn(accounts, front, msgspec.json.encode(body), record["id"], said)
        return accounts

    def tools(self, name: str) -> list[Any]:
        return json.loads((self.folder / "tools" / f"{name.partition('@')[0]}.json").read_text())["tools"]

    async def turn(self, accounts: dict[str, Account], front: str, body: bytes, session: str, said: int) -> None:
        exchange = Exchange(self.kernel.dialects[front], "/", {b"x-lynkr-session": session.encode()}, body)
        await self.kernel.decide(exchange)
        assert exchange.selection is not None
        assert exchange.score is not None
        mid = is_mid_tools(exchange.request.messages)
        self.clock.now += STEP if mid else PAUSE
        tiers = self.kernel.catalog.tiers
        fresh = tiers.candidates(tiers.of(exchange.score))[0]
        stay, first = accounts["stay"].model or fresh, accounts["first"].model or fresh
        switch = (accounts["switch"].model if mid else None) or fresh
        rank = tiers.fallbacks("simple").index
        chosen = {
            "sticky": exchange.selection.order[0], "switch": switch, "first": first, "stay": stay if mid else max(stay, fresh, key=rank)
        }  # fmt: skip
        tokens = len(body) // BYTES_PER_TOKEN
        usages = {name: accounts[name].serve(model, tokens, said, self.clock.now) for name, model in chosen.items()}
        served = chosen["sticky"]
        outcome = Outcome(status="ok", http_status=200, candidate=served, usage=usages["sticky"], attempts=[Attempt(served)])
        for call in self.kernel.hooks.post_response.calls:
            call.function(exchange, outcome)


async def totals(folder: Path, prices: str, settings: str = "") -> dict[str, Account]:
    """Of all conversations in a folder, each policy's dollars and switches."""
    spent = {policy: Account() for policy in POLICIES}
    toml = TOML
    for name, told in zip(("CHEAP", "GOOD", "DEAR"), PRICES[prices], strict=True):
        toml = toml.replace(name, told)
    async with Kernel.from_config(parse(toml + settings, {}), {}) as kernel:
        rerun = Rerun(kernel, folder)
        for record in records(folder):
            for policy, account in (await rerun.run(record)).items():
                spent[policy].usd += account.usd
                spent[policy].switches += account.switches
    return spent


if __name__ == "__main__":
    for place in [Path(argument) for argument in sys.argv[1:]] or [folder for folder in FOLDERS if folder.exists()]:
        for prices in PRICES:
            spent = anyio.run(totals, place, prices)
            told = [f"{policy} ${account.usd:.3f} ({account.switches} switches)" for policy, account in spent.items()]
            print(f"{place.name}, {prices}: {', '.join(told)}")
