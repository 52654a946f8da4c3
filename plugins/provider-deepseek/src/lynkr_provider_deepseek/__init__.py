"""DeepSeek: chat, and Anthropic's Messages on its own layer of that API."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, structs

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks import (
    ANY,
    KEPT,
    ChatProvider,
    Instead,
    Messages,
    Quirks,
    Thinking,
    Tools,
    keys,
    refused,
)
from lynkr_core.dialects.openai_chat.quirks_messages import listed, opened, plain
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig

OFF = Instead({"thinking": {"type": "disabled"}})


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the API is.")] = "https://api.deepseek.com"


CHAT = Quirks(
    rename={"max_completion_tokens": "max_tokens"},
    values={"reasoning_effort": {"none": OFF}, "n": {"1": KEPT, ANY: Instead(loss="DeepSeek gives one answer")}},
    drop=refused("DeepSeek has no such parameter", "seed", "logit_bias", "service_tier", "store", "metadata", "prompt_cache_key"),
    schema_in_prompt=True,
    messages=Messages(roles={"developer": "system"}, thinking=Thinking(missing="all"), parts_drop=keys("cache_control")),
    tools=Tools(kinds=keys("function"), drop=keys("cache_control")),
)
SILENT = structs.replace(CHAT, messages=structs.replace(CHAT.messages, thinking=Thinking()))
"""When thinking is switched off, no answer has to bring any."""


class DeepSeek(ChatProvider):
    """The API at api.deepseek.com."""

    vendor = "deepseek"
    paths = {"openai.chat": "/chat/completions", "anthropic.messages": "/anthropic/v1/messages"}
    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        if dialect.name != "openai.chat":
            return untyped(fields)
        return (SILENT if is_off(fields) else CHAT).apply(fields, losses)


def is_off(fields: Fields) -> bool:
    thinking = fields.get("thinking")
    said = bytes(thinking) if isinstance(thinking, Raw) else b""
    return b'"disabled"' in said or fields.get("reasoning_effort") in ("none", Raw(b'"none"'))


def untyped(fields: Fields) -> bool:
    """The layer refuses `"type": "custom"` on tools, which says nothing (LiteLLM 1.109.1)."""
    raw = fields.get("tools")
    if not isinstance(raw, Raw) or b'"custom"' not in bytes(raw):
        return False
    tools = [opened(tool) or {} for tool in listed(raw) or ()]
    custom = [tool for tool in tools if plain(tool.get("type")) == "custom"]
    for tool in custom:
        del tool["type"]
    if custom:
        fields["tools"] = tools
    return bool(custom)


plugin = Plugin(api=1, config=Config, create=DeepSeek)
