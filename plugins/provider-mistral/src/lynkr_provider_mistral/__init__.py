"""Mistral: chat and embeddings. Its API refuses every field that it does not know."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import STRIPPED, ChatProvider, Messages, Quirks, Tools, keys, refused
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is; regions have hosts of their own.")] = "https://api.mistral.ai"
    short_ids: Annotated[bool, Meta(description="Send tool-call ids of nine letters and digits, which older models require.")] = (
        False
    )


CHAT = Quirks(
    rename={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
    drop=refused("", "stream_options"),  # usage is in the last chunk anyway
    allow=keys(  # the fields of `ChatCompletionRequest` in mistralai 3.7.0
        "model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice "
        "presence_penalty frequency_penalty min_tokens repetition_penalty top_k logprobs top_logprobs prompt_logprobs "
        "top_prompt_logprobs n prediction parallel_tool_calls reasoning_effort prompt_mode guardrails prompt_cache_key service_tier "
        "safe_prompt"
    ),
    messages=Messages(
        roles={"developer": "system"},
        allow={
            "system": keys("role content"),
            "user": keys("role content"),
            "assistant": keys("role content tool_calls prefix"),
            "tool": keys("role content tool_call_id name"),
        },
        parts_drop=keys("cache_control"),
        thinking=STRIPPED,
        prefill="prefix",
        no_empty_answers=True,
    ),
    tools=Tools(drop=keys("strict cache_control"), schema=keys("$id $schema strict additionalProperties")),
)
EMBEDDINGS = Quirks(
    rename={"dimensions": "output_dimension"}, allow=keys("model input metadata output_dimension output_dtype encoding_format")
)


class Mistral(ChatProvider):
    """The API at api.mistral.ai."""

    vendor = "mistral"
    paths = {"openai.chat": "/v1/chat/completions", "openai.embeddings": "/v1/embeddings"}
    models_path = "/v1/models"

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, context)
        messages = structs.replace(CHAT.messages, id_length=9) if config.short_ids else CHAT.messages
        self.quirks = structs.replace(CHAT, messages=messages)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name == "openai.embeddings":
            return EMBEDDINGS.apply(fields, losses)
        return super().adapt(fields, candidate, dialect, losses)


plugin = Plugin(api=1, config=Config, create=Mistral)
