"""Moonshot: Kimi through chat, the Responses API, and Anthropic's Messages."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import (
    ANY,
    KEPT,
    STRIPPED,
    ChatProvider,
    Instead,
    Messages,
    Quirks,
    Thinking,
    number,
    refused,
)  # fmt: skip
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is, without `/v1`.")] = "https://api.moonshot.ai"
    plain_models: Annotated[
        tuple[str, ...],
        Meta(description="How the names begin of models that do not reason; they read text alone and take any temperature."),
    ] = ("moonshot-v1",)
    vision_models: Annotated[tuple[str, ...], Meta(description="What the names of plain models contain that see images.")] = (
        "vision",
    )


REASONING = Quirks(
    rename={"max_completion_tokens": "max_tokens"},
    values={
        "tool_choice": {"required": Instead(loss="Moonshot cannot be told to call a tool, the model may choose")},
        "reasoning_effort": {"none": Instead({"thinking": {"type": "disabled"}})},
        "temperature": {"1": KEPT, "1.0": KEPT, ANY: Instead(loss="reasoning models have a temperature of their own")},
    },
    drop=refused("Moonshot has tools instead", "functions", "function_call"),
    messages=Messages(roles={"developer": "system"}, thinking=Thinking(missing="calls"), prefill="partial"),
)
PLAIN = structs.replace(
    REASONING,
    values={"tool_choice": REASONING.values["tool_choice"], "reasoning_effort": {ANY: Instead(loss="the model does not reason")}},
    most={"temperature": 1},
    messages=structs.replace(REASONING.messages, thinking=STRIPPED, text_only=True),
)
SEEING = structs.replace(PLAIN, messages=structs.replace(PLAIN.messages, text_only=False))


class Moonshot(ChatProvider):
    """The API at api.moonshot.ai."""

    vendor = "moonshot"
    paths = {
        "openai.chat": "/v1/chat/completions",
        "openai.responses": "/v1/responses",
        "anthropic.messages": "/anthropic/v1/messages",
    }
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}
    models_path = "/v1/models"

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, context)
        self._plain, self._seeing = config.plain_models, config.vision_models

    def quirks_of(self, model: str) -> Quirks:
        if not model.startswith(self._plain):
            return REASONING
        return SEEING if any(word in model for word in self._seeing) else PLAIN

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        changed = super().adapt(fields, candidate, dialect, losses)
        if (
            dialect.name == "openai.chat"
            and (number(fields.get("n")) or 1) > 1
            and (number(fields.get("temperature")) or 1) < 0.3
        ):
            fields["temperature"] = 0.3  # refused below that with several answers
            losses.append("temperature: 0.3 is the least with several answers, which was sent")
            return True
        return changed


plugin = Plugin(api=1, config=Config, create=Moonshot)
