"""A transport that keeps what a provider sends, for tests of its URLs, headers and quirks without a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from msgspec import Struct

from lynkr_core.plugins import Plugin
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


def sent(
    plugin: Plugin, config: Struct, dialect: str, headers: dict[bytes, bytes] | None = None, forward: tuple[bytes, ...] = ()
) -> Sent:
    """What goes out for one request of a caller who speaks `dialect` too, with these headers of his."""
    transport = RecordingTransport()
    spoken = SimpleNamespace(name=dialect, forward=forward)
    exchange = SimpleNamespace(dialect=spoken, headers=headers or {})
    recorded(plugin, config, transport).send(exchange, None, spoken, b"{}")
    return transport.sent[0]
