"""What a provider plugin is: the dialects it speaks, and how to send.

`HTTPProvider` is enough for a provider that speaks known dialects over HTTP: data, and the methods that its quirks need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from lynkr_core.dialect import Dialect, Fields, Headers
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context
from lynkr_core.secret import Secret
from lynkr_core.upstream import Call, Endpoint, HeaderList, Timeouts


class Provider(ABC):
    """Serves models. `name` is the instance's name in `lynkr.toml`."""

    name: str
    dialects: tuple[str, ...] = ()
    """Names of the dialects it speaks, the preferred one first."""
    models: tuple[str, ...] = ()
    """Models it is known to have; it may have more."""

    @abstractmethod
    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Call:
        """Begins one call in one of its dialects."""

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect) -> bool:
        """Quirks: changes the request's top-level keys in place. True when something was changed."""
        return False

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Names an error answer."""
        return dialect.decode_error(status, headers, body)

    async def list_models(self) -> Sequence[str]:
        """Asks the provider for its models. Raises `UpstreamError`."""
        return self.models


Seconds = Annotated[float, Meta(gt=0, description="Seconds.")]


class HTTPConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """Settings every HTTP provider has."""

    base_url: Annotated[str, Meta(description="Where the provider is, without a trailing slash.")]
    api_key: Annotated[Secret | None, Meta(description="The provider's key; `${NAME}` reads the environment.")] = None
    models: Annotated[list[str], Meta(description="Models to list and to route bare names to.")] = []
    headers: Annotated[dict[str, str], Meta(description="More request headers.")] = {}
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence after which an attempt is given up.")] = 120.0
    connect_timeout: Annotated[float, Meta(gt=0, description="Seconds to wait for a connection.")] = 10.0


class HTTPProvider(Provider):
    """A provider behind one base URL. `paths` maps each dialect it speaks to the path under `base_url`."""

    paths: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: HTTPConfig, context: Context) -> None:
        self.name = context.name
        self.config = config
        self.models = tuple(config.models)
        self.dialects = tuple(self.paths)
        self._transport = context.transport
        self._endpoints = {dialect: self.endpoint(path) for dialect, path in self.paths.items()}

    def auth(self) -> HeaderList:
        """The headers that carry the key."""
        key = self.config.api_key
        return ((b"authorization", b"Bearer " + key.reveal().encode()),) if key else ()

    def endpoint(self, path: str, method: str = "POST") -> Endpoint:
        config = self.config
        extra = tuple((name.lower().encode(), value.encode()) for name, value in config.headers.items())
        headers = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"), *self.auth(), *extra)
        timeouts = Timeouts(connect=config.connect_timeout, silence=config.timeout)
        return Endpoint(config.base_url.rstrip("/") + path, headers, method=method, timeouts=timeouts)

    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Call:
        return self._transport.send(self._endpoints[dialect.name], self.forwarded(exchange, dialect), body)

    def forwarded(self, exchange: Exchange, dialect: Dialect) -> HeaderList:
        """The caller's headers that belong to the API, when the upstream speaks the caller's dialect."""
        if not dialect.forward or exchange.dialect is not dialect:
            return ()
        found = [(name, exchange.headers[name]) for name in dialect.forward if name in exchange.headers]
        return tuple((name, value) for name, value in found if b"\r" not in value and b"\n" not in value)
