"""Builders of what flows: exchanges, candidates, outcomes, contexts and plugin instances, with no kernel around them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, NoReturn, cast

import msgspec

from lynkr_core.candidates import BOUNDS, TIERS, Tiers
from lynkr_core.cards import ModelCard, Price
from lynkr_core.config import convert
from lynkr_core.dialect import Dialect
from lynkr_core.errors import ConfigError, UpstreamError
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Status
from lynkr_core.plugins import Context, Plugin, create, manifest
from lynkr_core.provider import Provider
from lynkr_core.request import Usage
from lynkr_core.stores import Stores
from lynkr_core.upstream import Call, Transport

HTTP_STATUS: dict[Status, int] = {"ok": 200, "error": 502, "refused": 429, "cut": 200, "cancelled": 499}


class NamedProvider(Provider):
    """A provider in name only, for plugins that look at candidates. Sending raises `AssertionError`."""

    dialects = ("openai.chat", "openai.responses", "anthropic.messages")

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> NoReturn:
        raise AssertionError(f"nothing may be sent to {candidate.id} in this test")


class RefusingTransport:
    """A transport for plugins that have no business with the network. Sending raises `AssertionError`."""

    def send(self, endpoint: object, headers: object, body: bytes) -> Call:
        raise AssertionError(f"nothing may be sent to {endpoint!r} in this test")

    async def aclose(self) -> None:
        pass


@cache
def find_dialect(name: str) -> Dialect:
    """The installed dialect of this name. Raises `PluginError` when there is none."""
    return cast("Dialect", build(manifest("dialect", name), {}, context(name, "dialect")))


def candidate(
    id: str,
    *,
    price: Price | None = None,
    context_window: int | None = None,
    max_output: int | None = None,
    card: ModelCard | None = None,
) -> Candidate:
    """`candidate("local/llama3.2")`: provider and model from the id; its provider cannot be sent to."""
    provider, _, model = id.partition("/")
    return Candidate(
        provider=NamedProvider(provider),
        model=model,
        price=price,
        context_window=context_window,
        max_output=max_output,
        card=card,
    )


def candidates() -> tuple[Candidate, ...]:
    """Four: free, cheap, dear and dearest."""
    return (
        candidate("local/llama", price=Price(input=0, output=0), context_window=8_192, max_output=2_048),
        candidate("cloud/small", price=Price(input=0.2, output=0.8), context_window=128_000, max_output=16_384),
        candidate("cloud/large", price=Price(input=3, output=15), context_window=200_000, max_output=64_000),
        candidate("other/deep", price=Price(input=10, output=40), context_window=400_000),
    )


def tiers(
    served: Sequence[Candidate] = (), bounds: Sequence[float] = BOUNDS, lists: Mapping[str, tuple[Candidate, ...]] | None = None
) -> Tiers:
    """The four tiers, one candidate each; missing ones inherit as in a real configuration. `lists`: as `[models]` names them."""
    made = Tiers(bounds)
    made.fill({name: (served[index],) for index, name in enumerate(TIERS) if index < len(served)}, lists)
    return made


def exchange(
    body: Mapping[str, Any] | bytes,
    *,
    dialect: Dialect | str = "openai.chat",
    headers: Mapping[str, str] | None = None,
    served: Sequence[Candidate] = (),
    path: str | None = None,
) -> Exchange:
    """An exchange as plugins see it after stage 4: peeked at, with its candidates. Raises `InvalidRequest` for a bad body."""
    spoken = find_dialect(dialect) if isinstance(dialect, str) else dialect
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in (headers or {}).items()}
    made = Exchange(spoken, path or (spoken.routes or ("/",))[0], sent, raw)
    made.envelope = spoken.peek(raw)
    made.candidates = tuple(served)
    return made


def outcome(status: Status = "ok", *, chosen: Candidate | None = None, usage: Usage | None = None) -> Outcome:
    """How an exchange ended; with a candidate there is an attempt too, and with a price and usage a cost."""
    error = None if status == "ok" else f"the test's {status}"
    cost = None
    if chosen is not None and chosen.price is not None and usage is not None:
        cost = (usage.input_tokens * chosen.price.input + usage.output_tokens * chosen.price.output) / 1e6
    attempts = (_attempt(chosen, status, usage),) if chosen is not None else ()
    return Outcome(
        status=status, http_status=HTTP_STATUS[status], candidate=chosen, usage=usage, cost=cost, error=error,
        duration=0.25, first_token=0.1 if status in ("ok", "cut") else None, attempts=attempts,
    )  # fmt: skip


def _attempt(chosen: Candidate, status: Status, usage: Usage | None) -> Attempt:
    made = Attempt(chosen)
    made.ended = made.started + 0.25
    made.usage = usage
    if status == "error":
        made.error = UpstreamError("server", "the test's server error", status=500)
    return made


def context(
    name: str = "test",
    kind: str = "extension",
    *,
    transport: Transport | None = None,
    tiers: Tiers | None = None,
    stores: Stores | None = None,
    environ: Mapping[str, str] | None = None,
    providers: Mapping[str, Provider] | None = None,
) -> Context:
    """What a plugin is given: by default a transport that refuses, empty tiers and a journal in memory."""
    return Context(
        name=name, kind=kind, transport=transport or RefusingTransport(), tiers=tiers if tiers is not None else Tiers(),
        stores=stores or Stores(), environ=environ or {}, providers=providers or {},
    )  # fmt: skip


def configure(plugin: Plugin, table: Mapping[str, Any], where: str = "lynkr.toml: [test]") -> Any:
    """The plugin's settings from its table. Raises `ConfigError` with every mistake, as `lynkr check` prints them."""
    mistakes: list[str] = []
    config = convert(dict(table), plugin.config, where, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def build(plugin: Plugin, table: Mapping[str, Any], context: Context) -> Any:
    """An instance, as the kernel makes it. Raises `ConfigError`."""
    return create(plugin, configure(plugin, table), context)


@asynccontextmanager
async def running(instance: Any) -> AsyncGenerator[Any]:
    """Gives the instance, entered when it is an async context manager, as the kernel does."""
    if not hasattr(instance, "__aenter__"):
        yield instance
        return
    async with instance:
        yield instance
