"""A whole gateway with the extension, two principals, and a scripted upstream of any dialect."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import load_dialects
from lynkr_core.candidates import Catalog, Tiers
from lynkr_core.config import parse
from lynkr_core.exchange import Exchange, Principal
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, compiled
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.client import Answer, Client
from lynkr_core.upstream.http1 import Http1Transport
from lynkr_extension_responses import plugin

PATHS = {"openai.chat": "/chat/completions", "openai.responses": "/responses", "anthropic.messages": "/messages"}


class ByKey:
    """The caller's key is its name."""

    def authenticate(self, exchange: Exchange) -> Principal:
        return Principal(id=exchange.header(b"authorization").removeprefix("Bearer ") or "ada")


class Up(HTTPProvider):
    def __init__(self, url: str, dialect: str, transport: Http1Transport) -> None:
        self.paths = {dialect: PATHS[dialect]}
        super().__init__(HTTPConfig(base_url=url, models=["m"]), factories.context("up", "provider", transport=transport))


class Gateway:
    """`store` keeps the responses, `client` talks to the gateway."""

    def __init__(self, kernel: Kernel, client: Client, store: Any, extension: Any) -> None:
        self.kernel, self.client, self.store, self.extension = kernel, client, store, extension

    async def ask(self, text: Any, who: str = "ada", **body: Any) -> Answer:
        asked = {"model": "up/m", "input": text, **body}
        return await self.client.post("/v1/responses", json=asked, headers={"authorization": f"Bearer {who}"})

    async def say(self, text: Any, who: str = "ada", **body: Any) -> str:
        """The id of a good answer, once it is kept."""
        answer = await self.ask(text, who, **body)
        assert answer.status == 200, answer.text
        await self.extension._kept.settle()
        if not body.get("stream"):
            return answer.json()["id"]
        return (
            next(event.data for event in answer.events() if b"response.created" in event.data)
            .split(b'"id":"')[1]
            .split(b'"')[0]
            .decode()
        )

    async def of(self, method: str, path: str, who: str = "ada") -> Answer:
        return await self.client.request(method, f"/v1/responses/{path}", headers={"authorization": f"Bearer {who}"})


Make = Callable[..., Any]


@pytest.fixture
async def gateway(anyio_backend: str) -> AsyncIterator[Make]:
    """`await gateway(url, dialect="openai.chat", store=…, table={…})`."""
    async with AsyncExitStack() as stack:

        async def make(url: str, dialect: str = "openai.chat", store: Any = None, **table: Any) -> Gateway:
            transport, stores = Http1Transport(), Stores()
            store = store or MemoryStore()
            stores.add("kept", store)
            extension = factories.build(plugin, table, factories.context("responses", stores=stores))
            provider, mistakes = Up(url, dialect, transport), list[str]()
            loaded = [Loaded(kind="auth", name="key", use="key", instance=ByKey())]
            loaded.append(Loaded(kind="extension", name="responses", use="responses", instance=extension))
            catalog = Catalog({"up": provider}, Tiers(), models={}, tier_models={}, prices={})
            kernel = Kernel(
                parse("", {}), plugins=loaded, hooks=compiled(loaded, {}, "lynkr.toml", mistakes), catalog=catalog, stores=stores,
                dialects=load_dialects({"up": provider}, "lynkr.toml", mistakes), transport=transport,
            )  # fmt: skip
            assert mistakes == []
            return Gateway(kernel, await stack.enter_async_context(Client(Application(kernel))), store, extension)

        yield make
