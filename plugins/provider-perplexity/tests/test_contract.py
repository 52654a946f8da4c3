from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_perplexity import plugin


class TestContract(ProviderContract):
    plugin = plugin
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/chat/completions",
        "openai.responses": "/v1/responses",
        "openai.embeddings": "/v1/embeddings",
    }
