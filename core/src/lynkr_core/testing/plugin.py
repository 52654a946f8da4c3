"""The pytest plugin: `pytest_plugins = ["lynkr_core.testing.plugin"]` in a test module, or `-p lynkr_core.testing.plugin`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from lynkr_core.plugins import Context
from lynkr_core.testing import factories
from lynkr_core.testing.client import App, Client
from lynkr_core.testing.scripted import ScriptedProvider


@pytest.fixture
def anyio_backend() -> str:
    """lynkr runs on asyncio only."""
    return "asyncio"


@pytest.fixture
async def scripted_provider(anyio_backend: str) -> AsyncGenerator[ScriptedProvider]:
    """A provider at `scripted_provider.url` that answers as told."""
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
async def client(app: App, anyio_backend: str) -> AsyncGenerator[Client]:
    """A client of the fixture `app`, which the test module defines, its lifespan running."""
    async with Client(app) as talking:
        yield talking


@pytest.fixture
def context() -> Context:
    """A context whose transport refuses and whose journal is in memory."""
    return factories.context()
