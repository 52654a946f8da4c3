"""A whole gateway in the process: kernel and app over the real transport, in front of scripted providers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import load_dialects
from lynkr_core.candidates import Catalog, Tiers
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, compiled
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.secret import Secret
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_core.upstream.http1 import Http1Transport

EVERY = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "openai.embeddings": "/v1/embeddings",
    "anthropic.messages": "/v1/messages",
}


class Up(HTTPProvider):
    """A provider for tests; speaks only `dialects` when they are given."""

    def __init__(
        self, name: str, url: str, transport: Http1Transport, dialects: tuple[str, ...], timeout: float, key: str | None
    ) -> None:
        self.paths = {dialect: EVERY[dialect] for dialect in dialects or EVERY}
        context = factories.context(name, "provider", transport=transport)
        super().__init__(
            HTTPConfig(base_url=url, api_key=Secret(key) if key else None, models=["m"], timeout=timeout, connect_timeout=60.0),
            context,
        )


class Gateway:
    """`client` talks to it; `kernel` is what runs."""

    def __init__(self, kernel: Kernel, client: Client) -> None:
        self.kernel = kernel
        self.client = client

    async def ask(self, path: str = "/v1/messages", **body: Any) -> Any:
        """A small request, `body` laid over it."""
        return await self.client.post(path, json=question(path, **body))

    def stream(self, path: str = "/v1/messages", **body: Any) -> Any:
        return self.client.stream(path, json=question(path, stream=True, **body))


def question(path: str, **body: Any) -> dict[str, Any]:
    asked = (
        {"input": "Hello"} if path.endswith(("responses", "embeddings")) else {"messages": [{"role": "user", "content": "Hello"}]}
    )
    limit = {"max_tokens": 100} if path.endswith("messages") else {}
    return {"model": "auto", **asked, **limit, **body}


@pytest.fixture
async def gateway(anyio_backend: str) -> AsyncIterator[Callable[..., Any]]:
    """`await gateway(url, …, plugins=[("kind", instance)], config="…")`: a provider `up1`, `up2`, … for each URL.

    `timeout` is of the first one; a test that wants it short has the others answer however busy the machine is.
    """
    async with AsyncExitStack() as stack:

        async def make(
            *urls: str,
            plugins: tuple[tuple[str, Any], ...] = (),
            config: str = "",
            dialects: tuple[str, ...] = (),
            timeout: float = 60.0,
            key: str | None = None,
        ) -> Gateway:
            transport = Http1Transport()
            providers = {
                f"up{n}": Up(f"up{n}", url, transport, dialects, timeout if n == 1 else 60.0, key)
                for n, url in enumerate(urls, 1)
            }
            settings, mistakes = parse(config, {}), []
            loaded = [Loaded(kind=kind, name=f"p{n}", use="p", instance=instance) for n, (kind, instance) in enumerate(plugins)]
            hooks = compiled(loaded, settings.order, "lynkr.toml", mistakes)
            known = load_dialects(providers, "lynkr.toml", mistakes)
            assert mistakes == []
            models = {"chain": [f"{name}/m" for name in providers]}
            cards = [instance for kind, instance in plugins if kind == "catalog"]
            catalog = Catalog(providers, Tiers(), models=models, tier_models={}, prices=settings.prices, catalogues=cards)
            kernel = Kernel(
                settings, plugins=loaded, hooks=hooks, dialects=known, catalog=catalog, stores=Stores(), transport=transport
            )
            client = await stack.enter_async_context(Client(Application(kernel)))
            return Gateway(kernel, client)

        yield make
