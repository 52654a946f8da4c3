"""Shows what lynkr does to Prometheus, at `GET /metrics`."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Self
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta, Struct

from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.pricing import rates_of
from lynkr_core.remarks import Saving
from lynkr_core.request import Usage
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.stores import MemoryStore
from lynkr_core.waiting import stopped
from lynkr_sink_prometheus.family import Worker, decode, encode, page
from lynkr_sink_prometheus.numbers import OTHER, Labels, Numbers, Series, Tries
from lynkr_sink_prometheus.telling import families

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

log = logging.getLogger("lynkr.prometheus")
MAX_REMEMBERED = 2000
"""Of callers' combinations of model, tier, status and class, so that their labels need not be made anew; then it begins again."""
LONGEST_LABEL = 100
NAMES_SECONDS = 30.0
"""How long the list of known models is used; providers may list new ones."""
SHARE_SECONDS = 2.0
SHARED_SECONDS = 60.0
"""How long what a process has told of itself counts."""
MAX_WORKERS = 256
NONE = "none"
KEPT: WeakKeyDictionary[MemoryStore, Numbers] = WeakKeyDictionary()
"""By the memory that a process keeps when it takes up another configuration: what was counted goes on."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    max_series: Annotated[
        int, Meta(ge=1, le=10_000, description="Combinations of labels; further ones are counted as `other`.")
    ] = 200


class PrometheusSink:
    """Counts each exchange when it is over; everything else is asked for when somebody looks."""

    def __init__(self, config: Config, context: Context) -> None:
        self._numbers = KEPT.setdefault(context.stores.memory, Numbers())
        self._numbers.limit = config.max_series
        self._values = context.stores.key_value()
        self._key = f"sink-prometheus/{context.name}/{platform.node()}/{os.getppid()}/"
        self._shares = self._values is not context.stores.memory
        self._series: dict[tuple[Candidate | None, str | None, str, str | None], Series] = {}
        self._tries: dict[Candidate, Tries] = {}
        self._kernel: Kernel | None = None
        self._names: frozenset[str] = frozenset()
        self._named_at = -NAMES_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._numbers.newest = id(self)
        if self._several and self._shares:
            self._task = asyncio.ensure_future(self._keep_sharing())
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(self._task)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        served, numbers = outcome.candidate, self._numbers
        key = (served, exchange.tier, outcome.status, exchange.principal.principal_class)
        series = self._series.get(key) or self._first(key)
        series.seconds.add(outcome.duration)
        if outcome.first_token is not None:
            series.first.add(outcome.first_token)
        if outcome.usage is not None:
            used(series, outcome.usage, outcome.cost)
        if exchange.losses:
            series.losses += len(exchange.losses)
        series.resumed += outcome.resumed
        numbers.codes[outcome.http_status] = numbers.codes.get(outcome.http_status, 0) + 1
        for attempt in outcome.attempts:
            tries = self._tries.get(attempt.candidate) or self._first_try(attempt.candidate)
            tries.add(attempt.kind or ("lost" if attempt.lost else "ok" if attempt.first_token else "ended"))
        if len(outcome.attempts) > 1:
            self._again(outcome.attempts)
        if exchange.reply is not None and exchange.reply.cache in ("hit", "semantic"):
            numbers.cached[exchange.reply.cache] = numbers.cached.get(exchange.reply.cache, 0) + 1
        for saving in exchange.savings:
            numbers.save(saving.plugin, saving.tokens, worth(saving, outcome))
        waited = exchange.queued
        if waited:
            numbers.queue.add(waited)

    def _again(self, attempts: Sequence[Attempt]) -> None:
        """All but the first are retries of a model, or fallbacks to another one."""
        before = {attempts[0].candidate}
        for attempt in attempts[1:]:
            tries = self._tries.get(attempt.candidate) or self._first_try(attempt.candidate)
            if attempt.candidate in before:
                tries.retries += 1
            else:
                tries.fallbacks += 1
            before.add(attempt.candidate)

    def _first(self, key: tuple[Candidate | None, str | None, str, str | None]) -> Series:
        served, tier, status, principal_class = key
        if len(self._series) >= MAX_REMEMBERED:
            self._series.clear()
        provider, model = self.named(served.id if served else "")
        labels = Labels(provider, model, label(tier), status, label(principal_class))
        found = self._series[key] = self._numbers.of(labels)
        return found

    def _first_try(self, candidate: Candidate) -> Tries:
        if len(self._tries) >= MAX_REMEMBERED:
            self._tries.clear()
        found = self._tries[candidate] = self._numbers.tried(*self.named(candidate.id))
        return found

    def named(self, id: str) -> tuple[str, str]:
        """Provider and model as labels. Callers may name models, and anything else in their place: only known ones are told."""
        provider, slash, model = id.partition("/")
        if not provider:
            return NONE, NONE
        if not slash:
            return label(provider), ""
        return label(provider), label(model) if id in self._known() else OTHER

    def _known(self) -> frozenset[str]:
        """`provider/model` of all that are configured or that providers list."""
        now = time.monotonic()
        if self._kernel is not None and now - self._named_at >= NAMES_SECONDS:
            catalog = self._kernel.catalog
            own = [f"{provider.name}/{model}" for provider in catalog.providers.values() for model in provider.models]
            self._names = frozenset([*catalog.names(), *own])
            self._named_at = now
        return self._names

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        self._kernel = kernel
        admin = kernel.config.server.admin_key is not None
        return [Route(method="GET", path="/metrics", endpoint=self.tell, admin=admin)]

    def register_commands(self, cli: Any) -> None:
        cli.command(grafana, name="grafana", help="Print a Grafana dashboard of what Prometheus is told.")

    @property
    def _several(self) -> bool:
        return self._kernel is not None and self._kernel.config.server.workers > 1

    def own(self) -> Worker:
        """What this process has to tell."""
        subjects = sorted(id for id in self._known() if "/" in id and id.partition("/")[0] in self._providers())
        found = families(self._numbers, self._kernel, self.named, subjects[: self._numbers.limit])
        return Worker(str(os.getpid()) if self._several else "", found)

    def _providers(self) -> set[str]:
        return set(self._kernel.catalog.providers) if self._kernel else set()

    async def tell(self, query: RouteRequest) -> Reply:
        """What all processes have counted that serve together, as far as they share a store."""
        own = self.own()
        workers = await self._all(own) if self._several and self._shares else [own]
        accept = query.headers.get(b"accept", b"").decode("latin-1")
        body, content_type = await asyncio.to_thread(page, workers, accept)  # it may take long, and others go on
        return Reply(body=body, headers=((b"content-type", content_type.encode()), (b"cache-control", b"no-store")))

    async def _all(self, own: Worker) -> list[Worker]:
        """Ours is written before the others' are read: whoever is asked next must not tell less of it."""
        try:
            await self._share(own)
            found = await self._values.scan(self._key, MAX_WORKERS)
        except OSError as error:
            log.warning("other workers' numbers cannot be read: %s", error)
            return [own]
        return [own, *[worker for value in found.values() if (worker := read(value)) and worker.name != own.name]]

    async def _share(self, own: Worker) -> None:
        await self._values.set(self._key + own.name, encode(own), SHARED_SECONDS)

    async def _keep_sharing(self) -> None:
        """Only the newest configuration's: the one before tells of itself no more, though it still serves some streams."""
        while self._numbers.newest == id(self):
            try:
                await self._share(self.own())
            except OSError as error:
                log.warning("what was counted cannot be shared with other workers: %s", error)
            await asyncio.sleep(SHARE_SECONDS)


