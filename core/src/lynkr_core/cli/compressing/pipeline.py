"""Compressors in the order in which the gateway calls them, and what comes out of each."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lynkr_core.config import PluginTable
from lynkr_core.dialect import Dialect
from lynkr_core.errors import ConfigError
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context, installed, manifest
from lynkr_core.request import Request
from lynkr_core.testing import factories
from lynkr_core.tokens import Tokens

encode = msgspec.json.Encoder().encode


class Out(NamedTuple):
    """What came out for one request. `stages`: the request after each plugin. `body` is what is sent, of `size` bytes before.

    `seconds`: of CPU beyond a gateway that reads nothing.
    """

    exchange: Exchange
    before: Request
    stages: tuple[Request, ...]
    body: bytes
    size: int
    seconds: float

    @property
    def after(self) -> Request:
        return self.stages[-1] if self.stages else self.before


def now(answer: Any) -> Any:
    """The answer of a compressor, which waits for nothing but stores in memory."""
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


class Compressors:
    """Those of these tables, each with the same count; made anew, they remember nothing. Raises `ConfigError`."""

    def __init__(self, tables: Sequence[PluginTable], tokens: Tokens) -> None:
        self.tokens = tokens
        ordered = sorted(tables, key=lambda table: (manifest("compressor", table.use).rank, table.name))
        self.names = [table.name for table in ordered]
        self.made = [self._make(table) for table in ordered]
        self.modules = [importlib.import_module(installed("compressor")[table.use].module) for table in reversed(ordered)]
        self.candidate = factories.candidates()[2]

    def _make(self, table: PluginTable) -> Any:
        plain = factories.context(table.name, "compressor")
        context = Context(
            name=table.name, kind="compressor", transport=plain.transport, tiers=plain.tiers, stores=plain.stores, environ={},
            tokens=self.tokens,
        )  # fmt: skip
        made = factories.build(manifest("compressor", table.use), table.table, context)
        if not hasattr(made, "transform_request"):
            raise ConfigError([f"the compressor {table.name!r} does not change requests"])
        return made

    def send(self, fields: dict[str, Any], dialect: Dialect) -> Out:
        body = encode(fields)
        exchange = factories.exchange(body, dialect=dialect, headers={"x-lynkr-session": "s"}, served=(self.candidate,))
        began = time.process_time()
        before = after = exchange.request
        stages: list[Request] = []
        for plugin in self.made:
            after = now(plugin.transform_request(exchange, after, self.candidate)) or after
            stages.append(after)
        sent = body if after is before else encode(dialect.encode_request(after, []))
        return Out(exchange, before, tuple(stages), sent, len(body), time.process_time() - began)

    def expand(self, request: Request) -> Request:
        """What was said, of what was sent: each plugin's own `expand(request, count)`, the last one's first."""
        for module in self.modules:
            if hasattr(module, "expand"):
                request = module.expand(request, self.tokens.count)
        return request
