"""Cerebras: chat completions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import Messages, Quirks, Thinking, Tools
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

QUIRKS = Quirks(
    rename={"max_tokens": "max_completion_tokens"},
    messages=Messages(thinking=Thinking(key="reasoning")),
    tools=Tools(kinds=frozenset({"function"})),
)
"""As cerebras-cloud-sdk 1.91.0 describes the request: `max_tokens` is deprecated, earlier thinking goes back under `reasoning`."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.cerebras.ai/v1"


class Cerebras(HTTPProvider):
    """The API at api.cerebras.ai."""

    vendor = "cerebras"
    paths = {"openai.chat": "/chat/completions"}

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return dialect.name == "openai.chat" and QUIRKS.apply(fields, losses)


plugin = Plugin(api=1, config=Config, create=Cerebras)
