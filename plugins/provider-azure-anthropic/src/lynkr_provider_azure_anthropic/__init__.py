"""Claude on Azure (Microsoft Foundry): the Messages API of deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from lynkr_core.oauth.entra import EntraConfig, with_tokens
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPProvider
from lynkr_core.upstream import HeaderList

VERSION: HeaderList = ((b"anthropic-version", b"2023-06-01"),)


class Config(EntraConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="The resource, such as `https://NAME.services.ai.azure.com/anthropic`.")]


class AzureAnthropic(HTTPProvider):
    """One resource. A model's name is its deployment's; there is no list of them (anthropic 2.11, AnthropicFoundry)."""

    vendor = "azure_ai"
    paths = {"anthropic.messages": "/v1/messages", "anthropic.count_tokens": "/v1/messages/count_tokens"}
    defaults = {"anthropic.messages": VERSION, "anthropic.count_tokens": VERSION}

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, with_tokens(config, context))

    def auth(self) -> HeaderList:
        """Under both names, as Anthropic's own client does: the API reads the first, Azure's gateways the second."""
        key = self.config.api_key
        return tuple([(name, key.reveal().encode()) for name in (b"x-api-key", b"api-key")]) if key else ()

    async def list_models(self) -> Sequence[str]:
        return self.models


plugin = Plugin(api=1, config=Config, create=AzureAnthropic)
