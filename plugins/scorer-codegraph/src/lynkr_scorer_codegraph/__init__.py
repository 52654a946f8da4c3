"""Scores how intricate the files are that a request names, from a survey of a workspace on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from math import log
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Exchange, Score
from lynkr_core.plugins import Context, Plugin
from lynkr_core.waiting import stopped
from lynkr_scorer_codegraph.facts import Facts
from lynkr_scorer_codegraph.index import Index, names_in
from lynkr_scorer_codegraph.survey import Order
from lynkr_scorer_heuristic.ask import last_ask

__all__ = ["Codegraph", "Config", "plugin"]

READ = 16_000
"""Characters of the ask that are looked through for names."""
RANGES = {
    "size": (30, 3000, 25.0),
    "branches": (5, 300, 30.0),
    "worst": (3, 40, 15.0),
    "importers": (1, 40, 15.0),
    "files": (1, 10, 15.0),
}
"""By signal: the number that counts as nothing, the one from which on it is all the same, and the points it then has."""

LEAST = 0.1
"""What the weight of the simplest files is of that of the most intricate: a plain file does not make a question about it an easy one."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[scorer.codegraph]`"""

    workspace: Annotated[str, Meta(min_length=1, description="The folder of code that requests speak of, on this machine.")]
    weight: Annotated[
        float,
        Meta(gt=0, description="How much a score of 100 counts beside other scorers'; lower ones count less in proportion."),
    ] = 1.0
    refresh: Annotated[
        float, Meta(ge=1, description="Seconds after which a request that names a file leads to a new survey.")
    ] = 60.0
    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds that the start waits for the first survey.")] = 3.0
    max_files: Annotated[int, Meta(ge=1, le=50_000, description="Files that are looked at.")] = 5000
    max_bytes: Annotated[int, Meta(ge=1, le=4_000_000, description="Bytes of a file; larger ones are left out.")] = 400_000
    seconds: Annotated[float, Meta(gt=0, le=300, description="What one survey may take; the next goes on from there.")] = 20.0


class Codegraph:
    """The scorer. Silent about requests that name no file of the workspace."""

    def __init__(self, config: Config, context: Context) -> None:
        folder = Path(config.workspace).expanduser()
        if not folder.is_dir():
            raise PluginError(f"the workspace {config.workspace!r} is not a folder")
        order = Order(str(folder.resolve()), config.max_files, config.max_bytes, config.seconds)
        self.index = Index(order, config.refresh, context.environ)
        self.weight = config.weight
        self.wait = config.wait

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self.index.keep())
        self.index.want()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait):
                await self.index.ready.wait()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await stopped(self._keeping)

    def score(self, exchange: Exchange) -> Score | None:
        """From figures in memory. None where the ask names no file that is known."""
        if exchange.operation == "embeddings":
            return None
        names = names_in(last_ask(exchange.envelope.fields).text[:READ])
        if not names:
            return None
        self.index.want()
        paths = {path for name in names if (path := self.index.find(name)) is not None}
        return scored([self.index.files[path] for path in paths], self.weight) if paths else None


def scored(files: Sequence[Facts], weight: float) -> Score:
    """Numbers only: neither names nor texts of files are told."""
    lines = sum([one.lines for one in files])
    branches = sum([one.branches for one in files])
    importers = max([one.importers for one in files])
    found = {
        "size": lines,
        "branches": branches,
        "worst": max([one.worst for one in files]),
        "importers": importers,
        "files": len(files),
    }
    signals = {name: share(name, amount) for name, amount in found.items()}
    points = {name: RANGES[name][2] * signal for name, signal in signals.items()}
    value = sum(points.values())
    reason = f"{len(files)} files named: {lines} lines, {branches} branches, imported by {importers}"
    return Score(value=value, reason=reason, signals=signals, points=points, weight=weight * max(value / 100, LEAST))


def share(name: str, amount: float) -> float:
    """0 to 1, by the logarithm."""
    least, most, _ = RANGES[name]
    return min(max(log(max(amount, least) / least) / log(most / least), 0.0), 1.0)


plugin = Plugin(api=1, config=Config, create=Codegraph)
