"""Models served by a Databricks workspace: serving endpoints, or the AI gateway in front of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import STRIPPED, Messages, Quirks
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate
from lynkr_core.oauth import Bearer, BearerTransport, ClientCredentials
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.secret import Secret
from lynkr_provider_databricks.messages import suited

Spoken = Literal["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"]
TAILS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions", "openai.responses": "/responses", "openai.embeddings": "/embeddings",
    "anthropic.messages": "/anthropic/v1/messages",
}  # fmt: skip
QUIRKS = Quirks(
    rename={"max_completion_tokens": "max_tokens"},
    messages=Messages(drop={"name": "Databricks refuses it"}, thinking=STRIPPED, no_empty_answers=True),
)


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="The workspace, such as `https://dbc-1234.cloud.databricks.com`.")]
    client_id: Annotated[
        str | None, Meta(description="A service principal's id, used with `client_secret` instead of a key.")
    ] = None
    client_secret: Annotated[Secret | None, Meta(description="The service principal's OAuth secret.")] = None
    gateway: Annotated[bool, Meta(description="Ask the workspace's AI gateway instead of its serving endpoints.")] = False
    dialects: Annotated[
        tuple[Spoken, ...], Meta(description="The APIs used; `anthropic.messages` only where all endpoints are Claude's.")
    ] = ("openai.chat", "openai.embeddings")


class ServingEndpoint(Struct):
    name: str


class Listing(Struct):
    endpoints: list[ServingEndpoint] = []


class Databricks(HTTPProvider):
    """One workspace. A model's name is its serving endpoint's."""

    vendor = "databricks"
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        workspace = config.base_url.rstrip("/").removesuffix("/serving-endpoints")
        layers = ("/ai-gateway/mlflow/v1", "/ai-gateway") if config.gateway else ("/serving-endpoints", "/serving-endpoints")
        self.paths = {name: layers[name == "anthropic.messages"] + TAILS[name] for name in config.dialects}
        if bool(config.client_id) != bool(config.client_secret) or (config.api_key and config.client_id):
            raise PluginError("set either api_key, or client_id and client_secret")
        if config.client_id and config.client_secret:
            url, id, secret = workspace + "/oidc/v1/token", config.client_id, config.client_secret
            fetch = ClientCredentials(context.transport, url, id=id, secret=secret, scope="all-apis", basic=True)
            context = structs.replace(context, transport=BearerTransport(context.transport, Bearer(fetch)))
        super().__init__(structs.replace(config, base_url=workspace), context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return dialect.name == "openai.chat" and QUIRKS.apply(fields, losses) | suited(fields, losses)

    async def list_models(self) -> Sequence[str]:
        listing = await self.get("/api/2.0/serving-endpoints", Listing)
        return [endpoint.name for endpoint in listing.endpoints]


plugin = Plugin(api=1, config=Config, create=Databricks)
