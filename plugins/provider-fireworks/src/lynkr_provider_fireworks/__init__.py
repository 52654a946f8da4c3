"""Fireworks: chat completions, responses and embeddings."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

from msgspec import Meta

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import Quirks, Thinking
from lynkr_core.dialects.openai_chat.quirks_messages import Messages
from lynkr_core.exchange import ANONYMOUS, Candidate, Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.upstream import HeaderList

Spoken = Literal["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"]
PATHS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions", "openai.responses": "/responses", "openai.embeddings": "/embeddings",
    "anthropic.messages": "/messages",
}  # fmt: skip
QUIRKS = Quirks(rename={"max_completion_tokens": "max_tokens"}, messages=Messages(thinking=Thinking(key="reasoning_content")))
AFFINITY = b"x-session-affinity"


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.fireworks.ai/inference/v1"
    context_length_exceeded_behavior: Annotated[
        Literal["error", "truncate"],
        Meta(description="Prompt and `max_tokens` over the window: an error, or fewer tokens than were asked for."),
    ] = "error"
    dialects: Annotated[
        tuple[Spoken, ...], Meta(description="The APIs used; `anthropic.messages` spares Anthropic's clients the translation.")
    ] = ("openai.chat", "openai.responses", "openai.embeddings")


class Fireworks(HTTPProvider):
    """The API at api.fireworks.ai. A model's name without a slash is one of Fireworks' own account."""

    vendor = "fireworks_ai"
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: PATHS[dialect] for dialect in config.dialects}
        self._overflow = config.context_length_exceeded_behavior
        super().__init__(config, context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        changed = "/" not in candidate.model
        if changed:
            fields["model"] = f"accounts/fireworks/models/{candidate.model}"
        if dialect.name == "openai.chat":
            QUIRKS.apply(fields, losses)
            fields.setdefault("context_length_exceeded_behavior", self._overflow)
            changed = True
        return changed

    def forwarded(self, exchange: Exchange, dialect: Dialect) -> HeaderList:
        """One caller's requests go to one replica, which has their prompt in its cache."""
        session = exchange.headers.get(AFFINITY)
        if session is None and exchange.principal is not ANONYMOUS:
            session = blake2b(exchange.principal.id.encode(), digest_size=16).hexdigest().encode()
        kept = super().forwarded(exchange, dialect)
        return kept if session is None or AFFINITY in self._own else (*kept, (AFFINITY, session))


plugin = Plugin(api=1, config=Config, create=Fireworks)
