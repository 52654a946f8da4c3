from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_openai_compatible import PATHS, plugin


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions", "openai.embeddings": "/embeddings"}


class TestEveryDialect(TestContract):
    table: ClassVar[Mapping[str, Sequence[str]]] = {"dialects": list(PATHS)}
    paths: ClassVar[Mapping[str, str]] = dict(PATHS)
