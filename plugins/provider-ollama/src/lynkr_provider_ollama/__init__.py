"""Ollama, through its OpenAI and Anthropic layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where Ollama listens, without `/v1`.")] = "http://127.0.0.1:11434"
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence; the first request loads the model.")] = 300.0


class Tag(Struct):
    name: str


class Tags(Struct):
    """What `/api/tags` answers."""

    models: list[Tag]


class Ollama(HTTPProvider):
    """A server on this machine or in the local network; it needs no key."""

    paths = {"openai.chat": "/v1/chat/completions", "openai.embeddings": "/v1/embeddings", "anthropic.messages": "/v1/messages"}
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}
    models_path = "/api/tags"

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name != "openai.chat" or "max_completion_tokens" not in fields:
            return False
        limit = fields.pop("max_completion_tokens")
        fields.setdefault("max_tokens", limit)
        return True

    async def list_models(self) -> Sequence[str]:
        tags = await self.get(self.models_path, Tags)
        return [tag.name for tag in tags.models]


plugin = Plugin(api=1, config=Config, create=Ollama)
