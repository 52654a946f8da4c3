"""One gateway and one scripted provider for each column."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

from .asking import Asking, Gateways
from .cells import COLUMNS


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def gateways(anyio_backend: str) -> AsyncIterator[Gateways]:
    """By the column's name: lynkr before one provider that speaks only this API."""
    async with AsyncExitStack() as stack:
        made: Gateways = {}
        for column in COLUMNS:
            upstream = await stack.enter_async_context(ScriptedProvider())
            kernel = Kernel.from_config(parse(f"[provider.up]\n{column.table(upstream.url)}", {}), {})
            made[column.name] = upstream, await stack.enter_async_context(Client(Application(kernel)))
        yield made


@pytest.fixture
def ask(gateways: Gateways) -> Asking:
    return Asking(gateways)
