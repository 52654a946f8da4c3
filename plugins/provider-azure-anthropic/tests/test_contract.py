from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_azure_anthropic import plugin

TOKEN = Script(body=encoded({"token_type": "Bearer", "expires_in": 3599, "access_token": samples.SECRET}))


class TestContract(ProviderContract):
    plugin = plugin
    table: ClassVar[Mapping[str, Any]] = {"models": ["contract-model"]}
    base_path = "/anthropic"
    paths: ClassVar[Mapping[str, str]] = {
        "anthropic.messages": "/v1/messages",
        "anthropic.count_tokens": "/v1/messages/count_tokens",
    }

    def check_key(self, headers: Mapping[str, str]) -> None:
        """Under both names, as anthropic 2.11's AnthropicFoundry sends it."""
        carrying = {name: value for name, value in headers.items() if samples.SECRET in value}
        assert carrying == {"x-api-key": samples.SECRET, "api-key": samples.SECRET}


class TestEntra(TestContract):
    """An app registration; the secret that must not be seen is both its secret and the token."""

    key_setting = "client_secret"
    beside: ClassVar[Mapping[str, Script]] = {"/tenant-1/oauth2/v2.0/token": TOKEN}
    table: ClassVar[Mapping[str, Any]] = {"models": ["contract-model"], "tenant": "tenant-1", "client_id": "app-1"}

    def wired(self, table: Mapping[str, Any], url: str) -> dict[str, Any]:
        return {**super().wired(table, url), "authority": url}

    def check_key(self, headers: Mapping[str, str]) -> None:
        carrying = {name: value for name, value in headers.items() if samples.SECRET in value}
        assert carrying == {"authorization": f"Bearer {samples.SECRET}"}
