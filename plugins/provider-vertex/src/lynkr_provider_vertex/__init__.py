"""Vertex AI: Gemini by its own API, Claude by Anthropic's Messages inside `rawPredict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast
from urllib.parse import quote

from msgspec import Meta, Struct, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate
from lynkr_core.oauth import Bearer, BearerTransport
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.secret import Secret
from lynkr_core.upstream import Endpoint, HeaderList
from lynkr_provider_google.counting import WHOLE
from lynkr_provider_google.fit import OLDER, fit
from lynkr_provider_vertex.tokens import GoogleCredentials

VERSION = "vertex-2023-10-16"
"""`anthropic_version` in the body (Anthropic's SDK 2.11, `AnthropicVertex`)."""
GEMINI = {"gemini": ":generateContent", "gemini.count_tokens": ":countTokens"}
CLAUDE = {"anthropic.messages": ":rawPredict", "anthropic.count_tokens": ":rawPredict"}
STREAMS = {"gemini": ":streamGenerateContent?alt=sse", "anthropic.messages": ":streamRawPredict"}
MULTI_REGIONS = ("us", "eu")
_PUBLISHERS = "/v1beta1/publishers/google/models"


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is; by default the location's host.")] = ""
    project: Annotated[str | None, Meta(description="The cloud project that pays; not needed with an `api_key`.")] = None
    location: Annotated[str, Meta(description="A region, `us`, `eu` or `global`.")] = "global"
    access_token: Annotated[Secret | None, Meta(description="An OAuth token of your own, sent as it is.")] = None
    credentials: Annotated[str | None, Meta(description="Path of a service account's JSON file.")] = None
    claude_models: Annotated[tuple[str, ...], Meta(description="Beginnings of the names of models that speak Anthropic's API.")] = (
        "claude", "publishers/anthropic/",
    )  # fmt: skip
    older_models: Annotated[tuple[str, ...], Meta(
        description="Beginnings of the names of Gemini models that refuse ids of function calls, and think by budget instead of level."
    )] = OLDER  # fmt: skip


class _Model(Struct):
    name: str


class _Listing(Struct, rename="camel"):
    publisher_models: list[_Model]


def host(location: str) -> str:
    """The address of a location (google-genai 3.4.0 and Anthropic's SDK 2.11 agree on it)."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def models_of(config: Config, dialect: str) -> str:
    """The path of a model, up to its method."""
    parent = f"/projects/{quote(config.project)}/locations/{quote(config.location)}" if config.project else ""
    return f"/v1{parent}/publishers/{'anthropic' if dialect in CLAUDE else 'google'}/models/{{model}}"


class Vertex(HTTPProvider):
    """One project in one location."""

    vendor = "vertex_ai"

    def __init__(self, config: Config, context: Context) -> None:
        if config.project is None and config.api_key is None:
            raise PluginError('needs a project, such as project = "my-project"')
        self._token = config.access_token
        self._claude, self._older = config.claude_models, config.older_models
        self._speaks = (tuple(GEMINI), tuple(CLAUDE))
        self.paths = {dialect: models_of(config, dialect) + method for dialect, method in (GEMINI | CLAUDE).items()}
        self.stream_paths = {dialect: models_of(config, dialect) + method for dialect, method in STREAMS.items()}
        if config.access_token is None and config.api_key is None:
            bearer = Bearer(GoogleCredentials(config.credentials))
            context = structs.replace(context, transport=BearerTransport(context.transport, bearer))
        super().__init__(structs.replace(config, base_url=config.base_url or host(config.location)), context)

    def dialects_of(self, model: str) -> tuple[str, ...]:
        return self._speaks[model.startswith(self._claude)]

    def auth(self) -> HeaderList:
        if self._token is not None:
            return ((b"authorization", b"Bearer " + self._token.reveal().encode()),)
        key = self.config.api_key
        return ((b"x-goog-api-key", key.reveal().encode()),) if key else ()

    def addressed(self, dialect: str, model: str, stream: bool) -> Endpoint:
        name = "count-tokens" if dialect == "anthropic.count_tokens" else model.rpartition("/")[2]
        return super().addressed(dialect, name, stream and dialect in STREAMS)

    def redacted(self, text: str) -> str:
        text = super().redacted(text)
        return text.replace(self._token.reveal(), "***") if self._token else text

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name in CLAUDE:
            fields.setdefault("anthropic_version", VERSION)
            if dialect.name == "anthropic.messages":
                fields.pop("model", None)
            return True
        whole: Any = fields.get(WHOLE) if dialect.name == "gemini.count_tokens" else None
        if isinstance(whole, dict):
            del fields[WHOLE]
            fields.update(cast("Fields", whole))  # here the keys of the request stand at the top
        return fit(fields, candidate.model, self._older, losses) or isinstance(whole, dict)

    async def list_models(self) -> Sequence[str]:
        """Those that the configuration names, else Google's own."""
        if self.models:
            return self.models
        listing = await self.get(_PUBLISHERS, _Listing)
        return [model.name.rpartition("/")[2] for model in listing.publisher_models]


plugin = Plugin(api=1, config=Config, create=Vertex)
