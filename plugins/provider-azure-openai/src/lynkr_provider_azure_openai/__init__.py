"""OpenAI's models on Azure: deployments, by the v1 API or the classic one with the deployment in the path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

from msgspec import Meta, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import Quirks
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate
from lynkr_core.oauth.entra import EntraConfig, with_tokens
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPProvider
from lynkr_core.upstream import HeaderList

V1 = {
    "openai.chat": "/openai/v1/chat/completions",
    "openai.responses": "/openai/v1/responses",
    "openai.embeddings": "/openai/v1/embeddings",
}
CLASSIC = {
    "openai.chat": "/openai/deployments/{model}/chat/completions",
    "openai.responses": "/openai/responses",  # only older operations name the deployment in the path (openai 3.52, AzureOpenAI)
    "openai.embeddings": "/openai/deployments/{model}/embeddings",
}
LIMITS = {
    "max_tokens": Quirks(rename={"max_completion_tokens": "max_tokens"}),
    "max_completion_tokens": Quirks(rename={"max_tokens": "max_completion_tokens"}),
    "either": Quirks(),
}


class Config(EntraConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="The resource, such as `https://NAME.openai.azure.com`.")]
    api: Annotated[
        Literal["v1", "classic"], Meta(description="`classic` has the deployment in the path and needs `api_version`.")
    ] = "v1"
    api_version: Annotated[str | None, Meta(description="`YYYY-MM-DD` for `classic`; `preview` or nothing for `v1`.")] = None
    token_limit_field: Annotated[
        Literal["max_tokens", "max_completion_tokens", "either"],
        Meta(description="The chat key that limits the answer; `either` leaves the caller's."),
    ] = "max_completion_tokens"  # noqa: S105


class AzureOpenAI(HTTPProvider):
    """One resource. A model's name is its deployment's."""

    vendor = "azure"

    def __init__(self, config: Config, context: Context) -> None:
        if config.api == "classic" and not config.api_version:
            raise PluginError('api = "classic" needs an api_version, such as "2024-10-21"')
        version = f"?api-version={quote(config.api_version)}" if config.api_version else ""
        self.paths = {dialect: path + version for dialect, path in (CLASSIC if config.api == "classic" else V1).items()}
        self.models_path = ("/openai/models" if config.api == "classic" else "/openai/v1/models") + version
        self._quirks = LIMITS[config.token_limit_field]
        resource = config.base_url.rstrip("/").removesuffix("/v1").removesuffix("/openai")
        super().__init__(structs.replace(config, base_url=resource), with_tokens(config, context))

    def auth(self) -> HeaderList:
        key = self.config.api_key
        return ((b"api-key", key.reveal().encode()),) if key else ()

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return dialect.name == "openai.chat" and self._quirks.apply(fields, losses)

    async def list_models(self) -> Sequence[str]:
        """The deployments that the configuration names: Azure lists what could be deployed. Asking it shows that the key is good."""
        listed = await super().list_models()
        return self.models or listed


plugin = Plugin(api=1, config=Config, create=AzureOpenAI)
