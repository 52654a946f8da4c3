"""What a provider plugin is: the dialects it speaks, and how to send.

`HTTPProvider` is enough for a provider that speaks known dialects over HTTP: data, and the methods that its quirks need.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from ipaddress import ip_address
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta, Struct, structs

from lynkr_core.caller import CREDENTIALS
from lynkr_core.dialect import Dialect, Fields, Headers
from lynkr_core.errors import InvalidRequest, Kind, UpstreamError
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.lending import Lending
from lynkr_core.plugins import Context
from lynkr_core.secret import Secret
from lynkr_core.settings import LimitName, Positive
from lynkr_core.upstream import Call, Endpoint, HeaderList, Timeouts

T = TypeVar("T")


class Provider(ABC):
    """Serves models. `name` is the instance's name in `lynkr.toml`."""

    name: str
    dialects: tuple[str, ...] = ()
    """Names of the dialects it speaks, the preferred one first."""
    models: tuple[str, ...] = ()
    """Models it is known to have; it may have more."""
    local: bool = False
    """Whether it runs on machines of the operator's own: what it is sent stays there, and it may be asked for its models now and then."""
    vendor: str = ""
    """The name under which catalogues list its models; empty when they know none of them."""
    caller_keys: Sequence[str] = ()
    """How those keys of callers' own begin that belong to it."""
    limits: Mapping[LimitName, float] = {}
    """Its own time limits, in seconds, instead of those of `[routing.limits]`."""

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """Those of `dialects` that this model speaks, the preferred one first; asked on each request, so it must be fast."""
        return self.dialects

    def is_local(self, model: str) -> bool:
        """Whether what this model is sent stays on machines of the operator's own."""
        return self.local

    @abstractmethod
    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Call:
        """Begins one call in one of its dialects."""

    def raw(self, method: str, path: str, headers: HeaderList, body: bytes) -> Call:
        """Begins a request of the provider's own API, which lynkr does not read. `path` has the query with it.

        Raises `InvalidRequest` where there is no such API.
        """
        raise InvalidRequest(f"the provider {self.name} has no API that requests could be passed on to")

    def redacted(self, text: str) -> str:
        """A provider's words without the key that lynkr sent."""
        return text

    def serving(self, exchange: Exchange) -> Provider:
        """Who is asked for this caller: the provider itself, or one that takes its place with the caller's own key, at its expense."""
        return self

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Quirks: changes the request's top-level keys in place. True when something was changed.

        What is taken out is added to `losses`, as `field: why`.
        """
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
    local: Annotated[
        bool | None,
        Meta(description="Whether it runs on your own machines; left out, a loopback or private address in `base_url` says so."),
    ] = None
    caller_keys: Annotated[
        list[Annotated[str, Meta(min_length=3)]],
        Meta(
            description="How keys of callers' own begin that are sent here instead of `api_key`, such as `sk-ant-`; none by default."
        ),
    ] = []
    caller_headers: Annotated[list[str], Meta(description="Request headers that are sent with a caller's own key.")] = []
    headers: Annotated[dict[str, Secret], Meta(description="More request headers; they win over all others.")] = {}
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence after which an attempt is given up.")] = 120.0
    connect_timeout: Annotated[float, Meta(gt=0, description="Seconds to wait for a connection.")] = 10.0
    limits: Annotated[
        dict[LimitName, Positive], Meta(description="Time limits in seconds, instead of those of `[routing.limits]`.")
    ] = {}


class Listed(Struct):
    id: str


class Listing(Struct):
    """The usual list of models."""

    data: list[Listed]


LISTINGS: Any = Listing | list[Listed]
"""Some give the list alone."""
MAX_ENDPOINTS = 1000
"""Endpoints of models that are remembered; callers name models, so there is no other bound."""
MASKED = re.compile(r"[\w-]*\*{3,}[\w-]*")
"""A key as providers show it in their errors: its beginning and end around stars."""
KINDS_BY_STATUS: dict[int, Kind] = {401: "auth", 403: "auth", 404: "not_found", 429: "rate_limited"}


class HTTPProvider(Provider):
    """A provider behind one base URL.

    `paths` maps each dialect it speaks to the path under `base_url`, `stream_paths` to the one for streams where that is another;
    `{model}` stands for the model's quoted name. `defaults` maps dialects to the headers sent where the caller's own are not
    forwarded. `models_path` is where it lists its models.
    """

    paths: Mapping[str, str] = {}
    stream_paths: Mapping[str, str] = {}
    defaults: Mapping[str, HeaderList] = {}
    models_path: str = "/models"

    def __init__(self, config: HTTPConfig, context: Context) -> None:
        self.name = context.name
        self.config = config
        self.callers_own = False
        """Whether this is a copy that sends a caller's own key: then `auth` must not tell of the operator's account."""
        self.models = tuple(config.models)
        self.limits = config.limits
        self.dialects = tuple(self.paths)
        self.local = is_private(config.base_url) if config.local is None else config.local
        self._transport = context.transport
        self.caller_keys = config.caller_keys
        self._lending = Lending(self, context.providers) if config.caller_keys else None
        self._own = {name.lower().encode(): value.reveal().encode() for name, value in config.headers.items()}
        self._fixed = {dialect: self.endpoint(path) for dialect, path in self.paths.items() if self.is_fixed(dialect)}
        self._by_model: dict[tuple[str, str, bool], Endpoint] = {}

    def serving(self, exchange: Exchange) -> Provider:
        return (self._lending and self._lending.find(exchange)) or self

    def with_key(self, key: Secret) -> Self:
        """A copy that sends a caller's key, and none of the operator's. Raises `InvalidRequest` where `auth` gives something else."""
        made = copy(self)
        made.config = structs.replace(self.config, api_key=key)
        made._lending = None
        made.callers_own = True
        made._own = {name: value for name, value in self._own.items() if name not in CREDENTIALS}
        if not any(key.reveal().encode() in value for _, value in made.auth()):
            raise InvalidRequest(f"{self.name} cannot be asked with a key of the caller's own")
        made._by_model = {}
        made._fixed = {dialect: made.endpoint(path) for dialect, path in self.paths.items() if self.is_fixed(dialect)}
        return made

    def is_fixed(self, dialect: str) -> bool:
        """Whether every model and manner has the same path."""
        return dialect not in self.stream_paths and "{model}" not in self.paths[dialect]

    def auth(self) -> HeaderList:
        """The headers that carry the key."""
        key = self.config.api_key
        return ((b"authorization", b"Bearer " + key.reveal().encode()),) if key else ()

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """As the dialect does; a key that the provider repeats in its words, whole or masked, is taken out."""
        error = super().classify(dialect, status, headers, body)
        if error.kind == "auth" and self.callers_own:  # the caller is told, and the operator does not pay instead
            error.kind, error.message = "invalid", f"{self.name} refused your own key: {self.redacted(error.message)}"
        elif error.kind == "auth":
            error.message = f"{self.name} refused the key that lynkr sent: {self.redacted(error.message)}"
        else:
            error.message = self.redacted(error.message)
        error.args = (error.message,)
        return error

    def redacted(self, text: str) -> str:
        key = self.config.api_key
        return MASKED.sub("***", text.replace(key.reveal(), "***") if key else text)

    def endpoint(self, path: str, method: str = "POST") -> Endpoint:
        config = self.config
        headers = dict([(b"content-type", b"application/json"), (b"accept-encoding", b"identity"), *self.auth()])
        timeouts = Timeouts(connect=config.connect_timeout, silence=config.timeout)
        url = config.base_url.rstrip("/") + path
        return Endpoint(url, tuple((headers | self._own).items()), method=method, timeouts=timeouts)

    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> Call:
        endpoint = self._fixed.get(dialect.name) or self.addressed(dialect.name, candidate.model, exchange.envelope.stream)
        headers = self.forwarded(exchange, dialect)
        if exchange.onward:
            headers += exchange.onward.get(candidate, ())
        return self._transport.send(endpoint, headers, body)

    def raw(self, method: str, path: str, headers: HeaderList, body: bytes) -> Call:
        """To `path` under the base URL. The provider's own headers win over the given ones, but for the type of the content."""
        endpoint = self.endpoint(path, method)
        own = {name: value for name, value in endpoint.headers if name != b"content-type"}
        endpoint.headers = tuple(own.items())
        given = {**dict(self.defaults.get(self.dialects[0], ()) if self.dialects else ()), **dict(headers)}
        return self._transport.send(endpoint, tuple([pair for pair in given.items() if pair[0] not in own]), body)

    def addressed(self, dialect: str, model: str, stream: bool) -> Endpoint:
        """Where this model is asked, for dialects whose path is not always the same."""
        key = (dialect, model, stream)
        if key not in self._by_model:
            if len(self._by_model) >= MAX_ENDPOINTS:
                self._by_model.clear()
            path = self.stream_paths.get(dialect, self.paths[dialect]) if stream else self.paths[dialect]
            self._by_model[key] = self.endpoint(path.replace("{model}", quote(model, safe="")))
        return self._by_model[key]

    def forwarded(self, exchange: Exchange, dialect: Dialect) -> HeaderList:
        """The caller's headers that belong to the API, when the upstream speaks the caller's dialect; else `defaults`."""
        if not dialect.forward and dialect.name not in self.defaults and not self.callers_own:
            return ()
        found = dict(self.defaults.get(dialect.name, ()))
        if exchange.dialect is dialect:
            for name in dialect.forward:
                value = exchange.headers.get(name)
                if value is not None and b"\r" not in value and b"\n" not in value:
                    found[name] = value
        if self.callers_own:
            told = [name.lower().encode() for name in self.config.caller_headers]
            found |= {name: exchange.headers[name] for name in told if name in exchange.headers}
        return tuple([pair for pair in found.items() if pair[0] not in self._own])

    async def list_models(self) -> Sequence[str]:
        listing: Listing | list[Listed] = await self.get(self.models_path, LISTINGS)
        return [model.id for model in (listing.data if isinstance(listing, Listing) else listing)]

    async def get(self, path: str, shape: type[T]) -> T:
        """What the provider answers to a GET of `path`, read as `shape`. Raises `UpstreamError`."""
        headers = self.defaults.get(self.dialects[0], ()) if self.dialects else ()
        response = await self._transport.send(self.endpoint(path, "GET"), headers, b"").response()
        body = await response.read()
        if response.status != 200:
            kind = KINDS_BY_STATUS.get(response.status, "server" if response.status >= 500 else "invalid")
            raise UpstreamError(kind, f"GET {path} was answered with status {response.status}", status=response.status)
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamError("invalid", f"GET {path} gave no list of models: {error}", status=200) from None


def is_private(url: str) -> bool:
    """Whether the host is this machine or one in a private network: by its address, or a name that no public network has."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
