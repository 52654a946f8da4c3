"""OpenRouter: chat completions, responses and embeddings of many vendors' models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from lynkr_core.dialect import Dialect, Fields, Headers
from lynkr_core.dialects.openai_chat.quirks_messages import listed, opened, pieces
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.upstream import HeaderList

Spoken = Literal["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"]
PATHS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions", "openai.responses": "/responses", "openai.embeddings": "/embeddings",
    "anthropic.messages": "/messages",
}  # fmt: skip
MARKER = b'"cache_control"'


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://openrouter.ai/api/v1"
    referer: Annotated[str | None, Meta(description="Your app's site, sent as `HTTP-Referer`; OpenRouter ranks apps by it.")] = (
        None
    )
    title: Annotated[str | None, Meta(description="Your app's name, sent as `X-OpenRouter-Title`.")] = None
    routing: Annotated[dict[str, Any], Meta(description="OpenRouter's `provider` preferences for requests that bring none.")] = {}
    dialects: Annotated[
        tuple[Spoken, ...], Meta(description="The APIs used; `anthropic.messages` spares Anthropic's clients the translation.")
    ] = ("openai.chat", "openai.responses", "openai.embeddings")


class OpenRouter(HTTPProvider):
    """The API at openrouter.ai. Its own request keys (`provider`, `models`, `plugins`, `reasoning`…) pass as they came."""

    vendor = "openrouter"
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: PATHS[dialect] for dialect in config.dialects}
        named = ((b"http-referer", config.referer), (b"x-openrouter-title", config.title))
        self._app: HeaderList = tuple((name, value.encode()) for name, value in named if value)
        self._routing = config.routing
        super().__init__(config, context)

    def auth(self) -> HeaderList:
        return (*super().auth(), *self._app)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        changed = dialect.name == "openai.chat" and marked_inside(fields)
        if self._routing and "provider" not in fields:
            fields["provider"] = self._routing
            changed = True
        return changed

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """A prompt that moderation has flagged comes as a 403, which elsewhere means the key."""
        if status == 403 and (b'"flagged_input"' in body or b'"reasons"' in body):
            flagged = dialect.decode_error(status, headers, body)
            return UpstreamError("content", self.redacted(flagged.message), status=status, code=flagged.code)
        return super().classify(dialect, status, headers, body)


def marked_inside(fields: Fields) -> bool:
    """Moves cache markers of whole messages to the last block of their content, where OpenRouter reads them."""
    before: Any = fields.get("messages")
    if before is None or (not isinstance(before, list) and MARKER not in bytes(before)):
        return False
    messages = listed(before) or []
    after = [moved(item) for item in messages]
    if after == messages:
        return False
    fields["messages"] = after
    return True


def moved(item: Any) -> Any:
    message = opened(item) or {}
    blocks = pieces(message.get("content")) if "cache_control" in message else []
    if not blocks:
        return item
    marker = message.pop("cache_control")
    return {**message, "content": [*blocks[:-1], {**(opened(blocks[-1]) or {}), "cache_control": marker}]}


plugin = Plugin(api=1, config=Config, create=OpenRouter)
