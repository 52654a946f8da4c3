"""Perplexity: its Agent API, Sonar over chat completions, and embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from lynkr_core.dialects.openai_chat.quirks import OBJECT, STRIPPED, ChatProvider, Instead, Messages, Quirks, refused
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig

PATHS = {"openai.chat": "/chat/completions", "openai.responses": "/v1/responses", "openai.embeddings": "/v1/embeddings"}
LOW = Instead({"reasoning_effort": "minimal"}, "minimal is the least")
HIGH = Instead({"reasoning_effort": "high"}, "high is the most")


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.perplexity.ai"
    api: Annotated[
        Literal["chat", "agent"], Meta(description="Asked for callers of other APIs: `/chat/completions` or the Agent API.")
    ] = "chat"


class Perplexity(ChatProvider):
    """The API at api.perplexity.ai. Keys and values are those of perplexityai 0.46.1."""

    vendor = "perplexity"
    quirks = Quirks(
        rename={"max_completion_tokens": "max_tokens"},
        values={
            "reasoning_effort": {"none": LOW, "xhigh": HIGH, "max": HIGH},
            "tool_choice": {OBJECT: Instead({"tool_choice": "required"}, "told as required, Perplexity knows no names")},
        },
        drop={
            **refused("", "stream_options"),  # usage is in every chunk
            **refused("Perplexity has no such parameter", "seed", "logit_bias", "user", "metadata", "service_tier", "store"),
            **refused("Perplexity has no such parameter", "prompt_cache_key", "verbosity", "functions", "function_call"),
        },
        messages=Messages(
            roles={"developer": "system"}, alternate=True, thinking=STRIPPED, drop={"name": "Perplexity's messages have none"}
        ),
    )

    def __init__(self, config: Config, context: Context) -> None:
        first = "openai.chat" if config.api == "chat" else "openai.responses"
        self.paths = {first: PATHS[first], **PATHS}
        super().__init__(config, context)


plugin = Plugin(api=1, config=Config, create=Perplexity)
