"""Runs scorers on requests, without a gateway around them."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

from lynkr_core.candidates import BOUNDS, Tiers
from lynkr_core.cli.dataset import Row
from lynkr_core.config import Config, PluginTable, load
from lynkr_core.dialect import Dialect
from lynkr_core.errors import ConfigError, LynkrError
from lynkr_core.exchange import Exchange, Score
from lynkr_core.hooks import Hooks
from lynkr_core.plugins import Context, Loaded, compiled, create, manifest
from lynkr_core.plugins import load as loaded
from lynkr_core.scores import combined, scores_of
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.upstream.http1 import Http1Transport

FRONT = "openai.chat"
Scores = Mapping[str, float]
"""By the id of a row; one without a score is left out."""


class Scored(NamedTuple):
    """What came of a run: combined as the gateway does, by plugin, the reasons by row, and how long each row took."""

    together: dict[str, float]
    each: dict[str, dict[str, float]]
    reasons: dict[str, str]
    milliseconds: list[float]


async def run(names: Sequence[str], config: Path, rows: Sequence[Row]) -> Scored:
    """Raises `ConfigError`, `PluginError`, and `LynkrError` when they give no score at all."""
    plugins = scorers_of(names, config)
    async with AsyncExitStack() as stack:
        for plugin in plugins:
            await stack.enter_async_context(factories.running(plugin.instance))
        return await scored(hooks_of(plugins, config), rows)


def scorers_of(names: Sequence[str], config: Path) -> list[Loaded]:
    """The plugins, configured by their tables where there are any."""
    settings = load(config, os.environ) if config.exists() else Config()
    tables = {table.name: table for table in settings.plugins if table.kind == "scorer"}
    mistakes: list[str] = []
    found: list[Loaded] = []
    for name in names:
        table = tables.get(name) or PluginTable(kind="scorer", name=name, use=name, table={})
        plugin = loaded(table, context(name, "scorer"), str(config), mistakes)
        found += [plugin] if plugin else []
    if mistakes:
        raise ConfigError(mistakes)
    return found


def hooks_of(plugins: Sequence[Loaded], config: Path) -> Hooks:
    mistakes: list[str] = []
    hooks = compiled(plugins, {}, str(config), mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return hooks


def context(name: str, kind: str) -> Context:
    return Context(name=name, kind=kind, transport=Http1Transport(), tiers=Tiers(BOUNDS), stores=Stores(), environ=os.environ)


async def scored(hooks: Hooks, rows: Sequence[Row]) -> Scored:
    """Each row as a request of its own."""
    front = manifest("dialect", FRONT)
    dialect: Dialect = create(front, front.config(), context(FRONT, "dialect"))
    found = Scored({}, defaultdict(dict), {}, [])
    for row in rows:
        exchange = Exchange(dialect, "/v1/chat/completions", {}, row.body())
        exchange.envelope = dialect.peek(exchange.body)
        started = time.perf_counter()
        answers = await hooks.score.collect(exchange, ())
        found.milliseconds.append((time.perf_counter() - started) * 1000)
        note(found, row.id, answers)
    if not found.together:
        raise LynkrError("no scorer gave any score at all")
    return found


def note(found: Scored, id: str, answers: Sequence[tuple[Any, str]]) -> None:
    scores: list[Score] = []
    for answer, plugin in answers:
        own = scores_of(answer, plugin)
        scores += own
        if (value := combined(own)) is not None:
            found.each[plugin][id] = value
    if (value := combined(scores)) is not None:
        found.together[id] = value
        found.reasons[id] = ", ".join([score.reason for score in scores if score.reason])
