"""OpenAI: chat completions, responses and embeddings."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.upstream import HeaderList


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is; regions have hosts of their own.")] = "https://api.openai.com/v1"
    organization: Annotated[str | None, Meta(description="Sent as `OpenAI-Organization`.")] = None
    project: Annotated[str | None, Meta(description="Sent as `OpenAI-Project`.")] = None


class OpenAI(HTTPProvider):
    """The API at api.openai.com. Its newer models refuse `max_tokens` in chat; all of them take `max_completion_tokens`."""

    vendor = "openai"
    paths = {"openai.chat": "/chat/completions", "openai.responses": "/responses", "openai.embeddings": "/embeddings"}

    def __init__(self, config: Config, context: Context) -> None:
        named = ((b"openai-organization", config.organization), (b"openai-project", config.project))
        self._account: HeaderList = tuple((name, value.encode()) for name, value in named if value)
        super().__init__(config, context)

    def auth(self) -> HeaderList:
        return super().auth() if self.callers_own else (*super().auth(), *self._account)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name != "openai.chat" or "max_tokens" not in fields or "max_completion_tokens" in fields:
            return False
        fields["max_completion_tokens"] = fields.pop("max_tokens")
        return True


plugin = Plugin(api=1, config=Config, create=OpenAI)
