"""Compressors in the order in which the gateway calls them, and what comes out of them."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from lynkr_core.dialect import Dialect
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context, installed, manifest
from lynkr_core.request import Request
from lynkr_core.testing import factories
from lynkr_core.tokens import Tokens

encode = msgspec.json.Encoder().encode
Count = Callable[..., int]


class Out(NamedTuple):
    """What came out for one request. `seconds`: of CPU beyond a gateway that reads nothing; `body` is what is sent."""

    exchange: Exchange
    before: Request
    after: Request
    body: bytes
    size: int
    seconds: float


def now(answer: Any) -> Any:
    """The answer of a compressor, which waits for nothing but stores in memory."""
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


class Compressors:
    """Those of these names, each with the same count; made anew, they remember nothing."""

    def __init__(self, names: Sequence[str], tokens: Tokens) -> None:
        self.tokens = tokens
        plugins = sorted([(manifest("compressor", name).rank, name) for name in names])
        self.made = [self._make(name) for _, name in plugins]
        self.modules = [importlib.import_module(installed("compressor")[name].module) for _, name in reversed(plugins)]
        self.candidate = factories.candidates()[2]

    def _make(self, name: str) -> Any:
        plain = factories.context(name, "compressor")
        context = Context(
            name=name, kind="compressor", transport=plain.transport, tiers=plain.tiers, stores=plain.stores, environ={},
            tokens=self.tokens,
        )  # fmt: skip
        return factories.build(manifest("compressor", name), {}, context)

    def send(self, fields: dict[str, Any], dialect: Dialect) -> Out:
        body = encode(fields)
        exchange = factories.exchange(body, dialect=dialect, headers={"x-lynkr-session": "s"}, served=(self.candidate,))
        began = time.process_time()
        before = after = exchange.request
        for plugin in self.made:
            after = now(plugin.transform_request(exchange, after, self.candidate)) or after
        sent = body if after is before else encode(dialect.encode_request(after, []))
        return Out(exchange, before, after, sent, len(body), time.process_time() - began)

    def expand(self, request: Request) -> Request:
        """What was said, of what was sent: each plugin's own `expand(request, count)`, the last one's first."""
        for module in self.modules:
            if hasattr(module, "expand"):
                request = module.expand(request, self.tokens.count)
        return request
