from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_anthropic import plugin


class TestContract(ProviderContract):
    plugin = plugin
    key_header = "x-api-key"
    paths: ClassVar[Mapping[str, str]] = {
        "anthropic.messages": "/v1/messages",
        "anthropic.count_tokens": "/v1/messages/count_tokens",
    }


class TestBearer(TestContract):
    table: ClassVar[Mapping[str, str]] = {"auth": "bearer"}
    key_header = "authorization"
