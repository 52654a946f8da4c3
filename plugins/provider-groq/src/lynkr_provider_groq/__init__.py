"""Groq: chat completions and responses."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import Instead, Messages, Quirks, Tools, refused
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

NO_TIER = Instead(loss="Groq has no such tier")
FOREIGN = "thinking of another vendor; Groq takes back its own, under `reasoning`"
QUIRKS = Quirks(
    values={
        "service_tier": {
            "default": Instead({"service_tier": "on_demand"}), "priority": Instead({"service_tier": "performance"}),
            "scale": NO_TIER, "fast": NO_TIER,
        }
    },
    most={"n": 1},
    drop=refused(
        "not supported by Groq", "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "store", "metadata"
    ),
    messages=Messages(drop=refused(FOREIGN, "reasoning_content", "reasoning_details"), no_nulls=True),
    tools=Tools(kinds=frozenset({"function", "browser_search", "code_interpreter", "mcp"})),
)  # fmt: skip
"""As groq 1.7.0 describes the request; `n` and the dropped keys are answered with 400."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.groq.com/openai/v1"


class Groq(HTTPProvider):
    """The API at api.groq.com."""

    vendor = "groq"
    paths = {"openai.chat": "/chat/completions", "openai.responses": "/responses"}

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return dialect.name == "openai.chat" and QUIRKS.apply(fields, losses)


plugin = Plugin(api=1, config=Config, create=Groq)
