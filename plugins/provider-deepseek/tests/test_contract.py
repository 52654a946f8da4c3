from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_deepseek import plugin


class TestContract(ProviderContract):
    plugin = plugin
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions", "anthropic.messages": "/anthropic/v1/messages"}
