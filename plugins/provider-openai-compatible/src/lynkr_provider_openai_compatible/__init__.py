"""Any server that speaks OpenAI's wire format: vLLM, llama.cpp, LM Studio, and most hosted providers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

Spoken = Literal["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"]
PATHS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "openai.embeddings": "/embeddings",
    "anthropic.messages": "/messages",
}
NULL = Raw(b"null")
LIMITS = ("max_tokens", "max_completion_tokens")
OTHERS = {"max_tokens": ("max_completion_tokens",), "max_completion_tokens": ("max_tokens",), "either": ()}
"""The keys in whose place the one that limits the answer is sent."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    dialects: Annotated[tuple[Spoken, ...], Meta(description="What the server speaks, the preferred one first.")] = (
        "openai.chat",
        "openai.embeddings",
    )
    paths: Annotated[dict[Spoken, str], Meta(description="Paths under `base_url`, where they are not the usual ones.")] = {}
    token_limit_field: Annotated[
        Literal["max_tokens", "max_completion_tokens", "either"] | None,
        Meta(
            description="The chat key that limits the answer; `either` leaves the caller's. "
            "When it is not set, what the model's card says, else `max_tokens`."
        ),
    ] = None
    drop: Annotated[list[str], Meta(description="Request keys that the server refuses; they are taken out.")] = []
    vendor: Annotated[
        str, Meta(description="The name under which catalogues list the server's models, such as LiteLLM's `deepinfra`.")
    ] = ""


class OpenAICompatible(HTTPProvider):
    """A server at `base_url`. Hosted providers refuse keys that OpenAI takes: `drop` and `token_limit_field` say which."""

    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: config.paths.get(dialect, PATHS[dialect]) for dialect in config.dialects}
        self.vendor = config.vendor
        self._limit = config.token_limit_field
        self._drop = frozenset(config.drop)
        super().__init__(config, context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        changed = False
        if self._drop:
            dropped = [name for name in self._drop if fields.pop(name, None) is not None]
            losses += [f"{name}: `drop` of [provider.{self.name}] takes it out" for name in dropped]
            changed = bool(dropped)
        if dialect.name != "openai.chat":
            return changed
        limit = self._limit or (candidate.card and candidate.card.token_limit) or "max_tokens"
        for other in OTHERS.get(limit, LIMITS):
            if other in fields:
                value = fields.pop(other)
                if fields.get(limit) in (None, NULL):  # null limits nothing
                    fields[limit] = value
                changed = True
        return changed


plugin = Plugin(api=1, config=Config, create=OpenAICompatible)
