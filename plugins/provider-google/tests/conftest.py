"""A whole gateway in the process, with this package's provider before a scripted upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

CONFIG = """
[routing]
retries = 0
[provider.google]
base_url = "{url}/v1beta"
api_key = "k"
[provider.other]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.chat", "openai.embeddings"]
[provider.claude]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["anthropic.messages"]
"""


class Stage(NamedTuple):
    client: Any
    upstream: ScriptedProvider


@pytest.fixture
async def stage(anyio_backend: str) -> AsyncIterator[Stage]:
    async with ScriptedProvider() as upstream:
        config = parse(CONFIG.format(url=upstream.url), {})
        async with Client(Application(Kernel.from_config(config, {}))) as client:
            yield Stage(client, upstream)
