"""LM Studio's server: chat completions, responses, messages and embeddings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

Spoken = Literal["openai.chat", "openai.responses", "anthropic.messages", "openai.embeddings"]
PATHS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "anthropic.messages": "/messages",
    "openai.embeddings": "/embeddings",
}
ANY_OBJECT = {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}}


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the server is, with `/v1`.")] = "http://127.0.0.1:1234/v1"
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence; the first request loads the model.")] = 300.0
    dialects: Annotated[tuple[Spoken, ...], Meta(description="What this release speaks, the preferred one first.")] = tuple(PATHS)


class LMStudio(HTTPProvider):
    """A server on this machine; it needs a key only when its settings require one."""

    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: PATHS[dialect] for dialect in config.dialects}
        super().__init__(config, context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Chat has JSON only with a schema, so any JSON object is asked for by the schema of any object."""
        wanted: Any = fields.get("response_format") if dialect.name == "openai.chat" else None
        if isinstance(wanted, Raw):
            wanted = msgspec.json.decode(wanted)
        if wanted != {"type": "json_object"}:
            return False
        fields["response_format"] = ANY_OBJECT
        return True


plugin = Plugin(api=1, config=Config, create=LMStudio)
