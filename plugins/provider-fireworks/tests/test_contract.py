from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_fireworks import PATHS, plugin


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/inference/v1"
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/chat/completions",
        "openai.responses": "/responses",
        "openai.embeddings": "/embeddings",
    }


class TestEveryDialect(TestContract):
    table: ClassVar[Mapping[str, Any]] = {"dialects": list(PATHS)}
    paths: ClassVar[Mapping[str, str]] = dict(PATHS)
