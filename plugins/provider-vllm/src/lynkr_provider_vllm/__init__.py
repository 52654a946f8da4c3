"""vLLM's server: chat completions, responses, messages and embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

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


class Tool(Struct):
    type: str = "function"


_tools, _tool = msgspec.json.Decoder(list[Raw]), msgspec.json.Decoder(Tool)


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where the server is, with `/v1`.")] = "http://127.0.0.1:8000/v1"
    dialects: Annotated[tuple[Spoken, ...], Meta(description="What this release speaks, the preferred one first.")] = tuple(PATHS)


class Vllm(HTTPProvider):
    """A server on this machine or in the local network; it needs a key only when started with `--api-key`."""

    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}

    def __init__(self, config: Config, context: Context) -> None:
        self.paths = {dialect: PATHS[dialect] for dialect in config.dialects}
        super().__init__(config, context)

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """Chat takes functions only, and refuses the whole request for any other tool."""
        if dialect.name != "openai.chat" or "tools" not in fields:
            return False
        try:
            tools = _tools.decode(msgspec.json.encode(fields["tools"]))
            kinds = [_tool.decode(tool).type for tool in tools]
        except msgspec.ValidationError:
            return False  # the server tells what is wrong with them
        kept = [tool for tool, kind in zip(tools, kinds, strict=True) if kind == "function"]
        losses += [f"tools: vLLM's chat has no tools of kind {kind}" for kind in kinds if kind != "function"]
        if len(kept) == len(tools):
            return False
        fields["tools"] = kept
        if not kept:
            del fields["tools"]
            fields.pop("tool_choice", None)
        return True


plugin = Plugin(api=1, config=Config, create=Vllm)
