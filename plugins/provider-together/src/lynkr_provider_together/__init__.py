"""Together: chat completions and embeddings."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Raw

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import Instead, Quirks, Tools
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

LOW, HIGH = ({"reasoning_effort": effort} for effort in ("low", "high"))
QUIRKS = Quirks(
    values={
        "reasoning_effort": {
            "none": Instead({"reasoning": {"enabled": False}}),
            "minimal": Instead(LOW, loss="Together knows low, medium and high: low was sent"),
            "xhigh": Instead(HIGH, loss="Together knows low, medium and high: high was sent"),
            "max": Instead(HIGH, loss="Together knows low, medium and high: high was sent"),
        },
        "logprobs": {"true": Instead({"logprobs": 1}), "false": Instead()},
    },
    rename={"max_completion_tokens": "max_tokens"},
    tools=Tools(kinds=frozenset({"function"})),
)
"""As together 3.1.1 describes the request."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.together.ai/v1"


class Together(HTTPProvider):
    """The API at api.together.ai. Its `logprobs` is a number, of the likeliest tokens to tell."""

    vendor = "together_ai"
    paths = {"openai.chat": "/chat/completions", "openai.embeddings": "/embeddings"}

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name != "openai.chat":
            return False
        likeliest: Any = fields.pop("top_logprobs", None)
        if likeliest not in (None, Raw(b"null")):
            fields["logprobs"] = likeliest
        return QUIRKS.apply(fields, losses) or likeliest is not None


plugin = Plugin(api=1, config=Config, create=Together)
