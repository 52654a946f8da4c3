"""xAI: Grok through the Responses API, and through chat for callers who speak that."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import ChatProvider, Messages, Quirks, Tools, refused
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is; regions have hosts of their own.")] = "https://api.x.ai/v1"
    reasoning_models: Annotated[
        tuple[str, ...], Meta(description="How the names begin of models that refuse `stop` and penalties in chat.")
    ] = ("grok-4", "grok-code")


CHAT = Quirks(
    drop=refused("xAI's chat has no search, its Responses API has", "web_search_options"),
    messages=Messages(drop={"name": "xAI's messages have none"}),
    tools=Tools(drop=frozenset({"strict"})),
)
REASONING = structs.replace(
    CHAT, drop={**CHAT.drop, **refused("reasoning models refuse it", "stop", "frequency_penalty", "presence_penalty")}
)
RESPONSES = Quirks(drop=refused("xAI's Responses API has no such parameter", "metadata"))


class XAI(ChatProvider):
    """The API at api.x.ai, which calls chat completions its legacy."""

    vendor = "xai"
    paths = {"openai.responses": "/responses", "openai.chat": "/chat/completions"}

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, context)
        self._reasoning = config.reasoning_models

    def quirks_of(self, model: str) -> Quirks:
        return REASONING if model.startswith(self._reasoning) else CHAT

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name == "openai.responses":
            return RESPONSES.apply(fields, losses)
        return super().adapt(fields, candidate, dialect, losses)


plugin = Plugin(api=1, config=Config, create=XAI)
