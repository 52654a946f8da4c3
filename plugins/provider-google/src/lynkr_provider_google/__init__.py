"""Google's Gemini API: `generateContent`, token counts and embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

from msgspec import Meta, Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.routes import Route
from lynkr_core.upstream import Endpoint, HeaderList
from lynkr_provider_google.counting import WHOLE
from lynkr_provider_google.embeddings import REQUESTS
from lynkr_provider_google.fit import OLDER, fit
from lynkr_provider_google.listing import routes

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
_PREFIX = "models/"


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is, its version included: `/v1beta` or `/v1`.")] = BASE_URL
    older_models: Annotated[tuple[str, ...], Meta(
        description="Beginnings of the names of models that refuse ids of function calls, and think by budget instead of level."
    )] = OLDER  # fmt: skip


class _Model(Struct):
    name: str


class _Listing(Struct):
    models: list[_Model]


class Google(HTTPProvider):
    """The API at generativelanguage.googleapis.com; its key has a header of its own."""

    paths = {
        "gemini": "/models/{model}:generateContent",
        "gemini.count_tokens": "/models/{model}:countTokens",
        "gemini.embeddings": "/models/{model}:batchEmbedContents",
    }
    stream_paths = {"gemini": "/models/{model}:streamGenerateContent?alt=sse"}
    vendor = "gemini"
    models_path = "/models?pageSize=1000"

    def __init__(self, config: Config, context: Context) -> None:
        self._older = tuple(config.older_models)
        super().__init__(config, context)

    def auth(self) -> HeaderList:
        key = self.config.api_key
        return ((b"x-goog-api-key", key.reveal().encode()),) if key else ()

    def addressed(self, dialect: str, model: str, stream: bool) -> Endpoint:
        return super().addressed(dialect, model.removeprefix(_PREFIX), stream and dialect == "gemini")

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name == "gemini":
            return fit(fields, candidate.model, self._older, losses)
        named = _PREFIX + candidate.model.removeprefix(_PREFIX)
        whole: Any = fields.get(WHOLE if dialect.name == "gemini.count_tokens" else REQUESTS)
        requests = cast("list[Any]", whole if isinstance(whole, list) else [whole])
        changed = False
        for request in requests:
            if isinstance(request, dict):
                request["model"] = named
                fit(cast("Fields", request), candidate.model, self._older, losses)
                changed = True
        return changed

    def register_routes(self, kernel: Kernel) -> Iterable[Route]:
        return routes(kernel)

    async def list_models(self) -> Sequence[str]:
        listing = await self.get(self.models_path, _Listing)
        return [model.name.removeprefix(_PREFIX) for model in listing.models]


plugin = Plugin(api=1, config=Config, create=Google)
