"""Sends lynkr's traces and metrics to an OpenTelemetry collector, over OTLP/HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate, Exchange, Outcome
from lynkr_core.hooks import Call
from lynkr_core.plugins import Context, Plugin
from lynkr_core.secret import Secret
from lynkr_core.stores import MemoryStore
from lynkr_core.upstream import HeaderList
from lynkr_core.waiting import stopped
from lynkr_sink_otel.context import trace_of
from lynkr_sink_otel.export import Exporter
from lynkr_sink_otel.metrics import Metrics, of_plugins
from lynkr_sink_otel.spans import Spans
from lynkr_sink_otel.wire import envelope, pair, scope

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
VERSION = version("lynkr-core")
SCOPE = scope("lynkr", VERSION)
SPANS, METRICS = 2, 2
"""The number of the items' field in ScopeSpans and in ScopeMetrics."""
KEPT: WeakKeyDictionary[MemoryStore, Metrics] = WeakKeyDictionary()
"""By the memory that a process keeps when it takes up another configuration: sums go on."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[sink.otel]`"""

    endpoint: Annotated[
        str | None,
        Meta(description="The collector's base URL; left out, OTEL_EXPORTER_OTLP_ENDPOINT, else http://127.0.0.1:4318."),
    ] = None
    headers: Annotated[
        dict[str, Secret], Meta(description="Sent with each batch, such as a key; left out, OTEL_EXPORTER_OTLP_HEADERS.")
    ] = {}
    service: Annotated[str | None, Meta(description="`service.name`; left out, OTEL_SERVICE_NAME, else lynkr.")] = None
    traces: Annotated[bool, Meta(description="Send traces.")] = True
    metrics: Annotated[bool, Meta(description="Send metrics.")] = True
    sample: Annotated[
        float, Meta(ge=0, le=1, description="Share of requests that is traced, where the caller's `traceparent` does not decide.")
    ] = 1.0
    propagate: Annotated[bool, Meta(description="Tell providers of the trace in `traceparent`.")] = True
    identity: Annotated[
        bool, Meta(description="Say in spans whose request it was: user, team, agent, and the name of the key.")
    ] = False
    every: Annotated[float, Meta(gt=0, description="Seconds after which spans are sent.")] = 5.0
    metrics_every: Annotated[float, Meta(gt=0, description="Seconds after which metrics are sent.")] = 60.0
    queue: Annotated[int, Meta(ge=1, le=1_000_000, description="Spans that may wait; further ones are lost, and counted.")] = 4096


class OtelSink:
    """Turns each exchange into spans when it is over, in bytes; two tasks send them, and the metrics, now and then."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for an endpoint or header that is none."""
        self._config = config
        resource = b"".join([pair(1, name, value) for name, value in resource_of(config, context.environ)])
        base = (config.endpoint or context.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        headers, transport = headers_of(config, context.environ), context.transport

        def exporter(path: str, limit: int, every: float, field: int) -> Exporter:
            def pack(items: Sequence[bytes]) -> bytes:
                return envelope(resource, SCOPE, field, items)

            return Exporter(base + path, headers, transport, limit=limit, every=every, pack=pack)

        try:
            self._spans = exporter("/v1/traces", config.queue, config.every, SPANS)
            self._points = exporter("/v1/metrics", 1000, config.metrics_every, METRICS)
        except ValueError as error:
            raise PluginError(f"$.endpoint: {error}") from None
        self._encoder = Spans(config.identity)
        self._metrics = KEPT.setdefault(context.stores.memory, Metrics())
        self._tasks: list[asyncio.Task[None]] = []
        self._calls: Sequence[Call] = ()
        self._since = 0.0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._spans.run())] if self._config.traces else []
        self._tasks += [asyncio.ensure_future(self._measure())] if self._config.metrics else []
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(*self._tasks)
        if self._config.metrics:
            self._take_stock()
        await asyncio.gather(self._spans.flush(), self._points.flush())

    def register_routes(self, kernel: Kernel) -> None:
        """None: it only looks at the kernel's counters, which begin with each configuration."""
        self._calls = tuple([call for call in kernel.hooks.all if not call.hook.startswith("register_")])
        self._since = time.time()

    def reserve(self, exchange: Exchange, candidate: Candidate) -> None:
        """Sets nothing aside: it tells the provider to which span this attempt belongs."""
        if self._config.traces and self._config.propagate and exchange.attempts:
            trace = trace_of(exchange, self._config.sample)
            told = trace.headers(trace.span(exchange.attempts[-1]))
            exchange.onward = {**exchange.onward, candidate: told}

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        if self._config.metrics:
            self._metrics.note(exchange, outcome)
        if self._config.traces:
            trace = trace_of(exchange, self._config.sample)
            if trace.sampled:
                for span in self._encoder.of(exchange, outcome, trace):
                    self._spans.put(span)

    def status(self) -> Mapping[str, Any]:
        """Spans, and messages about metrics."""
        return {
            "spans_sent": self._spans.sent, "spans_lost": self._spans.lost, "metrics_sent": self._points.sent,
            "metrics_lost": self._points.lost,
        }  # fmt: skip

    def _take_stock(self) -> None:
        now = time.time()
        for metric in (*self._metrics.encoded(now), *of_plugins(self._calls, self._since, now)):
            self._points.put(metric)

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(self._config.metrics_every)
            self._take_stock()
            await self._points.flush()


def headers_of(config: Config, environ: Mapping[str, str]) -> HeaderList:
    if config.headers:
        return tuple([(name.lower().encode(), value.reveal().encode()) for name, value in config.headers.items()])
    return tuple([(n.lower().encode(), v.encode()) for n, v in listed(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))])


def listed(text: str) -> list[tuple[str, str]]:
    """`a=b,c=d`, as the specification has it, values quoted for URLs."""
    pairs = [item.partition("=") for item in text.split(",")]
    return [(name.strip(), unquote(value.strip())) for name, equals, value in pairs if equals and name.strip()]


def resource_of(config: Config, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    given = dict(listed(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    name = config.service or environ.get("OTEL_SERVICE_NAME") or given.get("service.name") or "lynkr"
    own = {"service.name": name, "service.version": VERSION, "telemetry.sdk.name": "lynkr", "telemetry.sdk.language": "python"}
    return list({**given, **own}.items())


plugin = Plugin(api=1, config=Config, create=OtelSink)
