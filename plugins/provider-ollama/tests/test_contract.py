from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_ollama import plugin


class TestContract(ProviderContract):
    plugin = plugin
    key_header = None
    listing = Script(body=b'{"models":[{"name":"llama3.2:latest"}]}')  # hand-made from Ollama's `GET /api/tags`
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/v1/chat/completions",
        "openai.embeddings": "/v1/embeddings",
        "anthropic.messages": "/v1/messages",
    }
