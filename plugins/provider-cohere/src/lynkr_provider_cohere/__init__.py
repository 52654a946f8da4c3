"""Cohere: chat in its own dialect, embeddings, and the list of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.upstream import HeaderList

InputType = Literal["search_document", "search_query", "classification", "clustering"]


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.cohere.com"
    client_name: Annotated[str | None, Meta(description="Sent as `X-Client-Name`, which Cohere's reports show.")] = None
    input_type: Annotated[
        InputType, Meta(description="What texts are embedded for, where the caller's `input_type` does not say.")
    ] = "search_document"


class Named(Struct):
    name: str


class Listing(Struct):
    models: list[Named]


class Cohere(HTTPProvider):
    """The API at api.cohere.com."""

    vendor = "cohere"
    paths = {"cohere": "/v2/chat", "cohere.embeddings": "/v2/embed"}
    models_path = "/v1/models?page_size=1000"

    def __init__(self, config: Config, context: Context) -> None:
        self._client: HeaderList = ((b"x-client-name", config.client_name.encode()),) if config.client_name else ()
        self._input_type = config.input_type
        super().__init__(config, context)

    def auth(self) -> HeaderList:
        return (*super().auth(), *self._client)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Cohere refuses to embed without an `input_type`, which OpenAI's callers do not know."""
        if dialect.name != "cohere.embeddings" or "input_type" in fields:
            return False
        fields["input_type"] = self._input_type
        return True

    async def list_models(self) -> Sequence[str]:
        return [model.name for model in (await self.get(self.models_path, Listing)).models]


plugin = Plugin(api=1, config=Config, create=Cohere)
