"""llama.cpp's server: chat completions, responses, messages with their token count, and embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider

Spoken = Literal["openai.chat", "openai.responses", "anthropic.messages", "anthropic.count_tokens", "openai.embeddings"]
PATHS: dict[Spoken, str] = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "anthropic.messages": "/messages",
    "anthropic.count_tokens": "/messages/count_tokens",
    "openai.embeddings": "/embeddings",
}


class Tool(Struct):
    """What kind of tool it is. Messages calls its functions `custom`, or nothing; chat and Responses mean free text by that word."""

    type: str | None = None
    name: str | None = None


_tools, _tool = msgspec.json.Decoder(list[Raw]), msgspec.json.Decoder(Tool)


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the server is, with `/v1`; `--port` sets it.")] = "http://127.0.0.1:8080/v1"
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence; a long prompt takes its time.")] = 300.0
    dialects: Annotated[tuple[Spoken, ...], Meta(description="What this build speaks, the preferred one first.")] = tuple(PATHS)


class LlamaCpp(HTTPProvider):
    """A server on this machine or in the local network; it needs a key only when started with `--api-key`."""

    defaults = {name: ((b"anthropic-version", b"2023-06-01"),) for name in PATHS if name.startswith("anthropic.")}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: PATHS[dialect] for dialect in config.dialects}
        super().__init__(config, context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Only functions: chat answers other tools with 500, the other APIs pass them over in silence."""
        functions = (None, "custom") if dialect.name.startswith("anthropic.") else ("function",)
        try:
            tools = _tools.decode(msgspec.json.encode(fields.get("tools")))
            kinds = [_tool.decode(tool) for tool in tools]
        except msgspec.ValidationError:
            return False  # the server tells what is wrong with them
        losses += [f"tools: llama.cpp has no tool {tool.name or tool.type}" for tool in kinds if tool.type not in functions]
        kept = [raw for raw, tool in zip(tools, kinds, strict=True) if tool.type in functions]
        if len(kept) == len(tools):
            return False
        fields["tools"] = kept
        if not kept:
            del fields["tools"]
            fields.pop("tool_choice", None)
        return True


plugin = Plugin(api=1, config=Config, create=LlamaCpp)
