"""By which embedder texts are compared: one of the installed ones by its name, or `provider/model` for an endpoint of a provider's."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec
import numpy as np

from lynkr_cache_semantic.local import Vector, normal
from lynkr_core.config import suggestion
from lynkr_core.dialect import UNREADABLE, Dialect
from lynkr_core.errors import LynkrError, PluginError, UpstreamError
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context

GROUP = "lynkr_cache_semantic.embedder"
DIALECT = "openai.embeddings"
MOST = 4 * 1024 * 1024
"""Bytes of a provider's answer."""


class Embedder(Protocol):
    """What an entry point of the group names: a class that takes nothing. `id` goes with what is kept: only equal ones are compared."""

    id: str

    def of(self, text: str) -> Vector:
        """A vector of length 1. Called in a thread, one call at a time."""
        ...


class Item(msgspec.Struct):
    embedding: list[float] | str


_items = msgspec.json.Decoder(list[Item])


class Local:
    """An installed embedder, in a thread."""

    is_local = True

    def __init__(self, name: str) -> None:
        """Raises `PluginError` for one that is not installed, or lacks its extra."""
        found = {entry.name: entry for entry in entry_points(group=GROUP)}
        if name not in found:
            raise PluginError(f"$.embedder: there is no embedder {name!r}{suggestion(name, found)}; or name a provider/model")
        self._embedder: Embedder = found[name].load()()
        self._one = asyncio.Lock()
        self.id = self._embedder.id

    async def of(self, text: str) -> Vector:
        async with self._one:
            return await asyncio.to_thread(self._embedder.of, text)


class Remote:
    """A provider's embeddings. `kernel` comes with the routes."""

    def __init__(self, name: str, context: Context) -> None:
        """Raises `PluginError` for a provider that is not enabled."""
        provider, _, self._model = name.partition("/")
        if provider not in context.providers:
            raise PluginError(f"$.embedder: there is no [provider.{provider}]{suggestion(provider, context.providers)}")
        self._provider = context.providers[provider]
        self.is_local = self._provider.is_local(self._model)
        self.id = name
        self.kernel: Any = None

    async def of(self, text: str) -> Vector:
        """Raises `UpstreamError`, or another `LynkrError` where it has no embeddings."""
        front: Dialect = self.kernel.dialects[DIALECT]
        candidate = self.kernel.catalog.candidate(self._provider, self._model)
        spoken: Dialect | None = self.kernel.upstream_dialect(front, candidate)
        if spoken is None:
            raise LynkrError(f"{self._provider.name} has no embeddings")
        exchange = Exchange(front, front.routes[0], {}, msgspec.json.encode({"model": self._model, "input": text}))
        exchange.envelope = front.peek(exchange.body)
        fields = dict(exchange.envelope.fields) if spoken is front else spoken.encode_request(exchange.request, [])
        self._provider.adapt(fields, candidate, spoken, [])
        response = await self._provider.send(exchange, candidate, spoken, msgspec.json.encode(fields)).response()
        body = await response.read(MOST)
        if response.status >= 400:
            raise self._provider.classify(spoken, response.status, response.headers, body)
        return vector_of(spoken, body)


def vector_of(dialect: Dialect, body: bytes) -> Vector:
    """Raises `UpstreamError` for an answer without a vector."""
    choices = dialect.decode_response(body).choices
    native = choices[0].parts[0].native if choices and choices[0].parts else None
    try:
        first = _items.decode(native or b"[]")[0].embedding
        found = np.frombuffer(b64decode(first), "<f4") if isinstance(first, str) else np.array(first, np.float32)
    except (IndexError, ValueError, *UNREADABLE):
        raise UpstreamError("server", "the answer has no embedding") from None
    return normal(found)


def embedder(name: str, context: Context) -> Local | Remote:
    return Remote(name, context) if "/" in name else Local(name)
