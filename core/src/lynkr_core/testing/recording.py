"""A transport that keeps what a provider sends, for tests of its URLs, headers and quirks without a server."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import Envelope
from lynkr_core.exchange import ANONYMOUS, Candidate, Exchange, Principal
from lynkr_core.plugins import Plugin
from lynkr_core.provider import Provider
from lynkr_core.testing import factories
from lynkr_core.upstream import Endpoint, HeaderList


class Sent(NamedTuple):
    """One request. `headers` has those of the endpoint and of the call."""

    endpoint: Endpoint
    headers: dict[bytes, bytes]
    body: bytes


class RecordingTransport:
    """Keeps what is sent in `sent`, and answers everything with `status` and `body`. Fails when a header is sent twice."""

    def __init__(self, body: bytes = b"", status: int = 200) -> None:
        self.sent: list[Sent] = []
        self.status, self.body = status, body

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Any:
        pairs = [*endpoint.headers, *headers]
        assert len(dict(pairs)) == len(pairs), "a header was sent twice"
        self.sent.append(Sent(endpoint, dict(pairs), body))
        return self

    async def response(self) -> RecordingTransport:
        return self

    async def read(self, limit: int = 0) -> bytes:
        return self.body

    def abort(self) -> None: ...

    async def aclose(self) -> None: ...


def recorded(plugin: Plugin, config: Struct, transport: RecordingTransport | None = None) -> Any:
    """An instance named `test`, over a recording transport."""
    return plugin.create(config, factories.context("test", "provider", transport=cast("Any", transport or RecordingTransport())))


def adapted(provider: Provider, dialect: str, body: Mapping[str, Any], model: str = "m") -> tuple[dict[str, Any], list[str]]:
    """What a provider makes of a body in one of its dialects, and what is lost. Fails when it does not say that it changed something."""
    fields: dict[str, Any] = {key: Raw(msgspec.json.encode(value)) for key, value in body.items()}
    losses: list[str] = []
    changed = provider.adapt(fields, Candidate(provider=provider, model=model), factories.find_dialect(dialect), losses)
    after: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fields))
    assert changed == (after != dict(body)), f"adapt said {changed}"
    return after, losses


def sent(
    plugin: Plugin,
    config: Struct,
    dialect: str,
    headers: dict[bytes, bytes] | None = None,
    forward: tuple[bytes, ...] = (),
    *,
    model: str = "m",
    stream: bool = False,
    principal: Principal = ANONYMOUS,
) -> Sent:
    """What goes out for one request of a caller who speaks `dialect` too, with these headers of his."""
    transport = RecordingTransport()
    provider = recorded(plugin, config, transport)
    spoken: Any = SimpleNamespace(name=dialect, forward=forward)
    exchange = Exchange(spoken, "/", headers or {}, b"{}")
    exchange.envelope = Envelope(fields={}, model=model, stream=stream)
    exchange.principal = principal
    provider.send(exchange, Candidate(provider=provider, model=model), spoken, b"{}")
    return transport.sent[0]
