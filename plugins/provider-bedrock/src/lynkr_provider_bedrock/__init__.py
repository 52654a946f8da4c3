"""Amazon Bedrock: chat through Converse, embeddings through InvokeModel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.secret import Secret
from lynkr_core.upstream import Endpoint
from lynkr_provider_bedrock import credentials, embeddings, models
from lynkr_provider_bedrock.signing import Fixed, Keys, Signing, Source

KEYS = (
    "give api_key, or access_key_id and secret_access_key, or pip install 'lynkr-provider-bedrock[credentials]' for AWS's chain"
)


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    region: Annotated[str, Meta(description="The AWS region.")] = "us-east-1"
    base_url: Annotated[str, Meta(description="Where the models are; `{region}` stands for the region.")] = (
        "https://bedrock-runtime.{region}.amazonaws.com"
    )
    control_url: Annotated[str, Meta(description="Where they are listed.")] = "https://bedrock.{region}.amazonaws.com"
    api_key: Annotated[Secret | None, Meta(description="A Bedrock API key; then nothing is signed.")] = None
    access_key_id: Annotated[str | None, Meta(description="Of the key that signs, when there is no API key.")] = None
    secret_access_key: Annotated[Secret | None, Meta(description="Its secret.")] = None
    session_token: Annotated[Secret | None, Meta(description="Of a passing key.")] = None
    profile: Annotated[str | None, Meta(description="The profile that AWS's credential chain begins with.")] = None


class Summary(Struct, rename="camel"):
    model_id: str


class Models(Struct, rename="camel"):
    model_summaries: list[Summary]


class Profile(Struct, rename="camel"):
    inference_profile_id: str


class Profiles(Struct, rename="camel"):
    """One page."""

    inference_profile_summaries: list[Profile]


class Bedrock(HTTPProvider):
    """One region of Bedrock. An API key goes in `Authorization`; else each request is signed."""

    paths = {"bedrock.converse": "/model/{model}/converse", "bedrock.embeddings": "/model/{model}/invoke"}
    stream_paths = {"bedrock.converse": "/model/{model}/converse-stream"}
    vendor = "bedrock"

    def __init__(self, config: Config, context: Context) -> None:
        self._control = config.control_url.replace("{region}", config.region).rstrip("/")
        self._source = None if config.api_key else source_of(config)
        super().__init__(structs.replace(config, base_url=config.base_url.replace("{region}", config.region)), context)
        if self._source is not None:
            self._transport = Signing(context.transport, self._source, config.region)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Puts what the dialect wrote into the model's own form."""
        (embeddings if dialect.name == embeddings.NAME else models).suit(fields, candidate.model, losses)
        return True

    def endpoint(self, path: str, method: str = "POST") -> Endpoint:
        found = super().endpoint(path, method)
        if method == "POST":
            return found
        return Endpoint(self._control + path, found.headers, method=method, timeouts=found.timeouts)

    def redacted(self, text: str) -> str:
        """AWS repeats the headers that it found signed wrongly, and the session's token is one of them."""
        keys = self._source.ready() if self._source is not None else None
        for secret in (keys.secret, keys.token) if keys is not None else ():
            text = text.replace(secret, "***") if secret else text
        return super().redacted(text)

    async def list_models(self) -> Sequence[str]:
        """Models, then the inference profiles by which many of them must be called."""
        listing = await self.get("/foundation-models", Models)
        profiles = await self.get("/inference-profiles?maxResults=1000", Profiles)
        ids = [model.model_id for model in listing.model_summaries]
        return [*ids, *[profile.inference_profile_id for profile in profiles.inference_profile_summaries]]


def source_of(config: Config) -> Source:
    """Raises `PluginError` when there is no way to get keys."""
    if config.access_key_id and config.secret_access_key:
        token = config.session_token.reveal() if config.session_token else None
        return Fixed(Keys(config.access_key_id, config.secret_access_key.reveal(), token))
    if config.access_key_id or config.secret_access_key or not credentials.is_installed():
        raise PluginError(KEYS)
    return credentials.Chain(config.profile)


plugin = Plugin(api=1, config=Config, create=Bedrock)
