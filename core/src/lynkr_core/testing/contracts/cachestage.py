"""A whole gateway around one cache: two teams, three callers, and a real provider that answers as it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from lynkr_core.app import Application
from lynkr_core.assembly import load_dialects
from lynkr_core.candidates import Catalog, Tiers
from lynkr_core.cards import Price
from lynkr_core.config import parse
from lynkr_core.dialect import Dialect
from lynkr_core.dialects.fold import fold
from lynkr_core.events import End, Grammar
from lynkr_core.exchange import Exchange, Outcome, Principal
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Context, Loaded, compiled
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.request import Response, Text
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Answer, Client
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import until
from lynkr_core.upstream.http1 import Http1Transport

CALLERS = {
    "ann": Principal(id="key_a", key="ann", team="red"),
    "bob": Principal(id="key_b", key="bob", team="blue"),
    "cat": Principal(id="key_c", key="cat", team="red"),
}
ASK = "What is the capital of France, and since when?"
HIT = ("hit", "semantic")


class Upstream(HTTPProvider):
    paths = {"openai.chat": "/chat/completions", "openai.embeddings": "/embeddings"}


class Door:
    """Callers show their names; whoever shows none is nobody. Counts the exchanges that are over."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def authenticate(self, exchange: Exchange) -> Principal | None:
        return CALLERS.get(exchange.header(b"x-api-key"))

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class CacheStage:
    """`ask` as one of the callers. `calls`: how often the provider was asked."""

    def __init__(self, kernel: Kernel, client: Client, provider: ScriptedProvider, door: Door) -> None:
        self.kernel, self.client, self.provider, self.door = kernel, client, provider, door
        self.after: Callable[[CacheStage], Awaitable[None]] | None = None  # waits for what a cache keeps later

    @property
    def calls(self) -> int:
        return len(self.provider.requests)

    async def ask(
        self, text: str = ASK, dialect: str = "openai.chat", *, who: str = "ann", headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:  # fmt: skip
        """A user's message; `more` are fields of the body. Returns once the exchange is over for the plugins too."""
        body = samples.for_operation(dialect) if dialect.endswith(".embeddings") else self.body(text, dialect)
        return await self.send({**body, **more}, dialect, who=who, headers=headers)

    def body(self, text: str, dialect: str) -> dict[str, Any]:
        """With the same limit in every dialect, so that it means the same."""
        limit = "max_output_tokens" if dialect == "openai.responses" else "max_tokens"
        return {**samples.request(dialect, text), "model": "up/m", limit: 500}

    async def send(self, body: Any, dialect: str, *, who: str = "ann", headers: dict[str, str] | None = None) -> Answer:
        over = len(self.door.outcomes)
        path = factories.find_dialect(dialect).routes[0]
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"content-type": "application/json", "x-api-key": who, **(headers or {})}
        answer = await self.client.post(path, content=content, headers=sent)
        await until(lambda: len(self.door.outcomes) > over)
        if self.after is not None:
            await self.after(self)
        return answer

    def said(self, answer: Answer, dialect: str, streamed: bool) -> Response:
        """The answer, read as a client of this dialect would. Raises for one that is not valid."""
        spoken: Dialect = factories.find_dialect(dialect)
        if not streamed:
            return spoken.decode_response(answer.body)
        decoder, grammar = spoken.decoder(), Grammar()
        events = [grammar.check(event) for event in [*decoder.feed(answer.body), *decoder.close()]]
        assert isinstance(events[-1], End), f"the stream ends with {events[-1:]}"
        return fold(events)


def text_of(response: Response) -> str:
    return "".join([part.text for choice in response.choices for part in choice.parts if isinstance(part, Text)])


def cache_of(answer: Answer) -> str:
    return answer.headers.get("x-lynkr-cache", "")


def answering(text: str) -> Script:
    """A good chat answer that says this, whole and as a stream."""
    script = CANNED["openai.chat"]
    first, *_ = script.events[1:2]
    body = msgspec.json.decode(script.body)
    body["choices"][0]["message"]["content"] = text
    chunk = msgspec.json.decode(first.removeprefix(b"data: ").strip())
    chunk["choices"][0]["delta"]["content"] = text
    told = b"data: " + msgspec.json.encode(chunk) + b"\n\n"
    return script.but(body=msgspec.json.encode(body), events=(script.events[0], told, *script.events[3:]))


@asynccontextmanager
async def cache_stage(make: Callable[[Context], Any], stores: Stores | None = None) -> AsyncGenerator[CacheStage]:
    """`make(context)` gives the cache, which sits behind a `Door`."""
    async with ScriptedProvider() as upstream:
        transport, config, tiers, kept = (
            Http1Transport(),
            parse("[server]\nallow_anonymous = true\n", {}),
            Tiers(),
            stores or Stores(),
        )
        shared: dict[str, Any] = {"transport": transport, "tiers": tiers, "stores": kept, "environ": {}}
        provider = Upstream(HTTPConfig(base_url=upstream.url), Context(name="up", kind="provider", **shared))
        other = Upstream(HTTPConfig(base_url=upstream.url), Context(name="other", kind="provider", **shared))
        providers: dict[str, Any] = {"up": provider, "other": other}
        door = Door()
        cache = make(Context(name="contract", kind="cache", providers=providers, **shared))
        plugins = [
            Loaded(kind="auth", name="door", use="door", instance=door),
            Loaded(kind="cache", name="contract", use="contract", instance=cache),
        ]
        mistakes: list[str] = []
        hooks = compiled(plugins, {}, "lynkr.toml", mistakes)
        catalog = Catalog(
            providers, tiers, models={"same": ["up/m"], "either": ["up/m", "other/m"]}, tier_models={},
            prices={"m": Price(input=1, output=2)},
        )  # fmt: skip
        dialects = load_dialects(providers, "lynkr.toml", mistakes)
        assert not mistakes, mistakes
        kernel = Kernel(
            config, plugins=plugins, hooks=hooks, dialects=dialects, catalog=catalog, stores=kept, transport=transport
        )  # fmt: skip
        async with Client(Application(kernel)) as client:
            yield CacheStage(kernel, client, upstream, door)
