from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_zai import plugin


class TestContract(ProviderContract):
    plugin = plugin
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/api/paas/v4/chat/completions",
        "anthropic.messages": "/api/anthropic/v1/messages",
        "openai.embeddings": "/api/paas/v4/embeddings",
    }


class TestCodingPlan(TestContract):
    table: ClassVar[Mapping[str, str]] = {"plan": "coding"}
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/api/coding/paas/v4/chat/completions"}