def grafana() -> None:
    """Print a Grafana dashboard of what Prometheus is told."""
    sys.stdout.write(files(__name__).joinpath("grafana.json").read_text(encoding="utf-8"))


def used(series: Series, usage: Usage, usd: float | None) -> None:
    series.input.add(usage.input_tokens)
    series.output.add(usage.output_tokens)
    series.cache_read += usage.cache_read
    series.cache_write += usage.cache_write
    series.reasoning += usage.reasoning
    if usd is None:
        series.unpriced += 1
    else:
        series.usd.add(usd)


def worth(saving: Saving, outcome: Outcome) -> float:
    """USD; by the price of input at the model that served, where the plugin does not say. 0 where nothing is known."""
    price = outcome.candidate.price if outcome.candidate else None
    if saving.usd is not None or price is None:
        return saving.usd or 0.0
    sent = outcome.usage.input_tokens if outcome.usage else 0
    return saving.tokens * rates_of(price, Usage(input_tokens=sent + saving.tokens)).input / 1e6


def label(value: str | None) -> str:
    """A name as a label; what is no name, because it is too long or has line ends in it, is `other`."""
    if value is None:
        return NONE
    return value if len(value) <= LONGEST_LABEL and value.isprintable() else OTHER


def read(value: bytes) -> Worker | None:
    """None for what another version has written."""
    try:
        return decode(value)
    except (msgspec.DecodeError, ValueError):
        return None


plugin = Plugin(api=1, config=Config, create=PrometheusSink)
